//! Payment Requests, authorization, Payment Transactions.

use http::Method;
use network::payments;
use protocol::{DisputeId, PartnerAccountId, PaymentCaptureId, Region};
use serde_json::{Value, json};

use super::Contract;
use crate::harness::End;
use crate::payments_steps::{acquiring, at, get, id, transaction};

const LINES: &str = "supplementary_purchase_data";

/// What of a body of all fields must be told to fit the seeded Partner: its payment account, and the QR code's lack of a way back.
fn fitting(end: &End) -> Value {
    json!({ "acquiring_config": acquiring(end) })
}

/// A body of all fields, for the operations that take a whole purchase.
fn whole(op: &Contract, end: &End) -> Value {
    let mut body = op.body_with(fitting(end));
    // The sheet's union holds both ends of the journey by air and by rail; each call makes one of them.
    body["acquiring_config"]["settlement_currency"] = json!("USD");
    body
}

async fn a_request(end: &End, more: Value) -> Value {
    let mut body = crate::payments_steps::request_body(end);
    for (name, value) in more.as_object().unwrap() {
        body[name.as_str()] = value.clone();
    }
    end.ap(Method::POST, &at(end, "/requests"), Some(&body)).await.expect(201)
}

/// Approves a request as its customer, and returns it as it is read then.
async fn approve(end: &End, request: &str) -> Value {
    let path = format!("/testing/accounts/{}/requests/{request}/customer", end.partner());
    let body = json!({"step": "APPROVE", "email": "customer@email.de"});
    end.ap(Method::POST, &path, Some(&body)).await.expect(200)
}

async fn a_capture(end: &End, amount: i64) -> (String, String) {
    let transaction = id(&transaction(end, "TX-1").await);
    let body = json!({ "capture_amount": amount });
    let path = at(end, &format!("/transactions/{transaction}/capture"));
    let capture = end.ap(Method::POST, &path, Some(&body)).await.expect(201);
    (transaction, capture["payment_capture_id"].as_str().unwrap().to_owned())
}

fn request_id(request: &Value) -> String {
    request["payment_request_id"].as_str().unwrap().to_owned()
}

fn without(mut body: Value, names: &[&str]) -> Value {
    for name in names {
        body.as_object_mut().unwrap().remove(*name);
    }
    body
}

crate::contracts! {
    "POST /v2/accounts/{partner_account_id}/payment/authorize" => async fn authorizes(end, op) {
        let token = end.credentials.partner.customer_token.clone().unwrap();
        // A stored customer is charged, with every field that describes the purchase.
        let mut body = without(whole(op, end), &["request_customer_token"]);
        body["request_payment_transaction"]["payment_transaction_reference"] = json!("TX-1");
        let customer = [("klarna-customer-token", token.as_str())];
        let charged = op.call_with(end, &[], "", &customer, Some(&body)).await;
        assert_eq!(charged["payment_transaction_response"]["result"], "APPROVED");
        op.reads_some(&charged, &["payment_transaction_response.payment_transaction.payment_transaction_id"]);
        let paid = &charged["payment_transaction_response"]["payment_transaction"];
        assert_eq!(paid[LINES], body[LINES], "what is bought is kept to the last member");
        for name in ["point_of_checkout", "point_of_transaction", "interoperability_data"] {
            assert_eq!(paid[name], body[name]);
        }
        assert_eq!(paid["settlement_currency"], "USD");
        // The customer is asked: for the payment, and for a token.
        for scope in ["customer:login", "payment:customer_not_present", "payment:customer_present"] {
            let changes = json!({"acquiring_config": acquiring(end), "request_customer_token": {"scopes": [scope]},
                "step_up_config": {"payment_request_expires_at": "2026-03-02T12:00:00Z"}});
            let asked = op.call(end, &[], Some(&op.body_with(changes))).await;
            assert_eq!(asked["payment_transaction_response"]["result"], "STEP_UP_REQUIRED");
            op.reads_some(&asked, &[
                "payment_transaction_response.result",
                "payment_request.payment_request_id",
                "payment_request.supplementary_purchase_data.purchase_reference",
                "payment_request.supplementary_purchase_data.line_items",
                "payment_request.state_context.customer_interaction.payment_request_id",
            ]);
            // Both headers of the approval's grant.
            let approved = approve(end, &request_id(&asked["payment_request"])).await;
            let session = approved["state_context"]["klarna_network_session_token"].as_str().unwrap();
            let handle = approved["state_context"]["payment_token"].as_str().unwrap();
            let header = [("klarna-interoperability-token", session), ("klarna-payment-token", handle)];
            let mut last = op.body_with(json!({"acquiring_config": acquiring(end)}));
            last = without(last, &["step_up_config"]);
            last["request_payment_transaction"]["payment_transaction_reference"] = json!(format!("TX-{scope}"));
            let paid = op.call_with(end, &[], "", &header, Some(&last)).await;
            op.reads_some(&paid, &["customer_token_response.customer_token"]);
            assert_eq!(paid["payment_transaction_response"]["result"], "APPROVED");
        }
    }
    "POST /v2/accounts/{partner_account_id}/payment/requests" => async fn asks_for_a_payment(end, op) {
        let token = end.credentials.partner.customer_token.clone().unwrap();
        let mut body = whole(op, end);
        body["acquiring_config"] = acquiring(end);
        for (method, scope) in [("QR_CODE", "customer:login"), ("HANDOVER", "payment:customer_present")] {
            body["customer_interaction_config"]["method"] = json!(method);
            body["request_customer_token"]["scopes"] = json!([scope]);
            let made = op.call_with(end, &[], "", &[("klarna-customer-token", &token)], Some(&body)).await;
            op.reads(&made);
            assert_eq!(made["state"], "SUBMITTED");
            let unasked = ["state_context", "amount", "currency", "customer_interaction_config"];
            for (name, value) in body.as_object().unwrap().iter().filter(|(name, _)| !unasked.contains(&name.as_str())) {
                assert_eq!(&made[name], value, "{name} is answered");
            }
        }
    }
    "GET /v2/accounts/{partner_account_id}/payment/requests/{payment_request_id}" => async fn reads_a_request(end, op) {
        let token = json!({"request_customer_token": {"scopes": ["payment:customer_present"]}});
        let request = request_id(&a_request(end, token).await);
        approve(end, &request).await;
        op.reads(&op.call(end, &[("payment_request_id", &request)], None).await);
    }
    "PATCH /v2/accounts/{partner_account_id}/payment/requests/{payment_request_id}" => async fn changes_a_request(end, op) {
        let made = a_request(end, json!({})).await;
        let session = made["state_context"]["interoperability_token"].as_str().unwrap().to_owned();
        let mut body = whole(op, end);
        body["acquiring_config"] = acquiring(end);
        // The collection's own example is 500 off its lines (RULINGS 1.3).
        body["amount"] = json!(5490);
        let request = request_id(&made);
        let header = [("klarna-interoperability-token", session.as_str())];
        let changed = op.call_with(end, &[("payment_request_id", &request)], "", &header, Some(&body)).await;
        op.reads(&changed);
        assert_eq!((&changed["amount"], &changed[LINES]["purchase_reference"]), (&json!(5490), &body[LINES]["purchase_reference"]));
    }
    "DELETE /v2/accounts/{partner_account_id}/payment/requests/{payment_request_id}" => async fn cancels_a_request(end, op) {
        let request = request_id(&a_request(end, json!({})).await);
        let canceled = op.call(end, &[("payment_request_id", &request)], None).await;
        op.reads(&canceled);
        assert_eq!(canceled["state"], "CANCELED");
    }
    "DELETE /v2/accounts/{partner_account_id}/payment/tokens/{payment_token}" => async fn gives_an_approval_back(end, op) {
        let approved = approve(end, &request_id(&a_request(end, json!({})).await)).await;
        let token = approved["state_context"]["payment_token"].as_str().unwrap();
        op.call(end, &[("payment_token", token)], None).await;
        let read = get(end, &format!("/requests/{}", request_id(&approved))).await.expect(200);
        assert_eq!(read["state"], "CANCELED");
    }
    "GET /v2/accounts/{partner_account_id}/payment/transactions/{payment_transaction_id}" => async fn reads_a_transaction(end, op) {
        let transaction = transaction(end, "TX-1").await;
        let read = op.call(end, &[("payment_transaction_id", &id(&transaction))], None).await;
        assert_eq!(read, transaction);
    }
    "PATCH /v2/accounts/{partner_account_id}/payment/transactions/{payment_transaction_id}" => async fn changes_a_transaction(end, op) {
        let transaction = id(&transaction(end, "TX-1").await);
        let body = op.body();
        let changed = op.call(end, &[("payment_transaction_id", &transaction)], Some(&body)).await;
        assert_eq!(changed["payment_transaction_reference"], body["payment_transaction_reference"]);
        assert_eq!(changed[LINES]["purchase_reference"], body[LINES]["purchase_reference"]);
    }
    "POST /v2/accounts/{partner_account_id}/payment/transactions/{payment_transaction_id}/capture" => async fn captures(end, op) {
        let transaction = id(&transaction(end, "TX-1").await);
        let lines = json!([{"name": "Book", "quantity": 2, "unit_price": 2495, "total_amount": 4990, "total_tax_amount": 998,
            "product_url": "https://shop.example/book", "image_url": "https://shop.example/book.png",
            "product_identifier": "book-1", "reference": "line-1", "shipping_reference": "shipping-1"}]);
        let body = op.body_with(json!({"supplementary_capture_data": {"line_items": lines}}));
        let captured = op.call(end, &[("payment_transaction_id", &transaction)], Some(&body)).await;
        op.reads(&captured);
        assert_eq!(captured["supplementary_capture_data"], body["supplementary_capture_data"]);
        assert_eq!(captured[LINES], body[LINES]);
        let path = format!("/captures/{}", captured["payment_capture_id"].as_str().unwrap());
        assert_eq!(get(end, &path).await.expect(200), captured);
    }
    "POST /v2/accounts/{partner_account_id}/payment/transactions/{payment_transaction_id}/void" => async fn voids(end, op) {
        let transaction = id(&transaction(end, "TX-1").await);
        let voided = op.call(end, &[("payment_transaction_id", &transaction)], None).await;
        assert_eq!((&voided["state"], &voided["voided_amount"]), (&json!("CLOSED"), &json!(4990)));
    }
    "POST /v2/accounts/{partner_account_id}/payment/transactions/{payment_transaction_id}/authorize" => async fn authorizes_again(end, op) {
        let transaction = id(&transaction(end, "TX-1").await);
        let again = op.call(end, &[("payment_transaction_id", &transaction)], Some(&op.body())).await;
        assert_eq!(again["expires_at"], "2026-04-06T10:00:00Z", "28 days and 7");
    }
    "POST /v2/accounts/{partner_account_id}/payment/transactions/{payment_transaction_id}/refund" => async fn refunds_a_transaction(end, op) {
        let (transaction, _) = a_capture(end, 4990).await;
        let body = op.body_with(json!({"refund_amount": 4990}));
        let refunded = op.call(end, &[("payment_transaction_id", &transaction)], Some(&body)).await;
        assert_eq!(refunded["refund_reference"], body["refund_reference"]);
        assert_eq!(refunded["supplementary_refund_data"], body["supplementary_refund_data"]);
    }
    "POST /v2/accounts/{partner_account_id}/payment/captures/{payment_capture_id}/refund" => async fn refunds_a_capture(end, op) {
        let (_, capture) = a_capture(end, 4990).await;
        let body = op.body_with(json!({"refund_amount": 4990}));
        let refunded = op.call(end, &[("payment_capture_id", &capture)], Some(&body)).await;
        op.reads(&refunded);
        assert_eq!(refunded["supplementary_refund_data"], body["supplementary_refund_data"]);
    }
    "GET /v2/accounts/{partner_account_id}/payment/captures/{payment_capture_id}" => async fn reads_a_capture(end, op) {
        let (_, capture) = a_capture(end, 1000).await;
        assert_eq!(op.call(end, &[("payment_capture_id", &capture)], None).await["capture_amount"], 1000);
    }
    "GET /v2/accounts/{partner_account_id}/payment/refunds/{payment_refund_id}" => async fn reads_a_refund(end, op) {
        let (_, capture) = a_capture(end, 1000).await;
        let path = at(end, &format!("/captures/{capture}/refund"));
        let made = end.ap(Method::POST, &path, Some(&json!({"refund_amount": 400}))).await.expect(201);
        let refund = made["payment_refund_id"].as_str().unwrap();
        assert_eq!(op.call(end, &[("payment_refund_id", refund)], None).await, made);
    }
    "GET /v2/accounts/{partner_account_id}/payment/chargebacks/{payment_chargeback_id}" => async fn reads_a_chargeback(end, op) {
        let (_, capture) = a_capture(end, 1000).await;
        let (ctx, partner) = (end.ctx.clone(), end.partner().parse::<PartnerAccountId>().unwrap());
        let capture: PaymentCaptureId = capture.parse().unwrap();
        let lost = end.ctx.db.write(move |tx| {
            Box::pin(async move {
                let dispute = DisputeId::new(Region::Eu1, 9);
                payments::charge_back(tx, &ctx, &partner, &capture, &dispute, (600, "PURCHASE_UNAUTHORIZED")).await
            })
        });
        let chargeback = lost.await.unwrap().to_string();
        assert_eq!(op.call(end, &[("payment_chargeback_id", &chargeback)], None).await["chargeback_amount"], 600);
    }
    "POST /v2/payment/requests" => async fn a_partner_asks_for_a_payment(end, op) {
        let token = end.credentials.partner.customer_token.clone().unwrap();
        let mut body = whole(op, end);
        body["acquiring_config"] = acquiring(end);
        op.reads(&op.call_with(end, &[], "", &[("klarna-customer-token", &token)], Some(&body)).await);
    }
    "GET /v2/payment/requests/{payment_request_id}" => async fn a_partner_reads_a_request(end, op) {
        let token = json!({"request_customer_token": {"scopes": ["payment:customer_present"]}});
        let request = request_id(&a_request(end, token).await);
        approve(end, &request).await;
        op.reads(&op.call(end, &[("payment_request_id", &request)], None).await);
    }
    "PATCH /v2/payment/requests/{payment_request_id}" => async fn a_partner_changes_a_request(end, op) {
        let request = request_id(&a_request(end, json!({})).await);
        let mut body = whole(op, end);
        body["acquiring_config"] = acquiring(end);
        let header = [("klarna-interoperability-token", "whatever")];
        op.reads(&op.call_with(end, &[("payment_request_id", &request)], "", &header, Some(&body)).await);
    }
    "DELETE /v2/payment/requests/{payment_request_id}" => async fn a_partner_cancels_a_request(end, op) {
        let request = request_id(&a_request(end, json!({})).await);
        op.reads(&op.call(end, &[("payment_request_id", &request)], None).await);
    }
}
