-- Payments and what is done to them: one row a payment, one row a capture, refund or other operation on it.
create table payments (
    partner_id text not null,
    payment_id text not null,
    version bigint not null,
    state text not null,
    phase text not null,
    currency text not null,
    amount bigint not null,
    captured bigint not null,
    refunded bigint not null,
    charged_back bigint not null,
    voided bigint not null,
    reference text,
    capture_mode text not null,
    return_token_hash text,
    klarna_request_id text,
    klarna_transaction_id text,
    klarna_request_url text,
    expires_at bigint,
    watch_at bigint,
    detail text not null,
    purchase text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (partner_id, payment_id)
);
-- Lists go by id, which ascends with time; a reference is the one filter that is selective.
create index payments_reference on payments (partner_id, reference, payment_id) where reference is not null;
create index payments_watch on payments (watch_at) where watch_at is not null;

create table payment_operations (
    partner_id text not null,
    payment_id text not null,
    operation_id text not null,
    kind text not null,
    state text not null,
    amount bigint not null,
    reference text,
    capture_id text,
    klarna_id text,
    failure text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (partner_id, payment_id, operation_id)
);
