//! Who the shopper is: a phone number or an e-mail address, and the published test shoppers that stand ready for a click.

use protocol::Market;

use crate::payments::Identity;
use crate::payments::verdict::Persona;

/// An identity that the shopper gave, in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Lower case.
    Email(String),
    /// `+` and digits.
    Phone(String),
}

/// Longest address that mail systems carry (RFC 5321).
const EMAIL_CHARS_MAX: usize = 254;

impl Contact {
    /// Reads what was typed. A number without a country code gets the market's. `None` when it is neither.
    pub fn parse(typed: &str, market: &Market) -> Option<Self> {
        let typed = typed.trim();
        if typed.contains('@') { Self::parse_email(typed) } else { Self::parse_phone(typed, market) }
    }

    fn parse_email(typed: &str) -> Option<Self> {
        let (local, domain) = typed.split_once('@')?;
        let printable = typed.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ',' | ';' | '<' | '>' | '"'));
        let domain_fits = domain.split('.').count() >= 2
            && domain
                .split('.')
                .all(|label| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        let fits = printable && domain_fits && !local.is_empty() && typed.len() <= EMAIL_CHARS_MAX;
        fits.then(|| Self::Email(typed.to_ascii_lowercase()))
    }

    fn parse_phone(typed: &str, market: &Market) -> Option<Self> {
        let plain: String =
            typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '/' | '(' | ')')).collect();
        let number = if let Some(rest) = plain.strip_prefix('+') {
            rest.to_owned()
        } else if let Some(rest) = plain.strip_prefix("00") {
            rest.to_owned()
        } else {
            format!("{}{}", calling_code(market.country), plain.strip_prefix('0').unwrap_or(&plain))
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        // E.164 ends at 15 digits.
        (digits && (8..=15).contains(&number.len())).then(|| Self::Phone(format!("+{number}")))
    }

    /// The first of the two that an identity has.
    pub fn of(identity: &Identity) -> Option<Self> {
        identity.email.as_deref().or(identity.phone.as_deref()).map(Self::stored)
    }

    /// What is stored, and read by [`Contact::stored`].
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(text) | Self::Phone(text) => text,
        }
    }

    /// The inverse of [`Contact::as_str`].
    pub fn stored(text: &str) -> Self {
        if text.contains('@') { Self::Email(text.to_owned()) } else { Self::Phone(text.to_owned()) }
    }

    pub fn email(&self) -> Option<&str> {
        match self {
            Self::Email(email) => Some(email),
            Self::Phone(_) => None,
        }
    }

    pub fn phone(&self) -> Option<&str> {
        match self {
            Self::Phone(phone) => Some(phone),
            Self::Email(_) => None,
        }
    }

    /// Who it is, if it is one of the published test shoppers (sheet 03 §12).
    pub fn published(&self) -> Option<Persona> {
        match self {
            Self::Email(email) => {
                let (local, domain) = email.split_once('@')?;
                let is_sample = local.split('+').next() == Some("customer") && domain.starts_with("email.");
                is_sample.then(|| Persona::of_email(email).unwrap_or_default())
            }
            Self::Phone(phone) => Persona::of_phone(phone),
        }
    }

    /// Enough to recognise one's own, too little to learn another's.
    pub fn masked(&self) -> String {
        match self {
            Self::Email(email) => {
                let (local, domain) = email.split_once('@').unwrap_or((email, ""));
                format!("{}•••@{domain}", local.chars().next().map(String::from).unwrap_or_default())
            }
            Self::Phone(phone) => {
                format!("{}•••{}", &phone[..3.min(phone.len())], &phone[phone.len().saturating_sub(3)..])
            }
        }
    }
}

/// How a test shopper of the published list behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    Approved,
    Denied,
    New,
}

impl Sample {
    pub const ALL: [Self; 3] = [Self::Approved, Self::Denied, Self::New];

    /// The form's value.
    pub fn code(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::New => "new",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sample| sample.code() == code)
    }

    /// The one whose verdict is this persona's.
    pub fn of(persona: Option<Persona>) -> Self {
        match persona.unwrap_or_default().settled() {
            Persona::Denied | Persona::PendingDenied(_) => Self::Denied,
            Persona::NewUser => Self::New,
            Persona::Approved | Persona::PendingApproved(_) => Self::Approved,
        }
    }

    /// The published address of this shopper in a market (sheet 03 §12.1).
    pub fn email(self, market: &Market) -> String {
        let suffix = match self {
            Self::Approved => "",
            Self::Denied => "+denied",
            Self::New => "+new_user",
        };
        format!("customer{suffix}@email.{}", market.country.to_ascii_lowercase())
    }
}

/// Digits in front of national numbers.
pub fn calling_code(country: &str) -> &'static str {
    match country {
        "AT" => "43",
        "AU" => "61",
        "BE" => "32",
        "CA" | "US" => "1",
        "CH" => "41",
        "CZ" => "420",
        "DK" => "45",
        "ES" => "34",
        "FI" => "358",
        "FR" => "33",
        "GB" => "44",
        "GR" => "30",
        "HU" => "36",
        "IE" => "353",
        "IT" => "39",
        "MX" => "52",
        "NL" => "31",
        "NO" => "47",
        "NZ" => "64",
        "PL" => "48",
        "PT" => "351",
        "RO" => "40",
        "SE" => "46",
        "SK" => "421",
        // Germany, and whatever market is new: the shopper can always write the code out.
        _ => "49",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn germany() -> &'static Market {
        Market::by_country("DE").unwrap()
    }

    #[test]
    fn phones_are_read_in_the_ways_people_write_them() {
        for typed in ["+49 151 2345 6789", "0049-151-23456789", "0151 / 2345 6789", "(0151) 2345.6789", "15123456789"] {
            assert_eq!(Contact::parse(typed, germany()), Some(Contact::Phone("+4915123456789".into())), "{typed}");
        }
        assert_eq!(
            Contact::parse("+4306762600456", germany()),
            Some(Contact::Phone("+4306762600456".into())),
            "published numbers stay as they are"
        );
    }

    #[test]
    fn what_is_neither_phone_nor_address_is_refused() {
        for typed in
            ["", "abc", "+49", "12", "1234567890123456", "a@", "@b.de", "a@b", "a b@c.de", "a@b..de", "+49151x2345"]
        {
            assert_eq!(Contact::parse(typed, germany()), None, "{typed}");
        }
        assert_eq!(Contact::parse(" Ada@Example.COM ", germany()), Some(Contact::Email("ada@example.com".into())));
    }

    #[test]
    fn the_published_shoppers_are_known_by_their_contacts() {
        let published = |typed| Contact::parse(typed, germany()).and_then(|contact| contact.published());
        assert_eq!(published("customer@email.de"), Some(Persona::Approved));
        assert_eq!(published("customer+new_user@email.de"), Some(Persona::NewUser));
        assert_eq!(published("+4306762600745"), Some(Persona::Denied));
        assert_eq!(
            (published("ada@email.de"), published("customer@mail.de"), published("+4917600000000")),
            (None, None, None)
        );
    }

    #[test]
    fn the_mask_hides_the_middle() {
        assert_eq!(Contact::Email("ada@example.com".into()).masked(), "a•••@example.com");
        assert_eq!(Contact::Phone("+4915123456789".into()).masked(), "+49•••789");
    }

    proptest! {
        #[test]
        fn whatever_is_typed_reads_the_same_once_stored(typed in "\\PC{0,40}") {
            if let Some(contact) = Contact::parse(&typed, germany()) {
                prop_assert_eq!(Contact::stored(contact.as_str()), contact.clone());
                let _ = contact.masked();
                prop_assert_eq!(Contact::parse(contact.as_str(), germany()), Some(contact));
            }
        }
    }
}
