//! The request log in the browser.

mod pages;

pub(super) use pages::rows;

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue};
use kit::http::ApiError;

use super::session::{Console, Fields, field};
use super::{explain, pages as frame};
use crate::console::calls::find::{self, Wanted};
use crate::console::calls::har_response;
use crate::console::waiting::{self, Ask};
use crate::ctx::Ctx;
use crate::serve;

/// Calls on a page.
const SIZE: usize = 50;
/// How long the live log waits for a call, in milliseconds.
/// Short, because a process that is told to stop waits for it.
const TAIL_MS: i64 = 5_000;
const ARCHIVE_MAX: usize = 1_000;
/// Where the next look begins.
const X_LAST: HeaderName = HeaderName::from_static("x-last");

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/console/requests", get(list))
        .route("/console/requests/tail", get(tail))
        .route("/console/requests/export.har", get(export))
        .route("/console/requests/{call_id}", get(detail))
}

async fn list(console: Console, Query(query): Query<Fields>) -> Response {
    let (wanted, refused) = match Wanted::of_query(&query) {
        Ok(wanted) => (wanted, None),
        // What can be understood of the filter is not guessed: nothing is filtered, and the page says so.
        Err(error) => (Wanted::default(), Some(error)),
    };
    match find::find(&console.ctx, &console.account, &wanted, SIZE + 1).await {
        Ok(mut calls) => {
            let more = calls.len() > SIZE;
            calls.truncate(SIZE);
            console.answer(pages::list(&console, &query, &calls, more, refused.as_ref()))
        }
        Err(error) => frame::failed(&error),
    }
}

/// The rows of calls that came after `after`, as soon as there are any.
async fn tail(console: Console, Query(query): Query<Fields>) -> Response {
    match newer(&console, &query).await {
        Ok(response) => console.answer(response),
        Err(error) => frame::failed(&error),
    }
}

async fn newer(console: &Console, query: &[(String, String)]) -> Result<Response, ApiError> {
    let wanted = Wanted::of_query(query)?;
    let ask = Ask { limit: SIZE, count: 1, timeout_ms: TAIL_MS };
    let (ctx, account) = (&console.ctx, &console.account);
    let found =
        waiting::until(ctx, &ask, "calls", || find::find(ctx, account, &wanted, SIZE)).await.unwrap_or_default();
    let last = found.first().map_or(field(query, "after"), |call| &call.row.call_id);
    let last = HeaderValue::from_str(last).unwrap_or(HeaderValue::from_static(""));
    Ok(([(X_LAST, last)], pages::rows(&found, console.ctx.clock.now())).into_response())
}

async fn export(console: Console, Query(query): Query<Fields>) -> Response {
    let found = match Wanted::of_query(&query) {
        Ok(wanted) => find::find(&console.ctx, &console.account, &wanted, ARCHIVE_MAX).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(calls) => console.answer(har_response(&console.ctx, &calls)),
        Err(error) => frame::failed(&error),
    }
}

async fn detail(console: Console, Path(call_id): Path<String>) -> Response {
    match find::read(&console.ctx, &console.account, &call_id).await {
        Ok(Some(call)) => {
            let routes = serve::routes(&console.ctx.config);
            let explained = explain::explain(&call, &routes);
            console.answer(pages::detail(&console, &call, &explained))
        }
        Ok(None) => {
            frame::absent(&console, "/console/requests", "The request log has no such call; older ones are removed.")
        }
        Err(error) => frame::failed(&error),
    }
}
