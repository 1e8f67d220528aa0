//! What happens to sessions: made, paid, left for another method, closed. One live payment per session, however many tabs press the
//! button: a payment is made in the transaction that locks the session and finds no other that may still move money.

use std::time::Duration;

use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use secrecy::SecretString;
use tracing::Instrument as _;

use super::body::{CreateSession, interaction_expiry};
use super::record::{Method, NewKey, Session};
use super::session::{Begin, End, SessionState, Standing, begin};
use super::{jobs, store};
use crate::Ctx;
use crate::access::{self, PartnerCaller};
use crate::events::once::Once;
use crate::partners;
use crate::payments::body::CreatePayment;
use crate::payments::payment::PaymentState;
use crate::payments::record::Payment;
use crate::payments::{self, Prepared};

/// Ours: how long a click waits for Klarna before the page says that it is still waiting.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(120);
/// Rounds of closing before it is put off: each takes a payment out of the way that another tab had begun.
const CLOSINGS: usize = 3;

/// A session and its last payment.
pub(crate) type WithPayment = (Session, Option<Payment>);

/// Reads both.
pub(crate) async fn read(ctx: &Ctx, partner_id: &str, session_id: &str) -> Result<Option<WithPayment>, ApiError> {
    let (partner_id, session_id) = (partner_id.to_owned(), session_id.to_owned());
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            let Some(session) = store::find(tx, &partner_id, &session_id).await? else { return Ok(None) };
            let payment = last_payment(tx, &session).await?;
            Ok::<_, DbError>(Some((session, payment)))
        })
    });
    Ok(read.await?)
}

/// Reads both by the key in the page's address.
pub(super) async fn read_by_key(ctx: &Ctx, key: &str) -> Result<Option<WithPayment>, ApiError> {
    let hash = payments::token_hash(key);
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            let Some(session) = store::of_key(tx, &hash).await? else { return Ok(None) };
            let payment = last_payment(tx, &session).await?;
            Ok::<_, DbError>(Some((session, payment)))
        })
    });
    Ok(read.await?)
}

async fn last_payment(tx: &mut Tx, session: &Session) -> Result<Option<Payment>, DbError> {
    match &session.payment_id {
        Some(id) => payments::find(tx, &session.partner_id, id).await,
        None => Ok(None),
    }
}

/// Writes a new session. One whose token was paid with already is completed from the start (IOP-2a).
///
/// # Errors
/// As the database says.
pub(crate) async fn create_in(
    tx: &mut Tx,
    ctx: &Ctx,
    caller: &PartnerCaller,
    asked: CreateSession,
    payment_link_id: Option<&str>,
) -> Result<(Session, NewKey), ApiError> {
    caller.require_active()?;
    let paid = match &asked.token {
        Some(token) => payments::of_token(tx, &caller.partner_id, token).await?,
        None => Vec::new(),
    };
    let paid = paid.into_iter().find(|payment| Standing::of(Some(payment)) == Standing::Paid);
    let (mut session, key) = Session::new(ctx, &caller.partner_id, asked);
    let known = partners::shown_as(tx, ctx, &caller.partner_id).await?;
    session.detail.branding = std::mem::take(&mut session.detail.branding).or(known);
    session.detail.payment_link_id = payment_link_id.map(str::to_owned);
    if let Some(payment) = paid {
        session.state = SessionState::Completed;
        session.method = Some(Method::Klarna);
        session.completed_at = Some(session.created_at);
        session.payment_id = Some(payment.payment_id);
        session.token = None;
    }
    store::insert(tx, &session).await?;
    if session.state == SessionState::Open {
        jobs::remember(tx, &session).await?;
    }
    Ok((session, key))
}

/// What the customer chose with Klarna.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// From the SDK on the page.
    pub token: Option<SecretString>,
    pub payment_option_id: Option<String>,
}

/// Where a click leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To Klarna's journey.
    ToKlarna(String),
    /// To the Partner's page for another method.
    ToPartner(String),
    /// The page says how it stands.
    Page,
}

/// The customer wants to pay with Klarna. Pressed twice, or in two tabs, there is one payment, and both are led to it.
///
/// # Errors
/// 403 while the Partner is suspended, 503 while the network cannot be reached; as the database says.
pub(super) async fn pay(ctx: &Ctx, session: Session, choice: Choice) -> Result<Way, ApiError> {
    let Some(caller) = caller(ctx, &session.partner_id).await? else { return Ok(Way::Page) };
    let now = ctx.clock.now();
    let mut asked = CreatePayment::check(session.detail.order.clone(), ctx.config.local_targets)?;
    asked.session_token = match choice.token {
        Some(token) => Some(token),
        None => session.token(ctx)?,
    };
    asked.payment_option_id = choice.payment_option_id;
    asked.interaction_expiry = interaction_expiry(session.expires_at, now);
    let made = payments::prepare(ctx, &caller, asked, Some(&session.session_id));
    let ids = (session.partner_id.clone(), session.session_id.clone());
    let ctx = ctx.clone();
    // In a task of its own: a customer who closes the page stops nothing half-way.
    let work = async move {
        let begun = {
            let shared = std::sync::Arc::new((caller, made.clone()));
            let ids = ids.clone();
            ctx.db
                .write_repeating(|| {
                    let (ctx, shared, ids) = (ctx.clone(), std::sync::Arc::clone(&shared), ids.clone());
                    move |tx: &mut Tx| -> UnitFuture<'_, Result<Begin, ApiError>> {
                        Box::pin(async move { begin_in(tx, &ctx, &ids, &shared.0, &shared.1, now).await })
                    }
                })
                .await?
        };
        match begun {
            Begin::Over => return Ok(Way::Page),
            Begin::New => made.call(&ctx).await?,
            Begin::GoOn => {}
        }
        ctx.poke.poke();
        // Another tab's call may be under way: this click waits for it, too.
        match tokio::time::timeout(PATIENCE, settled(&ctx, &ids.0, &ids.1)).await {
            Ok(way) => way,
            Err(_) => Ok(Way::Page),
        }
    };
    tokio::spawn(work.in_current_span()).await.map_err(ApiError::internal)?
}

async fn begin_in(
    tx: &mut Tx,
    ctx: &Ctx,
    (partner_id, session_id): &(String, String),
    caller: &PartnerCaller,
    made: &Prepared,
    now: i64,
) -> Result<Begin, ApiError> {
    let Some(mut session) = store::lock(tx, partner_id, session_id).await? else { return Ok(Begin::Over) };
    let standing = Standing::of(last_payment(tx, &session).await?.as_ref());
    let is_elsewhere = session.detail.other_method_chosen_at.is_some();
    let begun = begin(&session.state, standing, is_elsewhere, session.attempt, session.expires_at, now);
    if begun == Begin::New {
        made.write(tx, ctx, caller).await?;
        session.attempt += 1;
        session.payment_id = Some(made.payment_id().to_owned());
        session.save(tx, now).await?;
    }
    Ok(begun)
}

async fn settled(ctx: &Ctx, partner_id: &str, session_id: &str) -> Result<Way, ApiError> {
    loop {
        let Some((_, payment)) = read(ctx, partner_id, session_id).await? else { return Ok(Way::Page) };
        match payment {
            Some(payment) if payment.books.state == PaymentState::Pending => tokio::time::sleep(LOOK_EVERY).await,
            Some(payment) if payment.books.state == PaymentState::RequiresCustomerAction => {
                return Ok(payment.klarna_request_url.map_or(Way::Page, Way::ToKlarna));
            }
            _ => return Ok(Way::Page),
        }
    }
}

/// The Partner, as calls are made for it.
pub(crate) async fn caller(ctx: &Ctx, partner_id: &str) -> Result<Option<PartnerCaller>, ApiError> {
    let id = partner_id.to_owned();
    let partner = ctx.db.look_up(move |tx| Box::pin(async move { access::partner(tx, &id).await })).await?;
    Ok(partner.as_ref().map(payments::caller))
}

/// Takes a payment out of the way that waits for its customer: canceled at Klarna, unless the customer was faster.
async fn release(ctx: &Ctx, session: &Session, payment: Option<&Payment>) -> Result<(), ApiError> {
    let Some(payment) = payment.filter(|payment| Standing::of(Some(payment)) == Standing::WithCustomer) else {
        return Ok(());
    };
    let Some(caller) = caller(ctx, &session.partner_id).await? else { return Ok(()) };
    let once = Once {
        scope: format!("{} checkout releases", session.partner_id),
        key: payment.payment_id.clone(),
        fingerprint: String::new(),
    };
    match payments::cancel(ctx, caller, once, payment.payment_id.clone()).await {
        // A refusal by Klarna: the customer approved, or it ended, a moment ago.
        Ok(answer) if !answer.status().is_success() => {
            payments::refresh(ctx, &session.partner_id, &payment.payment_id).await
        }
        Ok(_) => Ok(()),
        // Its state moved meanwhile: whoever asked looks again.
        Err(error) if error.status.is_client_error() => Ok(()),
        Err(error) => Err(error),
    }
}

/// What closing came to.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It has ended, now or before.
    Done(Box<Session>),
    /// Its payment is being authorized: later.
    Busy,
    /// There is none.
    Absent,
}

/// Ends a session, after its payment was taken out of the way. If the customer was faster, the session is completed instead.
///
/// # Errors
/// As the database says.
pub(crate) async fn close(
    ctx: &Ctx,
    partner_id: &str,
    session_id: &str,
    end: End,
    method: Option<Method>,
) -> Result<Closed, ApiError> {
    for _ in 0..CLOSINGS {
        let Some((session, payment)) = read(ctx, partner_id, session_id).await? else { return Ok(Closed::Absent) };
        if session.state != SessionState::Open {
            return Ok(Closed::Done(Box::new(session)));
        }
        release(ctx, &session, payment.as_ref()).await?;
        let ended = on_session(ctx, &session, move |tx, ctx, mut session| {
            Box::pin(async move {
                session.end(tx, &ctx, end, method).await?;
                Ok(session)
            })
        })
        .await?;
        if let Some(session) = ended {
            return Ok(Closed::Done(Box::new(session)));
        }
    }
    Ok(Closed::Busy)
}

/// The customer leaves for the other method: a payment that waits at Klarna is taken back first, so that the order is not paid twice.
/// `None` if that is not possible (any more): the page says how it stands.
///
/// # Errors
/// As the database says.
pub(super) async fn leave_for_other(
    ctx: &Ctx,
    session: &Session,
    payment: Option<&Payment>,
) -> Result<Option<String>, ApiError> {
    let now = ctx.clock.now();
    if session.state != SessionState::Open || now >= session.expires_at {
        return Ok(None);
    }
    let Some(page) = session.other_method_page() else { return Ok(None) };
    release(ctx, session, payment).await?;
    let left = on_session(ctx, session, move |tx, ctx, mut session| {
        Box::pin(async move {
            session.detail.other_method_chosen_at = Some(now);
            session.save(tx, now).await?;
            session.tell(tx, &ctx, "checkout_session.other_method_chosen").await?;
            Ok(session)
        })
    })
    .await?;
    Ok(left.map(|_| page))
}

/// The customer is back from the other method and wants to choose again: from now on Klarna may be paid with, and the Partner hears
/// that it must not take the order's money any more.
///
/// # Errors
/// As the database says.
pub(super) async fn choose_again(ctx: &Ctx, session: &Session) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    if session.detail.other_method_chosen_at.is_none() {
        return Ok(());
    }
    on_session(ctx, session, move |tx, ctx, mut session| {
        Box::pin(async move {
            // Pressed twice, it was taken back once.
            if session.detail.other_method_chosen_at.take().is_some() {
                session.save(tx, now).await?;
                session.tell(tx, &ctx, "checkout_session.other_method_withdrawn").await?;
            }
            Ok(session)
        })
    })
    .await
    .map(drop)
}

/// Changes an open session without a payment that may still move money, under its lock; `None` if it is not so (any more).
async fn on_session<F>(ctx: &Ctx, session: &Session, change: F) -> Result<Option<Session>, ApiError>
where
    F: for<'t> FnOnce(&'t mut Tx, Ctx, Session) -> UnitFuture<'t, Result<Session, ApiError>> + Clone + Send + 'static,
{
    let ids = (session.partner_id.clone(), session.session_id.clone());
    let changed = ctx
        .db
        .write_repeating(|| {
            let (ctx, ids, change) = (ctx.clone(), ids.clone(), change.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<Session>, ApiError>> {
                Box::pin(async move {
                    let Some(session) = store::lock(tx, &ids.0, &ids.1).await? else { return Ok(None) };
                    let standing = Standing::of(last_payment(tx, &session).await?.as_ref());
                    if session.state != SessionState::Open || !standing.is_free() {
                        return Ok(None);
                    }
                    change(tx, ctx, session).await.map(Some)
                })
            }
        })
        .await?;
    ctx.poke.poke();
    Ok(changed)
}

/// Follows a payment, in the transaction of its change: the session whose payment was authorized is completed.
///
/// # Errors
/// As the database says.
pub(super) async fn payment_changed(tx: &mut Tx, ctx: &Ctx, payment: &Payment) -> Result<(), ApiError> {
    let Some(session_id) = &payment.detail.checkout_session_id else { return Ok(()) };
    if Standing::of(Some(payment)) != Standing::Paid {
        return Ok(());
    }
    let Some(mut session) = store::lock(tx, &payment.partner_id, session_id).await? else { return Ok(()) };
    if session.payment_id.as_deref() == Some(&payment.payment_id) {
        session.end(tx, ctx, End::Paid, Some(Method::Klarna)).await?;
    }
    Ok(())
}
