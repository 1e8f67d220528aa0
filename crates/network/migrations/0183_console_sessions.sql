-- Who is signed in at the console: by the digest of a cookie, for some hours of the wall clock.
create table console_sessions (
    account_id text not null,
    session_hash text not null,
    credential_id text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (account_id, session_hash)
);
create unique index console_sessions_hash on console_sessions (session_hash);
