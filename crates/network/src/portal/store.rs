//! Rows of links, tokens' ids, accesses and sessions.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A deep link, without its token; who it is for is sealed.
    pub(crate) struct LinkRow {
        pub account_id: String,
        pub deep_link_id: String,
        pub granted_by: String,
        pub principal: Vec<u8>,
        pub roles: String,
        pub access_id: Option<String>,
    }
}

pub(crate) async fn insert_link(
    tx: &mut Tx,
    row: &LinkRow,
    token_hash: &[u8],
    expires_at: i64,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into portal_deep_links (account_id, deep_link_id, token_hash, granted_by, principal, roles,
            access_id, expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = params![
        &row.account_id,
        &row.deep_link_id,
        token_hash,
        &row.granted_by,
        &row.principal,
        &row.roles,
        &row.access_id,
        expires_at,
        now
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Uses a link up, once, within its time.
pub(crate) async fn use_link(tx: &mut Tx, token_hash: &[u8], now: i64) -> Result<Option<LinkRow>, DbError> {
    let sql = "update portal_deep_links set used_at = $2
        where token_hash = $1 and used_at is null and expires_at > $2
        returning account_id, deep_link_id, granted_by, principal, roles, access_id";
    tx.fetch_optional(sql, params![token_hash, now]).await
}

pub(crate) async fn delete_link(tx: &mut Tx, account: &str, id: &str) -> Result<bool, DbError> {
    let sql = "delete from portal_deep_links where account_id = $1 and deep_link_id = $2";
    Ok(tx.execute(sql, params![account, id]).await? > 0)
}

/// Says whether the id is new to this issuer.
pub(crate) async fn note_jwt_id(tx: &mut Tx, issuer: &str, jti: &str, expires_at: i64) -> Result<bool, DbError> {
    let sql = "insert into portal_jwt_ids (account_id, jti, expires_at) values ($1, $2, $3) on conflict do nothing";
    Ok(tx.execute(sql, params![issuer, jti, expires_at]).await? > 0)
}

row! {
    /// An access by name; the name is sealed.
    pub(crate) struct AccessRow {
        pub account_id: String,
        pub access_id: String,
        pub granted_by: String,
        pub user_id: String,
        pub principal_digest: String,
        pub principal: Vec<u8>,
        pub roles: String,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

/// The access of a user to an account, if there is one.
pub(crate) async fn access(
    tx: &mut Tx,
    account: &str,
    granted_by: &str,
    digest: &str,
) -> Result<Option<AccessRow>, DbError> {
    let sql = "select account_id, access_id, granted_by, user_id, principal_digest, principal, roles, created_at,
            updated_at
        from portal_accesses where account_id = $1 and granted_by = $2 and principal_digest = $3";
    tx.fetch_optional(sql, params![account, granted_by, digest]).await
}

row! { struct UserRow { user_id: String } }

/// The id that an Acquiring Partner's user has already.
pub(crate) async fn user_id(tx: &mut Tx, granted_by: &str, digest: &str) -> Result<Option<String>, DbError> {
    let sql = "select user_id from portal_accesses where granted_by = $1 and principal_digest = $2 limit 1";
    Ok(tx.fetch_optional::<UserRow>(sql, params![granted_by, digest]).await?.map(|row| row.user_id))
}

/// Grants access, or gives an access that exists other roles.
pub(crate) async fn put_access(tx: &mut Tx, row: &AccessRow) -> Result<(), DbError> {
    let sql = "insert into portal_accesses (account_id, access_id, granted_by, user_id, principal_digest, principal,
            roles, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (account_id, granted_by, principal_digest) do update set roles = excluded.roles,
            updated_at = excluded.updated_at";
    let values = params![
        &row.account_id,
        &row.access_id,
        &row.granted_by,
        &row.user_id,
        &row.principal_digest,
        &row.principal,
        &row.roles,
        row.created_at,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

row! { struct AccessIdRow { account_id: String, access_id: String } }

/// Takes back the accesses that an Acquiring Partner granted, all or those that are named, with the links and sessions that rest on
/// them. `principal` is a user's id, or the digest of an address.
pub(crate) async fn delete_accesses(
    tx: &mut Tx,
    granted_by: &str,
    account: Option<&str>,
    principal: Option<(&str, &str)>,
) -> Result<(), DbError> {
    let sql = "delete from portal_accesses
        where granted_by = $1 and ($2 = '' or account_id = $2) and ($3 = '' or user_id = $3 or principal_digest = $4)
        returning account_id, access_id";
    let (user, digest) = principal.unwrap_or_default();
    let values = params![granted_by, account.unwrap_or_default(), user, digest];
    let deleted: Vec<AccessIdRow> = tx.fetch_all(sql, values).await?;
    for row in deleted {
        let values = params![&row.account_id, &row.access_id];
        tx.execute("delete from portal_sessions where account_id = $1 and access_id = $2", values).await?;
        tx.execute("delete from portal_deep_links where account_id = $1 and access_id = $2", values).await?;
    }
    Ok(())
}

row! {
    /// A session, without its secret; who it is for is sealed.
    pub(crate) struct SessionRow {
        pub account_id: String,
        pub session_id: String,
        pub granted_by: String,
        pub principal: Vec<u8>,
        pub roles: String,
        pub access_id: Option<String>,
    }
}

pub(crate) async fn insert_session(tx: &mut Tx, row: &SessionRow, secret_hash: &[u8], now: i64) -> Result<(), DbError> {
    let sql =
        "insert into portal_sessions (account_id, session_id, secret_hash, granted_by, principal, roles, access_id,
            last_seen_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    let values = params![
        &row.account_id,
        &row.session_id,
        secret_hash,
        &row.granted_by,
        &row.principal,
        &row.roles,
        &row.access_id,
        now
    ];
    tx.execute(sql, values).await.map(drop)
}

/// The session, seen now, if it was not idle since `idle_since`.
pub(crate) async fn touch_session(
    tx: &mut Tx,
    secret_hash: &[u8],
    idle_since: i64,
    now: i64,
) -> Result<Option<SessionRow>, DbError> {
    let sql = "update portal_sessions set last_seen_at = $3 where secret_hash = $1 and last_seen_at > $2
        returning account_id, session_id, granted_by, principal, roles, access_id";
    tx.fetch_optional(sql, params![secret_hash, idle_since, now]).await
}

pub(crate) async fn delete_session(tx: &mut Tx, secret_hash: &[u8]) -> Result<(), DbError> {
    tx.execute("delete from portal_sessions where secret_hash = $1", params![secret_hash]).await.map(drop)
}

/// Deletes what nothing can come of any more.
pub(crate) async fn delete_over(tx: &mut Tx, now: i64, sessions_before: i64) -> Result<(), DbError> {
    tx.execute("delete from portal_jwt_ids where expires_at <= $1", params![now]).await?;
    tx.execute("delete from portal_deep_links where expires_at <= $1", params![now]).await?;
    tx.execute("delete from portal_sessions where last_seen_at <= $1", params![sessions_before]).await.map(drop)
}
