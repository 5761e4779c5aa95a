//! The server's secrets: given, or in development generated once and kept under the data directory.

pub mod kept;
pub(crate) mod strength;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use ed25519_dalek::SigningKey;
use vinzy_events::key::KeyRing;

use crate::clock::Entropy;
use crate::config::{Secret, SecretConfig};
use crate::keys::{MasterKey, MasterKeys, derive};
use crate::ledger::CheckpointKeys;
use kept::Kept;

/// The environment in which missing secrets are generated.
pub const DEVELOPMENT: &str = "development";

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// Wraps the keys that the database keeps.
    Master,
    /// Signs license keys.
    Hmac,
    /// Signs leases and checkpoints.
    Signing,
    /// The admin's API key.
    Api,
    /// The super-admin's API key.
    SuperAdmin,
}

impl SecretKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Master,
        Self::Hmac,
        Self::Signing,
        Self::Api,
        Self::SuperAdmin,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Hmac => "hmac",
            Self::Signing => "signing",
            Self::Api => "api",
            Self::SuperAdmin => "super-admin",
        }
    }

    /// The setting that holds a single one.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Master => "VINZY_SECRET_KEY",
            Self::Hmac => "VINZY_HMAC_KEY",
            Self::Signing => "VINZY_SIGNING_KEY",
            Self::Api => "VINZY_API_KEY",
            Self::SuperAdmin => "VINZY_SUPER_ADMIN_KEY",
        }
    }

    /// A new one, of 256 random bits.
    pub fn generate(self, entropy: &Entropy) -> String {
        let prefix = match self {
            Self::Master | Self::Hmac | Self::Signing => "",
            Self::Api => "vz_",
            Self::SuperAdmin => "vzs_",
        };
        format!("{prefix}{}", BASE64URL_NOPAD.encode(&entropy.bytes::<32>()))
    }
}

/// Everything secret that the server works with.
pub struct Secrets {
    /// Wrap the keys that the database keeps.
    pub master_keys: MasterKeys,
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
    /// The settings whose secrets the data directory keeps, because they were not given.
    pub kept: Vec<&'static str>,
}

/// Why there are no secrets to work with.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Some are missing or weak, and this is no development.
    #[error(
        "VINZY_ENVIRONMENT is {environment:?}, so good secrets must be given:\n{}\n\
         `vinzy keys generate` makes good ones: keep them safe, and set them in the environment or in vinzy.toml.",
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

impl Secrets {
    /// The secrets of `config`; what it lacks is, in development only, read from or generated into
    /// `data_dir`.
    pub fn load(config: &SecretConfig, data_dir: &Path, entropy: &Entropy) -> Result<Self, SecretsError> {
        if config.environment == DEVELOPMENT {
            return Self::develop(config, data_dir, entropy);
        }
        let problems = strength::problems(config);
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
        let failed = |source| SecretsError::File {
            path: kept::path(data_dir),
            source,
        };
        let mut kept = Kept::read(data_dir).map_err(failed)?;
        let mut made = vec![];
        if !missing(config, &kept).is_empty() {
            kept = Kept::change(data_dir, |kept| {
                made = missing(config, kept);
                for kind in &made {
                    *slot(kept, *kind) = Some(kind.generate(entropy));
                }
                Ok::<_, io::Error>(())
            })
            .map_err(failed)?;
        }
        let or_kept = |given: &Option<Secret>, kept: &Option<String>| {
            given
                .clone()
                .unwrap_or_else(|| kept.clone().unwrap_or_default().into())
        };
        let api_key = or_kept(&config.api_key, &kept.api_key);
        let super_admin_key = or_kept(&config.super_admin_key, &kept.super_admin_key);
        let shown = [
            (SecretKind::Api, &api_key),
            (SecretKind::SuperAdmin, &super_admin_key),
        ];
        let generated = shown
            .into_iter()
            .filter(|(kind, _)| made.contains(kind))
            .map(|(kind, key)| (kind.setting(), key.clone()))
            .collect();
        let mut with_hmac = config.clone();
        if config.hmac_keys.is_none() && config.hmac_key.is_none() {
            with_hmac.hmac_keys = kept.hmac_keys_as_json();
            with_hmac.hmac_key = kept.hmac_key.clone().map(Secret::from);
        }
        let secrets = Self::assemble(
            &with_hmac,
            &or_kept(&config.secret_key, &kept.secret_key),
            &or_kept(&config.signing_key, &kept.signing_key),
            [api_key, super_admin_key],
        )?;
        Ok(Self {
            generated,
            kept: from_file(config, &kept),
            ..secrets
        })
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
            master_keys: master_keys(secret_key.expose())?,
            key_ring: key_ring(config)?,
            signing_seeds: seeds(signing_key.expose())?,
            api_key,
            super_admin_key,
            generated: vec![],
            kept: vec![],
        })
    }

    /// Sign checkpoints. Derived from the seeds, so that a checkpoint's signature can never be taken for a
    /// lease's.
    pub fn checkpoint_keys(&self) -> CheckpointKeys {
        checkpoint_keys(&self.signing_seeds)
    }
}

/// The keys of checkpoints that belong to seeds, of which there must be one.
pub(crate) fn checkpoint_keys(seeds: &[[u8; 32]]) -> CheckpointKeys {
    let mut keys = seeds
        .iter()
        .map(|seed| SigningKey::from_bytes(&derive(seed, "vinzy checkpoint")));
    let first = keys.next().expect("`seeds` gives at least one");
    CheckpointKeys::new(first, keys.collect())
}

/// The secrets that neither settings nor file hold.
fn missing(config: &SecretConfig, kept: &Kept) -> Vec<SecretKind> {
    SecretKind::ALL
        .into_iter()
        .filter(|kind| match kind {
            SecretKind::Master => config.secret_key.is_none() && kept.secret_key.is_none(),
            SecretKind::Hmac => {
                let given = config.hmac_keys.is_some() || config.hmac_key.is_some();
                !given && kept.hmac_keys.is_none() && kept.hmac_key.is_none()
            }
            SecretKind::Signing => config.signing_key.is_none() && kept.signing_key.is_none(),
            SecretKind::Api => config.api_key.is_none() && kept.api_key.is_none(),
            SecretKind::SuperAdmin => config.super_admin_key.is_none() && kept.super_admin_key.is_none(),
        })
        .collect()
}

/// The settings of the secrets that are taken from the file.
fn from_file(config: &SecretConfig, kept: &Kept) -> Vec<&'static str> {
    // What the file does not hold either would be missing: these are the ones that were not given.
    let taken = missing(config, &Kept::default()).into_iter();
    taken
        .map(|kind| match kind {
            SecretKind::Hmac if kept.hmac_keys.is_some() => "VINZY_HMAC_KEYS",
            kind => kind.setting(),
        })
        .collect()
}

const fn slot(kept: &mut Kept, kind: SecretKind) -> &mut Option<String> {
    match kind {
        SecretKind::Master => &mut kept.secret_key,
        SecretKind::Hmac => &mut kept.hmac_key,
        SecretKind::Signing => &mut kept.signing_key,
        SecretKind::Api => &mut kept.api_key,
        SecretKind::SuperAdmin => &mut kept.super_admin_key,
    }
}

pub(crate) fn master_keys(text: &str) -> Result<MasterKeys, SecretsError> {
    let secrets = listed(text);
    if secrets.iter().any(|secret| secret.is_empty()) {
        return Err(SecretsError::Malformed {
            name: SecretKind::Master.setting(),
            problem: "a key in it is empty; several are separated by commas".into(),
        });
    }
    let mut keys = secrets.into_iter().map(MasterKey::from_secret);
    let current = keys.next().expect("splitting gives at least one");
    Ok(MasterKeys::new(current, keys.collect()))
}

/// The parts of a text between commas, without the white space around these.
pub(crate) fn listed(text: &str) -> Vec<&str> {
    // White space where the text begins and ends has always been part of the secret.
    let (first, rest) = text
        .split_once(',')
        .map_or((text, None), |(first, rest)| (first.trim_end(), Some(rest)));
    let mut parts = vec![first];
    if let Some(rest) = rest {
        let mut others: Vec<&str> = rest.split(',').map(str::trim_start).collect();
        let last = others.pop();
        parts.extend(others.into_iter().map(str::trim_end));
        parts.extend(last);
    }
    parts
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

pub(crate) fn seeds(text: &str) -> Result<Vec<[u8; 32]>, SecretsError> {
    text.split(',')
        .map(|seed| {
            seed_of(seed).ok_or_else(|| SecretsError::Malformed {
                name: "VINZY_SIGNING_KEY",
                problem: "every seed must be 32 bytes as base64 or hex; several are separated by commas"
                    .into(),
            })
        })
        .collect()
}

/// A seed from its text.
fn seed_of(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        SecretKind::Hmac.generate(&Entropy::seeded(seed)).into()
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
        assert_eq!(second.kept, SecretKind::ALL.map(SecretKind::setting));
        let given = SecretConfig {
            api_key: Some(good(6)),
            ..config("development")
        };
        let third = Secrets::load(&given, &data_dir, &Entropy::System).unwrap();
        assert!(third.kept.len() == 4 && !third.kept.contains(&"VINZY_API_KEY"));
        assert_eq!(second.api_key, first.api_key);
        assert_eq!(second.signing_seeds, first.signing_seeds);
        assert_eq!(
            second.master_keys.current().id(),
            first.master_keys.current().id()
        );
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
            "vinzy keys generate",
        ] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
        let good = Secrets::load(&production(), directory.path(), &Entropy::System).unwrap();
        assert!(good.kept.is_empty());
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "nothing is generated"
        );
    }

    #[track_caller]
    fn refused(config: &SecretConfig, expected: &str) {
        let error = Secrets::load(config, "/nonexistent".as_ref(), &Entropy::System)
            .err()
            .unwrap();
        assert!(error.to_string().contains(expected), "{expected} in {error}");
    }

    #[test]
    fn production_looks_at_each_of_several_keys() {
        let given = |text: String| Some(Secret::from(text));
        let [one, two, three] = [1, 3, 6].map(|seed| good(seed).expose().to_owned());
        let with_master = |text| SecretConfig {
            secret_key: given(text),
            ..production()
        };
        let with_seeds = |text| SecretConfig {
            signing_key: given(text),
            ..production()
        };
        let with_ring = |text: String| SecretConfig {
            hmac_keys: given(text),
            ..production()
        };
        let fine = |config| Secrets::load(&config, "/nonexistent".as_ref(), &Entropy::System).is_ok();
        assert!(fine(with_master(format!("{one}, {three}"))));
        refused(
            &with_master(format!("{one},short")),
            "number 2 of VINZY_SECRET_KEY is shorter",
        );
        refused(
            &with_master(format!("{one},")),
            "number 2 of VINZY_SECRET_KEY is shorter",
        );
        refused(
            &with_master(format!("{one},{one}")),
            "number 2 of VINZY_SECRET_KEY is the same as",
        );
        assert!(fine(with_seeds(format!("{two},{three}"))));
        let zeros = BASE64.encode(&[0; 32]);
        refused(&with_seeds(zeros.clone()), "VINZY_SIGNING_KEY has fewer");
        refused(
            &with_seeds(format!("{two},{zeros}")),
            "number 2 of VINZY_SIGNING_KEY has fewer",
        );
        refused(&with_seeds("x".into()), "VINZY_SIGNING_KEY is not 32 bytes");
        assert!(fine(with_ring(format!(r#"{{"0":"weak","1":"{three}"}}"#))));
        refused(
            &with_ring(format!(r#"{{"0":"{three}","1":"weak"}}"#)),
            "the newest of VINZY_HMAC_KEYS is shorter",
        );
        refused(
            &with_ring("x".into()),
            "VINZY_HMAC_KEYS cannot be used: not a JSON",
        );
        refused(&with_ring("{}".into()), "VINZY_HMAC_KEYS cannot be used");
        refused(
            &with_ring(format!(r#"{{"32":"{three}"}}"#)),
            "is not between 0 and 31",
        );
    }

    #[test]
    fn production_wants_secrets_that_differ() {
        let same = SecretConfig {
            super_admin_key: Some(good(4)),
            ..production()
        };
        refused(&same, "VINZY_SUPER_ADMIN_KEY is the same as VINZY_API_KEY");
        let same = SecretConfig {
            hmac_key: Some(good(1)),
            ..production()
        };
        refused(&same, "VINZY_HMAC_KEY is the same as VINZY_SECRET_KEY");
    }

    #[test]
    fn a_list_loses_the_white_space_around_its_commas_only() {
        assert_eq!(listed(" a "), [" a "]);
        assert_eq!(listed(" a , b\n,c "), [" a", "b", "c "]);
        assert_eq!(listed("a,"), ["a", ""]);
        assert!(master_keys("a,").is_err());
    }

    #[test]
    fn a_ring_of_license_keys_may_be_kept() {
        let directory = tempfile::tempdir().unwrap();
        Secrets::load(&config("development"), directory.path(), &Entropy::System).unwrap();
        Kept::change(directory.path(), |kept| {
            let first = kept.hmac_key.take().unwrap();
            kept.hmac_keys = Some(BTreeMap::from([("0".into(), first), ("1".into(), "b".into())]));
            Ok::<_, io::Error>(())
        })
        .unwrap();
        let secrets = Secrets::load(&config("development"), directory.path(), &Entropy::System).unwrap();
        assert_eq!(secrets.key_ring.versions().collect::<Vec<_>>(), [0, 1]);
        assert!(Kept::read(directory.path()).unwrap().hmac_key.is_none());
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
        assert_eq!(seed_of(&format!("{}\n", BASE64.encode(&seed))), Some(seed));
        assert!(seeds("").is_err());
        assert!(seeds("AAAA").is_err());
    }

    #[test]
    fn the_two_api_keys_must_differ() {
        let directory = tempfile::tempdir().unwrap();
        let same = SecretConfig {
            super_admin_key: Some(good(4)),
            api_key: Some(good(4)),
            ..config("development")
        };
        assert!(Secrets::load(&same, directory.path(), &Entropy::System).is_err());
    }
}
