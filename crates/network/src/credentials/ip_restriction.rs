//! From which addresses an account may be called (fact sheet 01 §2.5). Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use super::mtls::Mode;

/// An account's list of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpRestriction {
    pub mode: Mode,
    pub allowed: Vec<IpNet>,
}

impl Default for IpRestriction {
    fn default() -> Self {
        Self { mode: Mode::NotEnabled, allowed: Vec::new() }
    }
}

/// `Klarna-Ip-Validation-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Allowed,
    Denied,
    /// The address is not known.
    Invalid,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "ALLOWED",
            Self::Denied => "DENIED",
            Self::Invalid => "INVALID",
        }
    }
}

impl IpRestriction {
    /// From what was stored: a mode and a JSON array.
    pub(crate) fn stored(mode: &str, allowed: &str) -> Self {
        let allowed: Vec<String> = serde_json::from_str(allowed).unwrap_or_default();
        // Rows hold what was checked when it was written; an unknown mode is none.
        Self {
            mode: Mode::parse(mode).unwrap_or(Mode::NotEnabled),
            allowed: allowed.iter().filter_map(|text| read(text)).collect(),
        }
    }

    /// As it is stored and shown.
    pub fn texts(&self) -> Vec<String> {
        self.allowed.iter().map(IpNet::to_string).collect()
    }

    /// What to say of a caller's address; an empty list allows nobody.
    pub fn judge(&self, address: Option<IpAddr>) -> Status {
        let Some(address) = address.map(|address| address.to_canonical()) else { return Status::Invalid };
        let allowed = self.allowed.iter().any(|net| net.contains(&address));
        if allowed { Status::Allowed } else { Status::Denied }
    }
}

/// A range of addresses. Ours: one address stands for the range of itself, and bits behind the prefix are dropped.
pub fn read(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_both_families_allow_what_lies_in_them() {
        let list = IpRestriction::stored("REPORTING", r#"["203.0.113.0/24","2001:db8::/32","198.51.100.7"]"#);
        let judge = |text: &str| list.judge(Some(text.parse().unwrap()));
        for good in ["203.0.113.255", "2001:db8:1::1", "198.51.100.7", "::ffff:203.0.113.9"] {
            assert_eq!(judge(good), Status::Allowed, "{good}");
        }
        for bad in ["203.0.114.1", "2001:db9::1", "198.51.100.8"] {
            assert_eq!(judge(bad), Status::Denied, "{bad}");
        }
        assert_eq!(list.judge(None), Status::Invalid);
        assert_eq!(IpRestriction::default().judge(Some("203.0.113.1".parse().unwrap())), Status::Denied);
    }

    #[test]
    fn entries_are_read_leniently_and_written_strictly() {
        assert_eq!(read("203.0.113.7/24").unwrap().to_string(), "203.0.113.0/24");
        assert_eq!(read("203.0.113.7").unwrap().to_string(), "203.0.113.7/32");
        assert_eq!(read("2001:DB8::1").unwrap().to_string(), "2001:db8::1/128");
        for bad in ["", "203.0.113.0/33", "203.0.113", "anywhere", "203.0.113.0/24 "] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
