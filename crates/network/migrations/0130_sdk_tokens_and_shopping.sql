-- What leads up to a payment: tokens that start a Web SDK once, baskets that are prepared before anybody pays, and the short
-- addresses that QR codes hold.
create table sdk_tokens (
    account_id text not null,
    token_hash text not null,
    region text not null,
    claims text not null,
    issued_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    primary key (account_id, token_hash)
);
create unique index sdk_tokens_hash on sdk_tokens (token_hash);

create table shopping_sessions (
    account_id text not null,
    session_id text not null,
    purchase_reference text,
    sealed bytea not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (account_id, session_id)
);
create index shopping_sessions_reference on shopping_sessions (account_id, purchase_reference, created_at);

alter table payment_requests add column short_code text;
create unique index payment_requests_short_code on payment_requests (short_code) where short_code is not null;
