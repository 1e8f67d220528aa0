//! The purchase journey: what a shopper sees between a Partner's checkout and the way back to it (sheet 04 §7).
//!
//! Plain pages and forms that work without script; where a browser stands is kept in the database (`journeys`), so that a
//! reload, the back button, a form sent twice, a second tab or a crash lose and double nothing.
//!
//! # The way, for people and for tests
//! `B` is `/eu/requests/<uuid>` (or `/na/…`, `/oc/…`). Every form is sent `application/x-www-form-urlencoded`; its hidden fields
//! (`csrf`, and at the end `seal`) are found by name in the page before. Every POST that is taken answers 303.
//!
//! | request | fields beside the hidden ones | leads to |
//! |---|---|---|
//! | `GET B/start?token=…` (the `payment_request_url`) | | enters (IN_PROGRESS), sets a cookie, 303 to where the visit stands |
//! | `POST B/contact` | `contact`: phone or e-mail | `B/code` |
//! | `POST B/code` | `code`: six digits; 999999 is wrong | `B/plan`, or `B/review` where only a token is asked for |
//! | `POST B/plan` | `plan`: `pay_now`, `pay_later`, `pay_in_3`, `pay_in_4` | `B/review` |
//! | `POST B/confirm` | | `return_url`; `B/end` when declined or without one; `B/waiting` for a verdict that takes time |
//! | `POST B/refuse` | | DECLINED, `return_url` |
//! | `POST B/leave` | | SUBMITTED, `return_url` |
//! | `GET B/end` | | how it stands, with the way back |
//! | `GET B/qr.svg?token=…` | | the address as a QR code, the short one where the Partner shows a code; enters nothing |
//! | `GET /l/<8 characters>` | | 303 to the start address; enters nothing |
//!
//! A form that is refused answers 422 with the page and its faults, or 403 when it was not made for this browser's visit.
//! A client with a cookie jar that follows redirects needs five requests: start, contact, code, plan, confirm.
//!
//! # Ids
//! Forms `contact-form`, `code-form`, `plan-form`, `confirm-form`, `refuse-form`, `leave-form`; fields `contact`, `code`,
//! `plan-<code>`; buttons `continue`, `confirm`, `refuse`, `leave`, `sample-approved`, `sample-denied`, `sample-new`, `fill-code`;
//! links `change-contact`, `change-plan`, `resume`, `return`, `check-again`; `amount` with `data-minor` and `data-currency`;
//! `error-summary`; the card of an end with `data-testid="end"` and `data-end` one of `approved`, `declined`, `canceled`,
//! `expired`, `left`, `unknown`, `session`, `stale`, `failed`. All of them carry the same `data-testid`.

mod api;
mod contact;
mod language;
mod pages;
mod plan;
mod purchase;
mod shipping;
mod store;
mod visit;
mod words;

pub use api::routes;
pub(crate) use pages::ICON;
pub(crate) use words::fill;

/// What a browser's form says, by field.
type Fields = std::collections::BTreeMap<String, String>;

/// The texts in a language, or in English.
pub(crate) fn words_for(code: &str) -> &'static words::Words {
    if code == language::Language::German.code() { &words::GERMAN } else { &words::ENGLISH }
}
