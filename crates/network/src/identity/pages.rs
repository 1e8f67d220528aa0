//! The pages of a sign-in, of the same family as the purchase journey's and with the same forms. Their ids are part of their face: see
//! `docs/journey.md`.

use maud::{Markup, html};
use url::Url;

use super::request::Asked;
use super::scope;
use crate::customers::contact::Contact;
use crate::customers::details;
use crate::journey::Fields;
use crate::journey::language::Language;
use crate::journey::login::pages::{CodeFault, Faults, Form, Login, error_summary, test_box};
use crate::journey::pages::{document, end_card, end_card_in};
use crate::journey::visit::Step;
use crate::journey::words::{Words, fill};

/// What every page of a sign-in stands on.
pub struct Frame<'a> {
    pub language: Language,
    /// `/eu/lp/idp/sign-in/<uuid>`, without a trailing slash.
    pub base: &'a str,
    /// The forms' proof that this browser was shown them.
    pub csrf: &'a str,
    /// The Partner's name.
    pub partner: Option<&'a str>,
    pub asked: &'a Asked,
}

/// Which page.
#[derive(Debug)]
pub enum Shown {
    Contact { typed: String, is_faulty: bool, is_spent: bool },
    Code { contact: Contact, typed: String, fault: Option<CodeFault> },
    Details { typed: Fields, faults: Vec<(details::Field, details::Fault)> },
    Consent { contact: Contact },
}

impl<'a> Frame<'a> {
    fn words(&self) -> &'static Words {
        self.language.words()
    }

    fn partner(&self) -> &'a str {
        self.partner.unwrap_or(self.words().partner_unnamed)
    }

    fn login(&self) -> Login<'a> {
        Login { language: self.language, market: self.asked.market(), base: self.base, csrf: self.csrf }
    }

    /// Draws it.
    pub fn draw(&self, shown: &Shown) -> Markup {
        let words = self.words();
        let login = self.login();
        match shown {
            Shown::Contact { typed, is_faulty, is_spent } => {
                let lead = fill(words.sign_in_lead, &[("partner", self.partner())]);
                let form = login.contact(words.sign_in_title, &lead, typed, *is_faulty);
                self.page(Step::Contact, is_spent.then_some(words.code_spent), &form)
            }
            Shown::Code { contact, typed, fault } => self.page(Step::Code, None, &login.code(contact, typed, *fault)),
            Shown::Details { typed, faults } => self.page(Step::Details, None, &login.details(typed, faults)),
            Shown::Consent { contact } => self.consent(contact),
        }
    }

    fn page(&self, current: Step, notice: Option<&str>, form: &Form) -> Markup {
        let words = self.words();
        let title = if form.faults.is_empty() {
            form.title.to_owned()
        } else {
            fill(words.error_title, &[("title", form.title)])
        };
        let steps = [
            (Step::Contact, words.step_contact),
            (Step::Code, words.step_code),
            (Step::Details, words.step_details),
            (Step::Review, words.sign_in_step),
        ];
        let shown = steps.iter().filter(|(step, _)| *step != Step::Details || current == Step::Details);
        let body = html! {
            ol.steps aria-label=(words.steps) {
                @for (step, name) in shown {
                    li aria-current=[(*step == current).then_some("step")] { (name) }
                }
            }
            (error_summary(words, &form.faults))
            @if let Some(notice) = notice {
                div.callout.waiting role="status" data-testid="notice" { p { (notice) } }
            }
            (form.task)
            form id="leave-form" method="post" action={ (self.base) "/cancel" } {
                (self.login().hidden())
                button.button.quiet.full type="submit" id="leave" data-testid="leave" { (words.consent_refuse) }
            }
            @if let Some(help) = &form.help { (test_box(words, help)) }
        };
        document(self.language, &title, None, body)
    }

    /// What is shared, with whom, and where: the person decides.
    fn consent(&self, contact: &Contact) -> Markup {
        let words = self.words();
        let url = Url::parse(&self.asked.redirect_uri).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or(&self.asked.redirect_uri);
        let scopes = self.asked.scopes();
        let shared = scope::in_words(&scopes, words);
        let task = html! {
            form.row.spread id="not-you-form" method="post" action={ (self.base) "/not-you" } {
                (self.login().hidden())
                span data-testid="account" { (contact.masked()) }
                button.button.quiet.small type="submit" id="not-you" data-testid="not-you" { (words.not_you) }
            }
            form.card.lifted id="consent-form" method="post" action={ (self.base) "/consent" } {
                h1 { (fill(words.consent_title, &[("partner", self.partner())])) }
                p id="consent-text" { (fill(words.consent_text, &[("partner", self.partner()), ("host", host)])) }
                ul data-testid="shared" aria-labelledby="consent-text" {
                    @for what in &shared { li { (what) } }
                    // Nothing but that there is an account.
                    @if shared.is_empty() { li { (words.consent_login) } }
                }
                (self.login().hidden())
                button.button.primary.full type="submit" id="share" data-testid="share" { (words.consent_confirm) }
            }
        };
        let form = Form { title: words.sign_in_title, task, help: None, faults: Faults::new() };
        self.page(Step::Review, None, &form)
    }
}

/// A request that is not answered anywhere. The reason is for developers, in English.
pub fn wrong(language: Language, reason: &str) -> Markup {
    let words = language.words();
    let text = html! { p { (words.sign_in_wrong_text) } p lang="en" data-testid="reason" { (reason) } };
    document(language, words.sign_in_wrong_title, None, end_card("wrong", words.sign_in_wrong_title, &text))
}

/// A sign-in that is over, for the browser that began it.
pub struct Over<'a> {
    pub language: Language,
    /// The Partner's name.
    pub partner: Option<&'a str>,
    /// Whether it was answered; otherwise it took too long.
    pub is_answered: bool,
    /// Where the person came from, if they may be led there.
    pub back: Option<&'a str>,
}

impl Over<'_> {
    /// Draws it.
    pub fn draw(&self) -> Markup {
        let words = self.language.words();
        let partner = [("partner", self.partner.unwrap_or(words.partner_unnamed))];
        let (state, name, title, text) = if self.is_answered {
            ("done", "answered", words.sign_in_answered_title, words.sign_in_answered_text)
        } else {
            ("ended", "late", words.sign_in_late_title, words.sign_in_late_text)
        };
        let text = html! {
            p { (fill(text, &partner)) }
            @if let Some(back) = self.back {
                a.button.primary.full id="back" data-testid="back" href=(back) { (fill(words.back_to, &partner)) }
            }
        };
        document(self.language, title, None, end_card_in(state, name, title, &text))
    }
}

/// A sign-in that nobody knows, or that is another browser's.
pub fn over(language: Language) -> Markup {
    let words = language.words();
    let text = html! { p { (words.sign_in_over_text) } };
    document(language, words.sign_in_over_title, None, end_card("over", words.sign_in_over_title, &text))
}

/// Our fault; the id leads to the log.
pub fn failed(language: Language, error_id: &str) -> Markup {
    let words = language.words();
    let text = html! { p.small.muted { (fill(words.failed_reference, &[("reference", error_id)])) } };
    document(language, words.failed_title, None, end_card("failed", words.failed_title, &text))
}
