//! Events as they come: `text/event-stream`, as the HTML standard has it.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use tokio::time::Instant;
use vinzy_projections::StoredEvent;

use crate::app::App;
use crate::event_feed::{Read, Reader, feed_event_of};
use crate::http::subscriber::Subscriber;

/// Events that are read at a time: what a reader that is slow costs in memory, at most.
const AT_A_TIME: u32 = 100;
/// How often a stream without events says that it is alive: more often than proxies lose patience.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// For how long a key that was looked at is good for.
const TRUST: Duration = Duration::from_secs(2);
/// Also says how soon a reader should come again when the stream has ended.
const GREETING: &str = ": events of the ledger\nretry: 2000\n\n";

struct Streaming {
    app: App,
    subscriber: Subscriber,
    reader: Reader,
    /// When the key was looked at.
    checked: Instant,
    /// Where the reader of the stream would go on.
    told: u64,
    greeted: bool,
}

/// The answer that goes on until the server ends, or the key does.
pub(super) fn stream(app: App, subscriber: Subscriber, reader: Reader) -> Response {
    let streaming = Streaming {
        app,
        subscriber,
        told: reader.next(),
        reader,
        checked: Instant::now(),
        greeted: false,
    };
    let pieces = unfold(streaming, |mut streaming| async {
        let piece = streaming.next().await?;
        Some((Ok::<_, Infallible>(piece), streaming))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // Proxies that gather answers before they pass them on are asked not to.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

impl Streaming {
    /// The next piece of the stream; `None` at its end. Nothing is read before the piece of before was taken.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(GREETING.into());
        }
        let read = self.reader.read(AT_A_TIME, Instant::now() + HEARTBEAT).await;
        let Read { events, .. } = read
            .inspect_err(|error| tracing::warn!(%error, "a stream of events ends"))
            .ok()?;
        if events.is_empty() && self.app.event_feed.has_ended() {
            return None;
        }
        if events.is_empty() || self.checked.elapsed() >= TRUST {
            // Why they may not is for their next request to hear: a stream can only end.
            self.subscriber.check(&self.app).await.ok()?;
            self.checked = Instant::now();
        }
        self.write(&events)
    }

    fn write(&mut self, events: &[StoredEvent]) -> Option<Bytes> {
        let mut text = String::new();
        for stored in events {
            let event = feed_event_of(stored)
                .inspect_err(|error| {
                    tracing::error!(position = stored.position, %error, "a stream of events ends at one that cannot be read");
                })
                .ok()?;
            let json = serde_json::to_string(&event).ok()?;
            text.push_str(&format!("id: {}\ndata: {json}\n\n", stored.position));
            self.told = stored.position + 1;
        }
        if text.is_empty() {
            text.push_str(":\n");
            // What was looked at and filtered out need not be looked at again.
            if self.reader.next() > self.told {
                self.told = self.reader.next();
                text.push_str(&format!("id: {}\n", self.told - 1));
            }
            text.push('\n');
        }
        Some(text.into())
    }
}
