//! The `journeys` table: visits by Payment Request and browser.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::plan::Plan;
use super::visit::{Step, Visit};
use crate::customers::contact::Contact;

/// Ours: how many browsers one request remembers; the longest unused is forgotten first.
const VISITS_MAX: i64 = 16;

/// Which visit is meant.
#[derive(Clone, Debug)]
pub struct Key {
    pub account_id: String,
    /// The Payment Request's UUID.
    pub request_id: String,
    /// SHA-256 of the cookie's value, in hexadecimal digits.
    pub session_hash: String,
}

row! {
    struct VisitRow {
        step: String,
        contact: Option<String>,
        wrong_codes: i64,
        plan: Option<String>,
    }
}

impl From<VisitRow> for Visit {
    fn from(row: VisitRow) -> Self {
        Self {
            // A step that a later release added reads as the first: nothing is lost but typing.
            step: Step::from_code(&row.step).unwrap_or(Step::Contact),
            contact: row.contact.as_deref().map(Contact::stored),
            wrong_codes: row.wrong_codes,
            plan: row.plan.as_deref().and_then(Plan::from_code),
        }
    }
}

/// Begins a visit, and forgets the longest unused ones beyond the bound.
pub async fn insert(tx: &mut Tx, key: &Key, visit: &Visit, now: i64) -> Result<(), DbError> {
    let insert = "insert into journeys (account_id, request_id, session_hash, step, contact, wrong_codes, plan,
            created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    tx.execute(
        insert,
        params![
            &key.account_id,
            &key.request_id,
            &key.session_hash,
            visit.step.code(),
            visit.contact.as_ref().map(Contact::as_str),
            visit.wrong_codes,
            visit.plan.map(Plan::code).as_deref(),
            now
        ],
    )
    .await?;
    let forget = "delete from journeys where account_id = $1 and request_id = $2 and session_hash not in (
            select session_hash from journeys where account_id = $1 and request_id = $2
            order by updated_at desc, session_hash limit $3)
        and session_hash <> $4";
    tx.execute(forget, params![&key.account_id, &key.request_id, VISITS_MAX, &key.session_hash]).await.map(drop)
}

/// Reads a visit and holds it: a second submit of the same form waits for the first.
pub async fn hold(tx: &mut Tx, key: &Key, now: i64) -> Result<Option<Visit>, DbError> {
    let sql = "update journeys set updated_at = $4 where account_id = $1 and request_id = $2 and session_hash = $3
        returning step, contact, wrong_codes, plan";
    let row: Option<VisitRow> =
        tx.fetch_optional(sql, params![&key.account_id, &key.request_id, &key.session_hash, now]).await?;
    Ok(row.map(Visit::from))
}

/// Keeps what a visit has become.
pub async fn update(tx: &mut Tx, key: &Key, visit: &Visit, now: i64) -> Result<(), DbError> {
    let sql = "update journeys set step = $4, contact = $5, wrong_codes = $6, plan = $7, updated_at = $8
        where account_id = $1 and request_id = $2 and session_hash = $3";
    tx.execute(
        sql,
        params![
            &key.account_id,
            &key.request_id,
            &key.session_hash,
            visit.step.code(),
            visit.contact.as_ref().map(Contact::as_str),
            visit.wrong_codes,
            visit.plan.map(Plan::code).as_deref(),
            now
        ],
    )
    .await
    .map(drop)
}

/// Forgets who the shoppers of an ended request were; the visits stay, so that their browsers still find the way back.
pub async fn forget_contacts(tx: &mut Tx, account_id: &str, request_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update journeys set contact = null, updated_at = $3
        where account_id = $1 and request_id = $2 and contact is not null";
    tx.execute(sql, params![account_id, request_id, now]).await.map(drop)
}
