//! Signatures of webhook deliveries, as [Standard Webhooks](https://www.standardwebhooks.com) has them, and as older
//! receivers know them.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Timestamp;

/// What a secret begins with whose rest is the signing key as base64.
const PREFIX: &str = "whsec_";
/// Characters of a secret.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=256;
/// Bytes of a signing key that is given as base64.
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

/// What deliveries to an endpoint are signed with. Not printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    text: String,
    key: Vec<u8>,
}

/// Why a text is no signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// Too short, or too long.
    #[error("must have 16 to 256 characters")]
    Length,
    /// It begins as if it were base64, and is not.
    #[error("must be whsec_ and the base64 of 24 to 64 bytes, or begin otherwise")]
    Encoding,
}

impl SigningSecret {
    /// Reads a secret: `whsec_` and the signing key as base64, or any other text, whose bytes are the signing key.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        if !LENGTH.contains(&text.chars().count()) {
            return Err(InvalidSecret::Length);
        }
        let key = match text.strip_prefix(PREFIX) {
            Some(encoded) => {
                let key = BASE64.decode(encoded.as_bytes());
                let key = key.map_err(|_| InvalidSecret::Encoding)?;
                if !KEY.contains(&key.len()) {
                    return Err(InvalidSecret::Encoding);
                }
                key
            }
            None => text.as_bytes().to_vec(),
        };
        Ok(Self {
            text: text.to_owned(),
            key,
        })
    }

    /// A secret out of 32 random bytes.
    pub fn from_entropy(key: [u8; 32]) -> Self {
        Self {
            text: format!("{PREFIX}{}", BASE64.encode(&key)),
            key: key.to_vec(),
        }
    }

    /// The secret as the receiver has it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The secret in the form that libraries for Standard Webhooks take: `whsec_` and the signing key as base64.
    pub fn standard_form(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.key))
    }

    /// One entry of the header `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over id, time and body.
    pub fn sign(&self, webhook_id: &str, at: Timestamp, body: &[u8]) -> String {
        let head = format!("{webhook_id}.{}.", at.as_seconds());
        format!("v1,{}", BASE64.encode(&mac(&self.key, &[head.as_bytes(), body])))
    }

    /// What older receivers check: HMAC-SHA256 of the body, keyed with the secret's own characters, as lower hex.
    pub fn sign_body(&self, body: &[u8]) -> String {
        HEXLOWER.encode(&mac(self.text.as_bytes(), &[body]))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the specification's own libraries.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Timestamp::from_micros(1_614_265_330_000_000).unwrap();
        assert_eq!(
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(secret.standard_form(), secret.expose());
    }

    #[test]
    fn a_plain_secret_signs_with_its_own_bytes() {
        let plain = SigningSecret::parse("0123456789abcdef").unwrap();
        let same = SigningSecret::parse(&plain.standard_form());
        // Sixteen bytes are too few to be given as base64, and enough as they were always given.
        assert_eq!(same, Err(InvalidSecret::Encoding));
        let plain = SigningSecret::parse("0123456789abcdef01234567").unwrap();
        let same = SigningSecret::parse(&plain.standard_form()).unwrap();
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(plain.sign("id", at, b"body"), same.sign("id", at, b"body"));
        assert_eq!(
            SigningSecret::parse("0123456789abcdef").unwrap().sign_body(b"{}"),
            "f91e3e9f05cc2df64ac1c26f8adccdffda8d1e4a7a8c50a1a08eeadac6ddfec5"
        );
    }

    #[test]
    fn secrets_are_long_enough_and_never_printed() {
        for text in ["", "short", "fifteen chars..", &"x".repeat(257)] {
            assert_eq!(SigningSecret::parse(text), Err(InvalidSecret::Length), "{text}");
        }
        for text in ["whsec_not base64 at all", "whsec_MfKQ9r8GKYqrTwjU"] {
            assert_eq!(SigningSecret::parse(text), Err(InvalidSecret::Encoding), "{text}");
        }
        let made = SigningSecret::from_entropy([7; 32]);
        assert_eq!(SigningSecret::parse(made.expose()), Ok(made.clone()));
        assert!(!format!("{made:?}").contains("BwcH"));
    }
}
