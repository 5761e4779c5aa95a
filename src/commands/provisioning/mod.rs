//! What providers of payments tell, made into customers, licenses and mails: all of a message in one append, or nothing.

mod message;
mod operation;
mod sale;

pub use message::{Change, Checkout, Message};

use vinzy_events::LicenseId;
use vinzy_events::product::ProductError;

use super::{CommandError, Order, Outcome};
use crate::app::App;
use crate::ledger::LedgerError;
use operation::Tell;

/// How often a message is tried that meets others: each try sees what the one before did not.
const TRIES: usize = 20;

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The license of what it is about, if there is one.
    pub license_id: Option<LicenseId>,
    /// What was done.
    pub deed: Deed,
}

/// What was done about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A license was issued.
    Issued,
    /// Something was noted, and the license is as it says now.
    Noted,
    /// All of it was known.
    Known,
    /// It is none of ours.
    Ignored,
}

impl Deed {
    /// Its name on the wire and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Noted => "noted",
            Self::Known => "known",
            Self::Ignored => "ignored",
        }
    }
}

/// Notes what a message tells, and issues a license for a paid checkout that has none. The same again, under whatever
/// id, at the same time and after a crash, finds all of it done.
///
/// # Errors
/// [`CommandError::NoSuchProduct`] and [`CommandError::NoSuchTier`]: nothing was done then.
pub async fn tell(app: &App, order: Order, message: Message) -> Result<Told, CommandError> {
    if message.is_empty() {
        return Ok(Told {
            license_id: None,
            deed: Deed::Ignored,
        });
    }
    for _ in 0..TRIES {
        let operation = Tell::prepare(app, &order.ledger_id, message.clone()).await?;
        let Some(operation) = operation else { continue };
        match order.clone().execute(app, operation).await {
            Ok(Outcome::Done(told)) => {
                if told.deed == Deed::Issued {
                    app.mails.wake(told.license_id);
                }
                return Ok(told);
            }
            // Without an idempotency key nothing is replayed.
            Ok(Outcome::Replayed(_)) => return Err(LedgerError::Unreadable.into()),
            Err(TellError::Moved) => {}
            Err(TellError::Refused(CommandError::Product(ProductError::NotFound))) => {
                // What was known of the code is old.
                if let Some(checkout) = &message.checkout {
                    app.product_codes.forget(&order.ledger_id, &checkout.product_code);
                }
            }
            Err(TellError::Refused(error)) => return Err(error),
        }
    }
    Err(LedgerError::Unavailable.into())
}

/// Why a message was not noted.
#[derive(Debug)]
enum TellError {
    /// What was read before is not what is there: to be read again.
    Moved,
    /// It was refused.
    Refused(CommandError),
}

impl From<CommandError> for TellError {
    fn from(error: CommandError) -> Self {
        Self::Refused(error)
    }
}

impl From<LedgerError> for TellError {
    fn from(error: LedgerError) -> Self {
        Self::Refused(error.into())
    }
}
