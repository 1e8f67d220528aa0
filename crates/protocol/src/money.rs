//! Money: an amount in minor units and its currency, always together. No floating point.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// An ISO 4217 currency that money can be counted in: codes without minor-unit digits (XAU, XDR, XXX, …) are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    inner: iso_currency::Currency,
    exponent: u8,
}

/// Why a text is not a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    #[error("is not a currency code of ISO 4217")]
    Unknown,
    #[error("is a code of ISO 4217 that amounts cannot be given in")]
    NotSpendable,
}

impl Currency {
    pub const EUR: Self = Self { inner: iso_currency::Currency::EUR, exponent: 2 };
    pub const GBP: Self = Self { inner: iso_currency::Currency::GBP, exponent: 2 };
    pub const SEK: Self = Self { inner: iso_currency::Currency::SEK, exponent: 2 };
    pub const USD: Self = Self { inner: iso_currency::Currency::USD, exponent: 2 };

    /// Three capital letters.
    pub fn code(&self) -> &'static str {
        self.inner.code()
    }

    /// Digits after the point: JPY 0, EUR 2, KWD 3.
    pub fn exponent(&self) -> u8 {
        self.exponent
    }

    /// What people write for it, where that is understood everywhere: `€`, `A$`.
    pub fn sign(&self) -> Option<&'static str> {
        match self.code() {
            "EUR" => Some("€"),
            "GBP" => Some("£"),
            "USD" => Some("$"),
            "AUD" => Some("A$"),
            "CAD" => Some("C$"),
            "MXN" => Some("MX$"),
            "NZD" => Some("NZ$"),
            _ => None,
        }
    }

    /// The English name, as in `Euro`.
    pub fn name(&self) -> &str {
        self.inner.name()
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    /// Takes either case (`^[A-Za-z]{3}$`, sheet 01 §8.1).
    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let bytes = text.as_bytes();
        let &[a, b, c] = bytes else { return Err(CurrencyError::Unknown) };
        let upper = [a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()];
        let code = std::str::from_utf8(&upper).map_err(|_| CurrencyError::Unknown)?;
        let inner = iso_currency::Currency::from_code(code).ok_or(CurrencyError::Unknown)?;
        // Testing currency (XTS) has an exponent in some tables and no value anywhere.
        if code == "XTS" {
            return Err(CurrencyError::NotSpendable);
        }
        let exponent = inner.exponent().and_then(|digits| u8::try_from(digits).ok());
        Ok(Self { inner, exponent: exponent.ok_or(CurrencyError::NotSpendable)? })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}
impl AsRef<str> for Currency {
    fn as_ref(&self) -> &str {
        self.code()
    }
}
impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Currency;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency code of ISO 4217")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Currency, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// An amount in minor units (cents, öre, fils) of one currency; negative for money that flows back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units of `currency`.
    pub minor: i64,
    pub currency: Currency,
}

/// Why two amounts cannot be combined, or a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("amounts are in different currencies: {left} and {right}")]
    MixedCurrencies { left: Currency, right: Currency },
    #[error("the result is beyond 64 bits")]
    Overflow,
    #[error("is not an amount like 49.90 EUR with {digits} digits after the point")]
    Malformed { digits: u8 },
    #[error(transparent)]
    Currency(#[from] CurrencyError),
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// # Errors
    /// Mixed currencies; a sum beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// # Errors
    /// Mixed currencies; a difference beyond 64 bits.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The number without its currency, as a language writes it: `1,049.90` with `,` and `.`.
    pub fn grouped(self, group: char, point: char) -> String {
        let digits = usize::from(self.currency.exponent());
        let unit = 10u64.pow(u32::from(self.currency.exponent()));
        let magnitude = self.minor.unsigned_abs();
        let whole = (magnitude / unit).to_string();
        let mut out = String::from(if self.minor < 0 { "\u{2212}" } else { "" });
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                out.push(group);
            }
            out.push(digit);
        }
        if digits > 0 {
            out.push_str(&format!("{point}{:0digits$}", magnitude % unit));
        }
        out
    }

    /// Reads an amount above zero that a person typed: point or comma, and at most as many digits behind it as the currency has.
    pub fn typed(text: &str, currency: Currency) -> Option<Self> {
        let digits = usize::from(currency.exponent());
        let text = text.trim().replace(',', ".");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        if fraction.len() > digits || whole.is_empty() {
            return None;
        }
        let point = if digits == 0 { "" } else { "." };
        let money: Self = format!("{whole}{point}{fraction:0<digits$} {currency}").parse().ok()?;
        (money.minor > 0).then_some(money)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::MixedCurrencies { left: self.currency, right: other.currency })
    }
}

/// `49.90 EUR`, `500 JPY`, `-1.250 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = usize::from(self.currency.exponent());
        let magnitude = self.minor.unsigned_abs();
        if digits == 0 {
            return write!(f, "{sign}{magnitude} {}", self.currency);
        }
        let unit = 10u64.pow(u32::from(self.currency.exponent()));
        write!(f, "{sign}{}.{:0digits$} {}", magnitude / unit, magnitude % unit, self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The inverse of `Display`: exactly as many digits after the point as the currency has.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (number, code) = text.split_once(' ').ok_or(MoneyError::Malformed { digits: 2 })?;
        let currency: Currency = code.parse()?;
        let malformed = MoneyError::Malformed { digits: currency.exponent() };
        let (negative, magnitude) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (whole, fraction) = match (currency.exponent(), magnitude.split_once('.')) {
            (0, None) => (magnitude, ""),
            (digits, Some((whole, fraction))) if digits > 0 && fraction.len() == usize::from(digits) => {
                (whole, fraction)
            }
            _ => return Err(malformed),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(malformed);
        }
        let value: i128 = format!("{whole}{fraction}").parse().map_err(|_| MoneyError::Overflow)?;
        let minor = i64::try_from(if negative { -value } else { value }).map_err(|_| MoneyError::Overflow)?;
        Ok(Self { minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().unwrap())
    }

    #[test]
    fn prints_as_many_digits_as_the_currency_has() {
        let printed = |minor, code| money(minor, code).to_string();
        assert_eq!(printed(4990, "EUR"), "49.90 EUR");
        assert_eq!(printed(-5, "EUR"), "-0.05 EUR");
        assert_eq!(printed(500, "JPY"), "500 JPY");
        assert_eq!(printed(-1250, "KWD"), "-1.250 KWD");
        assert_eq!(printed(i64::MIN, "USD"), "-92233720368547758.08 USD");
    }

    #[test]
    fn numbers_are_grouped_as_a_language_wants() {
        assert_eq!(money(104_990, "EUR").grouped(',', '.'), "1,049.90");
        assert_eq!(money(-5, "EUR").grouped('.', ','), "\u{2212}0,05");
        assert_eq!(money(1_234, "JPY").grouped('.', ','), "1.234");
        assert_eq!(money(i64::MIN, "USD").grouped(',', '.'), "\u{2212}92,233,720,368,547,758.08");
    }

    #[test]
    fn what_people_type_is_read_and_nonsense_is_not() {
        let typed = |text: &str, code: &str| Money::typed(text, code.parse().unwrap()).map(|money| money.minor);
        assert_eq!(typed(" 12,5 ", "EUR"), Some(1250));
        assert_eq!(typed("12", "EUR"), Some(1200));
        assert_eq!(typed("500", "JPY"), Some(500));
        for wrong in ["", "0", "-1", "1.234", "1.2.3", "1,000.00", "12€", ".50", "1e3"] {
            assert_eq!(typed(wrong, "EUR"), None, "{wrong}");
        }
    }

    #[test]
    fn constants_agree_with_the_table() {
        for constant in [Currency::EUR, Currency::GBP, Currency::SEK, Currency::USD] {
            assert_eq!(constant.code().parse(), Ok(constant));
        }
    }

    #[test]
    fn codes_are_read_in_either_case_and_those_without_minor_units_refused() {
        assert_eq!("eur".parse(), Ok(Currency::EUR));
        for code in ["XAU", "XDR", "XXX", "XTS"] {
            assert_eq!(code.parse::<Currency>(), Err(CurrencyError::NotSpendable), "{code}");
        }
        for code in ["", "EU", "EURO", "QQQ", "€", "E R"] {
            assert_eq!(code.parse::<Currency>(), Err(CurrencyError::Unknown), "{code}");
        }
    }

    #[test]
    fn sums_refuse_mixed_currencies_and_overflow() {
        let (euro, krona) = (money(1, "EUR"), money(1, "SEK"));
        assert_eq!(euro.checked_add(euro), Ok(money(2, "EUR")));
        assert_eq!(euro.checked_sub(money(3, "EUR")), Ok(money(-2, "EUR")));
        assert!(matches!(euro.checked_add(krona), Err(MoneyError::MixedCurrencies { .. })));
        assert!(matches!(euro.checked_sub(krona), Err(MoneyError::MixedCurrencies { .. })));
        assert_eq!(money(i64::MAX, "EUR").checked_add(euro), Err(MoneyError::Overflow));
        assert_eq!(money(i64::MIN, "EUR").checked_sub(euro), Err(MoneyError::Overflow));
    }

    #[test]
    fn texts_that_are_no_amount_are_refused() {
        for text in
            ["49.9 EUR", "49 EUR", "1.0 JPY", ".50 EUR", "4-9.90 EUR", "49.90EUR", "--1.00 EUR", "1e2.00 EUR", ""]
        {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
        assert_eq!("92233720368547758.08 EUR".parse::<Money>(), Err(MoneyError::Overflow));
    }
}
