//! In which language a customer is addressed, and how it writes amounts.

use protocol::{Market, Money};

use super::words::{ALL, ENGLISH, Sign, Words};

/// A customer's locale: a language that we have, and where the customer lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale {
    pub words: &'static Words,
    /// In capitals; perhaps no customer market.
    pub country: String,
}

impl Locale {
    /// From `sv-SE`, or from a language alone, with the country that another parameter names. Ours: a language that we lack gives
    /// way to the country's own, and that to English; `no` is the older name of `nb`.
    pub fn read(text: &str, country: Option<&str>) -> Self {
        let (language, region) = text.split_once(['-', '_']).unwrap_or((text, ""));
        let country = country.unwrap_or(region).to_ascii_uppercase();
        let of = |code: &str| ALL.into_iter().find(|words| words.code.eq_ignore_ascii_case(code));
        let own = || of(Market::by_country(&country)?.default_locale().split('-').next()?);
        let language = if language.eq_ignore_ascii_case("no") { "nb" } else { language };
        Self { words: of(language).or_else(own).unwrap_or(ENGLISH), country }
    }

    /// `sv-SE`.
    pub fn tag(&self) -> String {
        format!("{}-{}", self.words.code, self.country)
    }

    /// `€1,049.90`, `1 049,90 kr`; whole amounts without minor units, foreign currencies told apart from the country's own.
    pub fn money(&self, money: Money) -> String {
        let unit = 10_i64.pow(u32::from(money.currency.exponent()));
        self.written(money, money.minor % unit != 0)
    }

    /// The same with all digits of the currency, as on a receipt: `€5.00`.
    pub fn exact_money(&self, money: Money) -> String {
        self.written(money, money.currency.exponent() > 0)
    }

    fn written(&self, money: Money, shows_minor: bool) -> String {
        // Spanish in the Americas writes numbers as English does there.
        let american = matches!(self.country.as_str(), "MX" | "US");
        let Words { group, point, sign, .. } = if american { ENGLISH } else { self.words };
        let unit = 10_u64.pow(u32::from(money.currency.exponent()));
        let magnitude = money.minor.unsigned_abs();
        let mut number = grouped(magnitude / unit, *group);
        if shows_minor {
            let digits = usize::from(money.currency.exponent());
            number.push_str(&format!("{point}{:0digits$}", magnitude % unit));
        }
        let minus = if money.minor < 0 { "\u{2212}" } else { "" };
        let mark = self.mark(money.currency.code());
        match sign {
            Sign::After => format!("{minus}{number}\u{a0}{mark}"),
            // Letters would run into the number.
            Sign::Before if !mark.ends_with(char::is_alphabetic) => format!("{minus}{mark}{number}"),
            Sign::Before | Sign::BeforeWithGap => format!("{minus}{mark}\u{a0}{number}"),
        }
    }

    fn mark(&self, code: &'static str) -> &'static str {
        let at_home = Market::by_country(&self.country).is_some_and(|market| market.currency().code() == code);
        match code {
            "EUR" => "€",
            "GBP" => "£",
            "USD" if at_home || !matches!(self.country.as_str(), "AU" | "CA" | "MX" | "NZ") => "$",
            "USD" => "US$",
            "AUD" | "CAD" | "MXN" | "NZD" if at_home => "$",
            "AUD" => "A$",
            "CAD" => "C$",
            "MXN" => "MX$",
            "NZD" => "NZ$",
            "DKK" | "NOK" | "SEK" if at_home => "kr",
            "CZK" if at_home => "Kč",
            "HUF" if at_home => "Ft",
            "PLN" if at_home => "zł",
            "RON" if at_home => "lei",
            code => code,
        }
    }

    /// `12,90` for 1290 hundredths of a percent.
    pub fn percent(&self, bps: i64) -> String {
        crate::programs::percent(bps).replace('.', &self.words.point.to_string())
    }
}

fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use protocol::markets;

    use super::*;

    #[test]
    fn every_locale_of_every_market_has_its_language() {
        for market in markets() {
            for locale in market.locales {
                assert_eq!(Locale::read(locale, None).tag(), *locale);
            }
        }
        assert_eq!(Locale::read("no-NO", None).tag(), "nb-NO");
        assert_eq!(Locale::read("ja-SE", None).tag(), "sv-SE");
        assert_eq!(Locale::read("ja-JP", None).tag(), "en-JP");
        assert_eq!(Locale::read("pl-DE", None).tag(), "pl-DE");
        assert_eq!(Locale::read("en", Some("de")).tag(), "en-DE");
        assert_eq!(Locale::read("SV-se", None).tag(), "sv-SE");
    }

    #[test]
    fn amounts_are_written_as_at_home() {
        let write = |locale: &str, minor: i64, code: &str| {
            let money = Money::new(minor, code.parse().unwrap());
            Locale::read(locale, None).money(money).replace(['\u{a0}', '\u{202f}'], " ")
        };
        assert_eq!(write("en-GB", 104_990, "GBP"), "£1,049.90");
        assert_eq!(write("de-DE", 104_990, "EUR"), "1.049,90 €");
        assert_eq!(write("nl-NL", 1_663, "EUR"), "€ 16,63");
        assert_eq!(write("sv-SE", 129_900, "SEK"), "1 299 kr");
        assert_eq!(write("sv-SE", 129_900, "NOK"), "1 299 NOK");
        assert_eq!(write("en-SE", 129_900, "SEK"), "kr 1,299");
        assert_eq!(write("fr-FR", 1_234_567, "EUR"), "12 345,67 €");
        assert_eq!(write("es-MX", 104_990, "MXN"), "$1,049.90");
        assert_eq!(write("en-CA", 500, "USD"), "US$5");
        assert_eq!(write("fr-CA", 500, "CAD"), "5 $");
        assert_eq!(write("de-CH", 1_005, "CHF"), "10,05 CHF");
        assert_eq!(write("en-GB", 1_234, "JPY"), "JPY 1,234");
        assert_eq!(write("hu-HU", -150_000_000, "HUF"), "−1 500 000 Ft");
    }
}
