//! Licenses as CSV.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Answer;

/// The records of an export, each as a license that a list would show.
fn parsed(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut reader = csv::Reader::from_reader(answer.body.as_str().unwrap().as_bytes());
    let names = reader.headers().unwrap().clone();
    let license = |record: csv::StringRecord| {
        let cells = names.iter().zip(&record).map(|(name, cell)| {
            // What an export puts before a cell can be taken away.
            let cell = cell.strip_prefix('\'').unwrap_or(cell);
            let value = match name {
                "features" | "entitlements" | "metadata" | "machines_used" => {
                    serde_json::from_str(cell).unwrap()
                }
                "machines_limit" if !cell.is_empty() => serde_json::from_str(cell).unwrap(),
                "machines_limit" | "expires_at" if cell.is_empty() => Value::Null,
                _ => json!(cell),
            };
            (name.to_owned(), value)
        });
        Value::Object(cells.collect())
    };
    reader.records().map(|record| license(record.unwrap())).collect()
}

#[tokio::test]
async fn an_export_holds_what_the_list_does() {
    let app = TestApp::start().await;
    let empty = app.client.get("/licenses.csv").await;
    assert_eq!(empty.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        empty.header("content-disposition"),
        "attachment; filename=\"licenses.csv\""
    );
    assert_eq!(empty.header("cache-control"), "no-store");
    assert_eq!(
        empty.body,
        "\"id\",\"status\",\"product_code\",\"customer_id\",\"tier\",\"machines_limit\",\"machines_used\",\
         \"expires_at\",\"features\",\"entitlements\",\"metadata\",\"created_at\"\r\n"
    );
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    for (tier, more) in [
        ("standard", json!({})),
        (
            "a, \"b\";\r\nc",
            json!({"machines_limit": null, "expires_at": null}),
        ),
        (
            "ünï=1",
            json!({"features": {"a": true}, "entitlements": {"a": {"limit": 1.5}}, "metadata": {"=x": ["\"", 1]}}),
        ),
        ("=HYPERLINK(\"http://x\")", json!({"days_valid": 3})),
        ("+1", json!({})),
        ("-1", json!({})),
        ("@SUM(A1)", json!({})),
        ("\t=1", json!({})),
        ("\r=1", json!({})),
        ("'quoted", json!({})),
    ] {
        let mut body = json!({"product_code": "PRD", "customer_id": customer["id"], "tier": tier});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let license = app.client.post("/licenses", &body).await.expect(201);
        app.client.activate(&license["key"], "fp").await;
    }
    for query in [
        "",
        "?sort=-created",
        "?sort=-expires_at",
        "?tier=standard",
        "?status=revoked",
        "?q=0&product_code=PRD",
    ] {
        let list = app.client.get(&format!("/licenses{query}")).await.expect(200);
        let export = app.client.get(&format!("/licenses.csv{query}")).await;
        assert_eq!(json!(parsed(&export)), list, "{query}");
    }
    let raw = app.client.get("/licenses.csv").await.body;
    let mut reader = csv::Reader::from_reader(raw.as_str().unwrap().as_bytes());
    let mut guarded = 0;
    for record in reader.records() {
        for cell in &record.unwrap() {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            guarded += usize::from(cell.starts_with('\''));
        }
    }
    assert_eq!(guarded, 7);
    app.finish().await;
}

#[tokio::test]
async fn an_export_is_for_those_who_may_read() {
    let app = TestApp::start().await;
    let (_, admin) = app.tenant("alpha").await;
    admin.license().await;
    for (scope, may) in [
        ("read", true),
        ("support", true),
        ("meter", false),
        ("audit", false),
    ] {
        let client = admin.with_key(&admin.api_key(&[scope]).await["api_key"]);
        let answer = client.get("/licenses.csv").await;
        if may {
            assert_eq!(parsed(&answer).len(), 1);
        } else {
            answer.expect_problem(403, "FORBIDDEN");
        }
    }
    app.client
        .get_anonymously("/licenses.csv")
        .await
        .expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}
