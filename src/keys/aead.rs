//! XChaCha20-Poly1305 with a random 24-byte nonce; ciphertext is `nonce ‖ encrypted ‖ tag`.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::Unopenable;

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 24;
/// Bytes that a ciphertext has more than its plaintext.
pub(super) const OVERHEAD: usize = NONCE + 16;

/// Encrypts and binds to a context.
pub(crate) fn encrypt(
    cipher: &XChaCha20Poly1305,
    nonce: [u8; NONCE],
    plaintext: &[u8],
    context: &[u8],
) -> Vec<u8> {
    let payload = Payload {
        msg: plaintext,
        aad: context,
    };
    let encrypted = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .expect("XChaCha20-Poly1305 encrypts anything shorter than 256 GiB");
    [nonce.as_slice(), &encrypted].concat()
}

/// Decrypts what was bound to the same context.
pub(crate) fn decrypt(
    cipher: &XChaCha20Poly1305,
    ciphertext: &[u8],
    context: &[u8],
) -> Result<Vec<u8>, Unopenable> {
    let (nonce, encrypted) = ciphertext.split_first_chunk::<NONCE>().ok_or(Unopenable)?;
    let payload = Payload {
        msg: encrypted,
        aad: context,
    };
    cipher
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Unopenable)
}
