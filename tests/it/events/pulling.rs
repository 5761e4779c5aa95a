use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::support::node::Node;

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_every_event_once_while_events_are_appended() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let (client, key) = (app.client.clone(), license["key"].clone());
            tokio::spawn(async move {
                for value in 1..=25 {
                    client.use_of(&key, &format!("m{writer}"), value).await;
                }
            })
        })
        .collect();
    let (mut path, mut seen, mut seed) = ("/events?limit=3".to_owned(), vec![], 7_u64);
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let page = app.client.get(&path).await.expect(200);
        seen.extend(positions(&page));
        assert_eq!(page["next_after"].as_u64(), seen.last().copied());
        if done && page["has_more"] == false && positions(&page).is_empty() {
            break;
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        path = format!(
            "/events?after={}&limit={}&wait={}",
            page["next_after"],
            1 + (seed >> 60),
            seed >> 63
        );
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen.len() > 150, "{}", seen.len());
    let expected: Vec<u64> = (0..seen.len() as u64).collect();
    assert_eq!(seen, expected);
    app.finish().await;
}

#[tokio::test]
async fn an_event_says_what_happened_to_what_and_where_it_stands() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let license_id = license["id"].as_str().unwrap();
    app.client.use_of(&license["key"], "a/b", 5).await;
    let audit = app.client.get(&format!("/audit/{license_id}")).await.expect(200);

    let page = app
        .client
        .get("/events?types=license.created,usage.*")
        .await
        .expect(200);
    let [created, used] = page["events"].as_array().unwrap().as_slice() else {
        panic!("{page}");
    };
    let data = &created["data"];
    assert_eq!(
        (
            &data["license_id"],
            &data["product_code"],
            &data["customer_id"],
            &data["tier"]
        ),
        (
            &license["id"],
            &json!("PRD"),
            &license["customer_id"],
            &license["tier"]
        )
    );
    assert_eq!(data["key_digest"], Value::Null);
    assert_eq!(
        created["stream"],
        json!({"type": "license", "id": license["id"], "seq": 1})
    );
    assert_eq!(
        (
            &used["data"]["license_id"],
            &used["data"]["metric"],
            &used["data"]["value"]
        ),
        (&license["id"], &json!("a/b"), &json!("5"))
    );
    for (event, entry) in [(created, &audit[1]), (used, &audit[0])] {
        assert_eq!(event["event_id"], entry["id"]);
        assert_eq!(event["timestamp"], entry["created_at"]);
        assert_eq!(
            event["ledger"],
            json!({"position": entry["position"], "event_hash": entry["event_hash"]})
        );
    }
    assert!(!page.to_string().contains("Jane"), "{page}");
    app.finish().await;
}

#[tokio::test]
async fn what_is_filtered_out_is_not_looked_at_again() {
    let app = TestApp::start().await;
    app.license().await;
    let last = head(&app.client).await;
    let answer = app.client.get("/events?types=anomaly.*&limit=5").await;
    let next = answer.next_page().unwrap();
    let page = answer.expect(200);
    assert_eq!(page, json!({"events": [], "next_after": last, "has_more": false}));
    assert_eq!(next, format!("/events?types=anomaly.*&limit=5&after={last}"));

    let page = app
        .client
        .get("/events?types=product.*,license.created&limit=1")
        .await
        .expect(200);
    assert_eq!(
        (types(&page), &page["has_more"]),
        (vec!["product.created"], &json!(true))
    );
    let rest = format!(
        "/events?types=product.*,license.created&after={}",
        page["next_after"]
    );
    let page = app.client.get(&rest).await.expect(200);
    assert_eq!(
        (types(&page), page["next_after"].as_u64()),
        (vec!["license.created"], Some(last))
    );
    assert_eq!(types(&all(&app.client).await).len() as u64, last + 1);
    app.finish().await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_told() {
    let app = TestApp::start().await;
    let last = head(&app.client).await;
    for (query, field) in [
        ("after=-1", "after"),
        ("after=soon", "after"),
        ("after=99999999999999999999", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=31", "wait"),
        ("wait=1.5", "wait"),
        ("types=nope", "types"),
        ("types=license.created,,", "types"),
        ("types=tenant.created", "types"),
    ] {
        let problem = app.client.get(&format!("/events?{query}")).await;
        let problem = problem.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    let both = app
        .client
        .get("/events?wait=x&limit=x")
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(both["errors"].as_array().unwrap().len(), 2);
    // Somebody who was further has seen another history.
    let beyond = app.client.get(&format!("/events?after={}", last + 1)).await;
    let problem = beyond.expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(
        problem["errors"][0]["message"],
        format!("must be at most {last}, the position of the last event")
    );
    let request = app
        .client
        .authorized(Method::GET, "/events")
        .header("Last-Event-ID", "x");
    let problem = crate::support::client::send(request)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(problem["errors"][0]["field"], "Last-Event-ID");
    app.finish().await;
}

#[tokio::test]
async fn an_answer_that_waits_comes_with_the_event() {
    let app = TestApp::start().await;
    let waiting = ask(&app.client, "/events?after=latest&wait=30&types=product.*");
    until_there_are(&app, 1).await;
    // It waits behind whatever is read first, and what it does not want wakes it in vain.
    let began = std::time::Instant::now();
    app.customer("jane@example.com").await;
    app.product("PRD").await;
    let page = waiting.await.unwrap().expect(200);
    assert_eq!(types(&page), ["product.created"]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    app.finish().await;
}

#[tokio::test]
async fn an_answer_that_waits_in_vain_is_empty() {
    let app = TestApp::start().await;
    let last = head(&app.client).await;
    let began = std::time::Instant::now();
    let page = app.client.get("/events?after=latest&wait=1").await.expect(200);
    assert_eq!(page, json!({"events": [], "next_after": last, "has_more": false}));
    assert!(began.elapsed() >= Duration::from_secs(1));
    app.finish().await;
}

#[tokio::test]
async fn what_another_node_appends_wakes_within_a_moment() {
    let database = crate::support::database::TestDatabase::create().await;
    let nodes = [1, 2].map(|_| Node::on_database(&database.url()));
    nodes[0].client.product("AAA").await;
    for code in ["BBB", "CCC"] {
        let last = head(&nodes[1].client).await;
        let waiting = ask(&nodes[1].client, &format!("/events?after={last}&wait=30"));
        let began = std::time::Instant::now();
        nodes[0].client.product(code).await;
        let page = waiting.await.unwrap().expect(200);
        assert_eq!(positions(&page), [last + 1]);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    for node in nodes {
        assert!(node.terminate().success());
    }
    database.drop().await;
}

#[tokio::test]
async fn a_tenant_hears_of_its_own_only_and_few_hear_of_keys() {
    let app = TestApp::start().await;
    let ((_, alpha), (_, beta)) = (app.tenant("alpha").await, app.tenant("beta").await);
    let license = alpha.license().await;
    beta.product("BET").await;
    let [of_alpha, of_beta] = [all(&alpha).await, all(&beta).await];
    assert!(
        !of_beta.to_string().contains(license["id"].as_str().unwrap()),
        "{of_beta}"
    );
    assert!(!of_alpha.to_string().contains("BET"), "{of_alpha}");

    let expected = BTreeSet::from(["api_key.created"]);
    let of_keys =
        |page: &Value| -> usize { types(page).iter().filter(|name| expected.contains(*name)).count() };
    for (scope, sees_keys) in [
        ("read", false),
        ("support", false),
        ("audit", true),
        ("admin", true),
    ] {
        let client = alpha.with_key(&alpha.api_key(&[scope]).await["api_key"]);
        let page = all(&client).await;
        assert_eq!(of_keys(&page) > 0, sees_keys, "{scope}: {page}");
        assert_eq!(page["next_after"], all(&alpha).await["next_after"]);
        let asked = client.get("/events?types=api_key.*").await;
        if sees_keys {
            asked.expect(200);
        } else {
            let problem = asked.expect_problem(403, "FORBIDDEN");
            assert_eq!(problem["required_scopes"], json!(["admin", "audit"]));
        }
    }
    app.finish().await;
}
