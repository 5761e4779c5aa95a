//! Webhooks: what the outbox holds is sent, signed, tried again, and told about. Which events are to be sent to whom
//! is settled in `processes::webhook_outbox`; nothing here writes to the ledger but the end of an endpoint.

pub mod actions;
pub mod body;
mod claim;
pub mod connector;
pub mod deliveries;
mod lease;
mod record;
pub mod schedule;
pub mod secrets;
mod send;
mod sweep;
pub mod worker;

pub use worker::Webhooks;
