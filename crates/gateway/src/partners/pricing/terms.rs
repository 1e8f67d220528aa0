//! Klarna's plans as they were read last, kept in the database: read once, then shown from here and refreshed by a job.

use http::Method;
use kit::clock::{DAY_US, HOUR_US};
use kit::db::DbError;
use kit::http::ApiError;
use protocol::Timestamp;
use serde_json::{Value, json};

use super::store;
use crate::Ctx;
use crate::klarna::{CallError, Operation};

/// What nobody has used for this long is not refreshed any more, and forgotten, in microseconds.
const USED_WITHIN_US: i64 = 30 * DAY_US;
/// A refresh that failed is tried again after this long, in microseconds.
const TRY_AGAIN_US: i64 = 15 * kit::clock::MINUTE_US;
/// `used_at` is this coarse, so that reading costs no write each time.
const USED_STEP_US: i64 = HOUR_US;
/// Refreshed in one go.
const REFRESHED_AT_ONCE: i64 = 200;
/// What Klarna shows at once (RULINGS 1.3), and pages after which something is wrong.
const PAGE: &str = "100";
const PAGES_MAX: usize = 200;
const PRODUCT: [&str; 4] = ["v2", "distribution", "products", "payment"];

/// A document at Klarna.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// The payment profiles: each a price plan and a program plan.
    Profiles,
    /// The price plans with their versions.
    PricePlans,
    /// The rates in force of a price plan, for one merchant category.
    Rates {
        /// Of the plan.
        plan: String,
        /// Four digits.
        category: String,
    },
    /// The programs of a program plan.
    Programs {
        /// Of the plan.
        plan: String,
    },
}

/// A document, and how old it is.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// As Klarna has it; lists of several pages are one.
    pub body: Value,
    /// When it was read, in microseconds UTC.
    pub fetched_at: i64,
    /// Why the last refresh failed, if it did.
    pub failure: Option<String>,
}

impl Term {
    /// What it is stored under.
    fn key(&self) -> String {
        match self {
            Self::Profiles => "profiles".to_owned(),
            Self::PricePlans => "price-plans".to_owned(),
            Self::Rates { plan, category } => format!("rates/{category}/{plan}"),
            Self::Programs { plan } => format!("programs/{plan}"),
        }
    }

    /// The inverse of [`Term::key`].
    fn of_key(key: &str) -> Option<Self> {
        match key.split_once('/') {
            None if key == "profiles" => Some(Self::Profiles),
            None if key == "price-plans" => Some(Self::PricePlans),
            Some(("programs", plan)) => Some(Self::Programs { plan: plan.to_owned() }),
            Some(("rates", more)) => {
                let (category, plan) = more.split_once('/')?;
                Some(Self::Rates { plan: plan.to_owned(), category: category.to_owned() })
            }
            _ => None,
        }
    }

    async fn fetch(&self, ctx: &Ctx) -> Result<Value, CallError> {
        match self {
            Self::Profiles => {
                let answer = ctx.klarna.send(&read("list_profiles", &["profiles"])).await?;
                let shown: Value = answer.json()?;
                // A bare array, or under its name (RULINGS 1.3).
                let list = if shown.is_array() { shown } else { shown["payment_profiles"].clone() };
                Ok(json!({"payment_profiles": list}))
            }
            Self::PricePlans => pages(ctx, read("list_price_plans", &["price-plans"]), "price_plans").await,
            Self::Rates { plan, category } => {
                let mut operation = read("read_price_plan", &["price-plans", plan]);
                operation.query = vec![("merchant_category_code", category.clone())];
                pages(ctx, operation, "rates").await
            }
            Self::Programs { plan } => {
                pages(ctx, read("read_program_plan", &["payment-program-plans", plan]), "payment_programs").await
            }
        }
    }
}

fn read(name: &'static str, path: &[&str]) -> Operation {
    let path: Vec<&str> = PRODUCT.into_iter().chain(path.iter().copied()).collect();
    Operation::new(name, Method::GET, &path)
}

/// The first page, with the entries of all of them.
async fn pages(ctx: &Ctx, operation: Operation, list: &str) -> Result<Value, CallError> {
    let (mut whole, mut entries, mut after) = (Value::Null, Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let mut operation = operation.clone();
        operation.query.push(("size", PAGE.to_owned()));
        operation.query.extend(after.take().map(|id| ("starting_after", id)));
        let page: Value = ctx.klarna.send(&operation).await?.json()?;
        let found = page[list].as_array().cloned().unwrap_or_default();
        let pagination = &page["pagination"];
        let has_next = !pagination["links"]["next"].is_null() && !found.is_empty();
        after = pagination["last_item"].as_str().filter(|_| has_next).map(str::to_owned);
        entries.extend(found);
        if whole.is_null() {
            whole = page;
        }
        if after.is_none() {
            break;
        }
    }
    if let Some(members) = whole.as_object_mut() {
        members.remove("pagination");
        members.insert(list.to_owned(), Value::Array(entries));
    }
    Ok(whole)
}

/// A document: what is kept, whatever its age, or what Klarna says now.
///
/// # Errors
/// As the database says; 404 for what Klarna does not have, 503 where it does not answer and nothing is kept.
pub(super) async fn get(ctx: &Ctx, term: &Term) -> Result<Kept, ApiError> {
    let (key, now) = (term.key(), ctx.clock.now());
    let wanted = key.clone();
    let known = ctx.db.read(move |tx| Box::pin(async move { store::term(tx, &wanted).await })).await?;
    if let Some(row) = known {
        if now - row.used_at >= USED_STEP_US {
            ctx.db.write(move |tx| Box::pin(async move { store::use_term(tx, &key, now).await })).await?;
        }
        let body: Value = serde_json::from_str(&row.body).map_err(ApiError::internal)?;
        let mut kept = Kept { body, fetched_at: row.fetched_at, failure: row.failure };
        // What has ended meanwhile is not shown as if it held, unless there is nothing better.
        if has_ended(&kept.body, now) {
            match term.fetch(ctx).await {
                Ok(body) => {
                    put(ctx, term.key(), &body, now).await?;
                    kept = Kept { body, fetched_at: now, failure: None };
                }
                Err(error) => kept.failure = Some(error.to_string()),
            }
        }
        return Ok(kept);
    }
    let body = term.fetch(ctx).await.map_err(|error| match error {
        CallError::Refused(refusal) if refusal.status == http::StatusCode::NOT_FOUND => {
            ApiError::new(refusal.status, "RESOURCE_NOT_FOUND", "Klarna does not have this plan.")
        }
        other => ApiError::unavailable(other),
    })?;
    put(ctx, key, &body, now).await?;
    Ok(Kept { body, fetched_at: now, failure: None })
}

/// Whether a version of a plan was followed by another one.
pub(super) fn has_ended(body: &Value, now: i64) -> bool {
    let end = body.get("effective_to").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    end.is_some_and(|end| end.as_micros() <= now)
}

async fn put(ctx: &Ctx, key: String, body: &Value, now: i64) -> Result<(), ApiError> {
    let text = body.to_string();
    let written: Result<(), DbError> = ctx
        .db
        .write(move |tx| {
            Box::pin(async move {
                let known = store::term(tx, &key).await?;
                store::put_term(tx, &key, &text, now).await?;
                if known.is_some_and(|row| row.body != text) {
                    store::look_at_all(tx).await?;
                }
                Ok(())
            })
        })
        .await;
    Ok(written?)
}

/// Whether something that was read at a time should have been refreshed since.
pub(super) fn is_stale(ctx: &Ctx, fetched_at: i64) -> bool {
    // A little grace: the job comes round, it does not stand by.
    ctx.clock.now() - fetched_at > ctx.config.terms_refresh_us + HOUR_US
}

/// Reads what is due again; what fails stays as it was, and says so.
///
/// # Errors
/// As the database says.
pub(super) async fn refresh(ctx: &Ctx) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let (read_before, used_since) = (now - ctx.config.terms_refresh_us, now - USED_WITHIN_US);
    let due = ctx.db.write(move |tx| {
        Box::pin(async move {
            store::forget_terms(tx, used_since).await?;
            store::terms_due(tx, read_before, now - TRY_AGAIN_US, used_since, REFRESHED_AT_ONCE).await
        })
    });
    for key in due.await? {
        let Some(term) = Term::of_key(&key) else { continue };
        match term.fetch(ctx).await {
            Ok(body) => put(ctx, key, &body, ctx.clock.now()).await?,
            Err(error) => {
                tracing::warn!(term = %key, error = &error as &dyn std::error::Error, "could not refresh what is known of pricing");
                let failure = error.to_string();
                ctx.db
                    .write(move |tx| Box::pin(async move { store::term_failed(tx, &key, &failure, now).await }))
                    .await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_is_found_by_its_key() {
        let plan = "krn:partner:global:payment:price-plan:6a1d0c1e-0000-4000-8000-000000000001".to_owned();
        for term in [
            Term::Profiles,
            Term::PricePlans,
            Term::Programs { plan: plan.clone() },
            Term::Rates { plan, category: "5942".to_owned() },
        ] {
            assert_eq!(Term::of_key(&term.key()), Some(term));
        }
        assert_eq!(Term::of_key("weather"), None);
    }
}
