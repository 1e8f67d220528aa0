//! Pins the JSON of each object of RULINGS "Objects", built from the types.

use protocol::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn id(last: u128) -> Uuid {
    Uuid::from_u128(0x0b0e_8d5e_0000_4a2b_9c3d_0000_0000_0000 + last)
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn request_id() -> PaymentRequestId {
    PaymentRequestId::new(Region::Eu1, id(1))
}

fn transaction_id() -> PaymentTransactionId {
    PaymentTransactionId::new(Region::Eu1, id(2))
}

fn customer_token() -> Option<CustomerToken> {
    Some(CustomerToken::new(Region::Eu1, "0123456789abcdefghijklmnopqrstuv"))
}

fn payment_request() -> PaymentRequest {
    let grant = Some(SessionToken::new(Region::Eu1, "eyJh.eyJi.c2ln"));
    PaymentRequest {
        payment_request_id: Some(request_id()),
        payment_request_reference: text("PR-88"),
        currency: Some(Currency::EUR),
        amount: Some(4990),
        state: Some(RequestState::Completed),
        previous_state: Some(RequestState::InProgress),
        created_at: at("2026-03-02T10:00:00Z"),
        updated_at: at("2026-03-02T10:03:11Z"),
        expires_at: at("2026-03-02T13:00:00Z"),
        customer_interaction_config: Some(CustomerInteractionConfig {
            method: Some(InteractionMethod::Handover),
            return_url: text("https://psp.example/r"),
            ..Default::default()
        }),
        supplementary_purchase_data: Some(Box::new(SupplementaryPurchaseData {
            purchase_reference: text("88"),
            ..Default::default()
        })),
        state_context: Some(StateContext {
            customer_interaction: Some(CustomerInteraction {
                method: Some(InteractionMethod::Handover),
                payment_request_id: Some(request_id()),
                payment_request_url: text("https://pay.example/eu/requests/1/start"),
                ..Default::default()
            }),
            interoperability_token: grant.clone(),
            klarna_network_session_token: grant,
            payment_token: Some(PaymentToken::new(Region::Eu1, id(3))),
            klarna_customer: Some(KlarnaCustomer {
                customer_profile: Some(CustomerProfile { given_name: text("Ada"), ..Default::default() }),
                customer_token: customer_token(),
                customer_token_reference: text("sub-42"),
                scopes: Some(vec![TokenScope::CustomerNotPresent]),
                ..Default::default()
            }),
            shipping: Some(ChosenShipping {
                recipient: Some(Recipient::default()),
                address: Some(Address::default()),
                shipping_option: Some(ShippingOption { shipping_option_reference: text("std"), ..Default::default() }),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn payment_request_on_the_wire() {
    insta::assert_json_snapshot!(payment_request());
}

#[test]
fn authorize_responses_on_the_wire() {
    let approved = AuthorizeResponse {
        payment_transaction_response: Some(PaymentTransactionResponse {
            result: Some(AuthorizeResult::Approved),
            payment_transaction: Some(Box::new(PaymentTransaction {
                payment_transaction_id: Some(transaction_id()),
                ..Default::default()
            })),
            ..Default::default()
        }),
        customer_token_response: Some(CustomerTokenResponse {
            result: Some(AuthorizeResult::Approved),
            customer_token: customer_token(),
            customer_token_reference: text("sub-42"),
            scopes: Some(vec![TokenScope::CustomerNotPresent]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let step_up = AuthorizeResponse {
        payment_transaction_response: Some(PaymentTransactionResponse {
            result: Some(AuthorizeResult::StepUpRequired),
            ..Default::default()
        }),
        payment_request: Some(Box::new(PaymentRequest {
            payment_request_id: Some(request_id()),
            state: Some(RequestState::Submitted),
            ..Default::default()
        })),
        ..Default::default()
    };
    insta::assert_json_snapshot!([approved, step_up]);
}

#[test]
fn transaction_capture_refund_and_chargeback_on_the_wire() {
    let capture_id = PaymentCaptureId::new(&transaction_id(), 1);
    let transaction = PaymentTransaction {
        payment_transaction_id: Some(transaction_id()),
        payment_transaction_reference: text("TX-88"),
        payment_request_id: Some(request_id()),
        payment_account_id: Some(PaymentAccountId::new(id(4))),
        payment_account_reference: text("pa-1"),
        state: Some(TransactionState::Authorized),
        currency: Some(Currency::EUR),
        amount: Some(4990),
        captured_amount: Some(2000),
        refunded_amount: Some(500),
        charged_back_amount: Some(0),
        voided_amount: Some(0),
        remaining_amount: Some(2990),
        settlement_currency: Some(Currency::EUR),
        payment_funding: Some(PaymentFunding {
            kind: Some(FundingType::Guaranteed),
            state: Some(FundingState::Funded),
            ..Default::default()
        }),
        payment_pricing: Some(PaymentPricing {
            variable_rate: text("2.99"),
            fixed_fee: Some(30),
            currency: Some(Currency::EUR),
            ..Default::default()
        }),
        created_at: at("2026-03-02T10:03:11Z"),
        updated_at: at("2026-03-02T10:03:11Z"),
        expires_at: at("2026-03-30T10:03:11Z"),
        supplementary_purchase_data: Some(Box::default()),
        payment_captures: Some(vec![]),
        payment_refunds: Some(vec![]),
        ..Default::default()
    };
    assert!(transaction.is_balanced());
    let capture = Capture {
        payment_capture_id: Some(capture_id.clone()),
        payment_capture_reference: text("C-1"),
        payment_transaction_id: Some(transaction_id()),
        payment_transaction_reference: text("TX-88"),
        capture_amount: Some(2000),
        refunded_amount: Some(500),
        currency: Some(Currency::EUR),
        captured_at: at("2026-03-03T09:00:00Z"),
        supplementary_capture_data: Some(Box::new(SupplementaryCaptureData {
            line_items: Some(vec![]),
            shipments: Some(vec![]),
            ..Default::default()
        })),
        ..Default::default()
    };
    let refund = Refund {
        payment_refund_id: Some(PaymentRefundId::new(&transaction_id(), 1)),
        payment_refund_reference: text("F-1"),
        refund_reference: text("F-1"),
        payment_transaction_id: Some(transaction_id()),
        payment_capture_id: Some(capture_id.clone()),
        payment_captures: Some(vec![RefundedCapture {
            payment_capture_id: Some(capture_id.clone()),
            refund_amount: Some(500),
            ..Default::default()
        }]),
        refund_amount: Some(500),
        currency: Some(Currency::EUR),
        refunded_at: at("2026-03-04T09:00:00Z"),
        supplementary_refund_data: Some(Box::default()),
        ..Default::default()
    };
    let chargeback = Chargeback {
        payment_chargeback_id: Some(PaymentChargebackId::new(&transaction_id(), 1)),
        payment_transaction_id: Some(transaction_id()),
        payment_capture_id: Some(capture_id),
        payment_dispute_id: Some(DisputeId::new(Region::Eu1, 9001)),
        chargeback_amount: Some(2000),
        currency: Some(Currency::EUR),
        reason: text("PURCHASE_UNAUTHORIZED"),
        created_at: at("2026-05-04T09:00:00Z"),
        ..Default::default()
    };
    insta::assert_json_snapshot!((transaction, capture, refund, chargeback));
}

fn delivery(version: EventVersion) -> Envelope {
    let metadata = Metadata {
        event_type: Some(EventType::PaymentTransactionCaptured),
        event_id: text("9d1c0b52-0000-4000-8000-000000000001"),
        event_version: Some(version),
        occurred_at: at("2026-03-02T10:03:11.25Z"),
        correlation_id: text("C1"),
        subject_account_id: Some(PartnerAccountId::new_test("MQ7R2T9A")),
        recipient_account_id: Some(PartnerAccountId::new_test("LAP00001")),
        product_instance_id: Some(PaymentProductId::new(id(5))),
        webhook_id: Some(WebhookId::new(id(6))),
        live: Some(false),
        ..Default::default()
    };
    Envelope::new(metadata, json!({"payment_transaction_id": transaction_id()}))
}

#[test]
fn deliveries_on_the_wire() {
    insta::assert_json_snapshot!([delivery(EventVersion::V1), delivery(EventVersion::V2), delivery(EventVersion::V4)]);
}

#[test]
fn webhook_and_signing_key_on_the_wire() {
    let key_id = SigningKeyId::new(id(7));
    let webhook = Webhook {
        webhook_id: Some(WebhookId::new(id(6))),
        url: text("https://h.example/k"),
        event_types: Some(vec!["payment.*".to_owned()]),
        event_version: Some(EventVersion::V2),
        signing_key_id: Some(key_id.clone()),
        status: Some(WebhookStatus::Enabled),
        created_at: at("2026-03-02T10:00:00Z"),
        updated_at: at("2026-03-02T10:00:00Z"),
        ..Default::default()
    };
    let key = SigningKey {
        signing_key_id: Some(key_id),
        signing_key: Some(SigningSecret::new("not-a-real-signing-key-0123456789abcdefghij")),
        created_at: at("2026-03-02T10:00:00Z"),
        ..Default::default()
    };
    assert!(!format!("{key:?}").contains("not-a-real"));
    insta::assert_json_snapshot!((webhook, key));
}

#[test]
fn error_on_the_wire() {
    let fault = ValidationError::new("supplementary_purchase_data.line_items[0].quantity", "must be >= 1");
    let error = ErrorObject::new(id(8).to_string(), ErrorCode::ValidationError, "One or more parameters are invalid");
    insta::assert_json_snapshot!(error.with_faults(vec![fault]));
}

#[test]
fn v1_errors_read_like_v2_ones() {
    let v1 = json!({"error_id": "e", "error_code": "VALIDATION_ERROR", "errors": [{"parameter": "amount", "error_message": "too small"}]});
    let error: ErrorObject = serde_json::from_value(v1).unwrap();
    assert_eq!((error.faults()[0].parameter(), error.faults()[0].reason()), ("amount", "too small"));
    assert!(error.extra.is_empty());

    let odd: ErrorObject = serde_json::from_value(json!({"errors": ["amount"], "hint": 1})).unwrap();
    assert_eq!(serde_json::to_value(&odd).unwrap(), json!({"errors": ["amount"], "hint": 1}));
}

#[test]
fn customer_tokens_come_as_strings_and_as_objects() {
    let token = customer_token().unwrap();
    let string = json!({"result": "APPROVED", "customer_token": token, "customer_token_reference": "sub-42", "scopes": ["customer:login"]});
    let object = json!({"result": "APPROVED", "customer_token": {"customer_token": token, "customer_token_reference": "sub-42", "scopes": ["customer:login"], "later": 1}});
    let from_string: CustomerTokenResponse = serde_json::from_value(string).unwrap();
    let mut from_object: CustomerTokenResponse = serde_json::from_str(&object.to_string()).unwrap();
    assert_eq!(from_object.extra.remove("later"), Some(json!(1)));
    assert_eq!(from_object, from_string);
    assert!(!format!("{from_string:?}").contains(token.as_str()), "tokens stay out of Debug");

    let bare: KlarnaCustomer = serde_json::from_value(json!({"customer_token": {"customer_token_id": token}})).unwrap();
    assert_eq!(bare.customer_token, Some(token));
}

#[test]
fn aliases_are_read_and_the_own_name_wins() {
    let capture: CaptureRequest = serde_json::from_value(json!({"amount": 5})).unwrap();
    assert_eq!(serde_json::to_value(&capture).unwrap(), json!({"capture_amount": 5}));
    for text in [r#"{"amount": 5, "capture_amount": 7}"#, r#"{"capture_amount": 7, "amount": 5}"#] {
        assert_eq!(serde_json::from_str::<CaptureRequest>(text).unwrap().capture_amount, Some(7));
    }
    let refund: RefundRequest = serde_json::from_value(json!({"amount": 3, "refund_reference": "F"})).unwrap();
    assert_eq!((refund.refund_amount, refund.reference()), (Some(3), Some("F")));
}

#[test]
fn ids_of_an_unseen_form_are_kept_and_those_of_another_kind_refused() {
    let unseen = json!({"payment_request_id": "krn:payment:sa1:order:77", "state": "PAUSED"});
    let request: PaymentRequest = serde_json::from_value(unseen.clone()).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), unseen);
    assert!(!request.state.unwrap().is_final());

    let other: Result<PaymentRequest, _> = serde_json::from_value(json!({"payment_request_id": transaction_id()}));
    assert!(other.unwrap_err().to_string().contains("another kind"));
}

#[test]
fn the_place_of_a_token_or_id_does_not_matter_to_the_reader() {
    let token = SessionToken::new(Region::Us1, "a.b.c");
    for body in [
        json!({"klarna_network_session_token": token}),
        json!({"state_context": {"klarna_network_session_token": token}}),
    ] {
        let request: PaymentRequest = serde_json::from_value(body).unwrap();
        assert_eq!(request.session_token(), Some(&token));
    }
    let nested = json!({"state_context": {"customer_interaction": {"payment_request_id": request_id(), "payment_request_url": "https://p.example/1"}}});
    let request: PaymentRequest = serde_json::from_value(nested).unwrap();
    assert_eq!((request.id(), request.url()), (Some(&request_id()), Some("https://p.example/1")));
}

#[test]
fn null_members_count_as_absent() {
    let request: PaymentRequest =
        serde_json::from_value(json!({"amount": null, "state_context": null, "later": null})).unwrap();
    assert_eq!(serde_json::to_value(&request).unwrap(), json!({"later": Value::Null}));
}
