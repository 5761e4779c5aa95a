//! The service itself: is it alive, is it ready, how are its leases verified.

pub mod health;
pub mod jwks;
pub mod metrics;
pub mod ready;
