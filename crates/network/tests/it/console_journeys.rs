//! `/testing/payment-requests`: customers without a browser.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{End, ends};
use crate::payments_steps::{post, request_body, told};

async fn made(end: &End) -> String {
    let body = request_body(end);
    let request = post(end, "/requests", &body).await.expect(201);
    request["payment_request_id"].as_str().unwrap().to_owned()
}

async fn act(end: &End, id: &str, deed: &str, body: Option<&Value>) -> crate::harness::Answer {
    end.ap(Method::POST, &format!("/testing/payment-requests/{id}/{deed}"), body).await
}

async fn listed(end: &End, query: &str) -> Vec<String> {
    let list = end.ap(Method::GET, &format!("/testing/payment-requests{query}"), None).await.expect(200);
    let id = |row: &Value| row["payment_request_id"].as_str().unwrap().to_owned();
    list["payment_requests"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_completes_declines_or_abandons_without_a_browser() {
    for end in ends().await {
        let id = made(&end).await;
        assert_eq!(act(&end, &id, "enter", None).await.expect(200)["state"], "IN_PROGRESS");
        assert_eq!(act(&end, &id, "abandon", None).await.expect(200)["state"], "SUBMITTED");
        assert_eq!(listed(&end, "?open=true").await, std::slice::from_ref(&id));
        let done = act(&end, &id, "complete", None).await.expect(200);
        assert_eq!((&done["state"], &done["account_id"]), (&json!("COMPLETED"), &json!(end.partner())));
        assert!(done["payment_request"]["state_context"]["klarna_network_session_token"].is_string());
        assert!(done["return_url"].as_str().unwrap().ends_with("&s=COMPLETED"), "{}", done["return_url"]);
        assert!(listed(&end, "?open=true").await.is_empty());
        assert!(told(&end).await.iter().any(|told| told.ends_with("completed")), "{:?}", told(&end).await);
        for deed in ["enter", "complete", "decline", "abandon"] {
            act(&end, &id, deed, None).await.refused(403, "OPERATION_FORBIDDEN");
            act(&end, "krn:payment:eu1:request:absent", deed, None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_the_personas() {
    for end in ends().await {
        for (body, state) in [
            (json!({"persona": "denied"}), "DECLINED"),
            (json!({"persona": "new_user"}), "COMPLETED"),
            (json!({"customer": {"email": "customer+denied@email.se"}}), "DECLINED"),
            (json!({"customer": {"email": "customer@email.se"}}), "COMPLETED"),
            (json!({"persona": "pending_approved"}), "IN_PROGRESS"),
        ] {
            let id = made(&end).await;
            assert_eq!(act(&end, &id, "complete", Some(&body)).await.expect(200)["state"], state, "{body}");
        }
        let id = made(&end).await;
        assert_eq!(act(&end, &id, "decline", None).await.expect(200)["state"], "DECLINED");
        let all = listed(&end, "").await;
        assert_eq!((all.len(), listed(&end, "?size=4").await.len()), (6, 4));

        let id = made(&end).await;
        let both = json!({"persona": "denied", "customer": {"email": "a@example.com"}});
        for (body, parameter) in [
            (json!({"persona": "somebody"}), "persona"),
            (json!({"customer": {"email": "nobody"}}), "customer.email"),
            (both, "persona"),
        ] {
            let answer = act(&end, &id, "complete", Some(&body)).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), [parameter]);
        }
        let answer = end.ap(Method::GET, "/testing/payment-requests?open=maybe&size=0&starting_after=x", None).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.parameters(), ["size", "open", "starting_after"]);
    }
}
