//! An account inside the transaction that may change it: locked, with time accounted for, able to tell what happened to it.

use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::{EventType, PartnerAccountId, Timestamp};
use serde_json::{Map, Value, json};

use super::partner_account::{AccountState, Due, ahead};
use super::resource::{differences, merge_member};
use super::store::{self, AccountRow};
use super::{compliance, products, resource::Kind, resources};
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::operation::{conflict, not_found};
use crate::sealed::ACCOUNT_DETAILS;

/// See the module.
pub(super) struct Account<'a> {
    pub tx: &'a mut Tx,
    pub ctx: &'a Ctx,
    pub id: PartnerAccountId,
    pub row: AccountRow,
    /// In microseconds UTC.
    pub now: i64,
    /// Of the call that changes it; none for what time does.
    pub correlation_id: Option<&'a str>,
}

impl<'a> Account<'a> {
    /// Locks an account and lets happen what is due.
    ///
    /// # Errors
    /// 404 for an account that does not exist; [`kit::db::DbError`].
    pub async fn locked(
        tx: &'a mut Tx,
        ctx: &'a Ctx,
        id: &PartnerAccountId,
        correlation_id: Option<&'a str>,
    ) -> Result<Self, ApiError> {
        let row = store::lock_account(tx, id.as_str()).await?;
        let row = row.ok_or_else(|| not_found("The Partner account does not exist."))?;
        let mut account = Self { tx, ctx, id: id.clone(), row, now: ctx.clock.now(), correlation_id };
        account.pass_time().await?;
        Ok(account)
    }

    /// [`Account::locked`], for changes: not before it is OPERATIONAL.
    ///
    /// # Errors
    /// As there, and [`AccountState::require_manageable`].
    pub async fn manageable(
        tx: &'a mut Tx,
        ctx: &'a Ctx,
        id: &PartnerAccountId,
        correlation_id: Option<&'a str>,
    ) -> Result<Self, ApiError> {
        let account = Self::locked(tx, ctx, id, correlation_id).await?;
        account.state().require_manageable()?;
        Ok(account)
    }

    pub fn state(&self) -> AccountState {
        AccountState::stored(&self.row.state)
    }

    /// What is still ahead of it.
    pub fn ahead(&self) -> Vec<Due> {
        ahead_of(&self.row)
    }

    async fn pass_time(&mut self) -> Result<(), ApiError> {
        let now = self.now;
        for due in self.ahead().into_iter().filter(|due| due.at() <= now) {
            match due {
                Due::Operational { at } => self.become_state(AccountState::Operational, at).await?,
                Due::Decision { at, decision_type } => {
                    (self.row.decision_at, self.row.decision_type) = (None, None);
                    self.save().await?;
                    compliance::decide(self, &decision_type, at).await?;
                }
            }
        }
        Ok(())
    }

    /// Puts the account into a state, which it becomes OPERATIONAL with its own event.
    pub async fn become_state(&mut self, state: AccountState, at: i64) -> Result<(), ApiError> {
        let previous = std::mem::replace(&mut self.row.state, state.as_str().to_owned());
        self.row.updated_at = at;
        self.save().await?;
        if state == AccountState::Operational {
            let payload = json!({"state": state.as_str(), "previous_state": previous});
            self.tell(EventType::PartnerAccountOperational, None, payload, at).await?;
        }
        Ok(())
    }

    pub async fn save(&mut self) -> Result<(), ApiError> {
        Ok(store::update_account(self.tx, &self.row).await?)
    }

    /// Tells of something that happened; the account's ids are added.
    pub async fn tell(
        &mut self,
        event_type: EventType,
        product_id: Option<&str>,
        mut payload: Value,
        occurred_at: i64,
    ) -> Result<(), ApiError> {
        payload["partner_account_id"] = json!(self.id);
        payload["account_id"] = json!(self.id);
        payload["partner_account_reference"] = json!(self.row.reference);
        let event = NewEvent {
            event_type,
            subject: &self.id,
            product_instance_id: product_id,
            payload,
            occurred_at,
            correlation_id: self.correlation_id,
        };
        notifications::emit(self.tx, self.ctx, &event).await
    }

    /// Tells which fields of a resource changed; their values are nobody's business.
    pub async fn tell_change(&mut self, resource_type: &str, id: &str, fields: &[String]) -> Result<(), ApiError> {
        let change_id = self.ctx.random.id(self.now);
        let payload = json!({"change_id": change_id, "resource_type": resource_type, "resource_id": id,
            "changed_fields": fields});
        self.tell(EventType::PartnerAccountChangeCreated, None, payload, self.now).await
    }

    /// Applies a merge patch that has passed its shape.
    ///
    /// # Errors
    /// 400 when nobody could be reached any more, 409 for a reference that another Partner has.
    pub async fn patch(&mut self, body: &Value) -> Result<(), ApiError> {
        let before = self.view()?;
        if let Some(reference) = body.get("partner_account_reference").and_then(Value::as_str) {
            self.rename(reference).await?;
        }
        if let Some(name) = body.get("partner_account_name").and_then(Value::as_str) {
            name.clone_into(&mut self.row.name);
        }
        if let Some(change) = body.get("partner_account_contact") {
            let mut details = opened_details(self.ctx, &self.row)?;
            merge_member(&mut details, "partner_account_contact", change);
            if details.get("partner_account_contact").and_then(|contact| contact.get("email")).is_none() {
                let fault = kit::http::FieldFault::new("partner_account_contact.email", "is required");
                return Err(ApiError::validation(vec![fault]));
            }
            self.row.details = Some(sealed_details(self.ctx, &self.id, &details)?);
        }
        let mut changed = Vec::new();
        differences(&before, &self.view()?, "", &mut changed);
        if !changed.is_empty() {
            self.row.updated_at = self.now;
            self.save().await?;
            let id = self.id.to_string();
            self.tell_change("partner_account", &id, &changed).await?;
        }
        Ok(())
    }

    async fn rename(&mut self, reference: &str) -> Result<(), ApiError> {
        if let Some(above) = self.row.acquiring_partner_id.clone() {
            let owner = store::account_by_reference(self.tx, &above, reference).await?;
            if owner.is_some_and(|owner| owner != self.row.account_id) {
                return Err(conflict("Another Partner account has this reference.")
                    .field("partner_account_reference", "is taken"));
            }
        }
        reference.clone_into(&mut self.row.reference);
        Ok(())
    }

    fn view(&self) -> Result<Map<String, Value>, ApiError> {
        view(self.ctx, &self.row)
    }
}

fn ahead_of(row: &AccountRow) -> Vec<Due> {
    let decision = row.decision_at.zip(row.decision_type.as_deref());
    ahead(AccountState::stored(&row.state), row.operational_at, decision)
}

/// Lets happen what is due, if anything is; says when something will be next. Reads call it before they look.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn pass_time(ctx: &Ctx, id: &PartnerAccountId) -> Result<Option<i64>, ApiError> {
    let account = id.clone();
    let row: Option<AccountRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::account(tx, account.as_str()).await })).await?;
    let Some(next) = row.and_then(|row| ahead_of(&row).first().map(Due::at)) else { return Ok(None) };
    if next > ctx.clock.now() {
        return Ok(Some(next));
    }
    ctx.write(|| {
        let (ctx, id) = (ctx.clone(), id.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<i64>, ApiError>> {
            Box::pin(async move {
                let account = Account::locked(tx, &ctx, &id, None).await?;
                Ok(account.ahead().first().map(Due::at))
            })
        }
    })
    .await
}

/// What is sealed of an account: `partner_account_contact` and `supplementary_account_data`.
pub(super) fn opened_details(ctx: &Ctx, row: &AccountRow) -> Result<Map<String, Value>, ApiError> {
    let Some(sealed) = &row.details else { return Ok(Map::new()) };
    let opened = ctx.secrets.open(ACCOUNT_DETAILS.place(&[&row.account_id]), sealed).map_err(ApiError::internal)?;
    serde_json::from_slice(&opened).map_err(ApiError::internal)
}

pub(super) fn sealed_details(
    ctx: &Ctx,
    id: &PartnerAccountId,
    details: &Map<String, Value>,
) -> Result<Vec<u8>, ApiError> {
    let text = serde_json::to_vec(details).map_err(ApiError::internal)?;
    Ok(ctx.secrets.seal(ACCOUNT_DETAILS.place(&[id.as_str()]), &text))
}

/// The account alone, as callers read it.
pub(super) fn view(ctx: &Ctx, row: &AccountRow) -> Result<Map<String, Value>, ApiError> {
    let mut view = opened_details(ctx, row)?;
    for (name, value) in [
        ("partner_account_id", json!(row.account_id)),
        ("partner_account_reference", json!(row.reference)),
        ("partner_account_name", json!(row.name)),
        ("state", json!(row.state)),
        ("created_at", json!(time(row.created_at)?)),
        ("updated_at", json!(time(row.updated_at)?)),
    ] {
        view.insert(name.to_owned(), value);
    }
    Ok(view)
}

/// The account, with what `expand` asks for: `products`, `brands`, `store_groups`, `partner_business_entities`, `stores`.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn read(tx: &mut Tx, ctx: &Ctx, id: &PartnerAccountId, expand: &[String]) -> Result<Value, ApiError> {
    let row = store::account(tx, id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("The Partner account does not exist."))?;
    let mut view = view(ctx, &row)?;
    let wants = |name: &str| expand.iter().any(|wanted| wanted == name);
    if wants("products") {
        view.insert("products".to_owned(), json!(products::list(tx, id).await?));
    }
    let kinds = [Kind::BusinessEntity, Kind::Brand, Kind::StoreGroup, Kind::Store];
    if kinds.iter().any(|kind| wants(kind.list_member())) {
        let all = resources::all(tx, ctx, id).await?;
        for kind in kinds.into_iter().filter(|kind| wants(kind.list_member())) {
            let of_kind = all.iter().filter(|resource| resource.kind == kind);
            let views = of_kind.map(|resource| resources::view(resource, &all)).collect::<Result<Vec<_>, _>>()?;
            view.insert(kind.list_member().to_owned(), Value::Array(views));
        }
    }
    Ok(Value::Object(view))
}

pub(super) fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}
