//! Servers in processes of their own: for many nodes, and for killing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::client::Client;
use super::{ADMIN_KEY, HMAC_KEY, SECRET, SIGNING_KEY, SUPER_ADMIN_KEY};

pub(crate) struct Node {
    child: Child,
    pub(crate) client: Client,
}

/// The program with the settings that all tests share.
pub(crate) fn vinzy() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vinzy"));
    command
        .env("VINZY_API_KEY", ADMIN_KEY)
        .env("VINZY_SUPER_ADMIN_KEY", SUPER_ADMIN_KEY)
        .env("VINZY_SECRET_KEY", SECRET)
        .env("VINZY_HMAC_KEY", HMAC_KEY)
        .env("VINZY_SIGNING_KEY", SIGNING_KEY)
        .env("VINZY_PORT", "0")
        .env("VINZY_LOG", "warn")
        .env("VINZY_RATE_LIMIT_ENABLED", "false")
        .env("VINZY_MAX_CONCURRENT_REQUESTS", "20000")
        .env("VINZY_WEBHOOK_ALLOW_CIDRS", "127.0.0.0/8,::1")
        .env_remove("VINZY_DB_URL");
    command
}

impl Node {
    /// A server on a database that is there.
    pub(crate) fn on_database(url: &str) -> Self {
        Self::on_database_with(url, &[])
    }

    /// A server on a database that is there, with further settings.
    pub(crate) fn on_database_with(url: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = vinzy();
        Self::start(
            on_database(&mut command, url)
                .arg("serve")
                .envs(settings.iter().copied()),
        )
    }

    /// A server on its private database.
    pub(crate) fn on_data_dir(data_dir: &Path) -> Self {
        Self::on_data_dir_with(data_dir, &[])
    }

    /// A server on its private database, with further settings.
    pub(crate) fn on_data_dir_with(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = vinzy();
        Self::start(
            command
                .arg("serve")
                .env("VINZY_DATA_DIR", data_dir)
                .envs(settings.iter().copied()),
        )
    }

    /// A server that a command starts.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let base = line
            .split_whitespace()
            .find(|word| word.starts_with("http://") || word.starts_with("https://"));
        let base = base
            .unwrap_or_else(|| panic!("the server did not start: {line:?}"))
            .to_owned();
        Self {
            child,
            client: Client::new(base),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A test that failed must not leave a server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets a command work on a database that is there, with a data directory that its servers share.
pub(crate) fn on_database<'a>(command: &'a mut Command, url: &str) -> &'a mut Command {
    command
        .env("VINZY_DB_URL", url)
        .env("VINZY_DATA_DIR", super::database::data_dir_of(url))
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .unwrap();
}

/// `kill -9` for the private PostgreSQL of a data directory, with all its processes.
pub(crate) fn kill_postgres(data_dir: &Path) {
    let note = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    let postmaster = note.lines().next().unwrap().to_owned();
    // It leads a process group of its own.
    Command::new("kill")
        .arg("-KILL")
        .arg("--")
        .arg(format!("-{postmaster}"))
        .status()
        .unwrap();
}
