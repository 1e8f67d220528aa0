//! Tables `partners` and `api_keys`.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::{NewPartner, PartnerState};

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
    let sql = "select k.partner_id, p.name, p.klarna_account_id, p.payment_account_id, p.state, k.hash, k.last_used_at,
            k.disabled_at
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
    let sql = "update partners set state = $2 where partner_id = $1";
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
