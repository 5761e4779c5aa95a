//! Settings by what they are about.

use vinzy_client::settings::Setting;

/// The groups in their order, each with what its names begin with behind `VINZY_`.
const GROUPS: [(&str, &[&str]); 7] = [
    (
        "Secrets",
        &[
            "SECRET_KEY",
            "HMAC_KEY",
            "SIGNING_KEY",
            "API_KEY",
            "SUPER_ADMIN_KEY",
        ],
    ),
    (
        "Licenses and ledgers",
        &["LEASE_", "LEDGER_", "CHECKPOINT_", "MAX_STALENESS", "VALIDATION_"],
    ),
    (
        "Who may ask, and how often",
        &[
            "RATE_LIMIT_",
            "IP_",
            "ADMIN_",
            "TRUSTED_",
            "CORS_",
            "MAX_CONCURRENT_",
            "SESSION_",
        ],
    ),
    ("Webhooks", &["WEBHOOK_"]),
    ("Database", &["DB_", "DATA_DIR", "RUN_AS"]),
    ("Logs, metrics and traces", &["LOG", "METRICS_", "OTLP_"]),
    (
        "Server and connections",
        &[
            "ENVIRONMENT",
            "HOST",
            "PORT",
            "API_PREFIX",
            "TLS_",
            "MAX_CONNECTIONS",
            "HEADER_",
            "BODY_",
            "WRITE_",
            "IDLE_",
        ],
    ),
];

/// The settings by group, without groups that have none. What no group knows comes last.
pub fn grouped(settings: impl Iterator<Item = Setting>) -> Vec<(&'static str, Vec<Setting>)> {
    let mut groups: Vec<(&str, Vec<Setting>)> = GROUPS.iter().map(|(title, _)| (*title, vec![])).collect();
    groups.push(("Other", vec![]));
    for setting in settings {
        groups[place(&setting.name)].1.push(setting);
    }
    groups.retain(|(_, settings)| !settings.is_empty());
    groups
}

fn place(name: &str) -> usize {
    let name = name.strip_prefix("VINZY_").unwrap_or(name);
    let is_of = |begins: &[&str]| begins.iter().any(|begin| name.starts_with(begin));
    GROUPS
        .iter()
        .position(|(_, begins)| is_of(begins))
        .unwrap_or(GROUPS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_group() {
        let title = |name: &str| GROUPS.get(place(name)).map_or("Other", |(title, _)| *title);
        assert_eq!(title("VINZY_API_KEY"), "Secrets");
        assert_eq!(title("VINZY_API_PREFIX"), "Server and connections");
        assert_eq!(title("VINZY_LEDGER_PUBLIC"), "Licenses and ledgers");
        assert_eq!(title("VINZY_ADMIN_IP_ALLOWLIST"), "Who may ask, and how often");
        assert_eq!(title("VINZY_LOG"), "Logs, metrics and traces");
        assert_eq!(title("VINZY_SOMETHING_NEW"), "Other");
    }
}
