//! The keys that the present configuration holds, and where each comes from.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use vinzy_events::key::parse_keys;

use crate::config::{Secret, SecretConfig, settings_file};
use crate::secrets::DEVELOPMENT;
use crate::secrets::kept::{self, Kept};

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub(super) enum Source {
    /// The command line.
    Flag { name: String },
    /// The environment.
    Environment { name: String },
    /// The file of settings.
    Settings { path: PathBuf },
    /// The file that a server in development keeps.
    Kept { path: PathBuf },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } | Self::Environment { name } => f.write_str(name),
            Self::Settings { path } | Self::Kept { path } => write!(f, "{}", path.display()),
        }
    }
}

impl Source {
    /// A setting as it is written there.
    pub(super) fn assignment(&self, setting: &str, value: &str) -> String {
        match self {
            Self::Settings { .. } => {
                let name = setting.trim_start_matches("VINZY_").to_lowercase();
                format!("{name} = {}", toml::Value::from(value))
            }
            _ => format!("{setting}={value}"),
        }
    }
}

/// Tells where settings come from.
pub(super) struct Sources<'a> {
    matches: &'a ArgMatches,
    settings: PathBuf,
}

impl<'a> Sources<'a> {
    pub(super) fn new(matches: &'a ArgMatches, arguments: &[OsString]) -> Self {
        Self {
            matches,
            settings: settings_file(arguments),
        }
    }

    fn of(&self, id: &str) -> Source {
        match self.matches.value_source(id) {
            Some(ValueSource::CommandLine) => Source::Flag {
                name: format!("--{}", id.replace('_', "-")),
            },
            Some(ValueSource::EnvVariable) => Source::Environment {
                name: format!("VINZY_{}", id.to_uppercase()),
            },
            // Secrets have no defaults but those that the file gives.
            _ => Source::Settings {
                path: self.settings.clone(),
            },
        }
    }
}

/// Keys of license keys by version.
pub(super) type Ring = BTreeMap<u8, String>;

/// Something and where it comes from.
pub(super) struct Held<T> {
    pub(super) value: T,
    pub(super) source: Source,
}

/// All keys, as the server would take them at its next start.
pub(super) struct Material {
    pub(super) master: Option<Held<Secret>>,
    pub(super) hmac: Option<Held<Ring>>,
    pub(super) signing: Option<Held<Secret>>,
    pub(super) api: Option<Held<Secret>>,
    pub(super) super_admin: Option<Held<Secret>>,
    /// Whether the server would make what is missing.
    pub(super) development: bool,
}

impl Material {
    pub(super) fn gather(
        config: &SecretConfig,
        sources: &Sources<'_>,
        data_dir: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let development = config.environment == DEVELOPMENT;
        let kept_source = Source::Kept {
            path: kept::path(data_dir),
        };
        let kept = if development {
            Kept::read(data_dir).map_err(|error| format!("{kept_source} cannot be read: {error}"))?
        } else {
            Kept::default()
        };
        let held = |id: &str, given: &Option<Secret>, kept: &Option<String>| match (given, kept) {
            (Some(given), _) => Some(Held {
                value: given.clone(),
                source: sources.of(id),
            }),
            (None, Some(kept)) => Some(Held {
                value: kept.clone().into(),
                source: kept_source.clone(),
            }),
            (None, None) => None,
        };
        Ok(Self {
            master: held("secret_key", &config.secret_key, &kept.secret_key),
            hmac: given_hmac(config, sources)?.or(kept.hmac_ring()?.map(|value| Held {
                value,
                source: kept_source.clone(),
            })),
            signing: held("signing_key", &config.signing_key, &kept.signing_key),
            api: held("api_key", &config.api_key, &kept.api_key),
            super_admin: held("super_admin_key", &config.super_admin_key, &kept.super_admin_key),
            development,
        })
    }
}

fn given_hmac(config: &SecretConfig, sources: &Sources<'_>) -> Result<Option<Held<Ring>>, Box<dyn Error>> {
    let (id, value) = match (&config.hmac_keys, &config.hmac_key) {
        (Some(keys), _) => {
            let keys = parse_keys(keys.expose())
                .map_err(|error| format!("VINZY_HMAC_KEYS cannot be used: {error}"))?;
            ("hmac_keys", keys)
        }
        (None, Some(key)) => ("hmac_key", BTreeMap::from([(0, key.expose().to_owned())])),
        (None, None) => return Ok(None),
    };
    Ok(Some(Held {
        value,
        source: sources.of(id),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_written_as_its_place_demands() {
        let environment = Source::Environment { name: "X".into() };
        assert_eq!(
            environment.assignment("VINZY_HMAC_KEYS", r#"{"0":"a"}"#),
            r#"VINZY_HMAC_KEYS={"0":"a"}"#
        );
        let file = Source::Settings {
            path: "v.toml".into(),
        };
        let line = file.assignment("VINZY_HMAC_KEYS", r#"{"0":"a"}"#);
        let table: toml::Table = line.parse().unwrap();
        assert_eq!(table["hmac_keys"].as_str(), Some(r#"{"0":"a"}"#));
    }
}
