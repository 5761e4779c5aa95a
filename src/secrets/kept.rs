//! The file in which a server in development keeps its secrets: written as a whole or not at all, readable by
//! its owner only.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use vinzy_events::key::{KeyRingError, parse_keys};

use crate::config::Secret;

const FILE: &str = "secrets.toml";

/// What the file holds, in the forms that the settings have.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Master keys, separated by commas.
    pub secret_key: Option<String>,
    /// The only key of license keys, as version 0.
    pub hmac_key: Option<String>,
    /// Seeds, separated by commas.
    pub signing_key: Option<String>,
    /// The admin's API key.
    pub api_key: Option<String>,
    /// The super-admin's API key.
    pub super_admin_key: Option<String>,
    /// Keys of license keys by version, once there were several; goes before the single key.
    pub hmac_keys: Option<BTreeMap<String, String>>,
}

/// The file of a data directory.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

impl Kept {
    /// What the file of `data_dir` holds; nothing when there is none.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        match fs::read_to_string(path(data_dir)) {
            // The parser's own message would show the line, and with it a secret.
            Ok(text) => toml::from_str(&text).map_err(|error: toml::de::Error| {
                io::Error::new(io::ErrorKind::InvalidData, error.message().to_owned())
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// The keys of license keys by version, if there are any.
    pub fn hmac_ring(&self) -> Result<Option<BTreeMap<u8, String>>, KeyRingError> {
        match (self.hmac_keys_as_json(), &self.hmac_key) {
            (Some(keys), _) => Ok(Some(parse_keys(keys.expose())?)),
            (None, Some(key)) => Ok(Some(BTreeMap::from([(0, key.clone())]))),
            (None, None) => Ok(None),
        }
    }

    /// Keys of license keys by version, as their setting has them, once there were several.
    pub fn hmac_keys_as_json(&self) -> Option<Secret> {
        let keys = self.hmac_keys.as_ref()?;
        Some(serde_json::json!(keys).to_string().into())
    }

    /// Changes what the file holds, one process at a time, and gives what it holds then.
    pub fn change<E: From<io::Error>>(
        data_dir: &Path,
        change: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<Self, E> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)?;
        let directory = File::open(data_dir)?;
        let directory =
            Flock::lock(directory, FlockArg::LockExclusive).map_err(|(_, error)| io::Error::from(error))?;
        let before = Self::read(data_dir)?;
        let mut kept = before.clone();
        change(&mut kept)?;
        if kept != before {
            kept.write(data_dir)?;
            directory.sync_all()?;
        }
        Ok(kept)
    }

    fn write(&self, data_dir: &Path) -> io::Result<()> {
        let path = path(data_dir);
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let temporary = path.with_extension("toml.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        writeln!(
            file,
            "# Made by `vinzy`. Whoever has this file can issue licenses; without it, names of customers are lost."
        )?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_change_is_kept_privately_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let set = |kept: &mut Kept| {
            kept.secret_key = Some("a".into());
            Ok::<_, io::Error>(())
        };
        Kept::change(&data_dir, set).unwrap();
        let changed = Kept::change(&data_dir, |kept| {
            kept.hmac_keys = Some(BTreeMap::from([
                ("0".into(), "x\"y".into()),
                ("10".into(), "z".into()),
            ]));
            Ok::<_, io::Error>(())
        });
        let changed = changed.unwrap();
        assert_eq!(changed.secret_key.as_deref(), Some("a"));
        assert!(Kept::read(&data_dir).unwrap() == changed);
        let mode = fs::metadata(path(&data_dir)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Kept::change(directory.path(), |kept| {
            kept.api_key = Some("a".into());
            Err::<(), _>(io::Error::other("no"))
        });
        assert!(refused.is_err());
        assert!(!path(directory.path()).exists());
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(path(directory.path()), "secret_key = \"sesame\nx").unwrap();
        let error = Kept::read(directory.path()).err().unwrap();
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
}
