//! The leases that a client has: in memory, and in the document that a store keeps.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use data_encoding::HEXLOWER;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Object;
use crate::lease::normal_key;
use crate::store::{LeaseStore, lock};

const FORMAT: u32 = 1;
const MOST_LEASES: usize = 64;
/// By how many seconds the latest time must have grown to be written again.
const STEP: f64 = 60.0;

/// A lease with what is needed to judge it later.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stored {
    pub(crate) token: String,
    /// Its claims under older names. Not signed.
    pub(crate) payload: Object,
    pub(crate) lease_expires_at: String,
    /// When the license itself ends, in seconds since 1970; not signed, so it only shortens grace.
    pub(crate) license_ends: Option<f64>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Document {
    format: u32,
    seen: f64,
    leases: Places,
    jwks: Option<Value>,
}

/// Leases by where they stand, the oldest first.
#[derive(Debug, Clone, Default)]
struct Places(Vec<(String, Stored)>);

/// The last lease of each license key and fingerprint, and the latest time that was ever read from the clock.
///
/// Processes that share a store keep each other's leases, but for the moment in which two of them write.
#[derive(Debug)]
pub(crate) struct Leases {
    store: Option<Arc<dyn LeaseStore>>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    leases: Places,
    jwks: Option<Value>,
    seen: f64,
    seen_in_store: f64,
    /// With which fingerprint the last lease of a license key was asked for, by the digest of the key; the oldest first.
    fingerprints: Vec<(String, Option<String>)>,
    loaded: bool,
}

impl Leases {
    pub(crate) fn new(store: Option<Arc<dyn LeaseStore>>) -> Self {
        Self {
            store,
            kept: Mutex::default(),
        }
    }

    /// The lease of a license key: the one for this fingerprint, else another, which then does not fit.
    pub(crate) fn get(&self, key: &str, fingerprint: Option<&str>) -> Option<Stored> {
        let kept = self.loaded();
        let (place, digest) = (place(key, fingerprint), digest(key));
        let exact = kept.leases.0.iter().find(|(at, _)| *at == place);
        let any = || kept.leases.0.iter().find(|(at, _)| at.starts_with(&digest));
        exact.or_else(any).map(|(_, stored)| stored.clone())
    }

    /// The fingerprint that the last lease was asked for with, if that was in this process.
    pub(crate) fn fingerprint(&self, key: &str) -> Option<String> {
        let digest = digest(key);
        let kept = lock(&self.kept);
        let (_, fingerprint) = kept.fingerprints.iter().find(|(of, _)| *of == digest)?;
        fingerprint.clone()
    }

    /// The public keys that were last fetched.
    pub(crate) fn jwks(&self) -> Option<Value> {
        self.loaded().jwks.clone()
    }

    /// Keeps a lease instead of the one before. The server has just said so: what time it is begins anew.
    pub(crate) fn put(&self, key: &str, fingerprint: Option<&str>, lease: Stored, now: f64) {
        let place = place(key, fingerprint);
        let mut kept = lock(&self.kept);
        self.load(&mut kept);
        put_last(&mut kept.leases.0, place, lease);
        put_last(
            &mut kept.fingerprints,
            digest(key),
            fingerprint.map(str::to_owned),
        );
        kept.seen = now;
        self.save(&mut kept);
    }

    /// Keeps fetched keys, to verify with after a restart.
    pub(crate) fn put_jwks(&self, document: Value) {
        let mut kept = self.loaded();
        if kept.jwks.as_ref() != Some(&document) {
            kept.jwks = Some(document);
            self.save(&mut kept);
        }
    }

    /// Forgets the leases of a license key that is good no longer.
    pub(crate) fn drop(&self, key: &str) {
        let mut kept = lock(&self.kept);
        self.load(&mut kept);
        let (before, digest) = (kept.leases.0.len(), digest(key));
        kept.leases.0.retain(|(at, _)| !at.starts_with(&digest));
        if kept.leases.0.len() < before {
            self.save(&mut kept);
        }
    }

    /// Notes what time it is, and gives the latest that was noted before.
    pub(crate) fn saw(&self, now: f64) -> f64 {
        let mut kept = self.loaded();
        let before = kept.seen;
        kept.seen = before.max(now);
        if !kept.leases.0.is_empty() && kept.seen >= kept.seen_in_store + STEP {
            self.save(&mut kept);
        }
        before
    }

    fn loaded(&self) -> MutexGuard<'_, Kept> {
        let mut kept = lock(&self.kept);
        if !kept.loaded {
            self.load(&mut kept);
        }
        kept
    }

    /// Takes over what is stored, which another process may have changed.
    fn load(&self, kept: &mut Kept) {
        kept.loaded = true;
        let Some(store) = &self.store else {
            return;
        };
        let document = match store.load() {
            Ok(None) => return,
            Ok(Some(text)) => parse(&text),
            Err(error) => Err(error.to_string()),
        };
        match document {
            Ok(document) => {
                kept.leases = document.leases;
                kept.jwks = document.jwks;
                kept.seen_in_store = document.seen;
                kept.seen = kept.seen.max(document.seen);
            }
            // As good as none: a lease that is missing opens nothing.
            Err(reason) => log::warn!("the lease store cannot be read ({reason})"),
        }
    }

    fn save(&self, kept: &mut Kept) {
        let Some(store) = &self.store else {
            return;
        };
        let document = Document {
            format: FORMAT,
            seen: kept.seen,
            leases: kept.leases.clone(),
            jwks: kept.jwks.clone(),
        };
        let text = serde_json::to_string_pretty(&document).expect("its keys are texts");
        match store.save(&text) {
            Ok(()) => kept.seen_in_store = kept.seen,
            // The application goes on, with the lease in memory.
            Err(error) => log::warn!("the lease store cannot be written ({error})"),
        }
    }
}

fn parse(text: &str) -> Result<Document, String> {
    // What is wrong is not told with the text that is.
    let document: Document =
        serde_json::from_str(text).map_err(|error| format!("line {} is wrong", error.line()))?;
    if document.format == FORMAT {
        Ok(document)
    } else {
        Err(format!("format {}", document.format))
    }
}

/// Puts a value in the place of the one of the same name, behind all others; what is then too old goes.
fn put_last<T>(all: &mut Vec<(String, T)>, name: String, value: T) {
    all.retain(|(other, _)| *other != name);
    all.push((name, value));
    let excess = all.len().saturating_sub(MOST_LEASES);
    all.drain(..excess);
}

/// What a license key is known by.
pub(crate) fn digest(key: &str) -> String {
    sha256(&normal_key(key))
}

/// Where a lease stands: by key and fingerprint, of which neither is written.
fn place(key: &str, fingerprint: Option<&str>) -> String {
    match fingerprint {
        Some(fingerprint) => format!("{}.{}", digest(key), sha256(fingerprint)),
        None => digest(key),
    }
}

fn sha256(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (place, stored) in &self.0 {
            map.serialize_entry(place, stored)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

/// Keeps the order of a JSON object, which says what is oldest.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Places;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of leases")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Places, A::Error> {
        let mut places = vec![];
        while let Some((place, stored)) = map.next_entry::<String, Stored>()? {
            if stored.license_ends.is_some_and(f64::is_nan) {
                return Err(de::Error::custom("a license ends at a time"));
            }
            places.push((place, stored));
        }
        Ok(Places(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FileStore, MemoryStore};

    const NOW: f64 = 1_775_000_000.5;

    fn stored(token: &str) -> Stored {
        Stored {
            token: token.into(),
            payload: Object::new(),
            lease_expires_at: "2026-11-29T00:00:00Z".into(),
            license_ends: None,
        }
    }

    fn on(store: &Arc<MemoryStore>) -> Leases {
        Leases::new(Some(Arc::clone(store) as _))
    }

    fn token(leases: &Leases, key: &str, fingerprint: Option<&str>) -> Option<String> {
        leases.get(key, fingerprint).map(|stored| stored.token)
    }

    #[test]
    fn a_store_is_bounded_and_keeps_the_newest() {
        let store = Arc::new(MemoryStore::default());
        let leases = on(&store);
        for number in 0..70 {
            leases.put(&format!("key-{number}"), None, stored(&number.to_string()), NOW);
        }
        let again = on(&store);
        assert_eq!(token(&again, "key-5", None), None);
        assert_eq!(token(&again, "key-6", None).as_deref(), Some("6"));
        again.put("key-70", None, stored("70"), NOW);
        assert_eq!(token(&again, "key-6", None), None);
        assert_eq!(token(&again, "key-69", None).as_deref(), Some("69"));
    }

    #[test]
    fn processes_that_share_a_store_keep_each_others_leases() {
        let store = Arc::new(MemoryStore::default());
        let (first, second) = (on(&store), on(&store));
        first.put("key-1", Some("laptop"), stored("1"), NOW);
        second.put("key-2", None, stored("2"), NOW);
        first.put("key-3", None, stored("3"), NOW);
        let again = on(&store);
        assert_eq!(token(&again, "key-1", Some("laptop")).as_deref(), Some("1"));
        assert_eq!(token(&again, " KEY-2\n", None).as_deref(), Some("2"));
        second.drop("key-1");
        let again = on(&store);
        assert_eq!(token(&again, "key-1", Some("laptop")), None);
        assert_eq!(token(&again, "key-3", None).as_deref(), Some("3"));
    }

    #[test]
    fn the_latest_time_is_noted() {
        let store = Arc::new(MemoryStore::default());
        let leases = on(&store);
        leases.put("key", None, stored("1"), NOW);
        for (now, noted) in [(90.0, 0.0), (-500.0, 90.0), (100.0, 90.0)] {
            assert!((leases.saw(NOW + now) - (NOW + noted)).abs() < 0.01, "{now}");
        }
        assert!((on(&store).saw(NOW) - (NOW + 90.0)).abs() < 0.01);
        leases.put("key", None, stored("1"), NOW + 5.0);
        assert!((on(&store).saw(NOW) - (NOW + 5.0)).abs() < 0.01);
    }

    #[test]
    fn an_unreadable_store_is_none() {
        let lease = r#"{"a": {"token": 1, "payload": {}, "lease_expires_at": "", "license_ends": null}}"#;
        let texts = [
            String::new(),
            "null".into(),
            "[]".into(),
            "{}".into(),
            format!(r#"{{"format": 1, "seen": 0, "leases": {lease}, "jwks": null}}"#),
            r#"{"format": 2, "seen": 0, "leases": {}, "jwks": null}"#.into(),
            "[".repeat(100_000),
            "\0".into(),
        ];
        for text in texts {
            let store = Arc::new(MemoryStore::default());
            store.save(&text).unwrap();
            let leases = on(&store);
            assert_eq!(token(&leases, "key", None), None);
            // And is written anew.
            leases.put("key", None, stored("1"), NOW);
            assert_eq!(token(&on(&store), "key", None).as_deref(), Some("1"));
        }
    }

    #[test]
    fn a_file_of_the_python_client_is_read() {
        // As `LeaseStore("…").put("PRD-A", "laptop", Stored(…), …)` writes it.
        let place = place("prd-a ", Some("laptop"));
        let text = format!(
            "{{\n \"format\": 1,\n \"seen\": 1775000000.25,\n \"leases\": {{\n  \"{place}\": {{\n   \"token\": \"t\",\n   \
             \"payload\": {{\"tier\": \"gold\"}},\n   \"lease_expires_at\": \"\",\n   \"license_ends\": 1775000999\n  }}\n }},\n \
             \"jwks\": {{\"keys\": []}}\n}}"
        );
        let store = Arc::new(MemoryStore::default());
        store.save(&text).unwrap();
        let leases = on(&store);
        let found = leases.get("PRD-A", Some("laptop")).unwrap();
        assert_eq!(
            (found.token.as_str(), &found.payload["tier"]),
            ("t", &Value::from("gold"))
        );
        assert_eq!(found.license_ends, Some(1_775_000_999.0));
        assert_eq!(leases.jwks(), Some(serde_json::json!({"keys": []})));
        assert!((leases.saw(0.0) - 1_775_000_000.25).abs() < 0.001);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_its_owners_and_whole_at_every_moment() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/lease.json");
        let leases = || Leases::new(Some(Arc::new(FileStore::new(&path))));
        leases().put("PRD-SECRET", Some("laptop"), stored("0"), NOW);
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("SECRET") && !text.contains("laptop"), "{text}");
        std::thread::scope(|scope| {
            for number in 1..=3 {
                let leases = leases();
                scope.spawn(move || {
                    for _ in 0..20 {
                        leases.put("PRD-SECRET", Some("laptop"), stored(&number.to_string()), NOW);
                    }
                });
            }
            for _ in 0..50 {
                assert!(leases().get("PRD-SECRET", Some("laptop")).is_some());
            }
        });
        let files: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(files, ["lease.json"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let leases = Leases::new(Some(Arc::new(FileStore::new(file.join("lease.json")))));
        leases.put("key", None, stored("1"), NOW);
        assert_eq!(token(&leases, "key", None).as_deref(), Some("1"));
    }
}
