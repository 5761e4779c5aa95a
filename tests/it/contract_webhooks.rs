//! The wire contract of webhooks by example.

use serde_json::{Value, json};

use crate::contract::{ask, has_shape, of_ours};
use crate::support::client::Client;
use crate::support::receiver::{Receiver, Reply};
use crate::support::{TestApp, eventually};

#[tokio::test]
async fn answers_about_webhooks_have_the_shapes_that_older_clients_know() {
    let exchanges: Vec<Value> = serde_json::from_str(include_str!("vectors/exchanges.json")).unwrap();
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let good = Receiver::start().await;
    let failing = Receiver::answering(|_| Reply::of(500)).await;
    let (mut endpoints, mut delivery) = (vec![], Value::Null);
    let mut seen = 0;
    for exchange in &exchanges {
        let name = exchange["name"].as_str().unwrap();
        if !name.starts_with("webhook_") {
            continue;
        }
        // What happened between two of the recorded requests.
        match name {
            "webhook_test" => drop(app.license_of("PRD", &customer).await),
            "webhook_deliveries" => drop(good.wait_for(2).await),
            "webhook_deliveries_failed" => delivery = failed_delivery(&app.client, &endpoints[1]).await,
            _ => {}
        }
        let mut request = exchange["request"].clone();
        match request["url"].as_str() {
            Some(url) if url.ends_with("/ok") => request["url"] = json!(good.url),
            Some(url) if url.ends_with("/fail") => request["url"] = json!(failing.url),
            _ => {}
        }
        let path = of_ours(
            exchange["path"].as_str().unwrap(),
            [
                (
                    "3f72f9dc-d56d-4304-8792-6d91b25d6852",
                    endpoints.first().unwrap_or(&Value::Null),
                ),
                (
                    "63d6fcff-4c74-4aa5-9590-83bd36077b8c",
                    endpoints.get(1).unwrap_or(&Value::Null),
                ),
                ("840e0d59-3071-4066-bb60-481256e37ea3", &delivery),
            ],
        );
        let answer = ask(&app.client, exchange["method"].as_str().unwrap(), &path, &request).await;
        assert_eq!(exchange["status"], answer.status, "{name}: {}", answer.body);
        seen += 1;
        match answer.status {
            422 => check_refusal(name, &answer.into_problem()),
            204 => {}
            _ => {
                if name.starts_with("webhook_create") {
                    endpoints.push(answer.body["id"].clone());
                }
                let mut expected = exchange["response"].clone();
                if name == "webhook_list" {
                    // The newest came first then; lists begin with the oldest now.
                    expected.as_array_mut().unwrap().reverse();
                }
                has_shape(&expected, &answer.body, name).unwrap();
            }
        }
    }
    assert_eq!(seen, 11);
    app.finish().await;
}

#[track_caller]
fn check_refusal(name: &str, problem: &Value) {
    let detail = problem["detail"].as_str().unwrap();
    let says = match name {
        "webhook_create_422_bad_event" => "invalid event type: nope. Valid types: ",
        _ => "16 to 256 characters",
    };
    assert!(detail.contains(says), "{detail}");
}

/// The id of the delivery that an endpoint has refused.
async fn failed_delivery(client: &Client, endpoint_id: &Value) -> Value {
    let id = endpoint_id.as_str().unwrap();
    let path = format!("/webhooks/{id}/deliveries?status=failed");
    eventually("a delivery has failed", async || {
        client.get(&path).await.header("x-total-count") == "1"
    })
    .await;
    client.get(&path).await.expect(200)[0]["id"].clone()
}
