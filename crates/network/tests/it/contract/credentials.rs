//! API keys, client identifiers, SFTP users, client certificates and their enforcement, addresses.

use http::Method;
use serde_json::{Value, json};

use crate::harness::End;

const AT: &str = "/v2/account/integration/credentials";

/// A new credential of a sort: its id.
async fn a(end: &End, sort: &str) -> String {
    let made = end.ap(Method::POST, &format!("{AT}/{sort}"), Some(&json!({"description": "before"}))).await.expect(201);
    made["credential_id"].as_str().unwrap().to_owned()
}

async fn read(end: &End, sort: &str, id: &str) -> Value {
    end.ap(Method::GET, &format!("{AT}/{sort}/{id}"), None).await.expect(200)
}

async fn a_certificate(end: &End) -> String {
    let config = json!({"usage": "MTLS", "certificate_signing_request": signing_request()});
    let body = json!({"description": "before", "config": config});
    let made = end.ap(Method::POST, &format!("{AT}/client-certificate"), Some(&body)).await.expect(201);
    made["credential_id"].as_str().unwrap().to_owned()
}

fn signing_request() -> String {
    crate::credentials_certificates::request(&crate::credentials_certificates::key(), None)
}

crate::contracts! {
    "POST /v2/account/integration/credentials/api-key" => async fn creates_an_api_key(end, op) {
        let made = op.call(end, &[], Some(&op.body())).await;
        op.reads(&made);
        assert_eq!(made["description"], "made by a test");
        let key = made["secret"]["secret"].as_str().unwrap();
        end.call(key, Method::GET, &format!("{AT}/api-key"), None).await.expect(200);
    }
    "GET /v2/account/integration/credentials/api-key" => async fn lists_api_keys(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/account/integration/credentials/api-key/{credential_id}" => async fn reads_an_api_key(end, op) {
        let id = a(end, "api-key").await;
        let read = op.call(end, &[("credential_id", &id)], None).await;
        op.reads(&read);
        assert_eq!(read["secret"], json!(null), "shown once");
    }
    "PATCH /v2/account/integration/credentials/api-key/{credential_id}" => async fn describes_an_api_key(end, op) {
        let id = a(end, "api-key").await;
        let changed = op.call(end, &[("credential_id", &id)], Some(&op.body())).await;
        op.reads(&changed);
        assert_eq!(changed["description"], "made by a test");
    }
    "DELETE /v2/account/integration/credentials/api-key/{credential_id}" => async fn disables_an_api_key(end, op) {
        let id = a(end, "api-key").await;
        op.call(end, &[("credential_id", &id)], None).await;
        assert_eq!(read(end, "api-key", &id).await["state"], "DISABLED");
    }
    "POST /v2/account/integration/credentials/client-identifier" => async fn creates_a_client_identifier(end, op) {
        let made = op.call(end, &[], Some(&op.body())).await;
        op.reads(&made);
        assert!(made["identity"]["client_id"].as_str().unwrap().starts_with("klarna_test_client_"));
    }
    "GET /v2/account/integration/credentials/client-identifier" => async fn lists_client_identifiers(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/account/integration/credentials/client-identifier/{credential_id}" => async fn reads_a_client_identifier(end, op) {
        let id = a(end, "client-identifier").await;
        op.reads(&op.call(end, &[("credential_id", &id)], None).await);
    }
    "PATCH /v2/account/integration/credentials/client-identifier/{credential_id}" => async fn describes_a_client_identifier(end, op) {
        let id = a(end, "client-identifier").await;
        let changed = op.call(end, &[("credential_id", &id)], Some(&op.body())).await;
        op.reads(&changed);
        assert_eq!(changed["description"], "made by a test");
    }
    "DELETE /v2/account/integration/credentials/client-identifier/{credential_id}" => async fn disables_a_client_identifier(end, op) {
        let id = a(end, "client-identifier").await;
        op.call(end, &[("credential_id", &id)], None).await;
        assert_eq!(read(end, "client-identifier", &id).await["state"], "DISABLED");
    }
    "POST /v2/account/integration/credentials/sftp" => async fn creates_an_sftp_user(end, op) {
        let made = op.call(end, &[], Some(&op.body())).await;
        op.reads(&made);
        assert!(made["secret"]["secret"].is_string() && made["identity"]["username"].is_string());
    }
    "GET /v2/account/integration/credentials/sftp" => async fn lists_sftp_users(end, op) {
        a(end, "sftp").await;
        assert_eq!(op.call(end, &[], None).await["credentials"].as_array().unwrap().len(), 1);
    }
    "GET /v2/account/integration/credentials/sftp/{credential_id}" => async fn reads_an_sftp_user(end, op) {
        let id = a(end, "sftp").await;
        assert_eq!(op.call(end, &[("credential_id", &id)], None).await["secret"], json!(null));
    }
    "DELETE /v2/account/integration/credentials/sftp/{credential_id}" => async fn disables_an_sftp_user(end, op) {
        let id = a(end, "sftp").await;
        op.call(end, &[("credential_id", &id)], None).await;
        assert_eq!(read(end, "sftp", &id).await["state"], "DISABLED");
    }
    "POST /v2/account/integration/credentials/client-certificate" => async fn issues_a_client_certificate(end, op) {
        for usage in ["MTLS", "JWT_SIGNING"] {
            let config = json!({"usage": usage, "certificate_signing_request": signing_request()});
            let made = op.call(end, &[], Some(&op.body_with(json!({"config": config})))).await;
            op.reads(&made);
            assert_eq!((&made["config"]["usage"], &made["description"]), (&json!(usage), &json!("made by a test")));
        }
    }
    "GET /v2/account/integration/credentials/client-certificate" => async fn lists_client_certificates(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/account/integration/credentials/client-certificate/{credential_id}" => async fn reads_a_client_certificate(end, op) {
        let id = a_certificate(end).await;
        assert_eq!(op.call(end, &[("credential_id", &id)], None).await["state"], "ACTIVE");
    }
    "PATCH /v2/account/integration/credentials/client-certificate/{credential_id}" => async fn describes_a_client_certificate(end, op) {
        let id = a_certificate(end).await;
        let changed = op.call(end, &[("credential_id", &id)], Some(&op.body())).await;
        assert_eq!(changed["description"], "made by a test");
    }
    "POST /v2/account/integration/credentials/client-certificate/{credential_id}/revoke" => async fn revokes_a_client_certificate(end, op) {
        let id = a_certificate(end).await;
        let body = op.body_with(json!({"revoked_from": "2026-03-02T10:00:00Z"}));
        let revoked = op.call(end, &[("credential_id", &id)], Some(&body)).await;
        assert_eq!((&revoked["state"], &revoked["revoked_from"]), (&json!("REVOKED"), &body["revoked_from"]));
    }
    "PUT /v2/account/integration/client-certificates/enforcement" => async fn enforces_client_certificates(end, op) {
        a_certificate(end).await;
        op.call(end, &[], Some(&op.body_with(json!({"enforced_from": "NOW"})))).await;
        let path = "/v2/account/integration/client-certificates/enforcement";
        end.ap(Method::GET, path, None).await.refused(401, "UNAUTHORIZED");
    }
    "GET /v2/account/integration/client-certificates/enforcement" => async fn reads_the_enforcement(end, op) {
        a_certificate(end).await;
        let status = op.call(end, &[], None).await;
        assert_eq!(status, json!({"enforcement_mode": "REPORTING", "enforced_from": null}));
    }
    "DELETE /v2/account/integration/client-certificates/enforcement" => async fn lifts_the_enforcement(end, op) {
        a_certificate(end).await;
        let path = "/v2/account/integration/client-certificates/enforcement";
        let later = json!({"enforced_from": "2026-03-03T10:00:00Z"});
        assert_eq!(end.ap(Method::PUT, path, Some(&later)).await.status, 204);
        op.call(end, &[], None).await;
        assert_eq!(end.ap(Method::GET, path, None).await.expect(200)["enforced_from"], json!(null));
    }
    "GET /v2/account/integration/ip-restrictions/allowed-ips" => async fn reads_the_allowed_addresses(end, op) {
        assert_eq!(op.call(end, &[], None).await, json!({"enforcement_mode": "NOT_ENABLED", "allowed_ips": []}));
    }
}
