//! What happens when the network, or the server, is not at its best.

use std::collections::HashSet;
use std::time::Duration;

use vinzy_client::Error;
use vinzy_client::calls::{customers, usage};
use vinzy_client::client::AdminClient;
use vinzy_client::customers::CreateCustomer;

use super::proxy::{Fault, Proxy, reply, reply_with};
use super::{NOWHERE, Stage};
use crate::support::ADMIN_KEY;

#[tokio::test]
async fn what_is_done_is_done_once_when_answers_are_lost() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    let client = stage.at(&flaky.url).build().unwrap();

    flaky.fail([Fault::DropAfterActing, Fault::DropAfterActing]);
    let used = client.record_usage("api_calls", 7).await.unwrap();
    assert_eq!((used.value_added.as_str(), used.total_value.as_str()), ("7", "7"));
    let sent: HashSet<_> = flaky
        .seen()
        .iter()
        .map(|seen| (seen.headers["idempotency-key"].clone(), seen.body.clone()))
        .collect();
    assert_eq!((flaky.seen().len(), sent.len()), (3, 1));

    flaky.fail([Fault::DropAfterActing]);
    let record = vinzy_client::usage::RecordUsageRequest {
        metric: "api_calls".into(),
        ..Default::default()
    };
    let batch = client
        .record_usage_batch(vec![record.clone(), record])
        .await
        .unwrap();
    assert_eq!((batch.recorded, batch.results[1].total_value.as_str()), (2, "9"));
    let totals = stage
        .admin()
        .all(|part| usage::totals(&stage.id, None, part))
        .await
        .unwrap();
    assert_eq!((totals[0].total_value.as_str(), totals[0].record_count), ("9", 3));

    flaky.fail([Fault::DropAfterActing]);
    assert_eq!(client.activate("laptop").await.unwrap().code, "ACTIVATED");
    flaky.fail([Fault::DropAfterActing]);
    assert_eq!(client.deactivate("laptop").await.unwrap().code, "DEACTIVATED");

    let admin = AdminClient::builder(&flaky.url).api_key(ADMIN_KEY);
    let admin = admin.retry_backoff_base(Duration::ZERO).build().unwrap();
    flaky.fail([Fault::DropAfterActing]);
    let customer = CreateCustomer {
        name: "John".into(),
        email: "john@example.com".into(),
        ..CreateCustomer::default()
    };
    assert_eq!(
        admin.send(&customers::create(&customer)).await.unwrap().name,
        "John"
    );

    // Two calls are two uses.
    let keys: HashSet<_> = flaky
        .seen()
        .iter()
        .map(|seen| seen.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys.len(), 5);
    stage.app.finish().await;
}

#[tokio::test]
async fn passing_trouble_is_not_seen_and_lasting_trouble_is_told() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    let client = stage.at(&flaky.url).build().unwrap();
    let now = [("retry-after", "0")];
    for fault in [
        Fault::Drop,
        reply_with(429, &now),
        reply(502),
        reply_with(503, &now),
        reply(504),
    ] {
        let before = flaky.seen().len();
        flaky.fail([fault.clone(), fault.clone()]);
        assert_eq!(
            client.heartbeat("laptop", None).await.unwrap().code,
            "NOT_FOUND",
            "{fault:?}"
        );
        assert_eq!(flaky.seen().len() - before, 3, "{fault:?}");

        flaky.fail([fault.clone(), fault.clone(), fault.clone()]);
        let error = client.record_usage("api_calls", 1).await.unwrap_err();
        assert!(error.is_no_answer());
        match (fault, &error) {
            (Fault::Drop, Error::Unreachable { server_url, .. }) => assert_eq!(*server_url, flaky.url),
            (Fault::Reply(status, ..), Error::Problem { problem, .. }) => {
                assert_eq!((problem.status, problem.code.as_str()), (status, "BUSY"));
                assert!(error.to_string().starts_with("not now ["), "{error}");
            }
            (fault, error) => panic!("{fault:?}: {error}"),
        }
        assert_eq!(flaky.seen().len() - before, 6);
    }
    for status in [400, 401, 404, 409, 422, 500] {
        let before = flaky.seen().len();
        flaky.fail([reply(status)]);
        let error = client.record_usage("api_calls", 1).await.unwrap_err();
        assert_eq!((error.status(), flaky.seen().len() - before), (Some(status), 1));
    }
    // What takes long is for the application to wait for.
    let before = flaky.seen().len();
    flaky.fail([reply_with(429, &[("retry-after", "3600")])]);
    let error = client.record_usage("api_calls", 1).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    assert_eq!(flaky.seen().len() - before, 1);

    let nobody = stage.at(NOWHERE).build().unwrap();
    let error = nobody.health().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    stage.app.finish().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    let patience = Duration::from_millis(100);
    let client = stage
        .at(&flaky.url)
        .timeout(patience)
        .max_retries(1)
        .build()
        .unwrap();
    flaky.break_path("/heartbeat", Fault::Silence);
    let error = client.heartbeat("laptop", None).await.unwrap_err();
    assert!(
        matches!(error, Error::Timeout { timeout, .. } if timeout == patience),
        "{error}"
    );
    assert_eq!(flaky.count("/heartbeat"), 2);
    stage.app.finish().await;
}

#[tokio::test]
async fn who_is_no_vinzy_server_is_not_believed() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    let client = stage.at(&flaky.url).build().unwrap();
    assert!(client.validate(None).await.unwrap().valid);
    let portals = [
        Fault::Reply(
            200,
            vec![("content-type", "text/html")],
            b"<h1>Welcome</h1>".to_vec(),
        ),
        Fault::Reply(302, vec![("location", "http://portal.invalid/")], vec![]),
        Fault::Reply(200, vec![], br#"{"status":"log in"}"#.to_vec()),
        Fault::Reply(200, vec![], br#"{"valid":true,"license":{"id":"1"}}"#.to_vec()),
        Fault::Reply(200, vec![], b"[]".to_vec()),
        Fault::Reply(200, vec![], vec![b'['; 100_000]),
    ];
    for portal in portals {
        flaky.fail(std::iter::repeat_n(portal.clone(), 3));
        let license = client.validate(None).await.unwrap();
        assert_eq!(
            (license.code.as_str(), license.offline),
            ("OK", true),
            "{portal:?}"
        );
        while flaky.pending() > 0 {
            let error = client.heartbeat("laptop", None).await.unwrap_err();
            let expected = matches!(error, Error::UnexpectedAnswer { .. } | Error::Unreachable { .. });
            assert!(expected, "{error}");
        }
    }
    stage.app.finish().await;
}

#[tokio::test]
async fn validation_falls_back_to_the_lease_and_says_why() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    let client = stage.at(&flaky.url).build().unwrap();
    assert!(!client.validate(None).await.unwrap().offline);
    for fault in [
        reply_with(429, &[("retry-after", "3600")]),
        reply(500),
        reply_with(503, &[("retry-after", "999")]),
    ] {
        flaky.fail([fault.clone()]);
        let license = client.validate(None).await.unwrap();
        assert_eq!(
            (license.valid, license.code.as_str(), license.offline),
            (true, "OK", true)
        );
        let Fault::Reply(status, ..) = fault else {
            unreachable!()
        };
        assert_eq!(license.cause.unwrap().status(), Some(status));
        assert!(!client.validate(None).await.unwrap().offline);
    }
    stage.app.finish().await;
}
