//! Forward-only migrations, the same files for both engines, applied by refinery.

use refinery::{Migration, Runner};
use rusqlite::Connection;

use super::DbError;

/// An ordered set of migrations that belongs to one crate.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// Name of the set; its history is kept in the table `<set>_migrations`.
    pub set: &'static str,
    /// `("0001_jobs", "create table …")`, ascending.
    pub files: &'static [(&'static str, &'static str)],
}

/// A migration that was applied just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The set's name.
    pub set: &'static str,
    /// The migration's name with its number.
    pub name: String,
}

/// Any number will do as long as all processes use the same.
const ADVISORY_LOCK: i64 = 0x6b6f_6e74_6f72;

impl Migrations {
    fn runner(&self) -> Result<Runner, DbError> {
        let migrations = self
            .files
            .iter()
            .map(|(name, sql)| {
                let (number, rest) = name.split_once('_').unwrap_or((name, ""));
                let number = number.trim_start_matches('0');
                Migration::unapplied(&format!("V{number}__{rest}"), sql).map_err(|error| self.failed(error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut runner = Runner::new(&migrations);
        runner.set_migration_table_name(format!("{}_migrations", self.set));
        Ok(runner)
    }

    fn failed(&self, source: refinery::Error) -> DbError {
        DbError::Migration { set: self.set, source: Box::new(source) }
    }

    fn applied(&self, report: &refinery::Report) -> Vec<Applied> {
        let name = |m: &Migration| Applied { set: self.set, name: format!("{:04}_{}", m.version(), m.name()) };
        report.applied_migrations().iter().map(name).collect()
    }
}

pub(super) fn run_sqlite(connection: &mut Connection, sets: &[Migrations]) -> Result<Vec<Applied>, DbError> {
    let mut applied = Vec::new();
    for set in sets {
        let report = set.runner()?.run(connection).map_err(|error| set.failed(error))?;
        applied.extend(set.applied(&report));
    }
    Ok(applied)
}

pub(super) async fn run_postgres(
    client: &mut tokio_postgres::Client,
    sets: &[Migrations],
) -> Result<Vec<Applied>, DbError> {
    let lock = |error| DbError::Unavailable { context: "locking for migration", source: Box::new(error) };
    client.execute("select pg_advisory_lock($1)", &[&ADVISORY_LOCK]).await.map_err(lock)?;
    let mut applied = Vec::new();
    let mut outcome = Ok(());
    for set in sets {
        let report = match set.runner() {
            Ok(runner) => runner.run_async(client).await.map_err(|error| set.failed(error)),
            Err(error) => Err(error),
        };
        match report {
            Ok(report) => applied.extend(set.applied(&report)),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    client.execute("select pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await.map_err(lock)?;
    outcome.map(|()| applied)
}
