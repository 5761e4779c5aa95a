//! What a validation answers: the license's standing now, what it is entitled to, and a lease.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use serde_json::{Number, Value};
use vinzy_client::validation as wire;
use vinzy_events::agent::resolve_agents;
use vinzy_events::entitlement::{Entitlement, InvalidFeature, base_features, enabled_features, resolve};
use vinzy_events::id::uuid_v7;
use vinzy_events::key::{KeyError, KeyRing, normalise};
use vinzy_events::lease::{LeaseClaims, LeaseSigner};
use vinzy_events::license::LicenseStatus;
use vinzy_events::{LicenseId, Timestamp};

use crate::clock::Entropy;
use crate::config::ServerConfig;
use crate::directory::{Directory, Found};
use crate::ledger::{Feed, LedgerError};

/// How long an answer may be given again while nothing about it changes, in microseconds: signing a lease
/// is the dearest step.
const REUSE_MICROS: i64 = 60_000_000;
/// Answers kept.
const ANSWERS: usize = 4_096;

/// Answers validations from memory.
pub struct Validator {
    directory: Arc<Directory>,
    feed: Arc<Feed>,
    signer: LeaseSigner,
    key_ring: KeyRing,
    issuer_prefix: String,
    lease_ttl_seconds: u32,
    max_staleness: Duration,
    entropy: Entropy,
    answers: Cache<(LicenseId, Option<String>), Arc<Answer>>,
}

/// A good answer with what it was made from.
struct Answer {
    license_seq: u64,
    product_seq: u64,
    made_at: Timestamp,
    /// The license key that it repeats.
    key: String,
    body: Arc<[u8]>,
}

/// The outcome of a validation.
pub struct Validation {
    /// The outcome's code.
    pub code: &'static str,
    /// The license that was found, whatever its standing, and its ledger.
    pub license: Option<(Arc<str>, LicenseId)>,
    /// The answer as JSON.
    pub body: Arc<[u8]>,
}

/// Why a validation cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ValidationError {
    /// The license could not be loaded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What this node knows is too old.
    #[error("the database has not been reached for {0:?}")]
    Stale(Duration),
    /// A feature of the license cannot be resolved.
    #[error(transparent)]
    Feature(#[from] InvalidFeature),
}

impl Validator {
    /// A validator over a directory that `feed` keeps up to date.
    pub fn new(
        directory: Arc<Directory>,
        feed: Arc<Feed>,
        signer: LeaseSigner,
        key_ring: KeyRing,
        config: &ServerConfig,
        entropy: Entropy,
    ) -> Self {
        Self {
            directory,
            feed,
            signer,
            key_ring,
            issuer_prefix: config.ledger_origin.clone(),
            lease_ttl_seconds: config.lease_ttl,
            max_staleness: Duration::from_secs(u64::from(config.max_staleness)),
            entropy,
            answers: Cache::new(ANSWERS),
        }
    }

    /// Validates a license key as typed.
    pub async fn validate(
        &self,
        typed: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<Validation, ValidationError> {
        let key = normalise(typed);
        let digest = match self.key_ring.check(&key) {
            Ok(checked) => checked.digest,
            Err(error) => return Ok(invalid_key(&error)),
        };
        let staleness = self.feed.staleness();
        if staleness > self.max_staleness {
            return Err(ValidationError::Stale(staleness));
        }
        let Some(found) = self.directory.find(digest).await? else {
            return Ok(refusal("NOT_FOUND", "License not found"));
        };
        let outcome = match found.state().status(now) {
            LicenseStatus::Active => Validation {
                code: "OK",
                license: None,
                body: self.answer(&found, &key, fingerprint, now)?,
            },
            LicenseStatus::Suspended => refusal("SUSPENDED", "License is suspended"),
            LicenseStatus::Revoked => refusal("SUSPENDED", "License has been revoked"),
            LicenseStatus::Expired => refusal("EXPIRED", "License has expired"),
        };
        Ok(Validation {
            license: Some((found.ledger_id, found.license_id)),
            ..outcome
        })
    }

    fn answer(
        &self,
        found: &Found,
        key: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<[u8]>, InvalidFeature> {
        let place = (found.license_id, fingerprint.map(str::to_owned));
        let (license_seq, product_seq) = (found.license.content_seq, found.product.content_seq);
        if let Some(answer) = self.answers.get(&place)
            && answer.license_seq == license_seq
            && answer.product_seq == product_seq
            && answer.key == key
            && (0..REUSE_MICROS).contains(&(now.as_micros() - answer.made_at.as_micros()))
        {
            return Ok(Arc::clone(&answer.body));
        }
        let response = self.respond(found, key, fingerprint, now)?;
        let body: Arc<[u8]> = serde_json::to_vec(&response)
            .expect("an answer has string keys")
            .into();
        let answer = Answer {
            license_seq,
            product_seq,
            made_at: now,
            key: key.to_owned(),
            body: Arc::clone(&body),
        };
        self.answers.insert(place, Arc::new(answer));
        Ok(body)
    }

    fn respond(
        &self,
        found: &Found,
        key: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<wire::ValidateResponse, InvalidFeature> {
        let state = found.state();
        // A product that was deleted after all keeps its last features.
        let product = found.product.versioned.aggregate.state();
        let none = serde_json::Map::new();
        let base = base_features(
            &state.features,
            product.map_or(&none, |product| &product.features),
        );
        let resolved = resolve(base, &state.entitlements, |_| None)?;
        let features = enabled_features(&resolved);
        let entitlements: Vec<wire::Entitlement> = resolved.into_iter().map(entitlement).collect();
        let agents: Vec<wire::Agent> = resolve_agents(base, &state.entitlements)?
            .into_iter()
            .map(|agent| wire::Agent {
                enabled: agent.is_enabled(),
                agent_code: agent.agent_code,
                token_limit: Some(agent.token_limit).filter(|limit| !limit.is_null()),
                model_tier: agent.model_tier,
            })
            .collect();
        let license = wire::ValidatedLicense {
            id: found.license_id.to_string(),
            key: key.to_owned(),
            status: LicenseStatus::Active.as_str().to_owned(),
            product_code: state.product_code.to_string(),
            customer_id: state.customer_id.to_string(),
            tier: state.tier.clone(),
            machines_limit: state.machines_limit,
            machines_used: 0,
            expires_at: state.expires_at.map(|expiry| expiry.to_string()),
            features: features.clone(),
            entitlements: state.entitlements.clone(),
            metadata: state.metadata.clone(),
        };
        let lease = self.lease(found, &license, &entitlements, &agents, fingerprint, now);
        Ok(wire::ValidateResponse {
            valid: true,
            code: "OK".to_owned(),
            message: "License is valid".to_owned(),
            license: Some(license),
            features,
            entitlements,
            agents,
            lease: Some(lease),
        })
    }

    fn lease(
        &self,
        found: &Found,
        license: &wire::ValidatedLicense,
        entitlements: &[wire::Entitlement],
        agents: &[wire::Agent],
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> wire::Lease {
        let ends = now.plus_seconds(self.lease_ttl_seconds).unwrap_or(now);
        let ends = found.state().expires_at.map_or(ends, |expiry| expiry.min(ends));
        let claims = LeaseClaims {
            iss: format!("{}/t/{}", self.issuer_prefix, found.ledger_id),
            aud: license.product_code.clone(),
            sub: license.id.clone(),
            jti: uuid_v7(now, self.entropy.bytes()).to_string(),
            iat: now.as_seconds(),
            nbf: now.as_seconds(),
            exp: ends.as_seconds(),
            tier: license.tier.clone(),
            features: license.features.clone(),
            entitlements: serde_json::to_value(entitlements).unwrap_or_default(),
            agents: serde_json::to_value(agents).unwrap_or_default(),
            fingerprint: fingerprint.map(str::to_owned),
            ledger_position: found.position,
        };
        let token = self.signer.sign(&claims);
        let signature = token.rsplit('.').next().unwrap_or_default().to_owned();
        wire::Lease {
            signature,
            token,
            payload: wire::LeasePayload {
                license_id: license.id.clone(),
                status: license.status.clone(),
                features: license.features.clone(),
                entitlements: entitlements.to_vec(),
                tier: license.tier.clone(),
                product_code: license.product_code.clone(),
                issued_at: now.to_string(),
                expires_at: license.expires_at.clone(),
            },
            // As the token has it: whole seconds.
            lease_expires_at: Timestamp::from_micros(ends.as_seconds() * 1_000_000)
                .unwrap_or(ends)
                .to_string(),
        }
    }
}

fn entitlement(entitlement: Entitlement) -> wire::Entitlement {
    wire::Entitlement {
        enabled: entitlement.is_enabled(),
        feature: entitlement.feature,
        limit: number(entitlement.limit),
        used: number(entitlement.used).unwrap_or_else(|| 0.into()),
        remaining: number(entitlement.remaining),
    }
}

/// A number, and nothing for what is none; odd values of imported records are not limits.
fn number(value: Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

fn invalid_key(error: &KeyError) -> Validation {
    refusal("INVALID_KEY", &error.to_string())
}

fn refusal(code: &'static str, message: &str) -> Validation {
    let response = wire::ValidateResponse {
        valid: false,
        code: code.to_owned(),
        message: message.to_owned(),
        license: None,
        features: vec![],
        entitlements: vec![],
        agents: vec![],
        lease: None,
    };
    let body = serde_json::to_vec(&response).expect("an answer has string keys");
    Validation {
        code,
        license: None,
        body: body.into(),
    }
}
