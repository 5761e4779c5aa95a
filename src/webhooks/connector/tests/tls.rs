use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An issuer that is in a file, and a receiver with a certificate of its for `names`.
async fn start(names: &[&str]) -> (tempfile::TempDir, SocketAddr, mpsc::UnboundedReceiver<String>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();

    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (got, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                continue;
            };
            let asked_for = stream.get_ref().1.server_name().map(ToOwned::to_owned);
            let request = read_request(&mut stream).await;
            let _ = got.send(format!("SNI {asked_for:?}\r\n{request}"));
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
            let _ = stream.shutdown().await;
        }
    });
    (directory, address, requests)
}

fn trusting(directory: &tempfile::TempDir) -> Connector {
    let config = WebhookConfig {
        webhook_allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()],
        webhook_ca: Some(directory.path().join("ca.pem")),
        ..WebhookConfig::default()
    };
    let policy = ConnectPolicy::try_new(&config).unwrap();
    Connector::with_resolver(policy, Script::new(&[&["127.0.0.1"]]))
}

#[tokio::test]
async fn the_names_of_the_url_are_shown_although_the_address_is_chosen() {
    let (directory, address, mut requests) = start(&["hooks.example"]).await;
    for host in ["hooks.example", "hooks.example."] {
        let url = format!("https://{host}:{}/in", address.port());
        let delivered = post(&trusting(&directory), &url, LONG).await.unwrap();
        assert_eq!((delivered.status, delivered.address), (200, address));
        let request = requests.recv().await.unwrap();
        assert!(
            request.starts_with("SNI Some(\"hooks.example\")\r\n"),
            "{request}"
        );
        assert!(
            request.contains(&format!("host: {host}:{}\r\n", address.port())),
            "{request}"
        );
    }
}

#[tokio::test]
async fn an_address_is_certified_as_one() {
    let (directory, address, _requests) = start(&["127.0.0.1"]).await;
    let delivered = post(&trusting(&directory), &format!("https://{address}/in"), LONG).await;
    assert_eq!(delivered.unwrap().status, 200);
}

#[tokio::test]
async fn somebody_elses_certificate_is_refused() {
    let (directory, address, mut requests) = start(&["other.example"]).await;
    let url = format!("https://hooks.example:{}/in", address.port());
    let error = post(&trusting(&directory), &url, LONG).await.unwrap_err();
    assert_eq!((error.kind, error.address), (PostErrorKind::Tls, Some(address)));
    assert!(error.detail.contains("not valid for name"), "{error}");
    // The connector of the other tests does not know the issuer.
    let url = format!("https://other.example:{}/in", address.port());
    let error = post(&connector(), &url, LONG).await.unwrap_err();
    assert!(error.detail.contains("UnknownIssuer"), "{error}");
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_receiver_without_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/in", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let _ = tcp.write_all(b"HTTP/1.1 400 Not encrypted\r\n\r\n").await;
        let _ = tcp.read(&mut [0; 1024]).await;
    });
    let error = post(&connector(), &url, LONG).await.unwrap_err();
    assert_eq!(error.kind, PostErrorKind::Tls, "{error}");
}
