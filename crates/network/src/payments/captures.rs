//! Capturing.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::PartnerAccountId;
use serde_json::Value;

use super::bodies::{amount, carried, check_lines, data, lines, text};
use super::store::{self, CaptureRow};
use super::stored::{StoredTransaction, locked};
use super::transaction::{Capture, CaptureCommand};
use crate::ctx::Ctx;
use crate::disputes;
use crate::operation::conflict;

/// What a capture keeps and shows as it came.
const CARRIED: [&str; 3] = ["klarna_network_data", "interoperability_data", "supplementary_purchase_data"];

/// Captures; the body has passed its shape. Returns the capture.
pub(super) async fn capture(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    body: &Value,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let command = CaptureCommand {
        amount: amount(body, "capture_amount"),
        reference: text(body, "payment_capture_reference"),
        release: text(body, "remaining_authorization").as_deref() == Some("RELEASE"),
    };
    let (core, capture, happened) = stored.core.capture(command, ctx.clock.now())?;
    let sent = lines(body, "supplementary_capture_data");
    check_lines(&sent, capture.amount)?;
    let data = data(body, "supplementary_capture_data", sent.1);
    let carried = carried(body, &CARRIED);
    let row = stored.insert_capture(tx, &capture, data, carried, "payment_capture_reference").await?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    stored.foresee_dispute(tx, ctx, &row).await?;
    serde_json::to_string(&stored.wire_capture(&row)?).map_err(ApiError::internal)
}

impl StoredTransaction {
    /// A test customer may dispute every capture.
    pub(super) async fn foresee_dispute(&self, tx: &mut Tx, ctx: &Ctx, row: &CaptureRow) -> Result<(), ApiError> {
        let capture = self.capture_id(row.number);
        disputes::foresee(tx, ctx, &self.account, &capture, self.row.purchase_data.as_deref()).await
    }

    pub(super) async fn insert_capture(
        &self,
        tx: &mut Tx,
        capture: &Capture,
        data: Option<String>,
        passthrough: Option<String>,
        parameter: &str,
    ) -> Result<CaptureRow, ApiError> {
        let row = CaptureRow {
            number: capture.number,
            reference: capture.reference.clone(),
            amount: capture.amount,
            refunded: capture.refunded,
            charged_back: capture.charged_back,
            captured_at: capture.captured_at,
            data,
            passthrough,
        };
        if store::insert_capture(tx, self.account.as_str(), self.core.id.as_str(), &row).await? {
            return Ok(row);
        }
        Err(conflict("The payment_capture_reference is taken by another capture.")
            .field(parameter, "is the reference of another capture of this payment transaction"))
    }
}
