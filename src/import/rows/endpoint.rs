//! Webhook endpoints.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;
use vinzy_events::Timestamp;
use vinzy_events::endpoint::{EndpointStatus, EventPattern};
use vinzy_events::webhook::SigningSecret;

use super::refuse;
use crate::import::record::{Record, Taking};
use crate::webhooks::target::Target;

/// Seconds that an endpoint may take for its answer.
const TIMEOUT: std::ops::RangeInclusive<i64> = 1..=60;
/// Seconds for an answer when nothing is said.
const DEFAULT_TIMEOUT: u32 = 10;
/// Further tries of a delivery, at most.
const MAX_RETRIES: i64 = 50;

/// An endpoint, before its secret is sealed.
pub(in crate::import) struct EndpointRow {
    pub(in crate::import) id: Uuid,
    pub(in crate::import) url: String,
    pub(in crate::import) description: String,
    pub(in crate::import) event_types: BTreeSet<EventPattern>,
    pub(in crate::import) status: EndpointStatus,
    pub(in crate::import) max_retries: Option<u32>,
    pub(in crate::import) timeout_seconds: u32,
    /// What signs; `None` if a new one has to be made.
    pub(in crate::import) secret: Option<SigningSecret>,
    pub(in crate::import) created_at: Timestamp,
    pub(in crate::import) updated_at: Timestamp,
}

/// An endpoint. Of one that was removed there is nothing to keep.
pub(in crate::import) fn endpoint(record: &mut Record<'_>) -> Taking<EndpointRow> {
    let id = record.id("id", "webhook_endpoints")?;
    let created_at = record.created_at("created_at");
    if record.deleted_at(created_at)?.is_some() {
        return refuse("it was deleted");
    }
    let url = record.text("url")?.unwrap_or_default();
    if let Err(error) = url.parse::<Target>() {
        return refuse(format!("its URL {error}"));
    }
    let status = record.text("status")?.unwrap_or_default().to_lowercase();
    let on = match record.flag("is_active")? {
        Some(on) => on,
        None => status.is_empty() || ["active", "enabled"].contains(&status.as_str()),
    };
    let mut status = if on {
        EndpointStatus::Active
    } else {
        EndpointStatus::Paused
    };
    let given = record.text("secret")?.unwrap_or_default();
    let secret = SigningSecret::parse(&given).ok();
    if secret.is_none() {
        record.mended("its secret cannot sign: it has a new one and is paused. Rotate that, give it to the receiver, resume");
        status = EndpointStatus::Paused;
    }
    let timeout = record.integer("timeout_seconds")?;
    let timeout_seconds = match timeout {
        None => DEFAULT_TIMEOUT,
        Some(seconds) => {
            let bounded = seconds.clamp(*TIMEOUT.start(), *TIMEOUT.end());
            if bounded != seconds {
                record.mended(format!("its timeout_seconds {seconds} is {bounded} here"));
            }
            u32::try_from(bounded).unwrap_or(DEFAULT_TIMEOUT)
        }
    };
    let max_retries = record.integer("max_retries")?.map(|retries| {
        let bounded = retries.clamp(0, MAX_RETRIES);
        if bounded != retries {
            record.mended(format!("its max_retries {retries} is {bounded} here"));
        }
        u32::try_from(bounded).unwrap_or(0)
    });
    Ok(EndpointRow {
        id,
        url,
        description: record.words("description").chars().take(500).collect(),
        event_types: event_types(record)?,
        status,
        max_retries,
        timeout_seconds,
        secret,
        created_at,
        updated_at: record.past_time("updated_at").unwrap_or(created_at),
    })
}

/// None is all. When none is left of some, it must not become all.
fn event_types(record: &mut Record<'_>) -> Taking<BTreeSet<EventPattern>> {
    let given = match record.json("event_types") {
        Ok(None) => return Ok(BTreeSet::new()),
        Ok(Some(Value::Array(items))) => items,
        // An empty array of PostgreSQL.
        Ok(Some(Value::Object(fields))) if fields.is_empty() => return Ok(BTreeSet::new()),
        Ok(Some(_)) => return refuse("its event_types are no list"),
        // Not JSON: names between commas, or an array of PostgreSQL.
        Err(_) => {
            let text = record.text("event_types")?.unwrap_or_default();
            let names = text.trim_matches(['{', '}']);
            names
                .split(',')
                .map(|name| Value::from(name.trim().trim_matches('"')))
                .collect()
        }
    };
    let mut known = BTreeSet::new();
    for item in &given {
        match item.as_str().map(str::parse) {
            Some(Ok(pattern)) => {
                known.insert(pattern);
            }
            _ => record.mended(format!(
                "there are no events {item}: it is not subscribed to them"
            )),
        }
    }
    if known.is_empty() && !given.is_empty() {
        return refuse("it is subscribed to nothing that there is");
    }
    Ok(known)
}
