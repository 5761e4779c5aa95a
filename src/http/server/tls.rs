//! The server's certificates: read from files, and read again once they are renewed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::ConnectionConfig;

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the two settings is missing.
    #[error("VINZY_TLS_CERT and VINZY_TLS_KEY go together, and {missing} is not set")]
    Incomplete {
        /// The setting.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("{path} is not valid PEM: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file lacks what it should hold.
    #[error("{path} holds no {what}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key do not work.
    #[error("the certificate in {cert} cannot be used with the key in {key}: {source}")]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// TLS with the certificates that the files hold now, or held when they were last in order.
pub(super) struct Tls {
    files: Files,
    reload: Duration,
    current: RwLock<TlsAcceptor>,
    seen: Stamps,
}

#[derive(Clone)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// When the two files were changed, and their lengths.
type Stamps = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the files that `config` names; `None` if it names none.
    pub(super) fn try_new(config: &ConnectionConfig) -> Result<Option<Self>, TlsError> {
        let missing = |missing| Err(TlsError::Incomplete { missing });
        let files = match (&config.tls_cert, &config.tls_key) {
            (None, None) => return Ok(None),
            (Some(_), None) => return missing("VINZY_TLS_KEY"),
            (None, Some(_)) => return missing("VINZY_TLS_CERT"),
            (Some(cert), Some(key)) => Files {
                cert: cert.clone(),
                key: key.clone(),
            },
        };
        let (seen, acceptor) = (files.stamps(), files.load()?);
        Ok(Some(Self {
            files,
            reload: Duration::from_secs(config.tls_reload.into()),
            current: RwLock::new(acceptor),
            seen,
        }))
    }

    /// What takes handshakes.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// Looks again and again whether the files were renewed. Handshakes from then on see the new ones; files
    /// that are not in order are told once and left alone until they change.
    pub(super) async fn keep_fresh(&self) -> ! {
        let mut seen = self.seen;
        loop {
            tokio::time::sleep(self.reload).await;
            let files = self.files.clone();
            let looked = tokio::task::spawn_blocking(move || {
                // Looked at before they are read: a change in between is noticed next time.
                let stamps = files.stamps();
                (stamps != seen).then(|| (stamps, files.load()))
            });
            let Ok(Some((stamps, loaded))) = looked.await else {
                continue;
            };
            seen = stamps;
            match loaded {
                Ok(acceptor) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
                    tracing::info!(cert = %self.files.cert.display(), "renewed certificate taken");
                }
                Err(error) => tracing::error!(%error, "renewed certificate refused, the old one is kept"),
            }
        }
    }
}

impl Files {
    fn stamps(&self) -> Stamps {
        [&self.cert, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    fn load(&self) -> Result<TlsAcceptor, TlsError> {
        let certificates = read_certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|source| match source {
            pem::Error::NoItemsFound => lacks(&self.key, "private key that is not encrypted"),
            source => malformed(&self.key, source),
        })?;
        let unusable = |source| TlsError::Unusable {
            cert: self.cert.clone(),
            key: self.key.clone(),
            source,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

/// Reads the certificates of a PEM file, of which there is at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|source| malformed(path, source))?;
    if certificates.is_empty() {
        return Err(lacks(path, "certificate"));
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn malformed(path: &Path, source: pem::Error) -> TlsError {
    TlsError::Malformed {
        path: path.to_owned(),
        source,
    }
}

fn lacks(path: &Path, what: &'static str) -> TlsError {
    TlsError::Missing {
        path: path.to_owned(),
        what,
    }
}
