//! The purchase journey as a browser without script walks it.

use http::Method;
use kit::clock::{HOUR_US, SECOND_US};
use serde_json::{Value, json};

use crate::browser::{Browser, attribute, tags};
use crate::harness::{End, ends};

const RETURN_URL: &str = "https://shop.example/back?state={klarna.payment_request.state}\
    &token={klarna.payment_request.klarna_network_session_token}";

pub fn body() -> Value {
    json!({
        "currency": "EUR", "amount": 10_000, "payment_request_reference": "PR-1",
        "supplementary_purchase_data": {
            "purchase_reference": "88",
            "line_items": [{"name": "Lamp <b>", "quantity": 2, "unit_price": 5_000, "total_amount": 10_000}],
        },
        "customer_interaction_config": {"method": "HANDOVER", "return_url": RETURN_URL},
    })
}

/// A request of the Partner: its id and where its customer goes.
pub async fn request(end: &End, body: &Value) -> (String, String) {
    let path = format!("/v2/accounts/{}/payment/requests", end.partner());
    let mut body = body.clone();
    body["acquiring_config"] = json!({"payment_account_id": end.credentials.partner.payment_account_id});
    let created = end.ap(Method::POST, &path, Some(&body)).await.expect(201);
    let url = created["state_context"]["customer_interaction"]["payment_request_url"].as_str().unwrap();
    (created["payment_request_id"].as_str().unwrap().to_owned(), url.strip_prefix(&end.base).unwrap().to_owned())
}

pub async fn read(end: &End, id: &str) -> Value {
    let path = format!("/v2/accounts/{}/payment/requests/{id}", end.partner());
    end.ap(Method::GET, &path, None).await.expect(200)
}

async fn state(end: &End, id: &str) -> String {
    read(end, id).await["state"].as_str().unwrap().to_owned()
}

/// The types of the events that the Acquiring Partner was told about a request, oldest first, without their common beginning.
async fn events(end: &End, id: &str) -> Vec<String> {
    let page = end.ap(Method::GET, "/testing/events?size=100", None).await.expect(200);
    let events = page["events"].as_array().unwrap().iter();
    events
        .filter(|event| event["payload"]["payment_request_id"] == id)
        .map(|event| event["event_type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_shopper_approves_and_returns_with_a_grant() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let page = browser.get(&start).await;
        page.is_at("contact");
        page.is_sound();
        assert_eq!(attribute(page.tag("amount"), "data-minor").as_deref(), Some("10000"));
        assert!(page.html.contains("Lamp &lt;b&gt;"), "texts of others are escaped");
        assert!(!page.html.contains("token="), "the address's token is nowhere in the page");
        assert_eq!(state(&end, &id).await, "IN_PROGRESS");

        let page = browser.send(&page, "contact-form", &[("contact", "0151 2345678")]).await;
        page.is_at("code");
        page.is_sound();
        assert!(page.html.contains("+49•••678"), "{}", page.html);
        let page = browser.send(&page, "code-form", &[("code", "123 456")]).await;
        page.is_at("details");
        page.is_sound();
        let page = browser.open_account(&page).await;
        page.is_at("plan");
        page.is_sound();
        let page = browser.send(&page, "plan-form", &[("plan", "pay_in_3")]).await;
        page.is_at("review");
        page.is_sound();
        let parts =
            tags(&page.html).filter(|tag| tag.starts_with("li ")).filter_map(|tag| attribute(tag, "data-minor"));
        assert_eq!(parts.collect::<Vec<_>>(), ["3334", "3333", "3333"]);
        let away = browser.send(&page, "confirm-form", &[]).await.went_away("COMPLETED");
        assert!(away.contains("token=krn%3A"), "{away}");

        let done = read(&end, &id).await;
        assert_eq!(done["state"], "COMPLETED");
        let token: String = url::form_urlencoded::byte_serialize(
            done["state_context"]["klarna_network_session_token"].as_str().unwrap().as_bytes(),
        )
        .collect();
        assert!(away.ends_with(&token), "the grant of the way back is the request's");
    }
}

#[tokio::test]
async fn a_form_sent_twice_or_late_happens_once_and_ends_where_the_first_did() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_now").await;
        let cookies = browser.cookies.clone();
        let mut other = Browser { cookies, ..Browser::new(&end) };
        let (first, second) =
            tokio::join!(browser.send(&review, "confirm-form", &[]), other.send(&review, "confirm-form", &[]));
        assert_eq!(first.went_away("COMPLETED"), second.went_away("COMPLETED"));
        assert_eq!(browser.send(&review, "confirm-form", &[]).await.away, first.away);
        // Too late to leave or refuse.
        browser.send(&review, "leave-form", &[]).await.went_away("COMPLETED");
        let late = browser.send(&review, "refuse-form", &[]).await;
        assert_eq!(late.end().as_deref(), Some("approved"));
        assert_eq!(state(&end, &id).await, "COMPLETED");
        // The back button shows what is, and the way on.
        let back = browser.get(&review.path).await;
        assert_eq!((back.status, back.end().as_deref()), (200, Some("approved")));
        back.is_sound();
        assert!(attribute(back.tag("return"), "href").unwrap().contains("state=COMPLETED"));
        // Another browser with the link gets no grant.
        let stranger = Browser::new(&end).get(&start).await;
        assert_eq!(stranger.end().as_deref(), Some("approved"));
        assert!(!stranger.html.contains("shop.example"), "{}", stranger.html);
    }
}

#[tokio::test]
async fn a_denied_persona_is_told_kindly_and_can_go_back() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer+denied@email.de", "pay_later").await;
        let page = browser.send(&review, "confirm-form", &[]).await;
        assert_eq!((page.status, page.end().as_deref()), (200, Some("declined")));
        page.is_at("end");
        page.is_sound();
        assert!(attribute(page.tag("return"), "href").unwrap().starts_with("https://shop.example/back?state=DECLINED"));
        assert_eq!(state(&end, &id).await, "DECLINED");
        assert_eq!(browser.send(&review, "confirm-form", &[]).await.end().as_deref(), Some("declined"));
    }
}

#[tokio::test]
async fn a_shopper_refuses_for_good() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_now").await;
        browser.send(&review, "refuse-form", &[]).await.went_away("DECLINED");
        browser.send(&review, "refuse-form", &[]).await.went_away("DECLINED");
        assert_eq!(state(&end, &id).await, "DECLINED");
    }
}

#[tokio::test]
async fn a_shopper_leaves_comes_back_and_goes_on_where_they_were() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_later").await;
        browser.send(&review, "leave-form", &[]).await.went_away("SUBMITTED");
        let left = read(&end, &id).await;
        assert_eq!((&left["state"], &left["state_reason"]), (&json!("SUBMITTED"), &json!("PURCHASE_FLOW_ABORTED")));
        // Leaving twice is leaving once; looking at the end does not open it again.
        browser.send(&review, "leave-form", &[]).await.went_away("SUBMITTED");
        let page = browser.get(&review.path.replace("/review", "/end")).await;
        assert_eq!(page.end().as_deref(), Some("left"));
        page.is_sound();
        assert_eq!(state(&end, &id).await, "SUBMITTED");

        let page = browser.get(&start).await;
        page.is_at("review");
        assert_eq!(state(&end, &id).await, "IN_PROGRESS");
        browser.send(&page, "confirm-form", &[]).await.went_away("COMPLETED");
        let told = events(&end, &id).await;
        assert_eq!(told, ["submitted", "in-progress", "submitted", "in-progress", "completed"]);
    }
}

#[tokio::test]
async fn a_changed_order_is_seen_before_it_is_confirmed() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_now").await;
        browser.send(&review, "leave-form", &[]).await;
        let path = format!("/v2/accounts/{}/payment/requests/{id}", end.partner());
        let change = json!({"amount": 12_000, "supplementary_purchase_data": {"line_items": [
            {"name": "Lamp", "quantity": 1, "unit_price": 12_000, "total_amount": 12_000}]}});
        end.ap(Method::PATCH, &path, Some(&change)).await.expect(200);
        let page = browser.send(&review, "confirm-form", &[]).await;
        assert_eq!(page.status, 422, "{}", page.html);
        page.is_sound();
        assert_eq!(attribute(page.tag("amount"), "data-minor").as_deref(), Some("12000"));
        assert_eq!(state(&end, &id).await, "IN_PROGRESS");
        let page = browser.send(&page, "plan-form", &[("plan", "pay_now")]).await;
        browser.send(&page, "confirm-form", &[]).await.went_away("COMPLETED");
    }
}

#[tokio::test]
async fn what_is_typed_wrong_is_kept_and_explained() {
    for end in ends().await {
        let (_, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let contact = browser.get(&start).await;
        for typed in ["", "12", "nobody@", "<script>alert(1)</script>"] {
            let page = browser.send(&contact, "contact-form", &[("contact", typed)]).await;
            assert_eq!((page.status, page.value("contact").as_str()), (422, typed));
            assert!(page.html.contains("id=\"error-summary\"") && page.html.contains("id=\"contact-error\""));
            page.is_sound();
        }
        let code = browser.send(&contact, "contact-form", &[("contact", "customer@email.de")]).await;
        let page = browser.send(&code, "code-form", &[("code", "12345")]).await;
        assert_eq!((page.status, page.value("code").as_str()), (422, "12345"));
        page.is_sound();
        for _ in 0..4 {
            let page = browser.send(&code, "code-form", &[("code", "999999")]).await;
            assert_eq!(page.status, 422);
            assert!(page.html.contains("id=\"code-error\""), "{}", page.html);
        }
        let page = browser.send(&code, "code-form", &[("code", "999999")]).await;
        assert_eq!((page.status, page.value("contact").as_str()), (422, "customer@email.de"));
        assert!(page.html.contains("data-testid=\"notice\""), "{}", page.html);
        page.is_sound();
        // The old code is gone: the way leads over a new one.
        browser.send(&code, "code-form", &[("code", "123456")]).await.is_at("contact");
        let code = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
        let plan = browser.send(&code, "code-form", &[("code", "123456")]).await;
        for wrong in ["", "pay_never", "pay_in_4"] {
            let page = browser.send(&plan, "plan-form", &[("plan", wrong)]).await;
            assert_eq!(page.status, 422, "{wrong}");
            page.is_sound();
        }
    }
}

#[tokio::test]
async fn steps_cannot_be_skipped_and_can_be_gone_back_to() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let contact = browser.get(&start).await;
        for ahead in ["code", "plan", "review", "waiting"] {
            browser.get(&contact.path.replace("/contact", &format!("/{ahead}"))).await.is_at("contact");
        }
        let (action, form) =
            contact.form("contact-form", &[("seal", "100.00 EUR"), ("plan", "pay_now"), ("code", "123456")]);
        for (ahead, lands) in [("confirm", "contact"), ("plan", "contact"), ("code", "contact")] {
            let action = action.replace("/contact", &format!("/{ahead}"));
            browser.go(Method::POST, &action, Some(form.clone())).await.is_at(lands);
        }
        assert_eq!(state(&end, &id).await, "IN_PROGRESS");
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_now").await;
        let back = browser.get(&contact.path).await;
        assert_eq!(back.value("contact"), "customer@email.de", "going back finds what was typed");
        // A second tab names somebody else: the first tab's review does not count for them.
        browser.send(&back, "contact-form", &[("contact", "customer+denied@email.de")]).await.is_at("code");
        browser.send(&review, "confirm-form", &[]).await.is_at("code");
        assert_eq!(state(&end, &id).await, "IN_PROGRESS");
    }
}

#[tokio::test]
async fn two_tabs_share_a_visit_and_two_browsers_do_not() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let first_tab = browser.get(&start).await;
        let second_tab = browser.get(&start).await;
        assert_eq!(first_tab.html, second_tab.html);
        let code = browser.send(&second_tab, "contact-form", &[("contact", "customer@email.de")]).await;
        browser.send(&code, "code-form", &[("code", "123456")]).await.is_at("plan");
        browser.get(&start).await.is_at("plan");
        // The first tab, far behind, starts over without harm.
        browser.send(&first_tab, "contact-form", &[("contact", "customer@email.de")]).await.is_at("code");

        let mut phone = Browser::new(&end);
        phone.get(&start).await.is_at("contact");
        let stolen = phone.send(&code, "code-form", &[("code", "123456")]).await;
        assert_eq!((stolen.status, stolen.end().as_deref()), (403, Some("stale")), "forms belong to their browser");
        let review = phone.walk_to_review(&start, "customer@email.de", "pay_now").await;
        phone.send(&review, "confirm-form", &[]).await.went_away("COMPLETED");
        assert_eq!(browser.get(&code.path).await.end().as_deref(), Some("approved"));
        assert_eq!(state(&end, &id).await, "COMPLETED");
    }
}

#[tokio::test]
async fn forged_addresses_cookies_and_forms_lead_nowhere() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let (_, other) = request(&end, &body()).await;
        let (path, token) = start.split_once("?token=").unwrap();
        let foreign = other.split_once("?token=").unwrap().1;
        let unknown = path.replace("/eu/requests/", "/eu/requests/0");
        for forged in [
            path.to_owned(),
            format!("{path}?token="),
            format!("{path}?token={}", &token[1..]),
            format!("{path}?token={foreign}"),
            format!("{}?token={token}", path.replace("/eu/", "/na/")),
            format!("{unknown}?token={token}"),
        ] {
            let page = Browser::new(&end).get(&forged).await;
            assert_eq!((page.status, page.end().as_deref()), (404, Some("unknown")), "{forged}");
            page.is_sound();
        }
        assert_eq!(state(&end, &id).await, "SUBMITTED");
        // A look at the link alone opens nothing.
        Browser::new(&end).go(Method::HEAD, &start, None).await;
        assert_eq!(state(&end, &id).await, "SUBMITTED");

        let mut browser = Browser::new(&end);
        let page = browser.get(&start).await;
        let (action, form) = page.form("contact-form", &[("contact", "customer@email.de")]);
        let forged = form.replacen("csrf=", "csrf=0", 1);
        for form in [forged, "contact=customer%40email.de".to_owned(), "%%%".to_owned(), String::new()] {
            let page = browser.go(Method::POST, &action, Some(form)).await;
            assert_eq!((page.status, page.end().as_deref()), (403, Some("stale")));
            page.is_sound();
        }
        let scope = browser.cookies[0].0.clone();
        for cookie in ["", "kontor_journey=", "kontor_journey=x.y", &format!("kontor_journey={token}.y")] {
            let mut thief = Browser { cookies: vec![(scope.clone(), cookie.to_owned())], ..Browser::new(&end) };
            let page = thief.go(Method::POST, &action, Some(form.clone())).await;
            assert_eq!(page.status, 403, "{cookie}");
            assert!(matches!(page.end().as_deref(), Some("stale" | "session")));
            let page = thief.get(&page.path.replace("start", "contact")).await;
            assert!(matches!(page.status, 403 | 404), "{cookie}: {}", page.status);
        }
        browser.get(&action).await.is_at("contact");
    }
}

#[tokio::test]
async fn a_link_that_expired_or_was_canceled_says_so() {
    for end in ends().await {
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_now").await;
        end.ctx.clock.advance(3 * HOUR_US);
        let page = browser.send(&review, "confirm-form", &[]).await;
        assert_eq!((page.status, page.end().as_deref()), (200, Some("expired")));
        page.is_sound();
        assert_eq!(state(&end, &id).await, "EXPIRED");
        let page = Browser::new(&end).get(&start).await;
        assert_eq!((page.status, page.end().as_deref()), (200, Some("expired")));
        assert!(attribute(page.tag("return"), "href").unwrap().contains("state=EXPIRED"));
        end.ctx.clock.advance(24 * HOUR_US);
        assert_eq!(Browser::new(&end).get(&start).await.status, 404);

        let (id, start) = request(&end, &body()).await;
        let path = format!("/v2/accounts/{}/payment/requests/{id}", end.partner());
        end.ap(Method::DELETE, &path, None).await.expect(200);
        let page = browser.get(&start).await;
        assert_eq!((page.status, page.end().as_deref()), (200, Some("canceled")));
        page.is_sound();
    }
}

#[tokio::test]
async fn a_verdict_that_takes_time_is_waited_for() {
    for end in ends().await {
        for (contact, state) in
            [("customer+pend-accept-05@email.us", "COMPLETED"), ("customer+pend-reject-05@email.us", "DECLINED")]
        {
            let (id, start) = request(&end, &body()).await;
            let mut browser = Browser::new(&end);
            let review = browser.walk_to_review(&start, contact, "pay_now").await;
            let waiting = browser.send(&review, "confirm-form", &[]).await;
            waiting.is_at("waiting");
            waiting.is_sound();
            assert!(waiting.html.contains("http-equiv=\"refresh\""));
            browser.get(&waiting.path).await.is_at("waiting");
            browser.get(&review.path).await.is_at("waiting");
            browser.send(&review, "confirm-form", &[]).await.is_at("waiting");
            end.ctx.clock.advance(5 * SECOND_US);
            let page = browser.get(&waiting.path).await;
            if state == "COMPLETED" {
                page.went_away("COMPLETED");
            } else {
                assert_eq!(page.end().as_deref(), Some("declined"));
            }
            assert_eq!(read(&end, &id).await["state"], state);
        }
        // Who leaves while waiting has not bought anything.
        let (id, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer+pend-accept-05@email.us", "pay_now").await;
        let waiting = browser.send(&review, "confirm-form", &[]).await;
        browser.send(&waiting, "leave-form", &[]).await.went_away("SUBMITTED");
        end.ctx.clock.advance(5 * SECOND_US);
        assert_eq!(state(&end, &id).await, "SUBMITTED");
    }
}

#[tokio::test]
async fn without_a_way_back_the_window_can_be_closed() {
    for end in ends().await {
        let mut asked = body();
        asked["customer_interaction_config"] = json!({"method": "QR_CODE"});
        let (id, start) = request(&end, &asked).await;
        let image = start.replace("/start?", "/qr.svg?");
        let picture = end.send(Method::GET, &image, &[], None).await;
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));
        assert!(picture.text.starts_with("<svg"), "{}", picture.text);
        assert_eq!(end.send(Method::GET, &image[..image.len() - 1], &[], None).await.status, 404);
        assert_eq!(state(&end, &id).await, "SUBMITTED");

        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "+4915123456789", "pay_now").await;
        let left = browser.send(&review, "leave-form", &[]).await;
        assert_eq!(left.end().as_deref(), Some("left"));
        let resumed = browser.get(&attribute(left.tag("resume"), "href").unwrap()).await;
        resumed.is_at("contact");
        let page = browser.send(&review, "confirm-form", &[]).await;
        assert_eq!((page.status, page.end().as_deref()), (200, Some("approved")));
        page.is_at("end");
        page.is_sound();
        assert_eq!(state(&end, &id).await, "COMPLETED");
    }
}

#[tokio::test]
async fn a_token_alone_needs_no_plan_and_pages_speak_the_browsers_language() {
    for end in ends().await {
        let asked = json!({
            "currency": "EUR",
            "request_customer_token": {"scopes": ["payment:customer_not_present"], "customer_token_reference": "sub-1"},
            "collect_customer_profile": ["profile:name", "profile:email"],
            "customer_interaction_config": {"method": "HANDOVER", "return_url": RETURN_URL},
        });
        let (id, start) = request(&end, &asked).await;
        let mut browser = Browser { language: "de-CH, en;q=0.5", ..Browser::new(&end) };
        let page = browser.get(&start).await;
        assert!(page.html.contains("<html lang=\"de\"") && page.html.contains("Wer bezahlt?"), "{}", page.html);
        page.is_sound();
        let page = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
        let page = browser.send(&page, "code-form", &[("code", "123456")]).await;
        page.is_at("review");
        page.is_sound();
        assert!(page.html.contains("data-testid=\"token-consent\"") && page.html.contains("Name, E-Mail"));
        browser.get(&page.path.replace("/review", "/plan")).await.is_at("review");
        browser.send(&page, "confirm-form", &[]).await.went_away("COMPLETED");
        let done = read(&end, &id).await;
        assert!(done["state_context"]["klarna_customer"]["customer_token"].is_string(), "{done}");
    }
}

#[tokio::test]
async fn the_test_shoppers_fill_the_forms_in() {
    for end in ends().await {
        let (_, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let page = browser.get(&start).await;
        for (sample, contact) in [
            ("approved", "customer@email.de"),
            ("denied", "customer+denied@email.de"),
            ("new", "customer+new_user@email.de"),
        ] {
            page.tag(&format!("sample-{sample}"));
            let filled = browser.get(&format!("{}?sample={sample}", page.path)).await;
            assert_eq!(filled.value("contact"), contact);
        }
        let code = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
        assert_eq!(browser.get(&format!("{}?fill=1", code.path)).await.value("code"), "123456");
    }
}
