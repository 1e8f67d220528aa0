//! `docs/journey.md` is the face of the pages for shoppers: whatever carries a `data-testid` there stands in that list, by page, with its
//! role, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use http::Method;
use serde_json::json;

use crate::browser::{Browser, Page, attribute, tags};
use crate::harness::{End, Wishes, sqlite_place, start as start_end};
use crate::journey::{body, request};
use crate::programs::enable;
use crate::sign_in::authorize;

/// Id and role, by page.
type Face = BTreeMap<String, BTreeSet<(String, String)>>;

/// What the document says: a heading with the page's name, and rows that begin with id and role.
fn documented() -> Face {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/journey.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut face = Face::new();
    let mut page = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            page = heading.split('`').nth(1).map(str::to_owned);
        } else if let (Some(page), Some(row)) = (&page, line.strip_prefix("| `")) {
            let (id, rest) = row.split_once('`').unwrap();
            let role = rest.trim_start_matches([' ', '|']).split('|').next().unwrap().trim().to_owned();
            face.entry(page.clone()).or_default().insert((id.to_owned(), role));
        }
    }
    face
}

fn role(tag: &str) -> &'static str {
    let kind = attribute(tag, "type");
    match (tag.split([' ', '>']).next().unwrap(), kind.as_deref()) {
        ("form", _) => "form",
        ("button", _) => "button",
        ("a", _) => "link",
        ("select", _) => "combobox",
        ("input", Some("radio")) => "radio",
        ("input", Some("checkbox")) => "checkbox",
        ("input", Some("date")) => "date",
        ("input", _) => "textbox",
        ("section", _) => "region",
        ("aside", _) => "complementary",
        ("ul" | "ol", _) => "list",
        _ if attribute(tag, "role").is_some() => {
            if attribute(tag, "role").as_deref() == Some("alert") {
                "alert"
            } else {
                "status"
            }
        }
        _ => "text",
    }
}

/// Notes what a page shows.
fn note(face: &mut Face, page: &Page) {
    let last = page.path.split('?').next().unwrap().rsplit('/').next().unwrap();
    let place = if page.path.contains("/lp/idp/") { "sign-in/" } else { "" };
    let name = match (page.end(), last) {
        (Some(_), _) => format!("{place}end"),
        // Also where too many wrong codes lead back to it.
        (None, _) if page.html.contains("id=\"contact-form\"") => format!("{place}contact"),
        (None, last) => format!("{place}{last}"),
    };
    let shown = face.entry(name).or_default();
    for tag in tags(&page.html) {
        let id = attribute(tag, "data-testid");
        let is_form = tag.starts_with("form ");
        if let Some(mut id) = id.or_else(|| attribute(tag, "id").filter(|_| is_form)) {
            if id == "test-band" {
                continue;
            }
            if id.starts_with("plan-") && id != "plan-form" {
                "plan-<code>".clone_into(&mut id);
            } else if id.starts_with("option-") {
                "option-<reference>".clone_into(&mut id);
            }
            shown.insert((id, role(tag).to_owned()));
        }
    }
}

async fn walk_purchase(end: &End, face: &mut Face) {
    enable(end, "Financing, 6 months", json!({})).await;
    let (_, start) = request(end, &body()).await;
    let mut browser = Browser::new(end);
    let contact = browser.get(&start).await;
    note(face, &contact);
    note(face, &browser.send(&contact, "contact-form", &[("contact", "?")]).await);
    let code = browser.send(&contact, "contact-form", &[("contact", "someone@people.example")]).await;
    note(face, &code);
    note(face, &browser.send(&code, "code-form", &[("code", "1")]).await);
    let details = browser.send(&code, "code-form", &[("code", "123456")]).await;
    note(face, &details);
    note(face, &browser.send(&details, "details-form", &[]).await);
    let plan = browser.open_account(&details).await;
    note(face, &plan);
    note(face, &browser.send(&plan, "plan-form", &[]).await);
    let review = browser.send(&plan, "plan-form", &[("plan", "financing_6")]).await;
    note(face, &review);
    note(face, &browser.send(&review, "refuse-form", &[]).await);
    note(face, &browser.get(&review.path).await);
    // Another way round: five wrong codes, leaving without a way back, and a verdict that takes its time.
    let mut asked = body();
    asked["customer_interaction_config"] = json!({"method": "QR_CODE"});
    let (_, start) = request(end, &asked).await;
    let contact = browser.get(&start).await;
    let code = browser.send(&contact, "contact-form", &[("contact", "customer+pend-accept-09@email.us")]).await;
    for _ in 0..5 {
        note(face, &browser.send(&code, "code-form", &[("code", "999999")]).await);
    }
    note(face, &browser.send(&contact, "leave-form", &[]).await);
    let review = browser.walk_to_review(&start, "customer+pend-accept-09@email.us", "pay_now").await;
    note(face, &browser.send(&review, "confirm-form", &[]).await);
    // Only a token: no plan.
    let token = json!({
        "currency": "EUR", "request_customer_token": {"scopes": ["payment:customer_present"]},
        "customer_interaction_config": {"method": "QR_CODE"},
    });
    let (_, start) = request(end, &token).await;
    let page = browser.get(&start).await;
    let page = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
    note(face, &browser.send(&page, "code-form", &[("code", "123456")]).await);
    note(face, &browser.get("/eu/requests/0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de/start?token=x").await);
}

async fn walk_sign_in(end: &End, face: &mut Face) {
    let mut browser = Browser::new(end);
    let contact = browser.get(&authorize(end, &[])).await;
    note(face, &contact);
    note(face, &browser.send(&contact, "contact-form", &[("contact", "?")]).await);
    let code = browser.send(&contact, "contact-form", &[("contact", "other@people.example")]).await;
    note(face, &code);
    note(face, &browser.send(&code, "code-form", &[("code", "1")]).await);
    for _ in 0..5 {
        note(face, &browser.send(&code, "code-form", &[("code", "999999")]).await);
    }
    let code = browser.send(&contact, "contact-form", &[("contact", "other@people.example")]).await;
    let details = browser.send(&code, "code-form", &[("code", "123456")]).await;
    note(face, &details);
    note(face, &browser.send(&details, "details-form", &[]).await);
    let consent = browser.open_account(&details).await;
    note(face, &consent);
    browser.send(&consent, "consent-form", &[]).await;
    note(face, &browser.get(&consent.path).await);
    note(face, &browser.get(&authorize(end, &[("client_id", "")])).await);
}

/// The step that the Web SDK's page answers.
async fn walk_shipping(end: &End, face: &mut Face) {
    let mut asked = body();
    asked["shipping_config"] = json!({"mode": "EDITABLE", "supported_countries": ["DE"]});
    let (id, start) = request(end, &asked).await;
    let access_token = start.split("token=").nth(1).unwrap();
    let path = format!(
        "/websdk/payment-requests/{id}/{{}}?client_id={}&partner_account_id={}",
        end.credentials.partner.client_id,
        end.partner()
    );
    let origin = [("origin", "https://shop.example")];
    let launch = json!({"access_token": access_token, "display": "POPUP", "answers_shipping": true});
    end.send(Method::POST, &path.replace("{}", "launch"), &origin, Some(&launch)).await.expect(200);
    let mut browser = Browser::new(end);
    let page = browser.get(&start).await;
    let page = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
    let page = browser.send(&page, "code-form", &[("code", "123456")]).await;
    page.is_at("shipping");
    note(face, &page);
    note(face, &browser.send(&page, "shipping-form", &[]).await);
    let address = [
        ("given_name", "Ada"),
        ("family_name", "Vester"),
        ("street_address", "Main 1"),
        ("postal_code", "10115"),
        ("city", "Berlin"),
        ("country", "DE"),
    ];
    note(face, &browser.send(&page, "shipping-form", &address).await);
    let option = json!({"shipping_option_reference": "std", "amount": 490, "display_name": "Home"});
    let answer = json!({"access_token": access_token, "sequence": 1, "shipping_options": [option]});
    end.send(Method::POST, &path.replace("{}", "shipping-change"), &origin, Some(&answer)).await.expect(200);
    note(face, &browser.get(&page.path).await);
}

#[tokio::test]
async fn the_document_lists_every_element_that_tests_may_stand_on() {
    let place = sqlite_place();
    let end = start_end(&place, Wishes::default()).await;
    let mut face = Face::new();
    walk_purchase(&end, &mut face).await;
    walk_shipping(&end, &mut face).await;
    walk_sign_in(&end, &mut face).await;
    // Where a way leads out of these pages, there is nothing of ours to stand on.
    face.retain(|_, rows| !rows.is_empty());
    let documented = documented();
    let rows = |face: &Face| {
        let lines =
            face.iter().flat_map(|(page, rows)| rows.iter().map(move |(id, role)| format!("{page} | {id} | {role}")));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert!(documented == face, "docs/journey.md says\n{}\n\nand the pages show\n{}", rows(&documented), rows(&face));
}
