//! What a tester sees across the accounts under an Acquiring Partner. The only reads that join payments with accounts.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! { struct FoundRow { found: i64 } }
row! {
    /// An account and its Acquiring Partner.
    pub(crate) struct AccountRow {
        pub account_id: String,
        pub kind: String,
        pub name: String,
        pub reference: String,
        pub state: String,
        pub created_at: i64,
    }
}
row! {
    /// A Payment Request in a list.
    pub(crate) struct RequestLine {
        pub account_id: String,
        pub request_id: String,
        pub state: String,
        pub currency: String,
        pub amount: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
        pub expires_at: i64,
    }
}
row! {
    /// A Payment Transaction in a list.
    pub(crate) struct TransactionLine {
        pub account_id: String,
        pub transaction_id: String,
        pub reference: Option<String>,
        pub state: String,
        pub funding: String,
        pub currency: String,
        pub amount: i64,
        pub captured: i64,
        pub refunded: i64,
        pub charged_back: i64,
        pub voided: i64,
        pub created_at: i64,
        pub expires_at: i64,
    }
}

/// The Acquiring Partner itself first, then the accounts under it.
pub(crate) async fn accounts(tx: &mut Tx, above: &str, limit: i64) -> Result<Vec<AccountRow>, DbError> {
    let sql = "select account_id, kind, name, reference, state, created_at from accounts
        where account_id = $1 or acquiring_partner_id = $1
        order by case when account_id = $1 then 0 else 1 end, created_at desc, account_id limit $2";
    tx.fetch_all(sql, params![above, limit]).await
}

pub(crate) async fn request_is_under(tx: &mut Tx, above: &str, request: &str) -> Result<bool, DbError> {
    let sql = "select count(*) as found from payment_requests r join accounts a on a.account_id = r.account_id
        where r.request_id = $2 and (a.account_id = $1 or a.acquiring_partner_id = $1)";
    Ok(tx.fetch_one::<FoundRow>(sql, params![above, request]).await?.found > 0)
}

/// Newest first. `before` is the time and id of the last one of the page before.
pub(crate) async fn requests(
    tx: &mut Tx,
    above: &str,
    only_open: bool,
    (before, before_id): (i64, &str),
    limit: i64,
) -> Result<Vec<RequestLine>, DbError> {
    let sql = "select r.account_id, r.request_id, r.state, r.currency, r.amount, r.created_at, r.updated_at, r.expires_at
        from payment_requests r join accounts a on a.account_id = r.account_id
        where (a.account_id = $1 or a.acquiring_partner_id = $1) and ($2 = false or r.state in ('SUBMITTED', 'IN_PROGRESS'))
            and (r.created_at, r.request_id) < ($3, $4)
        order by r.created_at desc, r.request_id desc limit $5";
    tx.fetch_all(sql, params![above, only_open, before, before_id, limit]).await
}

/// Newest first.
pub(crate) async fn transactions(
    tx: &mut Tx,
    above: &str,
    (before, before_id): (i64, &str),
    limit: i64,
) -> Result<Vec<TransactionLine>, DbError> {
    let sql =
        "select t.account_id, t.transaction_id, t.reference, t.state, t.funding, t.currency, t.amount, t.captured,
            t.refunded, t.charged_back, t.voided, t.created_at, t.expires_at
        from payment_transactions t join accounts a on a.account_id = t.account_id
        where (a.account_id = $1 or a.acquiring_partner_id = $1) and (t.created_at, t.transaction_id) < ($2, $3)
        order by t.created_at desc, t.transaction_id desc limit $4";
    tx.fetch_all(sql, params![above, before, before_id, limit]).await
}

row! {
    /// Something that the Acquiring Partner was told of a payment.
    pub(crate) struct ToldRow { pub event_id: String, pub event_type: String, pub occurred_at: i64 }
}
row! { struct AccountOf { account_id: String } }

/// The account of a Payment Request, or of a Payment Transaction, under the Acquiring Partner.
pub(crate) async fn account_of(tx: &mut Tx, above: &str, id: &str) -> Result<Option<String>, DbError> {
    let sql = "select a.account_id from accounts a
        where (a.account_id = $1 or a.acquiring_partner_id = $1) and a.account_id in (
            select account_id from payment_requests where request_id = $2
            union select account_id from payment_transactions where transaction_id = $2)";
    Ok(tx.fetch_optional::<AccountOf>(sql, params![above, id]).await?.map(|row| row.account_id))
}

/// One transaction as the lists show it.
pub(crate) async fn transaction(tx: &mut Tx, account: &str, id: &str) -> Result<Option<TransactionLine>, DbError> {
    let sql = "select account_id, transaction_id, reference, state, funding, currency, amount, captured, refunded,
            charged_back, voided, created_at, expires_at
        from payment_transactions where account_id = $1 and transaction_id = $2";
    tx.fetch_optional(sql, params![account, id]).await
}

/// What was told of a payment, oldest first. `pattern` is its id between percent signs.
pub(crate) async fn told(tx: &mut Tx, recipient: &str, pattern: &str) -> Result<Vec<ToldRow>, DbError> {
    let sql = "select event_id, event_type, occurred_at from events
        where recipient_account_id = $1 and payload like $2 order by created_at, ordinal, event_id limit 100";
    tx.fetch_all(sql, params![recipient, pattern]).await
}
