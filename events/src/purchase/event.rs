//! What can have happened to a purchase. No event holds anything of who has bought but ids.

use serde::{Deserialize, Serialize};

use super::{Provider, Standing};
use crate::product::ProductCode;
use crate::stream::stream_events;
use crate::{CustomerId, LicenseId, PurchaseId, Timestamp};

stream_events! {
    /// A fact about a purchase.
    pub enum PurchaseEvent {
        /// A license was issued for it.
        "purchase.completed" v 1 => Completed(PurchaseCompleted),
        /// It was paid up to a time.
        "purchase.paid" v 1 => Paid(PurchasePaid),
        /// The provider has said how a subscription stands.
        "purchase.standing_changed" v 1 => StandingChanged(PurchaseStandingChanged),
        /// A payment was given back in full.
        "purchase.refunded" v 1 => Refunded(PurchaseRefunded),
        /// It belongs to another purchase.
        "purchase.linked" v 1 => Linked(PurchaseLinked),
        /// Something was done to its license.
        "purchase.applied" v 1 => Applied(PurchaseApplied),
    }
}

/// Payload of `purchase.completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurchaseCompleted {
    /// Who took the money.
    pub provider: Provider,
    /// What the purchase is called there: the subscription, else the payment, else the checkout.
    pub reference: String,
    /// The checkout or order.
    pub checkout: String,
    /// The license that was issued.
    pub license_id: LicenseId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Of what.
    pub product_code: ProductCode,
    /// In which tier.
    pub tier: String,
    /// Whether it is paid again and again.
    pub recurring: bool,
    /// When the license ends as it was issued; `null` is never.
    pub expires_at: Option<Timestamp>,
    /// When.
    pub completed_at: Timestamp,
    /// The provider's message that led to this.
    pub notice: String,
}

/// Payload of `purchase.paid`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurchasePaid {
    /// Who took the money.
    pub provider: Provider,
    /// What the purchase is called there.
    pub reference: String,
    /// What it was paid with; `null` if the provider did not say.
    pub payment: Option<String>,
    /// Up to when.
    pub paid_until: Timestamp,
    /// When the provider said so.
    pub at: Timestamp,
    /// The provider's message that led to this.
    pub notice: String,
}

/// Payload of `purchase.standing_changed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurchaseStandingChanged {
    /// Who takes the money.
    pub provider: Provider,
    /// What the subscription is called there.
    pub reference: String,
    /// How it stands.
    pub standing: Standing,
    /// When the provider said so.
    pub at: Timestamp,
    /// The provider's message that led to this.
    pub notice: String,
}

/// Payload of `purchase.refunded`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurchaseRefunded {
    /// Who gave back the money.
    pub provider: Provider,
    /// What the purchase is called there.
    pub reference: String,
    /// The payment that was given back: the purchase itself, or one that is linked to it.
    pub payment: String,
    /// The provider's message that led to this.
    pub notice: String,
}

/// Payload of `purchase.linked`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurchaseLinked {
    /// Whose ids these are.
    pub provider: Provider,
    /// What belongs to another purchase.
    pub reference: String,
    /// The stream of that purchase.
    pub purchase_id: PurchaseId,
    /// What it is called at the provider's.
    pub to: String,
    /// The provider's message that led to this.
    pub notice: String,
}

/// Payload of `purchase.applied`: what changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PurchaseApplied {
    /// Whose ids these are.
    pub provider: Provider,
    /// What the purchase is called there.
    pub reference: String,
    /// When the license ends because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether the license is held back because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// The provider's message that led to this.
    pub notice: String,
}
