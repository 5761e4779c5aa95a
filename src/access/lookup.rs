//! Looking up API keys in the database: all that are asked about while one statement runs are in the next one.
//!
//! Nothing is cached, so that a key that was revoked on another node opens nothing here either. An answer is never
//! older than its question.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use vinzy_events::access::Scope;
use vinzy_events::key::KeyDigest;
use vinzy_events::{ApiKeyId, Timestamp};

use super::Unavailable;
use crate::database::within;

/// Questions per statement, at most.
const BATCH: usize = 256;
/// How long a statement may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions that may wait before callers wait for room.
const QUEUE: usize = 1_024;

/// What a secret opens.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) ledger_id: Arc<str>,
    pub(super) api_key_id: ApiKeyId,
    pub(super) name: String,
    pub(super) scopes: BTreeSet<Scope>,
    pub(super) valid_until: Option<Timestamp>,
}

struct Question {
    digest: KeyDigest,
    reply: oneshot::Sender<Result<Option<Opened>, Unavailable>>,
}

/// Asks; clones of its sender end the task that answers when they are all gone.
pub(super) struct Lookup {
    queue: mpsc::Sender<Question>,
}

impl Lookup {
    pub(super) fn start(pool: PgPool) -> Self {
        let (queue, questions) = mpsc::channel(QUEUE);
        tokio::spawn(answer(pool, questions));
        Self { queue }
    }

    /// What the secret with this digest opens now.
    pub(super) async fn find(&self, digest: KeyDigest) -> Result<Option<Opened>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Question { digest, reply })
            .await
            .map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)?
    }
}

async fn answer(pool: PgPool, mut questions: mpsc::Receiver<Question>) {
    let mut batch = Vec::with_capacity(BATCH);
    while questions.recv_many(&mut batch, BATCH).await > 0 {
        let digests: Vec<KeyDigest> = batch.iter().map(|question| question.digest).collect();
        let found = within(PATIENCE, find_all(&pool, &digests))
            .await
            .map_err(|error| {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "API keys could not be looked up"
                );
                Unavailable
            });
        for question in batch.drain(..) {
            let answer = found
                .as_ref()
                .map(|found| found.get(&question.digest).cloned())
                .map_err(|error| *error);
            // Whoever asked may have gone away.
            let _ = question.reply.send(answer);
        }
    }
}

async fn find_all(pool: &PgPool, digests: &[KeyDigest]) -> sqlx::Result<HashMap<KeyDigest, Opened>> {
    let digests: Vec<&[u8]> = digests
        .iter()
        .map(|digest| digest.as_bytes().as_slice())
        .collect();
    let rows = sqlx::query!(
        r#"SELECT s.key_digest, s.ledger_id, s.api_key_id, s.name, s.scopes, s.valid_until AS "valid_until?"
           FROM unnest($1::bytea[]) AS x(key_digest)
           CROSS JOIN LATERAL (SELECT key_digest, ledger_id, api_key_id, name, scopes, valid_until
                               FROM api_key_secrets WHERE key_digest = x.key_digest
                               LIMIT 1) s
           WHERE NOT EXISTS (SELECT FROM closed_ledgers c WHERE c.ledger_id = s.ledger_id)"#,
        &digests as &[&[u8]],
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let digest = KeyDigest::from_bytes(row.key_digest.try_into().ok()?);
            let opened = Opened {
                ledger_id: row.ledger_id.into(),
                api_key_id: row.api_key_id.into(),
                name: row.name,
                // A scope that a newer program has written opens nothing here.
                scopes: row.scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
                valid_until: row.valid_until.map(Timestamp::from_chrono),
            };
            Some((digest, opened))
        })
        .collect())
}
