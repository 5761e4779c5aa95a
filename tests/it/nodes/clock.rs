//! A clock that jumps by an hour, forth and back, and nodes whose clocks do not agree.

use std::time::Duration;

use serde_json::{Value, json};
use vinzy_events::Timestamp;

use crate::support::receiver::Receiver;
use crate::support::{TestApp, eventually, server_config, start_time};
use crate::webhooks::endpoint;

const HOUR: Duration = Duration::from_hours(1);

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// The times of all events, in the ledger's order.
async fn times(app: &TestApp) -> Vec<Timestamp> {
    let events = app.client.get("/ledger/events?limit=100").await.expect(200);
    let events = events["events"].as_array().unwrap().iter().rev();
    events.map(|event| time(&event["recorded_at"])).collect()
}

#[tokio::test]
async fn a_ledgers_time_never_goes_back_and_its_webhooks_do_not_wait_for_the_clock() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(
        &app.client,
        &receiver.url,
        json!({"event_types": ["usage.recorded"]}),
    )
    .await;
    let license = app.license().await;
    app.client.use_of(&license["key"], "calls", 1).await;
    app.advance(HOUR);
    app.client.use_of(&license["key"], "calls", 1).await;
    app.clock.set(start_time());
    app.client.use_of(&license["key"], "calls", 1).await;

    let times = times(&app).await;
    assert!(times.is_sorted(), "{times:?}");
    let ahead = Timestamp::from_micros(start_time().as_micros() + 3_600_000_000).unwrap();
    assert_eq!(times[times.len() - 2..], [ahead, ahead]);
    receiver.wait_for(3).await;

    // An hour later by the clock, time goes on.
    app.advance(HOUR + Duration::from_secs(1));
    app.client.use_of(&license["key"], "calls", 1).await;
    receiver.wait_for(4).await;
    app.finish().await;
}

#[tokio::test]
async fn leases_and_sessions_are_of_the_clock_as_it_is() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let ahead = |answer: &Value| time(&answer["lease"]["lease_expires_at"]);
    let first = ahead(&app.client.validate(&license["key"]).await);
    app.advance(HOUR);
    let later = ahead(&app.client.validate(&license["key"]).await);
    app.clock.set(start_time());
    let again = ahead(&app.client.validate(&license["key"]).await);
    assert_eq!(later.as_micros() - first.as_micros(), 3_600_000_000);
    assert_eq!(again, first, "no answer of the hour ahead is given again");
    app.finish().await;
}

#[tokio::test]
async fn rates_do_not_follow_the_clock() {
    let mut config = server_config();
    config.access.rate_limit_enabled = true;
    config.access.rate_limit_public_per_minute = 3;
    let app = TestApp::start_with(config).await;
    let ask = || async { app.client.ask("/validate", &json!({"key": "x"})).await.status };
    eventually("the rate is reached", || async { ask().await == 429 }).await;
    app.advance(HOUR);
    assert_eq!(ask().await, 429, "a jump forward refills nothing");
    app.clock.set(start_time());
    assert_eq!(ask().await, 429);
    app.finish().await;
}

#[tokio::test]
async fn a_sender_from_before_the_databases_clock_went_back_is_taken_for_gone() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(
        &app.client,
        &receiver.url,
        json!({"event_types": ["usage.recorded"]}),
    )
    .await;
    let license = app.license().await;
    app.client.use_of(&license["key"], "calls", 1).await;
    receiver.wait_for(1).await;
    eventually("that is noted", || async {
        app.database
            .count("SELECT count(*) FROM deliveries WHERE status = 'success'")
            .await
            == 1
    })
    .await;
    // Claimed by a node that has died since, when the database's clock was an hour ahead.
    let gone = "'00000000-0000-0000-0000-000000000001'";
    app.database
        .execute(&format!(
            "INSERT INTO delivery_workers (worker_id, alive_until) VALUES ({gone}, now() + interval '1 hour');
             UPDATE deliveries SET status = 'sending', worker_id = {gone}, finished_at = NULL,
                                   next_attempt_at = now() - interval '1 year'"
        ))
        .await;
    receiver.wait_for(2).await;
    app.finish().await;
}
