//! How numbers and times are written.

use js_sys::{Array, Date, Intl, Object, Reflect};
use vinzy_client::Amount;
use vinzy_events::Timestamp;

/// A count with its thousands apart: `12,345`.
pub fn count(number: u64) -> String {
    group(&number.to_string())
}

/// An amount, with all its digits.
pub fn amount(amount: &Amount) -> String {
    group(&amount.to_string())
}

/// A number as it comes in JSON.
pub fn number(number: &serde_json::Number) -> String {
    group(&number.to_string())
}

/// A number and what it counts: `1 license`, `12 licenses`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A measured value, to three digits or so: `0.12`, `4.57`, `12,345`, `1.2 M`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    let scaled = |by: f64, unit: &str| format!("{} {unit}", trimmed(value / by, 1));
    if size >= 1e12 {
        format!("{value:.2e}")
    } else if size >= 1e9 {
        scaled(1e9, "G")
    } else if size >= 1e6 {
        scaled(1e6, "M")
    } else if size >= 1e3 {
        group(&trimmed(value, 0))
    } else if size >= 100.0 {
        trimmed(value, 1)
    } else {
        trimmed(value, 2)
    }
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn group(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (whole, fraction) = rest.split_at(end);
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// A moment in milliseconds since 1970, from RFC 3339; `None` for what is none.
pub fn millis(text: &str) -> Option<f64> {
    let millis = Date::parse(text);
    (!millis.is_nan()).then_some(millis)
}

/// Now, in milliseconds since 1970.
pub fn now() -> f64 {
    Date::now()
}

/// A moment in the viewer's zone: `1 Mar 2026, 13:00`.
pub fn local(text: &str) -> String {
    formatted(
        text,
        &[
            ("day", "numeric"),
            ("month", "short"),
            ("year", "numeric"),
            ("hour", "2-digit"),
            ("minute", "2-digit"),
        ],
    )
}

/// The day of a moment in the viewer's zone: `1 Mar 2026`.
pub fn local_day(text: &str) -> String {
    formatted(
        text,
        &[("day", "numeric"), ("month", "short"), ("year", "numeric")],
    )
}

/// The same moment in UTC, to the second: `2026-03-01 12:00:00 UTC`.
pub fn utc(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(_) if text.len() >= 19 => format!("{} {} UTC", &text[..10], &text[11..19]),
        _ => text.to_owned(),
    }
}

/// A day in UTC, shortly: `1 Mar`. For axes of plots whose days are UTC's.
pub fn utc_day(text: &str) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<usize>().ok());
    match (part(5..7), part(8..10)) {
        (Some(month @ 1..=12), Some(day)) => format!("{day} {}", MONTHS[month - 1]),
        _ => text.to_owned(),
    }
}

/// How long ago or ahead a moment is: `3 min ago`, `in 12 days`.
pub fn relative(text: &str, now: f64) -> String {
    let Some(at) = millis(text) else {
        return text.to_owned();
    };
    let seconds = (now - at) / 1000.0;
    let size = seconds.abs();
    let (number, unit) = if size < 45.0 {
        return "just now".to_owned();
    } else if size < 3600.0 {
        (size / 60.0, "min")
    } else if size < 86_400.0 {
        (size / 3600.0, "h")
    } else if size < 60.0 * 86_400.0 {
        (size / 86_400.0, "day")
    } else if size < 730.0 * 86_400.0 {
        (size / (30.44 * 86_400.0), "month")
    } else {
        (size / (365.25 * 86_400.0), "year")
    };
    let number = number.round().max(1.0);
    let plural = if number > 1.0 && matches!(unit, "day" | "month" | "year") {
        "s"
    } else {
        ""
    };
    if seconds >= 0.0 {
        format!("{number} {unit}{plural} ago")
    } else {
        format!("in {number} {unit}{plural}")
    }
}

/// What a date and time field holds, in the viewer's zone, as RFC 3339 in UTC; `None` for what is none.
pub fn from_field(text: &str) -> Option<String> {
    let date = Date::new(&text.into());
    (!date.get_time().is_nan()).then(|| String::from(date.to_iso_string()))
}

/// What a date and time field has to hold to show a moment in the viewer's zone.
pub fn to_field(text: &str) -> String {
    let date = Date::new(&text.into());
    if date.get_time().is_nan() {
        return String::new();
    }
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}",
        date.get_full_year(),
        date.get_month() + 1,
        date.get_date(),
        date.get_hours(),
        date.get_minutes()
    )
}

/// Today plus so many days, as RFC 3339 in UTC.
pub fn days_from_now(days: f64) -> String {
    Date::new(&(Date::now() + days * 86_400_000.0).into())
        .to_iso_string()
        .into()
}

fn formatted(text: &str, options: &[(&str, &str)]) -> String {
    let date = Date::new(&text.into());
    if date.get_time().is_nan() {
        return text.to_owned();
    }
    let wanted = Object::new();
    for (name, value) in options {
        let _ = Reflect::set(&wanted, &(*name).into(), &(*value).into());
    }
    let _ = Reflect::set(&wanted, &"hourCycle".into(), &"h23".into());
    let format = Intl::DateTimeFormat::new(&Array::of1(&"en-GB".into()), &wanted);
    let written = format.format().call1(&wasm_bindgen::JsValue::NULL, &date);
    written.ok().and_then(|text| text.as_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(group("-1234.56789"), "-1,234.56789");
        assert_eq!(counted(1, "license", "licenses"), "1 license");
    }

    #[test]
    fn measured_values_are_short() {
        assert_eq!(short(0.123_4), "0.12");
        assert_eq!(short(12.0), "12");
        assert_eq!(short(12_345.6), "12,346");
        assert_eq!(short(1_260_000.0), "1.3 M");
    }

    #[test]
    fn days_are_utcs() {
        assert_eq!(utc_day("2026-03-01T00:00:00.000000Z"), "1 Mar");
        assert_eq!(utc("2026-03-01T12:00:00.000000Z"), "2026-03-01 12:00:00 UTC");
    }
}
