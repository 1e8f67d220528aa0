-- Imports of many Partners: how far each is and what became of each row, so that one that was interrupted goes on where it stopped. Of
-- what a row said nothing is kept here: the Partner itself has it, sealed; faults name fields and rules, never values.
create table partner_imports (
    import_id text primary key,
    reference text not null,
    operator_id text not null,
    dry_run boolean not null,
    changes boolean not null,
    submits boolean not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index partner_imports_reference on partner_imports (reference);
create index partner_imports_updated on partner_imports (updated_at);

create table partner_import_rows (
    import_id text not null,
    number bigint not null,
    reference text not null,
    outcome text not null,
    partner_id text,
    faults text not null,
    primary key (import_id, number)
);
create index partner_import_rows_reference on partner_import_rows (import_id, reference);
