-- Operators: the Acquiring Partner's own people and systems, who onboard Partners. Of a key only its SHA-256 is kept.
create table operators (
    operator_id text primary key,
    name text not null,
    hash bytea not null,
    created_at bigint not null,
    last_used_at bigint,
    disabled_at bigint
);
