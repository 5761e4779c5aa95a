//! `/mails`: how mails with license keys fare.

pub mod list;
pub mod resend;

use vinzy_client::provisioning as wire;

use crate::mails::Mail;

fn wire(mail: Mail) -> wire::Mail {
    wire::Mail {
        id: mail.id.to_string(),
        license_id: mail.license_id.to_string(),
        customer_id: mail.customer_id.to_string(),
        status: mail.status.as_str().to_owned(),
        attempts: mail.attempts,
        next_attempt_at: mail.next_attempt_at.map(|at| at.to_string()),
        last_error: mail.last_error,
        created_at: mail.created_at.to_string(),
        updated_at: mail.updated_at.to_string(),
    }
}
