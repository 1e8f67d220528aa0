//! TLS material: one crypto provider (ring), PEM files, and a private authority for machines without one.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::DigitallySignedStruct;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_parser::extensions::GeneralName;

use crate::clock::Clock;

/// Protocol versions spoken in both directions: TLS 1.2 and 1.3, nothing older.
pub const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Lifetime of a development server certificate. Ours: below the 398 days that browsers accept.
const SERVER_DAYS: u64 = 397;
/// Lifetime of the development authority.
const AUTHORITY_DAYS: u64 = 3650;
/// A certificate with less left than this is renewed at start.
const RENEW_BEFORE_DAYS: u64 = 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const AUTHORITY_NAME: &str = "Kontor development authority";

/// What can be wrong with TLS material.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("accessing {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file or text does not hold what it should.
    #[error("{what} is not usable PEM")]
    Pem {
        /// Where it came from.
        what: String,
        /// What the parser met.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// There is PEM, but no certificate in it.
    #[error("{what} holds no certificate")]
    NoCertificate {
        /// Where it came from.
        what: String,
    },
    /// The TLS library refuses the material.
    #[error("TLS settings are refused")]
    Rustls(#[source] rustls::Error),
    /// The roots for client certificates are refused.
    #[error("roots for client certificates are refused")]
    ClientVerifier(#[source] rustls::server::VerifierBuilderError),
    /// The development certificate cannot be made; most likely a name is not a DNS name or address.
    #[error("making the development certificate")]
    Generate(#[source] rcgen::Error),
}

/// A certificate chain with its private key. Debug shows neither.
pub struct Identity {
    /// End entity first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a certificate chain (end entity first) and its key from PEM files.
    ///
    /// # Errors
    /// Missing or unreadable files, and files without the right blocks.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain_pem = read(certificate)?;
        let key_pem = zeroize::Zeroizing::new(read(key)?);
        Ok(Self {
            chain: certificates(&chain_pem, &certificate.display().to_string())?,
            key: private_key(&key_pem, &key.display().to_string())?,
        })
    }

    /// The same from PEM texts.
    ///
    /// # Errors
    /// Texts without the right blocks.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        Ok(Self {
            chain: certificates(certificate.as_bytes(), "the certificate")?,
            key: private_key(key.as_bytes(), "the key")?,
        })
    }
}

/// All certificates of a PEM text; `what` names it in errors.
///
/// # Errors
/// Malformed PEM, or none in it.
pub fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { what: what.to_owned(), source })?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { what: what.to_owned() });
    }
    Ok(found)
}

fn private_key(pem: &[u8], what: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|source| TlsError::Pem { what: what.to_owned(), source })
}

/// The one provider of cryptography for TLS.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    install_crypto_provider();
    Arc::clone(CryptoProvider::get_default().expect("a provider was installed on the line above"))
}

/// Makes ring the process-wide provider. May be called any number of times, from anywhere.
pub fn install_crypto_provider() {
    if CryptoProvider::get_default().is_none() {
        // Losing the race against another thread installs the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// TLS for calls: the public roots compiled in and extra ones are trusted, `identity` is shown to servers that ask for a
/// certificate, `alpn` lists the protocols offered. Revocation is not checked.
///
/// # Errors
/// An extra root that is not a certificate, and an identity whose parts do not fit.
pub fn client_config(
    extra_roots: &[CertificateDer<'static>],
    identity: Option<Identity>,
    alpn: &[&[u8]],
) -> Result<rustls::ClientConfig, TlsError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in extra_roots {
        roots.add(root.clone()).map_err(TlsError::Rustls)?;
    }
    let builder = rustls::ClientConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Rustls)?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).map_err(TlsError::Rustls)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// Accepts any client certificate whose key the client holds. Whether to trust it is decided elsewhere.
#[derive(Debug)]
pub(crate) struct AnyClientCertificate {
    provider: Arc<CryptoProvider>,
}

impl AnyClientCertificate {
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ClientCertVerifier for AnyClientCertificate {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A new key, and the request to certify it. Debug shows neither.
pub struct SigningRequest {
    /// The private key on the curve P-256, PKCS #8 in DER.
    pub key_der: zeroize::Zeroizing<Vec<u8>>,
    /// The certificate signing request (PKCS #10), in PEM.
    pub request_pem: String,
}

impl std::fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningRequest").finish_non_exhaustive()
    }
}

/// Draws a P-256 key and asks for a certificate of it under a common name.
///
/// # Errors
/// [`TlsError::Generate`].
pub fn signing_request(common_name: &str) -> Result<SigningRequest, TlsError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(TlsError::Generate)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let request = params.serialize_request(&key).and_then(|request| request.pem()).map_err(TlsError::Generate)?;
    Ok(SigningRequest { key_der: zeroize::Zeroizing::new(key.serialize_der()), request_pem: request })
}

/// Development TLS: where its files are, and the identity to serve with.
#[derive(Clone, Debug)]
pub struct DevTls {
    /// The authority's certificate, for clients to trust.
    pub ca_path: PathBuf,
    /// The server certificate.
    pub certificate_path: PathBuf,
    /// The server key, readable by its owner only.
    pub key_path: PathBuf,
    /// What to serve with.
    pub identity: Identity,
}

/// Makes, or finds again, a private authority and a server certificate in `data_dir` (`ca.pem`, `ca-key.pem`, `cert.pem`,
/// `key.pem`). The certificate names localhost, 127.0.0.1, ::1 and `names`. It is renewed when the names change or less than 30
/// days remain; the authority stays the same as long as it is valid, so that clients need to trust it once.
///
/// # Errors
/// Files that cannot be written, and names that are neither DNS names nor addresses.
pub fn dev_tls(data_dir: &Path, names: &[String]) -> Result<DevTls, TlsError> {
    dev_tls_at(data_dir, names, wall_clock())
}

/// The real time, whatever the application's clock says: the other side judges validity by its own.
fn wall_clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(Clock::system().now().unsigned_abs())
}

fn dev_tls_at(data_dir: &Path, names: &[String], now: SystemTime) -> Result<DevTls, TlsError> {
    fs::create_dir_all(data_dir).map_err(|source| TlsError::File { path: data_dir.to_owned(), source })?;
    // Several processes may start on one directory; the lock ends with the file.
    let lock_path = data_dir.join("tls.lock");
    let _lock = fs::File::create(&lock_path)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|source| TlsError::File { path: lock_path, source })?;
    let paths = ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"].map(|name| data_dir.join(name));
    let [ca_path, ca_key_path, certificate_path, key_path] = paths;

    let authority_params = authority_params(now);
    let (authority_key, authority_is_new) = match existing_authority(&ca_path, &ca_key_path, now) {
        Some(key) => (key, false),
        None => {
            let key = KeyPair::generate().map_err(TlsError::Generate)?;
            let certificate = authority_params.self_signed(&key).map_err(TlsError::Generate)?;
            write_private(&ca_key_path, &key.serialize_pem())?;
            write(&ca_path, &certificate.pem())?;
            (key, true)
        }
    };

    let wanted = wanted_names(names);
    if authority_is_new || !is_current(&certificate_path, &key_path, &wanted, now) {
        let issuer = Issuer::new(authority_params, authority_key);
        let key = KeyPair::generate().map_err(TlsError::Generate)?;
        let mut params = CertificateParams::new(wanted).map_err(TlsError::Generate)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, SERVER_DAYS);
        let certificate = params.signed_by(&key, &issuer).map_err(TlsError::Generate)?;
        write_private(&key_path, &key.serialize_pem())?;
        write(&certificate_path, &certificate.pem())?;
    }
    let identity = Identity::from_files(&certificate_path, &key_path)?;
    Ok(DevTls { ca_path, certificate_path, key_path, identity })
}

fn authority_params(now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, AUTHORITY_DAYS);
    params
}

/// From yesterday, for clocks that run late, for `days`.
fn validity(params: &mut CertificateParams, now: SystemTime, days: u64) {
    let date = |time: SystemTime| {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let day = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap_or(i64::MAX))
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        rcgen::date_time_ymd(i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    params.not_before = date(now - DAY);
    params.not_after = date(now + DAY * u32::try_from(days).unwrap_or(u32::MAX));
}

fn wanted_names(names: &[String]) -> Vec<String> {
    let mut wanted: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    for name in names {
        let name = match name.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => name.to_ascii_lowercase(),
        };
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted
}

/// The authority's key, when its files are whole, belong together and last long enough.
fn existing_authority(ca_path: &Path, ca_key_path: &Path, now: SystemTime) -> Option<KeyPair> {
    let der = certificates(&fs::read(ca_path).ok()?, "ca.pem").ok()?.into_iter().next()?;
    let key = KeyPair::from_pem(&fs::read_to_string(ca_key_path).ok()?).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    let same_key = certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw();
    (same_key && lasts(&certificate, now)).then_some(key)
}

fn is_current(certificate_path: &Path, key_path: &Path, wanted: &[String], now: SystemTime) -> bool {
    let Ok(identity) = Identity::from_files(certificate_path, key_path) else {
        return false;
    };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&identity.chain[0]) else {
        return false;
    };
    let key_fits = fs::read_to_string(key_path)
        .ok()
        .and_then(|pem| KeyPair::from_pem(&pem).ok())
        .is_some_and(|key| certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw());
    let Ok(Some(san)) = certificate.subject_alternative_name() else {
        return false;
    };
    let mut present: Vec<String> = san
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address_text(bytes),
            _ => None,
        })
        .collect();
    let mut wanted = wanted.to_vec();
    present.sort_unstable();
    wanted.sort_unstable();
    key_fits && present == wanted && lasts(&certificate, now)
}

fn address_text(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| IpAddr::from(sixteen).to_string())
}

fn lasts(certificate: &x509_parser::certificate::X509Certificate<'_>, now: SystemTime) -> bool {
    let seconds = |time: SystemTime| {
        i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
    };
    let validity = certificate.validity();
    validity.not_before.timestamp() <= seconds(now)
        && validity.not_after.timestamp() > seconds(now + DAY * u32::try_from(RENEW_BEFORE_DAYS).unwrap_or(0))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    fs::write(path, text).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// Writes a file that only its owner may read, from the first byte on.
fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let attempt = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    attempt().map_err(|source| TlsError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(path: &Path) -> Vec<u8> {
        fs::read(path).unwrap()
    }

    #[test]
    fn a_second_start_finds_the_same_certificate_again() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["Kontor.Test".to_owned(), "10.1.2.3".to_owned()];
        let first = dev_tls(dir.path(), &names).unwrap();
        let second = dev_tls(dir.path(), &names).unwrap();
        assert_eq!(first.identity.chain, second.identity.chain);
    }

    #[test]
    fn processes_that_start_together_agree_on_one_authority() {
        let dir = tempfile::tempdir().unwrap();
        let chains: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..6).map(|_| scope.spawn(|| dev_tls(dir.path(), &[]).unwrap().identity.chain)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(chains.iter().all(|chain| *chain == chains[0]));
    }

    #[test]
    fn private_keys_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let tls = dev_tls(dir.path(), &[]).unwrap();
        for path in [tls.key_path, dir.path().join("ca-key.pem")] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn new_names_and_approaching_expiry_renew_the_certificate_but_not_the_authority() {
        let dir = tempfile::tempdir().unwrap();
        let now = wall_clock();
        let first = dev_tls_at(dir.path(), &[], now).unwrap();
        let ca = bytes(&first.ca_path);
        let renamed = dev_tls_at(dir.path(), &["shop.test".to_owned()], now).unwrap();
        assert_ne!(first.identity.chain, renamed.identity.chain);
        let late = dev_tls_at(dir.path(), &["shop.test".to_owned()], now + DAY * 380).unwrap();
        assert_ne!(renamed.identity.chain, late.identity.chain);
        assert_eq!(ca, bytes(&late.ca_path));
    }

    #[test]
    fn a_lost_or_foreign_authority_key_makes_a_new_authority() {
        let dir = tempfile::tempdir().unwrap();
        let first = dev_tls(dir.path(), &[]).unwrap();
        let ca = bytes(&first.ca_path);
        write_private(&dir.path().join("ca-key.pem"), &KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let second = dev_tls(dir.path(), &[]).unwrap();
        assert_ne!(ca, bytes(&second.ca_path));
        assert_ne!(first.identity.chain, second.identity.chain);
    }

    #[test]
    fn files_without_certificates_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        fs::write(&path, "nothing here").unwrap();
        let error = Identity::from_files(&path, &path).unwrap_err();
        assert!(error.to_string().contains("empty.pem"), "{error}");
    }
}
