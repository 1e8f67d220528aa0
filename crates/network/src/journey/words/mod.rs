//! Every text that a shopper reads, one file per language. `{name}` marks what [`fill`] puts in.
//!
//! A further language is a further file, and a line in [`ALL`].

mod de;
mod en;
mod es;
mod fr;
mod sv;

macro_rules! words {
    ($($name:ident,)+) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub struct Words {
            /// ISO 639-1.
            pub code: &'static str,
            $(pub $name: &'static str),+
        }

        #[cfg(test)]
        impl Words {
            fn rows(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

/// All languages; the first one stands for those that we lack.
pub static ALL: [&Words; 5] = [&en::WORDS, &de::WORDS, &sv::WORDS, &fr::WORDS, &es::WORDS];

/// The texts in a language, or in English.
#[cfg(test)]
pub fn of(code: &str) -> &'static Words {
    ALL.into_iter().find(|words| words.code.eq_ignore_ascii_case(code)).unwrap_or(ALL[0])
}

words! {
    // Frame.
    brand,
    band,
    skip,
    leave,
    leave_closed,
    theme,
    error_title,
    error_summary,
    continue_button,
    steps,
    step_contact,
    step_code,
    step_plan,
    step_review,
    // Order.
    order_at,
    order_lines,
    order_reference,
    total,
    token_only,
    partner_unnamed,
    // Contact.
    contact_title,
    contact_lead,
    contact_label,
    contact_help,
    contact_error,
    // Code.
    code_title,
    code_sent,
    code_label,
    code_format_error,
    code_wrong_error,
    code_spent,
    code_other,
    // Account.
    step_details,
    remember,
    not_you,
    details_title,
    details_lead,
    details_birth,
    details_missing,
    details_birth_error,
    details_young,
    // Plan.
    plan_title,
    plan_legend,
    plan_error,
    plan_pay_now,
    plan_pay_later,
    plan_parts,
    plan_now_help,
    plan_later_help,
    plan_month_help,
    plan_weeks_help,
    plan_financing,
    plan_financing_help,
    plan_financing_free_help,
    plan_terms,
    plan_terms_now,
    plan_terms_later,
    plan_terms_financing,
    plan_terms_test,
    today,
    // Review.
    review_title,
    review_you,
    review_plan,
    review_schedule,
    review_change,
    review_change_what,
    review_terms,
    review_token,
    review_token_only,
    review_profile,
    review_changed,
    confirm_amount,
    confirm_token,
    refuse,
    refuse_help,
    profile_name,
    profile_email,
    profile_phone,
    profile_locale,
    profile_address,
    profile_country,
    profile_national_id,
    profile_birth,
    // Ends.
    waiting_title,
    waiting_text,
    waiting_now,
    approved_title,
    approved_text,
    approved_token_text,
    declined_title,
    declined_text,
    canceled_title,
    canceled_text,
    expired_title,
    expired_text,
    left_title,
    left_text,
    left_resume,
    close_text,
    back_to,
    unknown_title,
    unknown_text,
    session_title,
    session_text,
    stale_title,
    stale_text,
    failed_title,
    failed_text,
    failed_reference,
    // Sign-in.
    sign_in_step,
    sign_in_lead,
    sign_in_title,
    consent_title,
    consent_text,
    consent_login,
    consent_confirm,
    consent_refuse,
    sign_in_wrong_title,
    sign_in_wrong_text,
    sign_in_over_title,
    sign_in_over_text,
    sign_in_late_title,
    sign_in_late_text,
    sign_in_answered_title,
    sign_in_answered_text,
    // Shipping.
    shipping_title,
    shipping_given_name,
    shipping_family_name,
    shipping_street,
    shipping_postal_code,
    shipping_city,
    shipping_region,
    shipping_country,
    shipping_asking,
    shipping_refused,
    shipping_options_title,
    shipping_option_refused,
    shipping_option_error,
    shipping_change,
    // Test shopper.
    test_title,
    test_contact,
    test_approved,
    test_denied,
    test_new,
    test_code,
    test_fill,
    test_details,
    test_details_fill,
    months,
    date,
}

/// Puts values into a text's `{name}` places.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    // Values are not searched again: a Partner's name may hold braces.
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match values.iter().find(|(candidate, _)| *candidate == name) {
            Some((_, value)) => filled.push_str(value),
            None => {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            }
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_text_has_the_same_places_in_all_languages() {
        for words in ALL {
            for ((name, english), (_, text)) in ALL[0].rows().into_iter().zip(words.rows()) {
                assert_eq!(places(english), places(text), "{name} in {}", words.code);
                assert!(!text.is_empty() && !text.contains('!'), "{name} in {}: no exclamation marks", words.code);
            }
            assert_eq!(words.months.split(',').count(), 12, "{}", words.code);
        }
    }

    #[test]
    fn values_are_put_in_once() {
        assert_eq!(fill("{a} to {b}, {c}", &[("a", "{b}"), ("b", "x")]), "{b} to x, {c}");
        assert_eq!(fill("open { brace", &[]), "open { brace");
    }
}
