//! The client of Vinzy-Engine.
//!
//! Without any feature these are the API's wire types, and in [`calls`] its operations as values, which any HTTP client can
//! send. Times are RFC 3339 text in UTC with `Z`, ids are UUID text.
//!
//! | feature | |
//! |---|---|
//! | `client` | `client::LicenseClient`: validates, takes seats, meters, and goes on offline |
//! | `admin` | `client::AdminClient`: sends every operation, with an API key |
//! | `offline` | `lease` verifies leases, without anything that sends; part of `client`, as is `store`, where leases are kept |
//! | `webhooks` | `webhooks::WebhookVerifier`: tells genuine webhooks from others |
//! | `openapi` | every type describes itself in the `OpenAPI` document |
//!
//! All of it builds for `wasm32-unknown-unknown`, where the browser sends, and where leases are kept in what you give as
//! `store::LeaseStore`.

pub mod access;
pub mod amount;
pub mod anomalies;
pub mod audit;
pub mod call;
pub mod calls;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "client", feature = "webhooks"))]
mod clock;
pub mod composition;
pub mod customers;
pub mod events;
#[cfg(feature = "offline")]
pub mod lease;
pub mod licenses;
pub mod machines;
pub mod overview;
pub mod products;
pub mod provisioning;
pub mod service;
pub mod settings;
#[cfg(feature = "client")]
pub mod store;
pub mod tenants;
pub mod usage;
pub mod validation;
pub mod webhooks;

pub use amount::Amount;
#[cfg(feature = "client")]
pub use client::{Error, LicenseClient, Validation};

use serde::Deserialize;
use serde_json::{Map, Value};

/// The code of the README builds.
#[cfg(all(doctest, feature = "admin", feature = "webhooks"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// A JSON object of the vendor's own.
pub type Object = Map<String, Value>;

/// Keeps `null` apart from absence: absent → `None`, `null` → `Some(None)`.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
