//! Operations on disputes: extract, check the shape, run the use case, answer.

use axum::extract::multipart::MultipartRejection;
use axum::extract::{FromRequestParts, Multipart, OriginalUri, Path, State};
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shape::Kind;
use protocol::shapes::disputes as shapes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::attachments::{self, Upload};
use super::case::Framework;
use super::list::Asked;
use super::rendering::View;
use super::{cases, opening};
use crate::ctx::Ctx;
use crate::operation::{Call, Category, Content, Doc, OnBehalf, Reply, Route, Source, Who, check, or_empty};
use crate::paging::{Wanted, many};

/// The newest paths, which show every dispute as one of 2026.
const NEWEST: &str = "/v4/payment/disputes";
const REFERENCE: Kind = Kind::Text { min: 1, max: 255 };

/// An operation on disputes for an account, and at the newest paths.
fn shared<H, T>(method: Method, tail: &str, doc: Doc, handler: H) -> Route
where
    H: axum::handler::Handler<T, Ctx>,
    T: 'static,
{
    let mut route = older(method, tail, doc, handler);
    route.templates.push(format!("{NEWEST}{tail}"));
    route
}

/// An operation on disputes for an account.
fn older<H, T>(method: Method, tail: &str, doc: Doc, handler: H) -> Route
where
    H: axum::handler::Handler<T, Ctx>,
    T: 'static,
{
    let tail = format!("/payment/disputes{tail}");
    Route::for_account(method, &[&tail], Category::Dispute, Who::AcquiringPartner, doc, handler)
}

/// The operations of this room (sheets 06 section 6, 05 §3.2).
pub fn routes() -> Vec<Route> {
    use Source::{Collection, Documented, Inferred};
    let of_product = |doc: Doc| doc.query("payment_product_instance_id", REFERENCE);
    let listing = Doc::new("listDisputes", "Lists disputes", Collection)
        .query_many("payment_transaction_id", REFERENCE)
        .query_many("payment_transaction_ids", REFERENCE)
        .query_many("order_ids", REFERENCE)
        .query_many("purchase_references", REFERENCE)
        .query_many("state", Kind::Open)
        .query_many("reason", Kind::Open)
        .query("opened_at_start", Kind::Timestamp)
        .query("opened_at_end", Kind::Timestamp)
        .query("created_at_start", Kind::Timestamp)
        .query("created_at_end", Kind::Timestamp)
        .query("closed_at_start", Kind::Timestamp)
        .query("closed_at_end", Kind::Timestamp)
        .query("updated_at_start", Kind::Timestamp)
        .query("updated_at_end", Kind::Timestamp)
        .query("sort_by", Kind::Open)
        .paged()
        .answers(200, shapes::dispute_list);
    vec![
        shared(Method::GET, "", of_product(listing), list),
        shared(
            Method::GET,
            "/{payment_dispute_id}",
            of_product(Doc::new("readDispute", "Reads a dispute", Collection)).answers(200, shapes::dispute),
            read,
        ),
        shared(
            Method::POST,
            "/{payment_dispute_id}/accept-loss",
            of_product(Doc::new("acceptDisputeLoss", "Gives in", Collection)).answers(202, shapes::loss_accepted),
            accept_loss,
        ),
        shared(
            Method::POST,
            "/{payment_dispute_id}/attachments",
            of_product(Doc::new("uploadDisputeAttachment", "Uploads a file to be used as evidence", Collection))
                .takes_other("multipart/form-data")
                .answers(201, shapes::attachment_stored),
            upload,
        ),
        shared(
            Method::GET,
            "/{payment_dispute_id}/attachments/{payment_dispute_attachment_id}/download",
            of_product(Doc::new("downloadDisputeAttachment", "Gives a file of either side back", Collection))
                .answers_with(200, Content::Other("*/*")),
            download,
        ),
        older(
            Method::POST,
            "/{payment_dispute_id}/respond",
            of_product(Doc::new("respondToDispute", "Answers Klarna's request for evidence, before 2026", Collection))
                .takes(shapes::respond)
                .answers(201, shapes::statement_made),
            respond,
        ),
        shared(
            Method::POST,
            "/{payment_dispute_id}/represent",
            Doc::new("representDispute", "Sends evidence, since 2026", Inferred)
                .takes(shapes::represent)
                .answers(201, shapes::statement_made),
            represent,
        ),
        shared(
            Method::POST,
            "/{payment_dispute_id}/appeal",
            Doc::new("appealDispute", "Appeals against the preliminary decision, since 2026", Inferred)
                .takes(shapes::appeal)
                .answers(201, shapes::statement_made),
            appeal,
        ),
        Route::at(
            Method::POST,
            // Klarna calls the parameter `partner_id`; it is the account's id.
            &["/v4/payment/disputes/partners/{partner_account_id}/enroll"],
            Category::Dispute,
            Who::AcquiringPartner,
            Doc::new("enrollPartnerForDisputes", "Lets disputes to come follow the rules of 2026", Documented)
                .takes(shapes::enroll)
                .answers_nothing(),
            enroll,
        ),
    ]
}

#[derive(Deserialize)]
pub(super) struct DisputePath {
    pub(super) payment_dispute_id: String,
}

#[derive(Deserialize)]
struct AttachmentPath {
    payment_dispute_id: String,
    payment_dispute_attachment_id: String,
}

/// How the caller sees disputes, by the path of the call.
pub(super) struct Seen(pub(super) View);

impl FromRequestParts<Ctx> for Seen {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let on = OnBehalf::from_request_parts(parts, ctx).await?;
        let path = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |uri| uri.0.path());
        Ok(Self(View::new(ctx, &on.account, path.starts_with("/v4/"))))
    }
}

/// `payment_product_instance_id`, which may be sent with every operation on a dispute: one of another payment product is absent.
struct OfProduct;

impl FromRequestParts<Ctx> for OfProduct {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let product = many(parts.uri.query().unwrap_or_default(), "payment_product_instance_id").pop();
        let Some(product) = product else { return Ok(Self) };
        let on = OnBehalf::from_request_parts(parts, ctx).await?;
        let path: Path<DisputePath> = Path::from_request_parts(parts, ctx).await.map_err(ApiError::internal)?;
        cases::require_product(ctx, &on.account, &path.payment_dispute_id, &product).await?;
        Ok(Self)
    }
}

async fn list(
    State(ctx): State<Ctx>,
    Asked(filter): Asked,
    wanted: Wanted,
    Seen(view): Seen,
) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &cases::list(&ctx, filter, wanted, view).await?))
}

async fn read(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    _: OfProduct,
    Path(path): Path<DisputePath>,
    Seen(view): Seen,
) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &cases::read(&ctx, &on.account, &path.payment_dispute_id, view).await?))
}

async fn accept_loss(
    call: Call,
    _: OfProduct,
    Path(path): Path<DisputePath>,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    call.once(&or_empty(body), false, move |tx, ctx, on, _| {
        let id = path.payment_dispute_id.clone();
        Box::pin(async move { cases::accept_loss(tx, &ctx, (&on.account, &on.correlation_id), &id).await })
    })
    .await
}

async fn respond(
    call: Call,
    _: OfProduct,
    Path(path): Path<DisputePath>,
    seen: Seen,
    body: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::respond(), &body.value)?;
    answer(call, path.payment_dispute_id, seen, Framework::Of2020, &body.value).await
}

async fn represent(
    call: Call,
    Path(path): Path<DisputePath>,
    seen: Seen,
    body: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::represent(), &body.value)?;
    answer(call, path.payment_dispute_id, seen, Framework::Of2026, &body.value).await
}

async fn answer(
    call: Call,
    id: String,
    Seen(view): Seen,
    framework: Framework,
    body: &Value,
) -> Result<Response, ApiError> {
    // Answers show the customer's data that evidence tells of.
    call.once(body, true, move |tx, ctx, on, body| {
        let (id, view) = (id.clone(), view.clone());
        Box::pin(async move {
            let actor = (&on.account, on.correlation_id.as_str());
            cases::answer(tx, &ctx, actor, &id, (framework, &body), &view).await
        })
    })
    .await
}

async fn appeal(
    call: Call,
    Path(path): Path<DisputePath>,
    Seen(view): Seen,
    body: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::appeal(), &body.value)?;
    call.once(&body.value, true, move |tx, ctx, on, body| {
        let (id, view) = (path.payment_dispute_id.clone(), view.clone());
        Box::pin(async move { cases::appeal(tx, &ctx, (&on.account, &on.correlation_id), &id, &body, &view).await })
    })
    .await
}

async fn upload(
    call: Call,
    _: OfProduct,
    Path(path): Path<DisputePath>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    store(call, path.payment_dispute_id, multipart, false).await
}

/// Stores a file of either side.
pub(super) async fn store(
    call: Call,
    id: String,
    multipart: Result<Multipart, MultipartRejection>,
    of_customer: bool,
) -> Result<Response, ApiError> {
    let upload = Upload::read(multipart).await?;
    call.once(&upload.fingerprint(), false, move |tx, ctx, on, _| {
        let (id, upload) = (id.clone(), upload.clone());
        Box::pin(async move { attachments::store(tx, &ctx, &on.account, &id, &upload, of_customer).await })
    })
    .await
}

async fn download(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    _: OfProduct,
    Path(path): Path<AttachmentPath>,
) -> Result<Response, ApiError> {
    attachments::download(&ctx, &on.account, &path.payment_dispute_id, &path.payment_dispute_attachment_id).await
}

async fn enroll(call: Call, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::enroll(), &body.value)?;
    call.once(&body.value, false, move |tx, ctx, on, body| {
        Box::pin(async move {
            let client_id = body.get("client_id").unwrap_or(&json!("")).as_str().unwrap_or_default().to_owned();
            opening::enroll(tx, &ctx, &on.account, &client_id).await
        })
    })
    .await
}
