//! The service itself: is it alive, is it ready, how are its leases verified, what is it set to.

pub mod health;
pub mod jwks;
pub mod metrics;
pub mod ready;
pub mod settings;
