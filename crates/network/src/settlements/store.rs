//! Rows of settlements, their lines and payouts, runs, balances, and entries of other rooms.

use kit::db::{DbError, Param, Statement, Tx};
use kit::{params, row};

row! { struct UntilRow { settled_until: i64 } }

/// Makes the book of an Acquiring Partner if there is none, and keeps other runs of it waiting until the end of the transaction.
/// Returns until when its days are settled.
pub(super) async fn lock_book(tx: &mut Tx, account: &str, new_until: i64) -> Result<i64, DbError> {
    let sql = "insert into settlement_books (account_id, version, settled_until) values ($1, 1, $2)
        on conflict (account_id) do update set version = settlement_books.version + 1
        returning settled_until";
    Ok(tx.fetch_one::<UntilRow>(sql, params![account, new_until]).await?.settled_until)
}

pub(super) async fn settled_until(tx: &mut Tx, account: &str) -> Result<Option<i64>, DbError> {
    let sql = "select settled_until from settlement_books where account_id = $1";
    Ok(tx.fetch_optional::<UntilRow>(sql, params![account]).await?.map(|row| row.settled_until))
}

pub(super) async fn set_settled_until(tx: &mut Tx, account: &str, until: i64) -> Result<(), DbError> {
    let sql = "update settlement_books set settled_until = $2 where account_id = $1";
    tx.execute(sql, params![account, until]).await.map(drop)
}

row! {
    /// A run, and how far it is.
    pub(super) struct RunRow {
        pub(super) account_id: String,
        pub(super) run_id: String,
        pub(super) on_demand: bool,
        pub(super) interval_start: i64,
        pub(super) interval_end: i64,
        pub(super) payment_acquiring_account_id: Option<String>,
        pub(super) created_at: i64,
        pub(super) at_account: String,
        pub(super) at_source: i64,
        pub(super) at_time: i64,
        pub(super) at_id: String,
        pub(super) at_number: i64,
    }
}

pub(super) async fn insert_run(tx: &mut Tx, run: &RunRow) -> Result<(), DbError> {
    let sql = "insert into settlement_runs (account_id, run_id, on_demand, interval_start, interval_end,
            payment_acquiring_account_id, created_at, at_account, at_source, at_time, at_id, at_number)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = params![
        &run.account_id,
        &run.run_id,
        run.on_demand,
        run.interval_start,
        run.interval_end,
        &run.payment_acquiring_account_id,
        run.created_at,
        &run.at_account,
        run.at_source,
        run.at_time,
        &run.at_id,
        run.at_number
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn run(tx: &mut Tx, account: &str, run: &str) -> Result<Option<RunRow>, DbError> {
    let sql = "select account_id, run_id, on_demand, interval_start, interval_end, payment_acquiring_account_id,
            created_at, at_account, at_source, at_time, at_id, at_number
        from settlement_runs where account_id = $1 and run_id = $2";
    tx.fetch_optional(sql, params![account, run]).await
}

pub(super) async fn save_run(tx: &mut Tx, run: &RunRow) -> Result<(), DbError> {
    let sql = "update settlement_runs set at_account = $3, at_source = $4, at_time = $5, at_id = $6, at_number = $7
        where account_id = $1 and run_id = $2";
    let values =
        params![&run.account_id, &run.run_id, &run.at_account, run.at_source, run.at_time, &run.at_id, run.at_number];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn delete_run(tx: &mut Tx, account: &str, run: &str) -> Result<(), DbError> {
    let sql = "delete from settlement_runs where account_id = $1 and run_id = $2";
    tx.execute(sql, params![account, run]).await.map(drop)
}

row! {
    /// A run by its key.
    pub(super) struct RunKeyRow { pub(super) account_id: String, pub(super) run_id: String }
}

pub(super) async fn unfinished_runs(tx: &mut Tx, limit: i64) -> Result<Vec<RunKeyRow>, DbError> {
    let sql = "select account_id, run_id from settlement_runs order by created_at, account_id, run_id limit $1";
    tx.fetch_all(sql, params![limit]).await
}

/// Every column of a settlement, in the order of [`SettlementRow`].
macro_rules! columns {
    () => {
        "account_id, settlement_id, run_id, payment_acquiring_account_id, currency, interval_start, interval_end, state,
            payment_reference, sequence, opening_balance, settlement_amount, closing_balance, transactions, capture_amount,
            refund_amount, chargeback_amount, chargeback_reversal_amount, fee_amount, tax_amount, adjustment_amount,
            holdback_amount, release_amount, created_at"
    };
}

row! {
    /// A settlement as stored.
    pub(super) struct SettlementRow {
        pub(super) account_id: String,
        pub(super) settlement_id: String,
        pub(super) run_id: String,
        pub(super) payment_acquiring_account_id: String,
        pub(super) currency: String,
        pub(super) interval_start: i64,
        pub(super) interval_end: i64,
        pub(super) state: String,
        pub(super) payment_reference: String,
        /// Its place among those of its balance, once it is closed.
        pub(super) sequence: Option<i64>,
        pub(super) opening_balance: i64,
        pub(super) settlement_amount: i64,
        pub(super) closing_balance: i64,
        /// How many lines it has.
        pub(super) transactions: i64,
        pub(super) capture_amount: i64,
        pub(super) refund_amount: i64,
        pub(super) chargeback_amount: i64,
        pub(super) chargeback_reversal_amount: i64,
        pub(super) fee_amount: i64,
        pub(super) tax_amount: i64,
        pub(super) adjustment_amount: i64,
        pub(super) holdback_amount: i64,
        pub(super) release_amount: i64,
        pub(super) created_at: i64,
    }
}

pub(super) async fn insert_settlement(tx: &mut Tx, row: &SettlementRow) -> Result<(), DbError> {
    let sql = concat!(
        "insert into settlements (",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24)"
    );
    let values = params![
        &row.account_id,
        &row.settlement_id,
        &row.run_id,
        &row.payment_acquiring_account_id,
        &row.currency,
        row.interval_start,
        row.interval_end,
        &row.state,
        &row.payment_reference,
        row.sequence,
        row.opening_balance,
        row.settlement_amount,
        row.closing_balance,
        row.transactions,
        row.capture_amount,
        row.refund_amount,
        row.chargeback_amount,
        row.chargeback_reversal_amount,
        row.fee_amount,
        row.tax_amount,
        row.adjustment_amount,
        row.holdback_amount,
        row.release_amount,
        row.created_at
    ];
    tx.execute(sql, values).await.map(drop)
}

/// What changes while a settlement grows and when it closes. The book's lock guards the row.
pub(super) async fn save_settlement(tx: &mut Tx, row: &SettlementRow) -> Result<(), DbError> {
    let sql = "update settlements set state = $3, sequence = $4, opening_balance = $5, settlement_amount = $6,
            closing_balance = $7, transactions = $8, capture_amount = $9, refund_amount = $10, chargeback_amount = $11,
            chargeback_reversal_amount = $12, fee_amount = $13, tax_amount = $14, adjustment_amount = $15,
            holdback_amount = $16, release_amount = $17
        where account_id = $1 and settlement_id = $2";
    let values = params![
        &row.account_id,
        &row.settlement_id,
        &row.state,
        row.sequence,
        row.opening_balance,
        row.settlement_amount,
        row.closing_balance,
        row.transactions,
        row.capture_amount,
        row.refund_amount,
        row.chargeback_amount,
        row.chargeback_reversal_amount,
        row.fee_amount,
        row.tax_amount,
        row.adjustment_amount,
        row.holdback_amount,
        row.release_amount
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn set_state(tx: &mut Tx, account: &str, settlement: &str, state: &str) -> Result<(), DbError> {
    let sql = "update settlements set state = $3 where account_id = $1 and settlement_id = $2";
    tx.execute(sql, params![account, settlement, state]).await.map(drop)
}

pub(super) async fn settlement(tx: &mut Tx, account: &str, id: &str) -> Result<Option<SettlementRow>, DbError> {
    let sql = concat!("select ", columns!(), " from settlements where account_id = $1 and settlement_id = $2");
    tx.fetch_optional(sql, params![account, id]).await
}

/// The settlement that a run gathers an acquiring account and currency in.
pub(super) async fn settlement_of_run(
    tx: &mut Tx,
    (account, run): (&str, &str),
    acquiring_account: &str,
    currency: &str,
) -> Result<Option<SettlementRow>, DbError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from settlements
        where account_id = $1 and run_id = $2 and payment_acquiring_account_id = $3 and currency = $4"
    );
    tx.fetch_optional(sql, params![account, run, acquiring_account, currency]).await
}

/// The settlements of a run, by acquiring account and currency; with `state`, only those in it.
pub(super) async fn settlements_of_run(
    tx: &mut Tx,
    (account, run): (&str, &str),
    state: Option<&str>,
    limit: i64,
) -> Result<Vec<SettlementRow>, DbError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from settlements where account_id = $1 and run_id = $2 and ($3 = '' or state = $3)
        order by payment_acquiring_account_id, currency limit $4"
    );
    tx.fetch_all(sql, params![account, run, state.unwrap_or_default(), limit]).await
}

/// Which settlements a list shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Those that end behind this time, in microseconds UTC.
    pub(super) ends_after: Option<i64>,
    /// Those that begin before this time.
    pub(super) begins_before: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) payment_acquiring_account_id: Option<String>,
}

/// What a filter lets through.
macro_rules! passes {
    () => {
        "account_id = $1 and interval_end > $2 and interval_start < $3 and ($4 = '' or currency = $4)
            and ($5 = '' or payment_acquiring_account_id = $5)"
    };
}

impl Filter {
    fn params<'a>(&'a self, account: &'a str) -> Vec<Param<'a>> {
        vec![
            account.into(),
            self.ends_after.unwrap_or(i64::MIN).into(),
            self.begins_before.unwrap_or(i64::MAX).into(),
            self.currency.as_deref().unwrap_or_default().into(),
            self.payment_acquiring_account_id.as_deref().unwrap_or_default().into(),
        ]
    }
}

/// Settlements from behind `(time, id)`, oldest first; backwards those before it, newest first.
pub(super) async fn settlements(
    tx: &mut Tx,
    account: &str,
    filter: &Filter,
    ((time, id), backwards): ((i64, &str), bool),
    limit: i64,
) -> Result<Vec<SettlementRow>, DbError> {
    let forwards_sql = concat!(
        "select ",
        columns!(),
        " from settlements where ",
        passes!(),
        " and (created_at, settlement_id) > ($6, $7) order by created_at, settlement_id limit $8"
    );
    let backwards_sql = concat!(
        "select ",
        columns!(),
        " from settlements where ",
        passes!(),
        " and (created_at, settlement_id) < ($6, $7) order by created_at desc, settlement_id desc limit $8"
    );
    let mut values = filter.params(account);
    values.extend([Param::from(time), Param::from(id), Param::from(limit)]);
    tx.fetch_all(if backwards { backwards_sql } else { forwards_sql }, &values).await
}

row! { struct CountRow { found: i64 } }

pub(super) async fn count_settlements(tx: &mut Tx, account: &str, filter: &Filter) -> Result<i64, DbError> {
    let sql = concat!("select count(*) as found from settlements where ", passes!());
    Ok(tx.fetch_one::<CountRow>(sql, &filter.params(account)).await?.found)
}

/// Every column of a line, in the order of [`LineRow`].
macro_rules! line_columns {
    () => {
        "number, settlement_transaction_id, type as kind, detailed_type, amount, tax_amount, tax_rate, currency,
            transaction_event_amount, transaction_event_currency, exchange_rate, occurred_at, partner_account_id,
            payment_account_id, payment_account_reference, payment_transaction_id, payment_transaction_reference,
            purchase_reference, payment_capture_id, payment_capture_reference, payment_refund_id,
            payment_refund_reference, payment_chargeback_id, dispute_id"
    };
}

row! {
    /// A line as stored.
    pub(super) struct LineRow {
        pub(super) number: i64,
        pub(super) settlement_transaction_id: String,
        pub(super) kind: String,
        pub(super) detailed_type: Option<String>,
        pub(super) amount: i64,
        pub(super) tax_amount: Option<i64>,
        pub(super) tax_rate: Option<String>,
        pub(super) currency: String,
        pub(super) transaction_event_amount: Option<i64>,
        pub(super) transaction_event_currency: Option<String>,
        pub(super) exchange_rate: Option<String>,
        pub(super) occurred_at: i64,
        pub(super) partner_account_id: String,
        pub(super) payment_account_id: String,
        pub(super) payment_account_reference: Option<String>,
        pub(super) payment_transaction_id: Option<String>,
        pub(super) payment_transaction_reference: Option<String>,
        pub(super) purchase_reference: Option<String>,
        pub(super) payment_capture_id: Option<String>,
        pub(super) payment_capture_reference: Option<String>,
        pub(super) payment_refund_id: Option<String>,
        pub(super) payment_refund_reference: Option<String>,
        pub(super) payment_chargeback_id: Option<String>,
        pub(super) dispute_id: Option<String>,
    }
}

pub(super) async fn insert_lines(tx: &mut Tx, account: &str, lines: &[(String, LineRow)]) -> Result<(), DbError> {
    let sql = "insert into settlement_transactions (account_id, settlement_id, number, settlement_transaction_id, type,
            detailed_type, amount, tax_amount, tax_rate, currency, transaction_event_amount,
            transaction_event_currency, exchange_rate, occurred_at, partner_account_id, payment_account_id,
            payment_account_reference, payment_transaction_id, payment_transaction_reference, purchase_reference,
            payment_capture_id, payment_capture_reference, payment_refund_id, payment_refund_reference,
            payment_chargeback_id, dispute_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24, $25, $26)";
    let all: Vec<[Param<'_>; 26]> = lines
        .iter()
        .map(|(settlement, line)| {
            [
                account.into(),
                settlement.into(),
                line.number.into(),
                (&line.settlement_transaction_id).into(),
                (&line.kind).into(),
                (&line.detailed_type).into(),
                line.amount.into(),
                line.tax_amount.into(),
                (&line.tax_rate).into(),
                (&line.currency).into(),
                line.transaction_event_amount.into(),
                (&line.transaction_event_currency).into(),
                (&line.exchange_rate).into(),
                line.occurred_at.into(),
                (&line.partner_account_id).into(),
                (&line.payment_account_id).into(),
                (&line.payment_account_reference).into(),
                (&line.payment_transaction_id).into(),
                (&line.payment_transaction_reference).into(),
                (&line.purchase_reference).into(),
                (&line.payment_capture_id).into(),
                (&line.payment_capture_reference).into(),
                (&line.payment_refund_id).into(),
                (&line.payment_refund_reference).into(),
                (&line.payment_chargeback_id).into(),
                (&line.dispute_id).into(),
            ]
        })
        .collect();
    let statements: Vec<Statement<'_>> = all.iter().map(|params| Statement { sql, params }).collect();
    tx.execute_all(&statements).await
}

/// Lines of a settlement in their order, from behind `after`.
pub(super) async fn lines_after(
    tx: &mut Tx,
    account: &str,
    settlement: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<LineRow>, DbError> {
    let sql = concat!(
        "select ",
        line_columns!(),
        " from settlement_transactions where account_id = $1 and settlement_id = $2 and number > $3
        order by number limit $4"
    );
    tx.fetch_all(sql, params![account, settlement, after, limit]).await
}

/// Lines of a settlement, descending, from before `before`.
pub(super) async fn lines_before(
    tx: &mut Tx,
    account: &str,
    settlement: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<LineRow>, DbError> {
    let sql = concat!(
        "select ",
        line_columns!(),
        " from settlement_transactions where account_id = $1 and settlement_id = $2 and number < $3
        order by number desc limit $4"
    );
    tx.fetch_all(sql, params![account, settlement, before, limit]).await
}

row! {
    /// What is carried on, and how many settlements there were.
    pub(super) struct BalanceRow { pub(super) amount: i64, pub(super) settlements: i64 }
}

/// Counts one more settlement of a balance and returns what is carried into it.
pub(super) async fn next_of_balance(
    tx: &mut Tx,
    account: &str,
    acquiring_account: &str,
    currency: &str,
) -> Result<BalanceRow, DbError> {
    let sql =
        "insert into settlement_balances (account_id, payment_acquiring_account_id, currency, amount, settlements)
        values ($1, $2, $3, 0, 1)
        on conflict (account_id, payment_acquiring_account_id, currency)
            do update set settlements = settlement_balances.settlements + 1
        returning amount, settlements";
    tx.fetch_one(sql, params![account, acquiring_account, currency]).await
}

pub(super) async fn set_balance(
    tx: &mut Tx,
    account: &str,
    acquiring_account: &str,
    currency: &str,
    amount: i64,
) -> Result<(), DbError> {
    let sql = "update settlement_balances set amount = $4
        where account_id = $1 and payment_acquiring_account_id = $2 and currency = $3";
    tx.execute(sql, params![account, acquiring_account, currency, amount]).await.map(drop)
}

row! { struct CurrencyRow { currency: String } }

/// The currencies in which an acquiring account was settled before.
pub(super) async fn currencies(tx: &mut Tx, account: &str, acquiring_account: &str) -> Result<Vec<String>, DbError> {
    let sql = "select currency from settlement_balances
        where account_id = $1 and payment_acquiring_account_id = $2 order by currency";
    let rows: Vec<CurrencyRow> = tx.fetch_all(sql, params![account, acquiring_account]).await?;
    Ok(rows.into_iter().map(|row| row.currency).collect())
}

row! {
    /// A payout as stored.
    pub(super) struct PayoutRow {
        pub(super) account_id: String,
        pub(super) settlement_id: String,
        pub(super) version: i64,
        pub(super) payment_reference: String,
        pub(super) amount: i64,
        pub(super) currency: String,
        pub(super) status: String,
        pub(super) payout_bank_account_reference: String,
        pub(super) will_fail: bool,
        pub(super) updated_at: i64,
        pub(super) due_at: Option<i64>,
    }
}

pub(super) async fn insert_payout(tx: &mut Tx, row: &PayoutRow) -> Result<(), DbError> {
    let sql = "insert into settlement_payouts (account_id, settlement_id, version, payment_reference, amount, currency,
            status, payout_bank_account_reference, will_fail, updated_at, due_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values = params![
        &row.account_id,
        &row.settlement_id,
        row.version,
        &row.payment_reference,
        row.amount,
        &row.currency,
        &row.status,
        &row.payout_bank_account_reference,
        row.will_fail,
        row.updated_at,
        row.due_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn payout(tx: &mut Tx, account: &str, settlement: &str) -> Result<Option<PayoutRow>, DbError> {
    let sql = "select account_id, settlement_id, version, payment_reference, amount, currency, status,
            payout_bank_account_reference, will_fail, updated_at, due_at
        from settlement_payouts where account_id = $1 and settlement_id = $2";
    tx.fetch_optional(sql, params![account, settlement]).await
}

/// Reads a payout and keeps others from changing it until the end of the transaction.
pub(super) async fn lock_payout(tx: &mut Tx, account: &str, settlement: &str) -> Result<Option<PayoutRow>, DbError> {
    let sql = "update settlement_payouts set version = version + 1 where account_id = $1 and settlement_id = $2
        returning account_id, settlement_id, version, payment_reference, amount, currency, status,
            payout_bank_account_reference, will_fail, updated_at, due_at";
    tx.fetch_optional(sql, params![account, settlement]).await
}

pub(super) async fn save_payout(tx: &mut Tx, row: &PayoutRow) -> Result<(), DbError> {
    let sql = "update settlement_payouts set status = $4, payout_bank_account_reference = $5, will_fail = $6,
            updated_at = $7, due_at = $8
        where account_id = $1 and settlement_id = $2 and version = $3";
    let values = params![
        &row.account_id,
        &row.settlement_id,
        row.version,
        &row.status,
        &row.payout_bank_account_reference,
        row.will_fail,
        row.updated_at,
        row.due_at
    ];
    tx.execute(sql, values).await.map(drop)
}

row! {
    /// A payout by its key.
    pub(super) struct PayoutKeyRow { pub(super) account_id: String, pub(super) settlement_id: String }
}

pub(super) async fn due_payouts(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<PayoutKeyRow>, DbError> {
    let sql = "select account_id, settlement_id from settlement_payouts
        where due_at is not null and due_at <= $1 order by due_at limit $2";
    tx.fetch_all(sql, params![now, limit]).await
}

row! {
    /// An entry of another room.
    pub(super) struct EntryRow {
        pub(super) entry_key: String,
        pub(super) kind: String,
        pub(super) amount: i64,
        pub(super) currency: String,
        pub(super) payment_account_id: String,
        pub(super) transaction_id: Option<String>,
        pub(super) capture_number: Option<i64>,
        pub(super) dispute_id: Option<String>,
        pub(super) occurred_at: i64,
    }
}

/// Says whether the entry is new.
pub(super) async fn insert_entry(tx: &mut Tx, account: &str, row: &EntryRow) -> Result<bool, DbError> {
    let sql = "insert into settlement_entries (account_id, entry_key, type, amount, currency, payment_account_id,
            transaction_id, capture_number, dispute_id, occurred_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing";
    let values = params![
        account,
        &row.entry_key,
        &row.kind,
        row.amount,
        &row.currency,
        &row.payment_account_id,
        &row.transaction_id,
        row.capture_number,
        &row.dispute_id,
        row.occurred_at
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

/// Entries that stand in no settlement, in the order of time, from behind `(time, key)` and before `until`.
pub(super) async fn unsettled_entries(
    tx: &mut Tx,
    account: &str,
    (after_time, after_key): (i64, &str),
    until: i64,
    limit: i64,
) -> Result<Vec<EntryRow>, DbError> {
    let sql = "select entry_key, type as kind, amount, currency, payment_account_id, transaction_id, capture_number,
            dispute_id, occurred_at
        from settlement_entries
        where account_id = $1 and settlement_id is null and occurred_at < $2 and (occurred_at, entry_key) > ($3, $4)
        order by occurred_at, entry_key limit $5";
    tx.fetch_all(sql, params![account, until, after_time, after_key, limit]).await
}

/// Notes in which settlements entries stand: `(key, settlement)`.
pub(super) async fn mark_entries(tx: &mut Tx, account: &str, settled: &[(&str, &str)]) -> Result<(), DbError> {
    let sql = "update settlement_entries set settlement_id = $3
        where account_id = $1 and entry_key = $2 and settlement_id is null";
    let all: Vec<[Param<'_>; 3]> =
        settled.iter().map(|&(key, settlement)| [account.into(), key.into(), settlement.into()]).collect();
    let statements: Vec<Statement<'_>> = all.iter().map(|params| Statement { sql, params }).collect();
    tx.execute_all(&statements).await
}
