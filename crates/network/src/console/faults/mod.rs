//! Faults by rule: what goes wrong on purpose, with calls and with webhooks, so that an integrator sees how its side copes.
//!
//! Rules are rows. Every process holds them in memory and looks for changes twice a second; without rules a call costs one read of
//! an atomic. Whether a rule strikes is decided in its row, so that "the next three" are three, however many processes serve.

mod api;
mod call;
pub(crate) mod rule;
pub(crate) mod store;
mod webhook;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use tokio::sync::watch;

use crate::ctx::Ctx;

pub use api::routes;
pub(crate) use api::{all, create, remove};
pub(crate) use call::around;
pub(crate) use webhook::Unreliable;

use rule::{Rule, strikes};
use store::RuleRow;

/// A rule as it is held.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub acquiring_partner_id: String,
    pub fault_id: String,
    pub rule: Rule,
}

/// The rules that this process knows.
pub(crate) struct Faults {
    any: AtomicBool,
    rules: RwLock<Arc<Vec<Held>>>,
    /// Counts webhooks that were sent, for those that wait for another.
    sent: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { any: AtomicBool::new(false), rules: RwLock::default(), sent: watch::Sender::new(0) }
    }
}

impl Faults {
    /// Whether there are no rules at all.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    fn rules(&self) -> Arc<Vec<Held>> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, rules: Vec<Held>) {
        let any = !rules.is_empty();
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.any.store(any, Ordering::Release);
    }
}

/// Reads the rules that may still strike.
///
/// # Errors
/// [`DbError`]; what is held stays.
pub(crate) async fn refresh(ctx: &Ctx) -> Result<(), DbError> {
    let rows: Vec<RuleRow> = ctx.db.read(|tx| Box::pin(store::live(tx))).await?;
    let held = |row: RuleRow| {
        // A later version's rule is none of ours.
        let rule = serde_json::from_str(&row.rule).ok()?;
        Some(Held { acquiring_partner_id: row.acquiring_partner_id, fault_id: row.fault_id, rule })
    };
    ctx.observer.faults().hold(rows.into_iter().filter_map(held).collect());
    Ok(())
}

/// Counts a match in the rule's row and decides whether it strikes.
async fn hit(ctx: &Ctx, held: &Held) -> Result<bool, ApiError> {
    ctx.write(|| {
        let held = held.clone();
        move |tx: &mut Tx| -> UnitFuture<'_, Result<bool, ApiError>> {
            Box::pin(async move {
                let (account, id) = (held.acquiring_partner_id.as_str(), held.fault_id.as_str());
                let Some(counted) = store::count_match(tx, account, id).await? else { return Ok(false) };
                let strikes = strikes(counted.seed, counted.matched, held.rule.share);
                if strikes {
                    store::count_strike(tx, account, id).await?;
                }
                Ok(strikes)
            })
        }
    })
    .await
}
