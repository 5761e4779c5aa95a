//! Every command's refusal as a problem, in one place.

use axum::http::StatusCode;
use vinzy_events::anomaly::AnomalyError;
use vinzy_events::api_key::ApiKeyError;
use vinzy_events::customer::CustomerError;
use vinzy_events::endpoint::EndpointError;
use vinzy_events::entitlement::InvalidFeature;
use vinzy_events::ledger::LeafError;
use vinzy_events::license::LicenseError;
use vinzy_events::meter::MeterError;
use vinzy_events::product::{ProductCode, ProductError};
use vinzy_events::tenant::TenantError;
use vinzy_events::{
    AnomalyId, ApiKeyId, CustomerId, Decimal, EndpointId, LicenseId, MachineId, ProductId, TenantId,
};
use vinzy_projections::Behind;
use vinzy_projections::event_log::DecodeError;

use super::problem::Problem;
use super::query::Identified;
use crate::audit::{HeadError, SignError, VerifyError};
use crate::commands::{CommandError, LedgerError};
use crate::personal_data::store::PersonalDataError;
use crate::proofs::{ProveError, TreeError};

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Ledger(error) => error.into(),
            CommandError::Product(ProductError::NotFound) => ProductId::not_found(),
            CommandError::Customer(CustomerError::NotFound) => CustomerId::not_found(),
            CommandError::License(LicenseError::NotFound) => LicenseId::not_found(),
            CommandError::ApiKey(ApiKeyError::NotFound) => ApiKeyId::not_found(),
            CommandError::Endpoint(EndpointError::NotFound) => EndpointId::not_found(),
            CommandError::Tenant(TenantError::NotFound) => TenantId::not_found(),
            CommandError::Product(ProductError::AlreadyExists)
            | CommandError::ApiKey(ApiKeyError::AlreadyExists)
            | CommandError::Endpoint(EndpointError::AlreadyExists)
            | CommandError::Tenant(TenantError::AlreadyExists)
            | CommandError::Customer(CustomerError::AlreadyExists)
            | CommandError::License(LicenseError::AlreadyExists) => {
                Self::conflict("ALREADY_EXISTS", "The id is taken.")
            }
            CommandError::License(LicenseError::Revoked) => {
                Self::conflict("LICENSE_REVOKED", "The license has been revoked, which is final.")
            }
            CommandError::ApiKey(ApiKeyError::Expired) => Self::conflict(
                "API_KEY_EXPIRED",
                "The API key has expired: give it another end first.",
            ),
            CommandError::TenantSlugTaken(slug) => Self::conflict(
                "TENANT_SLUG_TAKEN",
                format!("There is a tenant with the slug {slug} already, or there was one."),
            ),
            CommandError::SecretGone => Self::conflict(
                "KEY_NO_LONGER_SHOWN",
                "This API key was made before under the same Idempotency-Key, and the server's keys have changed \
                 since: its secret can no longer be shown.",
            ),
            CommandError::SigningSecretGone => Self::conflict(
                "KEY_NO_LONGER_SHOWN",
                "This secret was made before under the same Idempotency-Key, and it signs no longer: it can no longer \
                 be shown.",
            ),
            CommandError::NoSuchHmacKey(version) => Self::conflict(
                "HMAC_KEY_MISSING",
                format!(
                    "The tenant's license keys are signed with HMAC key {version}, which the server does not have."
                ),
            ),
            // What a purchase would refuse is seen to before.
            CommandError::Open(_) | CommandError::Purchase(_) => Self::internal(&error),
            CommandError::License(LicenseError::ExpiryNotInFuture { .. })
            | CommandError::ApiKey(ApiKeyError::ExpiryNotInFuture) => {
                Self::field("expires_at", "must lie in the future")
            }
            CommandError::License(LicenseError::Suspended) => {
                Self::conflict("LICENSE_SUSPENDED", "The license is suspended.")
            }
            CommandError::License(LicenseError::Expired) => {
                Self::conflict("LICENSE_EXPIRED", "The license has expired.")
            }
            CommandError::License(LicenseError::MachineLimitReached { limit }) => Self::conflict(
                "ACTIVATION_LIMIT",
                format!("All {limit} seats of the license are taken."),
            ),
            CommandError::License(LicenseError::MachineNotActivated) => MachineId::not_found(),
            CommandError::Meter(MeterError::LimitExceeded { standing, .. }) => Self::conflict(
                "LIMIT_EXCEEDED",
                format!("It would pass the limit of {}.", standing.amount),
            ),
            CommandError::Meter(MeterError::NotPositive) => Self::field("value", "must be more than 0"),
            CommandError::Meter(MeterError::TotalTooLarge) => Self::field(
                "value",
                format!("would make the total larger than {}", Decimal::max()),
            ),
            CommandError::Anomaly(AnomalyError::NotFound) => AnomalyId::not_found(),
            CommandError::Anomaly(AnomalyError::AlreadyDetected) => {
                Self::conflict("ALREADY_EXISTS", "The anomaly was noted before.")
            }
            CommandError::NoSuchProduct(code) => {
                Self::not_found("PRODUCT_NOT_FOUND", format!("Product '{code}' not found"))
            }
            CommandError::NoSuchTier { product_code, tier } => no_such_tier(&product_code, &tier),
            CommandError::ProductCodeTaken(code) => Self::conflict(
                "PRODUCT_CODE_TAKEN",
                format!("There is a product with the code {code} already."),
            ),
            CommandError::EmailTaken => Self::conflict(
                "EMAIL_TAKEN",
                "There is a customer with this e-mail address already.",
            ),
            CommandError::Customer(CustomerError::Erased) => Self::conflict(
                "CUSTOMER_ERASED",
                "The customer's personal data were erased, and no new ones are taken.",
            ),
            CommandError::InUse { licenses } => in_use(licenses),
            CommandError::ExpiryTooFar => Self::field("days_valid", "reaches past the year 9999"),
            CommandError::KeyGone => Self::conflict(
                "KEY_NO_LONGER_SHOWN",
                "This license was issued before under the same Idempotency-Key, and the server's keys have \
                 changed since: its license key can no longer be shown.",
            ),
            CommandError::PersonalData(error) => error.into(),
            CommandError::Checkpoint(error) => error.into(),
            CommandError::Database(error) => database(&error),
        }
    }
}

fn no_such_tier(product_code: &ProductCode, tier: &str) -> Problem {
    let detail = format!("Product '{product_code}' has no tier '{tier}'");
    Problem::not_found("TIER_NOT_FOUND", detail)
}

fn in_use(licenses: u64) -> Problem {
    let noun = if licenses == 1 { "license" } else { "licenses" };
    Problem::conflict(
        "IN_USE",
        format!("It is used by {licenses} {noun}. Delete them first."),
    )
    .with("used_by", serde_json::json!({ "licenses": licenses }))
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable => Self::unavailable(
                "LEDGER_UNAVAILABLE",
                "The ledger cannot be written at the moment. Repeat the request, best with an Idempotency-Key.",
                1,
            ),
            LedgerError::EventTooLarge => {
                Self::field("body", "is too large: what it changes must fit into 65,535 bytes")
            }
            LedgerError::IdempotencyKeyReused => Self::conflict(
                "IDEMPOTENCY_KEY_REUSED",
                "The Idempotency-Key was used for a different request before.",
            ),
            LedgerError::Archived => archived(
                "What is asked for was made of events that are archived: whoever runs the server has them.",
            ),
            LedgerError::Unreadable => Self::internal(&error),
        }
    }
}

impl From<Behind> for Problem {
    fn from(error: Behind) -> Self {
        match error {
            Behind::Late { .. } => {
                tracing::warn!(error = &error as &dyn std::error::Error, "read model is behind");
                Self::unavailable("READ_MODEL_BEHIND", "The read model has not caught up yet.", 1)
            }
            Behind::Database(error) => database(&error),
        }
    }
}

impl From<PersonalDataError> for Problem {
    fn from(error: PersonalDataError) -> Self {
        match error {
            PersonalDataError::Database(error) => database(&error),
            PersonalDataError::Unopenable(_) | PersonalDataError::KeyMissing(_) => Self::internal(&error),
        }
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Head(HeadError::Database(error)) => database(&error),
            VerifyError::Archived { size, location, .. } => archived(format!(
                "The events before position {size} are archived ({location}): whoever runs the server can verify \
                 them with `vinzy verify --archive`."
            )),
            VerifyError::Head(_) | VerifyError::Archive(_) => Self::internal(&error),
        }
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Fork { .. } | SignError::SetBack { .. } => {
                Self::conflict("LEDGER_FORKED", format!("{error}."))
            }
            SignError::Head(HeadError::Database(error)) => database(&error),
            SignError::Tree(error) => error.into(),
            SignError::Contended => Self::unavailable("CHECKPOINT_CONTENDED", format!("{error}."), 1),
            SignError::Head(_)
            | SignError::ForeignKey { .. }
            | SignError::ForeignWitness { .. }
            | SignError::Witness(_) => Self::internal(&error),
        }
    }
}

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Database(error) => database(&error),
            TreeError::Behind(error) => error.into(),
            TreeError::Archived { position } => {
                archived(format!("The event at position {position} is archived."))
            }
            TreeError::Damaged(_) => Self::internal(&error),
        }
    }
}

impl From<ProveError> for Problem {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Database(error) => database(&error),
            ProveError::Sign(error) => error.into(),
            ProveError::Tree(error) => error.into(),
            ProveError::NoSuchEvent => Self::not_found("EVENT_NOT_FOUND", "Event not found"),
            ProveError::BeyondLedger { size } => Self::field(
                "size",
                format!("must be at most {size}, the number of events in the ledger"),
            ),
            ProveError::NotCovered { position } => Self::field(
                "size",
                format!("must be more than {position}, the event's position"),
            ),
            ProveError::Shrinking { to } => Self::field("from", format!("must be at most {to}")),
            ProveError::ToBeyondLedger { size } => Self::field(
                "to",
                format!("must be at most {size}, the number of events in the ledger"),
            ),
            ProveError::Unprovable { .. } => Self::internal(&error),
        }
    }
}

/// 410: it was there, and is in the archive of whoever runs the server.
fn archived(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::GONE, "EVENT_ARCHIVED", detail)
}

/// A stored event that cannot be shown.
impl From<LeafError> for Problem {
    fn from(error: LeafError) -> Self {
        match error {
            LeafError::Archived => archived("An event that would be shown is archived."),
            LeafError::TooLarge(_) | LeafError::Malformed(_) => Self::internal(&error),
        }
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Leaf(error) => error.into(),
            DecodeError::Event(_) | DecodeError::Gap => Self::internal(&error),
        }
    }
}

/// Only imported records can hold such features.
impl From<InvalidFeature> for Problem {
    fn from(error: InvalidFeature) -> Self {
        Self::internal(&error)
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        database(&error)
    }
}

/// A database that cannot be reached or has no room is no fault of the program's.
fn database(error: &sqlx::Error) -> Problem {
    if !is_passing(error) {
        return Problem::internal(&DatabaseFailed(error.to_string()));
    }
    let cause: &dyn std::error::Error = error;
    tracing::warn!(error = cause, "database cannot be used");
    Problem::unavailable(
        "DATABASE_UNAVAILABLE",
        "The database cannot be used at the moment.",
        1,
    )
}

/// Whether the same may go well later, without anybody changing the program or the request.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing_state(&code)),
        _ => false,
    }
}

/// The SQLSTATEs of a database that is starting, stopping, full, overloaded or a standby, and of work that it gave up:
/// for being silent, for others, or because an operator said so.
fn is_passing_state(code: &str) -> bool {
    const CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
    const STATES: [&str; 3] = ["25006", "25P03", "55P03"];
    STATES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class))
}

#[derive(Debug, thiserror::Error)]
#[error("database: {0}")]
struct DatabaseFailed(String);
