//! How disputes come to be: by the control of the test environment, or because a test customer's address announces one for every
//! capture (sheet 05 §3.9).

use http::StatusCode;
use kit::clock::SECOND_US;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::{
    Currency, DisputeFramework, DisputeId, DisputeReason, PartnerAccountId, PaymentCaptureId, PaymentTransactionId,
    Region,
};
use serde_json::{Value, json};

use super::case::{Case, Course, Framework, HoldPolicy, Opening};
use super::cases::Actor;
use super::file::File;
use super::rendering::{self, View};
use super::store::{self, AnnouncementRow, DisputeRow, SettingsRow};
use super::stored::StoredDispute;
use crate::accounts;
use crate::ctx::Ctx;
use crate::operation::{Reply, conflict, forbidden, not_found};
use crate::payments::{self, Disputable};

/// How long after its capture an announced dispute is opened. Ours: "some seconds".
const ANNOUNCED_US: i64 = 5 * SECOND_US;
/// Case numbers have sixteen digits.
const FIRST_NUMBER: u64 = 1_000_000_000_000_000;

/// What a test customer's address announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) reason: DisputeReason,
    pub(super) course: Course,
}

impl Announcement {
    /// Matches the flag as a `+`-prefixed piece of the local part, so that it combines with other tokens.
    pub(super) fn of_email(email: &str) -> Option<Self> {
        use DisputeReason::*;
        let (local, _) = email.rsplit_once('@')?;
        let local = local.to_ascii_lowercase();
        let named = |flag: &str| local.contains(&format!("+{flag}"));
        let course = Course::ALL.into_iter().find(|course| *course != Course::Usual && named(course.as_str()));
        if let Some(course) = course {
            // Ours: of the newer family no reason is told.
            return Some(Self { reason: ProductsOrServicesNotReceived, course });
        }
        let reason = [
            ("disputed-return", RefundNotProcessed),
            ("disputed-goods_not_received", ProductsOrServicesNotReceived),
            ("disputed-already_paid", IncorrectAmount),
            ("disputed-faulty_goods", ProductsDefectiveOrNotAsDescribed),
            ("disputed-incorrect_invoice", IncorrectAmount),
            ("disputed-high_risk_order", PurchaseHighRisk),
            ("disputed-non_compliance", NonCompliance),
            ("disputed-non_guaranteed_payment_program", NonGuaranteedPaymentProgram),
            // Of the first generation, which had it too.
            ("disputed-unauthorized_purchase", PurchaseUnauthorized),
        ]
        .into_iter()
        .find_map(|(flag, reason)| named(flag).then_some(reason))?;
        Some(Self { reason, course: Course::Usual })
    }
}

/// Called for every capture with the purchase data of its transaction: announces a dispute if the customer's address says so.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn foresee(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    capture: &PaymentCaptureId,
    purchase_data: Option<&str>,
) -> Result<(), ApiError> {
    // Nearly all captures end here, without parsing.
    let Some(data) = purchase_data.filter(|data| data.contains("+dispute")) else { return Ok(()) };
    let data: Value = serde_json::from_str(data).map_err(ApiError::internal)?;
    let email = ["/customer/email", "/billing_address/email"].into_iter().find_map(|at| data.pointer(at)?.as_str());
    let Some(Announcement { reason, course }) = email.and_then(Announcement::of_email) else { return Ok(()) };
    let row = AnnouncementRow {
        account_id: account.to_string(),
        capture_id: capture.to_string(),
        reason: reason.to_string(),
        course: course.as_str().to_owned(),
        due_at: ctx.clock.now().saturating_add(ANNOUNCED_US),
    };
    Ok(store::announce(tx, &row).await?)
}

/// What holds for an account's disputes to come.
pub(super) async fn settings(tx: &mut Tx, account: &PartnerAccountId) -> Result<SettingsRow, ApiError> {
    let row = store::settings(tx, account.as_str()).await?;
    Ok(row.unwrap_or(SettingsRow {
        enrolled_at: None,
        client_id: None,
        hold_policy: HoldPolicy::None.as_str().to_owned(),
        threshold: None,
    }))
}

/// Opens an announced dispute; says nothing if the announcement is gone, the capture is given back, or it has a dispute already.
pub(super) async fn open_announced(tx: &mut Tx, ctx: &Ctx, row: &AnnouncementRow) -> Result<(), ApiError> {
    if !store::take_announcement(tx, &row.account_id, &row.capture_id).await? {
        return Ok(());
    }
    let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
    let capture = PaymentCaptureId::opaque(&row.capture_id).map_err(ApiError::internal)?;
    let settings = settings(tx, &account).await?;
    let framework = if settings.enrolled_at.is_some() { Framework::Of2026 } else { Framework::Of2020 };
    let course = Course::stored(&row.course).unwrap_or_default();
    // An address of the newer family says nothing to an account of the older framework.
    if course != Course::Usual && framework == Framework::Of2020 {
        return Ok(());
    }
    let Some(disputable) = disputable(tx, &account, None, Some(&capture)).await? else { return Ok(()) };
    if disputable.amount == 0 {
        return Ok(());
    }
    let opening = Opening {
        framework,
        reason: DisputeReason::from(row.reason.as_str()),
        amount: disputable.amount,
        hold: HoldPolicy::stored(&settings.hold_policy).unwrap_or(HoldPolicy::None),
        course,
        threshold: settings.threshold,
    };
    let by = if opening.reason == DisputeReason::PurchaseHighRisk { "KLARNA_AGENT" } else { "CUSTOMER" };
    open(tx, ctx, &account, disputable, opening, (by, None), None).await.map(drop)
}

/// Opens a dispute by control; the body has passed its shape. Returns the dispute.
pub(super) async fn open_by_control(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): Actor<'_>,
    body: &Value,
) -> Result<Reply, ApiError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let transaction = text("payment_transaction_id").and_then(|id| PaymentTransactionId::opaque(id).ok());
    let capture = text("payment_capture_id").and_then(|id| PaymentCaptureId::opaque(id).ok());
    let found = disputable(tx, account, transaction.as_ref(), capture.as_ref()).await?;
    let disputable = found.ok_or_else(|| not_found("There is no such capture with anything left to dispute."))?;
    let amount = body.get("amount").and_then(Value::as_i64).unwrap_or(disputable.amount);
    if amount > disputable.amount || amount == 0 {
        return Err(forbidden("The amount exceeds what is left of the capture."));
    }
    let settings = settings(tx, account).await?;
    let framework = match text("framework").map(DisputeFramework::from) {
        Some(DisputeFramework::Framework2020) => Framework::Of2020,
        Some(_) => Framework::Of2026,
        None if settings.enrolled_at.is_some() => Framework::Of2026,
        None => Framework::Of2020,
    };
    let hold = text("hold_policy").unwrap_or(&settings.hold_policy);
    let opening = Opening {
        framework,
        reason: DisputeReason::from(text("reason").unwrap_or_default()),
        amount,
        hold: HoldPolicy::stored(hold).unwrap_or(HoldPolicy::None),
        course: Course::Usual,
        threshold: settings.threshold,
    };
    let by = text("created_by").unwrap_or("CUSTOMER");
    let words = (by, text("additional_information"));
    let opened = open(tx, ctx, account, disputable, opening, words, Some(correlation_id)).await?;
    let stored = opened.ok_or_else(|| conflict("The capture has an open dispute already."))?;
    let view = View::new(ctx, account, false);
    Ok(Reply::json(StatusCode::CREATED, &rendering::dispute(&stored, &view)))
}

async fn disputable(
    tx: &mut Tx,
    account: &PartnerAccountId,
    transaction: Option<&PaymentTransactionId>,
    capture: Option<&PaymentCaptureId>,
) -> Result<Option<Disputable>, ApiError> {
    let of_capture = capture.and_then(PaymentCaptureId::transaction);
    let Some(named) = of_capture.as_ref().or(transaction) else { return Ok(None) };
    if transaction.is_some_and(|transaction| transaction != named) {
        return Ok(None);
    }
    payments::disputable(tx, account, named, capture.and_then(PaymentCaptureId::number).map(i64::from)).await
}

async fn open(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    disputable: Disputable,
    opening: Opening,
    (created_by, words): (&str, Option<&str>),
    correlation_id: Option<&str>,
) -> Result<Option<StoredDispute>, ApiError> {
    let (case, happened) = Case::open(opening, ctx.clock.now());
    let mut file = File::default();
    file.note(&happened, words, None);
    let id = new_id(ctx, disputable.currency);
    let row = DisputeRow {
        account_id: account.to_string(),
        dispute_id: id.to_string(),
        version: 1,
        acquiring_partner_id: accounts::acquiring_partner(tx, account).await?,
        framework: case.state.framework().wire().to_string(),
        state: String::new(),
        previous_state: None,
        reason: case.reason.to_string(),
        amount: case.amount,
        currency: disputable.currency.code().to_owned(),
        hold_policy: case.hold.as_str().to_owned(),
        course: case.course.as_str().to_owned(),
        created_by: created_by.to_owned(),
        opened_at: case.opened_at,
        updated_at: case.updated_at,
        closed_at: None,
        deadline_at: None,
        due_at: None,
        representment: None,
        requests: 0,
        answered: false,
        proposed: None,
        preliminary_outcome: None,
        preliminary_detailed: None,
        outcome: None,
        outcome_detailed: None,
        owed: None,
        order_id: disputable
            .transaction_id
            .uuid()
            .map_or_else(|| disputable.transaction_id.to_string(), |uuid| uuid.to_string()),
        transaction_id: disputable.transaction_id.to_string(),
        transaction_reference: disputable.transaction_reference,
        purchase_reference: disputable.purchase_reference,
        capture_id: disputable.capture_id.to_string(),
        capture_reference: disputable.capture_reference,
        payment_account_id: disputable.payment_account_id,
        payment_account_reference: disputable.payment_account_reference,
        product_id: disputable.product_id,
        attachments: 0,
        file: Vec::new(),
    };
    StoredDispute::insert(tx, ctx, row, (case, file), &happened, correlation_id).await
}

fn new_id(ctx: &Ctx, currency: Currency) -> DisputeId {
    DisputeId::new(Region::for_currency(&currency), FIRST_NUMBER + ctx.random.below(9 * FIRST_NUMBER))
}

/// The account changes to the newer framework, for disputes to come, for ever. Once is enough.
pub(super) async fn enroll(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    client_id: &str,
) -> Result<Reply, ApiError> {
    let mut row = settings(tx, account).await?;
    row.enrolled_at = row.enrolled_at.or(Some(ctx.clock.now()));
    row.client_id = Some(client_id.to_owned());
    store::save_settings(tx, account.as_str(), &row).await?;
    Ok(Reply::no_content())
}

/// What the control shows of an account's settings.
pub(super) fn settings_view(row: &SettingsRow) -> Value {
    let framework = if row.enrolled_at.is_some() { Framework::Of2026 } else { Framework::Of2020 };
    let enrolled_at = row.enrolled_at.and_then(|at| protocol::Timestamp::from_micros(at).ok());
    json!({"framework": framework.wire(), "hold_policy": row.hold_policy, "rejection_threshold": row.threshold,
        "enrolled_at": enrolled_at, "client_id": row.client_id})
}

/// Changes what the body names; the body has passed its shape.
pub(super) async fn change_settings(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    body: &Value,
) -> Result<Reply, ApiError> {
    let mut row = settings(tx, account).await?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match text("framework").map(DisputeFramework::from) {
        // Unlike enrolment, a control goes back, too.
        Some(DisputeFramework::Framework2020) => row.enrolled_at = None,
        Some(_) => row.enrolled_at = row.enrolled_at.or(Some(ctx.clock.now())),
        None => {}
    }
    if let Some(policy) = text("hold_policy").and_then(HoldPolicy::stored) {
        row.hold_policy = policy.as_str().to_owned();
    }
    if let Some(threshold) = body.get("rejection_threshold") {
        row.threshold = threshold.as_i64();
    }
    store::save_settings(tx, account.as_str(), &row).await?;
    Ok(Reply::json(StatusCode::OK, &settings_view(&row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_addresses_announce_and_combine_with_others() {
        let of = |email: &str| Announcement::of_email(email).map(|found| (found.reason, found.course));
        let not_received = DisputeReason::ProductsOrServicesNotReceived;
        for course in Course::ALL.into_iter().filter(|course| *course != Course::Usual) {
            let email = format!("customer+{}@email.us", course.as_str());
            assert_eq!(of(&email), Some((not_received.clone(), course)));
        }
        let usual = |reason| Some((reason, Course::Usual));
        assert_eq!(of("customer+disputed-return@email.de"), usual(DisputeReason::RefundNotProcessed));
        assert_eq!(
            of("customer+new_user+disputed-faulty_goods@email.de"),
            usual(DisputeReason::ProductsDefectiveOrNotAsDescribed)
        );
        assert_eq!(of("customer+disputed-high_risk_order+x@email.de"), usual(DisputeReason::PurchaseHighRisk));
        assert_eq!(
            of("customer+disputed-non_guaranteed_payment_program@email.de"),
            usual(DisputeReason::NonGuaranteedPaymentProgram)
        );
        for silent in ["customer@email.de", "dispute_win_on_evidence@email.de", "a+disputes@email.de", "no-address"] {
            assert_eq!(of(silent), None, "{silent}");
        }
    }
}
