//! Keys that the database keeps, wrapped by a master key that it never sees; and what rotating the master key
//! takes. What is sealed with those keys is not dealt with here.

mod aead;
pub mod census;
pub mod master;
pub mod rewrap;
pub mod server;

pub(crate) use aead::{NONCE, decrypt, encrypt};
pub use master::{MasterKey, MasterKeyId, MasterKeys};
pub use server::ServerKeys;

use hkdf::Hkdf;
use sha2::Sha256;

/// A ciphertext could not be opened: another key, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed data cannot be opened")]
pub struct Unopenable;

/// A key for one purpose out of a secret for many.
pub(crate) fn derive(secret: &[u8], label: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret)
        .expand(label.as_bytes(), &mut key)
        .expect("HKDF gives up to 255 times 32 bytes");
    key
}
