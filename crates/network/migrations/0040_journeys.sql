-- Where a shopper's browser stands in the purchase journey, so that a reload, a second tab or a crash loses nothing.
-- Any number of browsers may visit one Payment Request; each is known by the hash of its cookie.
create table journeys (
    account_id text not null,
    request_id text not null,
    session_hash text not null,
    step text not null,
    -- E-mail or phone, until the request ends.
    contact text,
    wrong_codes bigint not null,
    plan text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, request_id, session_hash)
);
