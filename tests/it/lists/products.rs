//! Products by text.

use serde_json::json;

use super::ids;
use crate::support::TestApp;

#[tokio::test]
async fn a_product_is_found_by_what_its_code_or_name_holds() {
    let app = TestApp::start().await;
    let (_, other) = app.tenant("other").await;
    other.product("PRD").await;
    for (code, name) in [("PRD", "Größer"), ("TWO", "Prdx 100%"), ("SIX", "grÖ_ß")] {
        let body = json!({"code": code, "name": name});
        app.client.post("/products", &body).await.expect(201);
    }
    for (query, codes) in [
        ("q=prd", &["PRD", "TWO"][..]),
        ("q=GRÖ", &["PRD", "SIX"]),
        ("q=+w+", &["TWO"]),
        ("q=%25", &["TWO"]),
        ("q=_", &["SIX"]),
        ("q=nothing", &[]),
        ("q=prd&code=TWO", &["TWO"]),
        ("q=", &["PRD", "TWO", "SIX"]),
    ] {
        let answer = app.client.get(&format!("/products?{query}")).await;
        assert_eq!(answer.header("x-total-count"), codes.len().to_string(), "{query}");
        let rows = answer.expect(200);
        let found: Vec<_> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["code"].clone())
            .collect();
        assert_eq!(json!(found), json!(codes), "{query}");
    }
    let paged = super::all_pages(&app.client, "/products?q=r&page_size=1").await;
    assert_eq!(ids(&paged).len(), 3);
    let problem = app.client.get(&format!("/products?q={}", "x".repeat(256))).await;
    let problem = problem.expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(problem["errors"][0]["field"], "q");
    app.finish().await;
}
