-- The demonstration's shop: who its shoppers are, which browsers they use, and what they bought.
create table accounts (
    account_id text not null,
    subject text,
    name text,
    email text,
    created_at bigint not null,
    primary key (account_id)
);
create unique index accounts_subject on accounts (subject) where subject is not null;

-- A browser that stays signed in: by the digest of what its cookie holds.
create table sessions (
    session_digest text not null,
    account_id text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (session_digest)
);

create table orders (
    account_id text not null,
    payment_id text not null,
    created_at bigint not null,
    primary key (account_id, payment_id)
);
