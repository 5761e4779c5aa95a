//! Webhooks: what the outbox holds is sent, signed, tried again, and told about. Which events are to be sent to whom
//! is settled in `processes::webhook_outbox`; nothing here writes to the ledger but the end of an endpoint.
//!
//! Calls go to addresses that integrators name: `connector` and what it stands on decide which of them may be called
//! at all, and make one call, from its URL to the first bytes of the answer. It knows nothing of the rest.

pub mod actions;
pub mod body;
mod by_ledger;
mod claim;
pub mod connector;
pub mod deliveries;
pub mod guard;
pub mod health;
mod lease;
pub mod policy;
mod record;
pub mod resolver;
pub mod schedule;
pub mod secrets;
mod send;
mod sweep;
pub mod target;
pub mod worker;

pub use worker::{Sending, Webhooks};
