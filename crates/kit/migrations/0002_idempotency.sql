-- First answers by idempotency key, so that a repeated call changes nothing and hears the same.
create table idempotency_keys (
    scope text not null,
    key text not null,
    fingerprint text not null,
    state text not null,
    status bigint,
    body bytea,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (scope, key)
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
