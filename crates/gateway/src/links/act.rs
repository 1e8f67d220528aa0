//! What is done with links and tills, by Partners' servers and by cashiers alike.

use kit::db::{DbError, Tx};
use kit::http::{ApiError, FieldFault};
use serde_json::{Value, json};

use super::record::{Link, Till};
use super::store;
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::checkout;
use crate::checkout::body::CreateSession;
use crate::checkout::record::Session;
use crate::payments;
use crate::payments::body::MoveMoney;
use crate::payments::record::Payment;

/// A new name for a link.
pub(super) fn new_link_id(ctx: &Ctx) -> String {
    format!("pl_{}", ctx.random.id(ctx.clock.now()).simple())
}

/// Writes a link and its session; a link of this name that is there already is returned as it is.
///
/// # Errors
/// 403 for a suspended Partner; as the database says.
pub(super) async fn create_link(
    tx: &mut Tx,
    ctx: &Ctx,
    caller: &PartnerCaller,
    asked: CreateSession,
    (link_id, till): (&str, Option<&Till>),
) -> Result<(Link, Session), ApiError> {
    if let Some(link) = store::link(tx, &caller.partner_id, link_id).await? {
        let session = checkout::find(tx, &caller.partner_id, &link.session_id).await?;
        return Ok((link, session.ok_or_else(|| ApiError::internal(DbError::NoRow { sql: "checkout_sessions" }))?));
    }
    let session = checkout::create_in(tx, ctx, caller, asked, Some(link_id)).await?;
    let link = Link {
        link_id: link_id.to_owned(),
        session_id: session.session_id.clone(),
        till_id: till.map(|till| till.till_id.clone()),
    };
    if !store::insert_link(tx, &caller.partner_id, &link, ctx.clock.now()).await? {
        // A double click, side by side: the second look finds the first one's.
        return Err(DbError::Contended.into());
    }
    Ok((link, session))
}

/// A link and its session.
///
/// # Errors
/// As the database says.
pub(super) async fn read_link(ctx: &Ctx, partner_id: &str, link_id: &str) -> Result<Option<(Link, Session)>, ApiError> {
    let (partner_id, link_id) = (partner_id.to_owned(), link_id.to_owned());
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            let Some(link) = store::link(tx, &partner_id, &link_id).await? else { return Ok(None) };
            let session = checkout::find(tx, &partner_id, &link.session_id).await?;
            Ok::<_, DbError>(session.map(|session| (link, session)))
        })
    });
    Ok(read.await?)
}

/// Takes a link back.
///
/// # Errors
/// 403 when it is paid or expired, 409 while its payment is being authorized.
pub(super) async fn cancel(ctx: &Ctx, partner_id: &str, session_id: &str) -> Result<Box<Session>, ApiError> {
    checkout::api::closed(ctx, partner_id, session_id, checkout::session::End::Canceled, None).await
}

/// A checked `POST /v1/refunds`.
#[derive(Clone, Debug)]
pub(super) struct RefundByReference {
    pub reference: String,
    pub currency: String,
    pub refund: MoveMoney,
}

impl RefundByReference {
    /// Checks a body.
    ///
    /// # Errors
    /// 400 naming every field at fault.
    pub(super) fn check(body: Value) -> Result<Self, ApiError> {
        let Value::Object(mut body) = body else {
            return Err(ApiError::validation(vec![FieldFault::new("body", "must be a JSON object")]));
        };
        let mut faults = Vec::new();
        let mut text = |name: &str, max: usize, faults: &mut Vec<FieldFault>| match body.remove(name) {
            Some(Value::String(text)) if (1..=max).contains(&text.chars().count()) => text,
            None | Some(Value::Null) => {
                faults.push(FieldFault::new(name, "is required"));
                String::new()
            }
            Some(_) => {
                faults.push(FieldFault::new(name, format!("must be a text of 1 to {max} characters")));
                String::new()
            }
        };
        let reference = text("reference", 255, &mut faults);
        let currency = text("currency", 3, &mut faults);
        // What is left is a refund; its own reference has another name here.
        if let Some(own) = body.remove("refund_reference") {
            body.insert("reference".to_owned(), own);
        }
        if body.get("amount").is_none_or(Value::is_null) {
            faults.push(FieldFault::new("amount", "is required"));
        }
        let refund = MoveMoney::check_refund(Value::Object(body));
        match refund {
            Ok(refund) if faults.is_empty() => Ok(Self { reference, currency, refund }),
            Ok(_) => Err(ApiError::validation(faults)),
            Err(mut error) => {
                for fault in &mut error.validation_errors {
                    if fault.parameter == "reference" {
                        fault.parameter = "refund_reference".to_owned();
                    }
                }
                faults.append(&mut error.validation_errors);
                Err(ApiError::validation(faults))
            }
        }
    }
}

/// What a reference leads to.
#[derive(Clone, Debug)]
pub(super) enum Found {
    None,
    One(Box<Payment>),
    Several,
}

/// The payment of this reference, or of this id, of which something was captured.
///
/// # Errors
/// As the database says.
pub(super) async fn find_captured(ctx: &Ctx, partner_id: &str, reference: &str) -> Result<Found, ApiError> {
    let (partner_id, reference) = (partner_id.to_owned(), reference.trim().to_owned());
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            if let Some(payment) = payments::find(tx, &partner_id, &reference).await? {
                return Ok::<_, DbError>(vec![payment]);
            }
            payments::of_reference(tx, &partner_id, &reference).await
        })
    });
    let mut captured: Vec<Payment> = read.await?;
    captured.retain(|payment| payment.books.captured > 0);
    Ok(match captured.len() {
        0 => Found::None,
        1 => Found::One(Box::new(captured.remove(0))),
        _ => Found::Several,
    })
}

/// Minor units that can still be refunded.
pub(super) fn refundable(payment: &Payment) -> i64 {
    (payment.books.captured - payment.books.refunded - payment.books.charged_back).max(0)
}

/// The order of a sale at a till.
pub(super) fn sale(till: &Till, amount: i64, reference: &str) -> Value {
    let mut order = json!({
        // In a shop the goods are handed over: the money is taken with the authorization.
        "amount": amount, "currency": till.currency, "capture": "AUTOMATIC", "expiry": {"duration": "PT30M"},
        "metadata": {"till_id": till.till_id, "till": till.name}, "branding": till.detail.branding,
    });
    if !reference.is_empty() {
        order["reference"] = json!(reference);
    }
    for (name, value) in [("locale", &till.detail.locale), ("country", &till.detail.country)] {
        if let Some(value) = value {
            order[name] = json!(value);
        }
    }
    order
}
