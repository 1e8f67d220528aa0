-- Klarna's webhooks in: our signing keys and subscription at the network, each message once, and a line per verification.
create table network_signing_keys (
    account_id text not null,
    signing_key_id text not null,
    secret bytea not null,
    state text not null,
    created_at bigint not null,
    retires_at bigint,
    primary key (account_id, signing_key_id)
);

-- A key that is being made: written before the network is asked, so that a crash in between repeats the same call.
create table network_signing_key_intents (
    account_id text not null,
    idempotency_key text not null,
    known_keys text not null,
    created_at bigint not null,
    primary key (account_id)
);

create table network_subscriptions (
    account_id text not null,
    url text not null,
    webhook_id text not null,
    signing_key_id text not null,
    checked_at bigint not null,
    primary key (account_id, url)
);

-- The body is sealed: it holds session tokens and customers' names.
create table inbox_messages (
    account_id text not null,
    event_id text not null,
    event_type text not null,
    subject_account_id text,
    webhook_id text,
    occurred_at bigint not null,
    received_at bigint not null,
    body bytea not null,
    state text not null,
    note text,
    settled_at bigint,
    primary key (account_id, event_id)
);
create index inbox_messages_unmatched on inbox_messages (account_id, received_at) where state = 'UNMATCHED';

create table webhook_verifications (
    account_id text not null,
    verification_id text not null,
    received_at bigint not null,
    signing_key_id text,
    signature text not null,
    outcome text not null,
    event_id text,
    event_type text,
    webhook_id text,
    subject_account_id text,
    duplicate boolean not null,
    remote_address text,
    duration_us bigint not null,
    error text,
    primary key (account_id, verification_id)
);
create index webhook_verifications_event on webhook_verifications (account_id, event_id);
create index webhook_verifications_received on webhook_verifications (account_id, received_at);
