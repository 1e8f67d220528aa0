//! What the inbox needs at the network: a signing key whose secret we hold, and a webhook that uses it.
//!
//! [`ensure_subscription`] compares what should be with what is and mends the difference, at every start and on a timer; it may
//! be stopped anywhere and run again. A key's secret is shown once, so it is stored, sealed, before any webhook uses the key. The
//! call that makes a key carries an idempotency key that was stored before: repeated after a crash, it is answered with the same
//! key. Should that fail, the key that nobody holds is found by comparison, and deleted once it is certain that nothing uses it.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use kit::clock::{HOUR_US, MINUTE_US};
use kit::db::{DbError, Tx};
use kit::secret_box::OpenError;
use protocol::{SigningKey, SigningSecret, Webhook};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::store::{self, KeyRow, SubscriptionRow};
use crate::Ctx;
use crate::klarna::{Answer, CallError, Operation, Trouble};
use crate::sealed::NETWORK_SIGNING_KEY;

/// What we subscribe to.
pub const EVENT_TYPES: [&str; 4] = ["identity.*", "partner.*", "payment.*", "settlement.*"];
/// The schema of what we read.
const EVENT_VERSION: &str = "v2";
/// The network remembers a call for 24 h (RULINGS 2); a repeated one is trusted to find it for less.
const INTENT_TRUSTED_US: i64 = 23 * HOUR_US;
/// Ours: how long a key that nobody seems to hold is left alone, in case somebody is about to use it.
const ORPHAN_REPRIEVE_US: i64 = HOUR_US;
/// Ours: beyond the last retry of a delivery that was signed with a key, by this much.
const RETIRE_MARGIN_US: i64 = 10 * MINUTE_US;

/// A state of a stored key that the network should forget: made by us, secret lost.
const ORPHAN: &str = "ORPHAN";
const CURRENT: &str = "CURRENT";

/// The subscription as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The webhook at the network.
    pub webhook_id: String,
    /// The key that signs new deliveries.
    pub signing_key_id: String,
}

/// Why the subscription is not in order.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The network refused or did not answer.
    #[error("calling the network to {doing}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: CallError,
    },
    /// The network's answer lacks something.
    #[error("the network's answer to {doing} lacks {missing}")]
    Incomplete {
        /// What was being done.
        doing: &'static str,
        /// The member.
        missing: &'static str,
    },
    /// The database failed.
    #[error("storing the subscription")]
    Store(#[from] DbError),
}

#[derive(Deserialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
struct SigningKeys {
    signing_keys: Vec<SigningKey>,
}

/// Makes sure that the network delivers to us, signed with a key that we hold.
///
/// # Errors
/// See [`SubscriptionError`]; what was done until then stands, and the next call goes on from there.
pub async fn ensure_subscription(ctx: &Ctx) -> Result<Subscription, SubscriptionError> {
    let at_network = signing_keys(ctx).await?;
    let key_id = match usable_key(ctx, &at_network).await? {
        Some(key_id) => key_id,
        None => make_key(ctx, &at_network).await?,
    };
    let webhook_id = ensure_webhook(ctx, &key_id).await?;
    let (account, url, now) = (account(ctx), callback_url(ctx), ctx.clock.now());
    let retires_at = now.saturating_add(ctx.config.webhook_age_max_us).saturating_add(RETIRE_MARGIN_US);
    let row = SubscriptionRow { webhook_id: webhook_id.clone(), signing_key_id: key_id.clone(), checked_at: now };
    ctx.db
        .write(move |tx: &mut Tx| {
            Box::pin(async move {
                store::retire_others(tx, &account, &row.signing_key_id, retires_at).await?;
                store::save_subscription(tx, &account, &url, &row).await
            })
        })
        .await?;
    delete_retired_keys(ctx, now).await?;
    Ok(Subscription { webhook_id, signing_key_id: key_id })
}

/// Replaces the signing key: a new one is made and stored, the webhook moves to it, and the old one verifies until no retry of a
/// delivery that it signed can come any more; then it is deleted, here and at the network.
///
/// # Errors
/// See [`SubscriptionError`]. After an error [`ensure_subscription`] completes what was begun.
pub async fn rotate_signing_key(ctx: &Ctx) -> Result<Subscription, SubscriptionError> {
    let at_network = signing_keys(ctx).await?;
    make_key(ctx, &at_network).await?;
    ensure_subscription(ctx).await
}

/// The subscription as it was last seen; `None` before the first time.
///
/// # Errors
/// [`DbError`].
pub async fn last_seen(ctx: &Ctx) -> Result<Option<Subscription>, DbError> {
    let (account, url) = (account(ctx), callback_url(ctx));
    let row = ctx.db.read(move |tx| Box::pin(async move { store::subscription(tx, &account, &url).await })).await?;
    Ok(row.map(|row| Subscription { webhook_id: row.webhook_id, signing_key_id: row.signing_key_id }))
}

/// Opens a stored key.
pub(super) fn open_key(ctx: &Ctx, row: &KeyRow) -> Result<SigningSecret, OpenError> {
    let opened = ctx.secrets.open(NETWORK_SIGNING_KEY.place(&[&row.signing_key_id]), &row.secret)?;
    std::str::from_utf8(&opened).map(SigningSecret::new).map_err(|_| OpenError::Tampered)
}

fn account(ctx: &Ctx) -> String {
    ctx.config.klarna_account_id.to_string()
}

/// Where the network delivers to.
pub fn callback_url(ctx: &Ctx) -> String {
    let mut url = ctx.config.public_url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(super::PATH.split('/').filter(|segment| !segment.is_empty()));
    }
    url.to_string()
}

/// The newest current key that the network has and that opens.
async fn usable_key(ctx: &Ctx, at_network: &BTreeSet<String>) -> Result<Option<String>, SubscriptionError> {
    let rows = stored_keys(ctx).await?;
    for row in rows.into_iter().filter(|row| row.state == CURRENT) {
        let key_id = row.signing_key_id.clone();
        if at_network.contains(&key_id) && open_key(ctx, &row).is_ok() {
            return Ok(Some(key_id));
        }
        tracing::warn!(signing_key.id = %key_id, "signing key {key_id} is lost, here or at the network; a new one is made");
        forget_key(ctx, &key_id).await?;
    }
    Ok(None)
}

/// Makes a key and stores its secret; returns its id.
async fn make_key(ctx: &Ctx, at_network: &BTreeSet<String>) -> Result<String, SubscriptionError> {
    const DOING: &str = "create a signing key";
    let (intent, repeated) = intend(ctx, at_network).await?;
    let idempotency_key = intent.idempotency_key.parse::<Uuid>().unwrap_or_else(|_| fresh_uuid(ctx));
    let mut operation = Operation::new("create_signing_key", Method::POST, &["v2", "notification", "signing-keys"])
        .key(idempotency_key);
    operation.repeated = repeated;
    let answer = match send(ctx, DOING, &operation).await {
        Err(error @ SubscriptionError::Call { source: CallError::Refused(_), .. }) => {
            drop_intent(ctx, &intent.idempotency_key).await?;
            return Err(error);
        }
        other => other?,
    };
    let key: SigningKey = parse(DOING, &answer)?;
    let key_id = key.signing_key_id.ok_or(SubscriptionError::Incomplete { doing: DOING, missing: "signing_key_id" })?;
    let Some(secret) = key.signing_key else {
        // Its secret cannot be had again: let it go, and begin anew next time.
        drop_intent(ctx, &intent.idempotency_key).await?;
        delete_at_network(ctx, key_id.as_str()).await?;
        return Err(SubscriptionError::Incomplete { doing: DOING, missing: "signing_key" });
    };
    let known: BTreeSet<String> = serde_json::from_str(&intent.known_keys).unwrap_or_default();
    let held = stored_keys(ctx).await?;
    // Made by an earlier try whose answer was lost: there since the intent, and held by nobody here. A repeated call that was
    // answered with a key of before has left nothing behind.
    let answered_again = at_network.contains(key_id.as_str());
    let orphans: Vec<String> = at_network
        .iter()
        .filter(|id| repeated && !answered_again && !known.contains(*id))
        .filter(|id| held.iter().all(|row| row.signing_key_id != **id))
        .cloned()
        .collect();
    // Strictly newer than all others, whatever the clock says: the newest is the one that is used.
    let newest = held.iter().map(|row| row.created_at).max();
    let now = ctx.clock.now();
    let created_at = newest.map_or(now, |newest| now.max(newest + 1));
    let (account, id) = (account(ctx), key_id.to_string());
    let sealed = ctx.secrets.seal(NETWORK_SIGNING_KEY.place(&[&id]), secret.expose().as_bytes());
    let stored_id = id.clone();
    ctx.db
        .write(move |tx: &mut Tx| {
            Box::pin(async move {
                for orphan in &orphans {
                    store::add_orphan(tx, &account, orphan, now, now.saturating_add(ORPHAN_REPRIEVE_US)).await?;
                }
                store::add_key(tx, &account, &stored_id, &sealed, created_at).await
            })
        })
        .await?;
    tracing::info!(signing_key.id = %id, "signing key {id} made and stored");
    Ok(id)
}

/// Writes down that a key is about to be made, and with which idempotency key; says whether that had been written before.
async fn intend(ctx: &Ctx, at_network: &BTreeSet<String>) -> Result<(store::IntentRow, bool), SubscriptionError> {
    let (account, now) = (account(ctx), ctx.clock.now());
    let drawn = fresh_uuid(ctx).to_string();
    let known = json!(at_network).to_string();
    let (wanted, row) = ctx
        .db
        .write(move |tx: &mut Tx| {
            Box::pin(async move {
                let mut known = known;
                if let Some(old) = store::intent(tx, &account).await?
                    && now.saturating_sub(old.created_at) > INTENT_TRUSTED_US
                {
                    // The network has forgotten that call: a new key, and what was there before the first try stays known.
                    store::drop_intent(tx, &account, &old.idempotency_key).await?;
                    known = old.known_keys;
                }
                let row = store::intend_key(tx, &account, &drawn, &known, now).await?;
                Ok::<_, DbError>((drawn, row))
            })
        })
        .await?;
    let known_now: BTreeSet<String> = serde_json::from_str(&row.known_keys).unwrap_or_default();
    let repeated = row.idempotency_key != wanted || known_now != *at_network;
    Ok((row, repeated))
}

/// Finds our webhook and brings it up to date, or makes it.
async fn ensure_webhook(ctx: &Ctx, key_id: &str) -> Result<String, SubscriptionError> {
    const DOING: &str = "subscribe to webhooks";
    let url = callback_url(ctx);
    let body = json!({"url": url, "event_types": EVENT_TYPES, "event_version": EVENT_VERSION,
        "signing_key_id": key_id, "status": "ENABLED"});
    let mut listed = webhooks(ctx).await?;
    if !listed.iter().any(|webhook| webhook.url.as_deref() == Some(&url)) {
        let operation = Operation::new("create_webhook", Method::POST, &["v2", "notification", "webhooks"])
            .json(body.to_string())
            .key(fresh_uuid(ctx));
        match send(ctx, DOING, &operation).await {
            Ok(answer) => {
                let made: Webhook = parse(DOING, &answer)?;
                let id =
                    made.webhook_id.ok_or(SubscriptionError::Incomplete { doing: DOING, missing: "webhook_id" })?;
                tracing::info!(webhook.id = %id, "webhook {id} made");
                return Ok(id.to_string());
            }
            // Another process was faster.
            Err(SubscriptionError::Call { source: CallError::Refused(refusal), .. })
                if refusal.status == StatusCode::CONFLICT =>
            {
                listed = webhooks(ctx).await?;
            }
            Err(error) => return Err(error),
        }
    }
    let found = listed.into_iter().find(|webhook| webhook.url.as_deref() == Some(&url));
    let found = found.ok_or(SubscriptionError::Incomplete { doing: "list webhooks", missing: "our webhook" })?;
    let id = found.webhook_id.clone();
    let id = id.ok_or(SubscriptionError::Incomplete { doing: "list webhooks", missing: "webhook_id" })?;
    if !fits(&found, key_id) {
        let operation =
            Operation::new("update_webhook", Method::PATCH, &["v2", "notification", "webhooks", id.as_str()])
                .json(body.to_string())
                .key(fresh_uuid(ctx));
        send(ctx, DOING, &operation).await?;
        tracing::info!(webhook.id = %id, signing_key.id = key_id, "webhook {id} brought up to date");
    }
    Ok(id.to_string())
}

fn fits(webhook: &Webhook, key_id: &str) -> bool {
    let has = webhook.event_types.as_deref().unwrap_or_default();
    webhook.signing_key_id.as_ref().is_some_and(|id| id.as_str() == key_id)
        && webhook.status.as_ref().is_none_or(|status| status.as_str() == "ENABLED")
        && webhook.event_version.as_ref().is_none_or(|version| version.as_str() == EVENT_VERSION)
        && EVENT_TYPES.iter().all(|wanted| has.iter().any(|pattern| pattern == wanted))
}

/// Deletes keys whose time is over, unless a webhook uses them still.
async fn delete_retired_keys(ctx: &Ctx, now: i64) -> Result<(), SubscriptionError> {
    let rows = stored_keys(ctx).await?;
    let due: Vec<KeyRow> = rows.into_iter().filter(|row| row.retires_at.is_some_and(|at| at <= now)).collect();
    if due.is_empty() {
        return Ok(());
    }
    let listed = webhooks(ctx).await?;
    let used = |key: &str| listed.iter().any(|hook| hook.signing_key_id.as_ref().is_some_and(|id| id.as_str() == key));
    for row in due {
        let id = &row.signing_key_id;
        if used(id) {
            if row.state == ORPHAN {
                // Somebody else's after all.
                forget_key(ctx, id).await?;
            }
            continue;
        }
        delete_at_network(ctx, id).await?;
        forget_key(ctx, id).await?;
        tracing::info!(signing_key.id = %id, "signing key {id} deleted");
    }
    Ok(())
}

async fn delete_at_network(ctx: &Ctx, key_id: &str) -> Result<(), SubscriptionError> {
    let path = ["v2", "notification", "signing-keys", key_id];
    match send(ctx, "delete a signing key", &Operation::new("delete_signing_key", Method::DELETE, &path)).await {
        Ok(_) => Ok(()),
        Err(SubscriptionError::Call { source: CallError::Refused(refusal), .. })
            if refusal.status == StatusCode::NOT_FOUND =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn signing_keys(ctx: &Ctx) -> Result<BTreeSet<String>, SubscriptionError> {
    const DOING: &str = "list signing keys";
    let operation = Operation::new("list_signing_keys", Method::GET, &["v2", "notification", "signing-keys"]);
    let listed: SigningKeys = parse(DOING, &send(ctx, DOING, &operation).await?)?;
    Ok(listed.signing_keys.into_iter().filter_map(|key| key.signing_key_id).map(|id| id.to_string()).collect())
}

async fn webhooks(ctx: &Ctx) -> Result<Vec<Webhook>, SubscriptionError> {
    const DOING: &str = "list webhooks";
    let operation = Operation::new("list_webhooks", Method::GET, &["v2", "notification", "webhooks"]);
    let listed: Webhooks = parse(DOING, &send(ctx, DOING, &operation).await?)?;
    Ok(listed.webhooks)
}

async fn stored_keys(ctx: &Ctx) -> Result<Vec<KeyRow>, DbError> {
    let account = account(ctx);
    ctx.db.read(move |tx| Box::pin(async move { store::keys(tx, &account).await })).await
}

async fn forget_key(ctx: &Ctx, key_id: &str) -> Result<(), DbError> {
    let (account, key_id) = (account(ctx), key_id.to_owned());
    ctx.db.write(move |tx| Box::pin(async move { store::delete_key(tx, &account, &key_id).await })).await
}

async fn drop_intent(ctx: &Ctx, idempotency_key: &str) -> Result<(), DbError> {
    let (account, key) = (account(ctx), idempotency_key.to_owned());
    ctx.db.write(move |tx| Box::pin(async move { store::drop_intent(tx, &account, &key).await })).await
}

async fn send(ctx: &Ctx, doing: &'static str, operation: &Operation) -> Result<Answer, SubscriptionError> {
    ctx.klarna.send(operation).await.map_err(|source| SubscriptionError::Call { doing, source })
}

fn parse<T: serde::de::DeserializeOwned>(doing: &'static str, answer: &Answer) -> Result<T, SubscriptionError> {
    // An empty body is no document.
    if answer.body.is_empty() {
        let trouble = Trouble::Unreadable { status: answer.status.as_u16(), reason: "no body".to_owned() };
        return Err(SubscriptionError::Call { doing, source: CallError::Unknown(trouble) });
    }
    answer.json().map_err(|source| SubscriptionError::Call { doing, source })
}

/// A call is made anew each time it is needed; retries within it share the key.
fn fresh_uuid(ctx: &Ctx) -> Uuid {
    ctx.random.id(ctx.clock.now())
}
