//! Controls of the test environment: what a customer or the network would do to a payment, done now.

use axum::extract::Path;
use axum::response::Response;
use http::{Method, StatusCode};
use kit::http::{ApiError, JsonBody};
use protocol::payments::FundingState;
use protocol::shape::shapes::payments as shapes;
use serde::Deserialize;
use serde_json::Value;

use super::approval::Identity;
use super::{customer_step, transactions};
use crate::operation::{Call, Category, Doc, Reply, Route, Source, Who, check};
use crate::tokens;

/// The controls of this room, below `/testing`.
pub fn testing_routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    vec![
        Route::at(
            Method::POST,
            &[
                "/testing/accounts/{partner_account_id}/transactions/{payment_transaction_id}/funding",
                "/testing/transactions/{payment_transaction_id}/funding",
            ],
            category,
            who,
            Doc::new("settleFunding", "Lets the money of a payment that is not guaranteed come, or not", Source::Ours)
                .takes(shapes::settle_funding)
                .answers(200, shapes::payment_transaction),
            settle_funding,
        ),
        Route::at(
            Method::POST,
            &[
                "/testing/accounts/{partner_account_id}/requests/{payment_request_id}/customer",
                "/testing/requests/{payment_request_id}/customer",
            ],
            category,
            who,
            Doc::new("takeCustomerStep", "Does what a customer would do in the journey", Source::Ours)
                .takes(shapes::customer_step)
                .answers(200, shapes::payment_request),
            take_customer_step,
        ),
    ]
}

#[derive(Deserialize)]
struct TransactionPath {
    payment_transaction_id: String,
}

#[derive(Deserialize)]
struct RequestPath {
    payment_request_id: String,
}

async fn settle_funding(call: Call, Path(path): Path<TransactionPath>, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::settle_funding(), &body.value)?;
    call.once(&body.value, false, move |tx, ctx, on, body| {
        let id = path.payment_transaction_id.clone();
        Box::pin(async move {
            let state = FundingState::from(body["state"].as_str().unwrap_or_default());
            let text = transactions::settle_funding(tx, &ctx, (&on.account, &on.correlation_id), &id, &state).await?;
            Ok(Reply { status: StatusCode::OK, body: text.into() })
        })
    })
    .await
}

async fn take_customer_step(call: Call, Path(path): Path<RequestPath>, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::customer_step(), &body.value)?;
    tokens::keys(&call.ctx).await?;
    call.once(&body.value, true, move |tx, ctx, on, body| {
        let id = path.payment_request_id.clone();
        Box::pin(async move {
            let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
            let identity = Identity { email: text("email"), phone: text("phone") };
            let step = customer_step::named(&text("step").unwrap_or_default(), identity);
            let on = (&on.account, on.correlation_id.as_str());
            let object = customer_step::force(tx, &ctx, on, &id, &step).await?;
            Ok(Reply::json(StatusCode::OK, &object))
        })
    })
    .await
}
