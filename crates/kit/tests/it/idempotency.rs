//! First answers are kept for their time, and no longer.

use kit::db::{Db, DbError};
use kit::idempotency::{self, Call, Known, StoredAnswer};
use kit::testing;

const KEYS: usize = 1_201;

async fn record(db: &Db, keys: std::ops::Range<usize>, expires_at: i64) {
    let done: Result<(), DbError> = db
        .write(move |tx| {
            Box::pin(async move {
                for n in keys {
                    let key = format!("k{n}");
                    let call = Call { scope: "s", key: &key, fingerprint: "f" };
                    let answer = StoredAnswer { status: 201, body: b"{}".to_vec() };
                    idempotency::record(tx, &call, &answer, 0, expires_at).await?;
                }
                Ok(())
            })
        })
        .await;
    done.unwrap();
}

#[tokio::test]
async fn sweeping_removes_what_is_past_its_time_however_much_and_nothing_else() {
    let mut databases = vec![testing::sqlite(&[kit::MIGRATIONS]).await.unwrap()];
    databases.extend(testing::postgres(&[kit::MIGRATIONS]).await.unwrap());
    for test in databases {
        record(&test.db, 0..KEYS, 100).await;
        record(&test.db, KEYS..KEYS + 1, 200).await;
        assert_eq!(idempotency::sweep_all(&test.db, 99).await.unwrap(), 0);
        assert_eq!(idempotency::sweep_all(&test.db, 100).await.unwrap(), KEYS as u64);
        assert_eq!(idempotency::sweep_all(&test.db, 100).await.unwrap(), 0);
        let kept: Result<Known, DbError> = test
            .db
            .read(|tx| {
                Box::pin(async move {
                    let key = format!("k{KEYS}");
                    idempotency::find(tx, &Call { scope: "s", key: &key, fingerprint: "f" }, 100).await
                })
            })
            .await;
        assert!(matches!(kept.unwrap(), Known::Answered(_)));
    }
}
