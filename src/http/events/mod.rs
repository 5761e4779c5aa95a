//! `/events`: what happens in a tenant's ledger, for systems that want to hear of it.

pub mod list;
mod stream;
