//! Enablements: which optional payment programs an account switched on, and for whom.

use kit::http::FieldFault;
use protocol::Currency;
use serde::{Deserialize, Serialize};

use super::catalogue::categories::trade;
use super::catalogue::{Enablement, Program};

/// For whom a program is switched on; what is not named is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Criteria {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub customer_countries: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merchant_category_codes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payment_account_ids: Vec<String>,
    /// The older spelling of countries; shown to whoever used it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub markets: Vec<CriteriaMarket>,
}

/// One of the older `markets[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriteriaMarket {
    pub customer_country: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transaction_currency: Option<String>,
}

/// What somebody wants to be offered.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'a> {
    pub customer_country: &'a str,
    pub currency: Currency,
    pub merchant_category_code: &'a str,
    pub payment_account_id: Option<&'a str>,
}

impl Criteria {
    /// Countries in capitals, the older spelling read into the present one.
    #[must_use]
    pub fn normal(mut self) -> Self {
        for country in &mut self.customer_countries {
            country.make_ascii_uppercase();
        }
        for market in &mut self.markets {
            market.customer_country.make_ascii_uppercase();
            if let Some(currency) = &mut market.transaction_currency {
                currency.make_ascii_uppercase();
            }
            if !self.customer_countries.contains(&market.customer_country) {
                self.customer_countries.push(market.customer_country.clone());
            }
        }
        self
    }

    /// Whether a purchase is meant.
    pub fn fit(&self, purchase: &Purchase<'_>) -> bool {
        let is_named = |list: &[String], wanted: &str| list.is_empty() || list.iter().any(|named| named == wanted);
        let older = self.markets.iter().filter(|market| market.customer_country == purchase.customer_country);
        let currencies: Vec<_> = older.filter_map(|market| market.transaction_currency.as_deref()).collect();
        is_named(&self.customer_countries, purchase.customer_country)
            && is_named(&self.merchant_category_codes, purchase.merchant_category_code)
            && purchase.payment_account_id.is_none_or(|account| is_named(&self.payment_account_ids, account))
            && (currencies.is_empty() || currencies.contains(&purchase.currency.code()))
    }
}

/// Why a program is not switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Some of the criteria fit nothing.
    Criteria(Vec<FieldFault>),
    /// It is always on.
    Preset,
    /// Klarna has to approve it.
    Restricted,
}

/// Decides on a new enablement. `payment_accounts` are the account's; `by_klarna` is Klarna's own approval.
///
/// # Errors
/// See [`Refusal`]. Ours: what is wrong with the criteria comes first, so that it is not learnt after the approval.
pub fn decide(
    program: &Program,
    criteria: &Criteria,
    payment_accounts: &[String],
    by_klarna: bool,
) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, index: usize, reason: &'static str| {
        faults.push(FieldFault::new(format!("enablement_criteria.{path}[{index}]"), reason));
    };
    let is_offered = |country: &str| program.markets().any(|(market, _)| market.country == country);
    for (index, country) in criteria.customer_countries.iter().enumerate() {
        let is_older = criteria.markets.iter().any(|market| market.customer_country == *country);
        if !is_older && !is_offered(country) {
            fault("customer_countries", index, "is no customer country of this payment program");
        }
    }
    for (index, market) in criteria.markets.iter().enumerate() {
        if !is_offered(&market.customer_country) {
            fault("markets", index, "is no market of this payment program");
        }
    }
    for (index, code) in criteria.merchant_category_codes.iter().enumerate() {
        if !trade(code).is_some_and(|trade| program.is_for(trade)) {
            fault("merchant_category_codes", index, "is no merchant category that this payment program is for");
        }
    }
    for (index, id) in criteria.payment_account_ids.iter().enumerate() {
        if !payment_accounts.contains(id) {
            fault("payment_account_ids", index, "is no payment account of this Partner account");
        }
    }
    if !faults.is_empty() {
        return Err(Refusal::Criteria(faults));
    }
    match program.enablement {
        Enablement::Preset => Err(Refusal::Preset),
        Enablement::Restricted if !by_klarna => Err(Refusal::Restricted),
        Enablement::Restricted | Enablement::Optional => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::programs;
    use super::*;

    fn program(key: &str) -> &'static Program {
        programs().iter().find(|program| program.key == key).unwrap()
    }

    fn criteria(json: &str) -> Criteria {
        serde_json::from_str::<Criteria>(json).unwrap().normal()
    }

    #[test]
    fn a_preset_is_always_on_and_a_restricted_one_waits_for_klarna() {
        let all = Criteria::default();
        assert_eq!(decide(program("pay-now"), &all, &[], true), Err(Refusal::Preset));
        assert_eq!(decide(program("financing-free-6"), &all, &[], false), Err(Refusal::Restricted));
        assert_eq!(decide(program("financing-free-6"), &all, &[], true), Ok(()));
        assert_eq!(decide(program("pay-later-60"), &all, &[], false), Ok(()));
    }

    #[test]
    fn every_criterion_that_fits_nothing_is_named() {
        let wrong = criteria(
            r#"{"customer_countries":["se","us"],"merchant_category_codes":["5942","4511","0001"],"payment_account_ids":["a","b"],
                "markets":[{"customer_country":"PL"}]}"#,
        );
        let Err(Refusal::Criteria(faults)) = decide(program("pay-later-60"), &wrong, &["a".to_owned()], false) else {
            panic!("refused for its criteria")
        };
        let at: Vec<_> =
            faults.iter().map(|fault| fault.parameter.trim_start_matches("enablement_criteria.")).collect();
        assert_eq!(
            at,
            [
                "customer_countries[1]",
                "markets[0]",
                "merchant_category_codes[1]",
                "merchant_category_codes[2]",
                "payment_account_ids[1]"
            ]
        );
    }

    #[test]
    fn criteria_mean_who_they_name_and_everybody_if_they_name_nobody() {
        let purchase = Purchase {
            customer_country: "SE",
            currency: Currency::SEK,
            merchant_category_code: "5942",
            payment_account_id: Some("a"),
        };
        assert!(Criteria::default().fit(&purchase));
        assert!(
            criteria(r#"{"customer_countries":["SE"],"merchant_category_codes":["5942"],"payment_account_ids":["a"]}"#)
                .fit(&purchase)
        );
        assert!(!criteria(r#"{"customer_countries":["DE"]}"#).fit(&purchase));
        assert!(!criteria(r#"{"payment_account_ids":["b"]}"#).fit(&purchase));
        assert!(criteria(r#"{"markets":[{"customer_country":"se","transaction_currency":"sek"}]}"#).fit(&purchase));
        assert!(!criteria(r#"{"markets":[{"customer_country":"SE","transaction_currency":"EUR"}]}"#).fit(&purchase));
        assert!(!criteria(r#"{"markets":[{"customer_country":"DE"}]}"#).fit(&purchase));
    }
}
