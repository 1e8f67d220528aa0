//! `/testing/snapshots` and `/testing/reset`: everything, kept and put back.

use std::time::Duration;

use http::Method;
use kit::db::DbError;
use kit::params;
use kit::secret_box::{Keyring, SecretBox};
use serde_json::{Value, json};

use crate::harness::{self, End, Wishes, ends, places};
use crate::payments_steps::{post, request_body};
use crate::sealed;

const KEYS: &str = "/v2/notification/signing-keys";

async fn take(end: &End, name: &str) {
    let made = end.ap(Method::POST, "/testing/snapshots", Some(&json!({"name": name}))).await.expect(201);
    assert_eq!(made["name"], name);
    assert!(made["rows"].as_i64() > Some(5), "{made}");
}

async fn restore(end: &End, name: &str) {
    end.ap(Method::POST, &format!("/testing/snapshots/{name}/restore"), None).await.expect(200);
}

async fn reset(end: &End) -> harness::Answer {
    end.ap(Method::POST, "/testing/reset", Some(&json!({"confirm": true}))).await
}

async fn keys(end: &End) -> usize {
    end.ap(Method::GET, KEYS, None).await.expect(200)["signing_keys"].as_array().unwrap().len()
}

async fn now(end: &End) -> Value {
    end.ap(Method::GET, "/testing/clock", None).await.expect(200)["now"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_put_back_and_works_again() {
    for end in ends().await {
        end.signing_key().await;
        let request = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let id = request["payment_request_id"].as_str().unwrap().to_owned();
        take(&end, "one-request").await;

        end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "P400D"}))).await.expect(200);
        end.signing_key().await;
        end.ap(Method::POST, "/testing/faults", Some(&json!({"effect": "status", "status": 503}))).await.expect(201);
        end.ap(Method::GET, KEYS, None).await.refused(503, "TEMPORARY_UNAVAILABLE");
        for _ in 0..2 {
            restore(&end, "one-request").await;
            assert_eq!(keys(&end).await, 1, "and the rule is gone");
            assert_eq!(now(&end).await, "2026-03-02T10:00:00Z");
            let path = format!("/testing/payment-requests/{id}/complete");
            assert_eq!(end.ap(Method::POST, &path, None).await.expect(200)["state"], "COMPLETED");
        }

        assert_eq!(reset(&end).await.expect(200)["name"], "seeded");
        assert_eq!(keys(&end).await, 0);
        let list = end.ap(Method::GET, "/testing/payment-requests", None).await.expect(200);
        assert_eq!(list["payment_requests"], json!([]));
        let snapshots = end.ap(Method::GET, "/testing/snapshots", None).await.expect(200);
        let names: Vec<&Value> = snapshots["snapshots"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
        assert_eq!(names, ["one-request", "seeded"], "snapshots outlive a reset");
        restore(&end, "one-request").await;
        assert_eq!(keys(&end).await, 1);
        let calls = end.ap(Method::GET, "/testing/requests?status=503", None).await.expect(200);
        assert_eq!(calls["pagination"]["count"], 1, "the log is about the calls, and stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_under_way_begins_again() {
    for end in ends().await {
        let receiver = harness::Receiver::start().await;
        let (signing_key_id, _) = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.request.*"], "v2", &signing_key_id).await;
        receiver.answer([500]);
        post(&end, "/requests", &request_body(&end)).await.expect(201);
        receiver.next().await;
        let id = end.delivery_ids().await[0].clone();
        end.delivery_after(&id, 1).await;
        take(&end, "retrying").await;
        end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "PT1M"}))).await.expect(200);
        receiver.next().await;
        assert_eq!(end.delivery_after(&id, 2).await["state"], "DELIVERED");
        restore(&end, "retrying").await;
        assert_eq!(end.delivery_after(&id, 1).await["state"], "RETRYING");
        end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "PT1M"}))).await.expect(200);
        receiver.next().await;
        assert_eq!(end.delivery_after(&id, 2).await["state"], "DELIVERED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_checked_and_a_reset_must_be_meant() {
    for end in ends().await {
        take(&end, "a").await;
        let answer = end.ap(Method::POST, "/testing/snapshots", Some(&json!({"name": "a"}))).await;
        answer.refused(409, "RESOURCE_CONFLICT");
        let answer = end.ap(Method::POST, "/testing/snapshots", Some(&json!({"name": "a b"}))).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.parameters(), ["name"]);
        for body in [json!({}), json!({"confirm": false})] {
            let answer = end.ap(Method::POST, "/testing/reset", Some(&body)).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), ["confirm"]);
        }
        assert_eq!(end.ap(Method::GET, "/testing/snapshots/a", None).await.expect(200)["name"], "a");
        end.ap(Method::DELETE, "/testing/snapshots/a", None).await.expect(204);
        for (method, path) in [
            (Method::GET, "/testing/snapshots/a"),
            (Method::DELETE, "/testing/snapshots/a"),
            (Method::POST, "/testing/snapshots/a/restore"),
        ] {
            end.ap(method, path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restoration_reaches_other_processes_and_survives_a_restart() {
    for place in places().await {
        let one = harness::start(&place, Wishes::default()).await;
        let other = harness::start(&place, Wishes::default()).await;
        take(&one, "before").await;
        other.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "P30D"}))).await.expect(200);
        other.signing_key().await;
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        restore(&one, "before").await;
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        assert_eq!(now(&other).await, "2026-03-02T10:00:00Z");
        assert_eq!(keys(&other).await, 0);
        one.stop().await;
        other.stop().await;
        let again = harness::start(&place, Wishes::default()).await;
        again.signing_key().await;
        restore(&again, "before").await;
        assert_eq!(keys(&again).await, 0);
        assert_eq!(again.ap(Method::GET, "/testing/snapshots/seeded", None).await.expect(200)["name"], "seeded");
        again.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_put_back_as_long_as_its_key_is_there_and_moves_to_the_new_one() {
    const NEXT: &str = "next:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let old = format!("test:{}=", "A".repeat(43));
    let keyring = |lines: &[&str]| SecretBox::new(Keyring::from_env_text(&lines.join("\n")).unwrap());
    for place in places().await {
        let first = harness::start(&place, Wishes::default()).await;
        first.signing_key().await;
        take(&first, "old-key").await;
        first.stop().await;

        let both = harness::start_with(&place, Wishes::default(), keyring(&[NEXT, &old])).await;
        sealed::wait_until_moved(&both).await;
        restore(&both, "old-key").await;
        assert_eq!(keys(&both).await, 1);
        sealed::wait_until_moved(&both).await;
        both.stop().await;

        // What was put back stands under the new key; the copy does not.
        let next = harness::start_with(&place, Wishes::default(), keyring(&[NEXT])).await;
        next.signing_key().await;
        let answer = next.ap(Method::POST, "/testing/snapshots/old-key/restore", None).await;
        answer.refused(409, "RESOURCE_CONFLICT");
        assert!(answer.text.contains("the key test"), "{}", answer.text);
        assert_eq!(keys(&next).await, 2, "nothing was changed");
        next.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_from_before_a_migration_is_refused_with_both_versions_and_changes_nothing() {
    for end in ends().await {
        take(&end, "earlier").await;
        let taken = end.ap(Method::GET, "/testing/snapshots/earlier", None).await.expect(200);
        let before = taken["schema_version"].as_str().unwrap().to_owned();
        end.signing_key().await;
        let migrated: Result<u64, DbError> = end
            .ctx
            .db
            .write(|tx| {
                let sql = "insert into network_migrations (version, name, applied_on, checksum) values (999999, 'later', $1, $1)";
                Box::pin(async move { tx.execute(sql, params!["0"]).await })
            })
            .await;
        migrated.unwrap();
        for (path, body) in
            [("/testing/snapshots/earlier/restore", None), ("/testing/reset", Some(json!({"confirm": true})))]
        {
            let answer = end.ap(Method::POST, path, body.as_ref()).await;
            answer.refused(409, "RESOURCE_CONFLICT");
            let (_, now) = answer.text.split_once("; now: ").expect("the present version is named");
            assert!(answer.text.contains(&format!("(migrations: {before}; now: ")), "{}", answer.text);
            assert!(now.starts_with("kit ") && !now.starts_with(&before), "{}", answer.text);
            assert!(answer.text.contains("Nothing was changed"), "{}", answer.text);
        }
        assert_eq!(keys(&end).await, 1);
        take(&end, "later").await;
        end.ap(Method::DELETE, "/testing/snapshots/earlier", None).await.expect(204);
        end.signing_key().await;
        restore(&end, "later").await;
        assert_eq!(keys(&end).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sftp_server_stays_the_same_for_this_process_and_the_next() {
    let place = places().await.remove(0);
    let one = harness::start(&place, Wishes::default()).await;
    take(&one, "before").await;
    let host_key = network::credentials::sftp_host_key(&one.ctx).await.unwrap();
    restore(&one, "before").await;
    one.stop().await;
    let next = harness::start(&place, Wishes::default()).await;
    assert_eq!(network::credentials::sftp_host_key(&next.ctx).await.unwrap(), host_key);
    next.stop().await;
}
