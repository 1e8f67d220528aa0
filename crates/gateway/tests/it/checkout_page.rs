//! The hosted page: what it shows of Klarna's, what it lets in, and the Web SDK's client identifier.

use axum::body::Body;
use http::Request;
use kit::clock::DAY_US;
use serde_json::json;

use crate::checkout::cart;
use crate::harness::{Act, error, presentation, scenes};
use crate::stage::eventually;

#[tokio::test]
async fn the_page_shows_klarnas_words_as_text_and_nothing_of_its_own_in_their_place() {
    let scene = scenes().await.remove(0);
    let opened = scene.open(cart()).await;
    let page = scene.get(&opened.path).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Now, later or &lt;in parts&gt;") && page.text.contains("value=\"klarna/S0xBUk5B\""));
    assert!(!page.text.contains("checked") && page.text.contains("Pay €49.90"), "nobody is recognised");
    assert!(
        !page.text.contains("javascript:") && !page.text.contains("elsewhere.example"),
        "neither scripts nor foreign pictures"
    );
    let asked = &scene.klarna.calls("presentation")[0];
    assert!(asked.path.contains("/payment/presentation"));

    scene.klarna.next("presentation", [Act::Answer(200, presentation("PRESELECT_KLARNA"))]);
    assert!(scene.get(&opened.path).await.text.contains("checked"), "IOP-4");
    scene.klarna.next("presentation", [Act::Answer(200, presentation("SHOW_ONLY_KLARNA"))]);
    assert!(scene.get(&opened.path).await.text.contains("Place the order"));
    scene.klarna.next("presentation", [Act::Answer(200, json!({"instruction": "HIDE_KLARNA"}))]);
    let hidden = scene.get(&opened.path).await.text;
    assert!(
        !hidden.contains("method-klarna") && !hidden.contains("unheard") && hidden.contains("method-other"),
        "GLO-3"
    );
    let refuses = || Act::Answer(403, error("OPERATION_FORBIDDEN", "account"));
    scene.klarna.next("presentation", [refuses(), refuses()]);
    let unheard = scene.get(&opened.path).await.text;
    assert!(!unheard.contains("method-klarna") && unheard.contains("data-testid=\"unheard\""));

    // With no other method there is nothing to press.
    let mut alone = cart();
    alone.as_object_mut().unwrap().remove("other_method");
    let alone = scene.open(alone).await;
    let page = scene.get(&alone.path).await.text;
    assert!(page.contains("data-testid=\"no-way\""), "Klarna still answers 403");
    assert!(scene.get(&alone.path).await.text.contains("checked"), "the only way is chosen already");
}

#[tokio::test]
async fn language_and_market_follow_the_order() {
    let scene = scenes().await.remove(0);
    let mut order = cart();
    order["customer"] = json!({"address": {"country": "DE"}});
    let opened = scene.open(order.clone()).await;
    let request = Request::get(&opened.path).header("accept-language", "sv-SE,en;q=0.5").body(Body::empty()).unwrap();
    let page = scene.stage.send(request).await.text;
    assert!(
        page.contains("lang=\"sv\"") && page.contains("data-locale=\"sv-DE\"") && page.contains("49,90\u{a0}€"),
        "{page}"
    );
    order["locale"] = json!("de-AT");
    let opened = scene.open(order).await;
    let page = scene.get(&opened.path).await.text;
    assert!(page.contains("lang=\"de\"") && page.contains("data-locale=\"de-AT\"") && page.contains("Ihre Bestellung"));
}

#[tokio::test]
async fn branding_is_a_stylesheet_and_the_policy_knows_no_inline() {
    let scene = scenes().await.remove(0);
    let mut order = cart();
    order["branding"] =
        json!({"name": "Lamps & <b>Light", "logo_url": "https://cdn.shop.example/logo.svg", "accent_color": "#1F5673"});
    let opened = scene.open(order.clone()).await;
    let page = scene.get(&opened.path).await;
    assert!(
        page.text.contains("Lamps &amp; &lt;b&gt;Light")
            && page.text.contains("src=\"https://cdn.shop.example/logo.svg\"")
    );
    assert!(!page.text.contains("style=\"") && !page.text.contains("<style") && !page.text.contains("1f5673"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    let sdk = scene.klarna.url.trim_end_matches('/');
    for part in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", &format!("script-src 'self' {sdk};")]
    {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(policy.contains("https://cdn.shop.example") && !policy.contains("unsafe") && !policy.contains("http:;"));
    assert_eq!(
        (&page.headers["cache-control"], &page.headers["referrer-policy"]),
        (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap())
    );
    let css = scene.get(&format!("{}/brand.css", opened.path)).await;
    assert!(
        css.text.contains("--accent:#1f5673") && css.headers["content-type"].to_str().unwrap().starts_with("text/css")
    );
    order["branding"] = json!({"accent_color": "#fe0"});
    assert_eq!(
        crate::harness::named(&scene.post("/v1/checkout-sessions", order.clone()).await),
        ["branding.accent_color"]
    );
    order["branding"] = json!({"accent_color": "#ffee00"});
    assert_eq!(crate::harness::named(&scene.post("/v1/checkout-sessions", order).await), ["branding.accent_color"]);
}

#[tokio::test]
async fn a_client_identifier_is_made_once_for_our_origin_and_replaced_when_it_is_gone() {
    for scene in scenes().await {
        gateway::checkout::ensure_jobs(&scene.stage.ctx).await.unwrap();
        let opened = scene.open(cart()).await;
        assert!(!scene.get(&opened.path).await.text.contains("data-client-id"), "the page works without");
        let _working = scene.stage.work();
        let with_sdk = || async {
            let page = scene.get(&opened.path).await.text;
            Some(page).filter(|page| page.contains("data-client-id"))
        };
        let page = eventually("the identifier is stored", with_sdk).await;
        let made = scene.klarna.calls("create_client_identifier");
        assert_eq!((made.len(), &made[0].body["config"]["allowed_domains"]), (1, &json!(["https://gateway.example"])));
        assert!(page.contains(&format!("data-sdk-url=\"{}web-sdk/v2/klarna.mjs\"", scene.klarna.url)));
        assert!(page.contains("data-partner-account-id=\"krn:partner:global:account:test:ADA00001\""));

        scene.klarna.disable_identifiers();
        scene.stage.clock.advance(DAY_US);
        scene.stage.ctx.poke.poke();
        eventually("another one is made", || async {
            Some(scene.klarna.calls("create_client_identifier")).filter(|calls| calls.len() == 2)
        })
        .await;
    }
}
