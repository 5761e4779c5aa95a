//! Licenses by filters and in orders.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{all_pages, ids};
use crate::support::TestApp;
use crate::support::client::Client;

const DAY: Duration = Duration::from_hours(24);
const SORTS: [&str; 4] = ["created", "-created", "expires_at", "-expires_at"];
/// When some licenses end: several at the same time, one never.
const ENDS: [Option<&str>; 5] = [
    Some("2026-04-01T00:00:00Z"),
    Some("2026-03-10T00:00:00Z"),
    None,
    Some("2026-06-01T00:00:00Z"),
    Some("2026-04-01T00:00:00Z"),
];

async fn issue(client: &Client, code: &str, customer: &Value, more: &Value) -> Value {
    let mut body = json!({"product_code": code, "customer_id": customer["id"]});
    let fields = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    client.post("/licenses", &body).await.expect(201)
}

fn path(license: &Value) -> String {
    format!("/licenses/{}", license["id"].as_str().unwrap())
}

fn digest(license: &Value) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(license["key"].as_str().unwrap()))
}

/// Licenses of every product, customer, tier, end and standing, in many combinations. Gives them without their keys.
async fn varied(app: &TestApp) -> Vec<Value> {
    app.product("PRD").await;
    app.product("TWO").await;
    let customers = [
        app.customer("jane@example.com").await,
        app.customer("joe@example.com").await,
    ];
    for number in 0..30 {
        let code = ["PRD", "TWO"][usize::from(number % 3 == 0)];
        let tier = ["standard", "gold"][usize::from(number % 4 == 1)];
        let more = json!({"tier": tier, "expires_at": ENDS[number % ENDS.len()]});
        let license = issue(&app.client, code, &customers[usize::from(number % 7 > 3)], &more).await;
        let act = match number % 6 {
            2 => "suspend",
            5 => "revoke",
            _ => continue,
        };
        app.client
            .post_empty(&format!("{}/{act}", path(&license)))
            .await
            .expect(200);
    }
    app.advance(DAY * 30);
    let all = app.client.get("/licenses?page_size=100").await;
    all.expect(200).as_array().unwrap().clone()
}

/// Whether a license has what a filter asks for.
fn passes(license: &Value, name: &str, value: &str) -> bool {
    let end = license["expires_at"].as_str();
    match name {
        "expires_after" => end.is_some_and(|end| end > value),
        "expires_before" => end.is_some_and(|end| end < value),
        _ => license[name] == value,
    }
}

/// The licenses, which come in the order of their creation, in another.
fn sorted(mut licenses: Vec<Value>, sort: &str) -> Vec<Value> {
    if sort.ends_with("expires_at") {
        // The sort is stable.
        licenses.sort_by_key(|license| {
            let end = license["expires_at"].as_str().map(str::to_owned);
            (end.is_none(), end)
        });
    }
    if sort.starts_with('-') {
        licenses.reverse();
    }
    licenses
}

#[tokio::test]
async fn filters_hold_together_in_every_order() {
    let app = TestApp::start().await;
    let all = varied(&app).await;
    let customer = all[0]["customer_id"].as_str().unwrap().to_owned();
    let choices: [(&str, &[&str]); 6] = [
        ("status", &["", "active", "suspended", "revoked", "expired"]),
        ("product_code", &["", "PRD", "ZZZ"]),
        ("tier", &["", "gold"]),
        ("customer_id", &["", &customer]),
        (
            "expires_after",
            &["", "2026-03-10T00:00:00.000000Z", "2026-04-01T00:00:00.000000Z"],
        ),
        ("expires_before", &["", "2026-06-01T00:00:00.000000Z"]),
    ];
    let combinations: usize = choices.iter().map(|(_, values)| values.len()).product();
    let (mut seen, mut found) = (BTreeSet::new(), 0);
    for combination in 0..combinations {
        let (mut rest, mut query, mut expected) = (combination, String::new(), all.clone());
        for (name, values) in choices {
            let value = values[rest % values.len()];
            rest /= values.len();
            query.push_str(&format!("&{name}={value}"));
            if !value.is_empty() {
                expected.retain(|license| passes(license, name, value));
            }
        }
        let sort = SORTS[combination % SORTS.len()];
        let answer = app
            .client
            .get(&format!("/licenses?page_size=100&sort={sort}{query}"))
            .await;
        assert_eq!(
            answer.header("x-total-count"),
            expected.len().to_string(),
            "{query}"
        );
        found += expected.len();
        let expected = sorted(expected, sort);
        assert_eq!(answer.expect(200), json!(expected), "{sort} {query}");
        seen.extend(ids(&expected).into_iter().map(str::to_owned));
    }
    assert_eq!(seen.len(), all.len());
    assert!(found > 300, "only {found} rows were ever expected");
    app.finish().await;
}

#[tokio::test]
async fn every_order_is_the_same_in_pages_and_at_once() {
    let app = TestApp::start().await;
    let all = varied(&app).await;
    for sort in SORTS {
        let expected = sorted(all.clone(), sort);
        for size in [1, 7, 30] {
            let paged = all_pages(&app.client, &format!("/licenses?sort={sort}&page_size={size}")).await;
            assert_eq!(ids(&paged), ids(&expected), "{sort} by {size}");
        }
        let second = app
            .client
            .get(&format!("/licenses?sort={sort}&page_size=8&page=2"))
            .await
            .expect(200);
        assert_eq!(second, json!(expected[8..16]), "{sort}");
    }
    let default = all_pages(&app.client, "/licenses?page_size=4").await;
    assert_eq!(default, all);
    app.finish().await;
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_licenses_come_and_go() {
    let app = TestApp::start().await;
    let all = varied(&app).await;
    let customer = json!({"id": all[0]["customer_id"]});
    for sort in SORTS {
        let before = app
            .client
            .get(&format!("/licenses?sort={sort}&page_size=100"))
            .await
            .expect(200);
        let before = before.as_array().unwrap().clone();
        let (mut seen, mut path) = (vec![], format!("/licenses?sort={sort}&page_size=4"));
        let mut deleted = vec![];
        for round in 0.. {
            let answer = app.client.get(&path).await;
            let next = answer.next_page();
            let rows = answer.expect(200).as_array().unwrap().clone();
            seen.extend(rows.clone());
            let Some(next) = next else { break };
            path = next;
            let end = [Some("2026-05-01T00:00:00Z"), None, Some("2026-06-01T00:00:00Z")][round % 3];
            issue(&app.client, "PRD", &customer, &json!({ "expires_at": end })).await;
            if round == 1 {
                // The one at which the next page begins.
                let last = rows.last().unwrap().clone();
                app.client.delete(&self::path(&last)).await;
                deleted.push(last["id"].clone());
            }
        }
        assert_eq!(deleted.len(), 1);
        let of_before: BTreeSet<&str> = ids(&before).into_iter().collect();
        let kept: Vec<&str> = ids(&seen)
            .into_iter()
            .filter(|id| of_before.contains(id))
            .collect();
        assert_eq!(kept, ids(&before), "{sort}");
        let distinct: BTreeSet<&str> = ids(&seen).into_iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{sort}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_license_is_found_by_its_key_and_by_how_its_id_begins() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.advance(DAY);
    let customer = json!({"id": license["customer_id"]});
    let other = issue(&app.client, "PRD", &customer, &json!({})).await;
    let find = async |query: &str| {
        let answer = app.client.get(&format!("/licenses?{query}")).await;
        let total = answer.header("x-total-count").to_owned();
        let rows = answer.expect(200).as_array().unwrap().clone();
        assert_eq!(rows.len().to_string(), total, "{query}");
        ids(&rows).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (first, second) = (license["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    assert_ne!(first[..13], second[..13], "a day apart, ids begin differently");
    assert_eq!(find(&format!("q={first}")).await, [first]);
    assert_eq!(find(&format!("q=+{}+", first.to_uppercase())).await, [first]);
    assert_eq!(find(&format!("q={}", first.replace('-', ""))).await, [first]);
    assert_eq!(find(&format!("q={}", &second[..13])).await, [second]);
    assert_eq!(find("q=0").await, [first, second]);
    assert_eq!(find("q=f").await, Vec::<String>::new());
    assert_eq!(find(&format!("key_digest={}", digest(&license))).await, [first]);
    assert_eq!(
        find(&format!("key_digest={}&q={second}", digest(&license))).await,
        Vec::<String>::new()
    );
    assert_eq!(
        find(&format!("key_digest={}", "0".repeat(64))).await,
        Vec::<String>::new()
    );
    assert_eq!(
        find(&format!("key_digest={}&q=&tier=", digest(&other))).await,
        [second]
    );
    app.client.delete(&path(&license)).await;
    assert_eq!(
        find(&format!("key_digest={}", digest(&license))).await,
        Vec::<String>::new()
    );
    app.finish().await;
}

#[tokio::test]
async fn nobody_finds_what_belongs_to_others() {
    let app = TestApp::start().await;
    let ((_, alpha), (_, beta)) = (app.tenant("alpha").await, app.tenant("beta").await);
    let theirs = alpha.license().await;
    beta.license().await;
    let mine = beta.get("/licenses").await.expect(200)[0]["id"].clone();
    for sort in SORTS {
        for query in [
            String::new(),
            format!("&q={}", theirs["id"].as_str().unwrap()),
            format!("&key_digest={}", digest(&theirs)),
            format!("&customer_id={}", theirs["customer_id"].as_str().unwrap()),
            "&product_code=PRD&tier=standard&status=active".to_owned(),
        ] {
            for list in ["/licenses", "/licenses.csv"] {
                let answer = beta.get(&format!("{list}?sort={sort}{query}")).await;
                let shown = answer.expect(200).to_string();
                assert!(
                    !shown.contains(theirs["id"].as_str().unwrap()),
                    "{list} {sort} {query}"
                );
                let shows_mine = shown.contains(mine.as_str().unwrap());
                assert_eq!(
                    shows_mine,
                    query.is_empty() || query.contains("PRD"),
                    "{list} {query}"
                );
            }
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn parameters_that_say_nothing_are_named() {
    let app = TestApp::start().await;
    for (query, field) in [
        ("status=banana", "status"),
        ("customer_id=x", "customer_id"),
        ("q=jane", "q"),
        ("q=0197f0a2--", "q"),
        ("key_digest=00", "key_digest"),
        (&format!("key_digest={}", "A".repeat(64)), "key_digest"),
        ("expires_after=yesterday", "expires_after"),
        ("expires_before=2026-03-01", "expires_before"),
        ("sort=tier", "sort"),
        ("sort=Created", "sort"),
    ] {
        for list in ["/licenses", "/licenses.csv"] {
            let problem = app.client.get(&format!("{list}?{query}")).await;
            let problem = problem.expect_problem(422, "VALIDATION_ERROR");
            assert_eq!(problem["errors"][0]["field"], field, "{query}");
        }
    }
    for query in [
        "after=-1",
        "after=never.3",
        "sort=expires_at&after=3",
        "sort=expires_at&after=x.3",
    ] {
        let problem = app.client.get(&format!("/licenses?{query}")).await;
        let problem = problem.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], "after", "{query}");
    }
    let many = app.client.get("/licenses?status=x&q=x&sort=x&page_size=x").await;
    let many = many.expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(many["errors"].as_array().unwrap().len(), 4);
    app.finish().await;
}
