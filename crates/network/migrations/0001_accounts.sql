-- Accounts and what a payment needs of them: the payment product with its state, payment accounts, where settlements gather.
create table accounts (
    account_id text not null primary key,
    kind text not null,
    acquiring_partner_id text,
    reference text not null,
    name text not null,
    state text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index accounts_reference on accounts (acquiring_partner_id, reference);

create table acquiring_accounts (
    account_id text not null,
    payment_acquiring_account_id text not null,
    reference text not null,
    created_at bigint not null,
    primary key (account_id, payment_acquiring_account_id)
);

create table payment_profiles (
    account_id text not null,
    payment_profile_id text not null,
    name text not null,
    created_at bigint not null,
    primary key (account_id, payment_profile_id)
);

create table payment_products (
    account_id text not null,
    product_id text not null,
    payment_profile_id text not null,
    state text not null,
    state_reason text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, product_id)
);

create table payment_accounts (
    account_id text not null,
    payment_account_id text not null,
    product_id text not null,
    payment_acquiring_account_id text not null,
    reference text not null,
    guaranteed boolean not null,
    merchant_category_code text not null,
    state text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, payment_account_id)
);
