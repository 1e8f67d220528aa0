//! After a rotation a start moves everything that this end seals to the new key; then it works without the old one.

use std::collections::BTreeSet;

use http::Method;
use kit::jobs::JobCount;
use kit::secret_box::{Keyring, SecretBox};
use network::sealed::SEALED;

use crate::disputes_steps as disputes;
use crate::harness::{self, End, Wishes, places};
use crate::websdk;

const NEXT: &str = "next:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn keys(lines: &[&str]) -> SecretBox {
    SecretBox::new(Keyring::from_env_text(&lines.join("\n")).unwrap())
}

/// Waits for the job that moves secrets: it leaves when all is done.
pub async fn wait_until_moved(end: &End) {
    let db = end.ctx.db.clone();
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        loop {
            let counts: Result<Vec<JobCount>, kit::db::DbError> = db.read(|tx| Box::pin(kit::jobs::counts(tx))).await;
            if counts.unwrap().iter().all(|count| count.kind != kit::sealed::KIND) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        }
    })
    .await
    .expect("the secrets are moved");
}

#[tokio::test]
async fn a_start_after_a_rotation_moves_all_secrets_and_the_next_one_needs_no_old_key() {
    for place in places().await {
        let path = "/v2/notification/signing-keys";
        let first = harness::start(&place, Wishes::default()).await;
        let made = first.ap_once("once", Method::POST, path, None).await.expect(201);
        let basket = serde_json::json!({"supplementary_purchase_data": {"customer": {"given_name": "Ada"}}});
        first.ap(Method::POST, "/v1/shopping/sessions", Some(&basket)).await.expect(201);
        let credentials = serde_json::to_value(&first.credentials.partner).unwrap();
        // Whatever else is sealed.
        let dispute = disputes::id(&disputes::dispute(&first, "FRAMEWORK_2026", "INCORRECT_AMOUNT").await);
        let file = disputes::file(&first, &dispute).await;
        crate::portal::let_somebody_in(&first).await;
        network::credentials::sftp_host_key(&first.ctx).await.unwrap();
        crate::sign_in::leave_under_way(&first).await;
        websdk::say_address(&first, "krn:payment:eu1:request:said").await;
        first.stop().await;

        let old = format!("test:{}=", "A".repeat(43));
        let second = harness::start_with(&place, Wishes::default(), keys(&[NEXT, &old])).await;
        wait_until_moved(&second).await;
        let counts = kit::sealed::count(&second.ctx.db, SEALED).await.unwrap();
        assert!(counts.iter().all(|count| count.key_id.as_deref() == Some("next")), "{counts:?}");
        let columns: BTreeSet<String> = counts.into_iter().map(|count| count.column).collect();
        assert_eq!(columns, SEALED.iter().map(|column| column.name()).collect());
        second.stop().await;

        let third = harness::start_with(&place, Wishes::default(), keys(&[NEXT])).await;
        let again = third.ap_once("once", Method::POST, path, None).await.expect(201);
        assert_eq!(again, made, "the first answer, secret and all");
        assert_eq!(serde_json::to_value(&third.credentials.partner).unwrap(), credentials);
        let download = disputes::get(&third, &format!("/{dispute}/attachments/{file}/download")).await;
        assert_eq!(download.text.as_bytes(), disputes::PDF);
        assert_eq!(websdk::said_city(&third, "krn:payment:eu1:request:said").await, "Berlin");
        third.stop().await;
    }
}
