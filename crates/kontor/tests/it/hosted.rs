//! The hosted checkout and a payment link against the real network end, both as processes: from the Partner's call over Klarna to money
//! that was captured, refunded and settled, and every message on the way.

use kit::random::Random;
use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::partners::Ends;

/// A customer without script: pages are read, forms are sent, and redirects are looked at before they are followed.
struct Customer {
    browser: reqwest::Client,
}

impl Customer {
    fn new() -> Self {
        let browser =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { browser }
    }

    async fn page(&self, url: &str) -> String {
        let answer = self.browser.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        answer.text().await.unwrap()
    }

    /// Sends the page's form; returns where it leads.
    async fn press(&self, url: &str, method: &str) -> String {
        let form = [("method", method), ("klarna_network_session_token", "")];
        let answer = self.browser.post(format!("{url}/pay")).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        answer.headers()[LOCATION].to_str().unwrap().to_owned()
    }
}

/// The value of the first of Klarna's choices on a page.
fn klarnas_choice(page: &str) -> &str {
    let at = page.find("value=\"klarna/").unwrap_or_else(|| panic!("Klarna is not offered: {page}"));
    page[at..].split('"').nth(1).unwrap()
}

impl Ends {
    /// Approves at Klarna what a payment waits for.
    async fn approve(&self, payment: &Value) {
        let request = payment["klarna"]["payment_request_id"].as_str().unwrap();
        let path = format!("/testing/payment-requests/{request}/complete");
        let (status, done) = self.klarna(Method::POST, &path, Some(&json!({}))).await;
        assert!(status < 300, "{done}");
    }

    /// What a Partner was told of a payment and its session, oldest first.
    async fn told_of(&self, key: &str, payment: &str) -> Vec<String> {
        let path = format!("/v1/events?payment_id={payment}&order=asc&size=100");
        let (_, listed) = self.call(key, Method::GET, &path, None).await;
        let events = listed["events"].as_array().unwrap_or_else(|| panic!("{listed}"));
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_order_and_a_link_are_paid_captured_refunded_and_settled_on_sqlite() {
    paid_captured_refunded_and_settled(&Ends::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_order_and_a_link_are_paid_captured_refunded_and_settled_on_postgresql() {
    let Ok(server) = std::env::var(kit::testing::POSTGRES_URL) else {
        eprintln!("skipped: needs PostgreSQL ({})", kit::testing::POSTGRES_URL);
        return;
    };
    let network = kit::testing::new_postgres_database(&server).await.unwrap();
    let gateway = kit::testing::new_postgres_database(&server).await.unwrap();
    let ends = Ends::start_in(Some(&gateway), &["--database-url", &network], &[]).await;
    paid_captured_refunded_and_settled(&ends).await;
}

async fn paid_captured_refunded_and_settled(ends: &Ends) {
    let (_, key, _) = ends.operational("m-1").await;
    let customer = Customer::new();
    let reference = format!("order-{}", Random::system().alphanumeric(8));

    // A checkout session, from the Partner's call to the customer at Klarna.
    let order = json!({"amount": 9_390, "currency": "EUR", "reference": reference, "locale": "en-DE",
        "line_items": [{"name": "Harbour lamp", "quantity": 1, "total_amount": 9_390}],
        "return_url": "https://shop.example/thanks", "other_method": {"url": "https://shop.example/card"}});
    let (status, session) = ends.call(&key, Method::POST, "/v1/checkout-sessions", Some(&order)).await;
    assert_eq!(status, 201, "{session}");
    let (path, url) =
        (format!("/v1/checkout-sessions/{}", session["id"].as_str().unwrap()), session["url"].as_str().unwrap());
    let page = customer.page(url).await;
    assert!(page.contains("Harbour lamp") && page.contains("€93.90"), "{page}");
    assert!(page.contains("<span>Nordlicht</span>"), "the Partner's brand: {page}");
    let choice = klarnas_choice(&page);
    let to_klarna = customer.press(url, choice).await;
    assert!(to_klarna.starts_with(&ends.network), "{to_klarna}");
    assert_eq!(customer.press(url, choice).await, to_klarna, "pressed twice, it is one payment");
    let (_, begun) = ends.call(&key, Method::GET, &path, None).await;
    assert_eq!((&begun["state"], &begun["attempts"]), (&json!("OPEN"), &json!(1)));
    let payment_id = begun["payment_id"].as_str().unwrap().to_owned();
    let payment_path = format!("/v1/payments/{payment_id}");
    let (_, payment) = ends.call(&key, Method::GET, &payment_path, None).await;
    assert_eq!(
        (&payment["state"], &payment["checkout_session_id"]),
        (&json!("REQUIRES_CUSTOMER_ACTION"), &session["id"])
    );

    // The customer approves and closes the window: the session is completed all the same.
    ends.approve(&payment).await;
    let completed = ends.heard(&key, &path, "the order to be paid", |session| session["state"] == "COMPLETED").await;
    assert_eq!((&completed["method"], &completed["payment_id"]), (&json!("KLARNA"), &json!(payment_id)));
    assert!(customer.page(url).await.contains("data-end=\"paid\""));
    let on = customer.press(url, choice).await;
    assert!(on.ends_with("/done"), "nothing is left to pay: {on}");
    let (status, captured) = ends.call(&key, Method::POST, &format!("{payment_path}/captures"), None).await;
    assert_eq!((status, &captured["amount"]), (201, &json!(9_390)), "{captured}");

    // A link, captured with its authorization; another customer follows its code.
    let order = json!({"amount": 7_500, "currency": "EUR", "reference": format!("{reference}-link"), "locale": "en-DE",
        "capture": "AUTOMATIC"});
    let (status, link) = ends.call(&key, Method::POST, "/v1/payment-links", Some(&order)).await;
    assert_eq!(status, 201, "{link}");
    let (link_path, link_url) =
        (format!("/v1/payment-links/{}", link["id"].as_str().unwrap()), link["url"].as_str().unwrap());
    assert!(customer.page(link["qr_code"]["svg_url"].as_str().unwrap()).await.starts_with("<svg"));
    let choice = klarnas_choice(&customer.page(link_url).await).to_owned();
    assert!(customer.press(link_url, &choice).await.starts_with(&ends.network));
    let (_, begun) = ends.call(&key, Method::GET, &link_path, None).await;
    let linked_id = begun["payment_id"].as_str().unwrap().to_owned();
    let linked_path = format!("/v1/payments/{linked_id}");
    let (_, linked) = ends.call(&key, Method::GET, &linked_path, None).await;
    ends.approve(&linked).await;
    let linked = ends.heard(&key, &linked_path, "the capture", |payment| payment["state"] == "CAPTURED").await;
    assert_eq!(linked["captured_amount"], 7_500);
    assert_eq!(ends.call(&key, Method::GET, &link_path, None).await.1["state"], "COMPLETED");
    let listed = format!("/v1/payment-links?reference={reference}-link&state=COMPLETED");
    assert_eq!(ends.call(&key, Method::GET, &listed, None).await.1["payment_links"][0]["id"], link["id"]);

    // Back over the counter, by the reference.
    let back = json!({"reference": reference, "amount": 390, "currency": "EUR"});
    let (status, refunded) = ends.call(&key, Method::POST, "/v1/refunds", Some(&back)).await;
    assert_eq!((status, &refunded["payment_id"]), (201, &json!(payment_id)), "{refunded}");

    // What the Partner was told, each thing once.
    for (payment, refunds) in [(&payment_id, 1), (&linked_id, 0)] {
        let expected = |told: &[String]| {
            let count = |name: &str| told.iter().filter(|told| *told == name).count();
            let each = [
                "payment.requires_customer_action",
                "payment.authorized",
                "payment.captured",
                "checkout_session.completed",
            ];
            each.iter().all(|name| count(name) == 1) && count("payment.refunded") == refunds
        };
        let since = std::time::Instant::now();
        loop {
            let told = ends.told_of(&key, payment).await;
            if expected(&told) {
                break;
            }
            assert!(since.elapsed() < crate::partners::PATIENCE, "{told:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    // Both purchases and the refund are settled, and the gateway takes the message of it.
    let (status, settled) = ends.klarna(Method::POST, "/testing/settlements", Some(&json!({}))).await;
    assert!(status < 300, "{settled}");
    let settlement = settled["settlement_reports"][0]["settlement_id"].as_str().unwrap_or_else(|| panic!("{settled}"));
    let transactions = format!("/v2/settlements/{settlement}/transactions?size=100");
    let (_, lines) = ends.klarna(Method::GET, &transactions, None).await;
    let lines = lines.to_string();
    for payment in [&payment, &linked] {
        let (_, read) =
            ends.call(&key, Method::GET, &format!("/v1/payments/{}", payment["id"].as_str().unwrap()), None).await;
        let transaction = read["klarna"]["payment_transaction_id"].as_str().unwrap_or_else(|| panic!("{read}"));
        assert!(lines.contains(transaction), "{transaction} is not settled: {lines}");
    }
    let arrived =
        json!({"match": {"event_type": "settlement.report.created", "state": "DELIVERED"}, "timeout_ms": 20_000});
    let (status, found) = ends.klarna(Method::POST, "/testing/deliveries/wait", Some(&arrived)).await;
    assert_eq!(status, 200, "the gateway did not take it: {found}");
}
