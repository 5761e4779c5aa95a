//! Strict JSON, its canonical form, and the digits of amounts.

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use vinzy_events::Decimal;
use vinzy_events::json::{JsonError, canonical, keep_digits, parse_strict};

use crate::attack::{any_bytes, any_text, changes, tampered, tampered_text};
use crate::config;

/// A number as it may be written: JSON's own and others.
pub(crate) fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "-?[0-9]{1,40}",
        "-?[0-9]{1,20}\\.[0-9]{1,40}",
        "-?[0-9]{1,3}(\\.[0-9]{1,20})?[eE][+-]?[0-9]{1,4}",
        "-?(0|[1-9][0-9]{300,420})(\\.[0-9]{1,20})?",
        "[-+0-9.eE_]{0,12}",
    ]
}

/// JSON text with everything that is odd and allowed, and some that is not.
pub(crate) fn any_json() -> impl Strategy<Value = String> {
    let quoted = || any_text().prop_map(|text| json!(text).to_string());
    let escaped = "\"(\\\\u[0-9a-f]{4}|\\\\[nrtbf/\"\\\\]|[a-z]){0,4}\"";
    let leaf = prop_oneof![
        2 => any_number(),
        2 => quoted(),
        1 => escaped,
        1 => prop::sample::select(&["null", "true", "false", "{}", "[]", "\"\"", "nul", "NaN"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let space = || prop::sample::select(&["", "", "", " ", "\n", "\r\n\t "]);
        let key = prop_oneof![3 => quoted(), 1 => "\"[ab]\"", 1 => escaped];
        let member =
            (key, space(), inner.clone()).prop_map(|(key, space, value)| format!("{key}{space}:{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..5), space())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(","))),
            (prop::collection::vec(member, 0..5), space())
                .prop_map(|(members, space)| format!("{{{}{space}}}", members.join(","))),
        ]
    })
}

/// What must hold of whatever is taken in.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let value = match parse_strict(bytes) {
        Ok(value) => value,
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    let form = canonical(&value);
    prop_assert_eq!(
        parse_strict(&form),
        Ok(value.clone()),
        "it is taken in again, as the same"
    );
    prop_assert_eq!(canonical(&value), &*form, "its form is a fixed point");
    let lax: Value = serde_json::from_slice(&form).unwrap();
    prop_assert_eq!(canonical(&lax), &*form, "other readers see the same");
    prop_assert_eq!(lax, value);
    prop_assert!(
        serde_json::from_slice::<&RawValue>(bytes).is_ok(),
        "strict is not laxer than others"
    );
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_taken_in_reads_the_same_everywhere(text in any_json()) {
        check(text.as_bytes())?;
    }

    #[test]
    fn tampered_json_does_too(text in any_json(), changes in changes()) {
        check(&tampered(text.as_bytes(), &changes))?;
    }

    #[test]
    fn any_bytes_do_too(bytes in any_bytes()) {
        check(&bytes)?;
    }

    #[test]
    fn no_text_is_lost_or_changed(key in any_text(), text in any_text()) {
        let value = json!({key.clone(): [text.clone()]});
        let bytes = serde_json::to_vec(&value).unwrap();
        match parse_strict(&bytes) {
            Ok(parsed) => prop_assert_eq!(parsed, value),
            Err(JsonError::NulCharacter) => prop_assert!(key.contains('\0') || text.contains('\0')),
            Err(JsonError::ReservedText) => prop_assert!([key, text].iter().any(|text| text.starts_with('$'))),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn a_key_twice_is_refused_however_it_is_written(key in "[a-z]{1,3}", before in "-?[1-9]{1,9}(\\.[0-9]{1,9})?", deep in 0_usize..5) {
        let escaped = key.chars().map(|letter| format!("\\u{:04X}", u32::from(letter))).collect::<Vec<_>>().concat();
        let object = format!(r#"{{"{key}":{before},"other":[],"{escaped}":{before}}}"#);
        let nested = format!("{}{object}{}", "[".repeat(deep), "]".repeat(deep));
        prop_assert_eq!(parse_strict(nested.as_bytes()), Err(JsonError::DuplicateKey { key }));
    }

    #[test]
    fn nesting_is_refused_beyond_its_bound(opens in prop::collection::vec(any::<bool>(), 0..140)) {
        let mut text: String = opens.iter().map(|array| if *array { "[" } else { "{\"a\":" }).collect();
        text.push('1');
        text.extend(opens.iter().rev().map(|array| if *array { ']' } else { '}' }));
        let expected = if opens.len() > 64 { Err(JsonError::TooDeep) } else { Ok(()) };
        prop_assert_eq!(parse_strict(text.as_bytes()).map(|_| ()), expected);
    }

    #[test]
    fn amounts_keep_every_digit(number in any_number(), listed: bool) {
        let Ok(exact) = number.parse::<Decimal>() else { return Ok(()) };
        // Nearer to 0 a double has fewer digits than it seems; no amount is that small.
        prop_assume!(exact.decimal_places() <= 300);
        let object = format!(r#"{{"value":{number}}}"#);
        let json = if listed { format!(r#"{{"records":[{object}]}}"#) } else { object };
        if let Ok(mut value) = parse_strict(json.as_bytes()) {
            keep_digits(json.as_bytes(), &mut value, "value", &["records"]);
            let object = if listed { &value["records"][0] } else { &value };
            let kept = match &object["value"] {
                Value::String(text) => text.parse().ok(),
                other => Decimal::from_json(other),
            };
            prop_assert_eq!(kept, Some(exact));
        }
    }

    #[test]
    fn keeping_digits_changes_nothing_else(text in any_json(), changes in changes()) {
        for json in [tampered_text(&text, &changes), text] {
            let Ok(before) = parse_strict(json.as_bytes()) else { continue };
            let mut after = before.clone();
            keep_digits(json.as_bytes(), &mut after, "a", &["b"]);
            let without = |value: &Value| {
                let mut object = value.as_object().cloned().unwrap_or_else(Map::new);
                object.remove("a");
                object.remove("b");
                object
            };
            prop_assert_eq!(without(&before), without(&after));
        }
    }
}
