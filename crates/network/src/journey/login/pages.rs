//! The forms of [`super`]. Their ids are part of the journey's face: see `docs/journey.md`.

use maud::{Markup, html};
use protocol::Market;

use crate::customers::contact::{Contact, Sample, calling_code};
use crate::customers::details::{self, Fault, Field};
use crate::journey::Fields;
use crate::journey::language::Language;
use crate::journey::words::{Words, fill};

/// Where the forms go, and who reads them.
pub struct Login<'a> {
    pub language: Language,
    pub market: &'static Market,
    /// The address of the pages, without a trailing slash.
    pub base: &'a str,
    /// The forms' proof that this browser was shown them.
    pub csrf: &'a str,
}

/// A page's task, with the help for testers beside it.
pub struct Form {
    pub title: &'static str,
    pub task: Markup,
    pub help: Option<Markup>,
    pub faults: Faults,
}

/// Fields that have to be corrected: the id of each control, and what to do.
pub type Faults = Vec<(String, String)>;

/// What is wrong with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeFault {
    Malformed,
    Wrong,
}

impl Login<'_> {
    fn words(&self) -> &'static Words {
        self.language.words()
    }

    /// What every form carries.
    pub fn hidden(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// Who somebody is: by a number or an address.
    pub fn contact(&self, title: &'static str, lead: &str, typed: &str, is_faulty: bool) -> Form {
        let words = self.words();
        let help = fill(words.contact_help, &[("code", calling_code(self.market.country))]);
        let fault = is_faulty.then_some(words.contact_error);
        let task = html! {
            form.card.lifted id="contact-form" method="post" action={ (self.base) "/contact" } novalidate {
                h1 { (title) }
                p.muted { (lead) }
                (self.hidden())
                div.field {
                    label for="contact" { (words.contact_label) }
                    p.help id="contact-help" { (help) }
                    (error_text("contact", fault))
                    input id="contact" data-testid="contact" name="contact" type="text" value=(typed) required
                        autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="254"
                        aria-describedby=(if is_faulty { "contact-error contact-help" } else { "contact-help" })
                        aria-invalid=[fault.map(|_| "true")];
                }
                button.button.primary.full type="submit" id="continue" data-testid="continue" { (words.continue_button) }
            }
        };
        let testers = html! {
            form method="get" action={ (self.base) "/contact" } {
                p id="sample-help" { (words.test_contact) }
                div.row role="group" aria-describedby="sample-help" {
                    @for (sample, label) in Sample::ALL.into_iter().zip([words.test_approved, words.test_denied, words.test_new]) {
                        button.button.small type="submit" name="sample" value=(sample.code())
                            id={ "sample-" (sample.code()) } data-testid={ "sample-" (sample.code()) } { (label) }
                    }
                }
            }
        };
        let faults = fault.map(|text| ("contact".to_owned(), text.to_owned())).into_iter().collect();
        Form { title, task, help: Some(testers), faults }
    }

    /// The one-time code.
    pub fn code(&self, contact: &Contact, typed: &str, fault: Option<CodeFault>) -> Form {
        let words = self.words();
        let fault = fault.map(|fault| match fault {
            CodeFault::Wrong => words.code_wrong_error,
            CodeFault::Malformed => words.code_format_error,
        });
        let task = html! {
            form.card.lifted id="code-form" method="post" action={ (self.base) "/code" } novalidate {
                h1 { (words.code_title) }
                p.muted { (fill(words.code_sent, &[("contact", &contact.masked())])) }
                (self.hidden())
                div.field {
                    label for="code" { (words.code_label) }
                    (error_text("code", fault))
                    input.one-time-code id="code" data-testid="code" name="code" type="text" value=(typed) required
                        inputmode="numeric" autocomplete="one-time-code" maxlength="12"
                        aria-describedby=[fault.map(|_| "code-error")] aria-invalid=[fault.map(|_| "true")];
                }
                (self.remember(false))
                button.button.primary.full type="submit" id="continue" data-testid="continue" { (words.continue_button) }
                p { a id="other-contact" data-testid="other-contact" href={ (self.base) "/contact" } { (words.code_other) } }
            }
        };
        let testers = html! {
            form method="get" action={ (self.base) "/code" } {
                p { (words.test_code) }
                button.button.small type="submit" name="fill" value="1" id="fill-code" data-testid="fill-code" { (words.test_fill) }
            }
        };
        let faults = fault.map(|text| ("code".to_owned(), text.to_owned())).into_iter().collect();
        Form { title: words.code_title, task, help: Some(testers), faults }
    }

    fn remember(&self, is_checked: bool) -> Markup {
        html! {
            label.check for="remember" {
                input type="checkbox" id="remember" data-testid="remember" name="remember" value="1" checked[is_checked];
                span { (self.words().remember) }
            }
        }
    }

    /// What a new account needs.
    pub fn details(&self, typed: &Fields, faults: &[(Field, Fault)]) -> Form {
        let words = self.words();
        let label = |field: Field| match field {
            Field::GivenName => words.shipping_given_name,
            Field::FamilyName => words.shipping_family_name,
            Field::StreetAddress => words.shipping_street,
            Field::PostalCode => words.shipping_postal_code,
            Field::City => words.shipping_city,
            Field::Region => words.shipping_region,
            Field::DateOfBirth => words.details_birth,
        };
        let told = |field: Field| {
            let (_, fault) = faults.iter().find(|(faulty, _)| *faulty == field)?;
            Some(match fault {
                Fault::Missing => fill(words.details_missing, &[("field", label(field))]),
                Fault::NoDay => words.details_birth_error.to_owned(),
                Fault::TooYoung => words.details_young.to_owned(),
            })
        };
        let task = html! {
            form.card.lifted id="details-form" method="post" action={ (self.base) "/details" } novalidate {
                h1 { (words.details_title) }
                p.muted { (words.details_lead) }
                (self.hidden())
                @for field in details::wanted(self.market) {
                    @let (name, told) = (field.name(), told(field));
                    div.field {
                        label for=(name) { (label(field)) }
                        (error_text(name, told.as_deref()))
                        input id=(name) data-testid=(name) name=(name) required autocomplete=(field.autocomplete())
                            type=(if field == Field::DateOfBirth { "date" } else { "text" })
                            value=(typed.get(name).map(String::as_str).unwrap_or_default()) maxlength=(details::FIELD_CHARS_MAX)
                            aria-describedby=[told.as_ref().map(|_| format!("{name}-error"))]
                            aria-invalid=[told.as_ref().map(|_| "true")];
                    }
                }
                (self.remember(typed.contains_key("remember")))
                button.button.primary.full type="submit" id="continue" data-testid="continue" { (words.continue_button) }
            }
        };
        let testers = html! {
            form method="get" action={ (self.base) "/details" } {
                @if typed.contains_key("remember") { input type="hidden" name="remember" value="1"; }
                p { (words.test_details) }
                button.button.small type="submit" name="fill" value="1" id="fill-details" data-testid="fill-details" {
                    (words.test_details_fill)
                }
            }
        };
        let faults = faults.iter().filter_map(|(field, _)| Some((field.name().to_owned(), told(*field)?))).collect();
        Form { title: words.details_title, task, help: Some(testers), faults }
    }
}

/// A field's fault, above its control.
pub fn error_text(field: &str, fault: Option<&str>) -> Markup {
    html! {
        @if let Some(message) = fault {
            p.error id={ (field) "-error" } { (message) }
        }
    }
}

/// On top of a page: what has to be corrected, with a way to each field.
pub fn error_summary(words: &Words, faults: &Faults) -> Markup {
    html! {
        @if !faults.is_empty() {
            div.error-summary id="error-summary" data-testid="error-summary" role="alert" tabindex="-1" autofocus {
                h2 { (words.error_summary) }
                @for (field, message) in faults {
                    p { a href={ "#" (field) } { (message) } }
                }
            }
        }
    }
}

/// For people who try things out.
pub fn test_box(words: &Words, help: &Markup) -> Markup {
    html! {
        section.test-box data-testid="test-shopper" aria-labelledby="test-shopper-title" {
            h2 id="test-shopper-title" { (words.test_title) }
            (help)
        }
    }
}
