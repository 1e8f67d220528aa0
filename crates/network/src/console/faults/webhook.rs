//! Webhooks that go wrong.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kit::deliveries::{Post, Posted, Prepared};
use serde_json::Value;

use super::rule::{Effect, Told};
use super::{Held, hit};
use crate::ctx::Ctx;

/// Sends webhooks as `inner` does, but for what a rule says.
pub(crate) struct Unreliable<P> {
    ctx: Ctx,
    inner: P,
}

impl<P: Post> Unreliable<P> {
    pub(crate) fn new(ctx: Ctx, inner: P) -> Self {
        Self { ctx, inner }
    }

    async fn struck(&self, body: &Bytes) -> Option<Held> {
        let envelope: Value = serde_json::from_slice(body).ok()?;
        let metadata = |name: &str| envelope["metadata"][name].as_str().unwrap_or_default();
        let recipient = metadata("recipient_account_id");
        let told = Told {
            event_type: metadata("event_type"),
            webhook_id: metadata("webhook_id"),
            account_ids: [recipient, metadata("subject_account_id")],
        };
        for held in self.ctx.observer.faults().rules().iter() {
            if !held.rule.concerns_webhook(&told) {
                continue;
            }
            let above = held.acquiring_partner_id.as_str();
            let is_ours =
                recipient == above || self.ctx.family.has(&self.ctx.db, above, recipient).await.unwrap_or(false);
            if is_ours && hit(&self.ctx, held).await.unwrap_or(false) {
                return Some(held.clone());
            }
        }
        None
    }
}

impl<P: Post> Post for Unreliable<P> {
    fn post<'a>(&'a self, prepared: &'a Prepared, body: Bytes) -> BoxFuture<'a, Posted> {
        Box::pin(async move {
            let faults = self.ctx.observer.faults();
            if faults.is_empty() {
                return self.inner.post(prepared, body).await;
            }
            let held = self.struck(&body).await;
            match held.as_ref().map(|held| &held.rule.effect) {
                Some(Effect::DropWebhook) => {
                    return Posted {
                        outcome: Err("not sent: a fault rule of the test environment dropped it".to_owned()),
                        response: None,
                        duration: Duration::ZERO,
                    };
                }
                Some(Effect::DuplicateWebhook) => {
                    drop(self.inner.post(prepared, body.clone()).await);
                }
                Some(Effect::DelayWebhook { delay_ms }) => {
                    tokio::time::sleep(Duration::from_millis(*delay_ms)).await;
                }
                Some(Effect::ReorderWebhook { delay_ms }) => {
                    let mut sent = faults.sent.subscribe();
                    drop(tokio::time::timeout(Duration::from_millis(*delay_ms), sent.changed()).await);
                }
                Some(Effect::Latency { .. } | Effect::Status { .. } | Effect::Drop { .. } | Effect::Truncate)
                | None => {}
            }
            let posted = self.inner.post(prepared, body).await;
            faults.sent.send_modify(|sent| *sent += 1);
            posted
        })
    }
}
