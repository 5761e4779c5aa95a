//! A PostgreSQL for all tests of this process, and in it a database for each.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::sync::OnceCell;

use super::node::kill_postgres;

const TEMPLATE: &str = "vinzy_template";

/// Set, it has every test run on tables that are placed as Citus would place them.
const DISTRIBUTED: &str = "VINZY_TEST_DISTRIBUTED";
/// Takes the place of Citus.
pub(crate) const STAND_IN: &str = include_str!("stand_in.sql");

/// The server, which ends with this process: its standard input closes then.
struct Cluster {
    child: Child,
    url: String,
}

impl Cluster {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vinzy"))
            .args(["database", "--until-stdin-closes", "--data-dir"])
            .arg(directory)
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
        Self {
            child,
            url: url.trim().to_owned(),
        }
    }

    /// Ends it, as when this process ends.
    fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static TEMPLATE_MADE: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| {
        sweep();
        Cluster::start(&std::env::temp_dir().join(format!("vinzy-tests-{}", std::process::id())))
    })
}

/// A PostgreSQL of a test's own, to be killed and started again.
pub(crate) struct OwnPostgres {
    data_dir: PathBuf,
    cluster: Option<Cluster>,
}

impl OwnPostgres {
    /// One with its data in a directory that whoever PostgreSQL runs as can reach.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            cluster: Some(Cluster::start(data_dir)),
        }
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        if let Some(cluster) = self.cluster.take() {
            cluster.end();
        }
    }

    /// A streaming replica of it with data in another directory; `None` where PostgreSQL's programs are not at hand.
    pub(crate) fn replica(&self, data_dir: &Path) -> Option<Self> {
        let cluster = self.data_dir.join("postgres");
        let version = std::fs::read_to_string(cluster.join("PG_VERSION")).unwrap();
        let programs = Path::new("/usr/lib/postgresql").join(version.trim()).join("bin");
        let program = programs.join("pg_basebackup");
        if !program.exists() {
            return None;
        }
        let owner = std::fs::metadata(&cluster).unwrap();
        std::fs::create_dir(data_dir).unwrap();
        std::os::unix::fs::chown(data_dir, Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut backup = Command::new(program);
        if nix::unistd::geteuid().is_root() {
            backup.uid(owner.uid()).gid(owner.gid());
        }
        let options = options(&self.url());
        let copied = backup
            .current_dir(data_dir)
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--wal-method=stream",
            ])
            .args(["--username=vinzy", "--pgdata=postgres", "--host"])
            .arg(options.get_socket().unwrap())
            .status()
            .unwrap();
        assert!(copied.success(), "the database is copied");
        Some(Self::start(data_dir))
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.cluster.as_ref().unwrap().url.clone()
    }

    /// `kill -9` for all its processes.
    pub(crate) fn kill(&mut self) {
        kill_postgres(&self.data_dir);
        self.stop();
    }

    /// Starts it again.
    pub(crate) fn restart(&mut self) {
        self.cluster = Some(Cluster::start(&self.data_dir));
    }

    /// `kill -9` for all its processes, after which it is started again by itself.
    pub(crate) fn crash(&self) {
        kill_postgres(&self.data_dir);
    }

    /// An empty database in it.
    pub(crate) async fn database(&self) -> TestDatabase {
        TestDatabase::create_in(&self.url(), "template1").await
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        self.stop();
    }
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
    cluster_url: String,
    name: String,
    data_dir: PathBuf,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        TEMPLATE_MADE.get_or_init(make_template).await;
        Self::from_template(TEMPLATE).await
    }

    /// One without anything, for others than our servers.
    pub(crate) async fn empty() -> Self {
        Self::from_template("template1").await
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
            let mut connection = self.options().database("postgres").connect().await.unwrap();
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
        Self::create_in(&cluster().url, template).await
    }

    async fn create_in(cluster_url: &str, template: &str) -> Self {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        administer(
            cluster_url,
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        Self {
            cluster_url: cluster_url.to_owned(),
            data_dir: data_dirs().join(&name),
            name,
        }
    }

    /// The data directory of its server.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        options(&self.cluster_url).database(&self.name)
    }

    /// For servers in processes of their own.
    pub(crate) fn url(&self) -> String {
        self.url_in(&self.cluster_url)
    }

    /// The same in another PostgreSQL, which is a replica of its own.
    pub(crate) fn url_in(&self, cluster_url: &str) -> String {
        cluster_url.replace("/vinzy?", &format!("/{}?", self.name))
    }

    /// The same for servers that reach it at a port of this machine.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("postgres://vinzy@127.0.0.1:{port}/{}?sslmode=disable", self.name)
    }

    /// The socket that its server listens on.
    pub(crate) fn socket(&self) -> PathBuf {
        let options = self.options();
        let directory = options.get_socket().unwrap();
        directory.join(format!(".s.PGSQL.{}", options.get_port()))
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
        administer(
            &self.cluster_url,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        )
        .await;
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

fn options(cluster_url: &str) -> PgConnectOptions {
    cluster_url.parse().unwrap()
}

async fn administer(cluster_url: &str, sql: &str) {
    let mut connection = options(cluster_url).database("postgres").connect().await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn make_template() {
    let url = &cluster().url;
    administer(url, &format!("CREATE DATABASE {TEMPLATE}")).await;
    let mut connection = options(url).database(TEMPLATE).connect().await.unwrap();
    vinzy_engine::app::MIGRATOR.run(&mut connection).await.unwrap();
    if std::env::var_os(DISTRIBUTED).is_some() {
        connection.execute(STAND_IN).await.unwrap();
        vinzy_engine::distribution::distribute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
}
