//! The server's secrets: given, or in development generated once and kept under the data directory.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use vinzy_events::key::KeyRing;

use crate::clock::Entropy;
use crate::config::{Secret, SecretConfig};

/// The environment in which missing secrets are generated.
pub const DEVELOPMENT: &str = "development";
const FILE: &str = "secrets.toml";
/// Fewer characters than these are weak.
const MIN_LENGTH: usize = 32;
/// Fewer different characters than these are weak.
const MIN_DISTINCT: usize = 8;

/// Everything secret that the server works with.
pub struct Secrets {
    root: String,
    /// HMAC keys of license keys.
    pub key_ring: KeyRing,
    /// Ed25519 seeds of leases: the first signs, all verify.
    pub signing_seeds: Vec<[u8; 32]>,
    /// The admin's API key.
    pub api_key: Secret,
    /// The super-admin's API key.
    pub super_admin_key: Secret,
    /// Secrets that were generated just now and that a person needs, by the name of their setting.
    pub generated: Vec<(&'static str, Secret)>,
}

/// Why there are no secrets to work with.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Some are missing or weak, and this is no development.
    #[error(
        "VINZY_ENVIRONMENT is {environment:?}, so good secrets must be given:\n{}\n\
         Make one with `openssl rand -base64 32`, keep it safe, and set it in the environment or in vinzy.toml.",
        problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n")
    )]
    Weak {
        /// The environment.
        environment: String,
        /// What is wrong, one by one.
        problems: Vec<String>,
    },
    /// One cannot be understood.
    #[error("{name} cannot be used: {problem}")]
    Malformed {
        /// Its setting.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The file of generated secrets cannot be read or written.
    #[error("the generated secrets in {path} cannot be read or written: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The file of generated secrets.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "named as their settings are")]
struct Kept {
    secret_key: Option<String>,
    hmac_key: Option<String>,
    signing_key: Option<String>,
    api_key: Option<String>,
    super_admin_key: Option<String>,
}

impl Secrets {
    /// The secrets of `config`; what it lacks is, in development only, read from or generated into
    /// `data_dir`.
    pub fn load(config: &SecretConfig, data_dir: &Path, entropy: &Entropy) -> Result<Self, SecretsError> {
        if config.environment == DEVELOPMENT {
            return Self::develop(config, data_dir, entropy);
        }
        let problems = weaknesses(config);
        if !problems.is_empty() {
            return Err(SecretsError::Weak {
                environment: config.environment.clone(),
                problems,
            });
        }
        let given = |secret: &Option<Secret>| secret.clone().unwrap_or_else(|| String::new().into());
        Self::assemble(
            config,
            &given(&config.secret_key),
            &given(&config.signing_key),
            [given(&config.api_key), given(&config.super_admin_key)],
        )
    }

    fn develop(config: &SecretConfig, data_dir: &Path, entropy: &Entropy) -> Result<Self, SecretsError> {
        let path = data_dir.join(FILE);
        let failed = |source| SecretsError::File {
            path: path.clone(),
            source,
        };
        let mut kept = read(&path).map_err(failed)?;
        let mut changed = false;
        let mut generated = vec![];
        let mut or_kept = |given: &Option<Secret>, slot: &mut Option<String>, prefix: &str| {
            if let Some(given) = given {
                return (given.clone(), false);
            }
            let new = slot.is_none();
            changed |= new;
            let text = slot.get_or_insert_with(|| generate(prefix, entropy)).clone();
            (Secret::from(text), new)
        };
        let (secret_key, _) = or_kept(&config.secret_key, &mut kept.secret_key, "");
        let (signing_key, _) = or_kept(&config.signing_key, &mut kept.signing_key, "");
        let (api_key, new_api_key) = or_kept(&config.api_key, &mut kept.api_key, "vz_");
        let (super_key, new_super_key) = or_kept(&config.super_admin_key, &mut kept.super_admin_key, "vzs_");
        let mut config = config.clone();
        if config.hmac_keys.is_none() {
            let (hmac_key, _) = or_kept(&config.hmac_key, &mut kept.hmac_key, "");
            config.hmac_key = Some(hmac_key);
        }
        if changed {
            write(&path, &kept).map_err(failed)?;
        }
        if new_api_key {
            generated.push(("VINZY_API_KEY", api_key.clone()));
        }
        if new_super_key {
            generated.push(("VINZY_SUPER_ADMIN_KEY", super_key.clone()));
        }
        let secrets = Self::assemble(&config, &secret_key, &signing_key, [api_key, super_key])?;
        Ok(Self { generated, ..secrets })
    }

    fn assemble(
        config: &SecretConfig,
        secret_key: &Secret,
        signing_key: &Secret,
        [api_key, super_admin_key]: [Secret; 2],
    ) -> Result<Self, SecretsError> {
        if api_key == super_admin_key {
            let problem = "the admin's and the super-admin's key must differ".into();
            return Err(SecretsError::Malformed {
                name: "VINZY_SUPER_ADMIN_KEY",
                problem,
            });
        }
        Ok(Self {
            root: secret_key.expose().to_owned(),
            key_ring: key_ring(config)?,
            signing_seeds: seeds(signing_key.expose())?,
            api_key,
            super_admin_key,
            generated: vec![],
        })
    }

    /// Wraps the keys of personal data.
    pub fn personal_data_key(&self) -> [u8; 32] {
        derive(self.root.as_bytes(), "vinzy personal data")
    }

    /// Hashes values that must be unique and that identify people.
    pub fn uniqueness_key(&self) -> [u8; 32] {
        derive(self.root.as_bytes(), "vinzy uniqueness")
    }

    /// Hashes requests that can be repeated.
    pub fn idempotency_key(&self) -> [u8; 32] {
        derive(self.root.as_bytes(), "vinzy idempotency")
    }

    /// Signs checkpoints. Derived from the first seed, so that a checkpoint's signature can never be taken
    /// for a lease's.
    pub fn checkpoint_key(&self) -> SigningKey {
        let seed = self.signing_seeds.first().expect("`seeds` gives at least one");
        SigningKey::from_bytes(&derive(seed, "vinzy checkpoint"))
    }
}

fn derive(root: &[u8], label: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, root)
        .expand(label.as_bytes(), &mut key)
        .expect("HKDF gives up to 255 times 32 bytes");
    key
}

fn key_ring(config: &SecretConfig) -> Result<KeyRing, SecretsError> {
    if let Some(keys) = &config.hmac_keys {
        return KeyRing::from_json(keys.expose()).map_err(|error| SecretsError::Malformed {
            name: "VINZY_HMAC_KEYS",
            problem: error.to_string(),
        });
    }
    let key = config
        .hmac_key
        .as_ref()
        .map(|key| key.expose().to_owned())
        .unwrap_or_default();
    KeyRing::try_new(BTreeMap::from([(0, key)])).map_err(|error| SecretsError::Malformed {
        name: "VINZY_HMAC_KEY",
        problem: error.to_string(),
    })
}

fn seeds(text: &str) -> Result<Vec<[u8; 32]>, SecretsError> {
    text.split(',')
        .map(|seed| {
            seed_of(seed.trim()).ok_or_else(|| SecretsError::Malformed {
                name: "VINZY_SIGNING_KEY",
                problem: "every seed must be 32 bytes as base64 or hex; several are separated by commas"
                    .into(),
            })
        })
        .collect()
}

fn seed_of(text: &str) -> Option<[u8; 32]> {
    [
        HEXLOWER_PERMISSIVE,
        BASE64,
        BASE64_NOPAD,
        BASE64URL,
        BASE64URL_NOPAD,
    ]
    .iter()
    .find_map(|encoding| encoding.decode(text.as_bytes()).ok()?.try_into().ok())
}

/// Everything that a production server must not start with.
fn weaknesses(config: &SecretConfig) -> Vec<String> {
    let mut problems = vec![];
    let mut check = |name: &str, secret: &Option<Secret>| match secret {
        None => problems.push(format!("{name} is missing")),
        Some(secret) => problems.extend(weakness(secret.expose()).map(|why| format!("{name} {why}"))),
    };
    check("VINZY_SECRET_KEY", &config.secret_key);
    check("VINZY_SIGNING_KEY", &config.signing_key);
    check("VINZY_API_KEY", &config.api_key);
    check("VINZY_SUPER_ADMIN_KEY", &config.super_admin_key);
    match &config.hmac_keys {
        None => check("VINZY_HMAC_KEY", &config.hmac_key),
        Some(keys) => {
            let keys: BTreeMap<String, String> = serde_json::from_str(keys.expose()).unwrap_or_default();
            // Old versions only verify and cannot be made better; the one that signs can.
            let newest = keys
                .into_iter()
                .max_by_key(|(version, _)| version.parse::<u8>().unwrap_or(0));
            check(
                "the newest of VINZY_HMAC_KEYS",
                &newest.map(|(_, key)| key.into()),
            );
        }
    }
    problems
}

fn weakness(secret: &str) -> Option<String> {
    let lower = secret.to_lowercase();
    let placeholder = [
        "changeme",
        "change-me",
        "change_me",
        "insecure",
        "password",
        "example",
        "placeholder",
    ]
    .into_iter()
    .find(|word| lower.contains(word));
    let distinct = secret.chars().collect::<std::collections::BTreeSet<_>>().len();
    if let Some(word) = placeholder {
        Some(format!("is a placeholder: it holds {word:?}"))
    } else if secret.chars().count() < MIN_LENGTH {
        Some(format!("is shorter than {MIN_LENGTH} characters"))
    } else if distinct < MIN_DISTINCT {
        Some(format!("has fewer than {MIN_DISTINCT} different characters"))
    } else {
        None
    }
}

fn generate(prefix: &str, entropy: &Entropy) -> String {
    format!("{prefix}{}", BASE64URL_NOPAD.encode(&entropy.bytes::<32>()))
}

fn read(path: &Path) -> io::Result<Kept> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// Writes the file as a whole or not at all, readable by its owner only.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let text = toml::to_string(kept).map_err(io::Error::other)?;
    let temporary = path.with_extension("toml.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    writeln!(
        file,
        "# Generated at the first start. Whoever has this file can issue licenses."
    )?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(environment: &str) -> SecretConfig {
        SecretConfig {
            environment: environment.into(),
            secret_key: None,
            hmac_key: None,
            hmac_keys: None,
            signing_key: None,
            api_key: None,
            super_admin_key: None,
        }
    }

    fn good(seed: u64) -> Secret {
        generate("", &Entropy::seeded(seed)).into()
    }

    fn production() -> SecretConfig {
        SecretConfig {
            secret_key: Some(good(1)),
            hmac_key: Some(good(2)),
            signing_key: Some(good(3)),
            api_key: Some(good(4)),
            super_admin_key: Some(good(5)),
            ..config("production")
        }
    }

    #[test]
    fn development_secrets_are_generated_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let first = Secrets::load(&config("development"), &data_dir, &Entropy::System).unwrap();
        let names: Vec<_> = first.generated.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["VINZY_API_KEY", "VINZY_SUPER_ADMIN_KEY"]);
        let second = Secrets::load(&config("development"), &data_dir, &Entropy::System).unwrap();
        assert!(second.generated.is_empty());
        assert_eq!(second.api_key, first.api_key);
        assert_eq!(second.checkpoint_key(), first.checkpoint_key());
        assert_eq!(second.personal_data_key(), first.personal_data_key());
        let mode = fs::metadata(data_dir.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn production_names_everything_that_is_missing_or_weak() {
        let directory = tempfile::tempdir().unwrap();
        let weak = SecretConfig {
            api_key: Some("changeme-changeme-changeme-changeme".to_owned().into()),
            hmac_key: Some("a".repeat(40).into()),
            secret_key: Some("short".to_owned().into()),
            ..config("production")
        };
        let error = Secrets::load(&weak, directory.path(), &Entropy::System)
            .err()
            .unwrap()
            .to_string();
        for expected in [
            "VINZY_SECRET_KEY is shorter",
            "VINZY_SIGNING_KEY is missing",
            "VINZY_API_KEY is a placeholder",
            "VINZY_SUPER_ADMIN_KEY is missing",
            "VINZY_HMAC_KEY has fewer",
            "openssl rand",
        ] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
        assert!(Secrets::load(&production(), directory.path(), &Entropy::System).is_ok());
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "nothing is generated"
        );
    }

    #[test]
    fn seeds_may_be_base64_or_hex_and_several() {
        let seed = [0x5a; 32];
        let text = format!(
            "{}, {},{}",
            BASE64.encode(&seed),
            BASE64URL_NOPAD.encode(&seed),
            HEXLOWER_PERMISSIVE.encode(&seed)
        );
        assert_eq!(seeds(&text).unwrap(), [seed; 3]);
        assert!(seeds("").is_err());
        assert!(seeds("AAAA").is_err());
    }

    #[test]
    fn the_two_api_keys_must_differ() {
        let directory = tempfile::tempdir().unwrap();
        let same = SecretConfig {
            super_admin_key: Some(good(4)),
            ..production()
        };
        assert!(Secrets::load(&same, directory.path(), &Entropy::System).is_err());
    }
}
