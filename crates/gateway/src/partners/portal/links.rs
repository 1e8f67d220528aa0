//! Links into Klarna's portal: each lets one user in, once, within a minute.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use kit::clock::{DAY_US, MINUTE_US};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::signer::vouched;
use super::store::{self, LinkRow};
use super::token::{User, read_user};
use crate::Ctx;
use crate::access::OperatorCaller;
use crate::events::once::Reply;
use crate::events::wire_time;
use crate::klarna::origin::tag;
use crate::klarna::{CallError, Operation};
use crate::partners::api::{absent, conflict, load};
use crate::partners::command::Command;
use crate::partners::record::Record;
use crate::sealed::PORTAL_LINK;

/// A link lasts a minute (fact sheet 02 §7.1); taken where Klarna does not say, in microseconds.
const LIFE_US: i64 = MINUTE_US;
/// How long a link that is over can be deleted, in microseconds.
const KEPT_US: i64 = DAY_US;

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(create_portal_link)).routes(routes!(delete_portal_link))
}

/// Who is let in. Sign the user in yourself, with a second factor, before you ask for a link.
#[derive(ToSchema)]
#[schema(example = json!({"email": "ada@nordlicht.example", "roles": ["merchant:admin"], "authentication_methods": ["pwd", "otp"]}))]
pub struct PortalLinkBody {
    /// The user's e-mail address; names the user at Klarna.
    pub email: String,
    /// `merchant:admin`: everything, API keys too. `merchant:developer`: client identifiers.
    pub roles: Vec<String>,
    /// How the user signed in with you (RFC 8176): `pwd` (default), `otp`, `hwk`, …
    pub authentication_methods: Option<Vec<String>>,
}

/// A link into Klarna's portal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PortalLink {
    /// `pol_…`.
    pub id: String,
    /// Where to send the user's browser, at once. Whoever opens it first is let in.
    pub url: String,
    /// When it is over, opened or not.
    pub expires_at: String,
}

/// What is sealed of a link.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Secret {
    user: User,
    url: Option<String>,
}

/// Make a link into Klarna's portal
///
/// For a user of the Partner who has just signed in with you and asks for it: the link works once, for a minute. You vouch for who
/// it is. Once Klarna knows the Partner; suspended and offboarded ones still look after their disputes there.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/portal-links", operation_id = "create_portal_link", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    request_body = PortalLinkBody,
    responses((status = 201, description = "The link.", body = PortalLink))
)]
async fn create_portal_link(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    let partner_id = command.partner_id.clone();
    let begun = command.begin(
        &ctx,
        |body| read_user(body, true),
        |tx, ctx, record, user| {
            Box::pin(async move {
                if record.standing.account_id.is_none() {
                    return Err(conflict("Klarna does not know this Partner yet: submit it first."));
                }
                let now = ctx.clock.now();
                let mut row = LinkRow {
                    link_id: format!("pol_{}", ctx.random.id(now).simple()),
                    secret: Vec::new(),
                    klarna_id: None,
                    expires_at: now + LIFE_US,
                    created_at: now,
                };
                row.secret = sealed(ctx, &record.partner_id, &row.link_id, &Secret { user, url: None });
                store::insert_link(tx, &record.partner_id, &row).await?;
                Ok(Reply { status: StatusCode::CREATED, body: json!({"id": row.link_id}) })
            })
        },
    );
    let begun = begun.await?;
    let link_id = begun["id"].as_str().unwrap_or_default();
    Ok((StatusCode::CREATED, Json(complete(&ctx, &partner_id, link_id).await?)).into_response())
}

/// Shows the link that Klarna made, or has it made. Should an earlier answer have been lost, its link is never opened and ends within
/// a minute.
async fn complete(ctx: &Ctx, partner_id: &str, link_id: &str) -> Result<PortalLink, ApiError> {
    let (row, record) = (find(ctx, partner_id, link_id).await?, load(ctx, partner_id).await?);
    let mut secret = opened(ctx, partner_id, &row)?;
    if let Some(url) = secret.url {
        return Ok(PortalLink { id: row.link_id, url, expires_at: wire_time(row.expires_at) });
    }
    let account = record.standing.account_id.clone().unwrap_or_default();
    let operation = on_account(&record, "create_portal_link", Method::POST, &["portal", "deep-links"]);
    let email = secret.user.email.clone().unwrap_or_default();
    let made = vouched(ctx, operation, &account, &email, &secret.user, link_id).await?;
    let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
    let url = text("url").ok_or_else(|| ApiError::internal("Klarna's answer has no url"))?;
    let ends = text("expires_at").and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_micros);
    secret.url = Some(url.clone());
    let made = LinkRow {
        secret: sealed(ctx, partner_id, link_id, &secret),
        klarna_id: Some(text("deep_link_id").unwrap_or_default()),
        expires_at: ends.unwrap_or_else(|| ctx.clock.now() + LIFE_US),
        ..row
    };
    let (id, stored) = (partner_id.to_owned(), made.clone());
    ctx.db.write(move |tx| Box::pin(async move { store::made_link(tx, &id, &stored).await })).await?;
    Ok(PortalLink { id: made.link_id, url, expires_at: wire_time(made.expires_at) })
}

/// Delete a link into Klarna's portal
///
/// Nobody comes in by it any more. Who came in before stays in until the session ends.
#[utoipa::path(
    delete, path = "/v1/partners/{partner_id}/portal-links/{link_id}", operation_id = "delete_portal_link",
    tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("link_id" = String, Path, description = "`pol_…`"),
    ),
    responses((status = 204, description = "It is gone."))
)]
async fn delete_portal_link(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path((partner_id, link_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let row = find(&ctx, &partner_id, &link_id).await?;
    if let Some(klarna_id) = row.klarna_id.as_deref().filter(|id| !id.is_empty()) {
        let record = load(&ctx, &partner_id).await?;
        let path = ["portal", "deep-links", klarna_id];
        match ctx.klarna.send(&on_account(&record, "delete_portal_link", Method::DELETE, &path)).await {
            Ok(_) => {}
            // It is over.
            Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {}
            Err(error) => return Err(ApiError::unavailable(error)),
        }
    }
    ctx.db.write(move |tx| Box::pin(async move { store::delete_link(tx, &partner_id, &link_id).await })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets links that have been over for a while.
///
/// # Errors
/// As the database says.
pub(super) async fn sweep(ctx: &Ctx) -> Result<(), ApiError> {
    let at = ctx.clock.now() - KEPT_US;
    let swept = ctx.db.write_repeating(|| {
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move { Ok(store::delete_links_over_before(tx, at).await?) })
        }
    });
    swept.await
}

fn on_account(record: &Record, name: &'static str, method: Method, path: &[&str]) -> Operation {
    let account = record.standing.account_id.as_deref().unwrap_or_default();
    let mut operation = Operation::on_account(name, method, account, path);
    operation.originator = Some(tag(record.profile.name(), &record.partner_id));
    operation.correlation_id = Some(record.partner_id.clone());
    operation
}

async fn find(ctx: &Ctx, partner_id: &str, link_id: &str) -> Result<LinkRow, ApiError> {
    let (partner, link) = (partner_id.to_owned(), link_id.to_owned());
    let row = ctx.db.read(move |tx| Box::pin(async move { store::link(tx, &partner, &link).await })).await?;
    row.ok_or_else(absent)
}

fn sealed(ctx: &Ctx, partner_id: &str, link_id: &str, secret: &Secret) -> Vec<u8> {
    ctx.secrets.seal(PORTAL_LINK.place(&[partner_id, link_id]), json!(secret).to_string().as_bytes())
}

fn opened(ctx: &Ctx, partner_id: &str, row: &LinkRow) -> Result<Secret, ApiError> {
    let text = ctx.secrets.open(PORTAL_LINK.place(&[partner_id, &row.link_id]), &row.secret);
    serde_json::from_slice(&text.map_err(ApiError::internal)?).map_err(ApiError::internal)
}
