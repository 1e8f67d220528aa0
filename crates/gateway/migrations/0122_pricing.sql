-- What Klarna's price plans and program plans say, as it was read last: a document per plan (of a price plan, per merchant category).
-- What nobody asks for any more is not read again.
create table klarna_terms (
    term text primary key,
    body text not null,
    fetched_at bigint not null,
    used_at bigint not null,
    tried_at bigint not null,
    failure text
);
create index klarna_terms_tried on klarna_terms (tried_at);

-- Payment programs that were asked for, and what became of it: REQUESTED, AWAITING_APPROVAL, ACTIVE, ENDING; REFUSED, ENDED.
create table partner_enablements (
    partner_id text not null,
    enablement_id text not null,
    program_id text not null,
    code text,
    criteria text not null,
    state text not null,
    klarna_id text,
    refusal text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (partner_id, enablement_id)
);
