//! Client certificates: signing requests as they are checked, and how a certificate stands in time.

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::random::Random;
use protocol::{CredentialId, PartnerAccountId};
use sha2::{Digest as _, Sha256};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;

use super::certificate_authority::{Authority, Subject};
use super::store::{self, CertificateRow};

/// Longest common name (fact sheet 01 §2.4; X.520 agrees).
const COMMON_NAME_CHARS_MAX: usize = 64;
/// Random bytes behind the account in the name of a certificate whose request had none: 16 hexadecimal digits.
const DEFAULT_NAME_BYTES: usize = 8;

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Shown in the TLS handshake.
    Mtls,
    /// Signs links into the portal and user access.
    JwtSigning,
}

impl Usage {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mtls => "MTLS",
            Self::JwtSigning => "JWT_SIGNING",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Mtls, Self::JwtSigning].into_iter().find(|usage| usage.as_str() == text)
    }
}

/// How a certificate stands (RULINGS §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Revoked,
    Expired,
}

impl State {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// When a certificate is good. Microseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: i64,
    pub to: i64,
    /// May lie ahead.
    pub revoked_from: Option<i64>,
}

impl Validity {
    /// How it stands at `now`. What was revoked before it ended stays revoked.
    pub fn state(self, now: i64) -> State {
        match self.revoked_from {
            Some(at) if at <= now && at < self.to => State::Revoked,
            _ if self.to <= now => State::Expired,
            _ => State::Active,
        }
    }

    /// Whether it can be used.
    pub fn is_good(self, now: i64) -> bool {
        self.from <= now && self.state(now) == State::Active
    }
}

/// What a certificate signing request says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    /// The P-256 point, uncompressed.
    pub public_key: Vec<u8>,
    /// `None` when the subject has none that can be used.
    pub common_name: Option<String>,
}

impl SigningRequest {
    /// Reads a request in PEM and checks that whoever made it holds the key.
    ///
    /// # Errors
    /// What is wrong, in words that follow the field's name.
    pub fn read(pem: &str) -> Result<Self, &'static str> {
        let (rest, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| "must be a certificate signing request in PEM")?;
        if !matches!(pem.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err("must be a certificate signing request, with the PEM label CERTIFICATE REQUEST");
        }
        if !rest.iter().all(u8::is_ascii_whitespace) {
            return Err("must be one certificate signing request, and nothing behind it");
        }
        let (rest, request) = X509CertificationRequest::from_der(&pem.contents)
            .map_err(|_| "must hold a certificate signing request (PKCS #10)")?;
        if !rest.is_empty() {
            return Err("must hold a certificate signing request (PKCS #10) and nothing behind it");
        }
        let info = &request.certification_request_info;
        let algorithm = &info.subject_pki.algorithm;
        let curve = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        let point = info.subject_pki.subject_public_key.data.as_ref();
        // An uncompressed point is all that requests have in practice, and all that the profile writes.
        if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) || point.len() != 65 {
            return Err("must be for an EC key on the curve prime256v1 (P-256)");
        }
        request.verify_signature().map_err(|_| "must be signed with the key that it is for")?;
        let name = info.subject.iter_common_name().next().and_then(|name| name.as_str().ok());
        let fits = |name: &&str| {
            (1..=COMMON_NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
        };
        Ok(Self { public_key: point.to_vec(), common_name: name.map(str::trim).filter(fits).map(str::to_owned) })
    }
}

/// A certificate to be issued.
pub(crate) struct NewCertificate<'a> {
    pub account: &'a PartnerAccountId,
    pub usage: Usage,
    pub request: &'a SigningRequest,
    pub description: &'a str,
}

/// Issues a certificate and stores it.
///
/// # Errors
/// [`ApiError`] when the database fails.
pub(crate) async fn issue(
    tx: &mut Tx,
    random: &Random,
    authority: &Authority,
    new: &NewCertificate<'_>,
    now: i64,
) -> Result<CertificateRow, ApiError> {
    let credential_id = CredentialId::client_certificate(random.id(now));
    let default_name = || {
        let mut bytes = [0; DEFAULT_NAME_BYTES];
        random.fill(&mut bytes);
        format!("{}-{}", new.account.short(), hex::encode(bytes))
    };
    let name = new.request.common_name.clone().unwrap_or_else(default_name);
    let subject =
        Subject { public_key: &new.request.public_key, common_name: &name, account: new.account, usage: new.usage };
    let issued = authority.issue(random, &subject, now).map_err(ApiError::internal)?;
    let row = CertificateRow {
        account_id: new.account.to_string(),
        credential_id: credential_id.to_string(),
        fingerprint: fingerprint(&issued.der).to_vec(),
        usage: new.usage.as_str().to_owned(),
        certificate: issued.pem,
        public_key: new.request.public_key.clone(),
        description: new.description.to_owned(),
        valid_from: issued.valid_from,
        valid_to: issued.valid_to,
        revoked_from: None,
        created_at: now,
        updated_at: now,
    };
    store::insert_certificate(tx, &row).await?;
    Ok(row)
}

/// What a certificate is found by.
pub(crate) fn fingerprint(der: &[u8]) -> [u8; 32] {
    Sha256::digest(der).into()
}

/// Whose signature a JWT bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSigner {
    /// The account that the certificate was issued to.
    pub account: PartnerAccountId,
    /// The P-256 point of its key, uncompressed.
    pub public_key: Vec<u8>,
}

/// The signer behind a certificate in DER, if the network's authority issued it for signing and it is good at `now`. Being, to the
/// byte, one that the authority issued is more than a chain of signatures could prove.
///
/// # Errors
/// [`DbError`].
pub async fn jwt_signer(tx: &mut Tx, der: &[u8], now: i64) -> Result<Option<JwtSigner>, DbError> {
    let row = store::certificate_by_fingerprint(tx, &fingerprint(der)).await?;
    let good = row.filter(|row| row.usage == Usage::JwtSigning.as_str() && row.validity().is_good(now));
    Ok(good.and_then(|row| {
        let account = PartnerAccountId::opaque(&row.account_id).ok()?;
        Some(JwtSigner { account, public_key: row.public_key })
    }))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

    use super::*;

    fn request(name: Option<&str>, key: &KeyPair) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.serialize_request(key).unwrap().pem().unwrap()
    }

    #[test]
    fn a_request_of_a_p256_key_is_read_with_or_without_a_name() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let read = SigningRequest::read(&request(Some("MQ7R2T9A"), &key)).unwrap();
        assert_eq!((read.common_name.as_deref(), &*read.public_key), (Some("MQ7R2T9A"), key.public_key_raw()));
        assert_eq!(SigningRequest::read(&request(None, &key)).unwrap().common_name, None);
        let long = "x".repeat(65);
        assert_eq!(SigningRequest::read(&request(Some(&long), &key)).unwrap().common_name, None);
        // As JSON carries it from Windows.
        assert!(SigningRequest::read(&request(None, &key).replace('\n', "\r\n")).is_ok());
    }

    #[test]
    fn other_keys_other_texts_and_broken_signatures_are_refused() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let good = request(None, &key);
        let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
        let mislabelled = certificate.replace("CERTIFICATE-", "CERTIFICATE REQUEST-");
        for bad in [
            "",
            "nonsense",
            &request(None, &other),
            &certificate,
            &mislabelled,
            &format!("{good}{good}"),
            &request_signed_by_another(&key),
        ] {
            assert!(SigningRequest::read(bad).is_err(), "{bad}");
        }
    }

    /// The signature's last byte changed.
    fn request_signed_by_another(key: &KeyPair) -> String {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let params = CertificateParams::default();
        let mut der = params.serialize_request(key).unwrap().der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", engine.encode(der))
    }

    #[test]
    fn a_certificate_is_good_between_its_times_and_before_its_revocation() {
        let validity = Validity { from: 10, to: 100, revoked_from: None };
        assert!(!validity.is_good(9) && validity.is_good(10) && validity.is_good(99));
        assert_eq!(validity.state(100), State::Expired);
        let revoked = Validity { revoked_from: Some(50), ..validity };
        assert!(revoked.is_good(49) && !revoked.is_good(50));
        assert_eq!((revoked.state(50), revoked.state(1000)), (State::Revoked, State::Revoked));
        let too_late = Validity { revoked_from: Some(200), ..validity };
        assert_eq!(too_late.state(1000), State::Expired);
    }
}
