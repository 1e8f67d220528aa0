//! Routes that no API key guards. Operations have their guard from the table; a plain route has none, so each of them stands in a
//! list here with the reason, and what it may say to a stranger is tested.

use std::path::Path;

use http::Method;
use network::config::{Config, RateLimits};

use crate::harness::{self, Answer, End, Wishes, places};

/// Why a plain route needs no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It says the same to everybody, and nothing about anybody.
    TheSameToAll,
    /// A shopper's browser comes here: the token of the link, later a cookie, opens it.
    Shopper,
    /// A client signs a person in, with a code and its proof, or a token: see `sign_in.rs` for what that opens.
    Client,
    /// A person who signs in comes here: the cookie that the beginning left opens it.
    Person,
    /// A Partner's page asks, by a client identifier that may be used from it: see `websdk.rs` for what that opens.
    ClientIdentifier,
    /// A link that somebody was given opens it once; in the portal, then, the cookie that it left.
    Link,
    /// A person signs in here.
    SignIn,
    /// For people who have signed in. Rooms add such pages as they like: each is tried without.
    SignedIn,
}

/// Every plain route, as its source spells it, but for pages behind a sign-in.
const KNOWN: &[(&str, &str, Why)] = &[
    ("reference", "/openapi.json", Why::TheSameToAll),
    ("reference", "/docs", Why::TheSameToAll),
    ("reference", "/docs/{*section}", Why::TheSameToAll),
    ("presentation", "/presentation/info", Why::TheSameToAll),
    ("presentation", "/presentation/{picture}", Why::TheSameToAll),
    ("journey", "/", Why::TheSameToAll),
    // A code that nobody was given leads nowhere.
    ("journey", "/l/{code}", Why::TheSameToAll),
    ("journey", "/start", Why::Shopper),
    ("journey", "/qr.svg", Why::Shopper),
    ("journey", "/end", Why::Shopper),
    ("journey", "/waiting", Why::Shopper),
    ("journey", "/contact", Why::Shopper),
    ("journey", "/code", Why::Shopper),
    ("journey", "/details", Why::Shopper),
    ("journey", "/not-you", Why::Shopper),
    ("journey", "/shipping", Why::Shopper),
    ("journey", "/plan", Why::Shopper),
    ("journey", "/review", Why::Shopper),
    ("journey", "/confirm", Why::Shopper),
    ("journey", "/refuse", Why::Shopper),
    ("journey", "/leave", Why::Shopper),
    ("identity", "/.well-known/openid-configuration", Why::TheSameToAll),
    ("identity", "/.well-known/jwks.json", Why::TheSameToAll),
    ("identity", "/oauth2/auth", Why::Client),
    ("identity", "/oauth2/token", Why::Client),
    ("identity", "/oauth2/revoke", Why::Client),
    ("identity", "/userinfo", Why::Client),
    ("identity", "/sign-in/{id}/contact", Why::Person),
    ("identity", "/sign-in/{id}/code", Why::Person),
    ("identity", "/sign-in/{id}/details", Why::Person),
    ("identity", "/sign-in/{id}/consent", Why::Person),
    ("identity", "/sign-in/{id}/not-you", Why::Person),
    ("identity", "/sign-in/{id}/cancel", Why::Person),
    ("websdk", "/web-sdk/v1/klarna.mjs", Why::TheSameToAll),
    ("websdk", "/web-sdk/v2/klarna.mjs", Why::TheSameToAll),
    ("websdk", "/web-sdk/v1/klarna.js", Why::TheSameToAll),
    ("websdk", "/web-sdk/v2/klarna.js", Why::TheSameToAll),
    ("websdk", "/websdk/opening", Why::TheSameToAll),
    ("websdk", "/websdk/try", Why::TheSameToAll),
    ("websdk", "/websdk/sessions", Why::ClientIdentifier),
    ("websdk", "/websdk/words", Why::ClientIdentifier),
    ("websdk", "/websdk/presentation", Why::ClientIdentifier),
    ("websdk", "/websdk/messaging/{placement_key}", Why::ClientIdentifier),
    ("websdk", "/websdk/interoperability", Why::ClientIdentifier),
    ("websdk", "/websdk/payment-requests", Why::ClientIdentifier),
    ("websdk", "/websdk/payment-requests/{payment_request_id}", Why::ClientIdentifier),
    ("websdk", "/websdk/payment-requests/{payment_request_id}/launch", Why::ClientIdentifier),
    ("websdk", "/websdk/payment-requests/{payment_request_id}/leave", Why::ClientIdentifier),
    ("websdk", "/websdk/payment-requests/{payment_request_id}/shipping-change", Why::ClientIdentifier),
    ("credentials", "/bootstrap/{token}", Why::Link),
    ("portal", "/portal/enter/{token}", Why::Link),
    ("portal", "/portal/api-keys", Why::Link),
    ("portal", "/portal/api-keys/disable", Why::Link),
    ("portal", "/portal/client-identifiers", Why::Link),
    ("portal", "/portal/sign-out", Why::Link),
    ("console", "/console/sign-in", Why::SignIn),
    ("console", "/console/sign-out", Why::SignIn),
];

/// `(room, path)` of every `.route("…"` below a folder. Paths that are no literals belong to the table of operations or to assets.
fn plain_routes(folder: &Path, room: Option<&str>, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        if entry.is_dir() {
            plain_routes(&entry, Some(room.unwrap_or(&name)), found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&entry).unwrap();
            for call in source.split(".route(").skip(1) {
                if let Some((path, _)) = call.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                    found.push((room.unwrap_or(&name).to_owned(), path.to_owned()));
                }
            }
        }
    }
}

fn why(room: &str, path: &str) -> Option<Why> {
    let known = KNOWN.iter().find(|(known, at, _)| (*known, *at) == (room, path)).map(|(_, _, why)| *why);
    known.or_else(|| (room == "console" && path.starts_with("/console")).then_some(Why::SignedIn))
}

fn all() -> Vec<(String, String)> {
    let mut found = Vec::new();
    plain_routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut found);
    found
}

#[test]
fn every_plain_route_is_known_with_its_reason() {
    let found = all();
    assert!(found.len() >= 12, "the sources are read");
    let unknown: Vec<_> = found.iter().filter(|(room, path)| why(room, path).is_none()).collect();
    assert!(unknown.is_empty(), "plain routes that no key guards and no reason excuses: {unknown:?}");
}

async fn as_a_stranger(end: &End, method: Method, path: &str) -> Answer {
    end.send(method, path, &[], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_what_is_the_same_to_all_and_nothing_else() {
    for place in places().await {
        // Reached from elsewhere: on its own machine alone the console is open.
        let base_url = "https://network.example".to_owned();
        let config = Config { base_url, rate_limits: RateLimits::Off, ..Config::default() };
        let end = harness::start(&place, Wishes { config, ..Wishes::default() }).await;
        for (room, path) in all() {
            let why = why(&room, &path).unwrap();
            let path = path.replace("{section}", "payments");
            let path = match why {
                Why::Shopper => format!("/eu/requests/0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de{path}"),
                _ if room == "identity" => {
                    format!("/na/lp/idp{}", path.replace("{id}", "0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de"))
                }
                _ => path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part })
                    .collect::<Vec<_>>()
                    .join("/"),
            };
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let answer = as_a_stranger(&end, method.clone(), &path).await;
                let what = format!("{method} {path} ({why:?}) answers {}: {:.200}", answer.status, answer.text);
                assert!(answer.status < 500, "{what}");
                let credentials = &end.credentials;
                for secret in [&credentials.acquiring_partner.api_key, &credentials.partner.api_key] {
                    assert!(!answer.text.contains(secret.as_str()), "{what}");
                }
                match why {
                    Why::TheSameToAll if method == Method::GET => {
                        assert!(matches!(answer.status, 200 | 303 | 404), "{what}")
                    }
                    // An error page for a link that opens nothing is a success of nobody.
                    Why::Shopper | Why::Link | Why::SignedIn | Why::Client | Why::Person => {
                        assert!(answer.status >= 300, "{what}")
                    }
                    Why::ClientIdentifier => assert!(matches!(answer.status, 401 | 405), "{what}"),
                    Why::TheSameToAll | Why::SignIn => {}
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_the_reference_without_a_page_is_told_by_a_page() {
    let place = harness::places().await.remove(0);
    let end = harness::start(&place, harness::Wishes::default()).await;
    for path in ["/docs/nonesuch", "/docs/payments/nonesuch"] {
        let answer = as_a_stranger(&end, Method::GET, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text.starts_with("<!DOCTYPE html>") && answer.text.contains("No such page"), "{}", answer.text);
    }
    end.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_for_everybody_and_says_nothing_of_anybody() {
    let place = harness::places().await.remove(0);
    let end = harness::start(&place, harness::Wishes::default()).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = as_a_stranger(&end, Method::GET, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(!answer.text.contains("krn:"), "{path}: {}", answer.text);
    }
    end.stop().await;
}
