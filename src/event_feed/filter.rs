//! Which events of a ledger somebody wants, and may see.

use std::collections::BTreeSet;

use vinzy_events::access::Scope;
use vinzy_events::stream::event_types;

/// What is kept from those who may read the business but not who has keys: the streams, with the scopes that show them.
pub const HIDDEN: (&[&str], &[Scope]) = (&["api_key", "endpoint"], &[Scope::Admin, Scope::Audit]);

/// Which events to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Empty is all.
    pub(super) event_types: Vec<String>,
    pub(super) hidden_streams: Vec<String>,
}

/// Why there is no such filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A pattern matches no type that there is.
    #[error("there are no events of type {0:?}")]
    Unknown(String),
    /// All that was asked for is hidden.
    #[error("these events are not shown")]
    Hidden,
}

impl Filter {
    /// The events that `patterns` name, separated by commas: types (`license.created`), kinds (`license.*`), or all
    /// (`*`). `all` says whether nothing is hidden.
    pub fn parse(patterns: Option<&str>, all: bool) -> Result<Self, FilterError> {
        let hidden = if all { &[] } else { HIDDEN.0 };
        let hidden_streams = hidden.iter().map(|&stream| stream.to_owned()).collect();
        let mut wanted = BTreeSet::new();
        for pattern in patterns.iter().flat_map(|patterns| patterns.split(',')) {
            // A filter by names would leave out what newer programs write.
            if pattern == "*" {
                wanted.clear();
                break;
            }
            wanted.extend(matching(pattern)?);
        }
        let asked = !wanted.is_empty();
        wanted.retain(|event_type| {
            let kind = event_type.split('.').next().unwrap_or_default();
            !hidden.contains(&kind)
        });
        if asked && wanted.is_empty() {
            return Err(FilterError::Hidden);
        }
        Ok(Self {
            event_types: wanted.into_iter().map(str::to_owned).collect(),
            hidden_streams,
        })
    }
}

impl Filter {
    /// The types of events to show; empty is all.
    pub fn event_types(&self) -> &[String] {
        &self.event_types
    }
}

fn matching(pattern: &str) -> Result<Vec<&'static str>, FilterError> {
    let kind = pattern.strip_suffix(".*").map(|kind| format!("{kind}."));
    let found: Vec<&str> = event_types()
        .filter(|event_type| match &kind {
            Some(kind) => event_type.starts_with(kind),
            None => *event_type == pattern,
        })
        .collect();
    if found.is_empty() {
        return Err(FilterError::Unknown(pattern.to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(patterns: &str) -> Vec<String> {
        Filter::parse(Some(patterns), true).unwrap().event_types
    }

    #[test]
    fn patterns_are_types_and_kinds() {
        assert_eq!(types("license.created"), ["license.created"]);
        assert_eq!(
            types("anomaly.*,license.created"),
            [
                "anomaly.detected",
                "anomaly.imported",
                "anomaly.resolved",
                "license.created"
            ]
        );
        assert_eq!(types("api_key.revoked,api_key.revoked"), ["api_key.revoked"]);
        assert!(types("*").is_empty() && types("license.created,*").is_empty());
        assert_eq!(Filter::parse(None, true), Ok(Filter::default()));
    }

    #[test]
    fn what_matches_nothing_is_told() {
        for pattern in [
            "",
            "nope",
            "license",
            "license.",
            "lic*",
            "*.created",
            "license.c*",
            "License.*",
            "tenant.*",
            ".*",
        ] {
            let unknown = FilterError::Unknown(pattern.to_owned());
            assert_eq!(Filter::parse(Some(pattern), true), Err(unknown));
        }
        assert!(Filter::parse(Some("license.created,"), true).is_err());
    }

    #[test]
    fn what_is_hidden_is_left_out_and_told_when_asked_for() {
        let filter = Filter::parse(Some("*"), false).unwrap();
        assert_eq!(filter.hidden_streams, ["api_key", "endpoint"]);
        assert_eq!(Filter::parse(Some("api_key.*"), false), Err(FilterError::Hidden));
        let rest = Filter::parse(Some("api_key.*,usage.recorded"), false).unwrap();
        assert_eq!(rest.event_types, ["usage.recorded"]);
    }
}
