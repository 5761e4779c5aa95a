//! Whether a message comes from the provider: signatures of its raw bytes, with the time at which it was signed.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use vinzy_events::Timestamp;

/// How far the time of a message may be from ours, both ways.
const TOLERANCE_SECONDS: i64 = 300;
/// Signatures of one message that are looked at.
const MOST: usize = 20;
/// Bytes of a signing key that is given as base64.
const KEY: std::ops::RangeInclusive<usize> = 16..=64;

/// Why a message is not taken for the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, or says nothing that can be read.
    #[error("the header {0} is missing or malformed")]
    Missing(&'static str),
    /// No signature is by one of the secrets.
    #[error("no signature is by one of the secrets")]
    Wrong,
    /// It was signed too long ago, or will be.
    #[error("the signature's time is more than 300 seconds away from the server's")]
    Stale,
}

/// What verifies a provider's messages. Not printed by accident.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Stripe's: the characters of the secret, with all that it begins with.
    pub fn of_stripe(secret: &str) -> Self {
        Self(secret.as_bytes().to_vec())
    }

    /// Polar's, and those of Standard Webhooks: Polar has signed with the characters of the secret, and signs with the
    /// bytes that it is the base64 of where the secret was made as that standard has it.
    pub fn of_polar(secret: &str) -> Vec<Self> {
        let mut keys = vec![Self(secret.as_bytes().to_vec())];
        let encoded = ["whsec_", "polar_whs_"]
            .into_iter()
            .find_map(|prefix| secret.strip_prefix(prefix))
            .unwrap_or(secret);
        let bare = encoded.trim_end_matches('=').as_bytes();
        let decoded = BASE64_NOPAD
            .decode(bare)
            .or_else(|_| BASE64URL_NOPAD.decode(bare));
        keys.extend(decoded.ok().filter(|key| KEY.contains(&key.len())).map(Self));
        keys
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

/// Checks `Stripe-Signature: t=…,v1=…`: HMAC-SHA256 over `t`, a full stop and the body, as hex. Other versions than 1 are
/// passed over; one good signature of several is enough.
pub fn stripe(header: Option<&str>, body: &[u8], keys: &[Key], now: Timestamp) -> Result<(), SignatureError> {
    const HEADER: &str = "Stripe-Signature";
    let header = header.ok_or(SignatureError::Missing(HEADER))?;
    let pairs = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
    let time = pairs().find(|(name, _)| *name == "t").map(|(_, value)| value);
    let time = time.ok_or(SignatureError::Missing(HEADER))?;
    let signed_at: i64 = time.parse().map_err(|_| SignatureError::Missing(HEADER))?;
    let signatures: Vec<Vec<u8>> = pairs()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, value)| HEXLOWER_PERMISSIVE.decode(value.as_bytes()).ok())
        .take(MOST)
        .collect();
    if signatures.is_empty() {
        return Err(SignatureError::Missing(HEADER));
    }
    // The time as it was written: that is what was signed.
    judge(keys, &[time.as_bytes(), b".", body], &signatures)?;
    timely(signed_at, now)
}

/// The headers of a message as Standard Webhooks have them.
#[derive(Debug, Clone, Copy)]
pub struct StandardHeaders<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`.
    pub signature: Option<&'a str>,
}

/// Checks a message as Standard Webhooks have it: `v1,` and the base64 of HMAC-SHA256 over id, time and body, separated
/// by full stops. Gives the message's id.
pub fn standard<'a>(
    headers: StandardHeaders<'a>,
    body: &[u8],
    keys: &[Key],
    now: Timestamp,
) -> Result<&'a str, SignatureError> {
    let id = headers.id.ok_or(SignatureError::Missing("webhook-id"))?;
    let time = headers
        .timestamp
        .ok_or(SignatureError::Missing("webhook-timestamp"))?;
    let signed_at: i64 = time
        .parse()
        .map_err(|_| SignatureError::Missing("webhook-timestamp"))?;
    let signature = headers
        .signature
        .ok_or(SignatureError::Missing("webhook-signature"))?;
    let signatures: Vec<Vec<u8>> = signature
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|encoded| BASE64.decode(encoded.as_bytes()).ok())
        .take(MOST)
        .collect();
    if signatures.is_empty() {
        return Err(SignatureError::Missing("webhook-signature"));
    }
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    judge(keys, &parts, &signatures)?;
    timely(signed_at, now)?;
    Ok(id)
}

/// Every key is tried on every signature, whatever comes of it: how long it takes tells nothing.
fn judge(keys: &[Key], parts: &[&[u8]], signatures: &[Vec<u8>]) -> Result<(), SignatureError> {
    let mut good = subtle::Choice::from(0);
    for key in keys {
        let expected = key.mac(parts);
        for signature in signatures {
            good |= expected.as_slice().ct_eq(signature.as_slice());
        }
    }
    bool::from(good).then_some(()).ok_or(SignatureError::Wrong)
}

fn timely(signed_at: i64, now: Timestamp) -> Result<(), SignatureError> {
    let away = now.as_seconds().abs_diff(signed_at);
    if away <= TOLERANCE_SECONDS.unsigned_abs() {
        Ok(())
    } else {
        Err(SignatureError::Stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","type":"checkout.session.completed"}"#;
    const SIGNED_AT: i64 = 1_772_366_400;

    // Made with `openssl dgst -sha256 -hmac`.
    const BY_FIRST: &str = "9085dd38896e7d1e5b6ff3fcfc0aac20c7235e788a08ddcd76571f6937b79e20";
    const BY_SECOND: &str = "ed6b5b8f3233a59529103f7dde7565296ad5256897cc096e3012186773739a3c";

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn keys(secrets: &[&str]) -> Vec<Key> {
        secrets.iter().map(|secret| Key::of_stripe(secret)).collect()
    }

    fn check(header: &str, secrets: &[&str], now: i64) -> Result<(), SignatureError> {
        stripe(Some(header), BODY, &keys(secrets), seconds(now))
    }

    #[test]
    fn stripes_scheme_takes_one_good_signature_of_several() {
        let (first, second) = (
            "whsec_first_secret_of_the_shop",
            "whsec_second_secret_of_the_shop",
        );
        let by_first = format!("t={SIGNED_AT},v1={BY_FIRST}");
        assert_eq!(check(&by_first, &[first], SIGNED_AT), Ok(()));
        assert_eq!(check(&by_first, &[second, first], SIGNED_AT), Ok(()));
        assert_eq!(check(&by_first, &[second], SIGNED_AT), Err(SignatureError::Wrong));
        let rolled = format!("t={SIGNED_AT},v1={BY_SECOND},v1={BY_FIRST},v0=00");
        assert_eq!(check(&rolled, &[first], SIGNED_AT), Ok(()));
        let upper = format!("t={SIGNED_AT},v1={}", BY_FIRST.to_uppercase());
        assert_eq!(check(&upper, &[first], SIGNED_AT), Ok(()));
    }

    #[test]
    fn an_older_scheme_another_time_or_another_body_is_not_enough() {
        let secret = "whsec_first_secret_of_the_shop";
        let good = format!("t={SIGNED_AT},v1={BY_FIRST}");
        for (header, error) in [
            (
                format!("t={SIGNED_AT},v0={BY_FIRST}"),
                SignatureError::Missing("Stripe-Signature"),
            ),
            (
                format!("v1={BY_FIRST}"),
                SignatureError::Missing("Stripe-Signature"),
            ),
            (
                format!("t=soon,v1={BY_FIRST}"),
                SignatureError::Missing("Stripe-Signature"),
            ),
            (String::new(), SignatureError::Missing("Stripe-Signature")),
            (
                format!("t={},v1={BY_FIRST}", SIGNED_AT + 1),
                SignatureError::Wrong,
            ),
            (format!("t=0{SIGNED_AT},v1={BY_FIRST}"), SignatureError::Wrong),
            (
                format!("t={SIGNED_AT},v1={}", &BY_FIRST[..62]),
                SignatureError::Wrong,
            ),
        ] {
            assert_eq!(check(&header, &[secret], SIGNED_AT), Err(error), "{header}");
        }
        let other = stripe(Some(&good), b"{}", &keys(&[secret]), seconds(SIGNED_AT));
        assert_eq!(other, Err(SignatureError::Wrong));
        assert_eq!(
            stripe(None, BODY, &keys(&[secret]), seconds(SIGNED_AT)),
            Err(SignatureError::Missing("Stripe-Signature"))
        );
        assert_eq!(check(&good, &[], SIGNED_AT), Err(SignatureError::Wrong));
    }

    #[test]
    fn five_minutes_away_is_near_enough_both_ways() {
        let secret = "whsec_first_secret_of_the_shop";
        let good = format!("t={SIGNED_AT},v1={BY_FIRST}");
        for away in [-300, 0, 300] {
            assert_eq!(check(&good, &[secret], SIGNED_AT + away), Ok(()));
        }
        for away in [-301, 301] {
            assert_eq!(
                check(&good, &[secret], SIGNED_AT + away),
                Err(SignatureError::Stale)
            );
        }
    }

    /// The example in the specification's own libraries.
    const STANDARD: StandardHeaders<'_> = StandardHeaders {
        id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
        timestamp: Some("1614265330"),
        signature: Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    };
    const STANDARD_BODY: &[u8] = br#"{"test": 2432232314}"#;
    const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn check_standard(headers: StandardHeaders<'_>, secret: &str, now: i64) -> Result<(), SignatureError> {
        standard(headers, STANDARD_BODY, &Key::of_polar(secret), seconds(now)).map(|_| ())
    }

    #[test]
    fn the_standards_example_is_good() {
        assert_eq!(check_standard(STANDARD, STANDARD_SECRET, 1_614_265_330), Ok(()));
        let bare = STANDARD_SECRET.trim_start_matches("whsec_");
        assert_eq!(check_standard(STANDARD, bare, 1_614_265_330), Ok(()));
        let several = StandardHeaders {
            signature: Some("v1a,xyz v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ..STANDARD
        };
        assert_eq!(check_standard(several, STANDARD_SECRET, 1_614_265_330), Ok(()));
        assert_eq!(
            check_standard(STANDARD, STANDARD_SECRET, 1_614_265_631),
            Err(SignatureError::Stale)
        );
        assert_eq!(
            check_standard(STANDARD, "whsec_another+secret+of+24+bytes", 1_614_265_330),
            Err(SignatureError::Wrong)
        );
    }

    #[test]
    fn each_header_of_the_standard_is_needed_and_signed() {
        let missing = |headers, name| {
            let told = check_standard(headers, STANDARD_SECRET, 1_614_265_330);
            assert_eq!(told, Err(SignatureError::Missing(name)));
        };
        missing(StandardHeaders { id: None, ..STANDARD }, "webhook-id");
        missing(
            StandardHeaders {
                timestamp: None,
                ..STANDARD
            },
            "webhook-timestamp",
        );
        missing(
            StandardHeaders {
                timestamp: Some("2021-02-25T15:02:10Z"),
                ..STANDARD
            },
            "webhook-timestamp",
        );
        for signature in [
            None,
            Some("v2,AAAA"),
            Some("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ] {
            missing(
                StandardHeaders {
                    signature,
                    ..STANDARD
                },
                "webhook-signature",
            );
        }
        for headers in [
            StandardHeaders {
                id: Some("msg_other"),
                ..STANDARD
            },
            StandardHeaders {
                timestamp: Some("1614265331"),
                ..STANDARD
            },
        ] {
            let told = check_standard(headers, STANDARD_SECRET, 1_614_265_330);
            assert_eq!(told, Err(SignatureError::Wrong));
        }
    }

    // Made with `openssl dgst -sha256 -hmac`, the key being all characters of the secret.
    const POLAR_SECRET: &str = "polar_whs_Rk9vYmFyQmF6UXV4MDEyMzQ1Njc4OQ";
    const BY_CHARACTERS: &str = "v1,yu/+ks9xu4t38X0gFI5BATC1DtqPhev/Bg8+jMOLhB4=";

    #[test]
    fn polars_secrets_sign_with_their_characters_or_their_bytes() {
        let headers = StandardHeaders {
            signature: Some(BY_CHARACTERS),
            ..STANDARD
        };
        assert_eq!(check_standard(headers, POLAR_SECRET, 1_614_265_330), Ok(()));
        assert_eq!(Key::of_polar(POLAR_SECRET).len(), 2);
        // Too short to be meant as base64, or none.
        assert_eq!(Key::of_polar("polar_whs_AAAA").len(), 1);
        assert_eq!(Key::of_polar("a secret that somebody chose").len(), 1);
    }

    #[test]
    fn keys_are_not_printed() {
        assert_eq!(format!("{:?}", Key::of_stripe("whsec_x")), "Key(…)");
    }
}
