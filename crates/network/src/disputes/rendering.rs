//! Disputes on the wire: the object of each framework, and what events tell. Pure.
//!
//! An object leaves out what it has nothing to say of. The newest paths show every dispute as one of 2026; there a dispute of 2020
//! is INITIATED until it is CLOSED, and says nothing of why (sheet 05 §3.1).

use protocol::{DisputeFramework, PartnerAccountId, Timestamp};
use serde_json::{Map, Value, json};

use super::case::{Case, Finding, Framework, Happened, State};
use super::file::{Attached, Statement};
use super::store::AttachmentRow;
use super::stored::StoredDispute;
use super::{framework_2020, framework_2026};
use crate::ctx::Ctx;

/// How a caller sees disputes.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Every dispute as one of 2026.
    pub(super) newest: bool,
    /// Below which its files are downloaded: `https://…/v2/accounts/A/payment/disputes`.
    pub(super) base: String,
}

impl View {
    /// Of callers at the newest paths, which name no account, or at those of an account.
    pub(super) fn new(ctx: &Ctx, account: &PartnerAccountId, newest: bool) -> Self {
        let base = &ctx.config.base_url;
        let base = if newest {
            format!("{base}/v4/payment/disputes")
        } else {
            format!("{base}/v2/accounts/{account}/payment/disputes")
        };
        Self { newest, base }
    }

    /// Of events.
    pub(super) fn of_events(ctx: &Ctx, account: &PartnerAccountId) -> Self {
        Self::new(ctx, account, false)
    }
}

struct Object(Map<String, Value>);

impl Object {
    fn new() -> Self {
        Self(Map::new())
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        let is_empty = match &value {
            Value::Null => true,
            Value::Object(members) => members.is_empty(),
            Value::Array(entries) => entries.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// A time on the wire; null if it is beyond what can be written.
fn time(at: i64) -> Value {
    json!(Timestamp::from_micros(at).ok())
}

fn maybe_time(at: Option<i64>) -> Value {
    at.map_or(Value::Null, time)
}

/// The object.
pub(super) fn dispute(stored: &StoredDispute, view: &View) -> Value {
    match stored.case.state.framework() {
        Framework::Of2020 if !view.newest => of_2020(stored, view),
        Framework::Of2020 | Framework::Of2026 => of_2026(stored, view),
    }
}

/// What both objects and all events name a dispute by.
fn names(stored: &StoredDispute, object: &mut Object) {
    let row = &stored.row;
    object
        .put("payment_dispute_id", row.dispute_id.as_str())
        .put("payment_transaction_id", row.transaction_id.as_str())
        .put("payment_transaction_reference", row.transaction_reference.as_deref())
        .put("purchase_reference", row.purchase_reference.as_deref())
        .put("payment_capture_id", row.capture_id.as_str())
        .put("payment_capture_reference", row.capture_reference.as_deref())
        .put("payment_account_id", row.payment_account_id.as_str())
        .put("payment_account_reference", row.payment_account_reference.as_str());
}

/// The second world of names, of the newest framework.
fn older_names(stored: &StoredDispute, object: &mut Object) {
    let row = &stored.row;
    object
        .put("order_id", row.order_id.as_str())
        .put("capture_krn", row.capture_id.as_str())
        .put("capture_id", row.capture_reference.as_deref());
}

fn configuration(case: &Case) -> Value {
    json!({"base_framework": case.state.framework().wire(), "options": {"hold_policy": case.hold.as_str()}})
}

fn of_2020(stored: &StoredDispute, view: &View) -> Value {
    let (case, row, file) = (&stored.case, &stored.row, &stored.file);
    let mut object = Object::new();
    names(stored, &mut object);
    object
        .put("partner_account_id", row.account_id.as_str())
        .put("product_id", row.product_id.as_str())
        .put("reason", case.reason.as_str())
        .put("state", case.state.as_str())
        .put("previous_state", case.previous.map(State::as_str))
        .put("dispute_amount", case.amount)
        .put("currency", row.currency.as_str())
        .put("opened_at", time(case.opened_at))
        .put("updated_at", time(case.updated_at))
        .put("closed_at", maybe_time(row.closed_at))
        .put("deadline_expires_at", maybe_time(case.deadline_at))
        .put("state_context", context_of_2020(stored, case))
        .put("configuration", configuration(case));
    let last = file.requests.len().saturating_sub(1);
    let evidence = file.requests.iter().enumerate().map(|(index, request)| {
        let waits = case.state == State::Of2020(framework_2020::State::MerchantEvidencePending) && index == last;
        // Ours: the states of the newer framework, as nobody shows others.
        let state = match &request.response {
            Some(_) => "EVIDENCE_RECEIVED",
            None if waits => "EVIDENCE_REQUESTED",
            None => "EVIDENCE_REQUEST_EXPIRED",
        };
        let mut entry = Object::new();
        entry
            .put("payment_dispute_merchant_evidence_id", merchant_evidence_id(stored, index + 1))
            .put("request", json!({"created_at": time(request.at), "state": state, "comment": request.comment}));
        if let Some(response) = &request.response {
            let mut said = statement(stored, response, view);
            if let Some(details) = &response.details {
                said["details"] = details.clone();
            }
            entry.put("response", said);
        }
        entry.done()
    });
    object.put("merchant_evidence", evidence.collect::<Value>());
    object.put("customer_evidence", customer_evidence(stored, view));
    object.done()
}

fn context_of_2020(stored: &StoredDispute, case: &Case) -> Value {
    let mut context = Object::new();
    match case.state {
        State::Of2020(framework_2020::State::MerchantEvidencePending) => {
            context
                .put("evidence_request_type", stored.file.requests.last().map(|request| request.kind.as_str()))
                .put("evidence_response_deadline_at", maybe_time(case.deadline_at));
        }
        _ if case.state.is_closed() => outcome(case, &mut context),
        _ => {}
    }
    context.done()
}

/// The closing members, flat as events and `state_context` have them. Details are a thing of 2026.
fn outcome(case: &Case, object: &mut Object) {
    let Some(closing) = &case.closing else { return };
    object.put("dispute_outcome", closing.finding.outcome.as_str());
    if case.state.framework() == Framework::Of2026 {
        object.put("dispute_outcome_detailed", closing.finding.detailed.as_str());
    }
    object.put("closed_at", time(closing.at));
}

fn of_2026(stored: &StoredDispute, view: &View) -> Value {
    let (case, row) = (&stored.case, &stored.row);
    let (state, previous) = shown(case);
    let mut object = Object::new();
    names(stored, &mut object);
    older_names(stored, &mut object);
    object
        .put("partner_account_id", row.account_id.as_str())
        .put("product_id", row.product_id.as_str())
        .put("dispute_reason", case.reason.under(&DisputeFramework::Framework2026).as_str())
        .put("state", state.as_str())
        .put("previous_state", previous.map(framework_2026::State::as_str))
        .put("dispute_details", details(stored))
        .put("representment", representment(stored, case, view))
        .put("arbitration", arbitration(stored, case, view))
        .put("customer_evidences", customer_evidence(stored, view))
        .put("process_exceptions", exceptions(stored))
        .put("configuration", configuration(case))
        .put("created_at", time(case.opened_at))
        .put("updated_at", time(case.updated_at));
    let mut context = Object::new();
    match state {
        framework_2026::State::Initiated => {
            context.put("representment", representment(stored, case, view));
        }
        framework_2026::State::Representment => {
            context.put("partner_evidence", evidence(stored, view));
        }
        framework_2026::State::PreArbitration => {
            context.put("arbitration_expires_at", maybe_time(case.deadline_at));
        }
        framework_2026::State::Arbitration => {}
        framework_2026::State::Closed => outcome(case, &mut context),
    }
    object.0.insert("state_context".to_owned(), context.done());
    object.done()
}

/// The states that a case shows in the newest framework, whichever it follows.
fn shown(case: &Case) -> (framework_2026::State, Option<framework_2026::State>) {
    use framework_2026::State::{Closed, Initiated};
    match (case.state, case.previous) {
        (State::Of2026(state), Some(State::Of2026(previous))) => (state, Some(previous)),
        (State::Of2026(state), _) => (state, None),
        (State::Of2020(framework_2020::State::Closed), _) => (Closed, Some(Initiated)),
        (State::Of2020(_), _) => (Initiated, None),
    }
}

fn details(stored: &StoredDispute) -> Value {
    json!({"dispute_amount": stored.case.amount, "currency": stored.row.currency, "created_by": stored.row.created_by})
}

/// Of `case`, which may be an earlier one than the stored.
fn representment(stored: &StoredDispute, case: &Case, view: &View) -> Value {
    let mut object = Object::new();
    let Some(state) = case.representment else {
        // A dispute of 2020: what is known of Klarna's waiting for evidence.
        let waits = case.state == State::Of2020(framework_2020::State::MerchantEvidencePending);
        if waits {
            object.put("state", "EVIDENCE_REQUESTED").put("expires_at", maybe_time(case.deadline_at));
        }
        return object.done();
    };
    object.put("state", state.as_str());
    if state != super::case::Representment::EvidenceRequested {
        object.put("previous_state", "EVIDENCE_REQUESTED");
    }
    let initiated = case.state == State::Of2026(framework_2026::State::Initiated);
    object.put("expires_at", maybe_time(case.deadline_at.filter(|_| initiated)));
    if let Some(request) = stored.file.requests.first() {
        object.put("request", json!({"requested_at": time(request.at), "additional_information": request.comment}));
    }
    if case.answered {
        object.put("partner_evidence", evidence(stored, view));
        object.put("partner_proposed_refund_amount", case.proposed);
    }
    object.done()
}

fn evidence(stored: &StoredDispute, view: &View) -> Value {
    let response = stored.file.requests.first().and_then(|request| request.response.as_ref());
    response.map_or(Value::Null, |response| statement(stored, response, view))
}

fn finding(finding: Option<&Finding>, object: &mut Object) {
    if let Some(finding) = finding {
        object.put("preliminary_outcome", finding.outcome.as_str());
        object.put("preliminary_outcome_detailed", finding.detailed.as_str());
    }
}

fn arbitration(stored: &StoredDispute, case: &Case, view: &View) -> Value {
    let mut object = Object::new();
    finding(case.preliminary.as_ref().filter(|_| case.state.framework() == Framework::Of2026), &mut object);
    object.put("arbitration_request", arbitration_request(stored, view));
    object.done()
}

fn arbitration_request(stored: &StoredDispute, view: &View) -> Value {
    let Some(appeal) = &stored.file.appeal else { return Value::Null };
    let mut said = statement(stored, appeal, view);
    if let Some(members) = said.as_object_mut()
        && let Some(at) = members.remove("created_at")
    {
        members.insert("requested_at".to_owned(), at);
    }
    said
}

/// The answer to a statement that was just made: where it led, and what was said.
pub(super) fn statement_made(stored: &StoredDispute, said: &Statement, view: &View) -> Value {
    let mut made = statement(stored, said, view);
    made["state"] = json!(stored.case.state.as_str());
    if let Some(details) = &said.details {
        made["details"] = details.clone();
    }
    made
}

/// Ours: the sheets show no form for it.
pub(super) fn merchant_evidence_id(stored: &StoredDispute, number: usize) -> String {
    format!("{}:merchant-evidence:{number}", stored.id)
}

/// What the Partner said, with its files.
fn statement(stored: &StoredDispute, statement: &Statement, view: &View) -> Value {
    let mut object = Object::new();
    object
        .put("created_at", time(statement.at))
        .put("additional_information", statement.additional_information.as_deref())
        .put("attachments", statement.attachments.iter().map(|one| attached(stored, one, view)).collect::<Value>());
    object.done()
}

fn attached(stored: &StoredDispute, one: &Attached, view: &View) -> Value {
    let mut object = Object::new();
    object.put("payment_dispute_attachment_id", one.id.as_str()).put("description", one.description.as_deref());
    if let Some(row) = stored.attachments.iter().find(|row| row.attachment_id == one.id) {
        object.put("mime_type", row.mime_type.as_str()).put("url", url(stored, row, view));
    }
    object.done()
}

fn url(stored: &StoredDispute, row: &AttachmentRow, view: &View) -> String {
    format!("{}/{}/attachments/{}/download", view.base, stored.id, row.attachment_id)
}

/// Ours: an evidence of the customer has the id of its file, so that either downloads it.
fn customer_evidence(stored: &StoredDispute, view: &View) -> Value {
    let of_customer = stored.attachments.iter().filter(|row| row.of_customer);
    let entry = |row: &AttachmentRow| {
        let mut attachment = Object::new();
        attachment
            .put("payment_dispute_attachment_id", row.attachment_id.as_str())
            .put("description", row.description.as_deref())
            .put("mime_type", row.mime_type.as_str())
            .put("url", url(stored, row, view));
        json!({"payment_dispute_customer_evidence_id": row.attachment_id, "attachment": attachment.done()})
    };
    of_customer.map(entry).collect()
}

fn exceptions(stored: &StoredDispute) -> Value {
    let entry = |one: &super::file::Exception| {
        let mut object = Object::new();
        object
            .put("exception_type", one.exception_type.as_str())
            .put("reason", one.reason.as_str())
            .put("description", one.description.as_deref());
        object.done()
    };
    stored.file.exceptions.iter().map(entry).collect()
}

/// What an event tells: the dispute as it was right after it (sheets 01 §11.3, 05 §3.6).
pub(super) fn payload(stored: &StoredDispute, happened: &Happened, view: &View) -> Value {
    let case = &happened.case;
    let mut object = Object::new();
    names(stored, &mut object);
    object.put("state", case.state.as_str()).put("previous_state", case.previous.map(State::as_str));
    object.put("updated_at", time(case.updated_at));
    object.put("configuration", configuration(case));
    match case.state {
        State::Of2020(_) => {
            object
                .put("reason", case.reason.as_str())
                .put("dispute_amount", case.amount)
                .put("currency", stored.row.currency.as_str())
                .put("opened_at", time(case.opened_at))
                .put("deadline_expires_at", maybe_time(case.deadline_at))
                .put("state_context", context_of_2020(stored, case));
            if let Some(previous) = happened.previous_deadline_at {
                // Ours: named by what the deadline is for.
                let name = match case.state {
                    State::Of2020(framework_2020::State::PreArbitration) => "arbitration_deadline_at",
                    _ => "evidence_response_deadline_at",
                };
                extension(name, previous, case, &mut object);
            } else if case.state.is_closed() {
                outcome(case, &mut object);
            }
        }
        State::Of2026(state) => {
            older_names(stored, &mut object);
            if let Some(previous) = happened.previous_deadline_at {
                object.put("currency", stored.row.currency.as_str());
                extension("evidence_response_deadline_at", previous, case, &mut object);
                return object.done();
            }
            match state {
                framework_2026::State::Initiated => {
                    object
                        .put("dispute_reason", case.reason.as_str())
                        .put("representment", representment(stored, case, view))
                        .put("dispute_details", details(stored))
                        .put("created_at", time(case.opened_at));
                }
                framework_2026::State::Representment => {
                    object.put("partner_evidence", evidence(stored, view));
                }
                framework_2026::State::PreArbitration => {
                    let mut found = Object::new();
                    finding(case.preliminary.as_ref(), &mut found);
                    object.put("arbitration_expires_at", maybe_time(case.deadline_at)).put("arbitration", found.done());
                }
                framework_2026::State::Arbitration => {
                    object.put("arbitration_request", arbitration_request(stored, view));
                }
                framework_2026::State::Closed => outcome(case, &mut object),
            }
        }
    }
    object.done()
}

fn extension(name: &str, previous: i64, case: &Case, object: &mut Object) {
    object
        .put("updated_fields", json!({name: maybe_time(case.deadline_at)}))
        .put("previous_fields", json!({name: time(previous)}));
}
