-- What each Partner was told last of what Klarna charges it: Klarna has no webhook for a change of prices, so what is shown now is
-- compared with this. JSON; `look_at` says when next, and is zero once something was read that differs from what was kept.
create table partner_pricing_told (
    partner_id text primary key,
    told text not null,
    look_at bigint not null
);
create index partner_pricing_told_look on partner_pricing_told (look_at);
