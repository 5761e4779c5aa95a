//! The ledger's events from the newest on.

use serde_json::{Value, json};
use vinzy_projections::event_log::{Look, Looked, newest, newest_of_stream};

use crate::support::TestApp;
use crate::support::client::Client;

async fn ask(client: &Client, query: &str) -> Value {
    client.get(&format!("/ledger/events?{query}")).await.expect(200)
}

/// All events that a question is about, page by page.
async fn all(client: &Client, query: &str) -> Vec<Value> {
    let mut page = ask(client, query).await;
    let mut events = page["events"].as_array().unwrap().clone();
    while let Some(before) = page["next_before"].as_u64() {
        page = ask(client, &format!("{query}&before={before}")).await;
        events.extend(page["events"].as_array().unwrap().clone());
    }
    events
}

fn positions(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event["position"].as_u64().unwrap())
        .collect()
}

/// A license that is used, suspended and reinstated; gives it.
async fn lived(app: &TestApp) -> Value {
    let license = app.license().await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    for value in 1..=3 {
        app.client.use_of(&license["key"], "calls/in", value).await;
        app.client
            .post_empty(&format!("{path}/suspend"))
            .await
            .expect(200);
        app.client
            .post_empty(&format!("{path}/reinstate"))
            .await
            .expect(200);
    }
    license
}

#[tokio::test]
async fn events_are_shown_as_they_stand_in_the_ledger() {
    let app = TestApp::start().await;
    let license = lived(&app).await;
    let events = all(&app.client, "limit=3").await;
    let size = ask(&app.client, "limit=1").await["size"].as_u64().unwrap();
    assert_eq!(positions(&events), (0..size).rev().collect::<Vec<_>>());
    for event in &events {
        let position = &event["position"];
        let one = app
            .client
            .get(&format!("/ledger/events/{position}"))
            .await
            .expect(200);
        assert_eq!(one, *event);
        let proof = app
            .client
            .get(&format!("/ledger/proof/inclusion?position={position}"))
            .await
            .expect(200);
        assert_eq!(proof["event_hash"], event["event_hash"]);
        let receipt = app
            .client
            .get(&format!("/ledger/receipt/{position}"))
            .await
            .expect(200);
        let leaf = data_encoding::BASE64
            .decode(receipt["leaf"].as_str().unwrap().as_bytes())
            .unwrap();
        let leaf: Value = serde_json::from_slice(&leaf).unwrap();
        assert_eq!(leaf["payload"], event["data"]);
        assert_eq!(
            (&leaf["event_id"], &leaf["type"]),
            (&event["event_id"], &event["event_type"])
        );
        assert_eq!(leaf["recorded_at"], event["recorded_at"]);
    }
    for pair in events.windows(2) {
        assert_eq!(pair[0]["prev_hash"], pair[1]["event_hash"]);
    }
    let first = events.last().unwrap();
    assert_eq!(
        (&first["event_type"], &first["prev_hash"]),
        (&json!("ledger.opened"), &Value::Null)
    );
    let newest = &events[0];
    assert_eq!(newest["event_type"], "license.reinstated");
    assert_eq!(
        newest["stream"],
        json!({"type": "license", "id": license["id"], "seq": 7})
    );
    assert_eq!(
        (&newest["actor"], &newest["actor_name"]),
        (&json!("admin"), &Value::Null)
    );
    assert!(
        !json!(events).to_string().contains("jane@example.com"),
        "personal data are sealed"
    );
    app.finish().await;
}

#[tokio::test]
async fn events_are_filtered_by_type_and_stream() {
    let app = TestApp::start().await;
    let license = lived(&app).await;
    let events = all(&app.client, "limit=100").await;
    let id = license["id"].as_str().unwrap();
    let meter = format!("{id}/calls/in");
    let of_type = |begin: &str| -> Vec<Value> {
        let matches = |event: &&Value| event["event_type"].as_str().unwrap().starts_with(begin);
        events.iter().filter(matches).cloned().collect()
    };
    let of_stream = |id: &str| -> Vec<Value> {
        let matches = |event: &&Value| event["stream"]["id"] == id;
        events.iter().filter(matches).cloned().collect()
    };
    assert_eq!(
        (
            of_type("license.").len(),
            of_stream(id).len(),
            of_stream(&meter).len()
        ),
        (7, 7, 3)
    );
    for limit in [1, 2, 100] {
        let asked = async |query: &str| all(&app.client, &format!("limit={limit}&{query}")).await;
        assert_eq!(asked("types=license.*").await, of_type("license."));
        assert_eq!(
            asked("types=license.suspended").await,
            of_type("license.suspended")
        );
        assert_eq!(
            asked("types=customer.created,customer.erased").await,
            of_type("customer.created")
        );
        assert_eq!(asked("types=*").await, events);
        assert_eq!(asked(&format!("stream_id={id}")).await, of_stream(id));
        assert_eq!(asked(&format!("stream_id={meter}")).await, of_stream(&meter));
        assert_eq!(
            asked(&format!("stream_id={id}&types=license.suspended")).await,
            of_type("license.suspended")
        );
        assert_eq!(
            asked(&format!("stream_id={id}&types=usage.*")).await,
            [] as [Value; 0]
        );
        assert_eq!(asked("stream_id=nobodys").await, [] as [Value; 0]);
    }
    let before = events[2]["position"].as_u64().unwrap();
    for query in ["", "&types=*", &format!("&stream_id={id}")] {
        let page = ask(&app.client, &format!("before={before}&limit=100{query}")).await;
        let positions = positions(page["events"].as_array().unwrap());
        assert!(
            !positions.is_empty() && positions.iter().all(|position| *position < before),
            "{query}"
        );
    }
    let nothing = ask(&app.client, "before=0").await;
    assert_eq!(
        (&nothing["events"], &nothing["next_before"]),
        (&json!([]), &Value::Null)
    );
    let beyond = ask(&app.client, "before=999999&limit=100").await;
    assert_eq!(beyond["events"], json!(events));
    app.finish().await;
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_events_are_recorded() {
    let app = TestApp::start().await;
    let license = lived(&app).await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let query = format!("limit=2&stream_id={}", license["id"].as_str().unwrap());
    for query in ["limit=2", &query, "limit=2&types=license.*"] {
        let before = all(&app.client, query).await;
        let mut page = ask(&app.client, query).await;
        let mut events = page["events"].as_array().unwrap().clone();
        while let Some(before) = page["next_before"].as_u64() {
            app.client
                .post_empty(&format!("{path}/suspend"))
                .await
                .expect(200);
            app.client
                .post_empty(&format!("{path}/reinstate"))
                .await
                .expect(200);
            page = ask(&app.client, &format!("{query}&before={before}")).await;
            events.extend(page["events"].as_array().unwrap().clone());
        }
        assert_eq!(events, before, "{query}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_is_rare_takes_several_looks() {
    let app = TestApp::start().await;
    let license = lived(&app).await;
    let id = license["id"].as_str().unwrap();
    let size = ask(&app.client, "").await["size"].as_u64().unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    for (types, stream_id) in [
        ("product.created", None),
        ("license.suspended", None),
        ("license.created", Some(id)),
        ("license.suspended", Some(id)),
        ("usage.recorded", Some(id)),
    ] {
        let stream = stream_id.map_or(String::new(), |id| format!("&stream_id={id}"));
        let expected = positions(&all(&app.client, &format!("types={types}{stream}")).await);
        let event_types = [types.to_owned()];
        for span in 1..=5 {
            let (mut before, mut found, mut looks) = (size, vec![], 0);
            loop {
                let look = Look {
                    ledger_id: "default",
                    before,
                    event_types: &event_types,
                    limit: 2,
                    span,
                };
                let Looked { events, next_before } = match stream_id {
                    None => newest(&mut conn, look).await.unwrap(),
                    Some(id) => newest_of_stream(&mut conn, look, id).await.unwrap(),
                };
                looks += 1;
                found.extend(events.iter().map(|event| event.position));
                let Some(next) = next_before else { break };
                assert!(next < before, "a look must come further");
                before = next;
            }
            assert_eq!(found, expected, "{types} {stream_id:?} by {span}");
            // Seven events has the license, and as many looks take those who see one at a time.
            let least = if stream_id.is_some() { 7 } else { size };
            assert!(looks >= least / span, "{looks} looks of {span}");
        }
    }
    drop(conn);
    app.finish().await;
}

#[tokio::test]
async fn a_tenant_sees_its_own_ledger_and_few_see_it() {
    let app = TestApp::start().await;
    let ((_, alpha), (_, beta)) = (app.tenant("alpha").await, app.tenant("beta").await);
    let license = alpha.license().await;
    let id = license["id"].as_str().unwrap();
    assert_eq!(all(&beta, &format!("stream_id={id}")).await, [] as [Value; 0]);
    assert!(!json!(all(&beta, "limit=100").await).to_string().contains(id));
    let last = all(&alpha, "").await[0]["position"].clone();
    beta.get(&format!("/ledger/events/{last}"))
        .await
        .expect_problem(404, "EVENT_NOT_FOUND");
    for (scope, may) in [
        ("audit", true),
        ("read", false),
        ("support", false),
        ("issuer", false),
    ] {
        let client = alpha.with_key(&alpha.api_key(&[scope]).await["api_key"]);
        for path in ["/ledger/events", "/ledger/events/0"] {
            let answer = client.get(path).await;
            if may {
                answer.expect(200);
            } else {
                answer.expect_problem(403, "FORBIDDEN");
            }
        }
    }
    let made = ask(&alpha, "types=api_key.created").await;
    assert!(
        !made["events"].as_array().unwrap().is_empty(),
        "who may look sees keys, too"
    );
    app.finish().await;
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let app = TestApp::start().await;
    for (query, field) in [
        ("before=-1", "before"),
        ("before=x", "before"),
        ("before=99999999999999999999", "before"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("types=nope", "types"),
        ("types=license.created,,", "types"),
        ("types=tenant.*", "types"),
    ] {
        let problem = app.client.get(&format!("/ledger/events?{query}")).await;
        let problem = problem.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    for position in ["999999", "x", "-1", "99999999999999999999"] {
        app.client
            .get(&format!("/ledger/events/{position}"))
            .await
            .expect_problem(404, "EVENT_NOT_FOUND");
    }
    app.finish().await;
}
