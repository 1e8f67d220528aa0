-- People with an account, browsers that asked to be remembered, and Sign in with Klarna: sign-ins under way, what came of them, and the
-- tokens that clients hold. Contacts are sealed; codes, tokens and cookies are kept as digests.
create table customers (
    customer_id text primary key,
    contact_digest text not null,
    contact bytea not null,
    market text not null,
    created_at bigint not null
);
create unique index customers_contact on customers (contact_digest);

create table customer_browsers (
    secret_hash text primary key,
    customer_id text not null,
    expires_at bigint not null,
    created_at bigint not null
);
create index customer_browsers_expiry on customer_browsers (expires_at);

-- Whose a customer token is, where a journey or a sign-in met the person.
alter table customer_tokens add column customer_id text;

create table sign_ins (
    account_id text not null,
    sign_in_id text not null,
    secret_hash text not null,
    asked text not null,
    step text not null,
    contact bytea,
    wrong_codes bigint not null,
    expires_at bigint not null,
    created_at bigint not null,
    primary key (account_id, sign_in_id)
);
create unique index sign_ins_id on sign_ins (sign_in_id);
create index sign_ins_expiry on sign_ins (account_id, expires_at);

create table sign_in_grants (
    account_id text not null,
    grant_id text not null,
    client_id text not null,
    region text not null,
    customer_id text not null,
    customer_token_id text not null,
    scopes text not null,
    redirect_uri text not null,
    nonce text,
    code_challenge text,
    code_hash text not null,
    code_expires_at bigint not null,
    code_used_at bigint,
    signed_in_at bigint not null,
    revoked_at bigint,
    created_at bigint not null,
    primary key (account_id, grant_id)
);
create unique index sign_in_grants_code on sign_in_grants (code_hash);
create index sign_in_grants_customer on sign_in_grants (account_id, client_id, customer_id);

create table sign_in_tokens (
    account_id text not null,
    token_hash text not null,
    grant_id text not null,
    kind text not null,
    expires_at bigint not null,
    used_at bigint,
    created_at bigint not null,
    primary key (account_id, token_hash)
);
create unique index sign_in_tokens_hash on sign_in_tokens (token_hash);
create index sign_in_tokens_expiry on sign_in_tokens (account_id, expires_at);

-- The addresses that a sign-in of this client may answer at; none says nothing.
alter table client_identifiers add column redirect_uris text not null default '[]';
