//! What an API key may be allowed to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of what can be done in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything in the tenant, its API keys included.
    Admin,
    /// Customers and licenses: issue, change, suspend, renew, revoke.
    Issuer,
    /// Reading, and what helps a customer now: suspend and reinstate, free a seat, resolve an anomaly.
    Support,
    /// Usage: record it for any license, and read it.
    Meter,
    /// Reading everything but API keys, webhooks and proofs.
    Read,
    /// The audit trail, verification and proofs.
    Audit,
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of admin, issuer, support, meter, read, audit")]
pub struct InvalidScope;

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Admin,
        Self::Issuer,
        Self::Support,
        Self::Meter,
        Self::Read,
        Self::Audit,
    ];

    /// The scope's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Issuer => "issuer",
            Self::Support => "support",
            Self::Meter => "meter",
            Self::Read => "read",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(InvalidScope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_called_the_same_everywhere() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!("Admin".parse::<Scope>(), Err(InvalidScope));
    }
}
