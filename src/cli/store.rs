//! The database that a command works on: the given one, or the private one.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{DatabaseConfig, Secret};
use crate::database::{connect, connect_lazily, disconnect};
use crate::embedded_postgres::EmbeddedPostgres;
use crate::privileges;

type Failure = Box<dyn Error>;

/// Where data are, and as whom we run, before anything else is started.
pub(super) struct Ground {
    pub(super) data_dir: PathBuf,
    pub(super) notes: Vec<String>,
    db_url: Option<Secret>,
    pool_size: u32,
}

/// A database to work on.
pub(super) struct Store {
    pub(super) pool: PgPool,
    pub(super) embedded: Option<EmbeddedPostgres>,
}

impl Ground {
    /// Prepares for the database of `config`. Must run before any thread is started.
    pub(super) fn prepare(config: DatabaseConfig, data_dir_given: bool) -> Result<Self, Failure> {
        let DatabaseConfig {
            db_url,
            db_pool_size,
            data_dir,
            run_as,
        } = config;
        let (data_dir, notes) = if db_url.is_some() {
            (data_dir, vec![])
        } else {
            let prepared = privileges::prepare(&data_dir, data_dir_given, run_as.as_deref())?;
            (prepared.data_dir, prepared.notes)
        };
        Ok(Self {
            data_dir,
            notes,
            db_url,
            pool_size: db_pool_size,
        })
    }

    /// Connects to the given database, or starts the private one.
    pub(super) async fn open(&self) -> Result<Store, Failure> {
        let (options, embedded) = if let Some(url) = &self.db_url {
            (given(url, "VINZY_DB_URL")?, None)
        } else {
            let embedded = EmbeddedPostgres::start(&self.data_dir).await?;
            (embedded.options(), Some(embedded))
        };
        match connect(options, self.pool_size).await {
            Ok(pool) => Ok(Store { pool, embedded }),
            Err(error) => {
                if let Some(embedded) = embedded {
                    embedded.stop().await?;
                }
                Err(format!("the database cannot be reached: {error}").into())
            }
        }
    }
}

impl Ground {
    /// Connections to a replica, which may be away.
    pub(super) fn replica(&self, url: &Secret) -> Result<PgPool, Failure> {
        Ok(connect_lazily(given(url, "VINZY_DB_READ_URL")?, self.pool_size))
    }
}

impl Store {
    /// Ends the connections and the private database.
    pub(super) async fn close(self) -> Result<(), Failure> {
        disconnect(&self.pool).await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

fn given(url: &Secret, name: &str) -> Result<PgConnectOptions, Failure> {
    // The URL holds a password: it is not repeated.
    url.expose()
        .parse()
        .map_err(|error| format!("{name} is not a postgres:// URL: {error}").into())
}

/// Runs `work` on a runtime of its own, on a database that is closed afterwards, and the data directory.
pub(super) fn with_store<T, W>(
    config: DatabaseConfig,
    data_dir_given: bool,
    work: impl FnOnce(PgPool, PathBuf) -> W,
) -> Result<T, Failure>
where
    W: Future<Output = Result<T, Failure>>,
{
    let ground = Ground::prepare(config, data_dir_given)?;
    ground.notes.iter().for_each(|note| eprintln!("vinzy: {note}"));
    runtime()?.block_on(async {
        let store = ground.open().await?;
        let worked = work(store.pool.clone(), ground.data_dir.clone()).await;
        store.close().await?;
        worked
    })
}

/// The runtime that everything asynchronous runs on.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Resolves when the program is told to end.
pub(super) async fn told_to_end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
