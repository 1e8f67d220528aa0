-- Ways into the portal: links that work once, access that was granted by name, and the sessions of browsers that came in. Who they
-- are is sealed; what they are found by is a keyed digest.
create table portal_deep_links (
    account_id text not null,
    deep_link_id text not null,
    token_hash bytea not null,
    granted_by text not null,
    principal bytea not null,
    roles text not null,
    access_id text,
    expires_at bigint not null,
    used_at bigint,
    created_at bigint not null,
    primary key (account_id, deep_link_id)
);
create unique index portal_deep_links_token on portal_deep_links (token_hash);

-- A signed token counts once; kept until it would have expired anyway.
create table portal_jwt_ids (
    account_id text not null,
    jti text not null,
    expires_at bigint not null,
    primary key (account_id, jti)
);
create index portal_jwt_ids_expiry on portal_jwt_ids (expires_at);

create table portal_accesses (
    account_id text not null,
    access_id text not null,
    granted_by text not null,
    user_id text not null,
    principal_digest text not null,
    principal bytea not null,
    roles text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, access_id)
);
create unique index portal_accesses_principal on portal_accesses (account_id, granted_by, principal_digest);
create index portal_accesses_granted on portal_accesses (granted_by, principal_digest);

create table portal_sessions (
    account_id text not null,
    session_id text not null,
    secret_hash bytea not null,
    granted_by text not null,
    principal bytea not null,
    roles text not null,
    access_id text,
    last_seen_at bigint not null,
    created_at bigint not null,
    primary key (account_id, session_id)
);
create unique index portal_sessions_secret on portal_sessions (secret_hash);
create index portal_sessions_seen on portal_sessions (last_seen_at);
