-- The first API key of an account is handed over by a link that works once. The key is made when the link is opened: nothing waits here.
create table bootstrap_links (
    account_id text not null,
    link_id text not null,
    token_hash bytea not null,
    expires_at bigint not null,
    used_at bigint,
    created_at bigint not null,
    primary key (account_id, link_id)
);
create unique index bootstrap_links_token on bootstrap_links (token_hash);
