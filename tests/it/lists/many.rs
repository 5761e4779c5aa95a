//! A hundred thousand licenses: no list reads the table from end to end, and an export is the same however long it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::support::{TestApp, eventually};

/// How many there are.
const MANY: usize = 100_000;
/// Rows of the read model of which no event tells: products, customers, tiers and standings of which some are rare, and
/// ends in a time of 500 days around now.
const FILL: &str = "
    INSERT INTO licenses (ledger_id, license_id, product_id, product_code, customer_id, standing, tier, machines_limit,
                          expires_at, features, entitlements, metadata, created_at, created_position)
    SELECT 'default', ('0197f0a2-' || lpad(to_hex(n / 4096), 4, '0') || '-7' || lpad(to_hex(n % 4096), 3, '0')
                       || '-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           md5('p' || n % 5)::uuid, (ARRAY['PRD', 'TWO', 'SIX', 'TEN', 'ONE'])[1 + n % 5],
           CASE WHEN n % 10 < 3 THEN md5('big')::uuid ELSE md5('c' || n % 20000)::uuid END,
           CASE WHEN n % 1000 = 7 THEN 'suspended' WHEN n % 50 = 3 THEN 'revoked' ELSE 'active' END,
           CASE WHEN n % 10000 = 77 THEN 'rare' WHEN n % 5 = 1 THEN 'pro' ELSE 'standard' END,
           3,
           CASE WHEN n % 10 > 0 THEN timestamptz '2026-03-01Z' - interval '100 days'
                                     + (n::bigint * 7919) % (86400 * 500) * interval '1 second' END,
           '{\"api_calls\": {\"limit\": 1000, \"period\": \"month\"}, \"export\": true}', '{\"seats\": {\"limit\": 5}}',
           '{\"order\": \"A-12345\", \"note\": \"some text that vendors keep\"}',
           timestamptz '2025-01-01Z' + n * interval '5 minutes', 1000000 + n * 3
    FROM generate_series(1, 100000) n";
const FILL_KEYS: &str = "
    INSERT INTO license_keys (key_digest, ledger_id, license_id)
    SELECT sha256(license_id::text::bytea), ledger_id, license_id FROM licenses WHERE ledger_id = 'default'";

async fn filled() -> TestApp {
    let app = TestApp::start().await;
    app.database.execute(FILL).await;
    app.database.execute(FILL_KEYS).await;
    app.database
        .execute("INSERT INTO license_counts (ledger_id, count) VALUES ('default', 100000)")
        .await;
    // As autovacuum does by itself after a while.
    app.database.execute("VACUUM ANALYZE licenses").await;
    app.database.execute("VACUUM ANALYZE license_keys").await;
    app
}

fn queries(customer: &str, rare_customer: &str, digest: &str) -> Vec<String> {
    [
        "",
        "status=active",
        "status=suspended",
        "status=revoked",
        "status=expired",
        "product_code=PRD",
        "product_code=ZZZ",
        "tier=standard",
        "tier=rare",
        "tier=nobodys",
        "q=0197f0a2",
        "q=0197f0a2-0001",
        "expires_after=2026-12-01T00:00:00Z",
        "expires_before=2025-12-01T00:00:00Z",
        "expires_after=2026-03-01T00:00:00Z&expires_before=2026-03-02T00:00:00Z",
        "status=active&expires_before=2026-04-01T00:00:00Z",
        "status=active&product_code=TWO&tier=pro",
        "status=suspended&product_code=SIX&tier=rare&expires_after=2026-03-01T00:00:00Z",
        "tier=rare&expires_after=2027-01-01T00:00:00Z",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        format!("customer_id={customer}"),
        format!("customer_id={rare_customer}"),
        format!("customer_id={customer}&status=expired&product_code=ONE"),
        format!("key_digest={digest}"),
    ])
    .collect()
}

#[tokio::test]
async fn no_list_reads_all_licenses_row_by_row() {
    let app = filled().await;
    let text =
        async |sql: &str| -> String { sqlx::query_scalar(sql).fetch_one(&app.app.pool).await.unwrap() };
    let customer = text("SELECT md5('big')::uuid::text").await;
    let rare_customer = text("SELECT md5('c7')::uuid::text").await;
    let digest = text("SELECT encode(sha256('0197f0a2-0001-7abc-8000-000000001abc'::bytea), 'hex')").await;
    let mut slowest = (Duration::ZERO, String::new());
    for query in queries(&customer, &rare_customer, &digest) {
        let mut totals = BTreeSet::new();
        for sort in ["created", "-created", "expires_at", "-expires_at"] {
            let mut path = format!("/licenses?page_size=100&sort={sort}&{query}");
            for page in 1..=3 {
                let began = Instant::now();
                let answer = app.client.get(&path).await;
                let took = began.elapsed();
                println!("{:>5} µs  page {page}  {sort:<11}  {query}", took.as_micros());
                if took > slowest.0 {
                    slowest = (took, format!("page {page} {sort} {query}"));
                }
                totals.insert(answer.header("x-total-count").to_owned());
                match answer.next_page() {
                    Some(next) => path = next,
                    None => break,
                }
            }
        }
        assert_eq!(totals.len(), 1, "{query}: {totals:?}");
    }
    println!("slowest: {slowest:?}");
    let database = app.stop().await;
    // Connections that have ended have told what they did.
    let used =
        "SELECT count(*) FROM pg_stat_user_indexes WHERE indexrelname LIKE 'list\\_%' AND idx_scan > 0";
    eventually("every index is used", async || database.count(used).await == 3).await;
    let whole = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'licenses'";
    assert_eq!(database.count(whole).await, 0, "the whole table was read");
    database.drop().await;
}

#[tokio::test]
async fn a_long_export_is_whole_and_ends_with_its_key() {
    let app = filled().await;
    let whole = app.client.get("/licenses.csv?sort=-expires_at").await;
    let mut reader = csv::Reader::from_reader(whole.body.as_str().unwrap().as_bytes());
    let mut ids = BTreeSet::new();
    let mut end = String::from("9");
    for record in reader.records() {
        let record = record.unwrap();
        assert!(ids.insert(record[0].to_owned()), "{} is there twice", &record[0]);
        if !record[7].is_empty() {
            assert!(record[7] <= *end, "{} after {end}", &record[7]);
            end = record[7].to_owned();
        }
    }
    assert_eq!(ids.len(), MANY);

    // A reader that is slow: nothing is read for it beforehand, and what its key may is looked at again.
    let key = app.client.api_key(&["read"]).await;
    let reading = app.client.with_key(&key["api_key"]);
    // One whose system takes in little for it: else that is most of the export.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let address = app.client.base.trim_start_matches("http://");
    let mut slow = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!(
        "GET /licenses.csv HTTP/1.1\r\nHost: {address}\r\nX-Vinzy-Api-Key: {}\r\n\r\n",
        key["api_key"].as_str().unwrap()
    );
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1000];
    slow.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    let revoke = format!("/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(app.client.delete(&revoke).await.status, 204);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    // Broken off, which may also be an error here.
    let _ = slow.read_to_end(&mut answer).await;
    let bytes = answer.len();
    assert!(
        !answer.ends_with(b"0\r\n\r\n"),
        "the export went on after its key was revoked: {bytes} bytes"
    );
    assert!(bytes < whole.body.as_str().unwrap().len() / 2, "{bytes} bytes");
    let again = reading.get("/licenses.csv").await;
    again.expect_problem(401, "UNAUTHORIZED");
    assert_eq!(json!(app.client.get("/licenses?page_size=1").await.status), 200);
    app.stop().await.drop().await;
}
