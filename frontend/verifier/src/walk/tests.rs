//! A ledger that is walked along, whole and onward, and what is found when it was changed.

use serde_json::json;
use vinzy_events::ledger::{Actor, Frontier, Leaf, LeafVersion, Meta, StreamRef, event_hash, join_entries};

use super::*;
use crate::message::Broken;

/// A ledger in memory.
struct Ledger {
    leaves: Vec<Vec<u8>>,
}

impl Ledger {
    /// One of so many events.
    fn of(size: u64) -> Self {
        let mut leaves: Vec<Vec<u8>> = vec![];
        for position in 0..size {
            let before = leaves.last().map_or(Hash::ZERO, |leaf| event_hash(leaf));
            leaves.push(leaf(position, before).encode().unwrap());
        }
        Self { leaves }
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        let mut frontier = Frontier::new();
        for leaf in &self.leaves[..place(size)] {
            frontier.push(event_hash(leaf));
        }
        Checkpoint {
            origin: "test/t/x".into(),
            size,
            root: frontier.root(),
        }
    }

    fn tile(&self, index: u64, size: u64) -> (Vec<u8>, Vec<u8>) {
        let range = place(index * WIDTH)..place(((index + 1) * WIDTH).min(size));
        let leaves = &self.leaves[range];
        let hashes = leaves
            .iter()
            .flat_map(|leaf| *event_hash(leaf).as_bytes())
            .collect();
        (join_entries(leaves.iter().map(Vec::as_slice)).unwrap(), hashes)
    }

    /// All that a walk does, over the tiles up to a size.
    fn walk(&self, mut walk: Walk) -> Result<Walk, Broken> {
        let size = walk.checkpoint.size;
        let broken = |stop| match stop {
            Stop::Broken(broken) => broken,
            Stop::Failed(failure) => panic!("{failure:?}"),
        };
        for index in walk.tiles() {
            let (events, _) = self.tile(index, size);
            walk.tile(index, &events).map_err(broken)?;
        }
        walk.finish().map_err(broken)?;
        Ok(walk)
    }

    fn whole(&self, size: u64) -> Walk {
        self.walk(Walk::whole(self.checkpoint(size), None)).unwrap()
    }
}

fn leaf(position: u64, prev: Hash) -> Leaf {
    Leaf {
        enc: vec![],
        event_id: "0190b5a2-7c3e-7d4f-8a1b-2c3d4e5f6071".parse().unwrap(),
        ledger: "test/t/x".into(),
        meta: Meta {
            actor: Actor {
                id: "test".into(),
                kind: "system".into(),
                name: None,
                via: "test".into(),
            },
            causation_id: None,
            correlation_id: None,
        },
        payload: json!({}),
        pos: position,
        prev,
        recorded_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        stream: StreamRef {
            id: (position % 7).to_string(),
            seq: position / 7 + 1,
            stream_type: "product".into(),
        },
        event_type: "product.updated".into(),
        type_ver: 1,
        version: LeafVersion::One,
    }
}

#[test]
fn a_walk_goes_on_where_another_was() {
    let ledger = Ledger::of(700);
    let whole = ledger.whole(700);
    assert_eq!((whole.from(), whole.checked()), (0, 700));
    assert_eq!(
        whole.last_recorded_at().as_deref(),
        Some("2026-03-01T12:00:00.000000Z")
    );
    for kept in [1, 255, 256, 257, 512, 699, 700] {
        let state = ledger.whole(kept).state().unwrap();
        let onward = Walk::onward(ledger.checkpoint(700), &state, ledger.checkpoint(kept)).unwrap();
        assert_eq!(onward.from(), kept);
        let onward = ledger.walk(onward).unwrap();
        assert_eq!(onward.checked(), 700, "from {kept}");
        assert_eq!(onward.verifier().root(), whole.verifier().root());
        // A state that is not the one of the checkpoint is nothing to go on from.
        assert!(Walk::onward(ledger.checkpoint(700), &state, ledger.checkpoint(3)).is_none());
    }
}

#[test]
fn what_was_changed_is_noticed_at_once() {
    let ledger = Ledger::of(600);
    let checkpoint = ledger.checkpoint(600);
    let (events, _) = ledger.tile(1, 600);
    let at = |events: &[u8]| {
        let mut walk = Walk::whole(checkpoint.clone(), None);
        let (first, _) = ledger.tile(0, 600);
        walk.tile(0, &first).unwrap();
        match walk.tile(1, events) {
            Err(Stop::Broken(broken)) => broken.position,
            outcome => panic!("{outcome:?}"),
        }
    };
    let mut leaves = ledger.leaves[256..512].to_vec();
    leaves[10] = String::from_utf8(leaves[10].clone())
        .unwrap()
        .replace("12:00:00", "12:00:01")
        .into_bytes();
    // The next event names the hash that this one had.
    let edited = join_entries(leaves.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(at(&edited), Some(267));
    assert_eq!(at(&events[..events.len() - 1]), Some(511));
    assert_eq!(at(&[&events[..], b"\0\0"].concat()), Some(512));
    // Another tile in its place.
    let (first, _) = ledger.tile(0, 600);
    assert_eq!(at(&first), Some(256));
}

#[test]
fn the_event_that_is_to_blame_is_named() {
    let ledger = Ledger::of(600);
    let (events, hashes) = ledger.tile(1, 600);
    let path = |kind| TilePath::widest(kind, 1, 600).unwrap();
    let (path, hash_path) = (path(TileKind::Entries), path(TileKind::Hashes { level: 0 }));
    let at = |events: &[u8], hashes: &[u8]| match blame((path, events), (hash_path, hashes)) {
        Err(Stop::Broken(broken)) => (broken.position, broken.problem),
        outcome => panic!("{outcome:?}"),
    };
    blame((path, &events), (hash_path, &hashes)).unwrap();
    let mut leaves = ledger.leaves[256..512].to_vec();
    leaves[10][20] ^= 1;
    let edited = join_entries(leaves.iter().map(Vec::as_slice)).unwrap();
    let (position, problem) = at(&edited, &hashes);
    assert_eq!(position, Some(266));
    assert!(problem.contains("does not have the hash"), "{problem}");
    let mut other = hashes.clone();
    other[32 * 9] ^= 1;
    assert_eq!(at(&events, &other).0, Some(265));
    assert_eq!(at(&events, &hashes[..hashes.len() - 1]).0, Some(256));
}

#[test]
fn another_history_is_found_by_its_root() {
    let ledger = Ledger::of(40);
    let mut signed = ledger.checkpoint(40);
    signed.root = Hash::ZERO;
    let broken = ledger.walk(Walk::whole(signed.clone(), None)).err().unwrap();
    assert_eq!((broken.kind, broken.position), (Kind::Checkpoint, None));
    signed.size = 30;
    let since = Walk::whole(ledger.checkpoint(40), Some(signed));
    let broken = ledger.walk(since).err().unwrap();
    assert_eq!((broken.kind, broken.position), (Kind::History, Some(29)));
}

#[test]
fn tiles_above_the_lowest_are_those_of_the_events() {
    // Two levels above the lowest, the first of them with a full tile and one that is not.
    let size = 256 * 256 + 300;
    let ledger = Ledger::of(size);
    let walk = ledger.whole(size);
    let tiles = walk.upper_tiles();
    let paths: Vec<String> = tiles.iter().map(|(path, ..)| path.to_string()).collect();
    assert_eq!(paths, ["tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"]);
    for (path, skip, expected) in &tiles {
        assert_eq!(*skip, 0);
        let mut bytes: Vec<u8> = expected.iter().flat_map(|hash| *hash.as_bytes()).collect();
        compare(*path, *skip, expected, &bytes).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(compare(*path, *skip, expected, &bytes).is_err());
    }
    // Whoever goes on knows the tiles that were begun since.
    let state = ledger.whole(700).state().unwrap();
    let onward = Walk::onward(ledger.checkpoint(size), &state, ledger.checkpoint(700)).unwrap();
    let onward = ledger.walk(onward).unwrap().upper_tiles();
    let (path, skip, expected) = &onward[0];
    assert_eq!(
        (path.to_string().as_str(), *skip, expected.len()),
        ("tile/1/000", 3, 253)
    );
    assert_eq!(expected[..], tiles[0].2[3..]);
    assert_eq!(onward.len(), 2);
}
