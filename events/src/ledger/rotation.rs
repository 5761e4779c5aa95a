//! Handing a ledger over to another key: the key of before signs which one comes next, so that whoever trusts the
//! first finds the way to the last in the ledger itself.

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};

use super::checkpoint::{CheckpointError, VerifierKey};

/// What the signed text begins with: nothing else that a key signs does.
const CONTEXT: &str = "vinzy/key-rotation/1";

/// The payload of `ledger.opened`. Checkpoints verify with `vkey` until another event says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerOpened {
    /// The verifier key: the ledger's origin, the key's id, and the key.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = crate::schema::VERIFIER_KEY)))]
    pub vkey: String,
}

/// The payload of `ledger.key_rotated`. From this event on checkpoints verify with `vkey`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyRotation {
    /// The verifier key until now.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = crate::schema::VERIFIER_KEY)))]
    pub previous_vkey: String,
    /// The verifier key from now on.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = crate::schema::VERIFIER_KEY)))]
    pub vkey: String,
    /// Ed25519 signature of the previous key, in base64, over
    /// `vinzy/key-rotation/1\n{previous_vkey}\n{vkey}\n`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z0-9+/]{86}==$")))]
    pub signature: String,
}

/// Why an event does not say which key the ledger's checkpoints verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It names no key.
    #[error("it names no key of this ledger")]
    NoKey,
    /// It hands over from another key.
    #[error("it hands the ledger over from another key than the ledger's")]
    OtherKey,
    /// The key of before did not sign it.
    #[error("the ledger's key did not sign that another takes its place")]
    NotSigned,
}

impl KeyRotation {
    /// Hands the ledger `origin` over from one key to another.
    pub fn sign(origin: &str, from: &SigningKey, to: &SigningKey) -> Self {
        let [previous_vkey, vkey] = [from, to].map(|key| VerifierKey::from_signing(origin, key).to_string());
        let signature = from.sign(text(&previous_vkey, &vkey).as_bytes());
        Self {
            signature: BASE64.encode(&signature.to_bytes()),
            previous_vkey,
            vkey,
        }
    }

    /// The key from now on, if `previous`, the key until now, handed the ledger over to it.
    pub fn check(&self, previous: &VerifierKey) -> Result<VerifierKey, KeyError> {
        if self.previous_vkey != previous.to_string() {
            return Err(KeyError::OtherKey);
        }
        let next: VerifierKey = self.vkey.parse().map_err(|_: CheckpointError| KeyError::NoKey)?;
        if next.name() != previous.name() {
            return Err(KeyError::NoKey);
        }
        let signature = BASE64
            .decode(self.signature.as_bytes())
            .map_err(|_| KeyError::NotSigned)?;
        let signed = text(&self.previous_vkey, &self.vkey);
        if previous.verifies(signed.as_bytes(), &signature) {
            Ok(next)
        } else {
            Err(KeyError::NotSigned)
        }
    }
}

fn text(previous_vkey: &str, vkey: &str) -> String {
    format!("{CONTEXT}\n{previous_vkey}\n{vkey}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "vinzy.example/t/acme";

    fn keys() -> [SigningKey; 3] {
        [1, 2, 3].map(|byte| SigningKey::from_bytes(&[byte; 32]))
    }

    fn verifier(key: &SigningKey) -> VerifierKey {
        VerifierKey::from_signing(ORIGIN, key)
    }

    #[test]
    fn the_key_of_before_leads_to_the_next() {
        let [old, new, _] = keys();
        let rotation = KeyRotation::sign(ORIGIN, &old, &new);
        assert_eq!(rotation.check(&verifier(&old)), Ok(verifier(&new)));
    }

    #[test]
    fn nobody_else_can_hand_a_ledger_over() {
        let [old, new, other] = keys();
        let rotation = KeyRotation::sign(ORIGIN, &old, &new);
        assert_eq!(rotation.check(&verifier(&other)), Err(KeyError::OtherKey));
        let forged = KeyRotation {
            previous_vkey: verifier(&old).to_string(),
            ..KeyRotation::sign(ORIGIN, &other, &new)
        };
        assert_eq!(forged.check(&verifier(&old)), Err(KeyError::NotSigned));
        let changed = KeyRotation {
            vkey: verifier(&other).to_string(),
            ..rotation.clone()
        };
        assert_eq!(changed.check(&verifier(&old)), Err(KeyError::NotSigned));
        let elsewhere = KeyRotation {
            vkey: VerifierKey::from_signing("vinzy.example/t/other", &new).to_string(),
            ..rotation.clone()
        };
        assert_eq!(elsewhere.check(&verifier(&old)), Err(KeyError::NoKey));
        for signature in ["", "AA==", "no base64"] {
            let cut = KeyRotation {
                signature: signature.into(),
                ..rotation.clone()
            };
            assert_eq!(cut.check(&verifier(&old)), Err(KeyError::NotSigned));
        }
    }
}
