-- What a transaction's captures cost, as agreed when it was authorized: later versions of a price plan do not reach back.
alter table payment_transactions add column variable_bps bigint;
alter table payment_transactions add column fixed_fee bigint;
alter table payment_transactions add column cap_bps bigint;
