-- What was called at this network and what it answered, for whoever builds against it. What was said is sealed, because bodies hold
-- customers' data; what lists are filtered by is not. Only the newest are kept. Calls of unknown callers stand under the account '-'.
create table calls (
    acquiring_partner_id text not null,
    call_id text not null,
    occurred_at bigint not null,
    method text not null,
    path text not null,
    operation text,
    status bigint,
    duration_us bigint not null,
    account_id text,
    correlation_id text,
    partner_correlation_id text,
    error_code text,
    fault_id text,
    detail bytea not null,
    primary key (acquiring_partner_id, call_id)
);

create index calls_by_age on calls (call_id);
