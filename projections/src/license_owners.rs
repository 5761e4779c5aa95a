//! The read model of whose licenses there are and ever were.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::license::LicenseEvent;
use vinzy_events::{CustomerId, LicenseId};

use crate::event_log::signed;
use crate::projection::BoxFuture;
use crate::rows::{poison, unreadable};
use crate::{ApplyError, Projection, StoredEvent};

/// Name of the projection.
pub const NAME: &str = "license_owners";

/// The events that a license begins with.
const BEGINNINGS: [&str; 2] = ["license.created", "license.imported"];

pub(crate) struct LicenseOwners;

impl Projection for LicenseOwners {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &["license"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["license_owners"]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            apply(conn, ledger_id, events).await?;
            Ok(events.len())
        })
    }
}

async fn apply(conn: &mut PgConnection, ledger_id: &str, events: &[StoredEvent]) -> Result<(), ApplyError> {
    let (mut customers, mut licenses, mut positions) = (vec![], vec![], vec![]);
    let begins = |event: &&StoredEvent| BEGINNINGS.contains(&event.event_type.as_str());
    for stored in events.iter().filter(begins) {
        let event: LicenseEvent = stored.decode().map_err(|source| poison(stored, source))?;
        let customer_id = match event {
            LicenseEvent::Created(created) => Some(created.customer_id),
            LicenseEvent::Imported(imported) => Some(imported.customer_id),
            _ => None,
        };
        if let Some(customer_id) = customer_id {
            customers.push(customer_id.as_uuid());
            licenses.push(Uuid::parse_str(&stored.stream_id).map_err(|_| unreadable(stored))?);
            positions.push(signed(stored.position));
        }
    }
    if positions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO license_owners (ledger_id, customer_id, license_id, created_position)
         SELECT $1, x.customer_id, x.license_id, x.created_position
         FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) AS x(customer_id, license_id, created_position)",
        ledger_id,
        &customers,
        &licenses,
        &positions,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The licenses that a customer had got up to a position, in order of creation, whatever became of them.
pub async fn up_to(
    pool: &PgPool,
    ledger_id: &str,
    customer_id: CustomerId,
    position: u64,
) -> sqlx::Result<Vec<LicenseId>> {
    let ids = sqlx::query_scalar!(
        "SELECT license_id FROM license_owners
         WHERE ledger_id = $1 AND customer_id = $2 AND created_position <= $3
         ORDER BY created_position",
        ledger_id,
        customer_id.as_uuid(),
        signed(position),
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(LicenseId::from).collect())
}
