//! Read models: for each a pure fold with its SQL, the runner that keeps it in step with the ledger, its
//! rebuild, and the queries that read it.
//!
//! A row derives from events alone: no clock, no random ids, so that a rebuild gives the same bytes.
//! Nothing here appends events.

pub mod activity;
pub mod anomalies;
pub mod api_keys;
pub mod archive;
pub mod customers;
pub mod endpoints;
pub mod event_log;
pub mod license_owners;
pub mod license_standings;
pub mod licenses;
pub mod machines;
pub mod page;
mod patience;
mod planning;
pub mod products;
mod progress;
pub mod projection;
pub mod purchases;
pub mod rebuild;
mod recent;
mod rows;
mod runner;
pub mod tenants;
pub mod tiles;
pub mod usage;

use std::sync::Arc;

pub use event_log::StoredEvent;
pub use page::{Order, Page, PageRequest, Start};
pub use patience::within;
pub use progress::Behind;
pub use projection::{ApplyError, Projection};
pub use runner::{Follower, Runner, Status, statuses};

/// Every read model there is.
pub fn all() -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(rows::Rows::<products::Products>::default()),
        Arc::new(rows::Rows::<customers::Customers>::default()),
        Arc::new(rows::Rows::<licenses::Licenses>::default()),
        Arc::new(license_owners::LicenseOwners),
        Arc::new(rows::Rows::<license_standings::LicenseStandings>::default()),
        Arc::new(machines::Machines),
        Arc::new(usage::Usage),
        Arc::new(activity::Activity),
        Arc::new(rows::Rows::<anomalies::Anomalies>::default()),
        Arc::new(rows::Rows::<api_keys::ApiKeys>::default()),
        Arc::new(rows::Rows::<tenants::Tenants>::default()),
        Arc::new(rows::Rows::<endpoints::Endpoints>::default()),
        Arc::new(rows::Rows::<purchases::Purchases>::default()),
        Arc::new(tiles::Tiles),
    ]
}
