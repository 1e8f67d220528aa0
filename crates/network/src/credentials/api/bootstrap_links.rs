//! A control of the test environment: a link to a first API key.

use axum::response::Response;
use http::StatusCode;
use kit::http::{ApiError, OptionalJsonBody};
use serde_json::json;

use super::time;
use crate::credentials::create_bootstrap_link;
use crate::operation::{Call, Reply, or_empty};

pub(super) async fn create(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    call.once(&or_empty(body), true, |tx, ctx, on, _| {
        Box::pin(async move {
            let link = create_bootstrap_link(tx, &ctx, &on.account).await?;
            Ok(Reply::json(StatusCode::CREATED, &json!({"url": link.url, "expires_at": time(link.expires_at)?})))
        })
    })
    .await
}
