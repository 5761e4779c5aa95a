//! Asking a server: [`LicenseClient`] for applications, and with the feature `admin` [`AdminClient`] for vendors.

#[cfg(feature = "admin")]
mod admin;
mod answers;
mod builder;
mod error;
mod leases;
mod license;
mod machine;
mod transport;
mod validation;

#[cfg(feature = "admin")]
pub use admin::{AdminClient, AdminClientBuilder};
pub use builder::LicenseClientBuilder;
pub use error::{BuildError, Error};
pub use license::LicenseClient;
pub use reqwest;
pub use validation::Validation;
