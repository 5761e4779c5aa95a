//! Entitlements: what a license's features amount to, field by field.
//!
//! A feature is `true`, `false` or an object with `enabled`, `limit` and more. The base is the license's
//! own features when it has any, else the product's; the license's entitlements override it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::agent::agent_of_tokens;
use crate::{Decimal, Period};

/// Most features, and most agents, that one object may name.
const MAX_FEATURES: usize = 500;
/// Longest name of a feature or an agent, in characters.
const MAX_NAME: usize = 100;
/// The feature that holds the agents.
pub const AGENTS: &str = "agents";

/// A feature with its limit. Imported records may hold odd values, which are passed on as they are; the
/// door lets only booleans and numbers in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entitlement {
    /// Its name.
    pub feature: String,
    /// Whether it is on.
    pub enabled: Value,
    /// How much of it; `null` is unlimited.
    pub limit: Value,
    /// How much of it was used.
    pub used: Value,
    /// How much is left; `null` is unlimited.
    pub remaining: Value,
}

impl Entitlement {
    /// Whether it is on, odd values being taken as Python takes them.
    pub fn is_enabled(&self) -> bool {
        truthy(&self.enabled)
    }
}

/// A feature is something that cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("feature {feature:?} cannot be resolved")]
pub struct InvalidFeature {
    /// Its name.
    pub feature: String,
}

/// Something wrong with a field, as the door tells it.
pub type FieldProblem = (String, String);

/// The features that a license starts from: its own when it has any, else its product's.
pub fn base_features<'a>(
    own: &'a Map<String, Value>,
    product: &'a Map<String, Value>,
) -> &'a Map<String, Value> {
    if own.is_empty() { product } else { own }
}

/// Every feature of `base` and `overrides`, sorted by name. `used` tells the real use of a feature; where
/// it knows none, what the override itself says counts.
pub fn resolve(
    base: &Map<String, Value>,
    overrides: &Map<String, Value>,
    used: impl Fn(&str) -> Option<Number>,
) -> Result<Vec<Entitlement>, InvalidFeature> {
    let mut fields: BTreeMap<&String, Map<String, Value>> = BTreeMap::new();
    for (feature, value) in base {
        fields.insert(feature, as_fields(feature, value)?);
    }
    for (feature, value) in overrides {
        let merged = fields.entry(feature).or_default();
        merged.extend(as_fields(feature, value)?);
        // Only the override's own count was ever taken for use.
        if !value
            .as_object()
            .is_some_and(|object| object.contains_key("used"))
        {
            merged.remove("used");
        }
    }
    for (feature, merged) in &mut fields {
        if !overrides.contains_key(*feature) {
            merged.remove("used");
        }
    }
    fields
        .into_iter()
        .map(|(feature, fields)| entitlement(feature, fields, &used))
        .collect()
}

/// Names of the features that are on.
pub fn enabled_features(entitlements: &[Entitlement]) -> Vec<String> {
    entitlements
        .iter()
        .filter(|entitlement| entitlement.is_enabled())
        .map(|e| e.feature.clone())
        .collect()
}

fn as_fields(feature: &str, value: &Value) -> Result<Map<String, Value>, InvalidFeature> {
    match value {
        Value::Bool(_) => Ok(Map::from_iter([("enabled".to_owned(), value.clone())])),
        Value::Object(fields) => Ok(fields.clone()),
        _ => Err(InvalidFeature {
            feature: feature.to_owned(),
        }),
    }
}

fn entitlement(
    feature: &str,
    mut fields: Map<String, Value>,
    used: impl Fn(&str) -> Option<Number>,
) -> Result<Entitlement, InvalidFeature> {
    let limit = fields.remove("limit").unwrap_or(Value::Null);
    let used = used(feature)
        .map(Value::Number)
        .or_else(|| fields.remove("used"))
        .unwrap_or_else(|| Value::Number(0.into()));
    let remaining = match &limit {
        Value::Null => Value::Null,
        limit => remaining(limit, &used).ok_or_else(|| InvalidFeature {
            feature: feature.to_owned(),
        })?,
    };
    let enabled = fields.remove("enabled").unwrap_or(Value::Bool(true));
    Ok(Entitlement {
        feature: feature.to_owned(),
        enabled,
        limit,
        used,
        remaining,
    })
}

/// What is left of a limit: never less than nothing. Exact on decimals.
fn remaining(limit: &Value, used: &Value) -> Option<Value> {
    let left = Decimal::from_json(limit)?.minus_or_zero(&Decimal::from_json(used)?);
    Some(Value::Number(left.to_number()))
}

/// A limit that usage of a metric must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLimit {
    /// How much.
    pub amount: Decimal,
    /// Whether it may be passed.
    pub overage: bool,
    /// What it is for; `None` is for ever.
    pub period: Option<Period>,
}

/// The limits of a metric: that of the feature of its name, and for `agent.{CODE}.tokens` the agent's
/// `token_limit`. Both hold.
pub fn usage_limits(
    base: &Map<String, Value>,
    overrides: &Map<String, Value>,
    metric: &str,
) -> Vec<UsageLimit> {
    let feature = Fields {
        base: base.get(metric),
        overrides: overrides.get(metric),
    };
    let agent = agent_of_tokens(metric).map(|code| Fields {
        base: base.get(AGENTS).and_then(|agents| agents.get(code)),
        overrides: overrides.get(AGENTS).and_then(|agents| agents.get(code)),
    });
    let token_limit = agent.and_then(|agent| agent.usage_limit("token_limit"));
    feature
        .usage_limit("limit")
        .into_iter()
        .chain(token_limit)
        .collect()
}

/// What a feature's limit is for; `None` is for ever.
pub fn limit_period(
    base: &Map<String, Value>,
    overrides: &Map<String, Value>,
    feature: &str,
) -> Option<Period> {
    let fields = Fields {
        base: base.get(feature),
        overrides: overrides.get(feature),
    };
    fields.period()
}

/// Whether more than a feature's limit may be recorded.
pub fn overage_allowed(base: &Map<String, Value>, overrides: &Map<String, Value>, feature: &str) -> bool {
    let fields = Fields {
        base: base.get(feature),
        overrides: overrides.get(feature),
    };
    fields.overage_allowed()
}

/// The fields of one feature or agent: those of its override go first.
struct Fields<'a> {
    base: Option<&'a Value>,
    overrides: Option<&'a Value>,
}

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let field = |value: Option<&'a Value>| value.and_then(|value| value.get(name));
        field(self.overrides).or_else(|| field(self.base))
    }

    fn period(&self) -> Option<Period> {
        self.get("period").and_then(Value::as_str).and_then(Period::parse)
    }

    fn overage_allowed(&self) -> bool {
        self.get("overage").and_then(Value::as_str) == Some("allow")
    }

    fn usage_limit(&self, name: &str) -> Option<UsageLimit> {
        let Value::Number(amount) = self.get(name)? else {
            return None;
        };
        Some(UsageLimit {
            amount: Decimal::from_number(amount),
            overage: self.overage_allowed(),
            period: self.period(),
        })
    }
}

/// Whether a value switches something on, as older programs ask: nothing, 0 and what is empty do not.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

/// Checks features or overrides at the door. `field` is where they stand in the request.
///
/// # Errors
/// Everything that is wrong, each with its place, such as `features.api_calls.limit`.
pub fn validate_features(field: &str, features: &Map<String, Value>) -> Result<(), Vec<FieldProblem>> {
    let mut problems = vec![];
    check_count(field, features, &mut problems);
    for (name, value) in features {
        let place = format!("{field}.{name}");
        check_name(&place, name, &mut problems);
        match value {
            Value::Object(agents) if name == AGENTS => check_agents(&place, agents, &mut problems),
            Value::Object(fields) => check_fields(&place, fields, &mut problems),
            Value::Bool(_) => {}
            _ => problems.push((place, "must be true, false or an object".into())),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn check_count(place: &str, object: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    if object.len() > MAX_FEATURES {
        problems.push((
            place.to_owned(),
            format!("must have at most {MAX_FEATURES} entries"),
        ));
    }
}

fn check_name(place: &str, name: &str, problems: &mut Vec<FieldProblem>) {
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let problem = format!("must have a name of 1 to {MAX_NAME} characters without control characters");
        problems.push((place.to_owned(), problem));
    }
}

fn check_fields(place: &str, fields: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    check_enabled(place, fields, problems);
    check_limit(place, "limit", fields, problems);
    check_words(place, fields, problems);
}

fn check_words(place: &str, fields: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    for (name, allowed) in [
        ("overage", &["allow", "deny"][..]),
        ("period", &["day", "week", "month", "year"]),
        ("compose", &["sum", "max", "union"]),
    ] {
        // `null` takes back what the base says.
        if let Some(value) = fields.get(name).filter(|value| !value.is_null())
            && !value.as_str().is_some_and(|text| allowed.contains(&text))
        {
            problems.push((
                format!("{place}.{name}"),
                format!("must be one of {}, or null", allowed.join(", ")),
            ));
        }
    }
}

fn check_enabled(place: &str, fields: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    if fields.get("enabled").is_some_and(|value| !value.is_boolean()) {
        problems.push((format!("{place}.enabled"), "must be true or false".into()));
    }
}

fn check_limit(place: &str, name: &str, fields: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    let wrong = match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Number(number)) => number.as_f64().is_none_or(|limit| limit < 0.0),
        Some(_) => true,
    };
    if wrong {
        problems.push((
            format!("{place}.{name}"),
            "must be a number of at least 0, or null".into(),
        ));
    }
}

fn check_agents(place: &str, agents: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    check_count(place, agents, problems);
    for (code, value) in agents {
        let place = format!("{place}.{code}");
        check_name(&place, code, problems);
        if code.contains('.') {
            let problem = "must have a code without dots: its metrics are named agent.{CODE}.{what}";
            problems.push((place.clone(), problem.into()));
        }
        let Value::Object(fields) = value else {
            problems.push((place, "must be an object".into()));
            continue;
        };
        check_enabled(&place, fields, problems);
        check_words(&place, fields, problems);
        if fields
            .get("token_limit")
            .is_some_and(|limit| !limit.is_null() && !limit.is_u64())
        {
            let problem = "must be a whole number of at least 0, or null".into();
            problems.push((format!("{place}.token_limit"), problem));
        }
        if fields.get("model_tier").is_some_and(|tier| !tier.is_string()) {
            problems.push((format!("{place}.model_tier"), "must be text".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    #[test]
    fn features_resolve_as_in_the_vectors() {
        let vectors: Value = serde_json::from_str(include_str!("../tests/vectors/contract.json")).unwrap();
        for case in vectors["resolve_entitlements"].as_array().unwrap() {
            let resolved = resolve(
                object(&case["product_features"]),
                object(&case["license_entitlements"]),
                |_| None,
            );
            match case.get("out") {
                Some(out) => assert_eq!(serde_json::to_value(resolved.unwrap()).unwrap(), *out, "{case}"),
                None => assert!(resolved.is_err(), "{case}"),
            }
        }
    }

    #[test]
    fn real_use_counts_before_what_a_record_says() {
        let base = json!({"a": {"limit": 0.3}});
        let overrides = json!({"a": {"used": 9}});
        let used = |_: &str| Number::from_f64(0.1);
        let resolved = resolve(object(&base), object(&overrides), used).unwrap();
        assert_eq!(resolved[0].used, json!(0.1));
        assert_eq!(
            resolved[0].remaining,
            json!(0.2),
            "0.3 - 0.1 in doubles would be 0.19999999999999998"
        );
    }

    #[test]
    fn limits_of_a_metric_are_those_of_its_feature_and_its_agent() {
        let base = json!({
            "calls": {"limit": 10, "period": "day"}, "free": true, "open": {"limit": 5},
            "agents": {"CTO": {"token_limit": 100, "period": "month"}, "CFO": {"enabled": false}},
            "agent.CTO.tokens": {"limit": 0.5},
        });
        let overrides = json!({
            "calls": {"limit": 20, "overage": "allow"}, "open": {"limit": null}, "own": {"limit": 1},
            "agents": {"CTO": {"overage": "allow"}, "COO": {"token_limit": 7}},
        });
        let limits = |metric: &str| -> Vec<String> {
            usage_limits(object(&base), object(&overrides), metric)
                .into_iter()
                .map(|limit| format!("{} {} {:?}", limit.amount, limit.overage, limit.period))
                .collect()
        };
        assert_eq!(limits("calls"), ["20 true Some(Day)"]);
        assert_eq!(limits("own"), ["1 false None"]);
        assert_eq!(
            limits("agent.CTO.tokens"),
            ["0.5 false None", "100 true Some(Month)"]
        );
        assert_eq!(limits("agent.COO.tokens"), ["7 false None"]);
        for metric in [
            "free",
            "open",
            "unknown",
            "agents",
            "agent.CFO.tokens",
            "agent.CTO.delegations",
            "CTO",
        ] {
            assert_eq!(limits(metric), Vec::<String>::new(), "{metric}");
        }
        assert_eq!(
            limit_period(object(&base), object(&overrides), "calls"),
            Some(Period::Day)
        );
        assert_eq!(limit_period(object(&base), object(&overrides), "free"), None);
        assert!(overage_allowed(object(&base), object(&overrides), "calls"));
        assert!(!overage_allowed(object(&base), object(&overrides), "own"));
    }

    #[test]
    fn the_door_names_every_wrong_field() {
        let features = json!({
            "ok": true, "fine": {"enabled": false, "limit": 2.5, "period": "day", "compose": "max", "note": [1]},
            "a": "x", "b": {"enabled": "yes", "limit": -3, "overage": "maybe"}, "c": {"limit": true}, "": true,
            "agents": {"CTO": {"token_limit": 1.5, "model_tier": 3, "period": "hour"}, "CFO": true},
        });
        let problems = validate_features("features", object(&features)).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(
            places,
            [
                "features.",
                "features.a",
                "features.agents.CFO",
                "features.agents.CTO.period",
                "features.agents.CTO.token_limit",
                "features.agents.CTO.model_tier",
                "features.b.enabled",
                "features.b.limit",
                "features.b.overage",
                "features.c.limit",
            ]
        );
        assert_eq!(
            validate_features("features", object(&json!({"a": {"limit": null}}))),
            Ok(())
        );
    }
}
