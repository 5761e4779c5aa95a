//! Integration tests: a real server, a real PostgreSQL, real HTTP.

mod access;
mod anomalies;
mod api_keys;
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
mod limits;
mod machines;
mod openapi;
mod races;
mod records;
mod sessions;
mod support;
mod telemetry;
mod tenants;
mod usage;
mod validation;
