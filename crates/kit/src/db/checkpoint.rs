//! Moves what was written from SQLite's write-ahead log into the database file, beside the writer instead of in its way.
//!
//! Left to itself, SQLite does this in whichever commit made the log long, and everybody waits: the longer the larger the database is, because
//! then few of the changed pages are the same. Here a thread with a connection of its own moves the bulk while the writer goes on. The log is begun anew only
//! when all of it is moved, which never happens while somebody writes; so the writer itself moves the short rest, between two batches.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use rusqlite::Connection;

use super::DbError;
use super::sqlite::{self, unavailable};

/// When to move, in pages of the log.
#[derive(Clone, Copy)]
struct Limits {
    /// Moving begins.
    begin: i64,
    /// The writer waits for the mover: a bound on the file where the disk is slow.
    wait: i64,
    /// A rest of so few is left to the writer.
    rest: i64,
}

/// Begins at some 128 MB: the longer the log, the more often the same page is written into it, and it is moved only once. Measured with
/// a third of a million payments stored, 15 % more calls a second than with 32 MB and a third of the cache.
const LIMITS: Limits = Limits { begin: 32_000, wait: 128_000, rest: 800 };
/// The mover looks so often whether the rest has become short; with a busy writer each time leaves less.
const PASSES: usize = 4;

/// The writer's half.
pub(super) struct Checkpoints {
    /// Pages in the log after the last commit, told by SQLite.
    pages: Arc<AtomicI64>,
    limits: Limits,
    begin: SyncSender<()>,
    moved: Receiver<()>,
    under_way: bool,
}

impl Checkpoints {
    /// Takes over from SQLite for the writer's connection.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the mover's thread or connection cannot be had.
    pub(super) fn take_over(writer: &mut Connection, path: &Path) -> Result<Self, DbError> {
        Self::within(LIMITS, writer, path)
    }

    fn within(limits: Limits, writer: &mut Connection, path: &Path) -> Result<Self, DbError> {
        let pages = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&pages);
        // Replaces `wal_autocheckpoint`, which is a hook of the same kind.
        writer
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
                told.store(i64::from(count), Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|e| unavailable("watching the write-ahead log", e))?;
        let mover = sqlite::open_mover(path)?;
        let (begin, begun) = sync_channel(1);
        let (done, moved) = sync_channel(1);
        sqlite::spawn("kontor-db-mover", move || run_mover(&mover, limits, &begun, &done))?;
        Ok(Self { pages, limits, begin, moved, under_way: false })
    }

    /// Called between two batches.
    pub(super) fn after_batch(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if !self.under_way {
            if pages >= self.limits.begin {
                self.under_way = self.begin.try_send(()).is_ok();
                // Without a mover it is the writer's work again: a log that only grows would fill the disk.
                if !self.under_way {
                    checkpoint(writer);
                }
            }
            return;
        }
        let done = if pages < self.limits.wait {
            !matches!(self.moved.try_recv(), Err(TryRecvError::Empty))
        } else {
            let _ended = self.moved.recv();
            true
        };
        if done {
            self.under_way = false;
            checkpoint(writer);
        }
    }
}

fn run_mover(connection: &Connection, limits: Limits, begun: &Receiver<()>, done: &SyncSender<()>) {
    while begun.recv().is_ok() {
        for _ in 0..PASSES {
            if checkpoint(connection).is_none_or(|left| left <= limits.rest) {
                break;
            }
        }
        if done.send(()).is_err() {
            return;
        }
    }
}

/// Moves what can be moved without waiting for anybody; returns how many pages are left. A failure is no harm: what is in the log is durable
/// there, and the next one tries again.
fn checkpoint(connection: &Connection) -> Option<i64> {
    let moved = connection.query_row("pragma wal_checkpoint(passive)", [], |row| {
        let (in_log, moved): (i64, i64) = (row.get("log")?, row.get("checkpointed")?);
        Ok(in_log - moved)
    });
    match moved {
        Ok(left) => Some(left),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "moving the write-ahead log into the database file"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { begin: 50, wait: 200, rest: 10 };
    const PAGE: u64 = 4_096;

    /// Writes six hundred pages, one commit each, and tells how large the log and the file are then.
    fn write_without_a_pause(spoil: impl FnOnce(&mut Checkpoints)) -> (u64, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("busy.db");
        let mut writer = Connection::open(&path).unwrap();
        writer.execute_batch("pragma journal_mode = wal; create table lines (text text not null);").unwrap();
        let mut checkpoints = Checkpoints::within(LIMITS, &mut writer, &path).unwrap();
        spoil(&mut checkpoints);
        let line = "x".repeat(3_000);
        for _ in 0..600 {
            writer.execute("insert into lines values ($1)", [&line]).unwrap();
            checkpoints.after_batch(&writer);
        }
        let kept: i64 = writer.query_row("select count(*) from lines", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 600);
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
        (size("busy.db-wal"), size("busy.db"))
    }

    /// A commit writes a handful of pages; a page of the log has a header of its own.
    fn bytes(pages: i64) -> u64 {
        (u64::try_from(pages).unwrap() + 10) * (PAGE + 24)
    }

    #[test]
    fn under_writes_without_a_pause_the_log_is_begun_anew_and_stays_within_its_bound() {
        let (log, file) = write_without_a_pause(|_| {});
        assert!(log <= bytes(LIMITS.wait), "the log has {log} bytes");
        // What is not in the log must have been moved.
        assert!(file > 350 * PAGE, "the file has {file} bytes");
    }

    #[test]
    fn without_a_mover_the_writer_moves_by_itself() {
        let (log, file) = write_without_a_pause(|checkpoints| checkpoints.begin = sync_channel(1).0);
        assert!(log <= bytes(LIMITS.begin), "the log has {log} bytes");
        assert!(file > 500 * PAGE, "the file has {file} bytes");
    }
}
