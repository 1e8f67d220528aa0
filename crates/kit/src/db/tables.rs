//! Whole tables, by name: which there are, and copies of them, inside a unit of work.
//!
//! For copies of everything that an installation holds. Names come from the database itself or from the program, and are checked all
//! the same: they stand in statements as text.

use super::{DbError, Tx, TxInner};
use crate::{dialect, params, row};

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
        let rows: Vec<NameRow> = self.fetch_all(dialect::tables(self.engine()), &[]).await?;
        let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<String>, DbError> {
        let rows: Vec<NameRow> = self.fetch_all(dialect::columns(self.engine()), params![table]).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// Holds whoever reads or writes these tables back until this unit is over.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn lock_tables(&mut self, tables: &[String]) -> Result<(), DbError> {
        let names = tables.iter().map(|table| checked(table)).collect::<Result<Vec<_>, _>>()?;
        match dialect::lock_tables(self.engine(), &names).filter(|_| !names.is_empty()) {
            Some(sql) => self.run(sql).await,
            None => Ok(()),
        }
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
        self.run(dialect::empty_table(self.engine(), table)).await?;
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
