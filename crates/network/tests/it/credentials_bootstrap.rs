//! The first key of an account, by a link that works once.

use http::Method;
use kit::clock::DAY_US;
use serde_json::{Value, json};

use crate::harness::{self, End, Wishes, ends, places};

const LINKS: &str = "/testing/bootstrap-links";
const KEYS: &str = "/v2/account/integration/credentials/api-key";

async fn page(end: &End, method: Method, url: &str) -> (u16, String) {
    let path = url.strip_prefix(&end.base).expect("the link leads here");
    let answer = end.send(method, path, &[], None).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    (answer.status, answer.text)
}

fn secret(page: &str) -> String {
    let (_, rest) = page.split_once("data-testid=\"secret\">").expect("a secret is shown");
    rest.split('<').next().unwrap().to_owned()
}

async fn link(end: &End) -> Value {
    end.ap(Method::POST, LINKS, None).await.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_shows_a_key_once_which_makes_others_and_is_then_disabled() {
    for end in ends().await {
        let link = link(&end).await;
        assert_eq!(link["expires_at"], "2026-03-03T10:00:00Z");
        let url = link["url"].as_str().unwrap();
        // Looking uses nothing up.
        for _ in 0..2 {
            let (status, text) = page(&end, Method::GET, url).await;
            assert_eq!(status, 200);
            assert!(text.contains("Example Acquiring Partner") && !text.contains("klarna_test_api_"));
        }
        let (status, text) = page(&end, Method::POST, url).await;
        assert_eq!(status, 200);
        let key = secret(&text);
        for method in [Method::POST, Method::GET] {
            let (status, text) = page(&end, method, url).await;
            assert_eq!(status, 410);
            assert!(!text.contains(&key));
        }
        let own = end.call(&key, Method::POST, KEYS, Some(&json!({"description": "own"}))).await.expect(201);
        let own = own["secret"]["secret"].as_str().unwrap();
        let listed = end.call(own, Method::GET, KEYS, None).await.expect(200);
        let first = listed["credentials"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["description"].as_str().is_some_and(|text| text.starts_with("bootstrap")));
        let path = format!("{KEYS}/{}", first.unwrap()["credential_id"].as_str().unwrap());
        assert_eq!(end.call(own, Method::DELETE, &path, None).await.status, 204);
        end.call(&key, Method::GET, KEYS, None).await.refused(401, "UNAUTHORIZED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_open_it_at_once_one_gets_the_key() {
    for end in ends().await {
        let link = link(&end).await;
        let url = link["url"].as_str().unwrap();
        let (one, other) = tokio::join!(page(&end, Method::POST, url), page(&end, Method::POST, url));
        let mut statuses = [one.0, other.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_over_after_a_day_and_unknown_ones_are_over_too() {
    for end in ends().await {
        let link = link(&end).await;
        end.ctx.clock.advance(DAY_US);
        for method in [Method::GET, Method::POST] {
            assert_eq!(page(&end, method.clone(), link["url"].as_str().unwrap()).await.0, 410);
            assert_eq!(page(&end, method, &format!("{}/bootstrap/nonsense", end.base)).await.0, 410);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_writes_a_link_for_the_seeded_acquiring_partner() {
    use std::os::unix::fs::PermissionsExt as _;
    for place in places().await {
        let file = place.folder.join("link");
        let end = harness::start(&place, Wishes { bootstrap_link_file: Some(file.clone()), ..Wishes::default() }).await;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let url = std::fs::read_to_string(&file).unwrap();
        let (status, text) = page(&end, Method::POST, url.trim()).await;
        assert_eq!(status, 200);
        assert!(text.contains(&end.credentials.acquiring_partner.account_id));
        end.call(&secret(&text), Method::GET, KEYS, None).await.expect(200);
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acquiring_partner_makes_links_for_the_accounts_under_it() {
    for end in ends().await {
        let path = format!("/testing/accounts/{}/bootstrap-links", end.partner());
        let link = end.ap(Method::POST, &path, None).await.expect(201);
        let (_, text) = page(&end, Method::POST, link["url"].as_str().unwrap()).await;
        assert!(text.contains(end.partner()));
    }
}
