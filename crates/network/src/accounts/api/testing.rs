//! Controls of the test environment: being Klarna for a Partner account.

use axum::extract::Path;
use axum::response::Response;
use http::{Method, StatusCode};
use kit::http::{ApiError, JsonBody};
use protocol::EventType;
use protocol::shapes::accounts as shapes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::managed::{self, Account};
use crate::accounts::partner_account::AccountState;
use crate::accounts::product::{Actor, Wish};
use crate::accounts::products::{self, Because};
use crate::accounts::resource::Kind;
use crate::accounts::{compliance, resources, store};
use crate::operation::{Call, Category, Doc, Reply, Route, Source, Who, check};

/// `state_reason` of products that were disabled with their account. Ours.
const ACCOUNT_DISABLED: &str = "ACCOUNT_DISABLED";

/// The controls of this room.
pub fn routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    vec![
        Route::at(
            Method::POST,
            &["/testing/accounts/{partner_account_id}/compliance/decisions"],
            category,
            who,
            Doc::new("decideCompliance", "Decides about a Partner, and disables its payment product", Source::Ours)
                .takes(shapes::decide_compliance)
                .answers(201, shapes::compliance_decision),
            decide,
        ),
        Route::at(
            Method::PUT,
            &["/testing/accounts/{partner_account_id}/products/payment/{product_id}/state"],
            category,
            who,
            Doc::new("putProductState", "Enables, disables or terminates a payment product, as Klarna", Source::Ours)
                .takes(shapes::put_product_state)
                .answers(200, shapes::payment_product),
            put_product_state,
        ),
        Route::at(
            Method::PUT,
            &["/testing/accounts/{partner_account_id}/state"],
            category,
            who,
            Doc::new("putAccountState", "Disables a Partner account or lifts that, as Klarna", Source::Ours)
                .takes(shapes::put_account_state)
                .answers(200, shapes::partner_account),
            put_account_state,
        ),
        Route::at(
            Method::POST,
            &["/testing/accounts/{partner_account_id}/brands/{brand_id}/incomplete"],
            category,
            who,
            Doc::new("findBrandIncomplete", "Tells that a brand's data are incomplete", Source::Ours)
                .takes(shapes::brand_incomplete)
                .answers(200, shapes::brand_found_incomplete),
            find_brand_incomplete,
        ),
    ]
}

fn member<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

async fn decide(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::decide_compliance(), &body)?;
    call.once(&body, false, |tx, ctx, on, body| {
        Box::pin(async move {
            let mut account = Account::locked(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let now = account.now;
            let decision_type = member(&body, "decision_type").unwrap_or_default();
            let decision = compliance::decide(&mut account, decision_type, now).await?;
            if let (Some("TERMINATED"), Some(id)) =
                (member(&body, "product_state"), member(&decision, "product_instance_id"))
            {
                let because = Because {
                    reason: Some(decision_type),
                    details: None,
                    decision_id: member(&decision, "decision_id"),
                };
                products::change(&mut account, id, Actor::Klarna, Wish::Terminate, &because, now).await?;
            }
            Ok(Reply::json(StatusCode::CREATED, &decision))
        })
    })
    .await
}

#[derive(Clone, Deserialize)]
struct ProductPath {
    product_id: String,
}

async fn put_product_state(
    call: Call,
    Path(path): Path<ProductPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::put_product_state(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.product_id.clone();
        Box::pin(async move {
            let mut account = Account::locked(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let wish = match member(&body, "state") {
                Some("ENABLED") => Wish::Enable,
                Some("TERMINATED") => Wish::Terminate,
                _ => Wish::Disable,
            };
            let because = Because { reason: member(&body, "reason"), ..Because::default() };
            let now = account.now;
            products::change(&mut account, &id, Actor::Klarna, wish, &because, now).await?;
            Ok(Reply::json(StatusCode::OK, &products::read(account.tx, &on.account, &id).await?))
        })
    })
    .await
}

/// Disabling an account disables its products; lifting that enables those again which were disabled with it.
async fn put_account_state(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::put_account_state(), &body)?;
    call.once(&body, true, |tx, ctx, on, body| {
        Box::pin(async move {
            let mut account = Account::locked(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let disables = member(&body, "state") == Some("DISABLED");
            let wanted = if disables { AccountState::Disabled } else { AccountState::Operational };
            if account.state() != wanted {
                let now = account.now;
                account.become_state(wanted, now).await?;
                if disables {
                    let id = account.id.to_string();
                    account.tell_change("partner_account", &id, &["state".to_owned()]).await?;
                }
                for row in store::products(account.tx, on.account.as_str()).await? {
                    let with_account = row.state_reason.as_deref() == Some(ACCOUNT_DISABLED);
                    let (wish, because) = if disables {
                        (Wish::Disable, Because { reason: Some(ACCOUNT_DISABLED), ..Because::default() })
                    } else {
                        (Wish::Enable, Because::default())
                    };
                    if disables && row.state == "ENABLED" || !disables && with_account {
                        products::change(&mut account, &row.product_id, Actor::Klarna, wish, &because, now).await?;
                    }
                }
            }
            Ok(Reply::json(StatusCode::OK, &managed::read(account.tx, &ctx, &on.account, &[]).await?))
        })
    })
    .await
}

#[derive(Clone, Deserialize)]
struct BrandPath {
    brand_id: String,
}

async fn find_brand_incomplete(
    call: Call,
    Path(path): Path<BrandPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::brand_incomplete(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.brand_id.clone();
        Box::pin(async move {
            let mut account = Account::locked(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let brand = resources::one(account.tx, &ctx, &on.account, Kind::Brand, &id).await?;
            let payload = json!({"brand_id": brand.id, "incomplete_fields": body["incomplete_fields"]});
            let now = account.now;
            account.tell(EventType::PartnerAccountBrandDataIncomplete, None, payload.clone(), now).await?;
            Ok(Reply::json(StatusCode::OK, &payload))
        })
    })
    .await
}
