//! Tables `partners`, `api_keys` and `operators`.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::{NewPartner, PartnerState, Suspension};

row! {
    /// A Partner as stored.
    pub struct PartnerRow {
        pub partner_id: String,
        pub name: String,
        /// Its account at the network.
        pub klarna_account_id: String,
        pub payment_account_id: Option<String>,
        /// `ACTIVE` or `SUSPENDED`.
        pub state: String,
        pub created_at: i64,
    }
}

row! {
    /// A key as listed: never the key itself.
    pub struct ApiKeyRow {
        pub partner_id: String,
        pub key_id: String,
        pub description: String,
        pub created_at: i64,
        /// To the hour.
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
    }
}

row! {
    pub(super) struct CallerRow {
        pub partner_id: String,
        pub name: String,
        pub klarna_account_id: String,
        pub payment_account_id: Option<String>,
        pub state: String,
        pub suspended_by: Option<String>,
        pub suspended_reason: Option<String>,
        pub hash: Vec<u8>,
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
    }
}

pub(super) async fn insert_partner(
    tx: &mut Tx,
    partner_id: &str,
    partner: &NewPartner,
    state: PartnerState,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "insert into partners (partner_id, name, klarna_account_id, payment_account_id, state, created_at)
        values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
    let account = partner.klarna_account_id.as_str();
    let payment_account = partner.payment_account_id.as_ref().map(|id| id.as_str());
    let written =
        tx.execute(sql, params![partner_id, &partner.name, account, payment_account, state.as_str(), now]).await?;
    Ok(written > 0)
}

pub(super) async fn insert_key(
    tx: &mut Tx,
    partner_id: &str,
    key_id: &str,
    hash: &[u8; 32],
    description: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into api_keys (partner_id, key_id, hash, description, created_at) values ($1, $2, $3, $4, $5)";
    tx.execute(sql, params![partner_id, key_id, hash.as_slice(), description, now]).await.map(drop)
}

pub(super) async fn caller(tx: &mut Tx, key_id: &str) -> Result<Option<CallerRow>, DbError> {
    let sql = "select k.partner_id, p.name, p.klarna_account_id, p.payment_account_id, p.state, p.suspended_by,
            p.suspended_reason, k.hash, k.last_used_at, k.disabled_at
        from api_keys k join partners p on p.partner_id = k.partner_id where k.key_id = $1";
    tx.fetch_optional(sql, params![key_id]).await
}

pub(super) async fn touch_key(tx: &mut Tx, partner_id: &str, key_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update api_keys set last_used_at = $3 where partner_id = $1 and key_id = $2";
    tx.execute(sql, params![partner_id, key_id, now]).await.map(drop)
}

pub(super) async fn disable_key(tx: &mut Tx, partner_id: &str, key_id: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update api_keys set disabled_at = coalesce(disabled_at, $3) where partner_id = $1 and key_id = $2";
    Ok(tx.execute(sql, params![partner_id, key_id, now]).await? > 0)
}

pub(super) async fn set_partner_state(tx: &mut Tx, partner_id: &str, state: PartnerState) -> Result<bool, DbError> {
    let sql = "update partners set state = $2, suspended_by = null, suspended_reason = null where partner_id = $1";
    Ok(tx.execute(sql, params![partner_id, state.as_str()]).await? > 0)
}

pub(super) async fn partner(tx: &mut Tx, partner_id: &str) -> Result<Option<PartnerRow>, DbError> {
    let sql = "select partner_id, name, klarna_account_id, payment_account_id, state, created_at
        from partners where partner_id = $1";
    tx.fetch_optional(sql, params![partner_id]).await
}

pub(super) async fn partner_of_account(tx: &mut Tx, account: &str) -> Result<Option<PartnerRow>, DbError> {
    let sql = "select partner_id, name, klarna_account_id, payment_account_id, state, created_at
        from partners where klarna_account_id = $1";
    tx.fetch_optional(sql, params![account]).await
}

pub(super) async fn partners(tx: &mut Tx) -> Result<Vec<PartnerRow>, DbError> {
    let sql = "select partner_id, name, klarna_account_id, payment_account_id, state, created_at
        from partners order by created_at, partner_id";
    tx.fetch_all(sql, &[]).await
}

pub(super) async fn keys(tx: &mut Tx, partner_id: &str) -> Result<Vec<ApiKeyRow>, DbError> {
    let sql = "select partner_id, key_id, description, created_at, last_used_at, disabled_at
        from api_keys where partner_id = $1 order by created_at, key_id";
    tx.fetch_all(sql, params![partner_id]).await
}

pub(super) async fn set_suspension(
    tx: &mut Tx,
    partner_id: &str,
    state: PartnerState,
    suspension: Option<&Suspension>,
) -> Result<(), DbError> {
    let sql = "update partners set state = $2, suspended_by = $3, suspended_reason = $4 where partner_id = $1";
    let (by, reason) = (suspension.map(|one| &one.by), suspension.and_then(|one| one.reason.as_ref()));
    let by = by.cloned();
    let reason = reason.cloned();
    tx.execute(sql, params![partner_id, state.as_str(), &by, &reason]).await.map(drop)
}

pub(super) async fn rename(tx: &mut Tx, partner_id: &str, name: &str) -> Result<(), DbError> {
    let sql = "update partners set name = $2 where partner_id = $1";
    tx.execute(sql, params![partner_id, name]).await.map(drop)
}

row! {
    /// An operator as listed: never the key.
    pub struct OperatorRow {
        pub operator_id: String,
        pub name: String,
        pub created_at: i64,
        /// To the hour.
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
    }
}

row! {
    pub(super) struct OperatorHashRow {
        pub hash: Vec<u8>,
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
    }
}

pub(super) async fn insert_operator(
    tx: &mut Tx,
    operator_id: &str,
    name: &str,
    hash: &[u8; 32],
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into operators (operator_id, name, hash, created_at) values ($1, $2, $3, $4)";
    tx.execute(sql, params![operator_id, name, hash.as_slice(), now]).await.map(drop)
}

pub(super) async fn operator(tx: &mut Tx, operator_id: &str) -> Result<Option<OperatorHashRow>, DbError> {
    let sql = "select hash, last_used_at, disabled_at from operators where operator_id = $1";
    tx.fetch_optional(sql, params![operator_id]).await
}

pub(super) async fn touch_operator(tx: &mut Tx, operator_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update operators set last_used_at = $2 where operator_id = $1";
    tx.execute(sql, params![operator_id, now]).await.map(drop)
}

pub(super) async fn disable_operator(tx: &mut Tx, operator_id: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update operators set disabled_at = coalesce(disabled_at, $2) where operator_id = $1";
    Ok(tx.execute(sql, params![operator_id, now]).await? > 0)
}

pub(super) async fn operators(tx: &mut Tx) -> Result<Vec<OperatorRow>, DbError> {
    let sql = "select operator_id, name, created_at, last_used_at, disabled_at from operators
        order by created_at, operator_id";
    tx.fetch_all(sql, &[]).await
}
