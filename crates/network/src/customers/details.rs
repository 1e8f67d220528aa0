//! What somebody who is here for the first time is asked for. Pure; nothing of it is kept (see the room).

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use protocol::Market;

/// Younger people get no account.
const AGE_MIN_YEARS: i16 = 18;
/// Ours: longer than any real one.
pub const FIELD_CHARS_MAX: usize = 99;

/// A field of the form, by its name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    GivenName,
    FamilyName,
    StreetAddress,
    PostalCode,
    City,
    Region,
    DateOfBirth,
}

impl Field {
    /// In the order of the form.
    const ALL: [Self; 7] = [
        Self::GivenName,
        Self::FamilyName,
        Self::StreetAddress,
        Self::PostalCode,
        Self::City,
        Self::Region,
        Self::DateOfBirth,
    ];

    /// The form's name, and the id of its control.
    pub fn name(self) -> &'static str {
        match self {
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::StreetAddress => "street_address",
            Self::PostalCode => "postal_code",
            Self::City => "city",
            Self::Region => "region",
            Self::DateOfBirth => "date_of_birth",
        }
    }

    /// What browsers fill in by themselves.
    pub fn autocomplete(self) -> &'static str {
        match self {
            Self::GivenName => "given-name",
            Self::FamilyName => "family-name",
            Self::StreetAddress => "street-address",
            Self::PostalCode => "postal-code",
            Self::City => "address-level2",
            Self::Region => "address-level1",
            Self::DateOfBirth => "bday",
        }
    }
}

/// What a market asks for. Ours: a region where addresses have one, and no birth date where people are looked up by a national number
/// (which nobody types here).
pub fn wanted(market: &Market) -> impl Iterator<Item = Field> + use<> {
    let country = market.country;
    Field::ALL.into_iter().filter(move |field| match field {
        Field::Region => matches!(country, "AU" | "CA" | "MX" | "US"),
        Field::DateOfBirth => !matches!(country, "DK" | "FI" | "NO" | "SE"),
        Field::GivenName | Field::FamilyName | Field::StreetAddress | Field::PostalCode | Field::City => true,
    })
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Empty, or too long to be one.
    Missing,
    /// No day, or one that is still to come.
    NoDay,
    /// Less than eighteen years ago.
    TooYoung,
}

/// Looks at what was typed: every field that is wrong, in the order of the form.
pub fn check(typed: &BTreeMap<String, String>, market: &Market, now: i64) -> Vec<(Field, Fault)> {
    let text = |field: Field| typed.get(field.name()).map(|text| text.trim()).unwrap_or_default();
    let fault = |field: Field| match (field, text(field)) {
        (_, typed) if typed.is_empty() || typed.chars().count() > FIELD_CHARS_MAX => Some(Fault::Missing),
        (Field::DateOfBirth, typed) => birth_fault(typed, now),
        _ => None,
    };
    wanted(market).filter_map(|field| Some((field, fault(field)?))).collect()
}

fn birth_fault(typed: &str, now: i64) -> Option<Fault> {
    let today = Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).date();
    let Ok(born) = typed.parse::<Date>() else { return Some(Fault::NoDay) };
    if born > today || born.year() < 1900 {
        return Some(Fault::NoDay);
    }
    let of_age = born.saturating_add(jiff::Span::new().years(AGE_MIN_YEARS));
    (of_age > today).then_some(Fault::TooYoung)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-02T10:00:00Z
    const NOW: i64 = 1_772_445_600_000_000;

    fn typed(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let full = [
            ("given_name", "Ada"),
            ("family_name", "Vester"),
            ("street_address", "Main 1"),
            ("postal_code", "10115"),
            ("city", "Berlin"),
            ("region", "NY"),
            ("date_of_birth", "1990-07-31"),
        ];
        full.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn market(country: &str) -> &'static Market {
        Market::by_country(country).unwrap()
    }

    #[test]
    fn each_country_asks_for_what_it_needs() {
        let names = |country| wanted(market(country)).map(Field::name).collect::<Vec<_>>();
        assert!(names("DE").contains(&"date_of_birth") && !names("DE").contains(&"region"));
        assert!(!names("SE").contains(&"date_of_birth") && names("US").contains(&"region"));
    }

    #[test]
    fn every_wrong_field_is_named_in_the_order_of_the_form() {
        assert_eq!(check(&typed(&[]), market("DE"), NOW), []);
        let faults =
            check(&typed(&[("city", "  "), ("given_name", ""), ("date_of_birth", "1990-02-30")]), market("DE"), NOW);
        assert_eq!(
            faults,
            [(Field::GivenName, Fault::Missing), (Field::City, Fault::Missing), (Field::DateOfBirth, Fault::NoDay)]
        );
        assert_eq!(check(&BTreeMap::new(), market("US"), NOW).len(), 7);
    }

    #[test]
    fn people_are_of_age_on_their_birthday() {
        let born =
            |day: &str| check(&typed(&[("date_of_birth", day)]), market("DE"), NOW).first().map(|(_, fault)| *fault);
        assert_eq!((born("2008-03-02"), born("2008-03-03")), (None, Some(Fault::TooYoung)));
        assert_eq!((born("2026-03-03"), born("1899-12-31")), (Some(Fault::NoDay), Some(Fault::NoDay)));
        assert_eq!(born("31.07.1990"), Some(Fault::NoDay));
    }
}
