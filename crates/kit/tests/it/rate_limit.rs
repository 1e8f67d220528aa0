//! Rate limits in front of a handler: headers on every answer, 429 beyond the quota.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{Request, StatusCode};
use kit::http::{ApiError, StackConfig, stack};
use kit::rate_limit::{Level, RateLimiter};
use tower::ServiceExt;

#[tokio::test]
async fn a_handler_answers_with_quota_headers_until_429() {
    let limiter = Arc::new(RateLimiter::with_time(Arc::new(|| Duration::from_secs(5))));
    let limited = move || async move {
        let level = |name, quota_per_second| Level { name, key: "k", quota_per_second };
        let decision = limiter.check(&[level("own", 2), level("all", 10)]);
        let mut response: Response = if decision.allowed {
            StatusCode::OK.into_response()
        } else {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Too many requests.").into_response()
        };
        decision.write_headers(response.headers_mut());
        response
    };
    let router = stack(Router::new().route("/", get(limited)), StackConfig::default());
    for (status, remaining) in [(200, "1"), (200, "0"), (429, "0")] {
        let response = router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["x-ratelimit-limit"], r#"2, 2;w=1;name="own",10;w=1;name="all""#);
        assert_eq!(response.headers()["x-ratelimit-remaining"], remaining);
        assert_eq!(response.headers()["x-ratelimit-reset"], "1");
    }
}
