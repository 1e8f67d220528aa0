-- What goes wrong on purpose: rules that an integrator makes to see whether its side copes. `matched` numbers the calls or webhooks
-- that a rule concerned, so that chance repeats with the seed; `applied` counts what it did to them.
create table fault_rules (
    acquiring_partner_id text not null,
    fault_id text not null,
    rule text not null,
    seed bigint not null,
    times bigint,
    matched bigint not null,
    applied bigint not null,
    created_at bigint not null,
    primary key (acquiring_partner_id, fault_id)
);
