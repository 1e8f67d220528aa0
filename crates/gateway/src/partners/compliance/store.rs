//! Table `partner_decisions`.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A decision.
    pub(super) struct DecisionRow {
        pub decision_id: String,
        pub kind: String,
        pub outcome: String,
        pub reason: String,
        pub klarna_id: Option<String>,
        pub product_id: Option<String>,
        pub decided_at: i64,
        pub heard_at: i64,
    }
}

/// False if a decision of this id at Klarna is known.
pub(super) async fn insert(tx: &mut Tx, partner_id: &str, row: &DecisionRow) -> Result<bool, DbError> {
    let sql = "insert into partner_decisions
            (partner_id, decision_id, kind, outcome, reason, klarna_id, product_id, decided_at, heard_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";
    let values = params![
        partner_id,
        &row.decision_id,
        &row.kind,
        &row.outcome,
        &row.reason,
        &row.klarna_id,
        &row.product_id,
        row.decided_at,
        row.heard_at
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

/// Decisions as they were heard, newest first, or from `after` towards the newer ones.
pub(super) async fn page(
    tx: &mut Tx,
    partner_id: &str,
    after: Option<&str>,
    newer: bool,
    limit: i64,
) -> Result<Vec<DecisionRow>, DbError> {
    const DOWN: &str = "select decision_id, kind, outcome, reason, klarna_id, product_id, decided_at, heard_at
        from partner_decisions where partner_id = $1 and (cast($2 as text) is null or decision_id < $2)
        order by decision_id desc limit $3";
    const UP: &str = "select decision_id, kind, outcome, reason, klarna_id, product_id, decided_at, heard_at
        from partner_decisions where partner_id = $1 and (cast($2 as text) is null or decision_id > $2)
        order by decision_id limit $3";
    tx.fetch_all(if newer { UP } else { DOWN }, params![partner_id, after, limit]).await
}
