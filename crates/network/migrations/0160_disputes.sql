-- Disputes: what customers object to after a purchase. `state`, times and amounts are columns because lists, sweeps and the machine
-- need them; what was written about a case (`file`) is sealed, for it tells of customers. `acquiring_partner_id` is kept beside,
-- because the newer paths name no account, and an Acquiring Partner then sees those of all its Partners.
create table disputes (
    account_id text not null,
    dispute_id text not null,
    version bigint not null,
    acquiring_partner_id text,
    framework text not null,
    state text not null,
    previous_state text,
    reason text not null,
    amount bigint not null,
    currency text not null,
    hold_policy text not null,
    course text not null,
    created_by text not null,
    opened_at bigint not null,
    updated_at bigint not null,
    closed_at bigint,
    deadline_at bigint,
    due_at bigint,
    representment text,
    requests bigint not null,
    answered boolean not null,
    proposed bigint,
    preliminary_outcome text,
    preliminary_detailed text,
    outcome text,
    outcome_detailed text,
    owed bigint,
    transaction_id text not null,
    transaction_reference text,
    order_id text not null,
    purchase_reference text,
    capture_id text not null,
    capture_reference text,
    payment_account_id text not null,
    payment_account_reference text not null,
    product_id text not null,
    attachments bigint not null,
    file bytea not null,
    primary key (account_id, dispute_id)
);
create unique index disputes_id on disputes (dispute_id);
create index disputes_above on disputes (acquiring_partner_id, opened_at);
create index disputes_due on disputes (due_at) where due_at is not null;
create index disputes_transaction on disputes (account_id, transaction_id);
-- A capture is disputed once at a time: its money cannot be owed twice.
create unique index disputes_open on disputes (account_id, capture_id) where closed_at is null;

-- Files of both sides, sealed.
create table dispute_attachments (
    account_id text not null,
    attachment_id text not null,
    dispute_id text not null,
    number bigint not null,
    of_customer boolean not null,
    file_name text not null,
    mime_type text not null,
    description text,
    size bigint not null,
    content bytea not null,
    created_at bigint not null,
    primary key (account_id, attachment_id)
);
create unique index dispute_attachments_number on dispute_attachments (account_id, dispute_id, number);

-- What disputes took from and gave to Partners, for settlements: read by time.
create table dispute_entries (
    account_id text not null,
    dispute_id text not null,
    number bigint not null,
    kind text not null,
    amount bigint not null,
    currency text not null,
    occurred_at bigint not null,
    primary key (account_id, dispute_id, number)
);
create index dispute_entries_time on dispute_entries (account_id, occurred_at);

-- What holds for an account's disputes to come. `enrolled_at` is when it changed to the newer framework, for ever.
create table dispute_settings (
    account_id text not null,
    enrolled_at bigint,
    client_id text,
    hold_policy text not null,
    threshold bigint,
    primary key (account_id)
);

-- Disputes that a test customer's address announced: opened by the sweep some seconds after the capture.
create table dispute_announcements (
    account_id text not null,
    capture_id text not null,
    reason text not null,
    course text not null,
    due_at bigint not null,
    primary key (account_id, capture_id)
);
create index dispute_announcements_due on dispute_announcements (due_at);
