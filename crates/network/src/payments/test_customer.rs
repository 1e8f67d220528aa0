//! The test customer of a market: who approves where neither the Partner nor the journey says who that is.
//!
//! Ours but for the names, the phones, the birth date and the American address, which are published (sheet 03 §12.2).

use protocol::Market;
use protocol::payments::Address;

/// Country, postal code, city, region.
const PLACES: &[(&str, &str, &str, &str)] = &[
    ("AT", "1010", "Wien", ""),
    ("AU", "2000", "Sydney", "NSW"),
    ("BE", "1000", "Bruxelles", ""),
    ("CA", "K1A 0B1", "Ottawa", "ON"),
    ("CH", "8001", "Zürich", ""),
    ("CZ", "110 00", "Praha", ""),
    ("DE", "10115", "Berlin", ""),
    ("DK", "1050", "København", ""),
    ("ES", "28013", "Madrid", ""),
    ("FI", "00100", "Helsinki", ""),
    ("FR", "75001", "Paris", ""),
    ("GB", "SW1A 1AA", "London", ""),
    ("GR", "105 57", "Athina", ""),
    ("HU", "1051", "Budapest", ""),
    ("IE", "D02 X285", "Dublin", ""),
    ("IT", "00184", "Roma", ""),
    ("MX", "06000", "Ciudad de México", "CDMX"),
    ("NL", "1012 JS", "Amsterdam", ""),
    ("NO", "0150", "Oslo", ""),
    ("NZ", "6011", "Wellington", ""),
    ("PL", "00-001", "Warszawa", ""),
    ("PT", "1100-148", "Lisboa", ""),
    ("RO", "010011", "București", ""),
    ("SE", "111 52", "Stockholm", ""),
    ("SK", "811 01", "Bratislava", ""),
];

/// Country, and the phone of its customer who is approved.
const PHONES: &[(&str, &str)] = &[
    ("AT", "+4306762600456"),
    ("AU", "+61473752244"),
    ("BE", "+32485121291"),
    ("CA", "+15197438620"),
    ("CZ", "+420771613715"),
    ("DK", "+4542555628"),
    ("MX", "+525593747739"),
    ("NZ", "+6427555290"),
    ("US", "+13106683312"),
];

pub(crate) const GIVEN_NAME: &str = "Test";
pub(crate) const DATE_OF_BIRTH: &str = "1970-07-10";

pub(crate) fn family_name(market: &Market) -> String {
    format!("Person-{}", market.country.to_ascii_lowercase())
}

pub(crate) fn email(market: &Market) -> String {
    format!("customer@email.{}", market.country.to_ascii_lowercase())
}

pub(crate) fn phone(market: &Market) -> Option<String> {
    PHONES.iter().find(|(country, _)| *country == market.country).map(|(_, phone)| (*phone).to_owned())
}

pub(crate) fn address(market: &Market) -> Address {
    let country = Some(market.country.to_owned());
    if market.country == "US" {
        return Address {
            street_address: Some("509 Amsterdam Ave".to_owned()),
            postal_code: Some("10024-3941".to_owned()),
            city: Some("New York".to_owned()),
            region: Some("NY".to_owned()),
            country,
            ..Address::default()
        };
    }
    let place = PLACES.iter().find(|(country, ..)| *country == market.country);
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Address {
        street_address: Some("Test Street 1".to_owned()),
        postal_code: place.and_then(|(_, postal_code, _, _)| given(postal_code)),
        city: place.and_then(|(_, _, city, _)| given(city)),
        region: place.and_then(|(_, _, _, region)| given(region)),
        country,
        ..Address::default()
    }
}

/// What the test customer would type into a form, by the names of fields.
pub(crate) fn typed(market: &Market) -> Vec<(&'static str, String)> {
    let address = address(market);
    vec![
        ("given_name", GIVEN_NAME.to_owned()),
        ("family_name", family_name(market)),
        ("street_address", address.street_address.unwrap_or_default()),
        ("postal_code", address.postal_code.unwrap_or_default()),
        ("city", address.city.unwrap_or_default()),
        ("region", address.region.unwrap_or_default()),
        ("date_of_birth", DATE_OF_BIRTH.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use protocol::markets;

    use super::*;
    use crate::payments::verdict::Persona;

    #[test]
    fn every_market_has_a_customer_with_an_address_who_is_approved() {
        for market in markets() {
            let address = address(market);
            assert!(address.city.is_some() && address.postal_code.is_some(), "{}", market.country);
            assert_eq!(Persona::of_email(&email(market)), None, "{}", market.country);
            if let Some(phone) = phone(market) {
                assert_eq!(Persona::of_phone(&phone), Some(Persona::Approved), "{}", market.country);
            }
        }
    }
}
