//! The reverse of [`Leaf::encode`]: reads what it writes, and nothing else.

use std::borrow::Cow;

use super::{Actor, Leaf, LeafVersion, MAX_LEAF, Meta, SealedField, StreamRef};
use crate::json::CanonicalReader;
use crate::{EventId, Timestamp};

use super::super::Hash;

/// Reads a leaf in canonical form, and finds its payload; `None` for anything else, and for what is so unusual that it is
/// read the slow way.
pub(super) fn read(bytes: &[u8]) -> Option<Leaf<&str>> {
    if bytes.len() > MAX_LEAF {
        return None;
    }
    let mut reader = CanonicalReader::new(bytes)?;
    let leaf = leaf(&mut reader)?;
    reader.end()?;
    Some(leaf)
}

/// The members in the order of their names, which is the one of the fields.
fn leaf<'a>(reader: &mut CanonicalReader<'a>) -> Option<Leaf<&'a str>> {
    reader.literal("{\"enc\":[")?;
    Some(Leaf {
        enc: sealed_fields(reader)?,
        event_id: {
            reader.literal(",\"event_id\":")?;
            event_id(reader)?
        },
        ledger: member(reader, ",\"ledger\":")?,
        meta: meta(reader)?,
        payload: {
            reader.literal(",\"payload\":")?;
            reader.value()?
        },
        pos: number(reader, ",\"pos\":")?,
        prev: hash(reader, ",\"prev\":")?,
        recorded_at: {
            reader.literal(",\"recorded_at\":")?;
            time(reader.plain_string(27)?)?
        },
        stream: StreamRef {
            id: member(reader, ",\"stream\":{\"id\":")?,
            seq: number(reader, ",\"seq\":")?,
            stream_type: member(reader, ",\"type\":")?,
        },
        event_type: member(reader, "},\"type\":")?,
        type_ver: number(reader, ",\"type_ver\":")?.try_into().ok()?,
        version: {
            reader.literal(",\"v\":\"ledger-event/1\"}")?;
            LeafVersion::One
        },
    })
}

fn sealed_fields(reader: &mut CanonicalReader<'_>) -> Option<Vec<SealedField>> {
    let mut fields = vec![];
    while !reader.skip("]") {
        if !fields.is_empty() {
            reader.literal(",")?;
        }
        fields.push(SealedField {
            alg: member(reader, "{\"alg\":")?,
            ct_len: number(reader, ",\"ct_len\":")?,
            ct_sha256: hash(reader, ",\"ct_sha256\":")?,
            kc: hash(reader, ",\"kc\":")?,
            key: member(reader, ",\"key\":")?,
            path: member(reader, ",\"path\":")?,
        });
        reader.literal("}")?;
    }
    Some(fields)
}

fn meta(reader: &mut CanonicalReader<'_>) -> Option<Meta> {
    let actor = Actor {
        id: member(reader, ",\"meta\":{\"actor\":{\"id\":")?,
        kind: member(reader, ",\"kind\":")?,
        name: if reader.skip(",\"name\":") {
            Some(reader.string()?.into_owned())
        } else {
            None
        },
        via: member(reader, ",\"via\":")?,
    };
    let meta = Meta {
        actor,
        causation_id: optional(reader, "},\"causation_id\":")?,
        correlation_id: optional(reader, ",\"correlation_id\":")?,
    };
    reader.literal("}")?;
    Some(meta)
}

fn member(reader: &mut CanonicalReader<'_>, key: &str) -> Option<String> {
    reader.literal(key)?;
    Some(reader.string()?.into_owned())
}

#[expect(clippy::option_option, reason = "whether it is read, and whether it is there")]
fn optional(reader: &mut CanonicalReader<'_>, key: &str) -> Option<Option<String>> {
    reader.literal(key)?;
    Some(reader.optional_string()?.map(Cow::into_owned))
}

fn number(reader: &mut CanonicalReader<'_>, key: &str) -> Option<u64> {
    reader.literal(key)?;
    reader.unsigned()
}

fn hash(reader: &mut CanonicalReader<'_>, key: &str) -> Option<Hash> {
    reader.literal(key)?;
    reader.plain_string(64)?.parse().ok()
}

fn event_id(reader: &mut CanonicalReader<'_>) -> Option<EventId> {
    // Of this length there is one form, but for upper-case digits.
    let text = reader.plain_string(36)?;
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    is_lower.then(|| text.parse().ok()).flatten()
}

/// A time as it is printed: `2026-01-01T00:00:00.000000Z`.
fn time(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 27] = text.as_bytes().try_into().ok()?;
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (26, b'Z'),
    ];
    if marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_u32, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let date =
        chrono::NaiveDate::from_ymd_opt(number(0, 4)?.try_into().ok()?, number(5, 7)?, number(8, 10)?)?;
    let time = date.and_hms_micro_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 26)?)?;
    Timestamp::from_micros(time.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else every event would be read the slow way, and nobody would notice.
    #[test]
    fn what_is_written_is_read_at_once() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/ledger.json")).unwrap();
        for event in vectors["events"].as_array().unwrap() {
            let leaf = event["leaf_utf8"].as_str().unwrap();
            let read = read(leaf.as_bytes()).unwrap();
            let parsed = Leaf::parse(leaf.as_bytes()).unwrap();
            let payload: serde_json::Value = serde_json::from_str(read.payload).unwrap();
            assert_eq!(payload, parsed.payload, "{leaf}");
            assert_eq!(
                read.outlined(serde_json::from_str).unwrap(),
                parsed.outline(),
                "{leaf}"
            );
        }
    }
}
