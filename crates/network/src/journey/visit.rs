//! One browser's way through a purchase: its steps and what each may do. Pure; the Payment Request's own states live in
//! [`crate::payments`].

use super::plan::Plan;
use crate::customers::contact::Contact;

/// Where a visit stands. Each step is a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Say who you are.
    Contact,
    /// Prove it with a one-time code.
    Code,
    /// Open an account; left out for whoever has one.
    Details,
    /// Choose how to pay; left out where only a customer token is asked for.
    Plan,
    /// See everything and confirm.
    Review,
}

impl Step {
    /// The last part of the page's path, and what is stored.
    pub fn code(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Code => "code",
            Self::Details => "details",
            Self::Plan => "plan",
            Self::Review => "review",
        }
    }

    /// The inverse of [`Step::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Contact, Self::Code, Self::Details, Self::Plan, Self::Review]
            .into_iter()
            .find(|step| step.code() == code)
    }
}

/// What a browser has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub step: Step,
    pub contact: Option<Contact>,
    /// Since the last code was sent.
    pub wrong_codes: i64,
    pub plan: Option<Plan>,
}

/// Ours: after this many wrong codes a new one has to be sent.
pub const WRONG_CODES_MAX: i64 = 5;
/// The code that is always wrong (sheet 04 §7).
const WRONG_CODE: &str = "999999";

/// What became of a one-time code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeAnswer {
    Right,
    /// Not six digits.
    Malformed,
    Wrong,
    /// Wrong too often: the visit is back at [`Step::Contact`].
    Spent,
}

impl Visit {
    /// A visit that has just begun.
    pub fn begin() -> Self {
        Self { step: Step::Contact, contact: None, wrong_codes: 0, plan: None }
    }

    /// The furthest step that may be shown, given the plans that are offered (none where only a token is asked for): the order
    /// may have changed since.
    pub fn reached(&self, offered: &[Plan]) -> Step {
        match self.step {
            _ if self.contact.is_none() => Step::Contact,
            Step::Plan if offered.is_empty() => Step::Review,
            Step::Review if !offered.is_empty() && !self.plan.is_some_and(|plan| offered.contains(&plan)) => Step::Plan,
            step => step,
        }
    }

    /// Takes an identity and sends its code. Going back to here forgets the proof of the former one.
    pub fn identify(&mut self, contact: Contact) {
        *self = Self { step: Step::Code, contact: Some(contact), wrong_codes: 0, plan: self.plan };
    }

    /// Begins with somebody who is known without a code: a browser that is remembered, or a token that shows who it is.
    pub fn recognised(contact: Contact, asks_plan: bool) -> Self {
        let mut visit = Self { contact: Some(contact), ..Self::begin() };
        visit.admit(asks_plan);
        visit
    }

    /// Lets somebody in who has an account. `asks_plan` tells whether a plan has to be chosen.
    pub fn admit(&mut self, asks_plan: bool) {
        self.step = if asks_plan { Step::Plan } else { Step::Review };
    }

    /// Checks a one-time code: any six digits but one (sheet 04 §7). Whoever is new (`is_known` is false) opens an account next.
    pub fn prove(&mut self, typed: &str, is_known: bool, asks_plan: bool) -> CodeAnswer {
        let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return CodeAnswer::Malformed;
        }
        if code != WRONG_CODE {
            self.wrong_codes = 0;
            self.admit(asks_plan);
            if !is_known {
                self.step = Step::Details;
            }
            return CodeAnswer::Right;
        }
        self.wrong_codes += 1;
        if self.wrong_codes < WRONG_CODES_MAX {
            return CodeAnswer::Wrong;
        }
        self.wrong_codes = 0;
        self.step = Step::Contact;
        CodeAnswer::Spent
    }

    /// Chooses how to pay.
    pub fn choose(&mut self, plan: Plan) {
        self.plan = Some(plan);
        self.step = Step::Review;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_code() -> Visit {
        let mut visit = Visit::begin();
        visit.identify(Contact::Email("ada@example.com".into()));
        visit
    }

    #[test]
    fn any_six_digits_prove_but_999999_does_not() {
        for right in ["123456", "000000", " 123 456 ", "123-456"] {
            assert_eq!(at_code().prove(right, true, true), CodeAnswer::Right, "{right}");
        }
        for malformed in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(at_code().prove(malformed, true, true), CodeAnswer::Malformed, "{malformed}");
        }
        assert_eq!(at_code().prove("999999", true, true), CodeAnswer::Wrong);
    }

    #[test]
    fn the_fifth_wrong_code_sends_back_to_the_start() {
        let mut visit = at_code();
        let answers: Vec<_> = (0..WRONG_CODES_MAX).map(|_| visit.prove("999999", true, true)).collect();
        assert_eq!(answers.last(), Some(&CodeAnswer::Spent));
        assert!(answers.iter().rev().skip(1).all(|answer| *answer == CodeAnswer::Wrong));
        assert_eq!((visit.step, visit.wrong_codes), (Step::Contact, 0));
    }

    #[test]
    fn a_token_without_a_payment_skips_the_plan() {
        let mut visit = at_code();
        visit.prove("123456", true, false);
        assert_eq!(visit.step, Step::Review);
    }

    #[test]
    fn whoever_is_new_opens_an_account_and_whoever_is_remembered_shows_no_code() {
        let mut visit = at_code();
        assert_eq!(visit.prove("123456", false, true), CodeAnswer::Right);
        assert_eq!((visit.step, visit.reached(&[])), (Step::Details, Step::Details));
        visit.admit(true);
        assert_eq!(visit.step, Step::Plan);
        let contact = Contact::Email("ada@example.com".into());
        let known = Visit::recognised(contact.clone(), true);
        assert_eq!((known.step, known.contact), (Step::Plan, Some(contact.clone())));
        assert_eq!(Visit::recognised(contact, false).step, Step::Review);
    }

    #[test]
    fn another_identity_has_to_be_proven_again() {
        let mut visit = at_code();
        visit.prove("123456", true, true);
        visit.choose(Plan::now());
        visit.identify(Contact::Phone("+4915123456789".into()));
        assert_eq!(visit.step, Step::Code);
        assert_eq!(visit.reached(&[Plan::now()]), Step::Code);
    }

    #[test]
    fn a_changed_order_sends_back_to_the_plans_that_are_left() {
        let mut visit = at_code();
        visit.prove("123456", true, true);
        let three = Plan::from_code("pay_in_3").unwrap();
        visit.choose(three);
        assert_eq!(visit.reached(&[Plan::now(), three]), Step::Review);
        assert_eq!(visit.reached(&[Plan::now()]), Step::Plan);
        assert_eq!(visit.reached(&[]), Step::Review);
        visit.contact = None;
        assert_eq!(visit.reached(&[]), Step::Contact);
    }

    #[test]
    fn the_code_of_a_step_finds_it() {
        for step in [Step::Contact, Step::Code, Step::Details, Step::Plan, Step::Review] {
            assert_eq!(Step::from_code(step.code()), Some(step));
        }
    }
}
