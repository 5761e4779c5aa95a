//! What is sent next: due deliveries, so many per endpoint and so many in all, which no other node takes then.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;
use vinzy_events::webhook::SigningSecret;
use vinzy_events::{DeliveryId, EndpointId, EventId, SecretId, Timestamp};

use super::{by_ledger, secrets};
use crate::distribution::Layout;
use crate::keys::MasterKeys;
use crate::ledger::SealedSecret;

/// An endpoint as every node knows it.
pub(super) type Recipient = (String, Uuid);

/// A delivery that this node sends.
pub(super) struct Claimed {
    pub(super) ledger_id: String,
    pub(super) delivery_id: DeliveryId,
    pub(super) endpoint_id: EndpointId,
    pub(super) event_id: EventId,
    pub(super) event_type: String,
    pub(super) created_at: Timestamp,
    /// Tries before this one, since it was last asked for.
    pub(super) attempts: u32,
    pub(super) url: String,
    pub(super) timeout_seconds: u32,
    pub(super) max_retries: Option<u32>,
    /// The event's leaf; nothing for a test.
    pub(super) leaf: Option<Vec<u8>>,
    /// What signs, the newest first.
    pub(super) secrets: Arc<[SigningSecret]>,
}

impl Claimed {
    pub(super) fn recipient(&self) -> Recipient {
        (self.ledger_id.clone(), self.endpoint_id.as_uuid())
    }
}

/// How much may be claimed.
pub(super) struct Room<'a> {
    /// In all.
    pub(super) total: usize,
    /// To one endpoint, with what is under way already.
    pub(super) per_endpoint: usize,
    /// What is under way.
    pub(super) busy: &'a HashMap<Recipient, usize>,
}

/// A delivery as the database has it, with what sending it takes.
pub(super) struct ClaimedRow {
    pub(super) ledger_id: String,
    pub(super) delivery_id: Uuid,
    pub(super) endpoint_id: Uuid,
    pub(super) event_id: Uuid,
    pub(super) event_type: String,
    pub(super) attempts: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) url: String,
    pub(super) timeout_seconds: i64,
    pub(super) max_retries: Option<i64>,
    pub(super) leaf: Option<Vec<u8>>,
}

/// Claims what is due at `now`.
pub(super) async fn claim(
    (pool, layout): (&PgPool, Layout),
    masters: &MasterKeys,
    worker_id: Uuid,
    now: Timestamp,
    room: &Room<'_>,
) -> sqlx::Result<Vec<Claimed>> {
    if layout == Layout::OneServer {
        let mut tx = begin(pool).await?;
        let rows = claim_at_once(&mut tx, worker_id, now, room).await?;
        return finish(tx, masters, now, rows).await;
    }
    let mut waiting: Vec<_> = by_ledger::waiting(pool, now).await?.into_iter().collect();
    if !waiting.is_empty() {
        // Where there is not room for all, each comes first in its turn.
        let first = now
            .to_chrono()
            .timestamp_micros()
            .rem_euclid(bound(waiting.len()));
        waiting.rotate_left(usize::try_from(first).unwrap_or(0));
    }
    let mut claimed = vec![];
    for (ledger_id, endpoints) in waiting {
        let mut left = room.total.saturating_sub(claimed.len());
        let mut wanted = vec![];
        for endpoint_id in endpoints {
            let busy = room.busy.get(&(ledger_id.clone(), endpoint_id));
            let most = room
                .per_endpoint
                .saturating_sub(busy.copied().unwrap_or(0))
                .min(left);
            if most > 0 {
                wanted.push((endpoint_id, bound(most)));
                left -= most;
            }
        }
        if !wanted.is_empty() {
            let mut tx = begin(pool).await?;
            let rows = by_ledger::claim(&mut tx, worker_id, now, &ledger_id, &wanted).await?;
            claimed.extend(finish(tx, masters, now, rows).await?);
        }
    }
    Ok(claimed)
}

async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin().await?;
    // A claim that a crash of the database loses is made again.
    sqlx::query!("SET LOCAL synchronous_commit = off")
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

async fn claim_at_once(
    conn: &mut PgConnection,
    worker_id: Uuid,
    now: Timestamp,
    room: &Room<'_>,
) -> sqlx::Result<Vec<ClaimedRow>> {
    let ledgers: Vec<&str> = room
        .busy
        .keys()
        .map(|(ledger_id, _)| ledger_id.as_str())
        .collect();
    let endpoints: Vec<Uuid> = room.busy.keys().map(|(_, endpoint_id)| *endpoint_id).collect();
    let counts: Vec<i64> = room.busy.values().map(|count| bound(*count)).collect();
    // Endpoints with something to send are found by leaps through the index: those with a long queue cost no more
    // than others. Locks skip what another node is claiming just now.
    sqlx::query_as!(
        ClaimedRow,
        r#"WITH RECURSIVE waiting AS (
               (SELECT ledger_id, endpoint_id FROM deliveries WHERE status = 'pending'
                ORDER BY ledger_id, endpoint_id LIMIT 1)
               UNION ALL
               SELECT next.ledger_id, next.endpoint_id
               FROM waiting w
               CROSS JOIN LATERAL (SELECT d.ledger_id, d.endpoint_id FROM deliveries d
                                   WHERE d.status = 'pending'
                                     AND (d.ledger_id, d.endpoint_id) > (w.ledger_id, w.endpoint_id)
                                   ORDER BY d.ledger_id, d.endpoint_id LIMIT 1) next
           ), due AS (
               SELECT w.ledger_id, d.delivery_id
               FROM waiting w
               JOIN endpoints e ON e.ledger_id = w.ledger_id AND e.endpoint_id = w.endpoint_id
               LEFT JOIN unnest($3::text[], $4::uuid[], $5::bigint[]) AS b(ledger_id, endpoint_id, count)
                    ON b.ledger_id = w.ledger_id AND b.endpoint_id = w.endpoint_id
               CROSS JOIN LATERAL (SELECT q.delivery_id, q.next_attempt_at FROM deliveries q
                                   WHERE q.ledger_id = w.ledger_id AND q.endpoint_id = w.endpoint_id
                                     AND q.status = 'pending' AND q.next_attempt_at <= $2
                                   ORDER BY q.next_attempt_at, q.delivery_id
                                   LIMIT greatest($6 - coalesce(b.count, 0), 0)
                                   FOR UPDATE SKIP LOCKED) d
               WHERE e.status = 'active'
                 AND NOT EXISTS (SELECT FROM closed_ledgers c WHERE c.ledger_id = w.ledger_id)
               ORDER BY d.next_attempt_at
               LIMIT $7
           ), claimed AS (
               UPDATE deliveries t SET status = 'sending', worker_id = $1
               FROM due
               WHERE t.ledger_id = due.ledger_id AND t.delivery_id = due.delivery_id
               RETURNING t.ledger_id, t.delivery_id, t.endpoint_id, t.event_id, t.event_type, t.position,
                         t.attempts, t.created_at
           )
           SELECT c.ledger_id AS "ledger_id!", c.delivery_id AS "delivery_id!", c.endpoint_id AS "endpoint_id!",
                  c.event_id AS "event_id!", c.event_type AS "event_type!", c.attempts AS "attempts!",
                  c.created_at AS "created_at!", e.url, e.timeout_seconds, e.max_retries,
                  v.leaf AS "leaf?"
           FROM claimed c
           JOIN endpoints e ON e.ledger_id = c.ledger_id AND e.endpoint_id = c.endpoint_id
           LEFT JOIN events v ON v.ledger_id = c.ledger_id AND v.position = c.position"#,
        worker_id,
        now.to_chrono(),
        &ledgers as &[&str],
        &endpoints,
        &counts,
        bound(room.per_endpoint),
        bound(room.total),
    )
    .fetch_all(conn)
    .await
}

/// Opens what signs the claimed deliveries, and commits.
async fn finish(
    mut tx: Transaction<'static, Postgres>,
    masters: &MasterKeys,
    now: Timestamp,
    rows: Vec<ClaimedRow>,
) -> sqlx::Result<Vec<Claimed>> {
    let recipients: Vec<Recipient> = rows
        .iter()
        .map(|row| (row.ledger_id.clone(), row.endpoint_id))
        .collect();
    let secrets = signing(&mut tx, masters, now, recipients).await?;
    tx.commit().await?;
    let claimed = rows.into_iter().map(|row| Claimed {
        secrets: secrets
            .get(&(row.ledger_id.clone(), row.endpoint_id))
            .cloned()
            .unwrap_or_default(),
        ledger_id: row.ledger_id,
        delivery_id: row.delivery_id.into(),
        endpoint_id: row.endpoint_id.into(),
        event_id: row.event_id.into(),
        event_type: row.event_type,
        created_at: Timestamp::from_chrono(row.created_at),
        attempts: number(row.attempts),
        url: row.url,
        timeout_seconds: number(row.timeout_seconds),
        max_retries: row.max_retries.map(number),
        leaf: row.leaf,
    });
    Ok(claimed.collect())
}

/// The secrets that sign for endpoints now.
async fn signing(
    conn: &mut PgConnection,
    masters: &MasterKeys,
    now: Timestamp,
    mut recipients: Vec<Recipient>,
) -> sqlx::Result<HashMap<Recipient, Arc<[SigningSecret]>>> {
    if recipients.is_empty() {
        return Ok(HashMap::new());
    }
    recipients.sort_unstable();
    recipients.dedup();
    let (ledgers, endpoints): (Vec<String>, Vec<Uuid>) = recipients.into_iter().unzip();
    let rows = sqlx::query!(
        "SELECT s.ledger_id, s.endpoint_id, s.secret_id, s.wrapped_key, s.ciphertext
         FROM unnest($1::text[], $2::uuid[]) AS x(ledger_id, endpoint_id)
         JOIN endpoint_secrets s ON s.ledger_id = x.ledger_id AND s.endpoint_id = x.endpoint_id
         WHERE s.valid_until IS NULL OR s.valid_until > $3
         ORDER BY s.valid_until NULLS FIRST",
        &ledgers,
        &endpoints,
        now.to_chrono(),
    )
    .fetch_all(conn)
    .await?;
    let mut opened: HashMap<Recipient, Vec<SigningSecret>> = HashMap::new();
    for row in rows {
        let endpoint_id = EndpointId::from(row.endpoint_id);
        let sealed = SealedSecret {
            secret_id: SecretId::from(row.secret_id),
            wrapped_key: row.wrapped_key,
            ciphertext: row.ciphertext,
        };
        match secrets::open(masters, (&row.ledger_id, endpoint_id), &sealed) {
            Ok(secret) => opened
                .entry((row.ledger_id, row.endpoint_id))
                .or_default()
                .push(secret),
            Err(error) => tracing::error!(
                %endpoint_id,
                error = &error as &dyn std::error::Error,
                "a signing secret does not open with this server's master keys"
            ),
        }
    }
    let shared = opened.into_iter();
    Ok(shared
        .map(|(recipient, secrets)| (recipient, secrets.into()))
        .collect())
}

fn bound(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn number(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
