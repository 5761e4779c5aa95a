//! Who may be called, as the operator has set it.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use super::guard::Guard;
use super::target::{Host, Target, UrlError};
use crate::config::WebhookConfig;

/// Ports on which something else than HTTP listens, and that browsers do not open for that reason (the Fetch
/// Standard's list): nobody shall make this server talk to a mail server.
const PORTS_OF_OTHERS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// The file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read, or is not PEM.
    #[error("VINZY_WEBHOOK_CA: cannot read certificates from {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// It holds nothing.
    #[error("VINZY_WEBHOOK_CA: {path} holds no certificate")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Who may be called, and by whose word receivers are known.
#[derive(Debug, Clone, Default)]
pub struct ConnectPolicy {
    pub(super) guard: Guard,
    https_only: bool,
    /// Empty: all but those of others.
    ports: Vec<RangeInclusive<u16>>,
    pub(super) roots: Vec<CertificateDer<'static>>,
}

impl ConnectPolicy {
    /// What `config` says; reads the file of certificates that it names.
    pub fn try_new(config: &WebhookConfig) -> Result<Self, PolicyError> {
        let roots = match &config.webhook_ca {
            Some(path) => certificates(path)?,
            None => vec![],
        };
        Ok(Self {
            guard: Guard::new(config.webhook_allow_cidrs.clone()),
            https_only: config.webhook_https_only,
            ports: config.webhook_ports.clone(),
            roots,
        })
    }

    /// Whether `target` may be called, as far as its URL tells.
    pub fn permit(&self, target: &Target) -> Result<(), UrlError> {
        if self.https_only && !target.encrypted {
            return Err(UrlError::NotEncrypted);
        }
        if !self.opens(target.port) {
            return Err(UrlError::Port(target.port));
        }
        if let Host::Address(address) = target.host {
            self.guard.judge(address)?;
        }
        Ok(())
    }

    fn opens(&self, port: u16) -> bool {
        if self.ports.is_empty() {
            !PORTS_OF_OTHERS.contains(&port)
        } else {
            self.ports.iter().any(|ports| ports.contains(&port))
        }
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable {
        path: path.clone(),
        source,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
    let found = found.map_err(unreadable)?;
    if found.is_empty() {
        return Err(PolicyError::Empty { path: path.clone() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(policy: &ConnectPolicy, url: &str) -> Option<UrlError> {
        policy.permit(&url.parse().unwrap()).err()
    }

    #[test]
    fn ports_of_other_protocols_are_not_opened() {
        let policy = ConnectPolicy::default();
        for port in [22, 25, 6667, 10080] {
            let url = format!("http://hooks.example:{port}/");
            assert_eq!(refused(&policy, &url), Some(UrlError::Port(port)));
        }
        for url in [
            "http://hooks.example/",
            "https://hooks.example/",
            "http://hooks.example:8099/",
        ] {
            assert_eq!(refused(&policy, url), None, "{url}");
        }
    }

    #[test]
    fn a_list_of_ports_is_all_that_is_opened() {
        let policy = ConnectPolicy {
            ports: vec![443..=443, 8000..=8099, 25..=25],
            ..ConnectPolicy::default()
        };
        for (port, opened) in [(443, true), (80, false), (8000, true), (8100, false), (25, true)] {
            let url = format!("http://hooks.example:{port}/");
            let expected = (!opened).then_some(UrlError::Port(port));
            assert_eq!(refused(&policy, &url), expected, "{port}");
        }
    }

    #[test]
    fn encryption_can_be_demanded() {
        let policy = ConnectPolicy {
            https_only: true,
            ..ConnectPolicy::default()
        };
        assert_eq!(
            refused(&policy, "http://hooks.example/"),
            Some(UrlError::NotEncrypted)
        );
        assert_eq!(refused(&policy, "https://hooks.example/"), None);
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (empty, missing) = (
            directory.path().join("empty.pem"),
            directory.path().join("none.pem"),
        );
        std::fs::write(&empty, "").unwrap();
        for (path, words) in [(empty, "holds no certificate"), (missing, "cannot read")] {
            let config = WebhookConfig {
                webhook_ca: Some(path),
                ..WebhookConfig::default()
            };
            let error = ConnectPolicy::try_new(&config).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
