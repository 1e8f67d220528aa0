-- Links: a name for a hosted checkout whose address is sent, or shown as a code. How it stands is how its session stands.
create table payment_links (
    partner_id text not null,
    link_id text not null,
    session_id text not null,
    till_id text,
    created_at bigint not null,
    primary key (partner_id, link_id)
);

-- Tills: a page for a Partner's cashier, opened by the key in its address, which is kept as a digest and sealed.
create table tills (
    partner_id text not null,
    till_id text not null,
    name text not null,
    currency text not null,
    may_refund boolean not null,
    detail text not null,
    key_hash text not null,
    access_key bytea not null,
    created_at bigint not null,
    disabled_at bigint,
    primary key (partner_id, till_id)
);
create unique index tills_key on tills (key_hash);
