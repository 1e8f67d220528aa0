//! The read operation of the older releases: whether to show Klarna, preselect it, or confirm at once (sheet 04 §2.1).

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use http::{Method, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::shape::Kind;
use protocol::shape::shapes::tokens as shapes;
use protocol::{ConfirmationToken, Currency, Market, PartnerAccountId, markets};
use serde_json::{Map, Value, json};

use super::session::read_session;
use super::session_token::Standing;
use super::{Keys, grant_standing, keys, shopping};
use crate::ctx::Ctx;
use crate::operation::{Category, Doc, OnBehalf, Reply, Route, Source, Who, check};
use crate::{accounts, payments};

pub(super) fn routes() -> Vec<Route> {
    let doc =
        Doc::new("readInteroperability", "Says how Klarna is to be shown, as older releases do", Source::Documented)
            .query_required("currency", Kind::Currency)
            .query("country", Kind::Country)
            .query("interoperability_token", Kind::Blob { min: 1, max: 8192 })
            .query("payment_amount", Kind::Int { min: 1, max: i64::from(i32::MAX) })
            .query("purchase_reference", Kind::Text { min: 1, max: 255 })
            .query("merchant_reference", Kind::Text { min: 1, max: 256 })
            .query("platform_reference", Kind::Text { min: 1, max: 256 })
            .answers(200, shapes::interoperability);
    vec![Route::for_account(
        Method::GET,
        &["/interoperability"],
        Category::Interoperability,
        Who::Anyone,
        doc,
        read_interoperability,
    )]
}

/// Answers as the older releases do; for whoever found the account otherwise, too.
///
/// # Errors
/// 400 naming every faulty parameter, [`kit::db::DbError`].
pub async fn read_interoperability(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Reply, ApiError> {
    let mut asked: Map<String, Value> = query.into_iter().map(|(name, text)| (name, text.into())).collect();
    if let Some(amount) = asked.get_mut("payment_amount")
        && let Some(number) = amount.as_str().and_then(|text| text.parse::<i64>().ok())
    {
        *amount = number.into();
    }
    let asked = Value::Object(asked);
    check(shapes::read_interoperability(), &asked)?;
    let keys = keys(&ctx).await?;
    let context = ctx.clone();
    let reply = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Value, ApiError>> {
        Box::pin(async move { status(tx, &keys, &on.account, &asked, context.clock.now()).await })
    });
    Ok(Reply::json(StatusCode::OK, &reply.await?))
}

async fn status(
    tx: &mut Tx,
    keys: &Keys,
    account: &PartnerAccountId,
    asked: &Value,
    now: i64,
) -> Result<Value, ApiError> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str);
    let mut answer = json!({ "status": "PAYMENT_SUPPORTED" });
    if let Some(reference) = text("purchase_reference").or_else(|| text("merchant_reference"))
        && let Some(session) = shopping::of_purchase(tx, account, reference, now).await?
    {
        answer["shopping_session_id"] = session.into();
    }
    if !is_offered(text("country"), text("currency")) || !accounts::has_enabled_product(tx, account).await? {
        answer["status"] = "PAYMENT_UNSUPPORTED".into();
        return Ok(answer);
    }
    // Of another account, or nobody's: says nothing, as for every operation that only recognises.
    let session = text("interoperability_token").and_then(|token| read_session(keys, token, now));
    let Some((region, claims)) = session.filter(|(_, claims)| claims.paid == account.as_str()) else {
        return Ok(answer);
    };
    match claims.st {
        Standing::Completed => {
            let Ok(grant) = claims.sid.parse() else { return Ok(answer) };
            if grant_standing(tx, account, grant, now).await?.is_none() {
                answer["status"] = "PAYMENT_PENDING_CONFIRMATION".into();
                answer["payment_confirmation_token"] = json!(ConfirmationToken::new(region, grant));
            }
        }
        Standing::Submitted => {
            let request = claims.prid.unwrap_or_default();
            if payments::is_in_progress(tx, account, &request, now).await? {
                answer["status"] = "PAYMENT_PREPARED".into();
            }
        }
        Standing::Recognised => answer["status"] = "PAYMENT_PREPARED".into(),
    }
    Ok(answer)
}

/// Whether payments are made in this currency, and by customers of this country with it.
fn is_offered(country: Option<&str>, currency: Option<&str>) -> bool {
    let Some(currency) = currency.and_then(|code| code.parse::<Currency>().ok()) else { return false };
    match country {
        Some(country) => Market::by_country(country).is_some_and(|market| market.currency() == currency),
        None => markets().iter().any(|market| market.currency() == currency),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_pays_in_its_own_currency() {
        assert!(is_offered(Some("DE"), Some("EUR")));
        assert!(is_offered(None, Some("sek")));
        assert!(!is_offered(Some("SE"), Some("EUR")));
        assert!(!is_offered(Some("XX"), Some("EUR")));
        assert!(!is_offered(None, Some("KWD")));
    }
}
