-- Settlements: what an Acquiring Partner is paid. A movement (capture, refund, chargeback, and what other rooms enter in
-- `settlement_entries`) is settled once: its row says in which settlement, and is null until then. Taking money writes nothing here;
-- the partial indexes are the queue of what no settlement has, and nobody trusts clocks for not missing what commits late.
alter table payment_captures add column settlement_id text;
alter table payment_refunds add column settlement_id text;
alter table payment_chargebacks add column settlement_id text;
create index payment_captures_unsettled on payment_captures (account_id, captured_at, transaction_id, number)
    where settlement_id is null;
create index payment_refunds_unsettled on payment_refunds (account_id, refunded_at, transaction_id, number)
    where settlement_id is null;
create index payment_chargebacks_unsettled on payment_chargebacks (account_id, created_at, transaction_id, number)
    where settlement_id is null;
-- A run walks the accounts of one Acquiring Partner in the order of their ids.
create index accounts_of_acquiring_partner on accounts (acquiring_partner_id, account_id);

-- Movements that are not of payments themselves: fees of disputes, what is held back, corrections. `entry_key` is the poster's own, so
-- that posting twice posts once.
create table settlement_entries (
    account_id text not null,
    entry_key text not null,
    type text not null,
    amount bigint not null,
    currency text not null,
    payment_account_id text not null,
    transaction_id text,
    capture_number bigint,
    dispute_id text,
    occurred_at bigint not null,
    settlement_id text,
    primary key (account_id, entry_key)
);
create index settlement_entries_unsettled on settlement_entries (account_id, occurred_at, entry_key)
    where settlement_id is null;

-- One per Acquiring Partner: locked by every step of a run, and how far its days are settled.
create table settlement_books (
    account_id text not null primary key,
    version bigint not null,
    settled_until bigint not null
);

-- Runs that are not finished, and how far they are.
create table settlement_runs (
    account_id text not null,
    run_id text not null,
    on_demand boolean not null,
    interval_start bigint not null,
    interval_end bigint not null,
    payment_acquiring_account_id text,
    created_at bigint not null,
    at_account text not null,
    at_source bigint not null,
    at_time bigint not null,
    at_id text not null,
    at_number bigint not null,
    primary key (account_id, run_id)
);

-- What is carried from one settlement of an acquiring account and currency to the next; never more than 0.
create table settlement_balances (
    account_id text not null,
    payment_acquiring_account_id text not null,
    currency text not null,
    amount bigint not null,
    settlements bigint not null,
    primary key (account_id, payment_acquiring_account_id, currency)
);

create table settlements (
    account_id text not null,
    settlement_id text not null,
    run_id text not null,
    payment_acquiring_account_id text not null,
    currency text not null,
    interval_start bigint not null,
    interval_end bigint not null,
    state text not null,
    payment_reference text not null,
    sequence bigint,
    opening_balance bigint not null,
    settlement_amount bigint not null,
    closing_balance bigint not null,
    transactions bigint not null,
    capture_amount bigint not null,
    refund_amount bigint not null,
    chargeback_amount bigint not null,
    chargeback_reversal_amount bigint not null,
    fee_amount bigint not null,
    tax_amount bigint not null,
    adjustment_amount bigint not null,
    holdback_amount bigint not null,
    release_amount bigint not null,
    created_at bigint not null,
    primary key (account_id, settlement_id)
);
create unique index settlements_of_run on settlements (account_id, run_id, payment_acquiring_account_id, currency);

create index settlements_by_time on settlements (account_id, created_at, settlement_id);

create table settlement_transactions (
    account_id text not null,
    settlement_id text not null,
    number bigint not null,
    settlement_transaction_id text not null,
    type text not null,
    detailed_type text,
    amount bigint not null,
    tax_amount bigint,
    tax_rate text,
    currency text not null,
    transaction_event_amount bigint,
    transaction_event_currency text,
    exchange_rate text,
    occurred_at bigint not null,
    partner_account_id text not null,
    payment_account_id text not null,
    payment_account_reference text,
    payment_transaction_id text,
    payment_transaction_reference text,
    purchase_reference text,
    payment_capture_id text,
    payment_capture_reference text,
    payment_refund_id text,
    payment_refund_reference text,
    payment_chargeback_id text,
    dispute_id text,
    primary key (account_id, settlement_id, number)
);

create table settlement_payouts (
    account_id text not null,
    settlement_id text not null,
    version bigint not null,
    payment_reference text not null,
    amount bigint not null,
    currency text not null,
    status text not null,
    payout_bank_account_reference text not null,
    will_fail boolean not null,
    updated_at bigint not null,
    due_at bigint,
    primary key (account_id, settlement_id)
);
create index settlement_payouts_due on settlement_payouts (due_at) where due_at is not null;
