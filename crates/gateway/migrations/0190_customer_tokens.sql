-- Klarna's leave to charge a customer again. Klarna's token stays here, sealed; the Partner knows it by an id of ours.
create table customer_tokens (
    partner_id text not null,
    token_id text not null,
    state text not null,
    token bytea not null,
    -- SHA-256 of the token: revocations at Klarna name it.
    token_digest text not null,
    reference text,
    scopes text not null,
    payment_id text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (partner_id, token_id)
);
create index customer_tokens_reference on customer_tokens (partner_id, reference, token_id) where reference is not null;
create index customer_tokens_digest on customer_tokens (partner_id, token_digest);
