//! Rows of disputes, their files, their money and what was announced.

use std::sync::LazyLock;

use kit::db::{DbError, Param, Tx};
use kit::{params, row};

/// Every column of a dispute, in the order of [`DisputeRow`].
macro_rules! columns {
    () => {
        "account_id, dispute_id, version, acquiring_partner_id, framework, state, previous_state, reason, amount, currency,
            hold_policy, course, created_by, opened_at, updated_at, closed_at, deadline_at, due_at, representment, requests,
            answered, proposed, preliminary_outcome, preliminary_detailed, outcome, outcome_detailed, owed, transaction_id,
            transaction_reference, order_id, purchase_reference, capture_id, capture_reference, payment_account_id,
            payment_account_reference, product_id, attachments, file"
    };
}

row! {
    /// A dispute as stored.
    pub(crate) struct DisputeRow {
        pub(crate) account_id: String,
        pub(crate) dispute_id: String,
        pub(crate) version: i64,
        pub(crate) acquiring_partner_id: Option<String>,
        pub(crate) framework: String,
        pub(crate) state: String,
        pub(crate) previous_state: Option<String>,
        pub(crate) reason: String,
        pub(crate) amount: i64,
        pub(crate) currency: String,
        pub(crate) hold_policy: String,
        pub(crate) course: String,
        pub(crate) created_by: String,
        pub(crate) opened_at: i64,
        pub(crate) updated_at: i64,
        pub(crate) closed_at: Option<i64>,
        pub(crate) deadline_at: Option<i64>,
        pub(crate) due_at: Option<i64>,
        pub(crate) representment: Option<String>,
        pub(crate) requests: i64,
        pub(crate) answered: bool,
        pub(crate) proposed: Option<i64>,
        pub(crate) preliminary_outcome: Option<String>,
        pub(crate) preliminary_detailed: Option<String>,
        pub(crate) outcome: Option<String>,
        pub(crate) outcome_detailed: Option<String>,
        pub(crate) owed: Option<i64>,
        pub(crate) transaction_id: String,
        pub(crate) transaction_reference: Option<String>,
        pub(crate) order_id: String,
        pub(crate) purchase_reference: Option<String>,
        pub(crate) capture_id: String,
        pub(crate) capture_reference: Option<String>,
        pub(crate) payment_account_id: String,
        pub(crate) payment_account_reference: String,
        pub(crate) product_id: String,
        pub(crate) attachments: i64,
        pub(crate) file: Vec<u8>,
    }
}

/// Says whether the row is new; it is not when the capture has an open dispute.
pub(crate) async fn insert(tx: &mut Tx, row: &DisputeRow) -> Result<bool, DbError> {
    let sql = concat!(
        "insert into disputes (",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
            $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38) on conflict do nothing"
    );
    let values = params![
        &row.account_id,
        &row.dispute_id,
        row.version,
        &row.acquiring_partner_id,
        &row.framework,
        &row.state,
        &row.previous_state,
        &row.reason,
        row.amount,
        &row.currency,
        &row.hold_policy,
        &row.course,
        &row.created_by,
        row.opened_at,
        row.updated_at,
        row.closed_at,
        row.deadline_at,
        row.due_at,
        &row.representment,
        row.requests,
        row.answered,
        row.proposed,
        &row.preliminary_outcome,
        &row.preliminary_detailed,
        &row.outcome,
        &row.outcome_detailed,
        row.owed,
        &row.transaction_id,
        &row.transaction_reference,
        &row.order_id,
        &row.purchase_reference,
        &row.capture_id,
        &row.capture_reference,
        &row.payment_account_id,
        &row.payment_account_reference,
        &row.product_id,
        row.attachments,
        &row.file
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

/// A dispute of an account, or of one under it.
pub(crate) async fn dispute(tx: &mut Tx, account: &str, id: &str) -> Result<Option<DisputeRow>, DbError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from disputes where dispute_id = $2 and (account_id = $1 or acquiring_partner_id = $1)"
    );
    tx.fetch_optional(sql, params![account, id]).await
}

/// The same, and keeps others from changing it until the end of the database's transaction.
pub(crate) async fn lock(tx: &mut Tx, account: &str, id: &str) -> Result<Option<DisputeRow>, DbError> {
    let sql = concat!(
        "update disputes set version = version + 1
        where dispute_id = $2 and (account_id = $1 or acquiring_partner_id = $1) returning ",
        columns!()
    );
    tx.fetch_optional(sql, params![account, id]).await
}

/// Saves what changes; the rest of a dispute never does.
pub(crate) async fn save(tx: &mut Tx, row: &DisputeRow) -> Result<(), DbError> {
    let sql = "update disputes set state = $4, previous_state = $5, updated_at = $6, closed_at = $7, deadline_at = $8, due_at = $9,
            representment = $10, requests = $11, answered = $12, proposed = $13, preliminary_outcome = $14,
            preliminary_detailed = $15, outcome = $16, outcome_detailed = $17, owed = $18, attachments = $19, file = $20
        where account_id = $1 and dispute_id = $2 and version = $3";
    let values = params![
        &row.account_id,
        &row.dispute_id,
        row.version,
        &row.state,
        &row.previous_state,
        row.updated_at,
        row.closed_at,
        row.deadline_at,
        row.due_at,
        &row.representment,
        row.requests,
        row.answered,
        row.proposed,
        &row.preliminary_outcome,
        &row.preliminary_detailed,
        &row.outcome,
        &row.outcome_detailed,
        row.owed,
        row.attachments,
        &row.file
    ];
    // A row that was locked with its version is there; if not, the unit is repeated.
    if tx.execute(sql, values).await? == 1 { Ok(()) } else { Err(DbError::Contended) }
}

row! {
    /// Something whose time has come.
    pub(crate) struct DueRow {
        pub(crate) account_id: String,
        pub(crate) id: String,
    }
}

pub(crate) async fn due(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<DueRow>, DbError> {
    let sql = "select account_id, dispute_id as id from disputes
        where due_at is not null and due_at <= $1 order by due_at limit $2";
    tx.fetch_all(sql, params![now, limit]).await
}

/// Those of an account and of the accounts under it.
pub(crate) async fn due_of(tx: &mut Tx, account: &str, now: i64, limit: i64) -> Result<Vec<DueRow>, DbError> {
    let sql = "select account_id, dispute_id as id from disputes
        where (account_id = $1 or acquiring_partner_id = $1) and due_at is not null and due_at <= $2
        order by due_at limit $3";
    tx.fetch_all(sql, params![account, now, limit]).await
}

/// Most values of a list's filter by state (those of both frameworks).
pub(crate) const STATES_MAX: usize = 10;
/// Most values of filters by reason and by purchase reference (sheet 05 §3.2).
pub(crate) const FEW_MAX: usize = 10;
/// Most values of filters by transaction and by order.
pub(crate) const MANY_MAX: usize = 100;

/// What a list is about. Empty lists filter nothing; times are microseconds, the beginning included, the end not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) account: String,
    /// `FRAMEWORK_2026:CLOSED`.
    pub(crate) states: Vec<String>,
    pub(crate) reasons: Vec<String>,
    pub(crate) purchase_references: Vec<String>,
    pub(crate) transactions: Vec<String>,
    pub(crate) orders: Vec<String>,
    pub(crate) product: Option<String>,
    pub(crate) opened: (Option<i64>, Option<i64>),
    pub(crate) closed: (Option<i64>, Option<i64>),
    pub(crate) updated: (Option<i64>, Option<i64>),
    pub(crate) sort: Sort,
}

/// The order of a list; ties stand in the order of their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) by: SortBy,
    pub(crate) descending: bool,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortBy {
    #[default]
    Opened,
    Closed,
    Deadline,
}

impl SortBy {
    /// The time that decides, as the indexes have it. What has none counts as the far end of the calendar.
    fn key(self) -> &'static str {
        match self {
            Self::Opened => "opened_at",
            Self::Closed => "coalesce(closed_at, 253402300800000000)",
            Self::Deadline => "coalesce(deadline_at, 253402300800000000)",
        }
    }
}

/// `($8, $9, …)`.
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    format!("({})", places.join(", "))
}

/// Where the values of the filters begin among the parameters, and the condition over them. Each list of values has a fixed number of
/// places, of which those without a value are null: so the text is one, and a value is never part of it.
struct Condition {
    text: String,
    next: usize,
}

fn condition() -> Condition {
    let mut text = String::from(
        "(cast($2 as text) is null or product_id = $2)
        and (cast($3 as bigint) is null or opened_at >= $3) and (cast($4 as bigint) is null or opened_at < $4)
        and (cast($5 as bigint) is null or closed_at >= $5) and (cast($6 as bigint) is null or closed_at < $6)
        and (cast($7 as bigint) is null or updated_at >= $7) and (cast($8 as bigint) is null or updated_at < $8)",
    );
    let mut next = 9;
    for (column, count) in [
        ("framework || ':' || state", STATES_MAX),
        ("reason", 2 * FEW_MAX),
        ("purchase_reference", FEW_MAX),
        ("transaction_id", MANY_MAX),
        ("order_id", MANY_MAX),
    ] {
        text.push_str(&format!("\n        and (cast(${next} as text) is null or {column} in {})", places(next, count)));
        next += count;
    }
    Condition { text, next }
}

impl Filter {
    fn params(&self) -> Vec<Param<'_>> {
        let mut params = vec![
            Param::from(&self.account),
            Param::from(&self.product),
            Param::from(self.opened.0),
            Param::from(self.opened.1),
            Param::from(self.closed.0),
            Param::from(self.closed.1),
            Param::from(self.updated.0),
            Param::from(self.updated.1),
        ];
        for (values, count) in [
            (&self.states, STATES_MAX),
            (&self.reasons, 2 * FEW_MAX),
            (&self.purchase_references, FEW_MAX),
            (&self.transactions, MANY_MAX),
            (&self.orders, MANY_MAX),
        ] {
            params.extend((0..count).map(|index| Param::from(values.get(index).map(String::as_str))));
        }
        params
    }
}

row! { struct CountRow { found: i64 } }

/// A place in an order: the time that decides, and the id among equals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    time: i64,
    id: &'a str,
}

row! { struct TimesRow { opened_at: i64, closed_at: Option<i64>, deadline_at: Option<i64> } }

/// Where a dispute stands in the order, to read on from it; `None` if the list's account has no such dispute.
pub(crate) async fn place<'a>(tx: &mut Tx, filter: &Filter, id: &'a str) -> Result<Option<Place<'a>>, DbError> {
    let sql = "select opened_at, closed_at, deadline_at from disputes
        where (account_id = $1 or acquiring_partner_id = $1) and dispute_id = $2";
    let row = tx.fetch_optional::<TimesRow>(sql, params![&filter.account, id]).await?;
    Ok(row.map(|row| {
        let time = match filter.sort.by {
            SortBy::Opened => Some(row.opened_at),
            SortBy::Closed => row.closed_at,
            SortBy::Deadline => row.deadline_at,
        };
        Place { time: time.unwrap_or(NEVER), id }
    }))
}

/// The far end of the calendar, as in the indexes: 10000-01-01.
const NEVER: i64 = 253_402_300_800_000_000;

/// Disputes behind a place in the order, from there on; or those before it, nearest first. The account's own and those under it are
/// read in the order of their indexes, as many as are wanted of each, and merged.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    from: Option<Place<'_>>,
    backwards: bool,
    limit: i64,
) -> Result<Vec<DisputeRow>, DbError> {
    let descending = filter.sort.descending != backwards;
    let place =
        from.unwrap_or(if descending { Place { time: i64::MAX, id: "" } } else { Place { time: i64::MIN, id: "" } });
    let mut params = filter.params();
    params.extend([Param::from(place.time), Param::from(place.id), Param::from(limit)]);
    tx.fetch_all(list_text(filter.sort.by, descending), &params).await
}

/// The statement of an order.
fn list_text(by: SortBy, descending: bool) -> &'static str {
    static TEXTS: LazyLock<[[String; 2]; 3]> = LazyLock::new(|| {
        [SortBy::Opened, SortBy::Closed, SortBy::Deadline]
            .map(|by| [("asc", ">"), ("desc", "<")].map(|(order, behind)| list_text_of(by.key(), order, behind)))
    });
    let by = match by {
        SortBy::Opened => 0,
        SortBy::Closed => 1,
        SortBy::Deadline => 2,
    };
    &TEXTS[by][usize::from(descending)]
}

fn list_text_of(key: &str, order: &str, behind: &str) -> String {
    let Condition { text, next } = condition();
    let [time, id, limit] = [next, next + 1, next + 2];
    let part = |whose: &str| {
        format!(
            "select * from (select {}, {key} as position from disputes where {whose} and {text}
                and {key} {behind}= cast(${time} as bigint)
                and ({key} {behind} cast(${time} as bigint) or dispute_id {behind} cast(${id} as text))
            order by {key} {order}, dispute_id {order} limit cast(${limit} as bigint)) part",
            columns!()
        )
    };
    format!(
        "select {} from (select * from ({}) own union all select * from ({}) under) found
        order by position {order}, dispute_id {order} limit cast(${limit} as bigint)",
        columns!(),
        part("account_id = $1"),
        // One that is its own Acquiring Partner's stands among its own already.
        part("acquiring_partner_id = $1 and account_id <> $1")
    )
}

/// How many there are in all.
pub(crate) async fn count(tx: &mut Tx, filter: &Filter) -> Result<i64, DbError> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "select count(*) as found from disputes where (account_id = $1 or acquiring_partner_id = $1) and {}",
            condition().text
        )
    });
    Ok(tx.fetch_one::<CountRow>(&SQL, &filter.params()).await?.found)
}

/// Whether any dispute of a transaction is open.
pub(crate) async fn has_open(tx: &mut Tx, account: &str, transaction: &str) -> Result<bool, DbError> {
    let sql = "select dispute_id from disputes
        where account_id = $1 and transaction_id = $2 and closed_at is null limit 1";
    Ok(tx.fetch_optional::<()>(sql, params![account, transaction]).await?.is_some())
}

row! {
    /// A file without its content.
    pub(crate) struct AttachmentRow {
        pub(crate) attachment_id: String,
        pub(crate) of_customer: bool,
        pub(crate) file_name: String,
        pub(crate) mime_type: String,
        pub(crate) description: Option<String>,
    }
}

/// A file to be stored.
pub(crate) struct NewAttachment<'a> {
    pub(crate) account: &'a str,
    pub(crate) dispute: &'a str,
    pub(crate) attachment_id: &'a str,
    pub(crate) number: i64,
    pub(crate) of_customer: bool,
    pub(crate) file_name: &'a str,
    pub(crate) mime_type: &'a str,
    pub(crate) description: Option<&'a str>,
    pub(crate) size: i64,
    pub(crate) sealed: &'a [u8],
}

pub(crate) async fn insert_attachment(tx: &mut Tx, new: &NewAttachment<'_>, now: i64) -> Result<(), DbError> {
    let sql = "insert into dispute_attachments (account_id, attachment_id, dispute_id, number, of_customer, file_name, mime_type,
            description, size, content, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values = params![
        new.account,
        new.attachment_id,
        new.dispute,
        new.number,
        new.of_customer,
        new.file_name,
        new.mime_type,
        new.description,
        new.size,
        new.sealed,
        now
    ];
    tx.execute(sql, values).await.map(drop)
}

/// The files of a dispute, in the order of their numbers.
pub(crate) async fn attachments(tx: &mut Tx, account: &str, dispute: &str) -> Result<Vec<AttachmentRow>, DbError> {
    let sql = "select attachment_id, of_customer, file_name, mime_type, description from dispute_attachments
        where account_id = $1 and dispute_id = $2 order by number";
    tx.fetch_all(sql, params![account, dispute]).await
}

row! {
    /// A file with its sealed content.
    pub(crate) struct ContentRow {
        pub(crate) file_name: String,
        pub(crate) mime_type: String,
        pub(crate) content: Vec<u8>,
    }
}

pub(crate) async fn content(
    tx: &mut Tx,
    account: &str,
    dispute: &str,
    attachment: &str,
) -> Result<Option<ContentRow>, DbError> {
    let sql = "select file_name, mime_type, content from dispute_attachments
        where account_id = $1 and dispute_id = $2 and attachment_id = $3";
    tx.fetch_optional(sql, params![account, dispute, attachment]).await
}

row! {
    /// What holds for an account's disputes to come.
    pub(crate) struct SettingsRow {
        pub(crate) enrolled_at: Option<i64>,
        pub(crate) client_id: Option<String>,
        pub(crate) hold_policy: String,
        pub(crate) threshold: Option<i64>,
    }
}

pub(crate) async fn settings(tx: &mut Tx, account: &str) -> Result<Option<SettingsRow>, DbError> {
    let sql = "select enrolled_at, client_id, hold_policy, threshold from dispute_settings where account_id = $1";
    tx.fetch_optional(sql, params![account]).await
}

pub(crate) async fn save_settings(tx: &mut Tx, account: &str, row: &SettingsRow) -> Result<(), DbError> {
    let sql = "insert into dispute_settings (account_id, enrolled_at, client_id, hold_policy, threshold)
        values ($1, $2, $3, $4, $5)
        on conflict (account_id) do update set enrolled_at = excluded.enrolled_at, client_id = excluded.client_id,
            hold_policy = excluded.hold_policy, threshold = excluded.threshold";
    let values = params![account, row.enrolled_at, &row.client_id, &row.hold_policy, row.threshold];
    tx.execute(sql, values).await.map(drop)
}

row! {
    /// A dispute that is to come.
    pub(crate) struct AnnouncementRow {
        pub(crate) account_id: String,
        pub(crate) capture_id: String,
        pub(crate) reason: String,
        pub(crate) course: String,
        pub(crate) due_at: i64,
    }
}

pub(crate) async fn announce(tx: &mut Tx, row: &AnnouncementRow) -> Result<(), DbError> {
    let sql = "insert into dispute_announcements (account_id, capture_id, reason, course, due_at)
        values ($1, $2, $3, $4, $5) on conflict do nothing";
    let values = params![&row.account_id, &row.capture_id, &row.reason, &row.course, row.due_at];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn announced(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<AnnouncementRow>, DbError> {
    let sql = "select account_id, capture_id, reason, course, due_at from dispute_announcements
        where due_at <= $1 order by due_at limit $2";
    tx.fetch_all(sql, params![now, limit]).await
}

/// Says whether it was still there: who removes it opens the dispute.
pub(crate) async fn take_announcement(tx: &mut Tx, account: &str, capture: &str) -> Result<bool, DbError> {
    let sql = "delete from dispute_announcements where account_id = $1 and capture_id = $2";
    Ok(tx.execute(sql, params![account, capture]).await? > 0)
}
