//! Tables `partner_imports` and `partner_import_rows`.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// An import.
    pub struct ImportRow {
        pub import_id: String,
        pub reference: String,
        pub operator_id: String,
        pub dry_run: bool,
        pub changes: bool,
        pub submits: bool,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

row! {
    /// What became of a row.
    pub struct TakenRow {
        pub number: i64,
        /// Empty where the row had none.
        pub reference: String,
        pub outcome: String,
        pub partner_id: Option<String>,
        /// Pairs of field and reason, as JSON.
        pub faults: String,
    }
}

row! {
    /// The same, with where the Partner stands.
    pub(super) struct ListedRow {
        pub number: i64,
        pub reference: String,
        pub outcome: String,
        pub partner_id: Option<String>,
        pub faults: String,
        pub state: Option<String>,
        pub standing: Option<String>,
    }
}

/// False if there is one of that reference.
pub(super) async fn insert_import(tx: &mut Tx, row: &ImportRow) -> Result<bool, DbError> {
    let sql = "insert into partner_imports
            (import_id, reference, operator_id, dry_run, changes, submits, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict do nothing";
    let values = params![
        &row.import_id,
        &row.reference,
        &row.operator_id,
        row.dry_run,
        row.changes,
        row.submits,
        row.created_at
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(super) async fn import_by_reference(tx: &mut Tx, reference: &str) -> Result<Option<ImportRow>, DbError> {
    let sql = "select import_id, reference, operator_id, dry_run, changes, submits, created_at, updated_at
        from partner_imports where reference = $1";
    tx.fetch_optional(sql, params![reference]).await
}

pub(super) async fn import(tx: &mut Tx, import_id: &str) -> Result<Option<ImportRow>, DbError> {
    let sql = "select import_id, reference, operator_id, dry_run, changes, submits, created_at, updated_at
        from partner_imports where import_id = $1";
    tx.fetch_optional(sql, params![import_id]).await
}

/// Reads an import and locks it until the transaction ends: its batches are taken one after the other.
pub(super) async fn lock_import(tx: &mut Tx, import_id: &str, now: i64) -> Result<Option<ImportRow>, DbError> {
    let sql = "update partner_imports set updated_at = $2 where import_id = $1
        returning import_id, reference, operator_id, dry_run, changes, submits, created_at, updated_at";
    tx.fetch_optional(sql, params![import_id, now]).await
}

/// The number of an earlier row of the import with the same reference.
pub(super) async fn row_with_reference(tx: &mut Tx, import_id: &str, reference: &str) -> Result<Option<i64>, DbError> {
    row! { struct NumberRow { number: i64 } }
    let sql = "select number from partner_import_rows where import_id = $1 and reference = $2 order by number limit 1";
    Ok(tx.fetch_optional::<NumberRow>(sql, params![import_id, reference]).await?.map(|row| row.number))
}

pub(super) async fn taken(tx: &mut Tx, import_id: &str, number: i64) -> Result<Option<TakenRow>, DbError> {
    let sql = "select number, reference, outcome, partner_id, faults from partner_import_rows
        where import_id = $1 and number = $2";
    tx.fetch_optional(sql, params![import_id, number]).await
}

pub(super) async fn insert_row(tx: &mut Tx, import_id: &str, row: &TakenRow) -> Result<(), DbError> {
    let sql = "insert into partner_import_rows (import_id, number, reference, outcome, partner_id, faults)
        values ($1, $2, $3, $4, $5, $6)";
    let values = params![import_id, row.number, &row.reference, &row.outcome, &row.partner_id, &row.faults];
    tx.execute(sql, values).await.map(drop)
}

/// Rows behind a number, in order, with where their Partners stand.
pub(super) async fn rows(
    tx: &mut Tx,
    import_id: &str,
    outcome: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<ListedRow>, DbError> {
    let sql = "select r.number, r.reference, r.outcome, r.partner_id, r.faults, p.state, p.standing
        from partner_import_rows r left join partner_profiles p on p.partner_id = r.partner_id
        where r.import_id = $1 and (cast($2 as text) is null or r.outcome = $2) and r.number > $3
        order by r.number limit $4";
    tx.fetch_all(sql, params![import_id, outcome, after, limit]).await
}

row! {
    /// How many rows had an outcome, and the last of them.
    pub(super) struct OutcomeCount { pub outcome: String, pub rows: i64, pub last: i64 }
}

pub(super) async fn outcomes(tx: &mut Tx, import_id: &str) -> Result<Vec<OutcomeCount>, DbError> {
    let sql = "select outcome, count(*) as rows, max(number) as last from partner_import_rows where import_id = $1
        group by outcome order by outcome";
    tx.fetch_all(sql, params![import_id]).await
}

row! {
    /// How many Partners of an import are in a state.
    pub(super) struct StateCount { pub state: String, pub partners: i64 }
}

pub(super) async fn states(tx: &mut Tx, import_id: &str) -> Result<Vec<StateCount>, DbError> {
    let sql = "select p.state, count(*) as partners
        from partner_import_rows r join partner_profiles p on p.partner_id = r.partner_id
        where r.import_id = $1 group by p.state order by p.state";
    tx.fetch_all(sql, params![import_id]).await
}

/// Partners by the order of their making, behind one.
pub(super) async fn partners(
    tx: &mut Tx,
    state: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<super::super::store::ProfileRow>, DbError> {
    let sql = "select partner_id, reference, state, standing, created_at, updated_at from partner_profiles
        where (cast($1 as text) is null or state = $1) and partner_id > $2 order by partner_id limit $3";
    tx.fetch_all(sql, params![state, after, limit]).await
}

/// Removes an import that was touched last before a time, with its rows; false if there is none.
pub(in super::super) async fn prune(tx: &mut Tx, before: i64) -> Result<bool, DbError> {
    row! { struct IdRow { import_id: String } }
    let sql = "delete from partner_imports where import_id in
            (select import_id from partner_imports where updated_at < $1 order by updated_at limit 1)
        returning import_id";
    let Some(row) = tx.fetch_optional::<IdRow>(sql, params![before]).await? else { return Ok(false) };
    let sql = "delete from partner_import_rows where import_id = $1";
    tx.execute(sql, params![&row.import_id]).await.map(|_| true)
}
