//! Settlements over HTTP: what a run takes, how it adds up, how it is read, and what becomes of payouts.

use http::Method;
use kit::clock::HOUR_US;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use network::payments;
use protocol::{DisputeId, PartnerAccountId, PaymentCaptureId, Region, Timestamp};
use serde_json::{Value, json};

use crate::harness::{BEGINNING, End, Receiver, Wishes, ends, places, start};
use crate::payments_steps::{authorization, charge, id, names, post, transaction};

const LIST: &str = "/v2/settlements";
/// The first day of the tests: 2026-03-02.
const DAY: (&str, &str) = ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");

fn text(micros: i64) -> String {
    Timestamp::from_micros(micros).unwrap().to_string()
}

async fn advance(end: &End, by: &str) {
    end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": by}))).await.expect(200);
}

/// An authorized transaction of 4990, captured in part.
async fn captured(end: &End, reference: &str, amount: i64) -> Value {
    let id = id(&transaction(end, reference).await);
    let body = json!({"capture_amount": amount, "payment_capture_reference": format!("C-{reference}")});
    post(end, &format!("/transactions/{id}/capture"), &body).await.expect(201)
}

fn interval(start: &str, end: &str) -> Value {
    json!({"interval_start": start, "interval_end": end})
}

/// Settles an interval now and returns the reports.
async fn settle(end: &End, body: &Value) -> Vec<Value> {
    let answer = end.ap(Method::POST, LIST, Some(body)).await.expect(201);
    answer["settlement_reports"].as_array().unwrap().clone()
}

async fn settle_day(end: &End) -> Value {
    settle(end, &interval(DAY.0, DAY.1)).await.remove(0)
}

fn path(settlement: &Value, tail: &str) -> String {
    format!("{LIST}/{}{tail}", settlement["settlement_id"].as_str().unwrap())
}

async fn lines(end: &End, settlement: &Value) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut next = path(settlement, "/transactions?size=100");
    loop {
        let page = end.ap(Method::GET, &next, None).await.expect(200);
        lines.extend(page["transactions"].as_array().unwrap().iter().cloned());
        match page["pagination"]["links"]["next"]["href"].as_str() {
            Some(href) => next = href.trim_start_matches(&end.base).to_owned(),
            None => return lines,
        }
    }
}

/// All settlements, oldest first, once there are `count` that are closed.
async fn all(end: &End, count: usize) -> Vec<Value> {
    for _ in 0..1000 {
        let list = end.ap(Method::GET, "/v2/settlements?size=100", None).await.expect(200);
        let settlements = list["settlements"].as_array().unwrap();
        if settlements.len() >= count && settlements.iter().all(|settlement| settlement["state"] != "OPEN") {
            // In the order of their closing, which is the order of the reports.
            let told = events(end, "settlement.report.created").await;
            let mut settlements = settlements.clone();
            settlements.sort_by_key(|one| told.iter().position(|event| event["settlement_id"] == one["settlement_id"]));
            return settlements;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{count} settlements never came");
}

fn sum(lines: &[Value]) -> i64 {
    lines.iter().map(|line| line["amount"].as_i64().unwrap() + line["tax_amount"].as_i64().unwrap_or(0)).sum()
}

/// The books: sums are right, and each balance goes on from the one before.
async fn assert_books(end: &End, settlements: &[Value]) {
    let mut carried = std::collections::HashMap::<(String, String), i64>::new();
    for settlement in settlements {
        let amount = |name: &str| settlement[name].as_i64().unwrap();
        let lines = lines(end, settlement).await;
        assert_eq!(sum(&lines), amount("settlement_amount"), "{settlement}");
        let totals = settlement["totals"].as_object().unwrap();
        assert_eq!(totals.values().map(|total| total.as_i64().unwrap()).sum::<i64>(), amount("settlement_amount"));
        let key = (settlement["payment_acquiring_account_id"].to_string(), settlement["currency"].to_string());
        let balance = carried.entry(key).or_default();
        assert_eq!(amount("opening_balance"), *balance, "{settlement}");
        let payout = end.ap(Method::GET, &path(settlement, "/payouts/status"), None).await;
        let paid = if payout.status == 200 { payout.json()["amount"].as_i64().unwrap() } else { 0 };
        assert_eq!(*balance + amount("settlement_amount"), paid + amount("closing_balance"));
        assert_eq!(payout.status == 404, settlement["state"] == "CARRIED_FORWARD", "{settlement}");
        *balance = amount("closing_balance");
    }
}

async fn write<T: Send + 'static>(
    end: &End,
    unit: impl for<'t> Fn(&'t mut Tx) -> UnitFuture<'t, Result<T, ApiError>> + Clone + Send + 'static,
) -> T {
    end.ctx.write(|| unit.clone()).await.unwrap()
}

async fn events(end: &End, kind: &str) -> Vec<Value> {
    let answer = end.ap(Method::GET, "/testing/events?size=1000", None).await.expect(200);
    let events = answer["events"].as_array().unwrap().iter();
    events.filter(|event| event["event_type"] == kind).map(|event| event["payload"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_a_refund_and_a_lost_dispute_are_settled_with_their_fees() {
    for end in ends().await {
        let capture = captured(&end, "TX-1", 4000).await;
        let capture_id = capture["payment_capture_id"].as_str().unwrap().to_owned();
        let refund = json!({"refund_amount": 500, "payment_refund_reference": "F-1"});
        let refund = post(&end, &format!("/captures/{capture_id}/refund"), &refund).await.expect(201);
        let (account, ctx) = (end.partner().parse::<PartnerAccountId>().unwrap(), end.ctx.clone());
        let capture_krn: PaymentCaptureId = capture_id.parse().unwrap();
        let dispute = DisputeId::new(Region::Eu1, 9);
        let lost = dispute.clone();
        let (transaction_id, partner) = (capture["payment_transaction_id"].clone(), account.clone());
        write(&end, move |tx| {
            let (ctx, account, capture, dispute) = (ctx.clone(), account.clone(), capture_krn.clone(), lost.clone());
            Box::pin(async move {
                payments::charge_back(tx, &ctx, &account, &capture, &dispute, (1000, "PURCHASE_UNAUTHORIZED")).await?;
                let fee = network::settlements::NewEntry {
                    account: &account,
                    key: "dispute:9:fee",
                    kind: network::settlements::EntryKind::DisputeFee,
                    amount: 300,
                    currency: protocol::Currency::EUR,
                    payment_account_id: "unused: the transaction says it",
                    transaction_id: Some(capture.as_str().split(":capture:").next().unwrap()),
                    capture_number: Some(1),
                    dispute_id: Some(&dispute),
                    occurred_at: BEGINNING,
                };
                let first = network::settlements::enter(tx, &fee).await?;
                let again = network::settlements::enter(tx, &fee).await?;
                assert!(first && !again, "an entry is made once");
                Ok(())
            })
        })
        .await;
        let held = json!({"type": "HOLDBACK", "amount": 50, "currency": "EUR",
            "acquiring_config": {"payment_account_id": end.credentials.partner.payment_account_id}});
        let entries = format!("/testing/accounts/{}/settlement-entries", end.partner());
        end.ap(Method::POST, &entries, Some(&held)).await.expect(201);

        let settlement = settle_day(&end).await;
        assert_eq!(
            settlement["payment_acquiring_account_id"],
            end.credentials.acquiring_partner.payment_acquiring_account_id.as_str()
        );
        assert_eq!((&settlement["currency"], &settlement["state"]), (&json!("EUR"), &json!("CLOSED")));
        assert_eq!((&settlement["interval_start"], &settlement["interval_end"]), (&json!(DAY.0), &json!(DAY.1)));
        // 4000 at 2.99 % is 119.6, and 19 % of 120, 30 and 300 are 22.8, 5.7 and 57.
        assert_eq!(
            settlement["totals"],
            json!({"capture_amount": 4000, "refund_amount": -500, "chargeback_amount": -1000,
                "chargeback_reversal_amount": 0, "fee_amount": -450, "tax_amount": -86, "adjustment_amount": 0,
                "holdback_amount": -50, "release_amount": 0})
        );
        assert_eq!(settlement["settlement_amount"], json!(1914));
        assert_eq!(end.ap(Method::GET, &path(&settlement, ""), None).await.expect(200), settlement);

        let lines = lines(&end, &settlement).await;
        let by_type = |kind: &str, detailed: Option<&str>| {
            let is = |line: &&Value| line["type"] == kind && line["detailed_type"].as_str() == detailed;
            let found: Vec<_> = lines.iter().filter(is).collect();
            assert_eq!(found.len(), 1, "{kind} {lines:?}");
            found[0].clone()
        };
        let taken = by_type("CAPTURE", None);
        assert_eq!(taken["amount"], 4000);
        for (name, value) in [
            ("partner_account_id", json!(partner)),
            ("payment_account_id", json!(end.credentials.partner.payment_account_id)),
            ("payment_transaction_id", transaction_id.clone()),
            ("payment_transaction_reference", json!("TX-1")),
            ("purchase_reference", json!("88")),
            ("payment_capture_id", json!(capture_id)),
            ("payment_capture_reference", json!("C-TX-1")),
            ("occurred_at", json!(text(BEGINNING))),
            ("currency", json!("EUR")),
        ] {
            assert_eq!(taken[name], value, "{name}");
            if name != "occurred_at" {
                assert_eq!(by_type("FEE", Some("FIXED"))[name], value, "{name} of the fee");
            }
        }
        let variable = by_type("FEE", Some("VARIABLE"));
        assert_eq!(
            (&variable["amount"], &variable["tax_amount"], &variable["tax_rate"]),
            (&json!(-120), &json!(-23), &json!("19"))
        );
        let back = by_type("REFUND", None);
        assert_eq!((&back["amount"], &back["payment_refund_reference"]), (&json!(-500), &json!("F-1")));
        assert_eq!(
            (&back["payment_refund_id"], &back["payment_capture_id"]),
            (&refund["payment_refund_id"], &json!(capture_id))
        );
        assert_eq!(back["payment_capture_reference"], "C-TX-1");
        assert_eq!(back["tax_amount"], Value::Null, "refunds return no fee");
        let chargeback = by_type("CHARGEBACK", None);
        assert_eq!((&chargeback["amount"], &chargeback["dispute_id"]), (&json!(-1000), &json!(dispute)));
        assert_eq!(chargeback["payment_chargeback_id"], format!("{}:chargeback:1", transaction_id.as_str().unwrap()));
        let fee = by_type("DISPUTE_FEE", None);
        assert_eq!((&fee["amount"], &fee["tax_amount"]), (&json!(-300), &json!(-57)));
        assert_eq!((&fee["dispute_id"], &fee["payment_capture_id"]), (&json!(dispute), &json!(capture_id)));
        assert_eq!(by_type("HOLDBACK", None)["amount"], -50);

        // Nothing is settled twice: another call for the same interval finds nothing.
        let again = settle_day(&end).await;
        assert_eq!((&again["settlement_amount"], &again["state"]), (&json!(0), &json!("CARRIED_FORWARD")));
        assert_books(&end, &[settlement, again]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_day_is_settled_at_midnight_each_currency_for_itself() {
    for end in ends().await {
        captured(&end, "TX-1", 1000).await;
        let dollars = json!({"currency": "USD", "acquiring_config": crate::payments_steps::acquiring(&end),
            "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": "TX-2"}});
        let dollars = id(&charge(&end, &dollars).await);
        post(&end, &format!("/transactions/{dollars}/capture"), &json!({"capture_amount": 2000})).await.expect(201);
        // In the last microsecond of the day, and in the first of the next.
        let midnight = BEGINNING + 14 * HOUR_US;
        end.ap(Method::POST, "/testing/clock", Some(&json!({"set": text(midnight - 1)}))).await.expect(200);
        captured(&end, "TX-3", 300).await;
        assert_eq!(end.ap(Method::GET, LIST, None).await.expect(200)["settlements"], json!([]));
        advance(&end, "PT0.000001S").await;
        captured(&end, "TX-4", 400).await;
        let settlements = all(&end, 2).await;
        assert_eq!(settlements.len(), 2);
        let of =
            |currency: &str| settlements.iter().find(|settlement| settlement["currency"] == currency).unwrap().clone();
        assert_eq!(of("EUR")["totals"]["capture_amount"], 1300);
        assert_eq!(of("USD")["totals"]["tax_amount"], 0, "no tax on fees in dollars");
        assert_eq!((&of("EUR")["interval_start"], &of("EUR")["interval_end"]), (&json!(DAY.0), &json!(DAY.1)));
        // Days without any movement make no settlement, and are not skipped either.
        advance(&end, "P3D").await;
        let settlements = all(&end, 3).await;
        assert_eq!(settlements.len(), 3);
        assert_eq!(settlements[2]["totals"]["capture_amount"], 400);
        assert_eq!(settlements[2]["interval_start"], DAY.1);
        assert_books(&end, &settlements).await;
        assert_eq!(events(&end, "settlement.report.created").await.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_commits_late_is_settled_with_the_next_day_and_never_twice() {
    for end in ends().await {
        let first = captured(&end, "TX-1", 1000).await;
        advance(&end, "PT14H").await;
        let settlements = all(&end, 1).await;
        assert_eq!(settlements[0]["totals"]["capture_amount"], 1000);
        // Another process's clock was behind: its capture bears a time of the day that is settled.
        let (account, transaction_id) =
            (end.partner().to_owned(), first["payment_transaction_id"].as_str().unwrap().to_owned());
        write(&end, move |tx| {
            let (account, transaction_id) = (account.clone(), transaction_id.clone());
            Box::pin(async move {
                let sql =
                    "insert into payment_captures (account_id, transaction_id, number, reference, amount, refunded,
                        charged_back, captured_at) values ($1, $2, 2, 'late', 70, 0, 0, $3)";
                tx.execute(sql, kit::params![&account, &transaction_id, BEGINNING]).await?;
                Ok(())
            })
        })
        .await;
        advance(&end, "P1D").await;
        let settlements = all(&end, 2).await;
        assert_eq!(settlements[1]["totals"]["capture_amount"], 70);
        assert_eq!(settlements[1]["interval_start"], DAY.1);
        assert_eq!(lines(&end, &settlements[1]).await[0]["occurred_at"], text(BEGINNING));
        assert_books(&end, &settlements).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_is_still_uncommitted_while_its_day_is_settled_is_not_lost() {
    // Only PostgreSQL has transactions side by side; SQLite commits one after the other.
    for end in ends().await.into_iter().filter(|end| end.ctx.db.engine() == kit::db::Engine::Postgres) {
        let first = captured(&end, "TX-1", 1000).await;
        let (account, transaction_id) =
            (end.partner().to_owned(), first["payment_transaction_id"].as_str().unwrap().to_owned());
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel::<()>();
        let db = end.ctx.db.clone();
        let writing = tokio::spawn(async move {
            db.write(move |tx| -> UnitFuture<'_, Result<(), kit::db::DbError>> {
                Box::pin(async move {
                    let sql = "insert into payment_captures (account_id, transaction_id, number, reference, amount,
                            refunded, charged_back, captured_at) values ($1, $2, 2, 'late', 70, 0, 0, $3)";
                    tx.execute(sql, kit::params![&account, &transaction_id, BEGINNING]).await?;
                    begun.send(()).unwrap();
                    gone.await.unwrap();
                    Ok(())
                })
            })
            .await
            .unwrap();
        });
        has_begun.await.unwrap();
        advance(&end, "PT14H").await;
        let settlements = all(&end, 1).await;
        assert_eq!(settlements[0]["totals"]["capture_amount"], 1000);
        go.send(()).unwrap();
        writing.await.unwrap();
        advance(&end, "P1D").await;
        let settlements = all(&end, 2).await;
        assert_eq!(settlements[1]["totals"]["capture_amount"], 70);
        assert_books(&end, &settlements).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_refunds_and_runs_side_by_side_settle_everything_once() {
    for end in ends().await {
        let end = std::sync::Arc::new(end);
        let mut tasks = Vec::new();
        for writer in 0..3 {
            let end = std::sync::Arc::clone(&end);
            tasks.push(tokio::spawn(async move {
                for number in 0..8 {
                    let capture = captured(&end, &format!("TX-{writer}-{number}"), 1000 + number).await;
                    if number % 2 == 0 {
                        let id = capture["payment_capture_id"].as_str().unwrap();
                        post(&end, &format!("/captures/{id}/refund"), &json!({"refund_amount": 10})).await.expect(201);
                    }
                }
            }));
        }
        for _ in 0..2 {
            let end = std::sync::Arc::clone(&end);
            tasks.push(tokio::spawn(async move {
                for _ in 0..6 {
                    settle_day(&end).await;
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        settle_day(&end).await;
        let settlements = all(&end, 13).await;
        let told = events(&end, "settlement.report.created").await;
        assert_eq!(told.len(), settlements.len());
        assert_books(&end, &settlements).await;
        let (mut seen, mut refunds) = (std::collections::BTreeSet::new(), 0);
        for settlement in &settlements {
            for line in lines(&end, settlement).await {
                match line["type"].as_str().unwrap() {
                    "CAPTURE" => assert!(seen.insert(line["payment_capture_id"].to_string()), "{line}"),
                    "REFUND" => {
                        refunds += 1;
                        assert_eq!(line["amount"], -10);
                    }
                    _ => {}
                }
            }
        }
        assert_eq!((seen.len(), refunds), (24, 12));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_balance_is_carried_until_it_is_earned_back() {
    for end in ends().await {
        let capture = captured(&end, "TX-1", 1000).await;
        settle_day(&end).await;
        let capture_id = capture["payment_capture_id"].as_str().unwrap();
        post(&end, &format!("/captures/{capture_id}/refund"), &json!({"refund_amount": 800})).await.expect(201);
        let owing = settle_day(&end).await;
        assert_eq!(
            (&owing["state"], &owing["settlement_amount"], &owing["closing_balance"]),
            (&json!("CARRIED_FORWARD"), &json!(-800), &json!(-800))
        );
        end.ap(Method::GET, &path(&owing, "/payouts/status"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        let processed = json!({"status": "PROCESSED"});
        end.ap(Method::POST, &path(&owing, "/payouts/set-status"), Some(&processed))
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        captured(&end, "TX-2", 2000).await;
        let earned = settle_day(&end).await;
        assert_eq!((&earned["opening_balance"], &earned["closing_balance"]), (&json!(-800), &json!(0)));
        let payout = end.ap(Method::GET, &path(&earned, "/payouts/status"), None).await.expect(200);
        assert_eq!(payout["amount"].as_i64().unwrap(), earned["settlement_amount"].as_i64().unwrap() - 800);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_settled_in_another_currency_tells_the_exchange() {
    for end in ends().await {
        let mut body = authorization(&end, "TX-1");
        body["acquiring_config"]["settlement_currency"] = json!("SEK");
        let id = id(&charge(&end, &body).await);
        post(&end, &format!("/transactions/{id}/capture"), &json!({"capture_amount": 1000})).await.expect(201);
        let settlement = settle_day(&end).await;
        assert_eq!(settlement["currency"], "SEK");
        let lines = lines(&end, &settlement).await;
        assert_eq!(lines.len(), 3);
        for line in &lines {
            assert_eq!((&line["currency"], &line["transaction_event_currency"]), (&json!("SEK"), &json!("EUR")));
            assert_eq!(line["exchange_rate"], "10.98901099");
        }
        assert_eq!((&lines[0]["amount"], &lines[0]["transaction_event_amount"]), (&json!(10_989), &json!(1000)));
        // Klarna does not settle in yen.
        body["acquiring_config"]["settlement_currency"] = json!("JPY");
        body["request_payment_transaction"]["payment_transaction_reference"] = json!("TX-2");
        let token = end.credentials.partner.customer_token.clone().unwrap();
        let refused = crate::payments_steps::authorize(&end, &[("klarna-customer-token", &token)], &body).await;
        names(&refused, &["acquiring_config.settlement_currency"]);
        assert_eq!(refused.json()["validation_errors"][0]["reason"], "Settlement currency not supported");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_goes_its_way_by_time_and_each_step_is_told_once() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let (key, _) = end.signing_key().await;
        end.webhook(&receiver.url(), &["settlement.*"], "v2", &key).await;
        captured(&end, "TX-1", 1000).await;
        let settlement = settle_day(&end).await;
        let told = receiver.next().await.json();
        assert_eq!(told["metadata"]["event_type"], "settlement.report.created");
        assert_eq!(told["metadata"]["subject_account_id"], end.credentials.acquiring_partner.account_id.as_str());
        let payload = &told["payload"];
        for name in [
            "settlement_id",
            "payment_acquiring_account_id",
            "currency",
            "interval_start",
            "interval_end",
            "payment_reference",
            "settlement_amount",
            "state",
        ] {
            assert_eq!(payload[name], settlement[name], "{name}");
        }
        assert_eq!(payload["totals"], Value::Null);
        for (name, kind) in [("json", "application/json"), ("csv", "text/csv")] {
            let link = payload["links"][name].as_str().unwrap().trim_start_matches(&end.base).to_owned();
            let report = end.ap(Method::GET, &link, None).await;
            assert!(report.status == 200 && report.header("content-type").unwrap().starts_with(kind), "{link}");
        }
        let status = path(&settlement, "/payouts/status");
        let payout = end.ap(Method::GET, &status, None).await.expect(200);
        assert_eq!(payout["status"], "PENDING");
        for name in ["settlement_id", "payment_reference", "currency"] {
            assert_eq!(payout[name], settlement[name], "{name}");
        }
        assert!(payout["payout_bank_account_reference"].as_str().unwrap().starts_with("IBAN: **************"));
        advance(&end, "PT1H").await;
        assert_eq!(end.ap(Method::GET, &status, None).await.expect(200)["status"], "PROCESSED");
        assert_eq!(receiver.next().await.json()["metadata"]["event_type"], "settlement.payout.processed");
        assert_eq!(end.ap(Method::GET, &path(&settlement, ""), None).await.expect(200)["state"], "CLOSED");
        advance(&end, "P1D").await;
        let confirmed = receiver.next().await.json();
        assert_eq!(confirmed["metadata"]["event_type"], "settlement.payout.confirmed");
        let payout = end.ap(Method::GET, &status, None).await.expect(200);
        assert_eq!((&payout["status"], &payout), (&json!("CONFIRMED"), &confirmed["payload"]));
        assert_eq!(end.ap(Method::GET, &path(&settlement, ""), None).await.expect(200)["state"], "PAID");
        for kind in ["settlement.report.created", "settlement.payout.processed", "settlement.payout.confirmed"] {
            assert_eq!(events(&end, kind).await.len(), 1, "{kind}");
        }
        assert!(receiver.is_empty().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_set_by_hand_without_skipping_and_the_outcome_is_chosen() {
    for end in ends().await {
        captured(&end, "TX-1", 1000).await;
        let settlement = settle_day(&end).await;
        let at = path(&settlement, "/payouts/set-status");
        let set = |status: &'static str| {
            let body = json!({"status": status, "payout_bank_account_reference": "IBAN: **************1234"});
            let (end, at) = (&end, &at);
            async move { end.ap(Method::POST, at, Some(&body)).await }
        };
        set("CONFIRMED").await.refused(409, "RESOURCE_CONFLICT");
        set("FAILED").await.refused(409, "RESOURCE_CONFLICT");
        let payout = set("PROCESSED").await.expect(200);
        assert_eq!(
            (&payout["status"], &payout["payout_bank_account_reference"]),
            (&json!("PROCESSED"), &json!("IBAN: **************1234"))
        );
        set("PROCESSED").await.expect(200);
        assert_eq!(set("FAILED").await.expect(200)["status"], "FAILED");
        set("CONFIRMED").await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(set("PENDING").await.expect(200)["status"], "PENDING");
        let outcome = path(&settlement, "/payout").replace("/v2/", "/testing/");
        end.ap(Method::POST, &outcome, Some(&json!({"outcome": "FAILED"}))).await.expect(200);
        advance(&end, "PT26H").await;
        let status = path(&settlement, "/payouts/status");
        assert_eq!(end.ap(Method::GET, &status, None).await.expect(200)["status"], "FAILED");
        // It is tried again by itself, and arrives.
        advance(&end, "P3D").await;
        assert_eq!(end.ap(Method::GET, &status, None).await.expect(200)["status"], "CONFIRMED");
        end.ap(Method::POST, &outcome, Some(&json!({"outcome": "FAILED"}))).await.refused(409, "RESOURCE_CONFLICT");
        for (kind, count) in [("processed", 3), ("failed", 2), ("confirmed", 1)] {
            assert_eq!(events(&end, &format!("settlement.payout.{kind}")).await.len(), count, "{kind}");
        }
        names(&end.ap(Method::POST, &at, Some(&json!({"status": "LOST"}))).await, &["status"]);
        names(
            &end.ap(Method::POST, &at, Some(&json!({"payout_bank_account_reference": ""}))).await,
            &["payout_bank_account_reference", "status"],
        );
        names(&end.ap(Method::POST, &outcome, Some(&json!({"outcome": "PENDING"}))).await, &["outcome"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csv_holds_what_the_json_holds_and_the_pdf_is_one() {
    for end in ends().await {
        for number in 0..4 {
            captured(&end, &format!("TX;\"{number}"), 1000 + number).await;
        }
        let settlement = settle_day(&end).await;
        let answer = end.ap(Method::GET, &path(&settlement, "/csv"), None).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
        let name =
            format!("attachment; filename=\"settlement.{}.csv\"", settlement["payment_reference"].as_str().unwrap());
        assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
        let (summary, rows) = answer.text.split_once("\n\n").unwrap();
        let only = end.ap(Method::GET, &path(&settlement, "/csv/summary"), None).await;
        assert_eq!(only.text.trim_end(), summary);
        let read = |text: &str| -> Vec<std::collections::BTreeMap<String, String>> {
            let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
            let header = reader.headers().unwrap().clone();
            let row = |record: csv::StringRecord| {
                header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
            };
            reader.records().map(|record| row(record.unwrap())).collect()
        };
        let is_shown = |row: &std::collections::BTreeMap<String, String>, object: &Value| {
            for (name, value) in object.as_object().unwrap() {
                if value.is_object() {
                    continue;
                }
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(row[name], shown, "{name}");
            }
        };
        let summary = read(summary).remove(0);
        is_shown(&summary, &settlement);
        is_shown(&summary, &settlement["totals"]);
        let (rows, lines) = (read(rows), lines(&end, &settlement).await);
        assert_eq!((rows.len(), lines.len()), (12, 12));
        for (row, line) in rows.iter().zip(&lines) {
            is_shown(row, line);
        }
        let pdf = end.ap(Method::GET, &path(&settlement, "/pdf"), None).await;
        assert_eq!((pdf.status, pdf.header("content-type")), (200, Some("application/pdf")));
        assert!(pdf.text.starts_with("%PDF-") && pdf.text.contains(settlement["payment_reference"].as_str().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paged() {
    for end in ends().await {
        captured(&end, "TX-1", 1000).await;
        let settlement = settle_day(&end).await;
        advance(&end, "P1D").await;
        captured(&end, "TX-2", 1000).await;
        advance(&end, "P1D").await;
        let settlements = all(&end, 2).await;
        let acquiring = settlement["payment_acquiring_account_id"].as_str().unwrap();
        for (query, count) in [
            ("", 2),
            ("?interval_start=2026-03-02T00:00:00Z&interval_end=2026-03-03T00:00:00Z", 1),
            ("?interval_start=2026-03-03T00:00:00Z", 1),
            ("?interval_end=2026-03-03T00:00:00Z", 1),
            ("?interval_start=2026-03-05T00:00:00Z", 0),
            ("?currency=eur", 2),
            ("?currency=SEK", 0),
            (&format!("?payment_acquiring_account_id={acquiring}"), 2),
            ("?payment_acquiring_account_id=krn:partner:global:account:acquiring-account:x", 0),
        ] {
            let list = end.ap(Method::GET, &format!("{LIST}{query}"), None).await.expect(200);
            assert_eq!(list["settlements"].as_array().unwrap().len(), count, "{query}");
            assert_eq!(list["pagination"]["total"], count, "{query}");
        }
        let first = end.ap(Method::GET, "/v2/settlements?size=1", None).await.expect(200);
        // Meanwhile a payout may have moved on: which ones they are counts.
        let ids = |list: &Value| -> Vec<Value> {
            list["settlements"].as_array().unwrap().iter().map(|one| one["settlement_id"].clone()).collect()
        };
        assert_eq!(ids(&first), [settlements[0]["settlement_id"].clone()]);
        let after = first["pagination"]["last_item"].as_str().unwrap();
        let second =
            end.ap(Method::GET, &format!("/v2/settlements?size=1&starting_after={after}"), None).await.expect(200);
        assert_eq!(ids(&second), [settlements[1]["settlement_id"].clone()]);
        let before = second["pagination"]["first_item"].as_str().unwrap();
        let back =
            end.ap(Method::GET, &format!("/v2/settlements?size=1&ending_before={before}"), None).await.expect(200);
        assert_eq!(ids(&back), ids(&first));

        let lines_at = path(&settlement, "/transactions");
        let page = end.ap(Method::GET, &format!("{lines_at}?size=2"), None).await.expect(200);
        assert_eq!((&page["pagination"]["count"], &page["pagination"]["total"]), (&json!(2), &json!(3)));
        assert_eq!((&page["pagination"]["first_item"], &page["pagination"]["last_item"]), (&json!("1"), &json!("2")));
        let rest = end.ap(Method::GET, &format!("{lines_at}?size=2&starting_after=2"), None).await.expect(200);
        assert_eq!(rest["transactions"].as_array().unwrap().len(), 1);
        let back = end.ap(Method::GET, &format!("{lines_at}?size=2&ending_before=3"), None).await.expect(200);
        assert_eq!(back["transactions"], page["transactions"]);
        names(&end.ap(Method::GET, &format!("{lines_at}?starting_after=x"), None).await, &["starting_after"]);
        names(&end.ap(Method::GET, &format!("{LIST}?ending_before=x"), None).await, &["ending_before"]);
        let twice = end.ap(Method::GET, &format!("{LIST}?currency=SEK&currency=EUR"), None).await.expect(200);
        assert_eq!(twice["pagination"]["total"], 2, "the last one counts");
        names(
            &end.ap(Method::GET, &format!("{LIST}?payment_acquiring_account_id=%00"), None).await,
            &["payment_acquiring_account_id"],
        );
        let nonsense = "?interval_start=yesterday&interval_end=2026-03-02&currency=XXX";
        names(
            &end.ap(Method::GET, &format!("{LIST}{nonsense}"), None).await,
            &["interval_start", "interval_end", "currency"],
        );
        let backwards = "?interval_start=2026-03-03T00:00:00Z&interval_end=2026-03-02T00:00:00Z";
        names(&end.ap(Method::GET, &format!("{LIST}{backwards}"), None).await, &["interval_end"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_by_name() {
    for end in ends().await {
        names(&end.ap(Method::POST, LIST, Some(&json!({}))).await, &["interval_start", "interval_end"]);
        names(&end.ap(Method::POST, LIST, Some(&interval(DAY.1, DAY.0))).await, &["interval_end"]);
        names(
            &end.ap(Method::POST, LIST, Some(&interval("now", "2026-03-02"))).await,
            &["interval_start", "interval_end"],
        );
        let mut foreign = interval(DAY.0, DAY.1);
        foreign["payment_acquiring_account_id"] = json!("krn:partner:global:account:acquiring-account:7Q2M");
        names(&end.ap(Method::POST, LIST, Some(&foreign)).await, &["payment_acquiring_account_id"]);
        let absent = json!({"settlement_id": "krn:partner:global:settlement:00000000-0000-0000-0000-000000000000"});
        for tail in ["", "/transactions", "/csv", "/csv/summary", "/pdf", "/payouts/status"] {
            end.ap(Method::GET, &path(&absent, tail), None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        let processed = json!({"status": "PROCESSED"});
        end.ap(Method::POST, &path(&absent, "/payouts/set-status"), Some(&processed))
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        // A Partner's own key settles nothing.
        end.call(end.partner_key(), Method::GET, LIST, None).await.refused(403, "OPERATION_FORBIDDEN");
        let entries = format!("/testing/accounts/{}/settlement-entries", end.partner());
        let config = json!({"payment_account_id": end.credentials.partner.payment_account_id});
        let entry = json!({"type": "RELEASE", "amount": -1, "currency": "EUR", "acquiring_config": config});
        names(&end.ap(Method::POST, &entries, Some(&entry)).await, &["amount"]);
        names(&end.ap(Method::POST, &entries, Some(&json!({}))).await, &["type", "amount", "currency"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_a_report_is_answered_once_and_gets_one_though_nothing_moved() {
    for end in ends().await {
        let acquiring = end.credentials.acquiring_partner.payment_acquiring_account_id.clone();
        let mut body = interval(DAY.0, DAY.1);
        body["payment_acquiring_account_id"] = json!(acquiring);
        let first = end.ap_once("k-1", Method::POST, LIST, Some(&body)).await.expect(201);
        let again = end.ap_once("k-1", Method::POST, LIST, Some(&body)).await.expect(201);
        assert_eq!(first, again);
        let empty = &first["settlement_reports"][0];
        assert_eq!((&empty["settlement_amount"], &empty["state"]), (&json!(0), &json!("CARRIED_FORWARD")));
        let csv = end.ap(Method::GET, &path(empty, "/csv"), None).await;
        assert_eq!(csv.text.lines().count(), 4);
        // The control needs no interval: what has happened since midnight.
        captured(&end, "TX-1", 1000).await;
        let now = end.ap(Method::POST, "/testing/settlements", None).await.expect(201);
        assert_eq!(now["settlement_reports"][0]["totals"]["capture_amount"], 1000);
        assert_eq!(now["settlement_reports"][0]["interval_start"], DAY.0);
        // An interval takes what is in it, and leaves the rest to its day.
        advance(&end, "PT1H").await;
        captured(&end, "TX-2", 200).await;
        advance(&end, "PT1H").await;
        captured(&end, "TX-3", 30).await;
        let (from, to) = (text(BEGINNING + 2 * HOUR_US), text(BEGINNING + 3 * HOUR_US));
        let later = settle(&end, &interval(&from, &to)).await.remove(0);
        assert_eq!(later["totals"]["capture_amount"], 30);
        advance(&end, "P1D").await;
        let settlements = all(&end, 4).await;
        assert_eq!(settlements[3]["totals"]["capture_amount"], 200);
        assert_books(&end, &settlements).await;
    }
}

/// Captures of one transaction, as the payments room would store them, without waiting for as many calls.
async fn many_captures(end: &End, transaction: &Value, count: i64) {
    let (account, id) = (end.partner().to_owned(), transaction["payment_transaction_id"].as_str().unwrap().to_owned());
    write(end, move |tx| {
        let (account, id) = (account.clone(), id.clone());
        Box::pin(async move {
            let sql = "insert into payment_captures (account_id, transaction_id, number, reference, amount, refunded,
                    charged_back, captured_at) values ($1, $2, $3, null, 100, 0, 0, $4)";
            for number in 1..=count {
                // Several at the same instant, too.
                tx.execute(sql, kit::params![&account, &id, number, BEGINNING + number / 700]).await?;
            }
            Ok(())
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_takes_many_steps_and_goes_on_after_a_restart() {
    for place in places().await {
        let first = start(&place, Wishes::default()).await;
        let transaction = transaction(&first, "TX-1").await;
        many_captures(&first, &transaction, 2300).await;
        // Too many for one call: what it has gathered so far stays open.
        let begun = settle_day(&first).await;
        assert_eq!((&begun["state"], &begun["totals"]["capture_amount"]), (&json!("OPEN"), &json!(50_000)));
        first.stop().await;
        let second = start(&place, Wishes::default()).await;
        let settlement = all(&second, 1).await.remove(0);
        assert_eq!(settlement["settlement_id"], begun["settlement_id"]);
        assert_eq!(settlement["totals"]["capture_amount"], 230_000);
        // 2.99 % of 100 and 30 are beyond the cap of 15 %.
        assert_eq!(settlement["totals"]["fee_amount"], -15 * 2300);
        let lines = lines(&second, &settlement).await;
        let captures: std::collections::BTreeSet<_> = lines
            .iter()
            .filter(|line| line["type"] == "CAPTURE")
            .map(|line| line["payment_capture_id"].to_string())
            .collect();
        assert_eq!((captures.len(), lines.len()), (2300, 4600));
        let csv = second.ap(Method::GET, &path(&settlement, "/csv"), None).await;
        assert_eq!(csv.text.lines().count(), 4 + 4600);
        assert_eq!(events(&second, "settlement.report.created").await.len(), 1);
        assert_books(&second, &[settlement]).await;
        // What is still being made has no reports.
        let settlement_id = begun["settlement_id"].as_str().unwrap().to_owned();
        write(&second, move |tx| {
            let id = settlement_id.clone();
            Box::pin(async move {
                tx.execute("update settlements set state = 'OPEN' where settlement_id = $1", kit::params![&id]).await?;
                Ok(())
            })
        })
        .await;
        for tail in ["/transactions", "/csv", "/csv/summary", "/pdf"] {
            second.ap(Method::GET, &path(&begun, tail), None).await.refused(409, "RESOURCE_CONFLICT");
        }
        second.stop().await;
    }
}
