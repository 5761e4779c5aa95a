//! What a validation answers: the license's standing now, what it is entitled to, and a lease.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use serde_json::{Map, Number, Value};
use vinzy_client::validation as wire;
use vinzy_events::agent::{AgentEntitlement, resolve_agents, tokens_metric};
use vinzy_events::entitlement::{
    Entitlement, InvalidFeature, UsageLimit, base_features, enabled_features, limit_period, resolve,
    usage_limits,
};
use vinzy_events::id::uuid_v7;
use vinzy_events::key::{KeyError, KeyRing, normalise};
use vinzy_events::lease::{LeaseClaims, LeaseSigner};
use vinzy_events::license::{LicenseState, LicenseStatus};
use vinzy_events::meter::tightest;
use vinzy_events::product::Product;
use vinzy_events::{Decimal, LicenseId, Timestamp};

use crate::clock::Entropy;
use crate::config::ServerConfig;
use crate::directory::{Directory, Found, Located};
use crate::ledger::{Feed, LedgerError};
use crate::limits::{Limited, Limits};
use crate::tenants::{Asking, Profile, Tenants};

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
    tenants: Arc<Tenants>,
    limits: Arc<Limits>,
    max_staleness: Duration,
    entropy: Entropy,
    answers: Cache<(LicenseId, Option<String>), Arc<Answer>>,
}

/// What this node knows in memory, and what keeps that up to date.
pub struct Knowledge {
    /// Licenses, products and meters.
    pub directory: Arc<Directory>,
    /// Tenants with their settings.
    pub tenants: Arc<Tenants>,
    /// Committed events.
    pub feed: Arc<Feed>,
}

/// A license that may be asked about, and whose it is.
struct Admitted {
    found: Found,
    tenant: Arc<Profile>,
}

impl Deref for Admitted {
    type Target = Found;

    fn deref(&self) -> &Found {
        &self.found
    }
}

impl Admitted {
    /// The license's ledger, and the license.
    fn place(self) -> (Arc<str>, LicenseId) {
        (self.found.ledger_id, self.found.license_id)
    }
}

/// A good answer with what it was made from.
struct Answer {
    /// Content of license, product and meters, and the tenant's settings.
    content: (u64, u64, u64, u64),
    made_at: Timestamp,
    /// When it stops being true without anything happening: a limit's period ends.
    until: Option<Timestamp>,
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

/// The outcome of asking for an agent.
pub struct AgentValidation {
    /// The outcome's code.
    pub code: &'static str,
    /// The license that was found, whatever its standing, and its ledger.
    pub license: Option<(Arc<str>, LicenseId)>,
    /// The answer.
    pub response: wire::ValidateAgentResponse,
}

/// Why a license key leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocated {
    /// It is no key of ours.
    InvalidKey(KeyError),
    /// There is no such license, or it was deleted.
    NotFound,
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
    /// The license, or its tenant, asks too much.
    #[error(transparent)]
    Limited(#[from] Limited),
}

impl Validator {
    /// A validator on what this node knows.
    pub fn new(
        knowledge: Knowledge,
        signer: LeaseSigner,
        key_ring: KeyRing,
        limits: Arc<Limits>,
        config: &ServerConfig,
        entropy: Entropy,
    ) -> Self {
        let Knowledge {
            directory,
            tenants,
            feed,
        } = knowledge;
        Self {
            directory,
            feed,
            signer,
            key_ring,
            issuer_prefix: config.ledger_origin.clone(),
            tenants,
            limits,
            max_staleness: Duration::from_secs(u64::from(config.max_staleness)),
            entropy,
            answers: Cache::new(ANSWERS),
        }
    }

    /// How old what this node knows may be.
    pub fn staleness(&self) -> Duration {
        self.feed.staleness()
    }

    /// Finds the license of a key as typed, whatever its standing. Counts against its rate limits.
    pub async fn locate(&self, typed: &str) -> Result<Result<Located, Unlocated>, ValidationError> {
        let digest = match self.key_ring.check(&normalise(typed)) {
            Ok(checked) => checked.digest,
            Err(error) => return Ok(Err(Unlocated::InvalidKey(error))),
        };
        match self.directory.locate(digest).await? {
            Some(located) if self.admit(&located.ledger_id, located.license_id)?.is_some() => Ok(Ok(located)),
            _ => Ok(Err(Unlocated::NotFound)),
        }
    }

    /// A license's tenant, if it is open. Counts a request.
    fn admit(&self, ledger_id: &str, license_id: LicenseId) -> Result<Option<Arc<Profile>>, Limited> {
        let tenant = self.tenants.of(ledger_id);
        if tenant.closed {
            return Ok(None);
        }
        self.limits.key(license_id.as_uuid())?;
        tenant.take(Asking::LicenseKey)?;
        Ok(Some(tenant))
    }

    /// Validates a license key as typed.
    pub async fn validate(
        &self,
        typed: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<Validation, ValidationError> {
        let key = normalise(typed);
        let found = match self.find(&key).await? {
            Ok(found) => found,
            Err(Unlocated::InvalidKey(error)) => return Ok(refusal("INVALID_KEY", &error.to_string())),
            Err(Unlocated::NotFound) => return Ok(refusal("NOT_FOUND", "License not found")),
        };
        let outcome = match refused(found.state().status(now)) {
            None => Validation {
                code: "OK",
                license: None,
                body: self.answer(&found, &key, fingerprint, now)?,
            },
            Some((code, message)) => refusal(code, message),
        };
        Ok(Validation {
            license: Some(found.place()),
            ..outcome
        })
    }

    /// Says whether the license of a key as typed is entitled to an agent.
    pub async fn validate_agent(
        &self,
        typed: &str,
        agent_code: &str,
        now: Timestamp,
    ) -> Result<AgentValidation, ValidationError> {
        let none = |code, message: &str| agent_answer(code, message.to_owned(), agent_code, None);
        let found = match self.find(&normalise(typed)).await? {
            Ok(found) => found,
            Err(Unlocated::InvalidKey(error)) => return Ok(none("INVALID_KEY", &error.to_string())),
            Err(Unlocated::NotFound) => return Ok(none("NOT_FOUND", "License not found")),
        };
        let answer = match refused(found.state().status(now)) {
            Some((code, message)) => none(code, message),
            None => asked_agent(&found, agent_code, now)?,
        };
        Ok(AgentValidation {
            license: Some(found.place()),
            ..answer
        })
    }

    /// A license as its application sees it. `key` is the key that was asked with.
    pub async fn seen_by_application(
        &self,
        located: &Located,
        state: &LicenseState,
        machines_used: u32,
        key: &str,
    ) -> Result<wire::ValidatedLicense, ValidationError> {
        let product = self
            .directory
            .product(located.product_id, &located.ledger_id)
            .await?;
        let none = Map::new();
        let base = own_or_product(state, &product.versioned.aggregate, &none);
        let features = enabled_features(&resolve(base, &state.entitlements, |_| None)?);
        Ok(validated(
            located.license_id,
            state,
            machines_used,
            &normalise(key),
            features,
        ))
    }

    async fn find(&self, key: &str) -> Result<Result<Admitted, Unlocated>, ValidationError> {
        let digest = match self.key_ring.check(key) {
            Ok(checked) => checked.digest,
            Err(error) => return Ok(Err(Unlocated::InvalidKey(error))),
        };
        let staleness = self.feed.staleness();
        if staleness > self.max_staleness {
            return Err(ValidationError::Stale(staleness));
        }
        let Some(found) = self.directory.find(digest).await? else {
            return Ok(Err(Unlocated::NotFound));
        };
        let tenant = self.admit(&found.ledger_id, found.license_id)?;
        Ok(tenant
            .map(|tenant| Admitted { found, tenant })
            .ok_or(Unlocated::NotFound))
    }

    /// A good answer, made before or now.
    fn answer(
        &self,
        found: &Admitted,
        key: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<[u8]>, InvalidFeature> {
        let place = (found.license_id, fingerprint.map(str::to_owned));
        let content = (
            found.license.content_seq,
            found.product.content_seq,
            found.meters.version(),
            found.tenant.version,
        );
        if let Some(answer) = self.answers.get(&place)
            && answer.content == content
            && answer.key == key
            && (0..REUSE_MICROS).contains(&(now.as_micros() - answer.made_at.as_micros()))
            && answer.until.is_none_or(|until| now < until)
        {
            return Ok(Arc::clone(&answer.body));
        }
        let (response, until) = self.respond(found, key, fingerprint, now)?;
        let body: Arc<[u8]> = serde_json::to_vec(&response)
            .expect("an answer has string keys")
            .into();
        let answer = Answer {
            content,
            made_at: now,
            until,
            key: key.to_owned(),
            body: Arc::clone(&body),
        };
        self.answers.insert(place, Arc::new(answer));
        Ok(body)
    }

    /// The answer, and when it stops being true without anything happening.
    fn respond(
        &self,
        found: &Admitted,
        key: &str,
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> Result<(wire::ValidateResponse, Option<Timestamp>), InvalidFeature> {
        let state = found.state();
        let none = Map::new();
        let base = own_or_product(state, &found.product.versioned.aggregate, &none);
        let period = |feature: &str| limit_period(base, &state.entitlements, feature);
        let used = |feature: &str| {
            let meter = found.meters.get(feature)?;
            Some(meter.used(period(feature), now).to_number())
        };
        let resolved = resolve(base, &state.entitlements, used)?;
        let ends = resolved
            .iter()
            .filter_map(|entitlement| period(&entitlement.feature));
        let until = ends.map(|period| period.end(now)).min();
        let features = enabled_features(&resolved);
        let entitlements: Vec<wire::Entitlement> = resolved.into_iter().map(entitlement).collect();
        let agents: Vec<wire::Agent> = resolve_agents(base, &state.entitlements)?
            .into_iter()
            .map(agent)
            .collect();
        let machines_used = found.license.versioned.aggregate.machines().count();
        let license = validated(found.license_id, state, machines_used, key, features.clone());
        let lease = self.lease(found, &license, &entitlements, &agents, fingerprint, now);
        let response = wire::ValidateResponse {
            valid: true,
            code: "OK".to_owned(),
            message: "License is valid".to_owned(),
            license: Some(license),
            features,
            entitlements,
            agents,
            lease: Some(lease),
        };
        Ok((response, until))
    }

    fn lease(
        &self,
        found: &Admitted,
        license: &wire::ValidatedLicense,
        entitlements: &[wire::Entitlement],
        agents: &[wire::Agent],
        fingerprint: Option<&str>,
        now: Timestamp,
    ) -> wire::Lease {
        let ends = now.plus_seconds(found.tenant.lease_ttl_seconds).unwrap_or(now);
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

/// The agents of a license by its state and its product's.
pub fn agents(state: &LicenseState, product: &Product) -> Result<Vec<wire::Agent>, InvalidFeature> {
    let none = Map::new();
    let base = own_or_product(state, product, &none);
    let agents = resolve_agents(base, &state.entitlements)?;
    Ok(agents.into_iter().map(agent).collect())
}

/// The features that a license starts from. A product that was deleted after all keeps its last features.
fn own_or_product<'a>(
    state: &'a LicenseState,
    product: &'a Product,
    none: &'a Map<String, Value>,
) -> &'a Map<String, Value> {
    base_features(
        &state.features,
        product.state().map_or(none, |product| &product.features),
    )
}

fn validated(
    id: LicenseId,
    state: &LicenseState,
    machines_used: u32,
    key: &str,
    features: Vec<String>,
) -> wire::ValidatedLicense {
    wire::ValidatedLicense {
        id: id.to_string(),
        key: key.to_owned(),
        status: LicenseStatus::Active.as_str().to_owned(),
        product_code: state.product_code.to_string(),
        customer_id: state.customer_id.to_string(),
        tier: state.tier.clone(),
        machines_limit: state.machines_limit,
        machines_used,
        expires_at: state.expires_at.map(|expiry| expiry.to_string()),
        features,
        entitlements: state.entitlements.clone(),
        metadata: state.metadata.clone(),
    }
}

/// Code and message of a status that is not in force.
pub const fn refused(status: LicenseStatus) -> Option<(&'static str, &'static str)> {
    match status {
        LicenseStatus::Active => None,
        LicenseStatus::Suspended => Some(("SUSPENDED", "License is suspended")),
        LicenseStatus::Revoked => Some(("SUSPENDED", "License has been revoked")),
        LicenseStatus::Expired => Some(("EXPIRED", "License has expired")),
    }
}

fn asked_agent(found: &Found, agent_code: &str, now: Timestamp) -> Result<AgentValidation, InvalidFeature> {
    let state = found.state();
    let none = Map::new();
    let base = own_or_product(state, &found.product.versioned.aggregate, &none);
    let agents = resolve_agents(base, &state.entitlements)?;
    let Some(agent) = agents.into_iter().find(|agent| agent.agent_code == agent_code) else {
        let message = format!("Agent {agent_code} is not entitled");
        return Ok(agent_answer("AGENT_NOT_ENTITLED", message, agent_code, None));
    };
    let metric = tokens_metric(agent_code);
    let limits = usage_limits(base, &state.entitlements, &metric);
    let meter = found.meters.get(&metric);
    let used = |period| meter.map(|meter| meter.used(period, now)).unwrap_or_default();
    let has_passed = |limit: &UsageLimit| !limit.overage && used(limit.period) > limit.amount;
    let (code, message) = if !agent.is_enabled() {
        (
            "AGENT_NOT_ENTITLED",
            format!("Agent {agent_code} is not entitled"),
        )
    } else if limits.iter().any(has_passed) {
        (
            "LIMIT_EXCEEDED",
            format!("Agent {agent_code} has passed its token limit"),
        )
    } else {
        ("OK", format!("Agent {agent_code} is entitled"))
    };
    let tokens = match tightest(&limits, used) {
        Some(standing) => (standing.used, Some(standing.remaining)),
        None => (used(None), None),
    };
    Ok(agent_answer(code, message, agent_code, Some((agent, tokens))))
}

fn agent_answer(
    code: &'static str,
    message: String,
    agent_code: &str,
    agent: Option<(AgentEntitlement, (Decimal, Option<Decimal>))>,
) -> AgentValidation {
    let (agent, tokens) = agent.unzip();
    let (used, remaining) = tokens.unzip();
    let tokens_used = used.map(|used| used.to_string().into());
    let tokens_remaining = remaining.flatten().map(|remaining| remaining.to_string().into());
    let agent = agent.map(self::agent);
    let response = wire::ValidateAgentResponse {
        valid: code == "OK",
        code: code.to_owned(),
        message,
        agent_code: agent_code.to_owned(),
        enabled: agent.as_ref().is_some_and(|agent| agent.enabled),
        token_limit: agent.as_ref().and_then(|agent| agent.token_limit.clone()),
        model_tier: agent.map(|agent| agent.model_tier),
        tokens_used,
        tokens_remaining,
    };
    AgentValidation {
        code,
        license: None,
        response,
    }
}

fn agent(agent: AgentEntitlement) -> wire::Agent {
    wire::Agent {
        enabled: agent.is_enabled(),
        agent_code: agent.agent_code,
        token_limit: Some(agent.token_limit).filter(|limit| !limit.is_null()),
        model_tier: agent.model_tier,
    }
}

/// An entitlement as answers tell it.
pub fn entitlement(entitlement: Entitlement) -> wire::Entitlement {
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
