//! Who gets credit: Klarna's published test customers decide (sheet 03 §12), everybody else is approved.
//!
//! A [`Persona`] is what of a customer's identity decides; the identity itself is not kept.

use std::fmt;
use std::str::FromStr;

use protocol::payments::SupplementaryPurchaseData;

/// How a test customer behaves. Its text form is stored with grants, tokens and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Persona {
    /// Approved at once.
    #[default]
    Approved,
    /// Approved, and unknown to Klarna until the journey.
    NewUser,
    /// Refused at once.
    Denied,
    /// Approved after this many seconds.
    PendingApproved(u16),
    /// Refused after this many seconds.
    PendingDenied(u16),
}

/// The longest wait that a persona can ask for, in seconds: two digits.
const WAIT_S_MAX: u16 = 99;

impl Persona {
    /// Decides by e-mail first, then by phone; `None` when neither is one of the published identities.
    pub fn of(email: Option<&str>, phone: Option<&str>) -> Option<Self> {
        email.and_then(Self::of_email).or_else(|| phone.and_then(Self::of_phone))
    }

    /// The persona that purchase data names, by `customer.email` (RULINGS "Verdict").
    pub fn of_purchase(data: Option<&SupplementaryPurchaseData>) -> Option<Self> {
        data?.customer.as_ref()?.email.as_deref().and_then(Self::of_email)
    }

    /// Matches the `+` tokens of the local part, in whatever order and mixture: `customer+denied@email.se`.
    pub fn of_email(email: &str) -> Option<Self> {
        let (local, _) = email.rsplit_once('@')?;
        let (_, tokens) = local.split_once('+')?;
        let mut found = None;
        for token in tokens.split('+') {
            let token = token.to_ascii_lowercase();
            let persona = match token.as_str() {
                // Ours: `red` and the effect of `reject_reason_*` outside the US are not published.
                "denied" | "red" => Self::Denied,
                "new_user" | "require_signup" => Self::NewUser,
                _ if token.starts_with("reject_reason_") => Self::Denied,
                _ => match Self::of_pending(&token) {
                    Some(persona) => persona,
                    None => continue,
                },
            };
            // A refusal outweighs whatever else stands beside it.
            if persona == Self::Denied || found.is_none() {
                found = Some(persona);
            }
        }
        found
    }

    /// `pend-accept-NN` and `pend-reject-NN`. Ours: NN counts seconds.
    fn of_pending(token: &str) -> Option<Self> {
        let (make, digits): (fn(u16) -> Self, _) = match token.strip_prefix("pend-accept-") {
            Some(digits) => (Self::PendingApproved, digits),
            None => (Self::PendingDenied, token.strip_prefix("pend-reject-")?),
        };
        let wait: u16 = digits.parse().ok()?;
        (wait <= WAIT_S_MAX).then(|| make(wait))
    }

    /// Matches the phone table; spaces and punctuation don't count.
    pub fn of_phone(phone: &str) -> Option<Self> {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        PHONES.iter().find(|(number, _)| *number == digits).map(|(_, persona)| *persona)
    }

    /// The verdict itself.
    pub fn approves(self) -> bool {
        match self {
            Self::Approved | Self::NewUser | Self::PendingApproved(_) => true,
            Self::Denied | Self::PendingDenied(_) => false,
        }
    }

    /// Seconds until the verdict.
    pub fn wait_s(self) -> u16 {
        match self {
            Self::PendingApproved(wait) | Self::PendingDenied(wait) => wait,
            Self::Approved | Self::NewUser | Self::Denied => 0,
        }
    }

    /// The same persona once its wait is over: a stored customer is not kept waiting again.
    #[must_use]
    pub fn settled(self) -> Self {
        match self {
            Self::PendingApproved(_) => Self::Approved,
            Self::PendingDenied(_) => Self::Denied,
            Self::Approved | Self::NewUser | Self::Denied => self,
        }
    }
}

/// The published phones, digits only (sheet 03 §12.2).
const PHONES: [(&str, Persona); 19] = [
    ("4306762600456", Persona::Approved),
    ("4306762600745", Persona::Denied),
    ("61473752244", Persona::Approved),
    ("61473763254", Persona::Denied),
    ("32485121291", Persona::Approved),
    ("32485212123", Persona::Denied),
    ("15197438620", Persona::Approved),
    ("15197308624", Persona::Denied),
    ("420771613715", Persona::Approved),
    ("420771623691", Persona::Denied),
    ("4542555628", Persona::Approved),
    ("4552555348", Persona::Denied),
    ("525593747739", Persona::Approved),
    ("525593747740", Persona::Denied),
    ("6427555290", Persona::Approved),
    ("642993007712", Persona::Denied),
    ("13106683312", Persona::Approved),
    ("13106354386", Persona::Denied),
    ("13105550134", Persona::NewUser),
];

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved => f.write_str("approved"),
            Self::NewUser => f.write_str("new_user"),
            Self::Denied => f.write_str("denied"),
            Self::PendingApproved(wait) => write!(f, "pend-accept-{wait:02}"),
            Self::PendingDenied(wait) => write!(f, "pend-reject-{wait:02}"),
        }
    }
}

/// A stored text that is no persona.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no persona")]
pub struct UnknownPersona(String);

impl FromStr for Persona {
    type Err = UnknownPersona;

    fn from_str(text: &str) -> Result<Self, UnknownPersona> {
        match text {
            "approved" => Ok(Self::Approved),
            "new_user" => Ok(Self::NewUser),
            "denied" => Ok(Self::Denied),
            other => Self::of_pending(other).ok_or_else(|| UnknownPersona(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_addresses_decide_and_unlisted_ones_say_nothing() {
        let cases = [
            ("customer@email.de", None),
            ("ada@lovelace.example", None),
            ("no-address", None),
            ("customer+denied@email.se", Some(Persona::Denied)),
            ("customer+denied+auth_otp_phone@email.us", Some(Persona::Denied)),
            ("customer+reject_reason_high_risk@email.us", Some(Persona::Denied)),
            ("customer+red@email.gb", Some(Persona::Denied)),
            ("customer+new_user@email.fi", Some(Persona::NewUser)),
            ("customer+require_signup@email.fi", Some(Persona::NewUser)),
            ("customer+new_user+denied@email.fi", Some(Persona::Denied)),
            ("customer+pend-accept-05@email.us", Some(Persona::PendingApproved(5))),
            ("customer+pend-reject-30@email.gb", Some(Persona::PendingDenied(30))),
            ("customer+pend-accept-999@email.gb", None),
            ("customer+disputed-return@email.de", None),
        ];
        for (email, persona) in cases {
            assert_eq!(Persona::of_email(email), persona, "{email}");
        }
    }

    #[test]
    fn phones_decide_where_the_address_says_nothing() {
        assert_eq!(Persona::of(Some("a@b.example"), Some("+45 52 55 53 48")), Some(Persona::Denied));
        assert_eq!(Persona::of(None, Some("+13105550134")), Some(Persona::NewUser));
        assert_eq!(Persona::of(Some("customer+denied@email.dk"), Some("+4542555628")), Some(Persona::Denied));
        assert_eq!(Persona::of(None, Some("+4917600000000")), None);
    }

    #[test]
    fn a_persona_survives_its_text() {
        for persona in [
            Persona::Approved,
            Persona::NewUser,
            Persona::Denied,
            Persona::PendingApproved(7),
            Persona::PendingDenied(99),
        ] {
            assert_eq!(persona.to_string().parse(), Ok(persona));
        }
        assert!("purple".parse::<Persona>().is_err());
    }
}
