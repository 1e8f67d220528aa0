//! API keys, client identifiers and SFTP users as their owners manage them.

use http::Method;
use kit::clock::DAY_US;
use network::credentials::{client_identifier, create_api_key, sftp_user};
use protocol::PartnerAccountId;
use serde_json::{Value, json};

use crate::harness::{self, BEGINNING, End, Wishes, ends, places};

const AT: &str = "/v2/account/integration/credentials";
const SORTS: [&str; 3] = ["api-key", "client-identifier", "sftp"];

async fn make(end: &End, sort: &str, body: Value) -> Value {
    end.ap(Method::POST, &format!("{AT}/{sort}"), Some(&body)).await.expect(201)
}

fn id(made: &Value) -> String {
    made["credential_id"].as_str().unwrap().to_owned()
}

fn at(sort: &str, made: &Value) -> String {
    format!("{AT}/{sort}/{}", id(made))
}

async fn listed(end: &End, sort: &str) -> Vec<Value> {
    let list = end.ap(Method::GET, &format!("{AT}/{sort}"), None).await.expect(200);
    list["credentials"].as_array().unwrap().clone()
}

/// Waits until the sweep has written what `is` sees.
async fn swept(end: &End, is: impl Fn(&[Value]) -> bool) {
    for _ in 0..400 {
        if is(&listed(end, "api-key").await) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?}", listed(end, "api-key").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sort_is_made_listed_read_and_disabled_and_stays_visible() {
    for end in ends().await {
        for sort in SORTS {
            let before = listed(&end, sort).await.len();
            let made = make(&end, sort, json!({"description": "worker-1: a; b., c_d"})).await;
            assert!(id(&made).starts_with(&format!("krn:partner:global:account:credential:{sort}:")), "{made}");
            assert_eq!((&made["state"], &made["description"]), (&json!("ACTIVE"), &json!("worker-1: a; b., c_d")));
            assert_eq!(made["created_at"], made["updated_at"]);

            let mut shown = made.clone();
            shown.as_object_mut().unwrap().remove("secret");
            assert_eq!(end.ap(Method::GET, &at(sort, &made), None).await.expect(200), shown);
            let list = listed(&end, sort).await;
            assert_eq!(list.len(), before + 1);
            assert!(list.contains(&shown));

            // A repeated DELETE is content.
            end.ctx.clock.advance(DAY_US);
            for _ in 0..2 {
                assert_eq!(end.ap(Method::DELETE, &at(sort, &made), None).await.status, 204);
            }
            let read = end.ap(Method::GET, &at(sort, &made), None).await.expect(200);
            assert_eq!(read["state"], "DISABLED");
            assert_ne!(read["updated_at"], made["updated_at"]);
            assert_eq!(listed(&end, sort).await.last(), Some(&read), "behind the active ones");
            if sort != "sftp" {
                let patch = json!({"description": "other"});
                end.ap(Method::PATCH, &at(sort, &made), Some(&patch)).await.refused(409, "RESOURCE_CONFLICT");
            }
        }
        // Without a body, too.
        assert_eq!(end.ap(Method::POST, &format!("{AT}/api-key"), None).await.expect(201)["description"], "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_at_once_until_it_is_disabled_and_its_text_is_shown_once_even_to_a_repetition() {
    for end in ends().await {
        let body = json!({"description": "worker"});
        let first = end.ap_once("k-1", Method::POST, &format!("{AT}/api-key"), Some(&body)).await.expect(201);
        let again = end.ap_once("k-1", Method::POST, &format!("{AT}/api-key"), Some(&body)).await.expect(201);
        assert_eq!(first, again, "one key");
        let key = first["secret"]["secret"].as_str().unwrap();
        assert!(key.starts_with("klarna_test_api_") && key.len() > 150);
        end.call(key, Method::GET, &format!("{AT}/api-key"), None).await.expect(200);
        for _ in 0..400 {
            let read = end.ap(Method::GET, &at("api-key", &first), None).await.expect(200);
            if read["last_used_at"] == "2026-03-02T10:00:00Z" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // With itself: the last thing that it does.
        assert_eq!(end.call(key, Method::DELETE, &at("api-key", &first), None).await.status, 204);
        end.call(key, Method::GET, &format!("{AT}/api-key"), None).await.refused(401, "UNAUTHORIZED");
        // The idempotency store holds it sealed.
        let digits = key.trim_start_matches("klarna_test_api_").to_owned();
        kit::row! { struct Body { body: Option<Vec<u8>> } }
        let rows: Vec<Body> =
            end.ctx.db.read(|tx| Box::pin(tx.fetch_all("select body from idempotency_keys", &[]))).await.unwrap();
        assert_eq!(rows.len(), 1);
        for body in rows.into_iter().filter_map(|row| row.body) {
            assert!(!String::from_utf8_lossy(&body).contains(&digits));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_manages_its_own_and_sees_nobody_elses() {
    for end in ends().await {
        for sort in SORTS {
            let own =
                end.call(end.partner_key(), Method::POST, &format!("{AT}/{sort}"), Some(&json!({}))).await.expect(201);
            end.call(end.partner_key(), Method::GET, &at(sort, &own), None).await.expect(200);
            for method in [Method::GET, Method::DELETE] {
                end.ap(method, &at(sort, &own), None).await.refused(404, "RESOURCE_NOT_FOUND");
            }
            let absent = format!("{AT}/{sort}/krn:partner:global:account:credential:{sort}:{}", uuid::Uuid::nil());
            for method in [Method::GET, Method::DELETE] {
                end.ap(method, &absent, None).await.refused(404, "RESOURCE_NOT_FOUND");
            }
            if sort != "sftp" {
                let patch = json!({"description": "x"});
                end.ap(Method::PATCH, &at(sort, &own), Some(&patch)).await.refused(404, "RESOURCE_NOT_FOUND");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_faulty_field_is_named() {
    for end in ends().await {
        for (sort, description) in [("api-key", json!("a/b")), ("sftp", json!("x".repeat(101))), ("api-key", json!(7))]
        {
            let answer =
                end.ap(Method::POST, &format!("{AT}/{sort}"), Some(&json!({"description": description}))).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), ["description"]);
        }
        let made = make(&end, "api-key", json!({})).await;
        let answer = end.ap(Method::PATCH, &at("api-key", &made), Some(&json!({}))).await;
        assert_eq!(answer.parameters(), ["description"]);

        let body = json!({"description": "?", "config": {"allowed_domains": ["shop.example", "a/b", 7]}});
        let made = make(&end, "client-identifier", json!({})).await;
        for (method, path) in
            [(Method::POST, format!("{AT}/client-identifier")), (Method::PATCH, at("client-identifier", &made))]
        {
            let answer = end.ap(method, &path, Some(&body)).await;
            answer.refused(400, "VALIDATION_ERROR");
            let wanted = ["description", "config.allowed_domains[1]", "config.allowed_domains[2]"];
            assert_eq!(answer.parameters(), wanted);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_identifier_knows_its_pages_and_is_found_by_its_text_while_active() {
    for end in ends().await {
        let made = make(&end, "client-identifier", json!({"config": {"allowed_domains": ["shop.example"]}})).await;
        assert_eq!(made["config"]["allowed_domains"], json!(["shop.example"]));
        let changed = json!({"config": {"allowed_domains": ["*.shop.example", "https://books.example:8443"]}});
        let changed = end.ap(Method::PATCH, &at("client-identifier", &made), Some(&changed)).await.expect(200);
        assert_eq!(changed["config"]["allowed_domains"], json!(["*.shop.example", "https://books.example:8443"]));

        let find = async |text: &str| {
            let text = text.to_owned();
            end.ctx.db.read(move |tx| Box::pin(async move { client_identifier::find(tx, &text).await })).await.unwrap()
        };
        let text = made["identity"]["client_id"].as_str().unwrap();
        let found = find(text).await.expect("it is active");
        assert_eq!(found.account.as_str(), end.credentials.acquiring_partner.account_id);
        assert!(found.allows("https://www.shop.example", []) && found.allows("https://books.example:8443", []));
        assert!(!found.allows("https://shop.example", []));
        assert!(find("klarna_test_client_x").await.is_none());
        assert_eq!(end.ap(Method::DELETE, &at("client-identifier", &made), None).await.status, 204);
        assert!(find(text).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sftp_user_opens_the_files_of_its_account_with_its_password() {
    for end in ends().await {
        let made = make(&end, "sftp", json!({})).await;
        let open = async |password: &str| {
            let (name, password) = (made["identity"]["username"].as_str().unwrap().to_owned(), password.to_owned());
            let found = sftp_user::sign_in(&end.ctx, &name, &password, Some([127, 0, 0, 1].into())).await.unwrap();
            found.map(|user| user.account.to_string())
        };
        let password = made["secret"]["secret"].as_str().unwrap();
        assert_eq!(open(password).await, Some(end.credentials.acquiring_partner.account_id.clone()));
        assert_eq!(open("other").await, None);
        let read = end.ap(Method::GET, &at("sftp", &made), None).await.expect(200);
        assert_eq!(read["last_used_at"], "2026-03-02T10:00:00Z");
        assert_eq!(end.ap(Method::DELETE, &at("sftp", &made), None).await.status, 204);
        assert_eq!(open(password).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_fifty_active_ones_of_each_sort() {
    let end = ends().await.remove(0);
    for sort in SORTS {
        let present = listed(&end, sort).await.len();
        let mut last = json!(null);
        for _ in present..50 {
            last = make(&end, sort, json!({})).await;
        }
        end.ap(Method::POST, &format!("{AT}/{sort}"), Some(&json!({}))).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(end.ap(Method::DELETE, &at(sort, &last), None).await.status, 204);
        make(&end, sort, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_uses_lapses_after_two_months_and_is_gone_after_ten_more() {
    for end in ends().await {
        let made = make(&end, "api-key", json!({"description": "forgotten"})).await;
        let key = made["secret"]["secret"].as_str().unwrap();
        end.ctx.clock.advance(61 * DAY_US);
        assert_eq!(end.ap(Method::GET, &at("api-key", &made), None).await.expect(200)["state"], "ACTIVE");
        end.ctx.clock.advance(2 * DAY_US);
        end.ctx.poke.poke();
        let read = end.ap(Method::GET, &at("api-key", &made), None).await.expect(200);
        assert_eq!((&read["state"], &read["updated_at"]), (&json!("DISABLED"), &json!("2026-05-02T10:00:00Z")));
        end.call(key, Method::GET, &format!("{AT}/api-key"), None).await.refused(401, "UNAUTHORIZED");
        // The seeded key, which nobody used either for a while, goes on.
        swept(&end, |keys| keys.len() == 2).await;

        end.ctx.clock.advance(310 * DAY_US);
        end.ctx.poke.poke();
        end.ap(Method::GET, &at("api-key", &made), None).await.refused(404, "RESOURCE_NOT_FOUND");
        swept(&end, |keys| keys.len() == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_survives_a_restart() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let key = make(&end, "api-key", json!({"description": "kept"})).await;
        let client = make(&end, "client-identifier", json!({"config": {"allowed_domains": ["shop.example"]}})).await;
        end.stop().await;
        let end = harness::start(&place, Wishes::default()).await;
        let text = key["secret"]["secret"].as_str().unwrap();
        let read = end.call(text, Method::GET, &at("client-identifier", &client), None).await.expect(200);
        assert_eq!(read, client);
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_installation_do_not_lapse() {
    let end = ends().await.remove(0);
    let account: PartnerAccountId = end.partner().parse().unwrap();
    let ctx = end.ctx.clone();
    let made = end
        .ctx
        .db
        .write(move |tx| Box::pin(async move { create_api_key(tx, &ctx.random, &account, "", BEGINNING).await }));
    let key = made.await.unwrap().secret;
    end.ctx.clock.advance(900 * DAY_US);
    end.call(&key, Method::GET, &format!("{AT}/api-key"), None).await.expect(200);
}
