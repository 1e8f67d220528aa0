//! Use cases on Payment Requests: read, decide, write, tell. What they decide stands in [`super::payment_request`].

use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::krn::Region;
use protocol::payments::{
    CreatePaymentRequest, CustomerInteraction, CustomerInteractionConfig, InteractionMethod,
    PaymentRequest as WireRequest, QrCode, StateContext, StateReason, TokenScope,
};
use protocol::{Currency, EventType, PartnerAccountId, PaymentRequestId, PaymentToken, Timestamp, shapes};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::approval::{Approval, Identity, ShownCustomer, klarna_customer};
use super::payment_request::{self, Change, EXPIRY_DEFAULT_US, Happened, InvalidTransition, PaymentRequest, State};
use super::short_link;
use super::store::{self, RequestRow};
use super::verdict::Persona;
use crate::accounts::{self, PaymentAccountRow};
use crate::ctx::Ctx;
use crate::customers::{self, contact::Sample};
use crate::notifications::{self, NewEvent};
use crate::operation::{forbidden, invalid, not_found};
use crate::tokens::{self, Brought, Grant, Keys, StoredCustomer};

/// A Payment Request with all that is known of it.
#[derive(Clone, Debug)]
pub struct StoredRequest {
    /// Whose it is.
    pub account: PartnerAccountId,
    /// What decides.
    pub request: PaymentRequest,
    /// What was asked, without currency and amount, which `request` has.
    pub body: CreatePaymentRequest,
    pub(super) payment_account_id: String,
    product_id: String,
    pub(super) identity: Option<Identity>,
    pub(super) approval: Option<Approval>,
    /// Of the short address, where the customer scans a code.
    short_code: Option<String>,
    version: i64,
}

impl StoredRequest {
    pub(super) fn from_row(row: RequestRow) -> Result<Self, ApiError> {
        let state = |text: &str| State::stored(text).ok_or_else(|| ApiError::internal(format!("state {text}")));
        let request = PaymentRequest {
            id: PaymentRequestId::opaque(&row.request_id).map_err(ApiError::internal)?,
            state: state(&row.state)?,
            previous: row.previous_state.as_deref().map(state).transpose()?,
            reason: row.state_reason.as_deref().map(StateReason::from),
            currency: row.currency.parse().map_err(ApiError::internal)?,
            amount: row.amount,
            persona: row.persona.as_deref().map(str::parse).transpose().map_err(ApiError::internal)?,
            pending_until: row.pending_until,
            created_at: row.created_at,
            updated_at: row.updated_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
        };
        Ok(Self {
            account: PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?,
            request,
            body: serde_json::from_str(&row.body).map_err(ApiError::internal)?,
            payment_account_id: row.payment_account_id,
            product_id: row.product_id,
            identity: row.identity.as_deref().map(serde_json::from_str).transpose().map_err(ApiError::internal)?,
            approval: row.approval.as_deref().map(serde_json::from_str).transpose().map_err(ApiError::internal)?,
            short_code: row.short_code,
            version: row.version,
        })
    }

    fn to_row(&self) -> RequestRow {
        let PaymentRequest { id, state, previous, reason, currency, amount, .. } = &self.request;
        RequestRow {
            account_id: self.account.to_string(),
            request_id: id.to_string(),
            version: self.version,
            state: state.as_str().to_owned(),
            previous_state: previous.map(|state| state.as_str().to_owned()),
            state_reason: reason.as_ref().map(ToString::to_string),
            currency: currency.code().to_owned(),
            amount: *amount,
            persona: self.request.persona.map(|persona| persona.to_string()),
            pending_until: self.request.pending_until,
            created_at: self.request.created_at,
            updated_at: self.request.updated_at,
            expires_at: self.request.expires_at,
            ended_at: self.request.ended_at,
            due_at: self.request.due_at(),
            payment_account_id: self.payment_account_id.clone(),
            product_id: self.product_id.clone(),
            body: json_text(&self.body),
            identity: self.identity.as_ref().map(json_text),
            approval: self.approval.as_ref().map(json_text),
            short_code: self.short_code.clone(),
        }
    }

    /// Of the journey's customer, else of the purchase data (RULINGS "Verdict").
    pub(super) fn persona(&self) -> Option<Persona> {
        let purchase = || Persona::of_purchase(self.body.supplementary_purchase_data.as_deref());
        self.request.persona.or_else(purchase)
    }

    /// From the id, which was made of the currency that the request had first.
    pub(super) fn region(&self) -> Region {
        region_of(&self.request.id, &self.request.currency)
    }

    /// Where the customer goes; the address proves that the visitor was given it.
    pub(super) fn url(&self, keys: &Keys, base_url: &str) -> String {
        let id = &self.request.id;
        let region = match self.region() {
            Region::Eu1 => "eu",
            Region::Us1 => "na",
            Region::Ap1 => "oc",
        };
        let uuid = id.uuid().unwrap_or_default();
        format!("{base_url}/{region}/requests/{uuid}/start?token={}", keys.access_token(id))
    }

    /// The object on the wire, as the request was when `request` was it.
    fn wire(&self, ctx: &Ctx, keys: &Keys, request: &PaymentRequest, customer: Option<&ShownCustomer>) -> WireRequest {
        let id = &request.id;
        let body = &self.body;
        let url = request.state.is_open().then(|| self.url(keys, &ctx.config.base_url));
        let config = body.customer_interaction_config.as_ref();
        let target = |code: &String| short_link::address(&ctx.config.base_url, code);
        let interaction = url.as_ref().map(|url| CustomerInteraction {
            method: config.and_then(|config| config.method.clone()).map(present_name),
            payment_request_id: Some(id.clone()),
            payment_request_url: Some(url.clone()),
            qr_code: self.is_scanned().then(|| QrCode {
                image_url: Some(url.replacen("/start?", "/qr.svg?", 1)),
                target_url: Some(self.short_code.as_ref().map_or_else(|| url.clone(), target)),
                ..QrCode::default()
            }),
            ..CustomerInteraction::default()
        });
        let grant = self.grant().filter(|_| request.state == State::Completed);
        let token = grant.as_ref().map(|grant| grant.session_token(keys));
        let recognising =
            || keys.recognising_token(&self.account, id, self.region(), (request.created_at, request.expires_at));
        let approval = self.approval.as_ref().filter(|_| grant.is_some());
        let context = StateContext {
            customer_interaction: interaction,
            interoperability_token: Some(token.clone().unwrap_or_else(recognising)),
            klarna_network_session_token: token,
            payment_token: grant.as_ref().map(Grant::payment_token),
            klarna_customer: approval.and_then(|approval| klarna_customer(approval, customer)),
            shipping: approval.and_then(|approval| approval.shipping.clone()),
            ..StateContext::default()
        };
        WireRequest {
            payment_request_id: Some(id.clone()),
            payment_request_reference: body.payment_request_reference.clone(),
            currency: Some(request.currency),
            amount: request.amount,
            payment_option_id: body.payment_option_id.clone(),
            state: Some(request.state.wire()),
            previous_state: request.previous.map(State::wire),
            state_reason: request.reason.clone(),
            created_at: timestamp(request.created_at),
            updated_at: timestamp(request.updated_at),
            expires_at: timestamp(request.expires_at),
            payment_request_url: url,
            customer_interaction_config: body.customer_interaction_config.clone(),
            request_customer_token: body.request_customer_token.clone(),
            collect_customer_profile: body.collect_customer_profile.clone(),
            shipping_config: body.shipping_config.clone(),
            acquiring_config: body.acquiring_config.clone(),
            point_of_checkout: body.point_of_checkout.clone(),
            point_of_transaction: body.point_of_transaction.clone(),
            payment_program_enablement_codes: body.payment_program_enablement_codes.clone(),
            supplementary_purchase_data: body.supplementary_purchase_data.clone(),
            klarna_network_data: body.klarna_network_data.clone(),
            interoperability_data: body.interoperability_data.clone(),
            additional_data: body.additional_data.clone(),
            state_context: Some(context),
            ..WireRequest::default()
        }
    }

    /// The object on the wire.
    ///
    /// # Errors
    /// [`kit::db::DbError`].
    pub(super) async fn render(&self, tx: &mut Tx, ctx: &Ctx) -> Result<WireRequest, ApiError> {
        let keys = tokens::keys_in(tx, ctx).await?;
        let customer = self.customer(tx, ctx).await?;
        Ok(self.wire(ctx, &keys, &self.request, customer.as_ref()))
    }

    /// Whether the customer scans a code.
    fn is_scanned(&self) -> bool {
        let config = self.body.customer_interaction_config.as_ref();
        config.and_then(|config| config.method.as_ref()) == Some(&InteractionMethod::QrCode)
    }

    /// Gives a request that is scanned its short address.
    async fn shorten(&mut self, tx: &mut Tx, ctx: &Ctx) -> Result<(), ApiError> {
        if self.is_scanned() && self.short_code.is_none() {
            self.short_code = Some(short_link::new_code(tx, ctx).await?);
        }
        Ok(())
    }

    /// Takes a decision over, saves it and tells of it.
    pub(super) async fn settle(
        &mut self,
        tx: &mut Tx,
        ctx: &Ctx,
        correlation_id: Option<&str>,
        (next, happened): (PaymentRequest, Vec<Happened>),
    ) -> Result<(), ApiError> {
        if next == self.request && happened.is_empty() {
            return Ok(());
        }
        self.request = next;
        if let Some(completed) = happened.iter().find(|happened| happened.event == EventType::PaymentRequestCompleted) {
            self.approve(tx, ctx, completed.at).await?;
        }
        store::save_request(tx, &self.to_row()).await?;
        self.tell(tx, ctx, correlation_id, &happened).await
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        correlation_id: Option<&str>,
        happened: &[Happened],
    ) -> Result<(), ApiError> {
        if happened.is_empty() {
            return Ok(());
        }
        let keys = tokens::keys_in(tx, ctx).await?;
        let customer = self.customer(tx, ctx).await?;
        for happened in happened {
            let object = self.wire(ctx, &keys, &happened.request, customer.as_ref());
            let event = NewEvent {
                event_type: happened.event.clone(),
                subject: &self.account,
                product_instance_id: Some(&self.product_id),
                payload: event_payload(object)?,
                occurred_at: happened.at,
                correlation_id,
            };
            notifications::emit(tx, ctx, &event).await?;
        }
        Ok(())
    }
}

/// The oldest generation's name of HANDOVER is accepted, and answered by the present one.
fn present_name(method: InteractionMethod) -> InteractionMethod {
    if method == InteractionMethod::ServerRedirect { InteractionMethod::Handover } else { method }
}

/// RULINGS "Objects": the request without its configuration and purchase data, what was granted again on top.
fn event_payload(mut object: WireRequest) -> Result<Value, ApiError> {
    object.customer_interaction_config = None;
    object.supplementary_purchase_data = None;
    if let Some(context) = &object.state_context {
        object.klarna_network_session_token = context.klarna_network_session_token.clone();
        object.klarna_customer = context.klarna_customer.clone();
        object.shipping = context.shipping.clone();
    }
    serde_json::to_value(&object).map_err(ApiError::internal)
}

pub(super) fn region_of(id: &PaymentRequestId, currency: &Currency) -> Region {
    let region = id.as_str().split(':').nth(2).and_then(|region| region.parse().ok());
    region.unwrap_or_else(|| Region::for_currency(currency))
}

pub(super) fn timestamp(micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(micros).ok()
}

fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and maps with text keys always serialize")
}

pub(super) fn absent() -> ApiError {
    not_found("The payment request does not exist, or ended more than 24 hours ago.")
}

impl From<InvalidTransition> for ApiError {
    fn from(error: InvalidTransition) -> Self {
        let message = format!("The payment request is {}, which does not allow this operation.", error.from.as_str());
        ApiError::new(StatusCode::FORBIDDEN, "OPERATION_FORBIDDEN", message)
    }
}

/// Reads the request in a unit that changes it. `None` when it is absent, somebody else's, or past being read.
pub(super) async fn locked(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    id: &str,
) -> Result<Option<StoredRequest>, ApiError> {
    let Some(row) = store::lock_request(tx, account.as_str(), id).await? else { return Ok(None) };
    let stored = StoredRequest::from_row(row)?;
    let readable = stored.request.at(ctx.clock.now()).0.is_readable(ctx.clock.now());
    Ok(readable.then_some(stored))
}

/// What a new request is made of beside what its body says.
pub(super) struct Submission<'a> {
    pub(super) payment_account: &'a PaymentAccountRow,
    /// Read out of the body, or beside it; `None` takes the default.
    pub(super) expires_at: Option<i64>,
    /// The stored customer whom the caller's tokens recognise.
    pub(super) recognised: Option<StoredCustomer>,
}

/// The stored customer whom the tokens of a call recognise.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn recognised(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    brought: &Brought,
) -> Result<Option<StoredCustomer>, ApiError> {
    if brought.is_empty() {
        return Ok(None);
    }
    let keys = tokens::keys_in(tx, ctx).await?;
    brought.customer(tx, &keys, account, ctx.clock.now()).await
}

impl StoredRequest {
    /// Who comes to the journey without having to prove it: whoever let the Partner sign them in (fact sheet 04 §6.2). Ours: a customer
    /// whose contact was never told is the test shopper of that persona.
    async fn shown_by_token(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        customer: &StoredCustomer,
    ) -> Result<Option<Identity>, ApiError> {
        if !customer.allows(&TokenScope::CustomerLogin) {
            return Ok(None);
        }
        let person = match &customer.customer_id {
            Some(id) => customers::by_id(tx, ctx, id).await?,
            None => None,
        };
        Ok(Some(match person {
            Some(person) => person.contact.into(),
            None => Identity { email: Some(Sample::of(customer.persona).email(self.market())), phone: None },
        }))
    }
}

/// Stores a new request and tells of it. `body` has passed its shape.
pub(super) async fn submit(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    mut body: CreatePaymentRequest,
    submission: Submission<'_>,
) -> Result<StoredRequest, ApiError> {
    let Submission { payment_account, expires_at, recognised } = submission;
    let now = ctx.clock.now();
    let currency = body.currency.take().ok_or_else(|| ApiError::internal("the shape requires a currency"))?;
    let amount = body.amount.take();
    body.extra.clear();
    let id = PaymentRequestId::new(Region::for_currency(&currency), ctx.random.id(now));
    let expires_at = expires_at.unwrap_or_else(|| now.saturating_add(EXPIRY_DEFAULT_US));
    let (mut request, happened) = PaymentRequest::submit(id, currency, amount, expires_at, now);
    request.persona = recognised.as_ref().and_then(|customer| customer.persona);
    let mut stored = StoredRequest {
        account: account.clone(),
        request,
        body,
        payment_account_id: payment_account.payment_account_id.clone(),
        product_id: payment_account.product_id.clone(),
        identity: None,
        approval: None,
        short_code: None,
        version: 1,
    };
    if let Some(customer) = &recognised {
        stored.identity = stored.shown_by_token(tx, ctx, customer).await?;
    }
    stored.shorten(tx, ctx).await?;
    store::insert_request(tx, &stored.to_row()).await?;
    stored.tell(tx, ctx, Some(correlation_id), &happened).await?;
    Ok(stored)
}

/// Creates a request from a body that has passed its shape.
///
/// # Errors
/// 400, 403 while the product is not enabled, [`kit::db::DbError`].
pub async fn create(
    tx: &mut Tx,
    ctx: &Ctx,
    on: (&PartnerAccountId, &str),
    body: &Value,
    brought: &Brought,
) -> Result<WireRequest, ApiError> {
    let payment_account = accounts::resolve_payment_account(tx, on.0, body.get("acquiring_config")).await?;
    payment_account.require_enabled_product()?;
    let body = parse(body)?;
    let expires_at = expiry(body.customer_interaction_config.as_ref(), ctx.clock.now())?;
    let recognised = recognised(tx, ctx, on.0, brought).await?;
    let submission = Submission { payment_account: &payment_account, expires_at, recognised };
    let stored = submit(tx, ctx, on, body, submission).await?;
    stored.render(tx, ctx).await
}

fn expiry(config: Option<&CustomerInteractionConfig>, now: i64) -> Result<Option<i64>, ApiError> {
    let expiry = config.and_then(|config| config.interaction_expiry.as_ref());
    payment_request::expiry(expiry, "customer_interaction_config", None, now).map_err(|fault| invalid(vec![fault]))
}

pub(super) fn parse(body: &Value) -> Result<CreatePaymentRequest, ApiError> {
    // The shape refuses with better words whatever this would.
    serde_json::from_value(body.clone())
        .map_err(|error| ApiError::validation(Vec::new()).field("body", error.to_string()))
}

/// Reads a request; time that has passed is accounted for first.
///
/// # Errors
/// 404, [`kit::db::DbError`].
pub async fn read(ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<WireRequest, ApiError> {
    let (context, owner, key) = (ctx.clone(), account.clone(), id.to_owned());
    let found: Option<(bool, WireRequest)> = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move {
                let Some(row) = store::request(tx, owner.as_str(), &key).await? else { return Ok(None) };
                let stored = StoredRequest::from_row(row)?;
                let now = context.clock.now();
                if !stored.request.is_readable(now) {
                    return Ok(None);
                }
                let is_due = stored.request.due_at().is_some_and(|due| due <= now);
                Ok(Some((is_due, stored.render(tx, &context).await?)))
            })
        })
        .await?;
    match found {
        None => Err(absent()),
        Some((false, object)) => Ok(object),
        Some((true, _)) => pass_time(ctx, account, id).await?.ok_or_else(absent),
    }
}

/// The request that a grant came from, as it is stored: whether it can still be read makes no difference to what was approved.
pub(super) async fn behind_grant(
    tx: &mut Tx,
    account: &PartnerAccountId,
    grant_id: Uuid,
) -> Result<Option<StoredRequest>, ApiError> {
    let Some(request) = tokens::find_grant(tx, account, grant_id).await?.and_then(|grant| grant.request) else {
        return Ok(None);
    };
    store::request(tx, account.as_str(), request.as_str()).await?.map(StoredRequest::from_row).transpose()
}

/// Whether the customer can still decide on a request.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn is_open(tx: &mut Tx, ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<bool, ApiError> {
    let Some(row) = store::request(tx, account.as_str(), id).await? else { return Ok(false) };
    Ok(StoredRequest::from_row(row)?.request.at(ctx.clock.now()).0.state.is_open())
}

/// Whether the customer is in the journey of a request right now. For interoperability.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn is_in_progress(tx: &mut Tx, account: &PartnerAccountId, id: &str, now: i64) -> Result<bool, ApiError> {
    let Some(row) = store::request(tx, account.as_str(), id).await? else { return Ok(false) };
    Ok(StoredRequest::from_row(row)?.request.at(now).0.state == State::InProgress)
}

/// Lets happen what is due, and says what the request is then; `None` when it is absent or past being read.
pub(super) async fn pass_time(
    ctx: &Ctx,
    account: &PartnerAccountId,
    id: &str,
) -> Result<Option<WireRequest>, ApiError> {
    ctx.write(|| {
        let (ctx, account, id) = (ctx.clone(), account.clone(), id.to_owned());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<WireRequest>, ApiError>> {
            Box::pin(async move {
                // Not `locked`: what is past being read may still have its end to tell.
                let Some(row) = store::lock_request(tx, account.as_str(), &id).await? else { return Ok(None) };
                let mut stored = StoredRequest::from_row(row)?;
                let now = ctx.clock.now();
                let decided = stored.request.at(now);
                stored.settle(tx, &ctx, None, decided).await?;
                if !stored.request.is_readable(now) {
                    return Ok(None);
                }
                stored.render(tx, &ctx).await.map(Some)
            })
        }
    })
    .await
}

/// Changes the members that are sent (PUT and PATCH alike), only while the request is SUBMITTED.
pub(super) async fn update(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    (patch, brought): (&Value, &Brought),
) -> Result<WireRequest, ApiError> {
    let now = ctx.clock.now();
    let mut stored = locked(tx, ctx, account, id).await?.ok_or_else(absent)?;
    // The state first: in another one no body would do.
    stored.request.update(Change::default(), now)?;
    let sent = parse(patch)?;
    let change = Change {
        currency: sent.currency,
        amount: sent.amount,
        expires_at: expiry(sent.customer_interaction_config.as_ref(), now)?,
    };
    let mut merged = serde_json::to_value(&stored.body).map_err(ApiError::internal)?;
    merged["currency"] = stored.request.currency.code().into();
    if let Some(amount) = stored.request.amount {
        merged["amount"] = amount.into();
    }
    let sent = serde_json::to_value(&sent).map_err(ApiError::internal)?;
    replace_alternatives(&mut merged, &sent);
    merge(&mut merged, &sent);
    let faults = shapes::create_payment_request().check(&merged);
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    if sent.get("acquiring_config").is_some() {
        let payment_account = accounts::resolve_payment_account(tx, account, merged.get("acquiring_config")).await?;
        stored.payment_account_id = payment_account.payment_account_id;
        stored.product_id = payment_account.product_id;
    }
    let mut body = parse(&merged)?;
    (body.currency, body.amount) = (None, None);
    body.extra.clear();
    stored.body = body;
    stored.shorten(tx, ctx).await?;
    let mut decided = stored.request.update(change, now)?;
    if let Some(customer) = recognised(tx, ctx, account, brought).await? {
        decided.0.persona = customer.persona.or(decided.0.persona);
        stored.identity = stored.shown_by_token(tx, ctx, &customer).await?.or(stored.identity);
    }
    stored.settle(tx, ctx, Some(correlation_id), decided).await?;
    stored.render(tx, ctx).await
}

/// Members that exclude each other replace each other.
fn replace_alternatives(into: &mut Value, sent: &Value) {
    for (name, alternative) in
        [("klarna_network_data", "interoperability_data"), ("interoperability_data", "klarna_network_data")]
    {
        if sent.get(name).is_some()
            && let Some(object) = into.as_object_mut()
        {
            object.remove(alternative);
        }
    }
    if sent.pointer("/customer_interaction_config/interaction_expiry").is_some()
        && let Some(config) = into.pointer_mut("/customer_interaction_config").and_then(Value::as_object_mut)
    {
        config.remove("interaction_expiry");
    }
    if sent.get("acquiring_config").is_some()
        && let Some(object) = into.as_object_mut()
    {
        object.remove("acquiring_config");
    }
}

/// Members of objects one by one, arrays as a whole; what is not sent stays.
pub(super) fn merge(into: &mut Value, sent: &Value) {
    match (into, sent) {
        (Value::Object(into), Value::Object(sent)) => {
            for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
                match into.get_mut(name) {
                    Some(member) => merge(member, value),
                    None => {
                        into.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (into, sent) => *into = sent.clone(),
    }
}

/// What the Partner's page answers while the customer is in the journey: amount, lines, where the goods go. Members as in an update;
/// the state stays.
///
/// # Errors
/// 400 on what the request may not become, 403 once it has ended or a verdict is awaited, 404.
pub async fn amend(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    sent: &Value,
) -> Result<WireRequest, ApiError> {
    let mut stored = locked(tx, ctx, account, id).await?.ok_or_else(absent)?;
    let mut merged = serde_json::to_value(&stored.body).map_err(ApiError::internal)?;
    merged["currency"] = stored.request.currency.code().into();
    if let Some(amount) = stored.request.amount {
        merged["amount"] = amount.into();
    }
    merge(&mut merged, sent);
    let mut faults = shapes::create_payment_request().check(&merged);
    let (amount, lines) = (merged["amount"].as_i64(), sent.pointer("/supplementary_purchase_data/line_items"));
    if let Some(amount) = amount.filter(|_| lines.is_some()) {
        faults.extend(protocol::check_purchase_sum(&merged, amount));
    }
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    let mut body = parse(&merged)?;
    (body.currency, body.amount) = (None, None);
    body.extra.clear();
    stored.body = body;
    let decided = stored.request.amend(amount, ctx.clock.now())?;
    stored.settle(tx, ctx, Some(correlation_id), decided).await?;
    stored.render(tx, ctx).await
}

/// Whose request an id names.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn account_of(tx: &mut Tx, id: &str) -> Result<Option<PartnerAccountId>, ApiError> {
    let account = store::account_of_request(tx, id).await?;
    account.map(|account| PartnerAccountId::opaque(&account)).transpose().map_err(ApiError::internal)
}

/// Withdraws a request; a completed one as long as its grant is unspent.
///
/// # Errors
/// 403, 404, [`kit::db::DbError`].
pub async fn cancel(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
) -> Result<WireRequest, ApiError> {
    let now = ctx.clock.now();
    let mut stored = locked(tx, ctx, account, id).await?.ok_or_else(absent)?;
    let decided = stored.request.cancel(now)?;
    if let Some(grant) = stored.grant()
        && !tokens::cancel_grant(tx, account, grant.id, now).await?
    {
        return Err(forbidden("The payment request is COMPLETED and its approval is spent."));
    }
    stored.settle(tx, ctx, Some(correlation_id), decided).await?;
    stored.render(tx, ctx).await
}

/// Takes a grant back by its payment token, and with it cancels the request that it came from.
pub(super) async fn cancel_by_token(
    tx: &mut Tx,
    ctx: &Ctx,
    on: (&PartnerAccountId, &str),
    token: &str,
) -> Result<(), ApiError> {
    let unknown = || not_found("The payment token does not exist.");
    let id = token.parse::<PaymentToken>().ok().and_then(|token| token.uuid()).ok_or_else(unknown)?;
    let grant = tokens::find_grant(tx, on.0, id).await?.ok_or_else(unknown)?;
    match &grant.request {
        Some(request) => cancel(tx, ctx, on, request.as_str()).await.map(drop),
        None if tokens::cancel_grant(tx, on.0, id, ctx.clock.now()).await? => Ok(()),
        None => Err(forbidden("The approval is spent.")),
    }
}
