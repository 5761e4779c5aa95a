//! The wire contract by example: answers have the shape of those that older clients know.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Answer, Client, send};

/// Whether `answer` has everything that `example` has, with values of the same kind. It may have more.
pub(crate) fn has_shape(example: &Value, answer: &Value, place: &str) -> Result<(), String> {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => example.iter().try_for_each(|(name, value)| {
            let place = format!("{place}.{name}");
            has_shape(
                value,
                answer.get(name).ok_or_else(|| format!("{place} is missing"))?,
                &place,
            )
        }),
        (Value::Array(example), Value::Array(answer)) => match (example.first(), answer.first()) {
            (Some(example), Some(answer)) => has_shape(example, answer, &format!("{place}[0]")),
            (None, None) => Ok(()),
            _ => Err(format!("{place}: one list is empty, the other is not")),
        },
        // What is null in one may have a value in the other.
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (example, answer) if std::mem::discriminant(example) == std::mem::discriminant(answer) => Ok(()),
        (example, answer) => Err(format!("{place}: {answer} is not of the kind of {example}")),
    }
}

#[tokio::test]
async fn answers_have_the_shapes_that_older_clients_know() {
    let exchanges: Vec<Value> = serde_json::from_str(include_str!("vectors/exchanges.json")).unwrap();
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.customer("first@example.com").await;
    let new = json!({
        "product_code": "PRD", "customer_id": customer["id"], "machines_limit": 2,
        "entitlements": {"api_calls": {"limit": 10}},
    });
    let license = app.client.post("/licenses", &new).await.expect(201);
    app.license_of("PRD", &customer).await;
    app.client.validate(&license["key"]).await;
    let (mut anomaly, mut tenant) = (Value::Null, Value::Null);
    let other_key = app.app.key_ring.generate("PRD", [9; 15]);
    let (id, key) = (license["id"].as_str().unwrap(), license["key"].as_str().unwrap());
    let path = format!("/licenses/{id}");
    let operator = app.operator();

    for exchange in &exchanges {
        let name = exchange["name"].as_str().unwrap();
        if name.starts_with("webhook_") {
            // They need receivers: a test of their own.
            continue;
        }
        match name {
            "validate_when_suspended" => drop(
                app.client
                    .post_empty(&format!("{path}/suspend"))
                    .await
                    .expect(200),
            ),
            "validate_when_revoked" => {
                drop(app.client.post_empty(&format!("{path}/revoke")).await.expect(200));
            }
            // What happened between two of the recorded requests.
            "activate_limit" => {
                let machine = json!({"key": key, "fingerprint": "fp2"});
                app.client.post("/activate", &machine).await.expect(200);
            }
            "anomalies" => {
                for value in [10, 10, 10, 10, 1000] {
                    app.client.use_of(&license["key"], "anom", value).await;
                }
                anomaly = app.client.get(&format!("/anomalies/{id}")).await.expect(200)[0]["id"].clone();
            }
            // Another one lapses: this one is revoked by now.
            "validate_when_expired" => continue,
            _ => {}
        }
        // The recorded requests speak of records of their own; ours stand in for them.
        let mut request = exchange["request"].clone();
        if request["product_code"] == "PRD" || request["product_code"] == "NOP" {
            request["customer_id"] = customer["id"].clone();
        }
        if request["code"] == "PRD" {
            request["code"] = json!("NEW");
        }
        if request["email"] == "jane@example.com" {
            request["email"] = json!("jane.doe@example.com");
        }
        match name {
            _ if name.ends_with("_not_in_db") => request["key"] = json!(other_key.as_str()),
            _ if name.ends_with("_bad_key") || name == "validate_bad_format" => {}
            "validate_tampered_hmac" => {
                request["key"] = json!(key.replace(&key[8..9], if &key[8..9] == "A" { "B" } else { "A" }));
            }
            _ if request["key"].is_string() => request["key"] = json!(key),
            _ => {}
        }
        let recorded = exchange["path"].as_str().unwrap();
        let path = of_ours(
            recorded,
            [
                ("05789a4f-7a47-416f-9801-04470a60fe78", &license["id"]),
                ("e3e10a78-77bc-4b40-adaf-da38f09ee7fe", &customer["id"]),
                ("b0e2f88b-2e46-4c72-969a-bac97f68db88", &anomaly),
                ("5b1f3ebf-a208-4926-bfbc-8fc3619fc722", &tenant["id"]),
                ("PRD-AOVCT-XYMKT-7PAFI-22ULE-VFCST-ISMPD-OX7G5", &license["key"]),
            ],
        );
        let client = if path.starts_with("/tenants") {
            &operator
        } else {
            &app.client
        };
        let answer = ask(client, exchange["method"].as_str().unwrap(), &path, &request).await;
        assert_eq!(exchange["status"], answer.status, "{name}: {}", answer.body);
        if answer.status >= 400 {
            // Errors are problem documents now; `detail` stays a sentence where it was one.
            let problem = answer.into_problem();
            if exchange["response"]["detail"].is_string() {
                assert_eq!(exchange["response"]["detail"], problem["detail"], "{name}");
            }
        } else if answer.status != 204 {
            if name == "tenant_create" {
                tenant = answer.body.clone();
            }
            has_shape(&older(&exchange["response"]), &answer.body, name).unwrap();
            for member in ["success", "valid", "code", "message"] {
                // A product has a code, too, of another kind.
                let is_outcome = !name.starts_with("product");
                if let (true, Some(expected)) = (is_outcome, exchange["response"].get(member)) {
                    assert_eq!(expected, &answer.body[member], "{name}");
                }
            }
        }
    }
    app.finish().await;
}

/// A recorded path with our ids in place of those that were recorded.
pub(crate) fn of_ours<const N: usize>(recorded: &str, ids: [(&str, &Value); N]) -> String {
    ids.into_iter().fold(recorded.to_owned(), |path, (theirs, ours)| {
        path.replace(theirs, ours.as_str().unwrap_or_default())
    })
}

/// What of an older answer still holds: signatures of audit events were keyed hashes and are none now.
fn older(response: &Value) -> Value {
    let mut response = response.clone();
    for event in response.as_array_mut().into_iter().flatten() {
        if event.as_object_mut().unwrap().remove("signature").is_some() {
            event["detail"] = json!({});
        }
    }
    blank_own_data(&mut response);
    response
}

/// Features, overrides and metadata are the examples' own; only that they are there matters.
fn blank_own_data(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::Object(_) if ["features", "entitlements", "metadata"].contains(&name.as_str()) => {
                        *value = json!({});
                    }
                    value => blank_own_data(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank_own_data),
        _ => {}
    }
}

pub(crate) async fn ask(client: &Client, method: &str, path: &str, request: &Value) -> Answer {
    let method: Method = method.parse().unwrap();
    let public = [
        "/validate",
        "/activate",
        "/deactivate",
        "/heartbeat",
        "/usage/record",
        "/health",
    ];
    let builder = if public.iter().any(|public| path.starts_with(public)) {
        client.request(method, path)
    } else {
        client.authorized(method, path)
    };
    send(if request.is_null() {
        builder
    } else {
        builder.json(request)
    })
    .await
}
