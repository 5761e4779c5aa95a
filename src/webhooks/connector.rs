//! One call to a receiver: resolve, judge, connect, send, and read the beginning of the answer.
//!
//! The connection goes to exactly the address that was judged: nothing resolves a name a second time, nothing follows
//! a redirect, and no proxy is asked. A call has a connection of its own, so no answer can be anybody else's.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vinzy_events::Timestamp;

use super::policy::ConnectPolicy;
use super::resolver::{Resolve, SystemResolver};
use super::target::{Host, Target, UrlError};

/// Longest head of an answer, in bytes and in headers.
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
/// Addresses of a name that are tried, at most.
const MAX_ADDRESSES: usize = 8;

/// Calls receivers; clones share it.
#[derive(Clone)]
pub struct Connector(Arc<Parts>);

struct Parts {
    policy: ConnectPolicy,
    resolver: Arc<dyn Resolve>,
    tls: OnceLock<TlsConnector>,
}

/// An answer came, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its status; a redirect's is a 3xx, and was not followed.
    pub status: u16,
    /// Who gave it.
    pub address: SocketAddr,
    /// When the receiver wants to hear next.
    pub retry_after: Option<RetryAfter>,
    /// The first bytes of its body, as far as they were kept and came in time.
    pub body_start: Vec<u8>,
    /// How long all of it took.
    pub duration: Duration,
}

/// What `Retry-After` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u32),
    /// Then.
    At(Timestamp),
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct PostError {
    /// At which step.
    pub kind: PostErrorKind,
    /// The address that was connected to, or tried last; `None` if it did not come to that.
    pub address: Option<SocketAddr>,
    /// A sentence for whoever runs the receiver. It holds no address that a name led to and that was refused: nobody
    /// shall learn by it what names mean in the operator's network.
    pub detail: String,
}

/// The steps of a call that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostErrorKind {
    /// The operator does not allow it, by its URL or by all addresses of its host.
    Refused,
    /// The name could not be resolved.
    Dns,
    /// No connection came about.
    Connect,
    /// The receiver could not be shown to be the one, or speaks no TLS.
    Tls,
    /// The time was over.
    TimedOut,
    /// What came was no answer in HTTP.
    Protocol,
}

impl PostErrorKind {
    /// Its name, as it is stored and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Protocol => "protocol",
        }
    }

    fn because(self, detail: impl Into<String>) -> PostError {
        PostError {
            kind: self,
            address: None,
            detail: detail.into(),
        }
    }
}

impl PostError {
    fn at(self, address: SocketAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    fn timed_out(step: &str) -> Self {
        PostErrorKind::TimedOut.because(format!("The time was over while {step}."))
    }
}

impl Connector {
    /// A connector that asks the operating system for names.
    pub fn new(policy: ConnectPolicy) -> Self {
        Self::with_resolver(policy, Arc::new(SystemResolver::default()))
    }

    /// As [`Connector::new`], with names from elsewhere.
    pub fn with_resolver(policy: ConnectPolicy, resolver: Arc<dyn Resolve>) -> Self {
        Self(Arc::new(Parts {
            policy,
            resolver,
            tls: OnceLock::new(),
        }))
    }

    /// Reads a URL and says whether it may be called, as far as that shows by itself: addresses are judged, names are
    /// only read. What they lead to is judged by each call.
    pub fn check_url(&self, url: &str) -> Result<Target, UrlError> {
        let target: Target = url.parse()?;
        self.0.policy.permit(&target)?;
        Ok(target)
    }

    /// Posts `body` to `target` and reads at most `keep_response_bytes` of the answer's body.
    ///
    /// All of it takes at most `timeout`. A body that is still coming in then is cut off; the answer counts. `Host`,
    /// `Content-Length` and `Connection` are set here, whatever `headers` say.
    pub async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        keep_response_bytes: usize,
    ) -> Result<Delivered, PostError> {
        let began = Instant::now();
        let deadline = began + timeout;
        // The policy may have changed since the URL was taken.
        let refused = |error| PostErrorKind::Refused.because(format!("The URL {error}."));
        self.0.policy.permit(target).map_err(refused)?;
        let addresses = self.addresses(target, deadline).await?;
        let (tcp, address) = connect(&addresses, deadline).await?;
        let request = request(target, headers, body);
        let exchanged = if target.encrypted {
            match self.encrypt(target, tcp, deadline).await {
                Ok(stream) => exchange(stream, request, deadline, keep_response_bytes).await,
                Err(error) => Err(error),
            }
        } else {
            exchange(tcp, request, deadline, keep_response_bytes).await
        };
        let (response, body_start) = exchanged.map_err(|error| error.at(address))?;
        Ok(Delivered {
            status: response.status().as_u16(),
            address,
            retry_after: retry_after(response.headers()),
            body_start,
            duration: began.elapsed(),
        })
    }

    /// The addresses of a target that may be called.
    async fn addresses(&self, target: &Target, deadline: Instant) -> Result<Vec<SocketAddr>, PostError> {
        let found = match &target.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolve(name, deadline).await?,
        };
        let mut allowed = vec![];
        let mut refused = None;
        for address in found {
            match self.0.policy.guard.judge(address) {
                Ok(address) => allowed.push(SocketAddr::new(address, target.port)),
                Err(error) => refused = Some(error),
            }
        }
        allowed.truncate(MAX_ADDRESSES);
        match refused {
            Some(refused) if allowed.is_empty() => {
                tracing::info!(url = target.as_str(), %refused, "a webhook was not sent");
                let detail = format!("The host has no public address: it is {}.", refused.class);
                Err(PostErrorKind::Refused.because(detail))
            }
            _ => Ok(allowed),
        }
    }

    async fn resolve(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, PostError> {
        let resolving = self.0.resolver.resolve(name);
        let found = timeout_at(deadline, resolving)
            .await
            .map_err(|_| PostError::timed_out("the host's name was resolved"))?;
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => Err(PostErrorKind::Dns.because("The host's name has no address.")),
            Err(error) => {
                tracing::debug!(name, %error, "a name could not be resolved");
                Err(PostErrorKind::Dns.because("The host's name could not be resolved."))
            }
        }
    }

    async fn encrypt(
        &self,
        target: &Target,
        tcp: TcpStream,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, PostError> {
        let failed = |detail| PostErrorKind::Tls.because(format!("No encrypted connection: {detail}."));
        let name =
            server_name(&target.host).ok_or_else(|| failed("the host's name cannot be certified".into()))?;
        let tls = self.0.tls.get_or_init(|| tls(&self.0.policy));
        timeout_at(deadline, tls.connect(name, tcp))
            .await
            .map_err(|_| PostError::timed_out("the connection was encrypted"))?
            .map_err(|error| failed(error.to_string()))
    }
}

/// Connects to the first of `addresses` that takes it. One that does not answer has its share of the time only.
async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, SocketAddr), PostError> {
    let mut failure = PostErrorKind::Connect.because("There is no address to connect to.");
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        failure = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // The request is written whole: waiting to fill packets only delays it.
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Ok(Err(error)) => {
                PostErrorKind::Connect.because(format!("The connection failed: {}.", error.kind()))
            }
            Err(_) => PostError::timed_out("connecting"),
        }
        .at(*address);
    }
    Err(failure)
}

fn request(target: &Target, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
    let length = body.len();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.path.clone().into();
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    headers.insert(header::HOST, target.authority.clone());
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.remove(header::TRANSFER_ENCODING);
    request
}

/// Sends the request over a connection; gives the head of the answer and the beginning of its body.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    deadline: Instant,
    keep: usize,
) -> Result<(Response<()>, Vec<u8>), PostError> {
    // Dropped with this function, and the connection with it.
    let mut driver = JoinSet::new();
    let answered = async {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await?;
        driver.spawn(connection);
        sender.send_request(request).await
    };
    let response = timeout_at(deadline, answered)
        .await
        .map_err(|_| PostError::timed_out("the answer was waited for"))?
        .map_err(|error| PostErrorKind::Protocol.because(sentence(&error)))?;
    let (head, body) = response.into_parts();
    Ok((
        Response::from_parts(head, ()),
        start_of(body, deadline, keep).await,
    ))
}

/// The first `keep` bytes of a body; fewer, if it ends, breaks off or the time is over before.
async fn start_of(mut body: Incoming, deadline: Instant, keep: usize) -> Vec<u8> {
    let mut start = vec![];
    while start.len() < keep {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await else {
            break;
        };
        if let Some(data) = frame.data_ref() {
            start.extend_from_slice(&data[..data.len().min(keep - start.len())]);
        }
    }
    start
}

fn sentence(error: &hyper::Error) -> String {
    if error.is_parse_too_large() {
        "The head of the answer is too large.".into()
    } else if error.is_parse() {
        "What came is no answer in HTTP/1.1.".into()
    } else {
        "The connection ended before an answer came.".into()
    }
}

/// `Retry-After` in either form; `None` if there is none, or nobody can tell what it means.
fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(RetryAfter::Seconds);
    }
    let time = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Timestamp::from_micros(time.timestamp_micros()).map(RetryAfter::At)
}

/// What the receiver's certificate must be for. A dot at the end of a name says nothing there.
fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Address(address) => Some((*address).into()),
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            ServerName::try_from(name.to_owned()).ok()
        }
    }
}

/// TLS with the system's certificates, and those of the policy beside them.
fn tls(policy: &ConnectPolicy) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    if system.certs.is_empty() && policy.roots.is_empty() {
        tracing::warn!(errors = ?system.errors, "this system has no certificates: no HTTPS receiver can be called");
    }
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(policy.roots.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config).into()
}

#[cfg(test)]
mod tests;
