//! Every route with every kind of key, and with the ids of somebody else: the answer is as the table of scopes says,
//! and shows nothing of another tenant.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use vinzy_engine::config::ProvisioningConfig;
use vinzy_engine::http::access::{Access, SUPER_ADMIN};
use vinzy_events::access::Scope;

use crate::provisioning::{STRIPE_SECRET, session, stripe_event, stripe_signature, with};
use crate::support::client::{Answer, Client, send};
use crate::support::{ADMIN_KEY, SUPER_ADMIN_KEY, TestApp, start_time};

const NOBODYS: &str = "0197f0a2-0000-7000-8000-000000000000";

/// An operation of the API, with the roles that its description says open it; `None` if it stands open.
struct Operation {
    method: Method,
    path: String,
    roles: Option<BTreeSet<String>>,
}

fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(vinzy_engine::http::description()).unwrap();
    let mut operations = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            let roles = operation["security"][0]["apiKey"].as_array().map(|roles| {
                roles
                    .iter()
                    .map(|role| role.as_str().unwrap().to_owned())
                    .collect()
            });
            operations.push(Operation {
                method,
                path: path.clone(),
                roles,
            });
        }
    }
    assert!(operations.len() >= 73, "{}", operations.len());
    operations
}

/// The path with `ids` in its places, and what nobody has in the others.
fn concrete(path: &str, ids: &BTreeMap<&str, String>) -> String {
    let mut path = path.to_owned();
    while let (Some(open), Some(close)) = (path.find('{'), path.find('}')) {
        let id = ids.get(&path[open + 1..close]).map_or(NOBODYS, String::as_str);
        path.replace_range(open..=close, id);
    }
    path
}

fn without_request_id(mut answer: Answer) -> (u16, Value) {
    if let Some(body) = answer.body.as_object_mut() {
        body.remove("request_id");
    }
    (answer.status, answer.body)
}

/// A body that every operation can make something of.
fn body() -> Value {
    json!({
        "name": "x", "resolved_by": "x", "metric": "m", "tier": "x", "reason": "x", "days": 1, "days_valid": 1,
        "extend_days": 1, "scopes": ["read"], "slug": "x", "from_position": 0,
    })
}

/// A server on which two tenants sell.
async fn start() -> TestApp {
    let secrets = format!(r#"{{"alpha": "{STRIPE_SECRET}", "beta": "{STRIPE_SECRET}"}}"#);
    TestApp::start_with(with(ProvisioningConfig {
        stripe_webhook_secret: Some(secrets.into()),
        ..ProvisioningConfig::default()
    }))
    .await
}

/// A tenant with one of everything.
async fn furnished(app: &TestApp, slug: &str) -> (Client, BTreeMap<&'static str, String>) {
    let (tenant, client) = app.tenant(slug).await;
    let product = client.product("PRD").await;
    let customer = client.customer("jane@example.com").await;
    let license = client.license_of("PRD", &customer).await;
    let machine = client.activate(&license["key"], "fp").await;
    for value in [1, 1, 1, 1, 100] {
        client.use_of(&license["key"], "calls", value).await;
    }
    let anomalies = client
        .get(&format!("/anomalies/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    let key = client.api_key(&["read"]).await;
    // Paused, so that nobody is called.
    let webhook = client
        .post("/webhooks", &json!({"url": "https://hooks.example/"}))
        .await
        .expect(201);
    let webhook_path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    client
        .patch(&webhook_path, &json!({"status": "paused"}))
        .await
        .expect(200);
    let delivery = client
        .post_empty(&format!("{webhook_path}/test"))
        .await
        .expect(202);
    let bought = session("cs_1", "buyer@example.com", "pro");
    let bought = stripe_event("evt_1", "checkout.session.completed", &bought).to_string();
    let signature = stripe_signature(STRIPE_SECRET, start_time().as_seconds(), &bought);
    let request = app
        .client
        .request(Method::POST, &format!("/webhooks/stripe?tenant={slug}"))
        .header("Stripe-Signature", signature);
    send(request.body(bought)).await.expect(200);
    let mails = client.get("/mails").await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ids = BTreeMap::from([
        ("mail_id", text(&mails[0]["id"])),
        ("tenant_id", text(&tenant["id"])),
        ("tenant", slug.to_owned()),
        ("product_id", text(&product["id"])),
        ("customer_id", text(&customer["id"])),
        ("license_id", text(&license["id"])),
        ("machine_id", text(&machine["machine_id"])),
        ("anomaly_id", text(&anomalies[0]["id"])),
        ("api_key_id", text(&key["id"])),
        ("endpoint_id", text(&webhook["id"])),
        ("delivery_id", text(&delivery["id"])),
    ]);
    (client, ids)
}

#[tokio::test]
async fn every_route_opens_to_the_scopes_of_the_table_and_to_nobody_else() {
    let app = start().await;
    let (admin, _) = furnished(&app, "alpha").await;
    let mut keys: Vec<(BTreeSet<String>, String)> = vec![];
    for scope in Scope::ALL {
        let key = admin.api_key(&[scope.as_str()]).await;
        let roles = BTreeSet::from([scope.as_str().to_owned()]);
        keys.push((roles, key["api_key"].as_str().unwrap().to_owned()));
    }
    let two = admin.api_key(&["meter", "audit"]).await;
    let roles = BTreeSet::from(["meter".to_owned(), "audit".to_owned()]);
    keys.push((roles, two["api_key"].as_str().unwrap().to_owned()));
    let all = Scope::ALL.iter().map(|scope| scope.as_str().to_owned()).collect();
    keys.push((all, ADMIN_KEY.to_owned()));
    keys.push((
        BTreeSet::from([SUPER_ADMIN.to_owned()]),
        SUPER_ADMIN_KEY.to_owned(),
    ));

    for Operation { method, path, roles } in operations() {
        let target = concrete(&path, &BTreeMap::from([("tenant", "alpha".to_owned())]));
        let with = async |key: Option<&str>| {
            let mut request = app.client.request(method.clone(), &target).json(&json!({}));
            if let Some(key) = key {
                request = request.header("X-Vinzy-Api-Key", key);
            }
            send(request).await
        };
        let Some(roles) = roles else {
            let answer = with(None).await;
            assert!(
                ![401, 403].contains(&answer.status),
                "{method} {path}: {answer:?}"
            );
            continue;
        };
        let nobody = with(None).await;
        assert_eq!(nobody.header("www-authenticate"), "Bearer", "{method} {path}");
        nobody.expect_problem(401, "UNAUTHORIZED");
        for wrong in ["vzt_wrong", "wrong", "", &"x".repeat(2_000)] {
            with(Some(wrong)).await.expect_problem(401, "UNAUTHORIZED");
        }
        for authorization in ["Bearer wrong", "Bearer", "Basic x", ""] {
            let request = app.client.request(method.clone(), &target);
            send(request.header("Authorization", authorization))
                .await
                .expect_problem(401, "UNAUTHORIZED");
        }
        for (own, key) in &keys {
            let answer = with(Some(key)).await;
            let opens = roles.is_empty() || roles.iter().any(|role| own.contains(role));
            if opens {
                assert!(
                    ![401, 403].contains(&answer.status),
                    "{method} {path} with {own:?}: {}",
                    answer.body
                );
            } else {
                answer.expect_problem(403, "FORBIDDEN");
            }
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn what_belongs_to_others_is_as_if_it_were_not_there() {
    let app = start().await;
    let (_, theirs) = furnished(&app, "alpha").await;
    let (own, own_ids) = furnished(&app, "beta").await;
    let admin = app.client.clone();
    for Operation { method, path, roles } in operations() {
        if roles.is_none_or(|roles| roles.contains(SUPER_ADMIN) || roles.is_empty()) {
            continue;
        }
        for client in [&own, &admin] {
            let ask = async |path: &str| {
                let request = client.authorized(method.clone(), path).json(&body());
                without_request_id(send(request).await)
            };
            // Each place in turn holds somebody else's id, the others hold ids of one's own.
            for place in theirs
                .keys()
                .filter(|place| path.contains(&format!("{{{place}}}")))
            {
                let with = |id: &str| {
                    let mut ids = own_ids.clone();
                    ids.insert(place, id.to_owned());
                    format!("{}?metric=m", concrete(&path, &ids))
                };
                let nobodys = if *place == "tenant" { "nobody" } else { NOBODYS };
                let (theirs, nobodys) = (ask(&with(&theirs[place])).await, ask(&with(nobodys)).await);
                assert_eq!(theirs, nobodys, "{method} {path}, {place}");
                assert_eq!(theirs.0, 404, "{method} {path}: {}", theirs.1);
            }
        }
        if method == Method::GET && !path.contains('{') {
            let shown = send(admin.authorized(method.clone(), &path)).await;
            let shown = format!("{} {:?}", shown.body, shown.headers);
            for id in theirs.values().filter(|id| id.len() == 36) {
                assert!(!shown.contains(id), "{path} shows {id}");
            }
        }
    }
    // Ids within bodies and filters.
    let license = json!({"product_code": "PRD", "customer_id": theirs["customer_id"]});
    let unknown = json!({"product_code": "PRD", "customer_id": NOBODYS});
    assert_eq!(
        without_request_id(own.post("/licenses", &license).await),
        without_request_id(own.post("/licenses", &unknown).await)
    );
    for filter in ["customer_id", "license_id"] {
        let list = own.get(&format!("/licenses?{filter}={}", theirs[filter])).await;
        assert!(!list.body.to_string().contains(&theirs["license_id"]), "{filter}");
    }
    app.finish().await;
}

#[tokio::test]
async fn keys_that_have_ended_open_nothing() {
    let app = TestApp::start().await;
    let (_, admin) = app.tenant("alpha").await;
    let soon = json!({"name": "soon", "scopes": ["read"], "expires_at": "2026-03-01T12:01:00Z"});
    let ends = admin.post("/api-keys", &soon).await.expect(201);
    let revoked = admin.api_key(&["read"]).await;
    for key in [&ends, &revoked] {
        app.client
            .with_key(&key["api_key"])
            .get("/products")
            .await
            .expect(200);
    }
    let path = format!("/api-keys/{}", revoked["id"].as_str().unwrap());
    admin.delete(&path).await.expect(204);
    app.advance(std::time::Duration::from_mins(1));
    for key in [&ends, &revoked] {
        app.client
            .with_key(&key["api_key"])
            .get("/products")
            .await
            .expect_problem(401, "UNAUTHORIZED");
    }
    app.finish().await;
}

/// The table in the guide, as it follows from the one that the server checks.
fn table() -> String {
    let mut columns: Vec<String> = Scope::ALL.iter().map(|scope| format!("`{scope}`")).collect();
    columns.push("super-admin".to_owned());
    let mut lines = vec![
        format!("| Route | {} |", columns.join(" | ")),
        format!("|---|{}", "---|".repeat(columns.len())),
    ];
    for Operation { method, path, roles } in operations() {
        let cells = match roles {
            None => vec!["open"; columns.len()],
            Some(roles) => Scope::ALL
                .iter()
                .map(|scope| scope.as_str())
                .chain([SUPER_ADMIN])
                .map(|role| {
                    if roles.is_empty() || roles.contains(role) {
                        "✓"
                    } else {
                        ""
                    }
                })
                .collect(),
        };
        lines.push(format!("| `{method} {path}` | {} |", cells.join(" | ")));
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_guides_table_is_the_one_that_is_checked() {
    const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
    const BEGIN: &str = "<!-- routes -->\n";
    const END: &str = "<!-- /routes -->";
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let begin = guide.find(BEGIN).unwrap() + BEGIN.len();
    let end = guide.find(END).unwrap();
    let table = table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let updated = [&guide[..begin], table.as_str(), &guide[end..]].concat();
        std::fs::write(GUIDE, updated).unwrap();
        return;
    }
    assert!(
        guide[begin..end] == table,
        "docs/security.md is not up to date: run `cargo xtask openapi` and look at the difference"
    );
}

#[test]
fn the_description_says_what_the_server_checks() {
    // What the description says of roles is made of the same value as the check; here only that all kinds say
    // something sensible.
    assert_eq!(Access::Open.scopes(), None);
    assert!(Access::SuperAdmin.is_for_admins() && Access::LogIn.is_for_admins());
    assert!(!Access::Open.is_for_admins() && !Access::Probe.is_for_admins());
}
