//! Reading and changing the resources below an account.

use kit::db::Tx;
use kit::http::{ApiError, FieldFault};
use protocol::{EventType, PartnerAccountId};
use serde_json::{Map, Value, json};

use super::brand;
use super::managed::{Account, time};
use super::resource::{Kind, Resource};
use super::store::{self, ResourceRow};
use crate::ctx::Ctx;
use crate::operation::{conflict, invalid, not_found};
use crate::paging::{Page, Wanted};
use crate::sealed::ACCOUNT_RESOURCE;

fn opened(ctx: &Ctx, row: ResourceRow) -> Result<Resource, ApiError> {
    let place = ACCOUNT_RESOURCE.place(&[&row.resource_id]);
    let content = ctx.secrets.open(place, &row.content).map_err(ApiError::internal)?;
    let content: Map<String, Value> = serde_json::from_slice(&content).map_err(ApiError::internal)?;
    let kind = Kind::stored(&row.kind).ok_or_else(|| ApiError::internal("a resource of an unknown kind"))?;
    let ResourceRow { resource_id: id, reference, parent_id, created_at, updated_at, .. } = row;
    Ok(Resource { kind, id, reference, parent_id, content, created_at, updated_at })
}

fn sealed(ctx: &Ctx, resource: &Resource) -> Result<ResourceRow, ApiError> {
    let text = serde_json::to_vec(&resource.content).map_err(ApiError::internal)?;
    Ok(ResourceRow {
        resource_id: resource.id.clone(),
        kind: resource.kind.as_str().to_owned(),
        reference: resource.reference.clone(),
        parent_id: resource.parent_id.clone(),
        content: ctx.secrets.seal(ACCOUNT_RESOURCE.place(&[&resource.id]), &text),
        created_at: resource.created_at,
        updated_at: resource.updated_at,
    })
}

/// Stores a new resource.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn insert(tx: &mut Tx, ctx: &Ctx, id: &PartnerAccountId, resource: &Resource) -> Result<(), ApiError> {
    Ok(store::insert_resource(tx, id.as_str(), &sealed(ctx, resource)?).await?)
}

/// Every resource of an account, in the order of their making.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn all(tx: &mut Tx, ctx: &Ctx, id: &PartnerAccountId) -> Result<Vec<Resource>, ApiError> {
    store::resources(tx, id.as_str()).await?.into_iter().map(|row| opened(ctx, row)).collect()
}

/// A resource by its id.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn one(
    tx: &mut Tx,
    ctx: &Ctx,
    id: &PartnerAccountId,
    kind: Kind,
    resource: &str,
) -> Result<Resource, ApiError> {
    let row = store::resource(tx, id.as_str(), kind.as_str(), resource).await?;
    opened(ctx, row.ok_or_else(|| not_found(kind.absent()))?)
}

/// As callers read it. A store group shows its stores as far as they are among `others`.
pub(super) fn view(resource: &Resource, others: &[Resource]) -> Result<Value, ApiError> {
    let mut view = Value::Object(resource.content.clone());
    view[resource.kind.id_member()] = json!(resource.id);
    if let Some(member) = resource.kind.reference_member() {
        view[member] = json!(resource.reference);
    }
    if let (Some(parent), Some(id)) = (resource.kind.parent(), &resource.parent_id) {
        view[parent.id_member()] = json!(id);
    }
    view["created_at"] = json!(time(resource.created_at)?);
    view["updated_at"] = json!(time(resource.updated_at)?);
    match resource.kind {
        Kind::StoreGroup => {
            let own = others
                .iter()
                .filter(|other| other.kind == Kind::Store && other.parent_id.as_deref() == Some(resource.id.as_str()));
            view["stores"] = own.map(|store| self::view(store, &[])).collect::<Result<Vec<_>, _>>()?.into();
        }
        // Ours: neither value is known; policies are not enforced, so each is active from its creation.
        Kind::AccessPolicy => view["state"] = json!("ACTIVE"),
        Kind::BusinessEntity | Kind::Brand | Kind::Store | Kind::Relationship => {}
    }
    Ok(view)
}

/// [`view`] in its account, which relationships tell of, too.
fn view_in(id: &PartnerAccountId, resource: &Resource, others: &[Resource]) -> Result<Value, ApiError> {
    let mut view = view(resource, others)?;
    if resource.kind == Kind::Relationship {
        view["source_partner_account_id"] = json!(id);
    }
    Ok(view)
}

/// One resource, as callers read it.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn read(
    tx: &mut Tx,
    ctx: &Ctx,
    id: &PartnerAccountId,
    kind: Kind,
    resource: &str,
) -> Result<Value, ApiError> {
    let resource = one(tx, ctx, id, kind, resource).await?;
    let others = if kind == Kind::StoreGroup { all(tx, ctx, id).await? } else { Vec::new() };
    view_in(id, &resource, &others)
}

/// One page of the resources of a kind.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn list(
    tx: &mut Tx,
    ctx: &Ctx,
    id: &PartnerAccountId,
    kind: Kind,
    wanted: &Wanted,
) -> Result<Value, ApiError> {
    let (account, name) = (id.as_str(), kind.as_str());
    let rows = match (wanted.after(), wanted.before()) {
        (Some(after), _) => store::resources_after(tx, account, name, after, wanted.limit()).await?,
        (None, before) => {
            store::resources_before(tx, account, name, before.unwrap_or_default(), wanted.limit()).await?
        }
    };
    let total = store::count_resources(tx, account, name).await?;
    let others = if kind == Kind::StoreGroup { all(tx, ctx, id).await? } else { Vec::new() };
    let resources = rows.into_iter().map(|row| opened(ctx, row)).collect::<Result<Vec<_>, _>>()?;
    let page = Page::of(wanted, resources);
    let views = page.items.iter().map(|one| view_in(id, one, &others)).collect::<Result<Vec<_>, _>>()?;
    let pagination = page.pagination(wanted, Some(total), |resource| resource.id.clone());
    Ok(json!({kind.list_member(): views, "pagination": pagination}))
}

/// Makes a resource from a body that has passed its shape; a store group with its stores.
///
/// # Errors
/// 400 for a parent that is not there, 409 for a reference in use; [`kit::db::DbError`].
pub(super) async fn create(account: &mut Account<'_>, kind: Kind, body: &Value) -> Result<Value, ApiError> {
    let parent = parent_of(account, kind, body).await?.flatten();
    let made = make(account, kind, body, parent).await?;
    let mut stores = Vec::new();
    if kind == Kind::StoreGroup {
        for store in body.get("stores").and_then(Value::as_array).into_iter().flatten() {
            stores.push(make(account, Kind::Store, store, Some(made.id.clone())).await?);
        }
    }
    view_in(&account.id, &made, &stores)
}

async fn make(
    account: &mut Account<'_>,
    kind: Kind,
    body: &Value,
    parent: Option<String>,
) -> Result<Resource, ApiError> {
    let id = kind.new_id(account.ctx.random.id(account.now));
    let resource = Resource::new(kind, id, body, parent, account.now);
    refuse_foreign_target(account, &resource).await?;
    refuse_taken(account, &resource).await?;
    insert(account.tx, account.ctx, &account.id, &resource).await?;
    account.tell_change(kind.as_str(), &resource.id, &resource.all_fields()).await?;
    tell_incomplete(account, &resource).await?;
    Ok(resource)
}

/// Changes a resource by a merge patch that has passed its shape.
///
/// # Errors
/// 404; 400 when the whole would break a rule, 409 for a reference in use; [`kit::db::DbError`].
pub(super) async fn patch(account: &mut Account<'_>, kind: Kind, id: &str, body: &Value) -> Result<Value, ApiError> {
    let before = one(account.tx, account.ctx, &account.id, kind, id).await?;
    let parent = parent_of(account, kind, body).await?;
    let (after, changed) = before.patched(body, parent, account.now);
    let faults = after.faults();
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    if !changed.is_empty() {
        refuse_foreign_target(account, &after).await?;
        refuse_taken(account, &after).await?;
        store::update_resource(account.tx, account.id.as_str(), &sealed(account.ctx, &after)?).await?;
        account.tell_change(kind.as_str(), id, &changed).await?;
        tell_incomplete(account, &after).await?;
    }
    let others = if kind == Kind::StoreGroup { all(account.tx, account.ctx, &account.id).await? } else { Vec::new() };
    view_in(&account.id, &after, &others)
}

/// The parent that a body names, by id or by reference; `Some(None)` when it takes the parent away, `None` when it is silent.
async fn parent_of(account: &mut Account<'_>, kind: Kind, body: &Value) -> Result<Option<Option<String>>, ApiError> {
    let Some(parent) = kind.parent() else { return Ok(None) };
    let by_reference = parent.reference_member().unwrap_or_default();
    for (member, is_id) in [(parent.id_member(), true), (by_reference, false)] {
        let Some(given) = body.get(member) else { continue };
        let Some(given) = given.as_str() else { return Ok(Some(None)) };
        let (id, name) = (account.id.as_str(), parent.as_str());
        let found = if is_id {
            store::resource(account.tx, id, name, given).await?
        } else {
            store::resource_by_reference(account.tx, id, name, given).await?
        };
        let fault = || ApiError::validation(vec![FieldFault::new(member, "names nothing of this Partner account")]);
        return Ok(Some(Some(found.ok_or_else(fault)?.resource_id)));
    }
    Ok(None)
}

async fn refuse_taken(account: &mut Account<'_>, resource: &Resource) -> Result<(), ApiError> {
    let (id, kind) = (account.id.as_str(), resource.kind);
    let found = store::resource_by_reference(account.tx, id, kind.as_str(), &resource.reference).await?;
    if found.is_none_or(|row| row.resource_id == resource.id) {
        return Ok(());
    }
    let member = kind.reference_member().unwrap_or("target_partner_account_id");
    Err(conflict("The Partner account has another of this reference.").field(member, "is taken"))
}

/// A relationship leads to an account of the same Acquiring Partner, other than its own.
pub(super) async fn refuse_foreign_target(account: &mut Account<'_>, resource: &Resource) -> Result<(), ApiError> {
    let Some(target) = resource.text("target_partner_account_id").filter(|_| resource.kind == Kind::Relationship)
    else {
        return Ok(());
    };
    let above = store::acquiring_partner_of(account.tx, target).await?;
    if target != account.id.as_str() && above.is_some() && above == account.row.acquiring_partner_id {
        return Ok(());
    }
    let reason = "is no other Partner account of yours";
    Err(ApiError::validation(vec![FieldFault::new("target_partner_account_id", reason)]))
}

/// Tells of pictures that cannot be used.
pub(super) async fn tell_incomplete(account: &mut Account<'_>, resource: &Resource) -> Result<(), ApiError> {
    let fields = if resource.kind == Kind::Brand { brand::incomplete_fields(resource) } else { Vec::new() };
    if fields.is_empty() {
        return Ok(());
    }
    let payload = json!({"brand_id": resource.id, "incomplete_fields": fields});
    account.tell(EventType::PartnerAccountBrandDataIncomplete, None, payload, account.now).await
}
