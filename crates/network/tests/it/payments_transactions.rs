//! Payment Transactions over HTTP: capture, refund, void, update, re-authorize, and what time does.

use http::Method;
use kit::clock::DAY_US;
use network::payments;
use protocol::{DisputeId, PartnerAccountId, PaymentCaptureId, Region};
use serde_json::{Value, json};

use crate::harness::ends;
use crate::payments_steps::*;

#[tokio::test(flavor = "multi_thread")]
async fn captured_in_two_parts_one_partly_refunded_the_rest_voided() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        let path = format!("/transactions/{id}");
        let body = json!({"capture_amount": 2000, "payment_capture_reference": "C-1",
            "supplementary_capture_data": {"line_items": [{"name": "Mug", "quantity": 1, "total_amount": 2000}],
                "shipments": [{"delivery": {"tracking_number": "T1", "shipping_carrier": "DHL", "new_member": 1}}]},
            "klarna_network_data": "{\"a\": 1}"});
        let first = post(&end, &format!("{path}/capture"), &body).await.expect(201);
        assert_eq!(first["payment_capture_id"], format!("{id}:capture:1"));
        assert_eq!((&first["capture_amount"], &first["refunded_amount"]), (&json!(2000), &json!(0)));
        assert_eq!(first["supplementary_capture_data"], body["supplementary_capture_data"]);
        assert_eq!(first["klarna_network_data"], "{\"a\": 1}");
        // The plural, and the older names.
        let second = post(&end, &format!("{path}/captures"), &json!({"amount": 1000})).await.expect(201);
        assert_eq!(second["payment_capture_id"], format!("{id}:capture:2"));
        let capture = first["payment_capture_id"].as_str().unwrap();
        let refund = json!({"refund_amount": 500, "payment_refund_reference": "F-1"});
        let refunded = post(&end, &format!("/captures/{capture}/refund"), &refund).await.expect(201);
        assert_eq!(
            (&refunded["payment_refund_reference"], &refunded["refund_reference"]),
            (&json!("F-1"), &json!("F-1"))
        );
        assert_eq!(refunded["payment_captures"], json!([{"payment_capture_id": capture, "refund_amount": 500}]));
        let voided = post(&end, &format!("{path}/void"), &json!({})).await.expect(200);
        assert_eq!((&voided["state"], &voided["voided_amount"]), (&json!("COMPLETED"), &json!(1990)));
        assert_eq!(
            (&voided["captured_amount"], &voided["refunded_amount"], &voided["remaining_amount"]),
            (&json!(3000), &json!(500), &json!(0))
        );
        assert_eq!(get(&end, &path).await.expect(200), voided);
        let mut read = first.clone();
        read["refunded_amount"] = json!(500);
        assert_eq!(get(&end, &format!("/captures/{capture}")).await.expect(200), read);
        let refund_id = refunded["payment_refund_id"].as_str().unwrap();
        assert_eq!(get(&end, &format!("/refunds/{refund_id}")).await.expect(200), refunded);
        assert_eq!(voided["payment_captures"].as_array().unwrap().len(), 2);
        for absent in [
            format!("/captures/{id}:capture:3"),
            format!("/refunds/{id}:refund:2"),
            format!("/chargebacks/{id}:chargeback:1"),
            "/captures/x".into(),
        ] {
            get(&end, &absent).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        let events = events(&end).await;
        let kinds: Vec<_> = events.iter().map(|(kind, _)| kind.trim_start_matches("transaction.")).collect();
        assert_eq!(kinds, ["state-change.authorized", "captured", "captured", "refunded", "state-change.completed"]);
        let captured = &events[1].1;
        assert_eq!(
            (&captured["payment_capture_reference"], &captured["capture_amount"]),
            (&json!("C-1"), &json!(2000))
        );
        assert_eq!((&captured["state"], &captured["remaining_amount"]), (&json!("AUTHORIZED"), &json!(2990)));
        assert_eq!(events[4].1["previous_state"], "AUTHORIZED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_beyond_what_is_there() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        let path = format!("/transactions/{id}");
        post(&end, &format!("{path}/refund"), &json!({"refund_amount": 1})).await.refused(403, "OPERATION_FORBIDDEN");
        let beyond = json!({"capture_amount": AMOUNT + 1});
        post(&end, &format!("{path}/capture"), &beyond).await.refused(403, "OPERATION_FORBIDDEN");
        for (body, parameters) in [
            (json!({"capture_amount": 0}), &["capture_amount"][..]),
            (json!({"capture_amount": -5}), &["capture_amount"]),
            (json!({"capture_amount": "10"}), &["capture_amount"]),
            (json!({"capture_amount": 10, "remaining_authorization": "KEEP"}), &["remaining_authorization"]),
            (
                json!({"capture_amount": 10, "line_items": [{"name": "a", "quantity": 1, "total_amount": 9}]}),
                &["line_items"],
            ),
            (
                json!({"capture_amount": 10, "supplementary_capture_data": {"line_items": [{"name": "a", "quantity": 1, "total_amount": 9}]}}),
                &["supplementary_capture_data.line_items"],
            ),
        ] {
            names(&post(&end, &format!("{path}/capture"), &body).await, parameters);
        }
        // An absent body takes everything.
        let all = end.ap(Method::POST, &at(&end, &format!("{path}/capture")), None).await.expect(201);
        assert_eq!(all["capture_amount"], AMOUNT);
        for verb in ["capture", "void", "authorize"] {
            post(&end, &format!("{path}/{verb}"), &json!({})).await.refused(403, "OPERATION_FORBIDDEN");
        }
        let over = json!({"refund_amount": AMOUNT + 1});
        post(&end, &format!("{path}/refund"), &over).await.refused(403, "OPERATION_FORBIDDEN");
        post(&end, &format!("{path}/refunds"), &json!({"refund_amount": AMOUNT})).await.expect(201);
        post(&end, &format!("{path}/refund"), &json!({"refund_amount": 1})).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(get(&end, &path).await.expect(200)["refunded_amount"], AMOUNT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_in_parallel_never_exceed_the_amount() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        let path = format!("/transactions/{id}");
        let body = json!({"capture_amount": 998});
        let capture = format!("{path}/capture");
        let answers = futures_util::future::join_all((0..20).map(|_| post(&end, &capture, &body))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5, "4990 is five times 998");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.refused(403, "OPERATION_FORBIDDEN");
        }
        let whole = get(&end, &path).await.expect(200);
        assert_eq!((&whole["state"], &whole["captured_amount"]), (&json!("COMPLETED"), &json!(AMOUNT)));
        let captured = told(&end).await.into_iter().filter(|kind| kind == "transaction.captured").count();
        assert_eq!(captured, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn references_are_taken_once() {
    for end in ends().await {
        let first = id(&transaction(&end, "TX-1").await);
        let second = id(&transaction(&end, "TX-2").await);
        let rename = |id: &str, reference: &str| {
            let (path, body) =
                (at(&end, &format!("/transactions/{id}")), json!({"payment_transaction_reference": reference}));
            let end = &end;
            async move { end.ap(Method::PATCH, &path, Some(&body)).await }
        };
        rename(&second, "TX-1").await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(rename(&second, "TX-3").await.expect(200)["payment_transaction_reference"], "TX-3");
        rename(&second, "TX-3").await.expect(200);
        for id in [&first, &second] {
            let capture = format!("/transactions/{id}/capture");
            let body = json!({"capture_amount": 100, "payment_capture_reference": "C-1"});
            post(&end, &capture, &body).await.expect(201);
            post(&end, &capture, &body).await.refused(409, "RESOURCE_CONFLICT");
            let refund = json!({"refund_amount": 1, "refund_reference": "F-1"});
            post(&end, &format!("/transactions/{id}/refund"), &refund).await.expect(201);
            post(&end, &format!("/transactions/{id}/refund"), &refund).await.refused(409, "RESOURCE_CONFLICT");
        }
        assert_eq!(get(&end, &format!("/transactions/{first}")).await.expect(200)["captured_amount"], 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_over_several_captures_needs_its_lines() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        let path = format!("/transactions/{id}");
        for amount in [1000, 3000] {
            post(&end, &format!("{path}/capture"), &json!({"capture_amount": amount})).await.expect(201);
        }
        let refund = format!("{path}/refund");
        let bare = post(&end, &refund, &json!({"refund_amount": 1500})).await;
        names(&bare, &["supplementary_refund_data.line_items"]);
        let lines =
            json!({"refund_amount": 1500, "line_items": [{"name": "Mug", "quantity": 1, "total_amount": 1500}]});
        let refunded = post(&end, &refund, &lines).await.expect(201);
        assert_eq!(
            refunded["payment_captures"],
            json!([{"payment_capture_id": format!("{id}:capture:1"), "refund_amount": 1000},
                {"payment_capture_id": format!("{id}:capture:2"), "refund_amount": 500}])
        );
        assert_eq!(refunded.get("payment_capture_id"), None);
        assert_eq!(refunded["supplementary_refund_data"]["line_items"][0]["name"], "Mug");
        let over = post(&end, &format!("/captures/{id}:capture:1/refund"), &json!({"refund_amount": 1})).await;
        over.refused(403, "OPERATION_FORBIDDEN");
        let nested = format!("{path}/captures/{id}:capture:2/refunds");
        post(&end, &nested, &json!({"refund_amount": 2500})).await.expect(201);
        post(&end, &format!("/captures/{id}:capture:9/refund"), &json!({})).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_now_completes_at_once_and_release_lets_the_rest_go() {
    for end in ends().await {
        let mut body = authorization(&end, "TX-1");
        body["request_payment_transaction"]["capture"] = json!("NOW");
        body["request_payment_transaction"]["payment_capture_reference"] = json!("C-1");
        let whole = charge(&end, &body).await;
        assert_eq!((&whole["state"], &whole["captured_amount"]), (&json!("COMPLETED"), &json!(AMOUNT)));
        assert_eq!(whole["payment_captures"][0]["payment_capture_reference"], "C-1");
        let told_now: Vec<_> = told(&end).await;
        assert_eq!(
            told_now,
            ["transaction.state-change.authorized", "transaction.captured", "transaction.state-change.completed"]
        );
        let id = id(&transaction(&end, "TX-2").await);
        let release = json!({"capture_amount": 1, "remaining_authorization": "RELEASE"});
        post(&end, &format!("/transactions/{id}/capture"), &release).await.expect(201);
        let whole = get(&end, &format!("/transactions/{id}")).await.expect(200);
        assert_eq!((&whole["state"], &whole["voided_amount"]), (&json!("COMPLETED"), &json!(AMOUNT - 1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_amount_and_descriptions_while_authorized() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        let path = at(&end, &format!("/transactions/{id}"));
        post(&end, &format!("/transactions/{id}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
        let patch =
            json!({"amount": 6000, "supplementary_purchase_data": {"shipping": [{"shipping_reference": "S1"}]}});
        let updated = end.ap(Method::PATCH, &path, Some(&patch)).await.expect(200);
        assert_eq!((&updated["amount"], &updated["remaining_amount"]), (&json!(6000), &json!(5000)));
        assert_eq!(updated["supplementary_purchase_data"]["shipping"][0]["shipping_reference"], "S1");
        assert_eq!(updated["supplementary_purchase_data"]["purchase_reference"], "88");
        end.ap(Method::PATCH, &path, Some(&json!({"amount": 999}))).await.refused(403, "OPERATION_FORBIDDEN");
        let denied =
            json!({"amount": 7000, "supplementary_purchase_data": {"customer": {"email": "customer+denied@email.de"}}});
        end.ap(Method::PATCH, &path, Some(&denied)).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(end.ap(Method::GET, &path, None).await.expect(200), updated);
        let lowered = end.ap(Method::PATCH, &path, Some(&json!({"amount": 1000}))).await.expect(200);
        assert_eq!(lowered["state"], "COMPLETED");
        end.ap(Method::PATCH, &path, Some(&patch)).await.refused(403, "OPERATION_FORBIDDEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authorizations_lapse_come_back_and_end() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        let path = format!("/transactions/{id}");
        end.ctx.clock.advance(28 * DAY_US);
        let answers = futures_util::future::join_all((0..8).map(|_| get(&end, &path))).await;
        for answer in answers {
            assert_eq!(answer.expect(200)["state"], "EXPIRED");
        }
        post(&end, &format!("{path}/capture"), &json!({})).await.refused(403, "OPERATION_FORBIDDEN");
        let extension = json!({"extension_days": 10, "amount": 5000});
        let renewed = post(&end, &format!("{path}/authorize"), &extension).await.expect(200);
        assert_eq!((&renewed["state"], &renewed["expires_at"]), (&json!("AUTHORIZED"), &json!("2026-04-09T10:00:00Z")));
        assert_eq!(renewed["amount"], 5000);
        names(&post(&end, &format!("{path}/authorize"), &json!({"extension_days": 181})).await, &["extension_days"]);
        let too_long = json!({"extension_days": 171});
        post(&end, &format!("{path}/reauthorize"), &too_long).await.refused(403, "OPERATION_FORBIDDEN");
        post(&end, &format!("{path}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
        end.ctx.clock.advance(17 * DAY_US);
        let completed = get(&end, &path).await.expect(200);
        assert_eq!((&completed["state"], &completed["voided_amount"]), (&json!("COMPLETED"), &json!(4000)));
        end.ctx.clock.advance(365 * DAY_US);
        assert_eq!(get(&end, &path).await.expect(200)["state"], "CLOSED");
        post(&end, &format!("{path}/refund"), &json!({"refund_amount": 1})).await.refused(403, "OPERATION_FORBIDDEN");
        let kinds = told(&end).await;
        let kinds: Vec<_> = kinds.iter().map(|kind| kind.trim_start_matches("transaction.")).collect();
        assert_eq!(
            kinds,
            [
                "state-change.authorized",
                "state-change.expired",
                "state-change.authorized",
                "captured",
                "state-change.expired",
                "state-change.completed",
                "state-change.closed"
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_without_guarantee_waits_for_its_money() {
    for end in ends().await {
        let mut body = authorization(&end, "TX-1");
        body["acquiring_config"] =
            json!({"payment_account_id": end.credentials.partner.payment_account_id_non_guaranteed});
        let whole = charge(&end, &body).await;
        assert_eq!(whole["payment_funding"], json!({"type": "NON_GUARANTEED", "state": "PENDING"}));
        end.ctx.clock.advance(7 * DAY_US);
        let path = format!("/transactions/{}", id(&whole));
        assert_eq!(get(&end, &path).await.expect(200)["payment_funding"]["state"], "EXPIRED");
        let last = events(&end).await.pop().unwrap();
        assert_eq!(last.0, "funding.state-change.expired");
        assert_eq!(last.1["payment_funding"], json!({"type": "NON_GUARANTEED", "state": "EXPIRED"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_dispute_is_charged_back() {
    for end in ends().await {
        let id = id(&transaction(&end, "TX-1").await);
        post(&end, &format!("/transactions/{id}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
        let (ctx, partner) = (end.ctx.clone(), end.partner().parse::<PartnerAccountId>().unwrap());
        let capture: PaymentCaptureId = format!("{id}:capture:1").parse().unwrap();
        let dispute = DisputeId::new(Region::Eu1, 9);
        let charged = end
            .ctx
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let loss = (600, "PURCHASE_UNAUTHORIZED");
                    payments::charge_back(tx, &ctx, &partner, &capture, &dispute, loss).await
                })
            })
            .await
            .unwrap();
        let read = get(&end, &format!("/chargebacks/{charged}")).await.expect(200);
        assert_eq!(
            (&read["chargeback_amount"], &read["payment_dispute_id"]),
            (&json!(600), &json!("krn:network:eu1:test:payment:dispute:9"))
        );
        let over = post(&end, &format!("/transactions/{id}/refund"), &json!({"refund_amount": 401})).await;
        over.refused(403, "OPERATION_FORBIDDEN");
        let whole: Value = get(&end, &format!("/transactions/{id}")).await.expect(200);
        assert_eq!(whole["charged_back_amount"], 600);
        assert_eq!(events(&end).await.pop().unwrap().1["chargeback_amount"], 600);
    }
}

/// Numbers that look random and repeat from a seed, which a failure names.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_calls_parts_the_books_from_the_events() {
    for end in ends().await {
        for seed in [1, 7, 42, 2026] {
            let mut dice = Dice(seed);
            let reference = format!("TX-{seed}");
            let id = id(&transaction(&end, &reference).await);
            let path = format!("/transactions/{id}");
            let mut answers = Vec::new();
            for _ in 0..25 {
                let amount = dice.roll(2500) + 1;
                let lines = json!([{"name": "x", "quantity": 1, "total_amount": amount}]);
                let capture = dice.roll(3) + 1;
                let (method, tail, body) = match dice.roll(9) {
                    0..=2 => (Method::POST, format!("{path}/capture"), json!({"capture_amount": amount})),
                    3..=4 => {
                        (Method::POST, format!("{path}/refund"), json!({"refund_amount": amount, "line_items": lines}))
                    }
                    5 => (
                        Method::POST,
                        format!("/captures/{id}:capture:{capture}/refund"),
                        json!({"refund_amount": amount}),
                    ),
                    6 => (Method::PATCH, path.clone(), json!({"amount": amount * 4})),
                    7 => (Method::POST, format!("{path}/authorize"), json!({"extension_days": 1})),
                    _ if dice.roll(4) == 0 => (Method::POST, format!("{path}/void"), json!({})),
                    _ => {
                        end.ctx.clock.advance(i64::try_from(dice.roll(10)).unwrap() * DAY_US);
                        continue;
                    }
                };
                let answer = end.ap(method, &at(&end, &tail), Some(&body)).await;
                assert!([200, 201, 403, 404].contains(&answer.status), "seed {seed}: {}", answer.text);
                answers.push(answer);
            }
            let whole = get(&end, &path).await.expect(200);
            let of = |name: &str| whole[name].as_i64().unwrap();
            let sum = |list: &str, name: &str| -> i64 {
                whole[list].as_array().unwrap().iter().map(|part| part[name].as_i64().unwrap()).sum()
            };
            assert_eq!(
                of("amount"),
                of("captured_amount") + of("voided_amount") + of("remaining_amount"),
                "seed {seed}"
            );
            assert_eq!(of("captured_amount"), sum("payment_captures", "capture_amount"), "seed {seed}");
            assert_eq!(of("refunded_amount"), sum("payment_captures", "refunded_amount"), "seed {seed}");
            assert_eq!(of("refunded_amount"), sum("payment_refunds", "refund_amount"), "seed {seed}");
            assert!(of("refunded_amount") <= of("captured_amount"), "seed {seed}");

            // The events tell the same story: each part once, each change of state once and without a gap.
            let about: Vec<_> =
                events(&end).await.into_iter().filter(|(_, payload)| payload["payment_transaction_id"] == id).collect();
            let told = |kind: &str, name: &str| -> i64 {
                let of_kind = about.iter().filter(|(told, _)| told == kind);
                of_kind.map(|(_, payload)| payload[name].as_i64().unwrap()).sum()
            };
            assert_eq!(told("transaction.captured", "capture_amount"), of("captured_amount"), "seed {seed}");
            assert_eq!(told("transaction.refunded", "refund_amount"), of("refunded_amount"), "seed {seed}");
            let mut state = Value::Null;
            for (_, payload) in about.iter().filter(|(kind, _)| kind.starts_with("transaction.state-change")) {
                assert_eq!(payload["previous_state"], state, "seed {seed}");
                state = payload["state"].clone();
            }
            assert_eq!(state, whole["state"], "seed {seed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_that_spells_the_id_another_way_is_the_same_call() {
    for end in ends().await {
        let charged = id(&transaction(&end, "TX-1").await);
        let body = json!({"capture_amount": 1000});
        let plain = at(&end, &format!("/transactions/{charged}/capture"));
        let encoded = plain.replace(':', "%3A");
        let first = end.ap_once("k-1", Method::POST, &plain, Some(&body)).await;
        let again = end.ap_once("k-1", Method::POST, &encoded, Some(&body)).await;
        assert_eq!((first.expect(201), again.status), (again.json(), 201));
        let read = get(&end, &format!("/transactions/{charged}")).await.expect(200);
        assert_eq!(read["captured_amount"], 1000);
        // Another transaction is another call.
        let other = id(&transaction(&end, "TX-2").await);
        let path = at(&end, &format!("/transactions/{other}/capture"));
        assert_ne!(end.ap_once("k-1", Method::POST, &path, Some(&body)).await.expect(201), first.json());
    }
}
