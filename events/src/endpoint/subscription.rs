//! What an endpoint can be subscribed to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::anomaly::AnomalyEvent;
use crate::api_key::ApiKeyEvent;
use crate::customer::CustomerEvent;
use crate::license::LicenseEvent;
use crate::meter::MeterEvent;
use crate::product::ProductEvent;
use crate::stream::StreamEvent;

/// Machines that are alive say so once a minute each: nobody wants a request for that. What was imported happened
/// elsewhere, and whoever wanted to hear of it has heard of it there.
fn is_sent(name: &str) -> bool {
    name != "activation.heartbeat" && !name.ends_with("imported")
}

/// The types of all events that endpoints are sent. Events of endpoints themselves are not among them, which
/// would make loops.
pub fn subscribable() -> impl Iterator<Item = &'static str> {
    [
        ProductEvent::TYPES,
        CustomerEvent::TYPES,
        LicenseEvent::TYPES,
        MeterEvent::TYPES,
        AnomalyEvent::TYPES,
        ApiKeyEvent::TYPES,
    ]
    .into_iter()
    .flatten()
    .map(|&(name, _)| name)
    .filter(|name| is_sent(name))
}

/// A type of events (`license.created`), all types of a kind (`license.*`), or all there are (`*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventPattern(String);

/// The text matches no events that can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such event type")]
pub struct UnknownEventType;

impl EventPattern {
    /// A pattern that was checked when it was stored: it may match nothing that this program knows.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches events of a type.
    pub fn matches(&self, event_type: &str) -> bool {
        match self.0.strip_suffix('*') {
            // `license.` stays of `license.*`, and nothing of `*`.
            Some(kind) => event_type.starts_with(kind),
            None => self.0 == event_type,
        }
    }
}

impl FromStr for EventPattern {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        let well_formed = match text.strip_suffix('*') {
            Some(kind) => kind.is_empty() || kind.ends_with('.'),
            None => true,
        };
        let pattern = Self(text.to_owned());
        if well_formed && subscribable().any(|event_type| pattern.matches(event_type)) {
            Ok(pattern)
        } else {
            Err(UnknownEventType)
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_a_kind_or_everything() {
        for (text, matching, other) in [
            ("license.created", "license.created", "license.updated"),
            ("license.*", "license.updated", "activation.created"),
            ("*", "anomaly.detected", "\u{0}"),
        ] {
            let pattern: EventPattern = text.parse().unwrap();
            assert!(pattern.matches(matching), "{text}");
            assert!(text == "*" || !pattern.matches(other), "{text}");
        }
    }

    #[test]
    fn what_matches_nothing_is_refused() {
        for text in [
            "",
            "nope",
            "license",
            "license.",
            "lic*",
            "license.c*",
            "*.created",
            "**",
            ".*",
            "License.*",
            "license.created.*",
            "endpoint.created",
            "endpoint.*",
            "activation.heartbeat",
            "license.imported",
            "license.history_imported",
            "tenant.created",
            "ledger.opened",
        ] {
            assert_eq!(text.parse::<EventPattern>(), Err(UnknownEventType), "{text}");
        }
    }

    #[test]
    fn old_event_types_are_among_those_there_are() {
        let all: Vec<&str> = subscribable().collect();
        for event_type in [
            "activation.created",
            "activation.removed",
            "anomaly.detected",
            "license.created",
            "license.deleted",
            "license.updated",
            "license.validated",
            "usage.recorded",
        ] {
            assert!(all.contains(&event_type), "{event_type}");
        }
        assert!(
            !all.iter().any(
                |event_type| event_type.starts_with("endpoint.") || *event_type == "activation.heartbeat"
            )
        );
    }
}
