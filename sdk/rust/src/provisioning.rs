//! Purchases and the mails with their license keys.

use serde::{Deserialize, Serialize};

use crate::Object;

/// A message of a provider of payments, in the provider's own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderEvent {
    /// What it tells of.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it tells.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Object,
}

/// What was done about a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvisioningOutcome {
    /// `issued` (a license), `noted` (of one, or of one to come), `known` (all of it) or `ignored` (none of ours).
    pub outcome: String,
    /// The license that it is about, if there is one.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub license_id: Option<String>,
}

/// A purchase for which a license was issued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Purchase {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// Who took the money: `stripe` or `polar`.
    pub provider: String,
    /// What it is called there: the subscription, else the payment or order, else the checkout.
    pub reference: String,
    /// The checkout, or the order where there was none.
    pub checkout: String,
    /// The license.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub license_id: String,
    /// Whose it is.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub customer_id: String,
    /// Of what.
    pub product_code: String,
    /// In which tier.
    pub tier: String,
    /// `active`, `unpaid` (the provider has given up collecting), `ended` or `refunded`.
    pub status: String,
    /// Whether it is a subscription.
    pub recurring: bool,
    /// Up to when a subscription is paid, as far as that was told.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub paid_until: Option<String>,
    /// When the license was issued.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
}

/// A mail with a license key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mail {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// The license whose key it holds.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub license_id: String,
    /// To whom it goes.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub customer_id: String,
    /// `pending` (waits for its first or next try), `delivered` (a mail server has it, and the key is deleted here) or
    /// `undelivered` (not tried again unless it is asked for).
    pub status: String,
    /// How often it was tried since it was last asked for.
    pub attempts: u64,
    /// When it is tried next; `null` if it is not.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub next_attempt_at: Option<String>,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// When it was asked for.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
    /// When something of it last changed.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub updated_at: String,
}
