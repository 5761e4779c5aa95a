//! What all licenses of one customer amount to together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Decimal;
use crate::entitlement::{AGENTS, truthy};

/// A license that counts, with the features it starts from.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The license.
    pub license_id: &'a str,
    /// Code of its product.
    pub product_code: &'a str,
    /// Its own features when it has any, else its product's.
    pub base: &'a Map<String, Value>,
    /// Its overrides.
    pub overrides: &'a Map<String, Value>,
}

/// How the values of a feature become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Limits add up; a feature without a limit counts as 1.
    Sum,
    /// The largest counts.
    Max,
    /// The first that is anything counts.
    Union,
}

impl Strategy {
    /// The strategy as text: `sum`, `max` or `union`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Union => "union",
        }
    }
}

/// The value of a feature under one license.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// Code of the license's product.
    pub product_code: String,
    /// The license.
    pub license_id: String,
    /// Its limit; where it has none, whether it is on.
    pub value: Value,
}

/// A feature under all licenses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComposedFeature {
    /// Its name.
    pub feature: String,
    /// What it amounts to; `null` is unlimited.
    pub effective_value: Value,
    /// How that came about: as the first license says, in the order of their creation.
    pub strategy: Strategy,
    /// What it is made of.
    pub sources: Vec<Source>,
}

/// What licenses amount to together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Composition {
    /// How many products are among them.
    pub total_products: usize,
    /// Every feature, sorted by name.
    pub features: Vec<ComposedFeature>,
    /// Every agent with its fields, by code: on if it is on anywhere, token limits added up (`null` is
    /// unlimited), of other fields the last.
    pub agents: BTreeMap<String, Map<String, Value>>,
}

/// Composes licenses, which come in the order of their creation.
pub fn compose(parts: &[Part<'_>]) -> Composition {
    let products: BTreeSet<&str> = parts.iter().map(|part| part.product_code).collect();
    let mut features: BTreeMap<&str, (Strategy, Vec<Source>)> = BTreeMap::new();
    let mut agents = BTreeMap::new();
    for part in parts {
        for feature in part.features() {
            let merged = merged(part.base.get(feature), part.overrides.get(feature));
            let (_, sources) = features
                .entry(feature)
                .or_insert_with(|| (strategy(&merged), vec![]));
            sources.push(Source {
                product_code: part.product_code.to_owned(),
                license_id: part.license_id.to_owned(),
                value: value(merged),
            });
        }
        for code in part.agents() {
            let agent = |features: &'_ Map<String, Value>| features.get(AGENTS)?.get(code).cloned();
            let fields = merged(agent(part.base).as_ref(), agent(part.overrides).as_ref());
            if let Value::Object(fields) = fields {
                join(agents.entry(code.to_owned()), fields);
            }
        }
    }
    Composition {
        total_products: products.len(),
        features: features
            .into_iter()
            .map(|(feature, (strategy, sources))| ComposedFeature {
                feature: feature.to_owned(),
                effective_value: effective(strategy, &sources),
                strategy,
                sources,
            })
            .collect(),
        agents,
    }
}

impl<'a> Part<'a> {
    fn features(&self) -> BTreeSet<&'a str> {
        let names = self.base.keys().chain(self.overrides.keys());
        names.map(String::as_str).filter(|name| *name != AGENTS).collect()
    }

    fn agents(&self) -> BTreeSet<&'a str> {
        [self.base, self.overrides]
            .into_iter()
            .filter_map(|features| features.get(AGENTS)?.as_object())
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect()
    }
}

/// A feature's fields with those of its override; a bare boolean is its `enabled`.
fn merged(base: Option<&Value>, overrides: Option<&Value>) -> Value {
    let fields = |value: &Value| match value {
        Value::Bool(_) => Some(Map::from_iter([("enabled".to_owned(), value.clone())])),
        Value::Object(fields) => Some(fields.clone()),
        _ => None,
    };
    match (base, overrides) {
        (Some(base), Some(overrides)) => match (fields(base), fields(overrides)) {
            (Some(mut base), Some(overrides)) => {
                base.extend(overrides);
                Value::Object(base)
            }
            // Imported records may hold bare values, which can only be replaced.
            _ => overrides.clone(),
        },
        (Some(only), None) | (None, Some(only)) => fields(only).map_or_else(|| only.clone(), Value::Object),
        (None, None) => Value::Null,
    }
}

fn strategy(feature: &Value) -> Strategy {
    match feature.get("compose").and_then(Value::as_str) {
        Some("sum") => Strategy::Sum,
        Some("max") => Strategy::Max,
        _ => Strategy::Union,
    }
}

fn value(feature: Value) -> Value {
    let Value::Object(mut fields) = feature else {
        return feature;
    };
    match fields.remove("enabled") {
        Some(enabled) if !truthy(&enabled) => Value::Bool(false),
        enabled => fields
            .remove("limit")
            .unwrap_or_else(|| enabled.unwrap_or(Value::Bool(true))),
    }
}

fn effective(strategy: Strategy, sources: &[Source]) -> Value {
    let numbers = || {
        sources
            .iter()
            .filter_map(|source| Decimal::from_json(&source.value))
    };
    let number = match strategy {
        Strategy::Sum => numbers().reduce(|sum, next| &sum + &next),
        Strategy::Max => numbers().max(),
        Strategy::Union => {
            let first = sources.iter().find(|source| truthy(&source.value));
            return first
                .or(sources.first())
                .map_or(Value::Null, |source| source.value.clone());
        }
    };
    number.map_or(Value::Null, |number| Value::Number(number.to_number()))
}

fn join(
    place: std::collections::btree_map::Entry<'_, String, Map<String, Value>>,
    mut fields: Map<String, Value>,
) {
    let enabled = fields.get("enabled").is_none_or(truthy);
    fields.insert("enabled".to_owned(), enabled.into());
    let known = place.or_default();
    if known.is_empty() {
        *known = fields;
        return;
    }
    let enabled = enabled || known.get("enabled").is_some_and(truthy);
    fields.insert("enabled".to_owned(), enabled.into());
    if let (Some(one), Some(other)) = (known.get("token_limit"), fields.get("token_limit")) {
        let sum = Decimal::from_json(one)
            .zip(Decimal::from_json(other))
            .map_or(Value::Null, |(one, other)| {
                Value::Number((&one + &other).to_number())
            });
        fields.insert("token_limit".to_owned(), sum);
    }
    known.extend(fields);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entitlement::base_features;

    #[test]
    fn licenses_compose_as_in_the_vectors() {
        let vectors: Value = serde_json::from_str(include_str!("../tests/vectors/contract.json")).unwrap();
        let none = Map::new();
        for case in vectors["compose_customer_entitlements"].as_array().unwrap() {
            let products = case["products"].as_array().unwrap();
            let parts: Vec<Part<'_>> = case["licenses"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|license| {
                    let product = products
                        .iter()
                        .find(|product| product["id"] == license["product_id"])?;
                    Some(Part {
                        license_id: license["id"].as_str().unwrap(),
                        product_code: product["code"].as_str().unwrap(),
                        base: base_features(&none, product["features"].as_object().unwrap()),
                        overrides: license["entitlements"].as_object().unwrap(),
                    })
                })
                .collect();
            assert_eq!(json!(compose(&parts)), case["out"], "{}", case["case"]);
        }
    }

    #[test]
    fn what_is_off_adds_nothing_and_unlimited_tokens_stay_so() {
        let one = json!({"t": {"limit": 10, "compose": "sum"}, "agents": {"CTO": {"token_limit": 5}}});
        let off = json!({"t": {"limit": 7, "enabled": false}, "agents": {"CTO": {"token_limit": null}}});
        let none = Map::new();
        let part = |base| Part {
            license_id: "L",
            product_code: "PRD",
            base,
            overrides: &none,
        };
        let composed = compose(&[part(one.as_object().unwrap()), part(off.as_object().unwrap())]);
        assert_eq!(composed.features[0].effective_value, json!(10));
        assert_eq!(
            json!(composed.agents),
            json!({"CTO": {"enabled": true, "token_limit": null}})
        );
    }
}
