//! How Klarna is shown: in a checkout, to whom, for how long, and on the pages before.

use http::Method;
use network::accounts;
use protocol::{PartnerAccountId, markets};
use serde_json::{Value, json};

use crate::harness::{Answer, End, ends};
use crate::programs::enable;

const PAYING: &str = "locale=de-DE&currency=EUR&amount=4990&intents[]=PAY";

async fn show(end: &End, query: &str, headers: &[(&str, &str)]) -> Answer {
    get(end, &format!("/v2/accounts/{}/payment/presentation?{query}", end.partner()), headers).await
}

async fn get(end: &End, path: &str, headers: &[(&str, &str)]) -> Answer {
    let authorization = format!("Basic {}", end.ap_key());
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend(headers);
    end.send(Method::GET, path, &all, None).await
}

async fn promote(end: &End, placement: &str, query: &str) -> Answer {
    get(end, &format!("/v2/accounts/{}/payment/messaging/{placement}?{query}", end.partner()), &[]).await
}

async fn test_token(end: &End, journey: &str) -> String {
    let path = format!("/v2/accounts/{}/interoperability/test-tokens", end.partner());
    let made = end.ap(Method::POST, &path, Some(&json!({"customer_journey": journey}))).await.expect(200);
    made["interoperability_token"].as_str().unwrap().to_owned()
}

async fn set_product(end: &End, state: &'static str) {
    let account: PartnerAccountId = end.partner().parse().unwrap();
    let now = end.ctx.clock.now();
    let set = end
        .ctx
        .db
        .write(move |tx| Box::pin(async move { accounts::set_product_state(tx, &account, state, now).await }));
    set.await.unwrap();
}

fn instruction(answer: &Answer) -> String {
    answer.expect(200)["instruction"].as_str().unwrap().to_owned()
}

/// Below this network end.
fn path_of(url: &Value) -> String {
    let url = url.as_str().unwrap();
    url[url.find("/presentation/").unwrap()..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_shown_klarna_in_words_of_the_locale() {
    for end in ends().await {
        let shown = show(&end, PAYING, &[]).await.expect(200);
        assert_eq!(shown["instruction"], "SHOW_KLARNA");
        assert_eq!(shown["saved_payment_option"], Value::Null);
        let option = &shown["payment_option"];
        assert_eq!(option["payment_option_id"], "S0xBUk5B");
        assert_eq!(option["subheader"]["text"], "Sofort, später oder in Teilen zahlen");
        let enriched = option["subheader"]["enriched"]["text"].as_str().unwrap().replace('\u{a0}', " ");
        assert_eq!(enriched, "In 3 Teilen ohne Zinsen zahlen: 16,64 € + 2 × 16,63 €.");
        assert_eq!(option["payment_button"]["text"], "Weiter mit");
        assert_eq!(option["payment_button"]["label"], "Weiter mit Klarna");
        assert_eq!(option["message"]["parts"][1]["context"], "INFO");
        for picture in ["badge_image_url", "rectangle_image_url", "square_image_url"] {
            let answer = end.send(Method::GET, &path_of(&option["icon"][picture]), &[], None).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/svg+xml")));
            assert!(!answer.text.to_lowercase().contains("klarna"));
        }
        let button = end.send(Method::GET, &path_of(&option["payment_button"]["image_url"]), &[], None).await;
        assert_eq!(button.status, 200);
        let page = end.send(Method::GET, &path_of(&option["message"]["parts"][1]["url"]), &[], None).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<html lang=\"de\"") && page.text.contains("2 × 16,63\u{a0}€"), "{}", page.text);
        assert_eq!(end.send(Method::GET, "/presentation/logo.svg", &[], None).await.status, 404);
        // The id is what a payment request takes.
        let body = json!({"currency": "EUR", "amount": 4990, "payment_option_id": option["payment_option_id"],
            "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/r"},
            "acquiring_config": {"payment_account_id": end.credentials.partner.payment_account_id}});
        end.ap(Method::POST, &format!("/v2/accounts/{}/payment/requests", end.partner()), Some(&body))
            .await
            .expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_asks_for_itself_and_nobody_for_strangers() {
    for end in ends().await {
        for path in ["/v2/payment/presentation", "/v1/payment/presentation"] {
            end.call(end.partner_key(), Method::GET, &format!("{path}?{PAYING}"), None).await.expect(200);
        }
        let foreign = "/v2/accounts/krn:partner:global:account:test:NOBODY00/payment/presentation";
        end.ap(Method::GET, &format!("{foreign}?{PAYING}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        // The account above sells nothing itself.
        assert_eq!(instruction(&get(&end, &format!("/v2/payment/presentation?{PAYING}"), &[]).await), "HIDE_KLARNA");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_better_a_customer_is_known_the_more_klarna_is_put_forward() {
    for end in ends().await {
        let customer = end.credentials.partner.customer_token.clone().unwrap();
        let shown = show(&end, PAYING, &[("klarna-customer-token", &customer)]).await;
        assert_eq!(instruction(&shown), "PRESELECT_KLARNA");
        let saved = &shown.json()["saved_payment_option"];
        assert_eq!(saved["badge"]["text"], "Gespeichert");
        assert_ne!(saved["payment_option_id"], "S0xBUk5B");
        assert_eq!(
            instruction(&show(&end, PAYING, &[("x-klarna-customer-token", &customer)]).await),
            "PRESELECT_KLARNA"
        );

        for journey in ["SIGN_IN_WITH_KLARNA", "KLARNA_PRE_QUALIFICATION", "KLARNA_ACCOUNT_LINKING"] {
            let token = test_token(&end, journey).await;
            for header in ["klarna-network-session-token", "klarna-interoperability-token"] {
                let shown = show(&end, PAYING, &[(header, &token)]).await;
                assert_eq!(instruction(&shown), "PRESELECT_KLARNA", "{journey}");
                assert_eq!(shown.json()["payment_status"], "REQUIRES_CUSTOMER_ACTION");
                assert_eq!(shown.json()["saved_payment_option"], Value::Null);
            }
        }
        let express = test_token(&end, "KLARNA_EXPRESS_CHECKOUT").await;
        let shown = show(&end, PAYING, &[("klarna-network-session-token", &express)]).await;
        assert_eq!(instruction(&shown), "SHOW_ONLY_KLARNA");
        assert_eq!(shown.json()["payment_status"], "PENDING_PARTNER_AUTHORIZATION");
        let other = test_token(&end, "KLARNA_EXPRESS_CHECKOUT").await;
        let both = [("klarna-network-session-token", express.as_str()), ("klarna-interoperability-token", &other)];
        assert_eq!(show(&end, PAYING, &both).await.parameters(), ["Klarna-Interoperability-Token"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_dead_tokens_say_nothing() {
    for end in ends().await {
        let random = [
            ("klarna-customer-token", "krn:partner:eu1:test:identity:customer-token:00000000000000000000000000000000"),
            ("klarna-network-session-token", "krn:network:eu1:test:session-token:e30.e30.x"),
            ("klarna-interoperability-token", "7b0c"),
        ];
        assert_eq!(instruction(&show(&end, PAYING, &random).await), "SHOW_KLARNA");
        let express = test_token(&end, "KLARNA_EXPRESS_CHECKOUT").await;
        let token = [("klarna-network-session-token", express.as_str())];
        let body = json!({"currency": "EUR", "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": "t"},
            "acquiring_config": {"payment_account_id": end.credentials.partner.payment_account_id}});
        let authorization = format!("Basic {}", end.ap_key());
        let headers = [("authorization", authorization.as_str()), token[0]];
        let path = format!("/v2/accounts/{}/payment/authorize", end.partner());
        end.send(Method::POST, &path, &headers, Some(&body)).await.expect(200);
        assert_eq!(instruction(&show(&end, PAYING, &token).await), "SHOW_KLARNA", "spent");
        let customer = end.credentials.partner.customer_token.clone().unwrap();
        let customer = [("klarna-customer-token", customer.as_str())];
        let headers = [("authorization", authorization.as_str()), customer[0]];
        let path = format!("/v2/accounts/{}/identity/customer-token/revoke", end.partner());
        assert_eq!(end.send(Method::POST, &path, &headers, Some(&json!({}))).await.status, 204);
        assert_eq!(instruction(&show(&end, PAYING, &customer).await), "SHOW_KLARNA", "revoked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn klarna_is_hidden_where_it_cannot_be_used() {
    for end in ends().await {
        for query in [
            "locale=de-DE&currency=JPY&amount=4990",
            "locale=ja-JP&currency=EUR&amount=4990",
            "locale=de-DE&currency=EUR&amount=99",
            "locale=de-DE&currency=EUR&amount=1000001",
            "locale=en-US&country=JP&currency=EUR&amount=4990",
        ] {
            let shown = show(&end, query, &[]).await;
            assert_eq!(shown.expect(200), json!({"instruction": "HIDE_KLARNA"}), "{query}");
        }
        let customer = end.credentials.partner.customer_token.clone().unwrap();
        for state in ["DISABLED", "TERMINATED"] {
            set_product(&end, state).await;
            let shown = show(&end, PAYING, &[("klarna-customer-token", &customer)]).await;
            assert_eq!(shown.expect(200), json!({"instruction": "HIDE_KLARNA"}), "{state}");
            assert_eq!(
                promote(&end, "credit-promotion-badge", "locale=de-DE&currency=EUR&amount=4990").await.status,
                204
            );
        }
        set_product(&end, "ENABLED").await;
        assert_eq!(instruction(&show(&end, PAYING, &[]).await), "SHOW_KLARNA");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_intent_has_its_button_and_abroad_only_paying_at_once_is_offered() {
    for end in ends().await {
        let button = async |query: &str| {
            let shown = show(&end, &format!("locale=en-IE&currency=EUR&{query}"), &[]).await.expect(200);
            shown["payment_option"]["payment_button"]["label"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(button("amount=4990").await, "Continue with Klarna");
        assert_eq!(
            button("amount=4990&intents[]=SUBSCRIBE&subscription_billing_interval=MONTH&subscription_billing_interval_frequency=1").await,
            "Subscribe with Klarna"
        );
        assert_eq!(button("intents[]=ADD_TO_WALLET").await, "Add Klarna");
        assert_eq!(button("intents[]=SIGNIN").await, "Sign in with Klarna");
        assert_eq!(button("intent=SIGNUP").await, "Sign up with Klarna");
        assert_eq!(button("intents[]=DONATE&intents[]=SIGNIN&amount=500").await, "Donate with Klarna");
        assert_eq!(
            button("amount=4990&intents=PAY,ADD_TO_WALLET&app_return_url=YXBwTmFtZTovL0tsYXJuYVBheW1lbnQ=").await,
            "Continue with Klarna"
        );
        let abroad = show(&end, "locale=en-IE&currency=USD&amount=4990", &[]).await.expect(200);
        assert_eq!(abroad["payment_option"]["message"]["parts"][0]["text"], "Pay $49.90 today. ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_faulty_parameter_is_named() {
    for end in ends().await {
        let faults = show(
            &end,
            "locale=german&country=DEU&currency=EURO&intents[]=STEAL&intent=GIVE&amount=0&subscription_billing_interval=AGE\
             &subscription_billing_interval_frequency=0&app_return_url=app://x&acquiring_config[payment_account_id]=&acquiring_config[payment_account_reference]=",
            &[],
        )
        .await;
        faults.refused(400, "VALIDATION_ERROR");
        assert_eq!(
            faults.parameters(),
            [
                "locale",
                "country",
                "currency",
                "intents[0]",
                "intent",
                "amount",
                "subscription_billing_interval",
                "subscription_billing_interval_frequency",
                "app_return_url"
            ]
        );
        assert_eq!(show(&end, "", &[]).await.parameters(), ["locale", "currency"]);
        assert_eq!(show(&end, "locale=de-DE&currency=EUR", &[]).await.parameters(), ["amount"]);
        assert_eq!(show(&end, "locale=de-DE&currency=EUR&intents[]=SUBSCRIBE", &[]).await.parameters(), ["amount"]);
        let absent = "krn:partner:global:account:payment-account:00000000-0000-4000-8000-000000000000";
        let query = format!("{PAYING}&acquiring_config[payment_account_id]={absent}");
        assert_eq!(show(&end, &query, &[]).await.parameters(), ["acquiring_config.payment_account_id"]);
        let named = &end.credentials.partner.payment_account_id;
        show(&end, &format!("{PAYING}&acquiring_config[payment_account_id]={named}"), &[]).await.expect(200);
        let pair = format!(
            "{PAYING}&acquiring_config[payment_acquiring_account_id]={}&acquiring_config[payment_account_reference]=pa-guaranteed",
            end.credentials.acquiring_partner.payment_acquiring_account_id
        );
        show(&end, &pair, &[]).await.expect(200);

        let faults = promote(
            &end,
            "credit-promotion-badge",
            "locale=x&currency=EURO&amount=-1&payment_amount=x&app_return_url=x",
        )
        .await;
        assert_eq!(faults.parameters(), ["locale", "amount", "payment_amount", "currency", "app_return_url"]);
        assert_eq!(promote(&end, "credit-promotion-badge", "locale=de-DE").await.parameters(), ["amount", "currency"]);
        promote(&end, "sidebar-promotion-auto-size", "locale=de-DE").await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_everybody_may_be_kept_for_five_minutes() {
    for end in ends().await {
        let first = show(&end, PAYING, &[]).await;
        assert_eq!(first.header("cache-control"), Some("private, max-age=300"));
        let varies =
            first.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(",");
        assert!(varies.contains("klarna-customer-token") && varies.contains("authorization"), "{varies}");
        let etag = first.header("etag").unwrap().to_owned();
        let again = show(&end, PAYING, &[("if-none-match", &format!("\"other\", W/{etag}"))]).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(etag.as_str())));
        let other = show(&end, &PAYING.replace("4990", "4991"), &[("if-none-match", &etag)]).await;
        assert_eq!(other.status, 200);
        let customer = end.credentials.partner.customer_token.clone().unwrap();
        let personal = show(&end, PAYING, &[("klarna-customer-token", &customer), ("if-none-match", &etag)]).await;
        assert_eq!((personal.status, personal.header("cache-control")), (200, Some("private, no-cache")));
        let message = promote(&end, "top-strip-promotion-badge", "locale=de-DE").await;
        assert_eq!((message.status, message.header("cache-control")), (200, Some("private, max-age=300")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_say_for_every_amount_what_the_live_answer_would() {
    for end in ends().await {
        enable(&end, "Financing, 12 months", json!({})).await;
        let path = format!("/v2/accounts/{}/payment/presentation/variants", end.partner());
        let answer = get(&end, &format!("{path}?locale=de-DE&currency=EUR&intents[]=PAY"), &[]).await;
        assert_eq!(answer.header("cache-control"), Some("private, max-age=86400"));
        let list = answer.expect(200)["variants"].as_array().unwrap().clone();
        let mut next = 0;
        for variant in &list {
            assert_eq!(variant["minimum_amount"], json!(next));
            let maximum = variant["maximum_amount"].as_i64().unwrap();
            for amount in [next.max(1), maximum] {
                let live = show(&end, &format!("locale=de-DE&currency=EUR&amount={amount}"), &[]).await.expect(200);
                let kept = &variant["presentation"];
                assert_eq!(kept["instruction"], live["instruction"], "{amount}");
                assert_eq!(
                    kept["payment_option"]["subheader"]["text"], live["payment_option"]["subheader"]["text"],
                    "{amount}"
                );
                assert!(!kept["payment_option"]["message"]["text"].as_str().unwrap_or_default().contains('€'));
            }
            next = maximum + 1;
        }
        assert_eq!(next, 2_147_483_648);
        assert!(list.len() >= 5, "{list:?}");
        let faults = get(&end, &format!("{path}?intents[]=STEAL"), &[]).await;
        assert_eq!(faults.parameters(), ["locale", "currency", "intents[0]"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_shown_from_the_moment_it_is_switched_on() {
    for end in ends().await {
        let query = "locale=sv-SE&currency=SEK&amount=1000000";
        let line = async || show(&end, query, &[]).await.expect(200)["payment_option"]["subheader"]["text"].clone();
        assert_eq!(line().await, "Betala nu, senare eller i delar");
        // One that needs a code waits for it; one for other countries is for them.
        let body = json!({"payment_program_id": crate::programs::program(&end, "Financing, 12 months").await,
            "payment_program_enablement_code": "club"});
        let path =
            format!("/v2/accounts/{}/products/payment/payment-programs/payment-program-enablements", end.partner());
        end.ap(Method::POST, &path, Some(&body)).await.expect(201);
        enable(&end, "Financing, 12 months", json!({"customer_countries": ["NO"]})).await;
        assert_eq!(line().await, "Betala nu, senare eller i delar");
        let id = enable(&end, "Financing, 12 months", json!({"customer_countries": ["SE"]})).await;
        assert_eq!(line().await, "Betala nu, senare eller månadsvis");
        let large =
            promote(&end, "credit-promotion-auto-size", "locale=sv-SE&currency=SEK&amount=6000000").await.expect(200);
        let text = large["content"]["nodes"][0]["value"].as_str().unwrap().replace('\u{a0}', " ");
        assert_eq!(text, "5 356,23 kr i månaden i 12 månader med 12,90 % ränta, totalt 64 274,66 kr.");
        end.ap(Method::DELETE, &format!("{path}/{id}"), None).await.expect(204);
        assert_eq!(line().await, "Betala nu, senare eller i delar");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_stand_where_there_is_something_to_promise() {
    for end in ends().await {
        let auto =
            promote(&end, "credit-promotion-auto-size", "locale=en-GB&currency=GBP&amount=6000").await.expect(200);
        assert_eq!(auto["content"]["nodes"][0]["value"], "Pay in 3 parts without interest: 3 × £20.");
        assert_eq!(auto["content"]["nodes"][2]["name"], "KLARNA_LOGO");
        assert_eq!(auto["icon"], Value::Null);
        let badge = promote(&end, "credit-promotion-badge", "locale=en-GB&currency=GBP&amount=6001").await.expect(200);
        assert_eq!(badge["content"]["nodes"][0]["value"], "Pay in 3 parts without interest: £20.01 + 2 × £20.");
        assert_eq!(badge["content"]["nodes"][2]["name"], "KLARNA_BADGE");
        assert!(badge["icon"]["badge_image_url"].is_string());
        let strip = promote(&end, "top-strip-promotion-auto-size", "locale=en-GB").await.expect(200);
        assert_eq!(strip["message"]["parts"][0]["text"], "Split what you buy into 3 parts without interest. ");
        let older = format!(
            "/v1/accounts/{}/payment/messaging/credit-promotion-badge?locale=en-GB&payment_amount=6000",
            end.partner()
        );
        assert_eq!(
            get(&end, &older, &[]).await.expect(200)["content"]["nodes"][0]["value"],
            auto["content"]["nodes"][0]["value"]
        );
        for query in [
            "locale=en-GB&currency=GBP&amount=200",
            "locale=en-GB&currency=EUR&amount=6000",
            "locale=ja-JP&currency=EUR&amount=6000",
            "locale=en-GB&currency=GBP&amount=2147483647",
        ] {
            assert_eq!(promote(&end, "credit-promotion-badge", query).await.status, 204, "{query}");
        }
        assert_eq!(promote(&end, "top-strip-promotion-badge", "locale=ja-JP").await.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_locale_of_every_market_is_spoken_to() {
    // One engine suffices: nothing here is stored.
    let end = ends().await.into_iter().next().unwrap();
    for market in markets() {
        for locale in market.locales {
            let (currency, amount) =
                (market.currency(), if market.currency().code() == "HUF" { 2_000_000 } else { 100_000 });
            let query = format!("locale={locale}&currency={currency}&amount={amount}");
            assert_eq!(instruction(&show(&end, &query, &[]).await), "SHOW_KLARNA", "{locale}");
            for placement in ["credit-promotion-auto-size", "top-strip-promotion-badge"] {
                promote(&end, placement, &query).await.expect(200);
            }
        }
    }
}
