//! How long a connection may take for what. Each has one timer that looks now and then what it is at: that costs
//! a request some stores into memory, and no timer of its own.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::config::ConnectionConfig;

/// What a client may still send, in bytes and time, when its connection is closed before it was heard out.
/// Closed at once, the operating system would throw away the answer that says why.
const MAX_LEFTOVER: usize = 1024 * 1024;
const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long is waited for what.
pub(super) struct Limits {
    pub(super) head: Duration,
    pub(super) body: Duration,
    write: Duration,
    idle: Duration,
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// The head of a request.
    Head,
    /// The body of a request.
    Body,
    /// That an answer was read.
    Write,
    /// That there was another request.
    Idle,
}

/// What a connection is at. Moments are milliseconds since it was opened, plus one; 0 is none.
pub(super) struct Activity {
    opened: Instant,
    http2: AtomicBool,
    /// Requests that are not answered to the end.
    requests: AtomicU32,
    /// Since when there is none, which is bounded by [`Limits::idle`], or once it is `ending` by
    /// [`Limits::head`].
    idle_since: AtomicU64,
    /// When the first byte of a head came.
    head_since: AtomicU64,
    /// Since when a body is waited for, and whether it is not any more. Bodies over HTTP/2, of which there can be
    /// several, have timers of their own.
    body_since: AtomicU64,
    body_given_up: AtomicBool,
    /// Since when the operating system takes nothing more to send.
    stuck_since: AtomicU64,
    /// Answers that wait for an HTTP/2 client to want more of them, and when one was last wanted.
    unwanted: AtomicU32,
    wanted_at: AtomicU64,
    /// Whether requests under way are the last.
    ending: AtomicBool,
    /// Whether something came that belongs to no request that was heard out.
    leftover: AtomicBool,
    /// Whether all is said, and only what is left over is still read.
    all_said: AtomicBool,
}

/// A request that is not answered to the end.
pub(super) struct InProgress {
    activity: Arc<Activity>,
    http2: bool,
    unwanted: bool,
}

/// A TCP connection whose [`Activity`] is noted.
pub(super) struct Stream {
    tcp: TcpStream,
    activity: Arc<Activity>,
    leftover: Option<Leftover>,
}

struct Leftover {
    read: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Limits {
    pub(super) fn new(config: &ConnectionConfig) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            head: seconds(config.header_timeout),
            body: seconds(config.body_timeout),
            write: seconds(config.write_timeout),
            idle: seconds(config.idle_timeout),
        }
    }

    /// Who looks that often misses nothing: what begins meanwhile cannot have expired.
    fn shortest(&self) -> Duration {
        self.head.min(self.body).min(self.write).min(self.idle)
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            http2: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            idle_since: AtomicU64::new(1),
            head_since: AtomicU64::new(1),
            body_since: AtomicU64::new(0),
            body_given_up: AtomicBool::new(false),
            stuck_since: AtomicU64::new(0),
            unwanted: AtomicU32::new(0),
            wanted_at: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            leftover: AtomicBool::new(false),
            all_said: AtomicBool::new(false),
        }
    }

    /// From now on, a head is waited for.
    pub(super) fn await_head(&self) {
        self.head_since.store(self.now(), Relaxed);
        self.leftover.store(false, Relaxed);
    }

    pub(super) fn begin_request(self: &Arc<Self>, http2: bool) -> InProgress {
        if http2 {
            self.http2.store(true, Relaxed);
        }
        self.requests.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        self.body_given_up.store(false, Relaxed);
        self.leftover.store(false, Relaxed);
        InProgress {
            activity: Arc::clone(self),
            http2,
            unwanted: false,
        }
    }

    /// Notes that the body of a request is waited for; `false` if that was given up.
    pub(super) fn await_body(&self) -> bool {
        if self.body_since.load(Relaxed) == 0 {
            self.body_since.store(self.now(), Relaxed);
        }
        !self.body_given_up.load(Relaxed)
    }

    /// Gives up waiting for a body; `false` if that was done before.
    pub(super) fn give_up_body(&self) -> bool {
        !self.body_given_up.swap(true, Relaxed)
    }

    /// Notes that the body of a request is waited for no more, and whether it was read to its end.
    pub(super) fn end_body(&self, read_to_end: bool) {
        self.body_since.store(0, Relaxed);
        if !read_to_end {
            self.leftover.store(true, Relaxed);
        }
    }

    /// Requests under way are the last: an end without any more comes sooner.
    pub(super) fn end_soon(&self) {
        self.idle_since.store(self.now(), Relaxed);
        self.ending.store(true, Relaxed);
    }

    /// Whether the client has been sent all, up to the end of the connection.
    pub(super) fn all_said(&self) -> bool {
        self.all_said.load(Relaxed)
    }

    /// Resolves once the connection has taken too long for something.
    pub(super) async fn expired(&self, limits: &Limits) -> Expired {
        loop {
            let mut pause = limits.shortest();
            if let Some((since, what)) = self.waited() {
                let waited = Duration::from_millis(self.now().saturating_sub(since));
                let limit = match what {
                    Expired::Head => limits.head,
                    Expired::Body => limits.body,
                    Expired::Write => limits.write,
                    Expired::Idle if self.ending.load(Relaxed) => limits.head,
                    Expired::Idle => limits.idle,
                };
                let rest = limit.saturating_sub(waited);
                if rest.is_zero() {
                    return what;
                }
                pause = pause.min(rest);
            }
            sleep(pause).await;
        }
    }

    /// What is waited for, and since when.
    fn waited(&self) -> Option<(u64, Expired)> {
        let stuck_since = self.stuck_since.load(Relaxed);
        if stuck_since != 0 {
            return Some((stuck_since, Expired::Write));
        }
        if self.unwanted.load(Relaxed) != 0 {
            return Some((self.wanted_at.load(Relaxed), Expired::Write));
        }
        let body_since = self.body_since.load(Relaxed);
        if body_since != 0 {
            return Some((body_since, Expired::Body));
        }
        if self.requests.load(Relaxed) != 0 {
            return None;
        }
        match self.head_since.load(Relaxed) {
            0 => Some((self.idle_since.load(Relaxed), Expired::Idle)),
            head_since => Some((head_since, Expired::Head)),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn received(&self) {
        // What else comes over HTTP/2 (acknowledgements, say) is no sign of a head.
        if self.requests.load(Relaxed) == 0 && !self.http2.load(Relaxed) {
            self.leftover.store(true, Relaxed);
            if self.head_since.load(Relaxed) == 0 {
                self.head_since.store(self.now(), Relaxed);
            }
        }
    }

    fn wrote<T>(&self, written: &Poll<T>) {
        let stuck = self.stuck_since.load(Relaxed) != 0;
        match written {
            Poll::Pending if !stuck => self.stuck_since.store(self.now(), Relaxed),
            Poll::Ready(_) if stuck => {
                self.stuck_since.store(0, Relaxed);
                self.idle_since.store(self.now(), Relaxed);
            }
            _ => {}
        }
    }
}

impl InProgress {
    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// Notes whether the client is waited for, before it wants more of the answer. Over HTTP/1.1 there is no
    /// need to: there, the operating system takes nothing more.
    pub(super) fn set_unwanted(&mut self, unwanted: bool) {
        self.activity.wanted_at.store(self.activity.now(), Relaxed);
        if unwanted && !self.unwanted {
            self.activity.unwanted.fetch_add(1, Relaxed);
        } else if !unwanted && self.unwanted {
            self.activity.unwanted.fetch_sub(1, Relaxed);
        }
        self.unwanted = unwanted;
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        if self.unwanted {
            self.set_unwanted(false);
        }
        self.activity.idle_since.store(self.activity.now(), Relaxed);
        self.activity.requests.fetch_sub(1, Relaxed);
    }
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, activity: Arc<Activity>) -> Self {
        Self {
            tcp,
            activity,
            leftover: None,
        }
    }

    /// Reads what the client still sends, into nowhere.
    fn poll_leftover(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let leftover = self.leftover.get_or_insert_with(|| Leftover {
            read: 0,
            deadline: Box::pin(sleep(LEFTOVER_TIMEOUT)),
        });
        while leftover.read < MAX_LEFTOVER {
            let mut bytes = [MaybeUninit::uninit(); 4096];
            let mut bytes = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut self.tcp).poll_read(cx, &mut bytes) {
                Poll::Pending => return leftover.deadline.as_mut().poll(cx),
                Poll::Ready(Ok(())) if !bytes.filled().is_empty() => leftover.read += bytes.filled().len(),
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.activity.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.activity.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.leftover.is_none() {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
            self.activity.all_said.store(true, Relaxed);
        }
        if self.leftover.is_some() || self.activity.leftover.load(Relaxed) {
            ready!(self.poll_leftover(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The operating system must not go on for minutes to offer what nobody reads.
        if self.activity.stuck_since.load(Relaxed) != 0 {
            let _ = self.tcp.set_zero_linger();
        }
    }
}
