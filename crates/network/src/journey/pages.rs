//! The journey's pages. Every id and `data-testid` in here is part of its face: see the room's opening comment.

use std::sync::LazyLock;

use fast_qr::convert::Builder as _;
use kit::web::{self, Asset};
use maud::{DOCTYPE, Markup, html};
use protocol::payments::ProfileScope;
use protocol::{Market, Money};

use super::Fields;
use super::language::{Language, day_of};
use super::login::pages::{CodeFault, Faults, Form, Login, error_summary, error_text, test_box};
use super::plan::Plan;
use super::purchase::Purchase;
use super::shipping;
use super::visit::Step;
use super::words::{Words, fill};
use crate::customers::contact::Contact;
use crate::customers::details;
use crate::programs::catalogue::Terms;
use crate::websdk::{self, Address, ShippingOption};

/// Our mark, small: browsers ask for it, and find it in the page.
pub const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Crect x='2' y='2' \
    width='20' height='20' rx='3' fill='%231f6f63'/%3E%3Cpath d='M9 22V11a3 3 0 0 1 6 0v11z' fill='%23fff'/%3E%3C/svg%3E";

/// What every page of a visit stands on.
pub struct Frame<'a> {
    pub language: Language,
    /// `/eu/requests/<uuid>`, without a trailing slash.
    pub base: &'a str,
    pub purchase: &'a Purchase,
    /// The forms' proof that this browser was shown them.
    pub csrf: &'a str,
    /// Microseconds UTC.
    pub now: i64,
}

/// What the page says on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The code was wrong too often.
    CodeSpent,
    /// The order changed meanwhile.
    OrderChanged,
}

impl<'a> Frame<'a> {
    fn words(&self) -> &'static Words {
        self.language.words()
    }

    fn partner(&self) -> &'a str {
        self.purchase.partner.as_deref().unwrap_or(self.words().partner_unnamed)
    }

    fn money(&self, money: Money) -> String {
        self.language.money(money)
    }

    /// A text with the Partner's name and the amount in it.
    fn say(&self, text: &str) -> String {
        let amount = self.purchase.amount.map(|amount| self.money(amount)).unwrap_or_default();
        fill(text, &[("partner", self.partner()), ("amount", &amount)])
    }

    fn login(&self) -> Login<'a> {
        Login { language: self.language, market: self.purchase.market, base: self.base, csrf: self.csrf }
    }

    /// A page of the way: where one is, the order, the task, the help for testers, the way out.
    fn step_page(&self, step: Step, notice: Option<Notice>, form: &Form) -> Markup {
        let words = self.words();
        let title = if form.faults.is_empty() {
            form.title.to_owned()
        } else {
            fill(words.error_title, &[("title", form.title)])
        };
        let body = html! {
            (self.steps(step))
            (self.order(step == Step::Contact))
            (error_summary(words, &form.faults))
            @if let Some(notice) = notice {
                div.callout.waiting role="status" data-testid="notice" {
                    p { (match notice { Notice::CodeSpent => words.code_spent, Notice::OrderChanged => words.review_changed }) }
                }
            }
            (form.task)
            (self.way_out())
            @if let Some(help) = &form.help { (test_box(words, help)) }
        };
        document(self.language, &title, None, body)
    }

    fn steps(&self, current: Step) -> Markup {
        let words = self.words();
        let all = [
            (Step::Contact, words.step_contact),
            (Step::Code, words.step_code),
            (Step::Details, words.step_details),
            (Step::Plan, words.step_plan),
            (Step::Review, words.step_review),
        ];
        let shown = all.iter().filter(|(step, _)| match step {
            Step::Plan => self.purchase.asks_plan(),
            // Of those who are new, and nobody knows who is before the code.
            Step::Details => current == Step::Details,
            Step::Contact | Step::Code | Step::Review => true,
        });
        html! {
            ol.steps aria-label=(words.steps) {
                @for (step, name) in shown {
                    li aria-current=[(*step == current).then_some("step")] { (name) }
                }
            }
        }
    }

    /// The amount large, the lines on demand; on the first page they stand open.
    fn order(&self, open: bool) -> Markup {
        let words = self.words();
        let purchase = self.purchase;
        html! {
            section.order aria-labelledby="order-title" data-testid="order" {
                div.row.spread {
                    h2.order-title id="order-title" { (self.say(words.order_at)) }
                    @if let Some(amount) = purchase.amount {
                        p.price id="amount" data-testid="amount" data-minor=(amount.minor) data-currency=(amount.currency) { (self.money(amount)) }
                    }
                }
                @if purchase.amount.is_none() {
                    p id="amount" data-testid="amount" { (self.say(words.token_only)) }
                }
                @if !purchase.lines.is_empty() {
                    details open[open] {
                        summary { (words.order_lines) }
                        dl.receipt data-testid="lines" {
                            @for line in &purchase.lines {
                                div {
                                    dt { (line.name) @if let Some(quantity) = line.quantity { " × " (quantity) } }
                                    dd { @if let Some(total) = line.total { (self.money(total)) } }
                                }
                            }
                            @if let Some(amount) = purchase.amount {
                                div.total { dt { (words.total) } dd { (self.money(amount)) } }
                            }
                        }
                    }
                }
                @if let Some(reference) = &purchase.reference {
                    p.small.muted { (fill(words.order_reference, &[("reference", reference)])) }
                }
            }
        }
    }

    fn way_out(&self) -> Markup {
        let words = self.words();
        let label = if self.purchase.return_location.is_some() { words.leave } else { words.leave_closed };
        html! {
            form id="leave-form" method="post" action={ (self.base) "/leave" } {
                (self.hidden())
                button.button.quiet.full type="submit" id="leave" data-testid="leave" { (label) }
            }
        }
    }

    fn hidden(&self) -> Markup {
        self.login().hidden()
    }

    /// Who is here, and the way out for whoever that is not.
    fn account(&self, contact: &Contact) -> Markup {
        let words = self.words();
        html! {
            form.row.spread id="not-you-form" method="post" action={ (self.base) "/not-you" } {
                (self.hidden())
                span data-testid="account" { (contact.masked()) }
                button.button.quiet.small type="submit" id="not-you" data-testid="not-you" { (words.not_you) }
            }
        }
    }

    /// Step 1: who is paying.
    pub fn contact(&self, typed: &str, is_faulty: bool, notice: Option<Notice>) -> Markup {
        let words = self.words();
        let form = self.login().contact(words.contact_title, words.contact_lead, typed, is_faulty);
        self.step_page(Step::Contact, notice, &form)
    }

    /// Step 2: the one-time code.
    pub fn code(&self, contact: &Contact, typed: &str, fault: Option<CodeFault>) -> Markup {
        self.step_page(Step::Code, None, &self.login().code(contact, typed, fault))
    }

    /// Between: what a new account needs.
    pub fn details(&self, typed: &Fields, faults: &[(details::Field, details::Fault)]) -> Markup {
        self.step_page(Step::Details, None, &self.login().details(typed, faults))
    }

    /// Step 3: how to pay.
    pub fn plan(
        &self,
        amount: Money,
        contact: &Contact,
        chosen: Option<Plan>,
        is_faulty: bool,
        notice: Option<Notice>,
    ) -> Markup {
        let words = self.words();
        let plans = self.purchase.plans();
        // A radio group is reached by its first button.
        let first = format!("plan-{}", plans.first().map(|plan| plan.code()).unwrap_or_default());
        let faults: Faults = is_faulty.then(|| (first, words.plan_error.to_owned())).into_iter().collect();
        let finances = plans.iter().any(|plan| matches!(plan.terms(), Terms::Financing { .. }));
        let task = html! {
            (self.account(contact))
            form.card.lifted id="plan-form" method="post" action={ (self.base) "/plan" } novalidate {
                h1 { (words.plan_title) }
                (self.hidden())
                fieldset.choices aria-describedby=[is_faulty.then_some("plan-error")] {
                    legend.visually-hidden { (self.say(words.plan_legend)) }
                    @if is_faulty {
                        p.error id="plan-error" { (words.plan_error) }
                    }
                    @for plan in plans {
                        @let id = format!("plan-{}", plan.code());
                        label.choice for=(id) {
                            input type="radio" name="plan" value=(plan.code()) checked[chosen == Some(plan)] required
                                id=(id) data-testid=(id);
                            span {
                                strong { (self.plan_name(plan)) }
                                span.help { (self.plan_help(plan, amount)) }
                                (self.parts(plan, amount))
                            }
                        }
                    }
                }
                details id="terms" {
                    summary { (words.plan_terms) }
                    div.stack.small.muted {
                        p { (words.plan_terms_now) }
                        p { (words.plan_terms_later) }
                        @if finances { p { (words.plan_terms_financing) } }
                        p { (words.plan_terms_test) }
                    }
                }
                button.button.primary.full type="submit" id="continue" data-testid="continue" { (words.continue_button) }
            }
        };
        self.step_page(Step::Plan, notice, &Form { title: words.plan_title, task, help: None, faults })
    }

    fn plan_name(&self, plan: Plan) -> String {
        let words = self.words();
        match plan.terms() {
            Terms::Now => words.plan_pay_now.to_owned(),
            Terms::Later { days } => fill(words.plan_pay_later, &[("days", &days.to_string())]),
            Terms::Parts { count, .. } => fill(words.plan_parts, &[("parts", &count.to_string())]),
            Terms::Financing { months, .. } => fill(words.plan_financing, &[("months", &months.to_string())]),
        }
    }

    fn plan_help(&self, plan: Plan, amount: Money) -> String {
        let words = self.words();
        let parts = plan.instalments(amount);
        let first = parts.first().map_or((0, amount), |part| (part.days, part.amount));
        let total = Money::new(parts.iter().map(|part| part.amount.minor).sum(), amount.currency);
        let (text, months, interest) = match plan.terms() {
            Terms::Now => (words.plan_now_help, 0, 0),
            Terms::Later { .. } => (words.plan_later_help, 0, 0),
            Terms::Parts { gap_days: 14, .. } => (words.plan_weeks_help, 0, 0),
            Terms::Parts { .. } => (words.plan_month_help, 0, 0),
            Terms::Financing { months, interest_bps: 0 } => (words.plan_financing_free_help, months, 0),
            Terms::Financing { months, interest_bps } => (words.plan_financing_help, months, interest_bps),
        };
        let values = [
            ("amount", &*self.money(amount)),
            ("date", &*self.language.date(self.now, first.0)),
            ("monthly", &*self.money(first.1)),
            ("months", &*months.to_string()),
            ("rate", &*self.language.percent(interest)),
            ("total", &*self.money(total)),
        ];
        fill(text, &values)
    }

    /// Each part with its date, for plans that have several.
    fn parts(&self, plan: Plan, amount: Money) -> Markup {
        let parts = plan.instalments(amount);
        html! {
            // Months of financing are told in a sentence, and one by one before they are confirmed.
            @if matches!(plan.terms(), Terms::Parts { .. }) {
                span.parts {
                    @for part in parts {
                        span.part { span { (self.due(part.days)) } " " span { (self.money(part.amount)) } }
                    }
                }
            }
        }
    }

    fn due(&self, days: i64) -> String {
        if days == 0 { self.words().today.to_owned() } else { self.language.date(self.now, days) }
    }

    /// Step 4: everything once more, and the decision.
    pub fn review(&self, contact: &Contact, plan: Option<Plan>) -> Markup {
        let words = self.words();
        let purchase = self.purchase;
        let change = |step: Step, what: &str| {
            let label = fill(words.review_change_what, &[("what", what)]);
            html! { a.small id={ "change-" (step.code()) } data-testid={ "change-" (step.code()) } href={ (self.base) "/" (step.code()) } aria-label=(label) { (words.review_change) } }
        };
        let confirm =
            if purchase.asks_plan() { self.say(words.confirm_amount) } else { words.confirm_token.to_owned() };
        let task = html! {
            @if !purchase.asks_plan() { (self.account(contact)) }
            div.card.lifted {
                h1 { (words.review_title) }
                dl.stack {
                    div {
                        dt.small.muted { (words.review_you) }
                        dd.row.spread { span { (contact.masked()) } (change(Step::Contact, words.review_you)) }
                    }
                    @if let (Some(amount), Some(plan)) = (purchase.amount, plan) {
                        div {
                            dt.small.muted { (words.review_plan) }
                            dd.row.spread data-testid="chosen-plan" data-plan=(plan.code()) {
                                span { (self.plan_name(plan)) }
                                (change(Step::Plan, words.review_plan))
                            }
                        }
                        div {
                            dt.small.muted { (words.review_schedule) }
                            dd {
                                ol.receipt-list data-testid="instalments" {
                                    @for part in plan.instalments(amount) {
                                        li data-minor=(part.amount.minor) {
                                            time datetime=(day_of(self.now, part.days)) { (self.due(part.days)) }
                                            span { (self.money(part.amount)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                @if purchase.asks_token {
                    p data-testid="token-consent" { (self.say(if purchase.asks_plan() { words.review_token } else { words.review_token_only })) }
                }
                @if !purchase.profile.is_empty() {
                    p.small { (fill(words.review_profile, &[("partner", self.partner()), ("fields", &self.profile_fields())])) }
                }
                form.stack id="confirm-form" method="post" action={ (self.base) "/confirm" } {
                    (self.hidden())
                    input type="hidden" name="seal" value=(purchase.seal());
                    @if let Some(plan) = plan {
                        p.small.muted { (fill(words.review_terms, &[("plan", &self.plan_name(plan))])) }
                    }
                    button.button.primary.full type="submit" id="confirm" data-testid="confirm" { (confirm) }
                }
                details id="refuse-more" {
                    summary { (words.refuse) }
                    form.stack.tight id="refuse-form" method="post" action={ (self.base) "/refuse" } {
                        (self.hidden())
                        p.small.muted id="refuse-help" { (words.refuse_help) }
                        button.button.danger.full type="submit" id="refuse" data-testid="refuse" aria-describedby="refuse-help" { (words.refuse) }
                    }
                }
            }
        };
        let form = Form { title: words.review_title, task, help: None, faults: Faults::new() };
        self.step_page(Step::Review, None, &form)
    }

    fn profile_fields(&self) -> String {
        let words = self.words();
        let names = self.purchase.profile.iter().map(|scope| match scope {
            ProfileScope::Name => words.profile_name,
            ProfileScope::Email => words.profile_email,
            ProfileScope::Phone => words.profile_phone,
            ProfileScope::Locale => words.profile_locale,
            ProfileScope::BillingAddress => words.profile_address,
            ProfileScope::Country => words.profile_country,
            ProfileScope::NationalIdentification => words.profile_national_id,
            ProfileScope::DateOfBirth => words.profile_birth,
            ProfileScope::Unknown(other) => other,
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// The verdict takes time: the page asks again by itself.
    pub fn waiting(&self) -> Markup {
        let words = self.words();
        let body = html! {
            (self.order(false))
            div.card.lifted data-testid="waiting" {
                h1 { (words.waiting_title) }
                p.busy role="status" { (words.waiting_text) }
                p { a.button.full id="check-again" data-testid="check-again" href={ (self.base) "/waiting" } { (words.waiting_now) } }
            }
            (self.way_out())
        };
        document(self.language, words.waiting_title, Some(2), body)
    }

    /// Where the goods go, for a page of the Web SDK.
    pub fn shipping(&self, shown: &shipping::Shown, faulty: bool) -> Markup {
        let (step, waits) = shipping_step(self, shown, faulty);
        let body = html! {
            (self.order(false))
            (step)
            (self.way_out())
        };
        document(self.language, self.words().shipping_title, waits.then_some(1), body)
    }

    /// The page of a request that has ended, or was left without a place to return to.
    pub fn end(&self, shows_return: bool) -> Markup {
        use crate::payments::payment_request::State;
        let words = self.words();
        let approved = if self.purchase.asks_plan() { words.approved_text } else { words.approved_token_text };
        let (kind, name, title, text) = match self.purchase.state {
            State::Completed => ("done", "approved", words.approved_title, approved),
            State::Declined => ("refused", "declined", words.declined_title, words.declined_text),
            State::Canceled => ("ended", "canceled", words.canceled_title, words.canceled_text),
            State::Expired => ("ended", "expired", words.expired_title, words.expired_text),
            State::Submitted | State::InProgress => ("waiting", "left", words.left_title, words.left_text),
        };
        let back = self.purchase.return_location.as_deref().filter(|_| shows_return);
        let is_open = self.purchase.state.is_open();
        let body = html! {
            div.card.lifted.end.(kind) data-testid="end" data-end=(name) {
                (end_picture(kind))
                h1 { (title) }
                p { (self.say(text)) }
                @if is_open {
                    a.button.primary.full id="resume" data-testid="resume" href={ (self.base) "/contact" } { (words.left_resume) }
                }
                @if let Some(back) = back {
                    a.button.full.primary[!is_open] id="return" data-testid="return" href=(back) { (self.say(words.back_to)) }
                } @else if !is_open {
                    p.muted { (words.close_text) }
                }
            }
            (hand_over(self.purchase, name))
        };
        document(self.language, title, None, body)
    }
}

/// Draws the step as far as it has come. Returns the body and whether it waits for the page.
fn shipping_step(frame: &Frame<'_>, shown: &shipping::Shown, faulty: bool) -> (Markup, bool) {
    let words = frame.words();
    let dialogue = &shown.launch.dialogue;
    if dialogue.question.is_some() {
        let body = html! {
            div.card.lifted data-testid="shipping-waiting" {
                h1 { (words.waiting_title) }
                p.busy role="status" { (frame.say(words.shipping_asking)) }
                p { a.button.full id="check-again" data-testid="check-again" href={ (frame.base) "/shipping" } { (words.waiting_now) } }
            }
            (hand_over(frame.purchase, "asking"))
        };
        return (body, true);
    }
    let asks_address = dialogue.options.is_empty();
    let at = |field: &str, text: String| vec![(field.to_owned(), text)];
    let faults = match (&dialogue.rejection, asks_address) {
        (Some(_), true) => at("street_address", frame.say(words.shipping_refused)),
        (Some(_), false) => at(FIRST_OPTION, frame.say(words.shipping_option_refused)),
        (None, true) if faulty => missing(&address_fields(frame, &address(frame, shown)), words),
        (None, false) if faulty => at(FIRST_OPTION, words.shipping_option_error.to_owned()),
        (None, _) => Faults::new(),
    };
    let body = html! {
        (error_summary(words, &faults))
        @if asks_address {
            (address_form(frame, shown, words, &faults))
        } @else {
            (options_form(frame, &dialogue.options, dialogue.chosen.as_deref(), words))
        }
    };
    (body, false)
}

/// Writes countries by their names, in the page's language, where a script may run.
pub static COUNTRIES: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../web/countries.mjs");
    Asset::new("/assets/countries.js", "text/javascript; charset=utf-8", text.as_bytes())
});

/// A radio group is reached by its first button.
const FIRST_OPTION: &str = "option-0";

/// Name, label, value, and what browsers fill in by themselves.
type AddressField<'a> = (&'static str, &'static str, &'a str, &'static str);

fn address(frame: &Frame<'_>, shown: &shipping::Shown) -> Address {
    let market = frame.purchase.market.country;
    let typed = shown.launch.dialogue.address.clone();
    typed.unwrap_or_else(|| Address {
        given_name: "Test".to_owned(),
        family_name: format!("Person-{}", market.to_ascii_lowercase()),
        country: market.to_owned(),
        ..Address::default()
    })
}

fn address_fields<'a>(frame: &Frame<'_>, address: &'a Address) -> [AddressField<'a>; 6] {
    let words = frame.words();
    [
        ("given_name", words.shipping_given_name, &address.given_name, "given-name"),
        ("family_name", words.shipping_family_name, &address.family_name, "family-name"),
        ("street_address", words.shipping_street, &address.street_address, "street-address"),
        ("postal_code", words.shipping_postal_code, &address.postal_code, "postal-code"),
        ("city", words.shipping_city, &address.city, "address-level2"),
        ("region", words.shipping_region, &address.region, "address-level1"),
    ]
}

/// What is missing of an address; where nothing is, the country is none of those that can be chosen.
fn missing(fields: &[AddressField<'_>], words: &Words) -> Faults {
    let empty = fields.iter().filter(|(name, _, value, _)| value.is_empty() && *name != "region");
    let fault = |name: &str, label: &str| (name.to_owned(), fill(words.details_missing, &[("field", label)]));
    let faults: Faults = empty.map(|(name, label, _, _)| fault(name, label)).collect();
    if faults.is_empty() { vec![fault("country", words.shipping_country)] } else { faults }
}

fn address_form(frame: &Frame<'_>, shown: &shipping::Shown, words: &Words, faults: &Faults) -> Markup {
    let address = address(frame, shown);
    let told = |name: &str| faults.iter().find(|(faulty, _)| faulty == name).map(|(_, text)| text.as_str());
    html! {
        form.card.lifted id="shipping-form" method="post" action={ (frame.base) "/shipping" } novalidate {
            h1 { (words.shipping_title) }
            (frame.hidden())
            @for (name, label, value, autocomplete) in address_fields(frame, &address) {
                @let fault = told(name);
                div.field {
                    label for=(name) { (label) }
                    (error_text(name, fault))
                    input id=(name) data-testid=(name) name=(name) value=(value) autocomplete=(autocomplete) maxlength=(shipping::FIELD_CHARS_MAX)
                        required[name != "region"] aria-describedby=[fault.map(|_| format!("{name}-error"))] aria-invalid=[fault.map(|_| "true")];
                }
            }
            div.field {
                label for="country" { (words.shipping_country) }
                (error_text("country", told("country")))
                select id="country" data-testid="country" name="country" autocomplete="country" {
                    @for country in shown.countries() {
                        option value=(country) selected[country == address.country] { (country) }
                    }
                }
            }
            button.button.primary.full type="submit" id="continue" data-testid="continue" { (words.continue_button) }
        }
        script type="module" src=(COUNTRIES.href) {}
    }
}

fn options_form(frame: &Frame<'_>, options: &[ShippingOption], chosen: Option<&str>, words: &Words) -> Markup {
    let currency = frame.purchase.amount.map(|amount| amount.currency);
    html! {
        form.card.lifted id="shipping-form" method="post" action={ (frame.base) "/shipping" } {
            h1 { (words.shipping_options_title) }
            (frame.hidden())
            fieldset.choices {
                legend.visually-hidden { (words.shipping_options_title) }
                @for (index, option) in options.iter().enumerate() {
                    @let is_chosen = chosen.map_or(index == 0, |chosen| chosen == option.shipping_option_reference);
                    @let id = format!("option-{index}");
                    label.choice for=(id) {
                        input type="radio" name="shipping_option" id=(id) data-testid={ "option-" (option.shipping_option_reference) }
                            value=(option.shipping_option_reference) checked[is_chosen] required;
                        span {
                            strong { (option.display_name) }
                            @if let Some(currency) = currency {
                                " " span.muted { (frame.money(Money::new(option.amount, currency))) }
                            }
                            @if let Some(description) = &option.description { br; span.muted { (description) } }
                        }
                    }
                }
            }
            button.button.primary.full type="submit" id="continue" data-testid="continue" { (words.continue_button) }
            button.button.quiet.full type="submit" name="change" value="address" formnovalidate data-testid="change-address" {
                (words.shipping_change)
            }
        }
    }
}

/// Tells the page that opened this one, and no other, to look at the request.
fn hand_over(purchase: &Purchase, state: &str) -> Markup {
    html! {
        @if let Some(shown) = purchase.shown.as_ref() {
            script type="module" src=(websdk::hand_back_script()) data-origin=(shown.launch.origin)
                data-payment-request-id=(shown.request_id) data-state=(state) id="hand-back" {}
        }
    }
}

/// The network end's front door, for whoever types its address: what this is, and who the test shoppers are.
pub fn front() -> Markup {
    let rows = [
        ("customer@email.de", "approved"),
        ("customer+denied@email.de", "declined"),
        ("customer+new_user@email.de", "approved, a first-time shopper"),
        ("customer+pend-accept-05@email.us", "approved after five seconds"),
        ("customer+pend-reject-05@email.us", "declined after five seconds"),
    ];
    let body = html! {
        h1 { "The network's end" }
        p.lead { "This server plays the Klarna Network: its APIs, its webhooks and its purchase journey. Nothing here moves real money." }
        p {
            "Shoppers come here from a Partner's checkout, at an address that belongs to one payment. Programs call the API with "
            "a key of the credentials file, as in " code { "GET /v2/notification/webhooks" } "."
        }
        section.stack {
            h2 id="shoppers" { "Test shoppers" }
            p { "Any six digits are a right one-time code, but 999999 is wrong. Anybody who is not listed is approved. The ending of the address is the shopper's country." }
            div.table tabindex="0" role="region" aria-labelledby="shoppers" {
                table {
                    thead { tr { th scope="col" { "E-mail" } th scope="col" { "Verdict" } } }
                    tbody { @for (email, verdict) in rows { tr { td { code { (email) } } td { (verdict) } } } }
                }
            }
        }
    };
    document(
        Language::choose(None, Market::by_country("GB").expect("Great Britain is a market")),
        "The network's end",
        None,
        body,
    )
}

/// A page that belongs to no visit: an unknown link, a lost session, a form from elsewhere.
pub fn lost(language: Language, lost: Lost, resume: Option<&str>) -> Markup {
    let words = language.words();
    let (name, title, text) = match lost {
        Lost::Unknown => ("unknown", words.unknown_title, words.unknown_text),
        Lost::Session => ("session", words.session_title, words.session_text),
        Lost::Stale => ("stale", words.stale_title, words.stale_text),
        Lost::Failed { .. } => ("failed", words.failed_title, words.failed_text),
    };
    let text = html! {
        p { (text) }
        @if let Lost::Failed { error_id } = &lost {
            p.small.muted { (fill(words.failed_reference, &[("reference", error_id)])) }
        }
        @if let Some(resume) = resume {
            a.button.primary.full id="resume" data-testid="resume" href=(resume) { (words.continue_button) }
        }
    };
    document(language, title, None, end_card(name, title, &text))
}

/// The card of something that cannot be gone on with.
pub fn end_card(name: &str, title: &str, text: &Markup) -> Markup {
    end_card_in("ended", name, title, text)
}

/// The same in another state: its colour and its picture.
pub fn end_card_in(state: &str, name: &str, title: &str, text: &Markup) -> Markup {
    html! {
        div.card.lifted.end.(state) data-testid="end" data-end=(name) {
            (end_picture(state))
            h1 { (title) }
            (text)
        }
    }
}

/// Why there is no visit to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No such request, or not with this token.
    Unknown,
    /// No cookie.
    Session,
    /// The form was not made for this browser's visit.
    Stale,
    /// Our fault; the id leads to the log.
    Failed { error_id: String },
}

pub fn document(language: Language, title: &str, refresh_s: Option<u32>, body: Markup) -> Markup {
    let words = language.words();
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                @if let Some(seconds) = refresh_s { meta http-equiv="refresh" content=(seconds); }
                title { (title) " · " (words.brand) }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
                script type="module" src=(web::THEME.href) blocking="render" {}
            }
            body.journey {
                a.skip-link href="#main" { (words.skip) }
                aside.band data-testid="test-band" aria-label=(words.brand) { p { (words.band) } }
                header.site-header {
                    span.brand { (mark()) (words.brand) }
                    button type="button" data-theme-switch hidden aria-label=(words.theme) {}
                }
                main.narrow.stack id="main" tabindex="-1" { (body) }
            }
        }
    }
}

/// Our mark: a square with a door.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            rect x="2" y="2" width="20" height="20" rx="3" class="stroke-ink" stroke-width="2" {}
            path d="M9 22V11a3 3 0 0 1 6 0v11z" class="fill-ink" {}
        }
    }
}

/// The end's shape, told by the heading as well.
fn end_picture(kind: &str) -> Markup {
    let path = match kind {
        "done" => "M14 25l7 7 14-15",
        "refused" => "M17 17l14 14M31 17L17 31",
        "waiting" => "M24 15v10l6 4",
        _ => "M15 24h18",
    };
    html! {
        svg.end-picture viewBox="0 0 48 48" width="48" height="48" aria-hidden="true" {
            circle cx="24" cy="24" r="22" {}
            path d=(path) {}
        }
    }
}

/// The QR code of an address, black on white whatever the page around it; `None` for an address that is too long for one.
pub fn qr_code(address: &str) -> Option<String> {
    let code = fast_qr::QRBuilder::new(address).ecl(fast_qr::ECL::M).build().ok()?;
    Some(fast_qr::convert::svg::SvgBuilder::default().margin(4).to_str(&code))
}
