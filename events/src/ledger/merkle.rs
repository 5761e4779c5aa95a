//! The Merkle tree of RFC 6962, kept as its right edge: enough to append to it and to know its root.

use sha2::{Digest, Sha256};

use super::Hash;

/// `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962, 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let digest = Sha256::new()
        .chain_update([1])
        .chain_update(left.as_bytes())
        .chain_update(right.as_bytes());
    Hash::from_bytes(digest.finalize().into())
}

/// Root of the tree over `leaves`, by the definition in RFC 6962, 2.1. Slow and simple.
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::from_bytes(Sha256::digest(b"").into()),
        [leaf] => *leaf,
        _ => {
            let split = 1 << (leaves.len() - 1).ilog2();
            node_hash(&root_of(&leaves[..split]), &root_of(&leaves[split..]))
        }
    }
}

/// The right edge of a tree: the roots of the perfect subtrees that it consists of, largest first. There
/// is one for every bit that is set in the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

/// The bytes are not a frontier of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are no frontier of a tree of {size}")]
pub struct FrontierError {
    /// The size.
    pub size: u64,
    /// How many bytes there are.
    pub bytes: usize,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            subtrees: Vec::new(),
        }
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: joins subtrees of equal size, as adding one to a binary number carries.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .subtrees
                .pop()
                .expect("one subtree for every bit that is set");
            node = node_hash(&left, &node);
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// The root: subtrees joined from the right. Of the empty tree: SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        self.subtrees
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| root_of(&[]))
    }

    /// The subtree hashes one after the other, largest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// The frontier of a tree of `size` from what [`Frontier::to_bytes`] gave.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, FrontierError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != size.count_ones() as usize {
            return Err(FrontierError {
                size,
                bytes: bytes.len(),
            });
        }
        Ok(Self {
            size,
            subtrees: hashes.iter().copied().map(Hash::from_bytes).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::event_hash;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|index| event_hash(&index.to_be_bytes())).collect()
    }

    #[test]
    fn the_frontier_has_the_root_of_the_definition_at_every_size() {
        let leaves = leaves(300);
        let mut frontier = Frontier::new();
        for size in 0..=leaves.len() {
            assert_eq!(frontier.root(), root_of(&leaves[..size]), "size {size}");
            let restored = Frontier::from_bytes(frontier.size(), &frontier.to_bytes()).unwrap();
            assert_eq!(restored, frontier);
            if let Some(leaf) = leaves.get(size) {
                frontier.push(*leaf);
            }
        }
    }

    #[test]
    fn bytes_of_another_size_are_refused() {
        let mut frontier = Frontier::new();
        leaves(7).into_iter().for_each(|leaf| frontier.push(leaf));
        let bytes = frontier.to_bytes();
        assert!(Frontier::from_bytes(8, &bytes).is_err());
        assert!(Frontier::from_bytes(7, &bytes[..95]).is_err());
    }
}
