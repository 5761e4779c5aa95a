//! When API keys were last used: noted in memory, written now and then. Losing some of it in a crash harms nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;
use vinzy_events::{ApiKeyId, Timestamp};

use crate::database::within;

/// How often it is written.
const EVERY: Duration = Duration::from_secs(30);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(10);

type Place = (Arc<str>, ApiKeyId);

/// Uses that were not written yet.
#[derive(Default)]
pub struct Uses(Mutex<HashMap<Place, Timestamp>>);

impl Uses {
    pub(super) fn note(&self, ledger_id: &Arc<str>, id: ApiKeyId, at: Timestamp) {
        self.lock().insert((Arc::clone(ledger_id), id), at);
    }

    /// Writes what was noted.
    pub async fn flush(&self, pool: &PgPool) -> sqlx::Result<()> {
        let noted = std::mem::take(&mut *self.lock());
        if noted.is_empty() {
            return Ok(());
        }
        let ledgers: Vec<&str> = noted.keys().map(|(ledger_id, _)| &**ledger_id).collect();
        let ids: Vec<Uuid> = noted.keys().map(|(_, id)| id.as_uuid()).collect();
        let times: Vec<_> = noted.values().map(|at| at.to_chrono()).collect();
        sqlx::query!(
            "INSERT INTO api_key_uses AS u (ledger_id, api_key_id, last_used_at)
             SELECT x.ledger_id, x.api_key_id, x.last_used_at
             FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS x(ledger_id, api_key_id, last_used_at)
             ORDER BY x.ledger_id, x.api_key_id
             ON CONFLICT (ledger_id, api_key_id) DO UPDATE
             SET last_used_at = greatest(u.last_used_at, excluded.last_used_at)",
            &ledgers as &[&str],
            &ids,
            &times,
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    /// When keys of a ledger were last used, with what this node has not written yet.
    pub async fn of(
        &self,
        pool: &PgPool,
        ledger_id: &Arc<str>,
        ids: &[ApiKeyId],
    ) -> sqlx::Result<HashMap<ApiKeyId, Timestamp>> {
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let rows = sqlx::query!(
            "SELECT api_key_id, last_used_at FROM api_key_uses
             WHERE ledger_id = $1 AND api_key_id = ANY($2)",
            &**ledger_id,
            &uuids,
        )
        .fetch_all(pool)
        .await?;
        let mut uses: HashMap<ApiKeyId, Timestamp> = rows
            .into_iter()
            .map(|row| (row.api_key_id.into(), Timestamp::from_chrono(row.last_used_at)))
            .collect();
        let noted = self.lock();
        for id in ids {
            if let Some(at) = noted.get(&(Arc::clone(ledger_id), *id)) {
                uses.insert(*id, *at);
            }
        }
        Ok(uses)
    }

    /// Writes now and then until `stopped`, and once more then.
    pub async fn run(&self, pool: PgPool, mut stopped: watch::Receiver<bool>) {
        loop {
            let last = tokio::select! {
                _ = stopped.changed() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            if let Err(error) = within(PATIENCE, self.flush(&pool)).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "uses of API keys could not be written"
                );
            }
            if last {
                return;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
