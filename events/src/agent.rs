//! Agents: features of a license that work on their own and meter tokens.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Decimal;
use crate::entitlement::{AGENTS, InvalidFeature, truthy};

/// What of an agent its `token_limit` limits.
const TOKENS: &str = "tokens";

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

/// Agent and what is counted of it, of a metric named `agent.{CODE}.{sub}`.
pub fn parse_agent_metric(metric: &str) -> Option<(&str, &str)> {
    metric.strip_prefix("agent.")?.split_once('.')
}

/// The agent whose tokens a metric counts: the inverse of [`tokens_metric`], also for codes with dots, which
/// imported records may hold.
pub fn agent_of_tokens(metric: &str) -> Option<&str> {
    let code = metric.strip_prefix("agent.")?.strip_suffix(TOKENS)?;
    code.strip_suffix('.')
}

/// The metric that counts an agent's tokens.
pub fn tokens_metric(code: &str) -> String {
    format!("agent.{code}.{TOKENS}")
}

/// What is used by agent and by what is counted of it; other metrics are left out.
pub fn aggregate_agent_usage<'a>(
    totals: impl IntoIterator<Item = (&'a str, Decimal)>,
) -> BTreeMap<String, BTreeMap<String, Decimal>> {
    let mut agents: BTreeMap<String, BTreeMap<String, Decimal>> = BTreeMap::new();
    for (metric, total) in totals {
        if let Some((code, sub)) = parse_agent_metric(metric) {
            let sum = agents
                .entry(code.to_owned())
                .or_default()
                .entry(sub.to_owned())
                .or_default();
            *sum = &*sum + &total;
        }
    }
    agents
}

/// A quota that was passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaViolation {
    /// How much is allowed.
    pub limit: Decimal,
    /// How much was used.
    pub used: Decimal,
    /// How much too much that is.
    pub overage: Decimal,
}

/// Whether an agent's tokens are within its limit; `None` if they are. Agents that are off have no quota to
/// pass.
pub fn check_token_quota(agent: &AgentEntitlement, tokens: &Decimal) -> Option<QuotaViolation> {
    let limit = Decimal::from_json(&agent.token_limit).filter(|_| agent.is_enabled())?;
    (*tokens > limit).then(|| QuotaViolation {
        overage: tokens - &limit,
        used: tokens.clone(),
        limit,
    })
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

    fn decimal(value: &Value) -> Decimal {
        Decimal::from_json(value).unwrap_or_default()
    }

    #[test]
    fn agents_metrics_are_read_as_in_the_vectors() {
        for case in vectors()["parse_agent_metric"].as_array().unwrap() {
            let parsed = parse_agent_metric(case["in"].as_str().unwrap());
            assert_eq!(json!(parsed), case["out"], "{case}");
        }
        assert_eq!(agent_of_tokens(&tokens_metric("CTO")), Some("CTO"));
        assert_eq!(agent_of_tokens(&tokens_metric("gpt-4.1")), Some("gpt-4.1"));
        for other in [
            "agent.CTO.delegations",
            "agent.tokens",
            "agent.CTOtokens",
            "agents.CTO.tokens",
        ] {
            assert_eq!(agent_of_tokens(other), None, "{other}");
        }
    }

    #[test]
    fn agents_usage_adds_up_as_in_the_vectors() {
        for case in vectors()["aggregate_agent_usage"].as_array().unwrap() {
            let records = case["in"].as_array().unwrap();
            let usage = aggregate_agent_usage(
                records
                    .iter()
                    .map(|record| (record["metric"].as_str().unwrap(), decimal(&record["value"]))),
            );
            let told: BTreeMap<_, BTreeMap<_, _>> = usage
                .iter()
                .map(|(code, subs)| (code, subs.iter().map(|(sub, sum)| (sub, sum.to_f64())).collect()))
                .collect();
            assert_eq!(json!(told), case["out"], "{case}");
        }
    }

    #[test]
    fn quotas_are_checked_as_in_the_vectors() {
        for case in vectors()["check_agent_quota"].as_array().unwrap() {
            let agent = agent("CTO", case["entitlement"].as_object().unwrap().clone());
            let violation = check_token_quota(&agent, &decimal(&case["usage"]["tokens"]));
            assert_eq!(case["out"]["within_quota"], violation.is_none(), "{case}");
            let Some(violation) = violation else { continue };
            let expected = &case["out"]["violations"][0];
            assert_eq!(
                [violation.limit, violation.used, violation.overage],
                ["limit", "used", "overage"].map(|name| decimal(&expected[name])),
                "{case}"
            );
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
