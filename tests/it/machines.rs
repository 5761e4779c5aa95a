//! Machines: seats of a license.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::send;

fn path(license: &Value) -> String {
    format!("/licenses/{}", license["id"].as_str().unwrap())
}

async fn machines(app: &TestApp, license: &Value) -> Vec<Value> {
    let listed = app
        .client
        .get(&format!("{}/machines", path(license)))
        .await
        .expect(200);
    listed.as_array().unwrap().clone()
}

async fn heartbeat(app: &TestApp, license: &Value, fingerprint: &str, version: Option<&str>) -> Value {
    let body = json!({"key": license["key"], "fingerprint": fingerprint, "version": version});
    app.client.ask("/heartbeat", &body).await.expect(200)
}

async fn deactivate(app: &TestApp, license: &Value, fingerprint: &str) -> Value {
    let body = json!({"key": license["key"], "fingerprint": fingerprint});
    app.client.ask("/deactivate", &body).await.expect(200)
}

#[tokio::test]
async fn a_machine_takes_one_seat_and_gives_it_up() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = &license["key"];
    let body = json!({"key": key, "fingerprint": "fp-1", "hostname": "h1", "platform": "linux", "metadata": {"rack": 7}});
    let first = app.client.ask("/activate", &body).await.expect(200);
    assert_eq!(
        (&first["success"], &first["code"]),
        (&json!(true), &json!("ACTIVATED"))
    );
    assert_eq!(first["license"]["machines_used"], 1, "the license right after");
    assert_eq!(
        first["license"]["features"],
        json!(["agents", "api_calls", "export"])
    );
    let again = app.client.activate(key, "fp-1").await;
    assert_eq!(again["code"], "ALREADY_ACTIVATED");
    assert_eq!(again["machine_id"], first["machine_id"]);
    for fingerprint in ["fp-2", "fp-3"] {
        assert_eq!(app.client.activate(key, fingerprint).await["code"], "ACTIVATED");
    }
    let refused = app.client.activate(key, "fp-4").await;
    assert_eq!(
        (&refused["success"], &refused["code"]),
        (&json!(false), &json!("ACTIVATION_LIMIT"))
    );
    assert_eq!(refused["machine_id"], Value::Null);
    assert_eq!(
        app.client.activate(key, "fp-1").await["code"],
        "ALREADY_ACTIVATED",
        "whoever has a seat keeps it when all are taken"
    );

    let listed = machines(&app, &license).await;
    assert_eq!(listed.len(), 3);
    assert_eq!(
        listed[0],
        json!({
            "id": first["machine_id"], "license_id": license["id"], "fingerprint": "fp-1", "hostname": "h1",
            "platform": "linux", "version": null, "metadata": {"rack": 7},
            "activated_at": "2026-03-01T12:00:00.000000Z", "last_heartbeat_at": null,
        })
    );
    assert_eq!(
        app.client.get(&path(&license)).await.expect(200)["machines_used"],
        3
    );
    assert_eq!(
        app.client.get("/licenses").await.expect(200)[0]["machines_used"],
        3
    );
    assert_eq!(app.client.validate(key).await["license"]["machines_used"], 3);

    assert_eq!(deactivate(&app, &license, "fp-2").await["success"], true);
    assert_eq!(deactivate(&app, &license, "fp-2").await["success"], false);
    let taken = app.client.activate(key, "fp-4").await;
    assert_eq!(taken["code"], "ACTIVATED", "the seat was free at once");
    let back = app.client.activate(key, "fp-2").await;
    assert_eq!(back["code"], "ACTIVATION_LIMIT");
    let left: Vec<Value> = machines(&app, &license)
        .await
        .iter()
        .map(|one| one["fingerprint"].clone())
        .collect();
    assert_eq!(left, ["fp-1", "fp-3", "fp-4"]);
    app.finish().await;
}

#[tokio::test]
async fn the_vendor_takes_a_seat_away() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let activated = app.client.activate(&license["key"], "fp-1").await;
    let machine = format!(
        "{}/machines/{}",
        path(&license),
        activated["machine_id"].as_str().unwrap()
    );
    assert_eq!(app.client.delete(&machine).await.status, 204);
    app.client
        .delete(&machine)
        .await
        .expect_problem(404, "MACHINE_NOT_FOUND");
    assert!(machines(&app, &license).await.is_empty());
    assert_eq!(heartbeat(&app, &license, "fp-1", None).await["code"], "NOT_FOUND");
    let other = app
        .license_of("PRD", &app.customer("other@example.com").await)
        .await;
    let of_other = app.client.activate(&other["key"], "fp-1").await;
    let crossed = format!(
        "{}/machines/{}",
        path(&license),
        of_other["machine_id"].as_str().unwrap()
    );
    app.client
        .delete(&crossed)
        .await
        .expect_problem(404, "MACHINE_NOT_FOUND");
    for odd in ["x", "0197f0a2-0000-7000-8000-000000000000"] {
        let odd = format!("{}/machines/{odd}", path(&license));
        app.client
            .delete(&odd)
            .await
            .expect_problem(404, "MACHINE_NOT_FOUND");
    }
    app.client
        .get("/licenses/0197f0a2-0000-7000-8000-000000000000/machines")
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn a_license_that_is_not_in_force_takes_nothing_but_lets_go() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = &license["key"];
    for fingerprint in ["fp-1", "fp-2", "fp-3"] {
        app.client.activate(key, fingerprint).await;
    }
    let expect = async |code: &str, message: &str| {
        for (path, body) in [
            ("/activate", json!({"key": key, "fingerprint": "fp-1"})),
            ("/activate", json!({"key": key, "fingerprint": "fp-new"})),
            ("/heartbeat", json!({"key": key, "fingerprint": "fp-1"})),
            ("/usage/record", json!({"key": key, "metric": "calls"})),
        ] {
            let answer = app.client.ask(path, &body).await.expect(200);
            assert_eq!(
                (&answer["success"], &answer["code"], &answer["message"]),
                (&json!(false), &json!(code), &json!(message)),
                "{path} {body}"
            );
        }
    };
    app.client
        .post_empty(&format!("{}/suspend", path(&license)))
        .await
        .expect(200);
    expect("SUSPENDED", "License is suspended").await;
    assert_eq!(deactivate(&app, &license, "fp-3").await["success"], true);
    app.client
        .post_empty(&format!("{}/reinstate", path(&license)))
        .await
        .expect(200);
    assert_eq!(
        app.client.activate(key, "fp-1").await["code"],
        "ALREADY_ACTIVATED"
    );
    app.advance(Duration::from_hours(366 * 24));
    expect("EXPIRED", "License has expired").await;
    assert_eq!(deactivate(&app, &license, "fp-2").await["success"], true);
    let renewed = json!({"expires_at": null});
    app.client.patch(&path(&license), &renewed).await.expect(200);
    assert_eq!(heartbeat(&app, &license, "fp-1", None).await["code"], "OK");
    app.client
        .post_empty(&format!("{}/revoke", path(&license)))
        .await
        .expect(200);
    expect("SUSPENDED", "License has been revoked").await;
    assert_eq!(deactivate(&app, &license, "fp-1").await["success"], true);
    assert_eq!(app.client.delete(&path(&license)).await.status, 204);
    expect("NOT_FOUND", "License not found").await;
    let gone = json!({"key": key, "fingerprint": "fp-1"});
    app.client
        .ask("/deactivate", &gone)
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn a_limit_that_is_lowered_takes_no_seat_away_and_gives_none() {
    let app = TestApp::start().await;
    let license = app.license().await;
    for fingerprint in ["fp-1", "fp-2", "fp-3"] {
        app.client.activate(&license["key"], fingerprint).await;
    }
    let lower = json!({"machines_limit": 1});
    let changed = app.client.patch(&path(&license), &lower).await.expect(200);
    assert_eq!(
        (&changed["machines_limit"], &changed["machines_used"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(heartbeat(&app, &license, "fp-3", None).await["code"], "OK");
    for fingerprint in ["fp-1", "fp-2"] {
        deactivate(&app, &license, fingerprint).await;
        assert_eq!(
            app.client.activate(&license["key"], "fp-new").await["code"],
            "ACTIVATION_LIMIT"
        );
    }
    deactivate(&app, &license, "fp-3").await;
    assert_eq!(
        app.client.activate(&license["key"], "fp-new").await["code"],
        "ACTIVATED"
    );
    app.client
        .patch(&path(&license), &json!({"machines_limit": null}))
        .await
        .expect(200);
    for number in 0..20 {
        let activated = app
            .client
            .activate(&license["key"], &format!("more-{number}"))
            .await;
        assert_eq!(activated["code"], "ACTIVATED");
    }
    app.finish().await;
}

#[tokio::test]
async fn heartbeats_are_noted_once_a_minute_and_with_every_new_version() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.client.activate(&license["key"], "fp-1").await;
    let noted = async || {
        let trail = format!(
            "/audit/{}?event_type=activation.heartbeat",
            license["id"].as_str().unwrap()
        );
        let count = app.client.get(&trail).await.expect(200).as_array().unwrap().len();
        let machine = machines(&app, &license).await.remove(0);
        (
            count,
            machine["last_heartbeat_at"].clone(),
            machine["version"].clone(),
        )
    };
    assert_eq!(
        heartbeat(&app, &license, "fp-1", Some("1.0")).await,
        json!({
            "success": true, "code": "OK", "message": "Heartbeat recorded",
        })
    );
    let first = json!("2026-03-01T12:00:00.000000Z");
    assert_eq!(noted().await, (1, first.clone(), json!("1.0")));
    app.advance(Duration::from_secs(59));
    heartbeat(&app, &license, "fp-1", Some("1.0")).await;
    heartbeat(&app, &license, "fp-1", None).await;
    assert_eq!(noted().await, (1, first, json!("1.0")));
    heartbeat(&app, &license, "fp-1", Some("1.1")).await;
    let second = json!("2026-03-01T12:00:59.000000Z");
    assert_eq!(noted().await, (2, second, json!("1.1")));
    app.advance(Duration::from_mins(1));
    heartbeat(&app, &license, "fp-1", None).await;
    let third = json!("2026-03-01T12:01:59.000000Z");
    assert_eq!(noted().await, (3, third, json!("1.1")), "what is not said stays");
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_activation_gives_the_first_answer() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let ask = async |key: &str, fingerprint: &str| {
        let body = json!({"key": license["key"], "fingerprint": fingerprint});
        let request = app.client.request(Method::POST, "/activate");
        send(request.header("Idempotency-Key", key).json(&body)).await
    };
    let first = ask("k1", "fp-1").await.expect(200);
    app.client.activate(&license["key"], "fp-2").await;
    app.client.activate(&license["key"], "fp-3").await;
    assert_eq!(ask("k1", "fp-1").await.expect(200), first, "as it was then");
    ask("k1", "fp-2")
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(ask("k2", "fp-4").await.expect(200)["code"], "ACTIVATION_LIMIT");
    deactivate(&app, &license, "fp-1").await;
    assert_eq!(
        ask("k2", "fp-4").await.expect(200)["code"],
        "ACTIVATED",
        "a refusal is not remembered"
    );
    assert_eq!(
        ask("k1", "fp-1").await.expect(200),
        first,
        "and it takes no seat again"
    );
    assert_eq!(
        app.client.get(&path(&license)).await.expect(200)["machines_used"],
        3
    );
    app.finish().await;
}

#[tokio::test]
async fn odd_machines_are_taken_or_refused_with_reasons() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.client
        .patch(&path(&license), &json!({"machines_limit": null}))
        .await
        .expect(200);
    let key = &license["key"];
    let ask = async |body: Value| app.client.ask("/activate", &body).await;
    for fingerprint in [
        "🔑".repeat(255).as_str(),
        "x",
        " ",
        "'; DROP TABLE machines;--",
        "a/b?c=d&e#f",
        "\u{202e}\r\n\t",
    ] {
        let answer = ask(json!({"key": key, "fingerprint": fingerprint}))
            .await
            .expect(200);
        assert_eq!(answer["code"], "ACTIVATED", "{fingerprint}");
        let again = ask(json!({"key": key, "fingerprint": fingerprint}))
            .await
            .expect(200);
        assert_eq!(again["machine_id"], answer["machine_id"]);
        let listed = app
            .client
            .authorized(Method::GET, &format!("{}/machines", path(&license)));
        let listed = send(listed.query(&[("fingerprint", fingerprint)]))
            .await
            .expect(200);
        assert_eq!(
            (listed.as_array().unwrap().len(), &listed[0]["fingerprint"]),
            (1, &json!(fingerprint))
        );
    }
    let good = json!({
        "key": key, "fingerprint": "full", "hostname": "ü".repeat(255), "platform": "🐧".repeat(255),
        "metadata": {"deep": [[[{"a": [1e308, 1e-20, 0.1]}]]], "emoji 🔑": "\u{7f}"},
    });
    ask(good.clone()).await.expect(200);
    let listed = app
        .client
        .get(&format!("{}/machines?fingerprint=full", path(&license)))
        .await
        .expect(200);
    for member in ["hostname", "platform", "metadata"] {
        assert_eq!(listed[0][member], good[member]);
    }
    for (body, fields) in [
        (json!({}), vec!["fingerprint", "key"]),
        (json!({"key": key, "fingerprint": ""}), vec!["fingerprint"]),
        (
            json!({"key": key, "fingerprint": "🔑".repeat(256)}),
            vec!["fingerprint"],
        ),
        (
            json!({"key": key, "fingerprint": 7, "hostname": [], "platform": {}, "metadata": "x"}),
            vec!["fingerprint", "hostname", "metadata", "platform"],
        ),
        (
            json!({"key": key, "fingerprint": "f", "hostname": "x".repeat(256), "platform": "x".repeat(256)}),
            vec!["hostname", "platform"],
        ),
        (json!({"key": key, "fingerprint": "NUL \u{0}"}), vec!["body"]),
        (json!({"key": "x".repeat(1001), "fingerprint": "f"}), vec!["key"]),
    ] {
        let problem = ask(body.clone()).await.expect_problem(422, "VALIDATION_ERROR");
        let mut told: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        told.sort_unstable();
        assert_eq!(told, fields, "{body}");
    }
    // What a body can hold and an event cannot.
    let vast = json!({"key": key, "fingerprint": "vast", "metadata": {"a": "\u{1}".repeat(10_900)}});
    ask(vast).await.expect_problem(422, "VALIDATION_ERROR");
    for typed in [
        format!("  {}\n", key.as_str().unwrap().to_lowercase()),
        key.as_str().unwrap().to_owned(),
    ] {
        assert_eq!(
            app.client.activate(&json!(typed), "x").await["code"],
            "ALREADY_ACTIVATED"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn many_machines_are_listed_page_by_page() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.client
        .patch(&path(&license), &json!({"machines_limit": null}))
        .await
        .expect(200);
    for number in 0..25 {
        app.client
            .activate(&license["key"], &format!("fp-{number:02}"))
            .await;
    }
    let mut next = format!("{}/machines?page_size=10", path(&license));
    let mut seen = vec![];
    loop {
        let answer = app.client.get(&next).await;
        assert_eq!(answer.header("x-total-count"), "25");
        let further = answer.next_page();
        seen.extend(
            answer
                .expect(200)
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["fingerprint"].as_str().unwrap().to_owned()),
        );
        let Some(further) = further else { break };
        next = further;
        // Machines that leave meanwhile neither hide nor repeat others.
        let gone = format!("fp-{:02}", seen.len() - 1);
        deactivate(&app, &license, &gone).await;
        app.client.activate(&license["key"], &gone).await;
    }
    let expected: Vec<String> = (0..25)
        .map(|number| format!("fp-{number:02}"))
        .chain(["fp-09".into(), "fp-19".into()])
        .collect();
    assert_eq!(seen, expected, "those that came back stand at the end");
    app.finish().await;
}
