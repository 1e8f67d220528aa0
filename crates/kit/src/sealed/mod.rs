//! Which columns hold what [`SecretBox`] sealed, and how all of it moves to a new key.
//!
//! A crate lists its columns with [`sealed_columns!`](crate::sealed_columns). That makes one constant per column, from which alone a
//! [`Place`] can be had, and the list of them: so nothing can be sealed in a place that a rotation does not know.
//!
//! A [`Sweep`] walks the columns by primary key, a page at a time, and seals again what stands under another key than the current one.
//! Each value is replaced only if it is still the one that was read: whoever changed it meanwhile wins. A sweep may stop anywhere;
//! [`start`] and [`register`] run it as a job that goes on where it stopped. [`count`] tells which key holds how many values, and so
//! when an old key may go.

mod job;

use std::collections::BTreeMap;

pub use job::{KIND, register, start};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::db::{Db, DbError, Tx, UnitFuture};
use crate::secret_box::{self, HEAD_BYTES_MAX, OpenError, Place, SecretBox, VERSION};
use crate::{params, row};

/// Rows that are read, and at the most written, in one transaction.
const PAGE_ROWS: i64 = 200;

/// Which part of a row's primary key its place is named after.
#[derive(Clone, Copy, Debug)]
pub enum Id {
    /// The first column.
    First,
    /// The second column.
    Second,
    /// Both, with this between them.
    Both(&'static str),
}

/// What the column holds.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Sealed bytes, or null.
    Bytes,
    /// Sealed bytes, null, or bytes that are not sealed; the latter never begin with the byte 1.
    BytesOrPlain,
    /// JSON text, in which this member, if it is there, is sealed and written as base64.
    JsonMember(&'static str),
}

/// A column that holds sealed values. Made by [`sealed_columns!`](crate::sealed_columns) only.
#[derive(Debug)]
pub struct SealedColumn {
    #[doc(hidden)]
    pub table: &'static str,
    #[doc(hidden)]
    pub column: &'static str,
    #[doc(hidden)]
    pub sealed_as: &'static str,
    #[doc(hidden)]
    pub id: Id,
    #[doc(hidden)]
    pub form: Form,
    #[doc(hidden)]
    pub sql: Sql,
}

/// A column's statements.
#[doc(hidden)]
#[derive(Debug)]
pub struct Sql {
    /// A page of keys, with those bytes that begin like a sealed value and not like one of the current key.
    pub stale: &'static str,
    /// A page of keys, with the beginning of the bytes.
    pub heads: &'static str,
    /// A page of keys, with the text.
    pub texts: &'static str,
    /// Replaces a value that is still the same.
    pub replace: &'static str,
}

/// Lists the columns of a crate that hold sealed values: a constant for each and one for all of them.
///
/// The key is the table's primary key, of one or two text columns, none of which is ever empty. `sealed_as` names another column to
/// authenticate with: values may then move between the two.
///
/// ```
/// kit::sealed_columns! {
///     /// All of them.
///     pub const SEALED;
///     /// What signs.
///     pub SIGNING_SECRET {
///         table: "signing_keys", column: "secret", key: ["account_id", "key_id"],
///         id: kit::sealed::Id::Second, form: kit::sealed::Form::Bytes,
///     }
/// }
/// assert_eq!(SEALED.len(), 1);
/// let place = SIGNING_SECRET.place(&["key-1"]);
/// # drop(place);
/// ```
#[macro_export]
macro_rules! sealed_columns {
    (
        $(#[$list_meta:meta])* $list_vis:vis const $list:ident;
        $($(#[$meta:meta])* $vis:vis $name:ident {
            table: $table:literal, column: $column:literal, $(sealed_as: $sealed_as:literal,)?
            key: [$first:literal $(, $second:literal)?], id: $id:expr, form: $form:expr $(,)?
        })+
    ) => {
        $(
            $(#[$meta])*
            $vis const $name: $crate::sealed::SealedColumn = $crate::sealed::SealedColumn {
                table: $table,
                column: $column,
                sealed_as: $crate::sealed_columns!(@first $($sealed_as)? $column),
                id: $id,
                form: $form,
                sql: $crate::sealed_columns!(@sql $table, $column, $first, $crate::sealed_columns!(@first $($second)? "''")),
            };
        )+
        $(#[$list_meta])*
        $list_vis const $list: &[&$crate::sealed::SealedColumn] = &[$(&$name),+];
    };
    (@first $first:literal $($rest:literal)?) => { $first };
    // A table with one key column gets an empty text for the other, so that all pages are read in one way.
    (@sql $table:literal, $column:literal, $first:literal, $second:expr) => {
        $crate::sealed::Sql {
            stale: concat!(
                "select ", $first, " as key_1, ", $second, " as key_2,
                    case when substr(", $column, ", 1, 1) = $4 and substr(", $column, ", 1, cast($5 as integer)) <> $6
                        then ", $column, " end as sealed
                from ", $table, " where (", $first, ", ", $second, ") > ($1, $2) order by key_1, key_2 limit $3"
            ),
            heads: concat!(
                "select ", $first, " as key_1, ", $second, " as key_2, substr(", $column, ", 1, cast($4 as integer)) as sealed
                from ", $table, " where (", $first, ", ", $second, ") > ($1, $2) order by key_1, key_2 limit $3"
            ),
            texts: concat!(
                "select ", $first, " as key_1, ", $second, " as key_2, ", $column, " as text
                from ", $table, " where (", $first, ", ", $second, ") > ($1, $2) order by key_1, key_2 limit $3"
            ),
            replace: concat!(
                "update ", $table, " set ", $column, " = $1
                where ", $first, " = $2 and ", $second, " = $3 and ", $column, " = $4"
            ),
        }
    };
}

impl SealedColumn {
    /// Table and column, for people.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }

    /// The place of a row's value, by the part of its primary key that [`Id`] says: one text, or two for [`Id::Both`].
    pub fn place<'a>(&self, id: &[&'a str]) -> Place<'a> {
        let id = match (self.id, id) {
            (Id::First | Id::Second, [one]) => (*one).into(),
            (Id::Both(between), [first, second]) => format!("{first}{between}{second}").into(),
            _ => panic!("a place in {} is named by another number of texts", self.name()),
        };
        Place { table: self.table, column: self.sealed_as, id }
    }

    fn place_of<'a>(&self, key: &'a Key) -> Place<'a> {
        match self.id {
            Id::First => self.place(&[&key.0]),
            Id::Second => self.place(&[&key.1]),
            Id::Both(_) => self.place(&[&key.0, &key.1]),
        }
    }
}

/// A row's primary key; the second part is empty where there is one column only.
type Key = (String, String);

row! {
    struct BytesRow { key_1: String, key_2: String, sealed: Option<Vec<u8>> }
}
row! {
    struct TextRow { key_1: String, key_2: String, text: Option<String> }
}

/// What a sweep has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows that were looked at.
    pub seen: u64,
    /// Values that stand under the current key now and did not before.
    pub resealed: u64,
    /// Values that somebody else changed first.
    pub overtaken: u64,
    /// Values that do not open: their key is not in the keyring, or they were tampered with.
    pub unopenable: u64,
}

/// Where a sweep stands: it serializes, and a sweep can go on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The column that is being walked, by its name; none before the first and after the last.
    column: Option<String>,
    after: Key,
    /// What was done.
    pub tally: Tally,
}

/// Moves everything that is sealed to the current key.
pub struct Sweep {
    db: Db,
    secrets: SecretBox,
    columns: &'static [&'static SealedColumn],
    progress: Progress,
}

/// A value that was read, and what shall stand in its stead.
#[derive(Clone)]
enum Change {
    Bytes { key: Key, old: Vec<u8>, new: Vec<u8> },
    Text { key: Key, old: String, new: String },
}

impl Sweep {
    /// A sweep over the columns, from their beginning.
    pub fn new(db: Db, secrets: SecretBox, columns: &'static [&'static SealedColumn]) -> Self {
        Self::resume(db, secrets, columns, Progress::default())
    }

    /// A sweep that goes on from where another one stopped.
    pub fn resume(db: Db, secrets: SecretBox, columns: &'static [&'static SealedColumn], progress: Progress) -> Self {
        Self { db, secrets, columns, progress }
    }

    /// Where it stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Works on the next page; says whether there is more. After an error the same page can be tried again.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn step(&mut self) -> Result<bool, DbError> {
        let named = self.progress.column.as_deref();
        // A column that a new version no longer has: begin again, what was done is found done.
        let index = named.and_then(|name| self.columns.iter().position(|column| column.name() == name));
        let index = index.unwrap_or(0);
        let Some(column) = self.columns.get(index).copied() else { return Ok(false) };
        if named != Some(column.name().as_str()) {
            self.progress.after = Key::default();
        }
        let page = self.page(column).await?;
        let (seen, changes, unopenable) = (page.seen, page.changes.len() as u64, page.unopenable);
        let resealed = if changes == 0 { 0 } else { self.replace(column, page.changes).await? };
        let tally = &mut self.progress.tally;
        tally.seen += seen;
        tally.resealed += resealed;
        tally.overtaken += changes - resealed;
        tally.unopenable += unopenable;
        if let (Some(last), true) = (page.last, i64::try_from(seen).is_ok_and(|seen| seen == PAGE_ROWS)) {
            self.progress.column = Some(column.name());
            self.progress.after = last;
            return Ok(true);
        }
        self.progress.after = Key::default();
        self.progress.column = self.columns.get(index + 1).map(|next| next.name());
        Ok(self.progress.column.is_some())
    }

    /// All of it, or what is left of it.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn run(&mut self) -> Result<Tally, DbError> {
        while self.step().await? {}
        Ok(self.progress.tally)
    }

    async fn page(&self, column: &'static SealedColumn) -> Result<Page, DbError> {
        let (after, head) = (self.progress.after.clone(), self.secrets.current_head());
        let mut page = Page::default();
        if let Form::JsonMember(member) = column.form {
            for row in texts(&self.db, column, after).await? {
                let key = (row.key_1, row.key_2);
                page.pass(&key);
                let Some((old, mut document, sealed)) = row.text.and_then(|text| sealed_member(text, member)) else {
                    continue;
                };
                if self.secrets.needs_rotation(&sealed)
                    && let Some(new) = page.take(column, self.secrets.reseal(column.place_of(&key), &sealed))
                {
                    document[member] = STANDARD.encode(new).into();
                    page.changes.push(Change::Text { key, old, new: document.to_string() });
                }
            }
            return Ok(page);
        }
        let rows: Result<Vec<BytesRow>, DbError> = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let version: &[u8] = &[VERSION];
                    let length = i64::try_from(head.len()).unwrap_or(i64::MAX);
                    tx.fetch_all(column.sql.stale, params![&after.0, &after.1, PAGE_ROWS, version, length, &head]).await
                })
            })
            .await;
        for row in rows? {
            let key = (row.key_1, row.key_2);
            page.pass(&key);
            let Some(old) = row.sealed else { continue };
            if let Some(new) = page.take(column, self.secrets.reseal(column.place_of(&key), &old)) {
                page.changes.push(Change::Bytes { key, old, new });
            }
        }
        Ok(page)
    }

    async fn replace(&self, column: &'static SealedColumn, changes: Vec<Change>) -> Result<u64, DbError> {
        self.db
            .write_repeating(|| {
                let changes = changes.clone();
                move |tx: &mut Tx| -> UnitFuture<'_, Result<u64, DbError>> {
                    Box::pin(async move {
                        let mut replaced = 0;
                        for change in &changes {
                            replaced += match change {
                                Change::Bytes { key, old, new } => {
                                    tx.execute(column.sql.replace, params![new, &key.0, &key.1, old]).await?
                                }
                                Change::Text { key, old, new } => {
                                    tx.execute(column.sql.replace, params![new, &key.0, &key.1, old]).await?
                                }
                            };
                        }
                        Ok(replaced)
                    })
                }
            })
            .await
    }
}

#[derive(Default)]
struct Page {
    seen: u64,
    last: Option<Key>,
    changes: Vec<Change>,
    unopenable: u64,
}

impl Page {
    fn pass(&mut self, key: &Key) {
        self.seen += 1;
        self.last = Some(key.clone());
    }

    fn take(&mut self, column: &SealedColumn, resealed: Result<Vec<u8>, OpenError>) -> Option<Vec<u8>> {
        resealed
            .inspect_err(|error| {
                self.unopenable += 1;
                // Quiet: with a key missing there may be millions; the sum is told at the end.
                tracing::debug!(column = %column.name(), %error, "a sealed value does not open and stays as it is");
            })
            .ok()
    }
}

async fn texts(db: &Db, column: &'static SealedColumn, after: Key) -> Result<Vec<TextRow>, DbError> {
    db.read(move |tx| {
        Box::pin(async move { tx.fetch_all(column.sql.texts, params![&after.0, &after.1, PAGE_ROWS]).await })
    })
    .await
}

/// The text, the document in it, and the sealed bytes of the member; `None` if there are none.
fn sealed_member(text: String, member: &str) -> Option<(String, Value, Vec<u8>)> {
    let document: Value = serde_json::from_str(&text).ok()?;
    let sealed = STANDARD.decode(document.get(member)?.as_str()?).ok()?;
    secret_box::key_id(&sealed)?;
    Some((text, document, sealed))
}

/// How many values of a column stand under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCount {
    /// Table and column.
    pub column: String,
    /// The key's id; `None` for bytes in a column of [`Form::Bytes`] that are not sealed as this version knows it.
    pub key_id: Option<String>,
    /// How many.
    pub values: u64,
}

/// The values of one column, by key.
struct Counting {
    column: &'static SealedColumn,
    by_key: BTreeMap<Option<String>, u64>,
}

impl Counting {
    fn of(column: &'static SealedColumn) -> Self {
        Self { column, by_key: BTreeMap::new() }
    }

    /// Counts a page; says behind which row the next one begins, if there may be one.
    fn add(&mut self, page: Vec<(Key, Option<Vec<u8>>)>) -> Option<Key> {
        let full = i64::try_from(page.len()).is_ok_and(|rows| rows == PAGE_ROWS);
        let last = page.last().map(|(key, _)| key.clone()).filter(|_| full);
        for head in page.into_iter().filter_map(|(_, head)| head) {
            let key_id = secret_box::key_id(&head).map(str::to_owned);
            if key_id.is_some() || matches!(self.column.form, Form::Bytes) {
                *self.by_key.entry(key_id).or_default() += 1;
            }
        }
        last
    }

    fn counts(self) -> impl Iterator<Item = KeyCount> {
        let name = self.column.name();
        self.by_key.into_iter().map(move |(key_id, values)| KeyCount { column: name.clone(), key_id, values })
    }
}

/// Counts the values of every column by their key, a page at a time; what is not sealed, and need not be, is left out. What is written
/// meanwhile may be missed: a process that still seals with an old key has to be stopped first.
///
/// # Errors
/// [`DbError`].
pub async fn count(db: &Db, columns: &'static [&'static SealedColumn]) -> Result<Vec<KeyCount>, DbError> {
    let mut counts = Vec::new();
    for column in columns.iter().copied() {
        let (mut counting, mut after) = (Counting::of(column), Some(Key::default()));
        while let Some(behind) = after {
            after = counting.add(heads(db, column, behind).await?);
        }
        counts.extend(counting.counts());
    }
    Ok(counts)
}

/// The same within a unit of work.
///
/// # Errors
/// [`DbError`].
pub async fn count_in(tx: &mut Tx, columns: Vec<&'static SealedColumn>) -> Result<Vec<KeyCount>, DbError> {
    let mut counts = Vec::new();
    for column in columns {
        let (mut counting, mut after) = (Counting::of(column), Some(Key::default()));
        while let Some(behind) = after {
            after = counting.add(heads_in(tx, column, &behind).await?);
        }
        counts.extend(counting.counts());
    }
    Ok(counts)
}

async fn heads(db: &Db, column: &'static SealedColumn, after: Key) -> Result<Vec<(Key, Option<Vec<u8>>)>, DbError> {
    db.read(move |tx| Box::pin(async move { heads_in(tx, column, &after).await })).await
}

async fn heads_in(
    tx: &mut Tx,
    column: &'static SealedColumn,
    after: &Key,
) -> Result<Vec<(Key, Option<Vec<u8>>)>, DbError> {
    if let Form::JsonMember(member) = column.form {
        let rows: Vec<TextRow> = tx.fetch_all(column.sql.texts, params![&after.0, &after.1, PAGE_ROWS]).await?;
        return Ok(rows
            .into_iter()
            .map(|row| {
                let sealed = row.text.and_then(|text| sealed_member(text, member)).map(|(_, _, sealed)| sealed);
                ((row.key_1, row.key_2), sealed)
            })
            .collect());
    }
    let length = i64::try_from(HEAD_BYTES_MAX).unwrap_or(i64::MAX);
    let rows: Vec<BytesRow> = tx.fetch_all(column.sql.heads, params![&after.0, &after.1, PAGE_ROWS, length]).await?;
    Ok(rows.into_iter().map(|row| ((row.key_1, row.key_2), row.sealed)).collect())
}

#[cfg(test)]
mod tests;
