-- What Partners are told: events in an order without gaps, and the endpoints that get them pushed.
-- An event is written without a position; positions are given later, one Partner at a time, under the lock of its counter row.
create table events (
    partner_id text not null,
    event_id text not null,
    event_type text not null,
    payment_id text,
    data text not null,
    created_at bigint not null,
    ordinal bigint not null,
    position bigint,
    primary key (partner_id, event_id)
);
create unique index events_position on events (partner_id, position) where position is not null;
create index events_payment on events (partner_id, payment_id, position);
create index events_unnumbered on events (partner_id, created_at, ordinal, event_id) where position is null;

create table event_counters (
    partner_id text not null primary key,
    last_position bigint not null
);

create table webhook_endpoints (
    partner_id text not null,
    endpoint_id text not null,
    url text not null,
    event_types text not null,
    description text,
    enabled boolean not null,
    secret bytea not null,
    previous_secret bytea,
    previous_secret_until bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (partner_id, endpoint_id)
);
