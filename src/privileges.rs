//! PostgreSQL refuses to run as root: a server that starts its own one as root becomes another user first.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setuid};
use sha2::{Digest, Sha256};

/// Users to become when none is named, in order.
const CANDIDATES: [&str; 3] = ["vinzy", "postgres", "nobody"];
/// Where data go when the default directory is out of the other user's reach.
const SYSTEM_DATA: &str = "/var/lib/vinzy-engine";

/// Who we are from now on, and where our data are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The data directory, absolute.
    pub data_dir: PathBuf,
    /// What a person should be told.
    pub notes: Vec<String>,
}

/// Why another user cannot be become.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user {0:?} to run as; name one with VINZY_RUN_AS")]
    NoSuchUser(String),
    /// Root was named.
    #[error("VINZY_RUN_AS names root, as whom PostgreSQL refuses to run")]
    StillRoot,
    /// The other user cannot get at the data directory.
    #[error(
        "the user {user} cannot enter {blocked}, so {data_dir} is out of its reach: choose another \
         VINZY_DATA_DIR (for example /var/lib/vinzy) or another VINZY_RUN_AS"
    )]
    OutOfReach {
        /// The user.
        user: String,
        /// The directory that it cannot enter.
        blocked: PathBuf,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// A directory could not be prepared.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refused.
    #[error("the user cannot be changed: {0}")]
    System(#[from] nix::Error),
}

/// Prepares for running a PostgreSQL of our own on `data_dir`. Started as root, it hands the directory to
/// an unprivileged user and becomes that user, for good; else it changes nothing.
///
/// Call it before any thread is started: other threads would stay root. `explicit` says that a person
/// chose the directory, so that no other may be taken instead.
pub fn prepare(data_dir: &Path, explicit: bool, run_as: Option<&str>) -> Result<Prepared, PrivilegeError> {
    let data_dir = std::path::absolute(data_dir).map_err(|source| file(data_dir, source))?;
    if !geteuid().is_root() {
        return Ok(Prepared {
            data_dir,
            notes: vec![],
        });
    }
    let user = choose(&data_dir, run_as)?;
    let mut notes = vec![format!(
        "started as root, which PostgreSQL refuses: running as user {} from here on",
        user.name
    )];
    let data_dir = match blocked_for(&user, &data_dir) {
        None => data_dir,
        Some(blocked) if explicit => {
            return Err(PrivilegeError::OutOfReach {
                user: user.name,
                blocked,
                data_dir,
            });
        }
        Some(blocked) => {
            let instead = system_data_dir(&data_dir);
            notes.push(format!(
                "user {} cannot enter {}: the data are in {}",
                user.name,
                blocked.display(),
                instead.display()
            ));
            instead
        }
    };
    hand_over(&data_dir, &user)?;
    let name = CString::new(user.name.as_str()).map_err(|_| PrivilegeError::NoSuchUser(user.name.clone()))?;
    initgroups(&name, user.gid)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    Ok(Prepared { data_dir, notes })
}

fn choose(data_dir: &Path, run_as: Option<&str>) -> Result<User, PrivilegeError> {
    let named = |name: &str| -> Result<Option<User>, PrivilegeError> { Ok(User::from_name(name)?) };
    let user = if let Some(name) = run_as {
        named(name)?.ok_or_else(|| PrivilegeError::NoSuchUser(name.to_owned()))?
    } else {
        let owner = fs::metadata(data_dir)
            .ok()
            .map(|metadata| Uid::from_raw(metadata.uid()));
        let owner = owner.filter(|uid| !uid.is_root());
        if let Some(user) = owner.map(User::from_uid).transpose()?.flatten() {
            return Ok(user);
        }
        let mut found = None;
        for name in CANDIDATES {
            found = found.or(named(name)?);
        }
        found.ok_or_else(|| PrivilegeError::NoSuchUser(CANDIDATES.join(", ")))?
    };
    if user.uid.is_root() {
        Err(PrivilegeError::StillRoot)
    } else {
        Ok(user)
    }
}

/// The first directory above `data_dir` that `user` cannot enter.
fn blocked_for(user: &User, data_dir: &Path) -> Option<PathBuf> {
    let above = data_dir.ancestors().skip(1).collect::<Vec<_>>();
    above
        .into_iter()
        .rev()
        .find(|directory| !may_enter(user.uid, user.gid, directory))
        .map(Path::to_owned)
}

fn may_enter(uid: Uid, gid: Gid, directory: &Path) -> bool {
    // One that does not exist yet will be made for the user.
    let Ok(metadata) = fs::metadata(directory) else {
        return true;
    };
    let bit = if metadata.uid() == uid.as_raw() {
        0o100
    } else if metadata.gid() == gid.as_raw() {
        0o010
    } else {
        0o001
    };
    metadata.mode() & bit != 0
}

/// A place of its own for every data directory that cannot be used.
fn system_data_dir(data_dir: &Path) -> PathBuf {
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let short = data_encoding::HEXLOWER.encode(&digest[..4]);
    let parent = data_dir
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    Path::new(SYSTEM_DATA).join(format!("{parent}-{short}"))
}

/// Makes the directory if need be, and gives what is root's in it to `user`.
fn hand_over(data_dir: &Path, user: &User) -> Result<(), PrivilegeError> {
    let parent = data_dir.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|source| file(parent, source))?;
    match fs::DirBuilder::new().mode(0o700).create(data_dir) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(file(data_dir, source)),
        _ => give(data_dir, user),
    }
}

fn give(path: &Path, user: &User) -> Result<(), PrivilegeError> {
    let failed = |source| file(path, source);
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if metadata.uid() == 0 && !metadata.is_symlink() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(failed)?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            give(&entry.map_err(failed)?.path(), user)?;
        }
    }
    Ok(())
}

fn file(path: &Path, source: io::Error) -> PrivilegeError {
    PrivilegeError::File {
        path: path.to_owned(),
        source,
    }
}
