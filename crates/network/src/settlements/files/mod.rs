//! Reports as files for an SFTP server: put there when a settlement has closed, kept for 90 days.
//!
//! A file is written by a job, in steps that each are one bounded transaction, so that a crash loses nothing and a million lines hold
//! nobody up. While it grows it shows with `.tmp` behind its name; when the CSV is whole, `settlement.report.uploaded-to-sftp` is told in
//! the same transaction. [`list`], [`find`] and [`read`] are all that a server of files asks.
//!
//! Ours: names and days are those of the generation before (fact sheet 05 §2), because the present ones are not known; all files stand in
//! one folder; and of the CSVs, of which Klarna configures one for each Acquiring Partner, it is the combined one.

mod store;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use kit::clock::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use protocol::{EventType, PartnerAccountId};

use super::run::{self, Progress};
use super::store::SettlementRow;
use super::{pdf, report, view};
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::rounds::Sweep;
use store::FileRow;

/// How long a file is kept.
pub const KEPT_US: i64 = 90 * DAY_US;
/// The job that writes the files of a settlement; its key is the settlement, its payload the account.
pub const UPLOAD: &str = "settlements.upload";
/// Pieces are at most so long, in bytes: what one read of a client needs, and a little more.
const PIECE_BYTES: usize = 64 * 1024;
/// Lines that one step writes.
const STEP_LINES: i64 = 1000;
/// Old files that one round removes.
const BATCH: i64 = 100;
/// What a file that is still being written has behind its name.
const UNFINISHED: &str = ".tmp";
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Pdf,
}

impl Format {
    const ALL: [Self; 2] = [Self::Csv, Self::Pdf];

    /// In the database, and at the end of names.
    fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Pdf => "pdf",
        }
    }
}

/// A file as a server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As its reader sees it; with `.tmp` behind it as long as it grows.
    pub name: String,
    /// In bytes, so far.
    pub size: i64,
    /// Microseconds UTC.
    pub modified_at: i64,
}

impl File {
    fn of(row: FileRow) -> Self {
        let end = if row.completed_at.is_none() { UNFINISHED } else { "" };
        Self { name: format!("{}{end}", row.file_name), size: row.size, modified_at: row.modified_at }
    }
}

/// The name under which a file is stored that shows as `name`.
fn stored(name: &str) -> &str {
    name.strip_suffix(UNFINISHED).unwrap_or(name)
}

/// `KN7Q2M01.20260302T000000+0000.csv`: the reference of the payout, and the beginning of the day when it was made.
fn file_name(row: &SettlementRow, format: Format) -> Result<String, ApiError> {
    let day = jiff::Timestamp::from_microsecond(run::midnight(row.created_at)).map_err(ApiError::internal)?;
    let day = day.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S%z");
    Ok(format!("{}.{day}.{}", row.payment_reference, format.as_str()))
}

/// Has the files of a settlement written that was just closed, where there is a server that shows them.
///
/// # Errors
/// [`DbError`].
pub(super) async fn begin(tx: &mut Tx, ctx: &Ctx, row: &SettlementRow) -> Result<(), ApiError> {
    if ctx.config.sftp.is_none() {
        return Ok(());
    }
    let now = ctx.clock.now();
    for format in Format::ALL {
        let file = FileRow {
            account_id: row.account_id.clone(),
            file_name: file_name(row, format)?,
            settlement_id: row.settlement_id.clone(),
            format: format.as_str().to_owned(),
            version: 1,
            size: 0,
            lines: 0,
            created_at: now,
            modified_at: now,
            completed_at: None,
        };
        store::insert(tx, &file).await?;
    }
    let job = NewJob { kind: UPLOAD, key: &row.settlement_id, payload: &row.account_id, due_at: now };
    jobs::enqueue(tx, &job, now).await?;
    ctx.work_was_made();
    Ok(())
}

/// Removes old files, once an hour.
pub(super) const REMOVE: Sweep = Sweep {
    kind: "settlements.remove_files",
    doing: "removing old report files",
    next: |began| began + HOUR_US,
    round: |ctx| {
        Box::pin(async move {
            let now = ctx.clock.now();
            Ok(ctx.db.write(move |tx| Box::pin(remove_old(tx, now))).await?)
        })
    },
};

/// Lets the worker write files.
pub(super) fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(UPLOAD, 1, BACKOFF, Upload(ctx.clone()))
}

struct Upload(Ctx);

impl Handler for Upload {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let account = match PartnerAccountId::opaque(&job.payload) {
                Ok(account) => account,
                Err(error) => return Outcome::Dead(error.to_string()),
            };
            match finish(&self.0, &account, &job.key).await {
                Ok(()) => Outcome::Done,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "writing the files of a settlement");
                    Outcome::Retry(error.to_string())
                }
            }
        })
    }
}

/// Takes the steps of a settlement's files until all are whole.
async fn finish(ctx: &Ctx, account: &PartnerAccountId, settlement: &str) -> Result<(), ApiError> {
    loop {
        let progress = ctx
            .write(|| {
                let (ctx, account, settlement) = (ctx.clone(), account.clone(), settlement.to_owned());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Progress, ApiError>> {
                    Box::pin(async move { step(tx, &ctx, &account, &settlement).await })
                }
            })
            .await?;
        if progress == Progress::Done {
            return Ok(());
        }
    }
}

async fn step(tx: &mut Tx, ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<Progress, ApiError> {
    let Some(mut file) = store::lock_unfinished(tx, account.as_str(), id).await? else { return Ok(Progress::Done) };
    let settlement = super::store::settlement(tx, account.as_str(), id).await?;
    let settlement = settlement.ok_or_else(|| ApiError::internal("a file of a settlement that does not exist"))?;
    let is_csv = file.format == Format::Csv.as_str();
    let (content, is_last) = if is_csv {
        let lines = super::store::lines_after(tx, account.as_str(), id, file.lines, STEP_LINES).await?;
        let mut content = if file.size == 0 { report::combined_head(&settlement)? } else { Vec::new() };
        content.extend(report::lines_csv(&lines)?);
        // Lines of a closed settlement are numbered without gaps.
        file.lines = lines.last().map_or(file.lines, |line| line.number);
        (content, file.lines >= settlement.transactions)
    } else {
        let payout = super::store::payout(tx, account.as_str(), id).await?;
        (pdf::report(&settlement, payout.as_ref())?, true)
    };
    for piece in content.chunks(PIECE_BYTES) {
        store::insert_piece(tx, account.as_str(), &file.file_name, file.size, piece).await?;
        file.size += i64::try_from(piece.len()).map_err(ApiError::internal)?;
    }
    let now = ctx.clock.now();
    file.modified_at = now;
    file.completed_at = is_last.then_some(now);
    store::save(tx, &file).await?;
    if is_last && is_csv {
        let event = NewEvent {
            event_type: EventType::SettlementReportUploadedToSftp,
            subject: account,
            product_instance_id: None,
            payload: view::uploaded(&settlement, &file.file_name)?,
            occurred_at: now,
            correlation_id: None,
        };
        notifications::emit(tx, ctx, &event).await?;
    }
    Ok(Progress::More)
}

/// Says whether a full batch was found.
async fn remove_old(tx: &mut Tx, now: i64) -> Result<bool, DbError> {
    let old = store::old(tx, now - KEPT_US, BATCH).await?;
    for row in &old {
        store::delete(tx, &row.account_id, &row.file_name).await?;
    }
    Ok(i64::try_from(old.len()).unwrap_or(i64::MAX) >= BATCH)
}

/// Files of an account in the order of their names, from behind the name `after`.
///
/// # Errors
/// [`DbError`].
pub async fn list(ctx: &Ctx, account: &PartnerAccountId, after: &str, limit: i64) -> Result<Vec<File>, DbError> {
    let (account, after) = (account.clone(), stored(after).to_owned());
    let rows: Vec<FileRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::list(tx, account.as_str(), &after, limit).await })).await?;
    Ok(rows.into_iter().map(File::of).collect())
}

/// The file that is shown under this name now.
///
/// # Errors
/// [`DbError`].
pub async fn find(ctx: &Ctx, account: &PartnerAccountId, name: &str) -> Result<Option<File>, DbError> {
    let (account, stored) = (account.clone(), stored(name).to_owned());
    let row: Option<FileRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::file(tx, account.as_str(), &stored).await })).await?;
    Ok(row.map(File::of).filter(|file| file.name == name))
}

/// Bytes of a file: `length` of them from `offset` on, fewer at its end, none behind it.
///
/// # Errors
/// [`DbError`].
pub async fn read(
    ctx: &Ctx,
    account: &PartnerAccountId,
    name: &str,
    offset: u64,
    length: u32,
) -> Result<Vec<u8>, DbError> {
    let Ok(offset) = i64::try_from(offset) else { return Ok(Vec::new()) };
    let end = offset.saturating_add(i64::from(length));
    // A piece that begins further ahead than one is long has ended by then.
    let begins = (offset - PIECE_BYTES as i64, end);
    let (account, stored) = (account.clone(), stored(name).to_owned());
    let pieces: Vec<store::PieceRow> = ctx
        .db
        .read(move |tx| Box::pin(async move { store::pieces(tx, account.as_str(), &stored, begins).await }))
        .await?;
    let mut out = Vec::with_capacity(length as usize);
    for piece in &pieces {
        let within = |at: i64| usize::try_from(at - piece.at).unwrap_or(0).min(piece.content.len());
        out.extend_from_slice(&piece.content[within(offset)..within(end)]);
    }
    Ok(out)
}
