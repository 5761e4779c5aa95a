//! The client of an application.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::answers::Answers;
use super::builder::LicenseClientBuilder;
use super::error::Error;
use super::leases::{Leases, Stored};
use super::machine::{self, Clock};
use super::transport::{Extras, Transport};
use super::validation::Validation;
use crate::calls::{applications, customers, service};

use crate::composition::ComposedEntitlements;
use crate::lease::{self, Claims, KeySet, LeaseError};
use crate::machines::{
    ActivateRequest, ActivateResponse, DeactivateRequest, DeactivateResponse, HeartbeatRequest,
    HeartbeatResponse,
};
use crate::service::{Health, Readiness};
use crate::usage::{
    RecordUsageBatchRequest, RecordUsageBatchResponse, RecordUsageRequest, RecordUsageResponse,
};
use crate::validation::{Lease, ValidateAgentRequest, ValidateAgentResponse, ValidateRequest};

/// After these answers a license is good no longer, and so are its leases.
const REFUSALS: [&str; 4] = ["INVALID_KEY", "NOT_FOUND", "EXPIRED", "SUSPENDED"];

/// Asks a Vinzy server about a license, and goes on with a signed lease when there is no server.
///
/// Clones share connections, leases and what was answered; they are cheap, and tasks and threads may use them at the same
/// time. On a machine it needs a Tokio runtime.
///
/// Every request is sent again, after growing random pauses, when no answer comes or the server has too much to do (429,
/// 502, 503, 504), `max_retries` times at most; what the server says in `Retry-After` is kept to, up to a minute. What
/// changes something carries an idempotency key, so that the server does it once, however often it arrives.
#[derive(Clone)]
pub struct LicenseClient {
    shared: Arc<Shared>,
    key: Arc<str>,
}

/// What all clones share.
pub(crate) struct Shared {
    pub(crate) transport: Transport,
    pub(crate) answers: Answers,
    pub(crate) has_store: bool,
    pub(crate) leases: Leases,
    pub(crate) pinned: Option<KeySet>,
    pub(crate) fetched: Mutex<Option<KeySet>>,
    pub(crate) issuer: Option<String>,
    pub(crate) grace: f64,
    pub(crate) clock: Clock,
}

impl LicenseClient {
    /// A client of the server at an address, with its `VINZY_API_PREFIX` if it has one. There is none to fall back on:
    /// whatever listens on the user's own machine must not be asked by mistake.
    pub fn builder(server_url: impl Into<String>) -> LicenseClientBuilder {
        LicenseClientBuilder::new(server_url.into())
    }

    pub(crate) fn new(shared: Shared, key: &str) -> Self {
        Self {
            shared: Arc::new(shared),
            key: key.into(),
        }
    }

    /// The same client for another license key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            key: key.into(),
        }
    }

    /// The server's address.
    pub fn server_url(&self) -> &str {
        &self.shared.transport.server_url
    }

    /// Whether the license is good, and what for. With a fingerprint (what the machine is known by, 1 to 255 characters)
    /// the lease is bound to that machine.
    ///
    /// A good answer is given again for `cache_ttl`, until something is changed by this client. When there is no server, or
    /// none that could answer, the lease is asked, as [`LicenseClient::validate_offline`] does; `offline` is true then, and
    /// `cause` says why.
    ///
    /// # Errors
    /// Only what is wrong with the request itself: the fingerprint is too long, say.
    pub async fn validate(&self, fingerprint: Option<&str>) -> Result<Validation, Error> {
        let fingerprint = fingerprint.filter(|fingerprint| !fingerprint.is_empty());
        let answers = &self.shared.answers;
        if let Some(known) = answers.get(&self.key, fingerprint, self.now()) {
            return Ok(known);
        }
        let mark = answers.mark();
        let (validation, license_ends) = match self.ask(fingerprint).await {
            Ok(answer) => answer,
            Err(error) if error.is_no_answer() => {
                log::info!("the server gives no answer; the lease is asked");
                return Ok(self.offline(fingerprint, Some(error)).await);
            }
            Err(error) => return Err(error),
        };
        if !validation.valid {
            self.refused(&validation.code).await;
            return Ok(validation);
        }
        let validation = self.admitted(fingerprint, validation, license_ends).await;
        if validation.valid {
            answers.put(
                &self.key,
                fingerprint,
                self.now(),
                license_ends,
                &validation,
                mark,
            );
        }
        Ok(validation)
    }

    /// What the last lease says, without asking the server. `code` says what is wrong with a lease that is refused.
    ///
    /// It must be signed by a pinned key, or one that was fetched before; be for this product and this machine (what this
    /// client validated with last, if no fingerprint is given); not have expired, or be within the grace; and the clock must
    /// not have been set back by more than five minutes.
    pub async fn validate_offline(&self, fingerprint: Option<&str>) -> Validation {
        let fingerprint = self.fingerprint_or_last(fingerprint);
        self.offline(fingerprint.as_deref(), None).await
    }

    /// Takes a seat for a machine. Doing it again costs no other. The fingerprint stands in the ledger for good: it should
    /// name nobody.
    pub async fn activate(&self, fingerprint: &str) -> Result<ActivateResponse, Error> {
        let request = ActivateRequest {
            fingerprint: fingerprint.to_owned(),
            ..ActivateRequest::default()
        };
        self.activate_with(request, None).await
    }

    /// Takes a seat for a machine of which there is more to say. An empty `key` is this client's. An idempotency key makes
    /// repeating this very call safe, for ever, also in another process; one is made if left out.
    pub async fn activate_with(
        &self,
        request: ActivateRequest,
        idempotency_key: Option<&str>,
    ) -> Result<ActivateResponse, Error> {
        let key = self.key_or(request.key);
        let call = applications::activate(&ActivateRequest {
            key: key.clone(),
            ..request
        });
        let extras = Extras::once(idempotency_key)?;
        let _change = self.change(&key);
        self.shared.transport.send(&call, extras).await
    }

    /// Gives a machine's seat up. `success` says whether it had one.
    pub async fn deactivate(&self, fingerprint: &str) -> Result<DeactivateResponse, Error> {
        let call = applications::deactivate(&DeactivateRequest {
            key: self.key.to_string(),
            fingerprint: fingerprint.to_owned(),
        });
        let _change = self.change(&self.key);
        self.shared.transport.send(&call, Extras::once(None)?).await
    }

    /// Says that a machine is alive, and with which version of the application (at most 100 characters). `success` says
    /// whether it counts; if not, `code` says why.
    pub async fn heartbeat(
        &self,
        fingerprint: &str,
        version: Option<&str>,
    ) -> Result<HeartbeatResponse, Error> {
        let call = applications::heartbeat(&HeartbeatRequest {
            key: self.key.to_string(),
            fingerprint: fingerprint.to_owned(),
            version: version.map(str::to_owned),
        });
        // No idempotency key, which the server would have to remember for ever: a second heartbeat does no harm.
        let response = self.shared.transport.send(&call, Extras::default()).await?;
        if !response.success {
            self.shared.answers.forget(&self.key);
        }
        Ok(response)
    }

    /// Counts use: a number, or a decimal as text, of which every digit counts. A record that would pass a limit is refused
    /// (`LIMIT_EXCEEDED`) and changes nothing.
    ///
    /// The retries of this call count once; to name what must count once whoever records it, see
    /// [`LicenseClient::record_usage_with`].
    pub async fn record_usage(
        &self,
        metric: &str,
        value: impl Into<Value>,
    ) -> Result<RecordUsageResponse, Error> {
        let request = RecordUsageRequest {
            metric: metric.to_owned(),
            value: Some(value.into()),
            ..RecordUsageRequest::default()
        };
        self.record_usage_with(request).await
    }

    /// Counts use of which there is more to say. An empty `key` is this client's. Its `idempotency_key` names the use, so that
    /// it counts once, for ever, whoever records it again: an order's number, say. One is made if left out, which covers
    /// the retries of this call only.
    ///
    /// # Errors
    /// `CONFLICT`s of an idempotency key that was used for another record are [`Error::Problem`]s. After
    /// [`Error::Unreachable`] it is not known whether it was counted: record it again under the same key.
    pub async fn record_usage_with(&self, request: RecordUsageRequest) -> Result<RecordUsageResponse, Error> {
        checked_amount(&request)?;
        let key = self.key_or(request.key);
        // As header, which says the same: the server takes both from one place.
        let extras = Extras::once(request.idempotency_key.as_deref())?;
        let call = applications::record_usage(&RecordUsageRequest {
            key: key.clone(),
            idempotency_key: None,
            ..request
        });
        let _change = self.change(&key);
        self.shared.transport.send(&call, extras).await
    }

    /// Counts up to 1,000 uses at once, each by itself and in this order; an empty `key` is this client's. Records without
    /// an `idempotency_key` of their own get one for the retries of this call.
    pub async fn record_usage_batch(
        &self,
        records: Vec<RecordUsageRequest>,
    ) -> Result<RecordUsageBatchResponse, Error> {
        let mut keys = vec![];
        let records = records.into_iter().map(|record| {
            checked_amount(&record)?;
            let key = self.key_or(record.key);
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
            Ok(RecordUsageRequest { key, ..record })
        });
        let records = records.collect::<Result<_, Error>>()?;
        let _changes: Vec<_> = keys.iter().map(|key| self.change(key)).collect();
        let call = applications::record_usage_batch(&RecordUsageBatchRequest { key: None, records });
        self.shared.transport.send(&call, Extras::once(None)?).await
    }

    /// Whether the license is entitled to an agent, and what of its tokens is left. It always asks the server.
    pub async fn validate_agent(&self, agent_code: &str) -> Result<ValidateAgentResponse, Error> {
        let call = applications::validate_agent(&ValidateAgentRequest {
            key: self.key.to_string(),
            agent_code: agent_code.to_owned(),
        });
        self.shared.transport.send(&call, Extras::default()).await
    }

    /// The codes of the agents that are on, as [`LicenseClient::validate`] knows them; none if the license is not good.
    /// Without a fingerprint, for what this client validated with last.
    pub async fn entitled_agents(&self, fingerprint: Option<&str>) -> Result<Vec<String>, Error> {
        let fingerprint = self.fingerprint_or_last(fingerprint);
        let validation = self.validate(fingerprint.as_deref()).await?;
        let agents = validation.agents.into_iter();
        Ok(agents
            .filter(|agent| validation.valid && agent.enabled)
            .map(|agent| agent.agent_code)
            .collect())
    }

    /// What all active licenses of a customer amount to. Wants the client's API key.
    pub async fn composed_entitlements(&self, customer_id: &str) -> Result<ComposedEntitlements, Error> {
        let call = customers::composed(customer_id, None);
        self.shared
            .transport
            .send(&call, Extras::default().authorized())
            .await
    }

    /// Whether the server is alive, and its version.
    pub async fn health(&self) -> Result<Health, Error> {
        self.shared
            .transport
            .send(&service::health(), Extras::default())
            .await
    }

    /// Whether the server can serve. One that cannot is an [`Error::Problem`] with status 503.
    pub async fn ready(&self) -> Result<Readiness, Error> {
        self.shared
            .transport
            .send(&service::ready(), Extras::default())
            .await
    }

    /// The server's public keys, as text to pin: [`LicenseClientBuilder::pinned_jwks`].
    pub async fn jwks(&self) -> Result<String, Error> {
        let document = self.fetch_jwks().await?;
        Ok(document.to_string())
    }

    fn now(&self) -> f64 {
        self.shared.clock.now()
    }

    fn key_or(&self, key: String) -> String {
        if key.is_empty() { self.key.to_string() } else { key }
    }

    fn fingerprint_or_last(&self, fingerprint: Option<&str>) -> Option<String> {
        let given = fingerprint.filter(|fingerprint| !fingerprint.is_empty());
        given
            .map(str::to_owned)
            .or_else(|| self.shared.leases.fingerprint(&self.key))
    }

    /// Something is being changed: what was answered before is true no longer, also if the change fails half-way.
    fn change<'a>(&'a self, key: &'a str) -> Change<'a> {
        Change {
            answers: &self.shared.answers,
            key,
        }
    }

    /// The server's answer, and when the license ends.
    async fn ask(&self, fingerprint: Option<&str>) -> Result<(Validation, Option<f64>), Error> {
        let call = applications::validate(&ValidateRequest {
            key: self.key.to_string(),
            fingerprint: fingerprint.map(str::to_owned),
        });
        let response = self.shared.transport.send(&call, Extras::default()).await?;
        let ends = response
            .license
            .as_ref()
            .and_then(|license| license.expires_at.as_deref());
        let ends = match ends.map(|text| (text, machine::parse(text))) {
            Some((_, Some(ends))) => Some(ends),
            Some((text, None)) => {
                return Err(Error::UnexpectedAnswer {
                    status: 200,
                    detail: format!("{text:?} is no time"),
                });
            }
            None => None,
        };
        Ok((Validation::of_server(response), ends))
    }

    /// What to make of a server's yes: its lease is checked and kept.
    async fn admitted(
        &self,
        fingerprint: Option<&str>,
        validation: Validation,
        license_ends: Option<f64>,
    ) -> Validation {
        let pinned = self.shared.pinned.is_some();
        match self
            .keep(fingerprint, validation.lease.as_ref(), license_ends)
            .await
        {
            Ok(claims) => {
                let ends = claims.ends_at(license_ends, self.shared.grace);
                let validation = Validation {
                    offline_until: Some(machine::time(ends)),
                    ..validation
                };
                if pinned {
                    validation.with_claims(claims)
                } else {
                    validation
                }
            }
            // Whoever has not the pinned key is not the vendor's server.
            Err(error) if pinned => Validation::refused(error),
            Err(error) => {
                log::warn!("the license is good, but its lease cannot be used offline: {error}");
                validation
            }
        }
    }

    async fn keep(
        &self,
        fingerprint: Option<&str>,
        lease: Option<&Lease>,
        license_ends: Option<f64>,
    ) -> Result<Claims, LeaseError> {
        let lease = lease.ok_or(LeaseError::Malformed)?;
        let keys = self.keys(&lease::key_id(&lease.token)?).await?;
        let claims = lease::verify(&lease.token, &keys)?;
        claims.check_subject(&self.key, fingerprint, self.shared.issuer.as_deref())?;
        let now = self.now();
        if self.shared.pinned.is_some() {
            // A server that is none could show an old lease for ever.
            claims.check_time(now, now, lease::seconds(claims.exp))?;
        }
        let stored = Stored {
            token: lease.token.clone(),
            payload: match serde_json::to_value(&lease.payload) {
                Ok(Value::Object(payload)) => payload,
                _ => serde_json::Map::new(),
            },
            lease_expires_at: lease.lease_expires_at.clone(),
            license_ends,
        };
        let fingerprint = fingerprint.map(str::to_owned);
        self.with_store(move |client| {
            client
                .shared
                .leases
                .put(&client.key, fingerprint.as_deref(), stored, now);
        })
        .await;
        Ok(claims)
    }

    /// Pinned keys; or those that were fetched, fetched again if a lease names another.
    async fn keys(&self, key_id: &str) -> Result<KeySet, LeaseError> {
        if let Some(pinned) = &self.shared.pinned {
            return Ok(pinned.clone());
        }
        if let Some(fetched) = self.fetched().filter(|keys| keys.contains(key_id)) {
            return Ok(fetched);
        }
        let document = self.fetch_jwks().await.map_err(|error| {
            log::warn!("the server's public keys cannot be fetched: {error}");
            LeaseError::KeysUnavailable
        })?;
        let keys = KeySet::from_document(&document).map_err(|_| LeaseError::KeysUnavailable)?;
        self.set_fetched(keys.clone());
        self.with_store(move |client| client.shared.leases.put_jwks(document))
            .await;
        Ok(keys)
    }

    async fn fetch_jwks(&self) -> Result<Value, Error> {
        self.shared
            .transport
            .send(&applications::jwks(), Extras::default())
            .await
    }

    fn set_fetched(&self, keys: KeySet) {
        let fetched = &self.shared.fetched;
        *fetched.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }

    fn fetched(&self) -> Option<KeySet> {
        let fetched = self.shared.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.clone()
    }

    /// A license that is good no longer is so offline, too.
    async fn refused(&self, code: &str) {
        self.shared.answers.forget(&self.key);
        if REFUSALS.contains(&code) {
            self.with_store(|client| client.shared.leases.drop(&client.key))
                .await;
        }
    }

    /// What the lease says, if it can be believed.
    async fn offline(&self, fingerprint: Option<&str>, cause: Option<Error>) -> Validation {
        let fingerprint = fingerprint.map(str::to_owned);
        let found = self
            .with_store(move |client| client.ask_lease(fingerprint.as_deref()))
            .await;
        Validation {
            offline: true,
            cause: cause.map(Arc::new),
            ..found.unwrap_or_else(Validation::refused)
        }
    }

    fn ask_lease(&self, fingerprint: Option<&str>) -> Result<Validation, LeaseError> {
        let stored = self
            .shared
            .leases
            .get(&self.key, fingerprint)
            .ok_or(LeaseError::Missing)?;
        let now = self.now();
        // Also of a lease that is refused: once it was seen to have expired, an earlier time is no excuse.
        let seen = self.shared.leases.saw(now);
        let claims = lease::verify(&stored.token, &self.known_keys()?)?;
        claims.check_subject(&self.key, fingerprint, self.shared.issuer.as_deref())?;
        let ends = claims.ends_at(stored.license_ends, self.shared.grace);
        claims.check_time(now, seen, ends)?;
        let (code, message) = if now < lease::seconds(claims.exp) {
            ("OK", "The lease is valid")
        } else {
            ("LEASE_GRACE", "The lease has expired; its grace goes on")
        };
        let validation = Validation {
            valid: true,
            code: code.to_owned(),
            message: message.to_owned(),
            lease: lease_of(stored),
            offline_until: Some(machine::time(ends)),
            ..Validation::default()
        };
        Ok(validation.with_claims(claims))
    }

    fn known_keys(&self) -> Result<KeySet, LeaseError> {
        if let Some(keys) = self.shared.pinned.clone().or_else(|| self.fetched()) {
            return Ok(keys);
        }
        match self.shared.leases.jwks() {
            Some(document) => KeySet::from_document(&document).map_err(|_| LeaseError::KeysUnreadable),
            None => Ok(KeySet::default()),
        }
    }

    /// Runs what reads or writes the store where it may block.
    async fn with_store<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        if !self.shared.has_store {
            return work(self);
        }
        let client = self.clone();
        machine::blocking(move || work(&client)).await
    }
}

impl fmt::Debug for LicenseClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LicenseClient")
            .field("server_url", &self.server_url())
            .finish_non_exhaustive()
    }
}

/// Ends what was answered for a key when it goes: the change was made, or it is not known.
struct Change<'a> {
    answers: &'a Answers,
    key: &'a str,
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.answers.forget(self.key);
    }
}

/// JSON knows no NaN and no infinity: what became of them would count as 1.
fn checked_amount(request: &RecordUsageRequest) -> Result<(), Error> {
    match &request.value {
        None | Some(Value::Number(_) | Value::String(_)) => Ok(()),
        Some(_) => Err(Error::InvalidArgument {
            name: "value",
            what: "must be a number, or a decimal as text",
        }),
    }
}

/// A lease as it came; its payload is not signed, so what cannot be read of it is left out.
fn lease_of(stored: Stored) -> Option<Lease> {
    let payload = serde_json::from_value(Value::Object(stored.payload)).ok()?;
    Some(Lease {
        signature: stored.token.rsplit('.').next().unwrap_or_default().to_owned(),
        token: stored.token,
        payload,
        lease_expires_at: stored.lease_expires_at,
    })
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    fn can_be_spawned(_: impl Future + Send) {}

    #[test]
    fn whatever_is_asked_can_be_asked_by_a_task_of_its_own() {
        let client = LicenseClient::builder("http://127.0.0.1:9").build().unwrap();
        can_be_spawned(client.validate(None));
        can_be_spawned(client.validate_offline(None));
        can_be_spawned(client.activate("laptop"));
        can_be_spawned(client.deactivate("laptop"));
        can_be_spawned(client.heartbeat("laptop", None));
        can_be_spawned(client.record_usage("api_calls", 1));
        can_be_spawned(client.record_usage_batch(vec![]));
        can_be_spawned(client.validate_agent("CTO"));
        can_be_spawned(client.entitled_agents(None));
        can_be_spawned(client.composed_entitlements("1"));
        can_be_spawned(client.jwks());
    }
}
