//! Exact decimal numbers: amounts of usage and their limits. Sums never round.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use bigdecimal::{BigDecimal, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Number, Value};

use crate::json;

/// Most characters of a decimal as text.
const MAX_TEXT: usize = 400;
/// Most digits of one, so that its own text is never longer than that.
const MAX_DIGITS: u64 = 390;
/// Text without an exponent and no longer than this is never too much.
const MAX_PLAIN: usize = 300;
/// The largest exponent either way: what is further away from 1 than any double is no amount of anything.
const MAX_EXPONENT: i64 = 999;
/// Exponents from which on numbers are written as `1e21`; below [`SMALLEST_PLAIN`] as `1e-7`. The bounds of
/// ECMAScript, and so of canonical JSON.
const LARGEST_PLAIN: i64 = 21;
const SMALLEST_PLAIN: i64 = -7;

/// The text is no decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct InvalidDecimal;

/// A decimal number of any size, exact.
///
/// Text form: plain digits, or `1.5e308` for very large and very small numbers; no trailing zeros, so that
/// equal numbers have equal texts. JSON form in events: that text as a string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decimal(BigDecimal);

impl Decimal {
    /// The largest number that a JSON reader with doubles can read: `f64::MAX`.
    pub fn max() -> Self {
        "1.7976931348623157e308".parse().expect("a decimal number")
    }

    /// Whether this is more than [`Decimal::max`].
    pub fn is_too_large(&self) -> bool {
        let (digits, scale) = self.0.as_bigint_and_scale();
        // A bit is less than 0.31 decimal digits: for all but huge numbers this settles it.
        let most_digits = i64::try_from(digits.bits()).unwrap_or(i64::MAX / 100) * 31 / 100 + 1;
        most_digits.saturating_sub(scale) > 308 && *self > Self::max()
    }

    /// A number, or a boolean as 1 or 0; `None` for other values.
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(u64::from(*flag).into()),
            Value::Number(number) => Some(Self::from_number(number)),
            _ => None,
        }
    }

    /// The number that the shortest text of a JSON number says: 0.1 is exactly 0.1.
    pub fn from_number(number: &Number) -> Self {
        if let Some(whole) = number.as_u64() {
            return whole.into();
        }
        let text = String::from_utf8(json::canonical(&Value::Number(number.clone())));
        text.ok()
            .and_then(|text| text.parse().ok())
            .expect("canonical JSON numbers are decimal numbers")
    }

    /// The number that the shortest text of a double says; `None` for infinities and NaN.
    pub fn from_f64(double: f64) -> Option<Self> {
        Number::from_f64(double).map(|number| Self::from_number(&number))
    }

    /// The nearest JSON number: exact for whole numbers below 2^64, else the nearest double that is finite.
    pub fn to_number(&self) -> Number {
        let text = self.to_string();
        if let Ok(whole) = text.parse::<u64>() {
            return whole.into();
        }
        json::normalised_double(self.to_f64().clamp(f64::MIN, f64::MAX)).expect("a finite number")
    }

    /// The nearest double; infinite beyond [`Decimal::max`].
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().expect("decimal numbers read as doubles")
    }

    /// Whether this is more than nothing.
    pub fn is_positive(&self) -> bool {
        self.0 > BigDecimal::zero()
    }

    /// How many digits stand behind the point.
    pub fn decimal_places(&self) -> u64 {
        let (_, scale) = self.0.normalized().into_bigint_and_exponent();
        u64::try_from(scale).unwrap_or(0)
    }

    /// The difference, but never less than nothing.
    #[must_use]
    pub fn minus_or_zero(&self, other: &Self) -> Self {
        if self > other {
            self - other
        } else {
            Self::default()
        }
    }

    /// The number itself, for rows.
    pub const fn as_big(&self) -> &BigDecimal {
        &self.0
    }
}

impl From<u64> for Decimal {
    fn from(whole: u64) -> Self {
        Self(whole.into())
    }
}

impl From<BigDecimal> for Decimal {
    fn from(number: BigDecimal) -> Self {
        Self(number)
    }
}

impl Add for &Decimal {
    type Output = Decimal;

    fn add(self, other: Self) -> Decimal {
        Decimal(&self.0 + &other.0)
    }
}

impl Sub for &Decimal {
    type Output = Decimal;

    fn sub(self, other: Self) -> Decimal {
        Decimal(&self.0 - &other.0)
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    /// Reads what JSON allows as a number, and nothing else; at most 390 digits and an exponent of three.
    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        if text.len() > MAX_TEXT || !is_json_number(text) {
            return Err(InvalidDecimal);
        }
        let number: BigDecimal = text.parse().map_err(|_| InvalidDecimal)?;
        let is_plain = text.len() <= MAX_PLAIN && !text.contains(['e', 'E']);
        if is_plain || reads_back(&number) {
            Ok(Self(number))
        } else {
            Err(InvalidDecimal)
        }
    }
}

/// Whether a number's own text would be read.
fn reads_back(number: &BigDecimal) -> bool {
    let digits = number.digits();
    let exponent = i64::try_from(digits).unwrap_or(i64::MAX) - 1 - number.fractional_digit_count();
    digits <= MAX_DIGITS && (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent)
}

/// The grammar of JSON: `-?(0|[1-9]digits)(.digits)?([eE][+-]?digits)?`, with an exponent of at most three
/// digits.
fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = |text: &str| digits(text) && (text == "0" || !text.starts_with('0'));
    let mantissa = match mantissa.split_once('.') {
        Some((before, fraction)) => whole(before) && digits(fraction),
        None => whole(mantissa),
    };
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        digits(exponent) && exponent.len() <= 3
    });
    mantissa && exponent
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, scale) = self.0.normalized().into_bigint_and_exponent();
        let digits = digits.to_string();
        let (sign, digits) = match digits.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", digits.as_str()),
        };
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        // Exponent of the first digit.
        let exponent = length - 1 - scale;
        if !(SMALLEST_PLAIN < exponent && exponent < LARGEST_PLAIN) && digits != "0" {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return write!(f, "{sign}{first}{point}{rest}e{exponent}");
        }
        let places = usize::try_from(scale).unwrap_or(0);
        let zeros = "0".repeat(usize::try_from(-scale).unwrap_or(0));
        match digits.len().checked_sub(places) {
            _ if places == 0 => write!(f, "{sign}{digits}{zeros}"),
            Some(whole) if whole > 0 => write!(f, "{sign}{}.{}", &digits[..whole], &digits[whole..]),
            _ => write!(f, "{sign}0.{}{digits}", "0".repeat(places - digits.len())),
        }
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn equal_numbers_have_equal_texts() {
        for (given, text) in [
            ("0", "0"),
            ("0.00", "0"),
            ("-0", "0"),
            ("1.50", "1.5"),
            ("100", "100"),
            ("1e2", "100"),
            ("0.000001", "0.000001"),
            ("1e-20", "1e-20"),
            ("12.5e-20", "1.25e-19"),
            ("1e308", "1e308"),
            ("123456789012345678901", "123456789012345678901"),
            ("1234567890123456789012", "1.234567890123456789012e21"),
            ("-0.05", "-0.05"),
        ] {
            assert_eq!(decimal(given).to_string(), text);
            assert_eq!(decimal(text), decimal(given));
        }
    }

    #[test]
    fn what_json_would_not_take_is_refused() {
        for text in [
            "", " 1", "1 ", "+1", ".5", "5.", "1_000", "NaN", "Infinity", "1e", "1e1000", "0x1", "١", "1,5",
            "00", "007", "-01.5", "01e2",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(InvalidDecimal), "{text}");
        }
        assert!("9".repeat(401).parse::<Decimal>().is_err());
    }

    #[test]
    fn what_could_not_be_read_again_is_refused() {
        for (text, reads) in [
            ("9.99e999", true),
            ("10e999", false),
            ("1e-999", true),
            ("0.1e-999", false),
            ("0.1e1", true),
        ] {
            assert_eq!(text.parse::<Decimal>().is_ok(), reads, "{text}");
        }
        let digits = |count| "7".repeat(count).parse::<Decimal>();
        assert_eq!(digits(390).unwrap().to_string().parse(), digits(390));
        assert_eq!(digits(391), Err(InvalidDecimal));
    }

    #[test]
    fn the_nearest_number_of_what_no_double_holds_is_the_largest() {
        assert_eq!(decimal("1e309").to_number(), Number::from_f64(f64::MAX).unwrap());
        assert_eq!(decimal("-1e309").to_number(), Number::from_f64(f64::MIN).unwrap());
    }

    #[test]
    fn a_tenth_a_thousand_times_is_a_hundred() {
        let tenth = Decimal::from_number(&Number::from_f64(0.1).unwrap());
        let sum = (0..1000).fold(Decimal::default(), |sum, _| &sum + &tenth);
        assert_eq!((sum.to_string().as_str(), sum.to_number()), ("100", 100.into()));
    }

    #[test]
    fn too_large_is_what_no_double_holds() {
        for text in [
            "0",
            "1",
            "1e308",
            "1.7976931348623157e308",
            "99999999999999999999999999999999",
            "1e-300",
        ] {
            assert!(!decimal(text).is_too_large(), "{text}");
        }
        for text in ["1.7976931348623158e308", "1e309", "9e999"] {
            assert!(decimal(text).is_too_large(), "{text}");
        }
        assert!(!decimal(&"9".repeat(308)).is_too_large());
        assert!(decimal(&"9".repeat(309)).is_too_large());
    }

    #[test]
    fn very_large_and_very_small_add_up_exactly() {
        let sum = &decimal("1e308") + &decimal("1e-20");
        assert_eq!(&sum - &decimal("1e308"), decimal("1e-20"));
        assert!(sum < Decimal::max());
        assert_eq!(sum.to_f64().to_bits(), 1e308_f64.to_bits());
        assert_eq!(sum.decimal_places(), 20);
    }

    proptest! {
        #[test]
        fn text_reads_back(whole in any::<i64>(), places in -330_i64..40) {
            let number = Decimal(BigDecimal::new(whole.into(), places));
            prop_assert_eq!(decimal(&number.to_string()), number);
        }

        #[test]
        fn doubles_survive(double in any::<f64>().prop_filter("finite", |double| double.is_finite())) {
            let number = Number::from_f64(double).unwrap();
            // There is one zero.
            prop_assert_eq!(Decimal::from_number(&number).to_f64().to_bits(), (double + 0.0).to_bits());
        }
    }
}
