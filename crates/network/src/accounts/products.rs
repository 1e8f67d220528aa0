//! Payment products and payment accounts of a Partner, as they are managed.

use kit::db::Tx;
use kit::http::{ApiError, FieldFault};
use protocol::{EventType, PartnerAccountId, PaymentAccountId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::PaymentAccountRow;
use super::managed::{Account, time};
use super::product::{Actor, ProductState, Refused, Wish};
use super::resource::Kind;
use super::store::{self, Links, ManagedPaymentAccountRow, ProductRow};
use crate::ctx::Ctx;
use crate::operation::{OnBehalf, conflict, forbidden, not_found};
use crate::paging::{Page, Wanted};

/// What a new payment account has, for the event of its making.
pub(super) const PAYMENT_ACCOUNT_FIELDS: [&str; 5] = [
    "default_merchant_category_code",
    "default_store_group_id",
    "partner_business_entity_id",
    "payment_account_reference",
    "payment_acquiring_account_id",
];

/// Why a product changes its state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Because<'a> {
    /// `state_reason`.
    pub reason: Option<&'a str>,
    /// `reason_details`.
    pub details: Option<&'a str>,
    /// The decision behind it.
    pub decision_id: Option<&'a str>,
}

/// Grants an actor's wish, and tells of it when the state is another one.
///
/// # Errors
/// 404; 403 for what only Klarna may do; 409 for what Klarna cannot; [`kit::db::DbError`].
pub(super) async fn change(
    account: &mut Account<'_>,
    product_id: &str,
    actor: Actor,
    wish: Wish,
    because: &Because<'_>,
    at: i64,
) -> Result<(), ApiError> {
    let mut row = product(account.tx, &account.id, product_id).await?;
    let before = ProductState::stored(&row.state, row.disabled_by.as_deref());
    let after = before.next(actor, wish).map_err(|refused| match refused {
        Refused::KlarnaOnly => forbidden("Klarna disabled this payment product; only Klarna can enable it."),
        Refused::NotDisabled => conflict(refused.to_string()),
    })?;
    if after == before {
        return Ok(());
    }
    // What is enabled needs no reason.
    let because = if after == ProductState::Enabled { &Because::default() } else { because };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    after.as_str().clone_into(&mut row.state);
    (row.state_reason, row.reason_details, row.compliance_decision_id) =
        (owned(because.reason), owned(because.details), owned(because.decision_id));
    row.disabled_by = match after {
        ProductState::Enabled => None,
        ProductState::Disabled(actor) => Some(actor.as_str().to_owned()),
        ProductState::Terminated => Some(Actor::Klarna.as_str().to_owned()),
    };
    row.updated_at = at;
    store::update_product(account.tx, account.id.as_str(), &row).await?;
    if after.as_str() == before.as_str() {
        return Ok(());
    }
    let event = match after {
        ProductState::Enabled => EventType::PartnerAccountProductPaymentEnabled,
        // TERMINATED has no event of its own (fact sheet 02 §5).
        ProductState::Disabled(_) | ProductState::Terminated => EventType::PartnerAccountProductPaymentDisabled,
    };
    let mut payload = json!({"product_id": row.product_id, "state": after.as_str(), "previous_state": before.as_str()});
    for (name, value) in [("reason", because.reason), ("compliance_decision_id", because.decision_id)] {
        if let Some(value) = value {
            payload[name] = json!(value);
        }
    }
    account.tell(event, Some(&row.product_id), payload, at).await
}

/// Every payment product of an account, with its payment accounts.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn list(tx: &mut Tx, id: &PartnerAccountId) -> Result<Vec<Value>, ApiError> {
    let accounts = store::managed_payment_accounts(tx, id.as_str()).await?;
    store::products(tx, id.as_str()).await?.iter().map(|row| product_view(row, &accounts)).collect()
}

/// One payment product, with its payment accounts.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn read(tx: &mut Tx, id: &PartnerAccountId, product_id: &str) -> Result<Value, ApiError> {
    let row = product(tx, id, product_id).await?;
    product_view(&row, &store::managed_payment_accounts(tx, id.as_str()).await?)
}

async fn product(tx: &mut Tx, id: &PartnerAccountId, product_id: &str) -> Result<ProductRow, ApiError> {
    let found = store::products(tx, id.as_str()).await?.into_iter().find(|row| row.product_id == product_id);
    found.ok_or_else(|| not_found("The payment product does not exist."))
}

fn product_view(row: &ProductRow, accounts: &[ManagedPaymentAccountRow]) -> Result<Value, ApiError> {
    let own = accounts.iter().filter(|account| account.product_id == row.product_id);
    let views = own.map(|account| account_view(account, &row.state)).collect::<Result<Vec<_>, _>>()?;
    let mut view = json!({"product_id": row.product_id, "type": "PAYMENT", "state": row.state,
        "payment_profile_id": row.payment_profile_id, "payment_accounts": views,
        "created_at": time(row.created_at)?, "updated_at": time(row.updated_at)?});
    for (name, value) in [
        ("state_reason", &row.state_reason),
        ("reason_details", &row.reason_details),
        ("compliance_decision_id", &row.compliance_decision_id),
    ] {
        if let Some(value) = value {
            view[name] = json!(value);
        }
    }
    Ok(view)
}

/// A payment account has no state of its own: it mirrors its product's.
fn account_view(row: &ManagedPaymentAccountRow, product_state: &str) -> Result<Value, ApiError> {
    let state = if product_state == super::PRODUCT_ENABLED { "ENABLED" } else { "DISABLED" };
    let mut view = json!({"payment_account_id": row.payment_account_id, "payment_account_reference": row.reference,
        "payment_acquiring_account_id": row.payment_acquiring_account_id,
        "default_merchant_category_code": row.merchant_category_code, "state": state,
        "created_at": time(row.created_at)?, "updated_at": time(row.updated_at)?});
    for (name, value) in [
        ("partner_business_entity_id", &row.partner_business_entity_id),
        ("default_store_group_id", &row.default_store_group_id),
    ] {
        if let Some(value) = value {
            view[name] = json!(value);
        }
    }
    Ok(view)
}

/// One page of a product's payment accounts. There are few: they are cut from the whole list.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn payment_accounts(
    tx: &mut Tx,
    id: &PartnerAccountId,
    product_id: &str,
    wanted: &Wanted,
) -> Result<Value, ApiError> {
    let product = product(tx, id, product_id).await?;
    let mut all = store::managed_payment_accounts(tx, id.as_str()).await?;
    all.retain(|row| row.product_id == product.product_id);
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let place = |cursor: &str| all.iter().position(|row| row.payment_account_id == cursor);
    match (wanted.after(), wanted.before()) {
        (Some(""), _) => {}
        (Some(after), _) => drop(all.drain(..place(after).map_or(all.len(), |place| place + 1))),
        (None, before) => {
            all.truncate(before.and_then(place).unwrap_or(0));
            all.reverse();
        }
    }
    all.truncate(usize::try_from(wanted.limit()).unwrap_or(usize::MAX));
    let page = Page::of(wanted, all);
    let views = page.items.iter().map(|row| account_view(row, &product.state)).collect::<Result<Vec<_>, _>>()?;
    let pagination = page.pagination(wanted, Some(total), |row| row.payment_account_id.clone());
    Ok(json!({"payment_accounts": views, "pagination": pagination}))
}

/// One payment account of a product.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn payment_account(
    tx: &mut Tx,
    id: &PartnerAccountId,
    product_id: &str,
    payment_account_id: &str,
) -> Result<Value, ApiError> {
    let product = product(tx, id, product_id).await?;
    account_view(&stored(tx, id, product_id, payment_account_id).await?, &product.state)
}

async fn stored(
    tx: &mut Tx,
    id: &PartnerAccountId,
    product_id: &str,
    payment_account_id: &str,
) -> Result<ManagedPaymentAccountRow, ApiError> {
    let found = store::managed_payment_accounts(tx, id.as_str()).await?.into_iter();
    let mut found = found.filter(|row| row.product_id == product_id);
    let found = found.find(|row| row.payment_account_id == payment_account_id);
    found.ok_or_else(|| not_found("The payment account does not exist."))
}

/// A payment account to be made.
pub(super) struct NewPaymentAccount<'a> {
    pub id: Uuid,
    pub product_id: &'a str,
    pub payment_acquiring_account_id: &'a str,
    pub reference: &'a str,
    pub merchant_category_code: &'a str,
    pub links: Links<'a>,
}

/// Makes a payment account; its payments are guaranteed. Ours: how an Acquiring Partner gets others is not known.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn insert_payment_account(
    tx: &mut Tx,
    ctx: &Ctx,
    id: &PartnerAccountId,
    new: &NewPaymentAccount<'_>,
) -> Result<String, ApiError> {
    let now = ctx.clock.now();
    let row = PaymentAccountRow {
        account_id: id.to_string(),
        payment_account_id: PaymentAccountId::new(new.id).to_string(),
        product_id: new.product_id.to_owned(),
        product_state: String::new(),
        payment_acquiring_account_id: new.payment_acquiring_account_id.to_owned(),
        reference: new.reference.to_owned(),
        guaranteed: true,
        merchant_category_code: new.merchant_category_code.to_owned(),
        state: "ENABLED".to_owned(),
        price_plan: None,
    };
    store::insert_payment_account(tx, &row, &new.links, now).await?;
    Ok(row.payment_account_id)
}

/// Makes a payment account from a body that has passed its shape.
///
/// # Errors
/// 404 for the product; 400 for what is linked and not there, 409 for a reference in use; [`kit::db::DbError`].
pub(super) async fn create_payment_account(
    account: &mut Account<'_>,
    on: &OnBehalf,
    product_id: &str,
    body: &Value,
) -> Result<Value, ApiError> {
    product(account.tx, &account.id, product_id).await?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let mut faults = Vec::new();
    let entity = linked(account.tx, &account.id, Kind::BusinessEntity, "partner_business_entity", body, &mut faults);
    let entity = entity.await?;
    let group = linked(account.tx, &account.id, Kind::StoreGroup, "default_store_group", body, &mut faults).await?;
    let acquiring = text("payment_acquiring_account_id").unwrap_or_default();
    let known = store::managed_acquiring_accounts(account.tx, on.caller.acquiring_partner.as_str()).await?;
    if !known.iter().any(|row| row.payment_acquiring_account_id == acquiring) {
        faults.push(FieldFault::new("payment_acquiring_account_id", "is no acquiring account of yours"));
    }
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let reference = text("payment_account_reference").unwrap_or_default();
    refuse_taken(account.tx, acquiring, reference, None).await?;
    let new = NewPaymentAccount {
        id: account.ctx.random.id(account.now),
        product_id,
        payment_acquiring_account_id: acquiring,
        reference,
        merchant_category_code: text("default_merchant_category_code").unwrap_or_default(),
        links: Links { partner_business_entity_id: entity.as_deref(), default_store_group_id: group.as_deref() },
    };
    let made = insert_payment_account(account.tx, account.ctx, &account.id, &new).await?;
    account.tell_change("payment_account", &made, &PAYMENT_ACCOUNT_FIELDS.map(str::to_owned)).await?;
    payment_account(account.tx, &account.id, product_id, &made).await
}

/// The id of what a member names by id or by reference.
async fn linked(
    tx: &mut Tx,
    id: &PartnerAccountId,
    kind: Kind,
    member: &str,
    body: &Value,
    faults: &mut Vec<FieldFault>,
) -> Result<Option<String>, ApiError> {
    for (suffix, by_id) in [("id", true), ("reference", false)] {
        let name = format!("{member}_{suffix}");
        let Some(given) = body.get(&name).and_then(Value::as_str) else { continue };
        let found = if by_id {
            store::resource(tx, id.as_str(), kind.as_str(), given).await?
        } else {
            store::resource_by_reference(tx, id.as_str(), kind.as_str(), given).await?
        };
        if found.is_none() {
            faults.push(FieldFault::new(name, "names nothing of this Partner account"));
        }
        return Ok(found.map(|row| row.resource_id));
    }
    Ok(None)
}

/// Changes the reference and the category of a payment account, from a body that has passed its shape.
///
/// # Errors
/// 404; 409 for a reference in use; [`kit::db::DbError`].
pub(super) async fn patch_payment_account(
    account: &mut Account<'_>,
    product_id: &str,
    payment_account_id: &str,
    body: &Value,
) -> Result<Value, ApiError> {
    let mut row = stored(account.tx, &account.id, product_id, payment_account_id).await?;
    let mut changed = Vec::new();
    if let Some(reference) = body.get("payment_account_reference").and_then(Value::as_str)
        && reference != row.reference
    {
        refuse_taken(account.tx, &row.payment_acquiring_account_id, reference, Some(payment_account_id)).await?;
        reference.clone_into(&mut row.reference);
        changed.push("payment_account_reference".to_owned());
    }
    if let Some(code) = body.get("default_merchant_category_code").and_then(Value::as_str)
        && code != row.merchant_category_code
    {
        code.clone_into(&mut row.merchant_category_code);
        changed.push("default_merchant_category_code".to_owned());
    }
    if !changed.is_empty() {
        row.updated_at = account.now;
        store::update_payment_account(account.tx, account.id.as_str(), &row).await?;
        account.tell_change("payment_account", payment_account_id, &changed).await?;
    }
    payment_account(account.tx, &account.id, product_id, payment_account_id).await
}

async fn refuse_taken(tx: &mut Tx, acquiring: &str, reference: &str, own: Option<&str>) -> Result<(), ApiError> {
    let found = store::payment_account_by_reference(tx, acquiring, reference).await?;
    if found.is_some_and(|row| Some(row.payment_account_id.as_str()) != own) {
        return Err(conflict("The acquiring account has a payment account of this reference.")
            .field("payment_account_reference", "is taken"));
    }
    Ok(())
}

/// A product that was just made, for onboarding.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn insert_product(
    tx: &mut Tx,
    ctx: &Ctx,
    id: &PartnerAccountId,
    profile: &str,
) -> Result<String, ApiError> {
    let now = ctx.clock.now();
    let product_id = protocol::PaymentProductId::new(ctx.random.id(now)).to_string();
    store::insert_payment_product(tx, id.as_str(), &product_id, profile, now).await?;
    Ok(product_id)
}
