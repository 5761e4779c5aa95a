//! Inclusion and consistency proofs (RFC 9162, 2.1.3 and 2.1.4): which hashes they are made of, and their
//! verification. Reads nothing: whoever makes a proof brings the hashes, whoever verifies one brings the proof.

use super::merkle::root_of;
use super::{Hash, TileKind, TilePath, node_hash};

/// A perfect subtree: the hash over the leaves from `index · 2^height` on, `2^height` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// How many levels stand above its leaves.
    pub height: u8,
    /// Its number among those of its height, from 0.
    pub index: u64,
}

/// Which hashes a proof lists, in their order. Each is the hash over some leaves of the tree, put together from
/// perfect subtrees: so a proof in a tree of n leaves takes O(log n) hashes that tiles hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPlan {
    /// For each hash of the proof the subtrees that it joins, largest first.
    nodes: Vec<Vec<Subtree>>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such position or size in the tree.
    #[error("there is no such place in a tree of {size}")]
    OutOfRange {
        /// Number of leaves of the tree.
        size: u64,
    },
    /// The proof has more or fewer hashes than one of its place must have.
    #[error("the proof does not have the number of hashes that it must have")]
    WrongLength,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    OtherRoot,
}

impl ProofPlan {
    /// Of the proof that the leaf at `index` stands in the tree of `size` leaves; `None` if it cannot.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut begin, mut end) = (0, size);
        let mut nodes = vec![];
        while end - begin > 1 {
            let middle = begin + split(end - begin);
            if index < middle {
                nodes.push(subtrees(middle, end));
                end = middle;
            } else {
                nodes.push(subtrees(begin, middle));
                begin = middle;
            }
        }
        nodes.reverse();
        Some(Self { nodes })
    }

    /// Of the proof that the tree of `from` leaves is how the one of `to` leaves began; `None` if it cannot be.
    /// Every tree begins as itself, and as the empty one: those proofs are empty.
    pub fn consistency(from: u64, to: u64) -> Option<Self> {
        if from > to {
            return None;
        }
        if from == 0 {
            return Some(Self { nodes: vec![] });
        }
        let (mut begin, mut end) = (0, to);
        let mut nodes = vec![];
        while from != end {
            let middle = begin + split(end - begin);
            if from <= middle {
                nodes.push(subtrees(middle, end));
                end = middle;
            } else {
                nodes.push(subtrees(begin, middle));
                begin = middle;
            }
        }
        // Whoever verifies has the hash of the old tree, but not that of a part of it.
        if begin > 0 {
            nodes.push(subtrees(begin, end));
        }
        nodes.reverse();
        Some(Self { nodes })
    }

    /// Of the root itself, as the only hash.
    pub fn root(size: u64) -> Self {
        Self {
            nodes: vec![subtrees(0, size)],
        }
    }

    /// Of a leaf's hash, as the only one.
    pub fn leaf(index: u64) -> Self {
        let leaf = Subtree { height: 0, index };
        Self {
            nodes: vec![vec![leaf]],
        }
    }

    /// The subtrees that are needed, some perhaps more than once.
    pub fn subtrees(&self) -> impl Iterator<Item = Subtree> {
        self.nodes.iter().flatten().copied()
    }

    /// The tiles in which they stand, in a tree of `size` leaves; each once.
    pub fn tiles(&self, size: u64) -> Vec<TilePath> {
        let mut tiles: Vec<TilePath> = vec![];
        for subtree in self.subtrees() {
            let place = subtree.place();
            let kind = TileKind::Hashes { level: place.level };
            tiles.extend(TilePath::widest(kind, place.tile, size).filter(|tile| !tiles.contains(tile)));
        }
        tiles
    }

    /// The proof, from the hashes of subtrees; `None` if one of them is not to be had.
    pub fn build(&self, hash_of: impl Fn(Subtree) -> Option<Hash>) -> Option<Vec<Hash>> {
        let join = |node: &Vec<Subtree>| {
            let Some((smallest, larger)) = node.split_last() else {
                return Some(root_of(&[]));
            };
            larger.iter().rev().try_fold(hash_of(*smallest)?, |right, left| {
                Some(node_hash(&hash_of(*left)?, &right))
            })
        };
        self.nodes.iter().map(join).collect()
    }
}

/// Where a subtree's hash comes from: so many neighbouring hashes of a tile, joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) level: u8,
    pub(super) tile: u64,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Subtree {
    pub(super) fn place(self) -> Place {
        let (level, inner) = (self.height / 8, self.height % 8);
        let per_tile = 8 - inner;
        let first = (self.index & ((1 << per_tile) - 1)) << inner;
        Place {
            level,
            tile: self.index >> per_tile,
            first: usize::try_from(first).expect("less than 256"),
            count: 1 << inner,
        }
    }
}

/// Where the tree over `size` leaves, two at least, is split: at the largest power of two below that.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The perfect subtrees that the leaves from `begin` to before `end` consist of, largest first. `begin` must be a
/// multiple of the largest, as it is for every node of a tree.
fn subtrees(begin: u64, end: u64) -> Vec<Subtree> {
    let mut at = begin;
    let mut found = vec![];
    while at < end {
        let height = (end - at).ilog2();
        found.push(Subtree {
            height: u8::try_from(height).expect("at most 63"),
            index: at >> height,
        });
        at += 1 << height;
    }
    found
}

/// Verifies that `leaf_hash` is the leaf at `index` of the tree of `size` leaves with a root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf_hash: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf_hash;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    same(hash, *root)
}

/// Verifies that the tree of `from` leaves with one root is how the tree of `to` leaves with another root began
/// (RFC 9162, 2.1.4.2).
pub fn verify_consistency(
    from: u64,
    to: u64,
    from_root: &Hash,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from > to {
        return Err(ProofError::OutOfRange { size: to });
    }
    if from == 0 || from == to {
        if !proof.is_empty() {
            return Err(ProofError::WrongLength);
        }
        let expected = if from == 0 { root_of(&[]) } else { *to_root };
        return same(*from_root, expected);
    }
    // A perfect tree is a node of the larger one: its root, which is known, is left out of the proof.
    let known = from.is_power_of_two().then_some(*from_root);
    let mut path = known.into_iter().chain(proof.iter().copied());
    let (mut node, mut last) = (from - 1, to - 1);
    let common = node.trailing_ones();
    (node, last) = (node >> common, last >> common);
    let mut old = path.next().ok_or(ProofError::WrongLength)?;
    let mut new = old;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(&sibling, &old);
            new = node_hash(&sibling, &new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new = node_hash(&new, &sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    same(old, *from_root)?;
    same(new, *to_root)
}

fn same(found: Hash, expected: Hash) -> Result<(), ProofError> {
    if found == expected {
        Ok(())
    } else {
        Err(ProofError::OtherRoot)
    }
}

#[cfg(test)]
mod tests;
