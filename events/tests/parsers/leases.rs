//! Leases: nothing verifies but what was signed.

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use vinzy_events::Timestamp;
use vinzy_events::json::parse_strict;
use vinzy_events::lease::{JwkSet, LeaseClaims, LeaseError, LeaseSigner, verify};

use crate::attack::{any_text, changes, spliced, tampered, tampered_text};
use crate::config;

fn signer() -> LeaseSigner {
    LeaseSigner::new([7; 32])
}

fn keys() -> JwkSet {
    JwkSet {
        keys: vec![LeaseSigner::new([8; 32]).jwk(), signer().jwk()],
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_500_000_000).unwrap()
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
        entitlements: json!([{"feature": "export", "enabled": true, "limit": null}]),
        agents: json!([]),
        fingerprint: Some("laptop".into()),
        ledger_position: 4,
    }
}

/// Claims with odd texts and numbers in them.
fn any_claims() -> impl Strategy<Value = LeaseClaims> {
    let texts = (any_text(), any_text(), prop::option::of(any_text()));
    (texts, any::<[i64; 3]>(), any::<u64>(), any::<f64>()).prop_map(
        |((tier, feature, fingerprint), [iat, nbf, exp], ledger_position, limit)| LeaseClaims {
            tier,
            features: vec![feature.clone()],
            entitlements: parse_strict(json!({feature: limit}).to_string().as_bytes()).unwrap_or_default(),
            fingerprint,
            iat,
            nbf,
            exp,
            ledger_position,
            ..claims()
        },
    )
}

/// A token whose parts are these bytes.
fn token(header: &[u8], claims: &[u8], signature: &[u8]) -> String {
    [header, claims, signature]
        .map(|part| BASE64URL_NOPAD.encode(part))
        .join(".")
}

fn parts(token: &str) -> [Vec<u8>; 3] {
    let mut parts = token
        .split('.')
        .map(|part| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap());
    std::array::from_fn(|_| parts.next().unwrap())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_signed_verifies_in_its_time_only(claims in any_claims()) {
        let verified = verify(&signer().sign(&claims), &keys(), now());
        let expected = match now().as_seconds() {
            now if now < claims.nbf => Err(LeaseError::NotYet),
            now if now >= claims.exp => Err(LeaseError::Expired),
            _ => Ok(claims),
        };
        prop_assert_eq!(verified, expected);
    }

    #[test]
    fn a_tampered_lease_never_verifies(changes in changes()) {
        let token = signer().sign(&claims());
        let changed = tampered_text(&token, &changes);
        prop_assert_eq!(verify(&changed, &keys(), now()).is_ok(), changed == token, "{}", changed);
    }

    #[test]
    fn tampered_parts_never_verify(part in 0_usize..3, changes in changes()) {
        let valid = signer().sign(&claims());
        let mut parts = parts(&valid);
        parts[part] = tampered(&parts[part], &changes);
        let changed = token(&parts[0], &parts[1], &parts[2]);
        prop_assert_eq!(verify(&changed, &keys(), now()).is_ok(), changed == valid, "{}", changed);
    }

    #[test]
    fn a_signature_of_one_lease_is_none_of_another(others in any_claims(), cut: Index, rest: Index) {
        let (left, right) = (signer().sign(&claims()), signer().sign(&others));
        for both in [spliced(&left, &right, cut, rest), spliced(&left, &left, cut, rest), spliced(&right, &left, cut, cut)] {
            if both != left && both != right {
                prop_assert!(verify(&both, &keys(), now()).is_err());
            }
        }
    }

    #[test]
    fn what_a_stranger_signs_never_verifies(claims in any_claims(), seed: [u8; 32], posing: bool) {
        prop_assume!(seed != [7; 32] && seed != [8; 32]);
        let token = LeaseSigner::new(seed).sign(&claims);
        let mut keys = keys();
        if posing {
            keys.keys[1].kid = LeaseSigner::new(seed).jwk().kid;
        }
        let expected = if posing { LeaseError::BadSignature } else { LeaseError::UnknownKey };
        prop_assert_eq!(verify(&token, &keys, now()), Err(expected));
    }

    #[test]
    fn no_text_is_a_lease(text in any_text(), header in any_text()) {
        prop_assert!(verify(&text, &keys(), now()).is_err());
        let lease = signer().sign(&claims());
        let [_, claims, signature] = parts(&lease);
        prop_assert!(verify(&token(header.as_bytes(), &claims, &signature), &keys(), now()).is_err());
    }

    #[test]
    fn odd_keys_verify_nothing_more(changes in changes(), text in any_text()) {
        let lease = signer().sign(&claims());
        let set = serde_json::to_string(&keys()).unwrap();
        if let Ok(odd) = serde_json::from_str::<JwkSet>(&tampered_text(&set, &changes))
            && verify(&lease, &odd, now()).is_ok()
        {
            prop_assert!(odd.keys.iter().any(|key| key.x == signer().jwk().x));
        }
        let mut odd = keys();
        odd.keys[1].x = text;
        prop_assert!(verify(&lease, &odd, now()).is_err());
    }
}
