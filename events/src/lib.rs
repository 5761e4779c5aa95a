//! The pure domain of Vinzy-Engine: aggregates with their decisions, the licensing rules as functions
//! on values, and the ledger's bytes, hashes, proofs and verifier.
//!
//! Nothing here does I/O, reads a clock or draws entropy: time, ids and random bytes arrive as
//! arguments. The crate builds natively and for `wasm32-unknown-unknown`, so that an auditor's browser
//! runs the same checks as the server.

pub mod access;
pub mod agent;
pub mod anomaly;
pub mod api_key;
pub mod composition;
pub mod customer;
pub mod decimal;
pub mod endpoint;
pub mod entitlement;
pub mod id;
pub mod json;
pub mod key;
pub mod lease;
pub mod ledger;
pub mod license;
pub mod meter;
pub mod period;
pub mod product;
pub mod purchase;
#[cfg(feature = "schema")]
pub mod schema;
pub mod stream;
pub mod tenant;
pub mod timestamp;
pub mod webhook;

pub use decimal::Decimal;
pub use id::{
    AnomalyId, ApiKeyId, CustomerId, DeliveryId, EndpointId, EventId, LicenseId, MachineId, MailId,
    ProductId, PurchaseId, SecretId, TenantId,
};
pub use period::Period;
pub use timestamp::Timestamp;
