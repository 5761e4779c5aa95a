//! `GET /customers`

use std::collections::HashSet;

use axum::extract::{OriginalUri, State};
use sqlx::PgPool;
use vinzy_client::customers as wire;
use vinzy_events::CustomerId;
use vinzy_events::customer::EmailAddress;
use vinzy_projections::customers::{self, CustomerRow, Filter};
use vinzy_projections::{Order, Page, PageRequest, Start};

use crate::app::App;
use crate::commands::customers::{erased_at, id_of_email};
use crate::http::caller::Caller;
use crate::http::problem::{FieldError, Problem};
use crate::http::query::{Listed, Query, ids_from};
use crate::personal_data::search::Search;

/// Ids that one request may name.
const MAX_IDS: usize = 100;
/// What is longer than the first part of an id, hyphen included, and begins like one, is no name.
const CERTAINLY_AN_ID: usize = 9;

/// What is asked for.
struct Asked {
    email: Option<EmailAddress>,
    q: Option<String>,
    ids: Option<Vec<CustomerId>>,
    order: Order,
    page: PageRequest,
}

/// List customers, oldest first unless told otherwise.
///
/// Names are sealed for each customer, so `q` opens one after the other: of 1,000 at most for one request. An answer can
/// therefore hold few rows or none and still have a `next` in `Link`, with which to go on; and nobody counts, so there
/// is no `X-Total-Count`. A whole address is found at once, and so is an id, or how one begins, from its first hyphen on.
#[utoipa::path(
    get, path = "/customers", tag = "Customers", operation_id = "listCustomers",
    params(
        ("email" = Option<String>, Query, format = "email", description = "Only the customer with this address."),
        ("q" = Option<String>, Query, max_length = 255, description = "Only customers whose name, address or company holds this, upper and lower case being the same, or whose id begins with it. Pages go on with `after` only."),
        ("ids" = Option<String>, Query, pattern = "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}){0,99})?$", description = "Only the customers with these ids, separated by commas; at most 100."),
        ("sort" = Option<String>, Query, pattern = "^(-?created)?$", description = "`created`, which goes without saying, or `-created`."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`, for the same `sort`; goes before `page`."),
    ),
    responses((status = 200, description = "Customers, with `X-Total-Count` (but for `q`) and `Link`", body = [wire::Customer]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    query: Query,
) -> Result<Listed<wire::Customer>, Problem> {
    let asked = asked(query)?;
    let ledger_id = &caller.ledger_id;
    let mut filter = Filter {
        ids: asked.ids,
        id_range: None,
    };
    if let Some(email) = &asked.email {
        only(&mut filter, id_of_email(&app, ledger_id, email).await?);
    }
    let rows = app.in_step(customers::NAME, ledger_id).await?;
    let listed = match &asked.q {
        None => {
            let page = customers::list(rows, ledger_id, &filter, asked.order, asked.page).await?;
            named(&app, ledger_id, &uri, page).await?
        }
        Some(q) => {
            let page = found(&app, rows, ledger_id, q, filter, (asked.order, asked.page)).await?;
            named(&app, ledger_id, &uri, page).await?.uncounted()
        }
    };
    Ok(listed)
}

fn asked(mut query: Query) -> Result<Asked, Problem> {
    let email = query.parse("email", "must be an e-mail address", |text| {
        EmailAddress::parse(text).ok()
    });
    let q = query.text("q");
    let ids = query.parse("ids", "must be at most 100 UUIDs, separated by commas", ids);
    let order = query.parse("sort", "must be created or -created", Order::parse);
    let page = query.page();
    if q.is_some() && matches!(page.start, Start::Offset(1..)) {
        query.wrong(FieldError {
            field: "page".to_owned(),
            message: "is not for a search: go on with the cursor from the Link header".to_owned(),
        });
    }
    query.finish()?;
    Ok(Asked {
        email,
        q,
        ids,
        order: order.unwrap_or_default(),
        page,
    })
}

fn ids(text: &str) -> Option<Vec<CustomerId>> {
    let ids: Option<Vec<CustomerId>> = text.split(',').map(|id| id.parse().ok()).collect();
    ids.filter(|ids| ids.len() <= MAX_IDS)
}

/// Lets through, of what a filter does, the one customer.
fn only(filter: &mut Filter, id: Option<CustomerId>) {
    let ids = filter.ids.take().map(HashSet::<CustomerId>::from_iter);
    let let_through = id.filter(|id| ids.is_none_or(|ids| ids.contains(id)));
    filter.ids = Some(let_through.into_iter().collect());
}

/// The customers that a search finds.
async fn found(
    app: &App,
    pool: &PgPool,
    ledger_id: &str,
    q: &str,
    mut filter: Filter,
    (order, page): (Order, PageRequest),
) -> Result<Page<CustomerRow>, Problem> {
    let by_email = match EmailAddress::parse(q) {
        Ok(email) => id_of_email(app, ledger_id, &email).await?,
        Err(_) => None,
    };
    let by_id = ids_from(q).filter(|_| q.len() >= CERTAINLY_AN_ID && q.contains('-'));
    let (rows, next) = if by_email.is_some() || by_id.is_some() {
        if by_email.is_some() {
            only(&mut filter, by_email);
        }
        filter.id_range = by_id;
        customers::part(pool, ledger_id, &filter, order, page).await?
    } else {
        let after = match page.start {
            Start::After(position) => Some(position),
            Start::Offset(_) => None,
        };
        let search = Search::new(q, filter, order, after, page.size);
        let found = search.run(pool, &app.personal_data, ledger_id).await?;
        (found.rows, found.next)
    };
    // How many there are is not shown.
    let total = 0;
    Ok(Page { rows, total, next })
}

/// A page of customers with what they are called.
async fn named(
    app: &App,
    ledger_id: &str,
    uri: &OriginalUri,
    mut page: Page<CustomerRow>,
) -> Result<Listed<wire::Customer>, Problem> {
    let ids: Vec<CustomerId> = page.rows.iter().map(|row| row.id).collect();
    let mut data = app.personal_data.current(ledger_id, &ids).await?;
    for row in &mut page.rows {
        if !data.contains_key(&row.id) && row.erased_at.is_none() {
            // Between the two reads they were erased.
            row.erased_at = erased_at(app, ledger_id, row.id).await?;
        }
    }
    Ok(Listed::new(uri, page, |row| {
        let data = data.remove(&row.id).unwrap_or_default();
        super::wire(row.id, row.created_at, row.erased_at, data)
    }))
}
