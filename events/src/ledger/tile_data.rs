//! What stands in tiles: 32 bytes for each hash; for each entry its length, in 16 bits and big-endian, and the leaf.

use std::collections::HashMap;

use super::merkle::root_of;
use super::proof::Subtree;
use super::{Hash, TileKind, TilePath};

/// Tiles of hashes, from which the hashes of subtrees can be had.
#[derive(Debug, Clone, Default)]
pub struct HashTiles(HashMap<(u8, u64), Vec<Hash>>);

/// The bytes are not those of a tile with this path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the bytes of {0}")]
pub struct InvalidTile(pub TilePath);

impl HashTiles {
    /// Takes a tile in, if it is one of hashes and its bytes are as many as they must be.
    pub fn insert(&mut self, path: TilePath, bytes: &[u8]) -> Result<(), InvalidTile> {
        let TileKind::Hashes { level } = path.kind() else {
            return Err(InvalidTile(path));
        };
        let hashes = split_hashes(path, bytes)?;
        self.0.insert((level, path.index()), hashes);
        Ok(())
    }

    /// The hash of a subtree, if the tile that it stands in is there.
    pub fn hash_of(&self, subtree: Subtree) -> Option<Hash> {
        let place = subtree.place();
        let hashes = self.0.get(&(place.level, place.tile))?;
        hashes.get(place.first..place.first + place.count).map(root_of)
    }
}

/// The hashes of a tile.
pub fn split_hashes(path: TilePath, bytes: &[u8]) -> Result<Vec<Hash>, InvalidTile> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() != usize::from(path.width()) {
        return Err(InvalidTile(path));
    }
    Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
}

/// The leaves of a tile of entries, as far as they can be read: a tile that ends within one gives those before it.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (leaf, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = after;
        Some(leaf)
    })
}

/// The leaves of a tile of entries, if it holds as many as its path says and nothing else.
pub fn split_entries(path: TilePath, bytes: &[u8]) -> Result<Vec<&[u8]>, InvalidTile> {
    let leaves: Vec<&[u8]> = entries(bytes).collect();
    let length: usize = leaves.iter().map(|leaf| leaf.len() + 2).sum();
    if leaves.len() == usize::from(path.width()) && length == bytes.len() {
        Ok(leaves)
    } else {
        Err(InvalidTile(path))
    }
}

/// A tile of entries; `None` when a leaf is longer than one can be.
pub fn join_entries<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    for leaf in leaves {
        bytes.extend_from_slice(&u16::try_from(leaf.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(leaf);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries_of(width: u16) -> TilePath {
        TilePath::try_new(TileKind::Entries, 0, width).unwrap()
    }

    #[test]
    fn an_entry_is_its_length_and_its_leaf() {
        let bytes = join_entries([b"ab".as_slice(), b""]).unwrap();
        assert_eq!(bytes, b"\x00\x02ab\x00\x00");
        assert_eq!(
            split_entries(entries_of(2), &bytes),
            Ok(vec![b"ab".as_slice(), b""])
        );
        assert_eq!(join_entries([vec![0; 65_536].as_slice()]), None);
    }

    #[test]
    fn bytes_that_are_no_tile_are_refused() {
        let path = entries_of(2);
        for bytes in [
            b"\x00\x02ab\x00".as_slice(),
            b"\x00\x02ab",
            b"\x00\x02ab\x00\x01",
            b"\x00\x02ab\x00\x00\x00",
        ] {
            assert_eq!(split_entries(path, bytes), Err(InvalidTile(path)), "{bytes:?}");
        }
        let hashes = TilePath::try_new(TileKind::Hashes { level: 0 }, 0, 2).unwrap();
        for length in [0, 32, 63, 65, 96] {
            assert!(split_hashes(hashes, &vec![0; length]).is_err(), "{length}");
        }
        assert!(HashTiles::default().insert(path, &[0; 64]).is_err());
    }

    proptest! {
        #[test]
        fn entries_come_back_as_they_went_in(
            leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256)
        ) {
            let bytes = join_entries(leaves.iter().map(Vec::as_slice)).unwrap();
            let path = entries_of(u16::try_from(leaves.len()).unwrap());
            prop_assert_eq!(split_entries(path, &bytes).unwrap(), leaves);
        }

        #[test]
        fn whatever_the_bytes_are_reading_them_does_not_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let read: usize = entries(&bytes).map(|leaf| leaf.len() + 2).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
