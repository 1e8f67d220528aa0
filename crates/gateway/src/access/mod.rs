//! Who may ask: Partners and their API keys; and the Acquiring Partner's operators.
//!
//! A key reads `kontor_sk_<key id>_<secret>`; it is shown once, when it is made, and kept as its SHA-256. Keys are made and
//! disabled by command; a disabled key is refused from the next request on.

mod operator;
mod store;

use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use kit::clock::{Clock, HOUR_US};
use kit::db::{Db, DbError};
use kit::http::{ApiError, FieldFault};
use kit::random::Random;
use kit::rate_limit::Level;
use protocol::{PartnerAccountId, PaymentAccountId};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::Ctx;
use crate::klarna::Origin;

pub use operator::{CreatedOperator, OperatorCaller, create_operator, disable_operator, operators};
pub use store::{ApiKeyRow, OperatorRow, PartnerRow};

const KEY_PREFIX: &str = "kontor_sk_";
const KEY_ID_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const KEY_ID_LENGTH: usize = 16;
const KEY_SECRET_BYTES: usize = 32;
/// `last_used_at` is this coarse, so that reading it costs no write per request.
const LAST_USED_STEP_US: i64 = HOUR_US;

/// Why a Partner or a key cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The account at the network belongs to another Partner already.
    #[error("another Partner has the account {0} already")]
    AccountTaken(PartnerAccountId),
    /// Nobody of that id.
    #[error("there is no Partner {0}")]
    UnknownPartner(String),
    /// No key of that id.
    #[error("Partner {partner_id} has no key {key_id}")]
    UnknownKey {
        /// Whose key was meant.
        partner_id: String,
        /// Which.
        key_id: String,
    },
    /// No operator of that id.
    #[error("there is no operator {0}")]
    UnknownOperator(String),
    /// The name is empty or too long.
    #[error("a name has 1 to 255 characters")]
    Name,
    /// The database failed.
    #[error("storing access")]
    Store(#[from] DbError),
}

/// Whether a Partner may make new payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerState {
    /// Everything is open.
    Active,
    /// Payments that exist can be read, captured, refunded and voided; new ones are refused.
    Suspended,
}

impl PartnerState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }
}

/// What is known of a new Partner.
#[derive(Clone, Debug)]
pub struct NewPartner {
    /// Trade name.
    pub name: String,
    /// Its account at the network.
    pub klarna_account_id: PartnerAccountId,
    /// Which of its payment accounts is paid; needed once it has several.
    pub payment_account_id: Option<PaymentAccountId>,
}

/// A Partner that was just made. The key is never shown again.
#[derive(Clone, Debug)]
pub struct CreatedPartner {
    /// `par_…`.
    pub partner_id: String,
    /// Its first key.
    pub key: CreatedKey,
}

/// A key that was just made. It is never shown again.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// Names the key in lists and when it is disabled.
    pub key_id: String,
    /// The key itself.
    pub api_key: SecretString,
}

/// Makes a Partner and its first key.
///
/// # Errors
/// [`AccessError::AccountTaken`], [`AccessError::Name`], [`AccessError::Store`].
pub async fn create_partner(
    db: &Db,
    clock: &Clock,
    random: &Random,
    partner: NewPartner,
) -> Result<CreatedPartner, AccessError> {
    if !(1..=255).contains(&partner.name.chars().count()) {
        return Err(AccessError::Name);
    }
    let now = clock.now();
    let partner_id = format!("par_{}", random.id(now).simple());
    let key = NewKey::draw(random);
    let created = CreatedPartner { partner_id: partner_id.clone(), key: key.created() };
    db.write(move |tx| {
        Box::pin(async move {
            if !store::insert_partner(tx, &partner_id, &partner, PartnerState::Active, now).await? {
                return Err(AccessError::AccountTaken(partner.klarna_account_id));
            }
            store::insert_key(tx, &partner_id, &key.id, &key.hash, "first key", now).await?;
            Ok(created)
        })
    })
    .await
}

/// Makes a further key of a Partner.
///
/// # Errors
/// [`AccessError::UnknownPartner`], [`AccessError::Store`].
pub async fn create_key(
    db: &Db,
    clock: &Clock,
    random: &Random,
    partner_id: &str,
    description: &str,
) -> Result<CreatedKey, AccessError> {
    let (now, random) = (clock.now(), random.clone());
    let (partner_id, description) = (partner_id.to_owned(), description.to_owned());
    db.write(move |tx| Box::pin(async move { create_key_in(tx, &random, now, &partner_id, &description).await })).await
}

/// [`create_key`], in a transaction of the caller's.
///
/// # Errors
/// [`AccessError::UnknownPartner`], [`AccessError::Store`].
pub async fn create_key_in(
    tx: &mut kit::db::Tx,
    random: &Random,
    now: i64,
    partner_id: &str,
    description: &str,
) -> Result<CreatedKey, AccessError> {
    let key = NewKey::draw(random);
    if store::partner(tx, partner_id).await?.is_none() {
        return Err(AccessError::UnknownPartner(partner_id.to_owned()));
    }
    store::insert_key(tx, partner_id, &key.id, &key.hash, description, now).await?;
    Ok(key.created())
}

/// Gives a Partner another name, in the transaction of the change.
///
/// # Errors
/// [`DbError`].
pub async fn rename(tx: &mut kit::db::Tx, partner_id: &str, name: &str) -> Result<(), DbError> {
    store::rename(tx, partner_id, name).await
}

/// Disables a key from the next request on. Disabling it again changes nothing.
///
/// # Errors
/// [`AccessError::UnknownKey`], [`AccessError::Store`].
pub async fn disable_key(db: &Db, clock: &Clock, partner_id: &str, key_id: &str) -> Result<(), AccessError> {
    let now = clock.now();
    let (partner_id, key_id) = (partner_id.to_owned(), key_id.to_owned());
    db.write(move |tx| {
        Box::pin(async move {
            if store::disable_key(tx, &partner_id, &key_id, now).await? {
                Ok(())
            } else {
                Err(AccessError::UnknownKey { partner_id, key_id })
            }
        })
    })
    .await
}

/// Suspends a Partner or makes it active again.
///
/// # Errors
/// [`AccessError::UnknownPartner`], [`AccessError::Store`].
pub async fn set_partner_state(db: &Db, partner_id: &str, state: PartnerState) -> Result<(), AccessError> {
    let partner_id = partner_id.to_owned();
    db.write(move |tx| {
        Box::pin(async move {
            if store::set_partner_state(tx, &partner_id, state).await? {
                Ok(())
            } else {
                Err(AccessError::UnknownPartner(partner_id))
            }
        })
    })
    .await
}

/// All Partners, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn list(db: &Db) -> Result<Vec<PartnerRow>, DbError> {
    db.read(|tx| Box::pin(store::partners(tx))).await
}

/// A Partner's keys, oldest first; never the keys themselves.
///
/// # Errors
/// [`DbError`].
pub async fn keys(db: &Db, partner_id: &str) -> Result<Vec<ApiKeyRow>, DbError> {
    let partner_id = partner_id.to_owned();
    db.read(move |tx| Box::pin(async move { store::keys(tx, &partner_id).await })).await
}

/// Lets an onboarded Partner pay under its account, in the transaction that knows the account; a second time it changes nothing.
///
/// # Errors
/// [`AccessError::AccountTaken`], [`AccessError::Store`].
pub async fn admit(tx: &mut kit::db::Tx, partner_id: &str, partner: &NewPartner, now: i64) -> Result<(), AccessError> {
    store::insert_partner(tx, partner_id, partner, PartnerState::Active, now).await?;
    // Neither the id nor the account may be another's.
    match store::partner(tx, partner_id).await? {
        Some(row) if row.klarna_account_id == partner.klarna_account_id.as_str() => Ok(()),
        _ => Err(AccessError::AccountTaken(partner.klarna_account_id.clone())),
    }
}

/// Suspends a Partner, saying by whom and why, or with `None` lets it pay again; in the transaction of the decision.
///
/// # Errors
/// [`DbError`].
pub async fn suspend(tx: &mut kit::db::Tx, partner_id: &str, suspension: Option<&Suspension>) -> Result<(), DbError> {
    let state = if suspension.is_some() { PartnerState::Suspended } else { PartnerState::Active };
    store::set_suspension(tx, partner_id, state, suspension).await
}

/// The Partner that has an account at the network; webhooks name their subject so.
///
/// # Errors
/// [`DbError`].
pub async fn partner_of_account(tx: &mut kit::db::Tx, account: &str) -> Result<Option<PartnerRow>, DbError> {
    store::partner_of_account(tx, account).await
}

/// A Partner by its id.
///
/// # Errors
/// [`DbError`].
pub async fn partner(tx: &mut kit::db::Tx, partner_id: &str) -> Result<Option<PartnerRow>, DbError> {
    store::partner(tx, partner_id).await
}

struct NewKey {
    id: String,
    text: String,
    hash: [u8; 32],
}

impl NewKey {
    fn draw(random: &Random) -> Self {
        let id = random.text(KEY_ID_ALPHABET, KEY_ID_LENGTH);
        let text = format!("{KEY_PREFIX}{id}_{}", random.base64url(KEY_SECRET_BYTES));
        let hash = Sha256::digest(text.as_bytes()).into();
        Self { id, text, hash }
    }

    fn created(&self) -> CreatedKey {
        CreatedKey { key_id: self.id.clone(), api_key: self.text.clone().into() }
    }
}

/// The Partner that makes the request: an argument of every handler that is not public.
#[derive(Clone, Debug)]
pub struct PartnerCaller {
    /// `par_…`.
    pub partner_id: String,
    /// Trade name.
    pub name: String,
    /// Its account at the network.
    pub klarna_account_id: String,
    /// Which of its payment accounts is paid, if that was configured.
    pub payment_account_id: Option<String>,
    /// See [`PartnerState::Suspended`].
    pub suspended: bool,
    /// Who suspended it and why, where that is known.
    pub suspension: Option<Suspension>,
    /// The platform or plugin that it calls with, as it says.
    pub origin: Origin,
}

/// Why a Partner may make no new payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// `ACQUIRING_PARTNER` or `KLARNA`.
    pub by: String,
    /// A word like `VOLUNTARY`.
    pub reason: Option<String>,
}

impl PartnerCaller {
    /// For new payments only.
    ///
    /// # Errors
    /// 403 `OPERATION_FORBIDDEN` for a suspended Partner.
    pub fn require_active(&self) -> Result<(), ApiError> {
        if self.suspended {
            let because = self.suspension.as_ref().map_or_else(String::new, |suspension| {
                let by = if suspension.by == "KLARNA" { "Klarna" } else { "the Acquiring Partner" };
                let reason = suspension.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
                format!(" by {by}{reason}")
            });
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "OPERATION_FORBIDDEN",
                format!(
                    "This Partner is suspended{because}: payments that exist can be managed, new ones cannot be made."
                ),
            ));
        }
        Ok(())
    }
}

impl FromRequestParts<Ctx> for PartnerCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let presented = bearer(parts, "Send your API key in the authorization header: Bearer kontor_sk_….")?;
        let Some(key_id) = key_id_of(presented) else { return Err(unauthorized("The API key is not valid.")) };
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let id = key_id.to_owned();
        let found = ctx.db.look_up(move |tx| Box::pin(async move { store::caller(tx, &id).await })).await?;
        // The same answer for an unknown, a wrong and a disabled key. Compared in constant time: the key is attacker-supplied.
        let Some(found) = found.filter(|row| bool::from(row.hash.as_slice().ct_eq(&hash)) && row.disabled_at.is_none())
        else {
            return Err(unauthorized("The API key is not valid."));
        };
        let now = ctx.clock.now();
        if found.last_used_at.is_none_or(|at| now - at >= LAST_USED_STEP_US) {
            let (partner_id, key_id) = (found.partner_id.clone(), key_id.to_owned());
            ctx.db
                .write(move |tx| Box::pin(async move { store::touch_key(tx, &partner_id, &key_id, now).await }))
                .await?;
        }
        if let Some(quota_per_second) = ctx.config.partner_requests_per_second {
            let decision = ctx.limiter.check(&[Level { name: "partner", key: &found.partner_id, quota_per_second }]);
            if !decision.allowed {
                let mut error = ApiError::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "RATE_LIMITED",
                    "Too many requests. Retry with backoff, and read the x-ratelimit headers.",
                );
                decision.write_headers(&mut error.headers);
                return Err(error);
            }
        }
        Ok(Self {
            suspended: found.state != PartnerState::Active.as_str(),
            suspension: found.suspended_by.map(|by| Suspension { by, reason: found.suspended_reason }),
            partner_id: found.partner_id,
            name: found.name,
            klarna_account_id: found.klarna_account_id,
            payment_account_id: found.payment_account_id,
            origin: Origin::read(&parts.headers)?,
        })
    }
}

fn bearer<'a>(parts: &'a Parts, missing: &'static str) -> Result<&'a str, ApiError> {
    let value = parts.headers.get(AUTHORIZATION).ok_or_else(|| unauthorized(missing))?;
    let (scheme, key) =
        value.to_str().ok().and_then(|text| text.trim().split_once(' ')).ok_or_else(|| unauthorized(missing))?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(unauthorized(missing)) }
}

fn key_id_of(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix(KEY_PREFIX)?.split_once('_')?;
    (id.len() == KEY_ID_LENGTH && !secret.is_empty()).then_some(id)
}

fn unauthorized(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
        .with_type(kit::http::error::error_type::ACCESS)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Turns the faults that [`protocol::shape`] found into those of an answer.
pub fn field_faults(faults: Vec<protocol::ValidationError>) -> Vec<FieldFault> {
    faults.iter().map(|fault| FieldFault::new(fault.parameter(), fault.reason())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_key_ends_at_the_first_underscore_even_if_the_secret_has_some() {
        assert_eq!(key_id_of("kontor_sk_abcdefghij012345_x_y-z"), Some("abcdefghij012345"));
        for wrong in ["", "kontor_sk_", "kontor_sk_abcdefghij012345", "kontor_sk_abcdefghij012345_", "sk_a_b"] {
            assert_eq!(key_id_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_drawn_key_names_its_own_id_and_hides_in_debug() {
        let key = NewKey::draw(&Random::seeded(3, 0));
        assert_eq!(key_id_of(&key.text), Some(key.id.as_str()));
        assert!(!format!("{:?}", key.created()).contains(&key.text));
    }
}
