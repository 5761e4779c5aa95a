//! Proofs, tiles' paths and checkpoints against code that nobody here wrote.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use ed25519_dalek::SigningKey;
use sha2::Sha256;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::tile::Tile;
use tlog_tiles::tlog::{Hash as TlogHash, check_record, check_tree, record_hash};
use vinzy_events::ledger::{
    Checkpoint, Hash, ProofPlan, Subtree, TilePath, VerifierKey, event_hash, root_of, verify_consistency,
    verify_inclusion,
};

const SIZES: [u64; 12] = [1, 2, 3, 7, 8, 9, 255, 256, 257, 300, 511, 513];

fn data(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| format!("event {number}").into_bytes())
        .collect()
}

fn hashes(data: &[Vec<u8>]) -> Vec<Hash> {
    data.iter().map(|leaf| event_hash(leaf)).collect()
}

fn first(hashes: &[Hash], size: u64) -> &[Hash] {
    &hashes[..usize::try_from(size).unwrap()]
}

fn hash_of(hashes: &[Hash]) -> impl Fn(Subtree) -> Option<Hash> {
    |subtree| {
        let begin = usize::try_from(subtree.index << subtree.height).ok()?;
        hashes.get(begin..begin + (1 << subtree.height)).map(root_of)
    }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn tlog(hash: &Hash) -> TlogHash {
    TlogHash(*hash.as_bytes())
}

#[test]
fn others_accept_our_inclusion_proofs_and_we_theirs() {
    for size in SIZES {
        let data = data(size);
        let hashes = hashes(&data);
        let root = root_of(&hashes);
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        data.iter().for_each(|leaf| tree.push(leaf.clone()));
        assert_eq!(tree.root().as_bytes().as_slice(), root.as_bytes());
        for index in [0, size / 3, size / 2, size - 1] {
            let at = usize::try_from(index).unwrap();
            let plan = ProofPlan::inclusion(index, size).unwrap();
            let proof = plan.build(hash_of(&hashes)).unwrap();
            let listed = proof.iter().map(tlog).collect();
            assert_eq!(record_hash(&data[at]), tlog(&hashes[at]));
            check_record(&listed, size, tlog(&root), index, tlog(&hashes[at])).unwrap();
            let theirs = InclusionProof::<Sha256>::from_bytes(bytes(&proof));
            tree.root().verify_inclusion(&data[at], index, &theirs).unwrap();
            let theirs = tree.prove_inclusion(at);
            let (theirs, _) = theirs.as_bytes().as_chunks::<32>();
            let theirs: Vec<Hash> = theirs.iter().copied().map(Hash::from_bytes).collect();
            assert_eq!(verify_inclusion(index, size, &hashes[at], &theirs, &root), Ok(()));
        }
    }
}

#[test]
fn others_accept_our_consistency_proofs_and_we_theirs() {
    for to in SIZES {
        let data = data(to);
        let hashes = hashes(&data);
        let root = root_of(&hashes);
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        data.iter().for_each(|leaf| tree.push(leaf.clone()));
        for from in SIZES.into_iter().filter(|from| *from <= to) {
            let old = root_of(first(&hashes, from));
            let plan = ProofPlan::consistency(from, to).unwrap();
            let proof = plan.build(hash_of(&hashes)).unwrap();
            let listed = proof.iter().map(tlog).collect();
            check_tree(&listed, to, tlog(&root), from, tlog(&old)).unwrap();
            if from < to {
                let old_root = RootHash::<Sha256>::new((*old.as_bytes()).into(), from);
                let theirs = ConsistencyProof::<Sha256>::try_from_bytes(bytes(&proof)).unwrap();
                tree.root().verify_consistency(&old_root, &theirs).unwrap();
                let theirs = tree.prove_consistency(usize::try_from(to - from).unwrap());
                let (theirs, _) = theirs.as_bytes().as_chunks::<32>();
                let theirs: Vec<Hash> = theirs.iter().copied().map(Hash::from_bytes).collect();
                assert_eq!(verify_consistency(from, to, &old, &root, &theirs), Ok(()));
            }
        }
    }
}

#[test]
fn the_tiles_of_a_ledger_are_those_that_others_know() {
    for size in SIZES.into_iter().chain([65_535, 65_536, 65_537, 300_000]) {
        let mut ours: Vec<String> = TilePath::all(size)
            .filter(|path| path.level().is_some())
            .map(|path| path.to_string())
            .collect();
        // They name a tile's height, too, which is always 8 here.
        let mut theirs: Vec<String> = Tile::new_tiles(8, 0, size)
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
            .collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{size}");
    }
}

/// A ledger begins with an event, so no server ever shows it. (That every tree begins as it the others do not prove.)
#[test]
fn the_empty_tree_is_that_of_others() {
    let tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    assert_eq!(tree.root().as_bytes().as_slice(), root_of(&[]).as_bytes());
    assert_eq!(ProofPlan::root(0).build(|_| None), Some(vec![root_of(&[])]));
    assert_eq!(TilePath::all(0).count(), Tile::new_tiles(8, 0, 0).len());
    assert_eq!(ProofPlan::inclusion(0, 0), None);
}

#[test]
fn others_accept_our_checkpoints() {
    for size in [0, 1, 300] {
        accept_checkpoint(size);
    }
}

fn accept_checkpoint(size: u64) {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let checkpoint = Checkpoint {
        origin: "ledger.example/t/default".into(),
        size,
        root: root_of(&hashes(&data(size))),
    };
    let note = Note::from_bytes(checkpoint.sign(&signing).as_bytes()).unwrap();
    let vkey = VerifierKey::from_signing(&checkpoint.origin, &signing).to_string();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let theirs = tlog_tiles::checkpoint::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(
        (theirs.origin(), theirs.size(), theirs.hash()),
        (checkpoint.origin.as_str(), size, &tlog(&checkpoint.root))
    );
}
