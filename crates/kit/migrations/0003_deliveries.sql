-- Webhooks on their way out: one row per event and subscription, and one per attempt to deliver it.
create table deliveries (
    owner text not null,
    delivery_id text not null,
    target text not null,
    event_id text not null,
    event_type text not null,
    body bytea not null,
    state text not null,
    attempts bigint not null,
    retries bigint not null,
    next_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (owner, delivery_id)
);
create index deliveries_event on deliveries (owner, event_id);

create table delivery_attempts (
    owner text not null,
    delivery_id text not null,
    attempt bigint not null,
    url text not null,
    started_at bigint not null,
    duration_us bigint not null,
    status bigint,
    error text,
    response text,
    primary key (owner, delivery_id, attempt)
);
