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

/// Pages in the log at which moving begins, some 128 MB: the longer the log, the more often the same page is written into it, and
/// it is moved only once. Measured with a third of a million payments stored, 15 % more calls a second than with 32 MB and a third of the cache.
const BEGIN_PAGES: i64 = 32_000;
/// Pages in the log at which the writer waits for the mover: a bound on the file where the disk is slow.
const WAIT_PAGES: i64 = 128_000;
/// A rest of so few pages is left to the writer.
const REST_PAGES: i64 = 800;
/// The mover looks so often whether the rest has become short; with a busy writer each time leaves less.
const PASSES: usize = 4;

/// The writer's half.
pub(super) struct Checkpoints {
    /// Pages in the log after the last commit, told by SQLite.
    pages: Arc<AtomicI64>,
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
        sqlite::spawn("kontor-db-mover", move || run_mover(&mover, &begun, &done))?;
        Ok(Self { pages, begin, moved, under_way: false })
    }

    /// Called between two batches.
    pub(super) fn after_batch(&mut self, writer: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if !self.under_way {
            self.under_way = pages >= BEGIN_PAGES && self.begin.try_send(()).is_ok();
            return;
        }
        let done = if pages < WAIT_PAGES {
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

fn run_mover(connection: &Connection, begun: &Receiver<()>, done: &SyncSender<()>) {
    while begun.recv().is_ok() {
        for _ in 0..PASSES {
            if checkpoint(connection).is_none_or(|left| left <= REST_PAGES) {
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
