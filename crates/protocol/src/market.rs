//! Where customers can pay with Klarna (sheet 04 §8.2): 26 countries, each with one currency, its locales and its region; and
//! whatever markets are added as data when a process starts.

use std::sync::OnceLock;

use crate::{krn::Region, money::Currency};

/// One customer market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    currency: &'static str,
    /// RFC 5646, the default first.
    pub locales: &'static [&'static str],
    pub region: Region,
}

impl Market {
    /// A market beside those of the table; `locales` must not be empty, the default first. See [`add_markets`].
    pub fn new(country: &'static str, currency: Currency, locales: &'static [&'static str]) -> Self {
        Self { country, currency: currency.code(), locales, region: Region::for_currency(&currency) }
    }

    pub fn currency(&self) -> Currency {
        self.currency.parse().expect("the market table names currencies of ISO 4217")
    }

    pub fn default_locale(&self) -> &'static str {
        self.locales[0]
    }

    /// Takes either case.
    pub fn by_country(country: &str) -> Option<&'static Self> {
        markets().iter().find(|market| market.country.eq_ignore_ascii_case(country))
    }
}

/// What holds for the life of a process: the tables below, and what was added to them.
struct World {
    markets: Vec<Market>,
    settlement_currencies: Vec<&'static str>,
}

static WORLD: OnceLock<World> = OnceLock::new();

fn world() -> &'static World {
    WORLD.get_or_init(|| World { markets: MARKETS.to_vec(), settlement_currencies: SETTLEMENT_CURRENCIES.to_vec() })
}

/// Markets were asked for already, or added before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("markets can be added once, before anything asks for them")]
pub struct TooLate;

/// Adds markets, and currencies that Klarna settles in: once, when a process starts, before anything asks for a market.
///
/// # Errors
/// [`TooLate`].
pub fn add_markets(markets: &[Market], currencies: &[Currency]) -> Result<(), TooLate> {
    let mut all: Vec<Market> = MARKETS.iter().chain(markets).copied().collect();
    all.sort_by_key(|market| market.country);
    let mut settled: Vec<&'static str> = SETTLEMENT_CURRENCIES.to_vec();
    settled.extend(currencies.iter().map(Currency::code));
    settled.sort_unstable();
    WORLD.set(World { markets: all, settlement_currencies: settled }).map_err(|_| TooLate)
}

/// All customer markets, by country code.
pub fn markets() -> &'static [Market] {
    &world().markets
}

/// Currencies that Klarna settles in (15, sheet 04 §8.2).
pub fn settlement_currencies() -> impl Iterator<Item = Currency> {
    world().settlement_currencies.iter().map(|code| code.parse().expect("the table names currencies of ISO 4217"))
}

const SETTLEMENT_CURRENCIES: [&str; 15] =
    ["AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HUF", "MXN", "NOK", "NZD", "PLN", "RON", "SEK", "USD"];

const fn market(
    country: &'static str,
    currency: &'static str,
    region: Region,
    locales: &'static [&'static str],
) -> Market {
    Market { country, currency, locales, region }
}

static MARKETS: [Market; 26] = {
    use Region::{Ap1, Eu1, Us1};
    [
        market("AT", "EUR", Eu1, &["de-AT", "en-AT"]),
        market("AU", "AUD", Ap1, &["en-AU"]),
        market("BE", "EUR", Eu1, &["nl-BE", "fr-BE", "en-BE"]),
        market("CA", "CAD", Us1, &["en-CA", "fr-CA"]),
        market("CH", "CHF", Eu1, &["de-CH", "fr-CH", "it-CH", "en-CH"]),
        market("CZ", "CZK", Eu1, &["cs-CZ", "en-CZ"]),
        market("DE", "EUR", Eu1, &["de-DE", "en-DE"]),
        market("DK", "DKK", Eu1, &["da-DK", "en-DK"]),
        market("ES", "EUR", Eu1, &["es-ES", "en-ES"]),
        market("FI", "EUR", Eu1, &["fi-FI", "sv-FI", "en-FI"]),
        market("FR", "EUR", Eu1, &["fr-FR", "en-FR"]),
        market("GB", "GBP", Eu1, &["en-GB"]),
        market("GR", "EUR", Eu1, &["el-GR", "en-GR"]),
        market("HU", "HUF", Eu1, &["hu-HU", "en-HU"]),
        market("IE", "EUR", Eu1, &["en-IE"]),
        market("IT", "EUR", Eu1, &["it-IT", "en-IT"]),
        market("MX", "MXN", Us1, &["es-MX", "en-MX"]),
        market("NL", "EUR", Eu1, &["nl-NL", "en-NL"]),
        market("NO", "NOK", Eu1, &["nb-NO", "en-NO"]),
        market("NZ", "NZD", Ap1, &["en-NZ"]),
        market("PL", "PLN", Eu1, &["pl-PL", "en-PL"]),
        market("PT", "EUR", Eu1, &["pt-PT", "en-PT"]),
        market("RO", "RON", Eu1, &["ro-RO", "en-RO"]),
        market("SE", "SEK", Eu1, &["sv-SE", "en-SE"]),
        market("SK", "EUR", Eu1, &["sk-SK", "en-SK"]),
        market("US", "USD", Us1, &["en-US", "es-US"]),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_consistent() {
        assert_eq!(markets().len(), 26);
        assert!(markets().is_sorted_by_key(|market| market.country));
        for market in markets() {
            assert_eq!(Market::by_country(market.country), Some(market));
            assert_eq!(market.region, Region::for_currency(&market.currency()), "{}", market.country);
            assert!(market.default_locale().ends_with(market.country), "{}", market.country);
            assert!(market.locales.iter().all(|locale| locale.ends_with(market.country)), "{}", market.country);
            assert!(settlement_currencies().any(|currency| currency == market.currency()), "{}", market.country);
        }
        assert_eq!(settlement_currencies().count(), 15);
        assert_eq!(Market::by_country("gb").map(Market::currency), Some(Currency::GBP));
        assert_eq!(Market::by_country("XX"), None);
    }
}
