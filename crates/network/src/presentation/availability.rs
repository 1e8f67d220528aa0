//! Whether Klarna can be shown at all, in the order of fact sheet 04 §8.4. Pure.

use protocol::Currency;

use crate::programs::Offered;
use crate::programs::catalogue::CustomerMarket;
use crate::programs::catalogue::categories::trade;

/// What a customer wants to do (`intents[]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Pay,
    Subscribe,
    AddToWallet,
    SignIn,
    SignUp,
    Donate,
}

impl Intent {
    pub const TEXTS: &[&str] = &["PAY", "SUBSCRIBE", "ADD_TO_WALLET", "SIGNIN", "SIGNUP", "DONATE"];

    /// The inverse of its text; `None` for another.
    pub fn read(text: &str) -> Option<Self> {
        Some(match text {
            "PAY" => Self::Pay,
            "SUBSCRIBE" => Self::Subscribe,
            "ADD_TO_WALLET" => Self::AddToWallet,
            "SIGNIN" => Self::SignIn,
            "SIGNUP" => Self::SignUp,
            "DONATE" => Self::Donate,
            _ => return None,
        })
    }

    /// Whether money moves, so that there must be a way to pay.
    pub fn pays(self) -> bool {
        matches!(self, Self::Pay | Self::Subscribe | Self::Donate)
    }
}

/// Why Klarna is not shown. The order is that of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The account is not operational.
    Account,
    /// There is no enabled payment product, or no payment account in it.
    Product,
    /// No customer market, or a currency that is not supported.
    Market,
    /// No program takes such an amount.
    Amount,
    /// The Partner's trade is excluded.
    Category,
    /// There is no way to do what is intended.
    Intent,
}

/// What is known of a Partner when Klarna is to be shown.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    pub is_operational: bool,
    /// The category of the payment account; `None` without an enabled one.
    pub merchant_category_code: Option<&'a str>,
    pub customer_country: &'a str,
    pub currency: Currency,
    /// Minor units.
    pub amount: Option<i64>,
    pub intents: &'a [Intent],
    /// What the Partner's programs offer in the market, whatever the amount.
    pub offered: &'a [Offered],
}

/// What can be chosen, or why nothing can.
///
/// # Errors
/// The first rule that speaks against it.
pub fn decide(situation: &Situation<'_>) -> Result<Vec<Offered>, Hidden> {
    if !situation.is_operational {
        return Err(Hidden::Account);
    }
    let Some(code) = situation.merchant_category_code else { return Err(Hidden::Product) };
    let market = CustomerMarket::by_country(situation.customer_country).ok_or(Hidden::Market)?;
    let mut in_currency = market.in_currency(situation.currency).peekable();
    if in_currency.peek().is_none() {
        return Err(Hidden::Market);
    }
    // The market's limits first: a Partner's programs are a part of them.
    if !in_currency.any(|(_, limits)| limits.allow(situation.amount)) {
        return Err(Hidden::Amount);
    }
    if trade(code).is_none() {
        return Err(Hidden::Category);
    }
    let choices: Vec<Offered> =
        situation.offered.iter().filter(|offered| offered.limits.allow(situation.amount)).copied().collect();
    let pays = situation.intents.iter().any(|intent| intent.pays());
    if choices.is_empty() && pays {
        return Err(Hidden::Intent);
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(country: &str, currency: Currency) -> Vec<Offered> {
        let market = CustomerMarket::by_country(country).unwrap();
        market.in_currency(currency).map(|(program, limits)| Offered { program, limits }).collect()
    }

    #[test]
    fn the_rules_speak_in_their_order() {
        let all = offered("DE", Currency::EUR);
        let fine = Situation {
            is_operational: true,
            merchant_category_code: Some("5942"),
            customer_country: "DE",
            currency: Currency::EUR,
            amount: Some(4_990),
            intents: &[Intent::Pay],
            offered: &all,
        };
        assert!(decide(&fine).is_ok_and(|choices| choices.iter().any(|choice| choice.program.key == "pay-in-3")));
        // Each situation breaks its rule and all that follow.
        let intent = Situation { offered: &[], ..fine.clone() };
        assert_eq!(decide(&intent), Err(Hidden::Intent));
        let category = Situation { merchant_category_code: Some("7995"), ..intent };
        assert_eq!(decide(&category), Err(Hidden::Category));
        let amount = Situation { amount: Some(99), ..category };
        assert_eq!(decide(&amount), Err(Hidden::Amount));
        let currency = Situation { currency: "JPY".parse().unwrap(), ..amount };
        assert_eq!(decide(&currency), Err(Hidden::Market));
        let country = Situation { customer_country: "JP", currency: Currency::EUR, ..currency };
        assert_eq!(decide(&country), Err(Hidden::Market));
        let product = Situation { merchant_category_code: None, ..country };
        assert_eq!(decide(&product), Err(Hidden::Product));
        let account = Situation { is_operational: false, ..product };
        assert_eq!(decide(&account), Err(Hidden::Account));
    }

    #[test]
    fn limits_are_inclusive_and_a_foreign_currency_leaves_paying_at_once() {
        let all = offered("DE", Currency::EUR);
        let at = |amount: i64, offered: &[Offered], currency: Currency| {
            let situation = Situation {
                is_operational: true,
                merchant_category_code: Some("5942"),
                customer_country: "DE",
                currency,
                amount: Some(amount),
                intents: &[Intent::Pay],
                offered,
            };
            decide(&situation).map(|choices| choices.iter().map(|choice| choice.program.key).collect::<Vec<_>>())
        };
        assert_eq!(at(100, &all, Currency::EUR), Ok(vec!["pay-now"]));
        assert!(!at(3_499, &all, Currency::EUR).unwrap().contains(&"pay-in-3"));
        assert!(at(3_500, &all, Currency::EUR).unwrap().contains(&"pay-in-3"));
        assert!(at(1_000_000, &all, Currency::EUR).is_ok());
        assert_eq!(at(1_000_001, &all, Currency::EUR), Err(Hidden::Amount));
        assert_eq!(at(4_990, &offered("DE", Currency::USD), Currency::USD), Ok(vec!["pay-now"]));
    }

    #[test]
    fn who_only_signs_in_needs_no_way_to_pay() {
        let mut situation = Situation {
            is_operational: true,
            merchant_category_code: Some("5942"),
            customer_country: "DE",
            currency: Currency::EUR,
            amount: None,
            intents: &[Intent::SignIn],
            offered: &[],
        };
        assert_eq!(decide(&situation), Ok(Vec::new()));
        situation.intents = &[Intent::SignIn, Intent::Donate];
        assert_eq!(decide(&situation), Err(Hidden::Intent));
        assert!(Intent::TEXTS.iter().all(|text| Intent::read(text).is_some()));
    }
}
