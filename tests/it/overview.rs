//! The overview: figures that are those of what happened, for whoever may see them.

use std::time::Duration;

use serde_json::{Value, json};
use vinzy_client::overview::Overview;
use vinzy_engine::database::{connect, disconnect};
use vinzy_projections::{activity, license_standings};

use crate::support::client::Client;
use crate::support::database::TestDatabase;
use crate::support::receiver::{Receiver, Reply};
use crate::support::{TestApp, eventually, server_config, start_time};
use crate::webhooks::{endpoint, path};

const DAY: Duration = Duration::from_hours(24);

async fn overview(client: &Client, query: &str) -> Value {
    client.get(&format!("/overview{query}")).await.expect(200)
}

/// A license that ends after so many days.
async fn license_for(client: &Client, customer: &Value, days: u32) -> Value {
    let body = json!({"product_code": "PRD", "customer_id": customer["id"], "days_valid": days});
    client.post("/licenses", &body).await.expect(201)
}

async fn act_on(client: &Client, license: &Value, action: &str) {
    let path = format!("/licenses/{}/{action}", license["id"].as_str().unwrap());
    client.post_empty(&path).await.expect(200);
}

fn activity_of(day: &str, created: u64, activations: u64, deactivations: u64, validations: u64) -> Value {
    json!({
        "starts_at": format!("{day}T00:00:00.000000Z"), "licenses_created": created, "activations": activations,
        "deactivations": deactivations, "validations": validations,
    })
}

fn point(day: &str, total: impl Into<Value>, records: u64) -> Value {
    json!({"starts_at": format!("{day}T00:00:00.000000Z"), "total_value": total.into(), "record_count": records})
}

#[tokio::test]
async fn an_empty_tenant_has_every_day_and_nothing_on_it() {
    let app = TestApp::start().await;
    let shown = overview(&app.client, "").await;
    let days = shown["activity"].as_array().unwrap();
    assert_eq!(days.len(), 30);
    assert_eq!(days[0], activity_of("2026-01-31", 0, 0, 0, 0));
    assert_eq!(days[29], activity_of("2026-03-01", 0, 0, 0, 0));
    assert_eq!(
        shown,
        json!({
            "as_of": "2026-03-01T12:00:00.000000Z", "activity": days, "usage": [], "expiring_licenses": 0,
            "licenses": {"active": 0, "suspended": 0, "revoked": 0, "expired": 0},
            "anomalies": {"medium": 0, "high": 0, "critical": 0},
            "webhooks": {
                "active": 0, "paused": 0, "disabled": 0, "pending": 0, "failed": 0, "delivered": 0,
                "oldest_pending_at": null,
            },
            "ledger": {
                "origin": "test.example/t/default", "size": 1, "checkpoint_size": null, "checkpoint_at": null,
            },
        })
    );
    app.finish().await;
}

/// Two days of everything; gives the second one's overview of three days.
async fn two_days(app: &TestApp) -> Value {
    let client = &app.client;
    client.product("PRD").await;
    let customer = client.customer("jane@example.com").await;
    let long = license_for(client, &customer, 365).await;
    let short = license_for(client, &customer, 10).await;
    let suspended = license_for(client, &customer, 20).await;
    act_on(client, &suspended, "suspend").await;
    let revoked = license_for(client, &customer, 5).await;
    act_on(client, &revoked, "revoke").await;
    let deleted = license_for(client, &customer, 365).await;
    let path = format!("/licenses/{}", deleted["id"].as_str().unwrap());
    client.delete(&path).await.expect(204);
    for fingerprint in ["one", "two", "two"] {
        client.activate(&long["key"], fingerprint).await;
    }
    for key in [&long["key"], &long["key"], &suspended["key"]] {
        client.validate(key).await;
    }
    client
        .validate(&json!("PRD-AC2VM-76FJO-MQUNW-VWZJK-EKJEE-FR72J-USDCR"))
        .await;
    app.app.validations.flush().await;
    client.use_of(&long["key"], "calls", "0.1").await;
    client.use_of(&short["key"], "calls", "0.2").await;
    client.use_of(&long["key"], "exports", 7).await;

    app.advance(DAY);
    license_for(client, &customer, 365).await;
    let leave = json!({"key": long["key"], "fingerprint": "two"});
    client.ask("/deactivate", &leave).await.expect(200);
    client.activate(&short["key"], "three").await;
    for _ in 0..4 {
        client.use_of(&short["key"], "calls", 2).await;
    }
    client.validate(&short["key"]).await;
    app.app.validations.flush().await;
    overview(client, "?days=3").await
}

#[tokio::test]
async fn figures_are_those_of_what_happened_and_stay_so_through_a_replay() {
    let app = TestApp::start().await;
    let shown = two_days(&app).await;
    assert_eq!(
        shown["licenses"],
        json!({"active": 3, "suspended": 1, "revoked": 1, "expired": 0})
    );
    assert_eq!(shown["expiring_licenses"], 1, "suspended ones are not in force");
    assert_eq!(
        shown["activity"],
        json!([
            activity_of("2026-02-28", 0, 0, 0, 0),
            activity_of("2026-03-01", 5, 2, 0, 3),
            activity_of("2026-03-02", 1, 1, 1, 1),
        ])
    );
    assert_eq!(
        shown["usage"],
        json!([
            {
                "metric": "calls", "total_value": 8.3, "record_count": 6,
                "points": [point("2026-02-28", 0, 0), point("2026-03-01", 0.3, 2), point("2026-03-02", 8, 4)],
            },
            {
                "metric": "exports", "total_value": 7, "record_count": 1,
                "points": [point("2026-02-28", 0, 0), point("2026-03-01", 7, 1), point("2026-03-02", 0, 0)],
            },
        ])
    );
    let today = overview(&app.client, "?days=1").await;
    assert_eq!(today["activity"], json!([shown["activity"][2]]));
    assert_eq!(
        today["usage"],
        json!([{"metric": "calls", "total_value": 8, "record_count": 4, "points": [point("2026-03-02", 8, 4)]}])
    );

    let database = app.stop().await;
    let forget = format!(
        "TRUNCATE activity_days, activity_usage, overview_licenses;
         UPDATE projection_checkpoints SET position = 0 WHERE projection IN ('{}', '{}')",
        activity::NAME,
        license_standings::NAME
    );
    database.execute(&forget).await;
    let app = TestApp::start_on(database, server_config()).await;
    app.advance(DAY);
    assert_eq!(overview(&app.client, "?days=3").await, shown);
    // By metric and day, it is what the meters of all licenses have.
    let differing = "SELECT count(*) FROM (
                         SELECT ledger_id, starts_at, metric, sum(total), sum(record_count) FROM usage_buckets
                         WHERE bucket = 'day' GROUP BY ledger_id, starts_at, metric
                         EXCEPT ALL
                         SELECT ledger_id, starts_at, metric, total, record_count FROM activity_usage) d";
    assert_eq!(app.database.count(differing).await, 0);
    assert_eq!(app.database.count("SELECT count(*) FROM activity_usage").await, 3);
    app.finish().await;
}

#[tokio::test]
async fn licenses_expire_and_days_pass_without_anything_happening() {
    let app = TestApp::start().await;
    two_days(&app).await;
    let mut passed = 0;
    for (days_later, licenses, expiring) in [
        (
            8,
            json!({"active": 3, "suspended": 1, "revoked": 1, "expired": 0}),
            1,
        ),
        // The tenth day is over to the microsecond.
        (
            9,
            json!({"active": 2, "suspended": 1, "revoked": 1, "expired": 1}),
            0,
        ),
        (
            19,
            json!({"active": 2, "suspended": 0, "revoked": 1, "expired": 2}),
            0,
        ),
        (
            334,
            json!({"active": 2, "suspended": 0, "revoked": 1, "expired": 2}),
            1,
        ),
        (
            335,
            json!({"active": 2, "suspended": 0, "revoked": 1, "expired": 2}),
            2,
        ),
        (
            364,
            json!({"active": 1, "suspended": 0, "revoked": 1, "expired": 3}),
            1,
        ),
    ] {
        app.advance(DAY * u32::try_from(days_later - passed).unwrap());
        passed = days_later;
        let shown = overview(&app.client, "?days=366").await;
        assert_eq!(
            (&shown["licenses"], &shown["expiring_licenses"]),
            (&licenses, &json!(expiring)),
            "{days_later} days later"
        );
        for (status, count) in licenses.as_object().unwrap() {
            let listed = app.client.get(&format!("/licenses?status={status}")).await;
            assert_eq!(listed.header("x-total-count"), count.to_string(), "{status}");
        }
        let days = shown["activity"].as_array().unwrap();
        let created: Vec<u64> = days
            .iter()
            .map(|day| day["licenses_created"].as_u64().unwrap())
            .collect();
        assert_eq!((days.len(), created.iter().sum::<u64>()), (366, 6));
        assert_eq!((created[364 - days_later], created[365 - days_later]), (5, 1));
    }
    let shown = overview(&app.client, "").await;
    assert_eq!(shown["usage"], json!([]), "a year ago is not lately");
    app.finish().await;
}

#[tokio::test]
async fn the_six_metrics_that_were_recorded_most_often_are_shown() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = &license["key"];
    for (metric, records) in [
        ("a", 1),
        ("b", 3),
        ("c", 2),
        ("d", 2),
        ("e", 5),
        ("f", 1),
        ("g", 2),
    ] {
        let records = vec![json!({"metric": metric, "value": 10}); records];
        let batch = json!({"key": key, "records": records});
        app.client.ask("/usage/batch", &batch).await.expect(200);
    }
    let metrics = async || -> Vec<String> {
        let shown = overview(&app.client, "?days=1").await;
        let usage = shown["usage"].as_array().unwrap();
        usage
            .iter()
            .map(|one| one["metric"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(metrics().await, ["e", "b", "c", "d", "g", "a"]);
    app.client.use_of(key, "f", "0.5").await;
    app.client.use_of(key, "f", "0.5").await;
    assert_eq!(metrics().await, ["e", "b", "f", "c", "d", "g"]);
    app.finish().await;
}

#[tokio::test]
async fn sums_over_licenses_are_exact_and_never_more_than_a_reader_can_read() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let customer = app.customer("other@example.com").await;
    let other = app.license_of("PRD", &customer).await;
    for key in [&license["key"], &other["key"]] {
        app.client.use_of(key, "huge", f64::MAX).await;
        app.client.use_of(key, "exact", "4503599627370496.25").await;
    }
    let request = app.client.authorized(reqwest::Method::GET, "/overview?days=1");
    let text = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(
        text.matches("\"total_value\":9007199254740992.5,").count(),
        2,
        "{text}"
    );
    assert_eq!(
        text.matches("\"total_value\":1.7976931348623157e308,").count(),
        2,
        "{text}"
    );
    let read: Overview = serde_json::from_str(&text).unwrap();
    assert!(
        read.usage
            .iter()
            .all(|metric| metric.total_value.to_f64().is_finite())
    );
    app.finish().await;
}

#[tokio::test]
async fn open_anomalies_are_counted_by_severity() {
    let app = TestApp::start().await;
    let license = app.license().await;
    for (metric, value) in [("m1", 11.6), ("m2", 7.9), ("m3", 14.0), ("m4", 14.0)] {
        for value in [9.0, 10.0, 11.0, value] {
            app.client.use_of(&license["key"], metric, value).await;
        }
    }
    let shown = overview(&app.client, "").await;
    assert_eq!(shown["anomalies"], json!({"medium": 1, "high": 1, "critical": 2}));
    let listed = app.client.get("/anomalies?metric=m3").await.expect(200);
    let resolve = format!("/anomalies/{}/resolve", listed[0]["id"].as_str().unwrap());
    app.client.post_empty(&resolve).await.expect(200);
    let shown = overview(&app.client, "").await;
    assert_eq!(shown["anomalies"], json!({"medium": 1, "high": 1, "critical": 1}));
    app.finish().await;
}

#[tokio::test]
async fn webhooks_are_counted_where_they_stand() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let failing = Receiver::answering(|_| Reply::of(500)).await;
    let gone = Receiver::answering(|_| Reply::of(410)).await;
    let only = |event_type: &str| json!({"max_retries": 0, "event_types": [event_type]});
    endpoint(&app.client, &receiver.url, only("product.created")).await;
    endpoint(&app.client, &failing.url, only("product.created")).await;
    endpoint(&app.client, &gone.url, only("product.created")).await;
    let paused = endpoint(&app.client, &receiver.url, only("customer.created")).await;
    let pause = json!({"status": "paused"});
    app.client.patch(&path(&paused, ""), &pause).await.expect(200);
    app.product("ONE").await;
    let webhooks = async || overview(&app.client, "").await["webhooks"].clone();
    let expected = json!({
        "active": 2, "paused": 1, "disabled": 1, "pending": 0, "failed": 2, "delivered": 1, "oldest_pending_at": null,
    });
    eventually("all was sent", || async { webhooks().await == expected }).await;

    app.customer("a@example.com").await;
    app.advance(Duration::from_mins(1));
    app.customer("b@example.com").await;
    let waiting = webhooks().await;
    assert_eq!(
        (&waiting["pending"], &waiting["oldest_pending_at"]),
        (&json!(2), &json!("2026-03-01T12:00:00.000000Z"))
    );
    app.advance(Duration::from_mins(24 * 60 - 2));
    assert_eq!(
        (
            webhooks().await["failed"].clone(),
            webhooks().await["delivered"].clone()
        ),
        (json!(2), json!(1))
    );
    app.advance(Duration::from_mins(1));
    let later = webhooks().await;
    assert_eq!(
        (&later["failed"], &later["delivered"], &later["pending"]),
        (&json!(0), &json!(0), &json!(2))
    );
    app.client.delete(&path(&paused, "")).await.expect(204);
    let without = webhooks().await;
    assert_eq!(
        (
            &without["paused"],
            &without["pending"],
            &without["oldest_pending_at"]
        ),
        (&json!(0), &json!(0), &Value::Null)
    );
    app.finish().await;
}

#[tokio::test]
async fn the_ledger_stands_where_it_was_signed() {
    let app = TestApp::start().await;
    app.product("ONE").await;
    app.client.get("/t/default/checkpoint").await.expect(200);
    app.advance(Duration::from_secs(5));
    app.product("TWO").await;
    let ledger = async || overview(&app.client, "").await["ledger"].clone();
    let expected = json!({
        "origin": "test.example/t/default", "size": 3, "checkpoint_size": 2,
        "checkpoint_at": "2026-03-01T12:00:00.000000Z",
    });
    assert_eq!(ledger().await, expected);
    app.client.get("/ledger/verify").await.expect(200);
    let signed = ledger().await;
    assert_eq!(
        (&signed["checkpoint_size"], &signed["checkpoint_at"]),
        (&json!(3), &json!("2026-03-01T12:00:05.000000Z"))
    );
    // A server of before has noted no time.
    app.database
        .execute("UPDATE checkpoints SET signed_at = NULL")
        .await;
    let before = ledger().await;
    assert_eq!(
        (&before["checkpoint_size"], &before["checkpoint_at"]),
        (&json!(3), &Value::Null)
    );
    app.finish().await;
}

#[tokio::test]
async fn every_tenant_sees_its_own_and_every_key_what_it_may() {
    let app = TestApp::start().await;
    let (_, alpha) = app.tenant("alpha").await;
    let (_, beta) = app.tenant("beta").await;
    let license = alpha.license().await;
    for value in [1, 1, 1, 1, 100] {
        alpha.use_of(&license["key"], "secret-metric", value).await;
    }
    alpha.activate(&license["key"], "fp").await;
    let webhook = json!({"url": "https://hooks.example/"});
    let webhook = alpha.post("/webhooks", &webhook).await.expect(201);
    let pause = json!({"status": "paused"});
    alpha.patch(&path(&webhook, ""), &pause).await.expect(200);
    beta.product("PRD").await;

    let own = overview(&alpha, "").await;
    assert_eq!(
        (
            &own["licenses"]["active"],
            &own["anomalies"]["critical"],
            &own["webhooks"]["paused"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(own["ledger"]["origin"], "test.example/t/alpha");
    for client in [&beta, &app.client] {
        let shown = overview(client, "").await;
        assert_eq!(shown["licenses"]["active"], 0);
        assert_eq!(shown["anomalies"], json!({"medium": 0, "high": 0, "critical": 0}));
        assert_eq!(shown["webhooks"]["paused"], 0);
        assert_eq!(shown["activity"][29], activity_of("2026-03-01", 0, 0, 0, 0));
        let text = shown.to_string();
        assert!(
            !text.contains("secret-metric") && !text.contains("alpha"),
            "{text}"
        );
    }

    for scope in ["issuer", "support", "read"] {
        let key = alpha.api_key(&[scope]).await;
        let shown = overview(&alpha.with_key(&key["api_key"]), "").await;
        assert_eq!(shown["webhooks"], Value::Null, "{scope}");
        assert_eq!(
            (&shown["licenses"], &shown["activity"], &shown["usage"]),
            (&own["licenses"], &own["activity"], &own["usage"]),
            "{scope}"
        );
    }
    let both = alpha.api_key(&["read", "admin"]).await;
    let shown = overview(&alpha.with_key(&both["api_key"]), "").await;
    assert_eq!(shown["webhooks"]["paused"], 1);
    for scope in ["meter", "audit"] {
        let key = alpha.api_key(&[scope]).await;
        let client = alpha.with_key(&key["api_key"]);
        client.get("/overview").await.expect_problem(403, "FORBIDDEN");
    }
    app.operator()
        .get("/overview")
        .await
        .expect_problem(403, "FORBIDDEN");
    app.client
        .get_anonymously("/overview")
        .await
        .expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_number_of_days_is_refused() {
    let app = TestApp::start().await;
    for days in ["0", "367", "-1", "1.5", "x", "99999999999999999999"] {
        let answer = app.client.get(&format!("/overview?days={days}")).await;
        let problem = answer.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], "days", "{days}: {problem}");
    }
    for (query, days) in [("?days=1", 1), ("?days=366", 366), ("?days=", 30)] {
        let shown = overview(&app.client, query).await;
        assert_eq!(shown["activity"].as_array().unwrap().len(), days, "{query}");
    }
    app.finish().await;
}

#[tokio::test]
async fn counting_many_licenses_reads_an_index_only() {
    let database = TestDatabase::create().await;
    let insert = "INSERT INTO overview_licenses (ledger_id, license_id, standing, expires_at)
                  SELECT 'many', gen_random_uuid(), 'active', '2026-03-01T12:00:00Z'::timestamptz + n * interval '3 minutes'
                  FROM generate_series(1, 20000) n";
    database.execute(insert).await;
    database.execute("VACUUM ANALYZE overview_licenses").await;
    let pool = connect(database.options(), 1).await.unwrap();
    let (at, soon) = (start_time(), start_time().plus_days(30).unwrap());
    let counts = license_standings::count(&pool, "many", at, soon).await.unwrap();
    assert_eq!(
        (counts.active, counts.expiring, counts.expired),
        (20_000, 14_400, 0)
    );
    // What a connection has read is counted when it ends.
    disconnect(&pool).await;
    let entries = "SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes
                   WHERE indexrelname = 'overview_licenses_idx'";
    eventually("the index was read", || async {
        database.count(entries).await == 20_000
    })
    .await;
    let rows = "SELECT coalesce(seq_tup_read + idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'overview_licenses'";
    assert_eq!(database.count(rows).await, 0, "and no row was");
    database.drop().await;
}
