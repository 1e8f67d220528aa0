//! What an account asks of its callers beside a key: where they call from, and which certificate they show.
//!
//! Read with the key and believed as long, so that a call costs nothing more, and changes hold within a second.

use std::net::IpAddr;

use axum::extract::Request;
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::db::{DbError, Tx};
use kit::http::{ApiError, PeerAddr, PeerCertificate};
use protocol::ErrorCode;
use protocol::header::{KLARNA_IP_VALIDATION_STATUS, KLARNA_MTLS_VERIFICATION_STATUS};

use super::ip_restriction::{self, IpRestriction};
use super::mtls::{self, Known, Mode, Mtls};
use super::store::{self, ProtectionRow};
use crate::operation::forbidden;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    pub ip: IpRestriction,
    pub mtls: Mtls,
    /// The certificates that may be shown.
    pub certificates: Vec<Known>,
}

/// How a caller was connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Of the other side of the connection. Ours: no header of a proxy is believed, because there is no setting that names one.
    pub address: Option<IpAddr>,
    /// What it showed in the handshake, in DER.
    pub certificate: Option<bytes::Bytes>,
}

impl Connection {
    /// As the listener noted it.
    pub fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        Self {
            address: extensions.get::<PeerAddr>().map(|peer| peer.0.ip()),
            certificate: extensions.get::<PeerCertificate>().map(|shown| shown.der.clone()),
        }
    }
}

/// What the answer says of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    mtls: Option<mtls::Status>,
    ip: Option<ip_restriction::Status>,
    refused: Option<Refused>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Certificate,
    Address,
}

impl Protection {
    /// Looks at a caller's connection.
    pub fn judge(&self, connection: &Connection, now: i64) -> Verdict {
        let mut verdict = Verdict::default();
        let mtls_mode = self.mtls.mode(now);
        if mtls_mode != Mode::NotEnabled {
            let status = mtls::judge(connection.certificate.as_deref(), &self.certificates, now);
            verdict.mtls = Some(status);
            if mtls_mode == Mode::Enforced && status != mtls::Status::Valid {
                verdict.refused = Some(Refused::Certificate);
            }
        }
        if self.ip.mode != Mode::NotEnabled {
            let status = self.ip.judge(connection.address);
            match self.ip.mode {
                Mode::Enforced if status != ip_restriction::Status::Allowed => {
                    verdict.refused = verdict.refused.or(Some(Refused::Address));
                }
                // The header is absent while the list is enforced.
                Mode::Enforced => {}
                Mode::NotEnabled | Mode::Reporting => verdict.ip = Some(status),
            }
        }
        verdict
    }
}

impl Protection {
    /// Whether the list of addresses lets this connection through, whatever certificates are asked for: where there are none to show.
    pub(super) fn admits_address(&self, connection: &Connection) -> bool {
        self.ip.mode != Mode::Enforced || self.ip.judge(connection.address) == ip_restriction::Status::Allowed
    }
}

impl Verdict {
    /// Whether the call may go on.
    ///
    /// # Errors
    /// 401 without a valid certificate where one is enforced, 403 from an address that is not allowed (RULINGS 1.6).
    pub fn admit(self) -> Result<(), ApiError> {
        match self.refused {
            None => Ok(()),
            Some(Refused::Certificate) => Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                ErrorCode::Unauthorized.as_str().to_owned(),
                "This account enforces mTLS, and the connection showed none of its valid client certificates.",
            )),
            Some(Refused::Address) => {
                Err(forbidden("This account may be called from certain addresses only, and this is none of them."))
            }
        }
    }

    /// Tells the caller what was seen.
    pub fn write_headers(self, headers: &mut HeaderMap) {
        if let Some(status) = self.mtls {
            headers.insert(KLARNA_MTLS_VERIFICATION_STATUS, HeaderValue::from_static(status.as_str()));
        }
        if let Some(status) = self.ip {
            headers.insert(KLARNA_IP_VALIDATION_STATUS, HeaderValue::from_static(status.as_str()));
        }
    }
}

/// What an account asks, by itself.
///
/// # Errors
/// [`DbError`].
pub(super) async fn read(tx: &mut Tx, account: &str) -> Result<Protection, DbError> {
    let row = store::protection(tx, account).await?;
    Ok(row.map_or_else(Protection::default, |row| Protection::stored(&row)))
}

pub(super) async fn write(tx: &mut Tx, account: &str, protection: &Protection, now: i64) -> Result<(), DbError> {
    let row = ProtectionRow {
        ip_mode: protection.ip.mode.as_str().to_owned(),
        allowed_ips: serde_json::json!(protection.ip.texts()).to_string(),
        mtls_since: protection.mtls.since,
        mtls_enforced_from: protection.mtls.enforced_from,
    };
    store::put_protection(tx, account, &row, now).await
}

/// An account has a certificate to show: from now on answers say what was shown.
pub(super) async fn begin_mtls(tx: &mut Tx, account: &str, now: i64) -> Result<(), DbError> {
    let mut protection = read(tx, account).await?;
    if protection.mtls.since.is_some() {
        return Ok(());
    }
    protection.mtls.since = Some(now);
    write(tx, account, &protection, now).await
}

impl Protection {
    /// Without the certificates.
    pub(super) fn stored(row: &ProtectionRow) -> Self {
        Self {
            ip: IpRestriction::stored(&row.ip_mode, &row.allowed_ips),
            mtls: Mtls { since: row.mtls_since, enforced_from: row.mtls_enforced_from },
            certificates: Vec::new(),
        }
    }
}
