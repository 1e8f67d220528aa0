//! `kontor demo --once`: one payment through both ends, step by step, as a Partner and a shopper would make it.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use gateway::events::signature::EndpointSecret;
use http::Method;
use kit::random::Random;
use kit::shutdown::Shutdown;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::receiver::Received;
use super::script::{self, Caller, Klarna, Script, Step, text, until};
use super::shopper::Shopper;
use super::{Ends, start_ends};
use crate::cli::DemoArgs;

/// What the shopper buys, in cents.
const AMOUNT: i64 = 12_990;
/// What is captured first, captured second, refunded of the first; the rest is voided.
const FIRST: i64 = 5_000;
const SECOND: i64 = 4_000;
const REFUND: i64 = 1_500;

/// A signed event that one side saw.
#[derive(Debug, Serialize)]
struct Seen {
    event_id: String,
    event_type: String,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    steps: Vec<Step>,
    /// Klarna's webhooks, as the gateway's verification log has them: only those with a valid signature.
    klarna_events_at_the_gateway: Vec<Seen>,
    /// The gateway's webhooks, as the Partner's receiver has them: only those with a valid signature.
    gateway_events_at_the_partner: Vec<Seen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the journey, prints what happened, and fails if anything was not as it should be.
pub async fn once(args: &DemoArgs) -> Result<ExitCode> {
    let folder = std::env::temp_dir().join(format!("kontor-demo-{}", Random::system().alphanumeric(12)));
    let stop = Shutdown::new();
    let mut script = Script::new(args.json)?;
    let outcome = play(&mut script, &folder, args.seed, &stop).await;
    let steps = script.finish();
    stop.trigger();
    drop(std::fs::remove_dir_all(&folder));

    let (klarna, partner, error) = match outcome {
        Ok((klarna, partner)) => (klarna, partner, None),
        Err(error) => (Vec::new(), Vec::new(), Some(format!("{error:#}"))),
    };
    let report = Report {
        ok: error.is_none(),
        steps,
        klarna_events_at_the_gateway: klarna,
        gateway_events_at_the_partner: partner,
        error,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play(
    script: &mut Script,
    folder: &std::path::Path,
    seed: u64,
    stop: &Shutdown,
) -> Result<(Vec<Seen>, Vec<Seen>)> {
    let any = "127.0.0.1:0".parse()?;
    script.begin("starting both ends");
    let ends = start_ends(folder, seed, any, any, None, stop).await?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let partner = Caller { http: http.clone(), base: ends.gateway.url.clone(), key: ends.partner.api_key.clone() };
    let klarna =
        Klarna { http, base: ends.network.url.clone(), key: ends.credentials.acquiring_partner.api_key.clone() };
    until("the gateway's subscription at the network", async || {
        let webhooks = klarna.get("/v2/notification/webhooks").await?;
        Ok(webhooks["webhooks"].as_array().is_some_and(|list| !list.is_empty()).then_some(()))
    })
    .await?;
    let received = Received::default();
    let hook = received.listen(stop).await?;
    let endpoint =
        partner.call(Method::POST, "/v1/webhook-endpoints", Some(json!({"url": hook, "event_types": ["*"]}))).await?;
    received.trust(EndpointSecret::parse(text(&endpoint, "/secret")?)?);
    script.done(
        "both ends started",
        format!("{} and {}", ends.gateway.url, ends.network.url),
        json!({
        "partner_id": ends.partner.partner_id, "partner_account_id": ends.credentials.partner.account_id,
        "webhook_endpoint_id": endpoint["id"]}),
    );

    let payment_id = pay(script, &partner, &ends).await?;
    settle(script, &partner, &payment_id).await?;
    let seen = compare_events(script, &klarna, &partner, &received, &payment_id).await?;
    ends.gateway.stop().await?;
    ends.network.stop().await?;
    Ok(seen)
}

/// Creation, step-up, journey, token, authorization.
async fn pay(script: &mut Script, partner: &Caller, ends: &Ends) -> Result<String> {
    script.begin("creating a payment");
    let payment = partner
        .call(Method::POST, "/v1/payments", Some(json!({
            "amount": AMOUNT, "currency": "EUR", "reference": "order-1001", "capture": "MANUAL",
            "return_url": "https://shop.example/thanks",
            "line_items": [
                {"name": "Lantern", "quantity": 1, "unit_price": 8_990, "total_amount": 8_990, "line_item_reference": "L-1"},
                {"name": "Wick, ten metres", "quantity": 2, "unit_price": 2_000, "total_amount": 4_000, "line_item_reference": "L-2"},
            ],
            "customer": {"given_name": "Ada", "family_name": "Vester", "email": "customer@email.de"},
            "klarna_network_data": "{\"content_type\":\"vnd.example.demo+json\",\"content\":{}}",
        })))
        .await?;
    let payment_id = text(&payment, "/id")?.to_owned();
    script.done("payment created", money(AMOUNT), json!({"payment_id": payment_id, "state": payment["state"]}));

    script.begin("reading the step-up");
    let url: Url = text(&payment, "/next_action/url")?.parse()?;
    expect_state(&payment, "REQUIRES_CUSTOMER_ACTION")?;
    script.done("step-up", "Klarna wants to see the customer", json!({"payment_request_url": url}));

    script.begin("walking the purchase journey");
    let mut shopper = Shopper::new()?;
    let page = shopper.open(url).await?;
    let page = shopper.submit(&page, "contact-form", &[("contact", "customer@email.de")]).await?;
    let page = shopper.submit(&page, "code-form", &[("code", "123456")]).await?;
    let plan = first_plan(&page.html).context("the plan page offers no plan")?.to_owned();
    let page = shopper.submit(&page, "plan-form", &[("plan", &plan)]).await?;
    let confirmed = shopper.submit(&page, "confirm-form", &[]).await?;
    let back = confirmed.location.with_context(|| format!("confirming answered {}", confirmed.status))?;
    script.done("journey", "phone or e-mail, one-time code, plan, confirmation", json!({"plan": plan}));

    script.begin("returning with the token");
    if !back.as_str().starts_with(&ends.gateway.url) {
        bail!("the journey returned to {back}, not to the gateway");
    }
    let returned = shopper.open(back.clone()).await?;
    let to_shop =
        returned.location.with_context(|| format!("the gateway's return page answered {}", returned.status))?;
    script.done(
        "token",
        "the shopper came back through the gateway to the shop",
        json!({
        "returned_to": format!("{}{}", to_shop.origin().ascii_serialization(), to_shop.path())}),
    );

    script.begin("waiting for the authorization");
    let payment = reaches(partner, &payment_id, "AUTHORIZED").await?;
    script.done(
        "authorized",
        money(AMOUNT),
        json!({
        "payment_transaction_id": payment["klarna"]["payment_transaction_id"],
        "payment_request_id": payment["klarna"]["payment_request_id"]}),
    );
    Ok(payment_id)
}

/// Two captures, a refund of part of the first, a void of the rest.
async fn settle(script: &mut Script, partner: &Caller, payment_id: &str) -> Result<()> {
    let path = |what: &str| format!("/v1/payments/{payment_id}/{what}");
    let mut first_capture = None;
    for (step, amount) in [("captured, first part", FIRST), ("captured, second part", SECOND)] {
        script.begin(step);
        let capture = partner.call(Method::POST, &path("captures"), Some(json!({"amount": amount}))).await?;
        let capture_id = text(&capture, "/id")?.to_owned();
        script.done(step, money(amount), json!({"capture_id": capture_id, "payment_capture_id": capture["klarna_id"]}));
        first_capture.get_or_insert(capture_id);
    }
    script.begin("refunding part of the first capture");
    let refund = partner
        .call(Method::POST, &path("refunds"), Some(json!({"amount": REFUND, "capture_id": first_capture})))
        .await?;
    script.done("refunded, part of the first", money(REFUND), json!({"refund_id": refund["id"]}));

    script.begin("voiding the rest");
    partner.call(Method::POST, &path("void"), Some(json!({}))).await?;
    let payment = partner.call(Method::GET, &format!("/v1/payments/{payment_id}"), None).await?;
    let number = |pointer: &str| payment.pointer(pointer).and_then(Value::as_i64);
    let (captured, refunded, voided) = (FIRST + SECOND, REFUND, AMOUNT - FIRST - SECOND);
    let found = (number("/captured_amount"), number("/refunded_amount"), number("/voided_amount"));
    if found != (Some(captured), Some(refunded), Some(voided)) {
        bail!("the books say captured, refunded, voided = {found:?}, expected {captured}, {refunded}, {voided}");
    }
    script.done("rest voided", money(voided), json!({"state": payment["state"]}));
    Ok(())
}

/// Every event of the network's end must have reached the gateway, and every event of the gateway the Partner.
async fn compare_events(
    script: &mut Script,
    klarna: &Klarna,
    partner: &Caller,
    received: &Received,
    payment_id: &str,
) -> Result<(Vec<Seen>, Vec<Seen>)> {
    script.begin("waiting for the webhooks");
    let at_gateway = until("Klarna's webhooks at the gateway", async || {
        let deliveries = klarna.get("/testing/deliveries?size=1000").await?;
        let deliveries = deliveries["deliveries"].as_array().cloned().unwrap_or_default();
        let all = !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery["state"] == "DELIVERED");
        Ok(all.then_some(deliveries))
    })
    .await?;
    let mut at_gateway = at_gateway;
    at_gateway.sort_by(|a, b| a["created_at"].as_str().cmp(&b["created_at"].as_str()));
    let at_gateway =
        at_gateway.iter().map(|delivery| seen(delivery, "/event_id", "/event_type")).collect::<Result<Vec<_>>>()?;
    let at_partner = until("the gateway's webhooks at the Partner", async || {
        let path = format!("/v1/events?size=100&order=asc&payment_id={payment_id}");
        let events = partner.call(Method::GET, &path, None).await?;
        let events = events["events"].as_array().cloned().unwrap_or_default();
        let got = received.events();
        let missing = events.iter().any(|event| !got.iter().any(|one| one["id"] == event["id"]));
        let voided = events.iter().any(|event| event["type"] == "payment.voided");
        Ok((voided && !missing).then_some(events))
    })
    .await?;
    let at_partner = at_partner.iter().map(|event| seen(event, "/id", "/type")).collect::<Result<Vec<_>>>()?;
    script.done(
        "webhooks",
        "every signature was valid on both sides",
        json!({
        "klarna_to_gateway": at_gateway.len(), "gateway_to_partner": at_partner.len()}),
    );
    Ok((at_gateway, at_partner))
}

fn seen(value: &Value, id: &str, kind: &str) -> Result<Seen> {
    Ok(Seen { event_id: text(value, id)?.to_owned(), event_type: text(value, kind)?.to_owned() })
}

async fn reaches(partner: &Caller, payment_id: &str, state: &str) -> Result<Value> {
    until(&format!("the payment to be {state}"), async || {
        let payment = partner.call(Method::GET, &format!("/v1/payments/{payment_id}"), None).await?;
        Ok((payment["state"] == state).then_some(payment))
    })
    .await
}

fn expect_state(payment: &Value, state: &str) -> Result<()> {
    if payment["state"] != state {
        bail!("the payment is {}, expected {state}", payment["state"]);
    }
    Ok(())
}

fn first_plan(html: &str) -> Option<&str> {
    let rest = &html[html.find("name=\"plan\"")?..];
    let rest = &rest[rest.find("value=\"")? + 7..];
    rest.get(..rest.find('"')?)
}

fn money(minor: i64) -> String {
    format!("{}.{:02} EUR", minor / 100, minor % 100)
}

fn print(report: &Report) {
    let (good, bad, dim) = (console::Style::new().green(), console::Style::new().red(), console::Style::new().dim());
    script::print(&report.steps);
    for (side, events) in [
        ("Klarna → gateway, signed", &report.klarna_events_at_the_gateway),
        ("gateway → Partner, signed", &report.gateway_events_at_the_partner),
    ] {
        if !events.is_empty() {
            println!("\n{side}");
        }
        for event in events {
            println!("  {:<45} {}", event.event_type, dim.apply_to(&event.event_id));
        }
    }
    match &report.error {
        None => println!("\n{}", good.apply_to("One payment went through both ends; both sides' books agree.")),
        Some(error) => println!("\n{} {error}", bad.apply_to("failed:")),
    }
}
