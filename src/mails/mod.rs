//! Mails with license keys: an outbox that is written with the license, and a loop per node that sends what is due.
//!
//! A key waits encrypted with its customer's data key, and is deleted once a mail server has taken the mail: until then it
//! can be sent again, from then on nobody has it but the customer. Erasing the customer takes it along.

mod outbox;
mod sender;
mod template;
mod worker;

pub use outbox::{Filter, Mail, MailStatus, ResendError, list};
pub use sender::MailConfigError;
pub use worker::{Mails, Means, Sending};

use vinzy_events::MailId;

use crate::config::ProvisioningConfig;

/// Whether mails can be sent as `config` says, as far as that can be told without sending one.
pub fn check(config: &ProvisioningConfig) -> Result<(), MailConfigError> {
    sender::Sender::try_new(config)?;
    sender::template(config)?;
    Ok(())
}

/// What a license key in the outbox is bound to.
pub(crate) fn place(ledger_id: &str, mail_id: MailId) -> String {
    format!("mail\n{ledger_id}\n{mail_id}")
}
