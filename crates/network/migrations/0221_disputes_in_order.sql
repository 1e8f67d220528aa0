-- Lists of disputes in each of their orders, for an account and for the Acquiring Partner above it. What has no such time
-- counts as the far end of the calendar, and the id decides between equals. `disputes_above` is one of these now.
drop index disputes_above;
create index disputes_by_opening on disputes (account_id, opened_at, dispute_id);
create index disputes_by_opening_above on disputes (acquiring_partner_id, opened_at, dispute_id);
create index disputes_by_closing on disputes (account_id, coalesce(closed_at, 253402300800000000), dispute_id);
create index disputes_by_closing_above on disputes
    (acquiring_partner_id, coalesce(closed_at, 253402300800000000), dispute_id);
create index disputes_by_deadline on disputes (account_id, coalesce(deadline_at, 253402300800000000), dispute_id);
create index disputes_by_deadline_above on disputes
    (acquiring_partner_id, coalesce(deadline_at, 253402300800000000), dispute_id);

-- What disputes move stands in `settlement_entries`, and nobody read it here.
drop table dispute_entries;
