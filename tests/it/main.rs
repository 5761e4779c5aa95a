//! Integration tests: a real server, a real PostgreSQL, real HTTP.

mod anomalies;
mod architecture;
mod audit;
mod cli;
mod connections;
mod contract;
mod crash;
mod entitlements;
mod exact;
mod hostile;
mod idempotency;
mod keys;
mod licenses;
mod machines;
mod openapi;
mod races;
mod records;
mod support;
mod usage;
mod validation;
