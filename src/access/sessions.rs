//! Sessions: log-ins that end on the server. What a session may do is what its key may do at the time, so that
//! revoking the key ends it as well.

use data_encoding::BASE64URL_NOPAD;
use sqlx::PgPool;
use vinzy_events::Timestamp;
use vinzy_events::key::KeyDigest;

/// A log-in.
#[derive(Debug, Clone)]
pub struct Session {
    /// SHA-256 of the API key that was shown.
    pub key_digest: KeyDigest,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Begins a session of a key and gives its token, which is shown to the browser and not kept. Those that have ended
/// are cleared away.
pub async fn begin(
    pool: &PgPool,
    key_digest: KeyDigest,
    entropy: [u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<String> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at <= $1", now.to_chrono())
        .execute(pool)
        .await?;
    let token = BASE64URL_NOPAD.encode(&entropy);
    let digest = KeyDigest::of(&token);
    sqlx::query!(
        "INSERT INTO sessions (token_digest, key_digest, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        digest.as_bytes().as_slice(),
        key_digest.as_bytes().as_slice(),
        now.to_chrono(),
        expires_at.to_chrono(),
    )
    .execute(pool)
    .await?;
    Ok(token)
}

/// The session with a token, unless it has ended.
pub async fn find(pool: &PgPool, token: &str, now: Timestamp) -> sqlx::Result<Option<Session>> {
    let digest = KeyDigest::of(token);
    let row = sqlx::query!(
        "SELECT key_digest, expires_at FROM sessions WHERE token_digest = $1 AND expires_at > $2",
        digest.as_bytes().as_slice(),
        now.to_chrono(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|row| {
        Some(Session {
            key_digest: KeyDigest::from_bytes(row.key_digest.try_into().ok()?),
            expires_at: Timestamp::from_chrono(row.expires_at),
        })
    }))
}

/// Ends the session with a token, on every node. Ending it again changes nothing.
pub async fn end(pool: &PgPool, token: &str) -> sqlx::Result<()> {
    let digest = KeyDigest::of(token);
    sqlx::query!(
        "DELETE FROM sessions WHERE token_digest = $1",
        digest.as_bytes().as_slice(),
    )
    .execute(pool)
    .await?;
    Ok(())
}
