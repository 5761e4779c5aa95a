//! Which secrets sign deliveries to endpoints, as a batch changes it, and the statements that do.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;
use vinzy_events::{SecretId, Timestamp};

/// A signing secret as the database keeps it.
#[derive(Debug, Clone)]
pub struct SealedSecret {
    /// Its id.
    pub secret_id: SecretId,
    /// The key that encrypts it, wrapped by a master key.
    pub wrapped_key: Vec<u8>,
    /// The secret, encrypted.
    pub ciphertext: Vec<u8>,
}

/// What an operation wants to change for one endpoint.
pub(super) struct SecretsChange {
    signing: Vec<(SecretId, Option<Timestamp>)>,
    new: Vec<SealedSecret>,
}

impl SecretsChange {
    pub(super) fn new(signing: Vec<(SecretId, Option<Timestamp>)>, new: Option<SealedSecret>) -> Self {
        let new = new.into_iter().collect();
        Self { signing, new }
    }
}

/// By endpoint: of what signs the last word counts.
#[derive(Default)]
pub(super) struct EndpointSecrets(BTreeMap<Uuid, SecretsChange>);

impl EndpointSecrets {
    pub(super) fn note(&mut self, endpoint_id: Uuid, change: SecretsChange) {
        let mut new = change.new;
        if let Some(before) = self.0.remove(&endpoint_id) {
            new.splice(0..0, before.new);
        }
        let signing = change.signing;
        self.0.insert(endpoint_id, SecretsChange { signing, new });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) async fn write(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        for (endpoint_id, change) in &self.0 {
            for secret in &change.new {
                sqlx::query!(
                    "INSERT INTO endpoint_secrets (ledger_id, endpoint_id, secret_id, wrapped_key, ciphertext)
                     VALUES ($1, $2, $3, $4, $5)",
                    ledger_id,
                    endpoint_id,
                    secret.secret_id.as_uuid(),
                    secret.wrapped_key,
                    secret.ciphertext,
                )
                .execute(&mut *conn)
                .await?;
            }
            settle(conn, ledger_id, *endpoint_id, &change.signing).await?;
        }
        Ok(())
    }
}

/// Deletes what does not sign any more, and says of the rest until when it does.
async fn settle(
    conn: &mut PgConnection,
    ledger_id: &str,
    endpoint_id: Uuid,
    signing: &[(SecretId, Option<Timestamp>)],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = signing.iter().map(|(id, _)| id.as_uuid()).collect();
    sqlx::query!(
        "DELETE FROM endpoint_secrets WHERE ledger_id = $1 AND endpoint_id = $2 AND secret_id <> ALL($3)",
        ledger_id,
        endpoint_id,
        &ids,
    )
    .execute(&mut *conn)
    .await?;
    for (secret_id, valid_until) in signing {
        sqlx::query!(
            "UPDATE endpoint_secrets SET valid_until = $4
             WHERE ledger_id = $1 AND endpoint_id = $2 AND secret_id = $3",
            ledger_id,
            endpoint_id,
            secret_id.as_uuid(),
            valid_until.map(Timestamp::to_chrono),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
