//! Paths of tiles (C2SP tlog-tiles): `tile/<L>/<N>[.p/<W>]` for hashes, `tile/entries/<N>[.p/<W>]` for
//! entries. One tile has one path.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

/// Hashes or entries in a full tile.
const FULL: u16 = 256;
/// Highest level of a tile of hashes.
const MAX_LEVEL: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileKind {
    /// Hashes of a level: 0 to 63, where 0 are the events' own.
    Hashes {
        /// The level.
        level: u8,
    },
    /// Entries: the leaves themselves.
    Entries,
}

impl TileKind {
    /// How many hashes or entries a ledger of `size` events has, in all tiles of this kind. A hash above the lowest
    /// level is one of a full tile below.
    fn filled(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes { level } => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
        }
    }
}

/// Names a tile. Text form: its path, without the ledger before it and without a slash in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    partial: Option<NonZeroU8>,
}

/// The text is no tile's path, or not in the one way in which that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct InvalidTilePath;

impl TilePath {
    /// The tile at an index, with a width from 1 to 256; 256 is a full one. `None` for other widths and for
    /// levels above 63.
    pub fn try_new(kind: TileKind, index: u64, width: u16) -> Option<Self> {
        let partial = match width {
            FULL => None,
            _ => Some(NonZeroU8::new(width.try_into().ok()?)?),
        };
        let is_level = !matches!(kind, TileKind::Hashes { level } if level > MAX_LEVEL);
        is_level.then_some(Self { kind, index, partial })
    }

    /// The tile at an index as far as a ledger of `size` events fills it; `None` if that is not at all.
    pub fn widest(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let before = index.checked_mul(FULL.into())?;
        let there = kind.filled(size).checked_sub(before)?;
        Self::try_new(kind, index, there.min(FULL.into()).try_into().ok()?)
    }

    /// All tiles of a ledger of `size` events: those of entries, then those of hashes from the lowest level up.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0..=MAX_LEVEL).map(|level| TileKind::Hashes { level });
        std::iter::once(TileKind::Entries)
            .chain(levels)
            .take_while(move |kind| kind.filled(size) > 0)
            .flat_map(move |kind| {
                (0..kind.filled(size).div_ceil(FULL.into()))
                    .filter_map(move |index| Self::widest(kind, index, size))
            })
    }

    /// Whether a ledger of `size` events fills it.
    pub fn is_within(self, size: u64) -> bool {
        Self::widest(self.kind, self.index, size).is_some_and(|widest| self.width() <= widest.width())
    }

    /// What it holds.
    pub const fn kind(self) -> TileKind {
        self.kind
    }

    /// The level, if it holds hashes.
    pub const fn level(self) -> Option<u8> {
        match self.kind {
            TileKind::Hashes { level } => Some(level),
            TileKind::Entries => None,
        }
    }

    /// Its number within the level, from 0.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds: 1 to 256.
    pub fn width(self) -> u16 {
        self.partial.map_or(FULL, |width| width.get().into())
    }

    /// Whether it is full, and so never changes.
    pub const fn is_full(self) -> bool {
        self.partial.is_none()
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}")?,
            TileKind::Entries => f.write_str("tile/entries")?,
        }
        write_index(self.index / 1000, f)?;
        write!(f, "/{:03}", self.index % 1000)?;
        match self.partial {
            Some(width) => write!(f, ".p/{width}"),
            None => Ok(()),
        }
    }
}

/// Writes all groups of three digits but the last.
fn write_index(groups: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if groups == 0 {
        return Ok(());
    }
    write_index(groups / 1000, f)?;
    write!(f, "/x{:03}", groups % 1000)
}

impl FromStr for TilePath {
    type Err = InvalidTilePath;

    fn from_str(text: &str) -> Result<Self, InvalidTilePath> {
        Self::read(text).ok_or(InvalidTilePath)
    }
}

impl TilePath {
    fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes {
                level: canonical_number(level)?,
            },
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, u16::from(canonical_number::<u8>(width)?)),
            None => (rest, FULL),
        };
        Self::try_new(kind, read_index(index)?, width)
    }
}

/// Groups of three digits, all but the last behind an `x`; the first of several is not zero.
fn read_index(text: &str) -> Option<u64> {
    let (before, last) = match text.rsplit_once('/') {
        Some((before, last)) => (Some(before), last),
        None => (None, text),
    };
    let mut index = 0_u64;
    for group in before.into_iter().flat_map(|before| before.split('/')) {
        let value = group_value(group.strip_prefix('x')?)?;
        if index == 0 && value == 0 {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(value)?;
    }
    index.checked_mul(1000)?.checked_add(group_value(last)?)
}

fn group_value(group: &str) -> Option<u64> {
    let is_group = group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    is_group.then(|| group.parse().ok()).flatten()
}

/// A number in the one way in which it is written: no sign, no leading zeros.
fn canonical_number<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(kind: TileKind, index: u64, width: u16) -> TilePath {
        TilePath::try_new(kind, index, width).unwrap()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level| TileKind::Hashes { level };
        for (text, path) in [
            ("tile/0/x001/x234/067", tile(hashes(0), 1_234_067, 256)),
            ("tile/0/000", tile(hashes(0), 0, 256)),
            ("tile/63/999.p/255", tile(hashes(63), 999, 255)),
            ("tile/1/x001/000.p/1", tile(hashes(1), 1000, 1)),
            (
                "tile/entries/x273/000.p/112",
                tile(TileKind::Entries, 273_000, 112),
            ),
            (
                "tile/entries/x018/x446/x744/x073/x709/x551/615",
                tile(TileKind::Entries, u64::MAX, 256),
            ),
        ] {
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        }
    }

    #[test]
    fn a_tile_knows_what_it_holds() {
        let path: TilePath = "tile/2/x001/002.p/17".parse().unwrap();
        assert_eq!(path.kind(), TileKind::Hashes { level: 2 });
        assert_eq!((path.index(), path.width(), path.is_full()), (1002, 17, false));
        let full: TilePath = "tile/entries/000".parse().unwrap();
        assert_eq!((full.kind(), full.width()), (TileKind::Entries, 256));
        assert!(full.is_full());
    }

    #[test]
    fn a_ledger_fills_the_tiles_of_its_size() {
        let paths = |size| {
            TilePath::all(size)
                .map(|path| path.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(paths(0), [""; 0]);
        assert_eq!(paths(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(paths(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(
            paths(513),
            [
                "tile/entries/000",
                "tile/entries/001",
                "tile/entries/002.p/1",
                "tile/0/000",
                "tile/0/001",
                "tile/0/002.p/1",
                "tile/1/000.p/2"
            ]
        );
        assert!(tile(TileKind::Entries, u64::MAX >> 8, 255).is_within(u64::MAX));
        for (path, size) in [
            (tile(TileKind::Entries, u64::MAX, 1), u64::MAX),
            (tile(TileKind::Entries, 1, 2), 257),
            (tile(TileKind::Hashes { level: 0 }, 0, 256), 255),
            (tile(TileKind::Hashes { level: 1 }, 0, 2), 511),
            (tile(TileKind::Hashes { level: 8 }, 0, 1), u64::MAX),
            (tile(TileKind::Hashes { level: 63 }, 0, 1), u64::MAX),
        ] {
            assert!(!path.is_within(size), "{path} in {size}");
        }
    }

    #[test]
    fn tiles_that_cannot_be_have_no_path() {
        for (kind, width) in [
            (TileKind::Entries, 0),
            (TileKind::Entries, 257),
            (TileKind::Hashes { level: 64 }, 256),
        ] {
            assert_eq!(TilePath::try_new(kind, 0, width), None);
        }
    }

    #[test]
    fn whatever_is_not_written_in_the_one_way_is_refused() {
        for text in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile//000",
            "/tile/0/000",
            "tile/0/000/",
            "tile/0//000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/x000/x001/000",
            "tile/0/001/000",
            "tile/0/X001/000",
            "tile/0/x1/000",
            "tile/0/x001/x000",
            "tile/0/+01",
            "tile/0/-01",
            "tile/0/ 01",
            "tile/0/٠٠١",
            "tile/00/000",
            "tile/+1/000",
            "tile/64/000",
            "tile/256/000",
            "tile/-1/000",
            "tile/data/000",
            "tile/Entries/000",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/+1",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.P/1",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(text.parse::<TilePath>(), Err(InvalidTilePath), "{text}");
        }
    }
}
