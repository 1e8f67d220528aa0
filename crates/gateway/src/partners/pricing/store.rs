//! Tables `klarna_terms`, `partner_pricing_told` and `partner_enablements`.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A document that was read from Klarna.
    pub(super) struct TermRow {
        pub body: String,
        pub fetched_at: i64,
        pub used_at: i64,
        pub failure: Option<String>,
    }
}

pub(super) async fn term(tx: &mut Tx, term: &str) -> Result<Option<TermRow>, DbError> {
    let sql = "select body, fetched_at, used_at, failure from klarna_terms where term = $1";
    tx.fetch_optional(sql, params![term]).await
}

/// A document as it is now.
pub(super) async fn put_term(tx: &mut Tx, term: &str, body: &str, now: i64) -> Result<(), DbError> {
    let sql = "insert into klarna_terms (term, body, fetched_at, used_at, tried_at) values ($1, $2, $3, $3, $3)
        on conflict (term) do update set body = excluded.body, fetched_at = excluded.fetched_at,
            tried_at = excluded.tried_at, failure = null";
    tx.execute(sql, params![term, body, now]).await.map(drop)
}

/// It could not be read; what was read before stays.
pub(super) async fn term_failed(tx: &mut Tx, term: &str, failure: &str, now: i64) -> Result<(), DbError> {
    let sql = "update klarna_terms set failure = $2, tried_at = $3 where term = $1";
    tx.execute(sql, params![term, failure, now]).await.map(drop)
}

pub(super) async fn use_term(tx: &mut Tx, term: &str, now: i64) -> Result<(), DbError> {
    tx.execute("update klarna_terms set used_at = $2 where term = $1", params![term, now]).await.map(drop)
}

/// Documents last read before a time, and not tried since another, that somebody used since a third; longest untried first.
pub(super) async fn terms_due(
    tx: &mut Tx,
    read_before: i64,
    tried_before: i64,
    used_since: i64,
    limit: i64,
) -> Result<Vec<String>, DbError> {
    row! { struct DueRow { term: String } }
    let sql = "select term from klarna_terms where fetched_at <= $1 and tried_at <= $2 and used_at >= $3
        order by tried_at limit $4";
    let rows: Vec<DueRow> = tx.fetch_all(sql, params![read_before, tried_before, used_since, limit]).await?;
    Ok(rows.into_iter().map(|row| row.term).collect())
}

pub(super) async fn forget_terms(tx: &mut Tx, used_before: i64) -> Result<(), DbError> {
    tx.execute("delete from klarna_terms where used_at < $1", params![used_before]).await.map(drop)
}

/// Partners that pay and whose prices are due to be looked at, those never looked at first.
pub(super) async fn unlooked(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<String>, DbError> {
    row! { struct DueRow { partner_id: String } }
    let sql = "select profiles.partner_id from partner_profiles profiles
        left join partner_pricing_told told on told.partner_id = profiles.partner_id
        where profiles.state in ('PARTIALLY_OPERATIONAL', 'OPERATIONAL', 'SUSPENDED') and coalesce(told.look_at, 0) <= $1
        order by coalesce(told.look_at, -1), profiles.partner_id limit $2";
    let rows: Vec<DueRow> = tx.fetch_all(sql, params![now, limit]).await?;
    Ok(rows.into_iter().map(|row| row.partner_id).collect())
}

/// What a Partner was told last, locked until the transaction ends.
pub(super) async fn lock_told(tx: &mut Tx, partner_id: &str) -> Result<Option<String>, DbError> {
    row! { struct ToldRow { told: String } }
    let sql = "update partner_pricing_told set look_at = look_at where partner_id = $1 returning told";
    Ok(tx.fetch_optional::<ToldRow>(sql, params![partner_id]).await?.map(|row| row.told))
}

pub(super) async fn put_told(tx: &mut Tx, partner_id: &str, told: &str, look_at: i64) -> Result<(), DbError> {
    let sql = "insert into partner_pricing_told (partner_id, told, look_at) values ($1, $2, $3)
        on conflict (partner_id) do update set told = excluded.told, look_at = excluded.look_at";
    tx.execute(sql, params![partner_id, told, look_at]).await.map(drop)
}

/// Looks later, without having seen anything.
pub(super) async fn postpone(tx: &mut Tx, partner_id: &str, look_at: i64) -> Result<(), DbError> {
    let sql = "insert into partner_pricing_told (partner_id, told, look_at) values ($1, '', $2)
        on conflict (partner_id) do update set look_at = excluded.look_at";
    tx.execute(sql, params![partner_id, look_at]).await.map(drop)
}

/// Everybody is looked at soon.
pub(super) async fn look_at_all(tx: &mut Tx) -> Result<(), DbError> {
    tx.execute("update partner_pricing_told set look_at = 0 where look_at > 0", &[]).await.map(drop)
}

row! {
    /// A program that was asked for.
    pub(super) struct EnablementRow {
        pub enablement_id: String,
        pub program_id: String,
        pub code: Option<String>,
        /// JSON, in Klarna's shape.
        pub criteria: String,
        pub state: String,
        pub klarna_id: Option<String>,
        pub refusal: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(super) async fn insert_enablement(tx: &mut Tx, partner_id: &str, row: &EnablementRow) -> Result<(), DbError> {
    let sql = "insert into partner_enablements
            (partner_id, enablement_id, program_id, code, criteria, state, klarna_id, refusal, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = params![
        partner_id,
        &row.enablement_id,
        &row.program_id,
        &row.code,
        &row.criteria,
        &row.state,
        &row.klarna_id,
        &row.refusal,
        row.created_at,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Newest first.
pub(super) async fn enablements(tx: &mut Tx, partner_id: &str) -> Result<Vec<EnablementRow>, DbError> {
    let sql = "select enablement_id, program_id, code, criteria, state, klarna_id, refusal, created_at, updated_at
        from partner_enablements where partner_id = $1 order by enablement_id desc";
    tx.fetch_all(sql, params![partner_id]).await
}

pub(super) async fn enablement(tx: &mut Tx, partner_id: &str, id: &str) -> Result<Option<EnablementRow>, DbError> {
    let sql = "select enablement_id, program_id, code, criteria, state, klarna_id, refusal, created_at, updated_at
        from partner_enablements where partner_id = $1 and enablement_id = $2";
    tx.fetch_optional(sql, params![partner_id, id]).await
}

/// Moves an enablement on, unless somebody else did.
pub(super) async fn move_enablement(
    tx: &mut Tx,
    partner_id: &str,
    before: &str,
    row: &EnablementRow,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update partner_enablements set state = $4, klarna_id = $5, refusal = $6, updated_at = $7
        where partner_id = $1 and enablement_id = $2 and state = $3";
    let values = params![partner_id, &row.enablement_id, before, &row.state, &row.klarna_id, &row.refusal, now];
    Ok(tx.execute(sql, values).await? > 0)
}
