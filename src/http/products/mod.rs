//! `/products`.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod update;

use serde_json::{Map, Value};
use vinzy_client::products as wire;
use vinzy_events::ProductId;
use vinzy_events::product::{ProductState, TierTemplate, Tiers};

use super::body::{Fields, FromFields, read_fields};
use super::licenses::{DAYS, MACHINES};
use super::problem::FieldError;

/// Characters of a name.
const NAME: std::ops::RangeInclusive<usize> = 1..=255;
/// Characters of a description.
const DESCRIPTION: std::ops::RangeInclusive<usize> = 0..=2_000;
/// Characters of a tier.
pub(super) const TIER: std::ops::RangeInclusive<usize> = 1..=100;

/// Tiers of a product.
const TIERS: usize = 100;

/// The templates of tiers, each checked as the fields of a license are; `None` if there are none, or after errors were
/// noted.
fn tiers(fields: &mut Fields) -> Option<Tiers> {
    let given = fields.optional::<Map<String, Value>>("tiers")?;
    if given.len() > TIERS {
        return fields.refuse("tiers", format!("must have at most {TIERS} members"));
    }
    let mut tiers = Tiers::new();
    for (name, template) in given {
        let shown: String = name.chars().take(100).collect();
        let place = format!("tiers.{shown}");
        if !TIER.contains(&name.chars().count()) {
            fields.refuse::<()>(&place, "must be named with 1 to 100 characters");
            continue;
        }
        let Value::Object(template) = template else {
            fields.refuse::<()>(&place, "must be an object");
            continue;
        };
        match read_fields::<TierTemplate>(template) {
            Ok(template) => {
                tiers.insert(name, template);
            }
            Err(errors) => errors.into_iter().for_each(|FieldError { field, message }| {
                fields.refuse::<()>(&format!("{place}.{field}"), message);
            }),
        }
    }
    Some(tiers)
}

impl FromFields for TierTemplate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            features: fields.features("features"),
            entitlements: fields.features("entitlements"),
            machines_limit: fields.nullable_number("machines_limit", MACHINES),
            days_valid: fields.nullable_number("days_valid", DAYS),
        })
    }
}

fn template(template: TierTemplate) -> wire::TierTemplate {
    wire::TierTemplate {
        features: template.features,
        entitlements: template.entitlements,
        machines_limit: template.machines_limit,
        days_valid: template.days_valid,
    }
}

fn wire(id: ProductId, state: ProductState) -> wire::Product {
    wire::Product {
        id: id.to_string(),
        code: state.code.into(),
        name: state.name,
        description: state.description,
        default_tier: state.default_tier,
        features: state.features,
        tiers: state
            .tiers
            .into_iter()
            .map(|(name, tier)| (name, template(tier)))
            .collect(),
        metadata: state.metadata,
        created_at: state.created_at.to_string(),
    }
}
