//! Which language a shopper reads, and how it writes amounts and dates.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use protocol::{Market, Money};

use super::words::{self, Words, fill};
use crate::presentation::Locale;

/// A language of the pages, and the market whose customs amounts follow.
#[derive(Clone, Copy, Debug)]
pub struct Language {
    words: &'static Words,
    country: &'static str,
}

impl Language {
    #[cfg(test)]
    fn of(code: &str, market: &Market) -> Self {
        Self { words: words::of(code), country: market.country }
    }

    /// ISO 639-1, for the `lang` attribute.
    pub fn code(self) -> &'static str {
        self.words.code
    }

    pub fn words(self) -> &'static Words {
        self.words
    }

    /// By a tag of RFC 5646, such as `de-AT`.
    fn of_tag(tag: &str) -> Option<&'static Words> {
        let primary = tag.split(['-', '_']).next()?.trim();
        words::ALL.into_iter().find(|words| primary.eq_ignore_ascii_case(words.code))
    }

    /// The browser's wish, else the market's first language that we have, else English.
    pub fn choose(accept_language: Option<&str>, market: &Market) -> Self {
        let words = accept_language
            .and_then(Self::of_wishes)
            .or_else(|| market.locales.iter().find_map(|locale| Self::of_tag(locale)))
            .unwrap_or(words::ALL[0]);
        Self { words, country: market.country }
    }

    /// The best language of an `Accept-Language` header, or of OpenID Connect's `ui_locales` with commas, that we have; at equal weight,
    /// the one named first.
    fn of_wishes(header: &str) -> Option<&'static Words> {
        let mut best: Option<(&'static Words, u32)> = None;
        for wish in header.split(',').take(32) {
            let mut parts = wish.split(';');
            let Some(words) = parts.next().and_then(Self::of_tag) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((words, weight));
            }
        }
        best.map(|(words, _)| words)
    }

    /// `€1,049.90`, `1.049,90 €` or `1 049,90 kr`, with all digits of the currency.
    pub fn money(self, money: Money) -> String {
        self.locale().exact_money(money)
    }

    /// `12,90` for 1290 hundredths of a percent.
    pub fn percent(self, bps: i64) -> String {
        self.locale().percent(bps)
    }

    fn locale(self) -> Locale {
        Locale::read(self.words.code, Some(self.country))
    }

    /// The day that is `days` after `now_us`, in UTC, written out.
    pub fn date(self, now_us: i64, days: i64) -> String {
        let date = day_of(now_us, days);
        let month = self.words.months.split(',').nth(usize::try_from(date.month() - 1).unwrap_or(0)).unwrap_or("");
        fill(self.words.date, &[("day", &date.day().to_string()), ("month", month), ("year", &date.year().to_string())])
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

    fn market(country: &str) -> &'static Market {
        Market::by_country(country).unwrap()
    }

    #[test]
    fn the_browser_decides_then_the_market() {
        let chosen = |wish, country| Language::choose(wish, market(country)).code();
        assert_eq!(chosen(Some("pl;q=0.9, de-CH;q=0.8, en;q=0.7"), "SE"), "de");
        assert_eq!(chosen(Some("de;q=0, en;q=0.1"), "DE"), "en");
        assert_eq!(chosen(Some("pl, *;q=0.1"), "AT"), "de");
        assert_eq!(chosen(Some("fr-CA,fr;q=0.9"), "CA"), "fr");
        assert_eq!((chosen(None, "SE"), chosen(None, "ES"), chosen(None, "FR")), ("sv", "es", "fr"));
        assert_eq!((chosen(None, "PL"), chosen(None, "BE")), ("en", "fr"));
        assert_eq!(chosen(Some(";;q=,,=1"), "GB"), "en");
    }

    #[test]
    fn amounts_follow_the_language_the_market_and_the_digits_of_the_currency() {
        let write = |code: &str, country: &str, minor: i64, currency: &str| {
            let money = Money::new(minor, currency.parse::<Currency>().unwrap());
            Language::of(code, market(country)).money(money).replace(['\u{a0}', '\u{202f}'], " ")
        };
        assert_eq!(write("en", "DE", 104_990, "EUR"), "€1,049.90");
        assert_eq!(write("de", "DE", 104_900, "EUR"), "1.049,00 €");
        assert_eq!(write("en", "GB", -5, "GBP"), "\u{2212}£0.05");
        assert_eq!(write("en", "DE", 25_900, "SEK"), "SEK 259.00");
        assert_eq!(write("sv", "SE", 125_900, "SEK"), "1 259,00 kr");
        assert_eq!(write("fr", "FR", 1_234_567, "EUR"), "12 345,67 €");
        assert_eq!(write("es", "MX", 104_990, "MXN"), "$1,049.90");
        assert_eq!(write("de", "DE", 1_234, "JPY"), "1.234 JPY");
        assert_eq!(write("en", "GB", 1_250, "KWD"), "KWD 1.250");
        assert!(write("en", "US", i64::MIN, "USD").starts_with("\u{2212}$92,233,"));
    }

    #[test]
    fn dates_are_counted_in_days_and_written_out() {
        // 2026-01-31T23:00Z
        let now = 1_769_900_400_000_000;
        let date = |code: &str, days| Language::of(code, market("DE")).date(now, days);
        assert_eq!(date("en", 30), "2 March 2026");
        assert_eq!(date("de", 0), "31. Januar 2026");
        assert_eq!((date("sv", 0), date("es", 0)), ("31 januari 2026".into(), "31 de enero de 2026".into()));
        assert!(!Language::of("fr", market("FR")).date(i64::MAX, 30).is_empty());
    }
}
