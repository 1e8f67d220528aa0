//! Who walks the purchase journey: people who are new, known, remembered or recognised; and what they are offered.

use http::Method;
use kit::clock::DAY_US;
use serde_json::json;

use crate::browser::{Browser, attribute, tags};
use crate::harness::{End, ends};
use crate::journey::{body, read, request};
use crate::programs::enable;

/// A page of the journey in a language.
async fn first_page(end: &End, language: &'static str, currency: &str, country: &str) -> String {
    let asked = json!({
        "currency": currency, "amount": 125_900,
        "supplementary_purchase_data": {"customer": {"address": {"country": country}}},
        "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/back"},
    });
    let (_, start) = request(end, &asked).await;
    let mut browser = Browser { language, ..Browser::new(end) };
    let page = browser.get(&start).await;
    page.is_sound();
    page.html.replace(['\u{a0}', '\u{202f}'], " ")
}

#[tokio::test]
async fn whoever_is_new_opens_an_account_and_is_known_from_then_on() {
    for end in ends().await {
        let (_, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let page = browser.get(&start).await;
        let page = browser.send(&page, "contact-form", &[("contact", "Ada@People.example")]).await;
        let details = browser.send(&page, "code-form", &[("code", "123456")]).await;
        details.is_at("details");
        for ahead in ["plan", "review"] {
            browser.get(&details.path.replace("/details", &format!("/{ahead}"))).await.is_at("details");
        }
        let young = [
            ("given_name", "Ada"),
            ("family_name", "V"),
            ("street_address", "M 1"),
            ("postal_code", "1"),
            ("city", "B"),
        ];
        let mut young = young.to_vec();
        young.push(("date_of_birth", "2012-01-01"));
        let refused = browser.send(&details, "details-form", &young).await;
        assert_eq!((refused.status, refused.value("city").as_str()), (422, "B"), "what was typed is kept");
        assert!(refused.html.contains("href=\"#date_of_birth\"") && refused.html.contains("You have to be 18"));
        refused.is_sound();
        browser.open_account(&details).await.is_at("plan");
        // The next purchase, from another browser, asks for a code and nothing else.
        let (_, start) = request(&end, &body()).await;
        let mut other = Browser::new(&end);
        let page = other.get(&start).await;
        let page = other.send(&page, "contact-form", &[("contact", "ada@people.example")]).await;
        other.send(&page, "code-form", &[("code", "123456")]).await.is_at("plan");
        // The published new shopper is new once, too.
        for lands in ["details", "plan"] {
            let (_, start) = request(&end, &body()).await;
            let mut browser = Browser::new(&end);
            let page = browser.get(&start).await;
            let page = browser.send(&page, "contact-form", &[("contact", "customer+new_user@email.de")]).await;
            let page = browser.send(&page, "code-form", &[("code", "123456")]).await;
            page.is_at(lands);
            if lands == "details" {
                browser.open_account(&page).await.is_at("plan");
            }
        }
    }
}

#[tokio::test]
async fn a_browser_that_asked_for_it_needs_no_code_until_it_says_that_it_is_somebody_else() {
    for end in ends().await {
        let (_, start) = request(&end, &body()).await;
        let mut browser = Browser::new(&end);
        let page = browser.get(&start).await;
        let page = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
        browser.send(&page, "code-form", &[("code", "123456"), ("remember", "1")]).await.is_at("plan");
        let (id, start) = request(&end, &body()).await;
        let plan = browser.get(&start).await;
        plan.is_at("plan");
        assert!(plan.html.contains("c•••@email.de"), "{}", plan.html);
        let review = browser.send(&plan, "plan-form", &[("plan", "pay_now")]).await;
        browser.send(&review, "confirm-form", &[]).await.went_away("COMPLETED");
        assert_eq!(read(&end, &id).await["state"], "COMPLETED");
        // One account per market: in another one the same browser is nobody's.
        let swedish =
            json!({"currency": "SEK", "amount": 50_000, "customer_interaction_config": {"method": "QR_CODE"}});
        let (_, start) = request(&end, &swedish).await;
        browser.get(&start).await.is_at("contact");
        let (_, start) = request(&end, &body()).await;
        let plan = browser.get(&start).await;
        browser.send(&plan, "not-you-form", &[]).await.is_at("contact");
        let (_, start) = request(&end, &body()).await;
        browser.get(&start).await.is_at("contact");
        // It is forgotten by itself as well.
        let page = browser.get(&start).await;
        let page = browser.send(&page, "contact-form", &[("contact", "customer@email.de")]).await;
        browser.send(&page, "code-form", &[("code", "123456"), ("remember", "1")]).await.is_at("plan");
        end.ctx.clock.advance(60 * DAY_US);
        let (_, start) = request(&end, &body()).await;
        browser.get(&start).await.is_at("contact");
    }
}

#[tokio::test]
async fn a_customer_token_for_signing_in_spares_the_code() {
    for end in ends().await {
        let mut asked = body();
        asked["request_customer_token"] = json!({"scopes": ["customer:login", "payment:customer_present"]});
        let (id, start) = request(&end, &asked).await;
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "grace@people.example", "pay_now").await;
        browser.send(&review, "confirm-form", &[]).await.went_away("COMPLETED");
        let token = read(&end, &id).await["state_context"]["klarna_customer"]["customer_token"].clone();
        let key = format!("Basic {}", end.ap_key());
        let headers = [("authorization", key.as_str()), ("klarna-customer-token", token.as_str().unwrap())];
        let mut again = body();
        again["acquiring_config"] = json!({"payment_account_id": end.credentials.partner.payment_account_id});
        let path = format!("/v2/accounts/{}/payment/requests", end.partner());
        let made = end.send(Method::POST, &path, &headers, Some(&again)).await.expect(201);
        let url = made["state_context"]["customer_interaction"]["payment_request_url"].as_str().unwrap();
        let start = url.strip_prefix(&end.base).unwrap();
        let plan = Browser::new(&end).get(start).await;
        plan.is_at("plan");
        assert!(plan.html.contains("g•••@people.example"), "{}", plan.html);
        // The same by the first call of the other entry, which makes the request itself.
        let authorize = json!({
            "currency": "EUR", "acquiring_config": again["acquiring_config"],
            "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": "TX-1"},
            "step_up_config": {"customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/back"}},
        });
        let path = format!("/v2/accounts/{}/payment/authorize", end.partner());
        let made = end.send(Method::POST, &path, &headers, Some(&authorize)).await.expect(200);
        let url = made["payment_request"]["payment_request_url"].as_str().unwrap();
        Browser::new(&end).get(url.strip_prefix(&end.base).unwrap()).await.is_at("plan");
        // Once somebody has confirmed, another browser with the link is nobody.
        let mut first = Browser::new(&end);
        let plan = first.get(start).await;
        let review = first.send(&plan, "plan-form", &[("plan", "pay_now")]).await;
        first.send(&review, "confirm-form", &[]).await.went_away("COMPLETED");
        assert_eq!(Browser::new(&end).get(start).await.end().as_deref(), Some("approved"));
    }
}

#[tokio::test]
async fn the_partners_programs_are_offered_with_their_amounts_and_one_is_preselected() {
    for end in ends().await {
        for name in ["Pay in 60 days", "Financing, 12 months"] {
            enable(&end, name, json!({"customer_countries": ["SE"]})).await;
        }
        let asked = json!({
            "currency": "SEK", "amount": 600_000, "payment_option_id": "krn:payment:option:financing_12",
            "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/back"},
        });
        let (_, start) = request(&end, &asked).await;
        let mut browser = Browser::new(&end);
        let page = browser.get(&start).await;
        let page = browser.send(&page, "contact-form", &[("contact", "customer@email.se")]).await;
        let plan = browser.send(&page, "code-form", &[("code", "123456")]).await;
        plan.is_at("plan");
        plan.is_sound();
        let radios: Vec<_> = tags(&plan.html).filter(|tag| attribute(tag, "name").as_deref() == Some("plan")).collect();
        let codes: Vec<_> = radios.iter().filter_map(|tag| attribute(tag, "value")).collect();
        assert_eq!(codes, ["pay_now", "pay_later", "pay_later_60", "pay_in_3", "financing_12"]);
        assert!(radios[4].contains(" checked"), "{radios:?}");
        let text = plan.html.replace('\u{a0}', " ");
        assert!(text.contains("kr 535.63 a month for 12 months"), "{text}");
        assert!(text.contains("12.90 %"), "{text}");
        let review = browser.send(&plan, "plan-form", &[("plan", "financing_12")]).await;
        review.is_at("review");
        review.is_sound();
        let parts: Vec<i64> = tags(&review.html)
            .filter(|tag| tag.starts_with("li "))
            .filter_map(|tag| attribute(tag, "data-minor")?.parse().ok())
            .collect();
        assert_eq!((parts.len(), parts[0]), (12, 53_563));
        assert!(parts[11] <= parts[0] && parts.iter().sum::<i64>() > 600_000, "{parts:?}");
    }
}

#[tokio::test]
async fn an_apps_request_leads_back_to_the_app() {
    for end in ends().await {
        let mut asked = body();
        asked["customer_interaction_config"] = json!({"method": "SDK", "app_return_url": "teashop://back"});
        let (id, start) = request(&end, &asked).await;
        assert!(id.starts_with("krn:payment:eu1:request:"), "the raw id, beside the address: {id}");
        let mut browser = Browser::new(&end);
        let review = browser.walk_to_review(&start, "customer@email.de", "pay_now").await;
        let policy = review.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https: teashop:;"), "{policy}");
        let back = browser.send(&review, "confirm-form", &[]).await;
        assert_eq!(back.away.as_deref(), Some("teashop://back"));
        assert_eq!(read(&end, &id).await["state"], "COMPLETED");
    }
}

#[tokio::test]
async fn pages_speak_the_shoppers_language_and_write_amounts_as_at_home() {
    for end in ends().await {
        for (language, currency, country, lang, title, amount) in [
            ("en", "EUR", "DE", "en", "Who is paying?", "€1,259.00"),
            ("de-AT", "EUR", "AT", "de", "Wer bezahlt?", "1.259,00 €"),
            ("sv-SE", "SEK", "SE", "sv", "Vem betalar?", "1 259,00 kr"),
            ("fr", "EUR", "FR", "fr", "Qui paie ?", "1 259,00 €"),
            ("es-MX", "MXN", "MX", "es", "¿Quién paga?", "$1,259.00"),
            // Whose language we lack, the market's is; whose market's we lack, too, English.
            ("ja", "EUR", "ES", "es", "¿Quién paga?", "1.259,00 €"),
            ("ja", "PLN", "PL", "en", "Who is paying?", "zł 1,259.00"),
        ] {
            let html = first_page(&end, language, currency, country).await;
            assert!(html.contains(&format!("<html lang=\"{lang}\"")), "{language}: {html:.200}");
            assert!(html.contains(title) && html.contains(amount), "{language} {amount}: {html}");
        }
    }
}
