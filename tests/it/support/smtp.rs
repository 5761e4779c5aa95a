//! A mail server on the loopback interface, as far as a client notices.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How long something may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A mail that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

impl Taken {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let start = format!("{name}: ");
        let mut lines = head.lines();
        lines
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_default()
    }

    /// The license key in it.
    pub(crate) fn key(&self) -> String {
        let key = self
            .text
            .split_whitespace()
            .find(|word| word.matches('-').count() == 7);
        key.unwrap_or_else(|| panic!("no key in {}", self.text))
            .to_owned()
    }
}

/// What it answers to a recipient: a reply such as `250 ok`.
type Answering = Box<dyn Fn(&str) -> String + Send + Sync>;

/// When connections are encrypted.
#[derive(Clone)]
enum Encryption {
    Never,
    /// Once the client says STARTTLS.
    Asked(TlsAcceptor),
    /// From the first byte on.
    Always(TlsAcceptor),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) struct MailServer {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    tries: Arc<Mutex<usize>>,
    answering: Arc<Mutex<Answering>>,
    serving: tokio::task::JoinHandle<()>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        Self::on(0).await
    }

    pub(crate) async fn on(port: u16) -> Self {
        Self::with(port, Encryption::Never).await
    }

    /// Servers for `localhost` that speak TLS when they are asked to, and always, and the issuer of their certificate in PEM.
    pub(crate) async fn encrypted() -> ([Self; 2], String) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let servers = [
            Self::with(0, Encryption::Asked(acceptor.clone())).await,
            Self::with(0, Encryption::Always(acceptor)).await,
        ];
        (servers, issuer.pem())
    }

    async fn with(port: u16, encryption: Encryption) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(vec![]));
        let tries = Arc::new(Mutex::new(0));
        let usual: Answering = Box::new(|_| "250 ok".to_owned());
        let answering = Arc::new(Mutex::new(usual));
        let (log, count, replies) = (Arc::clone(&taken), Arc::clone(&tries), Arc::clone(&answering));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let (log, replies) = (Arc::clone(&log), Arc::clone(&replies));
                let encryption = encryption.clone();
                tokio::spawn(async move {
                    let _ = talk(stream, encryption, &log, &replies).await;
                });
            }
        });
        Self {
            port,
            taken,
            tries,
            answering,
            serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// From now on it answers recipients so.
    pub(crate) fn answer(&self, answer: impl Fn(&str) -> String + Send + Sync + 'static) {
        *self.answering.lock().unwrap() = Box::new(answer);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub(crate) fn tries(&self) -> usize {
        *self.tries.lock().unwrap()
    }

    /// Waits until so many mails have come, and gives all that have.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Taken> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} mails have come",
                taken.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn talk(
    stream: impl Stream + 'static,
    encryption: Encryption,
    log: &Mutex<Vec<Taken>>,
    answering: &Mutex<Answering>,
) -> std::io::Result<()> {
    let (stream, mut acceptor): (Box<dyn Stream>, _) = match encryption {
        Encryption::Never => (Box::new(stream), None),
        Encryption::Asked(acceptor) => (Box::new(stream), Some(acceptor)),
        Encryption::Always(acceptor) => (Box::new(acceptor.accept(stream).await?), None),
    };
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), vec![]);
    while let Some(line) = next_line(&mut stream).await? {
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "HELO" if acceptor.is_some() => "250-mail.test\r\n250 STARTTLS".to_owned(),
            "EHLO" | "HELO" => "250-mail.test\r\n250 8BITMIME".to_owned(),
            "STARTTLS" => {
                let Some(acceptor) = acceptor.take() else {
                    return Ok(());
                };
                stream.write_all(b"220 go on\r\n").await?;
                let encrypted: Box<dyn Stream> = Box::new(acceptor.accept(stream.into_inner()).await?);
                stream = BufReader::new(encrypted);
                continue;
            }
            // Who forgets to encrypt is not served.
            _ if acceptor.is_some() => "530 encrypt first".to_owned(),
            "MAIL" => {
                from = address();
                "250 ok".to_owned()
            }
            "RCPT" => {
                let reply = answering.lock().unwrap()(&address());
                if reply.starts_with('2') {
                    to.push(address());
                }
                reply
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = next_line(&mut stream).await? {
                    if line == "." {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push_str("\r\n");
                }
                log.lock().unwrap().push(Taken {
                    from: std::mem::take(&mut from),
                    to: std::mem::take(&mut to),
                    text,
                });
                "250 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok".to_owned(),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// The next line without its end; nothing once the other side is gone.
async fn next_line(stream: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
