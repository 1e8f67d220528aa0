//! Onboarding: one call makes a Partner account with everything below it, or adds to one that was onboarded before.
//!
//! The call is decided as a whole before anything is written: every fault is named, then every contradiction, and only a body
//! without either is carried out. What is known by its reference must be said again as it was, or left out; what is new is made
//! (fact sheet 02 §2.5).

use std::collections::HashSet;

use http::StatusCode;
use kit::db::Tx;
use kit::http::{ApiError, FieldFault};
use protocol::{PartnerAccountId, shapes::accounts as shapes};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::managed::{Account, sealed_details, time};
use super::partner_account::{AccountState, screen};
use super::products::{self, NewPaymentAccount};
use super::resource::{Kind, Resource};
use super::store::{self, Links, ManagedPaymentAccountRow, NewAccount, ProductRow};
use super::{jobs, managed, resources};
use crate::ctx::Ctx;
use crate::operation::{OnBehalf, Reply, check, conflict, forbidden};

/// What is sealed of a body beside the account's resources.
const DETAILS: [&str; 2] = ["partner_account_contact", "supplementary_account_data"];

/// Onboards from a body that has passed the shape of a repetition: 201 for a new Partner, 200 for one that is known.
///
/// # Errors
/// 400 with every fault, 409 with every contradiction, 403 for a Partner that the screening rejects; [`kit::db::DbError`].
pub(super) async fn onboard(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, body: &Value) -> Result<Reply, ApiError> {
    let reference = text(body, "partner_account_reference");
    // Two calls for one Partner decide one after the other.
    store::lock_account(tx, on.caller.account.as_str()).await?;
    match store::account_by_reference(tx, on.caller.account.as_str(), reference).await? {
        None => first(tx, ctx, on, body).await,
        Some(id) => again(tx, ctx, on, &PartnerAccountId::opaque(&id).map_err(ApiError::internal)?, body).await,
    }
}

async fn first(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, body: &Value) -> Result<Reply, ApiError> {
    check(shapes::onboard(), body)?;
    let now = ctx.clock.now();
    let id = PartnerAccountId::new_test(&ctx.random.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 8));
    let mut plan = Plan::new(tx, ctx, on, &id).await?;
    plan.read(tx, ctx, body, now).await?;
    plan.refuse()?;
    let reference = text(body, "partner_account_reference");
    let screening =
        screen(reference, now).map_err(|_| forbidden("The Partner cannot be onboarded: the screening rejected it."))?;
    let new = NewAccount {
        account_id: id.as_str(),
        kind: super::AccountKind::Partner.as_str(),
        acquiring_partner_id: Some(on.caller.account.as_str()),
        reference,
        name: text(body, "partner_account_name"),
        state: AccountState::PartiallyOperational.as_str(),
    };
    store::insert_account(tx, &new, now).await?;
    let mut account = Account::locked(tx, ctx, &id, Some(&on.correlation_id)).await?;
    account.row.operational_at = screening.operational_at;
    if let Some((decision_type, at)) = screening.decision {
        (account.row.decision_at, account.row.decision_type) = (Some(at), Some(decision_type.to_owned()));
    }
    let details: Map<String, Value> =
        DETAILS.into_iter().filter_map(|name| Some((name.to_owned(), body.get(name)?.clone()))).collect();
    account.row.details = Some(sealed_details(ctx, &id, &details)?);
    account.save().await?;
    if let Some(next) = account.ahead().first() {
        jobs::come_back(account.tx, &id, next.at(), now).await?;
        ctx.work_was_made();
    }
    plan.carry_out(&mut account, true).await?;
    Ok(Reply::json(StatusCode::CREATED, &answer(account.tx, ctx, &id).await?))
}

async fn again(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, id: &PartnerAccountId, body: &Value) -> Result<Reply, ApiError> {
    let mut account = Account::locked(tx, ctx, id, Some(&on.correlation_id)).await?;
    let mut plan = Plan::new(account.tx, ctx, on, id).await?;
    let stored = managed::view(ctx, &account.row)?;
    plan.compare_account(&stored, body);
    plan.read(account.tx, ctx, body, account.now).await?;
    plan.refuse()?;
    // Ours: resources can be added before the account is OPERATIONAL, because onboarding is what makes it so.
    if plan.is_more() && account.state() == AccountState::Disabled {
        return Err(forbidden("The Partner account is disabled by Klarna."));
    }
    plan.carry_out(&mut account, false).await?;
    Ok(Reply::json(StatusCode::OK, &answer(account.tx, ctx, id).await?))
}

/// A payment account that the call asks for and that is not there yet.
struct PlannedPaymentAccount {
    acquiring: String,
    reference: String,
    category: String,
    entity: Option<String>,
    group: Option<String>,
}

/// What a call will do, and what is wrong with it.
struct Plan {
    faults: Vec<FieldFault>,
    contradictions: Vec<FieldFault>,
    /// What is there, and behind it what will be.
    resources: Vec<Resource>,
    /// How many of them are there.
    there: usize,
    product: Option<ProductRow>,
    /// The profile of a product to be made.
    new_product: Option<String>,
    payment_accounts: Vec<ManagedPaymentAccountRow>,
    new_payment_accounts: Vec<PlannedPaymentAccount>,
    acquiring_partner: String,
    acquiring_accounts: HashSet<String>,
    last_id: Uuid,
}

impl Plan {
    /// An id behind all before it: lists keep the order of the body, though all of it is made in one instant.
    fn next_id(&mut self, ctx: &Ctx, now: i64) -> Uuid {
        // The counter of RFC 9562 §6.2, in the random bits.
        let step = u128::from(ctx.random.below(1 << 32)) + 1;
        self.last_id = ctx.random.id(now).max(Uuid::from_u128(self.last_id.as_u128() + step));
        self.last_id
    }

    async fn new(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, id: &PartnerAccountId) -> Result<Self, ApiError> {
        let acquiring_partner = on.caller.account.to_string();
        let resources = resources::all(tx, ctx, id).await?;
        let acquiring_accounts = store::managed_acquiring_accounts(tx, &acquiring_partner).await?;
        Ok(Self {
            faults: Vec::new(),
            contradictions: Vec::new(),
            there: resources.len(),
            resources,
            product: store::products(tx, id.as_str()).await?.into_iter().next(),
            new_product: None,
            payment_accounts: store::managed_payment_accounts(tx, id.as_str()).await?,
            new_payment_accounts: Vec::new(),
            acquiring_partner,
            acquiring_accounts: acquiring_accounts.into_iter().map(|row| row.payment_acquiring_account_id).collect(),
            last_id: Uuid::nil(),
        })
    }

    fn is_more(&self) -> bool {
        self.resources.len() > self.there || self.new_product.is_some() || !self.new_payment_accounts.is_empty()
    }

    fn refuse(&mut self) -> Result<(), ApiError> {
        if !self.faults.is_empty() {
            return Err(ApiError::validation(std::mem::take(&mut self.faults)));
        }
        if self.contradictions.is_empty() {
            return Ok(());
        }
        let mut error = conflict("The Partner was onboarded with other data. Onboarding adds; it never changes.");
        error.validation_errors = std::mem::take(&mut self.contradictions);
        Err(error)
    }

    /// Compares what a repetition says of the account itself.
    fn compare_account(&mut self, stored: &Map<String, Value>, body: &Value) {
        let reason = "differs from what was onboarded; change it with its own operation";
        let given = body.as_object().into_iter().flatten();
        for (name, value) in
            given.filter(|(name, _)| DETAILS.contains(&name.as_str()) || *name == "partner_account_name")
        {
            let mut paths = Vec::new();
            super::resource::contradicted(stored.get(name).unwrap_or(&Value::Null), value, name, &mut paths);
            self.contradictions.extend(paths.into_iter().map(|path| FieldFault::new(path, reason)));
        }
    }

    async fn read(&mut self, tx: &mut Tx, ctx: &Ctx, body: &Value, now: i64) -> Result<(), ApiError> {
        for (index, entry) in entries(body, "partner_business_entities") {
            self.meet(ctx, Kind::BusinessEntity, entry, None, &format!("partner_business_entities[{index}]"), now);
        }
        for (index, entry) in entries(body, "brands") {
            self.meet(ctx, Kind::Brand, entry, None, &format!("brands[{index}]"), now);
        }
        for (index, entry) in entries(body, "store_groups") {
            let at = format!("store_groups[{index}]");
            let brand = self.link(Kind::Brand, "brand", entry, &at);
            let group = self.meet(ctx, Kind::StoreGroup, entry, brand, &at, now);
            for (number, store) in entries(entry, "stores") {
                self.meet(ctx, Kind::Store, store, Some(group.clone()), &format!("{at}.stores[{number}]"), now);
            }
        }
        for kind in [Kind::Relationship, Kind::AccessPolicy] {
            for (index, entry) in entries(body, kind.list_member()) {
                self.meet(ctx, kind, entry, None, &format!("{}[{index}]", kind.list_member()), now);
            }
        }
        for (index, entry) in entries(body, "products") {
            self.read_product(tx, entry, &format!("products[{index}]")).await?;
        }
        Ok(())
    }

    /// Finds what an entry names among what is there, or plans to make it; returns its id.
    fn meet(&mut self, ctx: &Ctx, kind: Kind, entry: &Value, parent: Option<String>, at: &str, now: i64) -> String {
        let id = kind.new_id(self.next_id(ctx, now));
        let resource = Resource::new(kind, id, entry, parent.clone(), now);
        let is_same = |other: &Resource| other.kind == kind && other.reference == resource.reference;
        if let Some(index) = self.resources.iter().position(is_same) {
            if index >= self.there {
                let member = kind.reference_member().unwrap_or("target_partner_account_id");
                self.faults.push(FieldFault::new(format!("{at}.{member}"), "must not repeat another entry's"));
            } else {
                self.contradictions.extend(self.resources[index].contradictions(entry, parent.as_deref(), at));
            }
            return self.resources[index].id.clone();
        }
        let id = resource.id.clone();
        self.resources.push(resource);
        id
    }

    /// The id of what `member`_id or `member`_reference of an entry names; names that lead nowhere are faults.
    fn link(&mut self, kind: Kind, member: &str, entry: &Value, at: &str) -> Option<String> {
        let names = [(format!("{member}_id"), true), (format!("{member}_reference"), false)];
        for (name, is_id) in names {
            let Some(given) = entry.get(&name).and_then(Value::as_str) else { continue };
            let is_meant =
                |other: &&Resource| other.kind == kind && given == if is_id { &other.id } else { &other.reference };
            let found = self.resources.iter().find(is_meant).map(|resource| resource.id.clone());
            if found.is_none() {
                self.faults.push(FieldFault::new(format!("{at}.{name}"), "names nothing of this Partner"));
            }
            return found;
        }
        None
    }

    async fn read_product(&mut self, tx: &mut Tx, entry: &Value, at: &str) -> Result<(), ApiError> {
        let profile = text(entry, "payment_profile_id");
        match &self.product {
            Some(product) if product.payment_profile_id != profile => {
                let fault = FieldFault::new(format!("{at}.payment_profile_id"), "differs from the product's");
                self.contradictions.push(fault);
            }
            Some(_) => {}
            None if store::has_payment_profile(tx, &self.acquiring_partner, profile).await? => {
                self.new_product = Some(profile.to_owned());
            }
            None => {
                let fault = FieldFault::new(format!("{at}.payment_profile_id"), "is no payment profile of yours");
                self.faults.push(fault);
            }
        }
        for (number, account) in entries(entry, "payment_accounts") {
            self.read_payment_account(tx, account, &format!("{at}.payment_accounts[{number}]")).await?;
        }
        Ok(())
    }

    async fn read_payment_account(&mut self, tx: &mut Tx, entry: &Value, at: &str) -> Result<(), ApiError> {
        let entity = self.link(Kind::BusinessEntity, "partner_business_entity", entry, at);
        let group = self.link(Kind::StoreGroup, "default_store_group", entry, at);
        let (acquiring, reference) =
            (text(entry, "payment_acquiring_account_id"), text(entry, "payment_account_reference"));
        let category = text(entry, "default_merchant_category_code");
        let is_same = |one: &str, other: &str| one == acquiring && other == reference;
        if !self.acquiring_accounts.contains(acquiring) {
            let fault =
                FieldFault::new(format!("{at}.payment_acquiring_account_id"), "is no acquiring account of yours");
            self.faults.push(fault);
        } else if self.new_payment_accounts.iter().any(|new| is_same(&new.acquiring, &new.reference)) {
            let fault = FieldFault::new(format!("{at}.payment_account_reference"), "must not repeat another entry's");
            self.faults.push(fault);
        } else if let Some(row) =
            self.payment_accounts.iter().find(|row| is_same(&row.payment_acquiring_account_id, &row.reference))
        {
            let compared = [
                ("default_merchant_category_code", row.merchant_category_code == category),
                ("partner_business_entity_reference", entity.is_none() || row.partner_business_entity_id == entity),
                ("default_store_group_reference", group.is_none() || row.default_store_group_id == group),
            ];
            let differing = compared.into_iter().filter(|(_, is_equal)| !is_equal);
            let reason = "differs from what was onboarded; make another payment account";
            self.contradictions.extend(differing.map(|(name, _)| FieldFault::new(format!("{at}.{name}"), reason)));
        } else if store::payment_account_by_reference(tx, acquiring, reference).await?.is_some() {
            let reason = "is taken at this acquiring account, by another Partner";
            self.contradictions.push(FieldFault::new(format!("{at}.payment_account_reference"), reason));
        } else {
            self.new_payment_accounts.push(PlannedPaymentAccount {
                acquiring: acquiring.to_owned(),
                reference: reference.to_owned(),
                category: category.to_owned(),
                entity,
                group,
            });
        }
        Ok(())
    }

    /// Makes everything that is new. Of a first onboarding nothing is told but what is wrong with a brand: the account's own event
    /// follows.
    async fn carry_out(mut self, account: &mut Account<'_>, is_first: bool) -> Result<(), ApiError> {
        let (ctx, id) = (account.ctx, account.id.clone());
        for resource in &self.resources[self.there..] {
            resources::refuse_foreign_target(account, resource).await?;
            resources::insert(account.tx, ctx, &id, resource).await?;
            if !is_first {
                account.tell_change(resource.kind.as_str(), &resource.id, &resource.all_fields()).await?;
            }
            resources::tell_incomplete(account, resource).await?;
        }
        let product_id = match (&self.product, &self.new_product) {
            (Some(product), _) => product.product_id.clone(),
            (None, Some(profile)) => products::insert_product(account.tx, ctx, &id, profile).await?,
            (None, None) => return Ok(()),
        };
        for new in std::mem::take(&mut self.new_payment_accounts) {
            let links = Links {
                partner_business_entity_id: new.entity.as_deref(),
                default_store_group_id: new.group.as_deref(),
            };
            let planned = NewPaymentAccount {
                id: self.next_id(ctx, account.now),
                product_id: &product_id,
                payment_acquiring_account_id: &new.acquiring,
                reference: &new.reference,
                merchant_category_code: &new.category,
                links,
            };
            let made = products::insert_payment_account(account.tx, ctx, &id, &planned).await?;
            if !is_first {
                account
                    .tell_change("payment_account", &made, &products::PAYMENT_ACCOUNT_FIELDS.map(str::to_owned))
                    .await?;
            }
        }
        Ok(())
    }
}

/// The ids of everything that the account has now.
async fn answer(tx: &mut Tx, ctx: &Ctx, id: &PartnerAccountId) -> Result<Value, ApiError> {
    let row = store::account(tx, id.as_str()).await?;
    let row = row.ok_or_else(|| ApiError::internal("an account that was just locked is gone"))?;
    let all = resources::all(tx, ctx, id).await?;
    let named = |kind: Kind| -> Vec<Value> {
        let member = kind.reference_member().unwrap_or_default();
        let of_kind = all.iter().filter(|resource| resource.kind == kind);
        of_kind.map(|resource| json!({kind.id_member(): resource.id, member: resource.reference})).collect()
    };
    let mut groups = named(Kind::StoreGroup);
    for group in &mut groups {
        let own = all.iter().filter(|resource| {
            resource.kind == Kind::Store && resource.parent_id.as_deref() == group["store_group_id"].as_str()
        });
        let stores: Vec<Value> =
            own.map(|store| json!({"store_id": store.id, "store_reference": store.reference})).collect();
        group["stores"] = stores.into();
    }
    Ok(json!({"partner_account_id": id, "partner_account_reference": row.reference, "partner_account_name": row.name,
        "state": row.state, "created_at": time(row.created_at)?, "products": products::list(tx, id).await?,
        "partner_business_entities": named(Kind::BusinessEntity), "brands": named(Kind::Brand),
        "store_groups": groups}))
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'a>(body: &'a Value, key: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    body.get(key).and_then(Value::as_array).into_iter().flatten().enumerate()
}
