-- API keys by the digest of their text: the text itself is shown once and never stored. Client identifiers are not secret.
create table api_keys (
    account_id text not null,
    credential_id text not null,
    key_hash bytea not null,
    description text not null,
    state text not null,
    last_used_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, credential_id)
);
create unique index api_keys_hash on api_keys (key_hash);

create table client_identifiers (
    account_id text not null,
    credential_id text not null,
    client_id text not null,
    description text not null,
    state text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, credential_id)
);
create unique index client_identifiers_client on client_identifiers (client_id);
