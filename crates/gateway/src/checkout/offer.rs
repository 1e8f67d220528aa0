//! How Klarna is to be offered for an order, as Klarna says at this moment (GLO-3, GLO-4b): what the page shows before the Web SDK has
//! spoken, and all that it shows without script. Where Klarna cannot be asked, nothing is made up in its place.

use std::time::Duration;

use http::Method;
use secrecy::SecretString;
use serde::Deserialize;

use crate::Ctx;
use crate::access::PartnerCaller;
use crate::klarna::Operation;

/// Ours: a page does not wait longer for its texts.
const DEADLINE: Duration = Duration::from_secs(4);
/// Longer texts than this are no descriptor.
const TEXT_CHARS_MAX: usize = 500;

/// What Klarna says.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// Offer it so.
    Shown(Box<Shown>),
    /// Do not offer it: not for this customer, amount, currency or market.
    Hidden,
    /// Klarna could not be asked.
    Unknown,
}

/// How it is offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Klarna comes first and is chosen already: the customer is recognised (IOP-4).
    pub is_preselected: bool,
    /// The customer approved already: one press finishes.
    pub is_approved: bool,
    /// The saved option first.
    pub options: Vec<PaymentOption>,
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PaymentOption {
    pub payment_option_id: String,
    #[serde(default)]
    pub header: Text,
    #[serde(default)]
    pub subheader: Text,
    #[serde(default)]
    pub badge: Option<Text>,
    #[serde(default)]
    pub message: Option<Message>,
    #[serde(default)]
    pub icon: Option<Icon>,
}

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Text {
    #[serde(default)]
    pub text: String,
}

/// What is said once an option is chosen.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Message {
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// A run of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Part {
    #[serde(default)]
    pub text: String,
    /// Of a link.
    #[serde(default)]
    pub url: Option<String>,
}

/// Klarna's picture.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Icon {
    #[serde(default)]
    pub badge_image_url: Option<String>,
    #[serde(default)]
    pub alt: Option<String>,
}

#[derive(Deserialize)]
struct Presentation {
    #[serde(default)]
    instruction: Option<String>,
    #[serde(default)]
    payment_status: Option<String>,
    #[serde(default)]
    payment_option: Option<PaymentOption>,
    #[serde(default)]
    saved_payment_option: Option<PaymentOption>,
}

/// What is asked.
pub struct Asked<'a> {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// RFC 5646, with a region: where the customer is.
    pub locale: &'a str,
    pub token: Option<SecretString>,
}

/// Asks Klarna.
pub async fn read(ctx: &Ctx, caller: &PartnerCaller, asked: Asked<'_>) -> Offer {
    let path = ["payment", "presentation"];
    let mut operation = Operation::on_account("read_presentation", Method::GET, &caller.klarna_account_id, &path);
    operation.query = vec![
        ("currency", asked.currency.to_owned()),
        ("amount", asked.amount.to_string()),
        ("locale", asked.locale.to_owned()),
        ("intents[]", "PAY".to_owned()),
    ];
    if let Some(account) = &caller.payment_account_id {
        operation.query.push(("acquiring_config[payment_account_id]", account.clone()));
    }
    operation.session_token = asked.token;
    operation.deadline = Some(DEADLINE);
    match ctx.klarna.send(&operation).await.and_then(|answer| answer.json::<Presentation>()) {
        Ok(presentation) => presentation.offer(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "Klarna's presentation cannot be read");
            Offer::Unknown
        }
    }
}

impl Presentation {
    fn offer(self) -> Offer {
        let fits = |option: &PaymentOption| {
            !option.payment_option_id.is_empty() && option.header.text.chars().count() <= TEXT_CHARS_MAX
        };
        let options: Vec<PaymentOption> =
            [self.saved_payment_option, self.payment_option].into_iter().flatten().filter(fits).collect();
        let instruction = self.instruction.as_deref().unwrap_or("SHOW_KLARNA");
        if instruction == "HIDE_KLARNA" || options.is_empty() {
            return Offer::Hidden;
        }
        Offer::Shown(Box::new(Shown {
            // An instruction that is not known shows Klarna and chooses nothing.
            is_preselected: matches!(instruction, "PRESELECT_KLARNA" | "SHOW_ONLY_KLARNA"),
            is_approved: self.payment_status.as_deref() == Some("PENDING_PARTNER_AUTHORIZATION"),
            options,
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn offer(body: serde_json::Value) -> Offer {
        serde_json::from_value::<Presentation>(body).unwrap().offer()
    }

    #[test]
    fn klarna_is_offered_as_klarna_says_and_hidden_where_it_says_nothing() {
        let option = json!({"payment_option_id": "S0x", "header": {"text": "Klarna"}, "new": {"x": 1}});
        let Offer::Shown(shown) = offer(json!({"instruction": "PRESELECT_KLARNA", "payment_option": option})) else {
            panic!("shown");
        };
        assert!(shown.is_preselected && !shown.is_approved);
        let saved = json!({"payment_option_id": "saved", "header": {"text": "Klarna, Bank ..42"}});
        let both = offer(json!({"instruction": "SHOW_ONLY_KLARNA", "payment_status": "PENDING_PARTNER_AUTHORIZATION",
            "payment_option": option, "saved_payment_option": saved}));
        let Offer::Shown(shown) = both else { panic!("shown") };
        assert!(shown.is_approved && shown.options[0].payment_option_id == "saved");
        assert_eq!(offer(json!({"instruction": "HIDE_KLARNA", "payment_option": option})), Offer::Hidden);
        assert_eq!(offer(json!({})), Offer::Hidden, "no words, no offer");
        let unheard = offer(json!({"instruction": "UNHEARD_OF", "payment_option": option}));
        assert!(matches!(unheard, Offer::Shown(shown) if !shown.is_preselected));
    }
}
