//! The settings among a tenant's overrides. They are called as the server's are; other names are the operator's own
//! data and mean nothing here.

use serde_json::{Map, Value};

/// Longest life of a lease, in seconds: ten years.
const MAX_LEASE_TTL: u64 = 315_360_000;
/// Highest rate limit, in requests per minute.
const MAX_RATE: u64 = 100_000_000;
/// Most allowed origins.
const MAX_ORIGINS: usize = 100;

/// What a tenant has of its own; `None` is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// How long a lease holds, in seconds.
    pub lease_ttl: Option<u32>,
    /// Requests per minute and node, of all its API keys together, and as many of all its license keys; `None` is without
    /// limit of its own.
    pub rate_limit_per_minute: Option<u32>,
    /// Whether anyone may read its ledger's checkpoints and proofs.
    pub ledger_public: Option<bool>,
    /// Web pages from where its API may be called, beside those that the server allows.
    pub cors_origins: Vec<String>,
}

impl TenantSettings {
    /// Reads the settings; `Err` names every wrong one, with what it must be.
    pub fn read(overrides: &Map<String, Value>) -> Result<Self, Vec<(String, String)>> {
        let mut problems = vec![];
        let mut refuse = |name: &str, must: String| problems.push((name.to_owned(), must));
        let lease_ttl = number(overrides, "lease_ttl", MAX_LEASE_TTL, &mut refuse);
        let rate_limit_per_minute = number(overrides, "rate_limit_per_minute", MAX_RATE, &mut refuse);
        let ledger_public = match overrides.get("ledger_public") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(public)) => Some(*public),
            Some(_) => {
                refuse("ledger_public", "must be true or false".into());
                None
            }
        };
        let cors_origins = origins(overrides, &mut refuse);
        if problems.is_empty() {
            Ok(Self {
                lease_ttl,
                rate_limit_per_minute,
                ledger_public,
                cors_origins,
            })
        } else {
            Err(problems)
        }
    }
}

fn number(
    overrides: &Map<String, Value>,
    name: &str,
    max: u64,
    refuse: &mut impl FnMut(&str, String),
) -> Option<u32> {
    let value = overrides.get(name).filter(|value| !value.is_null())?;
    let number = value.as_u64().filter(|number| (1..=max).contains(number));
    if number.is_none() {
        refuse(name, format!("must be a whole number between 1 and {max}"));
    }
    number.and_then(|number| u32::try_from(number).ok())
}

fn origins(overrides: &Map<String, Value>, refuse: &mut impl FnMut(&str, String)) -> Vec<String> {
    let must =
        || format!("must be an array of at most {MAX_ORIGINS} origins such as https://app.example.com");
    let items = match overrides.get("cors_origins") {
        None | Some(Value::Null) => return vec![],
        Some(Value::Array(items)) if items.len() <= MAX_ORIGINS => items,
        Some(_) => {
            refuse("cors_origins", must());
            return vec![];
        }
    };
    let origins: Option<Vec<String>> = items
        .iter()
        .map(|item| item.as_str().filter(|text| is_origin(text)).map(str::to_owned))
        .collect();
    origins.unwrap_or_else(|| {
        refuse("cors_origins", must());
        vec![]
    })
}

/// Whether a text is a web page's origin as browsers send it (RFC 6454): scheme, host, and a port that is not the
/// scheme's own; lower case, without path.
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let own = if scheme == "https" { "443" } else { "80" };
    let good_port = port.is_none_or(|port| {
        port != own
            && !port.starts_with('0')
            && port.bytes().all(|b| b.is_ascii_digit())
            && port.parse::<u16>().is_ok()
    });
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good_host = match bracketed {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        }
    };
    ["https", "http"].contains(&scheme) && good_port && good_host
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<TenantSettings, Vec<(String, String)>> {
        TenantSettings::read(value.as_object().unwrap())
    }

    #[test]
    fn known_names_are_settings_and_others_are_the_operators() {
        let settings = read(json!({
            "lease_ttl": 60, "rate_limit_per_minute": 100, "ledger_public": true,
            "cors_origins": ["https://app.example.com", "http://localhost:3000"], "x": {"y": [1]},
        }));
        let expected = TenantSettings {
            lease_ttl: Some(60),
            rate_limit_per_minute: Some(100),
            ledger_public: Some(true),
            cors_origins: vec!["https://app.example.com".into(), "http://localhost:3000".into()],
        };
        assert_eq!(settings, Ok(expected));
        let nothing = json!({"lease_ttl": null, "cors_origins": null, "ledger_public": null});
        assert_eq!(read(nothing), Ok(TenantSettings::default()));
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let wrong = json!({"lease_ttl": 0, "rate_limit_per_minute": 1.5, "ledger_public": "yes", "cors_origins": ["*"]});
        let names: Vec<String> = read(wrong)
            .unwrap_err()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            [
                "lease_ttl",
                "rate_limit_per_minute",
                "ledger_public",
                "cors_origins"
            ]
        );
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in ["https://a.example", "http://localhost:8080", "https://[::1]:8443"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "*",
            "null",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "ftp://a",
            "a.example",
            "https://",
            "https://a:",
            "https://a:99999",
            "https://user@a",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
