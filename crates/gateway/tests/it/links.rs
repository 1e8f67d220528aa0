//! Payment links, tills, refunds by reference.

use axum::body::Body;
use http::Request;
use kit::clock::DAY_US;
use serde_json::{Value, json};

use crate::checkout::Opened;
use crate::harness::{Scene, named, order, scenes};
use crate::stage::{Answer, eventually};

struct Till {
    id: String,
    /// `/till/<key>`.
    path: String,
}

impl Scene {
    async fn till(&self, body: Value) -> Till {
        let made = self.post("/v1/tills", body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = made.body["url"].as_str().unwrap().strip_prefix("https://gateway.example").unwrap().to_owned();
        Till { id: made.body["id"].as_str().unwrap().to_owned(), path }
    }

    async fn send_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.stage.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn link(&self, id: &str) -> Value {
        let answer = self.stage.call(&self.ada, "GET", &format!("/v1/payment-links/{id}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// A payment of this reference, captured in full.
    async fn captured(&self, reference: &str, amount: i64) -> String {
        let mut order = order(amount);
        order["reference"] = json!(reference);
        order["klarna_network_session_token"] = json!("gr.an.t");
        order["capture"] = json!("AUTOMATIC");
        let made = self.post("/v1/payments", order).await;
        assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &json!("CAPTURED")), "{}", made.text);
        made.body["id"].as_str().unwrap().to_owned()
    }
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {page}"));
    page[at..].split('"').nth(3).unwrap().to_owned()
}

#[tokio::test]
async fn a_link_is_paid_once_and_its_codes_lead_to_it() {
    for scene in scenes().await {
        let body = json!({"amount": 7500, "currency": "EUR", "reference": "invoice-1"});
        let made = scene.post("/v1/payment-links", body).await;
        assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &json!("OPEN")), "{}", made.text);
        let id = made.body["id"].as_str().unwrap();
        assert_eq!(scene.link(id).await, made.body);
        assert_eq!(made.body["expires_at"], "2026-03-09T10:00:00Z", "seven days");
        let path = made.body["url"].as_str().unwrap().strip_prefix("https://gateway.example").unwrap().to_owned();
        for (member, kind, begins) in [("svg_url", "image/svg+xml", "<svg"), ("png_url", "image/png", "")] {
            let url = made.body["qr_code"][member].as_str().unwrap();
            let request =
                Request::get(url.strip_prefix("https://gateway.example").unwrap()).body(Body::empty()).unwrap();
            let response = scene.stage.raw(request).await;
            assert_eq!((response.0.as_u16(), response.1["content-type"].to_str().unwrap()), (200, kind));
            assert!(response.2.starts_with(begins.as_bytes()) && response.2.len() > 200);
        }
        let opened = Opened { id: made.body["checkout_session_id"].as_str().unwrap().to_owned(), path };
        scene.press(&opened, "klarna").await;
        let back = scene.comes_back("COMPLETED").await;
        assert_eq!(location(&back), made.body["url"], "without a shop to go back to, the page thanks");
        assert!(scene.get(&opened.path).await.text.contains("data-end=\"paid\""));
        assert_eq!(scene.link(id).await["state"], "COMPLETED");
        scene.press(&opened, "klarna").await;
        assert_eq!(scene.klarna.calls("authorize").len(), 1);
        let canceled = scene.post(&format!("/v1/payment-links/{id}/cancel"), json!({})).await;
        assert_eq!(canceled.status, 403);
        let events = scene.stage.call(&scene.ada, "GET", "/v1/events?type=checkout_session.completed", None).await;
        assert_eq!(events.body["events"][0]["data"]["checkout_session"]["payment_link_id"], id);
    }
}

#[tokio::test]
async fn a_link_is_canceled_or_expires_and_is_nobody_elses() {
    for scene in scenes().await {
        let body = json!({"amount": 7500, "currency": "EUR", "expiry": {"duration": "P91D"}});
        assert_eq!(named(&scene.post("/v1/payment-links", body).await), ["expiry.duration"]);
        let body = json!({"amount": 7500, "currency": "EUR"});
        let made = scene.post("/v1/payment-links", body.clone()).await.body;
        let path = format!("/v1/payment-links/{}", made["id"].as_str().unwrap());
        let eve = scene.stage.partner("EVE00001").await;
        for (method, tail) in [("GET", ""), ("POST", "/cancel")] {
            let foreign = scene.stage.call(&eve, method, &format!("{path}{tail}"), None).await;
            assert_eq!(foreign.status, 404, "{method} {tail}");
        }
        let canceled = scene.post(&format!("{path}/cancel"), json!({})).await;
        assert_eq!((canceled.status.as_u16(), &canceled.body["state"]), (200, &json!("CANCELED")));

        let _working = scene.stage.work();
        let late = scene.post("/v1/payment-links", body).await.body;
        scene.stage.clock.advance(8 * DAY_US);
        scene.stage.ctx.poke.poke();
        let id = late["id"].as_str().unwrap().to_owned();
        eventually("the link expires", || async {
            Some(scene.link(&id).await).filter(|link| link["state"] == "EXPIRED")
        })
        .await;
    }
}

#[tokio::test]
async fn a_till_sells_once_however_often_it_is_pressed() {
    for scene in scenes().await {
        let till = scene.till(json!({"name": "Till 3", "currency": "EUR", "locale": "de-DE"})).await;
        let counter = scene.get(&till.path).await;
        assert!(counter.text.contains("Till 3") && !counter.text.contains("find-form"), "no refunds here");
        assert_eq!(scene.get(&format!("{}/refund?reference=88", till.path)).await.status, 404);
        let name = hidden(&counter.text, "sale");
        let sales = format!("{}/sales", till.path);
        for wrong in ["", "0", "-5", "12.345", "all"] {
            let refused = scene.send_form(&sales, &[("sale", &name), ("amount", wrong), ("reference", "r")]).await;
            assert_eq!(refused.status, 422, "{wrong}");
            assert!(refused.text.contains("amount-error"));
        }
        let fields = [("sale", name.as_str()), ("amount", "12,50"), ("reference", "receipt-7")];
        let pressed = futures_util::future::join_all((0..3).map(|_| scene.send_form(&sales, &fields))).await;
        let sale = format!("{sales}/{name}");
        assert!(pressed.iter().all(|answer| location(answer) == sale));
        let listed = scene.stage.call(&scene.ada, "GET", "/v1/checkout-sessions", None).await;
        assert_eq!(listed.body["checkout_sessions"].as_array().unwrap().len(), 1);

        let page = scene.get(&sale).await;
        assert!(
            page.text.contains("data-state=\"waiting\"")
                && page.text.contains("12,50\u{a0}€")
                && page.text.contains("/qr.svg")
        );
        let before = scene.get(&format!("{sale}/state")).await.body["mark"].clone();
        let link = scene.link(&name).await;
        assert_eq!(link["till_id"], till.id);
        let path = link["url"].as_str().unwrap().strip_prefix("https://gateway.example").unwrap().to_owned();
        let opened = Opened { id: link["checkout_session_id"].as_str().unwrap().to_owned(), path };
        scene.press(&opened, "klarna").await;
        assert_eq!(scene.klarna.calls("authorize")[0].body["request_payment_transaction"]["capture"], "NOW");
        assert_ne!(scene.get(&format!("{sale}/state")).await.body["mark"], before);
        assert!(scene.get(&sale).await.text.contains("data-state=\"customer\""));
        scene.comes_back("COMPLETED").await;
        let paid = scene.get(&sale).await;
        assert!(paid.text.contains("data-state=\"paid\"") && !paid.text.contains("data-testid=\"cancel\""));
        // Canceling too late changes nothing.
        assert_eq!(location(&scene.send_form(&format!("{sale}/cancel"), &[]).await), sale);
        assert_eq!(scene.link(&name).await["state"], "COMPLETED");

        // Another till, even of the same Partner, does not see it; a disabled one sees nothing.
        let other = scene.till(json!({"name": "Till 4", "currency": "EUR"})).await;
        assert_eq!(scene.get(&format!("{}/sales/{name}", other.path)).await.status, 404);
        let disabled = scene.post(&format!("/v1/tills/{}/disable", till.id), json!({})).await;
        assert_eq!((disabled.status.as_u16(), &disabled.body["state"]), (200, &json!("DISABLED")));
        assert_eq!(scene.get(&till.path).await.status, 404);
        assert_eq!(scene.send_form(&sales, &fields).await.status, 404);
        let eve = scene.stage.partner("EVE00001").await;
        assert_eq!(scene.stage.call(&eve, "GET", &format!("/v1/tills/{}", other.id), None).await.status, 404);
        assert_eq!(scene.stage.call(&eve, "POST", &format!("/v1/tills/{}/disable", other.id), None).await.status, 404);
        assert_eq!(scene.stage.call(&eve, "GET", "/v1/tills", None).await.body["tills"], json!([]));
        assert_eq!(
            named(&scene.post("/v1/tills", json!({"currency": "EURO", "pin": 1})).await),
            ["name", "currency", "pin"]
        );
    }
}

#[tokio::test]
async fn a_till_refunds_what_was_bought_online_after_naming_the_amount() {
    for scene in scenes().await {
        let till = scene.till(json!({"name": "Till 3", "currency": "EUR", "refunds": true})).await;
        let payment = scene.captured("order-1001", 5000).await;
        let refund = format!("{}/refund", till.path);
        let found = scene.get(&format!("{refund}?reference=order-1001")).await;
        assert!(found.text.contains("data-testid=\"refundable\" data-minor=\"5000\""), "{}", found.text);
        let too_much = scene.send_form(&refund, &[("reference", "order-1001"), ("amount", "50.01")]).await;
        assert_eq!(too_much.status, 422);
        assert!(too_much.text.contains("At most €50.00"));
        let asked = scene.send_form(&refund, &[("reference", "order-1001"), ("amount", "15")]).await;
        assert!(asked.text.contains("Refund €15.00?"), "{}", asked.text);
        assert!(scene.klarna.calls("refund").is_empty(), "asked first");
        // What was confirmed is what was asked: another amount asks again.
        let once = hidden(&asked.text, "once");
        let changed = [("reference", "order-1001"), ("amount", "20"), ("confirmed", "1500"), ("once", &once)];
        assert!(scene.send_form(&refund, &changed).await.text.contains("Refund €20.00?"));
        let confirmed = [("reference", "order-1001"), ("amount", "15"), ("confirmed", "1500"), ("once", &once)];
        for _ in 0..2 {
            let done = scene.send_form(&refund, &confirmed).await;
            assert_eq!(location(&done), format!("{refund}?reference=order-1001"));
        }
        assert_eq!(scene.klarna.calls("refund").len(), 1, "pressed twice, refunded once");
        assert_eq!(scene.read(&payment).await["refunded_amount"], 1500);
        let after = scene.get(&format!("{refund}?reference={payment}")).await;
        assert!(after.text.contains("data-minor=\"3500\"") && after.text.contains("data-state=\"SUCCEEDED\""));

        scene.captured("order-1001", 100).await;
        assert!(scene.get(&format!("{refund}?reference=order-1001")).await.text.contains("data-testid=\"several\""));
        assert!(scene.get(&format!("{refund}?reference=none")).await.text.contains("data-testid=\"not-found\""));
    }
}

#[tokio::test]
async fn links_and_tills_are_listed_in_pages_and_narrowed() {
    for scene in scenes().await {
        let list = async |path: &str| {
            let answer = scene.stage.call(&scene.ada, "GET", path, None).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            answer.body
        };
        let ids = |body: &Value, name: &str| -> Vec<String> {
            body[name].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
        };
        let mut made = Vec::new();
        for number in 0..5 {
            let body = json!({"amount": 100, "currency": "EUR", "reference": format!("r-{}", number % 2)});
            made.insert(0, scene.post("/v1/payment-links", body).await.body);
            scene.stage.clock.advance(1_000_000);
        }
        let all: Vec<String> = made.iter().map(|link| link["id"].as_str().unwrap().to_owned()).collect();
        let first = list("/v1/payment-links?size=2").await;
        assert_eq!(ids(&first, "payment_links"), all[..2], "newest first");
        assert_eq!(first["payment_links"][0], made[0], "as it was made, with its address");
        let next = first["pagination"]["links"]["next"]["href"].as_str().unwrap();
        let second = list(next.strip_prefix("https://gateway.example").unwrap()).await;
        assert_eq!(ids(&second, "payment_links"), all[2..4]);
        let back = second["pagination"]["links"]["prev"]["href"].as_str().unwrap();
        assert_eq!(ids(&list(back.strip_prefix("https://gateway.example").unwrap()).await, "payment_links"), all[..2]);
        assert_eq!(ids(&list("/v1/payment-links?reference=r-1").await, "payment_links").len(), 2);
        scene.post(&format!("/v1/payment-links/{}/cancel", all[1]), json!({})).await;
        assert_eq!(ids(&list("/v1/payment-links?state=CANCELED").await, "payment_links"), all[1..2]);
        assert_eq!(ids(&list("/v1/payment-links?state=OPEN&reference=r-0").await, "payment_links").len(), 3);

        let one = scene.till(json!({"name": "Till 1", "currency": "EUR"})).await;
        scene.stage.clock.advance(1_000_000);
        let two = scene.till(json!({"name": "Till 2", "currency": "EUR"})).await;
        let name = hidden(&scene.get(&one.path).await.text, "sale");
        scene.send_form(&format!("{}/sales", one.path), &[("sale", &name), ("amount", "5")]).await;
        assert_eq!(
            ids(&list(&format!("/v1/payment-links?till_id={}", one.id)).await, "payment_links"),
            [name.as_str()]
        );
        assert_eq!(ids(&list(&format!("/v1/payment-links?till_id={}", two.id)).await, "payment_links"), [""; 0]);
        let tills = list("/v1/tills?size=1").await;
        assert_eq!(ids(&tills, "tills"), [two.id.as_str()]);
        assert!(tills["tills"][0]["url"].is_null(), "the address is a key");
        let next = tills["pagination"]["links"]["next"]["href"].as_str().unwrap();
        assert_eq!(ids(&list(next.strip_prefix("https://gateway.example").unwrap()).await, "tills"), [one.id.as_str()]);
        scene.post(&format!("/v1/tills/{}/disable", one.id), json!({})).await;
        assert_eq!(ids(&list("/v1/tills?state=DISABLED").await, "tills"), [one.id.as_str()]);
        assert_eq!(ids(&list("/v1/tills?state=ACTIVE").await, "tills"), [two.id.as_str()]);

        // Nobody else's, and nothing that is not understood.
        let eve = scene.stage.partner("EVE00001").await;
        for path in ["/v1/payment-links", "/v1/tills", &format!("/v1/payment-links?till_id={}", one.id)] {
            let answer = scene.stage.call(&eve, "GET", path, None).await;
            assert_eq!(answer.body["pagination"]["count"], 0, "{path}: {}", answer.text);
        }
        for (path, wanted) in [
            ("/v1/payment-links?state=PAID&size=0&starting_after=cs_1", ["size", "starting_after", "state"]),
            ("/v1/tills?state=OPEN&size=101&ending_before=pl_1", ["size", "ending_before", "state"]),
        ] {
            let answer = scene.stage.call(&scene.ada, "GET", path, None).await;
            assert_eq!(answer.status, 400, "{path}");
            assert_eq!(named(&answer), wanted);
        }
    }
}

#[tokio::test]
async fn a_till_speaks_its_own_language_or_else_the_cashiers() {
    let scene = scenes().await.remove(0);
    let german = scene.till(json!({"name": "Kasse 3", "currency": "EUR", "locale": "de-DE", "refunds": true})).await;
    let page = scene.get(&german.path).await.text;
    assert!(page.contains("lang=\"de\"") && page.contains("Code zeigen") && page.contains("Betrag in EUR"), "{page}");
    let name = hidden(&page, "sale");
    let refused = scene.send_form(&format!("{}/sales", german.path), &[("sale", &name), ("amount", "x")]).await;
    assert!(refused.text.contains("9,50.") && refused.text.contains("aria-describedby=\"amount-error\""));
    scene.captured("order-1001", 5000).await;
    let fields = [("reference", "order-1001"), ("amount", "15")];
    let asked = scene.send_form(&format!("{}/refund", german.path), &fields).await.text;
    assert!(asked.contains("15,00\u{a0}€ erstatten?"), "{asked}");
    let silent = scene.till(json!({"name": "Till 4", "currency": "JPY"})).await;
    let request = Request::get(&silent.path).header("accept-language", "sv-SE,en;q=0.5").body(Body::empty()).unwrap();
    assert!(scene.stage.send(request).await.text.contains("Belopp i JPY"));
    let name = hidden(&scene.get(&silent.path).await.text, "sale");
    let refused = scene.send_form(&format!("{}/sales", silent.path), &[("sale", &name), ("amount", "1.5")]).await;
    assert!(refused.text.contains("such as 950."), "{}", refused.text);
}

#[tokio::test]
async fn a_refund_by_reference_names_amount_and_currency_and_finds_one_payment() {
    for scene in scenes().await {
        let payment = scene.captured("order-1001", 5000).await;
        let refused = scene.post("/v1/refunds", json!({"refund_reference": "", "amuont": 5})).await;
        let mut names = named(&refused);
        names.sort_unstable();
        assert_eq!(
            (refused.status.as_u16(), names),
            (400, vec!["amount", "amuont", "currency", "reference", "refund_reference"])
        );
        let body = |reference: &str, amount: i64, currency: &str| json!({"reference": reference, "amount": amount, "currency": currency});
        for (body, status, code) in [
            (body("order-9", 1, "EUR"), 404, "RESOURCE_NOT_FOUND"),
            (body("order-1001", 1, "SEK"), 403, "OPERATION_FORBIDDEN"),
            (body("order-1001", 5001, "EUR"), 403, "OPERATION_FORBIDDEN"),
        ] {
            let answer = scene.post("/v1/refunds", body).await;
            assert_eq!((answer.status.as_u16(), &answer.body["error_code"]), (status, &json!(code)), "{}", answer.text);
        }
        let call = || {
            scene.stage.call_with_key(&scene.ada, "POST", "/v1/refunds", Some(body("order-1001", 5000, "EUR")), "k-1")
        };
        let (first, again) = (call().await, call().await);
        assert_eq!((first.status.as_u16(), &first.body), (201, &again.body), "{}", first.text);
        assert_eq!((&first.body["payment_id"], &first.body["amount"]), (&json!(payment), &json!(5000)));
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(scene.klarna.calls("refund").len(), 1);
        let eve = scene.stage.partner("EVE00001").await;
        let foreign = scene.stage.call(&eve, "POST", "/v1/refunds", Some(body(&payment, 1, "EUR"))).await;
        assert_eq!(foreign.status, 404);
        scene.captured("order-1001", 100).await;
        assert_eq!(scene.post("/v1/refunds", body("order-1001", 1, "EUR")).await.status, 409);
    }
}

#[tokio::test]
async fn express_needs_the_token_alone() {
    for scene in scenes().await {
        for name in ["klarna_network_session_token", "interoperability_token"] {
            let shipping = json!([{"recipient": {"given_name": "Ada"}, "address": {"street_address": "Main 1", "postal_code": "10115", "city": "Berlin", "country": "DE"},
                "shipping_option": {"shipping_option_reference": "home"}}]);
            let mut order = json!({"amount": 4990, "currency": "EUR", "reference": "88", "shipping": shipping,
                "line_items": [{"name": "Mug", "quantity": 1, "total_amount": 4990}]});
            order[name] = json!(format!("gr.an.t.{name}"));
            let made = scene.post("/v1/payments", order).await;
            assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &json!("AUTHORIZED")), "{}", made.text);
            let id = made.body["id"].as_str().unwrap();
            let read = scene.read(id).await;
            assert_eq!(
                read["supplementary_purchase_data"]["shipping"], shipping,
                "what the customer chose stays with the order"
            );
            assert!(read["klarna"]["payment_request_url"].is_null());
        }
        let calls = scene.klarna.calls("finalize");
        assert_eq!(calls.len(), 2, "no earlier call, no step-up");
        assert_eq!(
            calls[0].body["supplementary_purchase_data"]["shipping"][0]["shipping_option"]["shipping_option_reference"],
            "home"
        );
    }
}

#[tokio::test]
async fn an_app_gets_the_requests_address_as_klarna_told_it() {
    let scene = scenes().await.remove(0);
    let mut order = order(4990);
    order["app_return_url"] = json!("lampshop://klarna");
    let made = scene.post("/v1/payments", order).await.body;
    let url = made["klarna"]["payment_request_url"].as_str().unwrap();
    assert!(url.starts_with("https://pay.example/") && made["next_action"]["url"] == url);
    assert!(made["klarna"]["payment_request_id"].as_str().unwrap().starts_with("krn:payment:eu1:request:"));
    let asked = &scene.klarna.calls("authorize")[0].body["step_up_config"]["customer_interaction_config"];
    assert_eq!(asked["app_return_url"], "lampshop://klarna");
}
