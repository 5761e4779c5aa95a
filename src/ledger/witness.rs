//! The last checkpoint of each ledger as this server knows it, kept in files outside the database: a database that was
//! set back to an old backup is consistent by itself, and found out only by who remembers more.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;
use vinzy_events::ledger::Checkpoint;

/// Below the data directory.
const DIRECTORY: &str = "checkpoints";

/// Keeps a file for each ledger.
#[derive(Debug, Clone)]
pub struct Witness {
    directory: PathBuf,
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct WitnessError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

impl Witness {
    /// Finds its files below a data directory.
    pub fn at(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.join(DIRECTORY),
        }
    }

    /// Keeps its files below a data directory; makes what is missing.
    pub async fn open(data_dir: &Path) -> Result<Self, WitnessError> {
        let witness = Self::at(data_dir);
        let made = fs::create_dir_all(&witness.directory).await;
        made.map_err(failed(&witness.directory))?;
        Ok(witness)
    }

    /// The file of a ledger.
    pub fn path(&self, ledger_id: &str) -> PathBuf {
        self.directory.join(format!("{ledger_id}.note"))
    }

    /// The note that was kept last; `None` if there is none.
    pub async fn kept(&self, ledger_id: &str) -> Result<Option<String>, WitnessError> {
        let path = self.path(ledger_id);
        match fs::read_to_string(&path).await {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path)(error)),
        }
    }

    /// What the note that was kept last says, whoever signed it.
    pub async fn claimed(&self, ledger_id: &str) -> Result<Option<Checkpoint>, WitnessError> {
        let note = self.kept(ledger_id).await?;
        let checkpoint = note.map(|note| Checkpoint::claimed(&note)).transpose();
        checkpoint.map_err(|error| {
            let error = std::io::Error::new(ErrorKind::InvalidData, error);
            failed(&self.path(ledger_id))(error)
        })
    }

    /// Keeps a note in place of the one before; it is on disk afterwards.
    pub async fn keep(&self, ledger_id: &str, note: &str) -> Result<(), WitnessError> {
        let path = self.path(ledger_id);
        // Servers may share a directory.
        let fresh = path.with_extension(format!("note.{}", std::process::id()));
        write(&fresh, note).await.map_err(failed(&fresh))?;
        fs::rename(&fresh, &path).await.map_err(failed(&path))?;
        let synced = async { fs::File::open(&self.directory).await?.sync_all().await };
        synced.await.map_err(failed(&self.directory))
    }
}

async fn write(path: &Path, note: &str) -> std::io::Result<()> {
    let mut file = fs::File::create(path).await?;
    file.write_all(note.as_bytes()).await?;
    file.sync_all().await
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> WitnessError {
    let path = path.to_owned();
    move |source| WitnessError { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_last_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let witness = Witness::open(directory.path()).await.unwrap();
        assert_eq!(witness.kept("acme").await.unwrap(), None);
        witness.keep("acme", "one").await.unwrap();
        witness.keep("acme", "two").await.unwrap();
        let again = Witness::open(directory.path()).await.unwrap();
        assert_eq!(again.kept("acme").await.unwrap().as_deref(), Some("two"));
        assert_eq!(again.kept("other").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let witness = Witness::open(directory.path()).await.unwrap();
        std::fs::remove_dir_all(directory.path()).unwrap();
        let error = witness.keep("acme", "one").await.unwrap_err();
        assert!(error.to_string().contains("checkpoints/acme.note."), "{error}");
    }
}
