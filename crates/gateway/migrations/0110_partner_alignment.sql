-- A comparison of ten thousand accounts is watched while it runs, and so it is asked who was compared since when. What was found goes
-- after a while, by time.
alter table partner_profiles add column aligned_at bigint;
create index partner_drifts_found on partner_drifts (found_at);
