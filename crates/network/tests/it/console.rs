//! `/testing`: the clock, events, and the switch.

use http::Method;
use kit::clock::{Clock, DAY_US, HOUR_US};
use network::config::Config;
use network::notifications::{NewEvent, emit};
use protocol::{EventType, PartnerAccountId};
use serde_json::{Value, json};

use crate::harness::{self, BEGINNING, End, Wishes, ends, places};

/// Lets something happen to the Partner.
pub async fn happen(end: &End, event_type: EventType, payload: Value) {
    let (ctx, subject) = (end.ctx.clone(), end.partner().parse::<PartnerAccountId>().unwrap());
    end.ctx
        .write(|| {
            let (ctx, subject, event_type, payload) =
                (ctx.clone(), subject.clone(), event_type.clone(), payload.clone());
            move |tx: &mut kit::db::Tx| -> kit::db::UnitFuture<'_, Result<(), kit::http::ApiError>> {
                Box::pin(async move {
                    let event = NewEvent {
                        event_type,
                        subject: &subject,
                        product_instance_id: None,
                        payload,
                        occurred_at: ctx.clock.now(),
                        correlation_id: Some("c-1"),
                    };
                    emit(tx, &ctx, &event).await
                })
            }
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_goes_ahead_only_and_stays_there_after_a_restart() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let clock = |answer: Value| answer["now"].as_str().unwrap().to_owned();
        assert_eq!(clock(end.ap(Method::GET, "/testing/clock", None).await.expect(200)), "2026-03-02T10:00:00Z");
        let moved = end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "P1DT1H"}))).await.expect(200);
        assert_eq!(clock(moved.clone()), "2026-03-03T11:00:00Z");
        assert_eq!(moved["ahead_us"], DAY_US + HOUR_US);
        let set = json!({"set": "2026-03-04T00:00:00Z"});
        assert_eq!(clock(end.ap(Method::POST, "/testing/clock", Some(&set)).await.expect(200)), "2026-03-04T00:00:00Z");

        for (bad, parameter) in [
            (json!({"advance": "-PT1H"}), "advance"),
            (json!({"set": "2026-03-01T00:00:00Z"}), "set"),
            (json!({"advance": "an hour"}), "advance"),
            (json!({"advance": 3600}), "advance"),
            (json!({"set": "tomorrow"}), "set"),
            (json!({"advance": "PT1H", "set": "2027-01-01T00:00:00Z"}), "advance"),
            (json!({"advance": "PT99999999999H"}), "advance"),
            (json!({}), "advance"),
        ] {
            let answer = end.ap(Method::POST, "/testing/clock", Some(&bad)).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), [parameter], "{bad}");
        }
        end.stop().await;

        let end = harness::start(&place, Wishes { clock: Clock::fixed(BEGINNING), ..Wishes::default() }).await;
        assert_eq!(clock(end.ap(Method::GET, "/testing/clock", None).await.expect(200)), "2026-03-04T00:00:00Z");
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_sees_its_own_events_in_order_page_by_page() {
    for end in ends().await {
        for number in 0..5 {
            happen(&end, EventType::PaymentRequestSubmitted, json!({"number": number})).await;
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/testing/events?size=2{cursor}");
            let page = end.ap(Method::GET, &path, None).await.expect(200);
            for event in page["events"].as_array().unwrap() {
                assert_eq!(event["recipient_account_id"], end.credentials.acquiring_partner.account_id);
                assert_eq!(event["subject_account_id"], end.partner());
                assert_eq!(event["simulated"], false);
                seen.push(event["payload"]["number"].as_i64().unwrap());
            }
            match page["pagination"]["last_item"].as_str() {
                Some(last) => cursor = format!("&starting_after={last}"),
                None => break,
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        // The Partner has its own copies, with ids of their own.
        let subject: PartnerAccountId = end.partner().parse().unwrap();
        let own = end
            .ctx
            .db
            .read(move |tx| Box::pin(async move { network::notifications::events(tx, &subject, None, 10).await }))
            .await
            .unwrap();
        let whole = end.ap(Method::GET, "/testing/events", None).await.expect(200);
        assert_eq!(own.len(), 5);
        assert!(own.iter().all(|row| !whole.to_string().contains(&row.event_id)));

        for (path, parameter) in [
            ("/testing/events?size=0", "size"),
            ("/testing/events?size=1001", "size"),
            ("/testing/events?starting_after=x", "starting_after"),
        ] {
            let answer = end.ap(Method::GET, path, None).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), [parameter]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_listed_with_their_sums_account_by_account() {
    for end in ends().await {
        let path = format!("/v2/accounts/{}/payment/authorize", end.partner());
        let authorization = format!("Basic {}", end.ap_key());
        let token = end.credentials.partner.customer_token.clone().unwrap();
        let headers = [("authorization", authorization.as_str()), ("klarna-customer-token", token.as_str())];
        let mut made = std::collections::BTreeSet::new();
        for (number, capture) in [(1, "LATER"), (2, "NOW"), (3, "LATER")] {
            let body = json!({"currency": "EUR",
                "acquiring_config": {"payment_account_id": end.credentials.partner.payment_account_id},
                "request_payment_transaction": {"amount": 1000 * number, "capture": capture,
                    "payment_transaction_reference": format!("t-{number}")}});
            let answer = end.send(Method::POST, &path, &headers, Some(&body)).await.expect(200);
            let transaction = &answer["payment_transaction_response"]["payment_transaction"];
            assert!(made.insert(transaction["payment_transaction_id"].as_str().unwrap().to_owned()), "{answer}");
        }
        let of_partner = format!("/testing/accounts/{}/transactions", end.partner());
        let (mut listed, mut sums, mut cursor) = (std::collections::BTreeSet::new(), (0, 0), String::new());
        loop {
            let page = end.ap(Method::GET, &format!("{of_partner}?size=2{cursor}"), None).await.expect(200);
            for row in page["transactions"].as_array().unwrap() {
                assert!(listed.insert(row["payment_transaction_id"].as_str().unwrap().to_owned()));
                sums.0 += row["amount"].as_i64().unwrap();
                sums.1 += row["captured_amount"].as_i64().unwrap();
            }
            match page["pagination"]["last_item"].as_str() {
                Some(last) => cursor = format!("&starting_after={last}"),
                None => break,
            }
        }
        assert_eq!((listed, sums), (made, (6000, 2000)));
        let own = end.ap(Method::GET, "/testing/transactions", None).await.expect(200);
        assert_eq!(own["transactions"], json!([]), "the Acquiring Partner itself sells nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_removes_the_controls() {
    let place = places().await.remove(0);
    let config = Config { testing: false, ..Config::default() };
    let end = harness::start(&place, Wishes { config, ..Wishes::default() }).await;
    end.ap(Method::GET, "/testing/clock", None).await.refused(404, "NOT_FOUND");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(end.send(Method::GET, path, &[], None).await.status, 200, "{path}");
    }
    end.stop().await;
}
