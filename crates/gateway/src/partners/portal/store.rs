//! Tables `portal_signers`, `portal_links` and `portal_users`.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A key that vouches for users.
    pub(super) struct SignerRow {
        pub signer_id: String,
        pub state: String,
        pub private_key: Vec<u8>,
        pub signing_request: String,
        pub certificate: Option<String>,
        pub credential_id: Option<String>,
        pub valid_from: Option<i64>,
        pub valid_to: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

/// Those of an account, newest first.
pub(super) async fn signers(tx: &mut Tx, account: &str) -> Result<Vec<SignerRow>, DbError> {
    let sql = "select signer_id, state, private_key, signing_request, certificate, credential_id, valid_from, valid_to,
            created_at, updated_at
        from portal_signers where account_id = $1 order by created_at desc, signer_id desc";
    tx.fetch_all(sql, params![account]).await
}

/// Writes a key that is to be certified, unless there is one already.
pub(super) async fn request_signer(tx: &mut Tx, account: &str, row: &SignerRow) -> Result<bool, DbError> {
    let sql = "insert into portal_signers
            (account_id, signer_id, state, private_key, signing_request, created_at, updated_at)
        values ($1, $2, 'REQUESTED', $3, $4, $5, $5) on conflict do nothing";
    let values = params![account, &row.signer_id, &row.private_key, &row.signing_request, row.created_at];
    Ok(tx.execute(sql, values).await? > 0)
}

/// A key is certified: it vouches from now on, and those before it no more.
pub(super) async fn certified(tx: &mut Tx, account: &str, row: &SignerRow, now: i64) -> Result<(), DbError> {
    let sql = "update portal_signers set state = 'RETIRED', updated_at = $3
        where account_id = $1 and signer_id <> $2 and state = 'CURRENT'";
    tx.execute(sql, params![account, &row.signer_id, now]).await?;
    let sql = "update portal_signers set state = 'CURRENT', certificate = $3, credential_id = $4, valid_from = $5,
            valid_to = $6, updated_at = $7
        where account_id = $1 and signer_id = $2 and state = 'REQUESTED'";
    let values =
        params![account, &row.signer_id, &row.certificate, &row.credential_id, row.valid_from, row.valid_to, now];
    tx.execute(sql, values).await.map(drop)
}

/// A key vouches no more.
pub(super) async fn retire_signer(tx: &mut Tx, account: &str, signer_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update portal_signers set state = 'RETIRED', updated_at = $3
        where account_id = $1 and signer_id = $2 and state = 'CURRENT'";
    tx.execute(sql, params![account, signer_id, now]).await.map(drop)
}

pub(super) async fn delete_signer(tx: &mut Tx, account: &str, signer_id: &str) -> Result<(), DbError> {
    let sql = "delete from portal_signers where account_id = $1 and signer_id = $2 and state <> 'CURRENT'";
    tx.execute(sql, params![account, signer_id]).await.map(drop)
}

row! {
    /// A link.
    pub(super) struct LinkRow {
        pub link_id: String,
        pub secret: Vec<u8>,
        pub klarna_id: Option<String>,
        pub expires_at: i64,
        pub created_at: i64,
    }
}

pub(super) async fn insert_link(tx: &mut Tx, partner_id: &str, row: &LinkRow) -> Result<(), DbError> {
    let sql = "insert into portal_links (partner_id, link_id, secret, klarna_id, expires_at, created_at)
        values ($1, $2, $3, $4, $5, $6)";
    let values = params![partner_id, &row.link_id, &row.secret, &row.klarna_id, row.expires_at, row.created_at];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn link(tx: &mut Tx, partner_id: &str, link_id: &str) -> Result<Option<LinkRow>, DbError> {
    let sql = "select link_id, secret, klarna_id, expires_at, created_at from portal_links
        where partner_id = $1 and link_id = $2";
    tx.fetch_optional(sql, params![partner_id, link_id]).await
}

/// What Klarna made; the first answer stays.
pub(super) async fn made_link(tx: &mut Tx, partner_id: &str, row: &LinkRow) -> Result<(), DbError> {
    let sql = "update portal_links set secret = $3, klarna_id = $4, expires_at = $5
        where partner_id = $1 and link_id = $2 and klarna_id is null";
    let values = params![partner_id, &row.link_id, &row.secret, &row.klarna_id, row.expires_at];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn delete_link(tx: &mut Tx, partner_id: &str, link_id: &str) -> Result<(), DbError> {
    let sql = "delete from portal_links where partner_id = $1 and link_id = $2";
    tx.execute(sql, params![partner_id, link_id]).await.map(drop)
}

pub(super) async fn delete_links_over_before(tx: &mut Tx, at: i64) -> Result<(), DbError> {
    tx.execute("delete from portal_links where expires_at < $1", params![at]).await.map(drop)
}

row! {
    /// A user with access of its own.
    pub(super) struct UserRow {
        pub user_id: String,
        pub email: Vec<u8>,
        /// A JSON array.
        pub roles: String,
        pub state: String,
        pub klarna_id: Option<String>,
        pub refusal: Option<String>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(super) async fn insert_user(tx: &mut Tx, partner_id: &str, row: &UserRow) -> Result<(), DbError> {
    let sql = "insert into portal_users
            (partner_id, user_id, email, roles, state, klarna_id, refusal, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = params![
        partner_id,
        &row.user_id,
        &row.email,
        &row.roles,
        &row.state,
        &row.klarna_id,
        &row.refusal,
        row.created_at,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Oldest first.
pub(super) async fn users(tx: &mut Tx, partner_id: &str) -> Result<Vec<UserRow>, DbError> {
    let sql = "select user_id, email, roles, state, klarna_id, refusal, created_at, updated_at from portal_users
        where partner_id = $1 order by user_id";
    tx.fetch_all(sql, params![partner_id]).await
}

pub(super) async fn user(tx: &mut Tx, partner_id: &str, user_id: &str) -> Result<Option<UserRow>, DbError> {
    let sql = "select user_id, email, roles, state, klarna_id, refusal, created_at, updated_at from portal_users
        where partner_id = $1 and user_id = $2";
    tx.fetch_optional(sql, params![partner_id, user_id]).await
}

/// Moves a user on, unless somebody else did.
pub(super) async fn move_user(
    tx: &mut Tx,
    partner_id: &str,
    before: &str,
    row: &UserRow,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update portal_users set state = $4, klarna_id = $5, refusal = $6, updated_at = $7
        where partner_id = $1 and user_id = $2 and state = $3";
    let values = params![partner_id, &row.user_id, before, &row.state, &row.klarna_id, &row.refusal, now];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(super) async fn delete_user(tx: &mut Tx, partner_id: &str, user_id: &str) -> Result<(), DbError> {
    let sql = "delete from portal_users where partner_id = $1 and user_id = $2";
    tx.execute(sql, params![partner_id, user_id]).await.map(drop)
}
