//! Tiles, proofs and receipts: what is served is what the events give, and nothing beyond the checkpoint.

use data_encoding::BASE64;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection};
use vinzy_events::ledger::{
    Checkpoint, Hash, Receipt, TileKind, TilePath, VerifierKey, event_hash, join_entries, root_of,
    verify_consistency, verify_inclusion,
};
use vinzy_projections::{StoredEvent, event_log, tiles};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::database::TestDatabase;

/// A ledger that grows by usage of one license.
struct Growing {
    app: TestApp,
    key: Value,
}

impl Growing {
    async fn start() -> Self {
        Self::on(TestApp::start().await).await
    }

    async fn on(app: TestApp) -> Self {
        let license = app.license().await;
        Self {
            app,
            key: license["key"].clone(),
        }
    }

    async fn grow_to(&self, size: usize) {
        let lacks = size - leaves(&self.app).await.len();
        let record = json!({"key": self.key, "metric": "calls", "value": 1});
        let records = vec![record; lacks];
        if !records.is_empty() {
            let answer = self
                .app
                .client
                .ask("/usage/batch", &json!({ "records": records }))
                .await;
            answer.expect(200);
        }
        assert_eq!(leaves(&self.app).await.len(), size);
    }
}

async fn leaves(app: &TestApp) -> Vec<Vec<u8>> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let span = event_log::Span {
        ledger_id: "default",
        from: 0,
        to: u64::MAX,
        stream_types: &[],
        limit: u32::MAX,
    };
    let events = event_log::read(&mut conn, span).await.unwrap();
    events.into_iter().map(|event| event.leaf).collect()
}

fn hashes(leaves: &[Vec<u8>]) -> Vec<Hash> {
    leaves.iter().map(|leaf| event_hash(leaf)).collect()
}

/// The key that the ledger's first event names.
fn named_key(leaves: &[Vec<u8>]) -> VerifierKey {
    let first: Value = serde_json::from_slice(&leaves[0]).unwrap();
    first["payload"]["vkey"].as_str().unwrap().parse().unwrap()
}

/// A tile by the definition.
fn naive(path: TilePath, leaves: &[Vec<u8>]) -> Vec<u8> {
    let begin = usize::try_from(path.index()).unwrap() * 256;
    let width = usize::from(path.width());
    match path.kind() {
        TileKind::Entries => join_entries(leaves[begin..begin + width].iter().map(Vec::as_slice)).unwrap(),
        TileKind::Hashes { level } => {
            let span = 1_usize << (8 * level);
            let hashes = hashes(leaves);
            let subtrees = hashes[begin * span..].chunks(span).take(width);
            subtrees.flat_map(|leaves| *root_of(leaves).as_bytes()).collect()
        }
    }
}

async fn get(client: &Client, path: &str) -> (u16, String, Vec<u8>) {
    let response = client.authorized(Method::GET, path).send().await.unwrap();
    let cached = response.headers()["cache-control"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    if status == 200 && path.contains("/tile/") {
        assert_eq!(response.headers()["content-type"], "application/octet-stream");
    }
    (status, cached, response.bytes().await.unwrap().to_vec())
}

async fn checkpoint(app: &TestApp, key: &VerifierKey) -> Checkpoint {
    let (status, cached, note) = get(&app.client, "/t/default/checkpoint").await;
    assert_eq!((status, cached.as_str()), (200, "no-store"));
    key.open(str::from_utf8(&note).unwrap()).unwrap()
}

#[track_caller]
fn parsed(hashes: &Value) -> Vec<Hash> {
    let hashes = hashes.as_array().unwrap().iter();
    hashes
        .map(|hash| hash.as_str().unwrap().parse().unwrap())
        .collect()
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

/// Compares all that is served with what the events give.
async fn check_tiles(app: &TestApp, size: usize) {
    let leaves = leaves(app).await;
    let signed = checkpoint(app, &named_key(&leaves)).await;
    assert_eq!((signed.size, leaves.len()), (size as u64, size));
    assert_eq!(signed.root, root_of(&hashes(&leaves)));
    for path in TilePath::all(signed.size) {
        let (status, cached, bytes) = get(&app.client, &format!("/t/default/{path}")).await;
        assert_eq!(status, 200, "{path} of {size}");
        assert_eq!(bytes, naive(path, &leaves), "{path} of {size}");
        let expected = if path.is_full() {
            "private, max-age=31536000, immutable"
        } else {
            "private, max-age=60"
        };
        assert_eq!(cached, expected, "{path}");
        // A narrower tile is there, too: whoever has an older checkpoint asks for it.
        let narrower = TilePath::try_new(path.kind(), path.index(), path.width() - 1);
        if let Some(narrower) = narrower {
            let (status, _, bytes) = get(&app.client, &format!("/t/default/{narrower}")).await;
            assert_eq!((status, bytes), (200, naive(narrower, &leaves)), "{narrower}");
        }
        let beyond = [
            TilePath::try_new(path.kind(), path.index(), path.width() + 1),
            TilePath::try_new(path.kind(), path.index() + 1, 1),
        ];
        let beyond = beyond.into_iter().flatten();
        for path in beyond.filter(|path| !path.is_within(signed.size)) {
            let answer = app.client.get(&format!("/t/default/{path}")).await;
            answer.expect_problem(404, "TILE_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn every_tile_of_every_size_is_what_the_events_give() {
    let app = TestApp::start().await;
    app.client
        .get("/t/default/tile/0/000.p/1")
        .await
        .expect_problem(404, "TILE_NOT_FOUND");
    check_tiles(&app, 1).await;
    let growing = Growing::on(app).await;
    for size in [4, 255, 256, 257, 511, 512, 1031] {
        growing.grow_to(size).await;
        check_tiles(&growing.app, size).await;
    }
    growing.app.finish().await;
}

/// More events than a test can make: their hashes are made up, and shown to the read model as the runner would.
#[tokio::test]
async fn tiles_of_upper_levels_are_made_of_full_ones_below() {
    const COUNT: u64 = 2 * 65_536 + 3 * 256 + 7;
    let database = TestDatabase::create().await;
    let mut conn = database.options().connect().await.unwrap();
    let projections = vinzy_projections::all();
    let tiles = projections
        .iter()
        .find(|projection| projection.name() == tiles::NAME);
    let events: Vec<StoredEvent> = (0..COUNT).map(made_up).collect();
    for batch in events.chunks(10 * 256) {
        tiles.unwrap().apply(&mut conn, "default", batch).await.unwrap();
    }
    let hashes: Vec<Hash> = events
        .iter()
        .map(|event| Hash::from_bytes(event.event_hash.as_slice().try_into().unwrap()))
        .collect();
    for path in TilePath::all(COUNT).filter(|path| path.level() > Some(0) || path.index() == 511) {
        if let Some(level) = path.level() {
            let span = 1 << (8 * level);
            let subtrees = hashes[usize::try_from(path.index()).unwrap() * 256 * span..].chunks(span);
            let expected: Vec<u8> = subtrees
                .take(path.width().into())
                .flat_map(|hashes| *root_of(hashes).as_bytes())
                .collect();
            let found = tiles::read(&mut conn, "default", path).await.unwrap();
            assert_eq!(found, Some(expected), "{path}");
        }
    }
    conn.close().await.unwrap();
    database.drop().await;
}

fn made_up(position: u64) -> StoredEvent {
    StoredEvent {
        position,
        event_id: uuid::Uuid::nil(),
        stream_type: String::new(),
        stream_id: String::new(),
        stream_seq: 1,
        event_type: String::new(),
        type_ver: 1,
        recorded_at: crate::support::start_time(),
        license_id: None,
        event_hash: event_hash(&position.to_be_bytes()).as_bytes().to_vec(),
        leaf: vec![],
    }
}

#[tokio::test]
async fn nothing_beyond_the_published_checkpoint_is_served() {
    let growing = Growing::start().await;
    let app = &growing.app;
    growing.grow_to(255).await;
    app.client.get("/t/default/checkpoint").await.expect(200);
    growing.grow_to(300).await;
    for path in [
        "entries/000",
        "entries/001.p/1",
        "0/000",
        "0/001.p/44",
        "1/000.p/1",
    ] {
        app.client
            .get(&format!("/t/default/tile/{path}"))
            .await
            .expect_problem(404, "TILE_NOT_FOUND");
    }
    app.client.get("/t/default/tile/0/000.p/255").await.expect(200);
    app.client.get("/t/default/checkpoint").await.expect(200);
    for path in ["entries/000", "entries/001.p/44", "0/000", "1/000.p/1"] {
        app.client
            .get(&format!("/t/default/tile/{path}"))
            .await
            .expect(200);
    }
    growing.app.finish().await;
}

#[tokio::test]
async fn paths_that_are_no_tiles_are_not_found() {
    let growing = Growing::start().await;
    let app = &growing.app;
    growing.grow_to(300).await;
    app.client.get("/t/default/checkpoint").await.expect(200);
    for path in [
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/01",
        "0/000.p/-1",
        "0/000.p/",
        "0/000.p",
        "64/000",
        "63/000",
        "8/000.p/1",
        "255/000",
        "256/000",
        "-1/000",
        "00/000",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/000",
        "0/x000/001.p/1",
        "0/x001/000",
        "0/002",
        "0/999",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
        "0/x018/x446/x744/x073/x709/x551/615",
        "0/x018/x446/x744/x073/x709/x551/616",
        "entries/x018/x446/x744/x073/x709/x551/615.p/255",
        "entries/000/",
        "entries//000",
        "entries",
        "Entries/000",
        "data/000",
        "0/000/",
        "/0/000",
        "0/%00",
        "0/%FF",
        "0/000%2Ep%2F0",
        "0/..%2F0/000",
        "0/٠٠٠",
        "%20",
    ] {
        let answer = app.client.get(&format!("/t/default/tile/{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.into_problem();
    }
    growing.app.finish().await;
}

#[tokio::test]
async fn tiles_open_as_the_checkpoint_does() {
    let app = TestApp::start().await;
    let (_, theirs) = app.tenant("acme").await;
    theirs.get("/t/acme/checkpoint").await.expect(200);
    let path = "/t/acme/tile/entries/000.p/1";
    theirs.get(path).await.expect(200);
    app.client
        .get_anonymously(path)
        .await
        .expect_problem(401, "UNAUTHORIZED");
    app.client.get(path).await.expect_problem(404, "LEDGER_NOT_FOUND");
    let reader = theirs.api_key(&["read"]).await;
    theirs
        .with_key(&reader["api_key"])
        .get(path)
        .await
        .expect_problem(403, "FORBIDDEN");
    let public = json!({"name": "Open", "slug": "open", "config_overrides": {"ledger_public": true}});
    app.operator().post("/tenants", &public).await.expect(201);
    app.client.get_anonymously("/t/open/checkpoint").await.expect(200);
    let answer = app.client.get_anonymously("/t/open/tile/entries/000.p/1").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    app.finish().await;
}

#[tokio::test]
async fn proofs_verify_and_lead_to_the_signed_root() {
    let growing = Growing::start().await;
    let app = &growing.app;
    growing.grow_to(700).await;
    let leaves = leaves(app).await;
    let (hashes, key) = (hashes(&leaves), named_key(&leaves));
    for position in [0, 1, 255, 256, 511, 512, 698, 699] {
        for size in [None, Some(position + 1), Some(600)] {
            if size.is_some_and(|size| size <= position) {
                continue;
            }
            let more = size.map_or(String::new(), |size| format!("&size={size}"));
            let path = format!("/ledger/proof/inclusion?position={position}{more}");
            let proof = app.client.get(&path).await.expect(200);
            let size = size.unwrap_or(700);
            let root = root_of(&hashes[..size]);
            let leaf = &hashes[position];
            assert_eq!(proof["size"], size, "{path}");
            assert_eq!(
                (hash(&proof["root"]), hash(&proof["event_hash"])),
                (root, *leaf),
                "{path}"
            );
            let proven = parsed(&proof["hashes"]);
            assert_eq!(
                verify_inclusion(position as u64, size as u64, leaf, &proven, &root),
                Ok(()),
                "{path}"
            );
            if size == 700 {
                let signed = key.open(proof["checkpoint"].as_str().unwrap()).unwrap();
                assert_eq!(signed.root, root);
            } else {
                assert_eq!(proof["checkpoint"], Value::Null);
            }
        }
    }
    for (from, to) in [(1, 700), (256, 257), (511, 512), (513, 700), (700, 700)] {
        let path = format!("/ledger/proof/consistency?from={from}&to={to}");
        let proof = app.client.get(&path).await.expect(200);
        let (old, new) = (root_of(&hashes[..from]), root_of(&hashes[..to]));
        assert_eq!((hash(&proof["from_root"]), hash(&proof["to_root"])), (old, new));
        let proven = parsed(&proof["hashes"]);
        assert_eq!(
            verify_consistency(from as u64, to as u64, &old, &new, &proven),
            Ok(()),
            "{path}"
        );
    }
    let by_default = app
        .client
        .get("/ledger/proof/consistency?from=3")
        .await
        .expect(200);
    assert_eq!(by_default["to"], 700);
    let entry = Leafed::of(&leaves[42]);
    let path = format!("/ledger/proof/inclusion?event_id={}", entry.event_id);
    assert_eq!(app.client.get(&path).await.expect(200)["position"], 42);
    growing.app.finish().await;
}

/// What a leaf says of itself.
#[derive(serde::Deserialize)]
struct Leafed {
    event_id: String,
}

impl Leafed {
    fn of(leaf: &[u8]) -> Self {
        serde_json::from_slice(leaf).unwrap()
    }
}

#[tokio::test]
async fn what_cannot_be_proven_says_why() {
    let growing = Growing::start().await;
    let app = &growing.app;
    growing.grow_to(10).await;
    for (path, status, code) in [
        ("inclusion", 422, "VALIDATION_ERROR"),
        (
            "inclusion?position=1&event_id=0197f0a2-0000-7000-8000-000000000000",
            422,
            "VALIDATION_ERROR",
        ),
        (
            "inclusion?event_id=0197f0a2-0000-7000-8000-000000000000",
            404,
            "EVENT_NOT_FOUND",
        ),
        ("inclusion?event_id=x", 422, "VALIDATION_ERROR"),
        ("inclusion?position=10", 404, "EVENT_NOT_FOUND"),
        ("inclusion?position=9223372036854775807", 404, "EVENT_NOT_FOUND"),
        ("inclusion?position=9223372036854775808", 422, "VALIDATION_ERROR"),
        ("inclusion?position=-1", 422, "VALIDATION_ERROR"),
        ("inclusion?position=5&size=5", 422, "VALIDATION_ERROR"),
        ("inclusion?position=5&size=11", 422, "VALIDATION_ERROR"),
        ("inclusion?position=5&size=0", 422, "VALIDATION_ERROR"),
        ("consistency", 422, "VALIDATION_ERROR"),
        ("consistency?from=0", 422, "VALIDATION_ERROR"),
        ("consistency?from=11", 422, "VALIDATION_ERROR"),
        ("consistency?from=5&to=4", 422, "VALIDATION_ERROR"),
        ("consistency?from=5&to=11", 422, "VALIDATION_ERROR"),
        ("consistency?from=5&to=x", 422, "VALIDATION_ERROR"),
    ] {
        let answer = app.client.get(&format!("/ledger/proof/{path}")).await;
        answer.expect_problem(status, code);
    }
    for position in ["10", "-1", "x", "9223372036854775807", "18446744073709551616"] {
        let answer = app.client.get(&format!("/ledger/receipt/{position}")).await;
        answer.expect_problem(404, "EVENT_NOT_FOUND");
    }
    let reader = app.client.api_key(&["read"]).await;
    let reader = app.client.with_key(&reader["api_key"]);
    for path in [
        "proof/inclusion?position=0",
        "proof/consistency?from=1",
        "receipt/0",
    ] {
        reader
            .get(&format!("/ledger/{path}"))
            .await
            .expect_problem(403, "FORBIDDEN");
    }
    growing.app.finish().await;
}

#[tokio::test]
async fn a_receipt_needs_no_server() {
    let growing = Growing::start().await;
    let app = &growing.app;
    growing.grow_to(300).await;
    let key = named_key(&leaves(app).await);
    // One that no checkpoint covers yet, and one that the same checkpoint covers.
    for position in [299, 0, 255] {
        let receipt = app
            .client
            .get(&format!("/ledger/receipt/{position}"))
            .await
            .expect(200);
        assert_eq!(receipt["version"], "vinzy-receipt/1");
        assert_eq!(receipt["verifier_key"], key.to_string());
        let leaf = BASE64
            .decode(receipt["leaf"].as_str().unwrap().as_bytes())
            .unwrap();
        let inclusion_proof = parsed(&receipt["inclusion_proof"]);
        let receipt = Receipt {
            position,
            leaf: &leaf,
            inclusion_proof: &inclusion_proof,
            checkpoint: receipt["checkpoint"].as_str().unwrap(),
        };
        let (signed, proven) = receipt.check(&key).unwrap();
        assert_eq!((signed.size, proven.pos), (300, position));
    }
    growing.app.finish().await;
}
