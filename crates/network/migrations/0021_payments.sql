-- Payments: what customers are asked (payment requests), and what was authorized, taken and given back (payment transactions).
-- `due_at` is when time alone changes something: a sweep looks for it, and every read does.
create table payment_requests (
    account_id text not null,
    request_id text not null,
    version bigint not null,
    state text not null,
    previous_state text,
    state_reason text,
    currency text not null,
    amount bigint,
    persona text,
    pending_until bigint,
    created_at bigint not null,
    updated_at bigint not null,
    expires_at bigint not null,
    ended_at bigint,
    due_at bigint,
    payment_account_id text not null,
    product_id text not null,
    body text not null,
    identity text,
    approval text,
    primary key (account_id, request_id)
);
create unique index payment_requests_id on payment_requests (request_id);
create index payment_requests_due on payment_requests (due_at) where due_at is not null;

create table payment_transactions (
    account_id text not null,
    transaction_id text not null,
    version bigint not null,
    reference text,
    request_id text,
    payment_account_id text not null,
    payment_account_reference text not null,
    product_id text not null,
    state text not null,
    currency text not null,
    amount bigint not null,
    captured bigint not null,
    refunded bigint not null,
    charged_back bigint not null,
    voided bigint not null,
    settlement_currency text not null,
    funding text not null,
    persona text not null,
    created_at bigint not null,
    updated_at bigint not null,
    expires_at bigint not null,
    due_at bigint,
    extension_days bigint not null,
    captures bigint not null,
    refunds bigint not null,
    chargebacks bigint not null,
    voids bigint not null,
    actions bigint not null,
    purchase_reference text,
    purchase_data text,
    passthrough text,
    primary key (account_id, transaction_id)
);
create unique index payment_transactions_reference on payment_transactions (account_id, reference);
create index payment_transactions_due on payment_transactions (due_at) where due_at is not null;

create table payment_captures (
    account_id text not null,
    transaction_id text not null,
    number bigint not null,
    reference text,
    amount bigint not null,
    refunded bigint not null,
    charged_back bigint not null,
    captured_at bigint not null,
    data text,
    passthrough text,
    primary key (account_id, transaction_id, number)
);
create unique index payment_captures_reference on payment_captures (account_id, transaction_id, reference);

create table payment_refunds (
    account_id text not null,
    transaction_id text not null,
    number bigint not null,
    reference text,
    amount bigint not null,
    refunded_at bigint not null,
    shares text not null,
    data text,
    passthrough text,
    primary key (account_id, transaction_id, number)
);
create unique index payment_refunds_reference on payment_refunds (account_id, transaction_id, reference);

create table payment_chargebacks (
    account_id text not null,
    transaction_id text not null,
    number bigint not null,
    capture_number bigint not null,
    dispute_id text not null,
    amount bigint not null,
    reason text not null,
    created_at bigint not null,
    primary key (account_id, transaction_id, number)
);
