//! Rows of Payment Requests, Payment Transactions, captures, refunds and chargebacks.

use kit::db::{DbError, Param, Statement, Tx};
use kit::{params, row};

use super::ledger::MovementKind;

row! {
    /// A Payment Request as stored.
    pub(crate) struct RequestRow {
        pub(crate) account_id: String,
        pub(crate) request_id: String,
        pub(crate) version: i64,
        pub(crate) state: String,
        pub(crate) previous_state: Option<String>,
        pub(crate) state_reason: Option<String>,
        pub(crate) currency: String,
        pub(crate) amount: Option<i64>,
        pub(crate) persona: Option<String>,
        pub(crate) pending_until: Option<i64>,
        pub(crate) created_at: i64,
        pub(crate) updated_at: i64,
        pub(crate) expires_at: i64,
        pub(crate) ended_at: Option<i64>,
        pub(crate) due_at: Option<i64>,
        pub(crate) payment_account_id: String,
        pub(crate) product_id: String,
        pub(crate) body: String,
        pub(crate) identity: Option<String>,
        pub(crate) approval: Option<String>,
        pub(crate) short_code: Option<String>,
    }
}

pub(crate) async fn insert_request(tx: &mut Tx, row: &RequestRow) -> Result<(), DbError> {
    let sql =
        "insert into payment_requests (account_id, request_id, version, state, previous_state, state_reason, currency,
            amount, persona, pending_until, created_at, updated_at, expires_at, ended_at, due_at, payment_account_id,
            product_id, body, identity, approval, short_code)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
    let values = params![
        &row.account_id,
        &row.request_id,
        row.version,
        &row.state,
        &row.previous_state,
        &row.state_reason,
        &row.currency,
        row.amount,
        &row.persona,
        row.pending_until,
        row.created_at,
        row.updated_at,
        row.expires_at,
        row.ended_at,
        row.due_at,
        &row.payment_account_id,
        &row.product_id,
        &row.body,
        &row.identity,
        &row.approval,
        &row.short_code
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn request(tx: &mut Tx, account: &str, request: &str) -> Result<Option<RequestRow>, DbError> {
    let sql = "select account_id, request_id, version, state, previous_state, state_reason, currency, amount, persona,
            pending_until, created_at, updated_at, expires_at, ended_at, due_at, payment_account_id, product_id, body,
            identity, approval, short_code
        from payment_requests where account_id = $1 and request_id = $2";
    tx.fetch_optional(sql, params![account, request]).await
}

/// The request that a short address leads to.
pub(crate) async fn request_by_short_code(tx: &mut Tx, code: &str) -> Result<Option<RequestRow>, DbError> {
    let sql = "select account_id, request_id, version, state, previous_state, state_reason, currency, amount, persona,
            pending_until, created_at, updated_at, expires_at, ended_at, due_at, payment_account_id, product_id, body,
            identity, approval, short_code
        from payment_requests where short_code = $1";
    tx.fetch_optional(sql, params![code]).await
}

row! { struct AccountRow { account_id: String } }

/// The account of a request, for a customer's browser, which knows none.
pub(crate) async fn account_of_request(tx: &mut Tx, request: &str) -> Result<Option<String>, DbError> {
    let sql = "select account_id from payment_requests where request_id = $1";
    Ok(tx.fetch_optional::<AccountRow>(sql, params![request]).await?.map(|row| row.account_id))
}

/// Reads a request and keeps others from changing it until the end of the transaction.
pub(crate) async fn lock_request(tx: &mut Tx, account: &str, request: &str) -> Result<Option<RequestRow>, DbError> {
    let sql = "update payment_requests set version = version + 1 where account_id = $1 and request_id = $2
        returning account_id, request_id, version, state, previous_state, state_reason, currency, amount, persona,
            pending_until, created_at, updated_at, expires_at, ended_at, due_at, payment_account_id, product_id, body,
            identity, approval, short_code";
    tx.fetch_optional(sql, params![account, request]).await
}

pub(crate) async fn save_request(tx: &mut Tx, row: &RequestRow) -> Result<(), DbError> {
    let sql =
        "update payment_requests set state = $4, previous_state = $5, state_reason = $6, currency = $7, amount = $8,
            persona = $9, pending_until = $10, updated_at = $11, expires_at = $12, ended_at = $13, due_at = $14,
            payment_account_id = $15, product_id = $16, body = $17, identity = $18, approval = $19, short_code = $20
        where account_id = $1 and request_id = $2 and version = $3";
    let values = params![
        &row.account_id,
        &row.request_id,
        row.version,
        &row.state,
        &row.previous_state,
        &row.state_reason,
        &row.currency,
        row.amount,
        &row.persona,
        row.pending_until,
        row.updated_at,
        row.expires_at,
        row.ended_at,
        row.due_at,
        &row.payment_account_id,
        &row.product_id,
        &row.body,
        &row.identity,
        &row.approval,
        &row.short_code
    ];
    changed_one(tx.execute(sql, values).await?)
}

row! {
    /// Something whose time has come.
    pub(crate) struct DueRow { pub(crate) account_id: String, pub(crate) id: String }
}

pub(crate) async fn due_requests(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<DueRow>, DbError> {
    let sql = "select account_id, request_id as id from payment_requests
        where due_at is not null and due_at <= $1 order by due_at limit $2";
    tx.fetch_all(sql, params![now, limit]).await
}

pub(crate) async fn due_transactions(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<DueRow>, DbError> {
    let sql = "select account_id, transaction_id as id from payment_transactions
        where due_at is not null and due_at <= $1 order by due_at limit $2";
    tx.fetch_all(sql, params![now, limit]).await
}

row! {
    /// A Payment Transaction as stored.
    pub(crate) struct TransactionRow {
        pub(crate) account_id: String,
        pub(crate) transaction_id: String,
        pub(crate) version: i64,
        pub(crate) reference: Option<String>,
        pub(crate) request_id: Option<String>,
        pub(crate) payment_account_id: String,
        pub(crate) payment_account_reference: String,
        pub(crate) product_id: String,
        pub(crate) state: String,
        pub(crate) currency: String,
        pub(crate) amount: i64,
        pub(crate) captured: i64,
        pub(crate) refunded: i64,
        pub(crate) charged_back: i64,
        pub(crate) voided: i64,
        pub(crate) settlement_currency: String,
        pub(crate) funding: String,
        pub(crate) persona: String,
        pub(crate) created_at: i64,
        pub(crate) updated_at: i64,
        pub(crate) expires_at: i64,
        pub(crate) due_at: Option<i64>,
        pub(crate) extension_days: i64,
        pub(crate) captures: i64,
        pub(crate) refunds: i64,
        pub(crate) chargebacks: i64,
        pub(crate) voids: i64,
        pub(crate) actions: i64,
        pub(crate) open_disputes: i64,
        pub(crate) purchase_reference: Option<String>,
        pub(crate) purchase_data: Option<String>,
        pub(crate) passthrough: Option<String>,
        pub(crate) variable_bps: Option<i64>,
        pub(crate) fixed_fee: Option<i64>,
        pub(crate) cap_bps: Option<i64>,
    }
}

/// Says whether the row is new; it is not when the reference is taken.
pub(crate) async fn insert_transaction(tx: &mut Tx, row: &TransactionRow) -> Result<bool, DbError> {
    let sql = "insert into payment_transactions (account_id, transaction_id, version, reference, request_id,
            payment_account_id, payment_account_reference, product_id, state, currency, amount, captured, refunded,
            charged_back, voided, settlement_currency, funding, persona, created_at, updated_at, expires_at, due_at,
            extension_days, captures, refunds, chargebacks, voids, actions, purchase_reference, purchase_data, passthrough,
            variable_bps, fixed_fee, cap_bps)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
        on conflict do nothing";
    let values = params![
        &row.account_id,
        &row.transaction_id,
        row.version,
        &row.reference,
        &row.request_id,
        &row.payment_account_id,
        &row.payment_account_reference,
        &row.product_id,
        &row.state,
        &row.currency,
        row.amount,
        row.captured,
        row.refunded,
        row.charged_back,
        row.voided,
        &row.settlement_currency,
        &row.funding,
        &row.persona,
        row.created_at,
        row.updated_at,
        row.expires_at,
        row.due_at,
        row.extension_days,
        row.captures,
        row.refunds,
        row.chargebacks,
        row.voids,
        row.actions,
        &row.purchase_reference,
        &row.purchase_data,
        &row.passthrough,
        row.variable_bps,
        row.fixed_fee,
        row.cap_bps
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(crate) async fn transaction(tx: &mut Tx, account: &str, id: &str) -> Result<Option<TransactionRow>, DbError> {
    let sql = "select account_id, transaction_id, version, reference, request_id, payment_account_id,
            payment_account_reference, product_id, state, currency, amount, captured, refunded, charged_back, voided,
            settlement_currency, funding, persona, created_at, updated_at, expires_at, due_at, extension_days, captures,
            refunds, chargebacks, voids, actions, open_disputes, purchase_reference, purchase_data, passthrough, variable_bps,
            fixed_fee, cap_bps
        from payment_transactions where account_id = $1 and transaction_id = $2";
    tx.fetch_optional(sql, params![account, id]).await
}

/// Reads a transaction and keeps others from changing it until the end of the database's transaction.
pub(crate) async fn lock_transaction(tx: &mut Tx, account: &str, id: &str) -> Result<Option<TransactionRow>, DbError> {
    let sql = "update payment_transactions set version = version + 1 where account_id = $1 and transaction_id = $2
        returning account_id, transaction_id, version, reference, request_id, payment_account_id,
            payment_account_reference, product_id, state, currency, amount, captured, refunded, charged_back, voided,
            settlement_currency, funding, persona, created_at, updated_at, expires_at, due_at, extension_days, captures,
            refunds, chargebacks, voids, actions, open_disputes, purchase_reference, purchase_data, passthrough, variable_bps,
            fixed_fee, cap_bps";
    tx.fetch_optional(sql, params![account, id]).await
}

/// Saves what changes with every decision.
pub(crate) async fn save_transaction(tx: &mut Tx, row: &TransactionRow) -> Result<(), DbError> {
    let sql =
        "update payment_transactions set state = $4, amount = $5, captured = $6, refunded = $7, charged_back = $8,
            voided = $9, funding = $10, updated_at = $11, expires_at = $12, due_at = $13, extension_days = $14,
            captures = $15, refunds = $16, chargebacks = $17, voids = $18, actions = $19, open_disputes = $20
        where account_id = $1 and transaction_id = $2 and version = $3";
    let values = params![
        &row.account_id,
        &row.transaction_id,
        row.version,
        &row.state,
        row.amount,
        row.captured,
        row.refunded,
        row.charged_back,
        row.voided,
        &row.funding,
        row.updated_at,
        row.expires_at,
        row.due_at,
        row.extension_days,
        row.captures,
        row.refunds,
        row.chargebacks,
        row.voids,
        row.actions,
        row.open_disputes
    ];
    changed_one(tx.execute(sql, values).await?)
}

/// Saves what only updates and re-authorizations change.
///
/// # Errors
/// [`DbError::Duplicate`] when the reference is taken.
pub(crate) async fn save_description(tx: &mut Tx, row: &TransactionRow) -> Result<(), DbError> {
    let sql =
        "update payment_transactions set reference = $4, purchase_reference = $5, purchase_data = $6, passthrough = $7
        where account_id = $1 and transaction_id = $2 and version = $3";
    let values = params![
        &row.account_id,
        &row.transaction_id,
        row.version,
        &row.reference,
        &row.purchase_reference,
        &row.purchase_data,
        &row.passthrough
    ];
    changed_one(tx.execute(sql, values).await?)
}

row! {
    /// One line of the list of transactions.
    pub struct ListedRow {
        pub account_id: String,
        pub transaction_id: String,
        pub reference: Option<String>,
        pub state: String,
        pub currency: String,
        pub amount: i64,
        pub captured: i64,
        pub refunded: i64,
        pub charged_back: i64,
        pub voided: i64,
    }
}

/// Transactions of an account in the order of their ids, after `after`.
pub(crate) async fn list_transactions(
    tx: &mut Tx,
    account: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<ListedRow>, DbError> {
    let sql = "select account_id, transaction_id, reference, state, currency, amount, captured, refunded, charged_back,
            voided
        from payment_transactions where account_id = $1 and transaction_id > $2 order by transaction_id limit $3";
    tx.fetch_all(sql, params![account, after, limit]).await
}

row! {
    /// A capture as stored.
    pub(crate) struct CaptureRow {
        pub(crate) number: i64,
        pub(crate) reference: Option<String>,
        pub(crate) amount: i64,
        pub(crate) refunded: i64,
        pub(crate) charged_back: i64,
        pub(crate) captured_at: i64,
        pub(crate) data: Option<String>,
        pub(crate) passthrough: Option<String>,
    }
}

/// Says whether the row is new; it is not when the reference is taken.
pub(crate) async fn insert_capture(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
    row: &CaptureRow,
) -> Result<bool, DbError> {
    let sql =
        "insert into payment_captures (account_id, transaction_id, number, reference, amount, refunded, charged_back,
            captured_at, data, passthrough)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing";
    let values = params![
        account,
        transaction,
        row.number,
        &row.reference,
        row.amount,
        row.refunded,
        row.charged_back,
        row.captured_at,
        &row.data,
        &row.passthrough
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(crate) async fn captures(tx: &mut Tx, account: &str, transaction: &str) -> Result<Vec<CaptureRow>, DbError> {
    let sql = "select number, reference, amount, refunded, charged_back, captured_at, data, passthrough
        from payment_captures where account_id = $1 and transaction_id = $2 order by number";
    tx.fetch_all(sql, params![account, transaction]).await
}

/// The transaction's lock guards the row.
pub(crate) async fn save_capture(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
    (number, refunded, charged_back): (i64, i64, i64),
) -> Result<(), DbError> {
    let sql = "update payment_captures set refunded = $4, charged_back = $5
        where account_id = $1 and transaction_id = $2 and number = $3";
    changed_one(tx.execute(sql, params![account, transaction, number, refunded, charged_back]).await?)
}

row! {
    /// A refund as stored. `shares` is `[[capture number, amount], …]`.
    pub(crate) struct RefundRow {
        pub(crate) number: i64,
        pub(crate) reference: Option<String>,
        pub(crate) amount: i64,
        pub(crate) refunded_at: i64,
        pub(crate) shares: String,
        pub(crate) data: Option<String>,
        pub(crate) passthrough: Option<String>,
    }
}

/// Says whether the row is new; it is not when the reference is taken.
pub(crate) async fn insert_refund(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
    row: &RefundRow,
) -> Result<bool, DbError> {
    let sql =
        "insert into payment_refunds (account_id, transaction_id, number, reference, amount, refunded_at, shares, data,
            passthrough)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";
    let values = params![
        account,
        transaction,
        row.number,
        &row.reference,
        row.amount,
        row.refunded_at,
        &row.shares,
        &row.data,
        &row.passthrough
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(crate) async fn refunds(tx: &mut Tx, account: &str, transaction: &str) -> Result<Vec<RefundRow>, DbError> {
    let sql = "select number, reference, amount, refunded_at, shares, data, passthrough
        from payment_refunds where account_id = $1 and transaction_id = $2 order by number";
    tx.fetch_all(sql, params![account, transaction]).await
}

row! {
    /// A chargeback as stored.
    pub(crate) struct ChargebackRow {
        pub(crate) number: i64,
        pub(crate) capture_number: i64,
        pub(crate) dispute_id: String,
        pub(crate) amount: i64,
        pub(crate) reason: String,
        pub(crate) created_at: i64,
    }
}

pub(crate) async fn insert_chargeback(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
    row: &ChargebackRow,
) -> Result<(), DbError> {
    let sql = "insert into payment_chargebacks (account_id, transaction_id, number, capture_number, dispute_id, amount,
            reason, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = params![
        account,
        transaction,
        row.number,
        row.capture_number,
        &row.dispute_id,
        row.amount,
        &row.reason,
        row.created_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn chargebacks(tx: &mut Tx, account: &str, transaction: &str) -> Result<Vec<ChargebackRow>, DbError> {
    let sql = "select number, capture_number, dispute_id, amount, reason, created_at
        from payment_chargebacks where account_id = $1 and transaction_id = $2 order by number";
    tx.fetch_all(sql, params![account, transaction]).await
}

row! {
    /// A capture, refund or chargeback, with what a settlement says of its transaction.
    pub struct MovementRow {
        pub transaction_id: String,
        /// Counted from 1 within the transaction, for each kind.
        pub number: i64,
        /// When it happened, in microseconds UTC.
        pub at: i64,
        /// In minor units of `currency`, positive whichever way it went.
        pub amount: i64,
        /// The Partner's reference of a capture or refund.
        pub reference: Option<String>,
        /// The one capture that it belongs to.
        pub capture_number: Option<i64>,
        pub capture_reference: Option<String>,
        /// Of refunds, as stored.
        pub shares: Option<String>,
        pub dispute_id: Option<String>,
        pub currency: String,
        pub settlement_currency: String,
        pub payment_account_id: String,
        pub payment_account_reference: String,
        pub transaction_reference: Option<String>,
        pub purchase_reference: Option<String>,
        /// Hundredths of a percent, as agreed at the authorization; null for what is older than prices.
        pub variable_bps: Option<i64>,
        /// Minor units of the transaction's currency.
        pub fixed_fee: Option<i64>,
        /// Hundredths of a percent.
        pub cap_bps: Option<i64>,
    }
}

/// Where a movement stands among those of its kind and account; the default stands before all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovementCursor {
    /// Microseconds UTC.
    pub at: i64,
    pub transaction_id: String,
    pub number: i64,
}

pub(crate) async fn unsettled_captures(
    tx: &mut Tx,
    account: &str,
    after: &MovementCursor,
    until: i64,
    limit: i64,
) -> Result<Vec<MovementRow>, DbError> {
    let sql = "select m.transaction_id, m.number, m.captured_at as at, m.amount, m.reference,
            m.number as capture_number, m.reference as capture_reference, cast(null as text) as shares,
            cast(null as text) as dispute_id, t.currency, t.settlement_currency, t.payment_account_id,
            t.payment_account_reference, t.reference as transaction_reference, t.purchase_reference,
            t.variable_bps, t.fixed_fee, t.cap_bps
        from payment_captures m
        join payment_transactions t on t.account_id = m.account_id and t.transaction_id = m.transaction_id
        where m.account_id = $1 and m.settlement_id is null and m.captured_at < $2
            and (m.captured_at, m.transaction_id, m.number) > ($3, $4, $5)
        order by m.captured_at, m.transaction_id, m.number limit $6";
    tx.fetch_all(sql, params![account, until, after.at, &after.transaction_id, after.number, limit]).await
}

pub(crate) async fn unsettled_refunds(
    tx: &mut Tx,
    account: &str,
    after: &MovementCursor,
    until: i64,
    limit: i64,
) -> Result<Vec<MovementRow>, DbError> {
    let sql = "select m.transaction_id, m.number, m.refunded_at as at, m.amount, m.reference,
            cast(null as bigint) as capture_number, cast(null as text) as capture_reference, m.shares,
            cast(null as text) as dispute_id, t.currency, t.settlement_currency, t.payment_account_id,
            t.payment_account_reference, t.reference as transaction_reference, t.purchase_reference,
            t.variable_bps, t.fixed_fee, t.cap_bps
        from payment_refunds m
        join payment_transactions t on t.account_id = m.account_id and t.transaction_id = m.transaction_id
        where m.account_id = $1 and m.settlement_id is null and m.refunded_at < $2
            and (m.refunded_at, m.transaction_id, m.number) > ($3, $4, $5)
        order by m.refunded_at, m.transaction_id, m.number limit $6";
    tx.fetch_all(sql, params![account, until, after.at, &after.transaction_id, after.number, limit]).await
}

pub(crate) async fn unsettled_chargebacks(
    tx: &mut Tx,
    account: &str,
    after: &MovementCursor,
    until: i64,
    limit: i64,
) -> Result<Vec<MovementRow>, DbError> {
    let sql = "select m.transaction_id, m.number, m.created_at as at, m.amount, cast(null as text) as reference,
            m.capture_number, c.reference as capture_reference, cast(null as text) as shares, m.dispute_id,
            t.currency, t.settlement_currency, t.payment_account_id, t.payment_account_reference,
            t.reference as transaction_reference, t.purchase_reference, t.variable_bps, t.fixed_fee, t.cap_bps
        from payment_chargebacks m
        join payment_transactions t on t.account_id = m.account_id and t.transaction_id = m.transaction_id
        join payment_captures c on c.account_id = m.account_id and c.transaction_id = m.transaction_id
            and c.number = m.capture_number
        where m.account_id = $1 and m.settlement_id is null and m.created_at < $2
            and (m.created_at, m.transaction_id, m.number) > ($3, $4, $5)
        order by m.created_at, m.transaction_id, m.number limit $6";
    tx.fetch_all(sql, params![account, until, after.at, &after.transaction_id, after.number, limit]).await
}

pub(crate) async fn mark_settled(
    tx: &mut Tx,
    kind: MovementKind,
    account: &str,
    settled: &[(&str, i64, &str)],
) -> Result<(), DbError> {
    let sql = match kind {
        MovementKind::Capture => {
            "update payment_captures set settlement_id = $4
             where account_id = $1 and transaction_id = $2 and number = $3 and settlement_id is null"
        }
        MovementKind::Refund => {
            "update payment_refunds set settlement_id = $4
             where account_id = $1 and transaction_id = $2 and number = $3 and settlement_id is null"
        }
        MovementKind::Chargeback => {
            "update payment_chargebacks set settlement_id = $4
             where account_id = $1 and transaction_id = $2 and number = $3 and settlement_id is null"
        }
    };
    let all: Vec<[Param<'_>; 4]> = settled
        .iter()
        .map(|&(transaction, number, settlement)| {
            [account.into(), transaction.into(), number.into(), settlement.into()]
        })
        .collect();
    let statements: Vec<Statement<'_>> = all.iter().map(|params| Statement { sql, params }).collect();
    tx.execute_all(&statements).await
}

row! { struct ReferenceRow { reference: Option<String> } }

pub(crate) async fn capture_reference(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
    number: i64,
) -> Result<Option<String>, DbError> {
    let sql = "select reference from payment_captures where account_id = $1 and transaction_id = $2 and number = $3";
    let row: Option<ReferenceRow> = tx.fetch_optional(sql, params![account, transaction, number]).await?;
    Ok(row.and_then(|row| row.reference))
}

row! {
    /// What a settlement says of a transaction.
    pub struct DescribedRow {
        pub reference: Option<String>,
        pub purchase_reference: Option<String>,
        pub settlement_currency: String,
        pub payment_account_id: String,
        pub payment_account_reference: String,
    }
}

pub(crate) async fn described(tx: &mut Tx, account: &str, transaction: &str) -> Result<Option<DescribedRow>, DbError> {
    let sql = "select reference, purchase_reference, settlement_currency, payment_account_id, payment_account_reference
        from payment_transactions where account_id = $1 and transaction_id = $2";
    tx.fetch_optional(sql, params![account, transaction]).await
}

/// A row that was locked with its version is there; if not, the unit is repeated.
fn changed_one(rows: u64) -> Result<(), DbError> {
    if rows == 1 { Ok(()) } else { Err(DbError::Contended) }
}
