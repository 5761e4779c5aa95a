//! `/products`.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod update;

use vinzy_client::products as wire;
use vinzy_events::ProductId;
use vinzy_events::product::ProductState;

/// Characters of a name.
const NAME: std::ops::RangeInclusive<usize> = 1..=255;
/// Characters of a description.
const DESCRIPTION: std::ops::RangeInclusive<usize> = 0..=2_000;
/// Characters of a tier.
pub(super) const TIER: std::ops::RangeInclusive<usize> = 1..=100;

fn wire(id: ProductId, state: ProductState) -> wire::Product {
    wire::Product {
        id: id.to_string(),
        code: state.code.into(),
        name: state.name,
        description: state.description,
        default_tier: state.default_tier,
        features: state.features,
        metadata: state.metadata,
        created_at: state.created_at.to_string(),
    }
}
