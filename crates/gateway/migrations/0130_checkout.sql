-- The hosted checkout: a line per session, found by the digest of the key in its address; the key itself is sealed, since whoever has
-- it may pay, and so is the session token that the Partner handed over. `attempt` counts the payments that were made in it, of which
-- `payment_id` is the last one: another is only made after that one came to nothing.
create table checkout_sessions (
    partner_id text not null,
    session_id text not null,
    version bigint not null,
    state text not null,
    amount bigint not null,
    currency text not null,
    reference text,
    attempt bigint not null,
    payment_id text,
    method text,
    key_hash text not null,
    access_key bytea not null,
    token bytea,
    detail text not null,
    expires_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    completed_at bigint,
    primary key (partner_id, session_id)
);
create unique index checkout_sessions_key on checkout_sessions (key_hash);
create index checkout_sessions_reference on checkout_sessions (partner_id, reference, session_id) where reference is not null;

-- What the pages of an origin name themselves with to the Web SDK.
create table checkout_client_identifiers (
    account_id text not null,
    origin text not null,
    credential_id text not null,
    client_id text not null,
    checked_at bigint not null,
    primary key (account_id, origin)
);

-- Who brings a session token a second time has paid with it already.
alter table payments add column session_token_hash text;
create index payments_session_token on payments (partner_id, session_token_hash) where session_token_hash is not null;
