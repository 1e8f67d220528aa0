//! `POST /klarna/webhooks`: takes deliveries of the network.

use axum::body::Bytes;
use axum::extract::{Request, State};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use kit::clock::Stopwatch;
use kit::db::Tx;
use kit::http::{ApiError, PeerAddr};
use kit::jobs::{self, NewJob};
use kit::rate_limit::Level;
use protocol::{SignatureError, SigningKeyId, SigningSecret, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::message::{self, Message};
use super::store::{self, NewMessage, Verification};
use super::{jobs as inbox_jobs, subscription};
use crate::Ctx;
use crate::sealed::INBOX_BODY;

/// Where the network delivers to, below the public url.
pub const PATH: &str = "/klarna/webhooks";
/// Largest delivery that is read. Ours: undocumented; session tokens and customers take some tens of kilobytes.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// Ours: lines of the log that refused requests may write in a second; more are counted in metrics only.
const REFUSED_LINES_PER_SECOND: u32 = 50;

/// The route, with its description.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// Receive a webhook from Klarna
///
/// For the Klarna Network only. The signature over the raw body is verified before anything is read; a delivery that was seen
/// before is acknowledged and changes nothing.
#[utoipa::path(
    post, path = "/klarna/webhooks", operation_id = "receive_klarna_webhook", tag = "Klarna",
    security(()),
    params(
        ("Klarna-Signature" = String, Header, description = "Lower-case hex HMAC-SHA256 over the raw body."),
        ("Klarna-Signing-Key-Id" = String, Header, description = "The key it was signed with."),
    ),
    request_body(content = Object, content_type = "application/json", description = "`{metadata, payload}`"),
    responses(
        (status = 200, description = "Taken, or taken before."),
        (status = 400, description = "Not believed: signature, key, age or shape. Nothing was processed."),
    )
)]
async fn receive(State(ctx): State<Ctx>, request: Request) -> Result<StatusCode, ApiError> {
    let began = Stopwatch::start();
    let (parts, body) = request.into_parts();
    let now = ctx.clock.now();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut line = Verification {
        verification_id: ctx.random.id(now).to_string(),
        received_at: now,
        signing_key_id: text(header::KLARNA_SIGNING_KEY_ID).map(message::claim),
        signature: "unchecked".to_owned(),
        outcome: "accepted".to_owned(),
        event_id: None,
        event_type: None,
        webhook_id: None,
        subject_account_id: None,
        duplicate: false,
        remote_address: parts.extensions.get::<PeerAddr>().map(|peer| peer.0.ip().to_string()),
        duration_us: 0,
        error: None,
    };
    let judged = match admit(&parts.headers, body).await {
        Ok(raw) => judge(&ctx, &parts.headers, raw, &mut line).await?,
        Err(refusal) => Err(refusal),
    };
    match judged {
        Ok((raw, message)) => accept(&ctx, raw, message, line, began).await,
        Err(refusal) => refuse(&ctx, refusal, line, began).await,
    }
}

/// Why a request is answered 400.
struct Refusal {
    outcome: &'static str,
    reason: String,
    /// The header or member at fault.
    parameter: &'static str,
}

async fn admit(headers: &HeaderMap, body: axum::body::Body) -> Result<Bytes, Refusal> {
    let essence =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(|text| text.split(';').next());
    if !essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
        let reason = "the content type must be application/json".to_owned();
        return Err(Refusal { outcome: "content_type", reason, parameter: "Content-Type" });
    }
    axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Refusal {
        outcome: "too_large",
        reason: format!("the body is larger than {BODY_BYTES_MAX} bytes, or ended early"),
        parameter: "body",
    })
}

/// The signature first: of a body that is not believed only claims are kept.
async fn judge(
    ctx: &Ctx,
    headers: &HeaderMap,
    raw: Bytes,
    line: &mut Verification,
) -> Result<Result<(Bytes, Message), Refusal>, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key_id = text(header::KLARNA_SIGNING_KEY_ID);
    let keys = match key_id {
        Some(key_id) => known_key(ctx, key_id).await?,
        None => Vec::new(),
    };
    let borrowed: Vec<_> = keys.iter().map(|(id, secret)| (id.clone(), secret)).collect();
    let verified = protocol::verify(&borrowed, key_id, text(header::KLARNA_SIGNATURE), &raw);
    let read = Message::read(&raw);
    if let Ok(message) = &read {
        line.event_id = Some(message::claim(&message.event_id));
        line.event_type = Some(message::claim(&message.event_type));
        line.webhook_id = message.webhook_id.as_deref().map(message::claim);
        line.subject_account_id = message.subject_account_id.as_deref().map(message::claim);
    }
    if let Err(error) = verified {
        error.as_str().clone_into(&mut line.signature);
        let parameter = match error {
            SignatureError::MissingKeyId | SignatureError::UnknownKey => "Klarna-Signing-Key-Id",
            SignatureError::MissingSignature | SignatureError::Malformed | SignatureError::Mismatch => {
                "Klarna-Signature"
            }
        };
        return Ok(Err(Refusal { outcome: "signature", reason: error.to_string(), parameter }));
    }
    "valid".clone_into(&mut line.signature);
    let (age_max, ahead_max) = (ctx.config.webhook_age_max_us, ctx.config.webhook_ahead_max_us);
    let checked = read.and_then(|message| message.check_age(line.received_at, age_max, ahead_max).map(|()| message));
    Ok(match checked {
        Ok(message) => Ok((raw, message)),
        Err(fault) => {
            let parameter = if fault.as_str() == "malformed" { "body" } else { "metadata.occurred_at" };
            Err(Refusal { outcome: fault.as_str(), reason: fault.to_string(), parameter })
        }
    })
}

/// The key of that id, if it is ours. Keys that are being rotated out stay valid until they are deleted.
async fn known_key(ctx: &Ctx, key_id: &str) -> Result<Vec<(SigningKeyId, SigningSecret)>, ApiError> {
    let Ok(id) = key_id.parse::<SigningKeyId>() else { return Ok(Vec::new()) };
    let (account, wanted) = (ctx.config.klarna_account_id.to_string(), id.to_string());
    let row = ctx.db.look_up(move |tx| Box::pin(async move { store::key(tx, &account, &wanted).await })).await?;
    match row {
        Some(row) => Ok(vec![(id, subscription::open_key(ctx, &row).map_err(ApiError::internal)?)]),
        None => Ok(Vec::new()),
    }
}

async fn accept(
    ctx: &Ctx,
    raw: Bytes,
    message: Message,
    mut line: Verification,
    began: Stopwatch,
) -> Result<StatusCode, ApiError> {
    line.duration_us = began.elapsed_us();
    let account = ctx.config.klarna_account_id.to_string();
    let sealed = ctx.secrets.seal(INBOX_BODY.place(&[&message.event_id]), &raw);
    let stored = line.clone();
    let fresh = ctx
        .db
        .write(move |tx: &mut Tx| {
            Box::pin(async move {
                let new = NewMessage {
                    account_id: &account,
                    event_id: &message.event_id,
                    event_type: &message.event_type,
                    subject_account_id: message.subject_account_id.as_deref(),
                    webhook_id: message.webhook_id.as_deref(),
                    occurred_at: message.occurred_at,
                    received_at: stored.received_at,
                    body: &sealed,
                };
                let fresh = store::insert_message(tx, &new).await?;
                let mut stored = stored;
                if fresh {
                    let now = stored.received_at;
                    let job = NewJob { kind: inbox_jobs::KIND, key: &message.event_id, payload: "", due_at: now };
                    jobs::enqueue(tx, &job, now).await?;
                } else {
                    stored.duplicate = true;
                    "duplicate".clone_into(&mut stored.outcome);
                }
                store::insert_verification(tx, &account, &stored).await?;
                Ok::<_, kit::db::DbError>(fresh)
            })
        })
        .await?;
    if fresh {
        ctx.poke.poke();
    } else {
        line.duplicate = true;
        "duplicate".clone_into(&mut line.outcome);
    }
    line.duration_us = began.elapsed_us();
    log(&line);
    Ok(StatusCode::OK)
}

async fn refuse(ctx: &Ctx, refusal: Refusal, mut line: Verification, began: Stopwatch) -> Result<StatusCode, ApiError> {
    refusal.outcome.clone_into(&mut line.outcome);
    line.error = Some(refusal.reason.clone());
    line.duration_us = began.elapsed_us();
    log(&line);
    // Anybody can send a request here: a flood must not fill the database.
    let level = Level { name: "refused-webhooks", key: "all", quota_per_second: REFUSED_LINES_PER_SECOND };
    if ctx.limiter.check(&[level]).allowed {
        let account = ctx.config.klarna_account_id.to_string();
        ctx.db.write(move |tx| Box::pin(async move { store::insert_verification(tx, &account, &line).await })).await?;
    }
    let message = format!("The webhook was refused: {}.", refusal.reason);
    Err(ApiError::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message).field(refusal.parameter, refusal.reason))
}

/// One line per request (RES-5): ids and outcome, never content or secrets.
fn log(line: &Verification) {
    let field = |text: &Option<String>| text.clone().unwrap_or_default();
    metrics::counter!("klarna_webhooks_total", "outcome" => line.outcome.clone()).increment(1);
    if matches!(line.outcome.as_str(), "accepted" | "duplicate") {
        tracing::info!(
            webhook.outcome = %line.outcome, webhook.signature = %line.signature, webhook.duplicate = line.duplicate,
            signing_key.id = %field(&line.signing_key_id), event.id = %field(&line.event_id),
            event.kind = %field(&line.event_type), webhook.id = %field(&line.webhook_id),
            subject_account.id = %field(&line.subject_account_id), peer = %field(&line.remote_address),
            duration_us = line.duration_us, "webhook of the network {}", line.outcome
        );
    } else {
        tracing::warn!(
            webhook.outcome = %line.outcome, webhook.signature = %line.signature, webhook.duplicate = line.duplicate,
            signing_key.id = %field(&line.signing_key_id), event.id = %field(&line.event_id),
            event.kind = %field(&line.event_type), webhook.id = %field(&line.webhook_id),
            subject_account.id = %field(&line.subject_account_id), peer = %field(&line.remote_address),
            duration_us = line.duration_us, error = %field(&line.error), "webhook of the network refused"
        );
    }
}
