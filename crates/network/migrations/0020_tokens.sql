-- What lets a payment be made: keys that sign session tokens, grants that are spent once, customers who agreed to be charged again.
create table network_keys (
    name text primary key,
    sealed bytea not null,
    created_at bigint not null
);

create table grants (
    account_id text not null,
    grant_id text not null,
    kind text not null,
    state text not null,
    region text not null,
    request_id text,
    customer_token_id text,
    currency text,
    amount bigint,
    persona text,
    issued_at bigint not null,
    expires_at bigint not null,
    ended_at bigint,
    spent_by text,
    primary key (account_id, grant_id)
);

create table customer_tokens (
    account_id text not null,
    token_id text not null,
    token_hash text not null,
    sealed bytea not null,
    reference text,
    scopes text not null,
    persona text,
    state text not null,
    issued_at bigint not null,
    revoked_at bigint,
    primary key (account_id, token_id)
);
create unique index customer_tokens_hash on customer_tokens (token_hash);
