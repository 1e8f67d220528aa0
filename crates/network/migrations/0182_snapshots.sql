-- Named copies of everything that this installation holds, to begin again from. The rows themselves stand in tables that are made with
-- each snapshot; `tables` lists them. The generation tells other processes that everything they remember is void.
create table snapshots (
    name text not null primary key,
    number bigint not null,
    created_at bigint not null,
    clock_offset_us bigint not null,
    schema_version text not null,
    tables text not null
);

create table installation_generation (
    id text not null primary key,
    generation bigint not null
);
