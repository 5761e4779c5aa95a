//! `/customers`.

pub mod create;
pub mod delete;
pub mod erase;
pub mod erasure;
pub mod get;
pub mod list;
pub mod update;

use serde_json::Value;
use vinzy_client::customers as wire;
use vinzy_events::customer::EmailAddress;
use vinzy_events::{CustomerId, Timestamp};

use super::body::Field;
use crate::commands::customers::NamedCustomer;
use crate::personal_data::store::PersonalData;

/// Characters of a name.
const NAME: std::ops::RangeInclusive<usize> = 1..=255;
/// Characters of a company.
const COMPANY: std::ops::RangeInclusive<usize> = 0..=255;

fn wire(
    id: CustomerId,
    created_at: Timestamp,
    erased_at: Option<Timestamp>,
    data: PersonalData,
) -> wire::Customer {
    wire::Customer {
        id: id.to_string(),
        name: data.name,
        email: data.email,
        company: data.company,
        metadata: data.metadata,
        created_at: created_at.to_string(),
        erased_at: erased_at.map(|at| at.to_string()),
    }
}

fn named(customer: NamedCustomer) -> wire::Customer {
    let state = customer.state;
    wire(customer.id, state.created_at, state.erased_at, customer.data)
}

impl Field for EmailAddress {
    fn read(value: Value) -> Result<Self, String> {
        Self::parse(&String::read(value)?).map_err(|error| error.to_string())
    }
}
