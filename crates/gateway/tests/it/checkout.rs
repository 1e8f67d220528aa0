//! Hosted checkout: sessions, and what becomes of them.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use kit::clock::{HOUR_US, MINUTE_US};
use serde_json::{Value, json};

use crate::harness::{Act, Scene, named, order, scenes, stage_on};
use crate::stage::{Answer, eventually};

/// An order for the hosted page.
pub fn cart() -> Value {
    let mut cart = order(4990);
    cart["cancel_url"] = json!("https://shop.example/cart");
    cart["other_method"] = json!({"url": "https://shop.example/card?order=88", "label": "Card"});
    cart
}

/// A session on its page.
pub struct Opened {
    pub id: String,
    /// `/checkout/<key>`.
    pub path: String,
}

impl Scene {
    pub async fn open(&self, body: Value) -> Opened {
        let made = self.post("/v1/checkout-sessions", body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let url = made.body["url"].as_str().unwrap();
        let path = url.strip_prefix("https://gateway.example").unwrap().to_owned();
        Opened { id: made.body["id"].as_str().unwrap().to_owned(), path }
    }

    pub async fn session(&self, opened: &Opened) -> Value {
        let path = format!("/v1/checkout-sessions/{}", opened.id);
        let answer = self.stage.call(&self.ada, "GET", &path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// Sends the page's form.
    pub async fn press(&self, opened: &Opened, method: &str) -> Answer {
        let request =
            Request::post(format!("{}/pay", opened.path)).header("content-type", "application/x-www-form-urlencoded");
        self.stage
            .send(request.body(Body::from(format!("method={method}&klarna_network_session_token="))).unwrap())
            .await
    }

    /// The customer comes back from Klarna, having done this.
    pub async fn comes_back(&self, state: &str) -> Answer {
        self.klarna.customer(state);
        let call = self.klarna.calls("authorize").pop().unwrap();
        let url = call.body["step_up_config"]["customer_interaction_config"]["return_url"].as_str().unwrap().to_owned();
        let path =
            url.strip_prefix("https://gateway.example").unwrap().replace("{klarna.payment_request.state}", state);
        self.get(&path).await
    }
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_customer_pays_and_the_partner_is_told() {
    for scene in scenes().await {
        let _working = scene.stage.work();
        let opened = scene.open(cart()).await;
        let session = scene.session(&opened).await;
        assert_eq!((&session["state"], &session["attempts"]), (&json!("OPEN"), &json!(0)));
        assert_eq!(session["url"], format!("https://gateway.example{}", opened.path));

        let pressed = scene.press(&opened, "klarna/S0xBUk5B").await;
        assert!(location(&pressed).starts_with("https://pay.example/"));
        let asked = &scene.klarna.calls("authorize")[0].body;
        assert_eq!(asked["request_payment_transaction"]["payment_option_id"], "S0xBUk5B");
        assert_eq!(asked["supplementary_purchase_data"]["line_items"][0]["name"], "Mug");
        let expiry = &asked["step_up_config"]["customer_interaction_config"]["interaction_expiry"];
        assert_eq!(expiry["timestamp"], "2026-03-03T10:00:00Z", "as long as the page is open");

        let back = scene.comes_back("COMPLETED").await;
        let payment_id = scene.session(&opened).await["payment_id"].as_str().unwrap().to_owned();
        let expected = format!(
            "https://shop.example/back?order=88&checkout_session_id={}&state=COMPLETED&payment_id={payment_id}",
            opened.id
        );
        assert_eq!(location(&back), expected);
        let session = scene.session(&opened).await;
        assert_eq!((&session["state"], &session["method"]), (&json!("COMPLETED"), &json!("KLARNA")));
        assert_eq!(scene.read(&payment_id).await["checkout_session_id"], opened.id);
        let events = scene.events().await;
        assert_eq!(events.iter().filter(|name| *name == "checkout_session.completed").count(), 1);

        // Nothing is left to be done, by whatever button, link or tab.
        let page = scene.get(&opened.path).await;
        assert!(
            page.text.contains("data-end=\"paid\"") && page.text.contains(&expected.replace('&', "&amp;")),
            "{}",
            page.text
        );
        assert_eq!(location(&scene.press(&opened, "klarna").await), format!("{}/done", opened.path));
        assert_eq!(location(&scene.press(&opened, "other").await), format!("{}/done", opened.path));
        assert_eq!(location(&scene.get(&format!("{}/done", opened.path)).await), expected);
        assert_eq!(scene.klarna.calls("authorize").len(), 1);
    }
}

#[tokio::test]
async fn tabs_and_double_clicks_make_one_payment() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        scene.klarna.next("authorize", [Act::Late(60)]);
        let presses = futures_util::future::join_all((0..6).map(|_| scene.press(&opened, "klarna"))).await;
        let first = location(&presses[0]).to_owned();
        assert!(first.starts_with("https://pay.example/"));
        assert!(presses.iter().all(|press| location(press) == first), "all are led to the same journey");
        assert_eq!(scene.klarna.calls("authorize").len(), 1);
        assert_eq!(scene.session(&opened).await["attempts"], 1);
        let listed = scene.stage.call(&scene.ada, "GET", "/v1/payments", None).await;
        assert_eq!(listed.body["payments"].as_array().unwrap().len(), 1);
        // The script of a page is answered alike.
        let request = Request::post(format!("{}/pay", opened.path)).header("content-type", "application/json");
        let script = scene.stage.send(request.body(Body::from(r#"{"method":"klarna"}"#)).unwrap()).await;
        assert_eq!((script.status.as_u16(), &script.body["payment_request_url"]), (200, &json!(first)));
    }
}

#[tokio::test]
async fn a_declined_payment_leaves_a_way_on() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        scene.press(&opened, "klarna").await;
        let back = scene.comes_back("DECLINED").await;
        assert_eq!(location(&back), format!("https://gateway.example{}", opened.path));
        let page = scene.get(&opened.path).await;
        assert!(page.text.contains("data-notice=\"declined\"") && page.text.contains("method-other"), "{}", page.text);
        let first = scene.session(&opened).await["payment_id"].clone();

        scene.press(&opened, "klarna").await;
        let session = scene.session(&opened).await;
        assert_eq!((&session["state"], &session["attempts"]), (&json!("OPEN"), &json!(2)));
        assert_ne!(session["payment_id"], first);
        assert_eq!(scene.read(first.as_str().unwrap()).await["state"], "DECLINED");
        scene.comes_back("COMPLETED").await;
        assert_eq!(scene.session(&opened).await["state"], "COMPLETED");
    }
}

#[tokio::test]
async fn the_other_method_takes_a_waiting_payment_back_first() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        scene.press(&opened, "klarna").await;
        let payment = scene.session(&opened).await["payment_id"].as_str().unwrap().to_owned();
        let left = scene.press(&opened, "other").await;
        assert_eq!(location(&left), format!("https://shop.example/card?order=88&checkout_session_id={}", opened.id));
        assert_eq!(scene.read(&payment).await["state"], "CANCELED");
        let session = scene.session(&opened).await;
        assert_eq!(session["state"], "OPEN", "only the Partner knows whether it is paid there");
        assert!(session["other_method_chosen_at"].is_string());
        assert!(scene.events().await.contains(&"checkout_session.other_method_chosen".to_owned()));
        assert!(scene.get(&opened.path).await.text.contains("data-end=\"elsewhere\""));

        let path = format!("/v1/checkout-sessions/{}/complete", opened.id);
        let completed = scene.post(&path, json!({})).await;
        assert_eq!(
            (completed.status.as_u16(), &completed.body["method"]),
            (200, &json!("OTHER")),
            "{}",
            completed.text
        );
        assert_eq!(scene.post(&path, json!({})).await.status, 200, "said twice");
        assert_eq!(scene.post(&path.replace("complete", "cancel"), json!({})).await.status, 403);
        assert!(scene.get(&opened.path).await.text.contains("data-end=\"paid\""));
    }
}

#[tokio::test]
async fn who_pays_in_another_way_pays_nothing_with_klarna_until_the_choice_is_taken_back() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        let mark = async || scene.get(&format!("{}/state", opened.path)).await.body["mark"].clone();
        let before = mark().await;
        scene.press(&opened, "other").await;
        assert_ne!(mark().await, before, "another tab's page is shown anew");
        // Another tab's button, pressed before that tab noticed.
        let pressed = futures_util::future::join_all((0..3).map(|_| scene.press(&opened, "klarna"))).await;
        assert!(pressed.iter().all(|answer| location(answer) == format!("{}/done", opened.path)));
        assert!(scene.klarna.calls("authorize").is_empty());
        let session = scene.session(&opened).await;
        assert_eq!((&session["state"], &session["attempts"]), (&json!("OPEN"), &json!(0)));
        let page = scene.get(&opened.path).await.text;
        assert!(page.contains("data-end=\"elsewhere\"") && !page.contains("method-klarna"), "{page}");
        assert!(page.contains("https://shop.example/card?order=88&amp;checkout_session_id="), "{page}");

        for _ in 0..2 {
            assert_eq!(location(&scene.press(&opened, "again").await), format!("{}/done", opened.path));
        }
        let session = scene.session(&opened).await;
        assert!(session["other_method_chosen_at"].is_null(), "{session}");
        let events = scene.events().await;
        let withdrawn = events.iter().filter(|name| *name == "checkout_session.other_method_withdrawn").count();
        assert_eq!(withdrawn, 1, "{events:?}");
        assert_eq!(mark().await, before);
        assert!(location(&scene.press(&opened, "klarna").await).starts_with("https://pay.example/"));
        let page = scene.get(&opened.path).await.text;
        let chosen = page.split("data-testid=\"method-klarna\"").nth(1).unwrap().trim_start().starts_with("checked");
        assert!(chosen, "who was at Klarna goes on there: {page}");
    }
}

#[tokio::test]
async fn whoever_was_faster_at_klarna_has_paid() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        scene.press(&opened, "klarna").await;
        // The customer approves; before anybody hears of it, the Partner takes the order back.
        scene.klarna.customer("COMPLETED");
        scene.klarna.next("cancel_request", [Act::Answer(403, crate::harness::error("OPERATION_FORBIDDEN", "state"))]);
        let canceled = scene.post(&format!("/v1/checkout-sessions/{}/cancel", opened.id), json!({})).await;
        assert_eq!((canceled.status.as_u16(), &canceled.body["error_code"]), (403, &json!("OPERATION_FORBIDDEN")));
        let session = scene.session(&opened).await;
        assert_eq!((&session["state"], &session["method"]), (&json!("COMPLETED"), &json!("KLARNA")));
    }
}

#[tokio::test]
async fn a_session_that_nobody_pays_expires_and_takes_its_payment_along() {
    for scene in scenes().await {
        let _working = scene.stage.work();
        let mut cart = cart();
        cart["expiry"] = json!({"duration": "PT1H"});
        let opened = scene.open(cart).await;
        scene.press(&opened, "klarna").await;
        let payment = scene.session(&opened).await["payment_id"].as_str().unwrap().to_owned();
        scene.stage.clock.advance(HOUR_US - MINUTE_US);
        assert!(scene.get(&opened.path).await.text.contains("data-notice=\"left\""));
        scene.stage.clock.advance(2 * MINUTE_US);
        let page = scene.get(&opened.path).await;
        assert!(page.text.contains("data-end=\"expired\""), "{}", page.text);
        scene.stage.ctx.poke.poke();
        eventually("the session expires", || async {
            Some(scene.session(&opened).await).filter(|session| session["state"] == "EXPIRED")
        })
        .await;
        assert_eq!(scene.read(&payment).await["state"], "CANCELED");
        assert_eq!(location(&scene.press(&opened, "klarna").await), format!("{}/done", opened.path));
        assert_eq!(scene.klarna.calls("authorize").len(), 1);
        let events = scene.events().await;
        assert_eq!(events.iter().filter(|name| *name == "checkout_session.expired").count(), 1, "{events:?}");
        let again = scene.post(&format!("/v1/checkout-sessions/{}/cancel", opened.id), json!({})).await;
        assert_eq!(again.status, 403);
    }
}

#[tokio::test]
async fn a_token_pays_at_once_and_an_order_that_is_paid_says_so() {
    for scene in scenes().await {
        let mut with_token = cart();
        with_token["klarna_network_session_token"] = json!("gr.an.t");
        let opened = scene.open(with_token.clone()).await;
        let pressed = scene.press(&opened, "klarna").await;
        assert_eq!(location(&pressed), format!("{}/done", opened.path), "approved already: nobody is sent to Klarna");
        assert_eq!(scene.klarna.calls("authorize")[0].header("klarna-network-session-token"), "gr.an.t");
        let paid = scene.session(&opened).await;
        assert_eq!(paid["state"], "COMPLETED");

        // A session with a token that was paid with (IOP-2a), and one whose Partner says so.
        let again = scene.open(with_token).await;
        let session = scene.session(&again).await;
        assert_eq!((&session["state"], &session["payment_id"]), (&json!("COMPLETED"), &paid["payment_id"]));
        let mut stated = cart();
        stated["order_status"] = json!("COMPLETED");
        let stated = scene.open(stated).await;
        for opened in [&again, &stated] {
            assert!(scene.get(&opened.path).await.text.contains("data-end=\"paid\""));
            scene.press(opened, "klarna").await;
        }
        assert_eq!(scene.session(&stated).await["method"], "OTHER");
        assert_eq!(scene.klarna.calls("authorize").len(), 1);
    }
}

#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_found_by_the_next_process() {
    for scene in scenes().await {
        let mut with_token = cart();
        with_token["klarna_network_session_token"] = json!("gr.an.t");
        let opened = scene.open(with_token).await;
        scene.klarna.next("authorize", [Act::DoAndHang, Act::DoAndHang, Act::DoAndHang]);
        let pressed = tokio::time::timeout(Duration::from_millis(900), scene.press(&opened, "klarna")).await;
        assert!(pressed.is_err(), "the customer gives up waiting");
        let page = scene.get(&opened.path).await;
        assert!(page.text.contains("data-end=\"underway\"") && page.text.contains("http-equiv=\"refresh\""));
        let next = stage_on(&scene.test, &scene.klarna);
        next.clock.advance(MINUTE_US);
        let _working = next.work();
        eventually("the session is completed", || async {
            Some(scene.session(&opened).await).filter(|session| session["state"] == "COMPLETED")
        })
        .await;
        assert_eq!(scene.klarna.transactions().len(), 1);
    }
}

#[tokio::test]
async fn another_partners_session_looks_absent_and_wrong_addresses_lead_nowhere() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        let eve = scene.stage.partner("EVE00001").await;
        for (method, tail) in [("GET", ""), ("POST", "/cancel"), ("POST", "/complete")] {
            let foreign =
                scene.stage.call(&eve, method, &format!("/v1/checkout-sessions/{}{tail}", opened.id), None).await;
            let missing = scene.stage.call(&eve, method, &format!("/v1/checkout-sessions/cs_0{tail}"), None).await;
            assert_eq!((foreign.status.as_u16(), missing.status.as_u16()), (404, 404), "{method} {tail}");
            assert_eq!(foreign.body["error_message"], missing.body["error_message"]);
        }
        let listed = scene.stage.call(&eve, "GET", "/v1/checkout-sessions", None).await;
        assert_eq!(listed.body["checkout_sessions"], json!([]));
        assert_eq!(scene.session(&opened).await["state"], "OPEN");
        for path in [format!("/checkout/{}", opened.id), "/checkout/nonesuch".into(), format!("{}x", opened.path)] {
            for tail in ["", "/done"] {
                assert_eq!(scene.get(&format!("{path}{tail}")).await.status, 404, "{path}{tail}");
            }
            assert_eq!(scene.get(&format!("{path}/state")).await.status, 404);
            let wrong = Opened { id: String::new(), path };
            assert_eq!(scene.press(&wrong, "klarna").await.status, 404);
        }
        assert!(scene.klarna.calls("authorize").is_empty());
    }
}

#[tokio::test]
async fn bodies_are_refused_with_every_fault_and_repeated_calls_answered_again() {
    let scene = scenes().await.remove(0);
    let refused = scene
        .post("/v1/checkout-sessions", json!({"amount": 0, "currency": "EUR", "other_method": {"label": "x"}}))
        .await;
    let mut names = named(&refused);
    names.sort_unstable();
    assert_eq!((refused.status.as_u16(), names), (400, vec!["amount", "other_method.url", "return_url"]));
    let late =
        json!({"amount": 1, "currency": "EUR", "return_url": "https://shop.example/", "expiry": {"duration": "P8D"}});
    assert_eq!(named(&scene.post("/v1/checkout-sessions", late).await), ["expiry.duration"]);

    let call = |body: Value| scene.stage.call_with_key(&scene.ada, "POST", "/v1/checkout-sessions", Some(body), "k-1");
    let first = call(cart()).await;
    let again = call(cart()).await;
    assert_eq!((first.status.as_u16(), &first.body), (201, &again.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let mut other = cart();
    other["reference"] = json!("89");
    assert_eq!(call(other).await.status, 422);
    let listed = scene.stage.call(&scene.ada, "GET", "/v1/checkout-sessions?reference=88&state=OPEN", None).await;
    assert_eq!(listed.body["checkout_sessions"].as_array().unwrap().len(), 1);
    assert!(listed.body["checkout_sessions"][0]["url"].is_null());
    let faulty =
        scene.stage.call(&scene.ada, "GET", "/v1/checkout-sessions?state=PAID&starting_after=pay_1", None).await;
    assert_eq!(named(&faulty), ["starting_after", "state"]);
}

#[tokio::test]
async fn a_suspended_partner_opens_no_session_and_its_open_ones_take_no_payment() {
    for scene in scenes().await {
        let opened = scene.open(cart()).await;
        let (db, state) = (scene.stage.db(), gateway::access::PartnerState::Suspended);
        gateway::access::set_partner_state(db, &scene.ada.id, state).await.unwrap();
        assert_eq!(scene.post("/v1/checkout-sessions", cart()).await.status, 403);
        let page = scene.get(&opened.path).await;
        assert!(!page.text.contains("method-klarna") && page.text.contains("method-other"));
        let pressed = scene.press(&opened, "klarna").await;
        assert_eq!(pressed.status, 422);
        assert!(pressed.text.contains("data-testid=\"failed\""), "{}", pressed.text);
        assert!(scene.klarna.calls("authorize").is_empty());
    }
}
