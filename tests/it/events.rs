//! The feed of events: gapless for whoever pulls, soon for whoever waits, and for those only who may read.

mod crowds;
mod following;
mod pulling;

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::client::{Answer, Client};
use crate::support::{TestApp, eventually};

/// Long enough for whatever must happen at all.
const SOON: Duration = Duration::from_secs(30);

fn positions(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events.iter().map(position).collect()
}

fn position(event: &Value) -> u64 {
    event["ledger"]["position"].as_u64().unwrap()
}

fn types(page: &Value) -> Vec<&str> {
    let events = page["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["event_type"].as_str().unwrap())
        .collect()
}

/// All there is in the ledger up to now.
async fn all(client: &Client) -> Value {
    client.get("/events?limit=1000").await.expect(200)
}

/// The position of the last event.
async fn head(client: &Client) -> u64 {
    let page = client.get("/events?after=latest").await.expect(200);
    page["next_after"].as_u64().unwrap()
}

async fn until_there_are(app: &TestApp, readers: usize) {
    let feed = &app.app.event_feed;
    eventually("so many read", || async move { feed.readers() == readers }).await;
}

/// A request that is under way.
fn ask(client: &Client, path: &str) -> tokio::task::JoinHandle<Answer> {
    let (client, path) = (client.clone(), path.to_owned());
    tokio::spawn(async move { client.get(&path).await })
}

/// An answer that does not end.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(client: &Client, path: &str, last_event_id: Option<u64>) -> Self {
        let mut request = client
            .authorized(Method::GET, path)
            .header("Accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next block of lines, which must come soon; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block = self.text.drain(..end + 2).collect::<String>();
                return Some(block.trim_end().to_owned());
            }
            let chunk = timeout(SOON, self.response.chunk())
                .await
                .expect("something must come");
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The next event with its id; `None` at the end.
    async fn event(&mut self) -> Option<(u64, Value)> {
        loop {
            let block = self.block().await?;
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let (Some(id), Some(data)) = (line("id: "), line("data: ")) {
                return Some((id.parse().unwrap(), serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// The positions of the next events.
    async fn positions(&mut self, count: usize) -> Vec<u64> {
        let mut positions = vec![];
        while positions.len() < count {
            let (id, event) = self.event().await.unwrap();
            assert_eq!(id, position(&event));
            positions.push(id);
        }
        positions
    }
}
