//! Hashes of bank account numbers: of the agreed form, and of the number beside them (fact sheet 02 §6.1).

use kit::http::ApiError;
use protocol::ValidationError;
use protocol::onboarding::bank_account::{HASHABLE, Hashing, of_business};
use serde_json::Value;

use crate::operation::invalid;

/// Pairs of number and hash that one call may send. Ours: each takes 20 milliseconds on purpose, and one of the two is enough.
const PAIRS_MAX: usize = 10;

/// Checks the hashes of businesses, each with where it stands, before a call is decided: hashing keeps nobody waiting but the
/// caller.
///
/// # Errors
/// 400 for every hash that is not of its form, else for every one that is not of the number beside it.
pub(super) async fn check_hashes<'a>(businesses: impl Iterator<Item = (String, &'a Value)>) -> Result<(), ApiError> {
    let hashing = Hashing::default();
    let mut faults = Vec::new();
    let mut pairs: Vec<(String, Value)> = Vec::new();
    for (at, business) in businesses {
        for (at, account) in of_business(business, &at) {
            hashing.faults(account, &at, &mut faults);
            let has = |name: &str| account.get(name).is_some_and(|value| !value.is_null());
            if HASHABLE.iter().any(|(clear, hashed)| has(clear) && has(hashed)) {
                if pairs.len() == PAIRS_MAX {
                    faults
                        .push(ValidationError::new(at, "must send the number or its hash: there are too many of both"));
                    break;
                }
                pairs.push((at, account.clone()));
            }
        }
    }
    if faults.is_empty() && !pairs.is_empty() {
        let compare = move || {
            let mut faults = Vec::new();
            for (at, account) in &pairs {
                hashing.mismatches(account, at, &mut faults);
            }
            faults
        };
        faults = tokio::task::spawn_blocking(compare).await.map_err(ApiError::internal)?;
    }
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}
