//! Ways into the portal, and the page behind them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::tls;
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::harness::{self, Answer, BEGINNING, End, Wishes, ends, places};

const ACCESS: &str = "/v2/portal/user-access";
const CERTIFICATES: &str = "/v2/account/integration/credentials/client-certificate";

/// Signs tokens as an Acquiring Partner does.
pub struct Signer {
    key: EncodingKey,
    chain: Vec<String>,
}

impl Signer {
    pub fn new(private_key_pem: &str, certificate_pem: &str) -> Self {
        let key = EncodingKey::from_ec_der(&KeyPair::from_pem(private_key_pem).unwrap().serialize_der());
        let chain = tls::certificates(certificate_pem.as_bytes(), "x5c").unwrap();
        Self { key, chain: chain.iter().map(|der| STANDARD.encode(der)).collect() }
    }

    pub fn seeded(end: &End) -> Self {
        let pair = &end.credentials.acquiring_partner.jwt_signing;
        Self::new(&pair.private_key_pem, &pair.certificate_pem)
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(self.chain.clone());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

pub fn claims(end: &End, jti: &str) -> Value {
    let now = end.ctx.clock.now() / SECOND_US;
    json!({"amr": ["pwd"], "iss": end.credentials.acquiring_partner.account_id, "jti": jti, "sub": "user@partner.example",
        "iat": now, "exp": now + 3600, "account_id": end.partner(), "on_behalf_of": end.partner(),
        "roles": ["merchant:admin"]})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn links(end: &End) -> String {
    format!("/v2/accounts/{}/portal/deep-links", end.partner())
}

async fn signed(end: &End, jwt: &str) -> Answer {
    end.ap(Method::POST, &links(end), Some(&json!({"jwt": jwt}))).await
}

/// A browser with its cookie.
struct Browser<'a> {
    end: &'a End,
    cookie: String,
}

impl<'a> Browser<'a> {
    /// Opens a link; `None` when nobody comes in.
    async fn enter(end: &'a End, url: &str) -> Option<Self> {
        let answer = end.send(Method::GET, url.strip_prefix(&end.base).expect("it leads here"), &[], None).await;
        if answer.status == 410 {
            assert_eq!(answer.header("set-cookie"), None);
            return None;
        }
        // The client follows no redirects, or this would be the page.
        assert_eq!((answer.status, answer.header("location")), (303, Some("/portal")), "{}", answer.text);
        let cookie = answer.header("set-cookie").unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/portal"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        Some(Self { end, cookie: cookie.split(';').next().unwrap().to_owned() })
    }

    async fn look(&self) -> (u16, String) {
        let answer = self.end.send(Method::GET, "/portal", &[("cookie", &self.cookie)], None).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        (answer.status, answer.text)
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let client = kit::outbound::upstream_client(kit::outbound::UpstreamConfig::default()).unwrap();
        let request = client.post(format!("{}{path}", self.end.base)).header("cookie", &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn proof(&self) -> String {
        let (_, page) = self.look().await;
        between(&page, "name=\"csrf\" value=\"", "\"").to_owned()
    }
}

fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no {start} in {page}"));
    rest.split_once(end).unwrap().0
}

/// An access, a link that nobody opened, and a session.
pub async fn let_somebody_in(end: &End) {
    let signer = Signer::seeded(end);
    end.ap(Method::POST, ACCESS, Some(&json!({"jwt": signer.sign(&claims(end, "j-access"))}))).await.expect(201);
    for jti in ["j-session", "j-link"] {
        let link = signed(end, &signer.sign(&claims(end, jti))).await.expect(200);
        if jti == "j-session" {
            Browser::enter(end, link["url"].as_str().unwrap()).await.expect("the link works");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_link_lets_in_once_within_a_minute() {
    for end in ends().await {
        let signer = Signer::seeded(&end);
        let link = signed(&end, &signer.sign(&claims(&end, "j-1"))).await.expect(200);
        assert!(link["deep_link_id"].as_str().unwrap().starts_with("krn:partner:global:account:portal-deep-link:"));
        assert_eq!(link["expires_at"], "2026-03-02T10:01:00Z");
        let url = link["url"].as_str().unwrap();
        let browser = Browser::enter(&end, url).await.expect("the link works");
        let (status, page) = browser.look().await;
        assert_eq!(status, 200);
        for shown in ["Tallow &amp; Tern", end.partner(), "user@partner.example", "Administrator", "Enabled"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(Browser::enter(&end, url).await.is_none(), "once");

        let late = signed(&end, &signer.sign(&claims(&end, "j-2"))).await.expect(200);
        end.ctx.clock.advance(MINUTE_US);
        assert!(Browser::enter(&end, late["url"].as_str().unwrap()).await.is_none(), "within a minute");
        assert!(Browser::enter(&end, &format!("{}/portal/enter/nonsense", end.base)).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_open_a_link_at_once_one_comes_in() {
    for end in ends().await {
        let link = signed(&end, &Signer::seeded(&end).sign(&claims(&end, "j-1"))).await.expect(200);
        let url = link["url"].as_str().unwrap();
        let (one, other) = tokio::join!(Browser::enter(&end, url), Browser::enter(&end, url));
        assert_eq!(usize::from(one.is_some()) + usize::from(other.is_some()), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_link_lets_nobody_in() {
    for end in ends().await {
        let link = signed(&end, &Signer::seeded(&end).sign(&claims(&end, "j-1"))).await.expect(200);
        let path = format!("{}/{}", links(&end), link["deep_link_id"].as_str().unwrap());
        assert_eq!(end.ap(Method::DELETE, &path, None).await.status, 204);
        end.ap(Method::DELETE, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        assert!(Browser::enter(&end, link["url"].as_str().unwrap()).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_claim_at_fault_is_named_and_a_token_counts_once() {
    for end in ends().await {
        let signer = Signer::seeded(&end);
        let good = || claims(&end, "j-1");
        let now = BEGINNING / SECOND_US;
        for (name, value) in [
            ("iss", json!(end.partner())),
            ("sub", json!("nobody")),
            ("amr", json!(null)),
            ("jti", json!(7)),
            ("iat", json!(now + 120)),
            ("exp", json!(now)),
            ("exp", json!(now + 3601)),
            ("account_id", json!("krn:partner:global:account:test:ABSENT01")),
            ("account_id", json!(null)),
            ("roles", json!([])),
            ("roles", json!(["merchant:king"])),
            ("on_behalf_of", json!(end.credentials.acquiring_partner.account_id)),
        ] {
            let answer = signed(&end, &signer.sign(&with(good(), name, value.clone()))).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert!(answer.parameters().contains(&format!("jwt.{name}")), "{name} {value}: {}", answer.text);
        }
        let all = signed(&end, &signer.sign(&json!({}))).await;
        assert_eq!(all.parameters().len(), 8, "{}", all.text);

        // Refusals used the id up as little as they let anybody in.
        let token = signer.sign(&good());
        signed(&end, &token).await.expect(200);
        assert_eq!(signed(&end, &token).await.parameters(), ["jwt.jti"]);
        assert_eq!(
            signed(&end, &signer.sign(&with(good(), "sub", json!("x@y.example")))).await.parameters(),
            ["jwt.jti"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_certificate_of_the_caller_for_signing_counts() {
    for end in ends().await {
        let issue = async |api_key: &str, usage: &str| {
            let key = crate::credentials_certificates::key();
            let request = crate::credentials_certificates::request(&key, None);
            let body = json!({"config": {"usage": usage, "certificate_signing_request": request}});
            let made = end.call(api_key, Method::POST, CERTIFICATES, Some(&body)).await.expect(201);
            (Signer::new(&key.serialize_pem(), made["certificate_chain"].as_str().unwrap()), made)
        };
        let refused = async |jwt: &str| {
            let answer = signed(&end, jwt).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), ["jwt"], "{}", answer.text);
        };
        let good = claims(&end, "j-1");

        let (mtls, _) = issue(end.ap_key(), "MTLS").await;
        refused(&mtls.sign(&good)).await;
        let (partners, _) = issue(end.partner_key(), "JWT_SIGNING").await;
        refused(&partners.sign(&good)).await;
        let own_key = crate::credentials_certificates::key();
        let own = rcgen::CertificateParams::default().self_signed(&own_key).unwrap().pem();
        refused(&Signer::new(&own_key.serialize_pem(), &own).sign(&good)).await;
        // The right certificate, another key.
        let stolen = Signer { key: Signer::new(&own_key.serialize_pem(), &own).key, chain: Signer::seeded(&end).chain };
        refused(&stolen.sign(&good)).await;
        let none = Signer { chain: Vec::new(), ..Signer::seeded(&end) };
        refused(&none.sign(&good)).await;
        let hs = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good, &EncodingKey::from_secret(b"x")).unwrap();
        refused(&hs).await;
        refused("nonsense").await;

        // Revoked from a time: good before, not after.
        let (signer, made) = issue(end.ap_key(), "JWT_SIGNING").await;
        let revoke = format!("{CERTIFICATES}/{}/revoke", made["credential_id"].as_str().unwrap());
        let later = json!({"revoked_from": "2026-03-02T11:00:00Z"});
        end.ap(Method::POST, &revoke, Some(&later)).await.expect(200);
        signed(&end, &signer.sign(&good)).await.expect(200);
        end.ctx.clock.advance(HOUR_US);
        refused(&signer.sign(&claims(&end, "j-2"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_link_needs_subject_and_roles_and_never_stands_beside_a_token() {
    for end in ends().await {
        let post = async |body: Value| end.ap(Method::POST, &links(&end), Some(&body)).await;
        let good = json!({"subject": "user-1", "roles": ["merchant:developer"], "on_behalf_of": end.partner()});
        let link = post(good.clone()).await.expect(200);
        let browser = Browser::enter(&end, link["url"].as_str().unwrap()).await.unwrap();
        let (_, page) = browser.look().await;
        assert!(page.contains("Developer") && page.contains("user-1"));
        assert!(!page.contains("create-api-key"), "developers manage client identifiers only");

        assert_eq!(post(json!({})).await.parameters(), ["subject", "roles"]);
        assert_eq!(post(with(good.clone(), "roles", json!(["king"]))).await.parameters(), ["roles[0]"]);
        let above = json!(end.credentials.acquiring_partner.account_id);
        assert_eq!(post(with(good.clone(), "on_behalf_of", above)).await.parameters(), ["on_behalf_of"]);
        let both = post(with(good, "jwt", json!("x"))).await;
        assert_eq!(both.parameters(), ["subject", "roles", "on_behalf_of"]);
        let foreign = "/v2/accounts/krn:partner:global:account:test:ABSENT01/portal/deep-links";
        end.ap(Method::POST, foreign, Some(&json!({}))).await.refused(404, "RESOURCE_NOT_FOUND");
        end.call(end.partner_key(), Method::POST, &links(&end), Some(&json!({})))
            .await
            .refused(403, "OPERATION_FORBIDDEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_link_keys_and_client_identifiers_are_fetched() {
    for end in ends().await {
        let link = signed(&end, &Signer::seeded(&end).sign(&claims(&end, "j-1"))).await.expect(200);
        let browser = Browser::enter(&end, link["url"].as_str().unwrap()).await.unwrap();
        let proof = browser.proof().await;
        let (status, _) = browser.post("/portal/api-keys", &[("description", "shop")]).await;
        assert_eq!(status, 403, "without the form's proof");
        let (status, page) = browser.post("/portal/api-keys", &[("csrf", &proof), ("description", "shop")]).await;
        assert_eq!(status, 200);
        let key = between(&page, "data-testid=\"secret\">", "<").to_owned();
        let keys = "/v2/account/integration/credentials/api-key";
        let listed = end.call(&key, Method::GET, keys, None).await.expect(200);
        let made = listed["credentials"].as_array().unwrap().iter().find(|key| key["description"] == "shop").unwrap();
        let (_, page) = browser.look().await;
        assert!(page.contains("shop") && !page.contains(&key), "shown once");

        let (status, page) =
            browser.post("/portal/client-identifiers", &[("csrf", &proof), ("description", "web")]).await;
        assert_eq!(status, 200);
        assert!(page.contains("klarna_test_client_") && page.contains("web"));

        let id = made["credential_id"].as_str().unwrap();
        let (status, _) = browser.post("/portal/api-keys/disable", &[("csrf", &proof), ("credential_id", id)]).await;
        assert_eq!(status, 200);
        end.call(&key, Method::GET, keys, None).await.refused(401, "UNAUTHORIZED");

        let developer = json!({"subject": "dev", "roles": ["merchant:developer"]});
        let link = end.ap(Method::POST, &links(&end), Some(&developer)).await.expect(200);
        let developer = Browser::enter(&end, link["url"].as_str().unwrap()).await.unwrap();
        let proof = developer.proof().await;
        for path in ["/portal/api-keys", "/portal/api-keys/disable"] {
            assert_eq!(developer.post(path, &[("csrf", &proof), ("credential_id", id)]).await.0, 403);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_signing_out_or_after_eight_idle_hours() {
    for end in ends().await {
        let enter = async |jti: &str| {
            let link = signed(&end, &Signer::seeded(&end).sign(&claims(&end, jti))).await.expect(200);
            Browser::enter(&end, link["url"].as_str().unwrap()).await.unwrap()
        };
        let browser = enter("j-1").await;
        for _ in 0..2 {
            end.ctx.clock.advance(8 * HOUR_US - SECOND_US);
            assert_eq!(browser.look().await.0, 200, "each use keeps it");
        }
        end.ctx.clock.advance(8 * HOUR_US);
        assert_eq!(browser.look().await.0, 401);

        let browser = enter("j-2").await;
        let proof = browser.proof().await;
        assert_eq!(browser.post("/portal/sign-out", &[]).await.0, 403);
        assert_eq!(browser.post("/portal/sign-out", &[("csrf", &proof)]).await.0, 303);
        assert_eq!(browser.look().await.0, 401);
        assert_eq!(end.send(Method::GET, "/portal", &[], None).await.status, 401);
        assert_eq!(end.send(Method::GET, "/portal", &[("cookie", "kontor_portal=nonsense")], None).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_granted_by_address_changed_by_repetition_and_taken_back_with_its_sessions() {
    for end in ends().await {
        let signer = Signer::seeded(&end);
        let grant =
            async |claims: Value| end.ap(Method::POST, ACCESS, Some(&json!({"jwt": signer.sign(&claims)}))).await;
        let sign_in = async |principal: &str| {
            let path = format!("/testing/accounts/{}/portal/sign-in-links", end.partner());
            end.ap(Method::POST, &path, Some(&json!({"principal": principal}))).await
        };
        let first = grant(claims(&end, "j-1")).await.expect(201);
        assert_eq!(
            (&first["principal"], &first["account_id"]),
            (&json!("user@partner.example"), &json!(end.partner()))
        );
        assert_eq!(first["roles"], json!(["merchant:admin"]));
        let developer = with(claims(&end, "j-2"), "roles", json!(["merchant:developer"]));
        let again = grant(with(developer, "sub", json!("User@Partner.example"))).await.expect(201);
        assert_eq!((&again["user_id"], &again["created_at"]), (&first["user_id"], &first["created_at"]));
        let other = grant(with(claims(&end, "j-3"), "sub", json!("other@partner.example"))).await.expect(201);
        assert_ne!(other["user_id"], first["user_id"]);

        // Accounts that this Acquiring Partner did not onboard.
        let foreign = json!("krn:partner:global:account:test:ABSENT01");
        let answer =
            grant(with(with(claims(&end, "j-4"), "account_id", foreign.clone()), "on_behalf_of", foreign)).await;
        answer.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(end.ap(Method::POST, ACCESS, Some(&json!({}))).await.parameters(), ["jwt"]);

        let link = sign_in("user@partner.example").await.expect(201);
        let browser = Browser::enter(&end, link["url"].as_str().unwrap()).await.unwrap();
        assert!(browser.look().await.1.contains("Developer"));
        let waiting = sign_in("user@partner.example").await.expect(201);

        // By address, in any case; only where it was granted.
        let elsewhere = format!("{ACCESS}?account_id={}", end.credentials.acquiring_partner.account_id);
        assert_eq!(end.ap(Method::DELETE, &elsewhere, None).await.status, 204);
        assert_eq!(browser.look().await.0, 200);
        let named = format!("{ACCESS}?account_id={}&principal=USER%40partner.example", end.partner());
        assert_eq!(end.ap(Method::DELETE, &named, None).await.status, 204);
        assert_eq!(browser.look().await.0, 401, "the session went with the access");
        assert!(Browser::enter(&end, waiting["url"].as_str().unwrap()).await.is_none(), "and so did the link");
        sign_in("user@partner.example").await.refused(404, "RESOURCE_NOT_FOUND");
        sign_in("other@partner.example").await.expect(201);

        // By the user's id, then everything.
        let by_id = format!("{ACCESS}?principal={}", other["user_id"].as_str().unwrap());
        assert_eq!(end.ap(Method::DELETE, &by_id, None).await.status, 204);
        sign_in("other@partner.example").await.refused(404, "RESOURCE_NOT_FOUND");
        grant(claims(&end, "j-5")).await.expect(201);
        assert_eq!(end.ap(Method::DELETE, ACCESS, None).await.status, 204);
        sign_in("user@partner.example").await.refused(404, "RESOURCE_NOT_FOUND");

        let differing = format!("{ACCESS}?account_id=a&on_behalf_of=b");
        assert_eq!(end.ap(Method::DELETE, &differing, None).await.parameters(), ["on_behalf_of"]);
        end.call(end.partner_key(), Method::DELETE, ACCESS, None).await.refused(403, "OPERATION_FORBIDDEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_restart_and_addresses_are_nowhere_in_the_database() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let signer = Signer::seeded(&end);
        end.ap(Method::POST, ACCESS, Some(&json!({"jwt": signer.sign(&claims(&end, "j-1"))}))).await.expect(201);
        let link = signed(&end, &signer.sign(&claims(&end, "j-2"))).await.expect(200);
        let browser = Browser::enter(&end, link["url"].as_str().unwrap()).await.unwrap();
        let cookie = browser.cookie.clone();
        for file in std::fs::read_dir(&place.folder).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(20).any(|window| window == b"user@partner.example"));
        }
        end.stop().await;
        let end = harness::start(&place, Wishes::default()).await;
        assert_eq!(Browser { end: &end, cookie }.look().await.0, 200);
        end.stop().await;
    }
}
