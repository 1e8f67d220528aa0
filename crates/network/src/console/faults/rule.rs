//! A rule: what it concerns, what it does, how often. Pure.

use kit::http::FieldFault;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::calls::matcher::{Reading, fits};

/// Longest delay, in milliseconds: below the deadline of requests and the lease of jobs is renewed.
const DELAY_MS_MAX: i64 = 60_000;
/// How long a webhook waits for another to overtake it, if nothing else is said.
const REORDER_MS: u64 = 2_000;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub(crate) enum Effect {
    /// A call takes longer.
    Latency { delay_ms: u64 },
    /// A call is answered so. It does nothing, unless `executes`.
    Status {
        status: u16,
        #[serde(default)]
        error_code: Option<String>,
        #[serde(default)]
        error_message: Option<String>,
        #[serde(default)]
        executes: bool,
    },
    /// The connection ends without an answer, after the call was carried out unless `executes` is false.
    Drop { executes: bool },
    /// The call is carried out, and its answer breaks off in the middle.
    Truncate,
    /// A webhook is sent twice.
    DuplicateWebhook,
    /// A webhook comes later.
    DelayWebhook { delay_ms: u64 },
    /// A webhook waits until another one has been sent, or for so long.
    ReorderWebhook { delay_ms: u64 },
    /// An attempt is not sent, and counts as failed: the schedule goes on.
    DropWebhook,
}

impl Effect {
    /// Whether it is about webhooks, not calls.
    pub(crate) fn is_of_webhooks(&self) -> bool {
        match self {
            Self::Latency { .. } | Self::Status { .. } | Self::Drop { .. } | Self::Truncate => false,
            Self::DuplicateWebhook | Self::DelayWebhook { .. } | Self::ReorderWebhook { .. } | Self::DropWebhook => {
                true
            }
        }
    }
}

/// The names of all effects, for callers and forms.
pub(crate) const EFFECTS: [&str; 8] =
    ["latency", "status", "drop", "truncate", "duplicate_webhook", "delay_webhook", "reorder_webhook", "drop_webhook"];

/// What a rule concerns; what is absent concerns everything, and `*` stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Concerns {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Acted for, or told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
}

/// A rule without its counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(rename = "match")]
    pub concerns: Concerns,
    #[serde(flatten)]
    pub effect: Effect,
    /// Of a hundred that it concerns, it strikes so many.
    pub share: u8,
}

/// A call that might go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called<'a> {
    pub operation: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub account_id: &'a str,
}

/// A webhook that might go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub event_type: &'a str,
    pub webhook_id: &'a str,
    pub account_ids: [&'a str; 2],
}

fn pattern(wanted: &Option<String>, given: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| fits(wanted, given))
}

impl Rule {
    pub(crate) fn concerns_call(&self, call: &Called<'_>) -> bool {
        let wanted = &self.concerns;
        !self.effect.is_of_webhooks()
            && pattern(&wanted.operation, call.operation)
            && wanted.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(call.method))
            && pattern(&wanted.path, call.path)
            && pattern(&wanted.account_id, call.account_id)
    }

    pub(crate) fn concerns_webhook(&self, told: &Told<'_>) -> bool {
        let wanted = &self.concerns;
        self.effect.is_of_webhooks()
            && pattern(&wanted.event_type, told.event_type)
            && pattern(&wanted.webhook_id, told.webhook_id)
            && told.account_ids.iter().any(|account| pattern(&wanted.account_id, account))
    }
}

/// Whether the `matched`th match of a rule is struck: the same for the same seed, on every run.
pub(crate) fn strikes(seed: i64, matched: i64, share: u8) -> bool {
    // SplitMix64: spreads consecutive numbers evenly. Nothing secret hangs on it.
    let mut z = (seed as u64).wrapping_add((matched as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % 100 < u64::from(share)
}

/// Reads a rule and how often it strikes at most, or says everything that is wrong with it.
pub(crate) fn read(body: &Value) -> Result<(Rule, Option<i64>), Vec<FieldFault>> {
    let mut reading = Reading::of(body, "match");
    let concerns = Concerns {
        operation: reading.text("operation"),
        method: reading.text("method"),
        path: reading.text("path"),
        account_id: reading.text("account_id"),
        event_type: reading.text("event_type"),
        webhook_id: reading.text("webhook_id"),
    };
    let mut faults = reading.faults;
    let mut top = Reading::of(body, "");
    let effect = top.text("effect");
    let mut number = |name: &str, min: i64, max: i64| {
        let value = body.get(name).filter(|value| !value.is_null())?;
        let read = value.as_i64().filter(|number| (min..=max).contains(number));
        if read.is_none() {
            faults.push(FieldFault::new(name, format!("must be an integer from {min} to {max}")));
        }
        read
    };
    let share = number("share", 1, 100).unwrap_or(100);
    let times = number("times", 1, 1_000_000);
    let delay_ms = number("delay_ms", 1, DELAY_MS_MAX).map(i64::unsigned_abs);
    let status = number("status", 400, 599);
    let (error_code, error_message) = (top.text("error_code"), top.text("error_message"));
    let executes = match body.get("executes").filter(|value| !value.is_null()) {
        None => None,
        Some(Value::Bool(executes)) => Some(*executes),
        Some(_) => {
            faults.push(FieldFault::new("executes", "must be true or false"));
            None
        }
    };
    faults.append(&mut top.faults);
    let mut missing = |name: &str| {
        if !faults.iter().any(|fault| fault.parameter == name) {
            faults.push(FieldFault::new(name, "is required for this effect"));
        }
        None
    };
    let effect = match effect.as_deref() {
        Some("latency") => delay_ms.map(|delay_ms| Effect::Latency { delay_ms }).or_else(|| missing("delay_ms")),
        Some("status") => status
            .and_then(|status| u16::try_from(status).ok())
            .map(|status| Effect::Status { status, error_code, error_message, executes: executes == Some(true) })
            .or_else(|| missing("status")),
        Some("drop") => Some(Effect::Drop { executes: executes != Some(false) }),
        Some("truncate") => Some(Effect::Truncate),
        Some("duplicate_webhook") => Some(Effect::DuplicateWebhook),
        Some("delay_webhook") => {
            delay_ms.map(|delay_ms| Effect::DelayWebhook { delay_ms }).or_else(|| missing("delay_ms"))
        }
        Some("reorder_webhook") => Some(Effect::ReorderWebhook { delay_ms: delay_ms.unwrap_or(REORDER_MS) }),
        Some("drop_webhook") => Some(Effect::DropWebhook),
        _ => {
            if !faults.iter().any(|fault| fault.parameter == "effect") {
                faults.push(FieldFault::new("effect", format!("must be one of {}", EFFECTS.join(", "))));
            }
            None
        }
    };
    if let Some(effect) = &effect {
        let of_webhooks = effect.is_of_webhooks();
        for (name, given, is_of_webhooks) in [
            ("match.operation", concerns.operation.is_some(), false),
            ("match.method", concerns.method.is_some(), false),
            ("match.path", concerns.path.is_some(), false),
            ("match.event_type", concerns.event_type.is_some(), true),
            ("match.webhook_id", concerns.webhook_id.is_some(), true),
        ] {
            if given && is_of_webhooks != of_webhooks {
                let what = if of_webhooks { "webhooks" } else { "calls" };
                faults.push(FieldFault::new(name, format!("must be absent: this effect is about {what}")));
            }
        }
    }
    match effect {
        Some(effect) if faults.is_empty() => {
            Ok((Rule { concerns, effect, share: u8::try_from(share).unwrap_or(100) }, times))
        }
        _ => Err(faults),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chance_repeats_with_the_seed_and_keeps_to_its_share() {
        let struck = |seed| (0..10_000).filter(|n| strikes(seed, *n, 25)).collect::<Vec<_>>();
        assert_eq!(struck(7), struck(7));
        assert_ne!(struck(7), struck(8));
        assert!((2_300..2_700).contains(&struck(7).len()), "{}", struck(7).len());
        assert!((0..100).all(|n| strikes(1, n, 100)));
    }

    #[test]
    fn a_rule_is_kept_as_it_was_read() {
        let body = json!({"effect": "status", "status": 503, "share": 50, "times": 3, "executes": true,
            "match": {"operation": "authorize*", "account_id": "krn:x"}});
        let (rule, times) = read(&body).unwrap();
        assert_eq!(times, Some(3));
        let again: Rule = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
        assert_eq!(again, rule);
        let call = Called { operation: "authorizePayment", method: "POST", path: "/", account_id: "krn:x" };
        assert!(rule.concerns_call(&call));
        assert!(!rule.concerns_call(&Called { account_id: "krn:y", ..call }));
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let body =
            json!({"effect": "status", "share": 0, "times": 0, "executes": 1, "match": {"path": 1, "event_type": "x"}});
        let names: Vec<String> = read(&body).unwrap_err().into_iter().map(|fault| fault.parameter).collect();
        assert_eq!(names, ["match.path", "share", "times", "executes", "status"]);
        let names = |body: Value| -> Vec<String> {
            read(&body).unwrap_err().into_iter().map(|fault| fault.parameter).collect()
        };
        assert_eq!(names(json!({})), ["effect"]);
        assert_eq!(names(json!({"effect": "latency"})), ["delay_ms"]);
        assert_eq!(names(json!({"effect": "drop", "match": {"event_type": "x"}})), ["match.event_type"]);
    }
}
