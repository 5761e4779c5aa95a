//! Tile paths: one tile, one path.

use proptest::prelude::*;
use vinzy_events::ledger::{TileKind, TilePath};

use crate::attack::{any_text, changes, tampered_text};
use crate::config;

fn any_tile() -> impl Strategy<Value = TilePath> {
    let kind = prop_oneof![
        (0_u8..64).prop_map(|level| TileKind::Hashes { level }),
        Just(TileKind::Entries),
    ];
    let index = prop_oneof![
        0_u64..2000,
        any::<u64>(),
        (0_u32..64).prop_map(|bits| u64::MAX >> bits)
    ];
    (kind, index, 1_u16..=256).prop_filter_map("a tile", |(kind, index, width)| {
        TilePath::try_new(kind, index, width)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_path_reads_back(tile in any_tile()) {
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
    }

    #[test]
    fn what_reads_as_a_path_is_written_the_same(tile in any_tile(), changes in changes(), text in any_text()) {
        for text in [tampered_text(&tile.to_string(), &changes), text] {
            if let Ok(read) = text.parse::<TilePath>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }

    #[test]
    fn paths_of_the_right_characters_too(text in "tile/([0-9]{1,3}|entries)(/x?[0-9]{2,4}){1,8}(\\.p/[0-9]{1,3})?") {
        if let Ok(read) = text.parse::<TilePath>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
