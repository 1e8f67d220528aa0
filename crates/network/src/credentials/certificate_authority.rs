//! The network's own authority for client certificates: made once, its key sealed in the database.
//!
//! The profile of what it issues follows one certificate of Klarna's test environment (fact sheet 01 §2.4): P-256 with SHA-256,
//! `CA:FALSE` and `digitalSignature`, both critical, the account's KRN as a URI in the subject's alternative names, three years. Its
//! private usage marker is there, too, but not critical. Ours: TLS libraries that know nothing of it, the one of this end among
//! them, refuse certificates with unknown critical extensions.
//!
//! Keys, serial numbers and (by RFC 6979) signatures come from the context's randomness, so that a seed repeats them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use kit::clock::SECOND_US;
use kit::http::ApiError;
use kit::random::Random;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use protocol::PartnerAccountId;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};

use super::certificate::Usage;
use super::life::months_after;
use super::store::{self, AuthorityRow};
use crate::ctx::Ctx;
use crate::sealed::CERTIFICATE_AUTHORITY;
use crate::sole::Sole;

/// The one row of `certificate_authorities`; made as certificate and sealed key.
const ROW: Sole<AuthorityRow, (String, Vec<u8>)> = Sole {
    name: "clients",
    read: |tx, name| Box::pin(store::authority(tx, name)),
    insert: |tx, name, (certificate, sealed), now| {
        Box::pin(async move { store::insert_authority(tx, name, &certificate, &sealed, now).await })
    },
};
const ORGANIZATION: &str = "Kontor";
const COMMON_NAME: &str = "Kontor-Network-Clients-Test-CA";
/// Ours: longer than anything that it issues, however far the clock is moved.
const AUTHORITY_MONTHS: i64 = 50 * 12;
/// RULINGS §2: three years.
const CERTIFICATE_MONTHS: i64 = 3 * 12;
/// Klarna's private usage marker.
const USAGE_MARKER: [u64; 10] = [1, 3, 6, 1, 4, 1, 33194, 1, 1, 2];
const SERIAL_BYTES: usize = 16;

/// A P-256 key from the context's randomness.
pub(crate) fn draw_key(random: &Random) -> p256::SecretKey {
    loop {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut());
        // Zero and what exceeds the curve's order are no keys: one draw in four thousand million.
        if let Ok(secret) = p256::SecretKey::from_slice(bytes.as_ref()) {
            return secret;
        }
    }
}

/// The authority, opened.
pub(crate) struct Authority {
    params: CertificateParams,
    key: AuthorityKey,
    /// Its certificate.
    pub(crate) pem: String,
}

/// The authority of this process, once it was read.
#[derive(Default)]
pub(crate) struct AuthorityCache(OnceLock<Arc<Authority>>);

/// What a certificate is issued for.
pub(crate) struct Subject<'a> {
    /// The P-256 point of the key, uncompressed.
    pub public_key: &'a [u8],
    pub common_name: &'a str,
    pub account: &'a PartnerAccountId,
    pub usage: Usage,
}

/// A certificate at the moment of its issue.
pub(crate) struct Issued {
    pub der: Vec<u8>,
    pub pem: String,
    /// Microseconds UTC, whole seconds.
    pub valid_from: i64,
    /// Microseconds UTC, whole seconds.
    pub valid_to: i64,
}

/// The network's authority; made when there is none yet.
///
/// # Errors
/// [`ApiError`] when the database fails, or was begun with other secret keys.
pub(crate) async fn authority(ctx: &Ctx) -> Result<Arc<Authority>, ApiError> {
    if let Some(known) = ctx.authority.0.get() {
        return Ok(Arc::clone(known));
    }
    let making = ctx.clone();
    let row = ROW.get(ctx, move || make(&making)).await?;
    let opened = ctx.secrets.open(CERTIFICATE_AUTHORITY.place(&[ROW.name]), &row.sealed).map_err(ApiError::internal)?;
    let secret = p256::SecretKey::from_slice(&opened).map_err(ApiError::internal)?;
    let authority = Arc::new(Authority { params: params(), key: AuthorityKey::new(&secret), pem: row.certificate });
    Ok(Arc::clone(ctx.authority.0.get_or_init(|| authority)))
}

fn make(ctx: &Ctx) -> Result<(String, Vec<u8>), ApiError> {
    let secret = draw_key(&ctx.random);
    let key = AuthorityKey::new(&secret);
    let mut params = params();
    params.serial_number = Some(serial(&ctx.random));
    // A clock that lags, at somebody who looks at the chain, must not find it in the future.
    let began = year_began(ctx.clock.now());
    set_validity(&mut params, began, months_after(began, AUTHORITY_MONTHS));
    let certificate = params.self_signed(&key).map_err(ApiError::internal)?;
    let scalar = zeroize::Zeroizing::new(secret.to_bytes());
    let sealed = ctx.secrets.seal(CERTIFICATE_AUTHORITY.place(&[ROW.name]), scalar.as_slice());
    Ok((certificate.pem(), sealed))
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    /// Issues a certificate for the key of a request that was checked.
    ///
    /// # Errors
    /// [`rcgen::Error`] when the certificate cannot be written; no request that was checked causes it.
    pub(crate) fn issue(&self, random: &Random, subject: &Subject<'_>, now: i64) -> Result<Issued, rcgen::Error> {
        let valid_from = now - now.rem_euclid(SECOND_US);
        let valid_to = months_after(valid_from, CERTIFICATE_MONTHS);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject.common_name);
        params.subject_alt_names = vec![SanType::URI(subject.account.as_str().try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.custom_extensions = vec![CustomExtension::from_oid_content(&USAGE_MARKER, utf8_string(subject.usage))];
        params.serial_number = Some(serial(random));
        set_validity(&mut params, valid_from, valid_to);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&PublicPoint(subject.public_key), &issuer)?;
        Ok(Issued { der: certificate.der().to_vec(), pem: certificate.pem(), valid_from, valid_to })
    }
}

/// DER of the usage's name, which is short.
fn utf8_string(usage: Usage) -> Vec<u8> {
    let text = usage.as_str();
    let length = u8::try_from(text.len()).unwrap_or_default();
    [&[0x0c, length], text.as_bytes()].concat()
}

/// Positive, as RFC 5280 wants it.
fn serial(random: &Random) -> SerialNumber {
    let mut bytes = [0; SERIAL_BYTES];
    random.fill(&mut bytes);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn year_began(at: i64) -> i64 {
    let at = Timestamp::from_microsecond(at).unwrap_or_default().to_zoned(TimeZone::UTC);
    at.first_of_year().and_then(|first| first.start_of_day()).map_or(0, |began| began.timestamp().as_microsecond())
}

/// From and to microseconds UTC, at whole seconds.
fn set_validity(params: &mut CertificateParams, from: i64, to: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_micros(from.unsigned_abs());
    params.not_after = epoch + Duration::from_micros(to.unsigned_abs());
}

/// Signs with P-256 and SHA-256, without chance (RFC 6979).
struct AuthorityKey {
    key: p256::ecdsa::SigningKey,
    point: Vec<u8>,
}

impl AuthorityKey {
    fn new(secret: &p256::SecretKey) -> Self {
        let point = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        Self { key: p256::ecdsa::SigningKey::from(secret), point }
    }
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: p256::ecdsa::Signature = self.key.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

/// A key that is only known by its public half.
struct PublicPoint<'a>(&'a [u8]);

impl PublicKeyData for PublicPoint<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
