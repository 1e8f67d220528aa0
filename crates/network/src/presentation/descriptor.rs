//! How a payment option is described: short lines, what the best choice means in money, links, icons, buttons. Pure.

use protocol::{Currency, Money};
use serde_json::{Value, json};

use super::availability::Intent;
use super::instalments::{self, monthly, parts};
use super::language::Locale;
use crate::journey::fill;
use crate::programs::Offered;
use crate::programs::catalogue::Terms;

/// How the wordmark reads.
pub const BRAND: &str = "Klarna";
/// The standard option's id (the one that Klarna's documentation shows): opaque for callers.
pub const STANDARD_OPTION: &str = "S0xBUk5B";
/// What ids of saved options begin with, before a digest of the customer token's row.
const SAVED_PREFIX: &str = "saved-";

/// A run of text, or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// To a page that may open in a window of its own (`INFO`).
    Link {
        text: String,
        url: String,
    },
}

impl Part {
    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!({"type": "TEXT", "text": text}),
            Self::Link { text, url } => json!({"type": "LINK", "text": text, "url": url, "context": "INFO"}),
        }
    }
}

/// A message of parts, with its plain text.
pub fn message(parts: &[Part]) -> Value {
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) | Part::Link { text, .. } => text.as_str(),
        })
        .collect();
    json!({"text": text, "parts": parts.iter().map(Part::json).collect::<Vec<_>>()})
}

/// Where pictures and pages are.
#[derive(Clone, Debug)]
pub struct Links<'a> {
    /// Of this network end, without a trailing slash.
    pub base: &'a str,
}

impl Links<'_> {
    /// One of our pictures: `badge`, `square`, `rectangle`, `button`.
    pub fn image(&self, name: &str) -> String {
        format!("{}/presentation/{name}.svg", self.base)
    }

    /// The page on the ways to pay, for a purchase if there is one.
    pub fn info(&self, locale: &Locale, amount: Option<Money>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("locale", &locale.tag());
        if let Some(amount) = amount {
            query.append_pair("currency", amount.currency.code()).append_pair("amount", &amount.minor.to_string());
        }
        format!("{}/presentation/info?{}", self.base, query.finish())
    }

    /// The icon object.
    pub fn icon(&self) -> Value {
        json!({
            "badge_image_url": self.image("badge"),
            "rectangle_image_url": self.image("rectangle"),
            "square_image_url": self.image("square"),
            "alt": BRAND,
        })
    }
}

/// A purchase to be described.
#[derive(Clone, Debug)]
pub struct Purchase<'a> {
    pub locale: &'a Locale,
    pub currency: Currency,
    /// Minor units; without it, texts name no amounts.
    pub amount: Option<i64>,
    /// The primary one.
    pub intent: Intent,
    pub choices: &'a [Offered],
}

impl Purchase<'_> {
    fn money(&self) -> Option<Money> {
        self.amount.map(|minor| Money::new(minor, self.currency))
    }

    /// The short line.
    pub fn line(&self) -> &'static str {
        let words = self.locale.words;
        let has = |kind: fn(Terms) -> bool| self.choices.iter().any(|choice| kind(choice.program.terms));
        let financing = has(|terms| matches!(terms, Terms::Financing { .. }));
        let later = has(|terms| matches!(terms, Terms::Later { .. }));
        let parts = has(|terms| matches!(terms, Terms::Parts { .. }));
        match (self.intent, financing, later, parts) {
            // What recurs is paid when it is due.
            (Intent::Subscribe, ..) => words.now,
            (_, true, true, _) => words.with_financing,
            (_, _, true, true) => words.now_later_parts,
            (_, _, true, false) => words.now_later,
            (_, _, false, true) => words.now_parts,
            (_, _, false, false) => words.now,
        }
    }

    /// What the best choice means, as a sentence.
    pub fn sentence(&self) -> String {
        let words = self.locale.words;
        let Some(money) = self.money() else {
            return if self.intent.pays() { format!("{}.", self.line()) } else { words.wallet.to_owned() };
        };
        match self.intent {
            Intent::Subscribe => fill(words.subscription, &[("amount", &self.locale.money(money))]),
            Intent::AddToWallet | Intent::SignIn | Intent::SignUp => words.wallet.to_owned(),
            Intent::Pay | Intent::Donate => {
                let terms = best(self.choices).map_or(Terms::Now, |choice| choice.program.terms);
                terms_sentence(self.locale, terms, money)
            }
        }
    }

    fn button_text(&self) -> &'static str {
        let words = self.locale.words;
        match self.intent {
            Intent::Pay => words.pay,
            Intent::Subscribe => words.subscribe,
            Intent::Donate => words.donate,
            Intent::SignIn => words.sign_in,
            Intent::SignUp => words.sign_up,
            Intent::AddToWallet => words.add,
        }
    }

    /// The option that everybody is shown.
    pub fn option(&self, links: &Links<'_>) -> Value {
        let words = self.locale.words;
        let info = links.info(self.locale, self.money());
        let (line, sentence) = (self.line(), self.sentence());
        let (before, after) = words.terms.split_once("{terms}").unwrap_or((words.terms, ""));
        let terms = [
            Part::Text(before.to_owned()),
            Part::Link { text: words.terms_name.to_owned(), url: info.clone() },
            Part::Text(after.to_owned()),
        ];
        let label = fill(self.button_text(), &[("klarna", BRAND)]);
        let text = self.button_text().trim_end_matches("{klarna}").trim_end();
        json!({
            "payment_option_id": STANDARD_OPTION,
            "header": {"text": BRAND},
            "subheader": {
                "text": line,
                "short": {"text": line},
                "enriched": {"text": sentence, "link": {"href": info, "link_text": words.learn_more}},
            },
            "icon": links.icon(),
            "message": message(&[
                Part::Text(format!("{sentence} ")),
                Part::Link { text: words.learn_more.to_owned(), url: info },
            ]),
            "terms": message(&terms),
            "payment_button": {"text": text, "label": label, "image_url": links.image("button")},
        })
    }

    /// The option of a customer who is known by a token.
    pub fn saved_option(&self, links: &Links<'_>, customer: &str) -> Value {
        let words = self.locale.words;
        let mut option = self.option(links);
        option["payment_option_id"] = json!(saved_option_id(customer));
        option["badge"] = json!({"text": words.saved});
        option["subheader"]["text"] = json!(words.saved_again);
        option["subheader"]["short"]["text"] = json!(words.saved_again);
        option
    }
}

/// The id of the saved option of a customer token's row.
pub fn saved_option_id(customer: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(customer.as_bytes());
    format!("{SAVED_PREFIX}{}", hex::encode(&digest[..9]))
}

/// The choice that is told first: parts without interest, then longer times without, then later, then financing.
pub fn best(choices: &[Offered]) -> Option<&Offered> {
    let rank = |terms: Terms| match terms {
        Terms::Now => 0,
        Terms::Financing { interest_bps: 1.., .. } => 1,
        Terms::Later { .. } => 2,
        Terms::Financing { .. } => 3,
        Terms::Parts { .. } => 4,
    };
    choices.iter().max_by_key(|choice| rank(choice.program.terms))
}

/// What terms mean for an amount.
pub fn terms_sentence(locale: &Locale, terms: Terms, money: Money) -> String {
    let words = locale.words;
    let write = |minor: i64| locale.money(Money::new(minor, money.currency));
    let amount = write(money.minor);
    match terms {
        Terms::Now => fill(words.today, &[("amount", &amount)]),
        Terms::Later { days } => fill(words.later, &[("amount", &amount), ("days", &days.to_string())]),
        Terms::Parts { count, .. } => {
            let list = parts(money.minor, count);
            fill(words.parts, &[("count", &count.to_string()), ("parts", &summed(&list, write))])
        }
        Terms::Financing { months, interest_bps } => {
            let payment = monthly(money.minor, interest_bps, months);
            let (each, months_text) = (write(payment), months.to_string());
            if interest_bps == 0 {
                return fill(words.financing_free, &[("amount", &each), ("months", &months_text)]);
            }
            let total = write(instalments::months(money.minor, interest_bps, months).iter().sum());
            let interest = locale.percent(interest_bps);
            let values = [("amount", &*each), ("months", &*months_text), ("interest", &*interest), ("total", &*total)];
            fill(words.financing, &values)
        }
    }
}

/// `3 × €16.63`, or `€16.64 + 2 × €16.63`: what is paid, to the cent.
fn summed(parts: &[i64], write: impl Fn(i64) -> String) -> String {
    let runs = parts.chunk_by(|a, b| a == b).map(|run| match run {
        [only] => write(*only),
        run => format!("{} × {}", run.len(), write(run[0])),
    });
    runs.collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::super::words::ALL;
    use super::*;
    use crate::programs::catalogue::CustomerMarket;

    fn choices(country: &str, amount: i64) -> Vec<Offered> {
        let market = CustomerMarket::by_country(country).unwrap();
        let all = market.in_currency(market.currency()).map(|(program, limits)| Offered { program, limits });
        all.filter(|choice| choice.limits.allow(Some(amount))).collect()
    }

    fn purchase<'a>(locale: &'a Locale, amount: Option<i64>, choices: &'a [Offered]) -> Purchase<'a> {
        let currency = CustomerMarket::by_country(&locale.country).unwrap().currency();
        Purchase { locale, currency, amount, intent: Intent::Pay, choices }
    }

    #[test]
    fn a_sentence_says_what_is_paid_to_the_cent() {
        let locale = Locale::read("en-GB", None);
        let choices = choices("GB", 4_990);
        assert_eq!(
            purchase(&locale, Some(4_990), &choices).sentence().replace('\u{a0}', " "),
            "Pay in 3 parts without interest: £16.64 + 2 × £16.63."
        );
        assert_eq!(purchase(&locale, Some(6_000), &choices).sentence(), "Pay in 3 parts without interest: 3 × £20.");
        assert_eq!(purchase(&locale, None, &choices).sentence(), "Pay now, later or in parts.");
        let financing = Terms::Financing { months: 12, interest_bps: 1_200 };
        assert_eq!(
            terms_sentence(&locale, financing, Money::new(100_000, Currency::GBP)),
            "£88.85 a month for 12 months at 12.00 % interest, £1,066.19 in all."
        );
    }

    #[test]
    fn the_line_names_what_is_offered_and_nothing_else() {
        let locale = Locale::read("en-US", None);
        let line = |choices: &[Offered]| purchase(&locale, None, choices).line();
        assert_eq!(line(&choices("DE", 100)), "Pay the full amount today");
        assert_eq!(line(&choices("DE", 1_000)), "Pay now or later");
        assert_eq!(line(&choices("SE", 40_000)), "Pay now, later or month by month");
        assert_eq!(line(&choices("GB", 4_990)), "Pay now, later or in parts");
        assert_eq!(line(&choices("CA", 4_990)), "Pay now or in parts");
    }

    #[test]
    fn an_option_has_its_texts_in_every_language() {
        for words in ALL {
            let locale = Locale { words, country: "DE".to_owned() };
            let choices = choices("DE", 9_990);
            for text in Intent::TEXTS {
                let purchase =
                    Purchase { intent: Intent::read(text).unwrap(), ..purchase(&locale, Some(9_990), &choices) };
                let option = purchase.option(&Links { base: "https://n.example" });
                let shown = option.to_string();
                assert!(
                    !shown.contains("{\\") && !shown.contains("{amount}") && !shown.contains("{klarna}"),
                    "{shown}"
                );
                assert_eq!(option["payment_button"]["label"].as_str().unwrap().matches(BRAND).count(), 1);
                assert!(!option["payment_button"]["text"].as_str().unwrap().contains(BRAND));
            }
        }
    }

    #[test]
    fn a_saved_option_has_an_id_of_its_customer() {
        assert_eq!(saved_option_id("a"), saved_option_id("a"));
        assert_ne!(saved_option_id("a"), saved_option_id("b"));
        assert_eq!(saved_option_id("a").len(), 24);
    }
}
