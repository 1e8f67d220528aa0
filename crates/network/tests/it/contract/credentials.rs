//! API keys, client identifiers, SFTP users.

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
}
