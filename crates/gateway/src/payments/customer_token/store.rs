//! Table `customer_tokens`.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::{Asked, CustomerToken, TokenState};

row! {
    struct TokenRow {
        token_id: String,
        state: String,
        reference: Option<String>,
        scopes: String,
        payment_id: String,
        created_at: i64,
        updated_at: i64,
    }
}

impl TokenRow {
    fn into_token(self) -> Result<CustomerToken, DbError> {
        let scopes = serde_json::from_str(&self.scopes)
            .map_err(|source| DbError::Decode { column: "scopes".to_owned(), source: Box::new(source) })?;
        Ok(CustomerToken {
            token_id: self.token_id,
            state: TokenState::from_stored(&self.state),
            asked: Asked { scopes, reference: self.reference },
            payment_id: self.payment_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// Keeps a token; one that is kept already stays as it is.
pub(super) async fn insert(
    tx: &mut Tx,
    partner_id: &str,
    token: &CustomerToken,
    sealed: &[u8],
    digest: &str,
) -> Result<(), DbError> {
    let sql =
        "insert into customer_tokens (partner_id, token_id, state, token, token_digest, reference, scopes, payment_id,
            created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (partner_id, token_id) do nothing";
    let scopes = serde_json::to_string(&token.asked.scopes).expect("texts always serialize");
    let values = params![
        partner_id,
        &token.token_id,
        token.state.as_str(),
        sealed,
        digest,
        &token.asked.reference,
        &scopes,
        &token.payment_id,
        token.created_at,
        token.updated_at,
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(in crate::payments) async fn find(
    tx: &mut Tx,
    partner_id: &str,
    token_id: &str,
) -> Result<Option<CustomerToken>, DbError> {
    let sql = "select token_id, state, reference, scopes, payment_id, created_at, updated_at from customer_tokens
        where partner_id = $1 and token_id = $2";
    let row: Option<TokenRow> = tx.fetch_optional(sql, params![partner_id, token_id]).await?;
    row.map(TokenRow::into_token).transpose()
}

/// Reads a token and keeps its row from changing until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, partner_id: &str, token_id: &str) -> Result<Option<CustomerToken>, DbError> {
    let sql = "update customer_tokens set updated_at = updated_at where partner_id = $1 and token_id = $2
        returning token_id, state, reference, scopes, payment_id, created_at, updated_at";
    let row: Option<TokenRow> = tx.fetch_optional(sql, params![partner_id, token_id]).await?;
    row.map(TokenRow::into_token).transpose()
}

/// The same, by the token's digest.
pub(super) async fn find_by_digest(
    tx: &mut Tx,
    partner_id: &str,
    digest: &str,
) -> Result<Option<CustomerToken>, DbError> {
    let sql = "update customer_tokens set updated_at = updated_at where partner_id = $1 and token_digest = $2
        returning token_id, state, reference, scopes, payment_id, created_at, updated_at";
    let row: Option<TokenRow> = tx.fetch_optional(sql, params![partner_id, digest]).await?;
    row.map(TokenRow::into_token).transpose()
}

pub(super) async fn sealed(tx: &mut Tx, partner_id: &str, token_id: &str) -> Result<Option<Vec<u8>>, DbError> {
    row! { struct SealedRow { token: Vec<u8> } }
    let sql = "select token from customer_tokens where partner_id = $1 and token_id = $2";
    let row: Option<SealedRow> = tx.fetch_optional(sql, params![partner_id, token_id]).await?;
    Ok(row.map(|row| row.token))
}

pub(super) async fn revoke(tx: &mut Tx, partner_id: &str, token_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update customer_tokens set state = 'REVOKED', updated_at = $3 where partner_id = $1 and token_id = $2";
    tx.execute(sql, params![partner_id, token_id, now]).await.map(drop)
}

/// Tokens on one side of a cursor, nearest first. Ids ascend with time, so they are the order.
pub(super) async fn page(
    tx: &mut Tx,
    partner_id: &str,
    reference: Option<&str>,
    after: Option<&str>,
    newer: bool,
    limit: i64,
) -> Result<Vec<CustomerToken>, DbError> {
    const OLDER: &str = "select token_id, state, reference, scopes, payment_id, created_at, updated_at from customer_tokens
        where partner_id = $1 and token_id < $2 and (cast($3 as text) is null or reference = $3) order by token_id desc limit $4";
    const NEWER: &str = "select token_id, state, reference, scopes, payment_id, created_at, updated_at from customer_tokens
        where partner_id = $1 and token_id > $2 and (cast($3 as text) is null or reference = $3) order by token_id limit $4";
    // Beyond every id in the direction of the list.
    let start = after.unwrap_or(if newer { "" } else { "ctk_~" });
    let rows: Vec<TokenRow> =
        tx.fetch_all(if newer { NEWER } else { OLDER }, params![partner_id, start, reference, limit]).await?;
    rows.into_iter().map(TokenRow::into_token).collect()
}
