//! Deep links and user access.

use http::Method;
use serde_json::json;

use crate::harness::End;
use crate::portal::{Signer, claims};

fn token(end: &End, jti: &str) -> String {
    Signer::seeded(end).sign(&claims(end, jti))
}

crate::contracts! {
    "POST /v2/accounts/{partner_account_id}/portal/deep-links" => async fn creates_a_deep_link(end, op) {
        let unsigned = json!({"jwt": null, "subject": "user@partner.example", "on_behalf_of": end.partner()});
        op.reads(&op.call(end, &[], Some(&op.body_with(unsigned))).await);
        let signed = json!({"jwt": token(end, "j-1"), "subject": null, "roles": null, "on_behalf_of": null});
        op.reads(&op.call(end, &[], Some(&op.body_with(signed))).await);
    }
    "DELETE /v2/accounts/{partner_account_id}/portal/deep-links/{deep_link_id}" => async fn deletes_a_deep_link(end, op) {
        let path = format!("/v2/accounts/{}/portal/deep-links", end.partner());
        let link = end.ap(Method::POST, &path, Some(&json!({"jwt": token(end, "j-1")}))).await.expect(200);
        op.call(end, &[("deep_link_id", link["deep_link_id"].as_str().unwrap())], None).await;
    }
    "POST /v2/portal/user-access" => async fn grants_user_access(end, op) {
        op.call(end, &[], Some(&op.body_with(json!({"jwt": token(end, "j-1")})))).await;
    }
    "DELETE /v2/portal/user-access" => async fn takes_user_access_back(end, op) {
        let body = json!({"jwt": token(end, "j-1")});
        end.ap(Method::POST, "/v2/portal/user-access", Some(&body)).await.expect(201);
        let account = end.partner();
        let query = format!("account_id={account}&principal=user@partner.example&on_behalf_of={account}");
        op.call_with(end, &[], &query, &[], None).await;
    }
}
