//! License keys reach their buyers: by a mail server that is there, one that is not, and through crashes.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vinzy_engine::config::ProvisioningConfig;
use vinzy_engine::database::connect;
use vinzy_events::Timestamp;

use crate::crash::place;
use crate::provisioning::{STRIPE_SECRET, provisioning, session, sold, stripe_event, stripe_signature, with};
use crate::support::client::{Client, send};
use crate::support::database::TestDatabase;
use crate::support::node::{Node, vinzy};
use crate::support::smtp::MailServer;
use crate::support::{TestApp, eventually, start_time};

fn mailing(server: &MailServer) -> ProvisioningConfig {
    ProvisioningConfig {
        smtp_url: Some(server.url().into()),
        mail_from: Some("My Shop <shop@example.com>".into()),
        mail_retry_schedule: "10s,1m".parse().unwrap(),
        ..provisioning()
    }
}

async fn buy(client: &Client, at: Timestamp, id: &str, email: &str) -> Value {
    let bought = session(&id.replace("evt_", "cs_"), email, "pro");
    let body = stripe_event(id, "checkout.session.completed", &bought).to_string();
    let request = client.request(Method::POST, "/webhooks/stripe").header(
        "Stripe-Signature",
        stripe_signature(STRIPE_SECRET, at.as_seconds(), &body),
    );
    send(request.body(body)).await.expect(200)
}

/// Waits until the newest mail has a status.
async fn newest(client: &Client, status: &str) -> Value {
    let shown = async || client.get("/mails").await.expect(200)[0].clone();
    eventually(status, async || shown().await["status"] == status).await;
    shown().await
}

/// The whole outbox, as text.
async fn outbox(app: &TestApp) -> Vec<String> {
    let pool = connect(app.database.options(), 1).await.unwrap();
    sqlx::query_scalar("SELECT m::text FROM mails m")
        .fetch_all(&pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_buyer_gets_the_key_and_then_nobody_has_it() {
    let server = MailServer::start().await;
    let app = TestApp::start_with(with(mailing(&server))).await;
    sold(&app.client).await;
    let told = buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    let mail = server.wait_for(1).await.remove(0);
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("shop@example.com", &["jane@example.com".to_owned()][..])
    );
    assert_eq!(mail.header("Subject"), "Your license key for My Product");
    assert!(mail.header("From").contains("shop@example.com"), "{}", mail.text);
    assert!(
        mail.text.contains("Hello Jane Doe,") && mail.text.contains("until 2027-04-05"),
        "{}",
        mail.text
    );
    let valid = app.client.validate(&mail.key().into()).await;
    assert_eq!(
        (&valid["valid"], &valid["license"]["id"]),
        (&json!(true), &told["license_id"]),
        "{valid}"
    );

    let shown = newest(&app.client, "delivered").await;
    assert!(mail.header("Message-ID").contains(shown["id"].as_str().unwrap()));
    assert_eq!(
        (&shown["license_id"], &shown["attempts"]),
        (&told["license_id"], &json!(1))
    );
    let rows = outbox(&app).await;
    assert!(rows.len() == 1 && !rows[0].contains("\\x"), "{rows:?}");
    let path = format!("/mails/{}/resend", shown["id"].as_str().unwrap());
    let problem = app
        .client
        .post_empty(&path)
        .await
        .expect_problem(409, "MAIL_DELIVERED");
    assert!(
        problem["detail"].as_str().unwrap().contains("POST /licenses"),
        "{problem}"
    );
    // The same checkout again sends nothing again.
    buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    assert_eq!(
        app.client
            .get("/mails")
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(server.taken().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_tried_again_until_it_is_given_up() {
    let server = MailServer::start().await;
    let app = TestApp::start_with(with(mailing(&server))).await;
    server.answer(|_| "451 come back, jane@example.com".into());
    sold(&app.client).await;
    buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    let tried = async |attempts: u64| {
        eventually("tried", async || {
            let mail = app.client.get("/mails").await.expect(200)[0].clone();
            mail["attempts"] == attempts && mail["last_error"] == "the mail server answered 451"
        })
        .await;
    };
    tried(1).await;
    assert_eq!(newest(&app.client, "pending").await["attempts"], 1);
    app.advance(Duration::from_secs(13));
    tried(2).await;
    app.advance(Duration::from_secs(80));
    let given_up = newest(&app.client, "undelivered").await;
    assert_eq!(given_up["attempts"], 3);
    let listed = app.client.get("/mails?status=undelivered").await.expect(200);
    assert_eq!(listed[0]["id"], given_up["id"]);
    // What the server says of the buyer is kept nowhere.
    assert!(!outbox(&app).await[0].contains("jane"));
    // Asked for, it is sent at once, to the address that the customer has now.
    server.answer(|_| "250 ok".into());
    let customer = format!("/customers/{}", given_up["customer_id"].as_str().unwrap());
    app.client
        .patch(&customer, &json!({"email": "jane@example.org"}))
        .await
        .expect(200);
    let path = format!("/mails/{}/resend", given_up["id"].as_str().unwrap());
    let resent = app.client.post_empty(&path).await.expect(200);
    assert_eq!(
        (&resent["status"], &resent["last_error"]),
        (&json!("pending"), &Value::Null)
    );
    let mail = server.wait_for(1).await.remove(0);
    assert_eq!(mail.to, ["jane@example.org"]);
    newest(&app.client, "delivered").await;
    app.finish().await;
}

#[tokio::test]
async fn an_address_that_is_refused_is_not_tried_again() {
    let server = MailServer::start().await;
    let app = TestApp::start_with(with(mailing(&server))).await;
    server.answer(|_| "550 no such user".into());
    sold(&app.client).await;
    buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    let refused = newest(&app.client, "undelivered").await;
    assert_eq!(refused["attempts"], 1);
    assert_eq!(refused["last_error"], "the mail server answered 550");
    assert_eq!(server.tries(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_key_is_not_sent_in_the_clear_unless_that_is_said() {
    let server = MailServer::start().await;
    for url in ["smtp", "smtps"] {
        let config = ProvisioningConfig {
            // The server offers no encryption.
            smtp_url: Some(format!("{url}://127.0.0.1:{}", server.port).into()),
            mail_retry_schedule: "10s".parse().unwrap(),
            ..mailing(&server)
        };
        let app = TestApp::start_with(with(config)).await;
        sold(&app.client).await;
        buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
        eventually("a try", async || {
            let mails = app.client.get("/mails").await.expect(200);
            mails[0]["last_error"].is_string()
        })
        .await;
        app.finish().await;
    }
    assert!(server.tries() >= 2);
    assert!(server.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_go_encrypted_to_a_mail_server_that_is_trusted() {
    let ([asked, always], issuer) = MailServer::encrypted().await;
    let directory = tempfile::tempdir().unwrap();
    let (trusted, other) = (
        directory.path().join("ca.pem"),
        directory.path().join("other.pem"),
    );
    std::fs::write(&trusted, issuer).unwrap();
    let (_, foreign) = MailServer::encrypted().await;
    std::fs::write(&other, foreign).unwrap();
    let database = TestDatabase::create().await;
    let now = || vinzy_engine::clock::Clock::System.now();
    let mut bought = 0;
    for (server, url) in [
        (&asked, format!("smtp://localhost:{}", asked.port)),
        (&always, format!("smtps://localhost:{}", always.port)),
    ] {
        for (issuers, delivered) in [(&other, false), (&trusted, true)] {
            let settings = [
                ("VINZY_STRIPE_WEBHOOK_SECRET", STRIPE_SECRET),
                ("VINZY_SMTP_URL", url.as_str()),
                ("VINZY_MAIL_FROM", "shop@example.com"),
                ("VINZY_MAIL_RETRY_SCHEDULE", "24h"),
                ("SSL_CERT_FILE", issuers.to_str().unwrap()),
            ];
            let node = Node::on_database_with(&database.url(), &settings);
            if bought == 0 {
                sold(&node.client).await;
            }
            bought += 1;
            buy(&node.client, now(), &format!("evt_{bought}"), "jane@example.com").await;
            if delivered {
                newest(&node.client, "delivered").await;
                let mail = server.taken().pop().unwrap();
                assert_eq!(node.client.validate(&mail.key().into()).await["valid"], true);
            } else {
                eventually("a try", async || {
                    let mails = node.client.get("/mails").await.expect(200);
                    mails[0]["last_error"].is_string()
                })
                .await;
                assert!(server.taken().is_empty(), "{url}");
            }
            assert!(node.terminate().success());
        }
        assert_eq!(server.taken().len(), 1, "{url}");
    }
    database.drop().await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_at_the_start() {
    let (_directory, data_dir) = place();
    for (name, value, told) in [
        (
            "VINZY_STRIPE_WEBHOOK_SECRET",
            "short",
            "VINZY_STRIPE_WEBHOOK_SECRET must be secrets",
        ),
        (
            "VINZY_SMTP_URL",
            "https://mail.example.com",
            "VINZY_SMTP_URL must be",
        ),
        (
            "VINZY_SMTP_URL",
            "smtp://mail.example.com",
            "VINZY_MAIL_FROM must be",
        ),
        (
            "VINZY_MAIL_TEMPLATE",
            "/nonexistent/mail.txt",
            "VINZY_MAIL_TEMPLATE: cannot read",
        ),
    ] {
        let output = vinzy()
            .arg("serve")
            .env("VINZY_DATA_DIR", &data_dir)
            .env(name, value)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(error.contains(told), "{name}: {error}");
        assert!(!data_dir.join("postgres").exists(), "nothing is started for that");
    }
}

#[tokio::test]
async fn without_a_mail_server_keys_wait_until_there_is_one() {
    let app = TestApp::start_with(with(provisioning())).await;
    sold(&app.client).await;
    let told = buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    let waiting = newest(&app.client, "undelivered").await;
    assert_eq!(waiting["license_id"], told["license_id"]);
    assert_eq!(waiting["last_error"], "no mail server is configured");
    let resend = |id: &Value| format!("/mails/{}/resend", id.as_str().unwrap());
    app.client
        .post_empty(&resend(&waiting["id"]))
        .await
        .expect_problem(409, "MAIL_NOT_CONFIGURED");
    app.client
        .post_empty("/mails/0197f0a2-0000-7000-8000-000000000000/resend")
        .await
        .expect_problem(404, "MAIL_NOT_FOUND");
    let database = app.stop().await;
    let server = MailServer::start().await;
    let app = TestApp::start_on(database, with(mailing(&server))).await;
    app.client.post_empty(&resend(&waiting["id"])).await.expect(200);
    let mail = server.wait_for(1).await.remove(0);
    let valid = app.client.validate(&mail.key().into()).await;
    assert_eq!(valid["license"]["id"], told["license_id"]);
    newest(&app.client, "delivered").await;
    app.finish().await;
}

#[tokio::test]
async fn an_erased_customers_key_goes_with_them() {
    let app = TestApp::start_with(with(provisioning())).await;
    sold(&app.client).await;
    buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    let waiting = newest(&app.client, "undelivered").await;
    let customer = format!("/customers/{}", waiting["customer_id"].as_str().unwrap());
    app.client
        .post_empty(&format!("{customer}/erase"))
        .await
        .expect(200);
    assert_eq!(outbox(&app).await, Vec::<String>::new());
    assert_eq!(app.client.get("/mails").await.expect(200), json!([]));
    let path = format!("/mails/{}/resend", waiting["id"].as_str().unwrap());
    app.client
        .post_empty(&path)
        .await
        .expect_problem(404, "MAIL_NOT_FOUND");
    // Who buys again is somebody new.
    let again = buy(&app.client, start_time(), "evt_2", "jane@example.com").await;
    assert_eq!(again["outcome"], "issued");
    let mails = app.client.get("/mails").await.expect(200);
    assert_ne!(mails[0]["customer_id"], waiting["customer_id"]);
    app.finish().await;
}

#[tokio::test]
async fn a_template_of_the_vendors_is_what_mails_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.txt");
    std::fs::write(
        &path,
        "Subject: Für {{name}}\n\n.\n{{key}}\n{{tier}} {{license_id}}\n",
    )
    .unwrap();
    let server = MailServer::start().await;
    let config = ProvisioningConfig {
        mail_template: Some(path),
        ..mailing(&server)
    };
    let app = TestApp::start_with(with(config)).await;
    sold(&app.client).await;
    let told = buy(&app.client, start_time(), "evt_1", "jane@example.com").await;
    let mail = server.wait_for(1).await.remove(0);
    assert!(mail.header("Subject").starts_with("=?utf-8?"), "{}", mail.text);
    let (_, body) = mail.text.split_once("\r\n\r\n").unwrap();
    assert!(
        body.starts_with(".\r\n"),
        "a line of one full stop does not end the mail: {body}"
    );
    assert!(
        body.contains(&format!("pro {}", told["license_id"].as_str().unwrap())),
        "{body}"
    );
    newest(&app.client, "delivered").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_between_license_and_mail_sends_it_later() {
    let (_directory, data_dir) = place();
    // A port where nobody listens yet.
    let port = MailServer::start().await.port;
    let url = format!("smtp://127.0.0.1:{port}?tls=none");
    let settings = [
        ("VINZY_STRIPE_WEBHOOK_SECRET", STRIPE_SECRET),
        ("VINZY_SMTP_URL", url.as_str()),
        ("VINZY_MAIL_FROM", "shop@example.com"),
        (
            "VINZY_MAIL_RETRY_SCHEDULE",
            "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s",
        ),
    ];
    let node = Node::on_data_dir_with(&data_dir, &settings);
    sold(&node.client).await;
    let now = || vinzy_engine::clock::Clock::System.now();
    // Killed while the same checkout comes again and again.
    let buying: Vec<_> = (0..8)
        .map(|_| {
            let client = node.client.clone();
            tokio::spawn(async move {
                for _ in 0..200 {
                    let bought = session("cs_1", "jane@example.com", "pro");
                    let body = stripe_event("evt_1", "checkout.session.completed", &bought).to_string();
                    let signature = stripe_signature(STRIPE_SECRET, now().as_seconds(), &body);
                    let request = client
                        .request(Method::POST, "/webhooks/stripe")
                        .header("Stripe-Signature", signature);
                    if request.body(body).send().await.is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    eventually("a try", async || {
        let mails = node.client.get("/mails").await.expect(200);
        mails[0]["last_error"].is_string()
    })
    .await;
    node.kill();
    for client in buying {
        client.await.unwrap();
    }
    let server = MailServer::on(port).await;
    let node = Node::on_data_dir_with(&data_dir, &settings);
    let told = buy(&node.client, now(), "evt_1", "jane@example.com").await;
    assert_eq!(told["outcome"], "known");
    let mail = server.wait_for(1).await.remove(0);
    let valid = node.client.validate(&mail.key().into()).await;
    assert_eq!(
        (&valid["valid"], &valid["license"]["id"]),
        (&json!(true), &told["license_id"])
    );
    newest(&node.client, "delivered").await;
    for path in ["/licenses", "/customers", "/purchases", "/mails"] {
        let listed = node.client.get(path).await.expect(200);
        assert_eq!(listed.as_array().unwrap().len(), 1, "{path}");
    }
    assert!(node.terminate().success());
}
