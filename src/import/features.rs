//! Features that the API would refuse today are mended: what resolves them relies on that, and a license whose features
//! cannot be resolved is not valid.

use serde_json::{Map, Value, json};
use vinzy_events::entitlement::{AGENTS, truthy, validate_features};

/// Features, or overrides of them, such that they can be resolved, and what was changed. What is no longer where it
/// meant something stands beside, as `imported` or `imported_…`.
pub(super) fn mend(features: Map<String, Value>) -> (Map<String, Value>, Vec<String>) {
    if is_good(&features) {
        return (features, vec![]);
    }
    let (mut mended, mut notes) = (Map::new(), vec![]);
    for (name, value) in features {
        let one = Map::from_iter([(name, value)]);
        if is_good(&one) {
            mended.extend(one);
            continue;
        }
        for (name, value) in one {
            let value = match value {
                Value::Object(agents) if name == AGENTS => mend_agents(agents, &mut notes),
                value => {
                    let value = switch(value, &name, &mut notes);
                    let is_good = |value: &Value| is_good(&Map::from_iter([(name.clone(), value.clone())]));
                    fields(value, &name, is_good, &mut notes)
                }
            };
            let one = Map::from_iter([(name.clone(), value)]);
            if is_good(&one) {
                mended.extend(one);
            } else {
                notes.push(format!("{name:?} cannot be one, and was left out"));
            }
        }
    }
    (mended, notes)
}

fn mend_agents(agents: Map<String, Value>, notes: &mut Vec<String>) -> Value {
    let mut mended = Map::new();
    for (code, value) in agents {
        let name = format!("{AGENTS}.{code}");
        let is_good = |value: &Value| {
            is_good(&Map::from_iter([(
                AGENTS.to_owned(),
                json!({ code.as_str(): value }),
            )]))
        };
        let value = match value {
            Value::Bool(enabled) => {
                notes.push(format!(
                    "{name:?} is no object: it is one that is {}",
                    if enabled { "on" } else { "off" }
                ));
                json!({ "enabled": enabled })
            }
            value => switch(value, &name, notes),
        };
        let value = fields(value, &name, is_good, notes);
        if is_good(&value) {
            mended.insert(code, value);
        } else {
            notes.push(format!("{name:?} cannot be one, and was left out"));
        }
    }
    Value::Object(mended)
}

fn is_good(features: &Map<String, Value>) -> bool {
    validate_features("", features).is_ok()
}

/// What is neither a switch nor an object becomes one that is on or off.
fn switch(value: Value, name: &str, notes: &mut Vec<String>) -> Value {
    match value {
        Value::Object(_) | Value::Bool(_) => value,
        other => {
            let enabled = truthy(&other);
            let state = if enabled { "on" } else { "off" };
            notes.push(format!(
                "{name:?} is neither true, false nor an object: it is {state}, with the value beside it"
            ));
            json!({"enabled": enabled, "imported": other})
        }
    }
}

/// Fields that would mean something else than what they hold are called otherwise.
fn fields(value: Value, name: &str, is_good: impl Fn(&Value) -> bool, notes: &mut Vec<String>) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let fields = fields.into_iter().map(|(field, value)| {
        if is_good(&json!({ field.as_str(): value.clone() })) {
            return (field, value);
        }
        if field == "enabled" {
            notes.push(format!(
                "{name:?} has an \"enabled\" that is neither true nor false: it is {}",
                truthy(&value)
            ));
            return (field, truthy(&value).into());
        }
        notes.push(format!(
            "{name:?} has a {field:?} that means nothing: it is called imported_{field}"
        ));
        (format!("imported_{field}"), value)
    });
    Value::Object(fields.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mended(features: Value) -> (Value, usize) {
        let (features, notes) = mend(features.as_object().unwrap().clone());
        (features.into(), notes.len())
    }

    #[test]
    fn what_is_good_stays_as_it_is() {
        let good = json!({"export": true, "calls": {"limit": 5, "period": "day"}, "agents": {"CTO": {"enabled": true}}});
        assert_eq!(mended(good.clone()), (good, 0));
    }

    #[test]
    fn what_means_nothing_stands_beside() {
        let odd = json!({
            "export": true, "seats": 5, "none": 0, "calls": {"limit": -1, "enabled": 1, "own": [1]},
            "agents": {"CTO": {"token_limit": "many"}, "CFO": true, "A.B": {}},
            "\u{1}": true,
        });
        let expected = json!({
            "export": true,
            "seats": {"enabled": true, "imported": 5},
            "none": {"enabled": false, "imported": 0},
            "calls": {"imported_limit": -1, "enabled": true, "own": [1]},
            // One whose code has a dot cannot be metered.
            "agents": {"CTO": {"imported_token_limit": "many"}, "CFO": {"enabled": true}},
        });
        assert_eq!(mended(odd), (expected, 8));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let name = prop_oneof![
                "(enabled|limit|period|overage|compose|agents|token_limit|model_tier)",
                "[A-Z.]{0,3}"
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_features_are_they_can_be_resolved_afterwards(
            features in proptest::collection::vec(("(agents|export|[a-z]{1,3})", value()), 0..4)
        ) {
            let features: Map<String, Value> = features.into_iter().collect();
            let (mended, _) = mend(features);
            prop_assert!(validate_features("features", &mended).is_ok());
        }
    }
}
