//! Sealed under one key, moved to the next: on both engines, whoever comes between.

use super::job::Reseal;
use super::*;
use crate::MIGRATIONS;
use crate::clock::{Clock, DAY_US};
use crate::db::Migrations;
use crate::jobs::{self, Handler as _, Job, Outcome};
use crate::secret_box::Keyring;
use crate::testing::{self, TestDb};

const TABLES: Migrations = Migrations {
    set: "sealed",
    files: &[(
        "0001_tables",
        "create table pairs (owner text not null, id text not null, secret bytea, previous bytea, primary key (owner, id));
         create table singles (name text primary key, sealed bytea not null);
         create table answers (scope text not null, key text not null, body bytea, primary key (scope, key));
         create table calls (kind text not null, key text not null, payload text not null, primary key (kind, key));",
    )],
};

crate::sealed_columns! {
    const SEALED;
    SECRET { table: "pairs", column: "secret", key: ["owner", "id"], id: Id::Both("/"), form: Form::Bytes }
    PREVIOUS {
        table: "pairs", column: "previous", sealed_as: "secret", key: ["owner", "id"], id: Id::Both("/"), form: Form::Bytes,
    }
    SINGLE { table: "singles", column: "sealed", key: ["name"], id: Id::First, form: Form::Bytes }
    ANSWER { table: "answers", column: "body", key: ["scope", "key"], id: Id::Both(" "), form: Form::BytesOrPlain }
    CALL { table: "calls", column: "payload", key: ["kind", "key"], id: Id::Second, form: Form::JsonMember("token") }
}

/// Pairs of the fullest table: more than two pages.
const PAIRS: u64 = 450;
/// Values that `fill` seals: each pair twice, and one of each other kind.
const VALUES: u64 = 2 * PAIRS + 3;

fn ring(ids: &[&str]) -> SecretBox {
    let line = |id: &&str| {
        let mut key = [7; 32];
        key[..id.len()].copy_from_slice(id.as_bytes());
        format!("{id}:{}\n", STANDARD.encode(key))
    };
    SecretBox::new(Keyring::from_env_text(&ids.iter().map(line).collect::<String>()).unwrap())
}

async fn both() -> Vec<TestDb> {
    let sets = &[MIGRATIONS, TABLES];
    let mut databases = vec![testing::sqlite(sets).await.unwrap()];
    databases.extend(testing::postgres(sets).await.unwrap());
    databases
}

fn pair(n: u64) -> String {
    format!("{n:04}")
}

async fn execute(db: &Db, sql: &'static str, text: &'static str, bytes: Vec<u8>) -> u64 {
    let changed: Result<u64, DbError> =
        db.write(move |tx| Box::pin(async move { tx.execute(sql, params![text, &bytes]).await })).await;
    changed.unwrap()
}

/// Seals with `secrets` whatever can be sealed, and adds what is not sealed.
async fn fill(db: &Db, secrets: SecretBox) {
    let filled: Result<(), DbError> = db
        .write(move |tx| {
            Box::pin(async move {
                for n in 0..PAIRS {
                    let id = pair(n);
                    let seal = |text: &str| secrets.seal(SECRET.place(&["o", &id]), text.as_bytes());
                    let (now, before) = (seal(&format!("now {n}")), seal(&format!("before {n}")));
                    let sql = "insert into pairs (owner, id, secret, previous) values ('o', $1, $2, $3)";
                    tx.execute(sql, params![&id, &now, &before]).await?;
                }
                let sql = "insert into singles (name, sealed) values ($1, $2)";
                tx.execute(sql, params!["one", &secrets.seal(SINGLE.place(&["one"]), b"single")]).await?;
                let sql = "insert into answers (scope, key, body) values ('s', $1, $2)";
                tx.execute(sql, params!["sealed", &secrets.seal(ANSWER.place(&["s", "sealed"]), b"answer")]).await?;
                tx.execute(sql, params!["plain", b"{}".as_slice()]).await?;
                tx.execute(sql, params!["in flight", None::<&[u8]>]).await?;
                let token = STANDARD.encode(secrets.seal(CALL.place(&["k"]), b"token"));
                let sql = "insert into calls (kind, key, payload) values ($1, 'k', $2)";
                tx.execute(sql, params!["call", &format!(r#"{{"step":"last","token":"{token}"}}"#)]).await?;
                tx.execute(sql, params!["without", r#"{"step":"first","token":null}"#]).await?;
                tx.execute(sql, params!["other", "not JSON"]).await?;
                Ok(())
            })
        })
        .await;
    filled.unwrap();
}

row! {
    struct PairRow { id: String, secret: Vec<u8>, previous: Vec<u8> }
}
row! {
    struct BodyRow { body: Vec<u8> }
}
row! {
    struct PayloadRow { payload: String }
}

/// Opens everything that [`fill`] sealed.
async fn all_opens(db: &Db, secrets: &SecretBox) {
    let read = db.read(|tx| {
        Box::pin(async move {
            Ok::<_, DbError>((
                tx.fetch_all::<PairRow>("select id, secret, previous from pairs order by id", &[]).await?,
                tx.fetch_one::<BodyRow>("select sealed as body from singles", &[]).await?,
                tx.fetch_all::<BodyRow>("select body from answers where body is not null order by key", &[]).await?,
                tx.fetch_all::<PayloadRow>("select payload from calls order by kind", &[]).await?,
            ))
        })
    });
    let (pairs, single, answers, calls) = read.await.unwrap();
    assert_eq!(pairs.len() as u64, PAIRS);
    for (n, row) in (0..PAIRS).zip(&pairs) {
        let place = SECRET.place(&["o", &row.id]);
        assert_eq!(&**secrets.open(place.clone(), &row.secret).unwrap(), format!("now {n}").as_bytes());
        assert_eq!(&**secrets.open(place, &row.previous).unwrap(), format!("before {n}").as_bytes());
    }
    assert_eq!(&**secrets.open(SINGLE.place(&["one"]), &single.body).unwrap(), b"single");
    assert_eq!(answers[0].body, b"{}");
    assert_eq!(&**secrets.open(ANSWER.place(&["s", "sealed"]), &answers[1].body).unwrap(), b"answer");
    let call: Value = serde_json::from_str(&calls[0].payload).unwrap();
    let token = STANDARD.decode(call["token"].as_str().unwrap()).unwrap();
    assert_eq!((&**secrets.open(CALL.place(&["k"]), &token).unwrap(), &call["step"]), (&b"token"[..], &"last".into()));
    assert_eq!(calls[1].payload, "not JSON");
    assert_eq!(calls[2].payload, r#"{"step":"first","token":null}"#);
}

/// How many values stand under each key.
async fn by_key(db: &Db) -> BTreeMap<String, u64> {
    let mut keys = BTreeMap::new();
    for count in count(db, SEALED).await.unwrap() {
        *keys.entry(count.key_id.unwrap_or_else(|| "malformed".to_owned())).or_default() += count.values;
    }
    keys
}

fn only(key: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(key.to_owned(), VALUES)])
}

#[tokio::test]
async fn after_a_sweep_everything_opens_without_the_old_key() {
    for test in both().await {
        fill(&test.db, ring(&["a"])).await;
        assert_eq!(by_key(&test.db).await, only("a"));
        let mut sweep = Sweep::new(test.db.clone(), ring(&["longer-id", "a"]), SEALED);
        let tally = sweep.run().await.unwrap();
        assert_eq!((tally.resealed, tally.overtaken, tally.unopenable), (VALUES, 0, 0));
        assert_eq!(by_key(&test.db).await, only("longer-id"));
        all_opens(&test.db, &ring(&["longer-id"])).await;
        let tally = Sweep::new(test.db.clone(), ring(&["longer-id", "a"]), SEALED).run().await.unwrap();
        assert_eq!((tally.resealed, tally.seen > VALUES), (0, true), "a second sweep finds nothing to do");
    }
}

#[tokio::test]
async fn a_value_that_changed_since_it_was_read_is_left_to_whoever_changed_it() {
    for test in both().await {
        fill(&test.db, ring(&["a"])).await;
        let secrets = ring(&["b", "a"]);
        let sweep = Sweep::new(test.db.clone(), secrets.clone(), SEALED);
        let page = sweep.page(&SECRET).await.unwrap();
        let theirs = secrets.seal(SECRET.place(&["o", "0003"]), b"theirs");
        let sql = "update pairs set secret = $2 where owner = 'o' and id = $1";
        assert_eq!(execute(&test.db, sql, "0003", theirs.clone()).await, 1);
        let count = page.changes.len() as u64;
        assert_eq!(sweep.replace(&SECRET, page.changes).await.unwrap(), count - 1);

        let page = sweep.page(&CALL).await.unwrap();
        let gone: Result<u64, DbError> = test
            .db
            .write(|tx| Box::pin(async move { tx.execute("delete from calls where kind = 'call'", &[]).await }))
            .await;
        assert_eq!((gone.unwrap(), page.changes.len()), (1, 1));
        assert_eq!(sweep.replace(&CALL, page.changes).await.unwrap(), 0);

        let stored: Result<BodyRow, DbError> = test
            .db
            .read(|tx| {
                Box::pin(async move { tx.fetch_one("select secret as body from pairs where id = '0003'", &[]).await })
            })
            .await;
        assert_eq!(stored.unwrap().body, theirs);
    }
}

#[tokio::test]
async fn an_interrupted_sweep_goes_on_where_it_stopped() {
    for test in both().await {
        fill(&test.db, ring(&["a"])).await;
        let secrets = ring(&["b", "a"]);
        let whole = Sweep::new(test.db.clone(), ring(&["a"]), SEALED).run().await.unwrap().seen;
        let mut kept = serde_json::to_string(&Progress::default()).unwrap();
        let mut steps = 0;
        loop {
            let progress = serde_json::from_str(&kept).unwrap();
            let mut sweep = Sweep::resume(test.db.clone(), secrets.clone(), SEALED, progress);
            let more = sweep.step().await.unwrap();
            steps += 1;
            kept = serde_json::to_string(sweep.progress()).unwrap();
            if !more {
                break;
            }
        }
        let progress: Progress = serde_json::from_str(&kept).unwrap();
        assert_eq!(
            (progress.tally.seen, progress.tally.resealed, steps),
            (whole, VALUES, 3 + 3 + 3),
            "no row was seen twice"
        );
        all_opens(&test.db, &ring(&["b"])).await;
    }
}

#[tokio::test]
async fn what_does_not_open_stays_and_is_told() {
    for test in both().await {
        fill(&test.db, ring(&["lost"])).await;
        let tally = Sweep::new(test.db.clone(), ring(&["b", "a"]), SEALED).run().await.unwrap();
        assert_eq!((tally.resealed, tally.unopenable), (0, VALUES));
        all_opens(&test.db, &ring(&["lost"])).await;
        assert_eq!(execute(&test.db, "update singles set sealed = $2 where name = $1", "one", b"?".to_vec()).await, 1);
        let expected = [("lost".to_owned(), VALUES - 1), ("malformed".to_owned(), 1)];
        assert_eq!(by_key(&test.db).await, BTreeMap::from(expected));
    }
}

/// One run of the job by a process with these keys.
async fn run(test: &TestDb, keys: &[&str], job: &Job) -> Outcome {
    let reseal = Reseal { db: test.db.clone(), clock: Clock::fixed(5), secrets: ring(keys), columns: SEALED };
    reseal.run(job).await
}

async fn stored_job(db: &Db) -> Option<Job> {
    let job: Result<Option<Job>, DbError> = db
        .read(|tx| {
            Box::pin(async move {
                tx.fetch_optional("select kind, key, payload, attempts, created_at from jobs", &[]).await
            })
        })
        .await;
    job.unwrap()
}

#[tokio::test]
async fn the_job_is_asked_for_when_there_is_an_old_key_and_ends_with_its_work() {
    for test in both().await {
        fill(&test.db, ring(&["a"])).await;
        start(&test.db, &ring(&["a"]), 1).await.unwrap();
        assert!(stored_job(&test.db).await.is_none(), "there is one key only");
        start(&test.db, &ring(&["b", "a"]), 1).await.unwrap();
        let job = stored_job(&test.db).await.unwrap();
        assert_eq!((job.kind.as_str(), job.key.as_str()), (KIND, "b"));
        assert!(matches!(run(&test, &["b", "a"], &job).await, Outcome::Settled));
        assert!(stored_job(&test.db).await.is_none());
        all_opens(&test.db, &ring(&["b"])).await;
    }
}

#[tokio::test]
async fn a_start_during_the_sweep_makes_it_pass_once_more() {
    for test in both().await {
        let secrets = ring(&["b", "a"]);
        start(&test.db, &secrets, 1).await.unwrap();
        let progress = Progress { column: Some(CALL.name()), ..Progress::default() };
        let payload = serde_json::json!({"progress": progress, "again": false}).to_string();
        let moved: Result<u64, DbError> = test
            .db
            .write(move |tx| {
                Box::pin(async move { tx.execute("update jobs set payload = $1", params![&payload]).await })
            })
            .await;
        assert_eq!(moved.unwrap(), 1);
        let claimed = stored_job(&test.db).await.unwrap();
        // Where the sweep has been, a process has sealed with the old key; now it starts anew, with the new one.
        fill(&test.db, ring(&["a"])).await;
        start(&test.db, &secrets, 2).await.unwrap();
        start(&test.db, &secrets, 3).await.unwrap();
        assert!(matches!(run(&test, &["b", "a"], &claimed).await, Outcome::Settled));
        assert!(stored_job(&test.db).await.is_none());
        all_opens(&test.db, &ring(&["b"])).await;
    }
}

#[tokio::test]
async fn a_process_without_the_new_key_leaves_the_job_to_others() {
    for test in both().await {
        fill(&test.db, ring(&["a"])).await;
        start(&test.db, &ring(&["b", "a"]), 1).await.unwrap();
        let job = stored_job(&test.db).await.unwrap();
        assert!(matches!(run(&test, &["a"], &job).await, Outcome::RetryAt(..)));
        assert!(matches!(run(&test, &["c", "b", "a"], &job).await, Outcome::Done), "rotated once more");
        let old = Job { created_at: -3 * DAY_US, ..job };
        assert!(matches!(run(&test, &["a"], &old).await, Outcome::Dead(_)));
        assert_eq!(by_key(&test.db).await, only("a"));
    }
}

#[tokio::test]
async fn a_job_that_was_given_up_begins_anew_at_the_next_start() {
    for test in both().await {
        let secrets = ring(&["b", "a"]);
        start(&test.db, &secrets, 1).await.unwrap();
        let died: Result<u64, DbError> = test
            .db
            .write(|tx| Box::pin(async move { tx.execute("update jobs set state = 'dead', payload = 'x'", &[]).await }))
            .await;
        assert_eq!(died.unwrap(), 1);
        start(&test.db, &secrets, 2).await.unwrap();
        let payload: Result<Option<String>, DbError> = test.db.read(|tx| Box::pin(jobs::payload(tx, KIND, "b"))).await;
        assert!(payload.unwrap().is_some_and(|payload| payload.contains("progress")));
    }
}
