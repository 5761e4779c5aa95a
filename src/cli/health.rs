//! `vinzy health`

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use vinzy_client::calls::service;

use super::Answer;
use super::store::runtime;
use crate::http::server::read_certificates;

#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: alive and ready. 1: alive, but not ready. 2: no answer.")]
pub(super) struct Health {
    /// Address of the server, with its path prefix if it has one [default: <http://127.0.0.1:8080>, or with a
    /// certificate <https://127.0.0.1:8080>]
    #[arg(long, env = "VINZY_URL", value_name = "URL")]
    url: Option<String>,

    /// Certificates in PEM that alone are trusted: the server's own, by whatever name it is asked, or its
    /// issuer's
    #[arg(long, visible_alias = "ca", env = "VINZY_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    timeout: u64,
}

/// Trusts certificates that are known, and those that the known ones vouch for.
#[derive(Debug)]
struct Acquainted {
    known: Vec<CertificateDer<'static>>,
    vouched_for: Arc<WebPkiServerVerifier>,
}

impl Health {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        runtime()?.block_on(self.ask())
    }

    async fn ask(self) -> Result<Answer, Box<dyn Error>> {
        let timeout = Duration::from_secs(self.timeout);
        let client = http_client(timeout, self.tls_cert.as_deref())?.build()?;
        let default = match self.tls_cert {
            Some(_) => "https://127.0.0.1:8080",
            None => "http://127.0.0.1:8080",
        };
        let base = self.url.as_deref().unwrap_or(default).trim_end_matches('/');
        for path in [service::health().path, service::ready().path] {
            let response = client.get(format!("{base}{path}")).send().await?;
            let status = response.status();
            println!("{path}: {} {}", status.as_u16(), response.text().await?);
            if !status.is_success() {
                return Ok(Answer::No);
            }
        }
        Ok(Answer::Yes)
    }
}

/// A client that, if certificates are named, trusts them alone.
pub(super) fn http_client(
    timeout: Duration,
    tls_cert: Option<&Path>,
) -> Result<reqwest::ClientBuilder, Box<dyn Error>> {
    let mut client = reqwest::Client::builder().timeout(timeout);
    if let Some(file) = tls_cert {
        client = client.tls_backend_preconfigured(trusting(read_certificates(file)?)?);
    }
    Ok(client)
}

fn trusting(known: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(known.iter().cloned());
    let provider = Arc::new(default_provider());
    let vouched_for =
        WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build()?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Acquainted { known, vouched_for }))
        .with_no_client_auth();
    Ok(config)
}

impl ServerCertVerifier for Acquainted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Self-signed ones are often marked as an issuer's, which no verifier takes from a server; and a server
        // is asked for its health by another name than the one that is certified.
        if self.known.iter().any(|known| known == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.vouched_for
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.vouched_for.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.vouched_for.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.vouched_for.supported_verify_schemes()
    }
}
