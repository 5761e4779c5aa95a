//! The dashboard in a real browser, on a real server and a real PostgreSQL.
//!
//! Each test writes screenshots of what it looks at, light and dark, to `target/screenshots`, and has axe look for what
//! keeps people out.

#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests over HTTP, which need more of it")]
mod support;

mod administration;
mod anomalies;
mod browser;
mod customers;
mod ledger;
mod license;
mod licenses;
mod overview;
mod palette;
mod products;
mod proxy;
mod serving;
mod session;
mod webdriver;
mod webhooks;
