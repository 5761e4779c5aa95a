//! The server of Vinzy-Engine.

pub mod clock;
