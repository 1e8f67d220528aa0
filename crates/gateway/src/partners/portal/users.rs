//! Users of Klarna's portal with an e-mail address of their own, for Acquiring Partners without an interface that leads there.
//!
//! A user is wanted or unwanted here; a job brings Klarna to the same and is repeated until Klarna has confirmed.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, NewJob};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jobs::USER_KIND;
use super::signer::{Vouching, vouched};
use super::store::{self, UserRow};
use super::token::{ROLES, User, read_user};
use crate::Ctx;
use crate::access::OperatorCaller;
use crate::events::once::Reply;
use crate::events::wire_time;
use crate::klarna::origin::tag;
use crate::klarna::{CallError, Operation};
use crate::partners::api::{absent, conflict, load};
use crate::partners::command::Command;
use crate::partners::record::Record;
use crate::sealed::PORTAL_USER_EMAIL;

const REQUESTED: &str = "REQUESTED";
const ACTIVE: &str = "ACTIVE";
const REFUSED: &str = "REFUSED";
const REMOVING: &str = "REMOVING";
const ACCESS: [&str; 3] = ["v2", "portal", "user-access"];

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list_portal_users, create_portal_user)).routes(routes!(delete_portal_user))
}

/// Who gets a user of Klarna's portal.
#[derive(ToSchema)]
#[schema(example = json!({"roles": ["merchant:admin"]}))]
pub struct PortalUserBody {
    /// Klarna writes there how to get in. The Partner's contact if absent.
    pub email: Option<String>,
    /// `merchant:admin`: everything, API keys too. `merchant:developer`: client identifiers.
    pub roles: Vec<String>,
    /// How you know that the address is the user's (RFC 8176); `pwd` if absent.
    pub authentication_methods: Option<Vec<String>>,
}

/// A user of Klarna's portal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PortalUser {
    /// `pou_…`.
    pub id: String,
    /// The address that names the user at Klarna.
    pub email: String,
    /// What the user may do.
    pub roles: Vec<String>,
    /// `REQUESTED` until Klarna has confirmed, then `ACTIVE`; `REFUSED`; `REMOVING` until Klarna has confirmed that.
    pub state: String,
    /// Why Klarna refused.
    pub refusal: Option<String>,
    /// When it was asked for.
    pub created_at: String,
    /// When its state changed.
    pub updated_at: String,
}

/// The users of a Partner.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PortalUserList {
    /// Oldest first.
    pub portal_users: Vec<PortalUser>,
}

/// Give a Partner a user of Klarna's portal
///
/// By e-mail: Klarna writes to the address how to get in. 202 while Klarna has not confirmed; it is asked until it does.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/portal-users", operation_id = "create_portal_user", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    request_body = PortalUserBody,
    responses(
        (status = 201, description = "The user.", body = PortalUser),
        (status = 202, description = "The user; Klarna has not confirmed yet.", body = PortalUser),
    )
)]
async fn create_portal_user(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    let partner_id = command.partner_id.clone();
    let begun = command.begin(
        &ctx,
        |body| read_user(body, false),
        |tx, ctx, record, user| {
            Box::pin(async move {
                // The answer waits for Klarna; the job is for the case that it cannot.
                let due_at = ctx.clock.now() + ctx.config.recovery_delay_us;
                request(tx, ctx, record, user, due_at).await
            })
        },
    );
    let begun = begun.await?;
    let user_id = begun["id"].as_str().unwrap_or_default();
    advance(&ctx, &partner_id, user_id).await?.unwrap_or_else(|why| tracing::info!(user.id = user_id, "{why}"));
    let shown = view(&ctx, &partner_id, &find(&ctx, &partner_id, user_id).await?)?;
    let status = if shown.state == REQUESTED { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    Ok((status, Json(shown)).into_response())
}

/// Gives a Partner that was just onboarded its first user, where it is configured so: its contact. Without an address there is none, and
/// an operator can make one later.
///
/// # Errors
/// As the database says.
pub(in crate::partners) async fn invite(tx: &mut Tx, ctx: &Ctx, record: &Record) -> Result<(), ApiError> {
    let user = User { email: None, roles: vec![ROLES[0].to_owned()], authentication_methods: vec!["pwd".to_owned()] };
    match request(tx, ctx, record, user, ctx.clock.now()).await {
        Ok(_) => Ok(()),
        Err(error) if error.status.is_client_error() => {
            tracing::warn!(partner.id = %record.partner_id, "no user of the portal was made: {}", error.message);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn request(tx: &mut Tx, ctx: &Ctx, record: &Record, user: User, due_at: i64) -> Result<Reply, ApiError> {
    if record.standing.account_id.is_none() {
        return Err(conflict("Klarna does not know this Partner yet: submit it first."));
    }
    let contact = record.profile.account().and_then(|account| account.body.get("contact")?.get("email")?.as_str());
    let email = user.email.clone().or_else(|| contact.map(str::to_owned));
    let email = email.ok_or_else(|| {
        ApiError::validation(Vec::new()).field("email", "is required: the Partner's contact has none")
    })?;
    let (partner_id, now) = (record.partner_id.as_str(), ctx.clock.now());
    for known in store::users(tx, partner_id).await? {
        // Who was refused may be asked for again.
        if known.state != REFUSED && opened(ctx, partner_id, &known)?.eq_ignore_ascii_case(&email) {
            return Err(conflict("The Partner has a user of this address; delete it to change its roles.")
                .field("email", "is taken"));
        }
    }
    let user_id = format!("pou_{}", ctx.random.id(now).simple());
    let row = UserRow {
        email: ctx.secrets.seal(PORTAL_USER_EMAIL.place(&[partner_id, &user_id]), email.as_bytes()),
        user_id,
        roles: json!({"roles": user.roles, "authentication_methods": user.authentication_methods}).to_string(),
        state: REQUESTED.to_owned(),
        klarna_id: None,
        refusal: None,
        created_at: now,
        updated_at: now,
    };
    store::insert_user(tx, partner_id, &row).await?;
    enqueue(tx, partner_id, &row.user_id, due_at, now).await?;
    Ok(Reply { status: StatusCode::CREATED, body: json!({"id": row.user_id}) })
}

/// List a Partner's users of Klarna's portal
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/portal-users", operation_id = "list_portal_users", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "The users.", body = PortalUserList))
)]
async fn list_portal_users(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
) -> Result<Json<PortalUserList>, ApiError> {
    load(&ctx, &partner_id).await?;
    let id = partner_id.clone();
    let rows = ctx.db.read(move |tx| Box::pin(async move { store::users(tx, &id).await })).await?;
    let portal_users = rows.iter().map(|row| view(&ctx, &partner_id, row)).collect::<Result<_, _>>()?;
    Ok(Json(PortalUserList { portal_users }))
}

/// Take a user of Klarna's portal away
///
/// 204 once Klarna has confirmed. 202 while it has not: it is asked until it does, and the user is listed as `REMOVING` until then.
#[utoipa::path(
    delete, path = "/v1/partners/{partner_id}/portal-users/{user_id}", operation_id = "delete_portal_user",
    tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("user_id" = String, Path, description = "`pou_…`"),
    ),
    responses(
        (status = 202, description = "Klarna has not confirmed yet."),
        (status = 204, description = "The user is gone."),
    )
)]
async fn delete_portal_user(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path((partner_id, user_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let wait = i64::try_from(ctx.config.upstream.deadline.as_micros()).unwrap_or(i64::MAX);
    let at_once = writing(&ctx, &partner_id, &user_id, move |tx, ctx, partner, user| {
        Box::pin(async move {
            Record::lock(tx, &ctx, &partner).await?;
            let row = store::user(tx, &partner, &user).await?.ok_or_else(absent)?;
            let now = ctx.clock.now();
            // What was never confirmed may still be on its way to Klarna: it is taken away after the last moment at which it can arrive.
            let is_under_way = row.state == REQUESTED;
            let removing = UserRow { state: REMOVING.to_owned(), ..row.clone() };
            store::move_user(tx, &partner, &row.state, &removing, now).await?;
            jobs::cancel(tx, USER_KIND, &key(&partner, &user)).await?;
            let due_at = if is_under_way { now.saturating_add(wait) } else { now };
            enqueue(tx, &partner, &user, due_at, now).await?;
            Ok(!is_under_way)
        })
    });
    if at_once.await? {
        advance(&ctx, &partner_id, &user_id).await?.unwrap_or_else(|why| tracing::info!(user.id = user_id, "{why}"));
    }
    ctx.poke.poke();
    match find(&ctx, &partner_id, &user_id).await {
        Ok(_) => Ok(StatusCode::ACCEPTED),
        Err(error) if error.status == StatusCode::NOT_FOUND => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error),
    }
}

/// Brings Klarna to what is wanted of a user; or says why it has to be tried again.
///
/// # Errors
/// As the database says.
pub(super) async fn advance(ctx: &Ctx, partner_id: &str, user_id: &str) -> Result<Result<(), String>, ApiError> {
    let (partner, user) = (partner_id.to_owned(), user_id.to_owned());
    let found = ctx.db.read(move |tx| Box::pin(async move { store::user(tx, &partner, &user).await })).await?;
    let Some(row) = found.filter(|row| matches!(row.state.as_str(), REQUESTED | REMOVING)) else {
        return leave(ctx, partner_id, user_id).await.map(Ok);
    };
    let record = load(ctx, partner_id).await?;
    let done = match row.state.as_str() {
        REQUESTED => grant(ctx, &record, &row).await,
        _ => remove(ctx, &record, &row).await,
    };
    let after = match done {
        Ok(after) => after,
        Err(Vouching::Own(error)) if error.status.is_server_error() => return Ok(Err(kit::http::error::chain(&error))),
        Err(Vouching::Own(error)) => return Err(error),
        Err(Vouching::Call(CallError::Refused(refusal)))
            if row.state == REQUESTED
                && !matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS) =>
        {
            let message = refusal.error.error_message.clone().unwrap_or_else(|| refusal.code().to_owned());
            Some(UserRow { state: REFUSED.to_owned(), refusal: Some(message), ..row.clone() })
        }
        Err(Vouching::Call(error)) => return Ok(Err(error.to_string())),
    };
    writing(ctx, partner_id, user_id, move |tx, ctx, partner, user| {
        Box::pin(async move {
            let now = ctx.clock.now();
            match &after {
                // Unless it became unwanted meanwhile.
                Some(after) => {
                    if store::move_user(tx, &partner, &row.state, after, now).await? {
                        jobs::cancel(tx, USER_KIND, &key(&partner, &user)).await?;
                    }
                }
                None => {
                    store::delete_user(tx, &partner, &user).await?;
                    jobs::cancel(tx, USER_KIND, &key(&partner, &user)).await?;
                }
            }
            Ok(())
        })
    })
    .await
    .map(Ok)
}

/// Nothing is left to be done: the job goes, unless something else was wanted meanwhile.
async fn leave(ctx: &Ctx, partner_id: &str, user_id: &str) -> Result<(), ApiError> {
    writing(ctx, partner_id, user_id, |tx, ctx, partner, user| {
        Box::pin(async move {
            Record::lock(tx, &ctx, &partner).await?;
            let now = store::user(tx, &partner, &user).await?;
            if now.is_none_or(|row| !matches!(row.state.as_str(), REQUESTED | REMOVING)) {
                jobs::cancel(tx, USER_KIND, &key(&partner, &user)).await?;
            }
            Ok(())
        })
    })
    .await
}

async fn grant(ctx: &Ctx, record: &Record, row: &UserRow) -> Result<Option<UserRow>, Vouching> {
    let email = opened(ctx, &record.partner_id, row)?;
    let account = record.standing.account_id.clone().unwrap_or_default();
    let operation = named(record, Operation::new("grant_portal_access", Method::POST, &ACCESS));
    let made = vouched(ctx, operation, &account, &email, &user_of(row)?, &row.user_id).await?;
    let klarna_id = made.get("user_id").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(UserRow { state: ACTIVE.to_owned(), klarna_id, refusal: None, ..row.clone() }))
}

/// Names account and user both, always: without them Klarna would take away every access that the Acquiring Partner ever gave
/// (fact sheet 02 §7.2).
async fn remove(ctx: &Ctx, record: &Record, row: &UserRow) -> Result<Option<UserRow>, Vouching> {
    let email = opened(ctx, &record.partner_id, row)?;
    let account = record.standing.account_id.clone().unwrap_or_default();
    if account.is_empty() || email.is_empty() {
        return Err(ApiError::internal("a user of the portal without an account or an address").into());
    }
    let mut operation = named(record, Operation::new("remove_portal_access", Method::DELETE, &ACCESS));
    operation.query = vec![("account_id", account), ("principal", email)];
    match ctx.klarna.send(&operation).await {
        Ok(_) => Ok(None),
        Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn named(record: &Record, mut operation: Operation) -> Operation {
    operation.originator = Some(tag(record.profile.name(), &record.partner_id));
    operation.correlation_id = Some(record.partner_id.clone());
    operation
}

fn user_of(row: &UserRow) -> Result<User, ApiError> {
    let mut user: Value = serde_json::from_str(&row.roles).map_err(ApiError::internal)?;
    user["email"] = Value::Null;
    serde_json::from_value(user).map_err(ApiError::internal)
}

/// Of the job that follows a user.
fn key(partner_id: &str, user_id: &str) -> String {
    format!("{partner_id}/{user_id}")
}

async fn enqueue(tx: &mut Tx, partner_id: &str, user_id: &str, due_at: i64, now: i64) -> Result<(), ApiError> {
    let job = NewJob { kind: USER_KIND, key: &key(partner_id, user_id), payload: "", due_at };
    Ok(jobs::enqueue(tx, &job, now).await.map(drop)?)
}

async fn find(ctx: &Ctx, partner_id: &str, user_id: &str) -> Result<UserRow, ApiError> {
    let (partner, user) = (partner_id.to_owned(), user_id.to_owned());
    let row = ctx.db.read(move |tx| Box::pin(async move { store::user(tx, &partner, &user).await })).await?;
    row.ok_or_else(absent)
}

async fn writing<T, F>(ctx: &Ctx, partner_id: &str, user_id: &str, unit: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, Ctx, String, String) -> UnitFuture<'t, Result<T, ApiError>> + Clone + Send + 'static,
{
    ctx.db
        .write_repeating(|| {
            let (ctx, partner, user, unit) = (ctx.clone(), partner_id.to_owned(), user_id.to_owned(), unit.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<T, ApiError>> { unit(tx, ctx, partner, user) }
        })
        .await
}

fn opened(ctx: &Ctx, partner_id: &str, row: &UserRow) -> Result<String, ApiError> {
    let text = ctx.secrets.open(PORTAL_USER_EMAIL.place(&[partner_id, &row.user_id]), &row.email);
    String::from_utf8(text.map_err(ApiError::internal)?.to_vec()).map_err(ApiError::internal)
}

fn view(ctx: &Ctx, partner_id: &str, row: &UserRow) -> Result<PortalUser, ApiError> {
    Ok(PortalUser {
        id: row.user_id.clone(),
        email: opened(ctx, partner_id, row)?,
        roles: user_of(row)?.roles,
        state: row.state.clone(),
        refusal: row.refusal.clone(),
        created_at: wire_time(row.created_at),
        updated_at: wire_time(row.updated_at),
    })
}
