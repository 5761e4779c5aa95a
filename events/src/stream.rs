//! Streams and the catalogue of event types: what the ledger, the cold load and the verifier need to know
//! about every aggregate without knowing its rules.

use std::collections::HashSet;

use cqrs_es::{Aggregate, DomainEvent};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{LicenseId, Timestamp};

/// The stream type of the ledger's own events; its stream id is the ledger's origin.
pub const LEDGER_STREAM: &str = "ledger";

/// First event of every ledger; its payload is `{"vkey": …}`, the key that checkpoints verify with.
pub const LEDGER_OPENED: &str = "ledger.opened";

/// Checkpoints verify with another key from here on; its payload is a [`KeyRotation`](crate::ledger::KeyRotation).
pub const LEDGER_KEY_ROTATED: &str = "ledger.key_rotated";

/// An event that the ledger can store: it knows its type name, its version and its payload.
pub trait StreamEvent: DomainEvent {
    /// Type names with the newest version of each.
    const TYPES: &'static [(&'static str, u32)];

    /// The type's name, e.g. `license.created`.
    fn type_name(&self) -> &'static str;

    /// The version of the payload's shape that this program writes.
    fn type_version(&self) -> u32;

    /// The payload as it stands in the leaf.
    fn payload(&self) -> Value;

    /// Reads a stored payload of any version up to the newest: as a value, or as raw JSON, which is cheaper.
    fn from_stored<'de, D: Deserializer<'de, Error = serde_json::Error>>(
        type_name: &str,
        type_version: u32,
        payload: D,
    ) -> Result<Self, UnreadableEvent>;

    /// The JSON schema of each type's payload, in the version that this program writes.
    #[cfg(feature = "schema")]
    fn schemas() -> Vec<crate::schema::EventSchema>;
}

/// Makes a payload of one version into one of the next: a pure function, for it reads history. What it cannot make sense
/// of it leaves as it is; the payload's type refuses it then.
pub type Upcaster = fn(&mut Map<String, Value>);

/// Reads a payload of an earlier version by way of those after it: `upcasters[0]` leads from version 1 to 2, and so on.
/// A payload of the newest version is read as it is, without a detour through a value.
pub(crate) fn read_payload<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    payload: D,
    type_version: u32,
    upcasters: &[Upcaster],
) -> Result<T, D::Error> {
    let read = usize::try_from(type_version).map_or(usize::MAX, |version| version.saturating_sub(1));
    let due = upcasters.get(read..).unwrap_or_default();
    if due.is_empty() {
        return T::deserialize(payload);
    }
    let mut payload = Map::deserialize(payload)?;
    due.iter().for_each(|upcaster| upcaster(&mut payload));
    T::deserialize(Value::Object(payload)).map_err(serde::de::Error::custom)
}

/// An aggregate whose decisions are pure: what a command leads to depends on the state, the command and
/// the time alone.
pub trait StreamAggregate: Aggregate<Event: StreamEvent, Services = Timestamp> + Clone + 'static {
    /// Version of the state: of its shape, and of what it becomes by events. Raised when either changes, so that no
    /// snapshot of an earlier program is taken for a state of this one.
    const STATE_VERSION: u32 = 1;

    /// Judges `command` at `at`. The events are not yet applied.
    ///
    /// An accepted command may have nothing to say (an update that changes nothing): an empty list.
    fn decide(&self, command: Self::Command, at: Timestamp) -> Result<Vec<Self::Event>, Self::Error>;

    /// About how many parts the state has. A snapshot is due after as many events at least, so that what is
    /// spent on snapshots of a growing state stays in proportion to the events.
    fn size(&self) -> usize {
        1
    }
}

/// A stored event that this program cannot read: written by a newer one, or not an event of its stream.
#[derive(Debug, thiserror::Error)]
#[error("cannot read stored event {type_name} version {type_version}")]
pub struct UnreadableEvent {
    /// The stored type name.
    pub type_name: String,
    /// The stored version.
    pub type_version: u32,
    /// What the payload lacks, when the type itself is known.
    #[source]
    pub source: Option<serde_json::Error>,
}

/// All event types, with the newest version of each.
pub fn catalogue() -> impl Iterator<Item = (&'static str, u32)> {
    const OWN: &[(&str, u32)] = &[(LEDGER_OPENED, 1), (LEDGER_KEY_ROTATED, 1)];
    [
        OWN,
        crate::product::ProductEvent::TYPES,
        crate::customer::CustomerEvent::TYPES,
        crate::license::LicenseEvent::TYPES,
        crate::meter::MeterEvent::TYPES,
        crate::anomaly::AnomalyEvent::TYPES,
        crate::api_key::ApiKeyEvent::TYPES,
        crate::endpoint::EndpointEvent::TYPES,
        crate::purchase::PurchaseEvent::TYPES,
        crate::tenant::TenantEvent::TYPES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Says whether this program knows an event type in a version, as a verifier asks.
pub fn is_known_event(type_name: &str, type_version: u32) -> bool {
    catalogue().any(|(name, newest)| name == type_name && (1..=newest).contains(&type_version))
}

/// The types of all events that a tenant's ledger can hold.
pub fn event_types() -> impl Iterator<Item = &'static str> {
    let of_tenants: HashSet<&str> = crate::tenant::TenantEvent::TYPES
        .iter()
        .map(|(name, _)| *name)
        .collect();
    catalogue()
        .map(|(name, _)| name)
        .filter(move |name| !of_tenants.contains(name))
}

/// The types of all streams that there can be.
pub const fn stream_types() -> [&'static str; 10] {
    [
        LEDGER_STREAM,
        crate::product::Product::TYPE,
        crate::customer::Customer::TYPE,
        crate::license::License::TYPE,
        crate::meter::Meter::TYPE,
        crate::anomaly::Anomaly::TYPE,
        crate::api_key::ApiKey::TYPE,
        crate::endpoint::Endpoint::TYPE,
        crate::purchase::Purchase::TYPE,
        crate::tenant::Tenant::TYPE,
    ]
}

/// The license that a stream belongs to: the stream's own id for a license, the part before the first `/`
/// for streams kept per license.
pub fn license_id_of(stream_type: &str, stream_id: &str) -> Option<LicenseId> {
    match stream_type {
        "license" => stream_id.parse().ok(),
        "meter" | "anomaly" => stream_id.split('/').next()?.parse().ok(),
        _ => None,
    }
}

/// Reads a field where `null` means something else than absence: absent → `None`, `null` → `Some(None)`.
///
/// Use with `#[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]`.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Replaces `field` when there is a change to it.
pub(crate) fn replace<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

/// Declares an aggregate's events: the enum, its stored names and its catalogue entries, in one place.
///
/// A type that has had earlier versions names an [`Upcaster`] from each to the next, oldest first:
/// `"x.happened" v 3 from [v1_to_v2, v2_to_v3] => Happened(XHappened)`. One too few or too many does not compile.
///
/// Serialised, an event is `{"<type name>": payload}`, which `cqrs-es` asks for. Stored events are read with their
/// version, by [`StreamEvent::from_stored`].
macro_rules! stream_events {
    (
        $(#[$doc:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$vdoc:meta])*
               $type_name:literal v $version:literal $(from [$($upcaster:expr),+ $(,)?])?
               => $variant:ident($payload:ty), )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        $vis enum $name {
            $( $(#[$vdoc])* #[serde(rename = $type_name)] $variant($payload), )+
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                $crate::stream::StreamEvent::type_name(self).to_owned()
            }

            fn event_version(&self) -> String {
                $crate::stream::StreamEvent::type_version(self).to_string()
            }
        }

        impl $crate::stream::StreamEvent for $name {
            const TYPES: &'static [(&'static str, u32)] = &[$( ($type_name, $version) ),+];

            fn type_name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $type_name, )+ }
            }

            fn type_version(&self) -> u32 {
                match self { $( Self::$variant(_) => $version, )+ }
            }

            fn payload(&self) -> serde_json::Value {
                match self {
                    $( Self::$variant(payload) => serde_json::to_value(payload)
                        .expect("payloads have string keys and no fallible serialiser"), )+
                }
            }

            fn from_stored<'de, D: serde::Deserializer<'de, Error = serde_json::Error>>(
                type_name: &str,
                type_version: u32,
                payload: D,
            ) -> Result<Self, $crate::stream::UnreadableEvent> {
                let unreadable = |source| $crate::stream::UnreadableEvent {
                    type_name: type_name.to_owned(),
                    type_version,
                    source,
                };
                match type_name {
                    $( $type_name if (1..=$version).contains(&type_version) => {
                        const UPCASTERS: [$crate::stream::Upcaster; $version - 1] = [$($($upcaster),+)?];
                        $crate::stream::read_payload(payload, type_version, &UPCASTERS)
                            .map(Self::$variant)
                            .map_err(|error| unreadable(Some(error)))
                    } )+
                    _ => Err(unreadable(None)),
                }
            }

            #[cfg(feature = "schema")]
            fn schemas() -> Vec<$crate::schema::EventSchema> {
                vec![$( $crate::schema::EventSchema::of::<$payload>($type_name, $version) ),+]
            }
        }
    };
}
pub(crate) use stream_events;

/// Implements `cqrs_es::Aggregate` for an aggregate that decides purely, by way of [`StreamAggregate`].
macro_rules! aggregate_by_decision {
    ($name:ident, $type:literal, $command:ty, $event:ty, $error:ty) => {
        impl cqrs_es::Aggregate for $name {
            const TYPE: &'static str = $type;
            type Command = $command;
            type Event = $event;
            type Error = $error;
            type Services = $crate::Timestamp;

            async fn handle(
                &mut self,
                command: Self::Command,
                at: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::stream::StreamAggregate::decide(self, command, *at)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                self.evolve(event);
            }
        }
    };
}
pub(crate) use aggregate_by_decision;

#[cfg(test)]
mod upcasting;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_knows_versions_up_to_the_newest() {
        assert!(is_known_event("license.created", 1));
        assert!(!is_known_event("license.created", 0));
        assert!(!is_known_event("license.created", 2));
        assert!(!is_known_event("license.imagined", 1));
    }

    #[test]
    fn streams_kept_per_license_name_it_before_the_slash() {
        let id = "0197f0a2-0000-7000-8000-000000000000";
        assert_eq!(license_id_of("license", id), id.parse().ok());
        assert_eq!(
            license_id_of("meter", &format!("{id}/api_calls")),
            id.parse().ok()
        );
        assert_eq!(license_id_of("customer", id), None);
    }
}
