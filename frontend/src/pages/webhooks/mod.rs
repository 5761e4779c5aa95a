//! Webhooks: where events are sent, and what became of each.

mod deliveries;
mod delivery;
mod events;
mod form;
mod keep_up;
mod list;
mod replay;
mod rotate;
mod show;
mod trial;
mod words;

pub use delivery::Delivery;
pub use list::Webhooks;
pub use show::Webhook;
