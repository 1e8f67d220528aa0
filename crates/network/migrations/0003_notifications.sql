-- Who is told what: signing keys (the secret sealed), webhooks, and every event as each recipient account sees it.
create table signing_keys (
    account_id text not null,
    signing_key_id text not null,
    secret bytea not null,
    created_at bigint not null,
    primary key (account_id, signing_key_id)
);

create table webhooks (
    account_id text not null,
    webhook_id text not null,
    url text not null,
    event_types text not null,
    event_version text not null,
    signing_key_id text not null,
    status text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, webhook_id)
);

-- The ordinal keeps events of one transaction in their order. The key serves the paging, too: no second index to write.
create table events (
    recipient_account_id text not null,
    created_at bigint not null,
    ordinal bigint not null,
    event_id text not null,
    event_type text not null,
    subject_account_id text not null,
    product_instance_id text,
    occurred_at bigint not null,
    correlation_id text,
    simulated boolean not null,
    payload text not null,
    primary key (recipient_account_id, created_at, ordinal, event_id)
);
