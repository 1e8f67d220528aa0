//! The table of calls.

use kit::db::{DbError, Tx};
use kit::{params, row};

/// Under which account calls stand whose caller is unknown. Ours: every Acquiring Partner sees them, because a key that is not
/// accepted and a path that does not exist are what an integrator most needs to see.
pub(crate) const UNKNOWN_CALLER: &str = "-";

row! {
    /// A call. `status` is null when nobody waited for the answer, or none was sent.
    pub(crate) struct CallRow {
        pub acquiring_partner_id: String,
        pub call_id: String,
        pub occurred_at: i64,
        pub method: String,
        pub path: String,
        pub operation: Option<String>,
        pub status: Option<i64>,
        pub duration_us: i64,
        pub account_id: Option<String>,
        pub correlation_id: Option<String>,
        pub partner_correlation_id: Option<String>,
        pub error_code: Option<String>,
        pub fault_id: Option<String>,
        pub detail: Vec<u8>,
    }
}

pub(crate) async fn insert(tx: &mut Tx, rows: &[CallRow]) -> Result<(), DbError> {
    // Two processes may make one id in the same microsecond: the log may lose a call, a payment never waits for it.
    let sql =
        "insert into calls (acquiring_partner_id, call_id, occurred_at, method, path, operation, status, duration_us,
            account_id, correlation_id, partner_correlation_id, error_code, fault_id, detail)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict do nothing";
    for row in rows {
        let values = params![
            &row.acquiring_partner_id,
            &row.call_id,
            row.occurred_at,
            &row.method,
            &row.path,
            &row.operation,
            row.status,
            row.duration_us,
            &row.account_id,
            &row.correlation_id,
            &row.partner_correlation_id,
            &row.error_code,
            &row.fault_id,
            &row.detail
        ];
        tx.execute(sql, values).await?;
    }
    Ok(())
}

/// Removes all but the newest `keep`.
pub(crate) async fn trim(tx: &mut Tx, keep: i64) -> Result<(), DbError> {
    let sql = "delete from calls where call_id <= (select call_id from calls order by call_id desc limit 1 offset $1)";
    tx.execute(sql, params![keep]).await.map(drop)
}

/// What a list is filtered by before anything is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub method: Option<String>,
    pub operation: Option<String>,
    /// Inclusive.
    pub status: Option<(i64, i64)>,
    pub account_id: Option<String>,
    /// The network's or the caller's.
    pub correlation_id: Option<String>,
    /// Microseconds UTC.
    pub since: Option<i64>,
    /// Only those that were noted after this one.
    pub after: Option<String>,
    /// Only those that were noted before this one.
    pub before: Option<String>,
}

/// Newest first.
pub(crate) async fn list(
    tx: &mut Tx,
    acquiring_partner: &str,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<CallRow>, DbError> {
    let sql =
        "select acquiring_partner_id, call_id, occurred_at, method, path, operation, status, duration_us, account_id,
            correlation_id, partner_correlation_id, error_code, fault_id, detail
        from calls
        where acquiring_partner_id in ($1, $2) and call_id < $3 and call_id > $4
            and (cast($5 as text) is null or method = $5) and (cast($6 as text) is null or operation = $6)
            and (cast($7 as bigint) is null or status between $7 and $8)
            and (cast($9 as text) is null or account_id = $9)
            and (cast($10 as text) is null or correlation_id = $10 or partner_correlation_id = $10)
            and occurred_at >= $11
        order by call_id desc limit $12";
    let values = params![
        acquiring_partner,
        UNKNOWN_CALLER,
        // Above every id.
        filter.before.as_deref().unwrap_or("d"),
        filter.after.as_deref().unwrap_or(""),
        &filter.method,
        &filter.operation,
        filter.status.map(|(from, _)| from),
        filter.status.map(|(_, to)| to),
        &filter.account_id,
        &filter.correlation_id,
        filter.since.unwrap_or(i64::MIN),
        limit
    ];
    tx.fetch_all(sql, values).await
}

pub(crate) async fn read(tx: &mut Tx, acquiring_partner: &str, call_id: &str) -> Result<Option<CallRow>, DbError> {
    let sql =
        "select acquiring_partner_id, call_id, occurred_at, method, path, operation, status, duration_us, account_id,
            correlation_id, partner_correlation_id, error_code, fault_id, detail
        from calls where acquiring_partner_id in ($1, $2) and call_id = $3";
    tx.fetch_optional(sql, params![acquiring_partner, UNKNOWN_CALLER, call_id]).await
}

/// Removes what an Acquiring Partner can see.
pub(crate) async fn clear(tx: &mut Tx, acquiring_partner: &str) -> Result<(), DbError> {
    let sql = "delete from calls where acquiring_partner_id in ($1, $2)";
    tx.execute(sql, params![acquiring_partner, UNKNOWN_CALLER]).await.map(drop)
}
