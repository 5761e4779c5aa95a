//! Processes: they follow events in order and act on them through commands. Each has a checkpoint as a
//! projection has, moved after what it did is on disk; what it does carries ids that derive from the causing
//! event, so that doing it again after a crash is refused, not repeated.

pub mod anomaly_detection;
pub mod webhook_outbox;
