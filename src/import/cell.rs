//! What a column of the old database can hold, and what is made of it: several databases, drivers and versions have
//! written the same thing in several ways.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Map, Value};
use uuid::Uuid;
use vinzy_events::json::{canonical, parse_strict};
use vinzy_events::{Decimal, Timestamp};

/// Seconds since 1970 from which on a number counts milliseconds: as seconds it would be past the year 5000.
const MILLISECONDS: f64 = 1e11;

/// One value of a row. PostgreSQL gives everything as text, SQLite what was put in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A value is not what its column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not {0}")]
pub(crate) struct Unreadable(&'static str);

/// A value that could be read, and whether it had to be mended for that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read<T> {
    pub(crate) value: T,
    pub(crate) mended: bool,
}

type Reading<T> = Result<Option<T>, Unreadable>;

impl Cell {
    /// As text. U+0000, which PostgreSQL cannot hold, is left out.
    pub(crate) fn text(&self) -> Reading<Read<String>> {
        let text = match self {
            Self::Null => return Ok(None),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8(bytes.clone()).map_err(|_| Unreadable("text"))?,
        };
        let mended = text.contains('\0');
        let value = if mended { text.replace('\0', "") } else { text };
        Ok(Some(Read { value, mended }))
    }

    /// As a UUID: 36 or 32 hex digits in any case, or 16 bytes.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Text(text) => Uuid::parse_str(text.trim()).ok(),
            Self::Bytes(bytes) => Uuid::from_slice(bytes).ok(),
            _ => None,
        }
    }

    /// As JSON, or what was put into a column of it without being text.
    pub(crate) fn json(&self) -> Reading<Read<Value>> {
        let text = match self {
            Self::Null => return Ok(None),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8(bytes.clone()).map_err(|_| Unreadable("JSON"))?,
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let read = json_of(&text)?;
        Ok(match &read.value {
            Value::Null => None,
            // Encoded twice, as some drivers do.
            Value::String(inner) => match json_of(inner) {
                Ok(inner) if inner.value.is_object() || inner.value.is_array() => Some(inner),
                _ => Some(read),
            },
            _ => Some(read),
        })
    }

    /// As a time; without an offset it is UTC.
    pub(crate) fn time(&self) -> Reading<Timestamp> {
        let time = match self {
            Self::Null => return Ok(None),
            Self::Text(text) if text.trim().is_empty() => return Ok(None),
            Self::Text(text) => time_of(text.trim()),
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds of the next millions of years are exact"
            )]
            Self::Integer(number) => time_of_number(*number as f64),
            Self::Real(number) => time_of_number(*number),
            Self::Bytes(_) => None,
        };
        time.map(Some)
            .ok_or(Unreadable("a time between the years 1970 and 9999"))
    }

    /// As a yes or no.
    pub(crate) fn flag(&self) -> Reading<bool> {
        match self {
            Self::Null => Ok(None),
            Self::Integer(number @ (0 | 1)) => Ok(Some(*number == 1)),
            Self::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "yes" => Ok(Some(true)),
                "false" | "f" | "0" | "no" => Ok(Some(false)),
                "" => Ok(None),
                _ => Err(Unreadable("true or false")),
            },
            _ => Err(Unreadable("true or false")),
        }
    }

    /// As an exact number: of a double, the one that its shortest text says.
    pub(crate) fn decimal(&self) -> Reading<Decimal> {
        let number = match self {
            Self::Null => return Ok(None),
            Self::Integer(number) => number.to_string().parse().ok(),
            Self::Real(number) => Decimal::from_f64(*number),
            Self::Text(text) => text.trim().to_ascii_lowercase().replace("e+", "e").parse().ok(),
            Self::Bytes(_) => None,
        };
        number.map(Some).ok_or(Unreadable("a finite number"))
    }

    /// As a whole number.
    pub(crate) fn integer(&self) -> Reading<i64> {
        let Some(number) = self.decimal().map_err(|_| Unreadable("a whole number"))? else {
            return Ok(None);
        };
        let number = number.to_string().parse();
        number.map(Some).map_err(|_| Unreadable("a whole number"))
    }
}

/// Reads JSON as the API would; what that refuses but others read (a key twice, an integer that no double holds, U+0000)
/// as those do.
fn json_of(text: &str) -> Result<Read<Value>, Unreadable> {
    if let Ok(value) = parse_strict(text.as_bytes()) {
        return Ok(Read { value, mended: false });
    }
    let lenient: Value = serde_json::from_str(text).map_err(|_| Unreadable("JSON"))?;
    let value = parse_strict(&canonical(&without_nul(lenient))).map_err(|_| Unreadable("JSON"))?;
    Ok(Read { value, mended: true })
}

fn without_nul(value: Value) -> Value {
    let clean = |text: String| text.replace('\0', "");
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let fields: Map<String, Value> = fields
                .map(|(name, value)| (clean(name), without_nul(value)))
                .collect();
            Value::Object(fields)
        }
        other => other,
    }
}

/// `2026-01-31`, `2026-01-31 12:00:00.5`, `2026-01-31T12:00:00Z`, `2026-01-31 12:00:00+02`.
fn time_of(text: &str) -> Option<Timestamp> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    if rest.is_empty() {
        return Timestamp::from_micros(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    }
    let clock = rest.strip_prefix([' ', 'T', 't'])?;
    let (clock, offset) = match clock.find(['+', '-', 'Z', 'z']) {
        Some(at) => (&clock[..at], offset_seconds(&clock[at..])?),
        None => (clock.strip_suffix(" UTC").unwrap_or(clock), 0),
    };
    let naive = format!("{date}T{}", clock.trim_end());
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&naive, form).ok())?;
    Timestamp::from_micros(naive.and_utc().timestamp_micros() - offset * 1_000_000)
}

/// `Z`, `+02`, `+0230`, `+02:30`, `-02:30:00`.
fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if ![2, 4, 6].contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse().ok());
    let (hours, minutes, seconds): (i64, i64, i64) = (part(0)?, part(2)?, part(4)?);
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "microseconds of a time that is in range are exact enough"
)]
fn time_of_number(number: f64) -> Option<Timestamp> {
    let seconds = if number.abs() >= MILLISECONDS {
        number / 1e3
    } else {
        number
    };
    let micros = (seconds * 1e6).round();
    (0.0..=9e18).contains(&micros).then_some(())?;
    Timestamp::from_micros(micros as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.into())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn one_id_is_read_in_every_way_of_writing_it() {
        let id = Uuid::from_u128(0x0197_f0a2_0000_7000_8000_0000_0000_000f);
        for written in [
            "0197f0a2-0000-7000-8000-00000000000f",
            "0197F0A2-0000-7000-8000-00000000000F",
            "0197f0a20000700080000000",
            "0197f0a200007000800000000000000f",
            " 0197F0A200007000800000000000000F ",
        ] {
            let read = text(written).uuid();
            assert_eq!(read, (written.len() >= 32).then_some(id), "{written}");
        }
        assert_eq!(Cell::Bytes(id.as_bytes().to_vec()).uuid(), Some(id));
        assert_eq!(Cell::Integer(17).uuid(), None);
    }

    #[test]
    fn times_without_an_offset_are_utc() {
        let noon = at("2026-01-31T12:00:00.5Z");
        for written in [
            "2026-01-31 12:00:00.500000",
            "2026-01-31T12:00:00.5",
            "2026-01-31T12:00:00.500Z",
            "2026-01-31 12:00:00.5+00",
            "2026-01-31 14:30:00.5+02:30",
            "2026-01-31 10:00:00.5-0200",
            "2026-01-31 12:00:00.5 UTC",
        ] {
            assert_eq!(text(written).time(), Ok(Some(noon)), "{written}");
        }
        assert_eq!(text("2026-01-31").time(), Ok(Some(at("2026-01-31T00:00:00Z"))));
        assert_eq!(
            Cell::Integer(1_769_860_800).time(),
            Ok(Some(at("2026-01-31T12:00:00Z")))
        );
        assert_eq!(Cell::Real(1_769_860_800_500.0).time(), Ok(Some(noon)));
        assert_eq!(Cell::Null.time(), Ok(None));
        assert_eq!(text("").time(), Ok(None));
        for written in [
            "soon",
            "2026-13-01",
            "2026-01-31 25:00:00",
            "1969-12-31 23:59:59",
            "2026-01-31 12:00+9",
        ] {
            assert!(text(written).time().is_err(), "{written}");
        }
    }

    #[test]
    fn amounts_are_the_shortest_that_a_double_says() {
        for (cell, expected) in [
            (Cell::Real(0.1), "0.1"),
            (Cell::Real(0.1 + 0.2), "0.30000000000000004"),
            (Cell::Real(1e20), "100000000000000000000"),
            (Cell::Integer(-3), "-3"),
            (text("1e+20"), "100000000000000000000"),
            (text("12.50"), "12.5"),
            (
                text("0.1000000000000000055511151231257827"),
                "0.1000000000000000055511151231257827",
            ),
        ] {
            assert_eq!(cell.decimal().unwrap().unwrap().to_string(), expected, "{cell:?}");
        }
        for cell in [
            Cell::Real(f64::NAN),
            Cell::Real(f64::INFINITY),
            text("NaN"),
            text("many"),
        ] {
            assert!(cell.decimal().is_err(), "{cell:?}");
        }
        assert_eq!(Cell::Real(3.0).integer(), Ok(Some(3)));
        assert!(Cell::Real(3.5).integer().is_err());
    }

    #[test]
    fn json_is_read_from_text_also_when_the_api_would_refuse_it() {
        let read = |written: &str| text(written).json();
        let plain = |value| Ok(Some(Read { value, mended: false }));
        let mended = |value| Ok(Some(Read { value, mended: true }));
        assert_eq!(
            read(r#"{"a": [1, 2.5, null]}"#),
            plain(json!({"a": [1, 2.5, null]}))
        );
        assert_eq!(read(r#""{\"a\": 1}""#), plain(json!({"a": 1})));
        assert_eq!(read(r#""just text""#), plain(json!("just text")));
        assert_eq!(read(r#"{"a": 1, "a": 2}"#), mended(json!({"a": 2})));
        assert_eq!(read(r#"{"a\u0000": "x\u0000y"}"#), mended(json!({"a": "xy"})));
        assert_eq!(read("null"), Ok(None));
        assert_eq!(read(""), Ok(None));
        for wrong in [r#"{"a": NaN}"#, "{'a': 1}", "{"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_are_read_from_numbers_and_words() {
        for cell in [Cell::Integer(1), text("true"), text("T"), text("1")] {
            assert_eq!(cell.flag(), Ok(Some(true)), "{cell:?}");
        }
        for cell in [Cell::Integer(0), text("false"), text("f")] {
            assert_eq!(cell.flag(), Ok(Some(false)), "{cell:?}");
        }
        assert!(Cell::Integer(2).flag().is_err());
    }

    proptest! {
        #[test]
        fn every_time_that_python_writes_is_read_back(micros in 0_i64..253_402_300_799_000_000) {
            let time = Timestamp::from_micros(micros).unwrap();
            let python = time.to_string().replace('T', " ").replace('Z', "");
            prop_assert_eq!(text(&python).time(), Ok(Some(time)));
            let whole = python.strip_suffix(".000000").unwrap_or(&python);
            prop_assert_eq!(text(whole).time(), Ok(Some(time)));
        }

        #[test]
        fn every_double_is_read_back_as_itself(double in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            let decimal = Cell::Real(double).decimal().unwrap().unwrap();
            // There is one zero.
            prop_assert_eq!(decimal.to_f64().to_bits(), (double + 0.0).to_bits());
        }

        #[test]
        fn nothing_that_a_column_holds_is_a_panic(written in "\\PC*", number in any::<i64>(), bytes in any::<Vec<u8>>()) {
            for cell in [text(&written), Cell::Integer(number), Cell::Real(f64::from_bits(number.cast_unsigned())), Cell::Bytes(bytes)] {
                let _ = (cell.text(), cell.uuid(), cell.json(), cell.time(), cell.flag(), cell.decimal(), cell.integer());
            }
        }
    }
}
