//! Calls to the addresses that integrators name: which of them may be called at all, and one call, from its URL to
//! the first bytes of the answer. What is sent, when, and to whom is not decided here.

pub mod connector;
pub mod guard;
pub mod policy;
pub mod resolver;
pub mod target;
