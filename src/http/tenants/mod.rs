//! `/tenants`: vendors on one server.

pub mod create;
pub mod create_key;
pub mod delete;
pub mod get;
pub mod list;
pub mod update;

use serde_json::{Map, Value};
use vinzy_client::tenants as wire;
use vinzy_events::TenantId;
use vinzy_events::tenant::{TenantSettings, TenantState};

use super::body::Fields;
use super::problem::Problem;
use crate::app::App;

/// Characters of a name.
const NAME: std::ops::RangeInclusive<usize> = 1..=255;
/// Versions that a license key can name.
const VERSIONS: std::ops::RangeInclusive<u32> = 0..=31;

fn wire(id: TenantId, state: TenantState) -> wire::Tenant {
    wire::Tenant {
        id: id.to_string(),
        name: state.name,
        slug: state.slug.into(),
        hmac_key_version: state.hmac_key_version,
        config_overrides: state.config_overrides,
        created_at: state.created_at.to_string(),
    }
}

/// Overrides whose settings make sense.
fn overrides(fields: &mut Fields) -> Option<Map<String, Value>> {
    let overrides = fields.optional::<Map<String, Value>>("config_overrides")?;
    match TenantSettings::read(&overrides) {
        Ok(_) => Some(overrides),
        Err(problems) => {
            for (name, must) in problems {
                fields.refuse::<()>(&format!("config_overrides.{name}"), must);
            }
            None
        }
    }
}

#[expect(clippy::option_option, reason = "what is left out stays, null is the newest")]
fn version(fields: &mut Fields) -> Option<Option<u8>> {
    let version = fields.nullable_number("hmac_key_version", VERSIONS)?;
    Some(version.and_then(|version| u8::try_from(version).ok()))
}

/// A version that shall sign must be one that this server has.
fn check_version(app: &App, version: Option<u8>) -> Result<(), Problem> {
    match version {
        Some(version) if !app.key_ring.versions().any(|one| one == version) => Err(Problem::field(
            "hmac_key_version",
            "must be the version of an HMAC key that the server has",
        )),
        _ => Ok(()),
    }
}
