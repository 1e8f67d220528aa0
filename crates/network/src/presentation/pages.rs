//! The page behind the links, and our neutral pictures. Klarna's own are never served from here.

use kit::web;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use protocol::Money;

use super::descriptor::{BRAND, terms_sentence};
use super::language::Locale;
use crate::programs::catalogue::CustomerMarket;

/// The pictures by name; all show the same mark.
pub const PICTURES: [(&str, &str); 4] = [
    (
        "badge",
        "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='24' viewBox='0 0 60 24' role='img'>\
             <rect width='60' height='24' rx='12' fill='#1f6f63'/><path d='M25 20V11a5 5 0 0 1 10 0v9z' fill='#fff'/></svg>",
    ),
    (
        "rectangle",
        "<svg xmlns='http://www.w3.org/2000/svg' width='96' height='48' viewBox='0 0 96 48' role='img'>\
             <rect width='96' height='48' rx='6' fill='#1f6f63'/><path d='M38 42V22a10 10 0 0 1 20 0v20z' fill='#fff'/></svg>",
    ),
    (
        "square",
        "<svg xmlns='http://www.w3.org/2000/svg' width='48' height='48' viewBox='0 0 48 48' role='img'>\
             <rect width='48' height='48' rx='6' fill='#1f6f63'/><path d='M14 42V22a10 10 0 0 1 20 0v20z' fill='#fff'/></svg>",
    ),
    (
        "button",
        "<svg xmlns='http://www.w3.org/2000/svg' width='48' height='20' viewBox='0 0 48 20' role='img'>\
             <rect width='48' height='20' rx='10' fill='#fff'/><path d='M20 17V9a4 4 0 0 1 8 0v8z' fill='#1f6f63'/></svg>",
    ),
];

/// What a customer of a market can choose, in words; for an amount, as it would be paid.
pub fn info(locale: &Locale, amount: Option<Money>) -> Markup {
    let words = locale.words;
    let market = CustomerMarket::by_country(&locale.country);
    let mut lines: Vec<String> = Vec::new();
    if let Some(market) = market {
        let currency = amount.map_or_else(|| market.currency(), |amount| amount.currency);
        for (program, limits) in market.in_currency(currency) {
            // Without an amount, the smallest that the program takes is an example.
            let minor = amount.map_or(limits.minimum, |amount| amount.minor);
            if limits.allow(Some(minor)) {
                let line = terms_sentence(locale, program.terms, Money::new(minor, currency));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (words.title) }
                link rel="icon" href="/presentation/square.svg";
                link rel="stylesheet" href=(web::STYLESHEET.href);
                script type="module" src=(web::THEME.href) blocking="render" {}
            }
            body {
                header.site-header { span.brand { (PreEscaped(PICTURES[0].1)) (BRAND) } }
                main.narrow.stack id="main" {
                    h1 { (words.title) }
                    @if lines.is_empty() { p { (words.not_an_offer) } } @else {
                        ul { @for line in &lines { li { (line) } } }
                        p.muted { (words.not_an_offer) }
                    }
                }
            }
        }
    }
}
