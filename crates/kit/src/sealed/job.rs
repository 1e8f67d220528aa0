//! The sweep as a job: asked for at every start, run in slices, gone on with where it stopped.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Progress, SealedColumn, Sweep};
use crate::clock::{Clock, DAY_US, MINUTE_US, SECOND_US};
use crate::db::{Db, DbError, Tx, UnitFuture};
use crate::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use crate::secret_box::SecretBox;

/// The kind of the job; its key is the id of the key that everything moves to.
pub const KIND: &str = "reseal";
/// Pages that a job reads before it lets go, so that a process that shall stop need not wait for a whole table.
const PAGES_PER_RUN: usize = 25;
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: 5 * MINUTE_US, attempts_max: None };
/// How long a job waits for a process that holds its key before it is given up, in microseconds.
const WAITS_FOR_KEY_US: i64 = 2 * DAY_US;

/// The payload of the job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    progress: Progress,
    /// A process started meanwhile, and so another one stopped, which may have sealed with an old key behind the sweep: begin again
    /// at the end.
    again: bool,
}

impl State {
    fn read(payload: &str) -> Self {
        // An unreadable payload costs a look at what is done already.
        serde_json::from_str(payload).unwrap_or_default()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers always serialize")
    }
}

/// Makes sure that a sweep runs from now on, if there is a key to move away from: called at every start, before the worker.
///
/// # Errors
/// [`DbError`].
pub async fn start(db: &Db, secrets: &SecretBox, now: i64) -> Result<(), DbError> {
    let mut key_ids = secrets.keyring().key_ids();
    let (Some(current), Some(_)) = (key_ids.next(), key_ids.next()) else { return Ok(()) };
    db.write_repeating(|| {
        let current = current.to_owned();
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), DbError>> {
            Box::pin(async move { ask(tx, &current, now).await })
        }
    })
    .await
}

async fn ask(tx: &mut Tx, key_id: &str, now: i64) -> Result<(), DbError> {
    let fresh = State::default().text();
    let job = NewJob { kind: KIND, key: key_id, payload: &fresh, due_at: now };
    if jobs::enqueue(tx, &job, now).await? {
        return Ok(());
    }
    let Some(payload) = jobs::payload(tx, KIND, key_id).await? else {
        // Given up earlier: from the beginning.
        jobs::cancel(tx, KIND, key_id).await?;
        jobs::enqueue(tx, &job, now).await?;
        return Ok(());
    };
    let again = State { again: true, ..State::read(&payload) }.text();
    if again == payload || jobs::swap_payload(tx, KIND, key_id, &payload, &again).await? {
        return Ok(());
    }
    Err(DbError::Contended)
}

/// Adds the handler of the job that [`start`] asks for.
pub fn register(
    worker: Worker,
    db: &Db,
    clock: &Clock,
    secrets: &SecretBox,
    columns: &'static [&'static SealedColumn],
) -> Worker {
    let reseal = Reseal { db: db.clone(), clock: clock.clone(), secrets: secrets.clone(), columns };
    worker.register(KIND, 1, BACKOFF, reseal)
}

pub(super) struct Reseal {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) secrets: SecretBox,
    pub(super) columns: &'static [&'static SealedColumn],
}

impl Handler for Reseal {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if let Some(outcome) = self.not_ours(job) {
                return outcome;
            }
            self.sweep(job).await.unwrap_or_else(|error| Outcome::Retry(crate::http::error::chain(&error)))
        })
    }
}

impl Reseal {
    /// While processes are restarted one by one, some hold the new key and some do not.
    fn not_ours(&self, job: &Job) -> Option<Outcome> {
        let place = self.secrets.keyring().key_ids().position(|id| id == job.key);
        let now = self.clock.now();
        match place {
            Some(0) => None,
            // Rotated once more since: that key has a job of its own.
            Some(_) => Some(Outcome::Done),
            None if now.saturating_sub(job.created_at) < WAITS_FOR_KEY_US => {
                Some(Outcome::RetryAt(now + MINUTE_US, format!("waits for a process that holds key {}", job.key)))
            }
            None => Some(Outcome::Dead(format!("no process holds key {}", job.key))),
        }
    }

    async fn sweep(&self, job: &Job) -> Result<Outcome, DbError> {
        let mut payload = job.payload.clone();
        for _ in 0..PAGES_PER_RUN {
            let State { progress, again } = State::read(&payload);
            let mut sweep = Sweep::resume(self.db.clone(), self.secrets.clone(), self.columns, progress);
            let more = sweep.step().await?;
            let mut state = State { progress: sweep.progress, again };
            if !more {
                let tally = state.progress.tally;
                tracing::info!(
                    seen = tally.seen,
                    resealed = tally.resealed,
                    overtaken = tally.overtaken,
                    unopenable = tally.unopenable,
                    "all secrets were looked at for key {}",
                    job.key
                );
                if !again {
                    if tally.unopenable > 0 {
                        return Ok(Outcome::Dead(format!("{} sealed values do not open", tally.unopenable)));
                    }
                    if self.finished(job, &payload).await? {
                        return Ok(Outcome::Settled);
                    }
                }
                state = State::default();
            }
            match self.save(job, &payload, state).await? {
                Some(saved) => payload = saved,
                // Finished by another worker, to which the lease has passed.
                None => return Ok(Outcome::Settled),
            }
        }
        Ok(Outcome::RetryAt(self.clock.now(), "goes on".to_owned()))
    }

    async fn finished(&self, job: &Job, payload: &str) -> Result<bool, DbError> {
        let (job, payload) = (job.clone(), payload.to_owned());
        self.db.write(move |tx| Box::pin(async move { jobs::finish_unchanged(tx, &job, &payload).await })).await
    }

    /// Keeps the state, with the wish to begin again that somebody may have written since. `None` when the job is gone.
    async fn save(&self, job: &Job, payload: &str, state: State) -> Result<Option<String>, DbError> {
        self.db
            .write_repeating(|| {
                let (key, payload, mut state) = (job.key.clone(), payload.to_owned(), state.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<String>, DbError>> {
                    Box::pin(async move {
                        let Some(stored) = jobs::payload(tx, KIND, &key).await? else { return Ok(None) };
                        state.again |= stored != payload && State::read(&stored).again;
                        let text = state.text();
                        let saved = jobs::swap_payload(tx, KIND, &key, &stored, &text).await?;
                        if saved { Ok(Some(text)) } else { Err(DbError::Contended) }
                    })
                }
            })
            .await
    }
}
