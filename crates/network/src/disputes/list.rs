//! What a list of disputes is asked for: filters under the names of both generations, and the order.

use axum::extract::{FromRequestParts, OriginalUri};
use http::request::Parts;
use kit::http::{ApiError, FieldFault};
use protocol::{DisputeReason, Timestamp};
use url::form_urlencoded;

use super::case::{Framework, State};
use super::store::{FEW_MAX, Filter, MANY_MAX, Sort, SortBy};
use super::{framework_2020, framework_2026};
use crate::ctx::Ctx;
use crate::operation::OnBehalf;
use crate::paging::many;

/// The filters of a call, for its account; an extractor that refuses nonsense with 400, naming every faulty parameter.
#[derive(Clone, Debug)]
pub(super) struct Asked(pub(super) Filter);

impl FromRequestParts<Ctx> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let on = OnBehalf::from_request_parts(parts, ctx).await?;
        let uri = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone());
        let newest = uri.path().starts_with("/v4/");
        let mut filter = read(uri.query().unwrap_or_default(), newest).map_err(ApiError::validation)?;
        filter.account = on.account.to_string();
        Ok(Self(filter))
    }
}

fn read(query: &str, newest: bool) -> Result<Filter, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let mut texts = |names: &[&'static str], max: usize| {
        let mut values = Vec::new();
        for name in names {
            let of_name = many(query, name);
            if of_name.len() > max {
                faults.push(FieldFault::new(*name, format!("must have at most {max} values")));
            }
            if of_name.iter().any(|value| value.chars().count() > 255 || value.chars().any(char::is_control)) {
                faults.push(FieldFault::new(*name, "must have values of 1 to 255 characters"));
            }
            values.extend(of_name);
        }
        values
    };
    let transactions = texts(&["payment_transaction_id", "payment_transaction_ids"], MANY_MAX);
    let orders = texts(&["order_ids"], MANY_MAX);
    let purchase_references = texts(&["purchase_references"], FEW_MAX);
    let asked_states = texts(&["state"], MANY_MAX);
    let asked_reasons = texts(&["reason"], FEW_MAX);
    let product = texts(&["payment_product_instance_id"], 1).pop();
    let sort_by = texts(&["sort_by"], 4);

    let mut states: Vec<String> = Vec::new();
    for state in &asked_states {
        let stored = stored_states(state, newest);
        if stored.is_empty() {
            faults.push(FieldFault::new("state", "must be states of disputes"));
        }
        states.extend(stored);
    }
    states.sort();
    states.dedup();
    // A reason has a name in each framework, and both are meant.
    let mut reasons: Vec<String> = Vec::new();
    for reason in asked_reasons {
        let reason = DisputeReason::from(reason.as_str());
        let names = [Framework::Of2020, Framework::Of2026].map(|framework| reason.under(&framework.wire()).to_string());
        reasons.extend(if newest { names.to_vec() } else { vec![reason.to_string()] });
    }
    reasons.sort();
    reasons.dedup();

    let mut window = |names: &[&str]| {
        let mut end = |suffix: &str| {
            names.iter().find_map(|name| {
                let name = format!("{name}_{suffix}");
                let (_, value) = form_urlencoded::parse(query.as_bytes()).find(|(given, _)| *given == name)?;
                if value.is_empty() {
                    return None;
                }
                match value.parse::<Timestamp>() {
                    Ok(at) => Some(at.as_micros()),
                    Err(_) => {
                        faults.push(FieldFault::new(name, "must be a time like 2026-03-02T10:00:00.000Z"));
                        None
                    }
                }
            })
        };
        (end("start"), end("end"))
    };
    let opened = window(&["opened_at", "created_at"]);
    let closed = window(&["closed_at"]);
    let updated = window(&["updated_at"]);

    let sort = match sort_by.first() {
        None => Sort::default(),
        Some(text) => {
            let (name, descending) = text.strip_prefix('-').map_or((text.as_str(), false), |name| (name, true));
            let by = match name {
                "opened_at" | "created_at" => Some(SortBy::Opened),
                "closed_at" => Some(SortBy::Closed),
                "deadline_expires_at" => Some(SortBy::Deadline),
                _ => None,
            };
            if by.is_none() || sort_by.len() > 1 {
                let reason =
                    "must be one of opened_at, created_at, closed_at, deadline_expires_at, or - and one of them";
                faults.push(FieldFault::new("sort_by", reason));
            }
            Sort { by: by.unwrap_or_default(), descending }
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Filter {
        account: String::new(),
        states,
        reasons,
        purchase_references,
        transactions,
        orders,
        product,
        opened,
        closed,
        updated,
        sort,
    })
}

/// The states that are shown under a name, as they are stored: `FRAMEWORK_2026:CLOSED`. At the newest paths a dispute of 2020 is
/// INITIATED until it is closed.
fn stored_states(name: &str, newest: bool) -> Vec<String> {
    let name = name.to_ascii_uppercase();
    let old = framework_2020::State::ALL.into_iter().filter(|state| match (newest, state) {
        (true, framework_2020::State::Closed) => name == "CLOSED",
        (true, _) => name == "INITIATED",
        (false, state) => name == state.as_str(),
    });
    let new = framework_2026::State::ALL.into_iter().filter(|state| name == state.as_str());
    old.map(State::Of2020)
        .chain(new.map(State::Of2026))
        .map(|state| format!("{}:{}", state.framework().wire(), state.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_under_the_names_of_both_generations() {
        let filter = read(
            "payment_transaction_id=t1&payment_transaction_ids[]=t2,t3&state=CLOSED&state=pre_arbitration&sort_by=-closed_at
                &opened_at_start=2026-03-02T10:00:00.000Z&closed_at_end=2026-03-03T10:00:00Z"
                .replace(['\n', ' '], "")
                .as_str(),
            false,
        )
        .unwrap();
        assert_eq!(filter.transactions, ["t1", "t2", "t3"]);
        let states = [
            "FRAMEWORK_2020:CLOSED",
            "FRAMEWORK_2020:PRE_ARBITRATION",
            "FRAMEWORK_2026:CLOSED",
            "FRAMEWORK_2026:PRE_ARBITRATION",
        ];
        assert_eq!(filter.states, states);
        assert_eq!(filter.opened, (Some(1_772_445_600_000_000), None));
        assert_eq!(filter.closed.1, Some(1_772_532_000_000_000));
        assert_eq!(filter.sort, Sort { by: SortBy::Closed, descending: true });
        assert_eq!(read("created_at_end=2026-03-02T10:00:00Z", true).unwrap().opened.1, filter.opened.0);
    }

    #[test]
    fn at_the_newest_paths_old_disputes_are_initiated_or_closed() {
        assert_eq!(stored_states("INITIATED", true).len(), 5);
        assert_eq!(stored_states("CLOSED", true).len(), 2);
        assert_eq!(stored_states("PRE_ARBITRATION", true), ["FRAMEWORK_2026:PRE_ARBITRATION"]);
        assert_eq!(stored_states("INITIATED", false), ["FRAMEWORK_2026:INITIATED"]);
    }

    #[test]
    fn every_faulty_parameter_is_named() {
        let many = ["r"; FEW_MAX + 1].join(",");
        let query = format!("state=OPEN&reason={many}&closed_at_start=yesterday&sort_by=amount");
        let faults = read(&query, false).unwrap_err();
        let names: Vec<_> = faults.iter().map(|fault| fault.parameter.to_string()).collect();
        assert_eq!(names, ["reason", "state", "closed_at_start", "sort_by"]);
    }
}
