//! Markets and currencies beside those of the tables: read from a file when the process starts, so that a new market is data (GLO-2).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use kit::http::FieldFault;
use protocol::market::TooLate;
use protocol::{Currency, Market};
use serde::Deserialize;

use super::{CurrencyRow, CustomerMarket, Offer, PricingRegion, data};

/// The file: JSON. Amounts are whole units of the market's currency.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    markets: Vec<MarketEntry>,
    #[serde(default)]
    currencies: Vec<CurrencyEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketEntry {
    /// ISO 3166-1 alpha-2.
    country: String,
    /// ISO 4217: one of the tables or of `currencies`.
    currency: String,
    /// RFC 5646, the default first.
    locales: Vec<String>,
    pricing_region: RegionEntry,
    programs: Vec<ProgramEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramEntry {
    /// Its key, `pay-now`.
    program: String,
    minimum: i64,
    maximum: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrencyEntry {
    /// ISO 4217.
    code: String,
    /// About what a euro is worth, in whole units.
    per_euro: i64,
    /// The fixed part of a fee, in minor units.
    fixed_fee: i64,
    /// The market whose prices hold where the customer's country is not known.
    home: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RegionEntry {
    NorthCentralEurope,
    SouthEastEurope,
    NorthAmerica,
    AsiaPacific,
}

impl From<RegionEntry> for PricingRegion {
    fn from(entry: RegionEntry) -> Self {
        match entry {
            RegionEntry::NorthCentralEurope => Self::NorthCentralEurope,
            RegionEntry::SouthEastEurope => Self::SouthEastEurope,
            RegionEntry::NorthAmerica => Self::NorthAmerica,
            RegionEntry::AsiaPacific => Self::AsiaPacific,
        }
    }
}

/// Why markets are not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The file is not JSON of this shape.
    #[error("it is not the JSON that it should be")]
    Form(#[from] serde_json::Error),
    /// What it says does not fit.
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.parameter, fault.reason)).collect::<Vec<_>>().join("; "))]
    Faults(Vec<FieldFault>),
    /// The process has looked at its markets already.
    #[error(transparent)]
    TooLate(#[from] TooLate),
}

struct Added {
    markets: Vec<CustomerMarket>,
    currencies: Vec<CurrencyRow>,
    regions: Vec<(&'static str, PricingRegion)>,
}

static ADDED: OnceLock<Added> = OnceLock::new();
static MARKETS: OnceLock<Vec<CustomerMarket>> = OnceLock::new();

/// Adds the markets and currencies of a file: once, before anything asks for a market. They hold for the life of the process.
///
/// # Errors
/// [`AddError`]; then nothing was added.
pub fn add(json: &str) -> Result<(), AddError> {
    // Through an object: a list would pass for the members in their order.
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json)?;
    let file: File = serde_json::from_value(members.into())?;
    let faults = faults(&file);
    if !faults.is_empty() {
        return Err(AddError::Faults(faults));
    }
    let parsed = |code: &str| code.parse::<Currency>().ok();
    let markets: Vec<Market> = file
        .markets
        .iter()
        .filter_map(|entry| {
            let locales: Vec<&'static str> = entry.locales.iter().map(|locale| kept(locale)).collect();
            Some(Market::new(kept(&entry.country), parsed(&entry.currency)?, Vec::leak(locales)))
        })
        .collect();
    let currencies: Vec<Currency> = file.currencies.iter().filter_map(|entry| parsed(&entry.code)).collect();
    protocol::add_markets(&markets, &currencies)?;
    let added = Added {
        markets: file
            .markets
            .iter()
            .map(|entry| {
                let offers = entry.programs.iter().map(|one| Offer {
                    program: kept(&one.program),
                    minimum: one.minimum,
                    maximum: one.maximum,
                });
                CustomerMarket { country: kept(&entry.country), offers: Vec::leak(offers.collect()) }
            })
            .collect(),
        currencies: file
            .currencies
            .iter()
            .map(|entry| CurrencyRow {
                code: kept(&entry.code),
                per_euro: entry.per_euro,
                fixed_fee: entry.fixed_fee,
                home: kept(&entry.home),
            })
            .collect(),
        regions: file.markets.iter().map(|entry| (kept(&entry.country), entry.pricing_region.into())).collect(),
    };
    ADDED.set(added).map_err(|_| TooLate)?;
    Ok(())
}

/// Tables live as long as the process, and so does what is added to them.
fn kept(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

fn faults(file: &File) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let mut fault = |at: String, reason: &str| faults.push(FieldFault::new(at, reason));
    let mut currencies: BTreeSet<&str> = data::CURRENCIES.iter().map(|row| row.code).collect();
    let mut countries: BTreeSet<&str> = data::MARKETS.iter().map(|market| market.country).collect();
    for (index, entry) in file.currencies.iter().enumerate() {
        let at = |name: &str| format!("currencies[{index}].{name}");
        if entry.code.parse::<Currency>().map(|currency| currency.code()) != Ok(entry.code.as_str()) {
            fault(at("code"), "must be a currency code of ISO 4217 in capitals");
        } else if !currencies.insert(&entry.code) {
            fault(at("code"), "is there already");
        }
        if !(1..=10_000_000).contains(&entry.per_euro) {
            fault(at("per_euro"), "must be 1 to 10000000");
        }
        if !(0..=1_000_000_000).contains(&entry.fixed_fee) {
            fault(at("fixed_fee"), "must be 0 to 1000000000");
        }
        let is_home = |market: &MarketEntry| market.country == entry.home && market.currency == entry.code;
        if !file.markets.iter().any(is_home) {
            fault(at("home"), "must be a market of this file with this currency");
        }
    }
    for (index, entry) in file.markets.iter().enumerate() {
        let at = |name: &str| format!("markets[{index}].{name}");
        let is_country = entry.country.len() == 2 && entry.country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_country {
            fault(at("country"), "must be a country code of ISO 3166-1 in capitals");
        } else if !countries.insert(&entry.country) {
            fault(at("country"), "is there already");
        }
        if !currencies.contains(entry.currency.as_str()) {
            fault(at("currency"), "must be a currency of the network or of this file");
        }
        let fits = |locale: &String| locale.len() == 5 && locale.ends_with(&format!("-{}", entry.country));
        if entry.locales.is_empty() || !entry.locales.iter().all(fits) {
            fault(at("locales"), "must be one or more like is-IS, of the market's country");
        }
        if !entry.programs.iter().any(|one| one.program == "pay-now") {
            fault(at("programs"), "must have pay-now");
        }
        for (number, one) in entry.programs.iter().enumerate() {
            if !data::PROGRAMS.iter().any(|program| program.key == one.program) {
                fault(at(&format!("programs[{number}].program")), "is no key of a payment program");
            }
            if one.minimum < 1 || one.maximum <= one.minimum || one.maximum > 1_000_000_000 {
                fault(at(&format!("programs[{number}]")), "must have 1 <= minimum < maximum <= 1000000000");
            }
        }
    }
    faults
}

pub(super) fn region_of(country: &str) -> Option<PricingRegion> {
    let added = &ADDED.get()?.regions;
    added.iter().find(|(listed, _)| listed.eq_ignore_ascii_case(country)).map(|(_, region)| *region)
}

pub(super) fn currencies() -> impl Iterator<Item = &'static CurrencyRow> {
    ADDED.get().into_iter().flat_map(|added| &added.currencies)
}

pub(super) fn customer_markets() -> &'static [CustomerMarket] {
    let Some(added) = ADDED.get() else { return data::MARKETS };
    MARKETS.get_or_init(|| {
        let copied = data::MARKETS.iter().chain(&added.markets);
        let mut all: Vec<CustomerMarket> =
            copied.map(|market| CustomerMarket { country: market.country, offers: market.offers }).collect();
        all.sort_by_key(|market| market.country);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Nothing is added here: it would hold for all tests of this process. `crates/kontor/tests/it/markets.rs` does so.

    #[test]
    fn every_fault_of_a_file_is_named() {
        let text = r#"{"markets": [
            {"country": "SE", "currency": "ISK", "locales": ["sv-FI"], "pricing_region": "ASIA_PACIFIC", "programs": []},
            {"country": "is", "currency": "XXX", "locales": [], "pricing_region": "ASIA_PACIFIC",
                "programs": [{"program": "pay-now", "minimum": 0, "maximum": 5}, {"program": "barter", "minimum": 1, "maximum": 5}]}],
            "currencies": [{"code": "isk", "per_euro": 0, "fixed_fee": -1, "home": "IS"},
                {"code": "EUR", "per_euro": 1, "fixed_fee": 1, "home": "SE"}]}"#;
        let Err(AddError::Faults(found)) = add(text) else { panic!("it is refused") };
        let named: Vec<&str> = found.iter().map(|fault| fault.parameter.as_str()).collect();
        let expected = [
            "currencies[0].code",
            "currencies[0].per_euro",
            "currencies[0].fixed_fee",
            "currencies[0].home",
            "currencies[1].code",
            "currencies[1].home",
            "markets[0].country",
            "markets[0].currency",
            "markets[0].locales",
            "markets[0].programs",
            "markets[1].country",
            "markets[1].currency",
            "markets[1].locales",
            "markets[1].programs[0]",
            "markets[1].programs[1].program",
        ];
        assert_eq!(named, expected);
        for bad in ["", "[]", "{\"countries\": []}"] {
            assert!(matches!(add(bad), Err(AddError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn a_currency_is_worth_what_a_euro_buys() {
        let row = |code, per_euro| CurrencyRow { code, per_euro, fixed_fee: 0, home: "IS" };
        // A hundred krónur without aurar are two thirds of a euro; a hundred cents are one.
        assert_eq!((row("ISK", 150).worth(), row("EUR", 1).worth(), row("KWD", 1).worth()), (66_666, 100_000, 10_000));
    }
}
