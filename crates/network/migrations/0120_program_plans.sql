-- A payment profile bundles a price plan and a plan of payment programs; both stand in the catalogue under these keys.
alter table payment_profiles add column price_plan text not null default 'standard';
alter table payment_profiles add column program_plan text not null default 'standard';
