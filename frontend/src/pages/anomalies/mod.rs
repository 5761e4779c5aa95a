//! Recorded values that stand out from those before them: the list, and each with what explains it.

pub mod list;
mod one;
mod resolve;
mod words;

pub use list::Anomalies;
pub use one::Anomaly;
