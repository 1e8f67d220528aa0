-- The network issues client certificates itself, and accounts may insist that callers show one, or call from certain addresses.
create table certificate_authorities (
    name text not null primary key,
    certificate text not null,
    sealed bytea not null,
    created_at bigint not null
);

create table client_certificates (
    account_id text not null,
    credential_id text not null,
    fingerprint bytea not null,
    usage text not null,
    certificate text not null,
    public_key bytea not null,
    description text not null,
    valid_from bigint not null,
    valid_to bigint not null,
    revoked_from bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, credential_id)
);
create unique index client_certificates_fingerprint on client_certificates (fingerprint);

-- One row for each account that has ever asked for more than a key; read together with the key.
create table caller_protections (
    account_id text not null primary key,
    ip_mode text not null,
    allowed_ips text not null,
    mtls_since bigint,
    mtls_enforced_from bigint,
    updated_at bigint not null
);
