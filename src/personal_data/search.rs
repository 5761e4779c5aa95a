//! Looking for customers by what they are called. Names are sealed, so there is no index of them: customers are opened
//! one after the other, and only so many for one question.

use sqlx::PgPool;
use vinzy_events::CustomerId;
use vinzy_projections::customers::{self, CustomerRow, Filter};
use vinzy_projections::{Order, PageRequest, Start};

use super::store::{PersonalData, PersonalDataError, PersonalDataStore};

/// Customers that one question opens, at most.
pub const MAX_OPENED: usize = 1_000;
/// Customers that are read at a time.
const AT_A_TIME: u32 = 250;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Search {
    /// What a name, an address, a company, or an id from its beginning holds, in lower case.
    text: String,
    /// Among which customers.
    pub among: Filter,
    /// In what order.
    pub order: Order,
    /// Behind which place.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The customers.
    pub rows: Vec<CustomerRow>,
    /// Where to go on; `None` when all have been looked at.
    pub next: Option<u64>,
}

impl Search {
    /// Looks for a text, upper and lower case being the same.
    pub fn new(text: &str, among: Filter, order: Order, after: Option<u64>, limit: u32) -> Self {
        Self {
            text: text.to_lowercase(),
            among,
            order,
            after,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    /// Looks among a ledger's customers, until so many are found or [`MAX_OPENED`] were opened.
    pub async fn run(
        self,
        pool: &PgPool,
        store: &PersonalDataStore,
        ledger_id: &str,
    ) -> Result<Found, PersonalDataError> {
        let mut found = Found {
            rows: vec![],
            next: self.after,
        };
        let mut opened = 0;
        loop {
            let page = PageRequest {
                start: found.next.map_or(Start::Offset(0), Start::After),
                size: AT_A_TIME,
            };
            let (rows, next) = customers::part(pool, ledger_id, &self.among, self.order, page).await?;
            let ids: Vec<CustomerId> = rows.iter().map(|row| row.id).collect();
            let names = store.names(ledger_id, &ids).await?;
            opened += rows.len();
            let last = rows.last().map(|row| row.created_position);
            for row in rows {
                if !self.matches(row.id, names.get(&row.id)) {
                    continue;
                }
                let position = row.created_position;
                found.rows.push(row);
                if found.rows.len() >= self.limit {
                    let more = next.is_some() || last != Some(position);
                    found.next = more.then_some(position);
                    return Ok(found);
                }
            }
            found.next = next;
            if next.is_none() || opened >= MAX_OPENED {
                return Ok(found);
            }
        }
    }

    fn matches(&self, id: CustomerId, data: Option<&PersonalData>) -> bool {
        let holds = |field: &str| field.to_lowercase().contains(&self.text);
        id.to_string().starts_with(&self.text)
            || data.is_some_and(|data| holds(&data.name) || holds(&data.email) || holds(&data.company))
    }
}
