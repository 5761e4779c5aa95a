//! JSON at the door and in the ledger: strict parsing, and the canonical form of RFC 8785.
//!
//! A value that went through [`parse_strict`] is *normalised*: it equals what parsing its own canonical
//! form gives, so that it reads the same on create and on read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

mod reader;

pub(crate) use reader::CanonicalReader;

/// Integers up to this size are doubles exactly (2^53).
const EXACT: u64 = 1 << 53;

/// How deep arrays and objects may stand within each other. Readers give up at 128, and what is taken in here
/// stands some levels deeper in events, snapshots and answers.
pub const MAX_DEPTH: u32 = 64;

/// How many values a text may hold, those within arrays and objects included: each costs far more memory than its
/// text.
pub const MAX_VALUES: u32 = 50_000;

/// How keys begin that `serde_json` takes for its own.
const RESERVED: &str = "$serde_json::private::";

/// Why JSON is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON: malformed, not UTF-8, or a number beyond a double's range.
    #[error("malformed JSON at line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// An object names the same key twice; readers would disagree about which one counts.
    #[error("duplicate key {key:?}")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// An integer that is neither what a double holds exactly nor how one is written in canonical form; other
    /// readers would see another number.
    #[error("integer {literal} cannot be held exactly; write it as a string")]
    InexactInteger {
        /// The integer as written.
        literal: String,
    },
    /// Arrays and objects stand too deep within each other.
    #[error("arrays and objects are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// It holds more values than anybody needs.
    #[error("there are more than {MAX_VALUES} values")]
    TooManyValues,
    /// A string or key that `serde_json` gives a meaning of its own: where it stands as a key, what is read back
    /// is something else than was written.
    #[error("text that begins with {RESERVED} is reserved")]
    ReservedText,
    /// U+0000 in a string or key, which databases cannot hold as text.
    #[error("text holds the NUL character")]
    NulCharacter,
}

/// Parses JSON strictly and normalises it.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, JsonError> {
    let (mut refused, mut values) = (None, 0);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict {
        refused: &mut refused,
        values: &mut values,
        depth: 0,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value));
    match (parsed, refused) {
        (_, Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(JsonError::Syntax {
            line: error.line(),
            column: error.column(),
            message: bare_message(&error),
        }),
        (Ok(value), None) => {
            check_integers(bytes)?;
            Ok(value)
        }
    }
}

/// Puts the digits back that numbers of a field have lost by becoming doubles: where the field stands in an
/// object, or in the objects of an array, and was written with more digits than a double is sure to hold, its
/// value becomes the text. `json` is what `value` was parsed from; `lists` names fields whose arrays are looked
/// at, too.
pub fn keep_digits(json: &[u8], value: &mut Value, field: &str, lists: &[&str]) {
    if !has_long_number(json) {
        return;
    }
    if let Ok(raw) = serde_json::from_slice(json) {
        keep_raw_digits(raw, value, field, lists);
    }
}

fn keep_raw_digits(raw: &RawValue, value: &mut Value, field: &str, lists: &[&str]) {
    match value {
        Value::Object(object) => {
            let Ok(raw) = serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(raw.get()) else {
                return;
            };
            let is_long = |raw: &&RawValue| has_long_number(raw.get().as_bytes());
            if let (Some(number @ Value::Number(_)), Some(raw)) =
                (object.get_mut(field), raw.get(field).copied().filter(is_long))
            {
                *number = Value::String(raw.get().to_owned());
            }
            for list in lists {
                if let (Some(items @ Value::Array(_)), Some(raw)) = (object.get_mut(*list), raw.get(*list)) {
                    keep_raw_digits(raw, items, field, &[]);
                }
            }
        }
        Value::Array(items) => {
            let Ok(raw) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
                return;
            };
            for (item, raw) in items.iter_mut().zip(raw) {
                if item.is_object() {
                    keep_raw_digits(raw, item, field, &[]);
                }
            }
        }
        _ => {}
    }
}

/// Whether JSON holds a run of digits, with or without a point, that is longer than every double's. Text with
/// such a run counts too: that costs a second look, no more.
fn has_long_number(json: &[u8]) -> bool {
    json.split(|byte| !matches!(byte, b'.' | b'0'..=b'9'))
        .any(|digits| digits.len() > 15)
}

/// The canonical form (RFC 8785) of a value.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

/// Appends the canonical form (RFC 8785) of a value.
pub fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(object) => write_object(object, out),
    }
}

fn write_object(object: &Map<String, Value>, out: &mut Vec<u8>) {
    out.push(b'{');
    // The map is sorted by UTF-8 bytes; UTF-16 differs from that only beyond the basic plane.
    let mut keys: Vec<(&String, &Value)> = object.iter().collect();
    if keys.iter().any(|(key, _)| !key.is_ascii()) {
        keys.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
    }
    for (index, (key, value)) in keys.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_canonical(value, out);
    }
    out.push(b'}');
}

/// Appends a string with the escapes of RFC 8785: the shortest there are, and only where JSON needs one.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain_from..index]);
        plain_from = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain_from..]);
    out.push(b'"');
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(integer) = number.as_u64().filter(|integer| *integer <= EXACT) {
        out.extend_from_slice(integer.to_string().as_bytes());
    } else if let Some(integer) = number.as_i64().filter(|integer| integer.unsigned_abs() <= EXACT) {
        out.extend_from_slice(integer.to_string().as_bytes());
    } else {
        // Larger integers are printed as the doubles that they are. A `Number` always has a finite one.
        let double = number.as_f64().unwrap_or_default();
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(double).as_bytes());
    }
}

/// A double as the number that its canonical form parses to: integral ones become integers.
pub(crate) fn normalised_double(double: f64) -> Option<Number> {
    if double.is_finite() && double.fract() == 0.0 && double.abs() < 1e21 {
        let text = ryu_js::Buffer::new().format_finite(double).to_owned();
        if let Ok(integer) = text.parse::<u64>() {
            return Some(integer.into());
        }
        if let Ok(integer) = text.parse::<i64>() {
            return Some(integer.into());
        }
    }
    Number::from_f64(double)
}

/// Builds a [`Value`], refusing what `serde_json` would let pass. The refusal travels beside the error,
/// because serde's errors are text.
struct Strict<'a> {
    refused: &'a mut Option<JsonError>,
    /// How many values there were so far.
    values: &'a mut u32,
    /// How many arrays and objects this stands in.
    depth: u32,
}

impl Strict<'_> {
    fn within(&mut self) -> Strict<'_> {
        Strict {
            refused: &mut *self.refused,
            values: &mut *self.values,
            depth: self.depth + 1,
        }
    }

    fn refuse<E: de::Error>(self, refusal: JsonError) -> E {
        let error = E::custom(&refusal);
        *self.refused = Some(refusal);
        error
    }

    fn text<E: de::Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') {
            Err(self.refuse(JsonError::NulCharacter))
        } else if text.starts_with(RESERVED) {
            // Not in keys alone: a fingerprint is a text here and a key in a snapshot.
            Err(self.refuse(JsonError::ReservedText))
        } else {
            Ok(text)
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.values += 1;
        if *self.values > MAX_VALUES {
            return Err(self.refuse(JsonError::TooManyValues));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        if value <= EXACT {
            return Ok(Value::Number(value.into()));
        }
        #[expect(clippy::cast_precision_loss, reason = "checked to be exact by check_integers")]
        Ok(normalised_double(value as f64).map_or(Value::Null, Value::Number))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() <= EXACT {
            return Ok(Value::Number(value.into()));
        }
        #[expect(clippy::cast_precision_loss, reason = "checked to be exact by check_integers")]
        Ok(normalised_double(value as f64).map_or(Value::Null, Value::Number))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        normalised_double(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.text(value.to_owned()).map(Value::String)
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        self.text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(JsonError::TooDeep));
        }
        let mut items = vec![];
        while let Some(item) = access.next_element_seed(self.within())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(JsonError::TooDeep));
        }
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let key = self.within().text(key)?;
            let value = access.next_value_seed(self.within())?;
            if object.contains_key(&key) {
                return Err(self.refuse(JsonError::DuplicateKey { key }));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Looks at every integer literal of well-formed JSON. `serde_json` has by then rounded the long ones.
fn check_integers(json: &[u8]) -> Result<(), JsonError> {
    let mut rest = json;
    while let Some(start) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9'))
    {
        rest = &rest[start..];
        if rest[0] == b'"' {
            rest = after_string(rest);
            continue;
        }
        let is_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let length = rest
            .iter()
            .position(|byte| !is_number(byte))
            .unwrap_or(rest.len());
        let literal = str::from_utf8(&rest[..length]).unwrap_or_default();
        if !is_exact(literal) {
            return Err(JsonError::InexactInteger {
                literal: literal.to_owned(),
            });
        }
        rest = &rest[length..];
    }
    Ok(())
}

fn after_string(json: &[u8]) -> &[u8] {
    let mut index = 1;
    while index < json.len() {
        match json[index] {
            b'\\' => index += 2,
            b'"' => return &json[index + 1..],
            _ => index += 1,
        }
    }
    &[]
}

fn is_exact(literal: &str) -> bool {
    // Fifteen digits always fit; fractions and exponents are doubles by intent.
    if literal.len() <= 15 || literal.contains(['.', 'e', 'E']) {
        return true;
    }
    // `{:.0}` prints every digit that the double really has. The canonical form has zeros for those beyond the
    // seventeenth; what was written so by us must be taken in again.
    literal.parse::<f64>().is_ok_and(|double| {
        double.is_finite()
            && (format!("{double:.0}") == literal || ryu_js::Buffer::new().format_finite(double) == literal)
    })
}

fn bare_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical(value)).unwrap()
    }

    fn parsed(json: &str) -> Value {
        parse_strict(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8785_comes_out_as_printed_there() {
        let value = parsed(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
        );
        assert_eq!(
            text(&value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn keys_sort_by_utf_16_code_units() {
        let value = parsed(r#"{"€":1,"\r":2,"\ufb33":3,"1":4,"😀":5,"\u0080":6,"ö":7}"#);
        let sorted = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
        assert_eq!(text(&value), sorted);
    }

    #[test]
    fn many_values_are_too_many() {
        let many = |count: usize| format!("[{}0]", "0,".repeat(count - 2));
        assert!(parse_strict(many(50_000).as_bytes()).is_ok());
        assert_eq!(
            parse_strict(many(50_001).as_bytes()),
            Err(JsonError::TooManyValues)
        );
    }

    #[test]
    fn numbers_are_normalised_at_the_door() {
        assert_eq!(parsed("[1.0, -0.0, 1e3, -5, 0.1]"), json!([1, 0, 1000, -5, 0.1]));
        assert_eq!(parsed("1e400".replace("e400", "e300").as_str()), json!(1e300));
        assert!(matches!(parse_strict(b"1e400"), Err(JsonError::Syntax { .. })));
    }

    #[test]
    fn integers_that_a_double_cannot_hold_are_refused() {
        for good in [
            "9007199254740992",
            "9007199254740994",
            "-9007199254740992",
            "1152921504606846976",
            "100000000000000000000",
        ] {
            assert!(parse_strict(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "1000000000000000000000000000000",
            "[{\"a\":12345678901234567890}]",
        ] {
            assert!(
                matches!(
                    parse_strict(bad.as_bytes()),
                    Err(JsonError::InexactInteger { .. })
                ),
                "{bad}"
            );
        }
        assert!(
            parse_strict(br#"{"9007199254740993":"-9007199254740993\""}"#).is_ok(),
            "text is not a number"
        );
    }

    /// A double beyond 2^53 has several texts; ours is not its exact value.
    #[test]
    fn integers_that_were_written_here_are_taken_in_again() {
        for written in [
            "100000000000000200.0",
            "1000000000000000.2e2",
            "-1.234567890123456789e20",
        ] {
            let value = parsed(written);
            assert_eq!(parsed(&text(&value)), value, "{written}");
        }
    }

    #[test]
    fn digits_of_a_field_can_be_kept() {
        let kept = |json: &str| {
            let mut value = parsed(json);
            keep_digits(json.as_bytes(), &mut value, "value", &["records"]);
            value
        };
        assert_eq!(
            kept(r#"{"value": 99999999999999.991, "other": 99999999999999.991}"#),
            json!({"value": "99999999999999.991", "other": 99_999_999_999_999.98})
        );
        assert_eq!(
            kept(
                r#"{"records": [{"value": 0.1}, {"v\u0061lue": 0.10000000000000000000001}, 5, "x"], "value": 1}"#
            ),
            json!({"records": [{"value": 0.1}, {"value": "0.10000000000000000000001"}, 5, "x"], "value": 1})
        );
        assert_eq!(
            kept(r#"[{"value": 9007199254740993.0}, {"deeper": {"value": 9007199254740993.0}}]"#),
            json!([{"value": "9007199254740993.0"}, {"deeper": {"value": 9_007_199_254_740_992_u64}}])
        );
        assert_eq!(
            kept(r#"{"value": "1234567890123456789"}"#),
            json!({"value": "1234567890123456789"})
        );
    }

    #[test]
    fn what_readers_would_disagree_about_is_refused() {
        assert_eq!(
            parse_strict(br#"{"a":{"b":1,"b":1}}"#),
            Err(JsonError::DuplicateKey { key: "b".into() })
        );
        assert_eq!(parse_strict(br#"{"a":"\u0000"}"#), Err(JsonError::NulCharacter));
        assert_eq!(parse_strict(br#"{"\u0000":1}"#), Err(JsonError::NulCharacter));
    }

    /// As a key it would be read back from the ledger as the JSON in its value.
    #[test]
    fn text_that_readers_take_for_their_own_is_refused() {
        for bad in [
            r#"{"metadata":{"$serde_json::private::RawValue":"[1]"}}"#,
            r#"{"fingerprint":"$serde_json::private::\u0052awValue"}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
        ] {
            assert_eq!(
                parse_strict(bad.as_bytes()),
                Err(JsonError::ReservedText),
                "{bad}"
            );
        }
        assert!(parse_strict(br#"{"$serde_json":"a $serde_json::private::RawValue"}"#).is_ok());
    }

    #[test]
    fn nesting_is_bounded_well_below_what_readers_can_take() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(parse_strict(nested(64).as_bytes()).is_ok());
            for depth in [65, 127, 128, 5000] {
                assert_eq!(
                    parse_strict(nested(depth).as_bytes()),
                    Err(JsonError::TooDeep),
                    "{depth}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_json_is_told_with_its_place() {
        for bad in [&b""[..], b"{", b"{} x", b"\xff", br#""\ud800""#, b"nul", b"01"] {
            assert!(matches!(parse_strict(bad), Err(JsonError::Syntax { .. })));
        }
        let Err(JsonError::Syntax { line, column, .. }) = parse_strict(b"{\n  x}") else {
            panic!()
        };
        assert_eq!((line, column), (2, 3));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<f64>().prop_filter_map("finite", |double| Number::from_f64(double).map(Value::Number)),
            any::<i64>().prop_map(|integer| Value::Number(integer.into())),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|object| Value::Object(object.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_a_fixed_point(value in any_json()) {
            let once = canonical(&value);
            let reparsed: Value = serde_json::from_slice(&once).unwrap();
            prop_assert_eq!(&canonical(&reparsed), &once);
        }

        #[test]
        fn a_parsed_value_equals_what_its_canonical_form_parses_to(value in any_json()) {
            let bytes = serde_json::to_vec(&value).unwrap();
            if let Ok(parsed) = parse_strict(&bytes) {
                let again: Value = serde_json::from_slice(&canonical(&parsed)).unwrap();
                prop_assert_eq!(again, parsed);
            }
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_strict(&bytes);
        }
    }
}
