//! Mails with license keys, as the append transaction puts them into the outbox.

use sqlx::PgConnection;
use vinzy_events::{CustomerId, LicenseId, MailId, Timestamp};

/// A mail that is to be sent. Its license key is encrypted with a data key of the customer's.
#[derive(Debug, Clone)]
pub struct SealedMail {
    /// Its id.
    pub mail_id: MailId,
    /// The license.
    pub license_id: LicenseId,
    /// To whom.
    pub customer_id: CustomerId,
    /// The data key that encrypts the license key.
    pub key_id: String,
    /// The license key, encrypted.
    pub ciphertext: Vec<u8>,
    /// What keeps it from being sent, if anything does.
    pub held_back: Option<&'static str>,
    /// When it was asked for.
    pub at: Timestamp,
}

pub(super) async fn write(conn: &mut PgConnection, ledger_id: &str, mail: &SealedMail) -> sqlx::Result<()> {
    let due = mail.held_back.is_none();
    sqlx::query!(
        "INSERT INTO mails (ledger_id, mail_id, license_id, customer_id, status, key_id, ciphertext, attempts,
                            attempts_ever, next_attempt_at, last_error, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9, $10, $10)",
        ledger_id,
        mail.mail_id.as_uuid(),
        mail.license_id.as_uuid(),
        mail.customer_id.as_uuid(),
        if due { "pending" } else { "undelivered" },
        mail.key_id,
        mail.ciphertext,
        due.then(|| mail.at.to_chrono()),
        mail.held_back,
        mail.at.to_chrono(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
