//! The ledger: its events, its checkpoints, its verification.

mod checkpoint;
mod event;
mod list;
mod outcome;
mod receipt;
mod verify;
mod words;

pub use checkpoint::LastHere;
pub use event::Event;
pub use list::Ledger;
pub use verify::Verify;
