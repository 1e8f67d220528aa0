//! Enforcement of client certificates, and the list of addresses.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use kit::http::{ApiError, FieldFault, JsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::certificates::time_or_now;
use super::optional_time;
use crate::credentials::certificate::Usage;
use crate::credentials::ip_restriction::{self, IpRestriction};
use crate::credentials::life::months_after;
use crate::credentials::mtls::{ANNOUNCED_MONTHS_MAX, Mode};
use crate::credentials::protection::{self, Protection};
use crate::credentials::store;
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, conflict, invalid};

async fn protection_of(ctx: &Ctx, on: OnBehalf) -> Result<Protection, ApiError> {
    Ok(ctx.db.read(move |tx| Box::pin(async move { protection::read(tx, on.account.as_str()).await })).await?)
}

/// The certificates' mode. Ours: 200 with a body, where the collection's copied test wants 204 (RULINGS 1.2).
pub(super) async fn read_enforcement(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let mtls = protection_of(&ctx, on).await?.mtls;
    let view = json!({
        "enforcement_mode": mtls.mode(now).as_str(),
        "enforced_from": optional_time(mtls.enforced_from)?,
    });
    Ok(Reply::json(StatusCode::OK, &view))
}

pub(super) async fn enforce(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::enforcement(), &body)?;
    let enforced = call
        .once(&body, false, |tx, ctx, on, body| {
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                store::lock(tx, account).await?;
                let text = body.get("enforced_from").and_then(Value::as_str).unwrap_or_default();
                let at = time_or_now("enforced_from", text, now)?;
                if !(now..=months_after(now, ANNOUNCED_MONTHS_MAX)).contains(&at) {
                    let reason = "must not be in the past, nor more than three months ahead";
                    return Err(ApiError::validation(vec![FieldFault::new("enforced_from", reason)]));
                }
                let good = store::certificates(tx, account).await?.into_iter().any(|row| {
                    row.usage == Usage::Mtls.as_str() && row.validity().is_good(now) && row.validity().is_good(at)
                });
                if !good {
                    return Err(conflict("The account has no client certificate for MTLS that will be valid then."));
                }
                let mut protection = protection::read(tx, account).await?;
                protection.mtls.enforced_from = Some(at);
                protection::write(tx, account, &protection, now).await?;
                Ok(Reply::no_content())
            })
        })
        .await;
    call.ctx.verified_keys.forget();
    enforced
}

pub(super) async fn lift_enforcement(call: Call) -> Result<Reply, ApiError> {
    let lifted = call
        .write(|tx, ctx, on| {
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                store::lock(tx, account).await?;
                let mut protection = protection::read(tx, account).await?;
                if protection.mtls.enforced_from.take().is_some() {
                    protection::write(tx, account, &protection, now).await?;
                }
                Ok(Reply::no_content())
            })
        })
        .await;
    call.ctx.verified_keys.forget();
    lifted
}

fn ip_view(restriction: &IpRestriction) -> Value {
    json!({"enforcement_mode": restriction.mode.as_str(), "allowed_ips": restriction.texts()})
}

pub(super) async fn read_allowed_ips(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &ip_view(&protection_of(&ctx, on).await?.ip)))
}

/// The whole list. Ours: the mode stays when it is not sent.
pub(super) async fn replace_allowed_ips(
    call: Call,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    change_ips(call, body, true).await
}

/// What is sent: the mode, the list, or both.
pub(super) async fn change_allowed_ips(
    call: Call,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    change_ips(call, body, false).await
}

async fn change_ips(call: Call, body: Value, whole: bool) -> Result<Response, ApiError> {
    let mut faults = if whole { shapes::allowed_ips_replace() } else { shapes::allowed_ips_change() }.check(&body);
    faults.extend(repeated(&body));
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    let changed = call
        .once(&body, false, |tx, ctx, on, body| {
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                store::lock(tx, account).await?;
                let mut protection = protection::read(tx, account).await?;
                if let Some(mode) = body.get("enforcement_mode").and_then(Value::as_str).and_then(Mode::parse) {
                    protection.ip.mode = mode;
                }
                if let Some(entries) = body.get("allowed_ips").and_then(Value::as_array) {
                    let entries = entries.iter().filter_map(Value::as_str);
                    protection.ip.allowed = entries.filter_map(ip_restriction::read).collect();
                }
                protection::write(tx, account, &protection, now).await?;
                Ok(Reply::json(StatusCode::OK, &ip_view(&protection.ip)))
            })
        })
        .await;
    call.ctx.verified_keys.forget();
    changed
}

/// Entries that say what another said before.
fn repeated(body: &Value) -> Vec<protocol::ValidationError> {
    let entries = body.get("allowed_ips").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    let nets = entries.iter().map(|entry| entry.as_str().and_then(ip_restriction::read));
    let repeated = nets.enumerate().filter(|(_, net)| net.is_some_and(|net| !seen.insert(net)));
    repeated
        .map(|(index, _)| {
            protocol::ValidationError::new(format!("allowed_ips[{index}]"), "must not repeat another entry")
        })
        .collect()
}

/// A control of the test environment: both checks go back to reporting, for an account that locked itself out.
pub(super) async fn lift_everything(call: Call) -> Result<Reply, ApiError> {
    let lifted = call
        .write(|tx, ctx, on| {
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                store::lock(tx, account).await?;
                let mut protection = protection::read(tx, account).await?;
                protection.mtls.enforced_from = None;
                if protection.ip.mode == Mode::Enforced {
                    protection.ip.mode = Mode::Reporting;
                }
                protection::write(tx, account, &protection, now).await?;
                Ok(Reply::no_content())
            })
        })
        .await;
    call.ctx.verified_keys.forget();
    lifted
}
