//! `vinzy validate`, and the keys that it and `generate` work with

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use vinzy_events::key::{KeyRing, normalise};

use super::Answer;
use crate::config::Secret;
use crate::secrets::kept::{self, Kept};

/// The HMAC keys, from settings or from the secrets that a server in development has generated.
#[derive(Debug, Args)]
pub(super) struct RingConfig {
    /// The key that signs license keys
    #[arg(long, env = "VINZY_HMAC_KEY", value_name = "TEXT", hide_env_values = true)]
    hmac_key: Option<Secret>,

    /// Keys of license keys by version, as {"0":"old","1":"new"}
    #[arg(long, env = "VINZY_HMAC_KEYS", value_name = "JSON", hide_env_values = true)]
    hmac_keys: Option<Secret>,

    /// Directory in which a server in development keeps its generated secrets
    #[arg(long, env = "VINZY_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl RingConfig {
    pub(super) fn load(&self) -> Result<KeyRing, Box<dyn Error>> {
        if let Some(keys) = &self.hmac_keys {
            return Ok(KeyRing::from_json(keys.expose())?);
        }
        if let Some(key) = &self.hmac_key {
            return Ok(KeyRing::try_new(BTreeMap::from([(0, key.expose().to_owned())]))?);
        }
        let kept = Kept::read(&self.data_dir).map_err(|error| self.missing(&error))?;
        let ring = kept.hmac_ring()?;
        Ok(KeyRing::try_new(
            ring.ok_or_else(|| self.missing(&"no key in it"))?,
        )?)
    }

    fn missing(&self, cause: &dyn std::fmt::Display) -> String {
        format!(
            "no key: set VINZY_HMAC_KEY or VINZY_HMAC_KEYS, or name the server's data directory ({}: {cause})",
            kept::path(&self.data_dir).display()
        )
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Says whether the key was made with one of the keys given. Whether there is a license \
                        for it, and in which state, only the server knows: `POST /validate`.\n\n\
                        Exit code 0: it was. 1: it was not."
)]
pub(super) struct Validate {
    /// The license key; `-` reads it from standard input, where it leaves no trace in the shell's history
    key: String,

    #[command(flatten)]
    ring: RingConfig,
}

impl Validate {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        let text = if self.key == "-" {
            std::io::read_to_string(std::io::stdin())?
        } else {
            self.key
        };
        match self.ring.load()?.check(&normalise(&text)) {
            Ok(checked) => {
                println!("VALID (key version {})", checked.version);
                Ok(Answer::Yes)
            }
            Err(error) => {
                println!("{}: {error}", error.code());
                Ok(Answer::No)
            }
        }
    }
}
