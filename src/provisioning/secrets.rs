//! The secrets that providers' messages are verified with, by tenant.

use std::collections::BTreeMap;

use serde::Deserialize;
use vinzy_events::purchase::Provider;

use super::signature::Key;
use crate::app::DEFAULT_LEDGER;
use crate::config::{ProvisioningConfig, Secret};

/// Characters of a secret.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// A setting with secrets is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} must be secrets of 16 to 256 characters, separated by commas, or an object of them by tenant as \
     {{\"default\": \"whsec_…\", \"acme\": [\"whsec_new\", \"whsec_old\"]}}"
)]
pub struct InvalidSecrets(&'static str);

/// All of them, of all providers. Not printed by accident.
#[derive(Debug, Clone, Default)]
pub struct ProviderSecrets(BTreeMap<(Provider, String), Vec<Key>>);

/// One secret or several, as JSON has them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    One(String),
    Several(Vec<String>),
}

impl ProviderSecrets {
    /// What `config` says.
    pub fn try_new(config: &ProvisioningConfig) -> Result<Self, InvalidSecrets> {
        let mut secrets = Self::default();
        let stripe = ("VINZY_STRIPE_WEBHOOK_SECRET", &config.stripe_webhook_secret);
        let polar = ("VINZY_POLAR_WEBHOOK_SECRET", &config.polar_webhook_secret);
        for (provider, (name, setting)) in [(Provider::Stripe, stripe), (Provider::Polar, polar)] {
            let Some(setting) = setting else { continue };
            for (tenant, texts) in by_tenant(setting).ok_or(InvalidSecrets(name))? {
                let keys = keys(provider, &texts).ok_or(InvalidSecrets(name))?;
                secrets.0.insert((provider, tenant), keys);
            }
        }
        Ok(secrets)
    }

    /// What a provider's messages for a tenant are verified with; `None` if nothing is set.
    pub fn of(&self, provider: Provider, tenant: &str) -> Option<&[Key]> {
        let keys = self.0.get(&(provider, tenant.to_owned()))?;
        Some(keys)
    }
}

fn by_tenant(setting: &Secret) -> Option<BTreeMap<String, Vec<String>>> {
    let text = setting.expose().trim();
    if !text.starts_with('{') {
        let texts = text.split(',').map(|secret| secret.trim().to_owned());
        return Some(BTreeMap::from([(DEFAULT_LEDGER.to_owned(), texts.collect())]));
    }
    let given: BTreeMap<String, Given> = serde_json::from_str(text).ok()?;
    let listed = given.into_iter().map(|(tenant, given)| match given {
        Given::One(secret) => (tenant, vec![secret]),
        Given::Several(secrets) => (tenant, secrets),
    });
    Some(listed.collect())
}

fn keys(provider: Provider, secrets: &[String]) -> Option<Vec<Key>> {
    let mut keys = vec![];
    for secret in secrets {
        if !LENGTH.contains(&secret.chars().count()) {
            return None;
        }
        match provider {
            Provider::Stripe => keys.push(Key::of_stripe(secret)),
            Provider::Polar => keys.extend(Key::of_polar(secret)),
        }
    }
    (!keys.is_empty()).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stripe: &str) -> Result<ProviderSecrets, InvalidSecrets> {
        ProviderSecrets::try_new(&ProvisioningConfig {
            stripe_webhook_secret: Some(stripe.to_owned().into()),
            ..ProvisioningConfig::default()
        })
    }

    fn count(secrets: &ProviderSecrets, tenant: &str) -> Option<usize> {
        secrets.of(Provider::Stripe, tenant).map(<[Key]>::len)
    }

    #[test]
    fn several_secrets_hold_at_a_time_and_each_tenant_has_its_own() {
        let secrets = read("whsec_0123456789abcdef, whsec_fedcba9876543210").unwrap();
        assert_eq!(count(&secrets, "default"), Some(2));
        assert_eq!(count(&secrets, "acme"), None);
        assert!(secrets.of(Provider::Polar, "default").is_none());
        let by_tenant = r#"{"acme": ["whsec_0123456789abcdef", "whsec_fedcba9876543210"], "beta": "whsec_0123456789abcdef"}"#;
        let secrets = read(by_tenant).unwrap();
        assert_eq!(count(&secrets, "acme"), Some(2));
        assert_eq!(count(&secrets, "beta"), Some(1));
        assert_eq!(count(&secrets, "default"), None);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_told() {
        for setting in [
            "",
            "short",
            "whsec_0123456789abcdef,",
            "{}x",
            r#"{"acme": []}"#,
            r#"{"acme": 7}"#,
        ] {
            let error = read(setting).unwrap_err();
            assert!(
                error.to_string().starts_with("VINZY_STRIPE_WEBHOOK_SECRET"),
                "{setting}"
            );
        }
        let secrets = read("whsec_0123456789abcdef").unwrap();
        assert!(!format!("{secrets:?}").contains("0123456789abcdef"));
    }
}
