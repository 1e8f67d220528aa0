//! Klarna's portal for Partners: from the gateway's signed link to the page at the network's end, over the wire.

use reqwest::Method;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};

use crate::partners::Ends;

const CERTIFICATES: &str = "/v2/account/integration/credentials/client-certificate";

/// Opens a link as a browser does; the page behind it, or `None` where nobody comes in.
async fn enter(ends: &Ends, url: &str) -> Option<String> {
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let entered = browser.get(url).send().await.unwrap();
    if entered.status() == 410 {
        return None;
    }
    assert_eq!((entered.status().as_u16(), &entered.headers()[LOCATION]), (303, &"/portal".parse().unwrap()));
    let cookie = entered.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = browser.get(format!("{}/portal", ends.network)).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    Some(page.text().await.unwrap())
}

/// Certificates for signing that are good, by their ids; the seeded one among them.
async fn signing_certificates(ends: &Ends) -> Vec<String> {
    let (_, listed) = ends.klarna(Method::GET, CERTIFICATES, None).await;
    let listed = listed["credentials"].as_array().unwrap().iter();
    let good = listed.filter(|one| one["config"]["usage"] == "JWT_SIGNING" && one["state"] == "ACTIVE");
    good.map(|one| one["credential_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_from_the_gateway_onto_the_partners_page_once() {
    let mut ends = Ends::start().await;
    let (path, key, account) = ends.operational("m-1").await;
    let links = format!("{path}/portal-links");
    let seeded = signing_certificates(&ends).await;
    let body = json!({"email": "ada@nordlicht.example", "roles": ["merchant:admin"], "authentication_methods": ["pwd", "otp"]});

    let (status, refused) = ends.operate(Method::POST, &links, Some(&json!({"email": "x", "roles": ["king"]}))).await;
    let named: Vec<&str> = refused["validation_errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["parameter"].as_str().unwrap())
        .collect();
    assert_eq!((status, named), (400, vec!["email", "roles[0]"]), "{refused}");
    // A Partner's own key sits in its shop: it opens no way into the portal.
    assert_eq!(ends.call(&key, Method::POST, &links, Some(&body)).await.0, 401);

    let (status, link) = ends.operate(Method::POST, &links, Some(&body)).await;
    assert_eq!(status, 201, "{link}");
    let url = link["url"].as_str().unwrap();
    assert!(url.starts_with(&ends.network) && link["expires_at"].is_string(), "{link}");
    let page = enter(&ends, url).await.expect("the link works");
    for shown in ["Nordlicht m-1", account.as_str(), "ada@nordlicht.example", "Administrator"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(enter(&ends, url).await.is_none(), "once");

    // One key was made and certified; it signs after a restart, too, and is nowhere in the clear.
    let certified = signing_certificates(&ends).await;
    assert_eq!(certified.len(), seeded.len() + 1);
    ends.restart_gateway().await;
    let (status, again) = ends.operate(Method::POST, &links, Some(&body)).await;
    assert_eq!(status, 201, "{again}");
    assert_eq!(signing_certificates(&ends).await, certified);
    for entry in ends.folder.path().read_dir().unwrap() {
        let file = entry.unwrap().path();
        if file.file_name().unwrap().to_str().unwrap().starts_with("gateway.db") {
            let bytes = std::fs::read(&file).unwrap();
            for secret in ["ada@nordlicht.example", "/portal/enter/"] {
                let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!is_there, "{} shows {secret}", file.display());
            }
        }
    }

    // A deleted link lets nobody in.
    let one = format!("{links}/{}", again["id"].as_str().unwrap());
    assert_eq!(ends.operate(Method::DELETE, &one, None).await.0, 204);
    assert!(enter(&ends, again["url"].as_str().unwrap()).await.is_none(), "deleted");
    assert_eq!(ends.operate(Method::DELETE, &one, None).await.0, 404);

    // Should Klarna not accept the key any more, a new one is certified, and the link comes all the same.
    let ours = certified.iter().find(|id| !seeded.contains(id)).unwrap();
    let (status, revoked) = ends
        .klarna(Method::POST, &format!("{CERTIFICATES}/{ours}/revoke"), Some(&json!({"revoked_from": "NOW"})))
        .await;
    assert_eq!(status, 200, "{revoked}");
    let (status, link) = ends.operate(Method::POST, &links, Some(&body)).await;
    assert_eq!(status, 201, "{link}");
    assert!(enter(&ends, link["url"].as_str().unwrap()).await.is_some());
    assert_eq!(signing_certificates(&ends).await.len(), seeded.len() + 1);

    // The same request with the same key is the same link.
    let repeat = async || {
        let request = ends.http.post(format!("{}{links}", ends.gateway)).bearer_auth(&ends.operator).json(&body);
        crate::partners::told(request.header("idempotency-key", "once")).await
    };
    let (first, second) = (repeat().await, repeat().await);
    assert_eq!(first, second);
    assert_eq!(first.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_portal_comes_by_email_and_goes_again() {
    let ends = Ends::start().await;
    let (path, _, account) = ends.operational("m-1").await;
    let users = format!("{path}/portal-users");
    let sign_in = async |email: &str| {
        let path = format!("/testing/accounts/{account}/portal/sign-in-links");
        ends.klarna(Method::POST, &path, Some(&json!({"principal": email}))).await
    };
    // The onboarding's e-mail address, unless another one is given.
    let (status, user) = ends.operate(Method::POST, &users, Some(&json!({"roles": ["merchant:admin"]}))).await;
    assert_eq!(
        (status, &user["state"], &user["email"]),
        (201, &json!("ACTIVE"), &json!("ada@nordlicht.example")),
        "{user}"
    );
    let (status, link) = sign_in("ada@nordlicht.example").await;
    assert_eq!(status, 201, "{link}");
    let page = enter(&ends, link["url"].as_str().unwrap()).await.expect("the user comes in");
    assert!(page.contains("ada@nordlicht.example"), "{page}");

    let other = json!({"email": "Eve@Nordlicht.example", "roles": ["merchant:developer"]});
    assert_eq!(ends.operate(Method::POST, &users, Some(&other)).await.0, 201);
    let (status, twice) = ends
        .operate(Method::POST, &users, Some(&json!({"email": "eve@nordlicht.example", "roles": ["merchant:admin"]})))
        .await;
    assert_eq!((status, &twice["validation_errors"][0]["parameter"]), (409, &json!("email")), "{twice}");
    let (_, listed) = ends.operate(Method::GET, &users, None).await;
    let emails: Vec<&str> =
        listed["portal_users"].as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap()).collect();
    assert_eq!(emails, ["ada@nordlicht.example", "Eve@Nordlicht.example"]);

    // A removal that Klarna does not confirm is followed until it does; the other user stays.
    let fault = json!({"effect": "status", "status": 503, "times": 6, "match": {"operation": "deleteUserAccess"}});
    assert_eq!(ends.klarna(Method::POST, "/testing/faults", Some(&fault)).await.0, 201);
    let one = format!("{users}/{}", user["id"].as_str().unwrap());
    assert_eq!(ends.operate(Method::DELETE, &one, None).await.0, 202);
    ends.until(&users, "the removal", |listed| listed["portal_users"].as_array().is_some_and(|all| all.len() == 1))
        .await;
    assert_eq!(sign_in("ada@nordlicht.example").await.0, 404);
    assert_eq!(sign_in("eve@nordlicht.example").await.0, 201);
    assert_eq!(ends.operate(Method::DELETE, &one, None).await.0, 404);
    // Everything that was asked of Klarna named account and user.
    let (_, listed) = ends.klarna(Method::GET, "/testing/requests?operation=deleteUserAccess", None).await;
    for call in listed["requests"].as_array().unwrap() {
        let (_, whole) =
            ends.klarna(Method::GET, &format!("/testing/requests/{}", call["call_id"].as_str().unwrap()), None).await;
        let text = whole.to_string();
        assert!(text.contains("account_id=") && text.contains("principal="), "{text}");
    }
    let foreign = ends.operational("m-2").await.0;
    let (_, left) = ends.operate(Method::GET, &users, None).await;
    let theirs = format!("{foreign}/portal-users/{}", left["portal_users"][0]["id"].as_str().unwrap());
    assert_eq!(ends.operate(Method::DELETE, &theirs, None).await.0, 404);
    let value: Value = ends.operate(Method::GET, &format!("{foreign}/portal-users"), None).await.1;
    assert_eq!(value["portal_users"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_configured_an_onboarded_partner_has_a_user_of_the_portal() {
    let ends = Ends::start_with(&["--portal-users-at-onboarding"]).await;
    let (path, ..) = ends.operational("m-1").await;
    let is_there = |listed: &Value| listed["portal_users"][0]["state"] == "ACTIVE";
    let listed = ends.until(&format!("{path}/portal-users"), "the user", is_there).await;
    assert_eq!(listed["portal_users"][0]["email"], "ada@nordlicht.example");
    assert_eq!(listed["portal_users"].as_array().unwrap().len(), 1);
}
