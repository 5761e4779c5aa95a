use serde_json::json;

use super::*;
use crate::support::node::Node;
use crate::support::server_config;

#[tokio::test]
async fn a_key_has_so_many_streams_at_a_time() {
    let app = TestApp::start().await;
    let mut streams = vec![];
    for _ in 0..16 {
        streams.push(Stream::open(&app.client, "/events?after=latest", None).await);
    }
    let answer = app.client.get("/events").await;
    assert_eq!(answer.header("retry-after"), "5");
    answer.expect_problem(429, "TOO_MANY_READERS");
    // Another key has places of its own.
    let other = app.client.api_key(&["read"]).await;
    app.client
        .with_key(&other["api_key"])
        .get("/events")
        .await
        .expect(200);
    streams.pop();
    until_there_are(&app, 15).await;
    app.client.get("/events").await.expect(200);
    drop(streams);
    until_there_are(&app, 0).await;
    app.finish().await;
}

#[tokio::test]
async fn who_waits_takes_no_room_from_who_works() {
    let mut config = server_config();
    config.access.max_concurrent_requests = 1;
    let app = TestApp::start_with(config).await;
    let _stream = Stream::open(&app.client, "/events?after=latest", None).await;
    let waiting = ask(&app.client, "/events?after=latest&wait=30");
    until_there_are(&app, 2).await;
    app.product("PRD").await;
    assert_eq!(types(&waiting.await.unwrap().expect(200)), ["product.created"]);
    app.finish().await;
}

/// Time-outs of one second, as far as they go.
const IMPATIENT: [(&str, &str); 4] = [
    ("VINZY_HEADER_TIMEOUT", "1"),
    ("VINZY_BODY_TIMEOUT", "1"),
    ("VINZY_WRITE_TIMEOUT", "1"),
    ("VINZY_IDLE_TIMEOUT", "1"),
];

/// A stream over HTTP/1.1 or HTTP/2.
async fn open(node: &Node, http2: bool) -> Stream {
    let builder = reqwest::Client::builder();
    let builder = if http2 {
        builder.http2_prior_knowledge()
    } else {
        builder
    };
    let request = builder
        .build()
        .unwrap()
        .get(format!("{}/events?after=latest", node.client.base));
    let request = request
        .header("Accept", "text/event-stream")
        .header("X-Vinzy-Api-Key", crate::support::ADMIN_KEY);
    Stream {
        response: request.send().await.unwrap(),
        text: String::new(),
    }
}

#[tokio::test]
async fn silence_is_no_reason_to_be_cut_off() {
    let database = crate::support::database::TestDatabase::create().await;
    let node = Node::on_database_with(&database.url(), &IMPATIENT);
    let mut streams = [open(&node, false).await, open(&node, true).await];
    for stream in &mut streams {
        stream.block().await.unwrap();
    }
    let began = std::time::Instant::now();
    let page = node.client.get("/events?after=latest&wait=4").await.expect(200);
    assert_eq!(positions(&page), [0; 0]);
    assert!(began.elapsed() >= Duration::from_secs(4));
    node.client.product("PRD").await;
    for stream in &mut streams {
        let (_, event) = stream.event().await.unwrap();
        assert_eq!(event["event_type"], "product.created");
    }
    assert!(node.terminate().success());
    for mut stream in streams {
        assert_eq!(stream.block().await, None);
    }
    database.drop().await;
}

/// The number of those who read, as the metrics have it.
async fn readers(node: &Node) -> String {
    let metrics = node.client.get_anonymously("/metrics").await.expect(200);
    let text = metrics.as_str().unwrap().to_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("vinzy_event_readers "));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_can_take_it_up_again() {
    let database = crate::support::database::TestDatabase::create().await;
    let node = Node::on_database_with(&database.url(), &IMPATIENT);
    node.client.product("PRD").await;
    let customer = node.client.customer("jane@example.com").await;
    let mut deaf = [open(&node, false).await, open(&node, true).await];
    // More than the buffers on the way hold.
    let license =
        json!({"product_code": "PRD", "customer_id": customer["id"], "metadata": {"x": "y".repeat(50_000)}});
    for _ in 0..200 {
        node.client.post("/licenses", &license).await.expect(201);
    }
    eventually("both are cut off", || async { readers(&node).await == "0" }).await;
    for stream in &mut deaf {
        let mut last = 0;
        loop {
            match timeout(SOON, stream.response.chunk()).await.unwrap() {
                Ok(Some(_)) => last += 1,
                Ok(None) => panic!("the stream ended as if it were over"),
                Err(_) => break,
            }
        }
        assert!(last > 0);
    }
    let mut again = Stream::open(&node.client, "/events?types=license.created", Some(2)).await;
    assert_eq!(again.positions(200).await.len(), 200);
    drop(again);
    assert!(node.terminate().success());
    database.drop().await;
}
