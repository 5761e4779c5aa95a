//! What a connection may cost: slow clients, greedy ones, many of them, and TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use hyper::body::{Body, Bytes, Frame};
use reqwest::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use vinzy_engine::config::ConnectionConfig;
use vinzy_engine::http::server::{Connections, Peer, Server, allow_open_files, listen};

use crate::support::database::TestDatabase;
use crate::support::node::{Node, vinzy};
use crate::support::{TestApp, eventually};

/// Long enough for whatever must happen at all.
const SOON: Duration = Duration::from_secs(30);

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server in this process without what the program is for.
struct Simple {
    address: SocketAddr,
    connections: Arc<Connections>,
    end: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

impl Simple {
    fn start(config: &ConnectionConfig) -> Self {
        vinzy_engine::cli::prepare_tls();
        let router = Router::new()
            .route("/hello", get(|| async { "hello" }))
            .route(
                "/peer",
                get(async |Extension(peer): Extension<Peer>| format!("{} {}", peer.address, peer.encrypted)),
            )
            .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
            .route(
                "/slow",
                get(async || {
                    sleep(Duration::from_secs(1)).await;
                    "slow"
                }),
            );
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::try_new(config).unwrap();
        let connections = server.connections();
        let (end, ended) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let ended = async {
                let _ = ended.await;
            };
            server.serve(listener, router, ended).await;
        });
        Self {
            address,
            connections,
            end,
            serving,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends text on a new connection and reads what comes until it is closed.
    async fn send(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }

    async fn finish(self) {
        self.end.send(()).unwrap();
        timeout(SOON, self.serving).await.unwrap().unwrap();
        assert_eq!(self.connections.open(), 0);
    }
}

/// Reads until the server closes the connection, which must be soon.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = vec![];
    let read = timeout(SOON, stream.read_to_end(&mut bytes)).await;
    if let Err(error) = read.expect("the connection must be closed") {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one short answer.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let read = timeout(SOON, stream.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// A client of its own connections.
fn http() -> reqwest::ClientBuilder {
    vinzy_engine::cli::prepare_tls();
    reqwest::Client::builder().timeout(SOON)
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off_and_hold_up_nobody() {
    let server = Simple::start(&ConnectionConfig {
        header_timeout: 2,
        ..ConnectionConfig::default()
    });
    let mut slow = JoinSet::new();
    for client in 0..1000 {
        let mut stream = server.connect().await;
        let head: &[u8] = match client % 4 {
            0 => b"",
            1 => b"PRI * HTTP/2.0\r\n",
            2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            _ => b"GET /hello HTTP/1.1\r\nX-Slow: ",
        };
        stream.write_all(head).await.unwrap();
        slow.spawn(async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                let byte: &[u8] = if client % 4 == 3 { b"a" } else { b"" };
                let mut answer = [0; 1024];
                let closed = stream.write_all(byte).await.is_err()
                    || matches!(stream.try_read(&mut answer), Ok(0))
                    || matches!(stream.try_read(&mut answer), Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset);
                if closed {
                    return;
                }
            }
        });
    }
    let answered = async {
        let mut answered = 0;
        while server.connections.timed_out() < 1000 {
            assert!(
                server
                    .send("GET /hello HTTP/1.0\r\n\r\n")
                    .await
                    .ends_with("hello")
            );
            answered += 1;
        }
        answered
    };
    assert!(timeout(SOON, answered).await.unwrap() > 10);
    timeout(SOON, slow.join_all()).await.unwrap();
    server.finish().await;
}

#[tokio::test]
async fn a_connection_in_use_stays_and_an_idle_one_ends() {
    let server = Simple::start(&ConnectionConfig {
        header_timeout: 1,
        idle_timeout: 2,
        ..ConnectionConfig::default()
    });
    let mut stream = server.connect().await;
    for _ in 0..4 {
        stream.write_all(HELLO.as_bytes()).await.unwrap();
        assert!(read_answer(&mut stream).await.ends_with("hello"));
        sleep(Duration::from_millis(1200)).await;
    }
    assert_eq!(read_to_end(&mut stream).await, "");

    let client = http().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/hello", server.address);
    for _ in 0..2 {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "hello");
        sleep(Duration::from_millis(1200)).await;
    }
    assert_eq!(server.connections.accepted(), 2);
    eventually("idle connections end", || async {
        server.connections.open() == 0
    })
    .await;
    assert_eq!(server.connections.timed_out(), 0);
    server.finish().await;
}

#[tokio::test]
async fn answers_that_nobody_reads_are_given_up() {
    let server = Simple::start(&ConnectionConfig {
        write_timeout: 1,
        ..ConnectionConfig::default()
    });
    let mut stream = server.connect().await;
    stream
        .write_all(HELLO.replace("hello", "large").as_bytes())
        .await
        .unwrap();
    let client = http().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/large", server.address);
    let unread = client.get(&url).send().await.unwrap();
    assert_eq!(server.connections.open(), 2);
    eventually("both are cut off", || async { server.connections.open() == 0 }).await;
    assert_eq!(server.connections.timed_out(), 2);
    assert!(unread.bytes().await.is_err());

    let read = http().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(read.bytes().await.unwrap().len(), 64 * 1024 * 1024);
    server.finish().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = Simple::start(&ConnectionConfig::default());
    let of = |value: usize| {
        let value = "a".repeat(value);
        format!("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: {value}\r\n\r\n")
    };
    assert!(server.send(&of(30_000)).await.starts_with("HTTP/1.1 200"));
    for too_large in [40_000, 500_000] {
        let answer = server.send(&of(too_large)).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let many = "X-Many: a\r\n".repeat(101);
    let answer = server.send(&format!("GET /hello HTTP/1.1\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");

    let client = http().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/hello", server.address);
    for (length, status) in [(30_000, 200), (40_000, 431)] {
        let asked = client.get(&url).header("x-long", "a".repeat(length));
        assert_eq!(asked.send().await.unwrap().status(), status);
    }
    server.finish().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_others_end() {
    let server = Simple::start(&ConnectionConfig {
        max_connections: 2,
        idle_timeout: 1,
        ..ConnectionConfig::default()
    });
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(HELLO.as_bytes()).await.unwrap();
        assert!(read_answer(stream).await.ends_with("hello"));
    }
    let mut third = server.connect().await;
    third.write_all(HELLO.as_bytes()).await.unwrap();
    let early = timeout(Duration::from_millis(200), third.readable()).await;
    assert!(early.is_err(), "the third has to wait");
    assert!(read_answer(&mut third).await.ends_with("hello"));
    assert_eq!(server.connections.accepted(), 3);
    server.finish().await;
}

#[tokio::test]
async fn at_the_end_requests_under_way_are_answered_and_idle_connections_closed() {
    let server = Simple::start(&ConnectionConfig::default());
    let (mut idle, mut busy, mut fresh) = (
        server.connect().await,
        server.connect().await,
        server.connect().await,
    );
    idle.write_all(HELLO.as_bytes()).await.unwrap();
    assert!(read_answer(&mut idle).await.ends_with("hello"));
    busy.write_all(HELLO.replace("hello", "slow").as_bytes())
        .await
        .unwrap();
    let client = http().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/slow", server.address);
    let over_http2 = tokio::spawn(async move { client.get(url).send().await.unwrap().text().await.unwrap() });
    sleep(Duration::from_millis(300)).await;

    let address = server.address;
    let finished = tokio::spawn(server.finish());
    assert_eq!(read_to_end(&mut idle).await, "");
    assert_eq!(read_to_end(&mut fresh).await, "");
    let answer = read_to_end(&mut busy).await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("slow"),
        "{answer}"
    );
    assert_eq!(over_http2.await.unwrap(), "slow");
    finished.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn vast_bodies_are_refused_unread() {
    let app = TestApp::start().await;
    let address = app.client.base.strip_prefix("http://").unwrap();
    let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let announced = format!("{head}Content-Length: 1073741824\r\n");
    for (head, sent) in [
        (format!("{announced}\r\n"), 0),
        (format!("{announced}Expect: 100-continue\r\n\r\n"), 0),
        (format!("{announced}\r\n"), 500_000),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n3ffffff\r\n"),
            500_000,
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever sends on regardless can still read why that was in vain.
        stream.write_all(&vec![b' '; sent]).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let database = TestDatabase::create().await;
    let node = Node::on_database_with(
        &database.url(),
        &[("VINZY_BODY_TIMEOUT", "1"), ("VINZY_HEADER_TIMEOUT", "2")],
    );
    let address = node.client.base.strip_prefix("http://").unwrap();
    let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("REQUEST_TIMEOUT"),
        "{answer}"
    );
    let client = http().http2_prior_knowledge().build().unwrap();
    let never = client
        .post(format!("{}/validate", node.client.base))
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap(Never));
    let never = never.send().await.unwrap();
    assert_eq!(never.status(), 408);
    // A connection that has waited for a body goes on with the next request.
    let (first, second) = (b"{\"key\":", b"\"x\"}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        let head = head.replace("100\r\n\r\n{", "11\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(first).await.unwrap();
        sleep(Duration::from_millis(600)).await;
        stream.write_all(second).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(node.terminate().success());
    database.drop().await;
}

/// A body that never comes.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Resident memory of a process, in KiB.
#[cfg(target_os = "linux")]
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap().trim_end_matches("kB").trim().parse().unwrap()
}

/// Opens connections to a node, asks for its health on each, and keeps them.
async fn crowd(address: &str, count: usize) -> Vec<TcpStream> {
    let mut workers = JoinSet::new();
    for _ in 0..50 {
        let address = address.to_owned();
        workers.spawn(async move {
            let mut streams = vec![];
            for _ in 0..count / 50 {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                stream
                    .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    .await
                    .unwrap();
                let answer = read_answer(&mut stream).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                streams.push(stream);
            }
            streams
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_cost_little() {
    // The other tests of this process need some, too.
    let files = usize::try_from(allow_open_files().unwrap()).unwrap_or(usize::MAX);
    let count = files.saturating_sub(1_000).min(10_000) / 50 * 50;
    assert!(count >= 2_000, "too few files may be open for this test: {files}");
    let database = TestDatabase::create().await;
    let node = Node::on_database_with(&database.url(), &[("VINZY_IDLE_TIMEOUT", "600")]);
    let address = node.client.base.strip_prefix("http://").unwrap();
    crowd(address, 50).await;
    let before = resident(node.pid());
    let streams = crowd(address, count).await;
    let grown = resident(node.pid()).saturating_sub(before);
    eprintln!("{count} connections take {grown} KiB");
    assert!(
        grown < 64 * count,
        "{count} connections take {grown} KiB of memory"
    );
    for _ in 0..20 {
        node.client.get("/products").await.expect(200);
    }
    // None was given up for another.
    for mut stream in streams {
        assert!(stream.try_read(&mut [0; 1]).is_err());
        stream.shutdown().await.unwrap();
    }
    node.client.get("/products").await.expect(200);
    assert!(node.terminate().success());
    database.drop().await;
}

/// Lets a process open so many more files than it has open now; `false` where that cannot be done.
#[cfg(target_os = "linux")]
fn limit_files(pid: u32, more: usize) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    std::process::Command::new("prlimit")
        .arg(format!("--nofile={0}:{0}", open + more))
        .arg(format!("--pid={pid}"))
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_without_free_files_goes_on_once_there_are_some() {
    let database = TestDatabase::create().await;
    let node = Node::on_database_with(&database.url(), &[("VINZY_HEADER_TIMEOUT", "2")]);
    let address = node.client.base.strip_prefix("http://").unwrap();
    node.client.get("/ready").await.expect(200);
    if limit_files(node.pid(), 10) {
        let mut silent = vec![];
        for _ in 0..50 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        // Answered in its turn, after those before it were cut off.
        let mut last = TcpStream::connect(address).await.unwrap();
        last.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        assert!(read_answer(&mut last).await.starts_with("HTTP/1.1 200"));
        for mut stream in silent {
            assert_eq!(read_to_end(&mut stream).await, "");
        }
    }
    assert!(node.terminate().success());
    database.drop().await;
}

/// A self-signed certificate for 127.0.0.1 and its key, in files.
struct Files {
    _directory: tempfile::TempDir,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> (Self, Certificate) {
        let directory = tempfile::tempdir().unwrap();
        // Servers that were started as root read them as somebody else.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), readable).unwrap();
        let files = Self {
            cert: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
            _directory: directory,
        };
        let certificate = files.renew();
        (files, certificate)
    }

    fn renew(&self) -> Certificate {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&self.cert, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
        Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
    }

    fn config(&self) -> ConnectionConfig {
        ConnectionConfig {
            tls_cert: Some(self.cert.clone()),
            tls_key: Some(self.key.clone()),
            tls_reload: 1,
            header_timeout: 2,
            ..ConnectionConfig::default()
        }
    }
}

fn trusting(certificate: &Certificate) -> reqwest::ClientBuilder {
    http().tls_certs_only([certificate.clone()])
}

#[tokio::test]
async fn https_is_spoken_with_both_versions_of_http() {
    let (files, certificate) = Files::new();
    let server = Simple::start(&files.config());
    let url = format!("https://{}/peer", server.address);
    for (client, version) in [
        (trusting(&certificate), reqwest::Version::HTTP_2),
        (trusting(&certificate).http1_only(), reqwest::Version::HTTP_11),
        (
            trusting(&certificate).tls_version_max(reqwest::tls::Version::TLS_1_2),
            reqwest::Version::HTTP_2,
        ),
    ] {
        let answer = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!(answer.version(), version);
        let peer = answer.text().await.unwrap();
        assert!(
            peer.starts_with("127.0.0.1:") && peer.ends_with(" true"),
            "{peer}"
        );
    }
    // Neither plain HTTP nor silence gets far.
    let plain = server.send(HELLO).await;
    assert!(!plain.contains("HTTP"), "{plain}");
    assert_eq!(server.connections.refused(), 1);
    assert_eq!(server.send("").await, "");
    assert_eq!(server.connections.timed_out(), 1);
    server.finish().await;

    let server = Simple::start(&ConnectionConfig::default());
    let peer = server.send("GET /peer HTTP/1.0\r\n\r\n").await;
    assert!(peer.ends_with(" false"), "{peer}");
    server.finish().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let (files, old) = Files::new();
    let server = Simple::start(&files.config());
    let url = format!("https://{}/hello", server.address);
    let works = async |certificate: &Certificate| {
        let client = trusting(certificate).build().unwrap();
        client.get(&url).send().await.is_ok()
    };
    assert!(works(&old).await);
    let new = files.renew();
    eventually("the renewed certificate is served", || works(&new)).await;
    assert!(!works(&old).await);

    std::fs::write(&files.cert, "-----BEGIN CERTIFICATE-----\nbroken").unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(works(&new).await);
    let newest = files.renew();
    eventually("what is in order again is served", || works(&newest)).await;
    server.finish().await;
}

/// What a server says that does not start with these files.
fn refusal(cert: Option<&Path>, key: Option<&Path>) -> String {
    let mut command = vinzy();
    command
        .args(["serve", "--db-url", "postgres://127.0.0.1:9/none"])
        .current_dir(std::env::temp_dir());
    if let Some(cert) = cert {
        command.env("VINZY_TLS_CERT", cert);
    }
    if let Some(key) = key {
        command.env("VINZY_TLS_KEY", key);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn certificates_that_are_not_in_order_are_refused_by_name() {
    let (files, _) = Files::new();
    let (others, _) = Files::new();
    let (cert, key) = (files.cert.as_path(), files.key.as_path());
    let empty = cert.with_file_name("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = Path::new("/nonexistent/cert.pem");
    for (given, expected) in [
        ((Some(cert), None), vec!["VINZY_TLS_KEY is not set"]),
        ((None, Some(key)), vec!["VINZY_TLS_CERT is not set"]),
        (
            (Some(missing), Some(key)),
            vec!["/nonexistent/cert.pem", "No such file"],
        ),
        ((Some(&empty), Some(key)), vec!["empty.pem", "no certificate"]),
        ((Some(cert), Some(&empty)), vec!["empty.pem", "no private key"]),
        ((Some(cert), Some(cert)), vec!["cert.pem", "no private key"]),
        (
            (Some(cert), Some(&others.key)),
            vec!["cert.pem", "key.pem", "cannot be used"],
        ),
    ] {
        let refusal = refusal(given.0, given.1);
        for expected in expected {
            assert!(refusal.contains(expected), "{expected}: {refusal}");
        }
    }
    std::fs::write(
        &empty,
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let refusal = refusal(Some(&empty), Some(key));
    assert!(refusal.contains("empty.pem is not valid PEM"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_can_be_asked_over_https() {
    let (files, _) = Files::new();
    let (others, _) = Files::new();
    let database = TestDatabase::create().await;
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (cert, key) = (path(&files.cert), path(&files.key));
    let node = Node::on_database_with(
        &database.url(),
        &[("VINZY_TLS_CERT", &cert), ("VINZY_TLS_KEY", &key)],
    );
    let base = node.client.base.clone();
    assert!(base.starts_with("https://"), "{base}");
    let ask = |url: &str, ca: Option<&Path>| {
        let mut command = vinzy();
        command.args(["health", "--url", url]);
        if let Some(ca) = ca {
            command.arg("--ca").arg(ca);
        }
        command.status().unwrap().code()
    };
    assert_eq!(ask(&base, Some(&files.cert)), Some(0));
    assert_eq!(
        ask(&base.replace("127.0.0.1", "localhost"), Some(&files.cert)),
        Some(0)
    );
    assert_eq!(ask(&base, Some(&others.cert)), Some(2));
    assert_eq!(ask(&base, None), Some(2));
    assert!(node.terminate().success());
    database.drop().await;
}
