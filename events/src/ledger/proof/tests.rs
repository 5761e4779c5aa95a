//! Proofs against the definition of RFC 6962, and every way to change one.

use proptest::prelude::*;

use super::*;
use crate::ledger::{HashTiles, event_hash};

const SIZES: [u64; 16] = [1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 511, 512, 513, 700, 1025];

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| event_hash(&index.to_be_bytes())).collect()
}

/// `leaves[..size]`.
fn first(leaves: &[Hash], size: u64) -> &[Hash] {
    &leaves[..usize::try_from(size).unwrap()]
}

/// The hash of a subtree by its definition.
fn naive(leaves: &[Hash]) -> impl Fn(Subtree) -> Option<Hash> {
    |subtree| {
        let begin = usize::try_from(subtree.index << subtree.height).unwrap();
        leaves.get(begin..begin + (1 << subtree.height)).map(root_of)
    }
}

/// PATH(m, D[n]) of RFC 6962, 2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
    if index < left.len() {
        [path(index, left), vec![root_of(right)]].concat()
    } else {
        [path(index - left.len(), right), vec![root_of(left)]].concat()
    }
}

/// SUBPROOF(m, D[n], b) of RFC 6962, 2.1.2.
fn subproof(from: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if known { vec![] } else { vec![root_of(leaves)] };
    }
    let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
    if from <= left.len() {
        [subproof(from, left, known), vec![root_of(right)]].concat()
    } else {
        [subproof(from - left.len(), right, false), vec![root_of(left)]].concat()
    }
}

fn tiles(leaves: &[Hash]) -> HashTiles {
    let mut tiles = HashTiles::default();
    for path in TilePath::all(leaves.len() as u64) {
        if let TileKind::Hashes { level } = path.kind() {
            let span = 1_usize << (8 * level);
            let begin = usize::try_from(path.index()).unwrap() * 256 * span;
            let hashes = leaves[begin..].chunks_exact(span).take(path.width().into());
            let bytes: Vec<u8> = hashes.flat_map(|leaves| *root_of(leaves).as_bytes()).collect();
            tiles.insert(path, &bytes).unwrap();
        }
    }
    tiles
}

fn inclusion(leaves: &[Hash], index: u64) -> Vec<Hash> {
    let plan = ProofPlan::inclusion(index, leaves.len() as u64).unwrap();
    plan.build(naive(leaves)).unwrap()
}

fn consistency(leaves: &[Hash], from: u64) -> Vec<Hash> {
    let plan = ProofPlan::consistency(from, leaves.len() as u64).unwrap();
    plan.build(naive(leaves)).unwrap()
}

#[test]
fn inclusion_proofs_are_those_of_the_definition_and_verify() {
    let all = leaves(1025);
    for size in SIZES {
        let leaves = first(&all, size);
        let root = root_of(leaves);
        let near = [
            0,
            1,
            size / 2,
            size.saturating_sub(2),
            size - 1,
            255,
            256,
            511,
            512,
        ];
        for index in near.into_iter().filter(|index| *index < size) {
            let at = usize::try_from(index).unwrap();
            let proof = inclusion(leaves, index);
            assert_eq!(proof, path(at, leaves), "{index} in {size}");
            assert_eq!(
                verify_inclusion(index, size, &leaves[at], &proof, &root),
                Ok(()),
                "{index} in {size}"
            );
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_the_definition_and_verify() {
    let all = leaves(1025);
    for to in SIZES {
        let leaves = first(&all, to);
        let root = root_of(leaves);
        for from in SIZES.into_iter().filter(|from| *from <= to) {
            let proof = consistency(leaves, from);
            assert_eq!(
                proof,
                subproof(usize::try_from(from).unwrap(), leaves, true),
                "{from} to {to}"
            );
            let old = root_of(first(leaves, from));
            assert_eq!(
                verify_consistency(from, to, &old, &root, &proof),
                Ok(()),
                "{from} to {to}"
            );
        }
    }
}

#[test]
fn the_empty_tree_is_how_every_tree_began() {
    let empty = root_of(&[]);
    let root = root_of(&leaves(3));
    assert_eq!(ProofPlan::root(0).build(|_| None), Some(vec![empty]));
    assert_eq!(
        ProofPlan::consistency(0, 3).unwrap().build(|_| None),
        Some(vec![])
    );
    assert_eq!(verify_consistency(0, 3, &empty, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, 0, &empty, &empty, &[]), Ok(()));
    assert_eq!(
        verify_consistency(0, 3, &root, &root, &[]),
        Err(ProofError::OtherRoot)
    );
    assert_eq!(
        verify_consistency(0, 3, &empty, &root, &[root]),
        Err(ProofError::WrongLength)
    );
}

#[test]
fn places_outside_the_tree_have_no_proof() {
    let root = root_of(&leaves(3));
    for (index, size) in [(0, 0), (3, 3), (u64::MAX, 3), (u64::MAX, u64::MAX)] {
        assert_eq!(ProofPlan::inclusion(index, size), None);
        assert_eq!(
            verify_inclusion(index, size, &root, &[], &root),
            Err(ProofError::OutOfRange { size })
        );
    }
    assert_eq!(ProofPlan::consistency(4, 3), None);
    assert_eq!(
        verify_consistency(4, 3, &root, &root, &[]),
        Err(ProofError::OutOfRange { size: 3 })
    );
}

#[test]
fn the_largest_trees_are_planned_without_overflow() {
    let plan = ProofPlan::inclusion(u64::MAX - 1, u64::MAX).unwrap();
    assert!(plan.tiles(u64::MAX).len() <= 8);
    assert!(ProofPlan::inclusion(0, u64::MAX).unwrap().tiles(u64::MAX).len() <= 16);
    assert!(
        ProofPlan::consistency(u64::MAX / 3, u64::MAX)
            .unwrap()
            .subtrees()
            .count()
            <= 200
    );
    let hash = root_of(&[]);
    assert!(verify_inclusion(u64::MAX - 1, u64::MAX, &hash, &[hash; 63], &hash).is_err());
    assert!(verify_consistency(u64::MAX - 1, u64::MAX, &hash, &hash, &[hash; 64]).is_err());
}

#[test]
fn tiles_give_the_hashes_of_every_subtree() {
    let leaves = leaves(70_000);
    let tiles = tiles(&leaves);
    for subtree in ProofPlan::root(70_000)
        .subtrees()
        .chain(ProofPlan::inclusion(65_792, 70_000).unwrap().subtrees())
    {
        assert_eq!(tiles.hash_of(subtree), naive(&leaves)(subtree), "{subtree:?}");
    }
    let plan = ProofPlan::inclusion(300, 70_000).unwrap();
    let paths: Vec<String> = plan.tiles(70_000).iter().map(ToString::to_string).collect();
    for path in ["tile/0/001", "tile/1/000", "tile/1/001.p/17", "tile/0/273.p/112"] {
        assert!(paths.iter().any(|found| found == path), "{path} in {paths:?}");
    }
    assert_eq!(paths.len(), 4);
}

/// A change of one bit in the `n`-th of several hashes.
fn flip(hashes: &mut [Hash], bit: usize) {
    let mut bytes = *hashes[bit / 256].as_bytes();
    bytes[bit % 256 / 8] ^= 1 << (bit % 8);
    hashes[bit / 256] = Hash::from_bytes(bytes);
}

#[test]
fn every_bit_of_an_inclusion_proof_counts() {
    for (index, size) in [(0, 1), (2, 3), (6, 7), (5, 8), (130, 300)] {
        let leaves = leaves(size);
        let mut hashes = inclusion(&leaves, index);
        hashes.push(leaves[usize::try_from(index).unwrap()]);
        hashes.push(root_of(&leaves));
        for bit in 0..hashes.len() * 256 {
            flip(&mut hashes, bit);
            let [proof @ .., leaf, root] = hashes.as_slice() else {
                unreachable!()
            };
            assert!(verify_inclusion(index, size, leaf, proof, root).is_err(), "{bit}");
            flip(&mut hashes, bit);
        }
    }
}

#[test]
fn every_bit_of_a_consistency_proof_counts() {
    for (from, to) in [(1, 2), (3, 7), (4, 8), (6, 8), (130, 300), (256, 257)] {
        let leaves = leaves(to);
        let mut hashes = consistency(&leaves, from);
        hashes.push(root_of(first(&leaves, from)));
        hashes.push(root_of(&leaves));
        for bit in 0..hashes.len() * 256 {
            flip(&mut hashes, bit);
            let [proof @ .., old, new] = hashes.as_slice() else {
                unreachable!()
            };
            assert!(verify_consistency(from, to, old, new, proof).is_err(), "{bit}");
            flip(&mut hashes, bit);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inclusion_proofs_from_tiles_verify_there_and_nowhere_else(size in 1_u64..2000, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let root = root_of(&leaves);
        let (at, other) = (at.index(leaves.len()), other.index(leaves.len()));
        let (index, elsewhere) = (at as u64, other as u64);
        let plan = ProofPlan::inclusion(index, size).unwrap();
        let proof = plan.build(|subtree| tiles(&leaves).hash_of(subtree)).unwrap();
        prop_assert_eq!(&proof, &path(at, &leaves));
        prop_assert_eq!(verify_inclusion(index, size, &leaves[at], &proof, &root), Ok(()));
        if other != at {
            prop_assert!(verify_inclusion(elsewhere, size, &leaves[at], &proof, &root).is_err());
            prop_assert!(verify_inclusion(index, size, &leaves[other], &proof, &root).is_err());
        }
        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(verify_inclusion(index, size, &leaves[at], &longer, &root).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(verify_inclusion(index, size, &leaves[at], shorter, &root).is_err());
        }
    }

    #[test]
    fn consistency_proofs_from_tiles_verify_between_their_sizes_only(to in 1_u64..2000, from in any::<prop::sample::Index>()) {
        let leaves = leaves(to);
        let from = from.index(leaves.len()) as u64 + 1;
        let (old, new) = (root_of(first(&leaves, from)), root_of(&leaves));
        let plan = ProofPlan::consistency(from, to).unwrap();
        let proof = plan.build(|subtree| tiles(&leaves).hash_of(subtree)).unwrap();
        prop_assert_eq!(verify_consistency(from, to, &old, &new, &proof), Ok(()));
        prop_assert_eq!(ProofPlan::root(to).build(|subtree| tiles(&leaves).hash_of(subtree)), Some(vec![new]));
        prop_assert!(verify_consistency(from, to, &old, &new, &[proof.as_slice(), &[new]].concat()).is_err());
        if from != to {
            prop_assert!(verify_consistency(from, to, &new, &new, &proof).is_err());
            let shorter = &proof[..proof.len().saturating_sub(1)];
            prop_assert!(shorter.len() == proof.len() || verify_consistency(from, to, &old, &new, shorter).is_err());
        }
    }

    #[test]
    fn whatever_is_claimed_verification_ends(from in any::<u64>(), to in any::<u64>(), count in 0_usize..80) {
        let hash = root_of(&[]);
        let proof = vec![hash; count];
        let _ = verify_inclusion(from, to, &hash, &proof, &hash);
        let _ = verify_consistency(from, to, &hash, &hash, &proof);
    }
}
