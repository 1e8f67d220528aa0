//! Whether both sides hold the same: an account is read back from Klarna and compared field by field. What the Acquiring Partner owns
//! is sent again, what Klarna owns is taken over, and what nobody can mend is raised. A lost webhook is found here.

use http::Method;
use kit::db::{Db, DbError, Tx, UnitFuture};
use kit::http::ApiError;
use protocol::Timestamp;
use serde_json::{Map, Value};

use super::part::Kind;
use super::profile::{Part, Profile};
use super::record::Record;
use super::standing::{DISABLE_REASONS, News, Standing};
use super::{store, sync, translate};
use crate::Ctx;
use crate::klarna::origin::tag;
use crate::klarna::{CallError, Operation};

/// What is read along with an account.
const EXPANDED: [&str; 5] = ["products", "partner_business_entities", "brands", "store_groups", "stores"];
/// Where what cannot be read back is not compared: Klarna shows the rest of an entity without it.
const SUPPLEMENTARY: [&str; 2] = ["supplementary_business_data", "supplementary_account_data"];

/// What became of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ours is sent again.
    Repaired,
    /// Klarna's was taken over.
    Adopted,
    /// Somebody has to look.
    Raised,
}

impl Action {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repaired => "REPAIRED",
            Self::Adopted => "ADOPTED",
            Self::Raised => "RAISED",
        }
    }
}

/// A difference between the two sides: where, never what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The field in our names; the whole part where Klarna lacks it.
    pub field: String,
    /// What became of it.
    pub action: Action,
    /// Which of our parts, if it is one.
    part_id: Option<String>,
    is_lost: bool,
}

/// How far the comparison of all accounts is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Accounts that are compared.
    pub known: i64,
    /// Those whose turn has come.
    pub due: i64,
    /// Those that were compared since the time that was asked for.
    pub compared: i64,
    /// Differences found since then, by what became of them.
    pub drifts: Vec<(String, i64)>,
}

/// How far the comparison of all accounts is at a time, and what happened `since`; both in microseconds UTC.
///
/// # Errors
/// [`DbError`].
pub async fn progress(db: &Db, now: i64, since: i64) -> Result<Progress, DbError> {
    db.read(move |tx| {
        Box::pin(async move {
            let (known, due, compared) = store::alignment_counts(tx, now, since).await?;
            Ok(Progress { known, due, compared, drifts: store::drift_counts(tx, since).await? })
        })
    })
    .await
}

/// Reads an account back and acts on what differs; `None` for a Partner that has none.
///
/// # Errors
/// [`ApiError`] of the database, and 503 where Klarna does not answer.
pub(super) async fn check(ctx: &Ctx, partner_id: &str) -> Result<Option<Vec<Drift>>, ApiError> {
    let Some(record) = read(ctx, partner_id).await? else { return Ok(None) };
    let Some(account) = record.standing.account_id.clone() else { return Ok(None) };
    let shown = shown(ctx, &account, record.profile.name(), partner_id).await?;
    let id = partner_id.to_owned();
    let found = ctx
        .db
        .write_repeating(|| {
            let (ctx, id, sent, shown) = (ctx.clone(), id.clone(), record.clone(), shown.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Vec<Drift>, ApiError>> {
                Box::pin(async move { act(tx, &ctx, &id, &sent, &shown).await })
            }
        })
        .await?;
    ctx.poke.poke();
    Ok(Some(found))
}

/// An account with all that is read along, as Klarna shows it; null where Klarna does not show it to us.
///
/// # Errors
/// 503 where Klarna does not answer.
pub(super) async fn shown(ctx: &Ctx, account: &str, name: &str, partner_id: &str) -> Result<Value, ApiError> {
    let mut operation = Operation::on_account("read_account", Method::GET, account, &[]);
    operation.query = EXPANDED.into_iter().map(|name| ("expand", name.to_owned())).collect();
    operation.originator = Some(tag(name, partner_id));
    match ctx.klarna.send(&operation).await.and_then(|answer| answer.json()) {
        Ok(shown) => Ok(shown),
        // An account that Klarna does not show to us any more is nobody's to repair.
        Err(CallError::Refused(refusal)) => {
            tracing::error!(partner.id = partner_id, "the network does not show the account: {}", refusal.status);
            Ok(Value::Null)
        }
        Err(error) => Err(ApiError::unavailable(error)),
    }
}

async fn read(ctx: &Ctx, partner_id: &str) -> Result<Option<Record>, ApiError> {
    let (inner, id) = (ctx.clone(), partner_id.to_owned());
    ctx.db
        .read(move |tx| -> UnitFuture<'_, Result<Option<Record>, ApiError>> {
            Box::pin(async move { Record::read(tx, &inner, &id).await })
        })
        .await
}

async fn act(tx: &mut Tx, ctx: &Ctx, id: &str, sent: &Record, shown: &Value) -> Result<Vec<Drift>, ApiError> {
    let now = ctx.clock.now();
    let Some(mut record) = Record::lock(tx, ctx, id).await? else { return Ok(Vec::new()) };
    let before = record.standing.clone();
    let mut found = if shown.is_null() {
        let field = "klarna_account_id".to_owned();
        vec![Drift { field, action: Action::Raised, part_id: None, is_lost: false }]
    } else {
        let mut found = compare(&record, shown, ctx.config.bank_account_hashing.is_some());
        // What changed here while Klarna was asked is compared next time.
        found.retain(|drift| match &drift.part_id {
            Some(part_id) => version_of(&record, part_id) == version_of(sent, part_id),
            None => true,
        });
        found
    };
    if !shown.is_null() {
        found.extend(hear(&mut record.standing, shown, now));
    }
    for drift in found.iter().filter(|drift| drift.action == Action::Repaired) {
        let Some(part_id) = &drift.part_id else { continue };
        if drift.is_lost { store::forget(tx, id, part_id).await? } else { store::unsynced(tx, id, part_id).await? }
    }
    for drift in &found {
        tracing::warn!(partner.id = id, field = %drift.field, action = drift.action.as_str(), "the two sides differ");
        metrics::counter!("partner_drifts_total", "action" => drift.action.as_str()).increment(1);
        let drift_id = format!("dri_{}", ctx.random.id(now).simple());
        store::insert_drift(tx, id, &drift_id, &drift.field, drift.action.as_str(), now).await?;
    }
    record.standing.aligned_at = Some(now);
    record.settle(tx, ctx, &before).await?;
    store::aligned(tx, id, now, now.saturating_add(ctx.config.alignment_interval_us)).await?;
    let is_repaired = found.iter().any(|drift| drift.action == Action::Repaired);
    if is_repaired || sync::next(&record) != sync::Step::Nothing {
        sync::enqueue(tx, id, now, now).await?;
    }
    Ok(found)
}

fn version_of(record: &Record, part_id: &str) -> Option<i64> {
    record.profile.parts.iter().find(|part| part.part_id == part_id).map(|part| part.version)
}

/// Takes over what Klarna says of the account and its product, where that is news.
pub(super) fn hear(standing: &mut Standing, shown: &Value, now: i64) -> Vec<Drift> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut found = Vec::new();
    let mut adopt = |field: &str| {
        found.push(Drift { field: field.to_owned(), action: Action::Adopted, part_id: None, is_lost: false });
    };
    if let Some(state) = text(shown, "state").filter(|state| standing.account_state.as_ref() != Some(state)) {
        standing.hear(News::Account { state });
        adopt("klarna_account_state");
    }
    let product = &shown["products"][0];
    if let Some(state) = text(product, "state") {
        let reason = text(product, "state_reason").filter(|_| state != "ENABLED");
        let by_klarna = state != "ENABLED" && !reason.as_deref().is_some_and(|one| DISABLE_REASONS.contains(&one));
        let known = standing.product.as_ref();
        if known.is_none_or(|known| known.state != state || known.by_klarna != by_klarna) {
            let at = text(product, "updated_at").and_then(|text| text.parse::<Timestamp>().ok());
            let at = at.map_or(now, Timestamp::as_micros).max(known.map_or(0, |known| known.at));
            let id = text(product, "product_id");
            standing.hear(News::Product { id, state, reason, is_decision: by_klarna, at });
            adopt("klarna_product_state");
        }
    }
    found
}

/// Every difference in what both sides hold. Parts that are on their way are left alone.
fn compare(record: &Record, shown: &Value, is_hashed: bool) -> Vec<Drift> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let listed = entries(shown, kind);
        let (id_name, _) = kind.their_names();
        let is = |entry: &Value, part: &Part| {
            kind == Kind::Account || entry.get(id_name).and_then(Value::as_str) == part.klarna_id.as_deref()
        };
        for (index, part) in record.profile.of(kind).filter(|(_, part)| part.klarna_id.is_some() && !part.is_ahead()) {
            let at = if kind == Kind::Account { String::new() } else { format!("{}[{index}]", kind.list()) };
            // A payment account cannot be changed there; another one has to be made.
            let action = if kind == Kind::PaymentAccount { Action::Raised } else { Action::Repaired };
            let part_id = Some(part.part_id.clone());
            let Some(entry) = listed.iter().find(|entry| is(entry, part)) else {
                found.push(Drift { field: at, action: Action::Repaired, part_id, is_lost: true });
                continue;
            };
            for field in differing(record, part, entry, is_hashed) {
                let field = if at.is_empty() { field } else { format!("{at}.{field}") };
                found.push(Drift { field, action, part_id: part_id.clone(), is_lost: false });
            }
        }
        for entry in listed {
            let is_known = kind == Kind::Account || record.profile.of(kind).any(|(_, part)| is(entry, part));
            // Something that is on its way may be there already, under an id that is not known yet.
            let is_coming = record.profile.of(kind).any(|(_, part)| part.klarna_id.is_none());
            if !is_known && !is_coming {
                let field = format!("{}: {}", kind.list(), entry.get(id_name).and_then(Value::as_str).unwrap_or("?"));
                found.push(Drift { field, action: Action::Raised, part_id: None, is_lost: false });
            }
        }
    }
    found
}

/// The entries of a kind in an account that Klarna shows.
pub(super) fn entries(shown: &Value, kind: Kind) -> Vec<&Value> {
    match kind {
        Kind::Account => vec![shown],
        Kind::PaymentAccount => list(&shown["products"][0], "payment_accounts"),
        Kind::BusinessEntity | Kind::Brand | Kind::StoreGroup | Kind::Store => list(shown, kind.their_list().0),
    }
}

fn list<'a>(shown: &'a Value, name: &str) -> Vec<&'a Value> {
    shown.get(name).and_then(Value::as_array).into_iter().flatten().collect()
}

/// What an entry names by Klarna's ids, by our references: null for a part that is not ours, `None` where Klarna does not say.
pub(super) fn linked(profile: &Profile, kind: Kind, entry: &Value) -> Vec<(&'static str, Option<Value>)> {
    let named = |linked: Kind| {
        let (id, _) = linked.their_names();
        // Payment accounts have a default group.
        let id = [id.to_owned(), format!("default_{id}")].into_iter().find_map(|name| entry.get(&name)?.as_str())?;
        let part = profile.of(linked).find(|(_, part)| part.klarna_id.as_deref() == Some(id));
        Some(part.map_or(Value::Null, |(_, part)| part.reference.clone().into()))
    };
    kind.links().iter().map(|(member, linked)| (*member, named(*linked))).collect()
}

/// The fields of a part that differ.
fn differing(record: &Record, part: &Part, entry: &Value, is_hashed: bool) -> Vec<String> {
    let mut theirs = translate::ours(part.kind, entry);
    let mut links = Vec::new();
    for (member, reference) in linked(&record.profile, part.kind, entry) {
        match reference {
            Some(reference) => drop(theirs.insert(member.to_owned(), reference)),
            None if !theirs.contains_key(member) => links.push(member),
            None => {}
        }
    }
    let mut mine: Map<String, Value> = part.body.clone();
    mine.remove("payment_profile_id");
    theirs.remove("payment_profile_id");
    for member in links {
        mine.remove(member);
    }
    let mut fields = Vec::new();
    for field in part.kind.fields() {
        let top = field.theirs.split(['.', '[']).next().unwrap_or_default();
        let is_hidden = SUPPLEMENTARY.contains(&top) && entry.get(top).is_none();
        let is_hashed = is_hashed && (field.ours.ends_with(".iban") || field.ours.ends_with(".account_number"));
        let name = field.ours.split("[]").next().unwrap_or(field.ours);
        if is_hidden || is_hashed || fields.iter().any(|known| known == name) {
            continue;
        }
        if values(&mine, field.ours) != values(&theirs, field.ours) {
            fields.push(name.to_owned());
        }
    }
    fields
}

/// Everything that stands at a field, in order, as it is compared.
fn values(body: &Map<String, Value>, field: &str) -> Vec<String> {
    fn collect(value: &Value, segments: &[&str], found: &mut Vec<String>) {
        let Some((first, more)) = segments.split_first() else {
            if !value.is_null() {
                found.push(value.to_string());
            }
            return;
        };
        let Some(member) = value.get(first.trim_end_matches("[]")) else { return };
        match (first.ends_with("[]"), member) {
            (true, Value::Array(items)) => items.iter().for_each(|item| collect(item, more, found)),
            (true, _) => {}
            (false, member) => collect(member, more, found),
        }
    }
    let mut found = Vec::new();
    collect(&Value::Object(body.clone()), &field.split('.').collect::<Vec<_>>(), &mut found);
    found
}
