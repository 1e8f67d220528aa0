-- What Klarna found about a Partner: whether its screening let it in, and every decision since. Kept: a Partner asks why.
create table partner_decisions (
    partner_id text not null,
    decision_id text not null,
    kind text not null,
    outcome text not null,
    reason text not null,
    klarna_id text,
    product_id text,
    decided_at bigint not null,
    heard_at bigint not null,
    primary key (partner_id, decision_id)
);
-- Klarna's id says whether a decision is known, whether a webhook or a look told of it first.
create unique index partner_decisions_klarna on partner_decisions (partner_id, klarna_id) where klarna_id is not null;
