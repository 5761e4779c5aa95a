//! Signing secrets as the database keeps them: each encrypted with a key of its own, which a master key wraps.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use vinzy_events::webhook::SigningSecret;
use vinzy_events::{EndpointId, SecretId};

use crate::clock::Entropy;
use crate::keys::{MasterKeys, Unopenable, decrypt, encrypt};
use crate::ledger::SealedSecret;

/// Encrypts a secret for storage.
pub fn seal(
    masters: &MasterKeys,
    entropy: &Entropy,
    (ledger_id, endpoint_id, secret_id): (&str, EndpointId, SecretId),
    secret: &SigningSecret,
) -> SealedSecret {
    let context = wrap_context(ledger_id, endpoint_id, secret_id);
    let key: [u8; 32] = entropy.bytes();
    let cipher = XChaCha20Poly1305::new(&key.into());
    SealedSecret {
        secret_id,
        wrapped_key: masters.wrap(&context, &key, entropy.bytes()),
        ciphertext: encrypt(&cipher, entropy.bytes(), secret.expose().as_bytes(), &context),
    }
}

/// Decrypts a stored secret.
pub fn open(
    masters: &MasterKeys,
    (ledger_id, endpoint_id): (&str, EndpointId),
    sealed: &SealedSecret,
) -> Result<SigningSecret, Unopenable> {
    let context = wrap_context(ledger_id, endpoint_id, sealed.secret_id);
    let key = masters.unwrap(&context, &sealed.wrapped_key)?;
    let text = decrypt(&XChaCha20Poly1305::new(&key.into()), &sealed.ciphertext, &context)?;
    let text = String::from_utf8(text).map_err(|_| Unopenable)?;
    SigningSecret::parse(&text).map_err(|_| Unopenable)
}

/// What a wrapped key of a secret, and the secret, are bound to.
pub(crate) fn wrap_context(ledger_id: &str, endpoint_id: EndpointId, secret_id: SecretId) -> Vec<u8> {
    format!("endpoint-secret\n{ledger_id}\n{endpoint_id}\n{secret_id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::keys::MasterKey;

    #[test]
    fn a_secret_opens_for_its_endpoint_and_its_master_key_only() {
        let masters = |secret| MasterKeys::new(MasterKey::from_secret(secret), vec![]);
        let entropy = Entropy::seeded(1);
        let endpoint = EndpointId::from(Uuid::from_u128(1));
        let secret = SigningSecret::parse("an old receiver's secret").unwrap();
        let place = ("default", endpoint, SecretId::from(Uuid::from_u128(2)));
        let sealed = seal(&masters("m"), &entropy, place, &secret);
        assert_eq!(
            open(&masters("m"), ("default", endpoint), &sealed),
            Ok(secret.clone())
        );
        assert!(
            !sealed.ciphertext.windows(8).any(|bytes| secret
                .expose()
                .as_bytes()
                .windows(8)
                .any(|own| own == bytes))
        );
        let other = EndpointId::from(Uuid::from_u128(3));
        assert_eq!(open(&masters("m"), ("default", other), &sealed), Err(Unopenable));
        assert_eq!(open(&masters("m"), ("other", endpoint), &sealed), Err(Unopenable));
        assert_eq!(
            open(&masters("n"), ("default", endpoint), &sealed),
            Err(Unopenable)
        );
    }
}
