-- Ways into Klarna's portal. The key that vouches for users: REQUESTED until Klarna has certified it, then CURRENT, then RETIRED until
-- its certificate is revoked there. The request is kept with it, so that a repetition certifies the same key.
create table portal_signers (
    account_id text not null,
    signer_id text not null,
    state text not null,
    private_key bytea not null,
    signing_request text not null,
    certificate text,
    credential_id text,
    valid_from bigint,
    valid_to bigint,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (account_id, signer_id)
);
-- Processes that start together ask for one certificate, not for two.
create unique index portal_signers_requested on portal_signers (account_id) where state = 'REQUESTED';

-- Links that let a user in once. Who, and the url once Klarna has given it, are sealed; rows go soon after their end.
create table portal_links (
    partner_id text not null,
    link_id text not null,
    secret bytea not null,
    klarna_id text,
    expires_at bigint not null,
    created_at bigint not null,
    primary key (partner_id, link_id)
);
create index portal_links_expire on portal_links (expires_at);

-- Users with access of their own: REQUESTED, ACTIVE, REFUSED, REMOVING; a removed one is gone.
create table portal_users (
    partner_id text not null,
    user_id text not null,
    email bytea not null,
    roles text not null,
    state text not null,
    klarna_id text,
    refusal text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (partner_id, user_id)
);
