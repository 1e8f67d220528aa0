//! Scopes, and the claims that each opens (fact sheet 04 §6.2). Pure.

use protocol::Market;
use serde_json::{Map, Value, json};

use crate::customers::Customer;
use crate::customers::contact::Contact;
use crate::journey::words::Words;
use crate::payments::test_customer;

/// Asks for an `id_token`: without it this is no sign-in.
pub const OPENID: &str = "openid";
/// Asks for a refresh token.
pub const OFFLINE_ACCESS: &str = "offline_access";

/// What a scope tells of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    Nothing,
    /// That it is them, also to the checkout.
    Login,
    Name,
    Email,
    Phone,
    BillingAddress,
    DateOfBirth,
    Country,
    Locale,
    /// Ours: no test customer has one.
    NationalIdentification,
}

/// Every scope, the newest spelling first, then the older ones.
const SCOPES: &[(&str, &[Tells])] = &[
    (OPENID, &[Tells::Nothing]),
    (OFFLINE_ACCESS, &[Tells::Nothing]),
    ("customer:login", &[Tells::Login]),
    ("profile:name", &[Tells::Name]),
    ("profile:email", &[Tells::Email]),
    ("profile:phone", &[Tells::Phone]),
    ("profile:billing_address", &[Tells::BillingAddress]),
    ("profile:date_of_birth", &[Tells::DateOfBirth]),
    ("profile:country", &[Tells::Country]),
    ("profile:locale", &[Tells::Locale]),
    ("profile:national_identification", &[Tells::NationalIdentification]),
    ("profile", &[Tells::Name, Tells::DateOfBirth, Tells::Locale]),
    ("email", &[Tells::Email]),
    ("phone", &[Tells::Phone]),
    ("billing_address", &[Tells::BillingAddress]),
    ("national_identification_number", &[Tells::NationalIdentification]),
];

/// The claims that there are, for discovery.
pub const CLAIMS: &[&str] = &[
    "sub",
    "given_name",
    "family_name",
    "email",
    "email_verified",
    "phone",
    "phone_verified",
    "date_of_birth",
    "locale",
    "country",
    "billing_address",
];

/// The names of all scopes.
pub fn all() -> impl Iterator<Item = &'static str> {
    SCOPES.iter().map(|(name, _)| *name)
}

/// The scopes that we know among those that are asked for, each once, in the order of the table; unknown ones are passed over, as
/// OAuth allows, and the answer says what was granted.
pub fn known(asked: &str) -> Vec<&'static str> {
    let asked: Vec<&str> = asked.split(' ').collect();
    all().filter(|scope| asked.contains(scope)).collect()
}

fn told(scopes: &[&str]) -> Vec<Tells> {
    let mut told = Vec::new();
    for tells in SCOPES.iter().filter(|(name, _)| scopes.contains(name)).flat_map(|(_, tells)| tells.iter()) {
        if *tells != Tells::Nothing && !told.contains(tells) {
            told.push(*tells);
        }
    }
    told
}

/// What the person is asked to share, in words.
pub fn in_words(scopes: &[&str], words: &'static Words) -> Vec<&'static str> {
    let word = |tells: Tells| match tells {
        Tells::Nothing => None,
        Tells::Login => Some(words.consent_login),
        Tells::Name => Some(words.profile_name),
        Tells::Email => Some(words.profile_email),
        Tells::Phone => Some(words.profile_phone),
        Tells::BillingAddress => Some(words.profile_address),
        Tells::DateOfBirth => Some(words.profile_birth),
        Tells::Country => Some(words.profile_country),
        Tells::Locale => Some(words.profile_locale),
        Tells::NationalIdentification => Some(words.profile_national_id),
    };
    told(scopes).into_iter().filter_map(word).collect()
}

/// What the scopes tell of a person. An account knows its contact; everything else is the test customer's of the market.
pub fn claims(scopes: &[&str], customer: &Customer) -> Map<String, Value> {
    let Customer { contact, market, .. } = customer;
    let mut claims = Map::new();
    let mut say = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    for tells in told(scopes) {
        match tells {
            Tells::Nothing | Tells::Login | Tells::NationalIdentification => {}
            Tells::Name => {
                say("given_name", test_customer::GIVEN_NAME.into());
                say("family_name", test_customer::family_name(market).into());
            }
            Tells::Email => {
                say("email", contact.email().map_or_else(|| test_customer::email(market), str::to_owned).into());
                // Only what a code was sent to is.
                say("email_verified", matches!(contact, Contact::Email(_)).into());
            }
            Tells::Phone => {
                if let Some(phone) = contact.phone().map(str::to_owned).or_else(|| test_customer::phone(market)) {
                    say("phone", phone.into());
                    say("phone_verified", matches!(contact, Contact::Phone(_)).into());
                }
            }
            Tells::BillingAddress => say("billing_address", address(market)),
            Tells::DateOfBirth => say("date_of_birth", test_customer::DATE_OF_BIRTH.into()),
            Tells::Country => say("country", market.country.into()),
            Tells::Locale => say("locale", market.default_locale().into()),
        }
    }
    claims
}

fn address(market: &Market) -> Value {
    json!(test_customer::address(market))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Customer {
        let market = Market::by_country("DE").unwrap();
        Customer { id: "1".into(), contact: Contact::Email("ada@example.com".into()), market }
    }

    #[test]
    fn a_scope_opens_its_claims_and_no_others() {
        let names = |scopes: &[&str]| claims(scopes, &ada()).keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&["openid", "customer:login"]), Vec::<String>::new());
        assert_eq!(names(&["profile:name"]), ["family_name", "given_name"]);
        assert_eq!(names(&["email", "profile:email"]), ["email", "email_verified"]);
        let said = claims(&["profile:email", "profile:phone", "profile:billing_address"], &ada());
        assert_eq!((&said["email"], &said["email_verified"]), (&json!("ada@example.com"), &json!(true)));
        assert_eq!(said["billing_address"]["country"], "DE");
        assert!(said.get("phone").is_none(), "Germany's test customer has none");
    }

    #[test]
    fn unknown_scopes_are_passed_over_and_repeated_ones_count_once() {
        assert_eq!(known("profile:name openid  nothing openid"), ["openid", "profile:name"]);
        let english = crate::journey::words::of("en");
        assert_eq!(in_words(&["openid", "profile", "profile:name"], english), ["name", "date of birth", "language"]);
        for name in all() {
            assert!(known(name) == [name]);
        }
    }

    #[test]
    fn every_claim_is_in_discovery() {
        let all: Vec<_> = all().collect();
        let customer = Customer { contact: Contact::Phone("+4915112345678".into()), ..ada() };
        assert!(claims(&all, &customer).keys().all(|claim| CLAIMS.contains(&claim.as_str())));
    }
}
