//! Sealing personal data: authenticated encryption with a key per customer, each key wrapped by the
//! master key. Deleting a customer's key makes every copy of the ciphertext unreadable.
//!
//! Algorithm: XChaCha20-Poly1305 with a random 24-byte nonce; ciphertext is `nonce ‖ encrypted ‖ tag`.

pub mod store;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use vinzy_events::ledger::{Hash, SealedField};
use vinzy_events::{CustomerId, EventId};

const ALGORITHM: &str = "XChaCha20-Poly1305";
const NONCE: usize = 24;
/// Sets this hash apart from every other use of SHA-256 over a key.
const COMMITMENT_LABEL: &[u8] = b"vinzy/data-key-commitment/1\n";

/// Where a sealed value would stand in the leaf, as a JSON pointer.
pub type SealedPath = &'static str;

/// The ciphertext could not be opened: another key, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed data cannot be opened")]
pub struct Unopenable;

/// Wraps data keys. Derived from the server's secret key.
#[derive(Clone)]
pub struct MasterKey(XChaCha20Poly1305);

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

impl MasterKey {
    /// From 32 secret bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// Encrypts a data key for storage, bound to its ledger, customer and id.
    pub fn wrap(
        &self,
        ledger_id: &str,
        customer_id: CustomerId,
        key: &DataKey,
        nonce: [u8; NONCE],
    ) -> Vec<u8> {
        encrypt(
            &self.0,
            nonce,
            &key.key,
            &wrap_context(ledger_id, customer_id, &key.id),
        )
    }

    /// Decrypts a stored data key.
    pub fn unwrap(
        &self,
        ledger_id: &str,
        customer_id: CustomerId,
        key_id: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, Unopenable> {
        let key = decrypt(&self.0, wrapped, &wrap_context(ledger_id, customer_id, key_id))?;
        Ok(DataKey {
            id: key_id.to_owned(),
            key: key.try_into().map_err(|_| Unopenable)?,
        })
    }
}

impl DataKey {
    /// A key from an id and 32 random bytes.
    pub fn new(id: impl Into<String>, key: [u8; 32]) -> Self {
        Self { id: id.into(), key }
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

    /// Associated data: `ledger ‖ event id ‖ path ‖ key`, separated by line feeds, which none of them holds.
    fn context(&self, origin: &str, event_id: EventId, path: &str) -> Vec<u8> {
        format!("{origin}\n{event_id}\n{path}\n{}", self.id).into_bytes()
    }
}

fn wrap_context(ledger_id: &str, customer_id: CustomerId, key_id: &str) -> Vec<u8> {
    format!("data-key\n{ledger_id}\n{customer_id}\n{key_id}").into_bytes()
}

fn encrypt(cipher: &XChaCha20Poly1305, nonce: [u8; NONCE], plaintext: &[u8], context: &[u8]) -> Vec<u8> {
    let payload = Payload {
        msg: plaintext,
        aad: context,
    };
    let encrypted = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .expect("XChaCha20-Poly1305 encrypts anything shorter than 256 GiB");
    [nonce.as_slice(), &encrypted].concat()
}

fn decrypt(cipher: &XChaCha20Poly1305, ciphertext: &[u8], context: &[u8]) -> Result<Vec<u8>, Unopenable> {
    let (nonce, encrypted) = ciphertext.split_first_chunk::<NONCE>().ok_or(Unopenable)?;
    let payload = Payload {
        msg: encrypted,
        aad: context,
    };
    cipher
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Unopenable)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_wrapped_key_belongs_to_one_customer() {
        let master = MasterKey::new([1; 32]);
        let (jane, joe) = (
            CustomerId::from(uuid::Uuid::nil()),
            CustomerId::from(uuid::Uuid::max()),
        );
        let key = DataKey::new("k1", [7; 32]);
        let wrapped = master.wrap("default", jane, &key, [2; 24]);
        let unwrapped = master.unwrap("default", jane, "k1", &wrapped).unwrap();
        assert_eq!(unwrapped.commitment(), key.commitment());
        assert!(master.unwrap("default", joe, "k1", &wrapped).is_err());
        assert!(master.unwrap("other", jane, "k1", &wrapped).is_err());
    }
}
