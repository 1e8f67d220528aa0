//! Who gets in, and who does not any more; what is seeded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use network::credentials::disable_api_key;
use protocol::{CredentialId, PartnerAccountId};
use serde_json::Value;

use crate::harness::{self, Wishes, ends, places};

const LIST: &str = "/v2/notification/webhooks";

kit::row! { pub struct Key { pub credential_id: String, pub last_used_at: Option<i64> } }

pub async fn key_of(end: &harness::End, account: &str) -> Key {
    let account = account.to_owned();
    let sql = "select credential_id, last_used_at from api_keys where account_id = $1";
    let read =
        end.ctx.db.read(move |tx| Box::pin(async move { tx.fetch_one::<Key>(sql, kit::params![&account]).await }));
    read.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_encoding_of_the_key_opens_and_anything_else_is_401() {
    for end in ends().await {
        let key = end.ap_key().to_owned();
        let id = key_of(&end, &end.credentials.acquiring_partner.account_id).await.credential_id;
        let uuid = id.rsplit(':').next().unwrap();
        let good = [
            format!("Basic {key}"),
            format!("basic {key}"),
            format!("Basic {}", STANDARD.encode(format!(":{key}"))),
            format!("Basic {}", STANDARD.encode(&key)),
            format!("Basic {}", URL_SAFE_NO_PAD.encode(&key)),
            format!("Basic {}", STANDARD.encode(format!("{uuid}:{key}"))),
        ];
        for authorization in good {
            let answer = end.send(Method::GET, LIST, &[("authorization", &authorization)], None).await;
            assert_eq!(answer.status, 200, "{authorization}: {}", answer.text);
        }
        let other = uuid::Uuid::from_u128(9);
        let bad = [
            key.clone(),
            format!("Bearer {key}"),
            format!("Basic {key}x"),
            format!("Basic {}", key.replace("_test_", "_live_")),
            format!("Basic {}", STANDARD.encode(format!("{other}:{key}"))),
            "Basic".to_owned(),
            "Basic klarna_test_api_".to_owned(),
        ];
        for authorization in bad {
            let answer = end.send(Method::GET, LIST, &[("authorization", &authorization)], None).await;
            answer.refused(401, "UNAUTHORIZED");
            assert_eq!(answer.json()["error_type"], "ACCESS_ERROR");
            assert!(!answer.text.contains(&key));
        }
        end.send(Method::GET, LIST, &[], None).await.refused(401, "UNAUTHORIZED");
        // Known, and not entitled.
        let client_id = end.credentials.acquiring_partner.client_id.clone();
        end.call(&client_id, Method::GET, LIST, None).await.refused(401, "PERMISSION_DENIED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_key_fails_at_once_although_it_was_just_verified() {
    for end in ends().await {
        end.ap(Method::GET, LIST, None).await.expect(200);
        let account: PartnerAccountId = end.credentials.acquiring_partner.account_id.parse().unwrap();
        let id: CredentialId = key_of(&end, account.as_str()).await.credential_id.parse().unwrap();
        assert!(disable_api_key(&end.ctx, &account, &id).await.unwrap());
        end.ap(Method::GET, LIST, None).await.refused(401, "UNAUTHORIZED");
        assert!(!disable_api_key(&end.ctx, &account, &id).await.unwrap(), "it was active once");
        end.call(end.partner_key(), Method::GET, LIST, None).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_last_use_is_noted() {
    for end in ends().await {
        let account = end.credentials.acquiring_partner.account_id.clone();
        end.ap(Method::GET, LIST, None).await.expect(200);
        let mut noted = None;
        for _ in 0..500 {
            noted = key_of(&end, &account).await.last_used_at;
            if noted.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(noted, Some(harness::BEGINNING));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_nowhere_in_the_database() {
    let place = places().await.remove(0);
    let end = harness::start(&place, Wishes::default()).await;
    let (_, signing_key) = end.signing_key().await;
    let secrets = [
        end.ap_key().to_owned(),
        end.partner_key().to_owned(),
        end.credentials.acquiring_partner.jwt_signing.private_key_pem.lines().nth(1).unwrap().to_owned(),
        signing_key,
    ];
    // Read while it runs, when no file is on its way out: pages are in the database or in its log.
    for file in std::fs::read_dir(&place.folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in &secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
    end.stop().await;
}

/// What must repeat: all but the address.
fn repeatable(mut credentials: Value) -> Value {
    credentials["base_url"] = Value::Null;
    credentials
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_file_repeats_with_the_seed_and_a_restart_keeps_it_but_makes_no_id_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut first_of_engine = Vec::new();
    for place in places().await {
        let file = place.folder.join("credentials.json");
        let wishes = || Wishes { credentials_file: Some(file.clone()), ..Wishes::default() };
        let read = || serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap();

        let end = harness::start(&place, wishes()).await;
        let before = read();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(before["base_url"], end.base.as_str());
        for path in [
            "/acquiring_partner/account_id",
            "/acquiring_partner/api_key",
            "/acquiring_partner/client_id",
            "/acquiring_partner/payment_acquiring_account_id",
            "/acquiring_partner/payment_profile_id",
            "/acquiring_partner/jwt_signing/private_key_pem",
            "/acquiring_partner/jwt_signing/certificate_pem",
            "/partner/account_id",
            "/partner/api_key",
            "/partner/client_id",
            "/partner/payment_account_id",
            "/partner/payment_account_id_non_guaranteed",
            "/partner/customer_token",
        ] {
            assert!(before.pointer(path).is_some_and(Value::is_string), "{path}");
        }
        let (first_key, _) = end.signing_key().await;
        end.stop().await;

        std::fs::remove_file(&file).unwrap();
        let end = harness::start(&place, wishes()).await;
        let after = read();
        assert_eq!(repeatable(after.clone()), repeatable(before.clone()));
        assert_eq!(after["acquiring_partner"]["jwt_signing"], before["acquiring_partner"]["jwt_signing"]);
        let (second_key, _) = end.signing_key().await;
        assert_ne!(first_key, second_key, "ids do not repeat after a restart");
        let listed = end.ap(Method::GET, "/v2/notification/signing-keys", None).await.expect(200);
        let ids: Vec<_> = listed["signing_keys"].as_array().unwrap().iter().map(|key| &key["signing_key_id"]).collect();
        assert_eq!(ids.len(), 2, "a restart keeps what was made: {ids:?}");
        first_of_engine.push((repeatable(before), first_key));
        end.stop().await;
    }
    for other in &first_of_engine[1..] {
        assert_eq!(other, &first_of_engine[0], "the seed repeats, whatever the engine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_seed_nothing_repeats() {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let place = places().await.remove(0);
        let end = harness::start(&place, Wishes { seed: None, ..Wishes::default() }).await;
        assert!(seen.insert(end.ap_key().to_owned()) && seen.insert(end.partner().to_owned()));
        end.stop().await;
    }
}
