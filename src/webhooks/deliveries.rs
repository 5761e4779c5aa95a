//! Reading deliveries and what came of their tries.

use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::ledger::LeafError;
use vinzy_events::{DeliveryId, EndpointId, EventId, Timestamp};
use vinzy_projections::event_log::unsigned;
use vinzy_projections::{Page, PageRequest, Start};

use super::body::Message;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It waits for its first or next try.
    Pending,
    /// It is being sent.
    Sending,
    /// It arrived.
    Success,
    /// It did not arrive, and is not tried again.
    Failed,
}

impl DeliveryStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }

    /// The status with a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Sending, Self::Success, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A delivery.
#[derive(Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint_id: EndpointId,
    /// Of which event: the id under which the receiver knows it.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: String,
    /// What is sent.
    pub message: Message,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried since it was last asked for.
    pub attempts: u64,
    /// What the receiver answered last.
    pub last_response_code: Option<u16>,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// When it is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When the event was recorded.
    pub created_at: Timestamp,
    /// When something of it last changed.
    pub updated_at: Timestamp,
}

/// What came of a try.
#[derive(Debug)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u64,
    /// When.
    pub attempted_at: Timestamp,
    /// The address that was connected to.
    pub address: Option<String>,
    /// The status of the answer.
    pub response_code: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What the answer began with.
    pub response_start: String,
    /// What was wrong.
    pub error: Option<String>,
    /// When it was to be tried next.
    pub next_attempt_at: Option<Timestamp>,
}

/// Which deliveries of an endpoint.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only where they stand like this.
    pub status: Option<DeliveryStatus>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only of events recorded then or later.
    pub since: Option<Timestamp>,
    /// Only of events recorded before.
    pub until: Option<Timestamp>,
}

/// Why deliveries cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// An event cannot be read.
    #[error("an event cannot be read")]
    Event(#[from] LeafError),
}

macro_rules! delivery {
    ($row:expr) => {
        Delivery {
            message: message($row.leaf.as_deref(), &$row.event_type, $row.created_at)?,
            id: $row.delivery_id.into(),
            endpoint_id: $row.endpoint_id.into(),
            event_id: $row.event_id.into(),
            event_type: $row.event_type,
            status: DeliveryStatus::parse(&$row.status).unwrap_or(DeliveryStatus::Failed),
            attempts: unsigned($row.attempts),
            last_response_code: $row.last_response_code.and_then(|code| u16::try_from(code).ok()),
            last_error: $row.last_error,
            next_attempt_at: $row.next_attempt_at.map(Timestamp::from_chrono),
            created_at: Timestamp::from_chrono($row.created_at),
            updated_at: Timestamp::from_chrono($row.updated_at),
        }
    };
}

fn message(
    leaf: Option<&[u8]>,
    event_type: &str,
    created_at: chrono::DateTime<chrono::Utc>,
) -> Result<Message, LeafError> {
    let at = Timestamp::from_chrono(created_at);
    match leaf {
        Some([]) => Ok(Message::of_archived(event_type, at)),
        Some(leaf) => Message::of_event(leaf),
        None => Ok(Message::of_test(at)),
    }
}

/// Deliveries to an endpoint, newest first. The cursor is a delivery's id.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    endpoint_id: EndpointId,
    filter: &Filter,
    page: PageRequest<Uuid>,
) -> Result<Page<Delivery, Uuid>, ReadError> {
    let before = match page.start {
        Start::After(id) => id,
        Start::Offset(_) => Uuid::max(),
    };
    let status = filter.status.map(DeliveryStatus::as_str);
    let (since, until) = (
        filter.since.map(Timestamp::to_chrono),
        filter.until.map(Timestamp::to_chrono),
    );
    let rows = sqlx::query!(
        r#"SELECT d.delivery_id, d.endpoint_id, d.event_id, d.event_type, d.status, d.attempts,
                  d.last_response_code, d.last_error, d.next_attempt_at, d.created_at, d.updated_at,
                  v.leaf AS "leaf?"
           FROM deliveries d
           LEFT JOIN events v ON v.ledger_id = d.ledger_id AND v.position = d.position
           WHERE d.ledger_id = $1 AND d.endpoint_id = $2 AND d.delivery_id < $3
             AND ($4::text IS NULL OR d.status = $4) AND ($5::text IS NULL OR d.event_type = $5)
             AND ($6::timestamptz IS NULL OR d.created_at >= $6)
             AND ($7::timestamptz IS NULL OR d.created_at < $7)
           ORDER BY d.delivery_id DESC
           OFFSET $8 LIMIT $9"#,
        ledger_id,
        endpoint_id.as_uuid(),
        before,
        status,
        filter.event_type,
        since,
        until,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM deliveries d
           WHERE d.ledger_id = $1 AND d.endpoint_id = $2
             AND ($3::text IS NULL OR d.status = $3) AND ($4::text IS NULL OR d.event_type = $4)
             AND ($5::timestamptz IS NULL OR d.created_at >= $5)
             AND ($6::timestamptz IS NULL OR d.created_at < $6)"#,
        ledger_id,
        endpoint_id.as_uuid(),
        status,
        filter.event_type,
        since,
        until,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| Ok(delivery!(row)))
        .collect::<Result<Vec<_>, LeafError>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |delivery| {
        delivery.id.as_uuid()
    }))
}

/// The delivery with an id; nothing if there is none, or its endpoint was removed.
pub async fn get(pool: &PgPool, ledger_id: &str, id: DeliveryId) -> Result<Option<Delivery>, ReadError> {
    let row = sqlx::query!(
        r#"SELECT d.delivery_id, d.endpoint_id, d.event_id, d.event_type, d.status, d.attempts,
                  d.last_response_code, d.last_error, d.next_attempt_at, d.created_at, d.updated_at,
                  v.leaf AS "leaf?"
           FROM deliveries d
           LEFT JOIN events v ON v.ledger_id = d.ledger_id AND v.position = d.position
           WHERE d.ledger_id = $1 AND d.delivery_id = $2
             AND EXISTS (SELECT FROM endpoint_secrets s
                         WHERE s.ledger_id = d.ledger_id AND s.endpoint_id = d.endpoint_id)"#,
        ledger_id,
        id.as_uuid(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Ok::<_, LeafError>(delivery!(row))).transpose()?)
}

/// The last hundred tries of a delivery, in their order.
pub async fn attempts(pool: &PgPool, ledger_id: &str, id: DeliveryId) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        "SELECT attempt_no, attempted_at, address, response_code, duration_ms, response_start, error,
                next_attempt_at
         FROM delivery_attempts
         WHERE ledger_id = $1 AND delivery_id = $2
         ORDER BY attempt_no DESC
         LIMIT 100",
        ledger_id,
        id.as_uuid(),
    )
    .fetch_all(pool)
    .await?;
    let attempts = rows.into_iter().rev().map(|row| Attempt {
        number: unsigned(row.attempt_no),
        attempted_at: Timestamp::from_chrono(row.attempted_at),
        address: row.address,
        response_code: row.response_code.and_then(|code| u16::try_from(code).ok()),
        duration_ms: unsigned(row.duration_ms),
        response_start: row.response_start,
        error: row.error,
        next_attempt_at: row.next_attempt_at.map(Timestamp::from_chrono),
    });
    Ok(attempts.collect())
}
