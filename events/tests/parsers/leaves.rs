//! Leaves, and the chain that they make.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use uuid::Uuid;
use vinzy_events::Timestamp;
use vinzy_events::json::parse_strict;
use vinzy_events::ledger::{
    Actor, ChainVerifier, Frontier, Hash, Leaf, LeafContent, LeafVersion, Meta, SealedField, StreamRef,
};

use crate::attack::{any_bytes, any_text, changes, tampered};
use crate::config;
use crate::json::any_json;

/// The events of the vectors, and their ledger.
fn vectors() -> (String, Vec<Vec<u8>>) {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/ledger.json")).unwrap();
    let events = vectors["events"].as_array().unwrap();
    let leaves = events
        .iter()
        .map(|event| event["leaf_utf8"].as_str().unwrap().into());
    (vectors["origin"].as_str().unwrap().to_owned(), leaves.collect())
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    let texts = || [any_text(), any_text(), any_text()];
    let sealed =
        (texts(), any::<u64>(), any::<[u8; 32]>()).prop_map(|([alg, key, path], ct_len, hash)| SealedField {
            alg,
            ct_len,
            ct_sha256: Hash::from_bytes(hash),
            kc: Hash::ZERO,
            key,
            path,
        });
    let name = prop::option::of(any_text());
    let actor = (texts(), name).prop_map(|([id, kind, via], name)| Actor { id, kind, name, via });
    let payload = any_json().prop_map(|json| parse_strict(json.as_bytes()).unwrap_or_default());
    let occasion = (actor, prop::option::of(any_text()), prop::option::of(any_text()));
    let numbers = (
        any::<u128>(),
        any::<u64>(),
        any::<u64>(),
        any::<u32>(),
        0_i64..253_402_300_800_000_000,
    );
    (
        texts(),
        occasion,
        payload,
        numbers,
        prop::collection::vec(sealed, 0..3),
    )
        .prop_map(
            |(
                [ledger, stream_type, event_type],
                (actor, causation_id, correlation_id),
                payload,
                numbers,
                enc,
            )| {
                let (id, pos, seq, type_ver, micros) = numbers;
                Leaf {
                    enc,
                    event_id: Uuid::from_u128(id).into(),
                    meta: Meta {
                        actor,
                        causation_id,
                        correlation_id,
                    },
                    payload,
                    pos,
                    prev: Hash::ZERO,
                    recorded_at: Timestamp::from_micros(micros).unwrap(),
                    stream: StreamRef {
                        id: ledger.clone(),
                        seq,
                        stream_type,
                    },
                    ledger,
                    event_type,
                    type_ver,
                    version: LeafVersion::One,
                }
            },
        )
}

/// The root over leaves, if they verify one after the other.
fn walk(origin: &str, leaves: &[Vec<u8>]) -> Option<Hash> {
    let mut verifier = ChainVerifier::new(origin, |_, _| true);
    for leaf in leaves {
        verifier.push(leaf).ok()?;
    }
    Some(verifier.root())
}

/// What must hold of bytes that read as a leaf.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(leaf) = Leaf::parse(bytes) else {
        return Ok(());
    };
    let content = LeafContent::parse(bytes).unwrap();
    prop_assert_eq!(
        (&*content.event_type, content.type_ver),
        (&*leaf.event_type, leaf.type_ver)
    );
    let (examined, is_canonical) = Leaf::examine(bytes).unwrap();
    prop_assert_eq!(&examined, &leaf.clone().outline());
    prop_assert_eq!(is_canonical, leaf.encode().ok().as_deref() == Some(bytes));
    let again = leaf
        .encode()
        .map(|bytes| Leaf::parse(&bytes).unwrap().encode().unwrap());
    if let (Ok(first), Ok(again)) = (leaf.encode(), again) {
        prop_assert_eq!(first, again, "its form is a fixed point");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_leaf_reads_as_what_it_was(leaf in any_leaf()) {
        let bytes = leaf.encode().unwrap();
        prop_assert_eq!(&Leaf::parse(&bytes).unwrap(), &leaf);
        prop_assert_eq!(Leaf::examine(&bytes).unwrap(), (leaf.clone().outline(), true));
        let content = LeafContent::parse(&bytes).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(content.payload.get()).unwrap(), leaf.payload);
        check(&bytes)?;
    }

    #[test]
    fn tampered_leaves_read_consistently(leaf in any_leaf(), changes in changes()) {
        check(&tampered(&leaf.encode().unwrap(), &changes))?;
    }

    #[test]
    fn any_bytes_do_too(bytes in any_bytes(), json in any_json()) {
        check(&bytes)?;
        check(json.as_bytes())?;
    }

    #[test]
    fn a_tampered_event_shows(position in 0_usize..5, changes in changes()) {
        let (origin, leaves) = vectors();
        let mut changed = leaves.clone();
        changed[position] = tampered(&leaves[position], &changes);
        let same = changed == leaves;
        prop_assert_eq!(walk(&origin, &changed) == walk(&origin, &leaves), same);
    }

    #[test]
    fn events_in_another_order_show(at: [Index; 2]) {
        let (origin, leaves) = vectors();
        let mut changed = leaves.clone();
        changed.swap(at[0].index(5), at[1].index(5));
        let same = changed == leaves;
        prop_assert_eq!(walk(&origin, &changed) == walk(&origin, &leaves), same);
    }

    #[test]
    fn a_frontier_reads_back(size: u64, bytes in any_bytes(), cut: Index) {
        let whole = vec![7; size.count_ones() as usize * 32];
        let frontier = Frontier::from_bytes(size, &whole).unwrap();
        prop_assert_eq!((frontier.size(), frontier.to_bytes()), (size, whole.clone()));
        for bytes in [&bytes, &whole[..cut.index(whole.len() + 1)]] {
            if let Ok(read) = Frontier::from_bytes(size, bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
                read.root();
            }
        }
    }
}
