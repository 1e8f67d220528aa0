-- A Payment Transaction is not closed while a dispute of it is open. It counts them itself, so that nothing else is asked when it is
-- decided whether its time is over.
alter table payment_transactions add column open_disputes bigint not null default 0;
