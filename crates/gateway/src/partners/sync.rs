//! Making Klarna's side equal to ours: what is new is onboarded, what changed is changed, what is unwanted is disabled.
//!
//! [`next`] compares and names one step; [`run`] takes steps until there is none. A step's call carries a key that is derived from
//! what is sent, so that whoever repeats it, after a crash or side by side, hears the first answer; its outcome is one transaction.
//!
//! Changes go to the operation of what changed (SEC-7). One that fails holds up no other: the rest is changed first, then the account
//! is sent once more as a whole (SEC-7a). Klarna's onboarding adds and never changes (fact sheet 02 §2.5), so that what it takes, or
//! does not contradict, is equal, also where the answer to a change was lost; what it contradicts is changed when the job comes
//! round. Each part's version at Klarna is written down by itself: whoever goes on begins where the last one stopped.
//!
//! The job that repeats [`run`] is written with every change and removed by the comparison that finds no step, under the Partner's
//! lock, so that no change is left behind.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use kit::clock::MINUTE_US;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, FieldFault};
use kit::jobs::{self, NewJob};
use protocol::onboarding::bank_account::{HASHABLE, Hashing};
use protocol::{PartnerAccountId, PaymentAccountId, Timestamp, ValidationError};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::compliance::{self, Finding};
use super::part::Kind;
use super::portal;
use super::record::Record;
use super::standing::{Product, Refusal, Standing, State, Wish};
use super::store;
use super::translate::{self, Scope, Translated};
use crate::Ctx;
use crate::access::{self, AccessError, NewPartner};
use crate::klarna::origin::tag;
use crate::klarna::{CallError, Operation};

/// The kind of the jobs; their key is the Partner's id.
pub(super) const KIND: &str = "partner_sync";
/// The same for what was imported.
pub(super) const BULK: &str = "partner_bulk_sync";
/// Namespace of derived idempotency keys.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x6b0f_52c1_90d4_4e0a_9a3e_2f6f_7d1c_54b8);
/// A Partner has fewer parts than this; more steps at once mean a fault.
const STEPS_MAX: usize = 1_000;
/// How soon after onboarding the account is read back, in case the webhook is lost, in microseconds.
const FIRST_LOOK_US: i64 = MINUTE_US;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Both sides are equal, or Klarna waits for better data.
    Nothing,
    /// Klarna is not ready for it.
    Wait(&'static str),
    /// The payment product is not as it should be.
    Product(Wish),
    /// Klarna does not know everything.
    Onboard(Scope),
    /// Klarna has an older version of this part.
    Change(usize),
    /// All that is left are changes that failed: the account is said as a whole.
    SayAll,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing is left to do.
    Equal,
    /// Something is, later.
    Waiting(String),
}

/// See [`Step`]. A suspension never waits for anything else.
pub(super) fn next(record: &Record) -> Step {
    next_beside(record, &BTreeSet::new())
}

/// [`next`] where changes of some parts, named by their ids, were tried just now and failed.
fn next_beside(record: &Record, failed: &BTreeSet<String>) -> Step {
    let standing = &record.standing;
    let is_manageable = standing.account_state.as_deref() == Some("OPERATIONAL");
    if standing.submitted_at.is_none() {
        return Step::Nothing;
    }
    match standing.wish() {
        Some(Wish::Enable) if !is_manageable => return Step::Wait("the account is not operational yet"),
        Some(wish) => return Step::Product(wish),
        None => {}
    }
    if standing.refusal.is_some() || matches!(standing.state(), State::Offboarded | State::Terminated) {
        return Step::Nothing;
    }
    if standing.account_id.is_none() {
        return Step::Onboard(Scope::Whole);
    }
    if standing.account_state.as_deref() == Some("DISABLED") {
        return Step::Nothing;
    }
    let parts = &record.profile.parts;
    if parts.iter().any(|part| part.klarna_id.is_none()) {
        return Step::Onboard(Scope::New);
    }
    let mut ahead = parts.iter().enumerate().filter(|(_, part)| part.is_ahead()).peekable();
    match ahead.peek() {
        None => Step::Nothing,
        Some(_) if !is_manageable => Step::Wait("the account is not operational yet"),
        Some(_) => ahead
            .find(|(_, part)| !failed.contains(&part.part_id))
            .map_or(Step::SayAll, |(index, _)| Step::Change(index)),
    }
}

/// Writes the job, in the transaction of the change.
///
/// # Errors
/// [`DbError`].
pub(super) async fn enqueue(tx: &mut Tx, partner_id: &str, due_at: i64, now: i64) -> Result<(), DbError> {
    jobs::enqueue(tx, &NewJob { kind: KIND, key: partner_id, payload: "", due_at }, now).await.map(drop)
}

/// [`enqueue`], where many wait.
///
/// # Errors
/// [`DbError`].
pub(super) async fn enqueue_bulk(tx: &mut Tx, partner_id: &str, now: i64) -> Result<(), DbError> {
    jobs::enqueue(tx, &NewJob { kind: BULK, key: partner_id, payload: "", due_at: now }, now).await.map(drop)
}

/// Takes steps until there is none.
///
/// # Errors
/// As the database says. What Klarna refuses is no error: it is written down.
pub(super) async fn run(ctx: &Ctx, partner_id: &str) -> Result<Ended, ApiError> {
    // Changes that failed in this run: why the first of them did, and which.
    let (mut why_failed, mut failed) = (None, BTreeSet::new());
    for _ in 0..STEPS_MAX {
        let Some((record, step)) = decide(ctx, partner_id, &failed).await? else { return Ok(Ended::Equal) };
        let taken = match step {
            Step::Nothing => return Ok(Ended::Equal),
            Step::Wait(why) => return Ok(Ended::Waiting(why.to_owned())),
            Step::Product(wish) => set_product(ctx, record, wish).await?,
            Step::Onboard(scope) => onboard(ctx, record, scope).await?,
            Step::Change(index) => {
                let part_id = record.profile.parts[index].part_id.clone();
                let changed = change(ctx, record, index).await?;
                if let Err(why) = changed {
                    why_failed.get_or_insert(why);
                    failed.insert(part_id);
                }
                continue;
            }
            Step::SayAll => {
                let said = say_all(ctx, record).await?;
                let why = why_failed.unwrap_or_else(|| "a change failed".to_owned());
                let is_equal = said.is_ok()
                    && decide(ctx, partner_id, &failed).await?.is_none_or(|(_, step)| step == Step::Nothing);
                return Ok(if is_equal { Ended::Equal } else { Ended::Waiting(said.err().unwrap_or(why)) });
            }
        };
        if let Err(why) = taken {
            return Ok(Ended::Waiting(why));
        }
    }
    Ok(Ended::Waiting("there were more steps than a Partner has parts".to_owned()))
}

/// Compares under the lock; removes the job if nothing is left.
async fn decide(ctx: &Ctx, partner_id: &str, failed: &BTreeSet<String>) -> Result<Option<(Record, Step)>, ApiError> {
    let failed = failed.clone();
    writing(ctx, partner_id, move |tx, ctx, id| {
        Box::pin(async move {
            let Some(record) = Record::lock(tx, &ctx, &id).await? else { return Ok(None) };
            let step = next_beside(&record, &failed);
            if step == Step::Nothing {
                jobs::cancel(tx, KIND, &id).await?;
            }
            Ok(Some((record, step)))
        })
    })
    .await
}

/// Runs a unit that may be run again.
async fn writing<T, F>(ctx: &Ctx, partner_id: &str, unit: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, Ctx, String) -> UnitFuture<'t, Result<T, ApiError>> + Clone + Send + 'static,
{
    ctx.db
        .write_repeating(|| {
            let (ctx, id, unit) = (ctx.clone(), partner_id.to_owned(), unit.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<T, ApiError>> { unit(tx, ctx, id) }
        })
        .await
}

/// Sends a call in the Partner's name.
async fn send(ctx: &Ctx, record: &Record, mut operation: Operation, seed: &str) -> Result<Value, CallError> {
    operation.originator = Some(tag(record.profile.name(), &record.partner_id));
    operation.correlation_id = Some(record.partner_id.clone());
    let key = Uuid::new_v5(&KEY_NAMESPACE, format!("{}/{}/{seed}", record.partner_id, operation.name).as_bytes());
    let answer = ctx.klarna.send(&operation.key(key)).await?;
    answer.json()
}

/// Done, or why it has to be tried again.
type Taken = Result<(), String>;

async fn onboard(ctx: &Ctx, record: Record, scope: Scope) -> Result<Taken, ApiError> {
    let mut translated = translate::onboarding(&record.profile, scope);
    translated.body = hashed(ctx, translated.body).await?;
    let text = translated.body.to_string();
    let seed = hex::encode(Sha256::digest(text.as_bytes()));
    let operation = Operation::new("onboard", Method::POST, &["v2", "distribution", "onboard"]).json(text);
    match send(ctx, &record, operation, &seed).await {
        Ok(answer) => {
            let id = record.partner_id.clone();
            writing(ctx, &id, move |tx, ctx, _| {
                Box::pin(async move { onboarded(tx, &ctx, &record, scope, &answer).await })
            })
            .await
            .map(Ok)
        }
        Err(error) => refused(ctx, &record, &translated, error).await,
    }
}

/// Says the whole account to Klarna (SEC-7a). Equal is then what Klarna takes, or contradicts nothing of.
async fn say_all(ctx: &Ctx, record: Record) -> Result<Taken, ApiError> {
    // Klarna finds an account by its reference: under one that it has not heard of yet, this would make a second account.
    let is_account_ahead = record.profile.account().is_some_and(|account| account.is_ahead());
    if is_account_ahead && !goes_by_our_reference(ctx, &record).await {
        return Ok(Err("the account's reference at Klarna is not ours yet".to_owned()));
    }
    let mut translated = translate::onboarding(&record.profile, Scope::Whole);
    translated.body = hashed(ctx, translated.body).await?;
    let text = translated.body.to_string();
    // Not the key of an onboarding that said the same before: what matters is what Klarna has now.
    let versions: Vec<String> =
        record.profile.parts.iter().map(|part| format!("{}@{}", part.part_id, part.version)).collect();
    let seed = format!("{}/{}", versions.join(","), ctx.clock.now());
    let operation = Operation::new("onboard_whole", Method::POST, &["v2", "distribution", "onboard"]).json(text);
    let contradicted: BTreeSet<usize> = match send(ctx, &record, operation, &seed).await {
        Ok(_) => BTreeSet::new(),
        Err(CallError::Refused(refusal))
            if refusal.status == StatusCode::CONFLICT && !refusal.error.faults().is_empty() =>
        {
            let named: Option<BTreeSet<usize>> = refusal
                .error
                .faults()
                .iter()
                .map(|fault| translated.part_of(&record.profile, fault.parameter()))
                .collect();
            match named {
                Some(named) => named,
                // A contradiction that we cannot place may be about anything.
                None => return Ok(Err(format!("the network answered {}", refusal.status))),
            }
        }
        Err(error) => return Ok(Err(error.to_string())),
    };
    tracing::info!(partner.id = %record.partner_id, contradicted = contradicted.len(), "said the whole account to Klarna");
    writing(ctx, &record.partner_id.clone(), move |tx, ctx, id| {
        Box::pin(async move {
            Record::lock(tx, &ctx, &id).await?;
            for (index, part) in record.profile.parts.iter().enumerate().filter(|(_, part)| part.is_ahead()) {
                if let Some(klarna_id) = part.klarna_id.as_ref().filter(|_| !contradicted.contains(&index)) {
                    store::synced(tx, &id, &part.part_id, klarna_id, part.version).await?;
                }
            }
            // What was taken away here is not said there, and so is not contradicted: reading back finds it.
            store::align_at(tx, &id, ctx.clock.now() + FIRST_LOOK_US).await?;
            Ok(())
        })
    })
    .await
    .map(Ok)
}

/// Whether Klarna has the account under the reference that it has here.
async fn goes_by_our_reference(ctx: &Ctx, record: &Record) -> bool {
    let account = record.standing.account_id.as_deref().unwrap_or_default();
    let mut operation = Operation::on_account("read_account", Method::GET, account, &[]);
    operation.originator = Some(tag(record.profile.name(), &record.partner_id));
    let shown: Result<Value, CallError> = ctx.klarna.send(&operation).await.and_then(|answer| answer.json());
    shown.is_ok_and(|shown| shown["partner_account_reference"] == record.profile.reference())
}

/// Writes down the ids of everything that Klarna knows now, and lets the Partner pay.
async fn onboarded(tx: &mut Tx, ctx: &Ctx, sent: &Record, scope: Scope, answer: &Value) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let Some(mut record) = Record::lock(tx, ctx, &sent.partner_id).await? else { return Ok(()) };
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let account_id = text(answer, "partner_account_id")
        .ok_or_else(|| ApiError::internal("the answer to onboarding has no partner_account_id"))?;
    let before = record.standing.clone();
    if let Some(other) =
        access::partner_of_account(tx, &account_id).await?.filter(|one| one.partner_id != sent.partner_id)
    {
        record.standing.refusal = Some(of_another(&other.partner_id, now));
        return record.settle(tx, ctx, &before).await;
    }
    let product = &answer["products"][0];
    for part in &sent.profile.parts {
        let id = match part.kind {
            Kind::Account if scope == Scope::Whole => Some(account_id.clone()),
            Kind::Account => None,
            Kind::PaymentAccount => id_in(product, part.kind, "payment_accounts", &part.reference),
            Kind::Store => {
                let groups = answer["store_groups"].as_array().into_iter().flatten();
                groups.filter_map(|group| id_in(group, part.kind, "stores", &part.reference)).next()
            }
            Kind::BusinessEntity | Kind::Brand | Kind::StoreGroup => {
                id_in(answer, part.kind, part.kind.their_list().0, &part.reference)
            }
        };
        let is_news = scope == Scope::Whole || part.klarna_id.is_none();
        if let Some(id) = id.filter(|_| is_news) {
            store::synced(tx, &sent.partner_id, &part.part_id, &id, part.version).await?;
        }
    }
    let standing = &mut record.standing;
    standing.account_id = Some(account_id.clone());
    // A webhook may have been faster than this answer.
    if standing.account_state.is_none() {
        standing.account_state = text(answer, "state").or_else(|| Some("PARTIALLY_OPERATIONAL".to_owned()));
    }
    if let Some(id) = text(product, "product_id") {
        let state = text(product, "state").unwrap_or_else(|| "ENABLED".to_owned());
        let known = standing.product.get_or_insert(Product {
            id: id.clone(),
            state,
            by_klarna: false,
            reason: None,
            at: happened_at(product),
        });
        known.id = id;
    }
    standing.refusal = None;
    let account = account_id.parse::<PartnerAccountId>().map_err(ApiError::internal)?;
    let first = sent.profile.of(Kind::PaymentAccount).next().map(|(_, part)| part.reference.as_str());
    let payment_account =
        first.and_then(|reference| id_in(product, Kind::PaymentAccount, "payment_accounts", reference));
    let payment_account_id: Option<PaymentAccountId> = payment_account.and_then(|id| id.parse().ok());
    let partner = NewPartner { name: record.profile.name().to_owned(), klarna_account_id: account, payment_account_id };
    access::admit(tx, &sent.partner_id, &partner, now).await.map_err(|error| match error {
        AccessError::Store(error) => ApiError::from(error),
        other => ApiError::internal(other),
    })?;
    if before.account_id.is_none() {
        compliance::note(tx, ctx, &sent.partner_id, &Finding::approved(now)).await?;
    }
    record.settle(tx, ctx, &before).await?;
    if before.account_id.is_none() && ctx.config.portal_users_at_onboarding {
        portal::invite(tx, ctx, &record).await?;
    }
    Ok(store::align_at(tx, &sent.partner_id, now + FIRST_LOOK_US).await?)
}

/// Klarna had the Partner already, and so had we, under another id: asking again would change nothing.
fn of_another(partner_id: &str, now: i64) -> Refusal {
    let reason = format!("is that of Partner {partner_id} at Klarna; one that was made by command is adopted first");
    Refusal {
        status: StatusCode::CONFLICT.as_u16(),
        code: "RESOURCE_CONFLICT".to_owned(),
        message: format!("Klarna has this Partner's account as that of {partner_id}."),
        faults: vec![("reference".to_owned(), reason)],
        at: now,
    }
}

/// The id of what has a reference in a list of an answer.
fn id_in(answer: &Value, kind: Kind, list: &str, reference: &str) -> Option<String> {
    let (id, name) = kind.their_names();
    let entries = answer.get(list)?.as_array()?;
    let entry = entries.iter().find(|entry| entry.get(name).and_then(Value::as_str) == Some(reference))?;
    entry.get(id)?.as_str().map(str::to_owned)
}

async fn change(ctx: &Ctx, record: Record, index: usize) -> Result<Taken, ApiError> {
    let (account, part) = (record.standing.account_id.clone().unwrap_or_default(), record.profile.parts[index].clone());
    let place = record.profile.of(part.kind).position(|(_, other)| other.part_id == part.part_id).unwrap_or_default();
    let mut translated = translate::changing(&part, place);
    translated.body = hashed(ctx, translated.body).await?;
    let klarna_id = part.klarna_id.clone().unwrap_or_default();
    let (name, path): (_, Vec<&str>) = match part.kind {
        Kind::Account => ("update_account", vec![]),
        Kind::BusinessEntity => ("update_business_entity", vec![part.kind.their_list().1, &klarna_id]),
        Kind::Brand => ("update_brand", vec![part.kind.their_list().1, &klarna_id]),
        Kind::StoreGroup => ("update_store_group", vec![part.kind.their_list().1, &klarna_id]),
        Kind::Store => ("update_store", vec![part.kind.their_list().1, &klarna_id]),
        // Refused before it is written: Klarna's payment accounts never change. What is left is only ever a repair of the books.
        Kind::PaymentAccount => {
            writing(ctx, &record.partner_id.clone(), move |tx, _, id| {
                Box::pin(async move { Ok(store::synced(tx, &id, &part.part_id, &klarna_id, part.version).await?) })
            })
            .await?;
            return Ok(Ok(()));
        }
    };
    let operation = Operation::on_account(name, Method::PATCH, &account, &path).json(translated.body.to_string());
    let seed = format!("{}/{}/{}", part.part_id, part.version, part.synced_version.unwrap_or_default());
    match send(ctx, &record, operation, &seed).await {
        Ok(_) => {
            let id = record.partner_id.clone();
            writing(ctx, &id, move |tx, ctx, id| {
                Box::pin(async move {
                    store::synced(tx, &id, &part.part_id, &klarna_id, part.version).await?;
                    if part.kind == Kind::Account {
                        access::rename(tx, &id, part.text("name").unwrap_or_default()).await?;
                    }
                    let Some(mut record) = Record::lock(tx, &ctx, &id).await? else { return Ok(()) };
                    record.save(tx, ctx.clock.now()).await
                })
            })
            .await
            .map(Ok)
        }
        // Not the change is refused: there is no such operation, here or today.
        Err(CallError::Refused(refusal))
            if refusal.status == StatusCode::METHOD_NOT_ALLOWED || refusal.code() == "NOT_FOUND" =>
        {
            Ok(Err(format!("the network answered {} {}", refusal.status.as_u16(), refusal.code())))
        }
        Err(error) => refused(ctx, &record, &translated, error).await,
    }
}

/// Writes down what Klarna refused, in our names; or says why the outcome is open.
async fn refused(ctx: &Ctx, record: &Record, translated: &Translated, error: CallError) -> Result<Taken, ApiError> {
    let CallError::Refused(refusal) = error else { return Ok(Err(error.to_string())) };
    if matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS) {
        tracing::error!(partner.id = %record.partner_id, "the network refuses our API key; Partners wait");
        return Ok(Err(format!("the network answered {}", refusal.status)));
    }
    let faults: Vec<FieldFault> =
        refusal.error.faults().iter().map(|fault: &ValidationError| translated.our_fault(fault)).collect();
    let written = Refusal {
        status: refusal.status.as_u16(),
        code: refusal.code().to_owned(),
        message: refusal.error.error_message.clone().unwrap_or_else(|| "Klarna refused the request.".to_owned()),
        faults: faults.into_iter().map(|fault| (fault.parameter, fault.reason)).collect(),
        at: ctx.clock.now(),
    };
    tracing::warn!(partner.id = %record.partner_id, error.code = %written.code, "Klarna refused what it was sent of a Partner");
    let versions: Vec<(String, i64)> =
        record.profile.parts.iter().map(|part| (part.part_id.clone(), part.version)).collect();
    writing(ctx, &record.partner_id, move |tx, ctx, id| {
        Box::pin(async move {
            let Some(mut record) = Record::lock(tx, &ctx, &id).await? else { return Ok(()) };
            let now: Vec<(String, i64)> =
                record.profile.parts.iter().map(|part| (part.part_id.clone(), part.version)).collect();
            // What was changed meanwhile was not refused.
            if now != versions {
                return Ok(());
            }
            let before = record.standing.clone();
            if before.account_id.is_none() && written.status == StatusCode::FORBIDDEN.as_u16() {
                compliance::note(tx, &ctx, &id, &Finding::rejected(&written.message, written.at)).await?;
            }
            record.standing.refusal = Some(written);
            record.settle(tx, &ctx, &before).await
        })
    })
    .await
    .map(Ok)
}

async fn set_product(ctx: &Ctx, record: Record, wish: Wish) -> Result<Taken, ApiError> {
    let standing = &record.standing;
    let (account, turn) = (standing.account_id.clone().unwrap_or_default(), standing.turn);
    let product = standing.product.as_ref().map(|product| product.id.clone()).unwrap_or_default();
    let (name, verb, body) = match &wish {
        Wish::Disable { reason, details } => {
            let mut body = json!({"reason": reason});
            if let Some(details) = details {
                body["reason_details"] = json!(details);
            }
            ("disable_product", "disable", body)
        }
        Wish::Enable => ("enable_product", "enable", json!({})),
    };
    let path = ["products", "payment", &product, verb];
    let operation = Operation::on_account(name, Method::POST, &account, &path).json(body.to_string());
    // When it happened there: webhooks about what was before are old news then.
    let confirmed_at = match send(ctx, &record, operation, &turn.to_string()).await {
        Ok(answer) => Some(happened_at(&answer)),
        Err(CallError::Refused(refusal)) if wish == Wish::Enable && refusal.status == StatusCode::FORBIDDEN => None,
        // Retried until it is confirmed.
        Err(error) => {
            tracing::warn!(partner.id = %record.partner_id, klarna.operation = name, "{error}");
            return Ok(Err(error.to_string()));
        }
    };
    let id = record.partner_id.clone();
    writing(ctx, &id, move |tx, ctx, id| {
        Box::pin(async move {
            let Some(mut record) = Record::lock(tx, &ctx, &id).await? else { return Ok(()) };
            let before = record.standing.clone();
            confirm(&mut record.standing, &wish, turn, confirmed_at);
            record.settle(tx, &ctx, &before).await
        })
    })
    .await
    .map(Ok)
}

/// Klarna did as we wished, unless something else was wished or heard since.
fn confirm(standing: &mut Standing, wish: &Wish, turn: i64, confirmed_at: Option<i64>) {
    let is_current = standing.turn == turn;
    let Some(product) = standing.product.as_mut().filter(|_| is_current) else { return };
    let Some(at) = confirmed_at else {
        product.by_klarna = true;
        return;
    };
    match wish {
        Wish::Disable { reason, .. } => {
            "DISABLED".clone_into(&mut product.state);
            (product.by_klarna, product.reason) = (false, Some(reason.clone()));
        }
        Wish::Enable => {
            "ENABLED".clone_into(&mut product.state);
            (product.by_klarna, product.reason) = (false, None);
        }
    }
    product.at = product.at.max(at);
}

/// When Klarna changed a product, in microseconds UTC; 0 where it does not say.
fn happened_at(product: &Value) -> i64 {
    let text = product.get("updated_at").and_then(Value::as_str);
    text.and_then(|text| text.parse::<Timestamp>().ok()).map_or(0, Timestamp::as_micros)
}

/// With configured hashing, account numbers leave hashed.
async fn hashed(ctx: &Ctx, body: Value) -> Result<Value, ApiError> {
    let Some(hashing) = ctx.config.bank_account_hashing.as_ref().map(|one| one.0.clone()) else { return Ok(body) };
    // It takes the time that it is meant to take.
    tokio::task::spawn_blocking(move || hash_accounts(&hashing, body)).await.map_err(ApiError::internal)?
}

fn hash_accounts(hashing: &Hashing, mut body: Value) -> Result<Value, ApiError> {
    let wrapped = match body.get_mut("partner_business_entities").and_then(Value::as_array_mut) {
        Some(entities) => entities.iter_mut().collect(),
        None => vec![&mut body],
    };
    for entity in wrapped {
        let accounts = entity.pointer_mut("/supplementary_business_data/partner_payouts_state/bank_accounts");
        for account in accounts.and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(members) = account.as_object_mut() else { continue };
            for (clear, hash) in HASHABLE {
                let Some(Value::String(number)) = members.remove(clear) else { continue };
                let value = hashing.hash(&number).map_err(ApiError::internal)?;
                let mut object = Map::new();
                object.insert("value".to_owned(), json!(value));
                object.insert("sanitization_method".to_owned(), json!(hashing.sanitization_method));
                object.insert("hash_method".to_owned(), json!(hashing.hash_method));
                members.insert(hash.to_owned(), Value::Object(object));
            }
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::profile::{Part, Profile};
    use super::super::standing::OwnSuspension;
    use super::*;

    fn part(kind: Kind, klarna_id: Option<&str>, synced_version: Option<i64>) -> Part {
        Part {
            part_id: kind.as_str().to_owned(),
            kind,
            reference: "r".to_owned(),
            body: Map::new(),
            klarna_id: klarna_id.map(str::to_owned),
            version: 2,
            synced_version,
        }
    }

    fn record(account_state: &str, parts: Vec<Part>) -> Record {
        let product =
            Product { id: "krn:p".to_owned(), state: "ENABLED".to_owned(), by_klarna: false, reason: None, at: 0 };
        Record {
            partner_id: "par_1".to_owned(),
            profile: Profile { parts },
            standing: Standing {
                submitted_at: Some(1),
                account_id: Some("krn:a".to_owned()),
                account_state: Some(account_state.to_owned()),
                product: Some(product),
                ..Standing::default()
            },
            created_at: 1,
            updated_at: 1,
        }
    }

    #[test]
    fn what_is_new_is_onboarded_and_what_changed_waits_until_the_account_is_operational() {
        let known = || part(Kind::Account, Some("krn:a"), Some(2));
        let (new, old) = (part(Kind::Store, None, None), part(Kind::Brand, Some("krn:b"), Some(1)));
        assert_eq!(next(&record("OPERATIONAL", vec![known()])), Step::Nothing);
        assert_eq!(next(&record("OPERATIONAL", vec![known(), old.clone()])), Step::Change(1));
        assert!(matches!(next(&record("PARTIALLY_OPERATIONAL", vec![known(), old.clone()])), Step::Wait(_)));
        assert_eq!(next(&record("PARTIALLY_OPERATIONAL", vec![known(), old.clone(), new])), Step::Onboard(Scope::New));
        assert_eq!(next(&record("DISABLED", vec![known(), old])), Step::Nothing, "until Klarna lifts it");
        let mut draft = record("OPERATIONAL", vec![part(Kind::Account, None, None)]);
        draft.standing = Standing::default();
        assert_eq!(next(&draft), Step::Nothing);
        draft.standing.submitted_at = Some(1);
        assert_eq!(next(&draft), Step::Onboard(Scope::Whole));
    }

    #[test]
    fn a_suspension_waits_for_nothing_and_a_refusal_holds_back_only_data() {
        let mut record = record("PARTIALLY_OPERATIONAL", vec![part(Kind::Brand, None, None)]);
        record.standing.refusal =
            Some(Refusal { status: 409, code: String::new(), message: String::new(), faults: Vec::new(), at: 2 });
        assert_eq!(next(&record), Step::Nothing);
        record.standing.own = Some(OwnSuspension { reason: "VOLUNTARY".to_owned(), details: None, at: 3 });
        assert_eq!(next(&record), Step::Product(Wish::Disable { reason: "VOLUNTARY".to_owned(), details: None }));
    }

    #[test]
    fn a_confirmation_that_comes_late_changes_nothing() {
        let mut standing = record("OPERATIONAL", Vec::new()).standing;
        let wish = Wish::Disable { reason: "VOLUNTARY".to_owned(), details: None };
        standing.turn = 7;
        confirm(&mut standing, &wish, 6, Some(9));
        assert_eq!(standing.product.as_ref().map(|product| product.state.as_str()), Some("ENABLED"));
        confirm(&mut standing, &wish, 7, Some(9));
        assert_eq!(
            standing.product.as_ref().map(|product| (product.state.as_str(), product.at)),
            Some(("DISABLED", 9))
        );
    }

    #[test]
    fn account_numbers_leave_hashed_and_nothing_else_changes() {
        let hashing = Hashing { memory_kib: 64, iterations: 1, ..Hashing::default() };
        let account = json!({"bank_account_type": "IBAN", "bic": "NDEASEGGXXX", "iban": "de89 3704"});
        let data = json!({"partner_payouts_state": {"bank_accounts": [account]}});
        for body in [
            json!({"partner_business_entities": [{"supplementary_business_data": data}]}),
            json!({"supplementary_business_data": data}),
        ] {
            let text = hash_accounts(&hashing, body).unwrap().to_string();
            assert!(!text.contains("3704") && text.contains(&hashing.hash("DE893704").unwrap()), "{text}");
            assert!(text.contains("NDEASEGGXXX"));
        }
    }
}
