//! Bodies of the test controls. They are this end's alone, so the tables stand here and not with the network's.

use protocol::shape::{Kind, Row};

const COUNT: Kind = Kind::Int { min: 0, max: i64::MAX };
const TEXT: Kind = Kind::Blob { min: 0, max: usize::MAX };
const MANY: Kind = Kind::Array { min: 0, max: usize::MAX };

protocol::shapes! {
    /// The clock.
    clock = [Row::new("now", Kind::Timestamp).required(), Row::new("ahead_us", Kind::Int { min: i64::MIN, max: i64::MAX }).required()], &[];
    /// Where to move it: one of the two.
    clock_move = [Row::new("advance", TEXT), Row::new("set", TEXT)], &[];
    /// A page of events.
    event_list = page("events", event_rows()), &[];
    /// A page of transactions.
    transaction_list = page("transactions", transaction_rows()), &[];
    /// A page of deliveries.
    delivery_list = page("deliveries", delivery_rows()), &[];
    /// A delivery with every attempt.
    delivery = whole_delivery_rows(), &[];
    /// A page of calls.
    request_list = request_list_rows(), &[];
    /// A call with what was said.
    request = request_rows(true), &[];
    /// Which calls are meant.
    request_find = find_rows(&REQUEST_MATCH, &REQUEST_WANTED, false), &[];
    /// Which calls are waited for.
    request_wait = find_rows(&REQUEST_MATCH, &REQUEST_WANTED, true), &[];
    /// The calls that fit.
    request_found = found("requests", request_rows(true)), &[];
    /// Which deliveries or events are meant.
    told_find = find_rows(&TOLD_MATCH, &["body"], false), &[];
    /// Which deliveries or events are waited for.
    told_wait = find_rows(&TOLD_MATCH, &["body"], true), &[];
    /// The deliveries that fit.
    deliveries_found = found("deliveries", whole_delivery_rows()), &[];
    /// The events that fit.
    events_found = found("events", event_rows()), &[];
    /// How many fit.
    counted = [Row::new("count", COUNT).required()], &[];
    /// A fault rule to be made.
    fault_create = fault_rows(), &[];
    /// A fault rule with its counts.
    fault = made_fault_rows(), &[];
    /// Fault rules.
    fault_list = fault_list_rows(), &[];
    /// A page of Payment Requests.
    payment_request_list = page("payment_requests", payment_request_rows()), &[];
    /// As whom a journey is completed: one of the two, or nobody in particular.
    journey_complete = journey_complete_rows(), &[];
    /// What became of a Payment Request.
    journey_act = journey_act_rows(), &[];
    /// A snapshot to be made.
    snapshot_take = [Row::new("name", SNAPSHOT_NAME).required()], &[];
    /// A snapshot, and what it holds.
    snapshot = snapshot_rows(), &[];
    /// Snapshots.
    snapshot_list = snapshot_list_rows(), &[];
    /// Says that it is meant.
    reset = [Row::new("confirm", Kind::Bool).required()], &[];
    /// An HTTP Archive 1.2.
    har = har_rows(), &[];
}

const REQUEST_MATCH: [&str; 10] = [
    "method",
    "operation",
    "path",
    "account_id",
    "correlation_id",
    "text",
    "since",
    "after",
    "starting_after",
    "status",
];
const REQUEST_WANTED: [&str; 4] = ["request_headers", "response_headers", "request_body", "response_body"];
const TOLD_MATCH: [&str; 7] =
    ["event_type", "event_id", "subject_account_id", "webhook_id", "state", "correlation_id", "since"];

fn text(path: &str) -> Row {
    Row::new(path, TEXT)
}

fn time(path: &str) -> Row {
    Row::new(path, Kind::Timestamp)
}

fn number(path: &str) -> Row {
    Row::new(path, COUNT)
}

fn under(prefix: &str, rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    rows.into_iter().map(|row| row.under(prefix)).collect()
}

/// A list with its cursor.
fn page(key: &str, entry: Vec<Row>) -> Vec<Row> {
    let mut rows = vec![Row::new(key, MANY).required()];
    rows.extend(under(&format!("{key}[]"), entry));
    rows.extend([number("pagination.count").required(), text("pagination.last_item")]);
    rows
}

/// What fits, and how many that are.
fn found(key: &str, entry: Vec<Row>) -> Vec<Row> {
    let mut rows = vec![number("count").required(), Row::new(key, MANY).required()];
    rows.extend(under(&format!("{key}[]"), entry));
    rows
}

/// Handlers name every fault themselves; for the reference the members are what counts.
fn find_rows(names: &[&str], wanted: &[&str], waits: bool) -> Vec<Row> {
    let mut rows = vec![Row::new("match", Kind::Object)];
    // A status may be a number or a class.
    rows.extend(
        names.iter().map(|name| Row::new(format!("match.{name}"), if *name == "status" { Kind::Any } else { TEXT })),
    );
    rows.extend(wanted.iter().map(|name| Row::new(format!("match.{name}"), Kind::Object)));
    rows.push(Row::new("limit", Kind::Int { min: 1, max: 1_000 }));
    if waits {
        rows.push(Row::new("count", Kind::Int { min: 1, max: 1_000 }));
        rows.push(Row::new("timeout_ms", Kind::Int { min: 0, max: super::waiting::TIMEOUT_MS_MAX }).required());
    }
    rows
}

fn event_rows() -> Vec<Row> {
    vec![
        text("event_id").required(),
        text("event_type").required(),
        time("occurred_at").required(),
        text("subject_account_id").required(),
        text("recipient_account_id").required(),
        text("product_instance_id"),
        text("correlation_id"),
        Row::new("simulated", Kind::Bool).required(),
        Row::new("payload", Kind::Object).required(),
    ]
}

fn transaction_rows() -> Vec<Row> {
    let mut rows: Vec<Row> = ["payment_transaction_id", "payment_transaction_reference", "state"]
        .into_iter()
        .map(|name| text(name).required())
        .collect();
    rows.push(Row::new("currency", Kind::Currency).required());
    let amounts = ["amount", "captured_amount", "refunded_amount", "charged_back_amount", "voided_amount"];
    rows.extend(amounts.map(|name| number(name).required()));
    rows
}

fn delivery_rows() -> Vec<Row> {
    let mut rows: Vec<Row> =
        ["delivery_id", "webhook_id", "event_id", "event_type"].into_iter().map(|name| text(name).required()).collect();
    rows.extend([
        Row::new("state", Kind::OneOf(&["PENDING", "RETRYING", "DELIVERED", "FAILED", "DROPPED"])).required(),
        number("attempts").required(),
        time("next_at"),
        time("created_at").required(),
        time("updated_at").required(),
    ]);
    rows
}

fn whole_delivery_rows() -> Vec<Row> {
    let mut rows = delivery_rows();
    rows.extend([text("body").required(), Row::new("attempt_log", MANY).required()]);
    let attempt = [
        number("attempt").required(),
        text("url").required(),
        time("started_at").required(),
        number("duration_us").required(),
        number("status"),
        text("error"),
        text("response"),
    ];
    rows.extend(under("attempt_log[]", attempt));
    rows
}

fn request_list_rows() -> Vec<Row> {
    let mut rows = page("requests", request_rows(false));
    rows.push(number("pushed_out").required());
    rows
}

fn request_rows(whole: bool) -> Vec<Row> {
    let mut rows = vec![
        text("call_id").required(),
        time("occurred_at").required(),
        text("method").required(),
        text("path").required(),
        text("operation"),
        number("status"),
        number("duration_us").required(),
        text("account_id"),
        text("correlation_id"),
        text("partner_correlation_id"),
        text("error_code"),
        text("fault_id"),
    ];
    if whole {
        rows.push(text("query"));
        for side in ["request", "response"] {
            let said = [
                Row::new("headers", MANY).required(),
                text("headers[].name").required(),
                text("headers[].value").required(),
                text("body").required(),
                number("bytes").required(),
                Row::new("clipped", Kind::Bool).required(),
            ];
            rows.push(Row::new(side, Kind::Object).required());
            rows.extend(under(side, said));
        }
    }
    rows
}

fn har_rows() -> Vec<Row> {
    vec![
        Row::new("log.version", Kind::OneOf(&["1.2"])).required(),
        Row::new("log.creator", Kind::Object).required(),
        text("log.creator.name").required(),
        text("log.creator.version").required(),
        Row::new("log.entries", MANY).required(),
        time("log.entries[].startedDateTime").required(),
        Row::new("log.entries[].time", Kind::Any).required(),
        Row::new("log.entries[].request", Kind::Object).required(),
        Row::new("log.entries[].response", Kind::Object).required(),
        Row::new("log.entries[].cache", Kind::Object).required(),
        Row::new("log.entries[].timings", Kind::Object).required(),
    ]
}

fn fault_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("effect", Kind::OneOf(&super::faults::rule::EFFECTS)).required(),
        Row::new("delay_ms", Kind::Int { min: 1, max: 60_000 }),
        Row::new("status", Kind::Int { min: 400, max: 599 }),
        text("error_code"),
        text("error_message"),
        Row::new("executes", Kind::Bool),
        Row::new("share", Kind::Int { min: 1, max: 100 }),
        Row::new("times", Kind::Int { min: 1, max: 1_000_000 }),
        Row::new("match", Kind::Object),
    ];
    let names = ["operation", "method", "path", "account_id", "event_type", "webhook_id"];
    rows.extend(names.map(|name| text(&format!("match.{name}"))));
    rows
}

fn made_fault_rows() -> Vec<Row> {
    let mut rows = fault_rows();
    rows.extend([
        text("fault_id").required(),
        number("matched").required(),
        number("applied").required(),
        time("created_at").required(),
    ]);
    rows
}

fn fault_list_rows() -> Vec<Row> {
    let mut rows = vec![Row::new("faults", MANY).required()];
    rows.extend(under("faults[]", made_fault_rows()));
    rows
}

const SNAPSHOT_NAME: Kind = Kind::Matching {
    min: 1,
    max: 64,
    accepts: super::snapshots::is_name,
    wanted: "a name of 1 to 64 letters, digits, points, minus and underscores",
};

fn payment_request_rows() -> Vec<Row> {
    vec![
        text("payment_request_id").required(),
        text("account_id").required(),
        text("state").required(),
        Row::new("currency", Kind::Currency).required(),
        number("amount"),
        time("created_at").required(),
        time("updated_at").required(),
        time("expires_at").required(),
    ]
}

fn journey_complete_rows() -> Vec<Row> {
    vec![
        Row::new("persona", Kind::OneOf(&["approved", "denied", "new_user", "pending_approved", "pending_denied"])),
        Row::new("customer", Kind::Object).personal(),
        Row::new("customer.email", Kind::Email),
        Row::new("customer.phone", Kind::Phone),
    ]
}

fn journey_act_rows() -> Vec<Row> {
    vec![
        text("payment_request_id").required(),
        text("account_id").required(),
        text("state").required(),
        text("return_url"),
        Row::new("payment_request", Kind::Object).required(),
        text("payment_request.payment_request_id").required(),
        text("payment_request.state").required(),
    ]
}

fn snapshot_rows() -> Vec<Row> {
    vec![
        text("name").required(),
        time("created_at").required(),
        text("schema_version").required(),
        number("rows").required(),
        Row::new("tables", MANY).required(),
        text("tables[].table").required(),
        number("tables[].rows").required(),
    ]
}

fn snapshot_list_rows() -> Vec<Row> {
    let mut rows = vec![Row::new("snapshots", MANY).required()];
    rows.extend(under("snapshots[]", snapshot_rows()));
    rows
}
