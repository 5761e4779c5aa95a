//! Where leases outlive the process: a [`LeaseStore`] keeps one document.
//!
//! The document is the same as that of the Python client, so that applications in both languages may share a file. It
//! holds leases by digests of license key and fingerprint, never a license key; the latest time that was ever read
//! from the clock; and the public keys that were fetched.

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(not(target_family = "wasm"))]
pub use file::FileStore;

/// Keeps a text over restarts.
///
/// Calls may block. What is stored is no secret that opens anything elsewhere, but others should not read it.
pub trait LeaseStore: Send + Sync + fmt::Debug {
    /// The text that was saved last; `None` if there is none.
    fn load(&self) -> io::Result<Option<String>>;

    /// Replaces the text at once: whoever loads it sees the old text or the new, also after a crash.
    fn save(&self, text: &str) -> io::Result<()>;
}

/// Keeps the text as long as the process lives: clients may share it.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Option<String>>);

impl LeaseStore for MemoryStore {
    fn load(&self) -> io::Result<Option<String>> {
        Ok(lock(&self.0).clone())
    }

    fn save(&self, text: &str) -> io::Result<()> {
        *lock(&self.0) = Some(text.to_owned());
        Ok(())
    }
}

#[cfg(not(target_family = "wasm"))]
mod file {
    use std::fs::{self, DirBuilder, File, OpenOptions};
    use std::io::{self, ErrorKind, Write};
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::LeaseStore;

    /// Keeps the text in a file that only its owner may read (mode 0600 where there are modes).
    #[derive(Debug)]
    pub struct FileStore(PathBuf);

    impl FileStore {
        /// A file that need not be there yet, nor its directory.
        pub fn new(path: impl Into<PathBuf>) -> Self {
            Self(path.into())
        }
    }

    impl LeaseStore for FileStore {
        fn load(&self) -> io::Result<Option<String>> {
            match fs::read_to_string(&self.0) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        }

        fn save(&self, text: &str) -> io::Result<()> {
            let directory = match self.0.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            private_directory().create(directory)?;
            let (new, mut file) = self.beside()?;
            let replaced = file
                .write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::rename(&new, &self.0));
            if replaced.is_err() {
                let _ = fs::remove_file(&new);
                return replaced;
            }
            // That the name leads to the new text must survive a crash, too; where a directory cannot be opened, it may not.
            if let Ok(directory) = File::open(directory) {
                let _ = directory.sync_all();
            }
            Ok(())
        }
    }

    impl FileStore {
        /// A new file next to this one.
        fn beside(&self) -> io::Result<(PathBuf, File)> {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let name = self
                .0
                .file_name()
                .ok_or(ErrorKind::InvalidInput)?
                .to_string_lossy();
            loop {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let path = self
                    .0
                    .with_file_name(format!(".{name}.{}-{number}", std::process::id()));
                match private_file().open(&path) {
                    Ok(file) => return Ok((path, file)),
                    // Left behind by a process that had this one's id.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Only its owner may read it from the beginning on.
    fn private_file() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
    }

    fn private_directory() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
