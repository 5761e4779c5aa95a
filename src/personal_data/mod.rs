//! Sealing personal data: authenticated encryption with a key per customer, each key wrapped by a
//! master key. Deleting a customer's key makes every copy of the ciphertext unreadable.
//!
//! Algorithm: XChaCha20-Poly1305 with a random 24-byte nonce; ciphertext is `nonce ‖ encrypted ‖ tag`.

pub mod search;
pub mod store;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use sha2::{Digest, Sha256};
use vinzy_events::ledger::{Hash, SealedField};
use vinzy_events::{CustomerId, EventId};

pub use crate::keys::Unopenable;
use crate::keys::{MasterKeys, NONCE, decrypt, encrypt};

const ALGORITHM: &str = "XChaCha20-Poly1305";
/// Sets this hash apart from every other use of SHA-256 over a key.
const COMMITMENT_LABEL: &[u8] = b"vinzy/data-key-commitment/1\n";

/// Where a sealed value would stand in the leaf, as a JSON pointer.
pub type SealedPath = &'static str;

/// A customer's key.
#[derive(Clone)]
pub struct DataKey {
    id: String,
    key: [u8; 32],
}

/// A sealed value: what the leaf says of it, and the ciphertext that stands beside the leaf.
pub struct Sealed {
    /// The commitment in the leaf.
    pub field: SealedField,
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
}

impl DataKey {
    /// A key from an id and 32 random bytes.
    pub fn new(id: impl Into<String>, key: [u8; 32]) -> Self {
        Self { id: id.into(), key }
    }

    /// Encrypted for storage, bound to its ledger, customer and id.
    pub fn wrap(
        &self,
        masters: &MasterKeys,
        ledger_id: &str,
        customer_id: CustomerId,
        nonce: [u8; NONCE],
    ) -> Vec<u8> {
        masters.wrap(&wrap_context(ledger_id, customer_id, &self.id), &self.key, nonce)
    }

    /// Decrypted from storage.
    pub fn unwrap(
        masters: &MasterKeys,
        ledger_id: &str,
        customer_id: CustomerId,
        key_id: &str,
        wrapped: &[u8],
    ) -> Result<Self, Unopenable> {
        let key = masters.unwrap(&wrap_context(ledger_id, customer_id, key_id), wrapped)?;
        Ok(Self::new(key_id, key))
    }

    /// The id that leaves name it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What a leaf says of the key: it can be checked by whoever has the key and tells nothing to others.
    pub fn commitment(&self) -> Hash {
        let digest = Sha256::new()
            .chain_update(COMMITMENT_LABEL)
            .chain_update(self.key)
            .finalize();
        Hash::from_bytes(digest.into())
    }

    /// Seals `plaintext` to its place: ledger, event, path and key.
    pub fn seal(
        &self,
        origin: &str,
        event_id: EventId,
        path: SealedPath,
        plaintext: &[u8],
        nonce: [u8; NONCE],
    ) -> Sealed {
        let cipher = XChaCha20Poly1305::new(&self.key.into());
        let ciphertext = encrypt(&cipher, nonce, plaintext, &self.context(origin, event_id, path));
        let field = SealedField {
            alg: ALGORITHM.to_owned(),
            ct_len: ciphertext.len() as u64,
            ct_sha256: Hash::from_bytes(Sha256::digest(&ciphertext).into()),
            kc: self.commitment(),
            key: self.id.clone(),
            path: path.to_owned(),
        };
        Sealed { field, ciphertext }
    }

    /// Opens what was sealed to the same place.
    pub fn open(
        &self,
        origin: &str,
        event_id: EventId,
        path: &str,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, Unopenable> {
        let cipher = XChaCha20Poly1305::new(&self.key.into());
        decrypt(&cipher, ciphertext, &self.context(origin, event_id, path))
    }

    /// Encrypts what stands beside the customer's data and goes with them, bound to its place.
    pub fn encrypt_beside(&self, place: &str, plaintext: &[u8], nonce: [u8; NONCE]) -> Vec<u8> {
        let cipher = XChaCha20Poly1305::new(&self.key.into());
        encrypt(&cipher, nonce, plaintext, &self.beside(place))
    }

    /// Decrypts what was encrypted for the same place.
    pub fn decrypt_beside(&self, place: &str, ciphertext: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let cipher = XChaCha20Poly1305::new(&self.key.into());
        decrypt(&cipher, ciphertext, &self.beside(place))
    }

    /// Associated data of what is no part of an event: `beside ‖ place ‖ key`.
    fn beside(&self, place: &str) -> Vec<u8> {
        format!("beside\n{place}\n{}", self.id).into_bytes()
    }

    /// Associated data: `ledger ‖ event id ‖ path ‖ key`, separated by line feeds, which none of them holds.
    fn context(&self, origin: &str, event_id: EventId, path: &str) -> Vec<u8> {
        format!("{origin}\n{event_id}\n{path}\n{}", self.id).into_bytes()
    }
}

/// What a wrapped data key is bound to.
pub(crate) fn wrap_context(ledger_id: &str, customer_id: CustomerId, key_id: &str) -> Vec<u8> {
    format!("data-key\n{ledger_id}\n{customer_id}\n{key_id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;

    fn event() -> EventId {
        "0197f0a2-0000-7000-8000-000000000000".parse().unwrap()
    }

    #[test]
    fn sealed_data_open_only_in_their_own_place() {
        let key = DataKey::new("k1", [7; 32]);
        let sealed = key.seal("l", event(), "/payload/name", b"Jane", [1; 24]);
        let open = |key: &DataKey, origin, path| key.open(origin, event(), path, &sealed.ciphertext);
        assert_eq!(open(&key, "l", "/payload/name").unwrap(), b"Jane");
        assert_eq!(open(&key, "m", "/payload/name"), Err(Unopenable));
        assert_eq!(open(&key, "l", "/payload/email"), Err(Unopenable));
        assert_eq!(
            open(&DataKey::new("k1", [8; 32]), "l", "/payload/name"),
            Err(Unopenable)
        );
        assert_eq!(key.open("l", event(), "/payload/name", b"short"), Err(Unopenable));
    }

    #[test]
    fn what_stands_beside_opens_in_its_place_only() {
        let key = DataKey::new("k1", [7; 32]);
        let ciphertext = key.encrypt_beside("mail 1", b"PRD-AAAAA", [1; 24]);
        assert_eq!(key.decrypt_beside("mail 1", &ciphertext).unwrap(), b"PRD-AAAAA");
        assert_eq!(key.decrypt_beside("mail 2", &ciphertext), Err(Unopenable));
        let other = DataKey::new("k1", [8; 32]);
        assert_eq!(other.decrypt_beside("mail 1", &ciphertext), Err(Unopenable));
    }

    #[test]
    fn a_wrapped_key_belongs_to_one_customer() {
        let masters = MasterKeys::new(MasterKey::from_secret("m"), vec![]);
        let (jane, joe) = (
            CustomerId::from(uuid::Uuid::nil()),
            CustomerId::from(uuid::Uuid::max()),
        );
        let key = DataKey::new("k1", [7; 32]);
        let wrapped = key.wrap(&masters, "default", jane, [2; 24]);
        let unwrap = |ledger, customer, id| DataKey::unwrap(&masters, ledger, customer, id, &wrapped);
        let unwrapped = unwrap("default", jane, "k1").unwrap();
        assert_eq!(unwrapped.commitment(), key.commitment());
        assert!(unwrap("default", joe, "k1").is_err());
        assert!(unwrap("default", jane, "k2").is_err());
        assert!(unwrap("other", jane, "k1").is_err());
    }
}
