//! Queries of read models go to a streaming replica, and nobody can tell.

use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor};

use super::until;
use crate::crash::place;
use crate::support::check_everything;
use crate::support::client::Client;
use crate::support::database::OwnPostgres;
use crate::support::node::Node;

/// How often read models were asked, and could be read there.
async fn asked(client: &Client, database: &str) -> u64 {
    let metrics = client.get_anonymously("/metrics").await.expect(200);
    let name = format!("vinzy_read_model_queries_total{{database=\"{database}\"}} ");
    let mut lines = metrics.as_str().unwrap().lines();
    lines
        .find_map(|line| line.strip_prefix(&name)?.parse().ok())
        .unwrap_or(0)
}

/// Makes a product, which a list shows at once.
async fn write_and_read(client: &Client, code: &str) {
    client
        .post("/products", &json!({"code": code, "name": "x"}))
        .await
        .expect(201);
    let listed = client.get(&format!("/products?code={code}")).await.expect(200);
    assert_eq!(listed[0]["code"], code);
}

async fn run(url: &str, sql: &str) {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_answers_what_it_has_heard_of_and_the_database_the_rest() {
    let (directory, data_dir) = place();
    let mut postgres = OwnPostgres::start(&data_dir);
    let database = postgres.database().await;
    let Some(mut replica) = postgres.replica(&directory.path().join("replica")) else {
        println!("skipped: there is no pg_basebackup");
        return;
    };
    let replica_url = database.url_in(&replica.url());
    let node = Node::on_database_with(&database.url(), &[("VINZY_DB_READ_URL", &replica_url)]);
    let client = &node.client;

    for number in 0..20 {
        write_and_read(client, &format!("P{}", char::from(b'A' + number))).await;
    }
    let license = client.license().await;
    client.activate(&license["key"], "m1").await;
    client.use_of(&license["key"], "api_calls", 3).await;
    for path in every_query(&license) {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let by_replica = asked(client, "replica").await;
    assert!(by_replica > 20, "{by_replica} were answered by the replica");

    // It stands still: what it does not know yet is read elsewhere.
    run(&replica_url, "SELECT pg_wal_replay_pause()").await;
    write_and_read(client, "BHD").await;
    assert!(asked(client, "primary").await > 0);
    run(&replica_url, "SELECT pg_wal_replay_resume()").await;
    used_again(client, by_replica).await;

    // It is gone.
    let before = asked(client, "replica").await;
    replica.kill();
    until("nobody misses it", || async {
        let status = client.get("/products").await.status;
        assert!(matches!(status, 200 | 503), "{status}");
        status == 200
    })
    .await;
    write_and_read(client, "WTH").await;
    replica.restart();
    used_again(client, before).await;

    assert!(node.terminate().success());
    replica.stop();
    check_everything(&database).await;
    postgres.stop();
}

/// Waits until the replica answers again.
async fn used_again(client: &Client, before: u64) {
    until("the replica answers again", || async {
        client.get("/products").await.expect(200);
        asked(client, "replica").await > before
    })
    .await;
}

/// A query of every read model.
fn every_query(license: &Value) -> Vec<String> {
    let (id, customer) = (
        license["id"].as_str().unwrap(),
        license["customer_id"].as_str().unwrap(),
    );
    vec![
        "/products?q=my".into(),
        "/customers".into(),
        "/customers?q=jane".into(),
        "/licenses?status=active".into(),
        "/licenses.csv".into(),
        "/overview".into(),
        format!("/licenses/{id}/machines"),
        format!("/licenses/{id}/entitlements"),
        format!("/usage/{id}"),
        format!("/usage/agents/{id}"),
        format!("/usage/{id}/series?metric=api_calls"),
        format!("/entitlements/composed/{customer}"),
        "/anomalies".into(),
        "/api-keys".into(),
        "/webhooks".into(),
    ]
}
