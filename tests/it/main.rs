//! Integration tests: a real server, a real PostgreSQL, real HTTP.

mod architecture;
mod audit;
mod cli;
mod contract;
mod crash;
mod hostile;
mod idempotency;
mod licenses;
mod openapi;
mod races;
mod records;
mod support;
mod validation;
