//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, Version};
use axum::{BoxError, Router};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};

use super::patience::{Activity, Expired, InProgress, Limits, Stream};
use super::tls::Tls;
use super::{Connections, Peer};

/// Longest head of a request, in bytes; beyond it the answer is 431. Also what a connection buffers, at most.
/// (The number of headers is limited to 100, too, which is hyper's default: to set it costs each request an
/// allocation.)
const MAX_HEAD: u32 = 32 * 1024;

/// Requests at a time over one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

/// What an HTTP/2 client may send before it is read, per request and in all; both in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Longest piece of an answer that is handed to HTTP/2 at once, in bytes: it keeps all that it is given until the
/// client takes it.
const PIECE: usize = 16 * 1024;

/// How often a silent HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What all connections share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
    pub(super) connections: Arc<Connections>,
    http: Builder<TokioExecutor>,
    router: TowerToHyperService<Router>,
}

/// The body of a request did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
pub struct BodyTimeout;

/// The body of a request, which must come in time.
struct Timely {
    body: Incoming,
    read_to_end: bool,
    activity: Arc<Activity>,
    /// Over HTTP/2.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// The body of an answer; its request is in progress until it was taken.
struct Answer {
    body: Body,
    /// Data that came from the body and are not handed on yet.
    rest: Bytes,
    in_progress: InProgress,
}

impl Shared {
    pub(super) fn new(
        limits: Limits,
        tls: Option<Tls>,
        connections: Arc<Connections>,
        router: Router,
    ) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1()
            // What is waited for is `Activity`'s business.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD as usize);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_WINDOW as usize)
            // Requests that are withdrawn at once cost the server and not the client: few are borne.
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(100)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        Self {
            limits,
            tls,
            connections,
            http,
            router: TowerToHyperService::new(router),
        }
    }

    /// Serves a connection to its end. Once `ending` changes, requests under way are the last.
    pub(super) async fn serve(
        self: Arc<Self>,
        tcp: TcpStream,
        address: std::net::SocketAddr,
        mut ending: watch::Receiver<bool>,
    ) {
        let activity = Arc::new(Activity::new());
        let peer = Peer {
            address,
            encrypted: self.tls.is_some(),
        };
        let stream = Stream::new(tcp, Arc::clone(&activity));
        let Some(tls) = &self.tls else {
            return self.converse(stream, peer, &activity, &mut ending).await;
        };
        // On the heap, or connections without TLS would take as much room.
        let handshake = Box::pin(timeout(self.limits.head, tls.acceptor().accept(stream)));
        let done = tokio::select! {
            done = handshake => done,
            _ = ending.changed() => return,
        };
        match done {
            Ok(Ok(stream)) => {
                activity.await_head();
                Box::pin(self.converse(stream, peer, &activity, &mut ending)).await;
            }
            Ok(Err(error)) => {
                self.connections.count_refused();
                tracing::debug!(%address, %error, "TLS handshake failed");
            }
            Err(_) => self.connections.count_timed_out(),
        }
    }

    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: Peer,
        activity: &Arc<Activity>,
        ending: &mut watch::Receiver<bool>,
    ) {
        let service = service_fn(|request| self.answer(request, peer, activity));
        let mut conversation = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let mut expired = pin!(activity.expired(&self.limits));
        let mut told_to_end = false;
        loop {
            tokio::select! {
                biased;
                ended = conversation.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(address = %peer.address, %error, "connection failed");
                    }
                    return;
                }
                what = expired.as_mut() => {
                    match what {
                        // The request is still answered: the conversation goes on and finds out.
                        Expired::Body if activity.give_up_body() => {}
                        Expired::Idle if !told_to_end => {
                            told_to_end = true;
                            activity.end_soon();
                            conversation.as_mut().graceful_shutdown();
                        }
                        _ if told_to_end => return,
                        _ => {
                            self.connections.count_timed_out();
                            tracing::debug!(address = %peer.address, ?what, "connection took too long");
                            return;
                        }
                    }
                    expired.set(activity.expired(&self.limits));
                }
                _ = ending.changed(), if !told_to_end => {
                    if activity.all_said() {
                        return;
                    }
                    told_to_end = true;
                    activity.end_soon();
                    conversation.as_mut().graceful_shutdown();
                }
            }
        }
    }

    fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: Peer,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<> {
        let http2 = request.version() == Version::HTTP_2;
        let mut in_progress = activity.begin_request(http2);
        request.extensions_mut().insert(peer);
        let request = request.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            Body::new(Timely {
                body,
                read_to_end: false,
                activity: Arc::clone(activity),
                deadline: http2.then(|| Box::pin(sleep(self.limits.body))),
            })
        });
        let answer = self.router.call(request);
        async move {
            let answer = answer.await?;
            if in_progress.is_http2() {
                in_progress.set_unwanted(true);
            }
            Ok(answer.map(|body| Answer {
                body,
                rest: Bytes::new(),
                in_progress,
            }))
        }
    }
}

impl HttpBody for Timely {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.read_to_end = frame.is_none();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match &mut this.deadline {
            Some(deadline) => ready!(deadline.as_mut().poll(cx)),
            // Once it is given up, the connection asks again.
            None if this.activity.await_body() => return Poll::Pending,
            None => {}
        }
        Poll::Ready(Some(Err(BodyTimeout.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Timely {
    fn drop(&mut self) {
        let read_to_end = self.read_to_end || self.body.is_end_stream();
        self.activity.end_body(read_to_end);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut frame = if self.rest.is_empty() {
            Pin::new(&mut self.body).poll_frame(cx)
        } else {
            Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))))
        };
        if self.in_progress.is_http2() {
            self.in_progress.set_unwanted(frame.is_ready());
            if let Poll::Ready(Some(Ok(frame))) = &mut frame
                && let Some(data) = frame.data_mut()
                && data.len() > PIECE
            {
                self.rest = data.split_off(PIECE);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (of_body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Whether a request's body was refused because it took too long.
pub fn took_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<BodyTimeout>() {
            return true;
        }
        cause = error.source();
    }
    false
}
