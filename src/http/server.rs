//! Taking connections, and letting them end well. What one connection may cost is in the modules below.

mod connection;
mod patience;
mod tls;

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::connection::Shared;
pub use self::connection::{BodyTimeout, took_too_long};
use self::patience::Limits;
use self::tls::Tls;
pub use self::tls::{TlsError, read_certificates};
use crate::config::ConnectionConfig;

/// How long requests under way may take to finish once the server is told to end.
const GRACE: Duration = Duration::from_secs(30);

/// Connections that may wait to be taken: a crowd that comes at once is served in turn, not turned away. The
/// operating system may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Files that are open besides connections: to the database, for the most part.
const OTHER_FILES: u64 = 256;

/// How long is waited when the operating system has no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Who asks: an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the connection: the client, or a proxy before this server.
    pub address: SocketAddr,
    /// Whether the connection is encrypted on its way to this server.
    pub encrypted: bool,
}

/// Counts of connections, since the server started.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
}

/// What it takes to serve connections.
pub struct Server {
    limits: Limits,
    max_connections: usize,
    tls: Option<Tls>,
    connections: Arc<Connections>,
}

/// A connection that counts as open.
struct Open(Arc<Connections>);

/// A complaint that is made once a minute, at most.
#[derive(Default)]
struct Complaint {
    made: Option<Instant>,
}

impl Connections {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections that were taken.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections that were closed because their TLS handshake failed.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that were cut off because the client was too slow: with its handshake, with the head of a
    /// request, or with reading an answer.
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Relaxed)
    }

    fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn count_timed_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }
}

impl Open {
    fn count(connections: &Arc<Connections>) -> Self {
        connections.accepted.fetch_add(1, Relaxed);
        connections.open.fetch_add(1, Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Complaint {
    fn is_due(&mut self) -> bool {
        let due = self
            .made
            .is_none_or(|made| made.elapsed() >= Duration::from_mins(1));
        if due {
            self.made = Some(Instant::now());
        }
        due
    }
}

/// Listens on `address`, also when connections of a server before linger there.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Lets this process open as many files as it may at all; gives their number.
pub fn allow_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Some systems refuse what they say is allowed: then it stays as it is.
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return Ok(hard);
    }
    Ok(soft)
}

impl Server {
    /// Reads the certificates, if there are any, and makes room for connections.
    pub fn try_new(config: &ConnectionConfig) -> Result<Self, TlsError> {
        Ok(Self {
            limits: Limits::new(config),
            max_connections: room_for(config.max_connections),
            tls: Tls::try_new(config)?,
            connections: Arc::default(),
        })
    }

    /// Whether clients must speak TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The counts, which go on while the server serves.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// Serves `router` until `end` resolves; then takes no new connections, answers what is under way, and
    /// returns when that is done or a grace period is over.
    pub async fn serve(self, listener: TcpListener, router: Router, end: impl Future<Output = ()>) {
        let Self {
            limits,
            max_connections,
            tls,
            connections,
        } = self;
        let shared = Arc::new(Shared::new(limits, tls, connections, router));
        let (tell, ending) = watch::channel(false);
        let mut serving = JoinSet::new();
        tokio::select! {
            () = end => {}
            never = accept_all(&listener, max_connections, &shared, &ending, &mut serving) => never,
            never = keep_fresh(shared.tls.as_ref()) => never,
        }
        drop(listener);
        tell.send_replace(true);
        let all_ended = async { while serving.join_next().await.is_some() {} };
        if timeout(GRACE, all_ended).await.is_err() {
            tracing::warn!("some requests did not finish in time and are cut off");
        }
    }
}

/// How many connections are to be had, of so many.
fn room_for(max_connections: u32) -> usize {
    let files = allow_open_files().unwrap_or(u64::MAX);
    let room = files.saturating_sub(OTHER_FILES).max(files / 2);
    if room < max_connections.into() {
        tracing::warn!(
            "of VINZY_MAX_CONNECTIONS={max_connections}, {room} can be had: this process may open {files} files"
        );
    }
    usize::try_from(room.min(max_connections.into())).unwrap_or(usize::MAX)
}

async fn keep_fresh(tls: Option<&Tls>) -> ! {
    match tls {
        Some(tls) => tls.keep_fresh().await,
        None => pending().await,
    }
}

async fn accept_all(
    listener: &TcpListener,
    max_connections: usize,
    shared: &Arc<Shared>,
    ending: &watch::Receiver<bool>,
    serving: &mut JoinSet<()>,
) -> ! {
    let (mut no_room, mut all_taken) = (Complaint::default(), Complaint::default());
    loop {
        if serving.len() >= max_connections && all_taken.is_due() {
            tracing::warn!("all {max_connections} connections are taken: clients wait");
        }
        tokio::select! {
            _ = serving.join_next(), if !serving.is_empty() => {}
            (tcp, address) = accept(listener, &mut no_room), if serving.len() < max_connections => {
                // Answers are written whole: waiting to fill packets only delays them.
                let _ = tcp.set_nodelay(true);
                let open = Open::count(&shared.connections);
                let served = Arc::clone(shared).serve(tcp, address, ending.clone());
                serving.spawn(async move {
                    let _open = open;
                    served.await;
                });
            }
        }
    }
}

/// Takes a connection as soon as there is one and room for it.
async fn accept(listener: &TcpListener, no_room: &mut Complaint) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client is gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if no_room.is_due() {
                    tracing::warn!(%error, "no connections can be taken");
                }
                // Whatever it is, to ask again at once would keep a processor busy.
                sleep(PAUSE).await;
            }
        }
    }
}
