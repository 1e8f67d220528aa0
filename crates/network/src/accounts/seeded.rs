//! What the seeded accounts consist of, so that every list has something in it.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::PartnerAccountId;
use serde_json::{Map, Value, json};

use super::managed::sealed_details;
use super::resource::{Kind, Resource};
use super::resources;
use super::store::{self, Links};
use crate::ctx::Ctx;

/// Gives an account a contact, and a Partner a business, a brand, and a website where its payments belong.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn seed(tx: &mut Tx, ctx: &Ctx, account: &PartnerAccountId) -> Result<(), ApiError> {
    let Some(mut row) = store::account(tx, account.as_str()).await? else { return Ok(()) };
    let contact =
        json!({"given_name": "Ada", "family_name": "Lind", "email": "ada@tallow.example", "phone": "+4930111222"});
    let details = Map::from_iter([("partner_account_contact".to_owned(), contact)]);
    row.details = Some(sealed_details(ctx, account, &details)?);
    store::update_account(tx, &row).await?;
    if row.acquiring_partner_id.is_none() {
        return Ok(());
    }
    let entity = json!({"partner_business_entity_reference": "entity-1",
        "legal_registered_entity_name": "Tallow & Tern GmbH", "legal_registration_country": "DE",
        "supplementary_business_data": {"legal_registration": {"legal_registration_number": "HRB 123456",
            "legal_registration_authority": "Amtsgericht Charlottenburg",
            "legal_registration_entity_type": "LIMITED_LIABILITY_COMPANY"}}});
    let entity = make(tx, ctx, account, Kind::BusinessEntity, &entity, None).await?;
    let brand = json!({"brand_reference": "brand-1", "display_name": "Tallow & Tern",
        "element": {"logo_url": "https://tallow.example/logo.png"}});
    let brand = make(tx, ctx, account, Kind::Brand, &brand, None).await?;
    let group = json!({"store_group_reference": "store-group-1",
        "support_contact": {"email": "help@tallow.example", "contact_form": "https://tallow.example/help"}});
    let group = make(tx, ctx, account, Kind::StoreGroup, &group, Some(brand)).await?;
    let store = json!({"type": "WEBSITE", "store_reference": "store-1", "url": "https://tallow.example"});
    make(tx, ctx, account, Kind::Store, &store, Some(group.clone())).await?;
    let links = Links { partner_business_entity_id: Some(&entity), default_store_group_id: Some(&group) };
    Ok(store::link_payment_accounts(tx, account.as_str(), &links).await?)
}

async fn make(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    kind: Kind,
    body: &Value,
    parent: Option<String>,
) -> Result<String, ApiError> {
    let now = ctx.clock.now();
    let resource = Resource::new(kind, kind.new_id(ctx.random.id(now)), body, parent, now);
    resources::insert(tx, ctx, account, &resource).await?;
    Ok(resource.id)
}
