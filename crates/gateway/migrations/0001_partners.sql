-- Partners and their API keys: who may ask, and on whose behalf Klarna is called. Of a key only its SHA-256 is kept.
create table partners (
    partner_id text primary key,
    name text not null,
    klarna_account_id text not null,
    payment_account_id text,
    state text not null,
    created_at bigint not null
);
create unique index partners_klarna_account on partners (klarna_account_id);

create table api_keys (
    partner_id text not null,
    key_id text not null,
    hash bytea not null,
    description text not null,
    created_at bigint not null,
    last_used_at bigint,
    disabled_at bigint,
    primary key (partner_id, key_id)
);
create unique index api_keys_key on api_keys (key_id);
