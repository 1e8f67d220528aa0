//! The table of snapshots, and what a restoration changes besides the copies.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A snapshot.
    pub(crate) struct SnapshotRow {
        pub name: String,
        pub number: i64,
        pub created_at: i64,
        pub clock_offset_us: i64,
        pub schema_version: String,
        /// JSON: the copies.
        pub tables: String,
        /// JSON: how many secrets stand under which key.
        pub sealed_under: Option<String>,
    }
}
row! { struct NameRow { name: Option<String> } }
row! { struct VersionRow { kit: i64, network: i64 } }
row! { struct GenerationRow { generation: i64 } }

pub(super) async fn insert(tx: &mut Tx, row: &SnapshotRow) -> Result<(), DbError> {
    let sql = "insert into snapshots (name, number, created_at, clock_offset_us, schema_version, tables, sealed_under)
        values ($1, $2, $3, $4, $5, $6, $7)";
    let values = params![
        &row.name,
        row.number,
        row.created_at,
        row.clock_offset_us,
        &row.schema_version,
        &row.tables,
        &row.sealed_under
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn list(tx: &mut Tx) -> Result<Vec<SnapshotRow>, DbError> {
    let sql = "select name, number, created_at, clock_offset_us, schema_version, tables, sealed_under
        from snapshots order by number desc";
    tx.fetch_all(sql, &[]).await
}

pub(super) async fn read(tx: &mut Tx, name: &str) -> Result<Option<SnapshotRow>, DbError> {
    let sql = "select name, number, created_at, clock_offset_us, schema_version, tables, sealed_under
        from snapshots where name = $1";
    tx.fetch_optional(sql, params![name]).await
}

pub(super) async fn delete(tx: &mut Tx, name: &str) -> Result<(), DbError> {
    tx.execute("delete from snapshots where name = $1", params![name]).await.map(drop)
}

/// What tables there are follows from which migrations were applied.
pub(super) async fn schema_version(tx: &mut Tx) -> Result<String, DbError> {
    let sql =
        "select (select count(*) from kit_migrations) as kit, (select count(*) from network_migrations) as network";
    let row: VersionRow = tx.fetch_one(sql, &[]).await?;
    Ok(format!("kit {}, network {}", row.kit, row.network))
}

/// `None` in a database without accounts.
pub(super) async fn first_acquiring_partner(tx: &mut Tx) -> Result<Option<String>, DbError> {
    let sql = "select account_id as name from accounts where acquiring_partner_id is null
        order by created_at, account_id limit 1";
    Ok(tx.fetch_optional::<NameRow>(sql, &[]).await?.and_then(|row| row.name))
}

/// Work that was under way when the copy was made belongs to nobody now. A worker that is still at it finds its attempt gone.
pub(super) async fn release_jobs(tx: &mut Tx) -> Result<(), DbError> {
    let sql = "update jobs set lease_until = 0, attempts = attempts + 1 where state = 'ready' and lease_until > 0";
    tx.execute(sql, &[]).await.map(drop)
}

pub(super) async fn next_generation(tx: &mut Tx) -> Result<(), DbError> {
    let sql = "insert into installation_generation (id, generation) values ('network', 1)
        on conflict (id) do update set generation = installation_generation.generation + 1";
    tx.execute(sql, &[]).await.map(drop)
}

pub(super) async fn generation(tx: &mut Tx) -> Result<i64, DbError> {
    let sql = "select generation from installation_generation where id = 'network'";
    Ok(tx.fetch_optional::<GenerationRow>(sql, &[]).await?.map_or(0, |row| row.generation))
}
