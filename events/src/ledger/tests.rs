//! The vectors, and every kind of tampering that shows in a stream of leaves.

use ed25519_dalek::SigningKey;
use serde_json::Value;

use super::*;

struct Vectors(Value);

impl Vectors {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("../../tests/vectors/ledger.json")).unwrap())
    }

    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    fn events(&self) -> &[Value] {
        self.0["events"].as_array().unwrap()
    }

    fn leaves(&self) -> Vec<Vec<u8>> {
        self.events()
            .iter()
            .map(|event| event["leaf_utf8"].as_str().unwrap().into())
            .collect()
    }
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn any_type(_: &str, _: u32) -> bool {
    true
}

fn walk(leaves: &[Vec<u8>]) -> Result<ChainVerifier, Finding> {
    let mut verifier = ChainVerifier::new(Vectors::load().text("origin"), any_type);
    for leaf in leaves {
        verifier.push(leaf)?;
    }
    Ok(verifier)
}

/// Edits one leaf and, as a careful forger would, rebuilds the chain after it.
fn edited(position: usize, rebuild: bool, edit: impl Fn(&mut Leaf)) -> Vec<Vec<u8>> {
    let mut leaves = Vectors::load().leaves();
    let mut leaf = Leaf::parse(&leaves[position]).unwrap();
    edit(&mut leaf);
    leaves[position] = leaf.encode().unwrap();
    for next in position + 1..leaves.len() {
        if rebuild {
            let mut leaf = Leaf::parse(&leaves[next]).unwrap();
            leaf.prev = event_hash(&leaves[next - 1]);
            leaves[next] = leaf.encode().unwrap();
        }
    }
    leaves
}

fn finding(leaves: &[Vec<u8>]) -> (u64, Problem) {
    let finding = walk(leaves).err().expect("tampering must be found");
    (finding.position, finding.problem)
}

#[test]
fn every_leaf_of_the_vectors_is_written_again_to_the_byte() {
    for leaf in Vectors::load().leaves() {
        assert_eq!(Leaf::parse(&leaf).unwrap().encode().unwrap(), leaf);
    }
}

#[test]
fn hashes_and_roots_are_those_of_the_vectors() {
    let vectors = Vectors::load();
    let mut verifier = ChainVerifier::new(vectors.text("origin"), any_type);
    for (leaf, event) in vectors.leaves().iter().zip(vectors.events()) {
        let verified = verifier.push(leaf).unwrap();
        assert_eq!(verified.hash, hash(&event["event_hash"]));
        assert_eq!(verifier.root(), hash(&event["root_after"]));
    }
    let head = Head {
        size: 5,
        head_hash: verifier.head_hash(),
        root: verifier.root(),
    };
    assert!(verifier.finish(&head).is_ok());
}

#[test]
fn the_checkpoints_of_the_vectors_open_with_their_key() {
    let vectors = Vectors::load();
    let key: VerifierKey = vectors.text("vkey").parse().unwrap();
    assert_eq!(key.to_string(), vectors.text("vkey"));
    for (note, size) in [("checkpoint_0", 0), ("checkpoint_5", 5)] {
        let checkpoint = key.open(vectors.text(note)).unwrap();
        let verifier = walk(&vectors.leaves()[..size]).unwrap();
        assert_eq!(checkpoint.root, verifier.root());
        assert_eq!(checkpoint.size, size as u64);
        assert!(vectors.text(note).starts_with(&checkpoint.text()));
    }
}

#[test]
fn a_signed_checkpoint_opens_with_its_own_key_only() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let checkpoint = Checkpoint {
        origin: "l/t/x".into(),
        size: 3,
        root: event_hash(b"x"),
    };
    let note = checkpoint.sign(&key);
    let verifier = VerifierKey::from_signing("l/t/x", &key);
    assert_eq!(verifier.open(&note), Ok(checkpoint));
    assert_eq!(
        VerifierKey::from_signing("l/t/y", &key).open(&note),
        Err(CheckpointError::OtherOrigin)
    );
    let other = SigningKey::from_bytes(&[8; 32]);
    assert_eq!(
        VerifierKey::from_signing("l/t/x", &other).open(&note),
        Err(CheckpointError::NotSigned)
    );
    assert_eq!(
        verifier.open(&note.replacen("\n3\n", "\n4\n", 1)),
        Err(CheckpointError::BadSignature)
    );
    assert_eq!(
        verifier.open(&note.replacen("\n3\n", "\n03\n", 1)),
        Err(CheckpointError::Malformed)
    );
    for cut in 0..note.len() {
        if note.is_char_boundary(cut) {
            assert!(verifier.open(&note[..cut]).is_err());
        }
    }
}

#[test]
fn an_edited_payload_breaks_the_chain_at_the_next_event() {
    let leaves = edited(2, false, |leaf| leaf.payload["price"] = "1.00".into());
    assert!(matches!(finding(&leaves), (3, Problem::BrokenChain { .. })));
}

#[test]
fn a_rebuilt_chain_gives_another_root_than_was_signed() {
    let vectors = Vectors::load();
    let leaves = edited(2, true, |leaf| leaf.payload["price"] = "1.00".into());
    let verifier = walk(&leaves).unwrap();
    let key: VerifierKey = vectors.text("vkey").parse().unwrap();
    assert_ne!(
        verifier.root(),
        key.open(vectors.text("checkpoint_5")).unwrap().root
    );
}

#[test]
fn a_time_that_goes_back_is_found_even_in_a_rebuilt_chain() {
    let leaves = edited(2, true, |leaf| {
        leaf.recorded_at = "2025-12-31T00:00:00Z".parse().unwrap();
    });
    assert!(matches!(finding(&leaves), (2, Problem::TimeWentBack { .. })));
}

#[test]
fn a_missing_event_is_named() {
    let mut leaves = Vectors::load().leaves();
    leaves.remove(3);
    assert!(matches!(finding(&leaves), (3, Problem::Missing { found: 4 })));
    leaves.truncate(3);
    let verifier = walk(&leaves).unwrap();
    let head = Head {
        size: 5,
        head_hash: Hash::ZERO,
        root: Hash::ZERO,
    };
    let finding = verifier.finish(&head).unwrap_err();
    assert!(matches!(
        (finding.position, finding.problem),
        (3, Problem::TailMissing { size: 5 })
    ));
}

#[test]
fn swapped_and_moved_events_are_found() {
    let mut leaves = Vectors::load().leaves();
    leaves.swap(2, 3);
    assert!(matches!(finding(&leaves), (2, Problem::Missing { found: 3 })));
    let moved = edited(3, true, |leaf| leaf.stream.id = "lic-2".into());
    assert!(matches!(
        finding(&moved),
        (
            3,
            Problem::StreamSequence {
                expected: 1,
                found: 2
            }
        )
    ));
    let foreign = edited(0, true, |leaf| leaf.ledger = "other".into());
    assert!(matches!(finding(&foreign), (0, Problem::WrongLedger { .. })));
}

#[test]
fn bytes_that_are_not_canonical_are_found() {
    let spaced = |text: &str| text.replacen(",\"pos\"", ", \"pos\"", 1);
    let doubled =
        |text: &str| text.replacen("\"country\":\"DE\"", "\"country\":\"DE\",\"country\":\"DE\"", 1);
    for change in [&spaced as &dyn Fn(&str) -> String, &doubled] {
        let mut leaves = Vectors::load().leaves();
        leaves[1] = change(str::from_utf8(&leaves[1]).unwrap()).into_bytes();
        assert!(matches!(finding(&leaves), (1, Problem::NotCanonical)));
    }
    let mut leaves = Vectors::load().leaves();
    leaves[1] = b"{}".into();
    assert!(matches!(finding(&leaves), (1, Problem::Unparseable(_))));
}

#[test]
fn types_that_nobody_knows_are_found() {
    let mut verifier = ChainVerifier::new(Vectors::load().text("origin"), crate::stream::is_known_event);
    let leaves = Vectors::load().leaves();
    verifier.push(&leaves[0]).unwrap();
    let finding = verifier.push(&leaves[1]).unwrap_err();
    assert!(matches!(
        (finding.position, finding.problem),
        (1, Problem::UnknownType { .. })
    ));
}

#[test]
fn every_column_beside_the_leaf_is_compared() {
    let leaves = Vectors::load().leaves();
    let leaf = Leaf::parse(&leaves[0]).unwrap();
    let good = StoredColumns {
        position: 0,
        event_id: leaf.event_id,
        stream_type: "ledger",
        stream_id: &leaf.stream.id,
        stream_seq: 1,
        event_type: "ledger.opened",
        type_ver: 1,
        recorded_at: leaf.recorded_at,
        event_hash: event_hash(&leaves[0]),
        license_id: None,
    };
    let other_id = "0197f0a2-0000-7000-8000-00000000ffff";
    let bad = [
        ("position", StoredColumns { position: 1, ..good }),
        (
            "event_id",
            StoredColumns {
                event_id: other_id.parse().unwrap(),
                ..good
            },
        ),
        (
            "stream_type",
            StoredColumns {
                stream_type: "license",
                ..good
            },
        ),
        (
            "stream_id",
            StoredColumns {
                stream_id: "x",
                ..good
            },
        ),
        (
            "stream_seq",
            StoredColumns {
                stream_seq: 2,
                ..good
            },
        ),
        (
            "event_type",
            StoredColumns {
                event_type: "x",
                ..good
            },
        ),
        ("type_ver", StoredColumns { type_ver: 2, ..good }),
        (
            "recorded_at",
            StoredColumns {
                recorded_at: crate::Timestamp::UNIX_EPOCH,
                ..good
            },
        ),
        (
            "event_hash",
            StoredColumns {
                event_hash: Hash::ZERO,
                ..good
            },
        ),
        (
            "license_id",
            StoredColumns {
                license_id: Some(other_id.parse().unwrap()),
                ..good
            },
        ),
    ];
    let push = |columns: &StoredColumns<'_>| {
        let mut verifier = ChainVerifier::new(Vectors::load().text("origin"), any_type);
        verifier
            .push_stored(columns, &leaves[0])
            .map(|_| ())
            .map_err(|finding| finding.problem)
    };
    assert!(push(&good).is_ok());
    for (expected, columns) in &bad {
        assert!(matches!(push(columns), Err(Problem::ColumnMismatch { column }) if column == *expected));
    }
}

#[test]
fn an_event_can_fill_a_leaf_and_no_more() {
    let mut leaf = Leaf::parse(&Vectors::load().leaves()[0]).unwrap();
    leaf.payload = Value::String(String::new());
    let room = MAX_LEAF - leaf.encode().unwrap().len();
    leaf.payload = Value::String("x".repeat(room));
    assert_eq!(leaf.encode().unwrap().len(), MAX_LEAF);
    leaf.payload = Value::String("x".repeat(room + 1));
    assert!(matches!(leaf.encode(), Err(LeafError::TooLarge(_))));
}

#[test]
fn a_receipt_proves_its_event_and_no_other() {
    let vectors = Vectors::load();
    let key: VerifierKey = vectors.text("vkey").parse().unwrap();
    let leaves = vectors.leaves();
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| event_hash(leaf)).collect();
    for (position, leaf) in (0..).zip(&leaves) {
        let subtree_hash = |subtree: Subtree| {
            let begin = usize::try_from(subtree.index << subtree.height).unwrap();
            Some(root_of(&hashes[begin..begin + (1 << subtree.height)]))
        };
        let plan = ProofPlan::inclusion(position, 5).unwrap();
        let inclusion_proof = plan.build(subtree_hash).unwrap();
        let receipt = Receipt {
            position,
            leaf,
            inclusion_proof: &inclusion_proof,
            checkpoint: vectors.text("checkpoint_5"),
        };
        let (checkpoint, proven) = receipt.check(&key).unwrap();
        assert_eq!((checkpoint.size, proven.pos), (5, position));
        let elsewhere = Receipt {
            position: (position + 1) % 5,
            ..receipt
        };
        assert!(matches!(elsewhere.check(&key), Err(ReceiptError::Proof(_))));
        let edited = String::from_utf8(leaf.clone()).unwrap().replace("2026", "2025");
        let edited = Receipt {
            leaf: edited.as_bytes(),
            ..receipt
        };
        assert!(matches!(edited.check(&key), Err(ReceiptError::Proof(_))));
        let other_key = VerifierKey::from_signing(key.name(), &SigningKey::from_bytes(&[8; 32]));
        assert!(matches!(
            receipt.check(&other_key),
            Err(ReceiptError::Checkpoint(CheckpointError::NotSigned))
        ));
    }
}

#[test]
fn a_verifier_goes_on_from_what_was_kept_of_another() {
    let leaves = Vectors::load().leaves();
    let whole = walk(&leaves).unwrap();
    for kept in 0..=leaves.len() {
        let state = walk(&leaves[..kept]).unwrap().state();
        let text = serde_json::to_string(&state).unwrap();
        let mut verifier = ChainVerifier::resume(serde_json::from_str(&text).unwrap(), any_type).unwrap();
        for leaf in &leaves[kept..] {
            verifier.push(leaf).unwrap();
        }
        assert_eq!(verifier.state(), whole.state(), "from {kept}");
    }
    // It knows the numbers of streams: the last event once more does not pass.
    let mut verifier = ChainVerifier::resume(whole.state(), any_type).unwrap();
    assert!(verifier.push(&leaves[leaves.len() - 1]).is_err());
}

#[test]
fn a_state_that_makes_no_sense_is_refused() {
    let state = walk(&Vectors::load().leaves()).unwrap().state();
    for (field, value) in [
        ("frontier", serde_json::json!("00")),
        ("frontier", serde_json::json!("zz")),
        ("size", serde_json::json!(6_000_001)),
        ("keys", serde_json::json!(["no key"])),
    ] {
        let mut changed = serde_json::to_value(&state).unwrap();
        changed[field] = value;
        let changed = serde_json::from_value(changed).unwrap();
        assert!(ChainVerifier::resume(changed, any_type).is_err(), "{field}");
    }
}
