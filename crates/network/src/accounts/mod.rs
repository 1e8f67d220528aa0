//! Accounts: the Acquiring Partner, the Partners under it, their payment product and payment accounts.
//!
//! For now accounts come from the seed; onboarding over the API follows. Public face: [`resolve_payment_account`],
//! [`require_enabled_product`], and [`Family`] (who may act for whom).

pub(crate) mod store;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use kit::db::{Db, DbError, Tx};
use kit::http::ApiError;
use protocol::{ErrorCode, PartnerAccountId};
use serde_json::Value;

pub use store::PaymentAccountRow;

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// Distributes Klarna to the Partners under it.
    AcquiringPartner,
    /// Sells, under an Acquiring Partner.
    Partner,
}

impl AccountKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AcquiringPartner => "ACQUIRING_PARTNER",
            Self::Partner => "PARTNER",
        }
    }

    pub(crate) fn stored(text: &str) -> Self {
        if text == "ACQUIRING_PARTNER" { Self::AcquiringPartner } else { Self::Partner }
    }
}

/// The state of a payment product in which payments can be made.
pub const PRODUCT_ENABLED: &str = "ENABLED";

/// Opens an account: an Acquiring Partner, or a Partner under `acquiring_partner`. It is operational at once and has no product yet.
///
/// # Errors
/// [`DbError::Duplicate`] for an id, or a reference under the same Acquiring Partner, that is taken.
pub async fn open(
    tx: &mut Tx,
    account: &PartnerAccountId,
    acquiring_partner: Option<&PartnerAccountId>,
    reference: &str,
    name: &str,
    now: i64,
) -> Result<(), DbError> {
    let kind = if acquiring_partner.is_some() { AccountKind::Partner } else { AccountKind::AcquiringPartner };
    let new = store::NewAccount {
        account_id: account.as_str(),
        kind: kind.as_str(),
        acquiring_partner_id: acquiring_partner.map(PartnerAccountId::as_str),
        reference,
        name,
        state: "OPERATIONAL",
    };
    store::insert_account(tx, &new, now).await
}

/// Puts the payment product of an account into a state: `ENABLED`, `DISABLED` or `TERMINATED`. Tells nobody.
///
/// # Errors
/// [`DbError`].
pub async fn set_product_state(tx: &mut Tx, account: &PartnerAccountId, state: &str, now: i64) -> Result<(), DbError> {
    store::set_product_state(tx, account.as_str(), state, now).await
}

/// The payment account that a payment goes to. `acquiring_config` is that member of the body, which may be absent while the
/// account has one payment account (RULINGS 1.3). It names `payment_account_id`, or `payment_acquiring_account_id` with
/// `payment_account_reference`.
///
/// # Errors
/// 400 on `acquiring_config` when a choice is needed, on its member when that names nothing; 403 for an account without any
/// payment account; [`DbError`].
pub async fn resolve_payment_account(
    tx: &mut Tx,
    account: &PartnerAccountId,
    acquiring_config: Option<&Value>,
) -> Result<PaymentAccountRow, ApiError> {
    let rows = store::payment_accounts(tx, account.as_str()).await?;
    let text = |name: &str| acquiring_config.and_then(|config| config.get(name)).and_then(Value::as_str);
    let unknown = |parameter: &str, reason: &str| {
        ApiError::validation(Vec::new()).field(format!("acquiring_config.{parameter}"), reason)
    };
    if let Some(id) = text("payment_account_id") {
        let found = rows.into_iter().find(|row| row.payment_account_id == id);
        return found.ok_or_else(|| unknown("payment_account_id", "names no payment account of this Partner account"));
    }
    let by_reference = text("payment_account_reference");
    if let Some(reference) = by_reference {
        let acquiring = text("payment_acquiring_account_id");
        let mut found: Vec<_> = rows
            .into_iter()
            .filter(|row| row.reference == reference)
            .filter(|row| acquiring.is_none_or(|id| row.payment_acquiring_account_id == id))
            .collect();
        return match (found.pop(), found.is_empty()) {
            (Some(row), true) => Ok(row),
            (Some(_), false) => {
                Err(unknown("payment_acquiring_account_id", "is required: the reference is used under several"))
            }
            (None, _) => Err(unknown(
                "payment_account_reference",
                "names no payment account of this Partner account and acquiring account",
            )),
        };
    }
    let mut rows = rows;
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) => Ok(row),
        (Some(_), false) => Err(ApiError::validation(Vec::new())
            .field("acquiring_config", "is required: this Partner account has several payment accounts")),
        (None, _) => Err(no_product()),
    }
}

/// Refuses accounts whose payment product is not enabled.
///
/// # Errors
/// 403 `OPERATION_FORBIDDEN`; [`DbError`].
pub async fn require_enabled_product(tx: &mut Tx, account: &PartnerAccountId) -> Result<(), ApiError> {
    let state = store::product_state(tx, account.as_str()).await?;
    if state.as_deref() == Some(PRODUCT_ENABLED) { Ok(()) } else { Err(no_product()) }
}

impl PaymentAccountRow {
    /// The same check as [`require_enabled_product`], on what [`resolve_payment_account`] has read anyway.
    ///
    /// # Errors
    /// 403 `OPERATION_FORBIDDEN`.
    pub fn require_enabled_product(&self) -> Result<(), ApiError> {
        if self.product_state == PRODUCT_ENABLED { Ok(()) } else { Err(no_product()) }
    }
}

fn no_product() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        ErrorCode::OperationForbidden.as_str().to_owned(),
        "The payment product of this Partner account is not enabled.",
    )
}

/// Beyond this many remembered relations the memory starts anew.
const FAMILY_MAX: usize = 100_000;

/// Remembers which Partner accounts exist under which Acquiring Partner. Accounts are never removed and never move, so a
/// relation that was true stays true; what was not found is asked again.
#[derive(Default)]
pub(crate) struct Family {
    /// Partner account to its Acquiring Partner.
    parents: Mutex<HashMap<String, String>>,
}

impl Family {
    /// Whether `account` exists and stands under `acquiring_partner`.
    pub(crate) async fn has(&self, db: &Db, acquiring_partner: &str, account: &str) -> Result<bool, DbError> {
        if let Some(parent) = self.lock().get(account) {
            return Ok(parent == acquiring_partner);
        }
        let id = account.to_owned();
        let found = db.read(move |tx| Box::pin(async move { store::acquiring_partner_of(tx, &id).await })).await?;
        let Some(parent) = found else { return Ok(false) };
        let is_parent = parent == acquiring_partner;
        let mut parents = self.lock();
        if parents.len() >= FAMILY_MAX {
            parents.clear();
        }
        parents.insert(account.to_owned(), parent);
        Ok(is_parent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.parents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
