-- Partner accounts in full: who they are, what they consist of, what Klarna decided about them. Personal and bank data stand in
-- `details` and `content`, which are sealed. Times in the future (`operational_at`, `decision_at`) are when time alone changes an account:
-- a job comes back for them, and every read and decision of this room accounts for them.
alter table accounts add column details bytea;
alter table accounts add column operational_at bigint;
alter table accounts add column decision_at bigint;
alter table accounts add column decision_type text;

-- Business entities, brands, store groups, stores, relationships and access policies: one life (made, changed, listed, never removed),
-- so one table. `parent_id` is the brand of a store group and the store group of a store.
create table account_resources (
    account_id text not null,
    resource_id text not null,
    kind text not null,
    reference text not null,
    parent_id text,
    content bytea not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, resource_id)
);
create unique index account_resources_reference on account_resources (account_id, kind, reference);
create index account_resources_made on account_resources (account_id, kind, created_at, resource_id);

-- Who disabled a product decides who may enable it.
alter table payment_products add column disabled_by text;
alter table payment_products add column reason_details text;
alter table payment_products add column compliance_decision_id text;

alter table payment_accounts add column partner_business_entity_id text;
alter table payment_accounts add column default_store_group_id text;
create unique index payment_accounts_reference on payment_accounts (payment_acquiring_account_id, reference);

create table compliance_decisions (
    account_id text not null,
    decision_id text not null,
    decision_type text not null,
    product_id text,
    created_at bigint not null,
    primary key (account_id, decision_id)
);
