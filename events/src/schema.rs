//! JSON schemas (draft 2020-12) of the events' payloads, made from their types: what integrators read and check events
//! with. Nothing here runs in a server or a browser.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::endpoint::EventPattern;
use crate::key::KeyDigest;
use crate::ledger::{KeyRotation, LedgerOpened};
use crate::product::ProductCode;
use crate::stream::{LEDGER_KEY_ROTATED, LEDGER_OPENED, StreamEvent};
use crate::tenant::TenantSlug;
use crate::{
    AnomalyId, ApiKeyId, CustomerId, Decimal, DeliveryId, EndpointId, EventId, LicenseId, MachineId,
    ProductId, PurchaseId, SecretId, TenantId, Timestamp,
};

/// The text of a verifier key: a name, the key's id and the key.
pub(crate) const VERIFIER_KEY: &str = r"^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$";

/// The schema of the payload of one version of an event type.
#[derive(Debug, Clone)]
pub struct EventSchema {
    /// The type's name.
    pub type_name: &'static str,
    /// The version.
    pub version: u32,
    /// The schema as a document.
    pub document: Value,
}

impl EventSchema {
    /// The schema of `T` as it is written. A field that may be missing is not required, and there may be fields that a
    /// newer program adds: readers pass over what they do not know.
    pub(crate) fn of<T: JsonSchema>(type_name: &'static str, version: u32) -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<T>();
        let mut document = schema.to_value();
        document["$id"] = format!("urn:vinzy:event:{type_name}:v{version}").into();
        document["title"] = type_name.into();
        Self {
            type_name,
            version,
            document,
        }
    }

    /// Name of the file that holds it, and of the golden event beside it.
    pub fn file_name(&self) -> String {
        format!("{}.v{}.json", self.type_name, self.version)
    }
}

/// The schemas of all event types, each in the version that this program writes.
pub fn schemas() -> Vec<EventSchema> {
    let mut schemas = vec![
        EventSchema::of::<LedgerOpened>(LEDGER_OPENED, 1),
        EventSchema::of::<KeyRotation>(LEDGER_KEY_ROTATED, 1),
    ];
    schemas.extend(crate::product::ProductEvent::schemas());
    schemas.extend(crate::customer::CustomerEvent::schemas());
    schemas.extend(crate::license::LicenseEvent::schemas());
    schemas.extend(crate::meter::MeterEvent::schemas());
    schemas.extend(crate::anomaly::AnomalyEvent::schemas());
    schemas.extend(crate::api_key::ApiKeyEvent::schemas());
    schemas.extend(crate::endpoint::EndpointEvent::schemas());
    schemas.extend(crate::purchase::PurchaseEvent::schemas());
    schemas.extend(crate::tenant::TenantEvent::schemas());
    schemas
}

/// Says how a type that is a text is written.
macro_rules! text {
    ($($type:ident: $schema:tt,)+) => {
        $(
            impl JsonSchema for $type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }
            }
        )+
    };
}

macro_rules! ids {
    ($($type:ident),+) => {
        text! {
            $( $type: {
                "type": "string",
                "format": "uuid",
                "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
            }, )+
        }
    };
}

ids!(
    AnomalyId, ApiKeyId, CustomerId, DeliveryId, EndpointId, EventId, LicenseId, MachineId, ProductId,
    PurchaseId, SecretId, TenantId
);

text! {
    Timestamp: {
        "type": "string",
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"
    },
    // Numbers have no trailing zeros, and an exponent only when they are very large or very small.
    Decimal: {
        "type": "string",
        "maxLength": 400,
        "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?(e-?[1-9][0-9]{0,2})?$"
    },
    KeyDigest: { "type": "string", "pattern": "^[0-9a-f]{64}$" },
    ProductCode: { "type": "string", "pattern": "^[A-Z]{1,3}$" },
    TenantSlug: { "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" },
    EventPattern: { "type": "string", "pattern": r"^([a-z_]+\.)?([a-z_]+|\*)$" },
}
