//! `/v2/notification`: signing keys and webhooks of the caller's own account. `/v1/notification` is the same.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::Tx;
use kit::http::{ApiError, FieldFault, JsonBody, OptionalJsonBody};
use protocol::shape::shapes::notifications as answers;
use protocol::{
    EventType, EventVersion, SigningKey, SigningKeyId, SigningSecret, Timestamp, Webhook, WebhookId, WebhookStatus,
    shapes,
};
use serde_json::{Value, json};

use super::webhook::{WebhookDraft, read_version};
use super::{Target, simulate, store};
use crate::ctx::Ctx;
use crate::operation::{
    Category, Doc, IdempotencyKey, OnBehalf, Parts, Reply, Route, Source, Who, conflict, not_found, once,
};
use crate::sealed::SIGNING_KEY;

/// Signing keys per account (fact sheet 01 §9.3).
const SIGNING_KEYS_MAX: i64 = 50;
/// Webhooks per account. Ours (RULINGS §2).
const WEBHOOKS_MAX: usize = 50;
/// Random bytes of a signing key: 43 characters of base64url. Ours: neither length nor alphabet is documented.
const SIGNING_KEY_BYTES: usize = 32;

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    const KEYS: [&str; 2] = ["/v2/notification/signing-keys", "/v1/notification/signing-keys"];
    const KEY: [&str; 2] =
        ["/v2/notification/signing-keys/{signing_key_id}", "/v1/notification/signing-keys/{signing_key_id}"];
    const WEBHOOKS: [&str; 2] = ["/v2/notification/webhooks", "/v1/notification/webhooks"];
    const WEBHOOK: [&str; 2] = ["/v2/notification/webhooks/{webhook_id}", "/v1/notification/webhooks/{webhook_id}"];
    const SIMULATE: [&str; 2] =
        ["/v2/notification/webhooks/{webhook_id}/simulate", "/v1/notification/webhooks/{webhook_id}/simulate"];
    let (category, who) = (Category::PartnerManagement, Who::Anyone);
    use Source::Collection;
    vec![
        Route::at(
            Method::POST,
            &KEYS,
            category,
            who,
            Doc::new("createSigningKey", "Makes a signing key; its secret is shown this once", Collection)
                .answers(201, answers::signing_key_with_secret),
            create_signing_key,
        ),
        Route::at(
            Method::GET,
            &KEYS,
            category,
            who,
            Doc::new("listSigningKeys", "Lists the signing keys", Collection).answers(200, answers::signing_keys),
            list_signing_keys,
        ),
        Route::at(
            Method::GET,
            &KEY,
            category,
            who,
            Doc::new("readSigningKey", "Reads a signing key, without its secret", Collection)
                .answers(200, answers::signing_key),
            read_signing_key,
        ),
        Route::at(
            Method::DELETE,
            &KEY,
            category,
            who,
            Doc::new("deleteSigningKey", "Deletes a signing key that no webhook uses", Collection).answers_nothing(),
            delete_signing_key,
        ),
        Route::at(
            Method::POST,
            &WEBHOOKS,
            category,
            who,
            Doc::new("createWebhook", "Subscribes a url to events", Collection)
                .takes(shapes::webhook_create)
                .answers(201, answers::webhook),
            create_webhook,
        ),
        Route::at(
            Method::GET,
            &WEBHOOKS,
            category,
            who,
            Doc::new("listWebhooks", "Lists the webhooks", Collection).answers(200, answers::webhooks),
            list_webhooks,
        ),
        Route::at(
            Method::GET,
            &WEBHOOK,
            category,
            who,
            Doc::new("readWebhook", "Reads a webhook", Collection).answers(200, answers::webhook),
            read_webhook,
        ),
        Route::at(
            Method::PATCH,
            &WEBHOOK,
            category,
            who,
            Doc::new("updateWebhook", "Changes a webhook", Collection)
                .takes(shapes::webhook_update)
                .answers(200, answers::webhook),
            update_webhook,
        ),
        Route::at(
            Method::DELETE,
            &WEBHOOK,
            category,
            who,
            Doc::new("deleteWebhook", "Deletes a webhook", Collection).answers_nothing(),
            delete_webhook,
        ),
        Route::at(
            Method::POST,
            &SIMULATE,
            category,
            who,
            Doc::new("simulateEvent", "Sends a sample event to a webhook", Collection)
                .takes(shapes::simulate)
                .answers_nothing(),
            simulate_event,
        ),
    ]
}

async fn create_signing_key(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    key: IdempotencyKey,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = body.map_or(Value::Null, |body| body.value);
    once(&ctx, &on, &parts, key.as_deref(), &body, true, || {
        let (ctx, on) = (ctx.clone(), on.clone());
        move |tx: &mut Tx| {
            Box::pin(async move {
                let account = on.account.as_str();
                store::lock(tx, account).await?;
                if store::count_signing_keys(tx, account).await? >= SIGNING_KEYS_MAX {
                    // Ours: the limit is documented, its answer is not.
                    return Err(conflict(format!(
                        "The account has {SIGNING_KEYS_MAX} signing keys. Delete one to make room."
                    )));
                }
                let now = ctx.clock.now();
                let id = SigningKeyId::new(ctx.random.id(now));
                let secret = ctx.random.base64url(SIGNING_KEY_BYTES);
                let sealed = ctx.secrets.seal(SIGNING_KEY.place(&[id.as_str()]), secret.as_bytes());
                store::insert_signing_key(tx, account, id.as_str(), &sealed, now).await?;
                let view = SigningKey {
                    signing_key_id: Some(id),
                    signing_key: Some(SigningSecret::new(secret)),
                    created_at: Some(time(now)?),
                    ..SigningKey::default()
                };
                Ok(Reply::json(StatusCode::CREATED, &view))
            })
        }
    })
    .await
}

async fn list_signing_keys(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let rows: Vec<store::SigningKeyRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::signing_keys(tx, on.account.as_str()).await })).await?;
    let keys = rows.iter().map(key_view).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"signing_keys": keys})))
}

async fn read_signing_key(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<SigningKeyPath>,
) -> Result<Reply, ApiError> {
    let id = path.signing_key_id;
    let row = ctx.db.read(move |tx| Box::pin(async move { store::signing_key(tx, on.account.as_str(), &id).await }));
    let row = row.await?.ok_or_else(no_such_key)?;
    Ok(Reply::json(StatusCode::OK, &key_view(&row)?))
}

async fn delete_signing_key(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<SigningKeyPath>,
) -> Result<Reply, ApiError> {
    ctx.write(|| {
        let (account, id) = (on.account.clone(), path.signing_key_id.clone());
        move |tx: &mut Tx| {
            Box::pin(async move {
                store::lock(tx, account.as_str()).await?;
                if store::webhooks_signed_by(tx, account.as_str(), &id).await? > 0 {
                    return Err(conflict("The signing key is in use. Change or delete its webhooks first."));
                }
                let deleted = store::delete_signing_key(tx, account.as_str(), &id).await?;
                if deleted { Ok(Reply::no_content()) } else { Err(no_such_key()) }
            })
        }
    })
    .await
}

#[derive(serde::Deserialize)]
struct SigningKeyPath {
    signing_key_id: String,
}

#[derive(serde::Deserialize)]
struct WebhookPath {
    webhook_id: String,
}

async fn create_webhook(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    key: IdempotencyKey,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    once(&ctx, &on, &parts, key.as_deref(), &body, false, || {
        let (ctx, on, body) = (ctx.clone(), on.clone(), body.clone());
        move |tx: &mut Tx| {
            Box::pin(async move {
                let account = on.account.as_str();
                store::lock(tx, account).await?;
                let draft = checked(tx, account, &body, None, ctx.config.webhooks_local).await?;
                let others = store::webhooks(tx, account).await?;
                refuse_duplicate(&draft, &others, None)?;
                if others.len() >= WEBHOOKS_MAX {
                    return Err(conflict(format!("The account has {WEBHOOKS_MAX} webhooks. Delete one to make room.")));
                }
                let now = ctx.clock.now();
                let row = row_of(WebhookId::new(ctx.random.id(now)).to_string(), &draft, now, now);
                store::put_webhook(tx, account, &row).await?;
                Ok(Reply::json(StatusCode::CREATED, &webhook_view(&row)?))
            })
        }
    })
    .await
}

async fn list_webhooks(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let rows: Vec<store::WebhookRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::webhooks(tx, on.account.as_str()).await })).await?;
    let webhooks = rows.iter().map(webhook_view).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"webhooks": webhooks})))
}

async fn read_webhook(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<WebhookPath>) -> Result<Reply, ApiError> {
    let id = path.webhook_id;
    let row = ctx.db.read(move |tx| Box::pin(async move { store::webhook(tx, on.account.as_str(), &id).await }));
    let row = row.await?.ok_or_else(no_such_webhook)?;
    Ok(Reply::json(StatusCode::OK, &webhook_view(&row)?))
}

async fn update_webhook(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    key: IdempotencyKey,
    Path(path): Path<WebhookPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    once(&ctx, &on, &parts, key.as_deref(), &body, false, || {
        let (ctx, on, body, id) = (ctx.clone(), on.clone(), body.clone(), path.webhook_id.clone());
        move |tx: &mut Tx| {
            Box::pin(async move {
                let account = on.account.as_str();
                store::lock(tx, account).await?;
                let current = store::webhook(tx, account, &id).await?.ok_or_else(no_such_webhook)?;
                let before = draft_of(&current);
                let draft = checked(tx, account, &body, Some(&before), ctx.config.webhooks_local).await?;
                refuse_duplicate(&draft, &store::webhooks(tx, account).await?, Some(&id))?;
                let row = row_of(id, &draft, current.created_at, ctx.clock.now());
                store::put_webhook(tx, account, &row).await?;
                Ok(Reply::json(StatusCode::OK, &webhook_view(&row)?))
            })
        }
    })
    .await
}

async fn delete_webhook(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<WebhookPath>,
) -> Result<Reply, ApiError> {
    ctx.write(|| {
        let (account, id) = (on.account.clone(), path.webhook_id.clone());
        move |tx: &mut Tx| {
            Box::pin(async move {
                let deleted = store::delete_webhook(tx, account.as_str(), &id).await?;
                if deleted { Ok(Reply::no_content()) } else { Err(no_such_webhook()) }
            })
        }
    })
    .await
}

async fn simulate_event(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    key: IdempotencyKey,
    Path(path): Path<WebhookPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    once(&ctx, &on, &parts, key.as_deref(), &body, false, || {
        let (ctx, on, body, id) = (ctx.clone(), on.clone(), body.clone(), path.webhook_id.clone());
        move |tx: &mut Tx| {
            Box::pin(async move {
                let account = on.account.as_str();
                let webhook = store::webhook(tx, account, &id).await?.ok_or_else(no_such_webhook)?;
                let (event_type, version) = read_simulation(&body).map_err(ApiError::validation)?;
                let version = version.unwrap_or_else(|| EventVersion::from(webhook.event_version.as_str()));
                let target = Target { account_id: account, webhook_id: &id, version };
                simulate(tx, &ctx, &target, event_type, &on.correlation_id).await?;
                Ok(Reply::no_content())
            })
        }
    })
    .await
}

/// `event_type` of the catalogue; `event_version`, or the webhook's own.
fn read_simulation(body: &Value) -> Result<(EventType, Option<EventVersion>), Vec<FieldFault>> {
    let mut faults = Vec::new();
    let event_type = match body.get("event_type").filter(|value| !value.is_null()) {
        None => Err("is required"),
        Some(value) => {
            let event_type = value.as_str().map(EventType::from);
            event_type.filter(|event| EventType::catalogue().contains(event)).ok_or("is no event of the catalogue")
        }
    };
    let event_type = event_type.map_err(|reason| faults.push(FieldFault::new("event_type", reason))).ok();
    let version = body.get("event_version").filter(|value| !value.is_null()).map(read_version).transpose();
    let version = version.map_err(|reason| faults.push(FieldFault::new("event_version", reason))).ok();
    match (event_type, version) {
        (Some(event_type), Some(version)) => Ok((event_type, version)),
        _ => Err(faults),
    }
}

/// All faults at once, the unknown signing key among them.
async fn checked(
    tx: &mut Tx,
    account: &str,
    body: &Value,
    current: Option<&WebhookDraft>,
    local: bool,
) -> Result<WebhookDraft, ApiError> {
    let read = WebhookDraft::read(body, current, local);
    let named = body.get("signing_key_id").and_then(Value::as_str).filter(|id| !id.is_empty() && !id.contains('\0'));
    let unknown = match named {
        Some(id) => store::signing_key(tx, account, id).await?.is_none(),
        None => false,
    };
    let fault = || FieldFault::new("signing_key_id", "is no signing key of this account");
    match read {
        Ok(_) if unknown => Err(ApiError::validation(vec![fault()])),
        Ok(draft) => Ok(draft),
        Err(mut faults) => {
            if unknown && !faults.iter().any(|fault| fault.parameter == "signing_key_id") {
                faults.push(fault());
            }
            Err(ApiError::validation(faults))
        }
    }
}

fn refuse_duplicate(draft: &WebhookDraft, others: &[store::WebhookRow], own_id: Option<&str>) -> Result<(), ApiError> {
    let others = others.iter().filter(|row| Some(row.webhook_id.as_str()) != own_id);
    match others.into_iter().find(|row| draft_of(row).is_same_subscription(draft)) {
        Some(row) => Err(conflict(format!("The webhook {} has the same url, events and version.", row.webhook_id))),
        None => Ok(()),
    }
}

fn draft_of(row: &store::WebhookRow) -> WebhookDraft {
    WebhookDraft {
        url: row.url.clone(),
        event_types: serde_json::from_str(&row.event_types).unwrap_or_default(),
        event_version: EventVersion::from(row.event_version.as_str()),
        signing_key_id: row.signing_key_id.clone(),
        status: WebhookStatus::from(row.status.as_str()),
    }
}

fn row_of(webhook_id: String, draft: &WebhookDraft, created_at: i64, updated_at: i64) -> store::WebhookRow {
    store::WebhookRow {
        webhook_id,
        url: draft.url.clone(),
        event_types: json!(draft.event_types).to_string(),
        event_version: draft.event_version.as_str().to_owned(),
        signing_key_id: draft.signing_key_id.clone(),
        status: draft.status.as_str().to_owned(),
        created_at,
        updated_at,
    }
}

fn webhook_view(row: &store::WebhookRow) -> Result<Webhook, ApiError> {
    let draft = draft_of(row);
    Ok(Webhook {
        webhook_id: Some(WebhookId::opaque(&row.webhook_id).map_err(ApiError::internal)?),
        url: Some(draft.url),
        event_types: Some(draft.event_types),
        event_version: Some(draft.event_version),
        signing_key_id: Some(SigningKeyId::opaque(&row.signing_key_id).map_err(ApiError::internal)?),
        status: Some(draft.status),
        created_at: Some(time(row.created_at)?),
        updated_at: Some(time(row.updated_at)?),
        ..Webhook::default()
    })
}

fn key_view(row: &store::SigningKeyRow) -> Result<SigningKey, ApiError> {
    Ok(SigningKey {
        signing_key_id: Some(SigningKeyId::opaque(&row.signing_key_id).map_err(ApiError::internal)?),
        created_at: Some(time(row.created_at)?),
        ..SigningKey::default()
    })
}

fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}

fn no_such_key() -> ApiError {
    not_found("The signing key does not exist.")
}

fn no_such_webhook() -> ApiError {
    not_found("The webhook does not exist.")
}
