use serde_json::json;

use super::*;
use crate::support::node::Node;

#[tokio::test]
async fn a_stream_goes_on_and_is_taken_up_where_it_was() {
    let app = TestApp::start().await;
    app.license().await;
    let last = head(&app.client).await;
    let mut stream = Stream::open(&app.client, "/events", None).await;
    assert!(stream.block().await.unwrap().contains("retry: "));
    let all_of_it: Vec<u64> = (0..=last).collect();
    assert_eq!(stream.positions(all_of_it.len()).await, all_of_it);
    app.product("AAA").await;
    let (id, event) = stream.event().await.unwrap();
    assert_eq!((id, &event["event_type"]), (last + 1, &json!("product.created")));
    assert_eq!(
        event,
        all(&app.client).await["events"][usize::try_from(id).unwrap()]
    );
    drop(stream);

    app.product("BBB").await;
    // `Last-Event-ID` goes before what the URL said at first.
    let mut again = Stream::open(&app.client, "/events?after=0", Some(last + 1)).await;
    assert_eq!(again.positions(1).await, [last + 2]);
    let mut latest = Stream::open(&app.client, "/events?after=latest&types=product.*", None).await;
    until_there_are(&app, 2).await;
    app.customer("john@example.com").await;
    app.product("CCC").await;
    assert_eq!(latest.positions(1).await, [last + 4]);
    assert_eq!(again.positions(2).await, [last + 3, last + 4]);
    drop((again, latest));
    until_there_are(&app, 0).await;
    app.finish().await;
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_lives_and_what_it_has_left_out() {
    let app = TestApp::start().await;
    app.license().await;
    let last = head(&app.client).await;
    let mut stream = Stream::open(&app.client, "/events?types=anomaly.*", None).await;
    stream.block().await.unwrap();
    let sign_of_life = stream.block().await.unwrap();
    assert_eq!(sign_of_life, format!(":\nid: {last}"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_on_every_node_have_every_event_once() {
    let database = crate::support::database::TestDatabase::create().await;
    let nodes = [1, 2].map(|_| Node::on_database(&database.url()));
    let license = nodes[0].client.license().await;
    let mut streams = vec![];
    for node in &nodes {
        streams.push(Stream::open(&node.client, "/events", None).await);
    }
    let mut writers = tokio::task::JoinSet::new();
    for (at, node) in nodes.iter().cycle().take(4).enumerate() {
        let (client, key) = (node.client.clone(), license["key"].clone());
        writers.spawn(async move {
            for value in 1..=20 {
                client.use_of(&key, &format!("m{at}"), value).await;
            }
        });
    }
    writers.join_all().await;
    let last = head(&nodes[0].client).await;
    let expected: Vec<u64> = (0..=last).collect();
    for mut stream in streams {
        assert_eq!(stream.positions(expected.len()).await, expected);
    }
    for node in nodes {
        assert!(node.terminate().success());
    }
    database.drop().await;
}

#[tokio::test]
async fn a_revoked_key_hears_no_more() {
    let app = TestApp::start().await;
    let key = app.client.api_key(&["read"]).await;
    let reader = app.client.with_key(&key["api_key"]);
    let mut stream = Stream::open(&reader, "/events?after=latest", None).await;
    stream.block().await.unwrap();
    let waiting = ask(&reader, "/events?after=latest&wait=30&types=product.*");
    until_there_are(&app, 2).await;
    let path = format!("/api-keys/{}", key["id"].as_str().unwrap());
    app.client.delete(&path).await.expect(204);

    let revoked = std::time::Instant::now();
    let mut codes = ('A'..='Z').map(|letter| letter.to_string());
    let ended = tokio::spawn(async move { while stream.block().await.is_some() {} });
    // Events go on being recorded, and soon the stream must end with one of them.
    while !ended.is_finished() {
        app.product(&codes.next().expect("the stream must have ended"))
            .await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    ended.await.unwrap();
    assert!(
        revoked.elapsed() < Duration::from_secs(10),
        "{:?}",
        revoked.elapsed()
    );
    waiting.await.unwrap().expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}

#[tokio::test]
async fn a_session_that_ends_hears_no_more() {
    let app = TestApp::start().await;
    let login = app.client.request(Method::POST, "/session");
    let key = json!({"api_key": crate::support::ADMIN_KEY});
    let answer = crate::support::client::send(login.json(&key)).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let request = app.client.request(Method::GET, "/events?after=latest&wait=30");
    let waiting = tokio::spawn(crate::support::client::send(request.header("Cookie", &cookie)));
    until_there_are(&app, 1).await;
    let logout = app
        .client
        .request(Method::DELETE, "/session")
        .header("Cookie", &cookie);
    assert!(logout.send().await.unwrap().status().is_success());
    app.product("PRD").await;
    waiting.await.unwrap().expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}

#[tokio::test]
async fn a_server_that_stops_ends_streams_and_answers_who_waits() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(&app.client, "/events?after=latest", None).await;
    stream.block().await.unwrap();
    let waiting = ask(&app.client, "/events?after=latest&wait=30");
    until_there_are(&app, 2).await;
    let began = std::time::Instant::now();
    let database = app.stop().await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(stream.block().await, None);
    let page = waiting.await.unwrap().expect(200);
    assert_eq!(positions(&page), [0; 0]);
    database.drop().await;
}
