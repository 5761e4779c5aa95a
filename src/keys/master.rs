//! Master keys: the first wraps, the others still open what they wrapped.
//!
//! A wrapped key is `id of the master key (8 bytes) ‖ nonce (24) ‖ encrypted (32) ‖ tag (16)`. Those from before
//! master keys had ids lack the first part, and are tried with every key.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use data_encoding::HEXLOWER;

use super::aead::{self, NONCE, OVERHEAD};
use super::server::Purpose;
use super::{Unopenable, derive};

const ID: usize = 8;
const KEY: usize = 32;
/// Bytes of a wrapped key that names its master key.
pub(super) const WRAPPED: usize = ID + KEY + OVERHEAD;

/// What wrapped keys call a master key. Derived from its secret and tells nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MasterKeyId([u8; ID]);

impl MasterKeyId {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; ID] {
        &self.0
    }

    /// From stored bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeyId({self})")
    }
}

/// Wraps keys.
pub struct MasterKey {
    id: MasterKeyId,
    cipher: XChaCha20Poly1305,
    initial: [[u8; KEY]; Purpose::ALL.len()],
}

impl MasterKey {
    /// From a secret text of any length.
    pub fn from_secret(secret: &str) -> Self {
        let derive = |label| derive(secret.as_bytes(), label);
        let (id, _) = derive("vinzy master key id")
            .split_first_chunk()
            .map(|(id, rest)| (*id, rest.len()))
            .expect("32 bytes hold eight");
        Self {
            id: MasterKeyId(id),
            cipher: XChaCha20Poly1305::new(&derive("vinzy personal data").into()),
            initial: Purpose::ALL.map(|purpose| derive(purpose.label())),
        }
    }

    /// What wrapped keys call it.
    pub const fn id(&self) -> MasterKeyId {
        self.id
    }

    /// The server key that a database gets at its first start: what was derived anew at every start before
    /// databases kept server keys.
    pub(super) const fn initial(&self, purpose: Purpose) -> &[u8; KEY] {
        &self.initial[purpose as usize]
    }

    fn wrap(&self, context: &[u8], key: &[u8; KEY], nonce: [u8; NONCE]) -> Vec<u8> {
        let encrypted = aead::encrypt(&self.cipher, nonce, key, context);
        [self.id.0.as_slice(), &encrypted].concat()
    }

    fn unwrap(&self, context: &[u8], encrypted: &[u8]) -> Result<[u8; KEY], Unopenable> {
        let key = aead::decrypt(&self.cipher, encrypted, context)?;
        key.try_into().map_err(|_| Unopenable)
    }
}

/// The current master key and those of before.
#[derive(Clone)]
pub struct MasterKeys(Arc<(MasterKey, Vec<MasterKey>)>);

impl MasterKeys {
    /// `current` wraps; all open.
    pub fn new(current: MasterKey, old: Vec<MasterKey>) -> Self {
        Self(Arc::new((current, old)))
    }

    /// The one that wraps.
    pub fn current(&self) -> &MasterKey {
        &self.0.0
    }

    /// All, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.0.0).chain(&self.0.1)
    }

    /// Encrypts a key for storage, bound to a context that says whose it is.
    pub fn wrap(&self, context: &[u8], key: &[u8; KEY], nonce: [u8; NONCE]) -> Vec<u8> {
        self.current().wrap(context, key, nonce)
    }

    /// Decrypts a stored key.
    pub fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<[u8; KEY], Unopenable> {
        Ok(self.open(context, wrapped)?.1)
    }

    /// Decrypts a stored key and tells which master key it was that opened it.
    pub(super) fn open(&self, context: &[u8], wrapped: &[u8]) -> Result<(&MasterKey, [u8; KEY]), Unopenable> {
        let (named, encrypted) = match wrapped.split_first_chunk::<ID>() {
            Some((id, encrypted)) if wrapped.len() == WRAPPED => (Some(MasterKeyId(*id)), encrypted),
            _ => (None, wrapped),
        };
        self.iter()
            .filter(|master| named.is_none_or(|id| id == master.id))
            .find_map(|master| Some((master, master.unwrap(context, encrypted).ok()?)))
            .ok_or(Unopenable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> MasterKeys {
        let mut keys = secrets.iter().map(|secret| MasterKey::from_secret(secret));
        MasterKeys::new(keys.next().unwrap(), keys.collect())
    }

    #[test]
    fn the_first_wraps_and_all_open() {
        let (before, both, after) = (keys(&["old"]), keys(&["new", "old"]), keys(&["new"]));
        let old = before.wrap(b"c", &[7; 32], [1; 24]);
        let new = both.wrap(b"c", &[7; 32], [1; 24]);
        assert_eq!(before.unwrap(b"c", &old), Ok([7; 32]));
        assert_eq!(both.unwrap(b"c", &old), Ok([7; 32]));
        assert_eq!(after.unwrap(b"c", &new), Ok([7; 32]));
        assert_eq!(after.unwrap(b"c", &old), Err(Unopenable));
        assert_eq!(before.unwrap(b"c", &new), Err(Unopenable));
        assert_eq!(both.open(b"c", &old).unwrap().0.id(), before.current().id());
    }

    #[test]
    fn a_wrapped_key_belongs_to_its_context_and_is_whole() {
        let masters = keys(&["m"]);
        let wrapped = masters.wrap(b"c", &[7; 32], [1; 24]);
        assert_eq!(wrapped.len(), WRAPPED);
        assert_eq!(masters.unwrap(b"d", &wrapped), Err(Unopenable));
        for index in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[index] ^= 1;
            assert_eq!(masters.unwrap(b"c", &changed), Err(Unopenable), "{index}");
            assert_eq!(masters.unwrap(b"c", &wrapped[..index]), Err(Unopenable));
        }
    }

    #[test]
    fn keys_wrapped_before_master_keys_had_ids_open() {
        let wrapped = keys(&["old"]).wrap(b"c", &[7; 32], [1; 24]);
        let without_id = &wrapped[ID..];
        assert_eq!(keys(&["new", "old"]).unwrap(b"c", without_id), Ok([7; 32]));
        assert_eq!(keys(&["new"]).unwrap(b"c", without_id), Err(Unopenable));
    }
}
