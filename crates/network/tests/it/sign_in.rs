//! Sign in with Klarna, as a client of any OpenID Connect library and a person's browser do it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kit::clock::{DAY_US, MINUTE_US, SECOND_US};
use network::identity::keys::{AGE_US, LEAD_US, Rotation, TRAIL_US, rotate};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::browser::{Browser, Page};
use crate::harness::{self, Answer, End, Wishes, ends, places};

const REDIRECT: &str = "https://shop.example/signed-in?shop=1";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0123";
const SCOPE: &str = "openid offline_access customer:login profile:name profile:email profile:billing_address";

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn client_id(end: &End) -> &str {
    &end.credentials.partner.client_id
}

/// The address that a client sends a person to, with some parameters other than usual; an empty one is left out.
pub fn authorize(end: &End, other: &[(&str, &str)]) -> String {
    let challenge = challenge(VERIFIER);
    let usual = [
        ("client_id", client_id(end)),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", SCOPE),
        ("state", "st ate"),
        ("nonce", "no nce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in usual.iter().filter(|(name, _)| other.iter().all(|(changed, _)| changed != name)).chain(other)
    {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    format!("/eu/lp/idp/oauth2/auth?{}", query.finish())
}

/// A parameter of the address that a browser was sent away to.
fn answered(page: &Page, name: &str) -> Option<String> {
    let away = page.away.as_ref().unwrap_or_else(|| panic!("still at {}: {}", page.path, page.html));
    assert!(away.starts_with(REDIRECT), "{away}");
    let url = url::Url::parse(away).unwrap();
    url.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}

/// As far as the question what to share.
async fn walk(browser: &mut Browser<'_>, start: &str, contact: &str) -> Page {
    let page = browser.get(start).await;
    page.is_at("contact");
    page.is_sound();
    let page = browser.send(&page, "contact-form", &[("contact", contact)]).await;
    page.is_at("code");
    page.is_sound();
    let page = browser.send(&page, "code-form", &[("code", "123456")]).await;
    page.is_at("consent");
    page.is_sound();
    page
}

async fn code(end: &End, other: &[(&str, &str)]) -> String {
    let mut browser = Browser::new(end);
    let consent = walk(&mut browser, &authorize(end, other), "customer@email.de").await;
    let back = browser.send(&consent, "consent-form", &[]).await;
    assert_eq!(answered(&back, "state").as_deref(), Some("st ate"));
    assert_eq!(answered(&back, "iss"), Some(format!("{}/eu/lp/idp", end.base)));
    answered(&back, "code").unwrap()
}

async fn token(end: &End, fields: &[(&str, &str)]) -> Answer {
    end.form("/eu/lp/idp/oauth2/token", &[], fields).await
}

/// The exchange of a code as a page does it, with some fields other than usual.
async fn exchange(end: &End, code: &str, other: &[(&str, &str)]) -> Answer {
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id(end)),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ];
    let fields: Vec<_> = usual
        .iter()
        .filter(|(name, _)| other.iter().all(|(changed, _)| changed != name))
        .chain(other)
        .filter(|(_, value)| !value.is_empty())
        .copied()
        .collect();
    token(end, &fields).await
}

async fn refresh(end: &End, token_text: &str, other: &[(&str, &str)]) -> Answer {
    let usual = [("grant_type", "refresh_token"), ("client_id", client_id(end)), ("refresh_token", token_text)];
    let fields: Vec<_> = usual
        .iter()
        .filter(|(name, _)| other.iter().all(|(changed, _)| changed != name))
        .chain(other)
        .copied()
        .collect();
    token(end, &fields).await
}

async fn user_info(end: &End, tokens: &Value) -> Answer {
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    end.send(Method::GET, "/eu/lp/idp/userinfo", &[("authorization", &bearer)], None).await
}

/// The start of the journey of a purchase that is made with the session of a sign-in.
async fn purchase(end: &End, tokens: &Value) -> String {
    let key = format!("Basic {}", end.partner_key());
    let session = tokens["klarna_network_session_token"].as_str().unwrap();
    let headers = [("authorization", key.as_str()), ("klarna-network-session-token", session)];
    let body = json!({
        "currency": "EUR", "amount": 4990,
        "acquiring_config": {"payment_account_id": end.credentials.partner.payment_account_id},
        "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/back"},
    });
    let made = end.send(Method::POST, "/v2/payment/requests", &headers, Some(&body)).await.expect(201);
    let url = made["state_context"]["customer_interaction"]["payment_request_url"].as_str().unwrap();
    url.strip_prefix(&end.base).unwrap().to_owned()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)), "{}", answer.text);
    assert!(answer.json()["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// Verifies an `id_token` by discovery alone, as any library does.
async fn verified(end: &End, id_token: &str) -> Value {
    let issuer = format!("{}/eu/lp/idp", end.base);
    let found = end.send(Method::GET, "/eu/lp/idp/.well-known/openid-configuration", &[], None).await.expect(200);
    assert_eq!(found["issuer"], issuer.as_str());
    assert_eq!(found["authorization_endpoint"], format!("{issuer}/oauth2/auth"));
    let keys = found["jwks_uri"].as_str().unwrap().strip_prefix(&end.base).unwrap();
    let keys = end.send(Method::GET, keys, &[], None).await;
    assert_eq!(keys.header("access-control-allow-origin"), Some("*"));
    let keys: JwkSet = serde_json::from_value(keys.expect(200)).unwrap();
    let header = jsonwebtoken::decode_header(id_token).unwrap();
    let key = DecodingKey::from_jwk(keys.find(header.kid.as_deref().unwrap()).unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[client_id(end)]);
    // The test's clock is not the wall's.
    rules.validate_exp = false;
    jsonwebtoken::decode::<Value>(id_token, &key, &rules).unwrap().claims
}

/// Leaves a sign-in under way, of somebody who has just opened an account.
pub async fn leave_under_way(end: &End) {
    let mut browser = Browser::new(end);
    let page = browser.get(&authorize(end, &[])).await;
    let page = browser.send(&page, "contact-form", &[("contact", "under-way@people.example")]).await;
    let page = browser.send(&page, "code-form", &[("code", "123456")]).await;
    browser.open_account(&page).await.is_at("consent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_the_client_learns_what_was_agreed() {
    for end in ends().await {
        let code = code(&end, &[]).await;
        let tokens = exchange(&end, &code, &[]).await;
        assert_eq!(tokens.header("cache-control"), Some("no-store"));
        assert_eq!(tokens.header("access-control-allow-origin"), Some("*"), "pages exchange for themselves");
        let tokens = tokens.expect(200);
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(299)));
        assert_eq!(tokens["scope"], SCOPE);
        let claims = verified(&end, tokens["id_token"].as_str().unwrap()).await;
        let now = end.ctx.clock.now() / SECOND_US;
        assert_eq!(
            (&claims["nonce"], &claims["iat"], &claims["exp"]),
            (&json!("no nce"), &json!(now), &json!(now + 299))
        );
        assert_eq!((&claims["given_name"], &claims["family_name"]), (&json!("Test"), &json!("Person-de")));
        assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("customer@email.de"), &json!(true)));
        assert_eq!(claims["billing_address"]["country"], "DE");
        assert!(claims.get("phone").is_none() && claims.get("date_of_birth").is_none(), "not agreed to: {claims}");
        let half = &Sha256::digest(tokens["access_token"].as_str().unwrap().as_bytes())[..16];
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(half));

        let info = user_info(&end, &tokens).await.expect(200);
        for name in ["sub", "given_name", "email", "billing_address"] {
            assert_eq!(info[name], claims[name], "{name}");
        }
        end.ctx.clock.advance(299 * SECOND_US);
        let late = user_info(&end, &tokens).await;
        assert_eq!(late.status, 401);
        assert!(late.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
        assert_eq!(end.send(Method::GET, "/eu/lp/idp/userinfo", &[], None).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkout_knows_who_signed_in_and_the_journey_asks_no_code() {
    for end in ends().await {
        let tokens = exchange(&end, &code(&end, &[]).await, &[]).await.expect(200);
        let session = tokens["klarna_network_session_token"].as_str().unwrap();
        let key = format!("Basic {}", end.partner_key());
        let headers = [("authorization", key.as_str()), ("klarna-network-session-token", session)];
        let account = &end.credentials.partner.payment_account_id;
        let path = format!(
            "/v2/payment/presentation?locale=de-DE&currency=EUR&amount=4990&acquiring_config[payment_account_id]={account}"
        );
        let shown = end.send(Method::GET, &path, &headers, None).await.expect(200);
        assert_eq!(shown["instruction"], "PRESELECT_KLARNA");

        let start = purchase(&end, &tokens).await;
        let mut browser = Browser::new(&end);
        let plan = browser.get(&start).await;
        plan.is_at("plan");
        plan.is_sound();
        assert!(plan.html.contains("c•••@email.de"), "{}", plan.html);
        // Somebody else at the same machine says so, and proves who they are.
        browser.send(&plan, "not-you-form", &[]).await.is_at("contact");
        browser.get(&plan.path).await.is_at("contact");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_customer_login_the_journey_still_asks_for_a_code() {
    for end in ends().await {
        let tokens = exchange(&end, &code(&end, &[("scope", "openid")]).await, &[]).await.expect(200);
        assert!(tokens.get("refresh_token").is_none(), "offline access was not asked for");
        let start = purchase(&end, &tokens).await;
        Browser::new(&end).get(&start).await.is_at("contact");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_address_is_not_the_clients_goes_nowhere() {
    for end in ends().await {
        let named = json!({"config": {"allowed_domains": ["shop.example"], "redirect_uris": ["https://shop.example/in", "shopapp://in"]}});
        let path = "/v2/account/integration/credentials/client-identifier";
        let named = end.call(end.partner_key(), Method::POST, path, Some(&named)).await.expect(201);
        assert_eq!(named["config"]["redirect_uris"], json!(["https://shop.example/in", "shopapp://in"]));
        let named = named["identity"]["client_id"].as_str().unwrap();
        for other in [
            &[("client_id", "")][..],
            &[("client_id", "klarna_test_client_nobody")],
            &[("redirect_uri", "")],
            &[("redirect_uri", "http://shop.example/#x")],
            &[("redirect_uri", "javascript:alert(1)")],
            &[("redirect_uri", "/in")],
            &[("client_id", named), ("redirect_uri", "https://shop.example/in/")],
            &[("client_id", named), ("redirect_uri", "https://evil.example/in")],
            &[("nonce", "a"), ("nonce", "b")],
        ] {
            let mut browser = Browser::new(&end);
            let page = browser.get(&authorize(&end, other)).await;
            assert_eq!((page.status, page.end().as_deref()), (400, Some("wrong")), "{other:?}: {}", page.html);
            page.is_sound();
        }
        for uri in ["https://shop.example/in", "shopapp://in"] {
            let mut browser = Browser::new(&end);
            let start = authorize(&end, &[("client_id", named), ("redirect_uri", uri)]);
            let consent = walk(&mut browser, &start, "customer@email.de").await;
            let policy = consent.headers["content-security-policy"].to_str().unwrap();
            assert!(uri.starts_with("https") || policy.contains("form-action 'self' https: shopapp:;"), "{policy}");
            let away = browser.send(&consent, "consent-form", &[]).await.away.unwrap();
            assert!(away.starts_with(&format!("{uri}?code=")), "{away}");
        }
        for wrong in ["no address", "https://shop.example/#x", "javascript://alert(1)", ""] {
            let body = json!({"config": {"redirect_uris": [wrong]}});
            let answer = end.call(end.partner_key(), Method::POST, path, Some(&body)).await;
            assert_eq!(answer.parameters(), ["config.redirect_uris[0]"], "{wrong}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_is_wrong_is_told_to_the_client() {
    for end in ends().await {
        for (other, error) in [
            (&[("response_type", "token")][..], "unsupported_response_type"),
            (&[("scope", "profile:name")], "invalid_scope"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("code_challenge", "x")], "invalid_request"),
            (&[("prompt", "none")], "login_required"),
        ] {
            let page = Browser::new(&end).get(&authorize(&end, other)).await;
            assert_eq!(answered(&page, "error").as_deref(), Some(error), "{other:?}");
            assert_eq!(answered(&page, "state").as_deref(), Some("st ate"));
            assert_eq!(answered(&page, "code"), None);
        }
        let mut browser = Browser::new(&end);
        let page = browser.get(&authorize(&end, &[])).await;
        let back = browser.send(&page, "leave-form", &[]).await;
        assert_eq!(answered(&back, "error").as_deref(), Some("access_denied"));
        assert_eq!(browser.get(&page.path).await.end().as_deref(), Some("answered"), "that sign-in is over");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_exchanged_once_in_time_by_who_began() {
    for end in ends().await {
        let other_client = {
            let path = "/v2/account/integration/credentials/client-identifier";
            let made = end.call(end.partner_key(), Method::POST, path, Some(&json!({}))).await.expect(201);
            made["identity"]["client_id"].as_str().unwrap().to_owned()
        };
        let spare = code(&end, &[]).await;
        for (other, status, error) in [
            (&[("code_verifier", "another-verifier-of-more-than-forty-three-characters")][..], 400, "invalid_grant"),
            (&[("code_verifier", "")], 400, "invalid_grant"),
            (&[("redirect_uri", "https://shop.example/signed-in")], 400, "invalid_grant"),
            (&[("redirect_uri", "")], 400, "invalid_request"),
            (&[("client_id", other_client.as_str())], 400, "invalid_grant"),
            (&[("client_id", "klarna_test_client_nobody")], 401, "invalid_client"),
            (&[("client_id", "")], 401, "invalid_client"),
            (&[("client_secret", "klarna_test_api_wrong")], 401, "invalid_client"),
            (&[("client_secret", end.ap_key())], 401, "invalid_client"),
            (&[("code", "unknown")], 400, "invalid_grant"),
            (&[("grant_type", "password")], 400, "unsupported_grant_type"),
            (&[("grant_type", "")], 400, "invalid_request"),
        ] {
            refused(&exchange(&end, &spare, other).await, status, error);
        }
        let json_body = end.send(Method::POST, "/eu/lp/idp/oauth2/token", &[], Some(&json!({"code": spare}))).await;
        refused(&json_body, 400, "invalid_request");
        let elsewhere = end
            .form(
                "/na/lp/idp/oauth2/token",
                &[],
                &[
                    ("grant_type", "authorization_code"),
                    ("client_id", client_id(&end)),
                    ("code", &spare),
                    ("code_verifier", VERIFIER),
                    ("redirect_uri", REDIRECT),
                ],
            )
            .await;
        refused(&elsewhere, 400, "invalid_grant");
        // None of that used it up.
        let tokens = exchange(&end, &spare, &[]).await.expect(200);
        assert_eq!(user_info(&end, &tokens).await.status, 200);
        // Whoever brings it again ends what the first one got.
        refused(&exchange(&end, &spare, &[]).await, 400, "invalid_grant");
        assert_eq!(user_info(&end, &tokens).await.status, 401);
        refused(&refresh(&end, tokens["refresh_token"].as_str().unwrap(), &[]).await, 400, "invalid_grant");

        let late = code(&end, &[]).await;
        end.ctx.clock.advance(2 * MINUTE_US);
        refused(&exchange(&end, &late, &[]).await, 400, "invalid_grant");
        // Two exchanges at the same moment: one of them gets the tokens.
        let raced = code(&end, &[]).await;
        let (one, two) = tokio::join!(exchange(&end, &raced, &[]), exchange(&end, &raced, &[]));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_are_rotated_and_a_stolen_one_ends_the_sign_in() {
    for end in ends().await {
        let first = exchange(&end, &code(&end, &[]).await, &[]).await.expect(200);
        let old = first["refresh_token"].as_str().unwrap();
        refused(&refresh(&end, old, &[("client_id", "klarna_test_client_nobody")]).await, 401, "invalid_client");
        refused(&refresh(&end, old, &[("scope", "openid profile:phone")]).await, 400, "invalid_scope");
        refused(&refresh(&end, "unknown", &[]).await, 400, "invalid_grant");
        refused(&refresh(&end, first["access_token"].as_str().unwrap(), &[]).await, 400, "invalid_grant");
        end.ctx.clock.advance(59 * DAY_US);
        let second = refresh(&end, old, &[("scope", "openid offline_access profile:name")]).await.expect(200);
        let claims = verified(&end, second["id_token"].as_str().unwrap()).await;
        let before = verified(&end, first["id_token"].as_str().unwrap()).await;
        assert_eq!((&claims["sub"], &claims["auth_time"]), (&before["sub"], &before["auth_time"]));
        assert!(claims.get("email").is_none() && claims.get("nonce").is_none(), "{claims}");
        let new = second["refresh_token"].as_str().unwrap();
        assert_ne!(new, old);
        assert_eq!(user_info(&end, &second).await.status, 200);
        refused(&refresh(&end, old, &[]).await, 400, "invalid_grant");
        refused(&refresh(&end, new, &[]).await, 400, "invalid_grant");
        assert_eq!(user_info(&end, &second).await.status, 401);

        let third = exchange(&end, &code(&end, &[]).await, &[]).await.expect(200);
        let kept = third["refresh_token"].as_str().unwrap();
        Browser::new(&end).get(&purchase(&end, &third).await).await.is_at("plan");
        let foreign = [("client_id", "klarna_test_client_nobody"), ("token", kept)];
        refused(&end.form("/eu/lp/idp/oauth2/revoke", &[], &foreign).await, 401, "invalid_client");
        let revoke = [("client_id", client_id(&end)), ("token", kept)];
        assert_eq!(end.form("/eu/lp/idp/oauth2/revoke", &[], &revoke).await.status, 200);
        Browser::new(&end).get(&purchase(&end, &third).await).await.is_at("contact");
        refused(&refresh(&end, kept, &[]).await, 400, "invalid_grant");
        let late = exchange(&end, &code(&end, &[]).await, &[]).await.expect(200);
        end.ctx.clock.advance(60 * DAY_US);
        refused(&refresh(&end, late["refresh_token"].as_str().unwrap(), &[]).await, 400, "invalid_grant");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_proves_itself_with_its_api_key_instead() {
    for end in ends().await {
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let spare = code(&end, &without).await;
        refused(&exchange(&end, &spare, &[("code_verifier", "")]).await, 401, "invalid_client");
        let secret = end.partner_key().to_owned();
        let tokens = exchange(&end, &spare, &[("code_verifier", ""), ("client_secret", &secret)]).await.expect(200);
        assert_eq!(user_info(&end, &tokens).await.status, 200);

        let code = code(&end, &without).await;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{secret}", client_id(&end)));
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
        let headers = [("authorization", format!("Basic {basic}"))];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(end.form("/eu/lp/idp/oauth2/token", &headers, &fields).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_person_opens_an_account_once_and_a_browser_is_remembered_on_demand() {
    for end in ends().await {
        let mut browser = Browser::new(&end);
        let page = browser.get(&authorize(&end, &[])).await;
        let page = browser.send(&page, "contact-form", &[("contact", "new@people.example")]).await;
        let details = browser.send(&page, "code-form", &[("code", "123456"), ("remember", "1")]).await;
        details.is_at("details");
        details.is_sound();
        // Nobody gets past it.
        browser.get(&details.path.replace("/details", "/consent")).await.is_at("details");
        let wrong =
            browser.send(&details, "details-form", &[("given_name", "Ada"), ("date_of_birth", "2020-01-01")]).await;
        assert_eq!((wrong.status, wrong.value("given_name").as_str()), (422, "Ada"));
        assert_eq!(
            wrong.html.matches("href=\"#").count(),
            1 + 5,
            "the skip link and every faulty field: {}",
            wrong.html
        );
        wrong.is_sound();
        let filled = browser.get(&details.path.replace("details?remember=1", "details?fill=1&remember=1")).await;
        let fields: Vec<(&str, String)> =
            ["given_name", "family_name", "street_address", "postal_code", "city", "date_of_birth"]
                .into_iter()
                .map(|name| (name, filled.value(name)))
                .collect();
        let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("remember", "1"));
        let consent = browser.send(&filled, "details-form", &fields).await;
        consent.is_at("consent");
        let back = browser.send(&consent, "consent-form", &[]).await;
        assert!(answered(&back, "code").is_some());

        // The same browser needs no code for the next one, and nothing at all for what was agreed.
        browser.get(&authorize(&end, &[])).await.is_at("consent");
        assert!(answered(&browser.get(&authorize(&end, &[("prompt", "none")])).await, "code").is_some());
        let more = [("prompt", "none"), ("scope", "openid profile:phone")];
        let more = browser.get(&authorize(&end, &more)).await;
        assert_eq!(answered(&more, "error").as_deref(), Some("consent_required"));
        browser.get(&authorize(&end, &[("prompt", "login")])).await.is_at("contact");
        let consent = browser.get(&authorize(&end, &[])).await;
        browser.send(&consent, "not-you-form", &[]).await.is_at("contact");
        browser.get(&authorize(&end, &[])).await.is_at("contact");
        // The account is there for every browser now.
        walk(&mut Browser::new(&end), &authorize(&end, &[]), "new@people.example").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_began_goes_on() {
    for end in ends().await {
        let mut browser = Browser::new(&end);
        let consent = walk(&mut browser, &authorize(&end, &[]), "customer@email.de").await;
        let mut thief = Browser::new(&end);
        assert_eq!(thief.get(&consent.path).await.end().as_deref(), Some("over"));
        let (action, _) = consent.form("consent-form", &[]);
        for form in ["csrf=0000", ""] {
            let page = browser.go(Method::POST, &action, Some(form.to_owned())).await;
            assert_eq!((page.status, page.end().as_deref()), (403, Some("over")));
        }
        end.ctx.clock.advance(30 * MINUTE_US);
        assert_eq!(browser.send(&consent, "consent-form", &[]).await.end().as_deref(), Some("late"));
    }
}

/// Where the page of a sign-in that is over leads.
fn leads_back(page: &Page) -> Option<String> {
    let (_, rest) = page.html.split_once("data-testid=\"back\" href=\"")?;
    Some(rest.split_once('"')?.0.replace("&amp;", "&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_late_is_told_and_led_back_where_the_client_may_still_be_answered() {
    for end in ends().await {
        let path = "/v2/account/integration/credentials/client-identifier";
        let config = |uri: &str| json!({"config": {"redirect_uris": [uri]}});
        let made = end.call(end.partner_key(), Method::POST, path, Some(&config(REDIRECT))).await.expect(201);
        let (id, client) = (made["credential_id"].as_str().unwrap(), made["identity"]["client_id"].as_str().unwrap());
        let other = [("client_id", client)];

        // Answered: there is nothing to begin again, only the way to the shop.
        let mut finished = Browser::new(&end);
        let consent = walk(&mut finished, &authorize(&end, &other), "customer@email.de").await;
        finished.send(&consent, "consent-form", &[]).await;
        for page in [finished.get(&consent.path).await, finished.send(&consent, "consent-form", &[]).await] {
            assert_eq!((page.status, page.end().as_deref()), (410, Some("answered")), "{}", page.html);
            assert_eq!(leads_back(&page).as_deref(), Some("https://shop.example/"));
            page.is_sound();
        }

        // Late: the client hears it, with its state, when the person goes back.
        let mut browser = Browser::new(&end);
        browser.language = "de";
        let consent = walk(&mut browser, &authorize(&end, &other), "customer@email.de").await;
        end.ctx.clock.advance(30 * MINUTE_US);
        for page in [browser.get(&consent.path).await, browser.send(&consent, "consent-form", &[]).await] {
            assert_eq!((page.status, page.end().as_deref()), (410, Some("late")), "{}", page.html);
            assert!(page.html.contains("zu lange gedauert"), "{}", page.html);
            page.is_sound();
            let back = url::Url::parse(&leads_back(&page).unwrap()).unwrap();
            assert!(back.as_str().starts_with(REDIRECT), "{back}");
            let told =
                |name: &str| back.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value.into_owned());
            assert_eq!(told("error").as_deref(), Some("access_denied"));
            assert_eq!(told("state").as_deref(), Some("st ate"));
            assert_eq!((told("iss"), told("code")), (Some(format!("{}/eu/lp/idp", end.base)), None));
        }
        // Nobody else is told anything, and led nowhere.
        let stranger = Browser::new(&end).get(&consent.path).await;
        assert_eq!((stranger.status, stranger.end().as_deref(), leads_back(&stranger)), (404, Some("over"), None));

        // The address is no longer the client's, or the client is no more.
        let moved = config("https://shop.example/elsewhere");
        end.call(end.partner_key(), Method::PATCH, &format!("{path}/{id}"), Some(&moved)).await.expect(200);
        let page = browser.get(&consent.path).await;
        assert_eq!((page.end().as_deref(), leads_back(&page)), (Some("late"), None));
        end.call(end.partner_key(), Method::PATCH, &format!("{path}/{id}"), Some(&config(REDIRECT))).await.expect(200);
        assert!(leads_back(&browser.get(&consent.path).await).is_some());
        end.call(end.partner_key(), Method::DELETE, &format!("{path}/{id}"), None).await;
        let page = browser.get(&consent.path).await;
        assert_eq!((page.end().as_deref(), leads_back(&page)), (Some("late"), None));

        // After a day the next sign-in sweeps it away.
        end.ctx.clock.advance(DAY_US);
        Browser::new(&end).get(&authorize(&end, &[])).await.is_at("contact");
        assert_eq!(browser.get(&consent.path).await.end().as_deref(), Some("over"));
    }
}

/// The ids of the keys that are published, and the id of the one that signs now.
async fn keys(end: &End) -> (Vec<String>, String) {
    let published = end.send(Method::GET, "/eu/lp/idp/.well-known/jwks.json", &[], None).await;
    assert_eq!(published.header("cache-control"), Some("public, max-age=300"));
    let id = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    let published = published.expect(200)["keys"].as_array().unwrap().iter().map(id).collect();
    let tokens = exchange(end, &code(end, &[]).await, &[]).await.expect(200);
    let token = tokens["id_token"].as_str().unwrap();
    verified(end, token).await;
    (published, jsonwebtoken::decode_header(token).unwrap().kid.unwrap())
}

/// Waits for the job to have done what it has to.
async fn published(end: &End, count: usize) -> Vec<String> {
    for _ in 0..200 {
        end.ctx.poke.poke();
        let (published, _) = keys(end).await;
        if published.len() == count {
            return published;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{count} keys were never published");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signing_key_is_rotated_and_nobody_notices() {
    for end in ends().await {
        let (first, signing) = keys(&end).await;
        assert_eq!((first.len(), &first[0]), (1, &signing));
        let token =
            exchange(&end, &code(&end, &[]).await, &[]).await.expect(200)["id_token"].as_str().unwrap().to_owned();

        rotate(&end.ctx, Rotation::Gentle).await.unwrap();
        let (both, still) = keys(&end).await;
        assert_eq!((both.len(), &both[0], &still), (2, &signing, &signing), "published, and not signing yet");
        // The clock stands still, and of two keys one is older.
        end.ctx.clock.advance(LEAD_US + 1);
        let (published_now, second) = keys(&end).await;
        assert_eq!((&published_now, &second), (&both, &both[1]));
        verified(&end, &token).await;
        end.ctx.clock.advance(TRAIL_US - 1);
        assert_eq!(keys(&end).await.0, both, "something that the first signed may still be shown");
        end.ctx.clock.advance(1);
        assert_eq!(keys(&end).await.0, both[1..]);

        // By age, without anybody's doing; and then the row of the one before goes.
        end.ctx.clock.advance(AGE_US);
        let third = published(&end, 2).await.remove(1);
        end.ctx.clock.advance(LEAD_US + TRAIL_US);
        assert_eq!(published(&end, 1).await, std::slice::from_ref(&third));

        // In an emergency what was signed before is worth nothing.
        rotate(&end.ctx, Rotation::AtOnce).await.unwrap();
        let (alone, fourth) = keys(&end).await;
        assert_eq!((alone.len(), &alone[0]), (1, &fourth));
        assert_ne!(fourth, third);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_one_installation_agree_on_the_key() {
    for place in places().await {
        let one = harness::start(&place, Wishes::default()).await;
        let clock = one.ctx.clock.clone();
        let two = harness::start(&place, Wishes { clock: clock.clone(), ..Wishes::default() }).await;
        let before = (keys(&one).await, keys(&two).await);
        assert_eq!(before.0, before.1);
        let (a, b) = tokio::join!(rotate(&one.ctx, Rotation::Gentle), rotate(&two.ctx, Rotation::Gentle));
        a.and(b).unwrap();
        let after = (keys(&one).await, keys(&two).await);
        assert_eq!(after.0, after.1);
        assert!(after.0.0.len() > 1, "{after:?}");
        one.stop().await;
        two.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_key_the_codes_and_the_tokens() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let tokens = exchange(&end, &code(&end, &[]).await, &[]).await.expect(200);
        let waiting = code(&end, &[]).await;
        let keys = end.send(Method::GET, "/eu/lp/idp/.well-known/jwks.json", &[], None).await.expect(200);
        end.stop().await;
        let end = harness::start(&place, Wishes::default()).await;
        let again = end.send(Method::GET, "/na/lp/idp/.well-known/jwks.json", &[], None).await.expect(200);
        assert_eq!(keys, again, "one key, whatever the region and the process");
        assert_eq!(exchange(&end, &waiting, &[]).await.status, 200);
        let refreshed = refresh(&end, tokens["refresh_token"].as_str().unwrap(), &[]).await.expect(200);
        verified(&end, refreshed["id_token"].as_str().unwrap()).await;
        end.stop().await;
    }
}
