//! Micro benchmarks of what the hot paths are made of.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use vinzy_events::entitlement::resolve;
use vinzy_events::key::KeyRing;
use vinzy_events::lease::{LeaseClaims, LeaseSigner};
use vinzy_events::ledger::{Actor, ChainVerifier, Hash, Leaf, LeafVersion, Meta, StreamRef, event_hash};
use vinzy_events::{EventId, Timestamp, json as canonical_json};

const ORIGIN: &str = "bench.example/t/default";

fn at() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

fn leaf(position: u64, prev: Hash) -> Leaf {
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&position.to_be_bytes());
    let id = EventId::new(at(), entropy);
    Leaf {
        enc: vec![],
        event_id: id,
        ledger: ORIGIN.into(),
        meta: Meta {
            actor: Actor {
                id: "admin".into(),
                kind: "api_key".into(),
                name: None,
                via: "api".into(),
            },
            causation_id: None,
            correlation_id: Some(id.to_string()),
        },
        payload: json!({"tier": "gold", "metadata": {"order": 4711}, "machines_limit": 5}),
        pos: position,
        prev,
        recorded_at: at(),
        stream: StreamRef {
            id: id.to_string(),
            seq: 1,
            stream_type: "license".into(),
        },
        event_type: "license.updated".into(),
        type_ver: 1,
        version: LeafVersion::default(),
    }
}

fn chain(length: u64) -> Vec<Vec<u8>> {
    let mut prev = Hash::ZERO;
    (0..length)
        .map(|position| {
            let bytes = leaf(position, prev).encode().expect("it fits");
            prev = event_hash(&bytes);
            bytes
        })
        .collect()
}

fn features() -> Map<String, Value> {
    let features =
        json!({"api_calls": {"limit": 1000}, "export": true, "sso": false, "seats": {"limit": 12.5}});
    features.as_object().expect("an object").clone()
}

fn keys(c: &mut Criterion) {
    let ring = KeyRing::try_new(BTreeMap::from([(0, "old".into()), (1, "new".into())])).expect("a ring");
    let key = ring.generate("PRD", [7; 15]);
    c.bench_function("key check", |b| b.iter(|| ring.check(black_box(key.as_str()))));
}

fn leases(c: &mut Criterion) {
    let signer = LeaseSigner::new([7; 32]);
    let claims = LeaseClaims {
        iss: ORIGIN.into(),
        aud: "PRD".into(),
        sub: "0197f0a2-0000-7000-8000-000000000000".into(),
        jti: "0197f0a2-0000-7000-8000-000000000001".into(),
        iat: 1000,
        nbf: 1000,
        exp: 2000,
        tier: "standard".into(),
        features: vec!["export".into()],
        entitlements: Value::Object(features()),
        agents: json!([]),
        fingerprint: None,
        ledger_position: 4,
    };
    c.bench_function("lease", |b| b.iter(|| signer.sign(black_box(&claims))));
    c.bench_function("entitlements", |b| {
        b.iter(|| resolve(black_box(&features()), &Map::new(), |_| None));
    });
}

fn ledger(c: &mut Criterion) {
    let event = leaf(0, Hash::ZERO);
    c.bench_function("leaf and hash", |b| {
        b.iter(|| black_box(&event).encode().map(|bytes| event_hash(&bytes)));
    });
    let value = Value::Object(features());
    c.bench_function("canonical JSON", |b| {
        b.iter(|| canonical_json::canonical(black_box(&value)));
    });
    let chain = chain(10_000);
    let mut group = c.benchmark_group("verify");
    group
        .throughput(Throughput::Elements(chain.len() as u64))
        .sample_size(10);
    group.bench_function("chain", |b| {
        b.iter(|| {
            let mut verifier = ChainVerifier::new(ORIGIN, |_, _| true);
            chain
                .iter()
                .for_each(|leaf| drop(verifier.push(leaf).expect("it is good")));
            verifier.root()
        });
    });
    group.finish();
}

criterion_group!(benches, keys, leases, ledger);
criterion_main!(benches);
