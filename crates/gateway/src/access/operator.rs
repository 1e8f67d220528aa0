//! Operators: the Acquiring Partner's own people and systems. Their key, `kontor_op_<id>_<secret>`, opens the routes on which
//! Partners are onboarded and managed, and no others; a Partner's key opens none of these.

use axum::extract::FromRequestParts;
use http::request::Parts;
use kit::clock::Clock;
use kit::db::{Db, DbError};
use kit::http::ApiError;
use kit::random::Random;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{AccessError, KEY_ID_ALPHABET, KEY_ID_LENGTH, KEY_SECRET_BYTES, LAST_USED_STEP_US, bearer, store};
use super::{OperatorRow, unauthorized};
use crate::Ctx;

const PREFIX: &str = "kontor_op_";

/// An operator that was just made. The key is never shown again.
#[derive(Clone, Debug)]
pub struct CreatedOperator {
    /// Names the operator in lists and when it is disabled.
    pub operator_id: String,
    /// The key itself.
    pub api_key: SecretString,
}

/// Makes an operator and its key.
///
/// # Errors
/// [`AccessError::Name`], [`AccessError::Store`].
pub async fn create_operator(
    db: &Db,
    clock: &Clock,
    random: &Random,
    name: &str,
) -> Result<CreatedOperator, AccessError> {
    if !(1..=255).contains(&name.chars().count()) {
        return Err(AccessError::Name);
    }
    let (now, name) = (clock.now(), name.to_owned());
    let operator_id = random.text(KEY_ID_ALPHABET, KEY_ID_LENGTH);
    let text = format!("{PREFIX}{operator_id}_{}", random.base64url(KEY_SECRET_BYTES));
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let created = CreatedOperator { operator_id: operator_id.clone(), api_key: text.into() };
    db.write(move |tx| Box::pin(async move { store::insert_operator(tx, &operator_id, &name, &hash, now).await }))
        .await?;
    Ok(created)
}

/// Disables an operator's key from the next request on. Disabling it again changes nothing.
///
/// # Errors
/// [`AccessError::UnknownOperator`], [`AccessError::Store`].
pub async fn disable_operator(db: &Db, clock: &Clock, operator_id: &str) -> Result<(), AccessError> {
    let (now, id) = (clock.now(), operator_id.to_owned());
    let known = db.write(move |tx| Box::pin(async move { store::disable_operator(tx, &id, now).await })).await?;
    if known { Ok(()) } else { Err(AccessError::UnknownOperator(operator_id.to_owned())) }
}

/// All operators, oldest first; never their keys.
///
/// # Errors
/// [`DbError`].
pub async fn operators(db: &Db) -> Result<Vec<OperatorRow>, DbError> {
    db.read(|tx| Box::pin(store::operators(tx))).await
}

/// The operator that makes the request: an argument of every handler that manages Partners.
#[derive(Clone, Debug)]
pub struct OperatorCaller {
    /// Which.
    pub operator_id: String,
}

impl FromRequestParts<Ctx> for OperatorCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let refused = || unauthorized("The operator's key is not valid.");
        let presented = bearer(parts, "Send an operator's key in the authorization header: Bearer kontor_op_….")?;
        let id = id_of(presented).ok_or_else(refused)?.to_owned();
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let key = id.clone();
        let found = ctx.db.look_up(move |tx| Box::pin(async move { store::operator(tx, &key).await })).await?;
        // The same answer for an unknown, a wrong and a disabled key. Compared in constant time: the key is attacker-supplied.
        let is_right =
            |row: &store::OperatorHashRow| bool::from(row.hash.as_slice().ct_eq(&hash)) && row.disabled_at.is_none();
        let found = found.filter(is_right).ok_or_else(refused)?;
        let now = ctx.clock.now();
        if found.last_used_at.is_none_or(|at| now - at >= LAST_USED_STEP_US) {
            let key = id.clone();
            ctx.db.write(move |tx| Box::pin(async move { store::touch_operator(tx, &key, now).await })).await?;
        }
        Ok(Self { operator_id: id })
    }
}

fn id_of(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == KEY_ID_LENGTH && !secret.is_empty()).then_some(id)
}
