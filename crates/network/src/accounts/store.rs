//! Rows of accounts, payment products and payment accounts.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A payment account, with the state of the payment product that it belongs to.
    pub struct PaymentAccountRow {
        /// The Partner account.
        pub account_id: String,
        pub payment_account_id: String,
        /// The payment product: `product_instance_id` of events.
        pub product_id: String,
        pub product_state: String,
        pub payment_acquiring_account_id: String,
        /// `payment_account_reference`.
        pub reference: String,
        /// Whether the Acquiring Partner is paid before the customer pays.
        pub guaranteed: bool,
        /// `default_merchant_category_code`.
        pub merchant_category_code: String,
        pub state: String,
        /// Of the payment product's profile.
        pub price_plan: Option<String>,
    }
}

pub(crate) async fn payment_accounts(tx: &mut Tx, account: &str) -> Result<Vec<PaymentAccountRow>, DbError> {
    let sql = "select a.account_id, a.payment_account_id, a.product_id, p.state as product_state,
            a.payment_acquiring_account_id, a.reference, a.guaranteed, a.merchant_category_code, a.state, f.price_plan
        from payment_accounts a join payment_products p on p.account_id = a.account_id and p.product_id = a.product_id
            join accounts o on o.account_id = a.account_id
            left join payment_profiles f on f.account_id = coalesce(o.acquiring_partner_id, o.account_id)
                and f.payment_profile_id = p.payment_profile_id
        where a.account_id = $1 order by a.payment_account_id";
    tx.fetch_all(sql, params![account]).await
}

row! {
    /// An id, and since when it exists.
    pub(crate) struct IdRow { pub(crate) id: String, pub(crate) created_at: i64 }
}

/// The payment acquiring account behind a payment account.
pub(crate) async fn acquiring_account_of(
    tx: &mut Tx,
    account: &str,
    payment_account: &str,
) -> Result<Option<IdRow>, DbError> {
    let sql = "select payment_acquiring_account_id as id, created_at from payment_accounts
        where account_id = $1 and payment_account_id = $2";
    tx.fetch_optional(sql, params![account, payment_account]).await
}

pub(crate) async fn acquiring_accounts(tx: &mut Tx, account: &str) -> Result<Vec<IdRow>, DbError> {
    let sql = "select payment_acquiring_account_id as id, created_at from acquiring_accounts where account_id = $1
        order by payment_acquiring_account_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn acquiring_partners(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<IdRow>, DbError> {
    let sql = "select account_id as id, created_at from accounts
        where kind = 'ACQUIRING_PARTNER' and account_id > $1 order by account_id limit $2";
    tx.fetch_all(sql, params![after, limit]).await
}

pub(crate) async fn under(tx: &mut Tx, acquiring_partner: &str, from: &str, limit: i64) -> Result<Vec<IdRow>, DbError> {
    let sql = "select account_id as id, created_at from accounts
        where acquiring_partner_id = $1 and account_id >= $2 order by account_id limit $3";
    tx.fetch_all(sql, params![acquiring_partner, from, limit]).await
}

row! { struct StateRow { state: String } }
row! { struct ParentRow { acquiring_partner_id: Option<String> } }

pub(crate) async fn product_state(tx: &mut Tx, account: &str) -> Result<Option<String>, DbError> {
    let sql = "select state from payment_products where account_id = $1 order by product_id limit 1";
    Ok(tx.fetch_optional::<StateRow>(sql, params![account]).await?.map(|row| row.state))
}

pub(crate) async fn acquiring_partner_of(tx: &mut Tx, account: &str) -> Result<Option<String>, DbError> {
    let sql = "select acquiring_partner_id from accounts where account_id = $1";
    Ok(tx.fetch_optional::<ParentRow>(sql, params![account]).await?.and_then(|row| row.acquiring_partner_id))
}

row! { struct NameRow { name: String } }

pub(crate) async fn name(tx: &mut Tx, account: &str) -> Result<Option<String>, DbError> {
    let sql = "select name from accounts where account_id = $1";
    Ok(tx.fetch_optional::<NameRow>(sql, params![account]).await?.map(|row| row.name))
}

pub(crate) async fn any_account(tx: &mut Tx) -> Result<bool, DbError> {
    Ok(tx.fetch_optional::<()>("select account_id from accounts limit 1", &[]).await?.is_some())
}

/// An account to be stored.
pub(crate) struct NewAccount<'a> {
    pub account_id: &'a str,
    pub kind: &'a str,
    pub acquiring_partner_id: Option<&'a str>,
    pub reference: &'a str,
    pub name: &'a str,
    pub state: &'a str,
}

pub(crate) async fn insert_account(tx: &mut Tx, new: &NewAccount<'_>, now: i64) -> Result<(), DbError> {
    let sql =
        "insert into accounts (account_id, kind, acquiring_partner_id, reference, name, state, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7)";
    let values = params![new.account_id, new.kind, new.acquiring_partner_id, new.reference, new.name, new.state, now];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn insert_acquiring_account(
    tx: &mut Tx,
    account_id: &str,
    payment_acquiring_account_id: &str,
    reference: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into acquiring_accounts (account_id, payment_acquiring_account_id, reference, created_at)
        values ($1, $2, $3, $4)";
    tx.execute(sql, params![account_id, payment_acquiring_account_id, reference, now]).await.map(drop)
}

pub(crate) async fn insert_payment_product(
    tx: &mut Tx,
    account_id: &str,
    product_id: &str,
    payment_profile_id: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into payment_products (account_id, product_id, payment_profile_id, state, created_at, updated_at)
        values ($1, $2, $3, 'ENABLED', $4, $4)";
    tx.execute(sql, params![account_id, product_id, payment_profile_id, now]).await.map(drop)
}

/// Where the payments of a payment account belong: business entity and store group.
pub(crate) struct Links<'a> {
    pub partner_business_entity_id: Option<&'a str>,
    pub default_store_group_id: Option<&'a str>,
}

pub(crate) async fn insert_payment_account(
    tx: &mut Tx,
    new: &PaymentAccountRow,
    links: &Links<'_>,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into payment_accounts (account_id, payment_account_id, product_id, payment_acquiring_account_id,
            reference, guaranteed, merchant_category_code, state, created_at, updated_at, partner_business_entity_id,
            default_store_group_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)";
    let values = params![
        &new.account_id,
        &new.payment_account_id,
        &new.product_id,
        &new.payment_acquiring_account_id,
        &new.reference,
        new.guaranteed,
        &new.merchant_category_code,
        &new.state,
        now,
        links.partner_business_entity_id,
        links.default_store_group_id
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn set_product_state(tx: &mut Tx, account: &str, state: &str, now: i64) -> Result<(), DbError> {
    let sql = "update payment_products set state = $2, updated_at = $3 where account_id = $1";
    tx.execute(sql, params![account, state, now]).await.map(drop)
}

row! {
    /// An account as it is managed.
    pub(crate) struct AccountRow {
        pub account_id: String,
        pub kind: String,
        pub acquiring_partner_id: Option<String>,
        pub reference: String,
        pub name: String,
        pub state: String,
        /// Sealed.
        pub details: Option<Vec<u8>>,
        /// When its setup is done.
        pub operational_at: Option<i64>,
        /// When Klarna decides, and what.
        pub decision_at: Option<i64>,
        pub decision_type: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(crate) async fn account(tx: &mut Tx, account: &str) -> Result<Option<AccountRow>, DbError> {
    let sql = "select account_id, kind, acquiring_partner_id, reference, name, state, details, operational_at,
            decision_at, decision_type, created_at, updated_at
        from accounts where account_id = $1";
    tx.fetch_optional(sql, params![account]).await
}

/// Reads an account and makes others that would change anything of it wait for this transaction.
pub(crate) async fn lock_account(tx: &mut Tx, account: &str) -> Result<Option<AccountRow>, DbError> {
    let sql = "update accounts set updated_at = updated_at where account_id = $1
        returning account_id, kind, acquiring_partner_id, reference, name, state, details, operational_at,
            decision_at, decision_type, created_at, updated_at";
    tx.fetch_optional(sql, params![account]).await
}

row! { struct AccountIdRow { account_id: String } }

pub(crate) async fn account_by_reference(
    tx: &mut Tx,
    acquiring_partner: &str,
    reference: &str,
) -> Result<Option<String>, DbError> {
    let sql = "select account_id from accounts where acquiring_partner_id = $1 and reference = $2";
    let row = tx.fetch_optional::<AccountIdRow>(sql, params![acquiring_partner, reference]).await?;
    Ok(row.map(|row| row.account_id))
}

/// Writes what can change of an account.
pub(crate) async fn update_account(tx: &mut Tx, row: &AccountRow) -> Result<(), DbError> {
    let sql = "update accounts set reference = $2, name = $3, state = $4, details = $5, operational_at = $6,
            decision_at = $7, decision_type = $8, updated_at = $9
        where account_id = $1";
    let values = params![
        &row.account_id,
        &row.reference,
        &row.name,
        &row.state,
        &row.details,
        row.operational_at,
        row.decision_at,
        &row.decision_type,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

row! {
    /// A resource below an account; its content is sealed.
    pub(crate) struct ResourceRow {
        pub resource_id: String,
        pub kind: String,
        pub reference: String,
        pub parent_id: Option<String>,
        pub content: Vec<u8>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(crate) async fn resource(tx: &mut Tx, account: &str, kind: &str, id: &str) -> Result<Option<ResourceRow>, DbError> {
    let sql = "select resource_id, kind, reference, parent_id, content, created_at, updated_at
        from account_resources where account_id = $1 and kind = $2 and resource_id = $3";
    tx.fetch_optional(sql, params![account, kind, id]).await
}

pub(crate) async fn resource_by_reference(
    tx: &mut Tx,
    account: &str,
    kind: &str,
    reference: &str,
) -> Result<Option<ResourceRow>, DbError> {
    let sql = "select resource_id, kind, reference, parent_id, content, created_at, updated_at
        from account_resources where account_id = $1 and kind = $2 and reference = $3";
    tx.fetch_optional(sql, params![account, kind, reference]).await
}

/// Every resource of an account, in the order of their making.
pub(crate) async fn resources(tx: &mut Tx, account: &str) -> Result<Vec<ResourceRow>, DbError> {
    let sql = "select resource_id, kind, reference, parent_id, content, created_at, updated_at
        from account_resources where account_id = $1 order by created_at, resource_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn resources_after(
    tx: &mut Tx,
    account: &str,
    kind: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<ResourceRow>, DbError> {
    let sql = "select resource_id, kind, reference, parent_id, content, created_at, updated_at
        from account_resources
        where account_id = $1 and kind = $2 and ($3 = '' or (created_at, resource_id) >
            (select created_at, resource_id from account_resources where account_id = $1 and resource_id = $3))
        order by created_at, resource_id limit $4";
    tx.fetch_all(sql, params![account, kind, after, limit]).await
}

pub(crate) async fn resources_before(
    tx: &mut Tx,
    account: &str,
    kind: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<ResourceRow>, DbError> {
    let sql = "select resource_id, kind, reference, parent_id, content, created_at, updated_at
        from account_resources
        where account_id = $1 and kind = $2 and (created_at, resource_id) <
            (select created_at, resource_id from account_resources where account_id = $1 and resource_id = $3)
        order by created_at desc, resource_id desc limit $4";
    tx.fetch_all(sql, params![account, kind, before, limit]).await
}

row! { struct CountRow { found: i64 } }

pub(crate) async fn count_resources(tx: &mut Tx, account: &str, kind: &str) -> Result<i64, DbError> {
    let sql = "select count(*) as found from account_resources where account_id = $1 and kind = $2";
    Ok(tx.fetch_one::<CountRow>(sql, params![account, kind]).await?.found)
}

pub(crate) async fn insert_resource(tx: &mut Tx, account: &str, row: &ResourceRow) -> Result<(), DbError> {
    let sql = "insert into account_resources (account_id, resource_id, kind, reference, parent_id, content, created_at,
            updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = params![
        account,
        &row.resource_id,
        &row.kind,
        &row.reference,
        &row.parent_id,
        &row.content,
        row.created_at,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn update_resource(tx: &mut Tx, account: &str, row: &ResourceRow) -> Result<(), DbError> {
    let sql = "update account_resources set reference = $3, parent_id = $4, content = $5, updated_at = $6
        where account_id = $1 and resource_id = $2";
    let values = params![account, &row.resource_id, &row.reference, &row.parent_id, &row.content, row.updated_at];
    tx.execute(sql, values).await.map(drop)
}

row! {
    /// A payment product as it is managed.
    pub(crate) struct ProductRow {
        pub product_id: String,
        pub payment_profile_id: String,
        pub state: String,
        pub state_reason: Option<String>,
        pub reason_details: Option<String>,
        pub disabled_by: Option<String>,
        pub compliance_decision_id: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(crate) async fn products(tx: &mut Tx, account: &str) -> Result<Vec<ProductRow>, DbError> {
    let sql = "select product_id, payment_profile_id, state, state_reason, reason_details, disabled_by,
            compliance_decision_id, created_at, updated_at
        from payment_products where account_id = $1 order by product_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn update_product(tx: &mut Tx, account: &str, row: &ProductRow) -> Result<(), DbError> {
    let sql = "update payment_products set state = $3, state_reason = $4, reason_details = $5, disabled_by = $6,
            compliance_decision_id = $7, updated_at = $8
        where account_id = $1 and product_id = $2";
    let values = params![
        account,
        &row.product_id,
        &row.state,
        &row.state_reason,
        &row.reason_details,
        &row.disabled_by,
        &row.compliance_decision_id,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

row! {
    /// A payment account as it is managed.
    pub(crate) struct ManagedPaymentAccountRow {
        pub payment_account_id: String,
        pub product_id: String,
        pub payment_acquiring_account_id: String,
        pub reference: String,
        pub merchant_category_code: String,
        pub partner_business_entity_id: Option<String>,
        pub default_store_group_id: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(crate) async fn managed_payment_accounts(
    tx: &mut Tx,
    account: &str,
) -> Result<Vec<ManagedPaymentAccountRow>, DbError> {
    let sql = "select payment_account_id, product_id, payment_acquiring_account_id, reference, merchant_category_code,
            partner_business_entity_id, default_store_group_id, created_at, updated_at
        from payment_accounts where account_id = $1 order by created_at, payment_account_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn update_payment_account(
    tx: &mut Tx,
    account: &str,
    row: &ManagedPaymentAccountRow,
) -> Result<(), DbError> {
    let sql = "update payment_accounts set reference = $3, merchant_category_code = $4, updated_at = $5
        where account_id = $1 and payment_account_id = $2";
    let values = params![account, &row.payment_account_id, &row.reference, &row.merchant_category_code, row.updated_at];
    tx.execute(sql, values).await.map(drop)
}

/// Says where the payments of all payment accounts of an account belong.
pub(crate) async fn link_payment_accounts(tx: &mut Tx, account: &str, links: &Links<'_>) -> Result<(), DbError> {
    let sql = "update payment_accounts set partner_business_entity_id = $2, default_store_group_id = $3
        where account_id = $1";
    let values = params![account, links.partner_business_entity_id, links.default_store_group_id];
    tx.execute(sql, values).await.map(drop)
}

row! {
    /// Whose payment account goes by a reference at an acquiring account.
    pub(crate) struct FoundPaymentAccountRow { pub account_id: String, pub payment_account_id: String }
}

pub(crate) async fn payment_account_by_reference(
    tx: &mut Tx,
    payment_acquiring_account_id: &str,
    reference: &str,
) -> Result<Option<FoundPaymentAccountRow>, DbError> {
    let sql = "select account_id, payment_account_id from payment_accounts
        where payment_acquiring_account_id = $1 and reference = $2";
    tx.fetch_optional(sql, params![payment_acquiring_account_id, reference]).await
}

row! {
    /// Where settlements gather.
    pub(crate) struct AcquiringAccountRow { pub payment_acquiring_account_id: String, pub reference: String }
}

pub(crate) async fn managed_acquiring_accounts(
    tx: &mut Tx,
    account: &str,
) -> Result<Vec<AcquiringAccountRow>, DbError> {
    let sql = "select payment_acquiring_account_id, reference from acquiring_accounts
        where account_id = $1 order by payment_acquiring_account_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn has_payment_profile(tx: &mut Tx, account: &str, profile: &str) -> Result<bool, DbError> {
    let sql = "select payment_profile_id from payment_profiles where account_id = $1 and payment_profile_id = $2";
    Ok(tx.fetch_optional::<()>(sql, params![account, profile]).await?.is_some())
}

row! {
    /// What Klarna decided about a Partner.
    pub(crate) struct DecisionRow {
        pub decision_id: String,
        pub decision_type: String,
        pub product_id: Option<String>,
        pub created_at: i64,
    }
}

pub(crate) async fn insert_decision(tx: &mut Tx, account: &str, row: &DecisionRow) -> Result<(), DbError> {
    let sql = "insert into compliance_decisions (account_id, decision_id, decision_type, product_id, created_at)
        values ($1, $2, $3, $4, $5)";
    let values = params![account, &row.decision_id, &row.decision_type, &row.product_id, row.created_at];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn decision(tx: &mut Tx, account: &str, id: &str) -> Result<Option<DecisionRow>, DbError> {
    let sql = "select decision_id, decision_type, product_id, created_at
        from compliance_decisions where account_id = $1 and decision_id = $2";
    tx.fetch_optional(sql, params![account, id]).await
}

pub(crate) async fn decisions_after(
    tx: &mut Tx,
    account: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<DecisionRow>, DbError> {
    let sql = "select decision_id, decision_type, product_id, created_at
        from compliance_decisions
        where account_id = $1 and ($2 = '' or (created_at, decision_id) >
            (select created_at, decision_id from compliance_decisions where account_id = $1 and decision_id = $2))
        order by created_at, decision_id limit $3";
    tx.fetch_all(sql, params![account, after, limit]).await
}

pub(crate) async fn decisions_before(
    tx: &mut Tx,
    account: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<DecisionRow>, DbError> {
    let sql = "select decision_id, decision_type, product_id, created_at
        from compliance_decisions
        where account_id = $1 and (created_at, decision_id) <
            (select created_at, decision_id from compliance_decisions where account_id = $1 and decision_id = $2)
        order by created_at desc, decision_id desc limit $3";
    tx.fetch_all(sql, params![account, before, limit]).await
}

pub(crate) async fn count_decisions(tx: &mut Tx, account: &str) -> Result<i64, DbError> {
    let sql = "select count(*) as found from compliance_decisions where account_id = $1";
    Ok(tx.fetch_one::<CountRow>(sql, params![account]).await?.found)
}
