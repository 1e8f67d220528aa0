//! Client certificates: issued, shown in a real handshake, enforced, revoked; and the list of addresses.

use http::Method;
use kit::clock::DAY_US;
use kit::http::{ClientCertificates, ServeConfig, ServerTls};
use kit::outbound::{UpstreamConfig, upstream_client};
use kit::tls::{self, Identity};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::harness::{self, Answer, End, Place, Wishes, ends, places};

const AT: &str = "/v2/account/integration/credentials/client-certificate";
const ENFORCEMENT: &str = "/v2/account/integration/client-certificates/enforcement";
const ALLOWED: &str = "/v2/account/integration/ip-restrictions/allowed-ips";
const INBOUND: &str = "/v2/account/integration/inbound-restriction/ip";
const ANY: &str = "/v2/notification/webhooks";
const MTLS_STATUS: &str = "klarna-mtls-verification-status";
const IP_STATUS: &str = "klarna-ip-validation-status";

pub fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

pub fn request(key: &KeyPair, name: Option<&str>) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn body(usage: &str, request: &str) -> Value {
    json!({"description": "edge", "config": {"usage": usage, "certificate_signing_request": request}})
}

async fn issue(end: &End, usage: &str, key: &KeyPair) -> Value {
    end.ap(Method::POST, AT, Some(&body(usage, &request(key, None)))).await.expect(201)
}

fn at(made: &Value) -> String {
    format!("{AT}/{}", made["credential_id"].as_str().unwrap())
}

fn ders(pem: &Value) -> Vec<Vec<u8>> {
    let pem = pem.as_str().unwrap().as_bytes();
    tls::certificates(pem, "the answer").unwrap().iter().map(|der| der.to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_issued_by_the_networks_authority_in_the_documented_profile() {
    for end in ends().await {
        let key = key();
        let made = end.ap(Method::POST, AT, Some(&body("MTLS", &request(&key, Some("edge 1"))))).await.expect(201);
        assert_eq!((&made["state"], &made["revoked_from"]), (&json!("ACTIVE"), &json!(null)));
        assert_eq!(
            (&made["valid_from"], &made["valid_to"]),
            (&json!("2026-03-02T10:00:00Z"), &json!("2029-03-02T10:00:00Z"))
        );
        let chain = ders(&made["certificate_chain"]);
        assert_eq!((chain.len(), &chain[..1]), (2, &ders(&made["certificate"])[..]));

        let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
        let (_, authority) = X509Certificate::from_der(&chain[1]).unwrap();
        leaf.verify_signature(Some(authority.public_key())).unwrap();
        authority.verify_signature(None).unwrap();
        assert!(authority.is_ca() && !leaf.is_ca());
        assert_eq!(leaf.issuer(), authority.subject());
        assert_eq!(leaf.subject().to_string(), "CN=edge 1");
        assert_eq!(leaf.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
        assert_eq!(leaf.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2", "ECDSA with SHA-256");
        let usage = leaf.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign());
        assert!(leaf.basic_constraints().unwrap().unwrap().critical);
        let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
        let account = &end.credentials.acquiring_partner.account_id;
        assert!(matches!(&names[..], [GeneralName::URI(uri)] if uri == account));
        assert!(leaf.extensions().iter().any(|extension| extension.oid.to_id_string() == "1.3.6.1.4.1.33194.1.1.2"));
        assert_eq!(leaf.validity().not_after.timestamp() * 1_000_000, crate::harness::BEGINNING + 1096 * DAY_US);

        // Without a name: the account's, and chance. Without a chance to collide.
        let other = issue(&end, "JWT_SIGNING", &key).await;
        let der = &ders(&other["certificate"])[0];
        let (_, leaf) = X509Certificate::from_der(der).unwrap();
        let short = account.rsplit(':').next().unwrap();
        let subject = leaf.subject().to_string();
        assert!(subject.starts_with(&format!("CN={short}-")) && subject.len() == 3 + short.len() + 1 + 16, "{subject}");

        assert_eq!(end.ap(Method::GET, &at(&made), None).await.expect(200), made);
        let listed = end.ap(Method::GET, AT, None).await.expect(200)["credentials"].clone();
        assert_eq!(listed.as_array().unwrap().len(), 3, "with the seeded one: {listed}");
        assert!(listed.as_array().unwrap().contains(&made));
        let patch = json!({"description": "edge of Stockholm"});
        assert_eq!(
            end.ap(Method::PATCH, &at(&made), Some(&patch)).await.expect(200)["description"],
            patch["description"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_request_is_named_and_others_certificates_are_absent() {
    for end in ends().await {
        let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let cases = [
            (json!({}), vec!["config"]),
            (
                json!({"description": "?", "config": {}}),
                vec!["description", "config.usage", "config.certificate_signing_request"],
            ),
            (body("SIGNING", "nonsense"), vec!["config.usage", "config.certificate_signing_request"]),
            (body("MTLS", &request(&p384, None)), vec!["config.certificate_signing_request"]),
        ];
        for (body, wanted) in cases {
            let answer = end.ap(Method::POST, AT, Some(&body)).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), wanted, "{body}");
        }
        let made = issue(&end, "MTLS", &key()).await;
        let revoke = format!("{}/revoke", at(&made));
        for (body, wanted) in [(json!({}), "revoked_from"), (json!({"revoked_from": "soon"}), "revoked_from")] {
            assert_eq!(end.ap(Method::POST, &revoke, Some(&body)).await.parameters(), [wanted]);
        }
        assert_eq!(
            end.ap(Method::PATCH, &at(&made), Some(&json!({"description": 5}))).await.parameters(),
            ["description"]
        );
        let now = json!({"revoked_from": "NOW"});
        for (method, path, body) in [
            (Method::GET, at(&made), None),
            (Method::PATCH, at(&made), Some(json!({"description": "x"}))),
            (Method::POST, revoke, Some(now)),
        ] {
            end.call(end.partner_key(), method, &path, body.as_ref()).await.refused(404, "RESOURCE_NOT_FOUND");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_end_by_revocation_from_a_date_or_by_age() {
    for end in ends().await {
        let made = issue(&end, "JWT_SIGNING", &key()).await;
        let revoke = async |at: &str| {
            end.ap(Method::POST, &format!("{}/revoke", self::at(&made)), Some(&json!({"revoked_from": at}))).await
        };
        let later = revoke("2026-03-04T10:00:00Z").await.expect(200);
        assert_eq!((&later["state"], &later["revoked_from"]), (&json!("ACTIVE"), &json!("2026-03-04T10:00:00Z")));
        revoke("2026-03-03T10:00:00Z").await.expect(200);
        end.ctx.clock.advance(DAY_US);
        let read = end.ap(Method::GET, &at(&made), None).await.expect(200);
        assert_eq!((&read["state"], &read["updated_at"]), (&json!("REVOKED"), &json!("2026-03-03T10:00:00Z")));
        revoke("NOW").await.refused(409, "RESOURCE_CONFLICT");

        let old = issue(&end, "JWT_SIGNING", &key()).await;
        end.ctx.clock.advance(1097 * DAY_US);
        assert_eq!(end.ap(Method::GET, &at(&old), None).await.expect(200)["state"], "EXPIRED");
        let now = json!({"revoked_from": "NOW"});
        end.ap(Method::POST, &format!("{}/revoke", at(&old)), Some(&now)).await.refused(409, "RESOURCE_CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_ten_live_certificates() {
    let end = ends().await.remove(0);
    let key = key();
    let mut last = json!(null);
    // The seeded one is the first.
    for _ in 1..10 {
        last = issue(&end, "JWT_SIGNING", &key).await;
    }
    let one_more = body("JWT_SIGNING", &request(&key, None));
    end.ap(Method::POST, AT, Some(&one_more)).await.refused(409, "RESOURCE_CONFLICT");
    end.ap(Method::POST, &format!("{}/revoke", at(&last)), Some(&json!({"revoked_from": "NOW"}))).await.expect(200);
    end.ap(Method::POST, AT, Some(&one_more)).await.expect(201);
}

/// A network end behind TLS, which asks for certificates.
struct Secure {
    end: End,
    ca: Vec<u8>,
}

async fn secure(place: &Place) -> Secure {
    let dev = tls::dev_tls(&place.folder, &[]).unwrap();
    let client_certificates = ClientCertificates::Reported { roots: Vec::new() };
    let tls = ServerTls { identity: dev.identity.clone(), client_certificates, unasked_names: Vec::new() };
    let serve = ServeConfig { tls: Some(tls), ..ServeConfig::default() };
    let end = harness::start(place, Wishes { serve, ..Wishes::default() }).await;
    Secure { ca: std::fs::read(&dev.ca_path).unwrap(), end }
}

impl Secure {
    /// A call over a connection of its own, with a certificate or without.
    async fn call(&self, identity: Option<&Identity>, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let extra_roots = tls::certificates(&self.ca, "ca").unwrap();
        let client =
            upstream_client(UpstreamConfig { extra_roots, identity: identity.cloned(), ..UpstreamConfig::default() });
        let port = self.end.base.rsplit(':').next().unwrap();
        let request = client.unwrap().request(method, format!("https://localhost:{port}{path}"));
        let mut request = request.header("authorization", format!("Basic {}", self.end.ap_key()));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    async fn status(&self, identity: Option<&Identity>) -> (u16, Option<String>) {
        let answer = self.call(identity, Method::GET, ANY, None).await;
        (answer.status, answer.header(MTLS_STATUS).map(str::to_owned))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issued_certificate_is_shown_in_a_real_handshake_and_without_it_nobody_calls_once_it_is_enforced() {
    for place in places().await {
        let secure = secure(&place).await;
        let seen = |status: u16, text: &str| (status, Some(text.to_owned()));
        assert_eq!(secure.status(None).await, (200, None), "nothing is said before there is a certificate");
        assert_eq!(
            secure.call(None, Method::GET, ENFORCEMENT, None).await.expect(200),
            json!({"enforcement_mode": "NOT_ENABLED", "enforced_from": null})
        );
        let now = json!({"enforced_from": "NOW"});
        secure.call(None, Method::PUT, ENFORCEMENT, Some(&now)).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(secure.call(None, Method::DELETE, ENFORCEMENT, None).await.status, 204);

        let new = async || {
            let key = key();
            let body = body("MTLS", &request(&key, None));
            let made = secure.call(None, Method::POST, AT, Some(&body)).await.expect(201);
            let identity =
                Identity::from_pem(made["certificate_chain"].as_str().unwrap(), &key.serialize_pem()).unwrap();
            (made, identity)
        };
        let (first, identity) = new().await;
        assert_eq!(secure.status(None).await, seen(200, "NOT_PRESENT"));
        assert_eq!(secure.status(Some(&identity)).await, seen(200, "VALID"));
        // Somebody else's: signed by itself; and of the right authority, but for signing links.
        let foreign_key = key();
        let foreign = CertificateParams::default().self_signed(&foreign_key).unwrap().pem();
        let foreign = Identity::from_pem(&foreign, &foreign_key.serialize_pem()).unwrap();
        assert_eq!(secure.status(Some(&foreign)).await, seen(200, "INVALID"));
        let signing = &secure.end.credentials.acquiring_partner.jwt_signing;
        let signing = Identity::from_pem(&signing.certificate_pem, &signing.private_key_pem).unwrap();
        assert_eq!(secure.status(Some(&signing)).await, seen(200, "INVALID"));

        // Announced, then in force at its time.
        for bad in ["2026-03-02T09:59:59Z", "2026-06-03T10:00:00Z"] {
            let answer = secure.call(None, Method::PUT, ENFORCEMENT, Some(&json!({"enforced_from": bad}))).await;
            assert_eq!(answer.parameters(), ["enforced_from"], "{bad}");
        }
        let tomorrow = json!({"enforced_from": "2026-03-03T10:00:00Z"});
        assert_eq!(secure.call(None, Method::PUT, ENFORCEMENT, Some(&tomorrow)).await.status, 204);
        let mut status = tomorrow;
        status["enforcement_mode"] = json!("REPORTING");
        assert_eq!(secure.call(None, Method::GET, ENFORCEMENT, None).await.expect(200), status);
        assert_eq!(secure.status(None).await, seen(200, "NOT_PRESENT"));
        secure.end.ctx.clock.advance(DAY_US);
        assert_eq!(secure.status(None).await, seen(401, "NOT_PRESENT"));
        assert_eq!(secure.status(Some(&foreign)).await, seen(401, "INVALID"));
        let answer = secure.call(Some(&foreign), Method::GET, ANY, None).await;
        answer.refused(401, "UNAUTHORIZED");
        assert_eq!(secure.status(Some(&identity)).await, seen(200, "VALID"));
        status["enforcement_mode"] = json!("ENFORCED");
        assert_eq!(secure.call(Some(&identity), Method::GET, ENFORCEMENT, None).await.expect(200), status);

        // Rotation: the last one cannot go before there is another.
        let revoke = format!("{}/revoke", at(&first));
        let revoked = json!({"revoked_from": "NOW"});
        let answer = secure.call(Some(&identity), Method::POST, &revoke, Some(&revoked)).await;
        answer.refused(409, "RESOURCE_CONFLICT");
        let key = key();
        let request = body("MTLS", &request(&key, None));
        let second = secure.call(Some(&identity), Method::POST, AT, Some(&request)).await.expect(201);
        let second = Identity::from_pem(second["certificate_chain"].as_str().unwrap(), &key.serialize_pem()).unwrap();
        assert_eq!(secure.status(Some(&second)).await, seen(200, "VALID"));
        secure.call(Some(&second), Method::POST, &revoke, Some(&revoked)).await.expect(200);
        assert_eq!(secure.status(Some(&identity)).await, seen(401, "INVALID"));

        // Removed again.
        assert_eq!(secure.call(Some(&second), Method::DELETE, ENFORCEMENT, None).await.status, 204);
        assert_eq!(secure.status(None).await, seen(200, "NOT_PRESENT"));
        secure.end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_locked_itself_out_is_unlocked_by_the_test_environment() {
    for end in ends().await {
        issue(&end, "MTLS", &key()).await;
        assert_eq!(end.ap(Method::PUT, ENFORCEMENT, Some(&json!({"enforced_from": "NOW"}))).await.status, 204);
        let elsewhere = json!({"enforcement_mode": "ENFORCED", "allowed_ips": ["203.0.113.0/24"]});
        end.ap(Method::PUT, ALLOWED, Some(&elsewhere)).await.refused(401, "UNAUTHORIZED");
        assert_eq!(end.ap(Method::DELETE, "/testing/restrictions", None).await.status, 204);
        end.ap(Method::PUT, ALLOWED, Some(&elsewhere)).await.expect(200);
        end.ap(Method::GET, ANY, None).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(end.ap(Method::DELETE, "/testing/restrictions", None).await.status, 204);
        let answer = end.ap(Method::GET, ANY, None).await;
        answer.expect(200);
        assert_eq!((answer.header(MTLS_STATUS), answer.header(IP_STATUS)), (Some("NOT_PRESENT"), Some("DENIED")));
        // The Partner under it was never concerned.
        assert_eq!(end.call(end.partner_key(), Method::GET, ANY, None).await.header(IP_STATUS), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_reported_then_enforced_at_every_path() {
    for end in ends().await {
        let put = async |body: Value| end.ap(Method::PUT, ALLOWED, Some(&body)).await;
        let patch = async |body: Value| end.ap(Method::PATCH, INBOUND, Some(&body)).await;
        assert_eq!(end.ap(Method::GET, ANY, None).await.header(IP_STATUS), None);

        // An empty list denies; both paths show the same.
        patch(json!({"enforcement_mode": "REPORTING"})).await.expect(200);
        assert_eq!(end.ap(Method::GET, ANY, None).await.header(IP_STATUS), Some("DENIED"));
        let list = json!({"enforcement_mode": "REPORTING", "allowed_ips": ["127.0.0.9/8", "2001:DB8::/32"]});
        let shown = json!({"enforcement_mode": "REPORTING", "allowed_ips": ["127.0.0.0/8", "2001:db8::/32"]});
        assert_eq!(put(list).await.expect(200), shown);
        for path in [ALLOWED, INBOUND] {
            assert_eq!(end.ap(Method::GET, path, None).await.expect(200), shown);
        }
        assert_eq!(end.ap(Method::GET, ANY, None).await.header(IP_STATUS), Some("ALLOWED"));

        // Enforced: let in without a word, or kept out, refusals by what they are.
        let answer = patch(json!({"enforcement_mode": "ENFORCED"})).await;
        assert_eq!(answer.expect(200)["allowed_ips"], shown["allowed_ips"], "the list stays");
        let answer = end.ap(Method::GET, ANY, None).await;
        assert_eq!((answer.status, answer.header(IP_STATUS)), (200, None));
        put(json!({"allowed_ips": ["203.0.113.7"]})).await.expect(200);
        let answer = end.ap(Method::GET, ANY, None).await;
        answer.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(answer.json()["error_type"], "RESOURCE_ERROR");
        assert_eq!(answer.header(IP_STATUS), None);
        // Nobody can speak for another address.
        let authorization = format!("Basic {}", end.ap_key());
        let headers = [("authorization", authorization.as_str()), ("x-forwarded-for", "203.0.113.7")];
        end.send(Method::GET, ANY, &headers, None).await.refused(403, "OPERATION_FORBIDDEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_faulty_entry_of_a_list_is_named() {
    for end in ends().await {
        let entries = json!(["203.0.113.0/24", "203.0.113.9/24", "anywhere", "10.0.0.0/33", 7, "203.0.113.9/+8"]);
        let answer =
            end.ap(Method::PUT, ALLOWED, Some(&json!({"enforcement_mode": "ON", "allowed_ips": entries}))).await;
        answer.refused(400, "VALIDATION_ERROR");
        let mut wanted: Vec<String> = vec!["enforcement_mode".to_owned()];
        wanted.extend([2, 3, 4, 5, 1].map(|index| format!("allowed_ips[{index}]")));
        assert_eq!(answer.parameters(), wanted);
        assert_eq!(end.ap(Method::PUT, ALLOWED, Some(&json!({}))).await.parameters(), ["allowed_ips"]);
        let many: Vec<String> = (0..101).map(|number| format!("10.0.{number}.0/24")).collect();
        let answer = end.ap(Method::PATCH, INBOUND, Some(&json!({"allowed_ips": many}))).await;
        assert_eq!(answer.parameters(), ["allowed_ips"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_hears_of_enforcement_within_a_second() {
    for place in places().await {
        let first = harness::start(&place, Wishes::default()).await;
        let second = harness::start(&place, Wishes::default()).await;
        second.ap(Method::GET, ANY, None).await.expect(200);
        let elsewhere = json!({"enforcement_mode": "ENFORCED", "allowed_ips": ["203.0.113.0/24"]});
        first.ap(Method::PUT, ALLOWED, Some(&elsewhere)).await.expect(200);
        tokio::time::sleep(std::time::Duration::from_millis(1000)).await;
        second.ap(Method::GET, ANY, None).await.refused(403, "OPERATION_FORBIDDEN");
        first.stop().await;
        second.stop().await;
    }
}
