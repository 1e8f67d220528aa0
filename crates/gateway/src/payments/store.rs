//! Tables `payments` and `payment_operations`.

use kit::db::{DbError, Param, Tx};
use kit::{params, row};

use super::body::CaptureMode;
use super::payment::{Books, Operation, OperationKind, OperationState, PaymentState, Phase};
use super::record::{Detail, OperationRecord, Payment};

row! {
    struct PaymentRow {
        partner_id: String,
        payment_id: String,
        version: i64,
        state: String,
        phase: String,
        currency: String,
        amount: i64,
        captured: i64,
        refunded: i64,
        charged_back: i64,
        voided: i64,
        reference: Option<String>,
        capture_mode: String,
        return_token_hash: Option<String>,
        klarna_request_id: Option<String>,
        klarna_transaction_id: Option<String>,
        klarna_request_url: Option<String>,
        expires_at: Option<i64>,
        watch_at: Option<i64>,
        detail: String,
        created_at: i64,
        updated_at: i64,
    }
}

row! {
    struct OperationRow {
        operation_id: String,
        kind: String,
        state: String,
        amount: i64,
        reference: Option<String>,
        capture_id: Option<String>,
        klarna_id: Option<String>,
        failure: Option<String>,
        created_at: i64,
        updated_at: i64,
    }
}

impl PaymentRow {
    fn into_payment(self) -> Result<Payment, DbError> {
        let detail: Detail = serde_json::from_str(&self.detail)
            .map_err(|source| DbError::Decode { column: "detail".to_owned(), source: Box::new(source) })?;
        Ok(Payment {
            books: Books {
                state: PaymentState::from(self.state.as_str()),
                phase: Phase::from_stored(&self.phase),
                amount: self.amount,
                captured: self.captured,
                refunded: self.refunded,
                charged_back: self.charged_back,
                voided: self.voided,
                told: detail.told,
                expires_at: self.expires_at,
            },
            partner_id: self.partner_id,
            payment_id: self.payment_id,
            version: self.version,
            currency: self.currency,
            reference: self.reference,
            capture_mode: CaptureMode::from_stored(&self.capture_mode),
            return_token_hash: self.return_token_hash,
            klarna_request_id: self.klarna_request_id,
            klarna_transaction_id: self.klarna_transaction_id,
            klarna_request_url: self.klarna_request_url,
            watch_at: self.watch_at,
            detail,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl OperationRow {
    fn into_record(self) -> Result<OperationRecord, DbError> {
        let kind = OperationKind::from_stored(&self.kind).ok_or_else(|| DbError::Decode {
            column: "kind".to_owned(),
            source: format!("{:?} is no kind of operation", self.kind).into(),
        })?;
        Ok(OperationRecord {
            operation: Operation {
                id: self.operation_id,
                kind,
                state: OperationState::from_stored(&self.state),
                amount: self.amount,
                capture_id: self.capture_id,
                klarna_id: self.klarna_id,
            },
            reference: self.reference,
            failure: self.failure,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn detail_text(payment: &Payment) -> String {
    let detail = Detail { told: payment.books.told, ..payment.detail.clone() };
    serde_json::to_string(&detail).expect("texts and integers always serialize")
}

/// `token_hash` is of the session token that came with it: who comes again with the same one has paid already.
pub(super) async fn insert(
    tx: &mut Tx,
    payment: &Payment,
    purchase: &str,
    token_hash: Option<&str>,
) -> Result<(), DbError> {
    let sql = "insert into payments (partner_id, payment_id, version, state, phase, currency, amount, captured, refunded,
            charged_back, voided, reference, capture_mode, return_token_hash, klarna_request_id, klarna_transaction_id,
            klarna_request_url, expires_at, watch_at, detail, purchase, created_at, updated_at, session_token_hash)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24)";
    let (books, detail) = (&payment.books, detail_text(payment));
    let values = params![
        &payment.partner_id,
        &payment.payment_id,
        payment.version,
        books.state.as_str(),
        books.phase.as_str(),
        &payment.currency,
        books.amount,
        books.captured,
        books.refunded,
        books.charged_back,
        books.voided,
        &payment.reference,
        payment.capture_mode.as_str(),
        &payment.return_token_hash,
        &payment.klarna_request_id,
        &payment.klarna_transaction_id,
        &payment.klarna_request_url,
        books.expires_at,
        payment.watch_at,
        &detail,
        purchase,
        payment.created_at,
        payment.updated_at,
        token_hash,
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Writes all that can change, if nobody was faster; the version moves on.
///
/// # Errors
/// [`DbError::Contended`] when somebody was: read again and decide again.
pub(super) async fn save(tx: &mut Tx, payment: &mut Payment) -> Result<(), DbError> {
    let sql =
        "update payments set version = version + 1, state = $4, phase = $5, amount = $6, captured = $7, refunded = $8,
            charged_back = $9, voided = $10, reference = $11, klarna_request_id = $12, klarna_transaction_id = $13,
            klarna_request_url = $14, expires_at = $15, watch_at = $16, detail = $17, updated_at = $18
        where partner_id = $1 and payment_id = $2 and version = $3";
    let (books, detail) = (&payment.books, detail_text(payment));
    let values = params![
        &payment.partner_id,
        &payment.payment_id,
        payment.version,
        books.state.as_str(),
        books.phase.as_str(),
        books.amount,
        books.captured,
        books.refunded,
        books.charged_back,
        books.voided,
        &payment.reference,
        &payment.klarna_request_id,
        &payment.klarna_transaction_id,
        &payment.klarna_request_url,
        books.expires_at,
        payment.watch_at,
        &detail,
        payment.updated_at,
    ];
    if tx.execute(sql, values).await? == 0 {
        return Err(DbError::Contended);
    }
    payment.version += 1;
    Ok(())
}

/// Reads a payment and keeps its row from changing until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, partner_id: &str, payment_id: &str) -> Result<Option<Payment>, DbError> {
    let sql = "update payments set version = version + 1 where partner_id = $1 and payment_id = $2
        returning partner_id, payment_id, version, state, phase, currency, amount, captured, refunded, charged_back, voided,
            reference, capture_mode, return_token_hash, klarna_request_id, klarna_transaction_id, klarna_request_url,
            expires_at, watch_at, detail, created_at, updated_at";
    let row: Option<PaymentRow> = tx.fetch_optional(sql, params![partner_id, payment_id]).await?;
    row.map(PaymentRow::into_payment).transpose()
}

pub(super) async fn find(tx: &mut Tx, partner_id: &str, payment_id: &str) -> Result<Option<Payment>, DbError> {
    let sql = "select partner_id, payment_id, version, state, phase, currency, amount, captured, refunded, charged_back, voided,
            reference, capture_mode, return_token_hash, klarna_request_id, klarna_transaction_id, klarna_request_url,
            expires_at, watch_at, detail, created_at, updated_at
        from payments where partner_id = $1 and payment_id = $2";
    let row: Option<PaymentRow> = tx.fetch_optional(sql, params![partner_id, payment_id]).await?;
    row.map(PaymentRow::into_payment).transpose()
}

/// The payments that came with a session token, newest first.
pub(super) async fn of_token(tx: &mut Tx, partner_id: &str, token_hash: &str) -> Result<Vec<Payment>, DbError> {
    let sql = "select partner_id, payment_id, version, state, phase, currency, amount, captured, refunded, charged_back, voided,
            reference, capture_mode, return_token_hash, klarna_request_id, klarna_transaction_id, klarna_request_url,
            expires_at, watch_at, detail, created_at, updated_at
        from payments where partner_id = $1 and session_token_hash = $2 order by payment_id desc limit 10";
    let rows: Vec<PaymentRow> = tx.fetch_all(sql, params![partner_id, token_hash]).await?;
    rows.into_iter().map(PaymentRow::into_payment).collect()
}

/// Payments that are due for a look at Klarna, of all Partners: recovery works for everybody.
pub(super) async fn due_for_watch(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<(String, String)>, DbError> {
    row! { struct WatchRow { partner_id: String, payment_id: String } }
    let sql = "select partner_id, payment_id from payments where watch_at is not null and watch_at <= $1
        order by watch_at limit $2";
    let rows: Vec<WatchRow> = tx.fetch_all(sql, params![now, limit]).await?;
    Ok(rows.into_iter().map(|row| (row.partner_id, row.payment_id)).collect())
}

/// Puts the next look off.
pub(super) async fn watch_again(tx: &mut Tx, partner_id: &str, payment_id: &str, at: i64) -> Result<(), DbError> {
    let sql = "update payments set watch_at = $3 where partner_id = $1 and payment_id = $2 and watch_at is not null";
    tx.execute(sql, params![partner_id, payment_id, at]).await.map(drop)
}

pub(super) async fn purchase(tx: &mut Tx, partner_id: &str, payment_id: &str) -> Result<Option<String>, DbError> {
    row! { struct PurchaseRow { purchase: String } }
    let sql = "select purchase from payments where partner_id = $1 and payment_id = $2";
    let row: Option<PurchaseRow> = tx.fetch_optional(sql, params![partner_id, payment_id]).await?;
    Ok(row.map(|row| row.purchase))
}

pub(super) async fn set_purchase(tx: &mut Tx, partner_id: &str, payment_id: &str, text: &str) -> Result<(), DbError> {
    let sql = "update payments set purchase = $3 where partner_id = $1 and payment_id = $2";
    tx.execute(sql, params![partner_id, payment_id, text]).await.map(drop)
}

/// What a list shows.
#[derive(Clone, Debug, Default)]
pub(super) struct ListFilter {
    pub state: Option<String>,
    pub currency: Option<String>,
    pub reference: Option<String>,
    /// Inclusive.
    pub created_from: Option<i64>,
    /// Exclusive.
    pub created_until: Option<i64>,
    pub amount: Option<i64>,
}

/// Payments on one side of a cursor, nearest first. Ids ascend with time, so they are the order.
pub(super) async fn page(
    tx: &mut Tx,
    partner_id: &str,
    filter: &ListFilter,
    after: Option<&str>,
    newer: bool,
    limit: i64,
) -> Result<Vec<Payment>, DbError> {
    const OLDER: &str = "select partner_id, payment_id, version, state, phase, currency, amount, captured, refunded, charged_back,
            voided, reference, capture_mode, return_token_hash, klarna_request_id, klarna_transaction_id, klarna_request_url,
            expires_at, watch_at, detail, created_at, updated_at
        from payments where partner_id = $1 and payment_id < $2
            and (cast($3 as text) is null or state = $3) and (cast($4 as text) is null or currency = $4)
            and (cast($5 as text) is null or reference = $5) and (cast($6 as bigint) is null or created_at >= $6)
            and (cast($7 as bigint) is null or created_at < $7) and (cast($8 as bigint) is null or amount = $8)
        order by payment_id desc limit $9";
    const NEWER: &str = "select partner_id, payment_id, version, state, phase, currency, amount, captured, refunded, charged_back,
            voided, reference, capture_mode, return_token_hash, klarna_request_id, klarna_transaction_id, klarna_request_url,
            expires_at, watch_at, detail, created_at, updated_at
        from payments where partner_id = $1 and payment_id > $2
            and (cast($3 as text) is null or state = $3) and (cast($4 as text) is null or currency = $4)
            and (cast($5 as text) is null or reference = $5) and (cast($6 as bigint) is null or created_at >= $6)
            and (cast($7 as bigint) is null or created_at < $7) and (cast($8 as bigint) is null or amount = $8)
        order by payment_id limit $9";
    // Beyond every id in the direction of the list.
    let start = after.unwrap_or(if newer { "" } else { "pay_~" });
    let values = params![
        partner_id,
        start,
        &filter.state,
        &filter.currency,
        &filter.reference,
        filter.created_from,
        filter.created_until,
        filter.amount,
        limit,
    ];
    let rows: Vec<PaymentRow> = tx.fetch_all(if newer { NEWER } else { OLDER }, values).await?;
    rows.into_iter().map(PaymentRow::into_payment).collect()
}

pub(super) async fn operations(
    tx: &mut Tx,
    partner_id: &str,
    payment_id: &str,
) -> Result<Vec<OperationRecord>, DbError> {
    let sql =
        "select operation_id, kind, state, amount, reference, capture_id, klarna_id, failure, created_at, updated_at
        from payment_operations where partner_id = $1 and payment_id = $2 order by created_at, operation_id";
    let rows: Vec<OperationRow> = tx.fetch_all(sql, params![partner_id, payment_id]).await?;
    rows.into_iter().map(OperationRow::into_record).collect()
}

/// Inserts an operation, or writes what can change of it.
pub(super) async fn put_operation(
    tx: &mut Tx,
    partner_id: &str,
    payment_id: &str,
    record: &OperationRecord,
) -> Result<(), DbError> {
    let sql = "insert into payment_operations (partner_id, payment_id, operation_id, kind, state, amount, reference, capture_id,
            klarna_id, failure, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (partner_id, payment_id, operation_id) do update set state = excluded.state,
            klarna_id = excluded.klarna_id, failure = excluded.failure, updated_at = excluded.updated_at";
    let operation = &record.operation;
    let values: [Param<'_>; 12] = [
        partner_id.into(),
        payment_id.into(),
        (&operation.id).into(),
        operation.kind.as_str().into(),
        operation.state.as_str().into(),
        operation.amount.into(),
        (&record.reference).into(),
        (&operation.capture_id).into(),
        (&operation.klarna_id).into(),
        (&record.failure).into(),
        record.created_at.into(),
        record.updated_at.into(),
    ];
    tx.execute(sql, &values).await.map(drop)
}
