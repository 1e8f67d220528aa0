-- Reports as an SFTP server gives them out. A file is written in pieces, shows as unfinished until its last one, never changes
-- afterwards, and goes after 90 days. Its bytes are kept, so that a file that was announced stays what it was.
create table settlement_files (
    account_id text not null,
    file_name text not null,
    settlement_id text not null,
    format text not null,
    version bigint not null,
    size bigint not null,
    lines bigint not null,
    created_at bigint not null,
    modified_at bigint not null,
    completed_at bigint,
    primary key (account_id, file_name)
);
create index settlement_files_of_settlement on settlement_files (account_id, settlement_id);
create index settlement_files_by_age on settlement_files (created_at);

-- `at` is the place of the piece's first byte in its file.
create table settlement_file_pieces (
    account_id text not null,
    file_name text not null,
    at bigint not null,
    content bytea not null,
    primary key (account_id, file_name, at)
);

-- Who an SFTP server is, so that clients which have seen it once know it again. Sealed.
create table sftp_host_keys (
    name text not null primary key,
    sealed bytea not null,
    created_at bigint not null
);
