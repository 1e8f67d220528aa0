//! Shopping sessions: what is in a basket, said once before the payment, so that messaging, sign-in and payment belong together
//! (sheet 03 §8.3). Baskets name people, so they are kept sealed.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::clock::HOUR_US;
use kit::db::Tx;
use kit::http::{ApiError, JsonBody};
use protocol::krn::Region;
use protocol::shape::shapes::tokens as shapes;
use protocol::{PartnerAccountId, ShoppingSessionId, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::store;
use crate::ctx::Ctx;
use crate::operation::{Call, Category, Doc, OnBehalf, Reply, Route, Source, Who, check, not_found};
use crate::sealed::SHOPPING_SESSION;

/// How long a session can be read and referred to. Ours: as long as a Payment Request may last.
const LIFE_US: i64 = 48 * HOUR_US;

/// The members that are kept.
const KEPT: [&str; 4] = ["supplementary_purchase_data", "content_type", "merchant_references", "content"];

pub(super) fn routes() -> Vec<Route> {
    let (category, who) = (Category::Interoperability, Who::Anyone);
    vec![
        Route::for_account(
            Method::POST,
            &["/shopping/sessions"],
            category,
            who,
            Doc::new("createShoppingSession", "Says what is in a basket before it is paid", Source::Documented)
                .takes(shapes::create_shopping_session)
                .answers(201, shapes::shopping_session),
            create,
        ),
        Route::for_account(
            Method::GET,
            &["/shopping/sessions/{shopping_session_id}"],
            category,
            who,
            Doc::new("readShoppingSession", "Reads a shopping session", Source::Documented)
                .answers(200, shapes::shopping_session),
            read,
        ),
    ]
}

/// The reference of the purchase, wherever a release puts it.
fn purchase_reference(body: &Value) -> Option<&str> {
    const PLACES: [&str; 3] =
        ["/supplementary_purchase_data/purchase_reference", "/content/merchant_reference", "/merchant_references/0"];
    PLACES.into_iter().find_map(|place| body.pointer(place)?.as_str())
}

fn view(id: &str, created_at: i64, expires_at: i64) -> Map<String, Value> {
    let time = |micros| json!(Timestamp::from_micros(micros).ok());
    let members =
        [("shopping_session_id", id.into()), ("created_at", time(created_at)), ("expires_at", time(expires_at))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn create(call: Call, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::create_shopping_session(), &body.value)?;
    call.once(&body.value, false, |tx, ctx, on, body| {
        Box::pin(async move {
            let now = ctx.clock.now();
            let kept: Map<String, Value> = KEPT
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())))
                .filter(|(_, value)| !value.is_null())
                .collect();
            let id = ShoppingSessionId::new(Region::Eu1, ctx.random.id(now));
            let text = Value::Object(kept).to_string();
            let row = store::ShoppingSessionRow {
                account_id: on.account.to_string(),
                session_id: id.to_string(),
                purchase_reference: purchase_reference(&body).map(str::to_owned),
                sealed: ctx.secrets.seal(SHOPPING_SESSION.place(&[id.as_str()]), text.as_bytes()),
                created_at: now,
                expires_at: now.saturating_add(LIFE_US),
            };
            store::insert_shopping_session(tx, &row).await?;
            let view = view(id.as_str(), row.created_at, row.expires_at);
            Ok(Reply::json(StatusCode::CREATED, &view))
        })
    })
    .await
}

#[derive(Deserialize)]
struct SessionPath {
    shopping_session_id: String,
}

async fn read(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<SessionPath>) -> Result<Reply, ApiError> {
    let id = path.shopping_session_id;
    let row =
        ctx.db.read(move |tx| Box::pin(async move { store::shopping_session(tx, on.account.as_str(), &id).await }));
    let row = row.await?.filter(|row: &store::ShoppingSessionRow| row.expires_at > ctx.clock.now());
    let row = row.ok_or_else(|| not_found("The shopping session does not exist, or is over."))?;
    let kept = ctx.secrets.open(SHOPPING_SESSION.place(&[&row.session_id]), &row.sealed).map_err(ApiError::internal)?;
    let mut object = view(&row.session_id, row.created_at, row.expires_at);
    let kept: Map<String, Value> = serde_json::from_slice(&kept).map_err(ApiError::internal)?;
    object.extend(kept);
    Ok(Reply::json(StatusCode::OK, &object))
}

/// The latest session that was made for a purchase and is not over.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn of_purchase(
    tx: &mut Tx,
    account: &PartnerAccountId,
    purchase_reference: &str,
    now: i64,
) -> Result<Option<String>, ApiError> {
    Ok(store::shopping_session_of_purchase(tx, account.as_str(), purchase_reference, now).await?)
}
