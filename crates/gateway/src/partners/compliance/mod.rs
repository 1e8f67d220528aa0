//! What Klarna found about a Partner (NET-3): whether its screening let it in, and every compliance decision since, each with its
//! reason.
//!
//! A decision is heard of by webhook, within seconds. Should that be lost, the account's suspension is noticed all the same (by the
//! product's webhook or by the alignment), and a look at Klarna's list fills the gap: [`expect`] asks for one whenever Klarna
//! suspends. Klarna's id of a decision keeps it from being told twice.

pub mod api;
mod jobs;
mod store;

use kit::db::Tx;
use kit::http::ApiError;
use protocol::Timestamp;
use serde_json::{Value, json};

use super::record::Record;
use crate::Ctx;
use crate::events::{self, NewEvent, wire_time};
use store::DecisionRow;

pub(super) use api::routes;
pub(super) use jobs::{expect, register};

/// Whether a Partner was let in.
const SCREENING: &str = "SCREENING";
/// Something that Klarna decided about a Partner that it had let in.
const COMPLIANCE: &str = "COMPLIANCE";

/// The decisions that are known, and what they mean (fact sheet 02 §4.3). Klarna may add others.
const MEANINGS: [(&str, &str); 4] = [
    ("FRAUDULENT_BEHAVIOUR", "Klarna saw behaviour that it takes for fraud."),
    ("NON_COMPLIANT", "Klarna found a breach of its network's rules."),
    ("PROHIBITED_OR_RESTRICTED_SEGMENT", "What the Partner sells is in a segment that Klarna prohibits or restricts."),
    ("OTHER_RISK", "Klarna sees a risk that it does not name."),
];

/// What Klarna found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    kind: &'static str,
    outcome: String,
    reason: String,
    klarna_id: Option<String>,
    product_id: Option<String>,
    /// In microseconds UTC.
    decided_at: i64,
}

impl Finding {
    /// A decision as Klarna shows or tells it; `at` where it does not say when. `None` for what has no id.
    pub fn decision(shown: &Value, at: i64) -> Option<Self> {
        let text = |name: &str| shown.get(name).and_then(Value::as_str).map(str::to_owned);
        let outcome = text("decision_type").unwrap_or_else(|| "OTHER_RISK".to_owned());
        let known = MEANINGS.iter().find(|(name, _)| *name == outcome).map(|(_, meaning)| *meaning);
        let created_at = text("created_at").and_then(|text| text.parse::<Timestamp>().ok());
        Some(Self {
            kind: COMPLIANCE,
            reason: known.unwrap_or("Klarna gives no further reason.").to_owned(),
            outcome,
            klarna_id: Some(text("decision_id")?),
            product_id: text("product_instance_id"),
            decided_at: created_at.map_or(at, Timestamp::as_micros),
        })
    }

    /// The screening let the Partner in, at a time in microseconds UTC.
    pub fn approved(at: i64) -> Self {
        Self::screening("APPROVED", "Klarna's screening let the Partner in.".to_owned(), at)
    }

    /// The screening rejected the Partner; `reason` in Klarna's words.
    pub fn rejected(reason: &str, at: i64) -> Self {
        Self::screening("REJECTED", reason.to_owned(), at)
    }

    fn screening(outcome: &str, reason: String, decided_at: i64) -> Self {
        let outcome = outcome.to_owned();
        Self { kind: SCREENING, outcome, reason, klarna_id: None, product_id: None, decided_at }
    }
}

/// Writes down what was found, in the transaction that heard of it; its view, or `None` if it was known.
///
/// # Errors
/// As the database says.
pub(super) async fn note(
    tx: &mut Tx,
    ctx: &Ctx,
    partner_id: &str,
    finding: &Finding,
) -> Result<Option<Value>, ApiError> {
    let now = ctx.clock.now();
    let row = DecisionRow {
        decision_id: format!("dec_{}", ctx.random.id(now).simple()),
        kind: finding.kind.to_owned(),
        outcome: finding.outcome.clone(),
        reason: finding.reason.clone(),
        klarna_id: finding.klarna_id.clone(),
        product_id: finding.product_id.clone(),
        decided_at: finding.decided_at,
        heard_at: now,
    };
    if !store::insert(tx, partner_id, &row).await? {
        return Ok(None);
    }
    // What lets a Partner in is nothing to look after; an import has thousands of them.
    if finding.outcome == "APPROVED" {
        tracing::info!(partner.id = partner_id, decision.kind = finding.kind, "Klarna decided: APPROVED");
    } else {
        tracing::warn!(partner.id = partner_id, decision.kind = finding.kind, "Klarna decided: {}", finding.outcome);
    }
    metrics::counter!("partner_decisions_total", "kind" => finding.kind, "outcome" => finding.outcome.clone())
        .increment(1);
    Ok(Some(view(&row)))
}

/// Writes down a decision and tells the Partner, whether it was onboarded here or not. False if it was known.
///
/// # Errors
/// As the database says.
pub(super) async fn hear(
    tx: &mut Tx,
    ctx: &Ctx,
    partner_id: &str,
    record: Option<&Record>,
    finding: &Finding,
) -> Result<bool, ApiError> {
    let Some(decision) = note(tx, ctx, partner_id, finding).await? else { return Ok(false) };
    let partner = record.map_or_else(|| json!({"id": partner_id}), Record::listed);
    let event = NewEvent {
        partner_id,
        event_type: "partner.compliance_decision",
        payment_id: None,
        data: json!({"partner": partner, "decision": decision}),
        occurred_at: ctx.clock.now(),
    };
    events::emit(tx, ctx, &event).await?;
    Ok(true)
}

fn view(row: &DecisionRow) -> Value {
    json!({"id": row.decision_id, "kind": row.kind, "outcome": row.outcome, "reason": row.reason,
        "klarna_decision_id": row.klarna_id, "klarna_product_id": row.product_id,
        "decided_at": wire_time(row.decided_at), "heard_at": wire_time(row.heard_at)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_read_with_its_meaning_and_one_without_an_id_is_none() {
        let shown =
            json!({"decision_id": "d-1", "decision_type": "NON_COMPLIANT", "created_at": "2026-03-02T10:00:00Z"});
        let finding = Finding::decision(&shown, 7).unwrap();
        assert_eq!((finding.kind, finding.decided_at), (COMPLIANCE, 1_772_445_600_000_000));
        assert!(finding.reason.contains("breach"));
        let unheard_of = Finding::decision(&json!({"decision_id": "d-2", "decision_type": "MOON_PHASE"}), 7).unwrap();
        assert_eq!((unheard_of.outcome.as_str(), unheard_of.decided_at), ("MOON_PHASE", 7));
        assert_eq!(Finding::decision(&json!({"decision_type": "NON_COMPLIANT"}), 7), None);
    }
}
