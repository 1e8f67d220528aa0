//! A run: from movements to settlements, in steps that each are one bounded transaction.
//!
//! A step locks the book of its Acquiring Partner, so that runs of one Partner never interleave, takes the next movements, marks
//! each with its settlement, adds the lines, and remembers where it is: all or nothing. After a crash the next step goes on from there.
//! When nothing is left, the settlements close one after the other, each over what was carried from the one before.

use std::collections::HashMap;

use kit::clock::DAY_US;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::{EventType, PartnerAccountId, SettlementId};

use super::files;
use super::line::{self, Line};
use super::payout::Payout;
use super::settlement::{self, State, Totals};
use super::source::{Described, Movement, SOURCES};
use super::store::{self, LineRow, PayoutRow, RunRow, SettlementRow};
use super::view;
use crate::accounts;
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::payments::ledger::MovementCursor;

/// How much one step may do.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Movements that it takes.
    pub movements: i64,
    /// Partner accounts that it looks at.
    pub accounts: i64,
}

/// Of a step in the background: some tens of milliseconds of SQLite's one writer.
pub const STEP: Budget = Budget { movements: 500, accounts: 50 };
/// Of a step within a call, which answers at once when this is enough.
pub const CALL: Budget = Budget { movements: 500, accounts: 200 };
/// Settlements that one step closes.
const CLOSED_MAX: i64 = 50;

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    Done,
}

/// A run to be made.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    pub account: &'a PartnerAccountId,
    /// Movements from this time on, in microseconds UTC; a daily run also takes whatever older ones stand in no settlement.
    pub interval_start: i64,
    /// Movements before this time.
    pub interval_end: i64,
    /// For one acquiring account, or all.
    pub payment_acquiring_account_id: Option<&'a str>,
    /// Asked for by a call: then there is a report even if nothing moved.
    pub on_demand: bool,
}

/// Makes a run and returns its id. [`step`] does its work.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn begin(tx: &mut Tx, ctx: &Ctx, new: &NewRun<'_>) -> Result<String, ApiError> {
    let now = ctx.clock.now();
    let run = RunRow {
        account_id: new.account.as_str().to_owned(),
        run_id: ctx.random.id(now).to_string(),
        on_demand: new.on_demand,
        interval_start: new.interval_start,
        interval_end: new.interval_end,
        payment_acquiring_account_id: new.payment_acquiring_account_id.map(str::to_owned),
        created_at: now,
        at_account: String::new(),
        at_source: 0,
        at_time: first_time(new.on_demand, new.interval_start),
        at_id: String::new(),
        at_number: 0,
    };
    store::insert_run(tx, &run).await?;
    Ok(run.run_id)
}

/// Begins the run of the next day of an Acquiring Partner that is over; `None` when all of them are settled.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn begin_day(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    exists_since: i64,
) -> Result<Option<String>, ApiError> {
    let start = store::lock_book(tx, account.as_str(), midnight(exists_since)).await?;
    let end = start + DAY_US;
    if end > ctx.clock.now() {
        return Ok(None);
    }
    let new = NewRun {
        account,
        interval_start: start,
        interval_end: end,
        payment_acquiring_account_id: None,
        on_demand: false,
    };
    let run = begin(tx, ctx, &new).await?;
    store::set_settled_until(tx, account.as_str(), end).await?;
    Ok(Some(run))
}

/// The beginning of the day in UTC.
pub(super) fn midnight(at: i64) -> i64 {
    at - at.rem_euclid(DAY_US)
}

/// A call's interval has a beginning. A day's run takes whatever no settlement has: what committed late, or bore the time of a clock
/// that was behind, belongs to the next day that looks.
fn first_time(on_demand: bool, interval_start: i64) -> i64 {
    if on_demand { interval_start } else { i64::MIN }
}

/// Position of a run that has seen all accounts and closes.
const CLOSING: i64 = 100;

/// One step of a run; [`Progress::Done`] for one that is finished or never was.
///
/// # Errors
/// [`kit::db::DbError`]; 500 for rows that cannot be read.
pub(super) async fn step(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    run_id: &str,
    budget: Budget,
    correlation_id: Option<&str>,
) -> Result<Progress, ApiError> {
    store::lock_book(tx, account.as_str(), midnight(ctx.clock.now())).await?;
    // Read under the lock: another process may have gone on with it.
    let Some(run) = store::run(tx, account.as_str(), run_id).await? else { return Ok(Progress::Done) };
    let mut step = Step { tx, ctx, account, run, settlements: HashMap::new(), acquiring: HashMap::new() };
    if step.run.at_source != CLOSING {
        let finished = step.gather(budget).await?;
        step.save().await?;
        if !finished {
            return Ok(Progress::More);
        }
    }
    step.close(correlation_id).await
}

struct Step<'a> {
    tx: &'a mut Tx,
    ctx: &'a Ctx,
    account: &'a PartnerAccountId,
    run: RunRow,
    /// Those that this step has added to, by acquiring account and currency.
    settlements: HashMap<(String, &'static str), SettlementRow>,
    /// Acquiring accounts by Partner account and payment account.
    acquiring: HashMap<(String, String), String>,
}

impl Step<'_> {
    /// Takes movements until the budget is used up; says whether every account was seen to its end.
    async fn gather(&mut self, budget: Budget) -> Result<bool, ApiError> {
        let mut left = budget.movements;
        // An Acquiring Partner may sell, too; the empty text stands for itself, before all accounts under it.
        let mut accounts = Vec::new();
        if self.run.at_account.is_empty() {
            accounts.push(String::new());
        }
        let under = accounts::under(self.tx, self.account.as_str(), &self.run.at_account, budget.accounts + 1).await?;
        let may_be_more = i64::try_from(under.len()).unwrap_or(i64::MAX) > budget.accounts;
        accounts.extend(under);
        for account in accounts {
            if account != self.run.at_account {
                self.go_to(account.clone(), 0);
            }
            let acting = if account.is_empty() { self.account.as_str().to_owned() } else { account.clone() };
            while let Some(source) = usize::try_from(self.run.at_source).ok().and_then(|index| SOURCES.get(index)) {
                let after = MovementCursor {
                    at: self.run.at_time,
                    transaction_id: self.run.at_id.clone(),
                    number: self.run.at_number,
                };
                let found = source.read(self.tx, &acting, &after, self.run.interval_end, left).await?;
                let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
                let last = found.last().map(|movement| movement.cursor.clone());
                let settled = self.take(&acting, found).await?;
                source.mark(self.tx, &acting, &settled).await?;
                left -= count;
                if left <= 0 {
                    if let Some(last) = last {
                        (self.run.at_time, self.run.at_id, self.run.at_number) =
                            (last.at, last.transaction_id, last.number);
                    }
                    return Ok(false);
                }
                self.go_to(account.clone(), self.run.at_source + 1);
            }
        }
        if may_be_more {
            return Ok(false);
        }
        self.go_to(String::new(), CLOSING);
        Ok(true)
    }

    fn go_to(&mut self, account: String, source: i64) {
        let run = &mut self.run;
        (run.at_account, run.at_source) = (account, source);
        run.at_time = first_time(run.on_demand, run.interval_start);
        (run.at_id, run.at_number) = (String::new(), 0);
    }

    /// Adds movements to their settlements; returns which, and where they went.
    async fn take(
        &mut self,
        partner: &str,
        movements: Vec<Movement>,
    ) -> Result<Vec<(MovementCursor, String)>, ApiError> {
        let mut settled = Vec::with_capacity(movements.len());
        let mut added = Vec::new();
        for Movement { moved, cursor, described, rates } in movements {
            let acquiring = self.acquiring_account(partner, &described.payment_account_id).await?;
            if self.run.payment_acquiring_account_id.as_ref().is_some_and(|wanted| *wanted != acquiring) {
                continue;
            }
            let lines = line::lines(&moved, &rates);
            let key = (acquiring, moved.settlement_currency.code());
            let totals = totals(self.settlement(&key).await?);
            let Some((lines, totals)) = lines.and_then(|lines| totals.with(&lines).map(|totals| (lines, totals)))
            else {
                // Ours: it waits for a settlement that it fits in.
                tracing::error!(partner.krn = %partner, amount = moved.amount, "a movement is too large for this settlement");
                continue;
            };
            let row = self.settlement(&key).await?;
            put_totals(row, &totals);
            let settlement_id = row.settlement_id.clone();
            for line in lines {
                row.transactions += 1;
                let number = row.transactions;
                added.push((settlement_id.clone(), (number, line, key.1, cursor.at, described.clone())));
            }
            settled.push((cursor, settlement_id));
        }
        let now = self.ctx.clock.now();
        let rows: Vec<(String, LineRow)> = added
            .into_iter()
            .map(|(settlement, (number, line, currency, at, described))| {
                let id = self.ctx.random.id(now).to_string();
                (settlement, line_row(id, number, &line, currency, at, partner, described))
            })
            .collect();
        store::insert_lines(self.tx, self.account.as_str(), &rows).await?;
        Ok(settled)
    }

    async fn acquiring_account(&mut self, partner: &str, payment_account: &str) -> Result<String, ApiError> {
        let key = (partner.to_owned(), payment_account.to_owned());
        if let Some(known) = self.acquiring.get(&key) {
            return Ok(known.clone());
        }
        let found = accounts::acquiring_account_of(self.tx, partner, payment_account).await?;
        let found = found.ok_or_else(|| ApiError::internal("a payment account that does not exist was used"))?;
        self.acquiring.insert(key, found.clone());
        Ok(found)
    }

    /// The settlement of this run for an acquiring account and currency, made when there is none.
    async fn settlement(&mut self, key: &(String, &'static str)) -> Result<&mut SettlementRow, ApiError> {
        if !self.settlements.contains_key(key) {
            let of_run = (self.account.as_str(), self.run.run_id.as_str());
            let row = match store::settlement_of_run(self.tx, of_run, &key.0, key.1).await? {
                Some(row) => row,
                None => self.open(&key.0, key.1).await?,
            };
            self.settlements.insert(key.clone(), row);
        }
        self.settlements.get_mut(key).ok_or_else(|| ApiError::internal("it was just put there"))
    }

    async fn open(&mut self, acquiring_account: &str, currency: &str) -> Result<SettlementRow, ApiError> {
        let now = self.ctx.clock.now();
        let reference = self.ctx.random.text(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 8);
        let row = SettlementRow {
            account_id: self.account.as_str().to_owned(),
            settlement_id: SettlementId::new(self.ctx.random.id(now)).as_str().to_owned(),
            run_id: self.run.run_id.clone(),
            payment_acquiring_account_id: acquiring_account.to_owned(),
            currency: currency.to_owned(),
            interval_start: self.run.interval_start,
            interval_end: self.run.interval_end,
            state: State::Open.as_str().to_owned(),
            // Ours: the prefix by which a bank statement's lines are known.
            payment_reference: format!("KN{reference}"),
            sequence: None,
            opening_balance: 0,
            settlement_amount: 0,
            closing_balance: 0,
            transactions: 0,
            capture_amount: 0,
            refund_amount: 0,
            chargeback_amount: 0,
            chargeback_reversal_amount: 0,
            fee_amount: 0,
            tax_amount: 0,
            adjustment_amount: 0,
            holdback_amount: 0,
            release_amount: 0,
            created_at: now,
        };
        store::insert_settlement(self.tx, &row).await?;
        Ok(row)
    }

    async fn save(&mut self) -> Result<(), ApiError> {
        for row in self.settlements.values() {
            store::save_settlement(self.tx, row).await?;
        }
        store::save_run(self.tx, &self.run).await?;
        Ok(())
    }

    /// Closes what the run has gathered.
    async fn close(&mut self, correlation_id: Option<&str>) -> Result<Progress, ApiError> {
        self.open_empty_ones().await?;
        let of_run = (self.account.as_str(), self.run.run_id.as_str());
        let open = store::settlements_of_run(self.tx, of_run, Some(State::Open.as_str()), CLOSED_MAX).await?;
        let is_last = i64::try_from(open.len()).unwrap_or(i64::MAX) < CLOSED_MAX;
        for row in open {
            self.close_one(row, correlation_id).await?;
        }
        if !is_last {
            return Ok(Progress::More);
        }
        store::delete_run(self.tx, self.account.as_str(), &self.run.run_id).await?;
        Ok(Progress::Done)
    }

    /// Ours: a call for a report gets one, though nothing moved: for every currency settled before, else for the one of
    /// the place that this end is in.
    async fn open_empty_ones(&mut self) -> Result<(), ApiError> {
        let of_run = (self.account.as_str(), self.run.run_id.as_str());
        if !self.run.on_demand || !store::settlements_of_run(self.tx, of_run, None, 1).await?.is_empty() {
            return Ok(());
        }
        let acquiring_accounts = match &self.run.payment_acquiring_account_id {
            Some(one) => vec![one.clone()],
            None => accounts::acquiring_accounts(self.tx, self.account.as_str()).await?,
        };
        // One of each suffices for saying that there is nothing.
        for acquiring_account in acquiring_accounts.into_iter().take(1) {
            let mut currencies = store::currencies(self.tx, self.account.as_str(), &acquiring_account).await?;
            if currencies.is_empty() {
                currencies.push(protocol::Currency::EUR.code().to_owned());
            }
            for currency in currencies {
                self.open(&acquiring_account, &currency).await?;
            }
        }
        Ok(())
    }

    async fn close_one(&mut self, mut row: SettlementRow, correlation_id: Option<&str>) -> Result<(), ApiError> {
        let now = self.ctx.clock.now();
        let (account, acquiring) = (self.account.as_str(), row.payment_acquiring_account_id.clone());
        let balance = store::next_of_balance(self.tx, account, &acquiring, &row.currency).await?;
        let closing = settlement::close(balance.amount, &totals(&row))
            .ok_or_else(|| ApiError::internal("a balance is beyond 64 bits"))?;
        store::set_balance(self.tx, account, &acquiring, &row.currency, closing.closing).await?;
        row.sequence = Some(balance.settlements);
        row.opening_balance = closing.opening;
        row.settlement_amount = closing.settlement_amount;
        row.closing_balance = closing.closing;
        row.state = closing.state.as_str().to_owned();
        store::save_settlement(self.tx, &row).await?;
        if let Some(amount) = closing.payout {
            let payout = Payout::new(now);
            let payout = PayoutRow {
                account_id: account.to_owned(),
                settlement_id: row.settlement_id.clone(),
                version: 1,
                payment_reference: row.payment_reference.clone(),
                amount,
                currency: row.currency.clone(),
                status: payout.status.as_str().to_owned(),
                payout_bank_account_reference: bank_account(&acquiring),
                will_fail: payout.will_fail,
                updated_at: payout.updated_at,
                due_at: payout.due_at,
            };
            store::insert_payout(self.tx, &payout).await?;
        }
        let event = NewEvent {
            event_type: EventType::SettlementReportCreated,
            subject: self.account,
            product_instance_id: None,
            payload: view::report_created(&row, &self.ctx.config.base_url)?,
            occurred_at: now,
            correlation_id,
        };
        notifications::emit(self.tx, self.ctx, &event).await?;
        files::begin(self.tx, self.ctx, &row).await
    }
}

/// The masked account that is paid to. Ours: settlement accounts are Klarna's to set up, so its last digits are made from
/// the acquiring account's id, always the same.
fn bank_account(acquiring_account: &str) -> String {
    let digits = acquiring_account.bytes().fold(0u32, |sum, byte| (sum * 31 + u32::from(byte)) % 10_000);
    format!("IBAN: **************{digits:04}")
}

pub(super) fn totals(row: &SettlementRow) -> Totals {
    Totals {
        capture: row.capture_amount,
        refund: row.refund_amount,
        chargeback: row.chargeback_amount,
        chargeback_reversal: row.chargeback_reversal_amount,
        fee: row.fee_amount,
        tax: row.tax_amount,
        adjustment: row.adjustment_amount,
        holdback: row.holdback_amount,
        release: row.release_amount,
    }
}

fn put_totals(row: &mut SettlementRow, totals: &Totals) {
    row.capture_amount = totals.capture;
    row.refund_amount = totals.refund;
    row.chargeback_amount = totals.chargeback;
    row.chargeback_reversal_amount = totals.chargeback_reversal;
    row.fee_amount = totals.fee;
    row.tax_amount = totals.tax;
    row.adjustment_amount = totals.adjustment;
    row.holdback_amount = totals.holdback;
    row.release_amount = totals.release;
}

fn line_row(
    id: String,
    number: i64,
    line: &Line,
    currency: &str,
    at: i64,
    partner: &str,
    described: Described,
) -> LineRow {
    LineRow {
        number,
        settlement_transaction_id: id,
        kind: line.kind.as_str().to_owned(),
        detailed_type: line.detailed.map(str::to_owned),
        amount: line.amount,
        tax_amount: line.tax.map(|(tax, _)| tax),
        tax_rate: line.tax.map(|(_, rate)| rate.to_string()),
        currency: currency.to_owned(),
        transaction_event_amount: line.exchanged.map(|from| from.amount),
        transaction_event_currency: line.exchanged.map(|from| from.currency.code().to_owned()),
        exchange_rate: line.exchanged.map(|from| from.rate.to_string()),
        occurred_at: at,
        partner_account_id: partner.to_owned(),
        payment_account_id: described.payment_account_id,
        payment_account_reference: described.payment_account_reference,
        payment_transaction_id: described.transaction_id,
        payment_transaction_reference: described.transaction_reference,
        purchase_reference: described.purchase_reference,
        payment_capture_id: described.capture_id,
        payment_capture_reference: described.capture_reference,
        payment_refund_id: described.refund_id,
        payment_refund_reference: described.refund_reference,
        payment_chargeback_id: described.chargeback_id,
        dispute_id: described.dispute_id,
    }
}
