//! Which language a shopper reads, and how it writes amounts and dates.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use protocol::{Market, Money};

use super::words::{self, Words, fill};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    German,
}

impl Language {
    /// ISO 639-1, for the `lang` attribute.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &words::ENGLISH,
            Self::German => &words::GERMAN,
        }
    }

    /// By a tag of RFC 5646, such as `de-AT`.
    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next()?.trim();
        [Self::English, Self::German].into_iter().find(|language| primary.eq_ignore_ascii_case(language.code()))
    }

    /// The browser's wish, else the market's first language that we have, else English.
    pub fn choose(accept_language: Option<&str>, market: &Market) -> Self {
        accept_language
            .and_then(Self::of_wishes)
            .or_else(|| market.locales.iter().find_map(|locale| Self::of_tag(locale)))
            .unwrap_or(Self::English)
    }

    /// The best language of an `Accept-Language` header that we have; at equal weight, the one named first.
    fn of_wishes(header: &str) -> Option<Self> {
        let mut best: Option<(Self, u32)> = None;
        for wish in header.split(',').take(32) {
            let mut parts = wish.split(';');
            let Some(language) = parts.next().and_then(Self::of_tag) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }

    /// `€1,049.90` or `1.049,90 €`; currencies without a sign of their own by code.
    pub fn money(self, money: Money) -> String {
        let (minus, magnitude) = match money.minor {
            ..0 => ("\u{2212}", Money::new(money.minor.saturating_neg(), money.currency)),
            _ => ("", money),
        };
        let (code, sign) = (money.currency.code(), money.currency.sign());
        match (self, sign) {
            (Self::English, Some(sign)) => format!("{minus}{sign}{}", magnitude.grouped(',', '.')),
            (Self::English, None) => format!("{minus}{code}\u{a0}{}", magnitude.grouped(',', '.')),
            (Self::German, sign) => format!("{minus}{}\u{a0}{}", magnitude.grouped('.', ','), sign.unwrap_or(code)),
        }
    }

    /// The day that is `days` after `now_us`, in UTC, written out.
    pub fn date(self, now_us: i64, days: i64) -> String {
        let date = day_of(now_us, days);
        let month = self.words().months.split(',').nth(usize::try_from(date.month() - 1).unwrap_or(0)).unwrap_or("");
        fill(
            self.words().date,
            &[("day", &date.day().to_string()), ("month", month), ("year", &date.year().to_string())],
        )
    }
}

/// The day that is `days` after `now_us`; at the end of time, that end.
pub fn day_of(now_us: i64, days: i64) -> Date {
    let now = Timestamp::from_microsecond(now_us).unwrap_or(Timestamp::MAX);
    now.to_zoned(TimeZone::UTC).date().saturating_add(jiff::Span::new().days(days))
}

/// `0.8` is 800; what is no weight counts as none.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole.parse::<u32>(), digits.parse::<u32>()) {
        (Ok(whole @ 0..=1), Ok(fraction)) => (whole * 1000 + fraction).min(1000),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Currency;

    #[test]
    fn the_browser_decides_then_the_market() {
        let market = |country| Market::by_country(country).unwrap();
        assert_eq!(Language::choose(Some("fr;q=0.9, de-CH;q=0.8, en;q=0.7"), market("SE")), Language::German);
        assert_eq!(Language::choose(Some("de;q=0, en;q=0.1"), market("DE")), Language::English);
        assert_eq!(Language::choose(Some("fr, *;q=0.1"), market("AT")), Language::German);
        assert_eq!(Language::choose(None, market("SE")), Language::English);
        assert_eq!(Language::choose(Some(";;q=,,=1"), market("GB")), Language::English);
    }

    #[test]
    fn amounts_follow_the_language_and_the_digits_of_the_currency() {
        let money = |minor, code: &str| Money::new(minor, code.parse::<Currency>().unwrap());
        assert_eq!(Language::English.money(money(104_990, "EUR")), "€1,049.90");
        assert_eq!(Language::German.money(money(104_990, "EUR")), "1.049,90\u{a0}€");
        assert_eq!(Language::English.money(money(-5, "GBP")), "\u{2212}£0.05");
        assert_eq!(Language::English.money(money(25_900, "SEK")), "SEK\u{a0}259.00");
        assert_eq!(Language::German.money(money(1_234, "JPY")), "1.234\u{a0}JPY");
        assert_eq!(Language::English.money(money(1_250, "KWD")), "KWD\u{a0}1.250");
        assert!(Language::English.money(money(i64::MIN, "USD")).starts_with("\u{2212}$92,233,"));
    }

    #[test]
    fn dates_are_counted_in_days_and_written_out() {
        // 2026-01-31T23:00Z
        let now = 1_769_900_400_000_000;
        assert_eq!(Language::English.date(now, 30), "2 March 2026");
        assert_eq!(Language::German.date(now, 0), "31. Januar 2026");
        assert!(!Language::English.date(i64::MAX, 30).is_empty());
    }
}
