-- One row for the installation: how often it was started (so that seeded ids never repeat) and where its clock was moved to.
-- Seeded secrets are kept sealed, because the credentials file is written anew at each start.
create table installation (
    id text not null primary key,
    boots bigint not null,
    clock_offset_us bigint not null,
    created_at bigint not null
);

create table seed_secrets (
    name text not null primary key,
    sealed bytea not null,
    created_at bigint not null
);
