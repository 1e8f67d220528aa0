//! Values on their way into statements and out of rows: text, bigint, boolean, bytes, null.

use bytes::BytesMut;
use postgres_types::{IsNull, ToSql as PgToSql, Type, to_sql_checked};
use rusqlite::types::{ToSql as LiteToSql, ToSqlOutput, ValueRef};

use super::DbError;

/// A statement's parameter, borrowed from the caller.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// SQL null of whatever type the statement expects.
    Null,
    /// `bigint`.
    Int(i64),
    /// `boolean`.
    Bool(bool),
    /// `text`.
    Text(&'a str),
    /// `bytea`.
    Bytes(&'a [u8]),
}

macro_rules! param_from {
    ($($from:ty => |$v:ident| $to:expr),+ $(,)?) => {$(
        impl<'a> From<$from> for Param<'a> {
            fn from($v: $from) -> Self { $to }
        }
    )+};
}
param_from! {
    i64 => |v| Param::Int(v),
    i32 => |v| Param::Int(v.into()),
    u32 => |v| Param::Int(v.into()),
    u16 => |v| Param::Int(v.into()),
    bool => |v| Param::Bool(v),
    &'a str => |v| Param::Text(v),
    &'a String => |v| Param::Text(v),
    &'a [u8] => |v| Param::Bytes(v),
    &'a Vec<u8> => |v| Param::Bytes(v),
    &'a Option<String> => |v| v.as_deref().map_or(Param::Null, Param::Text),
    &'a Option<Vec<u8>> => |v| v.as_deref().map_or(Param::Null, Param::Bytes),
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

impl LiteToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Param::Null => ValueRef::Null,
            Param::Int(v) => ValueRef::Integer(v),
            Param::Bool(v) => ValueRef::Integer(v.into()),
            Param::Text(v) => ValueRef::Text(v.as_bytes()),
            Param::Bytes(v) => ValueRef::Blob(v),
        }))
    }
}

impl PgToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match *self {
            Param::Null => Ok(IsNull::Yes),
            Param::Int(v) if *ty == Type::INT4 => i32::try_from(v)?.to_sql_checked(ty, out),
            Param::Int(v) => v.to_sql_checked(ty, out),
            Param::Bool(v) => v.to_sql_checked(ty, out),
            Param::Text(v) => v.to_sql_checked(ty, out),
            Param::Bytes(v) => v.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One row, from either engine.
pub enum Row<'a> {
    #[doc(hidden)]
    Sqlite(&'a rusqlite::Row<'a>),
    #[doc(hidden)]
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The column of that name.
    ///
    /// # Errors
    /// [`DbError::Decode`] when there is no such column or it holds another type.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, DbError> {
        match self {
            Row::Sqlite(row) => T::from_sqlite(row, name)
                .map_err(|source| DbError::Decode { column: name.to_owned(), source: Box::new(source) }),
            Row::Postgres(row) => T::from_postgres(row, name)
                .map_err(|source| DbError::Decode { column: name.to_owned(), source: Box::new(source) }),
        }
    }
}

/// A type that a column can be read as.
pub trait Column: Sized {
    #[doc(hidden)]
    fn from_sqlite(row: &rusqlite::Row<'_>, name: &str) -> rusqlite::Result<Self>;
    #[doc(hidden)]
    fn from_postgres(row: &tokio_postgres::Row, name: &str) -> Result<Self, tokio_postgres::Error>;
}

macro_rules! column {
    ($($ty:ty),+) => {$(
        impl Column for $ty {
            fn from_sqlite(row: &rusqlite::Row<'_>, name: &str) -> rusqlite::Result<Self> { row.get(name) }
            fn from_postgres(row: &tokio_postgres::Row, name: &str) -> Result<Self, tokio_postgres::Error> { row.try_get(name) }
        }
    )+};
}
column!(i64, bool, String, Vec<u8>, Option<i64>, Option<bool>, Option<String>, Option<Vec<u8>>);

/// A type that a row can be read as.
pub trait FromRow: Sized {
    /// Reads the row's columns by name.
    ///
    /// # Errors
    /// [`DbError::Decode`] when a column is missing or holds another type.
    fn from_row(row: &Row<'_>) -> Result<Self, DbError>;
}

impl FromRow for () {
    fn from_row(_: &Row<'_>) -> Result<Self, DbError> {
        Ok(())
    }
}

/// Declares a struct whose fields are read from the columns of the same names.
///
/// ```
/// kit::row! {
///     /// One key.
///     pub struct KeyRow { pub id: String, pub created_at: i64 }
/// }
/// ```
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $ty:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $ty),+ }

        impl $crate::db::FromRow for $name {
            fn from_row(row: &$crate::db::Row<'_>) -> Result<Self, $crate::db::DbError> {
                Ok(Self { $($field: row.get(stringify!($field))?),+ })
            }
        }
    };
}

/// Parameters of a statement, in order: `params![account.as_str(), amount, note.as_deref()]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Param::from($value)),*] };
}
