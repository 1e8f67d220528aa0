-- Background work as rows: written in the transaction that makes it necessary, claimed by lease, kept when it fails for good.
create table jobs (
    kind text not null,
    key text not null,
    payload text not null,
    due_at bigint not null,
    lease_until bigint not null,
    attempts bigint not null,
    state text not null,
    last_error text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (kind, key)
);
create index jobs_due on jobs (kind, due_at) where state = 'ready';
create index jobs_dead on jobs (updated_at) where state = 'dead';
