//! Exact decimal amounts on the wire.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// An exact decimal amount. In JSON it is a number, with all its digits: a reader with doubles gets the
/// nearest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount(String);

impl Amount {
    /// The number as JSON writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl From<String> for Amount {
    /// `number` must be what JSON allows as a number; else it cannot be written.
    fn from(number: String) -> Self {
        Self(number)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        // A number it must be; its text is kept, because what is parsed may have lost digits.
        serde_json::from_slice::<serde_json::Number>(raw.get().as_bytes()).map_err(D::Error::custom)?;
        Ok(Self(raw.get().to_owned()))
    }
}

/// How amounts are described that are given: a number, the same as text, or none.
#[cfg(feature = "openapi")]
pub(crate) fn given_schema() -> utoipa::openapi::schema::Schema {
    use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
    let number = ObjectBuilder::new()
        .schema_type(Type::Number)
        .exclusive_minimum(Some(0))
        .maximum(Some(f64::MAX));
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^([1-9][0-9]{0,200}(\.[0-9]{1,40})?|0\.[0-9]{0,39}[1-9])$"));
    let description = "How much: more than 0 and at most 1.7976931348623157e308, with at most 40 digits behind \
                       the point; a number, or the same as text. All digits count. 1 if left out.";
    OneOfBuilder::new()
        .description(Some(description))
        .item(number)
        .item(text)
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_goes_over_the_wire() {
        for text in [
            "0",
            "100",
            "0.12345678901234567890123",
            "1e308",
            "12345678901234567890.5",
        ] {
            let amount: Amount = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&amount).unwrap(), text);
        }
        for text in ["\"1\"", "null", "[]", "NaN"] {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text}");
        }
        assert_eq!(Amount::from("2.5".to_owned()).to_f64().to_string(), "2.5");
    }
}
