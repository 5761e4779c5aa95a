//! Leases: what an application may go on with while it is offline.
//!
//! A lease is a compact JWS (RFC 7515) with an Ed25519 signature (RFC 8037), whose type is `lease+jwt`. Only what the
//! signature covers is believed. Nothing here reads a clock or a file.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::validation::{Agent, Entitlement};

/// How far a clock may be behind without having been set back.
pub const CLOCK_TOLERANCE_SECONDS: u32 = 300;

/// The last second of the year 9999, after which times cannot be written.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

const TYPE: &str = "lease+jwt";
const ALGORITHM: &str = "EdDSA";

/// Why a lease opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// There is none.
    #[error("There is no lease for this license key: connect once.")]
    Missing,
    /// The text is no lease.
    #[error("What is stored is no lease.")]
    Malformed,
    /// Another algorithm, another type, no key's name.
    #[error("It is not signed as a lease is.")]
    NotSignedAsALease,
    /// Nobody knows the key that has signed it.
    #[error("The lease is signed by an unknown key.")]
    UnknownKey,
    /// The signature does not fit.
    #[error("The lease was edited: its signature does not fit.")]
    Edited,
    /// What was signed lacks what a lease says.
    #[error("The lease does not say what a lease says.")]
    Unreadable,
    /// It is for a product that the license key is not for.
    #[error("The lease is for another product.")]
    OtherProduct,
    /// It is of another vendor.
    #[error("The lease is of another issuer.")]
    OtherIssuer,
    /// A fingerprint was given, and the lease has none.
    #[error("The lease is bound to no machine.")]
    BoundToNoMachine,
    /// The lease has a fingerprint, and none was given.
    #[error("The lease is bound to a machine: give its fingerprint.")]
    FingerprintNeeded,
    /// The lease has another fingerprint.
    #[error("The lease is another machine's.")]
    OtherMachine,
    /// It is earlier than it has been.
    #[error("The clock was set back: connect once to go on.")]
    ClockSetBack,
    /// It holds no longer.
    #[error("The lease has expired: connect once to go on.")]
    Expired,
    /// The server did not give its public keys.
    #[error("The server's public keys cannot be fetched.")]
    KeysUnavailable,
    /// What is stored as public keys is none.
    #[error("The stored public keys cannot be read.")]
    KeysUnreadable,
}

impl LeaseError {
    /// The same as the `code` of an answer: `LEASE_MISSING`, `LEASE_INVALID`, `LEASE_EXPIRED`, `FINGERPRINT_MISMATCH` or
    /// `CLOCK_SET_BACK`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "LEASE_MISSING",
            Self::Expired => "LEASE_EXPIRED",
            Self::ClockSetBack => "CLOCK_SET_BACK",
            Self::BoundToNoMachine | Self::FingerprintNeeded | Self::OtherMachine => "FINGERPRINT_MISMATCH",
            Self::Malformed
            | Self::NotSignedAsALease
            | Self::UnknownKey
            | Self::Edited
            | Self::Unreadable
            | Self::OtherProduct
            | Self::OtherIssuer
            | Self::KeysUnavailable
            | Self::KeysUnreadable => "LEASE_INVALID",
        }
    }
}

/// The text is no JWK set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a JWK set is a JSON object with a list of keys")]
pub struct KeySetError;

/// Public keys that leases verify with: the document at `/.well-known/jwks.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, VerifyingKey>);

impl KeySet {
    /// Takes the Ed25519 keys out of the text of a JWK set (RFC 7517). Keys of other kinds are left out.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        Self::from_document(&serde_json::from_str(text).map_err(|_| KeySetError)?)
    }

    /// The same, of JSON that was read.
    pub fn from_document(document: &Value) -> Result<Self, KeySetError> {
        let keys = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeySetError)?;
        Ok(Self(keys.iter().filter_map(named_key).collect()))
    }

    /// Whether there is a key of this name.
    pub fn contains(&self, key_id: &str) -> bool {
        self.0.contains_key(key_id)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn named_key(jwk: &Value) -> Option<(String, VerifyingKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("kty") != Some("OKP") || text("crv") != Some("Ed25519") {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(text("x")?.as_bytes()).ok()?;
    let key = VerifyingKey::try_from(bytes.as_slice()).ok()?;
    (!key.is_weak()).then_some((text("kid")?.to_owned(), key))
}

/// What a lease says, once its signature has been checked. Times are seconds since 1970, by the server's clock.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claims {
    /// Who issued it: the ledger's name, such as `licenses.example.com/t/default`.
    pub iss: String,
    /// For which product: its code.
    pub aud: String,
    /// For which license: its id.
    pub sub: String,
    /// When it was issued.
    pub iat: u64,
    /// From when it holds.
    pub nbf: u64,
    /// Until when it holds.
    pub exp: u64,
    /// Tier.
    #[serde(default)]
    pub tier: String,
    /// Names of the enabled features.
    #[serde(default)]
    pub features: Vec<String>,
    /// Every feature with its limit, and with what was used by then.
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// Every agent with its limit.
    #[serde(default)]
    pub agents: Vec<Agent>,
    /// The machine that it is bound to.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// Events of the ledger before this position are contained in it.
    #[serde(default)]
    pub ledger_position: Option<u64>,
}

/// Which key has signed a lease, as it says itself.
pub fn key_id(token: &str) -> Result<String, LeaseError> {
    let header = token.split('.').next().unwrap_or_default();
    let header: Map<String, Value> = decode(header).ok_or(LeaseError::Malformed)?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    // What must be understood (RFC 7515, 4.1.11) is nothing that a lease has.
    if text("typ") != Some(TYPE) || text("alg") != Some(ALGORITHM) || header.contains_key("crit") {
        return Err(LeaseError::NotSignedAsALease);
    }
    text("kid")
        .map(str::to_owned)
        .ok_or(LeaseError::NotSignedAsALease)
}

/// Reads a lease whose signature fits a key of `keys`. Whether it holds here and now is not judged.
pub fn verify(token: &str, keys: &KeySet) -> Result<Claims, LeaseError> {
    let key = keys.0.get(&key_id(token)?).ok_or(LeaseError::UnknownKey)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(LeaseError::Malformed)?;
    let signature = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .ok()
        .and_then(|bytes| Signature::from_slice(&bytes).ok())
        .ok_or(LeaseError::Edited)?;
    key.verify_strict(signed.as_bytes(), &signature)
        .map_err(|_| LeaseError::Edited)?;
    let claims: Claims = signed
        .split_once('.')
        .and_then(|(_, claims)| decode(claims))
        .ok_or(LeaseError::Unreadable)?;
    if [claims.iat, claims.nbf, claims.exp]
        .iter()
        .any(|at| *at > LAST_SECOND)
    {
        return Err(LeaseError::Unreadable);
    }
    Ok(claims)
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

impl Claims {
    /// Whether it is for this license key's product, for this machine and, if one is given, of this issuer.
    pub fn check_subject(
        &self,
        license_key: &str,
        fingerprint: Option<&str>,
        issuer: Option<&str>,
    ) -> Result<(), LeaseError> {
        // As license keys begin: three characters, filled up with X.
        let prefix: String = self.aud.chars().chain("XXX".chars()).take(3).collect();
        if normal_key(license_key).split('-').next() != Some(prefix.as_str()) {
            return Err(LeaseError::OtherProduct);
        }
        if issuer.is_some_and(|issuer| issuer != self.iss) {
            return Err(LeaseError::OtherIssuer);
        }
        match (self.fingerprint.as_deref(), fingerprint) {
            (bound_to, asked_for) if bound_to == asked_for => Ok(()),
            (None, _) => Err(LeaseError::BoundToNoMachine),
            (_, None) => Err(LeaseError::FingerprintNeeded),
            _ => Err(LeaseError::OtherMachine),
        }
    }

    /// Whether it holds now: `now` is the clock's time, `seen` the latest that was ever read, `ends` when the lease ends
    /// with all grace. The signed times of its issue have been, too.
    pub fn check_time(&self, now: f64, seen: f64, ends: f64) -> Result<(), LeaseError> {
        let been = seen.max(seconds(self.iat)).max(seconds(self.nbf));
        if now < been - f64::from(CLOCK_TOLERANCE_SECONDS) {
            return Err(LeaseError::ClockSetBack);
        }
        if now < ends {
            Ok(())
        } else {
            Err(LeaseError::Expired)
        }
    }

    /// When it ends: `grace` seconds after what it says itself, but not after the license.
    pub fn ends_at(&self, license_ends: Option<f64>, grace: f64) -> f64 {
        let expires = seconds(self.exp);
        let ends = (expires + grace).min(seconds(LAST_SECOND));
        // A lease is never longer than its license, whatever is written beside it.
        license_ends.map_or(ends, |license_ends| expires.max(ends.min(license_ends)))
    }
}

/// A license key as the server reads it: white space around it and the case of letters do not matter.
pub(crate) fn normal_key(key: &str) -> String {
    key.trim().to_uppercase()
}

/// Seconds as a number that has fractions, too. Of no more than [`LAST_SECOND`] it is exact.
#[expect(clippy::cast_precision_loss, reason = "times until the year 9999 are exact")]
pub(crate) fn seconds(whole: u64) -> f64 {
    whole as f64
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_775_000_000;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn jwk(key: &SigningKey, kid: &str) -> Value {
        let x = BASE64URL_NOPAD.encode(key.verifying_key().as_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x})
    }

    fn keys() -> KeySet {
        let set = json!({"keys": [jwk(&key(), "1"), {"kty": "EC", "crv": "P-256", "kid": "2"}]});
        KeySet::from_document(&set).unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "vinzy.local/t/default", "aud": "PRD", "sub": "01a20d2e-aa57-7000-8000-000000000000",
            "iat": NOW, "nbf": NOW, "exp": NOW + 60,
        })
    }

    fn with(changes: &Value) -> Value {
        let mut all = claims();
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    }

    fn token(header: &Value, claims: &str, key: &SigningKey) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signed = format!("{}.{}", encode(&header.to_string()), encode(claims));
        let signature = BASE64URL_NOPAD.encode(&key.sign(signed.as_bytes()).to_bytes());
        format!("{signed}.{signature}")
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "kid": "1", "typ": "lease+jwt"})
    }

    fn signed(claims: &Value) -> String {
        token(&header(), &claims.to_string(), &key())
    }

    fn headed(name: &str, value: Value) -> String {
        let mut header = header();
        header[name] = value;
        token(&header, &claims().to_string(), &key())
    }

    #[test]
    fn a_signed_lease_is_read() {
        let lease = verify(&signed(&claims()), &keys()).unwrap();
        assert_eq!((lease.iat, lease.exp), (NOW, NOW + 60));
        // Whether it holds now is judged by the client's own clock.
        let other = with(&json!({"exp": 1, "nbf": NOW + 1_000_000}));
        assert_eq!(verify(&signed(&other), &keys()).unwrap().exp, 1);
    }

    #[test]
    fn the_signature_of_rfc_8037_verifies() {
        let text = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let keys = KeySet::parse(text).unwrap();
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature =
            Signature::from_slice(&BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()).unwrap();
        assert!(keys.0["a"].verify_strict(signed.as_bytes(), &signature).is_ok());
        // But its header is no lease's.
        assert_eq!(key_id(signed), Err(LeaseError::NotSignedAsALease));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = signed(&claims());
        let (rest, signature) = good.rsplit_once('.').unwrap();
        let edited = BASE64URL_NOPAD.encode(with(&json!({"tier": "gold"})).to_string().as_bytes());
        let without = |name: &str| {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            signed(&claims)
        };
        let no_leases = [
            (String::new(), LeaseError::Malformed),
            ("x".into(), LeaseError::Malformed),
            ("a.b.c".into(), LeaseError::Malformed),
            (
                format!("{}.b.c", BASE64URL_NOPAD.encode("[".repeat(100_000).as_bytes())),
                LeaseError::Malformed,
            ),
            (rest.to_owned(), LeaseError::Edited),
            (format!("{rest}."), LeaseError::Edited),
            (format!("{good}A"), LeaseError::Edited),
            (format!("{good}.{signature}"), LeaseError::Edited),
            (
                good.replacen(&rest[rest.find('.').unwrap() + 1..], &edited, 1),
                LeaseError::Edited,
            ),
            (
                token(
                    &header(),
                    &claims().to_string(),
                    &SigningKey::from_bytes(&[8; 32]),
                ),
                LeaseError::Edited,
            ),
            (headed("alg", json!("none")), LeaseError::NotSignedAsALease),
            (headed("alg", json!("HS256")), LeaseError::NotSignedAsALease),
            (headed("typ", json!("JWT")), LeaseError::NotSignedAsALease),
            (headed("kid", json!(1)), LeaseError::NotSignedAsALease),
            (headed("crit", json!(["exp"])), LeaseError::NotSignedAsALease),
            (headed("kid", json!("2")), LeaseError::UnknownKey),
            (headed("kid", json!("")), LeaseError::UnknownKey),
            (token(&header(), "[]", &key()), LeaseError::Unreadable),
            (token(&header(), "", &key()), LeaseError::Unreadable),
            (without("exp"), LeaseError::Unreadable),
            (without("iss"), LeaseError::Unreadable),
            (without("aud"), LeaseError::Unreadable),
            (signed(&with(&json!({"exp": true}))), LeaseError::Unreadable),
            (signed(&with(&json!({"exp": "never"}))), LeaseError::Unreadable),
            (signed(&with(&json!({"exp": -1}))), LeaseError::Unreadable),
            (
                signed(&with(&json!({"exp": LAST_SECOND + 1}))),
                LeaseError::Unreadable,
            ),
            (signed(&with(&json!({"iat": null}))), LeaseError::Unreadable),
            (signed(&with(&json!({"features": "all"}))), LeaseError::Unreadable),
        ];
        for (token, expected) in no_leases {
            let shown: String = token.chars().take(200).collect();
            assert_eq!(verify(&token, &keys()), Err(expected), "{shown}");
        }
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let token = signed(&claims());
        for index in 0..token.len() {
            for other in ["A", "z", "-", "."] {
                let mut changed = token.clone();
                changed.replace_range(index..=index, other);
                assert_eq!(verify(&changed, &keys()).is_ok(), changed == token, "{changed}");
            }
        }
    }

    #[test]
    fn key_sets_have_keys() {
        for text in ["", "[]", "{}", r#"{"keys":null}"#, r#"{"keys":{"1":"x"}}"#] {
            assert_eq!(KeySet::parse(text), Err(KeySetError), "{text}");
        }
        let good = jwk(&key(), "1");
        let changed = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            jwk
        };
        let identity = BASE64URL_NOPAD.encode(&{
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        });
        for jwk in [
            Value::Null,
            json!({}),
            changed("kid", json!(1)),
            changed("x", json!("AA")),
            changed("x", json!("not base64!")),
            changed("crv", json!("X25519")),
            changed("kty", json!("EC")),
            // With it a signature fits everything.
            changed("x", json!(identity)),
        ] {
            let set = KeySet::from_document(&json!({"keys": [jwk]})).unwrap();
            assert!(set.is_empty(), "{jwk}");
        }
        assert!(
            KeySet::from_document(&json!({"keys": [good]}))
                .unwrap()
                .contains("1")
        );
    }

    #[test]
    fn the_product_is_the_license_keys() {
        for (product, key, fits) in [
            ("PRD", "PRD-A", true),
            ("PRD", " prd-a ", true),
            ("AB", "ABX-A", true),
            ("A", "AXX-A", true),
            ("AB", "AB-A", false),
            ("PRD", "OTX-A", false),
            ("PRD", "", false),
        ] {
            let lease = verify(&signed(&with(&json!({"aud": product}))), &keys()).unwrap();
            let expected = if fits {
                Ok(())
            } else {
                Err(LeaseError::OtherProduct)
            };
            assert_eq!(lease.check_subject(key, None, None), expected, "{product} {key}");
        }
    }

    #[test]
    fn grace_never_outlives_the_license() {
        let lease = verify(&signed(&claims()), &keys()).unwrap();
        let after = |more: i32| seconds(NOW) + f64::from(more);
        for (license_ends, grace, ends) in [
            (None, 0.0, after(60)),
            (None, 100.0, after(160)),
            (Some(after(90)), 100.0, after(90)),
            (Some(after(900)), 100.0, after(160)),
            (Some(after(-5)), 100.0, after(60)),
            (Some(after(900)), f64::INFINITY, after(900)),
            (None, f64::INFINITY, seconds(LAST_SECOND)),
        ] {
            assert!(
                (lease.ends_at(license_ends, grace) - ends).abs() < 1e-3,
                "{license_ends:?} {grace}"
            );
        }
    }

    #[test]
    fn a_clock_may_be_five_minutes_behind() {
        let lease = verify(&signed(&claims()), &keys()).unwrap();
        let (now, ends) = (seconds(NOW), seconds(NOW + 60));
        assert_eq!(lease.check_time(now - 300.0, now, ends), Ok(()));
        assert_eq!(
            lease.check_time(now - 301.0, 0.0, ends),
            Err(LeaseError::ClockSetBack)
        );
        assert_eq!(
            lease.check_time(now, now + 301.0, ends),
            Err(LeaseError::ClockSetBack)
        );
        assert_eq!(lease.check_time(now + 59.9, now, ends), Ok(()));
        assert_eq!(lease.check_time(now + 60.0, now, ends), Err(LeaseError::Expired));
    }
}
