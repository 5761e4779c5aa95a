//! Tenants: vendors on this server, for whoever runs it.

mod form;
mod list;
mod settings;
mod show;

pub use list::Tenants;
pub use show::Tenant;
