//! Rows of API keys, client identifiers and SFTP users.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::life::Life;

row! {
    /// A key with the account that it belongs to.
    pub(crate) struct KeyWithAccountRow {
        pub account_id: String,
        pub credential_id: String,
        pub key_hash: Vec<u8>,
        pub lapses: bool,
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
        pub created_at: i64,
        pub kind: String,
        pub acquiring_partner_id: Option<String>,
    }
}

impl KeyWithAccountRow {
    pub(crate) fn life(&self) -> Life {
        Life {
            lapses: self.lapses,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            disabled_at: self.disabled_at,
        }
    }
}

pub(crate) async fn api_key_by_hash(tx: &mut Tx, hash: &[u8]) -> Result<Option<KeyWithAccountRow>, DbError> {
    let sql = "select k.account_id, k.credential_id, k.key_hash, k.lapses, k.last_used_at, k.disabled_at, k.created_at,
            a.kind, a.acquiring_partner_id
        from api_keys k join accounts a on a.account_id = k.account_id where k.key_hash = $1";
    tx.fetch_optional(sql, params![hash]).await
}

row! {
    /// An API key as it is shown.
    pub(crate) struct ApiKeyRow {
        pub credential_id: String,
        pub description: String,
        pub lapses: bool,
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

impl ApiKeyRow {
    pub(crate) fn life(&self) -> Life {
        Life {
            lapses: self.lapses,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            disabled_at: self.disabled_at,
        }
    }
}

pub(crate) struct NewApiKey<'a> {
    pub credential_id: &'a str,
    pub hash: &'a [u8],
    pub description: &'a str,
    pub lapses: bool,
}

/// Makes changes of one account's credentials wait for each other, so that limits hold.
pub(crate) async fn lock(tx: &mut Tx, account: &str) -> Result<(), DbError> {
    tx.execute("update accounts set updated_at = updated_at where account_id = $1", params![account]).await.map(drop)
}

pub(crate) async fn insert_api_key(tx: &mut Tx, account: &str, new: &NewApiKey<'_>, now: i64) -> Result<(), DbError> {
    let sql = "insert into api_keys (account_id, credential_id, key_hash, description, state, lapses, created_at,
            updated_at) values ($1, $2, $3, $4, 'ACTIVE', $5, $6, $6)";
    tx.execute(sql, params![account, new.credential_id, new.hash, new.description, new.lapses, now]).await.map(drop)
}

/// Active ones first, each part oldest first; what was disabled long ago ends the list where an answer would become too long.
pub(crate) async fn api_keys(tx: &mut Tx, account: &str) -> Result<Vec<ApiKeyRow>, DbError> {
    let sql = "select credential_id, description, lapses, last_used_at, disabled_at, created_at, updated_at
        from api_keys where account_id = $1
        order by case when disabled_at is null then 0 else 1 end, created_at, credential_id limit 1000";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn api_key(tx: &mut Tx, account: &str, credential_id: &str) -> Result<Option<ApiKeyRow>, DbError> {
    let sql = "select credential_id, description, lapses, last_used_at, disabled_at, created_at, updated_at
        from api_keys where account_id = $1 and credential_id = $2";
    tx.fetch_optional(sql, params![account, credential_id]).await
}

pub(crate) async fn describe_api_key(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    description: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "update api_keys set description = $3, updated_at = $4 where account_id = $1 and credential_id = $2";
    tx.execute(sql, params![account, credential_id, description, now]).await.map(drop)
}

pub(crate) async fn disable_api_key(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update api_keys set state = 'DISABLED', disabled_at = $3, updated_at = $3
        where account_id = $1 and credential_id = $2 and state = 'ACTIVE'";
    Ok(tx.execute(sql, params![account, credential_id, now]).await? > 0)
}

row! {
    /// A key that may have lapsed.
    pub(crate) struct LapsingRow {
        pub account_id: String,
        pub credential_id: String,
        pub last_used_at: Option<i64>,
        pub created_at: i64,
    }
}

pub(crate) async fn lapsing_api_keys(tx: &mut Tx, before: i64, limit: i64) -> Result<Vec<LapsingRow>, DbError> {
    let sql = "select account_id, credential_id, last_used_at, created_at from api_keys
        where lapses and state = 'ACTIVE' and coalesce(last_used_at, created_at) < $1
        order by coalesce(last_used_at, created_at) limit $2";
    tx.fetch_all(sql, params![before, limit]).await
}

/// Writes down that a key lapsed, unless it was used meanwhile.
pub(crate) async fn lapse_api_key(tx: &mut Tx, row: &LapsingRow, disabled_at: i64) -> Result<(), DbError> {
    let sql = "update api_keys set state = 'DISABLED', disabled_at = $3, updated_at = $3
        where account_id = $1 and credential_id = $2 and state = 'ACTIVE' and coalesce(last_used_at, created_at) = $4";
    let used = row.last_used_at.unwrap_or(row.created_at);
    tx.execute(sql, params![&row.account_id, &row.credential_id, disabled_at, used]).await.map(drop)
}

/// Deletes what was disabled before `before`.
pub(crate) async fn delete_disabled(tx: &mut Tx, before: i64) -> Result<(), DbError> {
    tx.execute("delete from api_keys where disabled_at < $1", params![before]).await?;
    tx.execute("delete from client_identifiers where disabled_at < $1", params![before]).await?;
    tx.execute("delete from sftp_users where disabled_at < $1", params![before]).await.map(drop)
}

pub(crate) async fn note_use(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    now: i64,
    since: i64,
) -> Result<(), DbError> {
    let sql = "update api_keys set last_used_at = $3
        where account_id = $1 and credential_id = $2 and (last_used_at is null or last_used_at <= $4)";
    tx.execute(sql, params![account, credential_id, now, since]).await.map(drop)
}

row! {
    /// A client identifier.
    pub(crate) struct ClientIdentifierRow {
        pub account_id: String,
        pub credential_id: String,
        pub client_id: String,
        pub description: String,
        pub allowed_domains: String,
        pub disabled_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

impl ClientIdentifierRow {
    pub(crate) fn domains(&self) -> Vec<String> {
        serde_json::from_str(&self.allowed_domains).unwrap_or_default()
    }

    pub(crate) fn life(&self) -> Life {
        Life { lapses: false, created_at: self.created_at, last_used_at: None, disabled_at: self.disabled_at }
    }
}

pub(crate) struct NewClientIdentifier<'a> {
    pub credential_id: &'a str,
    pub client_id: &'a str,
    pub description: &'a str,
    /// A JSON array.
    pub allowed_domains: &'a str,
}

pub(crate) async fn insert_client_identifier(
    tx: &mut Tx,
    account: &str,
    new: &NewClientIdentifier<'_>,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into client_identifiers (account_id, credential_id, client_id, description, allowed_domains,
            state, created_at, updated_at) values ($1, $2, $3, $4, $5, 'ACTIVE', $6, $6)";
    let values = params![account, new.credential_id, new.client_id, new.description, new.allowed_domains, now];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn client_identifiers(tx: &mut Tx, account: &str) -> Result<Vec<ClientIdentifierRow>, DbError> {
    let sql = "select account_id, credential_id, client_id, description, allowed_domains, disabled_at, created_at,
            updated_at from client_identifiers where account_id = $1
        order by case when disabled_at is null then 0 else 1 end, created_at, credential_id limit 1000";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn client_identifier(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
) -> Result<Option<ClientIdentifierRow>, DbError> {
    let sql = "select account_id, credential_id, client_id, description, allowed_domains, disabled_at, created_at,
            updated_at from client_identifiers where account_id = $1 and credential_id = $2";
    tx.fetch_optional(sql, params![account, credential_id]).await
}

pub(crate) async fn client_identifier_by_text(
    tx: &mut Tx,
    client_id: &str,
) -> Result<Option<ClientIdentifierRow>, DbError> {
    let sql = "select account_id, credential_id, client_id, description, allowed_domains, disabled_at, created_at,
            updated_at from client_identifiers where client_id = $1";
    tx.fetch_optional(sql, params![client_id]).await
}

pub(crate) async fn update_client_identifier(
    tx: &mut Tx,
    account: &str,
    row: &ClientIdentifierRow,
) -> Result<(), DbError> {
    let sql = "update client_identifiers set description = $3, allowed_domains = $4, updated_at = $5
        where account_id = $1 and credential_id = $2";
    let values = params![account, &row.credential_id, &row.description, &row.allowed_domains, row.updated_at];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn disable_client_identifier(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update client_identifiers set state = 'DISABLED', disabled_at = $3, updated_at = $3
        where account_id = $1 and credential_id = $2 and state = 'ACTIVE'";
    Ok(tx.execute(sql, params![account, credential_id, now]).await? > 0)
}

row! {
    /// An SFTP user.
    pub(crate) struct SftpUserRow {
        pub account_id: String,
        pub credential_id: String,
        pub username: String,
        pub password_hash: Vec<u8>,
        pub description: String,
        pub last_used_at: Option<i64>,
        pub disabled_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

impl SftpUserRow {
    pub(crate) fn life(&self) -> Life {
        Life { lapses: false, created_at: self.created_at, last_used_at: None, disabled_at: self.disabled_at }
    }
}

pub(crate) struct NewSftpUser<'a> {
    pub credential_id: &'a str,
    pub username: &'a str,
    pub hash: &'a [u8],
    pub description: &'a str,
}

pub(crate) async fn insert_sftp_user(
    tx: &mut Tx,
    account: &str,
    new: &NewSftpUser<'_>,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into sftp_users (account_id, credential_id, username, password_hash, description, state,
            created_at, updated_at) values ($1, $2, $3, $4, $5, 'ACTIVE', $6, $6)";
    let values = params![account, new.credential_id, new.username, new.hash, new.description, now];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn sftp_users(tx: &mut Tx, account: &str) -> Result<Vec<SftpUserRow>, DbError> {
    let sql = "select account_id, credential_id, username, password_hash, description, last_used_at, disabled_at,
            created_at, updated_at from sftp_users where account_id = $1
        order by case when disabled_at is null then 0 else 1 end, created_at, credential_id limit 1000";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn sftp_user(tx: &mut Tx, account: &str, credential_id: &str) -> Result<Option<SftpUserRow>, DbError> {
    let sql = "select account_id, credential_id, username, password_hash, description, last_used_at, disabled_at,
            created_at, updated_at from sftp_users where account_id = $1 and credential_id = $2";
    tx.fetch_optional(sql, params![account, credential_id]).await
}

pub(crate) async fn sftp_user_by_name(tx: &mut Tx, username: &str) -> Result<Option<SftpUserRow>, DbError> {
    let sql = "select account_id, credential_id, username, password_hash, description, last_used_at, disabled_at,
            created_at, updated_at from sftp_users where username = $1";
    tx.fetch_optional(sql, params![username]).await
}

pub(crate) async fn disable_sftp_user(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update sftp_users set state = 'DISABLED', disabled_at = $3, updated_at = $3
        where account_id = $1 and credential_id = $2 and state = 'ACTIVE'";
    Ok(tx.execute(sql, params![account, credential_id, now]).await? > 0)
}

pub(crate) async fn note_sftp_use(tx: &mut Tx, account: &str, credential_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update sftp_users set last_used_at = $3 where account_id = $1 and credential_id = $2";
    tx.execute(sql, params![account, credential_id, now]).await.map(drop)
}
