//! What attackers do to valid input.

use proptest::prelude::*;
use proptest::sample::Index;

/// One change to a text or to bytes; places are relative to whatever the length then is.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Flip(Index, u8),
    Truncate(Index),
    Remove(Index, usize),
    Repeat(Index, usize),
    Move(Index, usize, Index),
    Insert(Index, Vec<u8>),
    Replace(Index, Vec<u8>),
    /// Another character that looks the same, or the same letter in the other case.
    LookAlike(Index),
}

/// What parsers stumble over: look-alikes, invisible characters, separators, huge numbers, nesting.
const STUMBLING_BLOCKS: &[&str] = &[
    "\0",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    " ",
    "\u{a0}",
    "\u{200b}",
    "\u{feff}",
    "\u{202e}",
    "\u{301}",
    "\u{2028}",
    "-",
    "\u{2212}",
    "\u{2014} ",
    ".",
    "..",
    "+",
    "/",
    "//",
    "=",
    "==",
    "_",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[",
    "{\"a\":",
    "null",
    "true",
    "\\u0000",
    "\\ud800",
    "\\ud83d\\ude00",
    "😀",
    "\u{fffd}",
    "0",
    "00",
    "-0",
    "0.0",
    "1e0",
    "1E+2",
    "1e999",
    "-1e-999",
    "9007199254740993",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "0.1000000000000000055511151231257827",
    "٣",
    "１",
    "Ａ",
    "А",
    "а",
    "x",
    "x000/",
    "/x",
    ".p/",
    ".p/0",
    ".p/256",
    "tile/",
    "entries/",
    "T",
    "Z",
    "z",
    "t",
    "+00:00",
    ":60",
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
    "{}",
    "urn:uuid:",
    "\u{130}",
    "ß",
    "ŉ",
];

/// One to four changes.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 1..=4)
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let length = || prop_oneof![4 => 1_usize..4, 1 => 4_usize..200];
    let piece = || {
        prop_oneof![
            4 => prop::sample::select(STUMBLING_BLOCKS).prop_map(|text| text.as_bytes().to_vec()),
            2 => "[A-Za-z0-9_+/.=-]{1,4}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 1..5),
        ]
    };
    prop_oneof![
        3 => (place(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        1 => place().prop_map(Change::Truncate),
        2 => (place(), length()).prop_map(|(at, length)| Change::Remove(at, length)),
        2 => (place(), length()).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => (place(), length(), place()).prop_map(|(at, length, to)| Change::Move(at, length, to)),
        3 => (place(), piece()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        3 => (place(), piece()).prop_map(|(at, piece)| Change::Replace(at, piece)),
        2 => place().prop_map(Change::LookAlike),
    ]
}

/// Bytes after changes to them.
pub(crate) fn tampered(valid: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for change in changes {
        change.apply(&mut bytes);
    }
    bytes
}

/// Text after changes to it.
pub(crate) fn tampered_text(valid: &str, changes: &[Change]) -> String {
    String::from_utf8_lossy(&tampered(valid.as_bytes(), changes)).into_owned()
}

/// The beginning of one and the end of another.
pub(crate) fn spliced(left: &str, right: &str, cut: Index, rest: Index) -> String {
    let left = &left.as_bytes()[..cut.index(left.len() + 1)];
    let right = &right.as_bytes()[rest.index(right.len() + 1)..];
    String::from_utf8_lossy(&[left, right].concat()).into_owned()
}

/// Any text: printable or not, long or short, or made of what parsers stumble over.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,200}",
        "[\\x00-\\x7f]{0,100}",
        prop::sample::select(STUMBLING_BLOCKS).prop_map(str::to_owned),
        prop::collection::vec(prop::sample::select(STUMBLING_BLOCKS), 0..40)
            .prop_map(|pieces| pieces.concat()),
    ]
}

/// Any bytes, mostly not UTF-8.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        any_text().prop_map(String::into_bytes),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        // Changes of bytes that are there need some.
        let within = |at: &Index| (length > 0).then(|| at.index(length));
        let span = |at: &Index, wanted: usize| {
            let start = within(at)?;
            Some(start..length.min(start + wanted))
        };
        match self {
            Self::Insert(at, piece) => {
                let at = at.index(length + 1);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Flip(at, bit) => within(at).into_iter().for_each(|at| bytes[at] ^= 1 << bit),
            Self::Truncate(at) => bytes.truncate(at.index(length + 1)),
            Self::Remove(at, wanted) => {
                span(at, *wanted)
                    .into_iter()
                    .for_each(|span| drop(bytes.drain(span)));
            }
            Self::Repeat(at, wanted) => {
                if let Some(span) = span(at, *wanted) {
                    let copy = bytes[span.clone()].to_vec();
                    bytes.splice(span.start..span.start, copy);
                }
            }
            Self::Move(at, wanted, to) => {
                if let Some(span) = span(at, *wanted) {
                    let moved: Vec<u8> = bytes.drain(span).collect();
                    let to = to.index(bytes.len() + 1);
                    bytes.splice(to..to, moved);
                }
            }
            Self::Replace(at, piece) => {
                if let Some(at) = within(at) {
                    bytes.splice(at..=at, piece.iter().copied());
                }
            }
            Self::LookAlike(at) => {
                if let Some(at) = within(at) {
                    let other = look_alike(bytes[at]);
                    bytes.splice(at..=at, other);
                }
            }
        }
    }
}

fn look_alike(byte: u8) -> Vec<u8> {
    let other = match byte {
        b'A' => 'А',
        b'B' => 'В',
        b'C' => 'С',
        b'E' => 'Е',
        b'O' => 'О',
        b'P' => 'Р',
        b'a' => 'а',
        b'e' => 'е',
        b'o' => 'о',
        b'x' => 'х',
        b'-' => '‐',
        b'.' => '．',
        b'/' => '∕',
        b' ' => '\u{2002}',
        b'0'..=b'9' => char::from_u32(0xff10 + u32::from(byte - b'0')).unwrap_or('０'),
        _ if byte.is_ascii_lowercase() => char::from(byte.to_ascii_uppercase()),
        _ => char::from(byte.to_ascii_lowercase()),
    };
    other.to_string().into_bytes()
}
