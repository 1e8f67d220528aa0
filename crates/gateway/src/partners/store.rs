//! Tables `partner_profiles`, `partner_parts` and `partner_drifts`.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// Where a Partner stands.
    pub(super) struct ProfileRow {
        pub partner_id: String,
        pub reference: String,
        pub state: String,
        /// A [`super::standing::Standing`] as JSON.
        pub standing: String,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

row! {
    /// A part, sealed.
    pub(super) struct PartRow {
        pub part_id: String,
        pub kind: String,
        pub reference: String,
        pub position: i64,
        pub body: Vec<u8>,
        pub klarna_id: Option<String>,
        pub version: i64,
        pub synced_version: Option<i64>,
    }
}

/// False if another Partner has the reference.
pub(super) async fn insert(tx: &mut Tx, row: &ProfileRow) -> Result<bool, DbError> {
    let sql = "insert into partner_profiles (partner_id, reference, state, standing, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
    let values = params![&row.partner_id, &row.reference, &row.state, &row.standing, row.created_at, row.updated_at];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(super) async fn reference_owner(tx: &mut Tx, reference: &str) -> Result<Option<String>, DbError> {
    row! { struct OwnerRow { partner_id: String } }
    let sql = "select partner_id from partner_profiles where reference = $1";
    Ok(tx.fetch_optional::<OwnerRow>(sql, params![reference]).await?.map(|row| row.partner_id))
}

/// Reads where a Partner stands and locks it until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, partner_id: &str) -> Result<Option<ProfileRow>, DbError> {
    let sql = "update partner_profiles set updated_at = updated_at where partner_id = $1
        returning partner_id, reference, state, standing, created_at, updated_at";
    tx.fetch_optional(sql, params![partner_id]).await
}

pub(super) async fn read(tx: &mut Tx, partner_id: &str) -> Result<Option<ProfileRow>, DbError> {
    let sql = "select partner_id, reference, state, standing, created_at, updated_at
        from partner_profiles where partner_id = $1";
    tx.fetch_optional(sql, params![partner_id]).await
}

pub(super) async fn save(tx: &mut Tx, row: &ProfileRow) -> Result<(), DbError> {
    let sql = "update partner_profiles set reference = $2, state = $3, standing = $4, updated_at = $5
        where partner_id = $1";
    let values = params![&row.partner_id, &row.reference, &row.state, &row.standing, row.updated_at];
    tx.execute(sql, values).await.map(drop)
}

/// Partners, newest first, or from `after` towards the newer ones.
pub(super) async fn page(
    tx: &mut Tx,
    state: Option<&str>,
    reference: Option<&str>,
    after: Option<&str>,
    newer: bool,
    limit: i64,
) -> Result<Vec<ProfileRow>, DbError> {
    const DOWN: &str = "select partner_id, reference, state, standing, created_at, updated_at from partner_profiles
        where (cast($1 as text) is null or state = $1) and (cast($2 as text) is null or reference = $2)
            and (cast($3 as text) is null or partner_id < $3)
        order by partner_id desc limit $4";
    const UP: &str = "select partner_id, reference, state, standing, created_at, updated_at from partner_profiles
        where (cast($1 as text) is null or state = $1) and (cast($2 as text) is null or reference = $2)
            and (cast($3 as text) is null or partner_id > $3)
        order by partner_id limit $4";
    tx.fetch_all(if newer { UP } else { DOWN }, params![state, reference, after, limit]).await
}

pub(super) async fn parts(tx: &mut Tx, partner_id: &str) -> Result<Vec<PartRow>, DbError> {
    let sql = "select part_id, kind, reference, position, body, klarna_id, version, synced_version
        from partner_parts where partner_id = $1 order by position, part_id";
    tx.fetch_all(sql, params![partner_id]).await
}

/// The first part of a kind.
pub(super) async fn first_part(tx: &mut Tx, partner_id: &str, kind: &str) -> Result<Option<PartRow>, DbError> {
    let sql = "select part_id, kind, reference, position, body, klarna_id, version, synced_version
        from partner_parts where partner_id = $1 and kind = $2 order by position, part_id limit 1";
    tx.fetch_optional(sql, params![partner_id, kind]).await
}

/// Writes a part, whether it was there or not.
pub(super) async fn put_part(tx: &mut Tx, partner_id: &str, row: &PartRow) -> Result<(), DbError> {
    let sql = "insert into partner_parts
            (partner_id, part_id, kind, reference, position, body, klarna_id, version, synced_version)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (partner_id, part_id) do update set reference = excluded.reference, body = excluded.body,
            klarna_id = excluded.klarna_id, version = excluded.version, synced_version = excluded.synced_version";
    let values = params![
        partner_id,
        &row.part_id,
        &row.kind,
        &row.reference,
        row.position,
        &row.body,
        &row.klarna_id,
        row.version,
        row.synced_version
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn delete_part(tx: &mut Tx, partner_id: &str, part_id: &str) -> Result<(), DbError> {
    let sql = "delete from partner_parts where partner_id = $1 and part_id = $2";
    tx.execute(sql, params![partner_id, part_id]).await.map(drop)
}

/// Klarna has this version of a part, under this id.
pub(super) async fn synced(
    tx: &mut Tx,
    partner_id: &str,
    part_id: &str,
    klarna_id: &str,
    version: i64,
) -> Result<(), DbError> {
    let sql = "update partner_parts set klarna_id = $3, synced_version = $4
        where partner_id = $1 and part_id = $2 and (synced_version is null or synced_version <= $4)";
    tx.execute(sql, params![partner_id, part_id, klarna_id, version]).await.map(drop)
}

/// Sends a part again, as a new version: under the key of the old one, Klarna would only repeat its answer.
pub(super) async fn unsynced(tx: &mut Tx, partner_id: &str, part_id: &str) -> Result<(), DbError> {
    let sql = "update partner_parts set version = version + 1 where partner_id = $1 and part_id = $2";
    tx.execute(sql, params![partner_id, part_id]).await.map(drop)
}

row! {
    /// A difference that an alignment found.
    pub(super) struct DriftRow {
        pub found_at: i64,
        pub field: String,
        pub action: String,
    }
}

/// Klarna lost a part: it is new again.
pub(super) async fn forget(tx: &mut Tx, partner_id: &str, part_id: &str) -> Result<(), DbError> {
    let sql = "update partner_parts set klarna_id = null, synced_version = null where partner_id = $1 and part_id = $2";
    tx.execute(sql, params![partner_id, part_id]).await.map(drop)
}

/// When a Partner is compared next.
pub(super) async fn align_at(tx: &mut Tx, partner_id: &str, at: i64) -> Result<(), DbError> {
    let sql = "update partner_profiles set align_at = $2 where partner_id = $1";
    tx.execute(sql, params![partner_id, at]).await.map(drop)
}

/// It was compared, and when it is compared next.
pub(super) async fn aligned(tx: &mut Tx, partner_id: &str, now: i64, next: i64) -> Result<(), DbError> {
    let sql = "update partner_profiles set aligned_at = $2, align_at = $3 where partner_id = $1";
    tx.execute(sql, params![partner_id, now, next]).await.map(drop)
}

/// Everybody who is ever compared is due, unless that was so already.
pub(super) async fn align_all(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    let sql = "update partner_profiles set align_at = $1 where align_at > $1";
    tx.execute(sql, params![now]).await.map(drop)
}

pub(super) async fn due_for_alignment(tx: &mut Tx, now: i64, limit: i64) -> Result<Vec<String>, DbError> {
    row! { struct DueRow { partner_id: String } }
    let sql = "select partner_id from partner_profiles where align_at is not null and align_at <= $1
        order by align_at limit $2";
    Ok(tx.fetch_all::<DueRow>(sql, params![now, limit]).await?.into_iter().map(|row| row.partner_id).collect())
}

pub(super) async fn insert_drift(
    tx: &mut Tx,
    partner_id: &str,
    drift_id: &str,
    field: &str,
    action: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into partner_drifts (partner_id, drift_id, found_at, field, action) values ($1, $2, $3, $4, $5)";
    tx.execute(sql, params![partner_id, drift_id, now, field, action]).await.map(drop)
}

/// Newest first.
pub(super) async fn drifts(tx: &mut Tx, partner_id: &str, limit: i64) -> Result<Vec<DriftRow>, DbError> {
    let sql = "select found_at, field, action from partner_drifts where partner_id = $1
        order by found_at desc, drift_id desc limit $2";
    tx.fetch_all(sql, params![partner_id, limit]).await
}

/// How many Partners are compared, how many of them are due, and how many were compared since a time.
pub(super) async fn alignment_counts(tx: &mut Tx, now: i64, since: i64) -> Result<(i64, i64, i64), DbError> {
    row! { struct CountRow { known: i64, due: i64, compared: i64 } }
    let sql = "select count(*) as known, count(case when align_at <= $1 then 1 end) as due,
            count(case when aligned_at >= $2 then 1 end) as compared
        from partner_profiles where align_at is not null";
    let row: CountRow = tx.fetch_one(sql, params![now, since]).await?;
    Ok((row.known, row.due, row.compared))
}

/// Removes some of the differences that were found before a time; says how many.
pub(super) async fn prune_drifts(tx: &mut Tx, before: i64, limit: i64) -> Result<u64, DbError> {
    let sql = "delete from partner_drifts where (partner_id, drift_id) in
        (select partner_id, drift_id from partner_drifts where found_at < $1 order by found_at limit $2)";
    tx.execute(sql, params![before, limit]).await
}

/// How many differences were found since a time, by what became of them.
pub(super) async fn drift_counts(tx: &mut Tx, since: i64) -> Result<Vec<(String, i64)>, DbError> {
    row! { struct ActionRow { action: String, drifts: i64 } }
    let sql =
        "select action, count(*) as drifts from partner_drifts where found_at >= $1 group by action order by action";
    let rows: Vec<ActionRow> = tx.fetch_all(sql, params![since]).await?;
    Ok(rows.into_iter().map(|row| (row.action, row.drifts)).collect())
}
