//! `/t/{tenant}`: a tenant's ledger, below the path that it has its name from.

pub mod checkpoint;
