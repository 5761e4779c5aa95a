//! Agents: features of a license that work on their own and meter tokens.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::entitlement::{AGENTS, InvalidFeature, truthy};

/// An agent with its limits. Odd values of imported records are passed on as they are; the door lets none
/// in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentEntitlement {
    /// Its code.
    pub agent_code: String,
    /// Whether it may work.
    pub enabled: Value,
    /// How many tokens; `null` is unlimited.
    pub token_limit: Value,
    /// The class of model it may use.
    pub model_tier: Value,
    /// What else the vendor says of it.
    #[serde(skip)]
    pub further: Map<String, Value>,
}

impl AgentEntitlement {
    /// Whether it may work.
    pub fn is_enabled(&self) -> bool {
        truthy(&self.enabled)
    }
}

/// The agents of `base` with the overrides of `overrides`, field by field, sorted by code.
pub fn resolve_agents(
    base: &Map<String, Value>,
    overrides: &Map<String, Value>,
) -> Result<Vec<AgentEntitlement>, InvalidFeature> {
    let mut agents: BTreeMap<&String, Map<String, Value>> = BTreeMap::new();
    for features in [base, overrides] {
        let Some(named) = features.get(AGENTS) else {
            continue;
        };
        // `agents` can be switched off or on as a whole without naming any.
        if named.is_boolean() {
            continue;
        }
        let named = named.as_object().ok_or_else(invalid)?;
        for (code, fields) in named {
            agents
                .entry(code)
                .or_default()
                .extend(fields.as_object().ok_or_else(invalid)?.clone());
        }
    }
    Ok(agents
        .into_iter()
        .map(|(code, fields)| agent(code, fields))
        .collect())
}

/// Codes of the agents that may work.
pub fn entitled_agents(agents: &[AgentEntitlement]) -> Vec<&str> {
    agents
        .iter()
        .filter(|agent| agent.is_enabled())
        .map(|agent| agent.agent_code.as_str())
        .collect()
}

fn agent(code: &str, mut fields: Map<String, Value>) -> AgentEntitlement {
    AgentEntitlement {
        agent_code: code.to_owned(),
        enabled: fields.remove("enabled").unwrap_or(Value::Bool(true)),
        token_limit: fields.remove("token_limit").unwrap_or(Value::Null),
        model_tier: fields.remove("model_tier").unwrap_or_else(|| "standard".into()),
        further: fields,
    }
}

fn invalid() -> InvalidFeature {
    InvalidFeature {
        feature: AGENTS.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/vectors/contract.json")).unwrap()
    }

    fn resolved(case: &Value) -> Result<Vec<AgentEntitlement>, InvalidFeature> {
        let object = |name: &str| case[name].as_object().unwrap().clone();
        resolve_agents(&object("product_features"), &object("license_entitlements"))
    }

    #[test]
    fn agents_resolve_as_in_the_vectors() {
        for case in vectors()["resolve_agent_entitlements"].as_array().unwrap() {
            let Some(out) = case.get("out") else {
                assert!(resolved(case).is_err(), "{case}");
                continue;
            };
            let agents: Map<String, Value> = resolved(case)
                .unwrap()
                .into_iter()
                .map(|agent| {
                    let mut shown = serde_json::to_value(&agent).unwrap();
                    shown["extra"] = Value::Object(agent.further);
                    (agent.agent_code, shown)
                })
                .collect();
            assert_eq!(Value::Object(agents), *out, "{case}");
        }
    }

    #[test]
    fn only_enabled_agents_are_entitled_as_in_the_vectors() {
        for case in vectors()["get_entitled_agents"].as_array().unwrap() {
            assert_eq!(
                json!(entitled_agents(&resolved(case).unwrap())),
                case["out"],
                "{case}"
            );
        }
        for case in vectors()["agent_helpers"].as_array().unwrap() {
            let agents = resolved(case).unwrap();
            let agent = agents
                .iter()
                .find(|agent| case["agent_code"] == agent.agent_code.as_str());
            assert_eq!(
                case["is_agent_entitled"],
                agent.is_some_and(AgentEntitlement::is_enabled)
            );
            let token_limit = agent.map_or(Value::Null, |agent| agent.token_limit.clone());
            assert_eq!(case["quota_token_limit"], token_limit);
            let delegations = agent.and_then(|agent| agent.further.get("delegations").cloned());
            assert_eq!(case["quota_delegations"], delegations.unwrap_or_default());
        }
    }
}
