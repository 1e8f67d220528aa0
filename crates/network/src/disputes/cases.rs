//! Use cases on disputes: read, decide, write, tell. What they decide stands in [`super::case`].

use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::{PartnerAccountId, Timestamp};
use serde_json::{Value, json};

use super::case::{Event, Finding, Framework};
use super::file::{self, Exception, Statement};
use super::rendering::{self, View};
use super::store::{self, Filter, Place};
use super::stored::{StoredDispute, absent};
use crate::ctx::Ctx;
use crate::operation::{Reply, invalid};
use crate::paging::{self, Page, Wanted};

/// Who acts: the account, and the id of the call.
pub(super) type Actor<'a> = (&'a PartnerAccountId, &'a str);

/// Reads a dispute; time that has passed is accounted for first.
pub(super) async fn read(ctx: &Ctx, account: &PartnerAccountId, id: &str, view: View) -> Result<Value, ApiError> {
    let (context, owner, key, wanted) = (ctx.clone(), account.clone(), id.to_owned(), view.clone());
    let found: Option<Value> = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move {
                let stored = StoredDispute::read(tx, &context, owner.as_str(), &key).await?;
                let is_due = stored.case.due_at.is_some_and(|due| due <= context.clock.now());
                Ok((!is_due).then(|| rendering::dispute(&stored, &wanted)))
            })
        })
        .await?;
    match found {
        Some(object) => Ok(object),
        None => {
            let stored = pass_time(ctx, account, id).await?;
            Ok(rendering::dispute(&stored, &view))
        }
    }
}

/// Refuses a dispute that is not of the payment product, as if there were none.
pub(super) async fn require_product(
    ctx: &Ctx,
    account: &PartnerAccountId,
    id: &str,
    product: &str,
) -> Result<(), ApiError> {
    let (account, id) = (account.clone(), id.to_owned());
    let row = ctx.db.read(move |tx| Box::pin(async move { store::dispute(tx, account.as_str(), &id).await })).await?;
    if row.is_some_and(|row| row.product_id == product) { Ok(()) } else { Err(absent()) }
}

/// Lets happen what is due.
pub(super) async fn pass_time(ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<StoredDispute, ApiError> {
    ctx.write(|| {
        let (ctx, account, id) = (ctx.clone(), account.clone(), id.to_owned());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<StoredDispute, ApiError>> {
            Box::pin(async move {
                let mut stored = StoredDispute::lock(tx, &ctx, account.as_str(), &id).await?;
                let decided = stored.case.at(ctx.clock.now());
                stored.file.note(&decided.1, None, None);
                stored.settle(tx, &ctx, decided, None).await?;
                Ok(stored)
            })
        }
    })
    .await
}

/// A page of an account's disputes, and of those under it. Its disputes whose time has come are brought up to it before.
pub(super) async fn list(ctx: &Ctx, filter: Filter, wanted: Wanted, view: View) -> Result<Value, ApiError> {
    let account = PartnerAccountId::opaque(&filter.account).map_err(ApiError::internal)?;
    loop {
        let (owner, now) = (filter.account.clone(), ctx.clock.now());
        let due = ctx.db.read(move |tx| Box::pin(async move { store::due_of(tx, &owner, now, DUE_MAX).await })).await?;
        for row in &due {
            pass_time(ctx, &account, &row.id).await?;
        }
        if i64::try_from(due.len()).unwrap_or(i64::MAX) < DUE_MAX {
            break;
        }
    }
    let context = ctx.clone();
    ctx.db
        .read(move |tx| -> UnitFuture<'_, Result<Value, ApiError>> {
            Box::pin(async move {
                let (place, backwards) = match &wanted.from {
                    paging::From::Start => (None, false),
                    paging::From::After(id) => (Some(place(tx, &filter, id, "starting_after").await?), false),
                    paging::From::Before(id) => (Some(place(tx, &filter, id, "ending_before").await?), true),
                };
                let rows = store::list(tx, &filter, place, backwards, wanted.limit()).await?;
                let total = store::count(tx, &filter).await?;
                let all = StoredDispute::of(tx, &context, rows).await?;
                let page = Page::of(&wanted, all);
                Ok(page.object(
                    &wanted,
                    "disputes",
                    Some(total),
                    |stored| stored.id.to_string(),
                    |stored| rendering::dispute(stored, &view),
                ))
            })
        })
        .await
}

/// How many disputes a list brings up to the present at a time.
const DUE_MAX: i64 = 100;

async fn place<'a>(tx: &mut Tx, filter: &Filter, id: &'a str, parameter: &str) -> Result<Place<'a>, ApiError> {
    let found = store::place(tx, filter, id).await?;
    found.ok_or_else(|| ApiError::validation(Vec::new()).field(parameter, "must be a cursor of an earlier page"))
}

/// Names of the Partner's own files.
fn uploaded(stored: &StoredDispute) -> Vec<&str> {
    stored.attachments.iter().filter(|row| !row.of_customer).map(|row| row.attachment_id.as_str()).collect()
}

fn refuse(faults: Vec<protocol::ValidationError>) -> Result<(), ApiError> {
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}

/// The Partner's answer: `respond` in 2020, `represent` in 2026; the body has passed its shape.
pub(super) async fn answer(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): Actor<'_>,
    id: &str,
    (framework, body): (Framework, &Value),
    view: &View,
) -> Result<Reply, ApiError> {
    let mut stored = StoredDispute::lock(tx, ctx, account.as_str(), id).await?;
    let now = ctx.clock.now();
    let proposed = body.get("partner_proposed_refund_amount").and_then(Value::as_i64);
    let proposed = proposed.filter(|_| framework == Framework::Of2026);
    // The state first: what is wrong with evidence that nobody waits for is of no interest.
    let (case, happened) = stored.case.answer(framework, proposed, now)?;
    let mut faults = Vec::new();
    file::check_attachments(body, &uploaded(&stored), &mut faults);
    if framework == Framework::Of2020 {
        file::check_details(&stored.case, body, &mut faults);
    }
    refuse(faults)?;
    stored.file.note(&happened, None, None);
    let statement = Statement::from_body(body, now);
    let number = stored.file.requests.len();
    if let Some(request) = stored.file.requests.last_mut() {
        request.response = Some(statement.clone());
    }
    stored.settle(tx, ctx, (case, happened), Some(correlation_id)).await?;
    let mut made = rendering::statement_made(&stored, &statement, view);
    if framework == Framework::Of2020 {
        made["payment_dispute_merchant_evidence_id"] = json!(rendering::merchant_evidence_id(&stored, number));
    } else if let Some(proposed) = proposed {
        made["partner_proposed_refund_amount"] = json!(proposed);
    }
    Ok(Reply::json(StatusCode::CREATED, &made))
}

/// The appeal against a preliminary decision; the body has passed its shape.
pub(super) async fn appeal(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): Actor<'_>,
    id: &str,
    body: &Value,
    view: &View,
) -> Result<Reply, ApiError> {
    let mut stored = StoredDispute::lock(tx, ctx, account.as_str(), id).await?;
    let now = ctx.clock.now();
    let decided = stored.case.appeal(now)?;
    let mut faults = Vec::new();
    file::check_attachments(body, &uploaded(&stored), &mut faults);
    refuse(faults)?;
    let statement = Statement::from_body(body, now);
    stored.file.appeal = Some(statement.clone());
    stored.settle(tx, ctx, decided, Some(correlation_id)).await?;
    Ok(Reply::json(StatusCode::CREATED, &rendering::statement_made(&stored, &statement, view)))
}

/// The Partner gives in.
pub(super) async fn accept_loss(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): Actor<'_>,
    id: &str,
) -> Result<Reply, ApiError> {
    let mut stored = StoredDispute::lock(tx, ctx, account.as_str(), id).await?;
    let decided = stored.case.accept_loss(ctx.clock.now())?;
    stored.file.note(&decided.1, None, None);
    stored.settle(tx, ctx, decided, Some(correlation_id)).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &json!({"state": stored.case.state.as_str()})))
}

/// What Klarna, or the customer, does: the controls of the test environment.
#[derive(Clone, Debug)]
pub(super) enum Control {
    /// Finds; the body says what.
    Decide,
    /// Begins arbitration.
    Escalate,
    /// Asks for evidence; the body has the words.
    RequestEvidence,
    /// Gives more time; the body says until when.
    Extend,
    /// Lets the present time be over.
    Lapse,
    /// Lets go.
    Withdraw,
}

/// Takes a control's step; the body has passed its shape. Returns the dispute.
pub(super) async fn control(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): Actor<'_>,
    id: &str,
    (control, body): (&Control, &Value),
    view: &View,
) -> Result<Reply, ApiError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let is = |name: &str| body.get(name).and_then(Value::as_bool) == Some(true);
    let mut stored = StoredDispute::lock(tx, ctx, account.as_str(), id).await?;
    let now = ctx.clock.now();
    let exception = |kind: &str, usual: &str| Exception {
        exception_type: kind.to_owned(),
        reason: text("reason").unwrap_or(usual).to_owned(),
        description: text("description").map(str::to_owned),
    };
    let case = &stored.case;
    let won = text("outcome") == Some("WON");
    let (decided, noted) = match control {
        Control::Decide if is("immediate") => {
            let finding = Finding {
                outcome: text("outcome").unwrap_or_default().into(),
                detailed: text("dispute_outcome_detailed")
                    .map_or_else(|| "DISPUTE_OPENED_UNDER_WRONG_DISPUTE_REASON".to_owned(), str::to_ascii_uppercase),
            };
            (case.resolve(finding, now)?, Some(exception("IMMEDIATE_DISPUTE_RESOLUTION", "DISPUTE_MIS_HANDLED")))
        }
        Control::Decide => {
            let event = match (won, is("appeal_window")) {
                (true, _) => Event::FoundForPartner,
                (false, true) => Event::AppealWindowOpened,
                (false, false) => Event::FoundForCustomer,
            };
            (case.step(event, text("dispute_outcome_detailed"), now)?, None)
        }
        Control::Escalate => (case.step(Event::Escalated, None, now)?, None),
        Control::RequestEvidence => (case.step(Event::EvidenceRequested, None, now)?, None),
        Control::Withdraw => (case.step(Event::Withdrawn, None, now)?, None),
        Control::Lapse => (case.lapse(now)?, None),
        Control::Extend => {
            let until: Option<Timestamp> = text("until").and_then(|until| until.parse().ok());
            let until = until.map_or(i64::MIN, Timestamp::as_micros);
            (case.extend(until, now)?, Some(exception("DISPUTE_WINDOW_EXTENSION", "DISPUTE_MIS_HANDLED")))
        }
    };
    stored.file.exceptions.extend(noted);
    stored.file.note(&decided.1, text("comment"), text("evidence_request_type"));
    stored.settle(tx, ctx, decided, Some(correlation_id)).await?;
    Ok(Reply::json(StatusCode::OK, &rendering::dispute(&stored, view)))
}
