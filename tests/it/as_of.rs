//! Time travel: what was true at an earlier position or time, out of the ledger.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestApp;

const DAY: Duration = Duration::from_hours(24);

/// What everything says now, to be compared with what it says of this moment later.
struct Then {
    position: u64,
    time: String,
    license: Value,
    usage: Value,
    agents: Value,
    composed: Value,
}

struct Story {
    app: TestApp,
    license: String,
    customer: String,
}

impl Story {
    async fn ask(&self, path: &str, at: Option<&str>) -> Value {
        let query = at.map_or(String::new(), |at| format!("?at={at}"));
        let answer = self.app.client.get(&format!("{path}{query}")).await;
        assert_eq!(
            answer.header("x-vinzy-as-of-position").is_empty(),
            at.is_none(),
            "{answer:?}"
        );
        answer.expect(200)
    }

    async fn tell(&self, at: Option<&str>) -> [Value; 4] {
        [
            self.ask(&format!("/licenses/{}", self.license), at).await,
            self.ask(&format!("/usage/{}", self.license), at).await,
            self.ask(&format!("/licenses/{}/agents", self.license), at).await,
            self.ask(&format!("/entitlements/composed/{}", self.customer), at)
                .await,
        ]
    }

    async fn now(&self) -> Then {
        let [license, usage, agents, composed] = self.tell(None).await;
        let size = self
            .app
            .database
            .count("SELECT size FROM ledgers WHERE ledger_id = 'default'")
            .await;
        let then = Then {
            position: u64::try_from(size).unwrap() - 1,
            time: self.app.clock.now().to_string(),
            license,
            usage,
            agents,
            composed,
        };
        self.app.advance(Duration::from_secs(1));
        then
    }
}

#[tokio::test]
async fn every_answer_is_the_one_that_was_given_then() {
    let app = TestApp::start().await;
    let features = json!({"calls": {"limit": 100, "period": "day"}, "agents": {"A": {"enabled": true, "token_limit": 5}}});
    let product = json!({"code": "PRD", "name": "P", "features": features});
    let product = app.client.post("/products", &product).await.expect(201);
    let product = format!("/products/{}", product["id"].as_str().unwrap());
    let customer = app.customer("jane@example.com").await;
    let license = app.license_of("PRD", &customer).await;
    let key = &license["key"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let story = Story {
        license: text(&license["id"]),
        customer: text(&customer["id"]),
        app,
    };
    let client = &story.app.client;
    let path = format!("/licenses/{}", story.license);

    let mut moments = vec![story.now().await];
    client.activate(key, "m1").await;
    client.use_of(key, "calls", 40).await;
    moments.push(story.now().await);
    client.use_of(key, "calls", 50).await;
    client.use_of(key, "other", 1).await;
    moments.push(story.now().await);
    let changed = json!({"features": {"calls": {"limit": 500, "period": "day"}}});
    client.patch(&product, &changed).await.expect(200);
    moments.push(story.now().await);
    story.app.advance(DAY);
    client.use_of(key, "calls", 7).await;
    client
        .patch(
            &path,
            &json!({"tier": "pro", "entitlements": {"calls": {"limit": 9}}}),
        )
        .await
        .expect(200);
    moments.push(story.now().await);
    let second = client.license_of("PRD", &customer).await;
    moments.push(story.now().await);
    client
        .post(&format!("{path}/suspend"), &json!({}))
        .await
        .expect(200);
    moments.push(story.now().await);

    // Now everything is gone.
    for id in [&second["id"], &license["id"]] {
        client
            .delete(&format!("/licenses/{}", id.as_str().unwrap()))
            .await
            .expect(204);
    }
    client
        .delete(&format!("/customers/{}", story.customer))
        .await
        .expect(204);
    client.get(&path).await.expect_problem(404, "LICENSE_NOT_FOUND");
    for then in &moments {
        for at in [then.position.to_string(), then.time.clone()] {
            let told = story.tell(Some(&at)).await;
            let expected = [&then.license, &then.usage, &then.agents, &then.composed];
            assert_eq!(told.each_ref(), expected, "as of {at}");
        }
    }
    let [first, .., last] = &moments[..] else {
        unreachable!()
    };
    assert_ne!(first.composed, last.composed);
    assert_eq!(last.license["status"], "suspended");
    story.app.finish().await;
}

#[tokio::test]
async fn what_expires_had_not_expired_before() {
    let app = TestApp::start().await;
    let customer = app.customer("jane@example.com").await;
    app.product("PRD").await;
    let body = json!({"product_code": "PRD", "customer_id": customer["id"], "days_valid": 10});
    let license = app.client.post("/licenses", &body).await.expect(201);
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let early = app.clock.now();
    app.advance(DAY * 5);
    let middle = app.clock.now();
    app.advance(DAY * 10);
    for (at, status) in [
        (early, "active"),
        (middle, "active"),
        (app.clock.now(), "expired"),
    ] {
        let then = app.client.get(&format!("{path}?at={at}")).await.expect(200);
        assert_eq!(then["status"], status, "{at}");
    }
    app.finish().await;
}

#[tokio::test]
async fn usage_of_then_is_paged_as_that_of_now_is() {
    let app = TestApp::start().await;
    let license = app.license().await;
    for metric in ["a", "b", "c", "d", "e"] {
        app.client.use_of(&license["key"], metric, 1).await;
    }
    let id = license["id"].as_str().unwrap();
    for at in ["", "&at=8"] {
        let mut path = Some(format!("/usage/{id}?page_size=2{at}"));
        let mut metrics = vec![];
        while let Some(next) = path {
            let page = app.client.get(&next).await;
            assert_eq!(page.header("x-total-count"), "5");
            path = page.next_page();
            let rows = page.expect(200);
            metrics.extend(rows.as_array().unwrap().iter().map(|row| row["metric"].clone()));
        }
        assert_eq!(json!(metrics), json!(["a", "b", "c", "d", "e"]), "{at}");
    }
    let page = app
        .client
        .get(&format!("/usage/{id}?page_size=2&page=3&at=8"))
        .await
        .expect(200);
    assert_eq!(page[0]["metric"], "e");
    app.finish().await;
}

#[tokio::test]
async fn moments_that_there_are_not_say_why() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    for (at, why) in [
        ("4", "must be less than 4"),
        ("9223372036854775807", "must be less than 4"),
        ("9223372036854775808", "must be a position"),
        ("-1", "must be a position"),
        ("yesterday", "must be a position"),
        ("2030-01-01T00:00:00Z", "must not be in the future"),
        ("2020-01-01T00:00:00Z", "lies before the ledger's first event"),
    ] {
        let problem = app.client.get(&format!("{path}?at={at}")).await;
        let problem = problem.expect_problem(422, "VALIDATION_ERROR");
        let told = problem["errors"][0]["message"].as_str().unwrap();
        assert!(told.starts_with(why), "{at}: {told}");
    }
    // Before it was created there is no such license.
    app.client
        .get(&format!("{path}?at=2"))
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.client.get(&format!("{path}?at=")).await.expect(200);
    let (_, theirs) = app.tenant("acme").await;
    theirs
        .get(&format!("{path}?at=0"))
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.finish().await;
}
