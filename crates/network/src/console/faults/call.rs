//! Calls that go wrong.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use kit::http::ApiError;

use super::rule::{Called, Effect};
use super::{Held, hit};
use crate::console::calls::Struck;
use crate::ctx::Ctx;
use crate::operation::OnBehalf;

/// Runs an operation, and lets go wrong what a rule says. The first rule that strikes is the one.
pub(crate) async fn around(ctx: &Ctx, operation: &str, request: Request, next: Next) -> Response {
    let on = request.extensions().get::<OnBehalf>().cloned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let held = match &on {
        Some(on) => {
            struck(
                ctx,
                on,
                &Called { operation, method: method.as_str(), path: &path, account_id: on.account.as_str() },
            )
            .await
        }
        None => None,
    };
    let Some(held) = held else { return next.run(request).await };
    let mut dropped = false;
    let mut response = match &held.rule.effect {
        Effect::Latency { delay_ms } => {
            tokio::time::sleep(Duration::from_millis(*delay_ms)).await;
            next.run(request).await
        }
        Effect::Status { status, error_code, error_message, executes } => {
            if *executes {
                drop(next.run(request).await);
            }
            refusal(*status, error_code.as_deref(), error_message.as_deref())
        }
        Effect::Drop { executes } => {
            dropped = true;
            if *executes {
                drop(next.run(request).await);
            }
            Response::new(Body::new(Broken { before: None, paused: true }))
        }
        Effect::Truncate => truncated(next.run(request).await).await,
        Effect::DuplicateWebhook
        | Effect::DelayWebhook { .. }
        | Effect::ReorderWebhook { .. }
        | Effect::DropWebhook => next.run(request).await,
    };
    response.extensions_mut().insert(Struck { fault_id: held.fault_id, dropped });
    response
}

async fn struck(ctx: &Ctx, on: &OnBehalf, called: &Called<'_>) -> Option<Held> {
    for held in ctx.observer.faults().rules().iter() {
        if held.acquiring_partner_id == on.caller.acquiring_partner.as_str() && held.rule.concerns_call(called) {
            match hit(ctx, held).await {
                Ok(true) => return Some(held.clone()),
                Ok(false) => {}
                // A rule that cannot be counted does not strike: faults are made on purpose only.
                Err(error) => error.log(),
            }
        }
    }
    None
}

fn refusal(status: u16, code: Option<&str>, message: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let usual = match status.as_u16() {
        400 => "VALIDATION_ERROR",
        401 => "UNAUTHORIZED",
        403 => "OPERATION_FORBIDDEN",
        404 => "RESOURCE_NOT_FOUND",
        409 => "RESOURCE_CONFLICT",
        429 => "RATE_LIMITED",
        503 => "TEMPORARY_UNAVAILABLE",
        500..=599 => "INTERNAL_ERROR",
        _ => "VALIDATION_ERROR",
    };
    let message = message.unwrap_or("A fault rule of the test environment answered this call.");
    let mut error = ApiError::new(status, code.unwrap_or(usual).to_owned(), message.to_owned());
    if status == StatusCode::TOO_MANY_REQUESTS {
        error.headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    error.into_response()
}

/// The answer's first half, under a length that promises the whole.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half = bytes.slice(..bytes.len() / 2);
    Response::from_parts(parts, Body::new(Broken { before: Some(half), paused: false }))
}

/// A body that breaks off, and the connection with it.
struct Broken {
    before: Option<Bytes>,
    paused: bool,
}

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(bytes) = self.before.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.paused {
            // Gives the server a turn, so that the half is on the wire before the connection ends.
            self.paused = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other("a fault rule ended the connection"))))
    }
}
