//! What providers of payments say, put into words of ours: whether a message is theirs (`signature`), and what it tells
//! (`stripe`, `polar`). What is made of it is settled in `commands::provisioning`.

pub mod polar;
pub mod secrets;
pub mod signature;
pub mod stripe;

use serde_json::Value;
use vinzy_events::Timestamp;
use vinzy_events::customer::EmailAddress;
use vinzy_events::product::ProductCode;
use vinzy_events::purchase::{Provider, Reference};

use crate::commands::provisioning::Checkout;

/// Characters of a name that is taken over.
const NAME: usize = 255;
/// Characters of a tier.
const TIER: usize = 100;

/// A message that is genuine, and of which nothing can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no message of the provider's.
    #[error("{0}")]
    Malformed(String),
    /// It is a checkout that lacks something, or in which something is wrong.
    #[error("{field} {message}")]
    Field {
        /// Where, in the provider's message.
        field: String,
        /// What must be.
        message: String,
    },
}

impl Unusable {
    fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// The text at a path of members, if there is one that is not empty.
fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// What stands at a path of members.
fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter()
        .try_fold(value, |value, name| value.get(name))
        .filter(|value| !value.is_null())
}

/// The id at a path: text, or an object that stands for it.
fn id<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    match at(value, path)? {
        Value::Object(object) => object.get("id")?.as_str(),
        value => value.as_str().filter(|text| !text.is_empty()),
    }
}

/// The reference at a path, if there is one.
fn reference(provider: Provider, value: &Value, path: &[&str]) -> Result<Option<Reference>, Unusable> {
    id(value, path)
        .map(|id| named(provider, id, &path.join(".")))
        .transpose()
}

fn named(provider: Provider, id: &str, field: &str) -> Result<Reference, Unusable> {
    Reference::parse(provider, id).map_err(|error| Unusable::field(field, error.to_string()))
}

/// Seconds since the epoch at a path.
fn seconds(value: &Value, path: &[&str]) -> Option<Timestamp> {
    Timestamp::from_micros(at(value, path)?.as_i64()?.checked_mul(1_000_000)?)
}

/// A time in RFC 3339 at a path.
fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    text(value, path)?.parse().ok()
}

/// Which product and tier somebody bought, as the vendor has written it into some metadata; the first that says it
/// counts. `None` if nobody names a product: it is none of ours.
fn bought(metadata: &[Option<&Value>]) -> Result<Option<(ProductCode, Option<String>)>, Unusable> {
    let said = |names: [&'static str; 2]| {
        let mut all = metadata.iter().flatten();
        all.find_map(|metadata| {
            let one = |name| Some((name, metadata.get(name).filter(|value| !value.is_null())?));
            names.into_iter().find_map(one)
        })
    };
    let place = |name: &str| format!("metadata.{name}");
    let tier = said(["vinzy_tier", "tier"]);
    let Some((name, code)) = said(["vinzy_product", "product_code"]) else {
        // `tier` alone may mean anything.
        return match tier {
            Some(("vinzy_tier", _)) => Err(Unusable::field(place("vinzy_product"), "is required")),
            _ => Ok(None),
        };
    };
    let code = code.as_str().map(ProductCode::parse).and_then(Result::ok);
    let code = code.ok_or_else(|| {
        Unusable::field(
            place(name),
            "must be the code of a product: one to three letters A to Z",
        )
    })?;
    let tier = match tier {
        None => None,
        Some((name, tier)) => {
            let good = |tier: &&str| (1..=TIER).contains(&tier.chars().count()) && !tier.contains('\0');
            let tier = tier.as_str().filter(good);
            let must = format!("must be the name of a tier: 1 to {TIER} characters");
            Some(tier.ok_or_else(|| Unusable::field(place(name), must))?.to_owned())
        }
    };
    Ok(Some((code, tier)))
}

/// The address that a license is sent to.
fn address(field: &str, email: Option<&str>) -> Result<EmailAddress, Unusable> {
    let email = email.ok_or_else(|| Unusable::field(field, "is required"))?;
    EmailAddress::parse(email.trim()).map_err(|error| Unusable::field(field, error.to_string()))
}

/// What to call a customer: as they say, without what controls how it is shown, else as their address has it.
fn name_of(given: Option<&str>, email: &EmailAddress) -> String {
    let turns = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = |c: &char| !c.is_control() && !turns(c);
    let name: String = given
        .unwrap_or_default()
        .chars()
        .filter(plain)
        .take(NAME)
        .collect();
    match name.trim() {
        "" => email.as_str().to_owned(),
        name => name.to_owned(),
    }
}

/// A checkout out of its parts.
fn checkout(
    (purchase, checkout): (Reference, Reference),
    (product_code, tier): (ProductCode, Option<String>),
    email: EmailAddress,
    name: Option<&str>,
    recurring: bool,
) -> Box<Checkout> {
    Box::new(Checkout {
        name: name_of(name, &email),
        purchase,
        checkout,
        product_code,
        tier,
        email,
        recurring,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_who_names_a_product_counts() {
        let (own, other) = (
            json!({"vinzy_product": "PRD"}),
            json!({"product_code": "XXX", "tier": "pro"}),
        );
        let (code, tier) = bought(&[Some(&own), None, Some(&other)]).unwrap().unwrap();
        assert_eq!((code.as_str(), tier.as_deref()), ("PRD", Some("pro")));
        let (code, _) = bought(&[Some(&other), Some(&own)]).unwrap().unwrap();
        assert_eq!(code.as_str(), "XXX");
        let both = json!({"vinzy_product": "A", "product_code": "B", "vinzy_tier": "x", "tier": "y"});
        let (code, tier) = bought(&[Some(&both)]).unwrap().unwrap();
        assert_eq!((code.as_str(), tier.as_deref()), ("A", Some("x")));
    }

    #[test]
    fn what_is_none_of_ours_is_none_and_what_is_half_ours_is_told() {
        for metadata in [
            json!({}),
            json!({"tier": "pro"}),
            json!({"vinzy_product": null}),
            json!("x"),
        ] {
            assert_eq!(bought(&[Some(&metadata)]), Ok(None), "{metadata}");
        }
        for (metadata, field) in [
            (json!({"vinzy_tier": "pro"}), "metadata.vinzy_product"),
            (json!({"vinzy_product": "prd"}), "metadata.vinzy_product"),
            (json!({"product_code": 7}), "metadata.product_code"),
            (
                json!({"vinzy_product": "PRD", "vinzy_tier": ""}),
                "metadata.vinzy_tier",
            ),
            (
                json!({"vinzy_product": "PRD", "tier": "x".repeat(101)}),
                "metadata.tier",
            ),
        ] {
            let Err(Unusable::Field { field: told, .. }) = bought(&[Some(&metadata)]) else {
                panic!("{metadata} was taken");
            };
            assert_eq!(told, field, "{metadata}");
        }
    }

    #[test]
    fn names_are_shown_as_they_are_meant() {
        let email = EmailAddress::parse("jane@example.com").unwrap();
        for (given, name) in [
            (Some(" Jane\r\nBcc: x\u{202e} "), "JaneBcc: x"),
            (Some("\n"), "jane@example.com"),
            (None, "jane@example.com"),
        ] {
            assert_eq!(name_of(given, &email), name);
        }
        assert_eq!(name_of(Some(&"x".repeat(300)), &email).len(), 255);
    }
}
