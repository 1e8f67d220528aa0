//! Deliveries: every attempt kept, the same bytes each time, by the schedule, replayable.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kit::clock::{Clock, SECOND_US};
use kit::db::{Db, DbError, Tx, UnitFuture};
use kit::deliveries::{self, Deliverer, Delivery, Destination, NewDelivery, Post, Posted, Prepared, Schedule};
use kit::jobs::{Backoff, Poke, Worker};
use kit::random::Random;
use kit::testing::{self, TestDb};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const GAP: i64 = 10 * SECOND_US;
const SCHEDULE: Schedule = Schedule { gaps_us: &[GAP, 12 * GAP], success: &[200, 204] };
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: SECOND_US, attempts_max: None };

/// Signs with the number of seconds, and is gone when told.
struct Receiver {
    gone: Arc<Mutex<bool>>,
}

impl Destination for Receiver {
    fn prepare<'a>(
        &'a self,
        _: &'a mut Tx,
        delivery: &'a Delivery,
        now: i64,
    ) -> UnitFuture<'a, Result<Option<Prepared>, DbError>> {
        let gone = *self.gone.lock().unwrap();
        Box::pin(async move {
            let headers = vec![("x-at".to_owned(), (now / SECOND_US).to_string())];
            Ok((!gone).then(|| Prepared { url: format!("https://{}.example/", delivery.target), headers }))
        })
    }
}

/// Answers from a script and reports what was sent.
struct Script {
    answers: Mutex<Vec<Result<u16, String>>>,
    sent: mpsc::UnboundedSender<(String, Vec<u8>)>,
}

impl Post for Script {
    fn post<'a>(&'a self, prepared: &'a Prepared, body: Bytes) -> BoxFuture<'a, Posted> {
        Box::pin(async move {
            self.sent.send((prepared.headers[0].1.clone(), body.to_vec())).unwrap();
            let outcome = self.answers.lock().unwrap().remove(0);
            Posted { outcome, response: Some("…".into()), duration: Duration::from_millis(3) }
        })
    }
}

struct Stage {
    test: TestDb,
    clock: Clock,
    poke: Poke,
    gone: Arc<Mutex<bool>>,
    sent: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    stop: CancellationToken,
}

async fn stages(answers: &[Result<u16, String>]) -> Vec<Stage> {
    let mut databases = vec![testing::sqlite(&[kit::MIGRATIONS]).await.unwrap()];
    databases.extend(testing::postgres(&[kit::MIGRATIONS]).await.unwrap());
    let mut stages = Vec::new();
    for test in databases {
        let (clock, poke, gone) = (Clock::fixed(0), Poke::default(), Arc::new(Mutex::new(false)));
        let (sent, received) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let post = Script { answers: Mutex::new(answers.to_vec()), sent };
        let destination = Receiver { gone: Arc::clone(&gone) };
        let deliverer = Deliverer::new(test.db.clone(), clock.clone(), destination, post, SCHEDULE);
        let worker = Worker::new(test.db.clone(), clock.clone(), Random::seeded(1, 0), poke.clone()).register(
            deliveries::KIND,
            4,
            BACKOFF,
            deliverer,
        );
        tokio::spawn(worker.run(stop.clone()));
        stages.push(Stage { test, clock, poke, gone, sent: received, stop });
    }
    stages
}

impl Stage {
    async fn create(&self) {
        let db = &self.test.db;
        let done: Result<(), DbError> = db
            .write(|tx| {
                Box::pin(async move {
                    let new = NewDelivery {
                        owner: "krn:x:account:A",
                        delivery_id: "d1",
                        target: "w1",
                        event_id: "e1",
                        event_type: "a.b",
                        body: b"{\"n\":1}",
                    };
                    deliveries::create(tx, &new, 0).await
                })
            })
            .await;
        done.unwrap();
        self.poke.poke();
    }

    async fn reaches(&self, state: &str) -> Delivery {
        loop {
            let found = read(&self.test.db).await;
            if found.state == state {
                return found;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn read(db: &Db) -> Delivery {
    let found: Result<Option<Delivery>, DbError> =
        db.read(|tx| Box::pin(deliveries::read(tx, "krn:x:account:A", "d1"))).await;
    found.unwrap().unwrap()
}

#[tokio::test]
async fn a_delivery_is_retried_by_the_schedule_then_failed_and_a_replay_sends_the_same_bytes() {
    let answers = [Ok(500), Err("connection refused".to_owned()), Ok(302), Ok(204)];
    for mut stage in stages(&answers).await {
        stage.create().await;
        assert_eq!(stage.sent.recv().await.unwrap(), ("0".to_owned(), b"{\"n\":1}".to_vec()));
        let waiting = stage.reaches("RETRYING").await;
        assert_eq!((waiting.attempts, waiting.next_at), (1, Some(GAP)));

        stage.clock.advance(GAP);
        assert_eq!(stage.sent.recv().await.unwrap().0, "10", "signed anew");
        while read(&stage.test.db).await.attempts < 2 {
            tokio::task::yield_now().await;
        }
        stage.clock.advance(12 * GAP);
        stage.sent.recv().await.unwrap();
        assert_eq!(stage.reaches("FAILED").await.attempts, 3, "a redirect is not an acknowledgement");

        let replayed: Result<bool, DbError> =
            stage.test.db.write(|tx| Box::pin(deliveries::replay(tx, "krn:x:account:A", "d1", 130 * SECOND_US))).await;
        assert!(replayed.unwrap());
        stage.poke.poke();
        assert_eq!(stage.sent.recv().await.unwrap().1, b"{\"n\":1}");
        stage.reaches("DELIVERED").await;
        let attempts: Result<_, DbError> =
            stage.test.db.read(|tx| Box::pin(deliveries::attempts(tx, "krn:x:account:A", "d1"))).await;
        let seen: Vec<_> = attempts.unwrap().into_iter().map(|a| (a.attempt, a.status, a.error)).collect();
        let refused = Some("connection refused".to_owned());
        assert_eq!(seen, [(1, Some(500), None), (2, None, refused), (3, Some(302), None), (4, Some(204), None)]);
        stage.stop.cancel();
    }
}

#[tokio::test]
async fn a_delivery_whose_destination_is_gone_is_dropped_without_an_attempt() {
    for stage in stages(&[]).await {
        *stage.gone.lock().unwrap() = true;
        stage.create().await;
        assert_eq!(stage.reaches("DROPPED").await.attempts, 0);
        stage.stop.cancel();
    }
}
