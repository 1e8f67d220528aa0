//! Lists of disputes, who sees them, their files, and the settings of those to come.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::disputes_steps::*;
use crate::harness::{self, Answer, End, Wishes, ends, places};
use crate::payments_steps::{AMOUNT, names};

const NEW: &str = "FRAMEWORK_2026";
const OLD: &str = "FRAMEWORK_2020";

async fn listed(end: &End, query: &str) -> Vec<String> {
    ids(&get(end, query).await.expect(200))
}

fn ids(list: &Value) -> Vec<String> {
    list["disputes"].as_array().unwrap().iter().map(id).collect()
}

/// Five disputes, an hour apart: three new, two old, the first and the fourth closed, in reverse.
async fn five(end: &End) -> Vec<Value> {
    let mut all = Vec::new();
    for (framework, reason) in [
        (NEW, "INCORRECT_AMOUNT"),
        (OLD, "PRODUCTS_FAULTY"),
        (NEW, "PURCHASE_HIGH_RISK"),
        (OLD, "PURCHASE_HIGH_RISK"),
        (NEW, "RETURN_NOT_POSSIBLE"),
    ] {
        all.push(dispute(end, framework, reason).await);
        later(end, "PT1H").await;
    }
    for index in [3, 0] {
        post(end, &format!("/{}/accept-loss", id(&all[index])), &json!({})).await.expect(202);
        later(end, "PT1H").await;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_and_order_works_in_every_spelling() {
    for end in ends().await {
        let all = five(&end).await;
        let of = |indexes: &[usize]| indexes.iter().map(|index| id(&all[*index])).collect::<Vec<_>>();
        let text = |index: usize, name: &str| all[index][name].as_str().unwrap().to_owned();
        let (second, third) = (text(1, "payment_transaction_id"), text(2, "payment_transaction_id"));
        let product = text(0, "product_id");
        for (query, wanted) in [
            (String::new(), &[0, 1, 2, 3, 4][..]),
            (format!("?payment_transaction_id={second}"), &[1]),
            (format!("?payment_transaction_ids[]={second}&payment_transaction_ids[]={third}"), &[1, 2]),
            (format!("?payment_transaction_ids={second},{third}"), &[1, 2]),
            (format!("?order_ids={}", text(4, "order_id")), &[4]),
            ("?state=CLOSED".to_owned(), &[0, 3]),
            ("?state=initiated&state=PRE_ARBITRATION".to_owned(), &[1, 2, 4]),
            ("?reason=PURCHASE_HIGH_RISK".to_owned(), &[2, 3]),
            ("?reason[]=RETURN_NOT_POSSIBLE&reason[]=PRODUCTS_FAULTY".to_owned(), &[1, 4]),
            ("?reason=NOBODY_EVER_HAD_IT".to_owned(), &[]),
            ("?purchase_references=88,89".to_owned(), &[0, 1, 2, 3, 4]),
            ("?purchase_references=89".to_owned(), &[]),
            (format!("?payment_product_instance_id={product}"), &[0, 1, 2, 3, 4]),
            ("?payment_product_instance_id=krn:partner:product:payment:other".to_owned(), &[]),
            // The beginning is included, the end is not.
            ("?opened_at_start=2026-03-02T11:00:00.000Z&opened_at_end=2026-03-02T13:00:00.000Z".to_owned(), &[1, 2]),
            ("?created_at_start=2026-03-02T13:00:00Z".to_owned(), &[3, 4]),
            ("?closed_at_start=2026-03-02T16:00:00Z".to_owned(), &[0]),
            ("?closed_at_end=2026-03-02T16:00:00Z".to_owned(), &[3]),
            ("?updated_at_start=2026-03-02T14:00:00Z".to_owned(), &[0, 3, 4]),
            ("?state=CLOSED&reason=PURCHASE_HIGH_RISK&opened_at_end=2026-03-02T12:00:00Z".to_owned(), &[]),
            ("?sort_by=-opened_at".to_owned(), &[4, 3, 2, 1, 0]),
            ("?sort_by=-created_at&size=2".to_owned(), &[4, 3]),
            ("?sort_by=closed_at&state=CLOSED".to_owned(), &[3, 0]),
            ("?sort_by=-closed_at&state=CLOSED".to_owned(), &[0, 3]),
            ("?sort_by=deadline_expires_at&state=INITIATED&state=PRE_ARBITRATION".to_owned(), &[2, 1, 4]),
            ("?sort_by=-deadline_expires_at&state=INITIATED&state=PRE_ARBITRATION".to_owned(), &[4, 1, 2]),
        ] {
            assert_eq!(listed(&end, &query).await, of(wanted), "{query}");
        }
        let eleven = ["r"; 11].join(",");
        for (query, parameters) in [
            (
                "?state=OPEN&opened_at_start=soon&sort_by=amount".to_owned(),
                &["state", "opened_at_start", "sort_by"][..],
            ),
            (format!("?reason={eleven}&purchase_references={eleven}"), &["purchase_references", "reason"]),
            (format!("?payment_transaction_ids={}", ["t"; 101].join(",")), &["payment_transaction_ids"]),
            ("?size=0".to_owned(), &["size"]),
            ("?size=101&starting_after=a&ending_before=b".to_owned(), &["size", "starting_after"]),
            ("?starting_after=krn:network:eu1:test:payment:dispute:1".to_owned(), &["starting_after"]),
        ] {
            names(&get(&end, &query).await, parameters);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_of_another_product_is_absent() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PRODUCTS_FAULTY").await;
        let (id, product) = (id(&opened), opened["product_id"].as_str().unwrap().to_owned());
        let other = "?payment_product_instance_id=krn:partner:product:payment:other";
        for tail in ["", "/attachments/x/download"] {
            get(&end, &format!("/{id}{tail}{other}")).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        let answer = json!({"additional_information": "x"});
        for tail in ["accept-loss", "respond"] {
            post(&end, &format!("/{id}/{tail}{other}"), &answer).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        let parts = [("file", Some("a.pdf"), PDF)];
        let path = at(&end, &format!("/{id}/attachments"));
        end.upload(&format!("{path}{other}"), &parts).await.refused(404, "RESOURCE_NOT_FOUND");
        let own = format!("?payment_product_instance_id={product}");
        end.upload(&format!("{path}{own}"), &parts).await.expect(201);
        assert_eq!(get(&end, &format!("/{id}{own}")).await.expect(200)["payment_dispute_id"], json!(id));
        post(&end, &format!("/{id}/accept-loss{own}"), &json!({})).await.expect(202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_in_both_directions_and_every_order() {
    for end in ends().await {
        let all = five(&end).await;
        assert_eq!(all.len(), 5);
        for sort in
            ["opened_at", "-opened_at", "closed_at", "-closed_at", "deadline_expires_at", "-deadline_expires_at"]
        {
            let whole = listed(&end, &format!("?sort_by={sort}")).await;
            let mut query = format!("?sort_by={sort}&size=2");
            let (mut forwards, mut pages) = (Vec::new(), Vec::new());
            loop {
                let page = get(&end, &query).await.expect(200);
                forwards.extend(ids(&page));
                let pagination = page["pagination"].clone();
                assert_eq!(pagination["total"], 5);
                pages.push(ids(&page));
                let Some(last) = pagination["last_item"].as_str() else { break };
                assert_eq!(last, ids(&page).last().unwrap());
                let next = pagination["links"]["next"]["href"].as_str().unwrap();
                assert_eq!(
                    next,
                    format!(
                        "{}{}?sort_by={}&size=2&starting_after={}",
                        end.base,
                        at(&end, ""),
                        sort,
                        last.replace(':', "%3A")
                    )
                );
                query = format!("?sort_by={sort}&size=2&starting_after={last}");
            }
            assert_eq!(forwards, whole, "{sort}");
            let back = listed(&end, &format!("?sort_by={sort}&size=2&ending_before={}", pages[2][0])).await;
            assert_eq!(back, pages[1], "{sort}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_up_to_date_though_nobody_looked() {
    for end in ends().await {
        for _ in 0..3 {
            dispute(&end, NEW, "INCORRECT_AMOUNT").await;
        }
        end.ctx.clock.advance(22 * kit::clock::DAY_US);
        assert_eq!(listed(&end, "?state=CLOSED").await.len(), 3);
        assert_eq!(kinds(&end).await.iter().filter(|kind| *kind == "closed").count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_paths_show_an_acquiring_partner_all_its_partners_disputes() {
    for end in ends().await {
        let opened = dispute(&end, NEW, "INCORRECT_AMOUNT").await;
        let id = id(&opened);
        let file = file(&end, &id).await;
        let list = end.ap(Method::GET, "/v4/payment/disputes?payment_transaction_ids[]=x", None).await.expect(200);
        assert_eq!(list["disputes"], json!([]));
        let list = end.ap(Method::GET, "/v4/payment/disputes", None).await.expect(200);
        assert_eq!(ids(&list), std::slice::from_ref(&id));
        let body = json!({"attachments": [{"payment_dispute_attachment_id": file}]});
        let sent = end.ap(Method::POST, &format!("/v4/payment/disputes/{id}/represent"), Some(&body)).await.expect(201);
        let url = sent["attachments"][0]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/v4/payment/disputes/", end.base)), "{url}");
        let answer = end.ap(Method::GET, url.strip_prefix(&end.base).unwrap(), None).await;
        assert_eq!((answer.status, answer.text.as_bytes()), (200, PDF));
        // A Partner's own key has no say in disputes.
        for path in ["/v4/payment/disputes".to_owned(), at(&end, ""), at(&end, &format!("/{id}"))] {
            end.call(end.partner_key(), Method::GET, &path, None).await.refused(403, "OPERATION_FORBIDDEN");
        }
        let foreign = crate::routes::foreign_key(&end).await;
        let list = end.call(&foreign, Method::GET, "/v4/payment/disputes", None).await.expect(200);
        assert_eq!(list["disputes"], json!([]));
        for tail in [String::new(), format!("/attachments/{file}/download")] {
            let path = format!("/v4/payment/disputes/{id}{tail}");
            end.call(&foreign, Method::GET, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        for verb in ["accept-loss", "decide", "lapse"] {
            let path = if verb == "accept-loss" { "/v4/payment" } else { "/testing" };
            let path = format!("{path}/disputes/{id}/{verb}");
            let answer = end.call(&foreign, Method::POST, &path, Some(&json!({"outcome": "WON"}))).await;
            answer.refused(404, "RESOURCE_NOT_FOUND");
        }
        for absent in ["krn:network:eu1:test:payment:dispute:1", "nonsense"] {
            get(&end, &format!("/{absent}")).await.refused(404, "RESOURCE_NOT_FOUND");
            post(&end, &format!("/{absent}/accept-loss"), &json!({})).await.refused(404, "RESOURCE_NOT_FOUND");
            end.upload(&at(&end, &format!("/{absent}/attachments")), &[("file", Some("a.pdf"), PDF)])
                .await
                .refused(404, "RESOURCE_NOT_FOUND");
        }
        get(&end, &format!("/{id}/attachments/{id}:attachment:2/download")).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_back_as_they_went_and_others_are_refused() {
    for end in ends().await {
        let id = id(&dispute(&end, NEW, "INCORRECT_AMOUNT").await);
        let path = at(&end, &format!("/{id}/attachments"));
        let png = b"\x89PNG\r\n\x1a\nrest";
        for (own, filename, content, media_type, name) in [
            ("note.pdf", Some("delivery note"), PDF, "application/pdf", "delivery note.pdf"),
            ("scan.png", None, &png[..], "image/png", "scan.png"),
        ] {
            let mut parts = vec![("file", Some(own), content)];
            parts.extend(filename.map(|name| ("filename", None, name.as_bytes())));
            let stored = end.upload(&path, &parts).await.expect(201);
            let file = stored["payment_dispute_attachment_id"].as_str().unwrap();
            let answer = get(&end, &format!("/{id}/attachments/{file}/download")).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)));
            let disposition = answer.header("content-disposition").unwrap();
            assert!(disposition.starts_with(&format!("attachment; filename=\"{name}\"")), "{disposition}");
            assert_eq!(answer.text, String::from_utf8_lossy(content));
        }
        let large = [PDF, &vec![b'x'; 7 * 1024 * 1024]].concat();
        let fits = &large[..7 * 1024 * 1024];
        end.upload(&path, &[("file", Some("large.pdf"), fits)]).await.expect(201);
        let refused = |answer: &Answer, parameters: &[&str]| names(answer, parameters);
        refused(&end.upload(&path, &[("file", Some("large.pdf"), &large)]).await, &["file"]);
        refused(&end.upload(&path, &[("filename", None, b"x")]).await, &["file"]);
        refused(&end.upload(&path, &[("file", Some("a.exe"), b"MZ")]).await, &["file"]);
        refused(&end.upload(&path, &[("file", Some("a.pdf"), png)]).await, &["file"]);
        let mixed: [(&str, Option<&str>, &[u8]); 2] = [("file", Some("a.pdf"), PDF), ("filename", None, b"a.png")];
        refused(&end.upload(&path, &mixed).await, &["filename"]);
        end.ap(Method::POST, &path, Some(&json!({}))).await.refused(400, "INVALID_CONTENT_TYPE");
        let huge = vec![b'x'; 8 * 1024 * 1024];
        assert_eq!(end.upload(&path, &[("file", Some("a.pdf"), &huge)]).await.status, 413);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_gives_two_files_at_most_and_either_id_downloads_them() {
    for end in ends().await {
        for framework in [OLD, NEW] {
            let id = id(&dispute(&end, framework, "INCORRECT_AMOUNT").await);
            let path = format!("/testing/disputes/{id}/customer-evidence");
            let parts: [(&str, Option<&str>, &[u8]); 2] =
                [("file", Some("photo.pdf"), PDF), ("description", None, b"my photo")];
            end.upload(&path, &parts).await.expect(201);
            end.upload(&path, &parts).await.expect(201);
            end.upload(&path, &parts).await.refused(409, "RESOURCE_CONFLICT");
            let object = get(&end, &format!("/{id}")).await.expect(200);
            let evidence = &object[if framework == OLD { "customer_evidence" } else { "customer_evidences" }];
            assert_eq!(evidence.as_array().unwrap().len(), 2);
            assert_eq!(
                (&evidence[0]["attachment"]["description"], &evidence[0]["attachment"]["mime_type"]),
                (&json!("my photo"), &json!("application/pdf"))
            );
            let file = evidence[0]["payment_dispute_customer_evidence_id"].as_str().unwrap();
            assert_eq!(get(&end, &format!("/{id}/attachments/{file}/download")).await.text.as_bytes(), PDF);
            if framework == NEW {
                // It is no file of the Partner's.
                let body = json!({"attachments": [{"payment_dispute_attachment_id": file}]});
                names(
                    &post(&end, &format!("/{id}/represent"), &body).await,
                    &["attachments[0].payment_dispute_attachment_id"],
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_disputed_once_at_a_time_and_within_what_is_left_of_it() {
    for end in ends().await {
        let (transaction, capture) = captured(&end, "TX-1").await;
        let path = format!("/testing/accounts/{}/disputes", end.partner());
        let opening = |body: Value| {
            let (end, path) = (&end, path.clone());
            async move { end.ap(Method::POST, &path, Some(&body)).await }
        };
        opening(json!({"reason": "X", "payment_capture_id": capture, "amount": AMOUNT + 1}))
            .await
            .refused(403, "OPERATION_FORBIDDEN");
        names(
            &opening(
                json!({"amount": 0, "framework": "FRAMEWORK_1999", "hold_policy": "LATER", "created_by": "NOBODY"}),
            )
            .await,
            &["reason", "framework", "amount", "created_by", "hold_policy", "payment_transaction_id"],
        );
        opening(json!({"reason": "X", "payment_capture_id": format!("{transaction}:capture:2")}))
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        let first = opening(json!({"reason": "X", "payment_transaction_id": transaction})).await.expect(201);
        assert_eq!(first["payment_capture_id"], json!(capture));
        opening(json!({"reason": "X", "payment_capture_id": capture})).await.refused(409, "RESOURCE_CONFLICT");
        control(&end, &id(&first), "withdraw", &json!({})).await.expect(200);
        opening(json!({"reason": "X", "payment_capture_id": capture})).await.expect(201);
        let account: protocol::PartnerAccountId = end.partner().parse().unwrap();
        let open = end.ctx.db.read(move |tx| -> kit::db::UnitFuture<'_, Result<bool, kit::db::DbError>> {
            Box::pin(async move { network::disputes::has_open(tx, &account, &transaction).await })
        });
        assert!(open.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_hold_for_disputes_to_come() {
    for end in ends().await {
        let path = format!("/testing/accounts/{}/dispute-settings", end.partner());
        let read = end.ap(Method::GET, &path, None).await.expect(200);
        assert_eq!((&read["framework"], &read["hold_policy"]), (&json!(OLD), &json!("NONE")));
        let (_, capture) = captured(&end, "TX-1").await;
        let before = open(&end, &capture, json!({"reason": "INCORRECT_AMOUNT"})).await;
        let body = json!({"framework": NEW, "hold_policy": "ON_DISPUTE_OPEN", "rejection_threshold": 5000});
        let changed = end.ap(Method::PUT, &path, Some(&body)).await.expect(200);
        assert_eq!(
            (&changed["hold_policy"], &changed["rejection_threshold"]),
            (&json!("ON_DISPUTE_INITIATED"), &json!(5000))
        );
        assert!(changed["enrolled_at"].is_string());
        let (transaction, capture) = captured(&end, "TX-2").await;
        let after = open(&end, &capture, json!({"reason": "INCORRECT_AMOUNT"})).await;
        assert_eq!(after["representment"]["state"], "REPRESENTMENT_AUTOMATICALLY_REJECTED");
        assert_eq!((&after["state"], &after["state_context"]["dispute_outcome"]), (&json!("CLOSED"), &json!("LOST")));
        assert_eq!(charged_back(&end, &transaction).await, AMOUNT);
        // The older one keeps its framework.
        let before = get(&end, &format!("/{}", id(&before))).await.expect(200);
        assert_eq!(before["configuration"], json!({"base_framework": OLD, "options": {"hold_policy": "NONE"}}));
        let kinds: BTreeSet<_> = ledger(&end).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["CHARGEBACK", "DISPUTE_FEE", "HOLDBACK", "RELEASE"].map(str::to_owned).into());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_has_one_effect_files_included() {
    for end in ends().await {
        let id = id(&dispute(&end, NEW, "INCORRECT_AMOUNT").await);
        let path = at(&end, &format!("/{id}/accept-loss"));
        let first = end.ap_once("loss", Method::POST, &path, None).await;
        let again = end.ap_once("loss", Method::POST, &path, None).await;
        assert_eq!((first.status, again.status, &first.text), (202, 202, &again.text));
        assert_eq!(kinds(&end).await, ["initiated", "closed", "chargeback"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing() {
    for place in places().await {
        let first = harness::start(&place, Wishes::default()).await;
        let opened = dispute(&first, NEW, "INCORRECT_AMOUNT").await;
        let id = id(&opened);
        let file = file(&first, &id).await;
        let body = json!({"attachments": [{"payment_dispute_attachment_id": file}], "additional_information": "Look."});
        post(&first, &format!("/{id}/represent"), &body).await.expect(201);
        let before = get(&first, &format!("/{id}")).await.expect(200);
        first.stop().await;
        let second = harness::start(&place, Wishes::default()).await;
        let mut after = get(&second, &format!("/{id}")).await.expect(200).to_string();
        // It listens elsewhere now.
        let url = before["representment"]["partner_evidence"]["attachments"][0]["url"].as_str().unwrap();
        let base = url.split("/v2/").next().unwrap();
        after = after.replace(&second.base, base);
        assert_eq!(after, before.to_string());
        // Time that passes unseen is told by the sweep.
        later(&second, "P30D").await;
        for _ in 0..600 {
            if kinds(&second).await.len() == 3 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(kinds(&second).await, ["initiated", "representment", "closed"]);
        second.stop().await;
    }
}
