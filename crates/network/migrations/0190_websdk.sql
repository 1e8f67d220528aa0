-- How the Web SDK shows the journey of a Payment Request, and to which page. The journey hands back to `origin` and to no other; what
-- page and shopper say to each other about shipping meanwhile (`dialogue`) is sealed, for it holds an address, and is forgotten with
-- the end of the journey. `sequence` counts the questions, so that an answer meets the one that it belongs to.
create table websdk_launches (
    account_id text not null,
    request_id text not null,
    origin text not null,
    display text not null,
    answers_shipping boolean not null,
    sequence bigint not null,
    dialogue bytea,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, request_id)
);
