//! Whole tables, by name: which there are, and copies of them, inside a unit of work.
//!
//! For copies of everything that an installation holds. Names come from the database itself or from the program, and are checked all
//! the same: they stand in statements as text.

use super::{DbError, Engine, Tx, TxInner};
use crate::{params, row};

row! { struct NameRow { name: String } }
row! { struct FoundRow { found: i64 } }

/// A table's or column's name that may stand in a statement.
fn checked(name: &str) -> Result<&str, DbError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    // PostgreSQL cuts longer ones off, silently.
    if !name.is_empty() && name.len() <= 63 && name.chars().all(plain) {
        return Ok(name);
    }
    let source = format!("`{name}` is no plain name of a table or column").into();
    Err(DbError::Statement { sql: String::new(), source })
}

impl Tx {
    /// A statement that is made while the program runs, without parameters and without a result.
    async fn run(&mut self, sql: String) -> Result<(), DbError> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.run(&sql),
            TxInner::Postgres(tx) => tx.run(&sql).await,
        }
    }

    /// The names of all tables, in their order.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`].
    pub async fn tables(&mut self) -> Result<Vec<String>, DbError> {
        let sql = match self.engine() {
            Engine::Sqlite => {
                "select name from sqlite_master where type = 'table' and name not like 'sqlite!_%' escape '!' order by name"
            }
            Engine::Postgres => {
                "select table_name::text as name from information_schema.tables
                where table_schema = current_schema() and table_type = 'BASE TABLE' order by table_name"
            }
        };
        let rows: Vec<NameRow> = self.fetch_all(sql, &[]).await?;
        let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<String>, DbError> {
        let sql = match self.engine() {
            Engine::Sqlite => "select name from pragma_table_info($1) order by cid",
            Engine::Postgres => {
                "select column_name::text as name from information_schema.columns
                where table_schema = current_schema() and table_name = $1 order by ordinal_position"
            }
        };
        let rows: Vec<NameRow> = self.fetch_all(sql, params![table]).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// Holds whoever reads or writes these tables back until this unit is over. SQLite has one writer, and readers see what was.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn lock_tables(&mut self, tables: &[String]) -> Result<(), DbError> {
        if self.engine() == Engine::Sqlite || tables.is_empty() {
            return Ok(());
        }
        let names = tables.iter().map(|table| checked(table).map(|name| format!("\"{name}\"")));
        let names = names.collect::<Result<Vec<_>, _>>()?.join(", ");
        self.run(format!("lock table {names} in access exclusive mode")).await
    }

    /// Copies a table's rows into a new table, unless it has none; returns how many.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn copy_table(&mut self, table: &str, copy: &str) -> Result<i64, DbError> {
        let (table, copy) = (checked(table)?, checked(copy)?);
        let rows = self.rows_of(table).await?;
        if rows > 0 {
            self.run(format!("create table \"{copy}\" as select * from \"{table}\"")).await?;
        }
        Ok(rows)
    }

    async fn rows_of(&mut self, table: &str) -> Result<i64, DbError> {
        // Counted by the same way as everything that is made while the program runs: without the statement cache.
        let sql = format!("select count(*) as found from \"{table}\"");
        let row: Vec<FoundRow> = match &mut self.inner {
            TxInner::Sqlite(tx) => tx.ask(&sql)?,
            TxInner::Postgres(tx) => tx.ask(&sql).await?,
        };
        Ok(row.first().map_or(0, |row| row.found))
    }

    /// Replaces all rows of a table by those of a copy, or by none.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn refill_table(&mut self, table: &str, copy: Option<&str>) -> Result<(), DbError> {
        let table = checked(table)?;
        // PostgreSQL would keep the deleted rows for a while, and a big table long.
        let empty = match self.engine() {
            Engine::Sqlite => format!("delete from \"{table}\""),
            Engine::Postgres => format!("truncate table \"{table}\""),
        };
        self.run(empty).await?;
        let Some(copy) = copy else { return Ok(()) };
        let copy = checked(copy)?;
        let columns = self.columns(copy).await?;
        let columns = columns.iter().map(|name| checked(name).map(|name| format!("\"{name}\"")));
        let columns = columns.collect::<Result<Vec<_>, _>>()?.join(", ");
        self.run(format!("insert into \"{table}\" ({columns}) select {columns} from \"{copy}\"")).await
    }

    /// Removes a table that [`Tx::copy_table`] made.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn drop_copy(&mut self, copy: &str) -> Result<(), DbError> {
        let copy = checked(copy)?;
        self.run(format!("drop table if exists \"{copy}\"")).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_stand_in_statements() {
        assert!(checked("snapshot_1_jobs").is_ok());
        for name in ["", "a b", "a\"b", "A", "a;", "ä"] {
            assert!(checked(name).is_err(), "{name}");
        }
        assert!(checked(&"a".repeat(64)).is_err());
    }
}
