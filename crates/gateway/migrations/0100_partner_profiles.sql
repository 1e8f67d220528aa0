-- What the Acquiring Partner knows of its Partners, draft to end: a line per Partner with where it stands, and a line per part (the
-- account itself, a business entity, a brand, …). What a part says is sealed: it names persons and bank accounts.
create table partner_profiles (
    partner_id text primary key,
    reference text not null,
    state text not null,
    standing text not null,
    align_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index partner_profiles_reference on partner_profiles (reference);
create index partner_profiles_align on partner_profiles (align_at) where align_at is not null;

-- `version` counts changes; `synced_version` is the one that Klarna has.
create table partner_parts (
    partner_id text not null,
    part_id text not null,
    kind text not null,
    reference text not null,
    position bigint not null,
    body bytea not null,
    klarna_id text,
    version bigint not null,
    synced_version bigint,
    primary key (partner_id, part_id)
);
create unique index partner_parts_reference on partner_parts (partner_id, kind, reference);

-- What differed between the two sides when they were compared, by the names of fields; never what they held.
create table partner_drifts (
    partner_id text not null,
    drift_id text not null,
    found_at bigint not null,
    field text not null,
    action text not null,
    primary key (partner_id, drift_id)
);

-- Who and why, for a Partner that may make no new payments.
alter table partners add column suspended_by text;
alter table partners add column suspended_reason text;
