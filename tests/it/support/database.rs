//! A PostgreSQL for all tests of this process, and in it a database for each.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::sync::OnceCell;

const TEMPLATE: &str = "vinzy_template";

/// Set, it has every test run on tables that are placed as Citus would place them.
const DISTRIBUTED: &str = "VINZY_TEST_DISTRIBUTED";
/// Takes the place of Citus.
pub(crate) const STAND_IN: &str = include_str!("stand_in.sql");

/// The server, which ends with this process: its standard input closes then.
struct Cluster {
    _child: Child,
    url: String,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static TEMPLATE_MADE: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| {
        sweep();
        let directory = std::env::temp_dir().join(format!("vinzy-tests-{}", std::process::id()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_vinzy"))
            .args(["database", "--until-stdin-closes", "--data-dir"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        assert!(
            url.starts_with("postgres://"),
            "`vinzy database` did not start: {url:?}"
        );
        Cluster {
            _child: child,
            url: url.trim().to_owned(),
        }
    })
}

/// Where the data directories are of servers whose database is here.
fn data_dirs() -> PathBuf {
    std::env::temp_dir().join(format!("vinzy-servers-{}", std::process::id()))
}

/// The data directory of servers on a database.
pub(crate) fn data_dir_of(url: &str) -> PathBuf {
    let (_, name) = url.split('?').next().unwrap().rsplit_once('/').unwrap();
    data_dirs().join(name)
}

/// Removes what test processes that are gone have left.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix("vinzy-tests-")
            .or_else(|| name.strip_prefix("vinzy-servers-"));
        let Some(pid) = pid else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A database of a test's own, with the current schema.
pub(crate) struct TestDatabase {
    name: String,
    data_dir: PathBuf,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        TEMPLATE_MADE.get_or_init(make_template).await;
        Self::from_template(TEMPLATE).await
    }

    /// A copy of another, whose server has stopped. None is made while anybody is connected.
    pub(crate) async fn copy_of(other: &Self) -> Self {
        other.wait_until_left().await;
        Self::from_template(&other.name).await
    }

    /// Waits until nobody is connected: whoever was killed is done with what it had begun. A busy disk can take its
    /// time.
    pub(crate) async fn wait_until_left(&self) {
        let sessions = format!(
            "SELECT coalesce(string_agg(concat_ws(' ', pid, backend_type, state, wait_event_type, wait_event,
                                                  now() - state_change, query), E'\n'), '')
             FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        let mut left = String::new();
        for _ in 0..1_200 {
            let mut connection = options().database("postgres").connect().await.unwrap();
            left = sqlx::query_scalar(&sessions)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
            if left.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still connected:\n{left}");
    }

    async fn from_template(template: &str) -> Self {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        administer(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let data_dir = data_dirs().join(&name);
        Self { name, data_dir }
    }

    /// The data directory of its server.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        options().database(&self.name)
    }

    /// For servers in processes of their own.
    pub(crate) fn url(&self) -> String {
        cluster().url.replace("/vinzy?", &format!("/{}?", self.name))
    }

    /// Runs SQL as whoever owns the database: a tamperer, for instance.
    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.options().connect().await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(crate) async fn try_execute(&self, sql: &str) -> sqlx::Result<u64> {
        let mut connection = self.options().connect().await.unwrap();
        connection.execute(sql).await.map(|done| done.rows_affected())
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.try_count(sql).await.unwrap()
    }

    pub(crate) async fn try_count(&self, sql: &str) -> sqlx::Result<i64> {
        let mut connection = self.options().connect().await?;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await
    }

    pub(crate) async fn drop(self) {
        administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

fn options() -> PgConnectOptions {
    cluster().url.parse().unwrap()
}

async fn administer(sql: &str) {
    let mut connection = options().database("postgres").connect().await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn make_template() {
    administer(&format!("CREATE DATABASE {TEMPLATE}")).await;
    let mut connection = options().database(TEMPLATE).connect().await.unwrap();
    vinzy_engine::app::MIGRATOR.run(&mut connection).await.unwrap();
    if std::env::var_os(DISTRIBUTED).is_some() {
        connection.execute(STAND_IN).await.unwrap();
        vinzy_engine::distribution::distribute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
}
