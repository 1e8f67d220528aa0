//! What was written about a case: Klarna's requests, the Partner's evidence and appeal. It tells of customers, so it is sealed
//! where it is stored. Pure.

use protocol::{DisputeAttachmentId, ValidationError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::case::{Case, Framework, Happened, State};
use super::framework_2020;

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    /// Klarna's requests for evidence with their answers, oldest first; in 2026 there is one.
    pub(super) requests: Vec<Request>,
    /// 2026: the appeal against the preliminary decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) appeal: Option<Statement>,
    /// Where Klarna left the usual way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exceptions: Vec<Exception>,
}

/// Klarna asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) at: i64,
    /// `evidence_request_type`.
    pub(super) kind: String,
    pub(super) comment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Statement>,
}

/// The Partner says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Statement {
    pub(super) at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) additional_information: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attachments: Vec<Attached>,
    /// 2020: the answers by reason, as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) details: Option<Value>,
}

/// A file that a statement is accompanied by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attached {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
}

/// `process_exceptions[]`: both names are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exception {
    pub(super) exception_type: String,
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
}

/// The words of a request that nobody wrote words for.
const USUAL_COMMENT: &str = "Please send what shows that the customer's claim is not justified.";

impl File {
    /// Writes down the requests that happened. `comment` and `kind` are Klarna's words, where a control gave some.
    pub(super) fn note(&mut self, happened: &[Happened], comment: Option<&str>, kind: Option<&str>) {
        for happened in happened.iter().filter(|happened| happened.is_change()) {
            let Happened { case, at, .. } = happened;
            let asks = case.state == State::Of2020(framework_2020::State::MerchantEvidencePending)
                || (case.previous.is_none() && case.state.framework() == Framework::Of2026);
            if asks {
                self.requests.push(Request {
                    at: *at,
                    kind: kind.unwrap_or(case.reason.as_str()).to_owned(),
                    comment: comment.unwrap_or(USUAL_COMMENT).to_owned(),
                    response: None,
                });
            }
        }
    }
}

impl Statement {
    /// From a body that has passed its shape.
    pub(super) fn from_body(body: &Value, at: i64) -> Self {
        Self {
            at,
            additional_information: text(body, "additional_information"),
            attachments: attached(body),
            details: body.get("details").filter(|details| !details.is_null()).cloned(),
        }
    }
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn attached(body: &Value) -> Vec<Attached> {
    let entries = body.get("attachments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = |entry: &Value| {
        let id = text(entry, "payment_dispute_attachment_id")?;
        Some(Attached { id, description: text(entry, "description") })
    };
    entries.iter().filter_map(one).collect()
}

/// Files that a body names must have been uploaded for this dispute by the Partner, and each once.
pub(super) fn check_attachments(body: &Value, uploaded: &[&str], faults: &mut Vec<ValidationError>) {
    for (at, entries) in [
        ("attachments", body.get("attachments")),
        ("details.proof_of_delivery_attachments", body.pointer("/details/proof_of_delivery_attachments")),
    ] {
        let mut seen = Vec::new();
        for (index, entry) in entries.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let Some(id) = entry.get("payment_dispute_attachment_id").and_then(Value::as_str) else { continue };
            let parameter = || format!("{at}[{index}].payment_dispute_attachment_id");
            let known = id.parse::<DisputeAttachmentId>().is_ok_and(|id| uploaded.contains(&id.as_str()));
            if !known {
                faults.push(ValidationError::new(parameter(), "is no file that was uploaded for this dispute"));
            } else if seen.contains(&id) {
                faults.push(ValidationError::new(parameter(), "must not repeat another entry"));
            }
            seen.push(id);
        }
    }
}

/// The question that a case of a reason turns on: `details` that do not answer it say nothing (sheet 05 §3.7).
fn question(case: &Case) -> Option<&'static str> {
    match case.reason.as_str() {
        "RETURN_NOT_REFUNDED" => Some("did_you_receive_the_return"),
        "CAPTURE_AMOUNT_INCORRECT" | "PRODUCTS_FAULTY" | "PRODUCTS_NOT_RECEIVED" => {
            Some("have_you_resolved_the_dispute_with_the_customer")
        }
        "PURCHASE_HIGH_RISK" => Some("shipping"),
        "PURCHASE_UNAUTHORIZED" => Some("product_type"),
        _ => None,
    }
}

/// Answers that need another beside them, as every published example has it.
const NEEDED_WITH: [(&str, &str, &str); 3] = [
    ("did_you_receive_the_return", "RETURN_REJECTED_NO_REFUND", "return_rejected_reason"),
    ("have_you_resolved_the_dispute_with_the_customer", "NO_DISPUTE_NOT_ACCEPTED", "not_accepted_reason"),
    ("have_you_resolved_the_dispute_with_the_customer", "YES_OTHER_RESOLUTION", "resolution_type"),
];

/// Ours: `details` may be absent, but if they are there they answer what the reason asks.
pub(super) fn check_details(case: &Case, body: &Value, faults: &mut Vec<ValidationError>) {
    let Some(details) = body.get("details").filter(|details| details.is_object()) else { return };
    let given = |name: &str| details.get(name).and_then(Value::as_str);
    if let Some(question) = question(case)
        && given(question).is_none()
    {
        let reason = format!("is required for a dispute with the reason {}", case.reason);
        faults.push(ValidationError::new(format!("details.{question}"), reason));
    }
    for (question, answer, needed) in NEEDED_WITH {
        if given(question) == Some(answer) && given(needed).is_none() {
            faults.push(ValidationError::new(format!("details.{needed}"), format!("is required with {answer}")));
        }
    }
}
