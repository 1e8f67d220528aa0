//! Whether callers must show a client certificate (RULINGS §3, mTLS). Pure.

use super::certificate::{Validity, fingerprint};

/// How far ahead enforcement can be announced (fact sheet 01 §2.4).
pub const ANNOUNCED_MONTHS_MAX: i64 = 3;

/// `enforcement_mode`, of certificates and of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is looked at.
    NotEnabled,
    /// Answers say what was seen.
    Reporting,
    /// What does not fit is refused.
    Enforced,
}

impl Mode {
    /// As on the wire, and as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotEnabled => "NOT_ENABLED",
            Self::Reporting => "REPORTING",
            Self::Enforced => "ENFORCED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::NotEnabled, Self::Reporting, Self::Enforced].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What an account wants of its callers' certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mtls {
    /// Since there was a first certificate; microseconds UTC.
    pub since: Option<i64>,
    /// May lie ahead.
    pub enforced_from: Option<i64>,
}

impl Mtls {
    /// What holds at `now`.
    pub fn mode(&self, now: i64) -> Mode {
        match (self.since, self.enforced_from) {
            (None, _) => Mode::NotEnabled,
            (Some(_), Some(at)) if at <= now => Mode::Enforced,
            (Some(_), _) => Mode::Reporting,
        }
    }
}

/// `Klarna-Mtls-Verification-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    NotPresent,
    Valid,
    Invalid,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPresent => "NOT_PRESENT",
            Self::Valid => "VALID",
            Self::Invalid => "INVALID",
        }
    }
}

/// A certificate of an account that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub fingerprint: Vec<u8>,
    pub validity: Validity,
}

/// What to say of the certificate that a caller showed (DER); the handshake proved that the caller holds its key.
pub fn judge(shown: Option<&[u8]>, known: &[Known], now: i64) -> Status {
    let Some(der) = shown else { return Status::NotPresent };
    let fingerprint = fingerprint(der);
    let good = known.iter().any(|known| known.fingerprint == fingerprint && known.validity.is_good(now));
    if good { Status::Valid } else { Status::Invalid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enforcement_begins_at_its_time_and_not_before_there_is_a_certificate() {
        let none = Mtls::default();
        assert_eq!(none.mode(5), Mode::NotEnabled);
        let reporting = Mtls { since: Some(1), enforced_from: None };
        assert_eq!(reporting.mode(5), Mode::Reporting);
        let announced = Mtls { enforced_from: Some(10), ..reporting };
        assert_eq!((announced.mode(9), announced.mode(10)), (Mode::Reporting, Mode::Enforced));
    }

    #[test]
    fn only_a_known_and_good_certificate_is_valid() {
        let validity = Validity { from: 0, to: 100, revoked_from: Some(50) };
        let known = [Known { fingerprint: fingerprint(b"one").to_vec(), validity }];
        assert_eq!(judge(None, &known, 10), Status::NotPresent);
        assert_eq!(judge(Some(b"one"), &known, 10), Status::Valid);
        assert_eq!(judge(Some(b"one"), &known, 50), Status::Invalid);
        assert_eq!(judge(Some(b"two"), &known, 10), Status::Invalid);
    }
}
