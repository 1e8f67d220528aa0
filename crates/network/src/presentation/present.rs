//! The use cases: what is shown in a checkout, its static variants, and what stands on the pages before. Free of HTTP, so that
//! whoever found the account another way (by a client identifier, say) asks the same.

use kit::db::Tx;
use kit::http::{ApiError, FieldFault};
use protocol::{Currency, PartnerAccountId};
use serde_json::{Map, Value, json};

use super::availability::{Hidden, Intent, Situation, decide};
use super::descriptor::{Links, Purchase};
use super::language::Locale;
use super::store;
use crate::accounts::{self, PRODUCT_ENABLED};
use crate::programs::{self, Offered};
use crate::tokens::{Acquaintance, Recognition};

/// Amounts reach from 1 to this.
pub const AMOUNT_MAX: i64 = 2_147_483_647;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The Partner.
    pub account: PartnerAccountId,
    pub locale: Locale,
    pub currency: Currency,
    /// Minor units.
    pub amount: Option<i64>,
    /// The first is the primary one; none means paying.
    pub intents: Vec<Intent>,
    /// Names a payment account, where there are several that differ.
    pub acquiring_config: Option<Value>,
}

impl Asked {
    fn intents(&self) -> &[Intent] {
        if self.intents.is_empty() { &[Intent::Pay] } else { &self.intents }
    }

    fn purchase<'a>(&'a self, amount: Option<i64>, choices: &'a [Offered]) -> Purchase<'a> {
        let intent = self.intents()[0];
        Purchase { locale: &self.locale, currency: self.currency, amount, intent, choices }
    }
}

/// How Klarna is to be shown (fact sheet 04 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    Show,
    Preselect,
    ShowOnly,
    Hide,
}

impl Instruction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Show => "SHOW_KLARNA",
            Self::Preselect => "PRESELECT_KLARNA",
            Self::ShowOnly => "SHOW_ONLY_KLARNA",
            Self::Hide => "HIDE_KLARNA",
        }
    }

    fn for_whom(acquaintance: Acquaintance) -> Self {
        match acquaintance {
            Acquaintance::Stranger => Self::Show,
            Acquaintance::Known => Self::Preselect,
            Acquaintance::Approved => Self::ShowOnly,
        }
    }

    /// `paymentStatus` of the SDK; nothing where nothing can be paid.
    pub fn payment_status(self) -> Option<&'static str> {
        match self {
            Self::Show | Self::Preselect => Some("REQUIRES_CUSTOMER_ACTION"),
            Self::ShowOnly => Some("PENDING_PARTNER_AUTHORIZATION"),
            Self::Hide => None,
        }
    }
}

/// What is shown in a checkout.
#[derive(Clone, Debug, PartialEq)]
pub struct Presentation {
    pub instruction: Instruction,
    /// `payment_option`; none when Klarna is hidden.
    pub option: Option<Value>,
    /// `saved_payment_option`, for customers who are known by a customer token.
    pub saved_option: Option<Value>,
}

impl Presentation {
    fn hidden() -> Self {
        Self { instruction: Instruction::Hide, option: None, saved_option: None }
    }

    fn of(purchase: &Purchase<'_>, links: &Links<'_>, who: &Recognition) -> Self {
        let saved = who.customer.as_deref().map(|customer| purchase.saved_option(links, customer));
        Self {
            instruction: Instruction::for_whom(who.acquaintance),
            option: Some(purchase.option(links)),
            saved_option: saved,
        }
    }

    /// As the Presentation API answers it.
    pub fn into_json(self) -> Value {
        let mut object = Map::new();
        object.insert("instruction".to_owned(), json!(self.instruction.as_str()));
        let status = self.instruction.payment_status().map(|status| json!(status));
        let members =
            [("payment_status", status), ("payment_option", self.option), ("saved_payment_option", self.saved_option)];
        for (name, value) in members {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        }
        Value::Object(object)
    }
}

/// What a Partner's shop is, and what its programs offer.
struct Shop {
    is_operational: bool,
    merchant_category_code: Option<String>,
    offered: Vec<Offered>,
}

impl Shop {
    async fn read(tx: &mut Tx, asked: &Asked, now: i64) -> Result<Self, ApiError> {
        let account = &asked.account;
        let is_operational = store::account_state(tx, account.as_str()).await?.as_deref() == Some("OPERATIONAL");
        let chosen = payment_account(tx, asked).await?;
        let mut offered = Vec::new();
        if let Some((id, code)) = &chosen {
            let purchase = programs::Purchase {
                customer_country: &asked.locale.country,
                currency: asked.currency,
                merchant_category_code: code,
                payment_account_id: Some(id),
            };
            offered = programs::offered(tx, account, &purchase, &[], now).await?;
        }
        Ok(Self { is_operational, merchant_category_code: chosen.map(|(_, code)| code), offered })
    }

    fn choices(&self, asked: &Asked, amount: Option<i64>) -> Result<Vec<Offered>, Hidden> {
        let choices = decide(&Situation {
            is_operational: self.is_operational,
            merchant_category_code: self.merchant_category_code.as_deref(),
            customer_country: &asked.locale.country,
            currency: asked.currency,
            amount,
            intents: asked.intents(),
            offered: &self.offered,
        });
        if let Err(rule) = choices {
            tracing::debug!(partner.krn = %asked.account, ?rule, "Klarna is hidden");
        }
        choices
    }
}

/// The payment account that would be used, and its category; none if none is enabled.
///
/// Ours: as long as all have the same category, nothing is shown that depends on the choice, so none has to be named.
async fn payment_account(tx: &mut Tx, asked: &Asked) -> Result<Option<(String, String)>, ApiError> {
    let mut rows = accounts::store::payment_accounts(tx, asked.account.as_str()).await?;
    if !rows.is_empty() && asked.acquiring_config.is_some() {
        rows = vec![accounts::resolve_payment_account(tx, &asked.account, asked.acquiring_config.as_ref()).await?];
    }
    rows.retain(|row| row.product_state == PRODUCT_ENABLED && row.state == "ENABLED");
    let differ = rows.windows(2).any(|pair| pair[0].merchant_category_code != pair[1].merchant_category_code);
    if differ {
        let reason = "must name one of the several payment accounts of this Partner account";
        return Err(ApiError::validation(vec![FieldFault::new("acquiring_config", reason)]));
    }
    Ok(rows.into_iter().next().map(|row| (row.payment_account_id, row.merchant_category_code)))
}

/// What is shown in a checkout, now and to this customer.
///
/// # Errors
/// 400 when a payment account must be named, or the one that is named does not exist; [`kit::db::DbError`].
pub async fn present(
    tx: &mut Tx,
    links: &Links<'_>,
    asked: &Asked,
    who: &Recognition,
    now: i64,
) -> Result<Presentation, ApiError> {
    let shop = Shop::read(tx, asked, now).await?;
    let Ok(choices) = shop.choices(asked, asked.amount) else { return Ok(Presentation::hidden()) };
    Ok(Presentation::of(&asked.purchase(asked.amount, &choices), links, who))
}

/// A presentation that holds for a range of amounts, both ends included.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    pub minimum: i64,
    pub maximum: i64,
    pub presentation: Presentation,
}

/// What is shown to a stranger, for every amount: ranges without a gap from 0 to [`AMOUNT_MAX`], neighbours differing. No text names
/// an amount.
///
/// # Errors
/// As [`present`].
pub async fn variants(tx: &mut Tx, links: &Links<'_>, asked: &Asked, now: i64) -> Result<Vec<Variant>, ApiError> {
    let shop = Shop::read(tx, asked, now).await?;
    let mut starts = vec![0];
    for offered in &shop.offered {
        starts.extend([offered.limits.minimum, offered.limits.maximum + 1]);
    }
    starts.retain(|start| (0..=AMOUNT_MAX).contains(start));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([AMOUNT_MAX]);
    let mut variants: Vec<Variant> = Vec::new();
    for (minimum, maximum) in starts.iter().copied().zip(ends) {
        let presentation = match shop.choices(asked, Some(minimum)) {
            Ok(choices) => Presentation::of(&asked.purchase(None, &choices), links, &Recognition::stranger()),
            Err(_) => Presentation::hidden(),
        };
        match variants.last_mut() {
            Some(last) if last.presentation == presentation => last.maximum = maximum,
            _ => variants.push(Variant { minimum, maximum, presentation }),
        }
    }
    Ok(variants)
}

/// What can be promised on the pages before a checkout: the choices, if there are any.
pub(super) async fn promised(tx: &mut Tx, asked: &Asked, now: i64) -> Result<Vec<Offered>, ApiError> {
    let shop = Shop::read(tx, asked, now).await?;
    Ok(shop.choices(asked, asked.amount).unwrap_or_default())
}
