//! The texts, one file per language of the customer markets. Ours: Klarna's own are not copied.
//!
//! A place in braces is filled with a value; which places a text has is checked by the test below. `{klarna}` stands at the end of a
//! button's text, because clients append the badge there.

mod cs;
mod da;
mod de;
mod el;
mod en;
mod es;
mod fi;
mod fr;
mod hu;
mod it;
mod nb;
mod nl;
mod pl;
mod pt;
mod ro;
mod sk;
mod sv;

/// Where the sign of a currency stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Before,
    BeforeWithGap,
    After,
}

/// One language: how it writes amounts, and its texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// ISO 639-1.
    pub code: &'static str,
    /// Between thousands.
    pub group: char,
    /// Before the minor units.
    pub point: char,
    pub sign: Sign,
    // Short lines, by what is offered.
    pub now: &'static str,
    pub now_later: &'static str,
    pub now_parts: &'static str,
    pub now_later_parts: &'static str,
    pub with_financing: &'static str,
    // What a choice means: `{amount}`, `{days}`, `{count}`, `{parts}`, `{months}`, `{interest}`, `{total}`.
    pub today: &'static str,
    pub later: &'static str,
    pub parts: &'static str,
    pub financing: &'static str,
    pub financing_free: &'static str,
    pub subscription: &'static str,
    pub wallet: &'static str,
    pub learn_more: &'static str,
    /// With `{terms}`, where the link of `terms_name` stands.
    pub terms: &'static str,
    pub terms_name: &'static str,
    pub saved: &'static str,
    pub saved_again: &'static str,
    // Buttons by intent, each ending with `{klarna}`.
    pub pay: &'static str,
    pub subscribe: &'static str,
    pub donate: &'static str,
    pub sign_in: &'static str,
    pub sign_up: &'static str,
    pub add: &'static str,
    // Over the page, while a window of the purchase journey is open, or was blocked.
    pub curtain_title: &'static str,
    pub curtain_text: &'static str,
    pub curtain_continue: &'static str,
    pub curtain_cancel: &'static str,
    pub blocked_title: &'static str,
    pub blocked_text: &'static str,
    // Promotion without an amount.
    pub strip_later: &'static str,
    pub strip_parts: &'static str,
    // The page behind the links.
    pub title: &'static str,
    pub not_an_offer: &'static str,
}

/// All languages, by code.
pub static ALL: [&Words; 17] = [
    &cs::WORDS,
    &da::WORDS,
    &de::WORDS,
    &el::WORDS,
    &en::WORDS,
    &es::WORDS,
    &fi::WORDS,
    &fr::WORDS,
    &hu::WORDS,
    &it::WORDS,
    &nb::WORDS,
    &nl::WORDS,
    &pl::WORDS,
    &pt::WORDS,
    &ro::WORDS,
    &sk::WORDS,
    &sv::WORDS,
];

/// English: the language of those whose own we lack.
pub static ENGLISH: &Words = &en::WORDS;

#[cfg(test)]
mod tests {
    use super::*;

    /// The places of a text, in order of the alphabet.
    fn places(text: &str) -> Vec<&str> {
        let mut places: Vec<&str> = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        places.sort_unstable();
        places
    }

    #[test]
    fn every_text_of_every_language_has_its_places_and_no_others() {
        for words in ALL {
            let texts: [(&str, &[&str]); 31] = [
                (words.now, &[]),
                (words.now_later, &[]),
                (words.now_parts, &[]),
                (words.now_later_parts, &[]),
                (words.with_financing, &[]),
                (words.today, &["amount"]),
                (words.later, &["amount", "days"]),
                (words.parts, &["count", "parts"]),
                (words.financing, &["amount", "interest", "months", "total"]),
                (words.financing_free, &["amount", "months"]),
                (words.subscription, &["amount"]),
                (words.wallet, &[]),
                (words.learn_more, &[]),
                (words.terms, &["terms"]),
                (words.terms_name, &[]),
                (words.saved, &[]),
                (words.saved_again, &[]),
                (words.curtain_title, &[]),
                (words.curtain_text, &[]),
                (words.curtain_continue, &[]),
                (words.curtain_cancel, &[]),
                (words.blocked_title, &[]),
                (words.blocked_text, &[]),
                (words.strip_later, &["days"]),
                (words.strip_parts, &["count"]),
                (words.title, &[]),
                (words.not_an_offer, &[]),
                (words.pay, &["klarna"]),
                (words.subscribe, &["klarna"]),
                (words.donate, &["klarna"]),
                (words.add, &["klarna"]),
            ];
            for (text, wanted) in
                texts.into_iter().chain([(words.sign_in, &["klarna"][..]), (words.sign_up, &["klarna"])])
            {
                assert_eq!(places(text), wanted, "{}: {text}", words.code);
                assert!(!text.trim().is_empty() && text.trim() == text, "{}: {text:?}", words.code);
                assert_eq!(text.matches('{').count(), text.matches('}').count(), "{}: {text}", words.code);
            }
            for button in [words.pay, words.subscribe, words.donate, words.add, words.sign_in, words.sign_up] {
                assert!(button.ends_with(" {klarna}"), "{}: {button}", words.code);
            }
        }
    }

    #[test]
    fn no_language_borrows_another_ones_texts() {
        assert!(ALL.is_sorted_by_key(|words| words.code));
        for (place, words) in ALL.iter().enumerate() {
            for other in &ALL[place + 1..] {
                assert_ne!(words.now_later_parts, other.now_later_parts, "{} and {}", words.code, other.code);
                assert_ne!(words.terms, other.terms, "{} and {}", words.code, other.code);
                assert_ne!(words.curtain_text, other.curtain_text, "{} and {}", words.code, other.code);
            }
        }
    }
}
