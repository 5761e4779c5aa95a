//! The keys that sign checkpoints. A ledger names the one that verifies it, whichever others this server has.

use ed25519_dalek::SigningKey;
use vinzy_events::ledger::VerifierKey;

/// Signing keys: ledgers are opened with the first or handed over to it, and signed with the one that they name.
#[derive(Clone)]
pub struct CheckpointKeys {
    first: SigningKey,
    others: Vec<SigningKey>,
}

impl CheckpointKeys {
    /// Keys of which new ledgers get the first.
    pub const fn new(first: SigningKey, others: Vec<SigningKey>) -> Self {
        Self { first, others }
    }

    /// The key that new ledgers get.
    pub const fn first(&self) -> &SigningKey {
        &self.first
    }

    /// What a new ledger says that it verifies with.
    pub fn verifier_of_new(&self, origin: &str) -> String {
        verifier(origin, &self.first)
    }

    /// The key of the ledger that is called `origin` and names `verifier_key`.
    pub fn of_ledger(&self, origin: &str, verifier_key: &str) -> Option<&SigningKey> {
        self.iter().find(|key| verifier(origin, key) == verifier_key)
    }

    /// What a ledger called `origin` would verify with, for each key.
    pub fn verifiers(&self, origin: &str) -> Vec<String> {
        self.iter().map(|key| verifier(origin, key)).collect()
    }

    fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

fn verifier(origin: &str, key: &SigningKey) -> String {
    VerifierKey::from_signing(origin, key).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_keeps_the_key_that_it_names() {
        let [old, new] = [1, 2].map(|byte| SigningKey::from_bytes(&[byte; 32]));
        let before = CheckpointKeys::new(old.clone(), vec![]);
        let after = CheckpointKeys::new(new.clone(), vec![old.clone()]);
        let named = before.verifier_of_new("a");
        assert_eq!(after.of_ledger("a", &named), Some(&old));
        assert_eq!(after.of_ledger("a", &after.verifier_of_new("a")), Some(&new));
        assert_eq!(
            after.of_ledger("b", &named),
            None,
            "a verifier key belongs to one name"
        );
        assert_eq!(before.of_ledger("a", &after.verifier_of_new("a")), None);
    }
}
