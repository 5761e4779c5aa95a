//! `/licenses`.

pub mod agents;
pub mod create;
pub mod delete;
pub mod entitlements;
pub mod export;
mod filter;
pub mod get;
pub mod list;
pub mod reinstate;
pub mod renew;
pub mod revoke;
pub mod suspend;
pub mod update;

use std::ops::RangeInclusive;

use vinzy_client::licenses as wire;
use vinzy_events::license::{License, LicenseState};
use vinzy_events::{LicenseId, Timestamp};

use super::body::{Fields, FromFields};
use super::problem::Problem;
use super::query::Identified;

/// Days that a license can be valid.
pub(super) const DAYS: RangeInclusive<u32> = 1..=36_500;
/// Machines that a license can be limited to.
pub(super) const MACHINES: RangeInclusive<u32> = 1..=u32::MAX;
/// Characters of a reason.
const REASON: RangeInclusive<usize> = 0..=500;

/// A license as of `at`.
fn wire(id: LicenseId, license: &License, at: Timestamp) -> Result<wire::License, Problem> {
    let state = license.live().ok_or_else(LicenseId::not_found)?;
    Ok(row(id, state.clone(), license.machines().count(), at))
}

fn row(id: LicenseId, state: LicenseState, machines_used: u32, at: Timestamp) -> wire::License {
    wire::License {
        id: id.to_string(),
        status: state.status(at).as_str().to_owned(),
        product_code: state.product_code.into(),
        customer_id: state.customer_id.to_string(),
        tier: state.tier,
        machines_limit: state.machines_limit,
        machines_used,
        expires_at: state.expires_at.map(|expiry| expiry.to_string()),
        features: state.features,
        entitlements: state.entitlements,
        metadata: state.metadata,
        created_at: state.created_at.to_string(),
    }
}

/// Why something is done, in the vendor's words.
pub struct Reason(Option<String>);

impl FromFields for Reason {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self(fields.optional_text("reason", REASON)))
    }
}
