//! The rates of a price plan, one by one: every customer country, merchant category, channel and program of the catalogue.
//!
//! They are counted out in order, not stored: a place in that order is a cursor.

use protocol::Currency;

use super::catalogue::categories::{Trade, codes, trade};
use super::catalogue::{CustomerMarket, Program, RateCard, customer_markets};
use super::rate::{Channel, Priced, Rate};

/// Which rates are wanted; what is absent is not restricted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub merchant_category_code: Option<String>,
    /// Another than that of the country leaves what is offered across currencies.
    pub currency: Option<Currency>,
    pub customer_country: Option<String>,
    pub channel: Option<Channel>,
    pub program: Option<&'static Program>,
    /// Where the Partner is; at home without it.
    pub partner_country: Option<String>,
}

/// One rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub program: &'static Program,
    pub merchant_category_code: String,
    pub customer_country: &'static str,
    pub channel: Channel,
    pub rate: Rate,
}

impl Line {
    /// `DE:5942:DIGITAL:pay-in-3`.
    pub fn cursor(&self) -> String {
        format!(
            "{}:{}:{}:{}",
            self.customer_country,
            self.merchant_category_code,
            self.channel.as_str(),
            self.program.key
        )
    }
}

/// All rates of a version that a filter lets through, in the order of country, category, channel and program.
pub fn lines<'a>(card: &'a RateCard, filter: &'a Filter) -> impl Iterator<Item = Line> + 'a {
    let categories: Vec<(String, Trade)> = match &filter.merchant_category_code {
        Some(code) => trade(code).map(|trade| (code.clone(), trade)).into_iter().collect(),
        None => codes().filter_map(|code| trade(&code).map(|trade| (code, trade))).collect(),
    };
    let wants = |market: &&CustomerMarket| {
        filter.customer_country.as_ref().is_none_or(|country| market.country.eq_ignore_ascii_case(country))
    };
    customer_markets().iter().filter(wants).flat_map(move |market| {
        let currency = filter.currency.unwrap_or_else(|| market.currency());
        let programs: Vec<&'static Program> = market.in_currency(currency).map(|(program, _)| program).collect();
        let mut lines = Vec::new();
        for (code, trade) in &categories {
            for channel in Channel::ALL.into_iter().filter(|channel| filter.channel.is_none_or(|only| only == *channel))
            {
                for program in programs.iter().copied().filter(|program| program.is_for(*trade)) {
                    if filter.program.is_some_and(|only| only != program) {
                        continue;
                    }
                    let priced = Priced {
                        merchant_category_code: code,
                        customer_country: Some(market.country),
                        currency,
                        program: Some(program),
                        partner_country: filter.partner_country.as_deref(),
                        channel,
                    };
                    if let Some(rate) = Rate::on(card, &priced) {
                        let (merchant_category_code, customer_country) = (code.clone(), market.country);
                        lines.push(Line { program, merchant_category_code, customer_country, channel, rate });
                    }
                }
            }
        }
        lines
    })
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{PricePlan, STANDARD};
    use super::*;

    fn card() -> &'static RateCard {
        PricePlan::by_key(STANDARD).unwrap().versions.at(1_772_445_600_000_000).content
    }

    #[test]
    fn every_line_has_a_place_of_its_own() {
        let filter = Filter { merchant_category_code: Some("5942".to_owned()), ..Filter::default() };
        let cursors: Vec<String> = lines(card(), &filter).map(|line| line.cursor()).collect();
        let distinct: std::collections::BTreeSet<&String> = cursors.iter().collect();
        assert_eq!(distinct.len(), cursors.len());
        assert!(cursors.len() > 26 * 4);
    }

    #[test]
    fn a_filter_leaves_what_it_names() {
        let filter = Filter {
            merchant_category_code: Some("0744".to_owned()),
            currency: Some(Currency::SEK),
            customer_country: Some("se".to_owned()),
            channel: Some(Channel::Digital),
            program: Program::find(super::super::catalogue::programs()[3].id().as_str()),
            partner_country: Some("US".to_owned()),
        };
        let found: Vec<Line> = lines(card(), &filter).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].cursor(), "SE:0744:DIGITAL:pay-in-3");
        // 3.49, services 0.20, from afar 0.50
        assert_eq!((found[0].rate.variable_rate().as_str(), found[0].rate.fixed_fee), ("4.19", 300));
        let abroad = Filter { currency: Some(Currency::EUR), program: None, ..filter };
        let found: Vec<&str> = lines(card(), &abroad).map(|line| line.program.key).collect();
        assert_eq!(found, ["pay-now"]);
        let excluded = Filter { merchant_category_code: Some("7995".to_owned()), ..Filter::default() };
        assert_eq!(lines(card(), &excluded).count(), 0);
    }
}
