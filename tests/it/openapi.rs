//! The API's description is generated; a changed contract shows as a difference of a committed file.

use crate::support::TestApp;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

#[test]
fn openapi_document_is_the_committed_one() {
    let document = vinzy_engine::http::description().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(COMMITTED, &document).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        document == committed,
        "docs/openapi.json is not up to date: run `cargo xtask openapi` and look at the difference"
    );
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    let document = serde_json::to_value(vinzy_engine::http::description()).unwrap();
    let text = document.to_string();
    let references: Vec<&str> = text
        .split("\"$ref\":\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(references.len() > 40, "{}", references.len());
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn openapi_document_and_guide_are_served() {
    let app = TestApp::start().await;
    let document = app.client.get_anonymously("/openapi.json").await.expect(200);
    assert!(document["paths"]["/licenses/{license_id}/renew"]["post"]["responses"]["200"].is_object());
    for path in ["/docs", "/docs/problems"] {
        let page = app.client.get_anonymously(path).await;
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(
            page.header("content-security-policy")
                .contains("default-src 'none'")
        );
    }
    for path in ["/docs/docs.js", "/docs/docs.css"] {
        assert_eq!(app.client.get_anonymously(path).await.status, 200);
    }
    app.finish().await;
}

/// The guide explains every problem that the sources of the API name.
#[test]
fn every_problem_is_explained() {
    let guide = include_str!("../../src/http/docs/docs.js");
    let kinds = [
        "not_found(",
        "conflict(",
        "unavailable(",
        "bad_request(",
        "FORBIDDEN,",
        "UNAUTHORIZED,",
        "TOO_MANY_REQUESTS,",
        "GONE,",
        "_ERROR,",
        "_TIMEOUT,",
        "TOO_LARGE,",
        "MEDIA_TYPE,",
    ];
    let mut checked = 0;
    for (path, text) in crate::architecture::sources("src/http") {
        for (place, kind) in kinds.iter().flat_map(|kind| text.match_indices(kind)) {
            let Some(code) = text[place + kind.len()..].trim_start().strip_prefix('"') else {
                continue;
            };
            let code = code.split('"').next().unwrap();
            let name = code.to_lowercase().replace('_', "-");
            assert!(
                guide.contains(&format!("[\"{name}\", ")),
                "{code} of {} is not explained",
                path.display()
            );
            checked += 1;
        }
    }
    assert!(checked >= 30, "{checked}");
}
