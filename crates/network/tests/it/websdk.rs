//! What pages of the Web SDK are given, and what they are not: by client identifier, origin, account and the request's own address.

use http::Method;
use kit::http::ApiError;
use network::accounts;
use network::credentials::create_client_identifier;
use network::websdk::{self, Address, Dialogue, Display, Launch};
use protocol::PartnerAccountId;
use serde_json::{Value, json};

use crate::harness::{Answer, End, ends};

const SHOP: &str = "https://shop.example";
const IDENTIFIERS: &str = "/v2/account/integration/credentials/client-identifier";

/// A page of the shop, or of another origin.
struct Page<'a> {
    end: &'a End,
    client_id: String,
    origin: Option<&'a str>,
    partner: Option<String>,
}

impl<'a> Page<'a> {
    fn of(end: &'a End) -> Self {
        Self { end, client_id: end.credentials.partner.client_id.clone(), origin: Some(SHOP), partner: None }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.client_id.is_empty() {
            query.append_pair("client_id", &self.client_id);
        }
        if let Some(partner) = &self.partner {
            query.append_pair("partner_account_id", partner);
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("/websdk{path}{mark}{}", query.finish());
        let headers: Vec<_> = self.origin.map(|origin| ("origin", origin)).into_iter().collect();
        self.end.send(method, &path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(&body)).await
    }

    /// A request that the page asks for itself: its id, its access token, and the address of its journey.
    async fn request(&self, more: Value) -> (String, String, String) {
        let mut body = json!({
            "currency": "EUR", "amount": 4990, "payment_request_reference": "PR-1",
            "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/back"},
            "acquiring_config": {"payment_account_id": self.end.credentials.partner.payment_account_id},
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.post("/payment-requests", body).await.expect(201);
        let url = made["state_context"]["customer_interaction"]["payment_request_url"].as_str().unwrap().to_owned();
        let token = url.split("token=").nth(1).unwrap().to_owned();
        (made["payment_request_id"].as_str().unwrap().to_owned(), token, url)
    }
}

/// Says where the goods of a request of the Partner go, in a window of the SDK.
pub async fn say_address(end: &End, request: &str) {
    let (ctx, account) = (end.ctx.clone(), end.partner().parse::<PartnerAccountId>().unwrap());
    let request = request.to_owned();
    let mut launch = Launch {
        origin: SHOP.to_owned(),
        display: Display::Popup,
        answers_shipping: true,
        sequence: 0,
        dialogue: Dialogue::default(),
    };
    launch.say_address(Address { city: "Berlin".to_owned(), ..Address::default() });
    end.ctx
        .db
        .write(move |tx| -> kit::db::UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move { websdk::remember(tx, &ctx, &account, &request, &launch).await })
        })
        .await
        .unwrap();
}

/// The city that was said.
pub async fn said_city(end: &End, request: &str) -> String {
    let (ctx, account) = (end.ctx.clone(), end.partner().parse::<PartnerAccountId>().unwrap());
    let request = request.to_owned();
    let found: Option<Launch> = end
        .ctx
        .db
        .read(move |tx| Box::pin(async move { websdk::launched(tx, &ctx, &account, &request).await }))
        .await
        .unwrap();
    found.unwrap().dialogue.address.unwrap().city
}

/// A client identifier of an account, with its allowed domains.
async fn client_id(end: &End, domains: &[&str]) -> String {
    let body = json!({"description": "pages", "config": {"allowed_domains": domains}});
    let made = end.call(end.partner_key(), Method::POST, IDENTIFIERS, Some(&body)).await.expect(201);
    made["identity"]["client_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_is_served_to_every_origin_and_kept_for_a_while() {
    for end in ends().await {
        for path in
            ["/web-sdk/v1/klarna.js", "/web-sdk/v2/klarna.js", "/web-sdk/v2/klarna.mjs", "/web-sdk/v1/klarna.mjs"]
        {
            let answer = end.send(Method::GET, path, &[("origin", SHOP)], None).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")), "{path}");
            assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
            assert!(answer.header("cache-control").unwrap().contains("max-age=300"));
            assert!(answer.text.contains(&end.base) && !answer.text.contains("{{"), "it knows where it came from");
            let tag = answer.header("etag").unwrap().to_owned();
            let again = end.send(Method::GET, path, &[("if-none-match", &tag)], None).await;
            assert_eq!((again.status, again.text.len()), (304, 0), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_a_right_to_ask_is_told_why_and_nothing_else() {
    for end in ends().await {
        let named = client_id(&end, &["shop.example"]).await;
        let session = json!({"locale": "de-DE"});
        for (client_id, origin, status) in [
            ("", Some(SHOP), 401),
            ("klarna_test_client_unknown", Some(SHOP), 401),
            (named.as_str(), None, 403),
            (named.as_str(), Some("null"), 403),
            (named.as_str(), Some("https://other.example"), 403),
            (named.as_str(), Some("https://shop.example.evil.example"), 403),
            (named.as_str(), Some(SHOP), 200),
            (named.as_str(), Some("https://shop.example:8443"), 200),
        ] {
            let page = Page { client_id: client_id.to_owned(), origin, ..Page::of(&end) };
            let answer = page.post("/sessions", session.clone()).await;
            assert_eq!(answer.status, status, "{client_id} {origin:?}: {}", answer.text);
            // Readable, so that the page's developer learns what is wrong; to the one origin that asked.
            let allowed = origin.filter(|origin| *origin != "null");
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            assert!(answer.header("vary").unwrap().contains("origin"));
        }
        let elsewhere = Page { client_id: named.clone(), origin: Some("https://other.example"), ..Page::of(&end) };
        let refused = elsewhere.get("/presentation?currency=EUR&amount=4990&locale=de-DE").await;
        refused.refused(403, "OPERATION_FORBIDDEN");
        assert!(
            refused.text.contains("https://other.example") && refused.text.contains("allowed_domains"),
            "{}",
            refused.text
        );
        assert!(!refused.text.contains(end.partner()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_client_identifier_is_none() {
    for end in ends().await {
        let key = end.partner_key();
        let made = end.call(key, Method::POST, IDENTIFIERS, Some(&json!({"description": "pages"}))).await.expect(201);
        let (id, text) = (made["credential_id"].as_str().unwrap(), made["identity"]["client_id"].as_str().unwrap());
        let page = Page { client_id: text.to_owned(), ..Page::of(&end) };
        assert_eq!(page.post("/sessions", json!({})).await.status, 200);
        let disabled = end.call(key, Method::DELETE, &format!("{IDENTIFIERS}/{id}"), None).await;
        assert!(disabled.status < 300, "{}", disabled.text);
        page.post("/sessions", json!({})).await.refused(401, "UNAUTHORIZED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_account_has_to_stand_under_the_client_identifiers_own() {
    for end in ends().await {
        let ctx = end.ctx.clone();
        let foreign = PartnerAccountId::new_test("FOREIGN1");
        let stranger = foreign.clone();
        let foreign_id: String = end
            .ctx
            .db
            .write(move |tx| -> kit::db::UnitFuture<'_, Result<String, ApiError>> {
                Box::pin(async move {
                    accounts::open(tx, &stranger, None, "other", "Other", 1).await?;
                    Ok(create_client_identifier(tx, &ctx.random, &stranger, "", 1).await?)
                })
            })
            .await
            .unwrap();
        let partner = end.partner().to_owned();
        let psp = end.credentials.acquiring_partner.client_id.clone();
        for (client_id, named, status) in [
            (&psp, partner.as_str(), 200),
            (&psp, foreign.as_str(), 404),
            (&psp, "nonsense", 404),
            (&foreign_id, partner.as_str(), 404),
            (&end.credentials.partner.client_id, foreign.as_str(), 404),
            (&end.credentials.partner.client_id, end.credentials.acquiring_partner.account_id.as_str(), 404),
        ] {
            let page = Page { client_id: client_id.clone(), partner: Some(named.to_owned()), ..Page::of(&end) };
            assert_eq!(page.post("/sessions", json!({})).await.status, status, "{client_id:.30} for {named}");
        }
        // A request is its account's, whoever knows its address.
        let (id, token, _) = Page::of(&end).request(json!({})).await;
        let stranger = Page { client_id: foreign_id, ..Page::of(&end) };
        for path in [format!("/payment-requests/{id}"), format!("/payment-requests/{id}?access_token={token}")] {
            stranger.get(&path).await.refused(404, "RESOURCE_NOT_FOUND");
            stranger.ask(Method::DELETE, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        let access = json!({"access_token": token, "display": "POPUP"});
        for tail in ["launch", "leave", "shipping-change"] {
            let path = format!("/payment-requests/{id}/{tail}");
            stranger.post(&path, access.clone()).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        // A PSP's page needs no name for a request of one of its Partners.
        let above = Page { client_id: psp, ..Page::of(&end) };
        above.get(&format!("/payment-requests/{id}?access_token={token}")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_learn_methods_and_headers_before_they_ask() {
    for end in ends().await {
        let headers = [("origin", SHOP), ("access-control-request-method", "POST")];
        let answer = end.send(Method::OPTIONS, "/websdk/sessions?client_id=x", &headers, None).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, DELETE"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type, klarna-network-session-token"));
        // No operation of an API key is open to pages.
        let answer = end.send(Method::OPTIONS, "/v2/payment/requests", &headers, None).await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_as_long_as_its_token_lives() {
    for end in ends().await {
        let page = Page::of(&end);
        let first = page.post("/sessions", json!({"locale": "sv-SE"})).await.expect(200);
        assert_eq!((&first["resumed"], &first["words"]["locale"]), (&json!(false), &json!("sv-SE")));
        assert!(first["words"]["buttons"]["PAY"].as_str().unwrap().ends_with("Klarna"), "{first}");
        let token = first["klarna_network_session_token"].as_str().unwrap();
        let path = format!("/websdk/sessions?client_id={}", page.client_id);
        let with = |token: String| {
            let (end, path) = (&end, path.clone());
            async move {
                let headers = [("origin", SHOP), ("klarna-network-session-token", token.as_str())];
                end.send(Method::POST, &path, &headers, Some(&json!({}))).await.expect(200)
            }
        };
        let again = with(token.to_owned()).await;
        assert_eq!((&again["resumed"], again["klarna_network_session_token"].as_str()), (&json!(true), Some(token)));
        assert_eq!(with("nonsense".to_owned()).await["resumed"], json!(false));
        // A stranger's session says nothing about a customer.
        let headers = [("origin", SHOP), ("klarna-network-session-token", token)];
        let path = format!("/websdk/presentation?currency=EUR&amount=4990&locale=de-DE&client_id={}", page.client_id);
        let shown = end.send(Method::GET, &path, &headers, None).await.expect(200);
        assert_eq!(shown["instruction"], "SHOW_KLARNA");

        let unknown = page.post("/sessions", json!({"sdk_token": "never-was"})).await;
        unknown.refused(400, "VALIDATION_ERROR");
        assert_eq!(unknown.parameters(), ["sdk_token"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presentation_messaging_words_and_interoperability_answer_as_with_a_key() {
    for end in ends().await {
        let page = Page::of(&end);
        let query = "currency=EUR&amount=12990&locale=de-DE&intents[]=PAY";
        let shown = page.get(&format!("/presentation?{query}")).await.expect(200);
        let by_key = format!("/v2/payment/presentation?{query}");
        assert_eq!(shown, end.call(end.partner_key(), Method::GET, &by_key, None).await.expect(200));
        let faulty = page.get("/presentation?currency=EURO&locale=de-DE").await;
        faulty.refused(400, "VALIDATION_ERROR");

        let message = page.get("/messaging/credit-promotion-badge?amount=12990&locale=de-DE").await.expect(200);
        assert!(message["content"]["nodes"][0]["value"].is_string(), "the currency is the customer's own: {message}");
        for key in ["info-page", "homepage-promotion-tall", "footer", "sidebar-promotion-auto-size", "checkout"] {
            assert_eq!(page.get(&format!("/messaging/{key}?amount=12990&locale=de-DE")).await.status, 200, "{key}");
        }
        page.get("/messaging/none-such?locale=de-DE").await.refused(404, "RESOURCE_NOT_FOUND");
        assert_eq!(page.get("/messaging/credit-promotion-badge?amount=1&locale=de-DE").await.status, 204);

        // What a page shows is what the server's API says, text by text.
        const KEYS: [&str; 4] = [
            "credit-promotion-badge",
            "credit-promotion-auto-size",
            "top-strip-promotion-badge",
            "top-strip-promotion-auto-size",
        ];
        for market in protocol::markets() {
            for (locale, key) in market.locales.iter().zip(KEYS.into_iter().cycle()) {
                let amount = 12_990 * 10_i64.pow(u32::from(market.currency().code() == "HUF") * 2);
                let query = format!("locale={locale}&currency={}&amount={amount}", market.currency());
                let shown = page.get(&format!("/messaging/{key}?{query}")).await;
                let path = format!("/v2/accounts/{}/payment/messaging/{key}?{query}", end.partner());
                let said = end.ap(Method::GET, &path, None).await;
                assert_eq!((shown.status, shown.text), (said.status, said.text), "{locale} {key}");
            }
        }
        for key in KEYS {
            let query = "locale=sv-SE&currency=SEK&amount=129900";
            let shown = page.get(&format!("/messaging/{key}?{query}")).await.expect(200);
            let path = format!("/v2/accounts/{}/payment/messaging/{key}?{query}", end.partner());
            assert_eq!(shown, end.ap(Method::GET, &path, None).await.expect(200), "{key}");
        }

        let words = page.get("/words?locale=de-AT").await.expect(200);
        for (locale, text) in [
            ("sv-SE", "Visa fönstret"),
            ("fr-BE", "Afficher la fenêtre"),
            ("es-MX", "Mostrar la ventana"),
            ("en-GB", "Show the window"),
        ] {
            let words = page.get(&format!("/words?locale={locale}")).await.expect(200);
            assert_eq!(words["curtain_continue"], text, "{locale}");
        }
        assert_eq!(words["curtain_continue"], "Fenster zeigen");
        let told = page.get("/interoperability?currency=EUR&country=DE&payment_amount=4990").await.expect(200);
        assert_eq!(told["status"], "PAYMENT_SUPPORTED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_alone_says_how_a_request_stands_and_its_address_the_rest() {
    for end in ends().await {
        let page = Page::of(&end);
        let faulty = page.post("/payment-requests", json!({"currency": "EURO", "amount": 0})).await;
        faulty.refused(400, "VALIDATION_ERROR");
        assert_eq!(faulty.parameters(), ["currency", "amount"]);

        let (id, token, url) = page.request(json!({"collect_customer_profile": ["profile:email"]})).await;
        let with_token = format!("/payment-requests/{id}?access_token={token}");
        let open = page.get(&format!("/payment-requests/{id}")).await.expect(200);
        assert_eq!((&open["state"], &open["payment_request_url"]), (&json!("SUBMITTED"), &json!(url)));
        page.get(&format!("/payment-requests/{id}?access_token=wrong")).await.refused(404, "RESOURCE_NOT_FOUND");
        page.get("/payment-requests/nonsense").await.refused(404, "RESOURCE_NOT_FOUND");

        let account = end.partner();
        let force = format!("/testing/accounts/{account}/requests/{id}/customer");
        end.ap(Method::POST, &force, Some(&json!({"step": "APPROVE"}))).await.expect(200);
        let alone = page.get(&format!("/payment-requests/{id}")).await.expect(200);
        assert_eq!((&alone["state"], &alone["state_context"]), (&json!("COMPLETED"), &Value::Null));
        let whole = page.get(&with_token).await.expect(200);
        assert!(whole["state_context"]["klarna_network_session_token"].is_string());
        assert_eq!(whole["return_location"], "https://shop.example/back");
        page.ask(Method::DELETE, &format!("/payment-requests/{id}"), None).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(page.ask(Method::DELETE, &with_token, None).await.expect(200)["state"], "CANCELED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_remembers_the_page_and_leaving_takes_the_shopper_out() {
    for end in ends().await {
        let page = Page::of(&end);
        let (id, token, url) = page.request(json!({})).await;
        let path = |tail: &str| format!("/payment-requests/{id}/{tail}");
        let wrong = page.post(&path("launch"), json!({"access_token": token, "display": "TELEPATHY"})).await;
        wrong.refused(400, "VALIDATION_ERROR");
        page.post(&path("launch"), json!({"display": "POPUP"})).await.refused(400, "VALIDATION_ERROR");
        let config = json!({"mode": "EDITABLE", "supported_countries": ["DE"]});
        let body =
            json!({"access_token": token, "display": "FRAME", "answers_shipping": true, "shipping_config": config});
        let launched = page.post(&path("launch"), body).await.expect(200);
        assert_eq!(launched["shipping_config"], config, "a request without one takes the page's");

        // The journey may now be framed by that page, and by no other.
        let start = url.strip_prefix(&end.base).unwrap();
        let entered = end.send(Method::GET, start, &[], None).await;
        assert_eq!(entered.status, 303);
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let contact = entered.header("location").unwrap().to_owned();
        let shown = end.send(Method::GET, &contact, &[("cookie", &cookie)], None).await;
        let policy = shown.header("content-security-policy").unwrap();
        assert!(policy.ends_with("frame-ancestors https://shop.example"), "{policy}");

        let left = page.post(&path("leave"), json!({"access_token": token})).await.expect(200);
        assert_eq!((&left["state"], &left["state_reason"]), (&json!("SUBMITTED"), &json!("PURCHASE_FLOW_ABORTED")));
        let ended = contact.replace("/contact", "/end");
        let end_page = end.send(Method::GET, &ended, &[("cookie", &cookie)], None).await;
        assert!(end_page.text.contains("data-origin=\"https://shop.example\""), "{}", end_page.text);
        let canceled = page.ask(Method::DELETE, &format!("/payment-requests/{id}"), None).await.expect(200);
        assert_eq!(canceled["state"], "CANCELED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_that_no_sdk_shows_is_framed_by_nobody() {
    for end in ends().await {
        let (_, _, url) = Page::of(&end).request(json!({})).await;
        let entered = end.send(Method::GET, url.strip_prefix(&end.base).unwrap(), &[], None).await;
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let shown = end.send(Method::GET, entered.header("location").unwrap(), &[("cookie", &cookie)], None).await;
        assert!(shown.header("content-security-policy").unwrap().ends_with("frame-ancestors 'none'"));
        assert!(!shown.text.contains("data-origin"));
    }
}

/// The value of the hidden field of that name.
fn hidden<'a>(html: &'a str, name: &str) -> &'a str {
    let at = html.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {html}"));
    html[at..].split('"').nth(3).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn shopper_and_page_agree_on_shipping() {
    for end in ends().await {
        let page = Page::of(&end);
        let shipping = json!({"shipping_config": {"mode": "EDITABLE", "supported_countries": ["DE", "SE"]}});
        let (id, token, url) = page.request(shipping).await;
        let path = |tail: &str| format!("/payment-requests/{id}{tail}");
        let launch = json!({"access_token": token, "display": "POPUP", "answers_shipping": true});
        page.post(&path("/launch"), launch).await.expect(200);

        let entered = end.send(Method::GET, url.strip_prefix(&end.base).unwrap(), &[], None).await;
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let base = entered.header("location").unwrap().strip_suffix("/contact").unwrap().to_owned();
        let client = kit::outbound::upstream_client(kit::outbound::UpstreamConfig::default()).unwrap();
        let get = |tail: &'static str| {
            let request = client.get(format!("{}{base}{tail}", end.base)).header("cookie", &cookie);
            async move { request.send().await.unwrap().text().await.unwrap() }
        };
        let csrf = hidden(&get("/contact").await, "csrf").to_owned();
        let send = |tail: &'static str, fields: &[(&str, &str)]| {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("csrf", &csrf)
                .extend_pairs(fields)
                .finish();
            let request = client
                .post(format!("{}{base}{tail}", end.base))
                .header("cookie", &cookie)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form);
            async move {
                let response = request.send().await.unwrap();
                let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
                (response.status().as_u16(), location.unwrap_or_default())
            }
        };
        send("/contact", &[("contact", "customer@email.de")]).await;
        send("/code", &[("code", "123456")]).await;
        let (_, to) = send("/plan", &[("plan", "pay_now")]).await;
        assert!(to.ends_with("/shipping"), "nothing is chosen before it is known where the goods go: {to}");

        let address = [
            ("given_name", "Ada"),
            ("family_name", "Beispiel"),
            ("street_address", "Main 1"),
            ("postal_code", "10115"),
            ("city", "Berlin"),
            ("country", "DE"),
        ];
        assert_eq!(send("/shipping", &address[..3]).await.0, 422);
        let elsewhere: Vec<_> =
            address.iter().map(|&(name, text)| (name, if name == "country" { "US" } else { text })).collect();
        assert_eq!(send("/shipping", &elsewhere).await.0, 422, "the Partner does not ship there");
        assert_eq!(send("/shipping", &address).await.0, 303);
        assert!(get("/shipping").await.contains("shipping-waiting"));

        let asked = page.get(&path(&format!("?access_token={token}"))).await.expect(200);
        let change = &asked["shipping_change"];
        assert_eq!(change["address"], json!({"country": "DE", "postal_code": "10115", "city": "Berlin"}), "no street");
        let to_answer = path("/shipping-change");
        let answer = |more: Value| {
            let mut body = json!({"access_token": token, "sequence": change["sequence"]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            page.post(&to_answer, body)
        };
        let option = json!({"shipping_option_reference": "home", "display_name": "Home", "amount": 490});
        answer(json!({})).await.refused(400, "VALIDATION_ERROR");
        let faulty = json!({"shipping_options": [{"shipping_option_reference": "", "display_name": "", "amount": -1}],
            "selected_shipping_option_reference": "none"});
        assert_eq!(answer(faulty).await.parameters().len(), 4);
        answer(json!({"rejection_reason": "BAD_WEATHER"})).await.refused(400, "VALIDATION_ERROR");
        let lines = json!([{"name": "Lamp", "quantity": 1, "total_amount": 1}]);
        let sum = answer(json!({"shipping_options": [option], "amount": 5480, "line_items": lines})).await;
        assert_eq!(sum.parameters(), ["supplementary_purchase_data.line_items"]);
        let taken = answer(json!({"shipping_options": [option], "amount": 5480})).await.expect(200);
        assert_eq!((&taken["amount"], &taken["state"]), (&json!(5480), &json!("IN_PROGRESS")));
        answer(json!({"shipping_options": [option]})).await.refused(409, "RESOURCE_CONFLICT");

        assert!(get("/shipping").await.contains("option-home"));
        assert_eq!(send("/shipping", &[("shipping_option", "other")]).await.0, 422);
        assert_eq!(send("/shipping", &[("shipping_option", "home")]).await.0, 303);
        let body = json!({"access_token": token, "sequence": 2, "amount": 5480});
        page.post(&path("/shipping-change"), body).await.expect(200);
        let (_, to) = send("/plan", &[("plan", "pay_now")]).await;
        assert!(to.ends_with("/review"), "{to}");
        let review = get("/review").await;
        let (_, to) = send("/confirm", &[("seal", hidden(&review, "seal"))]).await;
        assert!(to.ends_with("/end"), "a window goes nowhere: {to}");

        let done = page.get(&path(&format!("?access_token={token}"))).await.expect(200);
        assert_eq!((&done["state"], &done["amount"]), (&json!("COMPLETED"), &json!(5480)));
        let shipping = &done["state_context"]["shipping"];
        assert_eq!(shipping["address"]["street_address"], "Main 1");
        assert_eq!(shipping["shipping_option"]["shipping_option_reference"], "home");
        assert_eq!(shipping["recipient"]["given_name"], "Ada");
    }
}
