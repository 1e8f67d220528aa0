//! What Klarna decides about a Partner: decisions can be read, and each disables the payment product.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::{ComplianceDecisionId, EventType, PartnerAccountId};
use serde_json::{Value, json};

use super::managed::{Account, time};
use super::product::{Actor, Wish};
use super::products::{self, Because};
use super::store::{self, DecisionRow};
use crate::operation::not_found;
use crate::paging::{Page, Wanted};

/// Writes down a decision, tells of it, then disables the account's payment product in its name.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn decide(account: &mut Account<'_>, decision_type: &str, at: i64) -> Result<Value, ApiError> {
    let product_id =
        store::products(account.tx, account.id.as_str()).await?.into_iter().next().map(|row| row.product_id);
    let row = DecisionRow {
        decision_id: ComplianceDecisionId::new(account.ctx.random.id(at)).to_string(),
        decision_type: decision_type.to_owned(),
        product_id,
        created_at: at,
    };
    store::insert_decision(account.tx, account.id.as_str(), &row).await?;
    let decision = view(&account.id, &row)?;
    let event = EventType::PartnerComplianceDecisionCreated;
    account.tell(event, row.product_id.as_deref(), decision.clone(), at).await?;
    if let Some(product_id) = &row.product_id {
        let because = Because { reason: Some(decision_type), details: None, decision_id: Some(&row.decision_id) };
        products::change(account, product_id, Actor::Klarna, Wish::Disable, &because, at).await?;
    }
    Ok(decision)
}

/// One page of decisions.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn list(tx: &mut Tx, id: &PartnerAccountId, wanted: &Wanted) -> Result<Value, ApiError> {
    let account = id.as_str();
    let rows = match (wanted.after(), wanted.before()) {
        (Some(after), _) => store::decisions_after(tx, account, after, wanted.limit()).await?,
        (None, before) => store::decisions_before(tx, account, before.unwrap_or_default(), wanted.limit()).await?,
    };
    let total = store::count_decisions(tx, account).await?;
    let page = Page::of(wanted, rows);
    let views = page.items.iter().map(|row| view(id, row)).collect::<Result<Vec<_>, _>>()?;
    let pagination = page.pagination(wanted, Some(total), |row| row.decision_id.clone());
    Ok(json!({"decisions": views, "pagination": pagination}))
}

/// One decision.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn read(tx: &mut Tx, id: &PartnerAccountId, decision_id: &str) -> Result<Value, ApiError> {
    let row = store::decision(tx, id.as_str(), decision_id).await?;
    view(id, &row.ok_or_else(|| not_found("The compliance decision does not exist."))?)
}

fn view(id: &PartnerAccountId, row: &DecisionRow) -> Result<Value, ApiError> {
    Ok(json!({"decision_id": row.decision_id, "decision_type": row.decision_type, "account_id": id,
        "product_instance_id": row.product_id, "created_at": time(row.created_at)?}))
}
