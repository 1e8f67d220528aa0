//! Tables `checkout_sessions` and `checkout_client_identifiers`.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::record::{Method, Session};
use super::session::SessionState;

row! {
    /// A session's row; a query that joins it names these columns, too.
    pub(crate) struct SessionRow {
        partner_id: String,
        session_id: String,
        version: i64,
        state: String,
        amount: i64,
        currency: String,
        reference: Option<String>,
        attempt: i64,
        payment_id: Option<String>,
        method: Option<String>,
        key_hash: String,
        access_key: Vec<u8>,
        token: Option<Vec<u8>>,
        detail: String,
        expires_at: i64,
        created_at: i64,
        updated_at: i64,
        completed_at: Option<i64>,
    }
}

impl SessionRow {
    pub(crate) fn into_session(self) -> Result<Session, DbError> {
        let detail = serde_json::from_str(&self.detail)
            .map_err(|source| DbError::Decode { column: "detail".to_owned(), source: Box::new(source) })?;
        Ok(Session {
            partner_id: self.partner_id,
            session_id: self.session_id,
            version: self.version,
            state: SessionState::from(self.state.as_str()),
            amount: self.amount,
            currency: self.currency,
            reference: self.reference,
            attempt: self.attempt,
            payment_id: self.payment_id,
            method: self.method.as_deref().map(Method::from_stored),
            key_hash: self.key_hash,
            access_key: self.access_key,
            token: self.token,
            detail,
            expires_at: self.expires_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            completed_at: self.completed_at,
        })
    }
}

fn detail_text(session: &Session) -> String {
    serde_json::to_string(&session.detail).expect("texts and integers always serialize")
}

pub(super) async fn insert(tx: &mut Tx, session: &Session) -> Result<(), DbError> {
    let sql =
        "insert into checkout_sessions (partner_id, session_id, version, state, amount, currency, reference, attempt,
            payment_id, method, key_hash, access_key, token, detail, expires_at, created_at, updated_at, completed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    let (detail, method) = (detail_text(session), session.method.map(Method::as_str));
    let values = params![
        &session.partner_id,
        &session.session_id,
        session.version,
        session.state.as_str(),
        session.amount,
        &session.currency,
        &session.reference,
        session.attempt,
        &session.payment_id,
        method,
        &session.key_hash,
        session.access_key.as_slice(),
        session.token.as_deref(),
        &detail,
        session.expires_at,
        session.created_at,
        session.updated_at,
        session.completed_at,
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Writes all that can change, if nobody was faster.
pub(super) async fn save(tx: &mut Tx, session: &mut Session) -> Result<(), DbError> {
    let sql =
        "update checkout_sessions set version = version + 1, state = $4, attempt = $5, payment_id = $6, method = $7,
            token = $8, detail = $9, updated_at = $10, completed_at = $11
        where partner_id = $1 and session_id = $2 and version = $3";
    let (detail, method) = (detail_text(session), session.method.map(Method::as_str));
    let values = params![
        &session.partner_id,
        &session.session_id,
        session.version,
        session.state.as_str(),
        session.attempt,
        &session.payment_id,
        method,
        session.token.as_deref(),
        &detail,
        session.updated_at,
        session.completed_at,
    ];
    if tx.execute(sql, values).await? == 0 {
        return Err(DbError::Contended);
    }
    session.version += 1;
    Ok(())
}

/// Reads a session and keeps its row from changing until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, partner_id: &str, session_id: &str) -> Result<Option<Session>, DbError> {
    let sql = "update checkout_sessions set version = version + 1 where partner_id = $1 and session_id = $2
        returning partner_id, session_id, version, state, amount, currency, reference, attempt, payment_id, method, key_hash,
            access_key, token, detail, expires_at, created_at, updated_at, completed_at";
    let row: Option<SessionRow> = tx.fetch_optional(sql, params![partner_id, session_id]).await?;
    row.map(SessionRow::into_session).transpose()
}

pub(super) async fn find(tx: &mut Tx, partner_id: &str, session_id: &str) -> Result<Option<Session>, DbError> {
    let sql = "select partner_id, session_id, version, state, amount, currency, reference, attempt, payment_id, method, key_hash,
            access_key, token, detail, expires_at, created_at, updated_at, completed_at
        from checkout_sessions where partner_id = $1 and session_id = $2";
    let row: Option<SessionRow> = tx.fetch_optional(sql, params![partner_id, session_id]).await?;
    row.map(SessionRow::into_session).transpose()
}

/// The session of a page: whoever has the key sees it, and nobody else.
pub(super) async fn of_key(tx: &mut Tx, key_hash: &str) -> Result<Option<Session>, DbError> {
    let sql = "select partner_id, session_id, version, state, amount, currency, reference, attempt, payment_id, method, key_hash,
            access_key, token, detail, expires_at, created_at, updated_at, completed_at
        from checkout_sessions where key_hash = $1";
    let row: Option<SessionRow> = tx.fetch_optional(sql, params![key_hash]).await?;
    row.map(SessionRow::into_session).transpose()
}

/// Sessions on one side of a cursor, nearest first. Ids ascend with time, so they are the order.
pub(super) async fn page(
    tx: &mut Tx,
    partner_id: &str,
    (state, reference): (Option<&str>, Option<&str>),
    (after, newer): (Option<&str>, bool),
    limit: i64,
) -> Result<Vec<Session>, DbError> {
    const OLDER: &str =
        "select partner_id, session_id, version, state, amount, currency, reference, attempt, payment_id, method,
            key_hash, access_key, token, detail, expires_at, created_at, updated_at, completed_at
        from checkout_sessions where partner_id = $1 and session_id < $2
            and (cast($3 as text) is null or state = $3) and (cast($4 as text) is null or reference = $4)
        order by session_id desc limit $5";
    const NEWER: &str =
        "select partner_id, session_id, version, state, amount, currency, reference, attempt, payment_id, method,
            key_hash, access_key, token, detail, expires_at, created_at, updated_at, completed_at
        from checkout_sessions where partner_id = $1 and session_id > $2
            and (cast($3 as text) is null or state = $3) and (cast($4 as text) is null or reference = $4)
        order by session_id limit $5";
    let start = after.unwrap_or(if newer { "" } else { "cs_~" });
    let values = params![partner_id, start, state, reference, limit];
    let rows: Vec<SessionRow> = tx.fetch_all(if newer { NEWER } else { OLDER }, values).await?;
    rows.into_iter().map(SessionRow::into_session).collect()
}

row! {
    /// What the pages of an origin name themselves with.
    pub(super) struct ClientIdentifierRow {
        pub credential_id: String,
        pub client_id: String,
        pub checked_at: i64,
    }
}

pub(super) async fn client_identifier(
    tx: &mut Tx,
    account: &str,
    origin: &str,
) -> Result<Option<ClientIdentifierRow>, DbError> {
    let sql = "select credential_id, client_id, checked_at from checkout_client_identifiers
        where account_id = $1 and origin = $2";
    tx.fetch_optional(sql, params![account, origin]).await
}

pub(super) async fn put_client_identifier(
    tx: &mut Tx,
    account: &str,
    origin: &str,
    row: &ClientIdentifierRow,
) -> Result<(), DbError> {
    let sql = "insert into checkout_client_identifiers (account_id, origin, credential_id, client_id, checked_at)
        values ($1, $2, $3, $4, $5)
        on conflict (account_id, origin) do update set credential_id = excluded.credential_id,
            client_id = excluded.client_id, checked_at = excluded.checked_at";
    tx.execute(sql, params![account, origin, &row.credential_id, &row.client_id, row.checked_at]).await.map(drop)
}
