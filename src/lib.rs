//! The server of Vinzy-Engine: ledger writer, commands, validation, HTTP.

pub mod access;
pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod database;
pub mod directory;
pub mod embedded_postgres;
pub mod http;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod metrics;
pub mod personal_data;
pub mod privileges;
pub mod processes;
pub mod proofs;
pub mod secrets;
pub mod telemetry;
pub mod tenants;
pub mod validation;
pub mod webhooks;
