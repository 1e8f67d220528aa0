-- Which optional (or, approved, restricted) payment programs an account switched on, for whom, and until when.
create table payment_program_enablements (
    account_id text not null,
    enablement_id text not null,
    program_id text not null,
    code text,
    criteria text not null,
    created_at bigint not null,
    ended_at bigint,
    primary key (account_id, enablement_id)
);
