//! Where the goods go: a step of journeys that the Web SDK shows for a page which answers what an address and an option mean. The page is
//! asked beside this conversation ([`crate::websdk`]); here the shopper types, waits a moment, and chooses.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::payments::ShippingMode;
use protocol::{PartnerAccountId, markets};

use super::Fields;
use crate::ctx::Ctx;
use crate::websdk::{self, Address, Launch};

/// Ours: longer than any real one.
pub const FIELD_CHARS_MAX: usize = 99;

/// How the SDK shows this journey, and what its request says of shipping.
#[derive(Clone, Debug)]
pub struct Shown {
    pub launch: Launch,
    pub mode: Option<ShippingMode>,
    /// Where the Partner ships to; everywhere if empty.
    pub countries: Vec<String>,
    /// The request's KRN.
    pub request_id: String,
    pub account: PartnerAccountId,
}

impl Shown {
    /// Whether this step stands between the shopper and the ways to pay.
    pub fn is_due(&self) -> bool {
        self.launch.asks_shipping(self.mode.as_ref()) && !self.launch.dialogue.is_settled
    }

    /// Where the shopper may choose from.
    pub fn countries(&self) -> Vec<&str> {
        let all = || markets().iter().map(|market| market.country).collect();
        if self.countries.is_empty() { all() } else { self.countries.iter().map(String::as_str).collect() }
    }
}

/// What a form that was sent leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The page is asked, or the step begins again.
    Taken,
    /// A field is missing, or nothing was chosen.
    Faulty,
}

/// Takes the step's form: an address, an option, or the wish for another address.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn take(tx: &mut Tx, ctx: &Ctx, shown: &mut Shown, fields: &Fields) -> Result<Sent, ApiError> {
    let launch = &mut shown.launch;
    if launch.dialogue.question.is_some() {
        // Sent twice: the page is asked already.
        return Ok(Sent::Taken);
    }
    if fields.contains_key("change") {
        launch.dialogue.options.clear();
        launch.dialogue.rejection = None;
    } else if let Some(reference) = fields.get("shipping_option") {
        if !launch.choose(reference) {
            return Ok(Sent::Faulty);
        }
    } else if !launch.dialogue.options.is_empty() {
        return Ok(Sent::Faulty);
    } else {
        let address = read(fields);
        let is_supported = shown.countries().contains(&address.country.as_str());
        let launch = &mut shown.launch;
        let required =
            [&address.given_name, &address.family_name, &address.street_address, &address.postal_code, &address.city];
        if !is_supported || required.iter().any(|field| field.is_empty()) {
            // Kept, so that nothing has to be typed again.
            launch.dialogue.address = Some(address);
            websdk::remember(tx, ctx, &shown.account, &shown.request_id, &shown.launch).await?;
            return Ok(Sent::Faulty);
        }
        launch.say_address(address);
    }
    websdk::remember(tx, ctx, &shown.account, &shown.request_id, &shown.launch).await?;
    Ok(Sent::Taken)
}

fn read(fields: &Fields) -> Address {
    let field = |name: &str| {
        let text = fields.get(name).map(|text| text.trim()).unwrap_or_default();
        text.chars().filter(|c| !c.is_control()).take(FIELD_CHARS_MAX).collect::<String>()
    };
    Address {
        given_name: field("given_name"),
        family_name: field("family_name"),
        street_address: field("street_address"),
        postal_code: field("postal_code"),
        city: field("city"),
        region: field("region"),
        country: field("country").to_ascii_uppercase(),
    }
}
