//! Where an auditor reads a ledger: a server, or files saved from one.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::{StatusCode, header};
use vinzy_events::ledger::{
    Checkpoint, CheckpointError, Leaf, TileKind, TilePath, VerifierKey, split_entries,
};

use super::Stop;
use crate::cli::health::http_client;
use crate::config::Secret;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that is busy is asked again.
const TRIES: u32 = 60;

/// The file, or the path at a server, of the verifier key.
pub(super) const KEY_FILE: &str = "vkey";
/// The file, or the path at a server, of the checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// How a server is asked.
#[derive(Debug, Args)]
pub(super) struct Connection {
    /// An API key with the scope `audit`, unless everyone may read the ledger
    #[arg(long, env = "VINZY_API_KEY", value_name = "TEXT", hide_env_values = true)]
    api_key: Option<Secret>,

    /// Certificates in PEM that alone are trusted: the server's own, or its issuer's
    #[arg(long, visible_alias = "ca", env = "VINZY_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
}

/// Which ledger, and what is known of it.
#[derive(Debug, Args)]
pub(super) struct Location {
    /// The ledger: a directory that `export` has written, or an address, BASE/t/{tenant}
    #[arg(value_name = "DIR|URL")]
    ledger: String,

    /// The key that its checkpoints verify with, as you know it; if left out, the one that the ledger names
    #[arg(long, value_name = "KEY")]
    vkey: Option<VerifierKey>,

    #[command(flatten)]
    connection: Connection,
}

/// Where the bytes come from.
pub(super) enum Source {
    Server {
        client: reqwest::Client,
        base: String,
        api_key: Option<Secret>,
    },
    Directory(PathBuf),
}

/// A ledger with a checkpoint that its key has signed.
pub(super) struct Ledger {
    source: Source,
    pub(super) note: String,
    pub(super) checkpoint: Checkpoint,
    /// The key that has opened the checkpoint.
    pub(super) key: VerifierKey,
    /// The key that the auditor was told, if any.
    pub(super) told: Option<VerifierKey>,
}

impl Location {
    pub(super) async fn open(self) -> Result<Ledger, Stop> {
        let source = Source::new(&self.ledger, self.connection)?;
        Ledger::open(source, self.vkey).await
    }
}

impl Source {
    pub(super) fn new(ledger: &str, connection: Connection) -> Result<Self, Stop> {
        if !ledger.starts_with("http://") && !ledger.starts_with("https://") {
            return Ok(Self::Directory(ledger.into()));
        }
        let client = http_client(PATIENCE, connection.tls_cert.as_deref()).map_err(Stop::Failed)?;
        Ok(Self::Server {
            // The API key must not be carried elsewhere.
            client: client.redirect(reqwest::redirect::Policy::none()).build()?,
            base: ledger.trim_end_matches('/').to_owned(),
            api_key: connection.api_key,
        })
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, Stop> {
        match self {
            Self::Directory(directory) => {
                let file = directory.join(path);
                fs::read(&file).map_err(|error| Stop::Failed(format!("{}: {error}", file.display()).into()))
            }
            Self::Server {
                client,
                base,
                api_key,
            } => fetch(client, &format!("{base}/{path}"), api_key.as_ref()).await,
        }
    }
}

/// Asks a server, and again while it has too much to do.
async fn fetch(client: &reqwest::Client, url: &str, api_key: Option<&Secret>) -> Result<Vec<u8>, Stop> {
    let mut tries = 0;
    loop {
        let mut request = client.get(url);
        if let Some(key) = api_key {
            request = request.header("X-Vinzy-Api-Key", key.expose());
        }
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.bytes().await?.to_vec());
        }
        tries += 1;
        let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        if !busy || tries == TRIES {
            let told = response.text().await?;
            return Err(Stop::Failed(format!("{url}: {status}: {told}").into()));
        }
        let seconds = response.headers().get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1))).await;
    }
}

impl Ledger {
    /// Opens the checkpoint with the key that the auditor was told; or with the ledger's own, if none was told, or the
    /// ledger may have been handed over from that to another since.
    pub(super) async fn open(source: Source, told: Option<VerifierKey>) -> Result<Self, Stop> {
        let note = source.get(CHECKPOINT).await?;
        let note = String::from_utf8(note).map_err(|_| untrusted(CheckpointError::Malformed))?;
        let opened = told.as_ref().map(|key| (key.clone(), key.open(&note)));
        let (key, checkpoint) = match opened {
            None | Some((_, Err(CheckpointError::NotSigned))) => {
                let own = own_key(&source, &note).await?;
                let checkpoint = own.open(&note);
                (own, checkpoint)
            }
            Some(opened) => opened,
        };
        Ok(Self {
            checkpoint: checkpoint.map_err(untrusted)?,
            source,
            note,
            key,
            told,
        })
    }

    /// For who does not read the ledger from its first event on: it must be signed by the very key that they were told.
    pub(super) fn signed_by_told(&self) -> Result<(), Stop> {
        match &self.told {
            Some(told) if *told != self.key => Err(untrusted(CheckpointError::NotSigned)),
            _ => Ok(()),
        }
    }

    pub(super) async fn tile(&self, path: TilePath) -> Result<Vec<u8>, Stop> {
        self.source.get(&path.to_string()).await
    }

    /// Says with which trust what was proven is proven.
    pub(super) fn say_whose_key(&self) {
        if self.told.is_none() {
            say_key_is_its_own(&self.key);
        }
    }
}

pub(super) fn say_key_is_its_own(key: &VerifierKey) {
    println!("signed by the key that comes with it; compare it with the one that you were told: {key}");
}

pub(super) fn untrusted(error: CheckpointError) -> Stop {
    Stop::Wrong(format!("BROKEN checkpoint: {error}"))
}

/// The key that comes with the ledger; or, where an export lacks it, that its first event names.
async fn own_key(source: &Source, note: &str) -> Result<VerifierKey, Stop> {
    match source {
        Source::Directory(directory) if !directory.join(KEY_FILE).exists() => named_key(source, note).await,
        _ => {
            let key = source.get(KEY_FILE).await?;
            let key = String::from_utf8(key).map_err(|_| untrusted(CheckpointError::MalformedKey))?;
            key.trim_end().parse().map_err(untrusted)
        }
    }
}

/// The key that the ledger's first event names.
async fn named_key(source: &Source, note: &str) -> Result<VerifierKey, Stop> {
    let size = note.lines().nth(1).and_then(|size| size.parse().ok());
    let path = size.and_then(|size| TilePath::widest(TileKind::Entries, 0, size));
    let path = path.ok_or_else(|| untrusted(CheckpointError::Malformed))?;
    let bytes = source.get(&path.to_string()).await?;
    let wrong = || Stop::at(0, "the first event names no key");
    let leaves = split_entries(path, &bytes).map_err(|error| Stop::at(0, error))?;
    let first = leaves.first().ok_or_else(wrong)?;
    named_by(&Leaf::parse(first).map_err(|error| Stop::at(0, error))?).ok_or_else(wrong)
}

/// The key that an event names, if it is one that opens a ledger.
pub(super) fn named_by(leaf: &Leaf) -> Option<VerifierKey> {
    leaf.payload.get("vkey")?.as_str()?.parse().ok()
}
