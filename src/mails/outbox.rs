//! The rows of the outbox. Each statement names its ledger, so that on many database servers one of them runs it.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::{CustomerId, LicenseId, MailId, Timestamp};
use vinzy_projections::event_log::unsigned;
use vinzy_projections::{Page, PageRequest, Start};

/// How a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailStatus {
    /// It waits for its first or next try.
    Pending,
    /// A mail server has taken it.
    Delivered,
    /// It is not tried again unless somebody asks.
    Undelivered,
}

impl MailStatus {
    /// Every status there is.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Undelivered];

    /// The status as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
        }
    }

    /// The status with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A mail as lists show it: nothing of whom it goes to but ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// Its id.
    pub id: MailId,
    /// The license whose key it holds.
    pub license_id: LicenseId,
    /// To whom.
    pub customer_id: CustomerId,
    /// How it stands.
    pub status: MailStatus,
    /// Tries since it was last asked for.
    pub attempts: u64,
    /// When it is due.
    pub next_attempt_at: Option<Timestamp>,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When something of it last changed.
    pub updated_at: Timestamp,
}

/// Which mails to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Those in a status.
    pub status: Option<MailStatus>,
    /// Those of a license.
    pub license_id: Option<LicenseId>,
}

/// Why a mail is not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// There is no such mail, or its customer was erased.
    #[error("mail not found")]
    NotFound,
    /// A mail server has it, and the key is gone.
    #[error("the mail was delivered")]
    Delivered,
    /// It is being sent.
    #[error("the mail is being sent just now")]
    UnderWay,
    /// There is no way to send it.
    #[error("no mail server is configured")]
    NoServer,
}

struct Row {
    mail_id: Uuid,
    license_id: Uuid,
    customer_id: Uuid,
    status: String,
    attempts: i64,
    next_attempt_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Mail {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let unknown = || sqlx::Error::Decode(format!("unknown status {:?}", row.status).into());
        Ok(Self {
            status: MailStatus::parse(&row.status).ok_or_else(unknown)?,
            id: row.mail_id.into(),
            license_id: row.license_id.into(),
            customer_id: row.customer_id.into(),
            attempts: unsigned(row.attempts),
            next_attempt_at: row.next_attempt_at.map(Timestamp::from_chrono),
            last_error: row.last_error,
            created_at: Timestamp::from_chrono(row.created_at),
            updated_at: Timestamp::from_chrono(row.updated_at),
        })
    }
}

/// Mails, the newest first.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    filter: Filter,
    page: PageRequest<Uuid>,
) -> sqlx::Result<Page<Mail, Uuid>> {
    let status = filter.status.map(MailStatus::as_str);
    let license_id = filter.license_id.map(LicenseId::as_uuid);
    let after = match page.start {
        Start::After(id) => Some(id),
        Start::Offset(_) => None,
    };
    let rows = sqlx::query_as!(
        Row,
        "SELECT mail_id, license_id, customer_id, status, attempts, next_attempt_at, last_error, created_at,
                updated_at
         FROM mails
         WHERE ledger_id = $1 AND ($2::uuid IS NULL OR mail_id < $2) AND ($3::text IS NULL OR status = $3)
           AND ($4::uuid IS NULL OR license_id = $4)
         ORDER BY mail_id DESC
         OFFSET $5 LIMIT $6",
        ledger_id,
        after,
        status,
        license_id,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM mails
           WHERE ledger_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR license_id = $3)"#,
        ledger_id,
        status,
        license_id,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(Mail::try_from)
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |mail| mail.id.as_uuid()))
}

/// One mail.
pub(super) async fn get(pool: &PgPool, ledger_id: &str, id: MailId) -> sqlx::Result<Option<Mail>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT mail_id, license_id, customer_id, status, attempts, next_attempt_at, last_error, created_at,
                updated_at
         FROM mails WHERE ledger_id = $1 AND mail_id = $2",
        ledger_id,
        id.as_uuid(),
    )
    .fetch_optional(pool)
    .await?;
    row.map(Mail::try_from).transpose()
}

/// Has a mail sent at once, and anew through the whole schedule.
pub(super) async fn resend(
    pool: &PgPool,
    ledger_id: &str,
    id: MailId,
    at: Timestamp,
) -> Result<(), ResendError> {
    let due = sqlx::query!(
        "UPDATE mails SET status = 'pending', attempts = 0, next_attempt_at = $3, last_error = NULL, updated_at = $3
         WHERE ledger_id = $1 AND mail_id = $2 AND status <> 'delivered'
           AND (claimed_until IS NULL OR claimed_until <= $3)",
        ledger_id,
        id.as_uuid(),
        at.to_chrono(),
    )
    .execute(pool)
    .await?
    .rows_affected();
    if due > 0 {
        return Ok(());
    }
    match get(pool, ledger_id, id).await? {
        None => Err(ResendError::NotFound),
        Some(mail) if mail.status == MailStatus::Delivered => Err(ResendError::Delivered),
        Some(_) => Err(ResendError::UnderWay),
    }
}

/// A mail that this node sends.
pub(super) struct Claimed {
    pub(super) ledger_id: String,
    pub(super) mail_id: MailId,
    pub(super) license_id: LicenseId,
    pub(super) customer_id: CustomerId,
    pub(super) key_id: String,
    pub(super) ciphertext: Vec<u8>,
    /// Tries with this one.
    pub(super) attempts: u32,
}

/// The ledgers in which a mail is due, of tenants that are open.
pub(super) async fn waiting(pool: &PgPool, now: Timestamp) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT DISTINCT m.ledger_id FROM mails m
         WHERE m.status = 'pending' AND m.next_attempt_at <= $1
           AND (m.claimed_until IS NULL OR m.claimed_until <= $1)
           AND NOT EXISTS (SELECT FROM closed_ledgers c WHERE c.ledger_id = m.ledger_id)",
        now.to_chrono(),
    )
    .fetch_all(pool)
    .await
}

/// Claims at most `most` mails of a ledger, which no other node takes until `until`. Locks skip what another node is
/// claiming just now.
pub(super) async fn claim(
    pool: &PgPool,
    ledger_id: &str,
    now: Timestamp,
    until: Timestamp,
    most: i64,
) -> sqlx::Result<Vec<Claimed>> {
    let mut tx = pool.begin().await?;
    let due = sqlx::query_scalar!(
        "SELECT mail_id FROM mails
         WHERE ledger_id = $1 AND status = 'pending' AND next_attempt_at <= $2
           AND (claimed_until IS NULL OR claimed_until <= $2)
         ORDER BY next_attempt_at, mail_id
         LIMIT $3
         FOR UPDATE SKIP LOCKED",
        ledger_id,
        now.to_chrono(),
        most,
    )
    .fetch_all(&mut *tx)
    .await?;
    let rows = sqlx::query!(
        "UPDATE mails SET claimed_until = $3, attempts = attempts + 1, attempts_ever = attempts_ever + 1
         WHERE ledger_id = $1 AND mail_id = ANY($2)
         RETURNING mail_id, license_id, customer_id, key_id, ciphertext, attempts",
        ledger_id,
        &due,
        until.to_chrono(),
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let claimed = rows.into_iter().filter_map(|row| {
        Some(Claimed {
            ledger_id: ledger_id.to_owned(),
            mail_id: row.mail_id.into(),
            license_id: row.license_id.into(),
            customer_id: row.customer_id.into(),
            // There is a key to what is pending.
            key_id: row.key_id?,
            ciphertext: row.ciphertext?,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        })
    });
    Ok(claimed.collect())
}

/// What becomes of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// A mail server has it: the key goes.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is not tried again.
    GivenUp,
    /// It waits as it did: this node stops.
    GivenBack,
}

/// Writes down what came of a try. An erased customer's mail is gone, and stays so.
pub(super) async fn record(
    pool: &PgPool,
    claimed: &Claimed,
    fate: &Fate,
    error: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let status = match fate {
        Fate::Delivered => MailStatus::Delivered,
        Fate::Again(_) | Fate::GivenBack => MailStatus::Pending,
        Fate::GivenUp => MailStatus::Undelivered,
    };
    let next = match fate {
        Fate::Again(at) => Some(*at),
        Fate::GivenBack => Some(now),
        Fate::Delivered | Fate::GivenUp => None,
    };
    sqlx::query!(
        "UPDATE mails
         SET status = $3, next_attempt_at = $4, last_error = $5, updated_at = $6, claimed_until = NULL,
             key_id = CASE WHEN $3 = 'delivered' THEN NULL ELSE key_id END,
             ciphertext = CASE WHEN $3 = 'delivered' THEN NULL ELSE ciphertext END
         WHERE ledger_id = $1 AND mail_id = $2 AND status = 'pending'",
        claimed.ledger_id,
        claimed.mail_id.as_uuid(),
        status.as_str(),
        next.map(Timestamp::to_chrono),
        error,
        now.to_chrono(),
    )
    .execute(pool)
    .await?;
    Ok(())
}
