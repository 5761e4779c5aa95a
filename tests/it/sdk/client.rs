//! What it asks, and what it is told.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use vinzy_client::call::Part;
use vinzy_client::calls::{customers, licenses, products, service, usage, webhooks};
use vinzy_client::client::{AdminClient, BuildError};
use vinzy_client::customers::CreateCustomer;
use vinzy_client::licenses::Reason;
use vinzy_client::machines::ActivateRequest;
use vinzy_client::products::CreateProduct;
use vinzy_client::usage::{RecordLicenseUsageRequest, RecordUsageRequest};
use vinzy_client::webhooks::{CreateWebhook, RotateWebhookSecret, WebhookError, WebhookVerifier};
use vinzy_client::{Error, LicenseClient};

use super::Stage;
use super::proxy::Proxy;
use crate::support::receiver::Receiver;
use crate::support::{ADMIN_KEY, start_time};

#[tokio::test]
async fn an_application_asks_everything_with_its_license_key() {
    let stage = Stage::set().await;
    let client = stage.client();

    let license = client.validate(Some("laptop")).await.unwrap();
    assert_eq!(
        (license.valid, license.code.as_str(), license.offline),
        (true, "OK", false)
    );
    assert_eq!(
        (
            license.tier.as_str(),
            license.license.as_ref().unwrap().id.as_str()
        ),
        ("standard", &*stage.id)
    );
    assert!(license.allows("export") && !license.allows("sso"));
    assert!(license.offline_until.is_some() && license.cause.is_none());
    assert_eq!(client.entitled_agents(None).await.unwrap(), ["CTO"]);

    let machine = ActivateRequest {
        fingerprint: "laptop".into(),
        hostname: "box".into(),
        platform: "linux".into(),
        ..ActivateRequest::default()
    };
    let seat = client.activate_with(machine, None).await.unwrap();
    assert_eq!((seat.success, seat.code.as_str()), (true, "ACTIVATED"));
    assert_eq!(client.activate("laptop").await.unwrap().code, "ALREADY_ACTIVATED");
    let alive = client.heartbeat("laptop", Some("1.2.3")).await.unwrap();
    assert_eq!((alive.success, alive.code.as_str()), (true, "OK"));
    let machines = stage
        .admin()
        .send(&licenses::machines(&stage.id, &Part::default()))
        .await
        .unwrap();
    let machine = &machines.rows[0];
    assert_eq!(
        (machine.hostname.as_str(), machine.version.as_deref()),
        ("box", Some("1.2.3"))
    );

    let used = client.record_usage("api_calls", 600).await.unwrap();
    assert_eq!(
        (used.total_value.as_str(), used.remaining.unwrap().as_str()),
        ("600", "400")
    );
    let too_much = client.record_usage("api_calls", 600).await.unwrap();
    assert_eq!(
        (too_much.success, too_much.code.as_str()),
        (false, "LIMIT_EXCEEDED")
    );
    let exact = client
        .record_usage("storage", "0.1234567890123456789")
        .await
        .unwrap();
    assert_eq!(exact.total_value.as_str(), "0.1234567890123456789");
    let record = |metric: &str, value: Value| RecordUsageRequest {
        metric: metric.into(),
        value: Some(value),
        ..RecordUsageRequest::default()
    };
    let batch = vec![
        record("api_calls", json!(100)),
        record("api_calls", json!(1000)),
        record("seats", json!(1)),
    ];
    let batch = client.record_usage_batch(batch).await.unwrap();
    assert_eq!(
        (batch.recorded, batch.refused, batch.results[1].code.as_str()),
        (2, 1, "LIMIT_EXCEEDED")
    );

    let agent = client.validate_agent("CTO").await.unwrap();
    assert_eq!(
        (agent.valid, agent.tokens_remaining.unwrap().as_str()),
        (true, "50000")
    );
    assert_eq!(
        client.validate_agent("CFO").await.unwrap().code,
        "AGENT_NOT_ENTITLED"
    );

    let given_up = client.deactivate("laptop").await.unwrap();
    assert_eq!((given_up.success, given_up.code.as_str()), (true, "DEACTIVATED"));
    assert_eq!(client.deactivate("laptop").await.unwrap().code, "NOT_ACTIVATED");
    assert_eq!(client.health().await.unwrap().status, "ok");
    assert_eq!(client.ready().await.unwrap().status, "ready");
    stage.app.finish().await;
}

#[tokio::test]
async fn what_licensing_refuses_is_an_answer_and_everything_else_an_error() {
    let stage = Stage::set().await;
    let client = stage.client();
    let stranger = client.with_key("PRD-AAAAA");
    assert_eq!(stranger.validate(None).await.unwrap().code, "INVALID_KEY");
    assert!(stranger.entitled_agents(None).await.unwrap().is_empty());
    assert_eq!(stranger.activate("laptop").await.unwrap().code, "INVALID_KEY");
    assert_eq!(client.heartbeat("laptop", None).await.unwrap().code, "NOT_FOUND");

    let long = "x".repeat(256);
    for error in [
        client.validate(Some(&long)).await.unwrap_err(),
        client.activate(&long).await.unwrap_err(),
    ] {
        let problem = error.problem().unwrap();
        assert_eq!(
            (problem.status, problem.errors[0].field.as_str()),
            (422, "fingerprint")
        );
        assert!(error.to_string().contains(&problem.request_id), "{error}");
    }
    assert_eq!(
        stranger.deactivate("laptop").await.unwrap_err().status(),
        Some(404)
    );
    assert_eq!(
        client.record_usage("api_calls", 0).await.unwrap_err().status(),
        Some(422)
    );
    // What JSON cannot say is not sent, and least of all as 1.
    for value in [Value::from(f64::NAN), Value::Bool(true)] {
        let error = client.record_usage("api_calls", value).await.unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { name: "value", .. }),
            "{error}"
        );
    }
    let named = RecordUsageRequest {
        metric: "api_calls".into(),
        idempotency_key: Some("order\n17".into()),
        ..RecordUsageRequest::default()
    };
    let error = client.record_usage_with(named).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    assert!(
        stage
            .admin()
            .all(|part| usage::totals(&stage.id, None, part))
            .await
            .unwrap()
            .is_empty()
    );

    let license = stage.admin().send(&licenses::get(&stage.id, None)).await.unwrap();
    let error = client
        .composed_entitlements(&license.customer_id)
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(401));
    let vendor = stage.at(stage.url()).api_key(ADMIN_KEY).build().unwrap();
    let composed = vendor.composed_entitlements(&license.customer_id).await.unwrap();
    assert_eq!(composed.total_products, 1);
    stage.app.finish().await;
}

#[tokio::test]
async fn use_that_is_named_counts_once_whoever_records_it() {
    let stage = Stage::set().await;
    let named = |value: u32| RecordUsageRequest {
        metric: "api_calls".into(),
        value: Some(value.into()),
        idempotency_key: Some("order-17".into()),
        ..RecordUsageRequest::default()
    };
    let first = stage.client().record_usage_with(named(5)).await.unwrap();
    assert_eq!(stage.client().record_usage_with(named(5)).await.unwrap(), first);
    let other = stage.client().record_usage_with(named(6)).await.unwrap_err();
    assert_eq!(other.status(), Some(409));
    // In a batch, too.
    let batch = stage.client().record_usage_batch(vec![named(5)]).await.unwrap();
    assert_eq!(batch.results[0].total_value.as_str(), "5");
    assert_eq!(
        stage
            .client()
            .record_usage("api_calls", 1)
            .await
            .unwrap()
            .total_value
            .as_str(),
        "6"
    );
    stage.app.finish().await;
}

#[tokio::test]
async fn an_admin_sends_every_operation() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    for number in 0..3 {
        let customer = CreateCustomer {
            name: format!("Customer {number}"),
            email: format!("customer{number}@example.com"),
            ..CreateCustomer::default()
        };
        let call = customers::create(&customer);
        let first = admin
            .send_once(&call, &format!("customer-{number}"))
            .await
            .unwrap();
        let again = admin
            .send_once(&call, &format!("customer-{number}"))
            .await
            .unwrap();
        assert_eq!(first, again);
        // Another time it is another request.
        assert_eq!(admin.send(&call).await.unwrap_err().code(), Some("EMAIL_TAKEN"));
    }
    let filter = customers::Filter::default();
    let all = admin
        .all(|part| {
            assert_eq!(part.page_size, Some(100));
            let small = Part {
                page_size: Some(2),
                ..part.clone()
            };
            customers::list(&filter, &small)
        })
        .await
        .unwrap();
    let names: Vec<_> = all.iter().map(|customer| customer.name.as_str()).collect();
    assert_eq!(names, ["Jane Doe", "Customer 0", "Customer 1", "Customer 2"]);

    let record = RecordLicenseUsageRequest {
        metric: "seats".into(),
        ..RecordLicenseUsageRequest::default()
    };
    let recorded = admin.send(&usage::record(&stage.id, &record)).await.unwrap();
    assert_eq!(recorded.total_value.as_str(), "1");
    let totals = admin
        .all(|part| usage::totals(&stage.id, None, part))
        .await
        .unwrap();
    assert_eq!(totals[0].record_count, 1);
    assert!(
        admin
            .send(&licenses::csv(&licenses::Filter::default()))
            .await
            .unwrap()
            .contains(&stage.id)
    );
    assert_eq!(admin.send(&service::overview(1)).await.unwrap().activity.len(), 1);
    admin.send(&licenses::delete(&stage.id)).await.unwrap();
    assert_eq!(
        admin
            .send(&licenses::get(&stage.id, None))
            .await
            .unwrap_err()
            .status(),
        Some(404)
    );

    let product = CreateProduct {
        code: "NEW".into(),
        name: "x".into(),
        ..CreateProduct::default()
    };
    let nobody = AdminClient::builder(stage.url()).build().unwrap();
    assert_eq!(
        nobody
            .send(&products::create(&product))
            .await
            .unwrap_err()
            .status(),
        Some(401)
    );
    stage.app.finish().await;
}

#[tokio::test]
async fn good_answers_are_given_again_until_they_are_old_or_something_changes() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    let client = stage
        .at(&flaky.url)
        .cache_ttl(Duration::from_mins(5))
        .build()
        .unwrap();
    let asked = || flaky.count("/validate");

    for _ in 0..3 {
        assert!(client.validate(None).await.unwrap().valid);
    }
    assert_eq!(asked(), 1);
    stage.sleep(Duration::from_secs(301));
    client.validate(None).await.unwrap();
    assert_eq!(asked(), 2);
    // A clock that goes backwards makes no answer younger.
    stage.set_back(Duration::from_secs(10));
    client.validate(None).await.unwrap();
    assert_eq!(asked(), 3);
    for fingerprint in [Some("laptop"), Some("phone"), Some("laptop"), Some("")] {
        client.validate(fingerprint).await.unwrap();
    }
    assert_eq!(asked(), 5);

    client.record_usage("api_calls", 1).await.unwrap();
    client.validate(None).await.unwrap();
    client.activate("laptop").await.unwrap();
    client.validate(None).await.unwrap();
    client.record_usage_batch(vec![]).await.unwrap_err();
    client.deactivate("laptop").await.unwrap();
    client.validate(None).await.unwrap();
    assert_eq!(asked(), 8);

    client.activate("laptop").await.unwrap();
    client.validate(None).await.unwrap();
    stage
        .admin()
        .send(&licenses::suspend(&stage.id, &Reason::default()))
        .await
        .unwrap();
    assert!(client.validate(None).await.unwrap().valid, "it was not asked");
    assert_eq!(client.heartbeat("laptop", None).await.unwrap().code, "SUSPENDED");
    assert_eq!(client.validate(None).await.unwrap().code, "SUSPENDED");
    // Refusals are asked again.
    stage
        .admin()
        .send(&licenses::reinstate(&stage.id, &Reason::default()))
        .await
        .unwrap();
    assert!(client.validate(None).await.unwrap().valid);
    stage.app.finish().await;
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_key() {
    let stage = Stage::set().await;
    let builder = stage.at(stage.url()).api_key(ADMIN_KEY);
    let client = builder.clone().build().unwrap();
    let validation = client.validate(None).await.unwrap();
    let token = validation.lease.clone().unwrap().token;
    let call = licenses::validate(&stage.key);
    let error = client.with_key("x").deactivate("laptop").await.unwrap_err();
    let shown = format!(
        "{builder:?} {client:?} {validation:?} {call:?} {error:?} {:?}",
        stage.admin()
    );
    for secret in [stage.key.as_str(), ADMIN_KEY, &token] {
        assert!(!shown.contains(secret), "{shown}");
    }
    stage.app.finish().await;
}

#[tokio::test]
async fn what_the_server_sends_is_genuine_and_nothing_else_is() {
    let stage = Stage::set().await;
    let receiver = Receiver::start().await;
    let endpoint = CreateWebhook {
        url: receiver.url.clone(),
        ..CreateWebhook::default()
    };
    let admin = stage.admin();
    let created = admin.send(&webhooks::create(&endpoint)).await.unwrap();
    let overlap = RotateWebhookSecret::default();
    let rotated = admin
        .send(&webhooks::rotate(&created.webhook.id, &overlap))
        .await
        .unwrap();
    admin.send(&webhooks::test(&created.webhook.id)).await.unwrap();
    stage.client().activate("laptop").await.unwrap();
    let seen = receiver.wait_for(2).await;

    let secrets = [created.secret.as_str(), rotated.secret.as_str()];
    let verifier = |secrets: &[&str]| WebhookVerifier::try_new(secrets).unwrap();
    let now = UNIX_EPOCH + Duration::from_micros(start_time().as_micros().try_into().unwrap());
    let mut types = vec![];
    for delivery in &seen {
        let header = |name: &str| delivery.headers.get(name)?.to_str().ok();
        for secret in secrets {
            let event = verifier(&[secret])
                .verify_at(&delivery.body, header, now)
                .unwrap();
            types.push((event.event_type, event.ledger.is_some()));
        }
        let other = verifier(&["whsec_c2l4dGVlbiBjaGFyYWN0ZXJz"]);
        let refused = other.verify_at(&delivery.body, header, now);
        assert_eq!(refused, Err(WebhookError::NoSignatureFits));
        // The test's clock stands still months before the machine's.
        assert_eq!(
            verifier(&secrets).verify(&delivery.body, header),
            Err(WebhookError::TooOld)
        );
        let older = delivery.header("x-vinzy-signature");
        assert!(verifier(&secrets).fits_older_header(&delivery.body, older));
        assert!(!verifier(&secrets).fits_older_header(b"{}", older));
    }
    types.sort();
    types.dedup();
    let expected = [
        ("activation.created".to_owned(), true),
        ("webhook.test".to_owned(), false),
    ];
    assert_eq!(types, expected);
    stage.app.finish().await;
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let refused = |url: &str| LicenseClient::builder(url).build().unwrap_err();
    for url in [
        "",
        "licenses.example.com",
        "ftp://x",
        "http://user:secret@x",
        "http://x?y",
        "http://x#y",
    ] {
        assert!(matches!(refused(url), BuildError::ServerUrl), "{url}");
    }
    let builder = || LicenseClient::builder("http://127.0.0.1:9");
    for key in ["", "a\nb", "ä"] {
        assert!(
            matches!(builder().api_key(key).build(), Err(BuildError::ApiKey)),
            "{key}"
        );
    }
    for jwks in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1"}]}"#,
    ] {
        assert!(
            matches!(builder().pinned_jwks(jwks).build(), Err(BuildError::PinnedJwks)),
            "{jwks}"
        );
    }
    assert_eq!(builder().build().unwrap().server_url(), "http://127.0.0.1:9");
}
