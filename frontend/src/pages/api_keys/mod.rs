//! API keys: what programs and people show to be let in.

mod form;
mod list;
mod revoke;
mod rotate;
pub mod scopes;
mod words;

pub use form::Creation;
pub use list::ApiKeys;
pub use words::secret;
