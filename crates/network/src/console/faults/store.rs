//! The table of fault rules.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A rule with its counts.
    pub(crate) struct RuleRow {
        pub acquiring_partner_id: String,
        pub fault_id: String,
        /// JSON.
        pub rule: String,
        pub seed: i64,
        /// How often it strikes at most.
        pub times: Option<i64>,
        pub matched: i64,
        pub applied: i64,
        pub created_at: i64,
    }
}

row! {
    /// A match, counted.
    pub(crate) struct CountedRow { pub seed: i64, pub matched: i64 }
}

pub(crate) async fn insert(tx: &mut Tx, row: &RuleRow) -> Result<(), DbError> {
    let sql =
        "insert into fault_rules (acquiring_partner_id, fault_id, rule, seed, times, matched, applied, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = params![
        &row.acquiring_partner_id,
        &row.fault_id,
        &row.rule,
        row.seed,
        row.times,
        row.matched,
        row.applied,
        row.created_at
    ];
    tx.execute(sql, values).await.map(drop)
}

/// All rules that may still strike, in the order in which they were made.
pub(crate) async fn live(tx: &mut Tx) -> Result<Vec<RuleRow>, DbError> {
    let sql = "select acquiring_partner_id, fault_id, rule, seed, times, matched, applied, created_at from fault_rules
        where times is null or applied < times order by created_at, fault_id";
    tx.fetch_all(sql, &[]).await
}

/// An Acquiring Partner's rules, newest first.
pub(crate) async fn list(tx: &mut Tx, account: &str) -> Result<Vec<RuleRow>, DbError> {
    let sql = "select acquiring_partner_id, fault_id, rule, seed, times, matched, applied, created_at from fault_rules
        where acquiring_partner_id = $1 order by created_at desc, fault_id desc";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn read(tx: &mut Tx, account: &str, fault_id: &str) -> Result<Option<RuleRow>, DbError> {
    let sql = "select acquiring_partner_id, fault_id, rule, seed, times, matched, applied, created_at from fault_rules
        where acquiring_partner_id = $1 and fault_id = $2";
    tx.fetch_optional(sql, params![account, fault_id]).await
}

pub(crate) async fn delete(tx: &mut Tx, account: &str, fault_id: &str) -> Result<bool, DbError> {
    let sql = "delete from fault_rules where acquiring_partner_id = $1 and fault_id = $2";
    Ok(tx.execute(sql, params![account, fault_id]).await? > 0)
}

/// `None` when the rule is gone or used up.
pub(crate) async fn count_match(tx: &mut Tx, account: &str, fault_id: &str) -> Result<Option<CountedRow>, DbError> {
    let sql = "update fault_rules set matched = matched + 1
        where acquiring_partner_id = $1 and fault_id = $2 and (times is null or applied < times)
        returning seed, matched";
    tx.fetch_optional(sql, params![account, fault_id]).await
}

pub(crate) async fn count_strike(tx: &mut Tx, account: &str, fault_id: &str) -> Result<(), DbError> {
    let sql = "update fault_rules set applied = applied + 1 where acquiring_partner_id = $1 and fault_id = $2";
    tx.execute(sql, params![account, fault_id]).await.map(drop)
}
