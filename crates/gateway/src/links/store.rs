//! Tables `payment_links` and `tills`.

use kit::db::{DbError, FromRow, Row, Tx};
use kit::{params, row};

use super::record::{Link, Till};
use crate::checkout::SessionRow;
use crate::checkout::record::Session;

row! {
    struct LinkRow { link_id: String, session_id: String, till_id: Option<String> }
}

impl LinkRow {
    fn into_link(self) -> Link {
        Link { link_id: self.link_id, session_id: self.session_id, till_id: self.till_id }
    }
}

row! {
    struct TillRow {
        partner_id: String,
        till_id: String,
        name: String,
        currency: String,
        may_refund: bool,
        detail: String,
        key_hash: String,
        access_key: Vec<u8>,
        created_at: i64,
        disabled_at: Option<i64>,
    }
}

impl TillRow {
    fn into_till(self) -> Result<Till, DbError> {
        let detail = serde_json::from_str(&self.detail)
            .map_err(|source| DbError::Decode { column: "detail".to_owned(), source: Box::new(source) })?;
        Ok(Till {
            partner_id: self.partner_id,
            till_id: self.till_id,
            name: self.name,
            currency: self.currency,
            may_refund: self.may_refund,
            detail,
            key_hash: self.key_hash,
            access_key: self.access_key,
            created_at: self.created_at,
            disabled_at: self.disabled_at,
        })
    }
}

/// A link with its session, of a join that names the columns of both.
struct LinkedRow(LinkRow, SessionRow);

impl FromRow for LinkedRow {
    fn from_row(row: &Row<'_>) -> Result<Self, DbError> {
        Ok(Self(LinkRow::from_row(row)?, SessionRow::from_row(row)?))
    }
}

/// What a list of links is narrowed to.
#[derive(Clone, Debug, Default)]
pub(super) struct LinkFilter {
    pub state: Option<String>,
    pub reference: Option<String>,
    pub till_id: Option<String>,
}

/// Links on one side of a cursor, nearest first. Ids ascend with time, so they are the order.
pub(super) async fn links(
    tx: &mut Tx,
    partner_id: &str,
    filter: &LinkFilter,
    (after, newer): (Option<&str>, bool),
    limit: i64,
) -> Result<Vec<(Link, Session)>, DbError> {
    const OLDER: &str =
        "select l.link_id, l.till_id, s.partner_id, s.session_id, s.version, s.state, s.amount, s.currency, s.reference,
            s.attempt, s.payment_id, s.method, s.key_hash, s.access_key, s.token, s.detail, s.expires_at, s.created_at,
            s.updated_at, s.completed_at
        from payment_links l join checkout_sessions s on s.partner_id = l.partner_id and s.session_id = l.session_id
        where l.partner_id = $1 and l.link_id < $2 and (cast($3 as text) is null or s.state = $3)
            and (cast($4 as text) is null or s.reference = $4) and (cast($5 as text) is null or l.till_id = $5)
        order by l.link_id desc limit $6";
    const NEWER: &str =
        "select l.link_id, l.till_id, s.partner_id, s.session_id, s.version, s.state, s.amount, s.currency, s.reference,
            s.attempt, s.payment_id, s.method, s.key_hash, s.access_key, s.token, s.detail, s.expires_at, s.created_at,
            s.updated_at, s.completed_at
        from payment_links l join checkout_sessions s on s.partner_id = l.partner_id and s.session_id = l.session_id
        where l.partner_id = $1 and l.link_id > $2 and (cast($3 as text) is null or s.state = $3)
            and (cast($4 as text) is null or s.reference = $4) and (cast($5 as text) is null or l.till_id = $5)
        order by l.link_id limit $6";
    let start = after.unwrap_or("pl_~");
    let LinkFilter { state, reference, till_id } = filter;
    let values = params![partner_id, start, state.as_deref(), reference.as_deref(), till_id.as_deref(), limit];
    let rows: Vec<LinkedRow> = tx.fetch_all(if newer { NEWER } else { OLDER }, values).await?;
    rows.into_iter().map(|LinkedRow(link, session)| Ok((link.into_link(), session.into_session()?))).collect()
}

/// False if there is one of this id already.
pub(super) async fn insert_link(tx: &mut Tx, partner_id: &str, link: &Link, now: i64) -> Result<bool, DbError> {
    let sql =
        "insert into payment_links (partner_id, link_id, session_id, till_id, created_at) values ($1, $2, $3, $4, $5)
        on conflict do nothing";
    let values = params![partner_id, &link.link_id, &link.session_id, &link.till_id, now];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(super) async fn link(tx: &mut Tx, partner_id: &str, link_id: &str) -> Result<Option<Link>, DbError> {
    let sql = "select link_id, session_id, till_id from payment_links where partner_id = $1 and link_id = $2";
    Ok(tx.fetch_optional::<LinkRow>(sql, params![partner_id, link_id]).await?.map(LinkRow::into_link))
}

pub(super) async fn insert_till(tx: &mut Tx, till: &Till) -> Result<(), DbError> {
    let sql =
        "insert into tills (partner_id, till_id, name, currency, may_refund, detail, key_hash, access_key, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let detail = serde_json::to_string(&till.detail).expect("texts always serialize");
    let values = params![
        &till.partner_id,
        &till.till_id,
        &till.name,
        &till.currency,
        till.may_refund,
        &detail,
        &till.key_hash,
        till.access_key.as_slice(),
        till.created_at,
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Tills on one side of a cursor, nearest first; all, or those that are disabled or not.
pub(super) async fn tills(
    tx: &mut Tx,
    partner_id: &str,
    disabled: Option<bool>,
    (after, newer): (Option<&str>, bool),
    limit: i64,
) -> Result<Vec<Till>, DbError> {
    const OLDER: &str =
        "select partner_id, till_id, name, currency, may_refund, detail, key_hash, access_key, created_at, disabled_at
        from tills where partner_id = $1 and till_id < $2
            and (cast($3 as boolean) is null or (disabled_at is not null) = $3)
        order by till_id desc limit $4";
    const NEWER: &str =
        "select partner_id, till_id, name, currency, may_refund, detail, key_hash, access_key, created_at, disabled_at
        from tills where partner_id = $1 and till_id > $2
            and (cast($3 as boolean) is null or (disabled_at is not null) = $3)
        order by till_id limit $4";
    let values = params![partner_id, after.unwrap_or("till_~"), disabled, limit];
    let rows: Vec<TillRow> = tx.fetch_all(if newer { NEWER } else { OLDER }, values).await?;
    rows.into_iter().map(TillRow::into_till).collect()
}

row! {
    struct CountRow { count: i64 }
}

pub(super) async fn till_count(tx: &mut Tx, partner_id: &str) -> Result<i64, DbError> {
    let sql = "select count(*) as count from tills where partner_id = $1";
    Ok(tx.fetch_one::<CountRow>(sql, params![partner_id]).await?.count)
}

pub(super) async fn till(tx: &mut Tx, partner_id: &str, till_id: &str) -> Result<Option<Till>, DbError> {
    let sql =
        "select partner_id, till_id, name, currency, may_refund, detail, key_hash, access_key, created_at, disabled_at
        from tills where partner_id = $1 and till_id = $2";
    let row: Option<TillRow> = tx.fetch_optional(sql, params![partner_id, till_id]).await?;
    row.map(TillRow::into_till).transpose()
}

/// The till of a page: whoever has the key uses it, and nobody else.
pub(super) async fn till_of_key(tx: &mut Tx, key_hash: &str) -> Result<Option<Till>, DbError> {
    let sql =
        "select partner_id, till_id, name, currency, may_refund, detail, key_hash, access_key, created_at, disabled_at
        from tills where key_hash = $1 and disabled_at is null";
    let row: Option<TillRow> = tx.fetch_optional(sql, params![key_hash]).await?;
    row.map(TillRow::into_till).transpose()
}

pub(super) async fn disable_till(tx: &mut Tx, partner_id: &str, till_id: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update tills set disabled_at = coalesce(disabled_at, $3) where partner_id = $1 and till_id = $2";
    Ok(tx.execute(sql, params![partner_id, till_id, now]).await? > 0)
}
