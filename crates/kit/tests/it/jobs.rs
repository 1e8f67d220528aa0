//! Jobs run at least once, one lane a kind, and fail visibly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use kit::clock::{Clock, HOUR_US, SECOND_US};
use kit::db::{Db, DbError};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Poke, Worker};
use kit::random::Random;
use kit::testing::{self, TestDb};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: 60 * SECOND_US, attempts_max: Some(3) };

async fn both() -> Vec<TestDb> {
    let mut databases = vec![testing::sqlite(&[kit::MIGRATIONS]).await.unwrap()];
    databases.extend(testing::postgres(&[kit::MIGRATIONS]).await.unwrap());
    databases
}

async fn enqueue(db: &Db, key: String, due_at: i64) -> bool {
    db.write(move |tx| {
        Box::pin(async move {
            let job = NewJob { kind: "t", key: &key, payload: "p", due_at };
            jobs::enqueue(tx, &job, 0).await
        })
    })
    .await
    .unwrap()
}

async fn remaining(db: &Db) -> i64 {
    let counts: Vec<jobs::JobCount> = db.read(|tx| Box::pin(jobs::counts(tx))).await.unwrap();
    counts.iter().map(|count| count.jobs).sum()
}

/// Answers by key and reports each run.
struct Script {
    ran: mpsc::UnboundedSender<(String, i64)>,
    failing: &'static str,
}

impl Handler for Script {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.ran.send((job.key.clone(), job.attempts)).unwrap();
            if job.key == self.failing { Outcome::Retry("on purpose".into()) } else { Outcome::Done }
        })
    }
}

#[tokio::test]
async fn each_of_many_jobs_runs_once_with_several_workers_and_is_gone() {
    for test in both().await {
        for n in 0..60 {
            assert!(enqueue(&test.db, format!("k{n}"), 0).await);
        }
        let (ran, mut runs) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let workers = (0..3).map(|_| {
            let script = Script { ran: ran.clone(), failing: "" };
            let worker = Worker::new(test.db.clone(), Clock::fixed(1), Random::seeded(1, 0), Poke::default());
            tokio::spawn(worker.register("t", 4, BACKOFF, script).run(stop.clone()))
        });
        let workers: Vec<_> = workers.collect();
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 60 {
            let (key, _) = runs.recv().await.unwrap();
            assert!(seen.insert(key.clone()), "{key} ran twice");
        }
        stop.cancel();
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(remaining(&test.db).await, 0);
    }
}

#[tokio::test]
async fn a_failing_job_is_retried_by_the_clock_then_dead_and_can_be_revived() {
    for test in both().await {
        let clock = Clock::fixed(1);
        let poke = Poke::default();
        enqueue(&test.db, "bad".into(), 0).await;
        assert!(!enqueue(&test.db, "bad".into(), 0).await, "one job of a kind and key");
        let (ran, mut runs) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let worker = Worker::new(test.db.clone(), clock.clone(), Random::seeded(1, 0), poke.clone()).register(
            "t",
            1,
            BACKOFF,
            Script { ran, failing: "bad" },
        );
        let worker = tokio::spawn(worker.run(stop.clone()));
        for attempt in 1..=3 {
            assert_eq!(runs.recv().await.unwrap(), ("bad".to_owned(), attempt));
            if attempt < 3 {
                wait_until(&test.db, "lease_until = 0").await;
                clock.advance(HOUR_US);
            }
        }
        wait_until(&test.db, "state = 'dead'").await;
        let dead: Vec<jobs::DeadJob> = test.db.read(|tx| Box::pin(jobs::dead(tx, 10))).await.unwrap();
        assert_eq!((dead[0].key.as_str(), dead[0].last_error.as_deref()), ("bad", Some("on purpose")));
        let revived: bool =
            test.db.write(|tx| Box::pin(async move { jobs::revive(tx, "t", "bad", 0).await })).await.unwrap();
        assert!(revived);
        poke.poke();
        assert_eq!(runs.recv().await.unwrap().1, 1);
        stop.cancel();
        worker.await.unwrap();
    }
}

async fn wait_until(db: &Db, condition: &'static str) {
    let sql: &'static str = match condition {
        "lease_until = 0" => "select kind from jobs where lease_until = 0",
        _ => "select kind from jobs where state = 'dead'",
    };
    loop {
        let found: Result<Option<()>, DbError> =
            db.read(move |tx| Box::pin(async move { tx.fetch_optional::<()>(sql, &[]).await })).await;
        if found.unwrap().is_some() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

struct Once {
    runs: Arc<AtomicUsize>,
}

impl Handler for Once {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.runs.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose")
        })
    }
}

#[tokio::test]
async fn a_panicking_handler_is_a_failed_run_and_the_worker_goes_on() {
    let test = testing::sqlite(&[kit::MIGRATIONS]).await.unwrap();
    enqueue(&test.db, "p".into(), 0).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let stop = CancellationToken::new();
    let once = Backoff { attempts_max: Some(1), ..BACKOFF };
    let worker = Worker::new(test.db.clone(), Clock::fixed(1), Random::seeded(1, 0), Poke::default()).register(
        "t",
        1,
        once,
        Once { runs: Arc::clone(&runs) },
    );
    let worker = tokio::spawn(worker.run(stop.clone()));
    wait_until(&test.db, "state = 'dead'").await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    stop.cancel();
    worker.await.unwrap();
}
