//! TLS at the listener: which versions, whose certificate.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use kit::http::{ClientCertificates, PeerCertificate, ServeConfig, Server, ServerTls, StackConfig, stack};
use kit::outbound::{UpstreamConfig, upstream_client};
use kit::shutdown::Shutdown;
use kit::tls::{self, DevTls, Identity};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Running {
    port: u16,
    dev: DevTls,
    _dir: tempfile::TempDir,
}

impl Running {
    fn url(&self) -> String {
        format!("https://localhost:{}/who", self.port)
    }

    fn roots(&self) -> Vec<CertificateDer<'static>> {
        tls::certificates(&std::fs::read(&self.dev.ca_path).unwrap(), "ca").unwrap()
    }
}

async fn serve(client_certificates: ClientCertificates) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let dev = tls::dev_tls(dir.path(), &["js.shop.test".to_owned()]).unwrap();
    let unasked_names = vec!["js.shop.test".to_owned()];
    let tls = ServerTls { identity: dev.identity.clone(), client_certificates, unasked_names };
    let config = ServeConfig { tls: Some(tls), ..ServeConfig::default() };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
    let port = server.local_addr().port();
    let who = |request: Request| async move {
        match request.extensions().get::<PeerCertificate>() {
            Some(peer) => format!("{} {}", hex::encode(&peer.der), peer.chain_valid),
            None => "nobody".to_owned(),
        }
    };
    let router = stack(Router::new().route("/who", get(who)), StackConfig::default());
    tokio::spawn(server.run(router, Shutdown::new()));
    Running { port, dev, _dir: dir }
}

/// An authority, and a client identity issued by it.
fn client_identity() -> (CertificateDer<'static>, Identity) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    (root.der().clone(), Identity::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap())
}

async fn who(server: &Running, identity: Option<Identity>) -> Result<String, reqwest::Error> {
    let config = UpstreamConfig { extra_roots: server.roots(), identity, ..UpstreamConfig::default() };
    upstream_client(config).unwrap().get(server.url()).send().await?.text().await
}

#[tokio::test]
async fn a_trusted_client_certificate_is_seen_and_its_absence_is_no_obstacle() {
    let (root, identity) = client_identity();
    let server = serve(ClientCertificates::Verified { roots: vec![root] }).await;
    let der = hex::encode(&identity.chain[0]);
    assert_eq!(who(&server, Some(identity)).await.unwrap(), format!("{der} true"));
    assert_eq!(who(&server, None).await.unwrap(), "nobody");
    let (_, foreign) = client_identity();
    assert!(who(&server, Some(foreign)).await.is_err());
}

#[tokio::test]
async fn a_foreign_client_certificate_can_be_reported_instead_of_refused() {
    let (root, identity) = client_identity();
    let (_, foreign) = client_identity();
    let server = serve(ClientCertificates::Reported { roots: vec![root] }).await;
    assert!(who(&server, Some(identity)).await.unwrap().ends_with(" true"));
    assert!(who(&server, Some(foreign)).await.unwrap().ends_with(" false"));
    assert_eq!(who(&server, None).await.unwrap(), "nobody");
}

#[tokio::test]
async fn without_asking_no_certificate_is_seen() {
    let (_, identity) = client_identity();
    let server = serve(ClientCertificates::Ignored).await;
    assert_eq!(who(&server, Some(identity)).await.unwrap(), "nobody");
}

#[tokio::test]
async fn under_some_names_nobody_is_asked() {
    let (root, identity) = client_identity();
    let server = serve(ClientCertificates::Verified { roots: vec![root] }).await;
    let seen = async |name: &str| {
        let config = tls::client_config(&server.roots(), Some(identity.clone()), &[b"http/1.1"]).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        stream.write_all(b"GET /who HTTP/1.1\r\nhost: any\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(seen("localhost").await.contains(" true"), "asked, and shown");
    assert!(seen("JS.shop.test").await.contains("nobody"), "not asked");
}

#[tokio::test]
async fn tls_12_and_13_are_spoken_with_http2_on_offer() {
    let server = serve(ClientCertificates::Ignored).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        for root in server.roots() {
            roots.add(root).unwrap();
        }
        let mut config = rustls::ClientConfig::builder_with_provider(tls::crypto_provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
    }
}

/// A ClientHello made by hand, because our own library cannot offer old versions, and the first record that answers it.
async fn answer_to_hello(server: &Running, minor_version: u8) -> Vec<u8> {
    let extensions: [&[u8]; 3] = [
        // supported_groups: x25519, secp256r1
        &[0, 10, 0, 6, 0, 4, 0, 0x1d, 0, 0x17],
        // ec_point_formats: uncompressed
        &[0, 11, 0, 2, 1, 0],
        // signature_algorithms: ecdsa_secp256r1_sha256
        &[0, 13, 0, 4, 0, 2, 4, 3],
    ];
    let extensions = extensions.concat();
    let mut hello = vec![3, minor_version];
    hello.extend_from_slice(&[7; 32]);
    // No session, two cipher suites (ECDHE_ECDSA with AES-128-GCM, and with AES-128-CBC for old versions), no compression.
    hello.extend_from_slice(&[0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0]);
    hello.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend_from_slice(&extensions);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&u16::try_from(hello.len() + 4).unwrap().to_be_bytes());
    record.extend_from_slice(&[1, 0]);
    record.extend_from_slice(&u16::try_from(hello.len()).unwrap().to_be_bytes());
    record.extend_from_slice(&hello);

    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let mut answer = vec![0; 7];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn tls_11_and_10_are_refused_by_an_alert() {
    let server = serve(ClientCertificates::Ignored).await;
    // The same hello with version 1.2 is answered by a handshake record: it is the version that makes the difference.
    assert_eq!(answer_to_hello(&server, 3).await[0], 22);
    for minor_version in [2, 1] {
        let answer = answer_to_hello(&server, minor_version).await;
        // Record type alert, level fatal, description protocol_version.
        assert_eq!((answer[0], &answer[5..7]), (21, &[2u8, 70][..]), "{answer:?}");
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_no_http_answer() {
    let server = serve(ClientCertificates::Ignored).await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an alert.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_client_without_the_authority_does_not_trust_the_server() {
    let server = serve(ClientCertificates::Ignored).await;
    let error = upstream_client(UpstreamConfig::default()).unwrap().get(server.url()).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}
