//! Snapshots: named copies of everything that this installation holds, and the way back to one of them. The first is made when a
//! database was seeded; going back to it is a reset.
//!
//! A copy, and a restoration, is one transaction. What is about the installation itself stays as it is: the log of calls, who is
//! signed in at the console, how often a process was started, who issues certificates and who the SFTP server is, which running processes
//! remember. The clock goes back to its distance from then. Work that was under way when the copy was made begins again. Afterwards this
//! process forgets what it remembered at once, others within a second.
//!
//! Two things end a snapshot. A migration: a copy holds rows of the tables that were, and nothing brings those up to date. And the loss of
//! the key that its secrets are sealed with: copies are not moved to a new key; going back moves what they hold, as long as the old key
//! is there. Both are refused, saying so, and leave everything as it was.

mod api;
mod store;

use std::collections::BTreeMap;

use kit::db::{Db, DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::sealed::KeyCount;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::operation::{conflict, forbidden, not_found};
use crate::sealed::SEALED;
use crate::seed;

pub use api::routes;
pub(crate) use store::SnapshotRow;

/// The snapshot of a freshly seeded database.
pub(crate) const SEEDED: &str = "seeded";
/// Copies cost space.
const SNAPSHOTS_MAX: usize = 50;
/// How the names of copies begin.
const COPY_PREFIX: &str = "snapshot_";
/// Tables that are about the installation, not in it.
const KEPT: [&str; 7] = [
    "calls",
    "certificate_authorities",
    "console_sessions",
    "installation",
    "installation_generation",
    "sftp_host_keys",
    "snapshots",
];

/// A table in a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub table: String,
    /// Where its rows are; absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    pub rows: i64,
}

/// Under which keys the secrets of a snapshot stand, and how many under each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys(pub BTreeMap<String, u64>);

impl Keys {
    fn from_counts(counts: Vec<KeyCount>) -> Self {
        let mut keys = BTreeMap::new();
        for count in counts {
            if let Some(key) = count.key_id {
                *keys.entry(key).or_default() += count.values;
            }
        }
        Self(keys)
    }
}

/// What is sealed in the tables that are copied.
async fn sealed(tx: &mut Tx) -> Result<Vec<KeyCount>, DbError> {
    let copied = SEALED.iter().copied().filter(|column| !KEPT.contains(&column.table)).collect();
    kit::sealed::count_in(tx, copied).await
}

/// Every snapshot by its name, newest first, with the keys that going back to it needs; `None` where nobody counted.
///
/// # Errors
/// [`DbError`].
pub async fn keys(db: &Db) -> Result<Vec<(String, Option<Keys>)>, DbError> {
    let rows: Vec<SnapshotRow> = db.read(|tx| Box::pin(store::list(tx))).await?;
    let keys = |row: SnapshotRow| {
        let keys = row.sealed_under.and_then(|text| serde_json::from_str(&text).ok());
        (row.name, keys)
    };
    Ok(rows.into_iter().map(keys).collect())
}

/// Whether a snapshot can be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(plain)
}

/// The tables that are copied.
async fn tables(tx: &mut Tx) -> Result<Vec<String>, DbError> {
    let is_ours = |table: &String| {
        !KEPT.contains(&table.as_str()) && !table.starts_with(COPY_PREFIX) && !table.ends_with("_migrations")
    };
    Ok(tx.tables().await?.into_iter().filter(is_ours).collect())
}

/// Whose installation this is: the Acquiring Partner that was there first. `None` in a database without accounts.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn operator(tx: &mut Tx) -> Result<Option<String>, DbError> {
    store::first_acquiring_partner(tx).await
}

/// Snapshots concern every account. Ours: the Acquiring Partner that was there first is the installation's operator.
async fn require_operator(tx: &mut Tx, account: &str) -> Result<(), ApiError> {
    if operator(tx).await?.as_deref() == Some(account) {
        return Ok(());
    }
    Err(forbidden("Snapshots hold every account; only the first Acquiring Partner of the installation may use them."))
}

/// Copies everything under a name.
async fn take(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<SnapshotRow, ApiError> {
    let known = store::list(tx).await?;
    if known.iter().any(|row| row.name == name) {
        return Err(conflict("A snapshot of this name exists.").field("name", "is in use"));
    }
    if known.len() >= SNAPSHOTS_MAX {
        return Err(conflict(format!("There are {SNAPSHOTS_MAX} snapshots; remove one first.")));
    }
    let tables = tables(tx).await?;
    tx.lock_tables(&tables).await?;
    let number = known.iter().map(|row| row.number).max().unwrap_or(0) + 1;
    let mut copied = Vec::with_capacity(tables.len());
    for table in tables {
        let copy = format!("{COPY_PREFIX}{number}_{table}");
        let rows = tx.copy_table(&table, &copy).await?;
        copied.push(Copied { table, copy: (rows > 0).then_some(copy), rows });
    }
    let row = SnapshotRow {
        name: name.to_owned(),
        number,
        created_at: ctx.clock.now(),
        clock_offset_us: ctx.clock.offset(),
        schema_version: store::schema_version(tx).await?,
        tables: serde_json::to_string(&copied).map_err(ApiError::internal)?,
        sealed_under: Some(serde_json::to_string(&Keys::from_counts(sealed(tx).await?)).map_err(ApiError::internal)?),
    };
    store::insert(tx, &row).await?;
    Ok(row)
}

async fn restore(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<SnapshotRow, ApiError> {
    let Some(row) = store::read(tx, name).await? else {
        let message = if name == SEEDED {
            "This database was not seeded by a version that keeps its beginning."
        } else {
            "The snapshot does not exist."
        };
        return Err(not_found(message));
    };
    let present = store::schema_version(tx).await?;
    if row.schema_version != present {
        return Err(conflict(format!(
            "The snapshot holds the tables of an earlier version (migrations: {}; now: {present}), and cannot be brought up to date. \
             Nothing was changed. Remove it, or begin with an empty database where the seeded state is wanted.",
            row.schema_version
        )));
    }
    let copied: Vec<Copied> = serde_json::from_str(&row.tables).map_err(ApiError::internal)?;
    let tables = tables(tx).await?;
    tx.lock_tables(&tables).await?;
    for table in &tables {
        let copy = copied.iter().find(|copied| copied.table == *table).and_then(|copied| copied.copy.as_deref());
        tx.refill_table(table, copy).await?;
    }
    let keys = Keys::from_counts(sealed(tx).await?);
    if let Some(key) = keys.0.keys().find(|key| ctx.secrets.keyring().key_ids().all(|held| held != key.as_str())) {
        return Err(conflict(format!(
            "The snapshot holds secrets that are sealed with the key {key}, which this end no longer has. Nothing was changed. Put the \
             key back into the keyring, or remove the snapshot."
        )));
    }
    store::release_jobs(tx).await?;
    seed::set_clock_back(tx, row.clock_offset_us).await?;
    store::next_generation(tx).await?;
    Ok(row)
}

async fn delete(tx: &mut Tx, name: &str) -> Result<(), ApiError> {
    let row = store::read(tx, name).await?.ok_or_else(|| not_found("The snapshot does not exist."))?;
    let copied: Vec<Copied> = serde_json::from_str(&row.tables).map_err(ApiError::internal)?;
    for copy in copied.into_iter().filter_map(|copied| copied.copy) {
        tx.drop_copy(&copy).await?;
    }
    Ok(store::delete(tx, name).await?)
}

/// All snapshots, newest first.
pub(crate) async fn all(ctx: &Ctx) -> Result<Vec<SnapshotRow>, ApiError> {
    Ok(ctx.db.read(|tx| Box::pin(store::list(tx))).await?)
}

/// The version that a snapshot must have to be gone back to.
pub(crate) async fn present_version(ctx: &Ctx) -> Result<String, ApiError> {
    Ok(ctx.db.read(|tx| Box::pin(store::schema_version(tx))).await?)
}

/// What is done with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Take,
    Restore,
    Delete,
}

/// Makes, restores or removes a snapshot for an Acquiring Partner.
///
/// # Errors
/// 403 for any but the first Acquiring Partner, 404, 409; [`DbError`].
pub(crate) async fn act(ctx: &Ctx, account: &str, name: &str, act: Act) -> Result<Option<SnapshotRow>, ApiError> {
    let row = ctx
        .write(|| {
            let (ctx, account, name) = (ctx.clone(), account.to_owned(), name.to_owned());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<SnapshotRow>, ApiError>> {
                Box::pin(async move {
                    require_operator(tx, &account).await?;
                    match act {
                        Act::Take => take(tx, &ctx, &name).await.map(Some),
                        Act::Restore => {
                            let row = restore(tx, &ctx, &name).await?;
                            // Before the commit: a unit that comes behind this one must not judge what was put back by the time
                            // that was moved to since.
                            ctx.clock.set_offset(row.clock_offset_us);
                            Ok(Some(row))
                        }
                        Act::Delete => delete(tx, &name).await.map(|()| None),
                    }
                })
            }
        })
        .await;
    if act == Act::Restore {
        // Whatever came of the commit, the database knows.
        follow(ctx).await?;
        // What stands under an older key moves to the current one, as at a start.
        kit::sealed::start(&ctx.db, &ctx.secrets, ctx.clock.now()).await?;
    }
    row
}

/// Keeps the beginning of a freshly seeded database.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn keep_beginning(ctx: &Ctx) -> Result<(), ApiError> {
    ctx.write(|| {
        let ctx = ctx.clone();
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move {
                if store::read(tx, SEEDED).await?.is_none() {
                    take(tx, &ctx, SEEDED).await?;
                }
                Ok(())
            })
        }
    })
    .await
}

/// What is remembered was true of another state.
async fn forget(ctx: &Ctx, clock_offset_us: i64) -> Result<(), ApiError> {
    ctx.clock.set_offset(clock_offset_us);
    ctx.forget();
    super::faults::refresh(ctx).await?;
    ctx.poke.poke();
    Ok(())
}

/// The generation that this database is in.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn generation(ctx: &Ctx) -> Result<i64, DbError> {
    ctx.db.read(|tx| Box::pin(store::generation(tx))).await
}

/// Another process has restored a snapshot.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn follow(ctx: &Ctx) -> Result<(), ApiError> {
    let offset = seed::clock_offset(&ctx.db).await?;
    forget(ctx, offset).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(is_name("before-refunds_2.0"));
        for name in ["", "a b", "a/b", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
