//! Which secrets a production server must not start with.

use std::collections::{BTreeMap, BTreeSet};

use vinzy_events::key::{KeyRing, parse_keys};

use super::{SecretKind, listed, seed_of};
use crate::config::{Secret, SecretConfig};

/// Fewer characters than these are weak.
const MIN_LENGTH: usize = 32;
/// Fewer different characters than these are weak.
const MIN_DISTINCT: usize = 8;
/// Words that stand in examples, without what separates them there.
const PLACEHOLDERS: [&str; 10] = [
    "changeme",
    "insecure",
    "password",
    "passphrase",
    "example",
    "placeholder",
    "secret",
    "default",
    "replaceme",
    "dummykey",
];

/// What is wrong with the secrets of `config`, one by one.
pub(super) fn problems(config: &SecretConfig) -> Vec<String> {
    let mut problems = vec![];
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut check = |kind: SecretKind, name: String, secret: &str| {
        problems.extend(weakness(kind, secret).map(|why| format!("{name} {why}")));
        if let Some(other) = known.insert(secret.to_owned(), name.clone()) {
            problems.push(format!("{name} is the same as {other}"));
        }
    };
    let mut missing = vec![];
    for (kind, secret) in [
        (SecretKind::Master, &config.secret_key),
        (SecretKind::Signing, &config.signing_key),
        (SecretKind::Api, &config.api_key),
        (SecretKind::SuperAdmin, &config.super_admin_key),
    ] {
        let setting = kind.setting();
        let Some(secret) = secret else {
            missing.push(format!("{setting} is missing"));
            continue;
        };
        match parts(kind, secret).as_slice() {
            [only] => check(kind, setting.to_owned(), only),
            several => several
                .iter()
                .enumerate()
                .for_each(|(index, part)| check(kind, format!("number {} of {setting}", index + 1), part)),
        }
    }
    match (&config.hmac_keys, &config.hmac_key) {
        (Some(keys), _) => match parse_keys(keys.expose()).and_then(|keys| {
            KeyRing::try_new(keys.clone())?;
            Ok(keys)
        }) {
            // Old versions stay as they are, or the license keys made with them would be worth nothing. A weak
            // one harms nobody: a license key counts only if it was issued.
            Ok(keys) => keys.last_key_value().into_iter().for_each(|(_, newest)| {
                check(SecretKind::Hmac, "the newest of VINZY_HMAC_KEYS".into(), newest);
            }),
            Err(error) => missing.push(format!("VINZY_HMAC_KEYS cannot be used: {error}")),
        },
        (None, Some(key)) => check(SecretKind::Hmac, "VINZY_HMAC_KEY".into(), key.expose()),
        (None, None) => missing.push("VINZY_HMAC_KEY is missing".into()),
    }
    missing.append(&mut problems);
    missing
}

fn parts(kind: SecretKind, secret: &Secret) -> Vec<&str> {
    if matches!(kind, SecretKind::Master | SecretKind::Signing) {
        listed(secret.expose())
    } else {
        vec![secret.expose()]
    }
}

/// Why one secret is too easily guessed, if it is.
pub(crate) fn weakness(kind: SecretKind, secret: &str) -> Option<String> {
    if kind == SecretKind::Signing {
        let Some(seed) = seed_of(secret) else {
            return Some("is not 32 bytes as base64 or hex".into());
        };
        return weak_text(secret).or_else(|| weak_bytes(&seed));
    }
    weak_text(secret)
}

fn weak_text(secret: &str) -> Option<String> {
    let letters: String = secret
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    if PLACEHOLDERS.into_iter().any(|word| letters.contains(word)) {
        Some("is a placeholder".into())
    } else if secret.chars().count() < MIN_LENGTH {
        Some(format!("is shorter than {MIN_LENGTH} characters"))
    } else {
        weak_bytes(secret.as_bytes())
    }
}

fn weak_bytes(bytes: &[u8]) -> Option<String> {
    let distinct = bytes.iter().collect::<BTreeSet<_>>().len();
    if distinct < MIN_DISTINCT {
        Some(format!("has fewer than {MIN_DISTINCT} different characters"))
    } else if repeats(bytes) {
        Some("repeats itself".into())
    } else if counts_up(bytes) {
        Some("is a sequence".into())
    } else {
        None
    }
}

/// Whether the bytes are a shorter pattern, twice or more.
fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(one, next)| one == next))
}

/// Whether most bytes are as far from the one before as the others are: `abcd…`, `0, 3, 6, …`.
fn counts_up(bytes: &[u8]) -> bool {
    let mut steps = [0_usize; 256];
    for pair in bytes.windows(2) {
        steps[usize::from(pair[1].wrapping_sub(pair[0]))] += 1;
    }
    let most = steps.into_iter().max().unwrap_or(0);
    4 * most >= 3 * (bytes.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, HEXLOWER};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(kind: SecretKind, secret: &str, why: &str) {
        let found = weakness(kind, secret).unwrap_or_default();
        assert!(found.contains(why), "{secret}: {found:?}");
    }

    #[test]
    fn what_can_be_guessed_is_weak() {
        let kind = SecretKind::Master;
        refused(kind, "", "shorter");
        refused(kind, "Vt7wqLz3nXk9pRb5mYc2sHd8fGj4aQe", "shorter");
        refused(kind, &"a".repeat(40), "different");
        refused(kind, &"abcdefg".repeat(6), "different");
        refused(kind, &"Vt7wqLz3nXk".repeat(3), "repeats");
        refused(kind, &"Vt7wqLz3nXk9pRb5".repeat(2), "repeats");
        refused(kind, "Vt7wqLz3nXk9pRb5Vt7wqLz3nXk9pRb5Vt7w", "repeats");
        refused(kind, "abcdefghijklmnopqrstuvwxyz0123456789", "sequence");
        refused(kind, "zyxwvutsrqponmlkjihgfedcbazyxwvutsrq", "sequence");
        for placeholder in [
            "changeme-changeme-changeme-changeme",
            "Please-Change-Me-Vt7wqLz3nXk9pRb5mYc2",
            "<your secret of 32 characters or more>",
            "my-insecure-development-key-0123456789",
            "Vt7wqLz3nXk9pRb5mYcP@ssw0rd_PASSWORD",
        ] {
            refused(kind, placeholder, "placeholder");
        }
    }

    #[test]
    fn seeds_are_looked_at_as_bytes_too() {
        let counting: Vec<u8> = (0..32).collect();
        let twice = HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc4")
            .unwrap()
            .repeat(2);
        refused(SecretKind::Signing, &BASE64.encode(&[0; 32]), "different");
        refused(SecretKind::Signing, &"00".repeat(32), "different");
        refused(SecretKind::Signing, &BASE64.encode(&counting), "sequence");
        refused(SecretKind::Signing, &HEXLOWER.encode(&counting), "sequence");
        refused(SecretKind::Signing, &BASE64.encode(&twice), "repeats");
        refused(
            SecretKind::Signing,
            "Vt7wqLz3nXk9pRb5mYc2sHd8fGj4aQe6",
            "32 bytes",
        );
    }

    proptest! {
        #[test]
        fn random_secrets_are_strong(bytes in any::<[u8; 32]>()) {
            prop_assert_eq!(weakness(SecretKind::Signing, &BASE64.encode(&bytes)), None);
            prop_assert_eq!(weakness(SecretKind::Hmac, &HEXLOWER.encode(&bytes)), None);
        }
    }
}
