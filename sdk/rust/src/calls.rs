//! Every operation of the API, as a [`Call`]. What an operation does, and who may ask for it,
//! is told in the API's own description.

#![allow(
    clippy::wildcard_imports,
    reason = "the modules below are about the types above"
)]

use crate::access::{ApiKey, CreateApiKey, LogIn, NewApiKey, RotateApiKey, Session, UpdateApiKey};
use crate::anomalies::{Anomaly, AnomalyContext, ResolveAnomaly};
use crate::audit::{
    AuditEntry, ConsistencyProof, InclusionProof, LedgerEvent, LedgerEventPage, LedgerVerification, Receipt,
    Verification,
};
use crate::call::{Call, Page, Part, encoded};
use crate::composition::ComposedEntitlements;
use crate::customers::{CreateCustomer, Customer, EraseCustomer, ErasureCertificate, UpdateCustomer};
use crate::events::EventPage;
use crate::licenses::{
    CreateLicense, IssuedLicense, License, LicenseEntitlements, Reason, RenewLicense, UpdateLicense,
};
use crate::machines::{
    ActivateRequest, ActivateResponse, DeactivateRequest, DeactivateResponse, HeartbeatRequest,
    HeartbeatResponse, Machine,
};
use crate::overview::Overview;
use crate::products::{CreateProduct, Product, UpdateProduct};
use crate::provisioning::{Mail, Purchase};
use crate::service::{Health, Readiness};
use crate::settings::Settings;
use crate::tenants::{CreateTenant, NewTenant, Tenant, UpdateTenant};
use crate::usage::{
    AgentUsage, RecordLicenseUsageRequest, RecordUsageBatchRequest, RecordUsageBatchResponse,
    RecordUsageRequest, RecordUsageResponse, UsageSeries, UsageTotal,
};
use crate::validation::{
    Agent, ValidateAgentRequest, ValidateAgentResponse, ValidateRequest, ValidateResponse,
};
use crate::webhooks::{
    CreateWebhook, NewWebhook, ReplayWebhook, RotateWebhookSecret, UpdateWebhook, Webhook, WebhookDelivery,
    WebhookDeliveryDetail, WebhookReplay,
};

macro_rules! path {
    ($format:literal, $($part:expr),+) => { format!($format, $(encoded($part)),+) };
}

/// What applications in the field ask, with a license key alone.
pub mod applications {
    use serde_json::Value;

    use super::*;

    /// Whether a license key is good, and what for.
    pub fn validate(request: &ValidateRequest) -> Call<ValidateResponse> {
        Call::post("/validate", request)
    }

    /// Whether a license is entitled to an agent.
    pub fn validate_agent(request: &ValidateAgentRequest) -> Call<ValidateAgentResponse> {
        Call::post("/validate/agent", request)
    }

    /// Takes a seat for a machine.
    pub fn activate(request: &ActivateRequest) -> Call<ActivateResponse> {
        Call::post("/activate", request)
    }

    /// Gives a machine's seat up.
    pub fn deactivate(request: &DeactivateRequest) -> Call<DeactivateResponse> {
        Call::post("/deactivate", request)
    }

    /// Says that a machine is alive.
    pub fn heartbeat(request: &HeartbeatRequest) -> Call<HeartbeatResponse> {
        Call::post("/heartbeat", request)
    }

    /// Counts use.
    pub fn record_usage(request: &RecordUsageRequest) -> Call<RecordUsageResponse> {
        Call::post("/usage/record", request)
    }

    /// Counts use several times.
    pub fn record_usage_batch(request: &RecordUsageBatchRequest) -> Call<RecordUsageBatchResponse> {
        Call::post("/usage/batch", request)
    }

    /// The public keys that leases verify with: a JWK set.
    pub fn jwks() -> Call<Value> {
        Call::get("/.well-known/jwks.json")
    }
}

/// Sessions.
pub mod session {
    use super::*;

    /// Who is asking.
    pub fn get() -> Call<Session> {
        Call::get("/session")
    }

    /// Logs in: the answer sets a cookie.
    pub fn create(api_key: &str) -> Call<Session> {
        Call::post(
            "/session",
            &LogIn {
                api_key: api_key.to_owned(),
            },
        )
    }

    /// Logs out.
    pub fn delete() -> Call<()> {
        Call::delete("/session")
    }
}

/// The service itself.
pub mod service {
    use super::*;

    /// Whether the process is alive, and its version.
    pub fn health() -> Call<Health> {
        Call::get("/health")
    }

    /// Whether it can serve.
    pub fn ready() -> Call<Readiness> {
        Call::get("/ready")
    }

    /// What it is set to.
    pub fn settings() -> Call<Settings> {
        Call::get("/settings")
    }

    /// A tenant at a glance, over so many days.
    pub fn overview(days: u32) -> Call<Overview> {
        Call::get("/overview").query("days", Some(days))
    }
}

/// Products.
pub mod products {
    use super::*;

    /// Products, those whose code or name holds `q`, if one is given.
    pub fn list(q: Option<&str>, part: &Part) -> Call<Page<Product>> {
        Call::list("/products").query("q", q).part(part)
    }

    /// One product.
    pub fn get(id: &str) -> Call<Product> {
        Call::get(path!("/products/{}", id))
    }

    /// A new product.
    pub fn create(product: &CreateProduct) -> Call<Product> {
        Call::post("/products", product)
    }

    /// Changes a product.
    pub fn update(id: &str, change: &UpdateProduct) -> Call<Product> {
        Call::patch(path!("/products/{}", id), change)
    }

    /// Deletes a product that nothing uses.
    pub fn delete(id: &str) -> Call<()> {
        Call::delete(path!("/products/{}", id))
    }
}

/// Customers.
pub mod customers {
    use super::*;

    /// Which customers to list; what is empty does not filter.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Filter {
        /// In name, address or company; or an id, or how one begins. Nobody counts what is found: [`Page::total`] is that
        /// of the page, which may be empty and have a [`Page::next`].
        pub q: Option<String>,
        /// These and no others.
        pub ids: Vec<String>,
        /// `created`, or `-created` for the newest first.
        pub sort: Option<String>,
    }

    /// Customers.
    pub fn list(filter: &Filter, part: &Part) -> Call<Page<Customer>> {
        Call::list("/customers")
            .query("q", filter.q.as_ref())
            .query("ids", Some(filter.ids.join(",")))
            .query("sort", filter.sort.as_ref())
            .part(part)
    }

    /// One customer.
    pub fn get(id: &str) -> Call<Customer> {
        Call::get(path!("/customers/{}", id))
    }

    /// A new customer.
    pub fn create(customer: &CreateCustomer) -> Call<Customer> {
        Call::post("/customers", customer)
    }

    /// Changes a customer.
    pub fn update(id: &str, change: &UpdateCustomer) -> Call<Customer> {
        Call::patch(path!("/customers/{}", id), change)
    }

    /// Deletes a customer without licenses.
    pub fn delete(id: &str) -> Call<()> {
        Call::delete(path!("/customers/{}", id))
    }

    /// Destroys a customer's personal data.
    pub fn erase(id: &str, erase: &EraseCustomer) -> Call<ErasureCertificate> {
        Call::post(path!("/customers/{}/erase", id), erase)
    }

    /// The proof that they were destroyed.
    pub fn erasure(id: &str) -> Call<ErasureCertificate> {
        Call::get(path!("/customers/{}/erasure", id))
    }

    /// What all of a customer's active licenses amount to, now or at a time.
    pub fn composed(id: &str, at: Option<&str>) -> Call<ComposedEntitlements> {
        Call::get(path!("/entitlements/composed/{}", id)).query("at", at)
    }
}

/// Licenses.
pub mod licenses {
    use super::*;

    /// Which licenses to list; what is empty does not filter.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Filter {
        /// `active`, `suspended`, `revoked` or `expired`.
        pub status: Option<String>,
        /// Code of the product.
        pub product_code: Option<String>,
        /// Whose.
        pub customer_id: Option<String>,
        /// Tier.
        pub tier: Option<String>,
        /// An id, or how one begins.
        pub q: Option<String>,
        /// SHA-256 of the license key, lower hex: a key never stands in an address.
        pub key_digest: Option<String>,
        /// Those that end after this time (RFC 3339).
        pub expires_after: Option<String>,
        /// Those that end before this time.
        pub expires_before: Option<String>,
        /// `created`, `-created`, `expires_at`, `-expires_at`.
        pub sort: Option<String>,
    }

    impl Filter {
        fn apply<T>(&self, call: Call<T>) -> Call<T> {
            call.query("status", self.status.as_ref())
                .query("product_code", self.product_code.as_ref())
                .query("customer_id", self.customer_id.as_ref())
                .query("tier", self.tier.as_ref())
                .query("q", self.q.as_ref())
                .query("key_digest", self.key_digest.as_ref())
                .query("expires_after", self.expires_after.as_ref())
                .query("expires_before", self.expires_before.as_ref())
                .query("sort", self.sort.as_ref())
        }
    }

    /// Licenses.
    pub fn list(filter: &Filter, part: &Part) -> Call<Page<License>> {
        filter.apply(Call::list("/licenses")).part(part)
    }

    /// The same, all of them, as CSV.
    pub fn csv(filter: &Filter) -> Call<String> {
        filter.apply(Call::text("/licenses.csv"))
    }

    /// One license, now or as it was at a time or a position.
    pub fn get(id: &str, at: Option<&str>) -> Call<License> {
        Call::get(path!("/licenses/{}", id)).query("at", at)
    }

    /// A new license. Its key is in the answer and nowhere else.
    pub fn issue(license: &CreateLicense) -> Call<IssuedLicense> {
        Call::post("/licenses", license)
    }

    /// Changes a license.
    pub fn update(id: &str, change: &UpdateLicense) -> Call<License> {
        Call::patch(path!("/licenses/{}", id), change)
    }

    /// Deletes a license; its history stays.
    pub fn delete(id: &str) -> Call<()> {
        Call::delete(path!("/licenses/{}", id))
    }

    /// Suspends a license.
    pub fn suspend(id: &str, reason: &Reason) -> Call<License> {
        Call::post(path!("/licenses/{}/suspend", id), reason)
    }

    /// Reinstates a suspended license.
    pub fn reinstate(id: &str, reason: &Reason) -> Call<License> {
        Call::post(path!("/licenses/{}/reinstate", id), reason)
    }

    /// Revokes a license, for good.
    pub fn revoke(id: &str, reason: &Reason) -> Call<License> {
        Call::post(path!("/licenses/{}/revoke", id), reason)
    }

    /// Moves a license's end.
    pub fn renew(id: &str, renew: &RenewLicense) -> Call<License> {
        Call::post(path!("/licenses/{}/renew", id), renew)
    }

    /// Where its entitlements come from, and how much of them was used.
    pub fn entitlements(id: &str, at: Option<&str>) -> Call<LicenseEntitlements> {
        Call::get(path!("/licenses/{}/entitlements", id)).query("at", at)
    }

    /// Its agents.
    pub fn agents(id: &str, at: Option<&str>) -> Call<Vec<Agent>> {
        Call::get(path!("/licenses/{}/agents", id)).query("at", at)
    }

    /// Its machines.
    pub fn machines(id: &str, part: &Part) -> Call<Page<Machine>> {
        Call::list(path!("/licenses/{}/machines", id)).part(part)
    }

    /// Takes a machine's seat away.
    pub fn remove_machine(id: &str, machine_id: &str) -> Call<()> {
        Call::delete(path!("/licenses/{}/machines/{}", id, machine_id))
    }

    /// Asks what an application would be told.
    pub fn validate(key: &str) -> Call<ValidateResponse> {
        let request = ValidateRequest {
            key: key.to_owned(),
            fingerprint: None,
        };
        Call::post("/validate", &request)
    }
}

/// Usage.
pub mod usage {
    use super::*;

    /// Totals of a license, now or as they were.
    pub fn totals(license_id: &str, at: Option<&str>, part: &Part) -> Call<Page<UsageTotal>> {
        Call::list(path!("/usage/{}", license_id))
            .query("at", at)
            .part(part)
    }

    /// A metric over time, by `hour` or `day`.
    pub fn series(
        license_id: &str,
        metric: &str,
        bucket: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Call<UsageSeries> {
        Call::get(path!("/usage/{}/series", license_id))
            .query("metric", Some(metric))
            .query("bucket", Some(bucket))
            .query("from", from)
            .query("to", to)
    }

    /// Counts use of a license by its id, with an API key that may.
    pub fn record(license_id: &str, request: &RecordLicenseUsageRequest) -> Call<RecordUsageResponse> {
        Call::post(path!("/licenses/{}/usage", license_id), request)
    }

    /// By agent.
    pub fn agents(license_id: &str) -> Call<AgentUsage> {
        Call::get(path!("/usage/agents/{}", license_id))
    }
}

/// Anomalies.
pub mod anomalies {
    use super::*;

    /// Which anomalies to list; what is empty does not filter.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Filter {
        /// Of which license.
        pub license_id: Option<String>,
        /// `medium`, `high` or `critical`.
        pub severity: Option<String>,
        /// Of what.
        pub metric: Option<String>,
        /// Whether somebody has dealt with it.
        pub resolved: Option<bool>,
    }

    /// Anomalies.
    pub fn list(filter: &Filter, part: &Part) -> Call<Page<Anomaly>> {
        Call::list("/anomalies")
            .query("license_id", filter.license_id.as_ref())
            .query("severity", filter.severity.as_ref())
            .query("metric", filter.metric.as_ref())
            .query("resolved", filter.resolved)
            .part(part)
    }

    /// Anomalies of a license.
    pub fn of_license(license_id: &str, part: &Part) -> Call<Page<Anomaly>> {
        Call::list(path!("/anomalies/{}", license_id)).part(part)
    }

    /// An anomaly among the values around it.
    pub fn context(id: &str) -> Call<AnomalyContext> {
        Call::get(path!("/anomalies/{}/context", id))
    }

    /// Says that it has been dealt with.
    pub fn resolve(id: &str, resolve: &ResolveAnomaly) -> Call<Anomaly> {
        Call::post(path!("/anomalies/{}/resolve", id), resolve)
    }
}

/// The audit trail and the ledger.
pub mod audit {
    use super::*;

    /// What happened to a license, newest first.
    pub fn of_license(license_id: &str, event_type: Option<&str>, part: &Part) -> Call<Page<AuditEntry>> {
        Call::list(path!("/audit/{}", license_id))
            .query("event_type", event_type)
            .part(part)
    }

    /// Verifies a license's history on the server.
    pub fn verify_license(license_id: &str) -> Call<Verification> {
        Call::get(path!("/audit/{}/verify", license_id))
    }

    /// Verifies the whole ledger on the server.
    pub fn verify_ledger() -> Call<LedgerVerification> {
        Call::get("/ledger/verify")
    }

    /// Which events of the ledger to list; what is empty does not filter.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Filter {
        /// Those before this position.
        pub before: Option<u64>,
        /// Types, or kinds such as `license.*`.
        pub types: Vec<String>,
        /// Of one stream.
        pub stream_id: Option<String>,
        /// At most so many, up to 100.
        pub limit: Option<u32>,
    }

    /// Events of the ledger, newest first.
    pub fn events(filter: &Filter) -> Call<LedgerEventPage> {
        Call::get("/ledger/events")
            .query("before", filter.before)
            .query("types", Some(filter.types.join(",")))
            .query("stream_id", filter.stream_id.as_ref())
            .query("limit", filter.limit)
    }

    /// The event at a position.
    pub fn event(position: u64) -> Call<LedgerEvent> {
        Call::get(format!("/ledger/events/{position}"))
    }

    /// The newest signed checkpoint of a tenant's ledger.
    pub fn checkpoint(tenant: &str) -> Call<String> {
        Call::text(path!("/t/{}/checkpoint", tenant))
    }

    /// The key that it verifies with.
    pub fn verifier_key(tenant: &str) -> Call<String> {
        Call::text(path!("/t/{}/vkey", tenant))
    }

    /// Proof that an event stands in the ledger.
    pub fn prove_inclusion(position: u64) -> Call<InclusionProof> {
        Call::get("/ledger/proof/inclusion").query("position", Some(position))
    }

    /// Proof that the ledger at one size is how it began at another.
    pub fn prove_consistency(from: u64, to: Option<u64>) -> Call<ConsistencyProof> {
        Call::get("/ledger/proof/consistency")
            .query("from", Some(from))
            .query("to", to)
    }

    /// An event with its proof, to keep.
    pub fn receipt(position: u64) -> Call<Receipt> {
        Call::get(format!("/ledger/receipt/{position}"))
    }
}

/// The feed of events.
pub mod events {
    use super::*;

    /// Which events to ask for; what is empty does not filter.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub struct Filter {
        /// Those after this position.
        pub after: Option<String>,
        /// At most so many.
        pub limit: Option<u32>,
        /// Types, or kinds such as `license.*`.
        pub types: Vec<String>,
        /// For so many seconds the answer waits until there is an event.
        pub wait: Option<u32>,
    }

    /// Events in order of position: ask again with `after` as the page's `next_after`.
    pub fn list(filter: &Filter) -> Call<EventPage> {
        Call::get("/events")
            .query("after", filter.after.as_ref())
            .query("limit", filter.limit)
            .query("types", Some(filter.types.join(",")))
            .query("wait", filter.wait)
    }
}

/// Purchases.
pub mod purchases {
    use super::*;

    /// Purchases with their licenses.
    pub fn list(part: &Part) -> Call<Page<Purchase>> {
        Call::list("/purchases").part(part)
    }
}

/// Mails with license keys.
pub mod mails {
    use super::*;

    /// Mails; a status of `undelivered` shows those that need somebody.
    pub fn list(status: Option<&str>, part: &Part) -> Call<Page<Mail>> {
        Call::list("/mails").part(part).query("status", status)
    }

    /// Sends a mail again.
    pub fn resend(id: &str) -> Call<Mail> {
        Call::order(path!("/mails/{}/resend", id))
    }
}

/// Webhooks.
pub mod webhooks {
    use super::*;

    /// Endpoints.
    pub fn list(part: &Part) -> Call<Page<Webhook>> {
        Call::list("/webhooks").part(part)
    }

    /// One endpoint.
    pub fn get(id: &str) -> Call<Webhook> {
        Call::get(path!("/webhooks/{}", id))
    }

    /// A new endpoint. Its secret is in the answer and nowhere else.
    pub fn create(webhook: &CreateWebhook) -> Call<NewWebhook> {
        Call::post("/webhooks", webhook)
    }

    /// Changes, pauses or resumes an endpoint.
    pub fn update(id: &str, change: &UpdateWebhook) -> Call<Webhook> {
        Call::patch(path!("/webhooks/{}", id), change)
    }

    /// Deletes an endpoint.
    pub fn delete(id: &str) -> Call<()> {
        Call::delete(path!("/webhooks/{}", id))
    }

    /// A new secret; the old one signs, too, for a while.
    pub fn rotate(id: &str, rotate: &RotateWebhookSecret) -> Call<NewWebhook> {
        Call::post(path!("/webhooks/{}/rotate", id), rotate)
    }

    /// Sends a test.
    pub fn test(id: &str) -> Call<WebhookDelivery> {
        Call::order(path!("/webhooks/{}/test", id))
    }

    /// Sends history once more.
    pub fn replay(id: &str, replay: &ReplayWebhook) -> Call<WebhookReplay> {
        Call::post(path!("/webhooks/{}/replay", id), replay)
    }

    /// Deliveries to an endpoint.
    pub fn deliveries(
        id: &str,
        status: Option<&str>,
        event_type: Option<&str>,
        part: &Part,
    ) -> Call<Page<WebhookDelivery>> {
        Call::list(path!("/webhooks/{}/deliveries", id))
            .query("status", status)
            .query("event_type", event_type)
            .part(part)
    }

    /// A delivery with its attempts.
    pub fn delivery(id: &str) -> Call<WebhookDeliveryDetail> {
        Call::get(path!("/webhooks/deliveries/{}", id))
    }

    /// Tries a delivery again.
    pub fn retry(id: &str) -> Call<WebhookDelivery> {
        Call::order(path!("/webhooks/deliveries/{}/retry", id))
    }
}

/// API keys.
pub mod api_keys {
    use super::*;

    /// API keys.
    pub fn list(part: &Part) -> Call<Page<ApiKey>> {
        Call::list("/api-keys").part(part)
    }

    /// One API key.
    pub fn get(id: &str) -> Call<ApiKey> {
        Call::get(path!("/api-keys/{}", id))
    }

    /// A new one. Its secret is in the answer and nowhere else.
    pub fn create(key: &CreateApiKey) -> Call<NewApiKey> {
        Call::post("/api-keys", key)
    }

    /// Changes one.
    pub fn update(id: &str, change: &UpdateApiKey) -> Call<ApiKey> {
        Call::patch(path!("/api-keys/{}", id), change)
    }

    /// A new secret; the old one opens, too, for a while.
    pub fn rotate(id: &str, rotate: &RotateApiKey) -> Call<NewApiKey> {
        Call::post(path!("/api-keys/{}/rotate", id), rotate)
    }

    /// Revokes one.
    pub fn delete(id: &str) -> Call<()> {
        Call::delete(path!("/api-keys/{}", id))
    }
}

/// Tenants, for the super-admin.
pub mod tenants {
    use super::*;

    /// Tenants.
    pub fn list(part: &Part) -> Call<Page<Tenant>> {
        Call::list("/tenants").part(part)
    }

    /// One tenant.
    pub fn get(id: &str) -> Call<Tenant> {
        Call::get(path!("/tenants/{}", id))
    }

    /// A new tenant. Its first API key is in the answer and nowhere else.
    pub fn create(tenant: &CreateTenant) -> Call<NewTenant> {
        Call::post("/tenants", tenant)
    }

    /// Changes a tenant.
    pub fn update(id: &str, change: &UpdateTenant) -> Call<Tenant> {
        Call::patch(path!("/tenants/{}", id), change)
    }

    /// Deletes a tenant.
    pub fn delete(id: &str) -> Call<()> {
        Call::delete(path!("/tenants/{}", id))
    }

    /// Another API key for a tenant.
    pub fn create_key(id: &str, key: &CreateApiKey) -> Call<NewApiKey> {
        Call::post(path!("/tenants/{}/api-keys", id), key)
    }
}
