//! Settings of a tenant that differ from the server's, and the operator's own data beside them.

use leptos::prelude::*;
use serde_json::Value;
use vinzy_client::Object;

use crate::components::json::{object_text, parse_object};
use crate::components::{Choice, ChoiceField, Detail, JsonField, NumberField, TextArea};
use crate::fetch::Deed;
use crate::format;

const LEASE_TTL: &str = "lease_ttl";
const RATE_LIMIT: &str = "rate_limit_per_minute";
const LEDGER_PUBLIC: &str = "ledger_public";
const CORS_ORIGINS: &str = "cors_origins";

/// What a tenant has of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    lease_ttl: Option<Value>,
    rate_limit: Option<Value>,
    ledger_public: Option<bool>,
    cors_origins: Vec<String>,
    rest: Object,
}

impl Overrides {
    /// What the API says.
    pub fn of(object: &Object) -> Self {
        let mut rest = object.clone();
        let mut taken = |name: &str| rest.remove(name).filter(|value| !value.is_null());
        let lease_ttl = taken(LEASE_TTL);
        let rate_limit = taken(RATE_LIMIT);
        let ledger_public = taken(LEDGER_PUBLIC).and_then(|value| value.as_bool());
        let origins = taken(CORS_ORIGINS);
        let origins = origins
            .as_ref()
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        Self {
            lease_ttl,
            rate_limit,
            ledger_public,
            cors_origins: origins
                .iter()
                .filter_map(|origin| origin.as_str().map(str::to_owned))
                .collect(),
            rest,
        }
    }

    /// What the API is told.
    fn object(&self) -> Object {
        let mut object = self.rest.clone();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        };
        put(LEASE_TTL, self.lease_ttl.clone());
        put(RATE_LIMIT, self.rate_limit.clone());
        put(LEDGER_PUBLIC, self.ledger_public.map(Value::Bool));
        let origins = (!self.cors_origins.is_empty()).then(|| self.cors_origins.clone().into());
        put(CORS_ORIGINS, origins);
        object
    }

    /// Which settings differ from the server's, in words.
    pub fn names(&self) -> Vec<&'static str> {
        [
            (self.lease_ttl.is_some(), "leases"),
            (self.rate_limit.is_some(), "rate limit"),
            (self.ledger_public.is_some(), "ledger"),
            (!self.cors_origins.is_empty(), "web pages"),
        ]
        .into_iter()
        .filter_map(|(differs, name)| differs.then_some(name))
        .collect()
    }

    /// Each setting, and what it is.
    pub fn details(&self) -> impl IntoView + use<> {
        let number = |value: &Option<Value>, unit: &str, none: &str| match value {
            Some(value) => match value.as_u64() {
                Some(number) => format!("{} {unit}", format::count(number)),
                None => value.to_string(),
            },
            None => none.to_owned(),
        };
        let lease = number(&self.lease_ttl, "seconds", "As the server has it");
        let rate = number(&self.rate_limit, "a minute", "No limit of its own");
        let public = match self.ledger_public {
            Some(true) => "Anyone may read it",
            _ => "Only keys of the tenant",
        };
        let origins = if self.cors_origins.is_empty() {
            "Those that the server allows".to_owned()
        } else {
            self.cors_origins.join(", ")
        };
        view! {
            <Detail name="Leases hold">{lease}</Detail>
            <Detail name="Requests">{rate}</Detail>
            <Detail name="Ledger">{public}</Detail>
            <Detail name="Web pages that may call the API">{origins}</Detail>
        }
    }

    /// The operator's own data.
    pub fn own_data(&self) -> Option<Value> {
        (!self.rest.is_empty()).then(|| Value::Object(self.rest.clone()))
    }
}

/// Settings in the making.
#[derive(Clone, Copy)]
pub struct Draft {
    lease_ttl: RwSignal<String>,
    rate_limit: RwSignal<String>,
    ledger_public: RwSignal<String>,
    cors_origins: RwSignal<String>,
    rest: RwSignal<String>,
}

impl Draft {
    /// Begins with what there is.
    pub fn of(overrides: &Overrides) -> Self {
        let number =
            |value: &Option<Value>| RwSignal::new(value.as_ref().map(Value::to_string).unwrap_or_default());
        Self {
            lease_ttl: number(&overrides.lease_ttl),
            rate_limit: number(&overrides.rate_limit),
            ledger_public: RwSignal::new(
                overrides
                    .ledger_public
                    .map(|is| is.to_string())
                    .unwrap_or_default(),
            ),
            cors_origins: RwSignal::new(overrides.cors_origins.join("\n")),
            rest: RwSignal::new(object_text(&overrides.rest)),
        }
    }

    /// What the API is told; `None` while the operator's own data are no JSON.
    pub fn object(self) -> Option<Object> {
        let number = |text: RwSignal<String>| {
            let text = text.get_untracked();
            let text = text.trim();
            // What is no number stays as it is: the server says what is wrong with it.
            (!text.is_empty())
                .then(|| serde_json::from_slice(text.as_bytes()).unwrap_or_else(|_| text.into()))
        };
        let overrides = Overrides {
            lease_ttl: number(self.lease_ttl),
            rate_limit: number(self.rate_limit),
            ledger_public: self.ledger_public.get_untracked().parse().ok(),
            cors_origins: self
                .cors_origins
                .get_untracked()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            rest: parse_object(&self.rest.get_untracked()).ok()?,
        };
        Some(overrides.object())
    }
}

/// The fields.
#[component]
pub fn SettingsFields(draft: Draft, deed: Deed) -> impl IntoView {
    let choices = vec![
        Choice::new("", "Only keys of the tenant may read it"),
        Choice::new("true", "Anyone may read it"),
    ];
    view! {
        <div class="columns">
            <NumberField
                label="Seconds that leases hold"
                value=draft.lease_ttl
                placeholder="as the server has it"
                hint="How long an application may go on without asking again."
                error=deed.error("config_overrides.lease_ttl")
            />
            <NumberField
                label="Requests a minute"
                value=draft.rate_limit
                placeholder="no limit of its own"
                hint="Of all its API keys together, and as many of all its license keys, on each node."
                error=deed.error("config_overrides.rate_limit_per_minute")
            />
        </div>
        <ChoiceField
            label="Ledger"
            value=draft.ledger_public
            choices=Signal::stored(choices)
            hint="A public ledger lets anyone check its signed checkpoints and proofs, and read its events."
            error=deed.error("config_overrides.ledger_public")
        />
        <TextArea
            label="Web pages that may call the API"
            value=draft.cors_origins
            hint="One origin a line, such as https://app.example.com. Those that the server allows may anyway."
            error=deed.error("config_overrides.cors_origins")
            rows=2
            monospaced=true
        />
        <JsonField
            label="Own data"
            value=draft.rest
            hint="What you want to keep with the tenant, as a JSON object. It means nothing to the server."
            rows=2
        />
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_read_is_what_is_told() {
        let object = json!({
            "lease_ttl": 60, "rate_limit_per_minute": 5, "ledger_public": false,
            "cors_origins": ["https://a.example"], "plan": {"seats": 3},
        });
        let object = object.as_object().expect("it is one");
        let overrides = Overrides::of(object);
        assert_eq!(overrides.object(), *object);
        assert_eq!(overrides.names(), ["leases", "rate limit", "ledger", "web pages"]);
        assert_eq!(overrides.own_data(), Some(json!({"plan": {"seats": 3}})));
        assert_eq!(Overrides::of(&Object::new()).object(), Object::new());
    }
}
