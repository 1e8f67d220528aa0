//! Accounts: the Acquiring Partner, the Partners under it, and all that a Partner consists of.
//!
//! | file | what |
//! |---|---|
//! | `onboarding` | one call that makes a Partner, or adds to it |
//! | `partner_account`, `managed` | where an account stands and what time does to it; the same inside a transaction |
//! | [`resource`], `resources`, `brand` | business entities, brands, store groups, stores, relationships, access policies |
//! | `product`, `products` | whether a Partner may be paid, and where its payments go |
//! | `bank_accounts` | hashes of account numbers |
//! | `compliance` | what Klarna decides about it |
//!
//! Other rooms ask [`resolve_payment_account`] and [`require_enabled_product`] before a payment. `Family` remembers who may act for
//! whom.

mod api;
mod bank_accounts;
mod brand;
mod compliance;
mod jobs;
mod managed;
mod onboarding;
mod partner_account;
mod product;
mod products;
pub mod resource;
mod resources;
mod seeded;
pub(crate) mod store;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use kit::db::{Db, DbError, Tx};
use kit::http::{ApiError, FieldFault};
use protocol::{ErrorCode, PartnerAccountId};
use serde_json::Value;

use crate::ctx::Ctx;
use crate::operation::OnBehalf;

pub use api::{routes, testing_routes};
pub use jobs::register;
pub use seeded::seed;
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

/// Lets what is below a Partner account be changed: not before it is OPERATIONAL. Locks the account until the end of the transaction.
///
/// # Errors
/// 409 before the account is OPERATIONAL, 403 while it is DISABLED, 404; [`DbError`].
pub async fn require_manageable(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf) -> Result<(), ApiError> {
    managed::Account::manageable(tx, ctx, &on.account, Some(&on.correlation_id)).await.map(drop)
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
/// `payment_account_reference`; whatever it names must agree.
///
/// # Errors
/// 400 on `acquiring_config` when a choice is needed, on its first member that fits nothing; 403 for an account without any payment
/// account; [`DbError`].
pub async fn resolve_payment_account(
    tx: &mut Tx,
    account: &PartnerAccountId,
    acquiring_config: Option<&Value>,
) -> Result<PaymentAccountRow, ApiError> {
    let rows = store::payment_accounts(tx, account.as_str()).await?;
    if rows.is_empty() {
        return Err(no_product());
    }
    choose(rows, acquiring_config)
}

/// A member of `acquiring_config`, and what it is compared with.
type Chooser = (&'static str, fn(&PaymentAccountRow) -> &str);

fn choose(mut rows: Vec<PaymentAccountRow>, acquiring_config: Option<&Value>) -> Result<PaymentAccountRow, ApiError> {
    const CHOOSERS: [Chooser; 3] = [
        ("payment_account_id", |row| &row.payment_account_id),
        ("payment_acquiring_account_id", |row| &row.payment_acquiring_account_id),
        ("payment_account_reference", |row| &row.reference),
    ];
    let refused = |parameter: String, reason: &str| ApiError::validation(vec![FieldFault::new(parameter, reason)]);
    for (member, stored) in CHOOSERS {
        let given = acquiring_config.and_then(|config| config.get(member)).filter(|value| !value.is_null());
        let Some(given) = given else { continue };
        rows.retain(|row| given.as_str() == Some(stored(row)));
        if rows.is_empty() {
            let reason = "fits no payment account of this Partner account";
            return Err(refused(format!("acquiring_config.{member}"), reason));
        }
    }
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) => Ok(row),
        _ => {
            let reason = "must name one of the several payment accounts of this Partner account";
            Err(refused("acquiring_config".to_owned(), reason))
        }
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

/// The same as a question.
///
/// # Errors
/// [`DbError`].
pub async fn has_enabled_product(tx: &mut Tx, account: &PartnerAccountId) -> Result<bool, DbError> {
    Ok(store::product_state(tx, account.as_str()).await?.as_deref() == Some(PRODUCT_ENABLED))
}

/// What an account is called, as shoppers see it; `None` for one that does not exist.
///
/// # Errors
/// [`DbError`].
pub async fn name(tx: &mut Tx, account: &PartnerAccountId) -> Result<Option<String>, DbError> {
    store::name(tx, account.as_str()).await
}

/// The Acquiring Partner above an account; `None` for one that stands above itself or does not exist.
///
/// # Errors
/// [`DbError`].
pub async fn acquiring_partner(tx: &mut Tx, account: &PartnerAccountId) -> Result<Option<String>, DbError> {
    store::acquiring_partner_of(tx, account.as_str()).await
}

/// The payment acquiring account that gathers what a payment account takes.
///
/// # Errors
/// [`DbError`].
pub async fn acquiring_account_of(
    tx: &mut Tx,
    account: &str,
    payment_account: &str,
) -> Result<Option<String>, DbError> {
    Ok(store::acquiring_account_of(tx, account, payment_account).await?.map(|row| row.id))
}

/// The payment acquiring accounts of an Acquiring Partner, by id.
///
/// # Errors
/// [`DbError`].
pub async fn acquiring_accounts(tx: &mut Tx, acquiring_partner: &str) -> Result<Vec<String>, DbError> {
    let rows = store::acquiring_accounts(tx, acquiring_partner).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Acquiring Partners behind an id, with the time (microseconds UTC) since when they exist.
///
/// # Errors
/// [`DbError`].
pub async fn acquiring_partners(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<(String, i64)>, DbError> {
    let rows = store::acquiring_partners(tx, after, limit).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.created_at)).collect())
}

/// Partner accounts under an Acquiring Partner, from an id on, by id.
///
/// # Errors
/// [`DbError`].
pub async fn under(tx: &mut Tx, acquiring_partner: &str, from: &str, limit: i64) -> Result<Vec<String>, DbError> {
    let rows = store::under(tx, acquiring_partner, from, limit).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The state of an account's payment product; `None` while it has none.
///
/// # Errors
/// [`DbError`].
pub async fn product_state(tx: &mut Tx, account: &PartnerAccountId) -> Result<Option<String>, DbError> {
    store::product_state(tx, account.as_str()).await
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

    /// Accounts were taken back with everything else.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.parents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(id: &str, acquiring: &str, reference: &str) -> PaymentAccountRow {
        PaymentAccountRow {
            account_id: "a".to_owned(),
            payment_account_id: id.to_owned(),
            product_id: "p".to_owned(),
            product_state: PRODUCT_ENABLED.to_owned(),
            payment_acquiring_account_id: acquiring.to_owned(),
            reference: reference.to_owned(),
            guaranteed: true,
            merchant_category_code: "5942".to_owned(),
            state: "ENABLED".to_owned(),
            price_plan: None,
        }
    }

    #[test]
    fn a_payment_account_is_chosen_by_whatever_names_it_alone() {
        let rows = || vec![row("1", "x", "r"), row("2", "x", "s"), row("3", "y", "r")];
        let chosen = |config: Value| match choose(rows(), Some(&config)) {
            Ok(row) => row.payment_account_id,
            Err(error) => error.validation_errors[0].parameter.clone(),
        };
        assert_eq!(chosen(json!({"payment_account_id": "2"})), "2");
        assert_eq!(chosen(json!({"payment_acquiring_account_id": "x", "payment_account_reference": "r"})), "1");
        assert_eq!(chosen(json!({"payment_account_reference": "s"})), "2");
        assert_eq!(chosen(json!({"payment_acquiring_account_id": "y"})), "3");
        assert_eq!(chosen(json!({"payment_account_reference": "r"})), "acquiring_config");
        assert_eq!(chosen(json!({})), "acquiring_config");
        assert_eq!(chosen(json!({"payment_account_id": "9"})), "acquiring_config.payment_account_id");
        assert_eq!(chosen(json!({"payment_account_id": 2})), "acquiring_config.payment_account_id");
        let contradiction = json!({"payment_account_id": "1", "payment_account_reference": "s"});
        assert_eq!(chosen(contradiction), "acquiring_config.payment_account_reference");
        assert_eq!(choose(vec![row("1", "x", "r")], None).unwrap().payment_account_id, "1");
    }
}
