//! Rows of credentials, of the authority, and of what accounts ask of their callers.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::certificate::Validity;
use super::life::Life;
use super::mtls::Known;

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
        pub ip_mode: Option<String>,
        pub allowed_ips: Option<String>,
        pub mtls_since: Option<i64>,
        pub mtls_enforced_from: Option<i64>,
    }
}

impl KeyWithAccountRow {
    /// What its account asks of callers; `None` for one that never asked for more than a key.
    pub(crate) fn protection(&self) -> Option<ProtectionRow> {
        Some(ProtectionRow {
            ip_mode: self.ip_mode.clone()?,
            allowed_ips: self.allowed_ips.clone()?,
            mtls_since: self.mtls_since,
            mtls_enforced_from: self.mtls_enforced_from,
        })
    }

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
            a.kind, a.acquiring_partner_id, p.ip_mode, p.allowed_ips, p.mtls_since, p.mtls_enforced_from
        from api_keys k join accounts a on a.account_id = k.account_id
            left join caller_protections p on p.account_id = k.account_id
        where k.key_hash = $1";
    tx.fetch_optional(sql, params![hash]).await
}

/// Every column of [`ApiKeyRow`].
macro_rules! api_key_columns {
    () => {
        "credential_id, description, lapses, last_used_at, disabled_at, created_at, updated_at"
    };
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
    let sql = concat!(
        "select ",
        api_key_columns!(),
        " from api_keys where account_id = $1
        order by case when disabled_at is null then 0 else 1 end, created_at, credential_id limit 1000"
    );
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn api_key(tx: &mut Tx, account: &str, credential_id: &str) -> Result<Option<ApiKeyRow>, DbError> {
    let sql = concat!("select ", api_key_columns!(), " from api_keys where account_id = $1 and credential_id = $2");
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

/// Every column of [`ClientIdentifierRow`].
macro_rules! client_identifier_columns {
    () => {
        "account_id, credential_id, client_id, description, allowed_domains, redirect_uris, disabled_at, created_at,
            updated_at"
    };
}

row! {
    /// A client identifier.
    pub(crate) struct ClientIdentifierRow {
        pub account_id: String,
        pub credential_id: String,
        pub client_id: String,
        pub description: String,
        pub allowed_domains: String,
        pub redirect_uris: String,
        pub disabled_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

impl ClientIdentifierRow {
    pub(crate) fn domains(&self) -> Vec<String> {
        serde_json::from_str(&self.allowed_domains).unwrap_or_default()
    }

    pub(crate) fn redirects(&self) -> Vec<String> {
        serde_json::from_str(&self.redirect_uris).unwrap_or_default()
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
    /// A JSON array.
    pub redirect_uris: &'a str,
}

pub(crate) async fn insert_client_identifier(
    tx: &mut Tx,
    account: &str,
    new: &NewClientIdentifier<'_>,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into client_identifiers (account_id, credential_id, client_id, description, allowed_domains,
            redirect_uris, state, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, 'ACTIVE', $7, $7)";
    let NewClientIdentifier { credential_id, client_id, description, allowed_domains, redirect_uris } = *new;
    let values = params![account, credential_id, client_id, description, allowed_domains, redirect_uris, now];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn client_identifiers(tx: &mut Tx, account: &str) -> Result<Vec<ClientIdentifierRow>, DbError> {
    let sql = concat!(
        "select ",
        client_identifier_columns!(),
        " from client_identifiers where account_id = $1
        order by case when disabled_at is null then 0 else 1 end, created_at, credential_id limit 1000"
    );
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn client_identifier(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
) -> Result<Option<ClientIdentifierRow>, DbError> {
    let sql = concat!(
        "select ",
        client_identifier_columns!(),
        " from client_identifiers where account_id = $1 and credential_id = $2"
    );
    tx.fetch_optional(sql, params![account, credential_id]).await
}

pub(crate) async fn client_identifier_by_text(
    tx: &mut Tx,
    client_id: &str,
) -> Result<Option<ClientIdentifierRow>, DbError> {
    let sql = concat!("select ", client_identifier_columns!(), " from client_identifiers where client_id = $1");
    tx.fetch_optional(sql, params![client_id]).await
}

pub(crate) async fn update_client_identifier(
    tx: &mut Tx,
    account: &str,
    row: &ClientIdentifierRow,
) -> Result<(), DbError> {
    let sql =
        "update client_identifiers set description = $3, allowed_domains = $4, redirect_uris = $5, updated_at = $6
        where account_id = $1 and credential_id = $2";
    let values = params![
        account,
        &row.credential_id,
        &row.description,
        &row.allowed_domains,
        &row.redirect_uris,
        row.updated_at
    ];
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

/// Every column of [`SftpUserRow`].
macro_rules! sftp_user_columns {
    () => {
        "account_id, credential_id, username, password_hash, description, last_used_at, disabled_at, created_at,
            updated_at"
    };
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
    let sql = concat!(
        "select ",
        sftp_user_columns!(),
        " from sftp_users where account_id = $1
        order by case when disabled_at is null then 0 else 1 end, created_at, credential_id limit 1000"
    );
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn sftp_user(tx: &mut Tx, account: &str, credential_id: &str) -> Result<Option<SftpUserRow>, DbError> {
    let sql = concat!("select ", sftp_user_columns!(), " from sftp_users where account_id = $1 and credential_id = $2");
    tx.fetch_optional(sql, params![account, credential_id]).await
}

pub(crate) async fn sftp_user_by_name(tx: &mut Tx, username: &str) -> Result<Option<SftpUserRow>, DbError> {
    let sql = concat!("select ", sftp_user_columns!(), " from sftp_users where username = $1");
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

row! { struct SealedRow { sealed: Vec<u8> } }

pub(crate) async fn sftp_host_key(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>, DbError> {
    let sql = "select sealed from sftp_host_keys where name = $1";
    Ok(tx.fetch_optional::<SealedRow>(sql, params![name]).await?.map(|row| row.sealed))
}

/// Does nothing when another process was faster.
pub(crate) async fn insert_sftp_host_key(tx: &mut Tx, name: &str, sealed: &[u8], now: i64) -> Result<(), DbError> {
    let sql = "insert into sftp_host_keys (name, sealed, created_at) values ($1, $2, $3) on conflict do nothing";
    tx.execute(sql, params![name, sealed, now]).await.map(drop)
}

row! {
    /// The network's authority; its key is sealed.
    pub(crate) struct AuthorityRow {
        pub certificate: String,
        pub sealed: Vec<u8>,
    }
}

pub(crate) async fn authority(tx: &mut Tx, name: &str) -> Result<Option<AuthorityRow>, DbError> {
    let sql = "select certificate, sealed from certificate_authorities where name = $1";
    tx.fetch_optional(sql, params![name]).await
}

/// Does nothing when another process was faster.
pub(crate) async fn insert_authority(
    tx: &mut Tx,
    name: &str,
    certificate: &str,
    sealed: &[u8],
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into certificate_authorities (name, certificate, sealed, created_at) values ($1, $2, $3, $4)
        on conflict do nothing";
    tx.execute(sql, params![name, certificate, sealed, now]).await.map(drop)
}

/// Every column of [`CertificateRow`].
macro_rules! certificate_columns {
    () => {
        "account_id, credential_id, fingerprint, usage, certificate, public_key, description, valid_from, valid_to,
            revoked_from, created_at, updated_at"
    };
}

row! {
    /// A client certificate, in PEM.
    pub(crate) struct CertificateRow {
        pub account_id: String,
        pub credential_id: String,
        pub fingerprint: Vec<u8>,
        pub usage: String,
        pub certificate: String,
        pub public_key: Vec<u8>,
        pub description: String,
        pub valid_from: i64,
        pub valid_to: i64,
        pub revoked_from: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

impl CertificateRow {
    pub(crate) fn validity(&self) -> Validity {
        Validity { from: self.valid_from, to: self.valid_to, revoked_from: self.revoked_from }
    }
}

pub(crate) async fn insert_certificate(tx: &mut Tx, row: &CertificateRow) -> Result<(), DbError> {
    let sql = "insert into client_certificates (account_id, credential_id, fingerprint, usage, certificate, public_key,
            description, valid_from, valid_to, revoked_from, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = params![
        &row.account_id,
        &row.credential_id,
        &row.fingerprint,
        &row.usage,
        &row.certificate,
        &row.public_key,
        &row.description,
        row.valid_from,
        row.valid_to,
        row.revoked_from,
        row.created_at,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

/// The newest thousand, oldest first.
pub(crate) async fn certificates(tx: &mut Tx, account: &str) -> Result<Vec<CertificateRow>, DbError> {
    let sql = concat!(
        "select ",
        certificate_columns!(),
        " from client_certificates where account_id = $1 order by created_at desc, credential_id desc limit 1000"
    );
    let mut rows: Vec<CertificateRow> = tx.fetch_all(sql, params![account]).await?;
    rows.reverse();
    Ok(rows)
}

pub(crate) async fn certificate(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
) -> Result<Option<CertificateRow>, DbError> {
    let sql = concat!(
        "select ",
        certificate_columns!(),
        " from client_certificates where account_id = $1 and credential_id = $2"
    );
    tx.fetch_optional(sql, params![account, credential_id]).await
}

pub(crate) async fn certificate_by_fingerprint(
    tx: &mut Tx,
    fingerprint: &[u8],
) -> Result<Option<CertificateRow>, DbError> {
    let sql = concat!("select ", certificate_columns!(), " from client_certificates where fingerprint = $1");
    tx.fetch_optional(sql, params![fingerprint]).await
}

pub(crate) async fn update_certificate(tx: &mut Tx, row: &CertificateRow) -> Result<(), DbError> {
    let sql = "update client_certificates set description = $3, revoked_from = $4, updated_at = $5
        where account_id = $1 and credential_id = $2";
    let values = params![&row.account_id, &row.credential_id, &row.description, row.revoked_from, row.updated_at];
    tx.execute(sql, values).await.map(drop)
}

row! { struct KnownRow { fingerprint: Vec<u8>, valid_from: i64, valid_to: i64, revoked_from: Option<i64> } }

/// The certificates for mTLS that are not over at `now`.
pub(crate) async fn known_certificates(tx: &mut Tx, account: &str, now: i64) -> Result<Vec<Known>, DbError> {
    let sql = "select fingerprint, valid_from, valid_to, revoked_from from client_certificates
        where account_id = $1 and usage = 'MTLS' and valid_to > $2 and (revoked_from is null or revoked_from > $2)";
    let rows: Vec<KnownRow> = tx.fetch_all(sql, params![account, now]).await?;
    let known = |row: KnownRow| Known {
        validity: Validity { from: row.valid_from, to: row.valid_to, revoked_from: row.revoked_from },
        fingerprint: row.fingerprint,
    };
    Ok(rows.into_iter().map(known).collect())
}

row! {
    /// What an account asks of its callers.
    pub(crate) struct ProtectionRow {
        pub ip_mode: String,
        pub allowed_ips: String,
        pub mtls_since: Option<i64>,
        pub mtls_enforced_from: Option<i64>,
    }
}

pub(crate) async fn protection(tx: &mut Tx, account: &str) -> Result<Option<ProtectionRow>, DbError> {
    let sql =
        "select ip_mode, allowed_ips, mtls_since, mtls_enforced_from from caller_protections where account_id = $1";
    tx.fetch_optional(sql, params![account]).await
}

pub(crate) async fn put_protection(tx: &mut Tx, account: &str, row: &ProtectionRow, now: i64) -> Result<(), DbError> {
    let sql = "insert into caller_protections (account_id, ip_mode, allowed_ips, mtls_since, mtls_enforced_from,
            updated_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (account_id) do update set ip_mode = excluded.ip_mode, allowed_ips = excluded.allowed_ips,
            mtls_since = excluded.mtls_since, mtls_enforced_from = excluded.mtls_enforced_from,
            updated_at = excluded.updated_at";
    let values = params![account, &row.ip_mode, &row.allowed_ips, row.mtls_since, row.mtls_enforced_from, now];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn insert_bootstrap_link(
    tx: &mut Tx,
    account: &str,
    link_id: &str,
    token_hash: &[u8],
    expires_at: i64,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into bootstrap_links (account_id, link_id, token_hash, expires_at, created_at)
        values ($1, $2, $3, $4, $5)";
    tx.execute(sql, params![account, link_id, token_hash, expires_at, now]).await.map(drop)
}

row! {
    /// Whose link it is.
    pub(crate) struct LinkRow { pub account_id: String }
}

/// A link that still works.
pub(crate) async fn bootstrap_link(tx: &mut Tx, token_hash: &[u8], now: i64) -> Result<Option<LinkRow>, DbError> {
    let sql = "select account_id from bootstrap_links where token_hash = $1 and used_at is null and expires_at > $2";
    tx.fetch_optional(sql, params![token_hash, now]).await
}

/// Uses it up, once.
pub(crate) async fn use_bootstrap_link(tx: &mut Tx, token_hash: &[u8], now: i64) -> Result<Option<LinkRow>, DbError> {
    let sql = "update bootstrap_links set used_at = $2
        where token_hash = $1 and used_at is null and expires_at > $2 returning account_id";
    tx.fetch_optional(sql, params![token_hash, now]).await
}
