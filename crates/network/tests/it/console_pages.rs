//! `/console`: who may look, forms, and that every page says what it should.

use std::sync::Arc;

use http::Method;
use network::config::{Config, RateLimits};
use reqwest::redirect::Policy;
use serde_json::json;

use crate::harness::{self, End, Wishes, ends, places};
use crate::payments_steps::{post, request_body, transaction};

struct Browser {
    client: reqwest::Client,
    base: String,
    cookie: tokio::sync::Mutex<Option<String>>,
}

struct Page {
    status: u16,
    text: String,
    location: Option<String>,
    policy: String,
    cookie: Option<String>,
}

impl Browser {
    fn new(end: &End) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { client, base: end.base.clone(), cookie: tokio::sync::Mutex::default() }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let held = self.cookie.lock().await.clone();
        let request = match held {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, location, policy) =
            (answer.status().as_u16(), header("location"), header("content-security-policy"));
        let cookie = header("set-cookie");
        if let Some(cookie) = &cookie {
            *self.cookie.lock().await = Some(cookie.split(';').next().unwrap().to_owned());
        }
        let policy = policy.unwrap_or_default();
        Page { status, text: answer.text().await.unwrap(), location, policy, cookie }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = self.client.post(format!("{}{path}", self.base)).body(body.finish());
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    /// The proof of the forms of a page.
    async fn csrf(&self) -> String {
        let page = self.get("/console/snapshots").await;
        let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

fn behind_a_proxy() -> Wishes {
    let base_url = "https://network.example".to_owned();
    Wishes { config: Config { base_url, rate_limits: RateLimits::Off, ..Config::default() }, ..Wishes::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_one_signs_in_with_the_acquiring_partners_key() {
    for place in places().await {
        let end = Arc::new(harness::start(&place, behind_a_proxy()).await);
        let browser = Browser::new(&end);
        for path in ["/console", "/console/requests", "/console/faults"] {
            let page = browser.get(path).await;
            assert_eq!(page.status, 303, "{path}");
            assert!(page.location.unwrap().starts_with("/console/sign-in?next=%2Fconsole"));
        }
        for key in ["nonsense", end.partner_key()] {
            let page = browser.post("/console/sign-in", &[("api_key", key), ("next", "/console/faults")]).await;
            assert_eq!((page.status, page.cookie.is_none()), (422, true));
            assert!(page.text.contains("Nobody was signed in"));
        }
        let page =
            browser.post("/console/sign-in", &[("api_key", end.ap_key()), ("next", "https://evil.example")]).await;
        assert_eq!((page.status, page.location.as_deref()), (303, Some("/console")));
        let cookie = page.cookie.unwrap();
        for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/console"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(browser.get("/console").await.status, 200);
        let csrf = browser.csrf().await;
        assert_eq!(browser.post("/console/sign-out", &[("csrf", &csrf)]).await.location.unwrap(), "/console/sign-in");
        assert_eq!(browser.get("/console").await.status, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_this_machine_it_is_open_to_this_machine_only() {
    for end in ends().await {
        let browser = Browser::new(&end);
        let page = browser.get("/console").await;
        assert_eq!(page.status, 200);
        assert!(page.cookie.is_some());
        for (name, value) in [("host", "evil.example"), ("x-forwarded-for", "203.0.113.9")] {
            let request = browser.client.get(format!("{}/console", end.base)).header(name, value);
            assert_eq!(browser.send(request).await.status, 303, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_elsewhere_changes_nothing() {
    for end in ends().await {
        let browser = Browser::new(&end);
        browser.get("/console").await;
        for csrf in ["", "nonsense"] {
            let fields = [("csrf", csrf), ("effect", "truncate"), ("advance", "P1D"), ("act", "take"), ("name", "x")];
            for path in ["/console/faults", "/console/clock", "/console/snapshots", "/console/faults/delete"] {
                assert_eq!(browser.post(path, &fields).await.status, 403, "{path}");
            }
        }
        let faults = end.ap(Method::GET, "/testing/faults", None).await.expect(200);
        assert_eq!(faults["faults"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_whole_and_takes_no_inline_script() {
    for end in ends().await {
        let (signing_key_id, _) = end.signing_key().await;
        end.webhook("http://127.0.0.1:9/klarna", &["payment.request.*"], "v2", &signing_key_id).await;
        let request = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let id = request["payment_request_id"].as_str().unwrap();
        let bad = json!({"currency": "EUR", "amount": 1, "acquiring_config": {"payment_account_id": 7},
            "supplementary_purchase_data": {"line_items": [{"name": "<b>", "quantity": 0, "total_amount": 1}]}});
        post(&end, "/requests", &bad).await.refused(400, "VALIDATION_ERROR");
        let calls = end.ap(Method::GET, "/testing/requests?status=400", None).await.expect(200);
        let call = calls["requests"][0]["call_id"].as_str().unwrap().to_owned();
        let delivery = end.delivery_ids().await[0].clone();
        let owner = &end.credentials.acquiring_partner.account_id;
        let browser = Browser::new(&end);
        for (path, wanted) in [
            ("/console".to_owned(), vec!["Authorize one now", "with curl", end.partner()]),
            ("/console/requests".to_owned(), vec![call.as_str(), "createPaymentRequest"]),
            ("/console/requests?status=9xx".to_owned(), vec!["must be a status"]),
            ("/console/requests?text=absent-everywhere".to_owned(), vec!["No call fits"]),
            (
                format!("/console/requests/{call}"),
                vec![
                    "Why it was refused",
                    "supplementary_purchase_data.line_items[0].quantity",
                    "What would pass",
                    "&lt;b&gt;",
                ],
            ),
            ("/console/payments".to_owned(), vec![id, "Submitted"]),
            ("/console/payments?open=true".to_owned(), vec![id]),
            (format!("/console/payments/{id}"), vec!["Play the customer", "payment.request.state-change.submitted"]),
            ("/console/webhooks".to_owned(), vec!["127.0.0.1:9", &delivery]),
            (format!("/console/webhooks/{owner}/{delivery}"), vec!["Send it once more", "The body of every attempt"]),
            ("/console/events".to_owned(), vec!["payment.request.state-change.submitted"]),
            ("/console/accounts".to_owned(), vec![end.partner(), "Tallow &amp; Tern"]),
            (format!("/console/accounts/{}", end.partner()), vec!["Be Klarna", "Payment product", "Terminate it"]),
            (format!("/console/accounts/{owner}"), vec!["Reference"]),
            ("/console/settlements".to_owned(), vec!["No settlement", "Settle what has happened"]),
            ("/console/disputes".to_owned(), vec!["No dispute"]),
            ("/console/faults".to_owned(), vec!["Nothing goes wrong"]),
            ("/console/snapshots".to_owned(), vec!["2026-03-02T10:00:00Z", "seeded"]),
        ] {
            let page = browser.get(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text);
            for wanted in wanted {
                assert!(page.text.contains(wanted), "{path} says nothing of {wanted}");
            }
            assert!(page.policy.contains("script-src 'self'") && !page.policy.contains("unsafe"), "{path}");
            assert!(!page.text.contains(" style=") && !page.text.contains("<script>"), "{path}");
            assert!(!page.text.contains(end.ap_key()), "{path}");
        }
        for path in [
            "/console/requests/call_0",
            "/console/payments/krn:x",
            "/console/webhooks/krn:x/y",
            "/console/accounts/krn:x",
            "/console/settlements/krn:x",
            "/console/disputes/krn:x",
        ] {
            assert_eq!(browser.get(path).await.status, 404, "{path}");
        }
        for asset in ["/assets/console.css", "/assets/console.js"] {
            assert_eq!(browser.get(asset).await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_do_what_they_say_and_say_what_is_wrong() {
    for end in ends().await {
        let browser = Browser::new(&end);
        browser.get("/console").await;
        let csrf = browser.csrf().await;
        let csrf = ("csrf", csrf.as_str());
        let request = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let id = request["payment_request_id"].as_str().unwrap();
        let path = format!("/console/payments/{id}/customer");
        let page = browser.post(&path, &[csrf, ("deed", "complete"), ("persona", "denied")]).await;
        assert_eq!(page.status, 303, "{}", page.text);
        assert!(browser.get(&format!("/console/payments/{id}")).await.text.contains("Declined"));
        let page = browser.post(&path, &[csrf, ("deed", "complete")]).await;
        assert_eq!(page.status, 403);
        assert!(page.text.contains("open no more"));

        let page =
            browser.post("/console/faults", &[csrf, ("effect", "latency"), ("operation", "createWebhook")]).await;
        assert_eq!(page.status, 422);
        assert!(
            page.text.contains("delay_ms") && page.text.contains("value=\"createWebhook\""),
            "what was typed is kept"
        );
        let fields = [csrf, ("effect", "latency"), ("delay_ms", "5"), ("share", ""), ("path", "/v2/*")];
        assert_eq!(browser.post("/console/faults", &fields).await.status, 303);
        assert!(browser.get("/console/faults").await.text.contains("A call takes longer"));
        let faults = end.ap(Method::GET, "/testing/faults", None).await.expect(200);
        let fault = faults["faults"][0]["fault_id"].as_str().unwrap();
        assert_eq!(browser.post("/console/faults/delete", &[csrf, ("fault_id", fault)]).await.status, 303);

        assert_eq!(browser.post("/console/snapshots", &[csrf, ("act", "take"), ("name", "a b")]).await.status, 400);
        assert_eq!(browser.post("/console/snapshots", &[csrf, ("act", "take"), ("name", "here")]).await.status, 303);
        assert_eq!(browser.post("/console/clock", &[csrf, ("advance", "P1D")]).await.status, 303);
        assert!(browser.get("/console/snapshots").await.text.contains("2026-03-03T10:00:00Z"));
        assert_eq!(browser.post("/console/clock", &[csrf, ("advance", "tomorrow")]).await.status, 400);
        assert_eq!(browser.post("/console/snapshots", &[csrf, ("act", "restore"), ("name", "here")]).await.status, 303);
        assert!(browser.get("/console/snapshots").await.text.contains("2026-03-02T10:00:00Z"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_klarna_the_bank_and_customers_do_is_done_from_the_pages() {
    for end in ends().await {
        let browser = Browser::new(&end);
        browser.get("/console").await;
        let csrf = browser.csrf().await;
        let csrf = ("csrf", csrf.as_str());
        let transaction = transaction(&end, "t-1").await;
        let id = transaction["payment_transaction_id"].as_str().unwrap();
        let capture = post(&end, &format!("/transactions/{id}/capture"), &json!({"capture_amount": 1000})).await;
        let capture = capture.expect(201)["payment_capture_id"].as_str().unwrap().to_owned();

        // What an integration does first.
        assert_eq!(browser.post("/console/first-payment", &[]).await.status, 403);
        let first = browser.post("/console/first-payment", &[csrf]).await;
        assert_eq!(first.status, 303, "{}", first.text);
        let first = browser.get(&first.location.unwrap()).await.text;
        assert!(first.contains("Submitted") && first.contains("49.90 EUR"), "{first}");

        // A customer objects, and Klarna decides.
        assert!(browser.get(&format!("/console/payments/{id}")).await.text.contains("Let the customer dispute it"));
        let fields =
            [csrf, ("account_id", end.partner()), ("payment_capture_id", &capture), ("reason", "INCORRECT_AMOUNT")];
        let opened = browser.post("/console/disputes", &fields).await;
        assert_eq!(opened.status, 303, "{}", opened.text);
        let dispute = opened.location.unwrap();
        assert!(browser.get(&dispute).await.text.contains("Klarna finds for the customer"));
        assert!(browser.get("/console/disputes").await.text.contains("Capture amount incorrect"));
        assert_eq!(browser.post(&dispute, &[("csrf", ""), ("deed", "lost")]).await.status, 403);
        let early = browser.post(&dispute, &[csrf, ("deed", "lost")]).await;
        assert_eq!(early.status, 409);
        assert!(early.text.contains("does not allow this operation"), "{}", early.text);
        for deed in ["escalate", "lost"] {
            assert_eq!(browser.post(&dispute, &[csrf, ("deed", deed)]).await.status, 303, "{deed}");
        }
        let closed = browser.get(&dispute).await.text;
        assert!(closed.contains("Closed") && closed.contains("Lost") && !closed.contains("Klarna finds"), "{closed}");

        // The day is closed and paid.
        assert_eq!(browser.post("/console/settlements", &[csrf]).await.status, 303);
        let list = browser.get("/console/settlements").await.text;
        let (_, rest) = list.split_once("href=\"/console/settlements/krn").expect("a settlement");
        let settlement = format!("/console/settlements/krn{}", rest.split('"').next().unwrap());
        let page = browser.get(&settlement).await;
        assert!(page.text.contains("Settlement amount") && page.text.contains("t-1"), "{}", page.text);
        for (file, beginning) in [("csv", "settlement_id;"), ("pdf", "%PDF-")] {
            assert!(browser.get(&format!("{settlement}/{file}")).await.text.starts_with(beginning), "{file}");
        }
        assert_eq!(browser.get(&format!("{settlement}/exe")).await.status, 404);

        // The Partner is judged.
        let account = format!("/console/accounts/{}", end.partner());
        let fields = [csrf, ("deed", "decision"), ("decision_type", "OTHER_RISK"), ("product_state", "")];
        assert_eq!(browser.post(&account, &fields).await.status, 303);
        let page = browser.get(&account).await.text;
        assert!(page.contains("Other risk") && page.contains("Disabled"), "{page}");
        post(&end, "/requests", &request_body(&end)).await.refused(403, "OPERATION_FORBIDDEN");
        let product = end.ap(Method::GET, &format!("/v2/accounts/{}/products/payment", end.partner()), None).await;
        let product = product.expect(200)[0]["product_id"].as_str().unwrap().to_owned();
        let enable = [csrf, ("deed", "product"), ("product_id", &product), ("state", "ENABLED")];
        assert_eq!(browser.post(&account, &enable).await.status, 303);
        post(&end, "/requests", &request_body(&end)).await.expect(201);
        let wrong = [csrf, ("deed", "product"), ("product_id", &product), ("state", "SOLD")];
        let page = browser.post(&account, &wrong).await;
        assert_eq!(page.status, 400);
        assert!(page.text.contains("TERMINATED, was"), "{}", page.text);
        assert_eq!(browser.post(&account, &[csrf, ("deed", "account"), ("state", "DISABLED")]).await.status, 303);
        assert!(browser.get(&account).await.text.contains("Lift the account"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_log_answers_with_what_came_since() {
    for end in ends().await {
        let browser = Browser::new(&end);
        browser.get("/console").await;
        end.signing_key().await;
        let page = browser.get("/console/requests/tail?after=").await;
        assert!(page.text.starts_with("<tr id=\"call_"), "{}", page.text);
        let calls = end.ap(Method::GET, "/testing/requests", None).await.expect(200);
        let last = calls["requests"][0]["call_id"].as_str().unwrap();
        let later = async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            end.signing_key().await;
        };
        let path = format!("/console/requests/tail?after={last}");
        let (page, ()) = tokio::join!(browser.get(&path), later);
        assert_eq!(page.text.matches("<tr ").count(), 1);
    }
}
