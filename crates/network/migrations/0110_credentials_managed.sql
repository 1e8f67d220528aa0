-- Credentials are managed over the API: when each was disabled decides when it is gone, and keys made there lapse unless used.
alter table api_keys add column disabled_at bigint;
alter table api_keys add column lapses boolean not null default false;
update api_keys set disabled_at = updated_at where state = 'DISABLED';

-- Client identifiers work from certain pages only.
alter table client_identifiers add column disabled_at bigint;
alter table client_identifiers add column allowed_domains text not null default '[]';

-- Who fetches settlement files: a password is kept as its digest, as an API key is.
create table sftp_users (
    account_id text not null,
    credential_id text not null,
    username text not null,
    password_hash bytea not null,
    description text not null,
    state text not null,
    last_used_at bigint,
    disabled_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, credential_id)
);
create unique index sftp_users_username on sftp_users (username);
