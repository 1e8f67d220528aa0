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
    }
}

pub(crate) async fn payment_accounts(tx: &mut Tx, account: &str) -> Result<Vec<PaymentAccountRow>, DbError> {
    let sql = "select a.account_id, a.payment_account_id, a.product_id, p.state as product_state,
            a.payment_acquiring_account_id, a.reference, a.guaranteed, a.merchant_category_code, a.state
        from payment_accounts a join payment_products p on p.account_id = a.account_id and p.product_id = a.product_id
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

pub(crate) async fn insert_payment_account(tx: &mut Tx, new: &PaymentAccountRow, now: i64) -> Result<(), DbError> {
    let sql = "insert into payment_accounts (account_id, payment_account_id, product_id, payment_acquiring_account_id,
            reference, guaranteed, merchant_category_code, state, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    let values = params![
        &new.account_id,
        &new.payment_account_id,
        &new.product_id,
        &new.payment_acquiring_account_id,
        &new.reference,
        new.guaranteed,
        &new.merchant_category_code,
        &new.state,
        now
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn set_product_state(tx: &mut Tx, account: &str, state: &str, now: i64) -> Result<(), DbError> {
    let sql = "update payment_products set state = $2, updated_at = $3 where account_id = $1";
    tx.execute(sql, params![account, state, now]).await.map(drop)
}
