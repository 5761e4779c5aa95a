//! A mail server on the loopback interface, as far as a client notices.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

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
                tokio::spawn(async move {
                    let _ = talk(stream, &log, &replies).await;
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
    stream: TcpStream,
    log: &Mutex<Vec<Taken>>,
    answering: &Mutex<Answering>,
) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 mail.test ESMTP\r\n").await?;
    let (mut from, mut to) = (String::new(), vec![]);
    while let Some(line) = lines.next_line().await? {
        let address = || line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "HELO" => "250-mail.test\r\n250 8BITMIME".to_owned(),
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
                writing.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await? {
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
                writing.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok".to_owned(),
        };
        writing.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
