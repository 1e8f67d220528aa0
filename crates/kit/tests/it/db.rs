//! The database facade, on both engines.

use kit::db::{Db, DbConfig, DbError, Migrations};
use kit::testing::{self, TestDb};
use kit::{params, row};

const TABLES: Migrations = Migrations {
    set: "test",
    files: &[(
        "0001_things",
        "create table things (account text not null, id text not null, amount bigint not null, flag boolean not null,
            note text, raw bytea, primary key (account, id));
         create table counters (id text primary key, n bigint not null);",
    )],
};

row! {
    struct Thing { id: String, amount: i64, flag: bool, note: Option<String>, raw: Option<Vec<u8>> }
}

async fn both() -> Vec<TestDb> {
    let sets = [kit::MIGRATIONS, TABLES];
    let mut databases = vec![testing::sqlite(&sets).await.unwrap()];
    databases.extend(testing::postgres(&sets).await.unwrap());
    databases
}

async fn insert(db: &Db, id: String, amount: i64) -> Result<(), DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            let sql = "insert into things (account, id, amount, flag, note, raw) values ($1, $2, $3, $4, $5, $6)";
            let note: Option<&str> = None;
            tx.execute(sql, params!["a", &id, amount, true, note, &[1_u8, 2][..]]).await?;
            Ok(())
        })
    })
    .await
}

async fn count(db: &Db) -> i64 {
    row! { struct Count { n: i64 } }
    db.read(|tx| Box::pin(async move { tx.fetch_one::<Count>("select count(*) as n from things", &[]).await }))
        .await
        .map(|row: Count| row.n)
        .unwrap()
}

#[tokio::test]
async fn values_come_back_as_they_went_in_whatever_the_order_of_parameters() {
    for test in both().await {
        insert(&test.db, "x".into(), i64::MAX).await.unwrap();
        let found: Vec<Thing> = test
            .db
            .read(|tx| {
                Box::pin(async move {
                    let sql = "select id, amount, flag, note, raw from things where amount = $2 and account = $1";
                    tx.fetch_all::<Thing>(sql, params!["a", i64::MAX]).await
                })
            })
            .await
            .unwrap();
        let [thing] = &found[..] else { panic!("one row: {found:?}") };
        assert_eq!((thing.id.as_str(), thing.amount, thing.flag), ("x", i64::MAX, true));
        assert_eq!((&thing.note, thing.raw.as_deref()), (&None, Some(&[1_u8, 2][..])));
    }
}

#[tokio::test]
async fn a_failed_unit_is_rolled_back_alone_among_hundreds_committed_together() {
    for test in both().await {
        insert(&test.db, "taken".into(), 0).await.unwrap();
        let units = (0..300).map(|n| {
            let db = test.db.clone();
            tokio::spawn(async move {
                db.write(move |tx| {
                    Box::pin(async move {
                        let sql = "insert into things (account, id, amount, flag) values ($1, $2, $3, $4)";
                        tx.execute(sql, params!["a", &format!("u{n}"), i64::from(n), false]).await?;
                        if n % 3 == 0 {
                            tx.execute(sql, params!["a", "taken", 0_i64, false]).await?;
                        }
                        Ok::<_, DbError>(())
                    })
                })
                .await
            })
        });
        for (n, unit) in units.collect::<Vec<_>>().into_iter().enumerate() {
            match unit.await.unwrap() {
                Ok(()) => assert_ne!(n % 3, 0),
                Err(DbError::Duplicate(_)) => assert_eq!(n % 3, 0),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(count(&test.db).await, 201);
    }
}

#[tokio::test]
async fn concurrent_increments_are_all_counted() {
    row! { struct N { n: i64 } }
    for test in both().await {
        let sql = "insert into counters (id, n) values ('c', 0)";
        test.db.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await.unwrap();
        let tasks = (0..50).map(|_| {
            let db = test.db.clone();
            tokio::spawn(async move {
                db.write(|tx| {
                    Box::pin(async move {
                        // The update locks the row, so what is read from it holds until the commit.
                        let sql = "update counters set n = n where id = 'c' returning n";
                        let N { n } = tx.fetch_one(sql, &[]).await?;
                        tx.execute("update counters set n = $1 where id = 'c'", params![n + 1]).await
                    })
                })
                .await
                .map(|_: u64| ())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        let N { n } = test
            .db
            .read(|tx| Box::pin(async move { tx.fetch_one::<N>("select n from counters", &[]).await }))
            .await
            .unwrap();
        assert_eq!(n, 50);
    }
}

#[tokio::test]
async fn a_panicking_or_waiting_unit_changes_nothing_and_the_next_one_works() {
    for test in both().await {
        let outcome = test
            .db
            .write(|tx| {
                Box::pin(async move {
                    let sql = "insert into things (account, id, amount, flag) values ('a', 'p', 1, $1)";
                    tx.execute(sql, params![true]).await?;
                    if count_of_nothing() == 0 {
                        panic!("on purpose");
                    }
                    Ok::<_, DbError>(())
                })
            })
            .await;
        assert!(matches!(outcome, Err(DbError::Panicked)), "{outcome:?}");
        if test.db.engine() == kit::db::Engine::Sqlite {
            let outcome = test
                .db
                .write(|_| {
                    Box::pin(async move {
                        tokio::task::yield_now().await;
                        Ok::<_, DbError>(())
                    })
                })
                .await;
            assert!(matches!(outcome, Err(DbError::Waited)), "{outcome:?}");
        }
        insert(&test.db, "after".into(), 1).await.unwrap();
        assert_eq!(count(&test.db).await, 1);
    }
}

fn count_of_nothing() -> usize {
    std::iter::empty::<()>().count()
}

#[tokio::test]
async fn a_full_disk_refuses_the_unit_keeps_what_was_committed_and_recovers_by_itself() {
    let test = testing::sqlite(&[kit::MIGRATIONS, TABLES]).await.unwrap();
    let mut config = test.config.clone();
    config.sqlite_max_pages = Some(60);
    let small = Db::open(&config).await.unwrap();
    let big = "x".repeat(20_000);
    let mut stored = 0;
    let refused = loop {
        let note = big.clone();
        let outcome: Result<u64, DbError> = small
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "insert into things (account, id, amount, flag, note) values ('a', $1, 1, $2, $3)";
                    tx.execute(sql, params![&format!("n{stored}"), true, &note]).await
                })
            })
            .await;
        match outcome {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "the limit was never met");
    };
    assert!(matches!(refused, DbError::Unavailable { .. }), "{refused:?}");
    assert_eq!(count(&small).await, stored);
    let sql = "delete from things where id = 'n0'";
    small.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await.unwrap();
    insert(&small, "fits again".into(), 1).await.unwrap();
    assert_eq!(count(&small).await, stored);
}

#[tokio::test]
async fn what_a_full_disk_refuses_among_many_callers_is_really_not_there() {
    let test = testing::sqlite(&[kit::MIGRATIONS, TABLES]).await.unwrap();
    let mut config = test.config.clone();
    config.sqlite_max_pages = Some(200);
    let small = Db::open(&config).await.unwrap();
    let callers = (0..400).map(|n| {
        let small = small.clone();
        tokio::spawn(async move {
            // Most are small and would fit; the large ones fill the disk in the middle of a batch.
            let note = "x".repeat(if n % 7 == 0 { 40_000 } else { 10 });
            let outcome: Result<u64, DbError> = small
                .write(move |tx| {
                    Box::pin(async move {
                        let sql = "insert into things (account, id, amount, flag, note) values ('a', $1, 1, $2, $3)";
                        tx.execute(sql, params![&format!("n{n}"), true, &note]).await
                    })
                })
                .await;
            outcome.is_ok()
        })
    });
    let mut accepted = 0;
    for caller in callers.collect::<Vec<_>>() {
        accepted += i64::from(caller.await.unwrap());
    }
    assert!(accepted < 400, "the limit was never met");
    assert_eq!(count(&small).await, accepted);
}

#[tokio::test]
async fn migrating_again_and_from_many_sides_at_once_changes_nothing() {
    for test in both().await {
        let again = test.db.migrate(&[kit::MIGRATIONS, TABLES]).await.unwrap();
        assert_eq!(again, []);
        insert(&test.db, "still works".into(), 1).await.unwrap();
    }
    if let Ok(server) = std::env::var(testing::POSTGRES_URL) {
        let url = testing::new_postgres_database(&server).await.unwrap();
        let openers = (0..4).map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let db = Db::open(&DbConfig::new(url)).await?;
                db.migrate(&[kit::MIGRATIONS, TABLES]).await
            })
        });
        let mut applied = 0;
        for opener in openers.collect::<Vec<_>>() {
            applied += opener.await.unwrap().unwrap().len();
        }
        assert_eq!(applied, 4, "each of the four migrations once");
    }
}

#[tokio::test]
async fn an_unknown_kind_of_url_is_refused_with_what_would_work() {
    let error = Db::open(&DbConfig::new("mysql://localhost/x")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "database url: `mysql:…` is not supported; use sqlite:PATH or postgres://user@host/name"
    );
}

#[tokio::test]
async fn a_lost_connection_is_reported_as_unavailable_and_the_pool_heals() {
    let Some(test) = testing::postgres(&[kit::MIGRATIONS, TABLES]).await.unwrap() else { return };
    insert(&test.db, "before".into(), 1).await.unwrap();
    // The server throws out every connection to this database but the one that asks.
    let outcome: Result<(), DbError> = test
        .db
        .write(|tx| {
            Box::pin(async move {
                tx.execute("insert into things (account, id, amount, flag) values ('a', 'lost', 1, true)", &[]).await?;
                tx.fetch_all::<()>("select pg_terminate_backend(pg_backend_pid())", &[]).await?;
                Ok(())
            })
        })
        .await;
    assert!(matches!(outcome, Err(DbError::Unavailable { .. })), "{outcome:?}");
    insert(&test.db, "after".into(), 1).await.unwrap();
    assert_eq!(count(&test.db).await, 2, "what was under way is gone, the rest stays");
}

#[tokio::test]
async fn a_look_up_sees_what_was_committed_and_cannot_write() {
    for test in both().await {
        insert(&test.db, "x".into(), 7).await.unwrap();
        let sql = "select id, amount, flag, note, raw from things where account = $1 and id = $2";
        for _ in 0..3 {
            let found: Result<Option<Thing>, DbError> = test
                .db
                .look_up(move |tx| Box::pin(async move { tx.fetch_optional::<Thing>(sql, params!["a", "x"]).await }))
                .await;
            assert_eq!(found.unwrap().unwrap().amount, 7);
        }
        if test.db.engine() == kit::db::Engine::Sqlite {
            let written: Result<u64, DbError> =
                test.db.look_up(|tx| Box::pin(async move { tx.execute("delete from things", &[]).await })).await;
            assert!(written.is_err());
        }
        assert_eq!(count(&test.db).await, 1);
    }
}
