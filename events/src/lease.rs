//! Leases: what an application may go on with while it is offline. A compact JWS (RFC 7515) with an
//! Ed25519 signature (RFC 8037), which any JWT library verifies and nobody else can make.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Timestamp;

/// What a lease says. Times are seconds since the epoch, as JWT has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseClaims {
    /// Who issued it: the ledger's name.
    pub iss: String,
    /// For which product: its code.
    pub aud: String,
    /// For which license: its id.
    pub sub: String,
    /// The lease's own id.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// From when it holds.
    pub nbf: i64,
    /// Until when it holds; never past the license's own expiry.
    pub exp: i64,
    /// Tier.
    pub tier: String,
    /// Names of the enabled features.
    pub features: Vec<String>,
    /// Every feature with its limit.
    pub entitlements: Value,
    /// Every agent with its limit.
    pub agents: Value,
    /// The machine it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Events of the ledger before this position are contained in it.
    pub ledger_position: u64,
}

/// A public key as JSON (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// `EdDSA`.
    pub alg: String,
    /// `Ed25519`.
    pub crv: String,
    /// Thumbprint of the key (RFC 7638).
    pub kid: String,
    /// `OKP`.
    pub kty: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// The key, base64url.
    pub x: String,
}

/// Public keys, as `/.well-known/jwks.json` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys: those that sign now and those that signed before.
    pub keys: Vec<Jwk>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Why a lease is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The text is not a lease.
    #[error("not a lease")]
    Malformed,
    /// It is signed in another way than leases are.
    #[error("not signed as a lease is")]
    WrongAlgorithm,
    /// It is signed by a key that is not known.
    #[error("signed by an unknown key")]
    UnknownKey,
    /// The signature does not fit: it was changed.
    #[error("the signature does not verify")]
    BadSignature,
    /// It does not hold yet: the clock is wrong.
    #[error("does not hold yet")]
    NotYet,
    /// It holds no longer.
    #[error("expired")]
    Expired,
}

/// Signs leases.
#[derive(Clone)]
pub struct LeaseSigner {
    key: SigningKey,
    /// The encoded header with the dot after it.
    header: String,
}

const ALGORITHM: &str = "EdDSA";
const TYPE: &str = "lease+jwt";

impl LeaseSigner {
    /// A signer from an Ed25519 seed.
    pub fn new(seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        let kid = Jwk::new(&key.verifying_key()).kid;
        let header = Header {
            alg: ALGORITHM.into(),
            kid,
            typ: TYPE.into(),
        };
        let json = serde_json::to_vec(&header).expect("a header is plain text");
        Self {
            key,
            header: BASE64URL_NOPAD.encode(&json) + ".",
        }
    }

    /// The public key.
    pub fn jwk(&self) -> Jwk {
        Jwk::new(&self.key.verifying_key())
    }

    /// The lease as a compact JWS: header, claims and signature, separated by dots.
    pub fn sign(&self, claims: &LeaseClaims) -> String {
        let json = serde_json::to_vec(claims).expect("claims have string keys");
        let mut token = String::with_capacity(self.header.len() + json.len() * 4 / 3 + 92);
        token.push_str(&self.header);
        BASE64URL_NOPAD.encode_append(&json, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature.to_bytes(), &mut token);
        token
    }
}

impl Jwk {
    /// A verifying key as JSON.
    pub fn new(key: &VerifyingKey) -> Self {
        let x = BASE64URL_NOPAD.encode(key.as_bytes());
        // RFC 7638: the required members in lexical order, without white space.
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self {
            alg: ALGORITHM.into(),
            crv: "Ed25519".into(),
            kid: BASE64URL_NOPAD.encode(&thumbprint),
            kty: "OKP".into(),
            key_use: "sig".into(),
            x,
        }
    }

    fn verifying_key(&self) -> Option<VerifyingKey> {
        let bytes = BASE64URL_NOPAD.decode(self.x.as_bytes()).ok()?;
        let key = VerifyingKey::try_from(bytes.as_slice()).ok()?;
        (self.kty == "OKP" && self.crv == "Ed25519").then_some(key)
    }
}

/// Reads a lease and checks everything that can be checked offline: how it is signed, by a key of `keys`,
/// and that it holds at `now`. Whether product, license and fingerprint are the right ones is for the
/// caller to compare.
pub fn verify(token: &str, keys: &JwkSet, now: Timestamp) -> Result<LeaseClaims, LeaseError> {
    let malformed = || LeaseError::Malformed;
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let header: Header = decode(header)?;
    if header.alg != ALGORITHM || header.typ != TYPE {
        return Err(LeaseError::WrongAlgorithm);
    }
    let key = keys
        .keys
        .iter()
        .find(|key| key.kid == header.kid)
        .and_then(Jwk::verifying_key)
        .ok_or(LeaseError::UnknownKey)?;
    let signature = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .map_err(|_| malformed())?;
    let signature = Signature::from_slice(&signature).map_err(|_| malformed())?;
    key.verify_strict(signed.as_bytes(), &signature)
        .map_err(|_| LeaseError::BadSignature)?;
    let claims: LeaseClaims = decode(claims)?;
    if now.as_seconds() < claims.nbf {
        return Err(LeaseError::NotYet);
    }
    if now.as_seconds() >= claims.exp {
        return Err(LeaseError::Expired);
    }
    Ok(claims)
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, LeaseError> {
    let json = BASE64URL_NOPAD
        .decode(part.as_bytes())
        .map_err(|_| LeaseError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| LeaseError::Malformed)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn signer() -> LeaseSigner {
        LeaseSigner::new([7; 32])
    }

    fn keys() -> JwkSet {
        JwkSet {
            keys: vec![signer().jwk()],
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn claims() -> LeaseClaims {
        LeaseClaims {
            iss: "vinzy.local/t/default".into(),
            aud: "PRD".into(),
            sub: "0197f0a2-0000-7000-8000-000000000000".into(),
            jti: "0197f0a2-0000-7000-8000-000000000001".into(),
            iat: 1000,
            nbf: 1000,
            exp: 2000,
            tier: "standard".into(),
            features: vec!["export".into()],
            entitlements: json!([]),
            agents: json!([]),
            fingerprint: None,
            ledger_position: 4,
        }
    }

    #[test]
    fn the_key_of_rfc_8037_has_its_thumbprint() {
        let seed = HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let jwk = LeaseSigner::new(seed.try_into().unwrap()).jwk();
        assert_eq!(jwk.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(jwk.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_lease_holds_from_its_issue_to_its_end() {
        let token = signer().sign(&claims());
        assert_eq!(verify(&token, &keys(), at(1000)), Ok(claims()));
        assert_eq!(verify(&token, &keys(), at(1999)), Ok(claims()));
        assert_eq!(verify(&token, &keys(), at(2000)), Err(LeaseError::Expired));
        assert_eq!(verify(&token, &keys(), at(999)), Err(LeaseError::NotYet));
    }

    #[test]
    fn a_lease_of_another_key_is_refused() {
        let token = LeaseSigner::new([8; 32]).sign(&claims());
        assert_eq!(verify(&token, &keys(), at(1500)), Err(LeaseError::UnknownKey));
        let mut posing = keys();
        posing.keys[0].kid = LeaseSigner::new([8; 32]).jwk().kid;
        assert_eq!(verify(&token, &posing, at(1500)), Err(LeaseError::BadSignature));
    }

    #[test]
    fn other_algorithms_are_refused() {
        let token = signer().sign(&claims());
        let rest = token.split_once('.').unwrap().1;
        for alg in ["none", "HS256", "ES256", "eddsa"] {
            let header = json!({"alg": alg, "kid": signer().jwk().kid, "typ": "lease+jwt"}).to_string();
            let forged = format!("{}.{rest}", BASE64URL_NOPAD.encode(header.as_bytes()));
            assert_eq!(
                verify(&forged, &keys(), at(1500)),
                Err(LeaseError::WrongAlgorithm),
                "{alg}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(index in 0_usize..10_000, other in "[A-Za-z0-9_.-]") {
            let token = signer().sign(&claims());
            let index = index % token.len();
            let mut changed = token.clone();
            changed.replace_range(index..=index, &other);
            prop_assert_eq!(verify(&changed, &keys(), at(1500)).is_ok(), changed == token);
        }

        #[test]
        fn hostile_text_never_panics(text in "\\PC*") {
            prop_assert!(verify(&text, &keys(), at(1500)).is_err());
        }
    }
}
