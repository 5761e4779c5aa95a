//! License keys: `{PRD}-{AAAAA}-{BBBBB}-{CCCCC}-{DDDDD}-{EEEEE}-{HHHHH}-{HHHHH}`.
//!
//! The prefix is the product's code; then 25 base32 characters (RFC 4648 alphabet), the first of which is
//! the version of the HMAC key as a digit; then the tag: the first 10 base32 characters of
//! `HMAC-SHA256(key, everything before the tag)`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SEGMENTS: usize = 8;
const SEGMENT: usize = 5;
/// Characters of the tag.
const TAG: usize = 10;
/// Highest version that a license key can name, with a base32 digit.
pub const MAX_VERSION: u8 = 31;

/// A license key as issued. Its text is a secret: it is not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct LicenseKey(String);

impl LicenseKey {
    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LicenseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LicenseKey(…)")
    }
}

/// SHA-256 of a key's text, a license's or an API key's: what is stored instead of the key. As text, lower hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key's text.
    pub fn of(key: &str) -> Self {
        Self::of_bytes(key.as_bytes())
    }

    /// The digest of what somebody shows for a key, which need not be text.
    pub fn of_bytes(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// A digest that was made before.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl Serialize for KeyDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(de::Error::custom)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| de::Error::custom("a digest has 32 bytes"))
    }
}

/// What a person may type: white space around the key and lower case are forgiven.
pub fn normalise(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Cow::Owned(trimmed.to_ascii_uppercase())
    } else {
        Cow::Borrowed(trimmed)
    }
}

/// Why a text is not a key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not eight segments.
    #[error("Expected 8 segments, got {found}")]
    Format {
        /// How many there are.
        found: usize,
    },
    /// The prefix is not three letters.
    #[error("Product prefix must be 3 letters A-Z")]
    Prefix,
    /// A segment is not five base32 characters.
    #[error("Segment {number} must be 5 characters A-Z or 2-7")]
    Segment {
        /// Which one, the prefix being number 0.
        number: usize,
    },
    /// No key of the ring made the tag.
    #[error("Key HMAC signature does not match — key may be tampered")]
    Hmac {
        /// The prefix as it stands in the text.
        prefix: String,
    },
}

impl KeyError {
    /// The outcome's code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Format { .. } => "INVALID_FORMAT",
            Self::Prefix => "INVALID_PREFIX",
            Self::Segment { .. } => "INVALID_SEGMENT",
            Self::Hmac { .. } => "INVALID_HMAC",
        }
    }
}

/// A key whose tag was made by the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedKey {
    /// SHA-256 of the text.
    pub digest: KeyDigest,
    /// Version of the ring's entry that made the tag.
    pub version: u8,
}

/// Why HMAC keys are no ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// There is no key to sign with.
    #[error("the key ring is empty")]
    Empty,
    /// A version that a license key cannot name.
    #[error("key version {0} is not between 0 and 31")]
    Version(String),
    /// An empty key.
    #[error("the key of version {0} is empty")]
    EmptyKey(u8),
    /// Not a JSON object of texts.
    #[error("not a JSON object such as {{\"0\": \"old key\", \"1\": \"new key\"}}")]
    Malformed,
}

/// The HMAC keys by version: the highest signs, all verify.
#[derive(Clone)]
pub struct KeyRing {
    /// Prepared with their keys.
    macs: BTreeMap<u8, Hmac<Sha256>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("versions", &self.macs.keys())
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring of at least one key, with versions 0 to 31.
    pub fn try_new(keys: BTreeMap<u8, String>) -> Result<Self, KeyRingError> {
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        if let Some(version) = keys.keys().find(|version| **version > MAX_VERSION) {
            return Err(KeyRingError::Version(version.to_string()));
        }
        if let Some((version, _)) = keys.iter().find(|(_, key)| key.is_empty()) {
            return Err(KeyRingError::EmptyKey(*version));
        }
        Ok(Self {
            macs: keys
                .into_iter()
                .map(|(version, key)| (version, mac(&key)))
                .collect(),
        })
    }

    /// A ring from `{"0": "old", "1": "new"}`. The keys are the texts' UTF-8 bytes.
    pub fn from_json(json: &str) -> Result<Self, KeyRingError> {
        Self::try_new(parse_keys(json)?)
    }

    /// The version that signs.
    pub fn current_version(&self) -> u8 {
        self.macs.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// All versions.
    pub fn versions(&self) -> impl Iterator<Item = u8> + '_ {
        self.macs.keys().copied()
    }

    /// Makes a license key with the current version. The same entropy gives the same key.
    pub fn generate(&self, product_code: &str, entropy: [u8; 15]) -> LicenseKey {
        self.generate_with(self.current_version(), product_code, entropy)
            .expect("the current version is in the ring")
    }

    /// Makes a license key with a certain version of the ring.
    pub fn generate_with(&self, version: u8, product_code: &str, entropy: [u8; 15]) -> Option<LicenseKey> {
        let mac = self.macs.get(&version)?;
        let mut body = prefix(product_code);
        let random = BASE32_NOPAD.encode(&entropy);
        let version = char::from(ALPHABET[usize::from(version)]);
        for (index, character) in std::iter::once(version).chain(random.chars()).enumerate() {
            if index % SEGMENT == 0 {
                body.push('-');
            }
            body.push(character);
        }
        let tag = tag(mac, &body);
        let (first, second) = tag.split_at(SEGMENT);
        for half in [first, second] {
            body.push('-');
            body.extend(half.iter().copied().map(char::from));
        }
        Some(LicenseKey(body))
    }

    /// Checks a key's text: its form, then its tag, with the entry of the version that the text names
    /// first and then with the others, because keys of before versions carry a random character there.
    /// Comparison is constant-time. The text is taken as it is: see [`normalise`].
    pub fn check(&self, text: &str) -> Result<CheckedKey, KeyError> {
        let (body, given) = split(text)?;
        let named = version_of(text);
        let first = self.macs.get_key_value(&named);
        let others = self.macs.iter().filter(|(version, _)| **version != named);
        for (version, mac) in first.into_iter().chain(others) {
            if bool::from(tag(mac, body).ct_eq(&given)) {
                return Ok(CheckedKey {
                    digest: KeyDigest::of(text),
                    version: *version,
                });
            }
        }
        let prefix = text.split('-').next().unwrap_or_default().to_owned();
        Err(KeyError::Hmac { prefix })
    }
}

/// Keys by version, from `{"0": "old", "1": "new"}`.
pub fn parse_keys(json: &str) -> Result<BTreeMap<u8, String>, KeyRingError> {
    let keys: BTreeMap<String, String> = serde_json::from_str(json).map_err(|_| KeyRingError::Malformed)?;
    keys.into_iter()
        .map(|(version, key)| match u8::from_str(&version) {
            Ok(number) if number.to_string() == version => Ok((number, key)),
            _ => Err(KeyRingError::Version(version)),
        })
        .collect()
}

/// The version that a key's text names: the value of the character after the prefix; 0 if it is none.
pub fn version_of(text: &str) -> u8 {
    let character = text.split('-').nth(1).and_then(|segment| segment.bytes().next());
    let value = character.and_then(|byte| ALPHABET.iter().position(|letter| *letter == byte));
    value.and_then(|value| u8::try_from(value).ok()).unwrap_or(0)
}

/// A product code as a prefix: upper case, cut to three characters, padded with `X`.
fn prefix(product_code: &str) -> String {
    let mut prefix: String = product_code.to_uppercase().chars().take(3).collect();
    while prefix.chars().count() < 3 {
        prefix.push('X');
    }
    prefix
}

/// Checks the form and separates what was signed from the tag.
fn split(text: &str) -> Result<(&str, [u8; TAG]), KeyError> {
    let found = text.split('-').count();
    if found != SEGMENTS {
        return Err(KeyError::Format { found });
    }
    let mut given = [0; TAG];
    for (number, segment) in text.split('-').enumerate() {
        if number == 0 {
            check_prefix(segment)?;
            continue;
        }
        let bytes = segment.as_bytes();
        if bytes.len() != SEGMENT || !bytes.iter().all(|byte| ALPHABET.contains(byte)) {
            return Err(KeyError::Segment { number });
        }
        match number {
            6 => given[..SEGMENT].copy_from_slice(bytes),
            7 => given[SEGMENT..].copy_from_slice(bytes),
            _ => {}
        }
    }
    // Two dashes and the tag come after the body.
    Ok((&text[..text.len() - TAG - 2], given))
}

/// Three letters. One line feed after them is let through here, as by the system whose keys and outcome
/// codes we keep; such a text never has a valid tag, so it is refused one step later.
fn check_prefix(segment: &str) -> Result<(), KeyError> {
    let letters = segment.strip_suffix('\n').unwrap_or(segment);
    let valid = letters.len() == 3 && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    valid.then_some(()).ok_or(KeyError::Prefix)
}

fn mac(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length")
}

fn tag(mac: &Hmac<Sha256>, body: &str) -> [u8; TAG] {
    let digest = mac.clone().chain_update(body.as_bytes()).finalize().into_bytes();
    let mut encoded = [0; 16];
    // Ten bytes are sixteen characters; the tag is the first ten of them.
    BASE32_NOPAD.encode_mut(&digest[..10], &mut encoded);
    let (tag, _) = encoded
        .split_first_chunk::<TAG>()
        .expect("sixteen characters hold ten");
    *tag
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/vectors/contract.json")).unwrap()
    }

    fn ring(keys: &Value) -> Option<KeyRing> {
        KeyRing::from_json(&keys.to_string()).ok()
    }

    fn single(key: &str) -> KeyRing {
        KeyRing::try_new(BTreeMap::from([(0, key.to_owned())])).unwrap()
    }

    /// Compares an outcome with `{valid, code, product_prefix}`.
    fn assert_outcome(expected: &Value, outcome: Result<CheckedKey, KeyError>, key: &str) {
        let (code, prefix) = match outcome {
            Ok(_) => ("VALID", key.split('-').next().unwrap().to_owned()),
            Err(KeyError::Hmac { prefix }) => ("INVALID_HMAC", prefix),
            Err(other) => (other.code(), String::new()),
        };
        assert_eq!(expected["code"], code, "{key}");
        assert_eq!(expected["product_prefix"], prefix, "{key}");
        assert_eq!(expected["valid"], code == "VALID", "{key}");
    }

    fn text<'a>(value: &'a Value, field: &str) -> &'a str {
        value[field].as_str().unwrap()
    }

    #[test]
    fn issued_keys_check_as_in_the_vectors() {
        for case in vectors()["keys"].as_array().unwrap() {
            let key = text(case, "key");
            assert_outcome(
                &case["validate_right"],
                single(text(case, "hmac_key")).check(key),
                key,
            );
            assert_outcome(&case["validate_wrong"], single("not the key").check(key), key);
            for multi in case["validate_multi"].as_object().unwrap().values() {
                match ring(&multi["ring"]) {
                    Some(ring) => assert_outcome(&multi["result"], ring.check(key), key),
                    // Without any key nothing can be valid.
                    None => assert_eq!(multi["result"]["code"], "INVALID_HMAC"),
                }
            }
            assert_eq!(case["extract_version"], version_of(key));
            assert_eq!(text(case, "key_hash"), KeyDigest::of(key).to_string());
        }
    }

    #[test]
    fn keys_are_made_as_in_the_vectors() {
        let vectors = vectors();
        let all = vectors["keys"]
            .as_array()
            .unwrap()
            .iter()
            .chain(vectors["keys_extra"].as_array().unwrap());
        for case in all {
            let key = text(case, "key");
            let random: String = key.split('-').skip(1).take(5).collect();
            // The version takes a character, so 24 of 25 are the entropy.
            let entropy = BASE32_NOPAD
                .decode(&random.as_bytes()[1..])
                .unwrap()
                .try_into()
                .unwrap();
            let version = u8::try_from(case["version_in"].as_i64().unwrap().rem_euclid(32)).unwrap();
            let ring =
                KeyRing::try_new(BTreeMap::from([(version, text(case, "hmac_key").to_owned())])).unwrap();
            assert_eq!(ring.generate(text(case, "prefix_in"), entropy).as_str(), key);
            assert_outcome(&case["validate_right"], ring.check(key), key);
            assert_eq!(case["extract_version"], version_of(key));
        }
    }

    #[test]
    fn tampered_keys_are_refused_as_in_the_vectors() {
        let vectors = vectors();
        let full = ring(&vectors["full_ring"]).unwrap();
        for case in vectors["tampered"].as_array().unwrap() {
            let key = text(case, "key");
            assert_outcome(
                &case["validate_key"],
                single(text(case, "hmac_key")).check(key),
                key,
            );
            assert_outcome(&case["validate_key_multi_full_ring"], full.check(key), key);
            assert_eq!(text(case, "key_hash"), KeyDigest::of(key).to_string());
        }
    }

    #[test]
    fn versions_and_digests_are_read_as_in_the_vectors() {
        for case in vectors()["extract_version_cases"].as_array().unwrap() {
            assert_eq!(case["version"], version_of(text(case, "in")), "{case}");
        }
        for case in vectors()["key_hash_cases"].as_array().unwrap() {
            assert_eq!(
                text(case, "sha256_hex"),
                KeyDigest::of(text(case, "in")).to_string()
            );
        }
    }

    #[test]
    fn white_space_and_lower_case_are_forgiven_first() {
        let ring = single("k");
        let key = ring.generate("PRD", [7; 15]);
        let typed = format!(" {}\r\n", key.as_str().to_lowercase());
        assert!(ring.check(&typed).is_err());
        assert_eq!(normalise(&typed), key.as_str());
    }

    #[test]
    fn unusable_rings_are_refused() {
        for (json, error) in [
            ("{}", KeyRingError::Empty),
            ("[]", KeyRingError::Malformed),
            (r#"{"32":"k"}"#, KeyRingError::Version("32".into())),
            (r#"{"01":"k"}"#, KeyRingError::Version("01".into())),
            (r#"{"-1":"k"}"#, KeyRingError::Version("-1".into())),
            (r#"{"1":""}"#, KeyRingError::EmptyKey(1)),
        ] {
            assert_eq!(KeyRing::from_json(json).unwrap_err(), error, "{json}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let ring = single("very secret");
        let shown = format!("{ring:?} {:?}", ring.generate("PRD", [1; 15]));
        assert!(!shown.contains("very") && !shown.contains("PRD-"));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(entropy: [u8; 15], index in 0_usize..45, other in "[A-Z2-7]") {
            let ring = single("k");
            let key = ring.generate("PRD", entropy).as_str().to_owned();
            let mut changed = key.clone();
            let index = index.min(key.len() - 1);
            changed.replace_range(index..=index, &other);
            prop_assert_eq!(ring.check(&changed).is_ok(), changed == key);
        }

        #[test]
        fn hostile_text_never_panics(text in "\\PC*") {
            let _ = single("k").check(&text);
            let _ = single("k").check(&normalise(&text));
        }
    }
}
