//! On-site messaging: a line on product pages, carts and above a shop, before anybody pays.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::Money;
use serde_json::{Value, json};

use super::descriptor::{BRAND, Links, Part, best, message, terms_sentence};
use super::language::Locale;
use super::present::{Asked, promised};
use crate::journey::fill;
use crate::programs::Offered;
use crate::programs::catalogue::Terms;

/// Where a message stands (fact sheet 04 §5.1). The API serves the first four; the SDK knows all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    CreditPromotionAutoSize,
    CreditPromotionBadge,
    TopStripPromotionAutoSize,
    TopStripPromotionBadge,
    Homepage,
    Sidebar,
    Footer,
    InfoPage,
}

impl Placement {
    /// By its key, in any of the spellings that clients use.
    pub fn from_key(key: &str) -> Option<Self> {
        Some(match key {
            "credit-promotion-auto-size" | "checkout" => Self::CreditPromotionAutoSize,
            "credit-promotion-badge" => Self::CreditPromotionBadge,
            "top-strip-promotion-auto-size" => Self::TopStripPromotionAutoSize,
            "top-strip-promotion-badge" => Self::TopStripPromotionBadge,
            "homepage-promotion-tall" | "homepage-promotion-wide" | "homepage-promotion-box" | "homepage-banner" => {
                Self::Homepage
            }
            "sidebar-promotion-auto-size" | "sidebar" => Self::Sidebar,
            "footer-promotion-auto-size" | "footer" => Self::Footer,
            "info-page" => Self::InfoPage,
            _ => return None,
        })
    }

    /// Whether it speaks of an amount.
    pub fn needs_amount(self) -> bool {
        matches!(self, Self::CreditPromotionAutoSize | Self::CreditPromotionBadge)
    }

    /// Whether the picture is the badge, and not the logo.
    fn has_badge(self) -> bool {
        matches!(self, Self::CreditPromotionBadge | Self::TopStripPromotionBadge)
    }
}

/// The message for a placement; `None` where there is nothing to promise: paying at once is no news.
///
/// # Errors
/// As [`super::present()`].
pub async fn messaging(
    tx: &mut Tx,
    links: &Links<'_>,
    placement: Placement,
    asked: &Asked,
    now: i64,
) -> Result<Option<Value>, ApiError> {
    let choices = promised(tx, asked, now).await?;
    let amount = asked.amount.map(|minor| Money::new(minor, asked.currency));
    Ok(text(&asked.locale, placement, amount, &choices)
        .map(|text| view(links, &asked.locale, placement, amount, &text)))
}

fn text(locale: &Locale, placement: Placement, amount: Option<Money>, choices: &[Offered]) -> Option<String> {
    let terms = best(choices)?.program.terms;
    if terms == Terms::Now {
        return None;
    }
    match placement {
        Placement::CreditPromotionAutoSize | Placement::CreditPromotionBadge => {
            amount.map(|amount| terms_sentence(locale, terms, amount))
        }
        Placement::TopStripPromotionAutoSize
        | Placement::TopStripPromotionBadge
        | Placement::Homepage
        | Placement::Sidebar
        | Placement::Footer => Some(strip(locale, terms)),
        Placement::InfoPage => {
            let mut all: Vec<String> = Vec::new();
            for choice in choices.iter().filter(|choice| choice.program.terms != Terms::Now) {
                let line = amount.map_or_else(
                    || strip(locale, choice.program.terms),
                    |amount| terms_sentence(locale, choice.program.terms, amount),
                );
                if !all.contains(&line) {
                    all.push(line);
                }
            }
            Some(all.join(" "))
        }
    }
}

/// A line without an amount.
fn strip(locale: &Locale, terms: Terms) -> String {
    let words = locale.words;
    match terms {
        Terms::Parts { count, .. } => fill(words.strip_parts, &[("count", &count.to_string())]),
        Terms::Later { days } => fill(words.strip_later, &[("days", &days.to_string())]),
        Terms::Financing { .. } => format!("{}.", words.with_financing),
        Terms::Now => format!("{}.", words.now),
    }
}

/// Both forms that are known: nodes (to release 7), and parts with an icon (newer).
fn view(links: &Links<'_>, locale: &Locale, placement: Placement, amount: Option<Money>, text: &str) -> Value {
    let info = links.info(locale, amount);
    let learn_more = locale.words.learn_more;
    let (picture, url) = if placement.has_badge() {
        ("KLARNA_BADGE", links.image("badge"))
    } else {
        ("KLARNA_LOGO", links.image("rectangle"))
    };
    let mut object = json!({
        "content": {"nodes": [
            {"name": "TEXT_MAIN", "type": "TEXT", "value": text},
            {"name": "ACTION_LEARN_MORE", "type": "ACTION", "label": learn_more, "url": info},
            {"name": picture, "type": "IMAGE", "alt": BRAND, "url": url},
        ]},
        "message": message(&[
            Part::Text(format!("{text} ")),
            Part::Link { text: learn_more.to_owned(), url: info },
        ]),
    });
    if placement.has_badge() {
        object["icon"] = links.icon();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::catalogue::CustomerMarket;

    fn say(locale: &str, placement: &str, minor: Option<i64>) -> Option<String> {
        let locale = Locale::read(locale, None);
        let market = CustomerMarket::by_country(&locale.country).unwrap();
        let currency = market.currency();
        let all = market.in_currency(currency).map(|(program, limits)| Offered { program, limits });
        let choices: Vec<Offered> = all.filter(|choice| choice.limits.allow(minor)).collect();
        let placement = Placement::from_key(placement).unwrap();
        text(&locale, placement, minor.map(|minor| Money::new(minor, currency)), &choices)
            .map(|text| text.replace(['\u{a0}', '\u{202f}'], " "))
    }

    #[test]
    fn a_promotion_says_the_best_there_is() {
        let say = |locale, placement, minor| say(locale, placement, minor).unwrap();
        assert_eq!(say("sv-SE", "credit-promotion-badge", Some(129_900)), "Betala i 3 delar utan ränta: 3 × 433 kr.");
        assert_eq!(
            say("en-US", "credit-promotion-auto-size", Some(9_999)),
            "Pay in 4 parts without interest: 3 × $25 + $24.99."
        );
        assert_eq!(say("de-DE", "credit-promotion-badge", Some(1_000)), "10 € in 30 Tagen zahlen.");
        assert_eq!(say("fr-FR", "top-strip-promotion-badge", None), "Réglez votre achat en 3 fois sans intérêts.");
        assert_eq!(
            say("en-GB", "info-page", Some(3_000)),
            "Pay £30 in 30 days. Pay in 3 parts without interest: 3 × £10."
        );
        let large = say("nb-NO", "credit-promotion-auto-size", Some(9_000_000));
        assert!(large.starts_with("kr 3") || large.contains(" kr i måneden i 36 måneder med 14,90 % rente"), "{large}");
    }

    #[test]
    fn paying_at_once_is_no_news() {
        assert_eq!(say("de-DE", "credit-promotion-badge", Some(100)), None);
        assert_eq!(say("en-US", "top-strip-promotion-auto-size", Some(3_000)), None);
        assert_eq!(Placement::from_key("top-banner"), None);
    }
}
