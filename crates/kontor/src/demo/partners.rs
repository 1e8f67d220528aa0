//! `kontor demo partners`: the life of Partners on both ends, step by step, each step checked.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use gateway::access;
use http::Method;
use kit::clock::Clock;
use kit::random::Random;
use kit::shutdown::Shutdown;
use network::seed::Credentials;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::script::{self, Caller, Klarna, Script, Step, text, until};
use super::{start_ends, storage};
use crate::cli::{DemoPartnersArgs, Side};

/// Countries, and a number as each one's register writes it.
const COUNTRIES: [(&str, &str); 5] =
    [("DE", "HRB 123456"), ("SE", "556000-0001"), ("DK", "12345678"), ("AT", "FN 123456a"), ("BE", "0123.456.789")];
/// A first payment may take this long from the moment in which Klarna approved the Partner, in milliseconds.
const FIRST_PAYMENT_MS_MAX: f64 = 1_000.0;

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the script, prints what happened, and fails if anything was not as it should be.
pub async fn partners(args: &DemoPartnersArgs) -> Result<ExitCode> {
    let folder = std::env::temp_dir().join(format!("kontor-demo-{}", Random::system().alphanumeric(12)));
    let stop = Shutdown::new();
    let mut script = Script::new(args.json)?;
    let outcome = play(&mut script, &folder, args.seed, &stop).await;
    let steps = script.finish();
    stop.trigger();
    drop(std::fs::remove_dir_all(&folder));

    let error = outcome.err().map(|error| format!("{error:#}"));
    let report = Report { ok: error.is_none(), steps, error };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        script::print(&report.steps);
        match &report.error {
            None => println!("\n{}", console::Style::new().green().apply_to("Both ends agree on every Partner.")),
            Some(error) => println!("\n{} {error}", console::Style::new().red().apply_to("failed:")),
        }
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Scene {
    operator: Caller,
    klarna: Klarna,
    credentials: Credentials,
}

/// A Partner of the script.
struct Onboarded {
    path: String,
    account: String,
    key: String,
}

async fn play(script: &mut Script, folder: &std::path::Path, seed: u64, stop: &Shutdown) -> Result<()> {
    let any = "127.0.0.1:0".parse()?;
    script.begin("starting both ends");
    let ends = start_ends(folder, seed, any, any, None, stop).await?;
    let db = storage(folder).open(Side::Gateway, gateway::MIGRATIONS).await?;
    let made = access::create_operator(&db, &Clock::system(), &Random::system(), "demo").await?;
    drop(db);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let key = ends.credentials.acquiring_partner.api_key.clone();
    let scene = Scene {
        operator: Caller {
            http: http.clone(),
            base: ends.gateway.url.clone(),
            key: made.api_key.expose_secret().to_owned(),
        },
        klarna: Klarna { http, base: ends.network.url.clone(), key },
        credentials: ends.credentials.clone(),
    };
    until("the gateway's subscription at the network", async || {
        let webhooks = scene.klarna.get("/v2/notification/webhooks").await?;
        Ok(webhooks["webhooks"].as_array().is_some_and(|list| !list.is_empty()).then_some(()))
    })
    .await?;
    script.done("both ends started", format!("{} and {}", ends.gateway.url, ends.network.url), json!({}));

    let mut first = None;
    for (country, number) in COUNTRIES {
        let whole = scene.whole(&format!("all-{country}"), country, number);
        let onboarded = scene.onboard(script, &format!("{country}, all data"), &whole).await?;
        first.get_or_insert(onboarded);
        let least = scene.least(&format!("least-{country}"), country, number);
        scene.onboard(script, &format!("{country}, the minimum"), &least).await?;
    }
    let first = first.context("a Partner")?;
    scene.reject(script).await?;
    scene.operational(script, &first).await?;
    scene.suspend_here(script, &first).await?;
    scene.suspend_there(script, &first).await?;
    scene.drift(script, &first).await?;
    scene.offboard(script, &first).await?;
    ends.gateway.stop().await?;
    ends.network.stop().await
}

impl Scene {
    /// What a submission needs, and no more.
    fn least(&self, reference: &str, country: &str, number: &str) -> Value {
        let seeded = &self.credentials.acquiring_partner;
        json!({"reference": reference, "name": format!("Nordlicht {reference}"), "contact": {"email": "ada@nordlicht.example"},
            "payment_profile_id": seeded.payment_profile_id,
            "business_entities": [{"reference": "entity", "legal_name": "Nordlicht", "country": country,
                "registration": {"number": number, "authority": "Register"}}],
            "store_groups": [{"reference": "main"}],
            "stores": [{"reference": "web", "store_group": "main", "type": "WEBSITE", "url": "https://nordlicht.example"}],
            "payment_accounts": [{"reference": format!("{reference}-pa"), "business_entity": "entity", "store_group": "main",
                "acquiring_account_id": seeded.payment_acquiring_account_id, "merchant_category_code": "5941"}]})
    }

    /// Everything that can be said of a Partner.
    fn whole(&self, reference: &str, country: &str, number: &str) -> Value {
        let mut body = self.least(reference, country, number);
        let address = json!({"street_address": "Weg 1", "street_address2": "Hof", "postal_code": "10115", "city": "Stadt", "region": "N", "country": country});
        body["contact"] = json!({"given_name": "Ada", "family_name": "Vester", "email": "ada@nordlicht.example", "phone": "+4930111222"});
        body["sign_up"] = json!({"ip_address": "203.0.113.77", "signed_up_at": "2025-12-01T10:00:00Z"});
        body["business_entities"][0] = json!({"reference": "entity", "legal_name": "Nordlicht", "country": country,
            "merchant_category_codes": ["5941"],
            "registration": {"number": number, "authority": "Register", "entity_type": "LIMITED_LIABILITY_COMPANY", "tax_number": "T 1",
                "financial_conduct_authority_number": "123456", "address": address},
            "operating_addresses": [address],
            "stakeholders": [{"given_name": "Ada", "family_name": "Vester", "address": address, "date_of_birth": "1961-02-03",
                "national_identification": {"number": "19610203", "country": country}, "roles": ["OWNER", "DIRECTOR"]}],
            "payouts": {"status": "ENABLED", "enabled_at": "2026-01-01T00:00:00Z", "delay_days": 2, "bank_accounts": [
                {"type": "IBAN", "holder": "Nordlicht", "bic": "NDEASEGGXXX", "iban": "DE89370400440532013000"}]}});
        body["brands"] = json!([{"reference": "brand", "display_name": "Nordlicht", "logo_url": "https://cdn.example/l.png",
            "icon_url": "https://cdn.example/i.png", "feature_image_url": "https://cdn.example/f.png"}]);
        body["store_groups"] = json!([{"reference": "main", "brand": "brand", "support_contact": {"email": "help@nordlicht.example",
            "phone": "+4930111223", "contact_form": "https://nordlicht.example/help"},
            "social_media_links": [{"provider": "FACEBOOK", "url": "https://social.example/n"}]}]);
        body["stores"] = json!([body["stores"][0],
            {"reference": "app", "store_group": "main", "type": "MOBILE_APP", "platform": "IOS", "bundle_names": ["example.nordlicht"]},
            {"reference": "shop", "store_group": "main", "type": "PHYSICAL_STORE", "address": address}]);
        body
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.operator.call(Method::POST, path, Some(body)).await
    }

    async fn read(&self, path: &str) -> Result<Value> {
        self.operator.call(Method::GET, path, None).await
    }

    async fn reaches(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        until(what, async || {
            let partner = self.read(path).await?;
            Ok(is(&partner).then_some(partner))
        })
        .await
    }

    fn shop(&self, key: &str) -> Caller {
        Caller { http: self.operator.http.clone(), base: self.operator.base.clone(), key: key.to_owned() }
    }

    async fn pay(&self, key: &str) -> Result<Value> {
        let payment = self.shop(key).call(Method::POST, "/v1/payments", Some(order())).await?;
        if payment["state"] != "REQUIRES_CUSTOMER_ACTION" {
            bail!("the payment is {}", payment["state"]);
        }
        Ok(payment)
    }

    /// New payments are refused; what was said.
    async fn cannot_pay(&self, key: &str) -> Result<String> {
        let (status, said) = self.shop(key).refused(Method::POST, "/v1/payments", Some(order())).await?;
        let message = text(&said, "/error_message")?;
        if status != 403 {
            bail!("a payment was refused with {status}: {message}");
        }
        Ok(message.to_owned())
    }

    /// From a description to the first payment, which must follow the approval within a second.
    async fn onboard(&self, script: &mut Script, what: &str, body: &Value) -> Result<Onboarded> {
        script.begin(what);
        let made = self.post("/v1/partners", body.clone()).await?;
        let path = format!("/v1/partners/{}", text(&made, "/id")?);
        let improvements =
            self.read(&format!("{path}/readiness")).await?["improvements"].as_array().map_or(0, Vec::len);
        let submitted = self.post(&format!("{path}/submit"), json!({})).await?;
        let approved = Instant::now();
        let account = text(&submitted, "/klarna_account_id")?.to_owned();
        let key = self.post(&format!("{path}/api-keys"), json!({})).await?;
        let key = text(&key, "/api_key")?.to_owned();
        let payment = self.pay(&key).await?;
        let first_payment_ms = (approved.elapsed().as_secs_f64() * 1e5).round() / 100.0;
        if first_payment_ms > FIRST_PAYMENT_MS_MAX {
            bail!("{what}: the first payment came {first_payment_ms} ms after the approval");
        }
        script.done(
            format!("onboarded: {what}"),
            format!("first payment {first_payment_ms} ms after the approval; {improvements} data points could be added"),
            json!({"reference": body["reference"], "klarna_account_id": account, "state": submitted["state"], "payment_id": payment["id"],
                "first_payment_ms_after_approval": first_payment_ms, "improvements": improvements}),
        );
        Ok(Onboarded { path, account, key })
    }

    async fn reject(&self, script: &mut Script) -> Result<()> {
        script.begin("being rejected by the screening");
        let made = self.post("/v1/partners", self.least("nobody+reject", "SE", "556000-0001")).await?;
        let path = format!("/v1/partners/{}", text(&made, "/id")?);
        let (status, _) = self.operator.refused(Method::POST, &format!("{path}/submit"), Some(json!({}))).await?;
        let read = self.read(&path).await?;
        let reason = text(&read, "/refusal/error_message")?;
        if (status, &read["state"]) != (403, &json!("DRAFT")) {
            bail!("the rejected Partner is {} after a {status}", read["state"]);
        }
        script.done(
            "rejected by screening",
            reason,
            json!({"refusal": read["refusal"], "next_step": read["next_step"]}),
        );
        Ok(())
    }

    async fn operational(&self, script: &mut Script, partner: &Onboarded) -> Result<()> {
        script.begin("waiting for Klarna's setup");
        let is = |read: &Value| read["state"] == "OPERATIONAL" && read["unconfirmed_changes"] == 0;
        self.reaches(&partner.path, "the account to be operational", is).await?;
        script.done("operational", "Klarna's webhook came", json!({}));
        Ok(())
    }

    async fn product(&self, partner: &Onboarded) -> Result<Value> {
        let products = self.klarna.get(&format!("/v2/accounts/{}/products/payment", partner.account)).await?;
        Ok(products[0].clone())
    }

    async fn expect_product(&self, partner: &Onboarded, state: &str) -> Result<()> {
        let product = self.product(partner).await?;
        if product["state"] != state {
            bail!("the product at Klarna is {}, expected {state}", product["state"]);
        }
        Ok(())
    }

    async fn suspend_here(&self, script: &mut Script, partner: &Onboarded) -> Result<()> {
        script.begin("suspending on our side");
        let why = json!({"reason": "SUSPICIOUS_ACTIVITY", "details": "Many refunds to one card."});
        let suspended = self.post(&format!("{}/suspend", partner.path), why).await?;
        let said = self.cannot_pay(&partner.key).await?;
        self.expect_product(partner, "DISABLED").await?;
        script.done("suspended by us", said, json!({"suspension": suspended["suspension"], "at_klarna": "DISABLED"}));
        script.begin("resuming");
        self.post(&format!("{}/resume", partner.path), json!({})).await?;
        self.expect_product(partner, "ENABLED").await?;
        self.pay(&partner.key).await?;
        script.done("resumed by us", "payments are taken again", json!({"at_klarna": "ENABLED"}));
        Ok(())
    }

    async fn suspend_there(&self, script: &mut Script, partner: &Onboarded) -> Result<()> {
        script.begin("Klarna decides against the Partner");
        let decisions = format!("/testing/accounts/{}/compliance/decisions", partner.account);
        let fraud = json!({"decision_type": "FRAUDULENT_BEHAVIOUR"});
        self.klarna.call(Method::POST, &decisions, Some(fraud)).await?;
        let is = |read: &Value| read["suspension"]["reason"] == "FRAUDULENT_BEHAVIOUR";
        let read = self.reaches(&partner.path, "Klarna's suspension", is).await?;
        let said = self.cannot_pay(&partner.key).await?;
        let (status, _) =
            self.operator.refused(Method::POST, &format!("{}/resume", partner.path), Some(json!({}))).await?;
        script.done(
            "suspended by Klarna",
            said,
            json!({"suspension": read["suspension"], "next_step": read["next_step"], "our_resume_answered": status}),
        );
        script.begin("Klarna lifts it");
        let product = self.product(partner).await?;
        let lifting =
            format!("/testing/accounts/{}/products/payment/{}/state", partner.account, text(&product, "/product_id")?);
        self.klarna.call(Method::PUT, &lifting, Some(json!({"state": "ENABLED"}))).await?;
        self.reaches(&partner.path, "the lift", |read| read["state"] == "OPERATIONAL").await?;
        self.pay(&partner.key).await?;
        script.done("resumed by Klarna", "payments are taken again", json!({}));
        Ok(())
    }

    /// Three kinds of drift behind the gateway's back: of ours, of Klarna's, and of nobody's.
    async fn drift(&self, script: &mut Script, partner: &Onboarded) -> Result<()> {
        script.begin("changing things behind the gateway's back");
        let read = self.read(&partner.path).await?;
        let brand = text(&read, "/brands/0/klarna_id")?.to_owned();
        let at = format!("/v2/accounts/{}", partner.account);
        let renamed = json!({"display_name": "Somebody else's"});
        self.klarna.call(Method::PATCH, &format!("{at}/brands/{brand}"), Some(renamed)).await?;
        let unheard = json!({"brand_reference": "unheard-of", "display_name": "Unheard of"});
        self.klarna.call(Method::POST, &format!("{at}/brands"), Some(unheard)).await?;
        let state = format!("/testing/accounts/{}/state", partner.account);
        self.klarna.call(Method::PUT, &state, Some(json!({"state": "DISABLED"}))).await?;
        script.done("drifted", "a brand renamed, a brand added, the account disabled", json!({}));

        script.begin("comparing");
        let found = self.post(&format!("{}/alignment", partner.path), json!({})).await?;
        for (field, action) in
            [("brands[0].display_name", "REPAIRED"), ("brands:", "RAISED"), ("klarna_account_state", "ADOPTED")]
        {
            let is = |drift: &Value| {
                drift["action"] == action && drift["field"].as_str().is_some_and(|name| name.starts_with(field))
            };
            if !found["drifts"].as_array().is_some_and(|drifts| drifts.iter().any(is)) {
                bail!("{field} was not {action}: {found}");
            }
        }
        let said = self.cannot_pay(&partner.key).await?;
        script.done("drift found", said, json!({"drifts": found["drifts"]}));

        script.begin("repairing");
        self.klarna.call(Method::PUT, &state, Some(json!({"state": "OPERATIONAL"}))).await?;
        let is = |read: &Value| read["state"] == "OPERATIONAL" && read["unconfirmed_changes"] == 0;
        self.reaches(&partner.path, "the repair", is).await?;
        let shown = self.klarna.get(&format!("{at}/brands/{brand}")).await?;
        if shown["display_name"] != "Nordlicht" {
            bail!("the brand at Klarna is {}", shown["display_name"]);
        }
        script.done("repaired", "the brand has its name again at Klarna", json!({"brand": shown["display_name"]}));
        Ok(())
    }

    async fn offboard(&self, script: &mut Script, partner: &Onboarded) -> Result<()> {
        script.begin("offboarding");
        let ended = self.post(&format!("{}/offboard", partner.path), json!({})).await?;
        let said = self.cannot_pay(&partner.key).await?;
        self.expect_product(partner, "DISABLED").await?;
        let events =
            self.shop(&partner.key).call(Method::GET, "/v1/events?order=asc&type=partner.*&size=100", None).await?;
        let told: Vec<&Value> = events["events"].as_array().into_iter().flatten().map(|event| &event["type"]).collect();
        script.done("offboarded", said, json!({"state": ended["state"], "the_partner_was_told": told}));
        Ok(())
    }
}

fn order() -> Value {
    json!({"amount": 4_990, "currency": "EUR", "reference": "order-1", "return_url": "https://shop.example/thanks"})
}
