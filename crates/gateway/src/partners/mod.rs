//! Partners, as the Acquiring Partner knows them: onboarded, changed, suspended and ended on both sides alike.
//!
//! A Partner is a [`profile`] of parts (the account, business entities, brands, store groups, stores, payment accounts), each with
//! the Acquiring Partner's own reference, and a [`standing`]. [`part`] holds the tables of fields from which everything else follows;
//! [`translate`] turns our names into Klarna's and back. What should be at Klarna is what stands here: every change writes its part
//! and a job; `sync` compares and makes the calls, again and again until nothing differs. So a crash, a repetition and a lost answer
//! are all the same case. `alignment` reads back what Klarna has. Beside that: [`pricing`], [`portal`], and what Klarna decides
//! ([`compliance`]); `command` is the one way in for what operators change about a Partner.

pub mod actions;
pub mod adopt;
mod alignment;
pub mod api;
pub mod bulk;
mod command;
pub mod compliance;
mod jobs;
pub mod part;
pub mod portal;
pub mod pricing;
pub mod profile;
mod record;
pub mod standing;
mod store;
mod sync;
pub mod translate;

use kit::db::Tx;
use kit::http::ApiError;
use protocol::{Envelope, EventType};
use serde_json::{Value, json};

use crate::Ctx;
use crate::access::{self, Suspension};
use crate::payments::Applied;
use compliance::Finding;
use part::Kind;
use record::Record;
use standing::News;

pub use alignment::{Action, Drift, Progress, progress as alignment_progress};
pub use api::routes;
pub use jobs::{Wanted, align_all, ask, ensure_jobs, register_jobs};

/// How soon an account is read back after Klarna said that something in it changed, in microseconds: our own changes come in rows.
const LOOK_AGAIN_US: i64 = kit::clock::MINUTE_US;

/// How a Partner shows itself to customers, as far as it is known: the first of its brands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShownAs {
    pub name: Option<String>,
    /// By https.
    pub logo_url: Option<String>,
}

/// Reads it.
///
/// # Errors
/// As the database says; 500 when it cannot be unsealed.
pub(crate) async fn shown_as(tx: &mut Tx, ctx: &Ctx, partner_id: &str) -> Result<ShownAs, ApiError> {
    let Some(brand) = record::first(tx, ctx, partner_id, Kind::Brand).await? else { return Ok(ShownAs::default()) };
    let text = |name: &str| brand.text(name).filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let is_safe = |url: &String| url::Url::parse(url).is_ok_and(|url| url.scheme() == "https");
    Ok(ShownAs { name: text("display_name"), logo_url: text("logo_url").filter(is_safe) })
}

/// Applies one verified, deduplicated webhook about a Partner.
///
/// # Errors
/// As the database says.
pub async fn apply_network_event(tx: &mut Tx, ctx: &Ctx, envelope: &Envelope) -> Result<Applied, ApiError> {
    let Some(metadata) = &envelope.metadata else { return Ok(Applied::Unchanged) };
    let subject = metadata.subject_account_id.as_ref().or(metadata.account_id.as_ref()).map(ToString::to_string);
    let Some(partner) = access::partner_of_account(tx, subject.as_deref().unwrap_or_default()).await? else {
        return Ok(Applied::Unknown);
    };
    let (now, payload) = (ctx.clock.now(), envelope.payload.clone().unwrap_or_default());
    let Some(event) = &metadata.event_type else { return Ok(Applied::Unchanged) };
    let at = metadata.occurred_at.map_or(now, |time| time.as_micros());
    let news = News::of(event, &payload, at);
    let Some(mut record) = Record::lock(tx, ctx, &partner.partner_id).await? else {
        // Made by command: its data are elsewhere, but it must not pay when Klarna says so.
        return match news {
            Some(News::Product { state, reason, .. }) => {
                let suspension = (state != "ENABLED").then(|| Suspension { by: "KLARNA".to_owned(), reason });
                access::suspend(tx, &partner.partner_id, suspension.as_ref()).await?;
                Ok(Applied::Changed)
            }
            Some(News::Decided(_)) => {
                let Some(finding) = Finding::decision(&payload, at) else { return Ok(Applied::Unchanged) };
                let is_news = compliance::hear(tx, ctx, &partner.partner_id, None, &finding).await?;
                Ok(if is_news { Applied::Changed } else { Applied::Unchanged })
            }
            Some(News::Account { .. }) | None => Ok(Applied::Unchanged),
        };
    };
    match (event, news) {
        (EventType::PartnerAccountBrandDataIncomplete, _) => {
            let id = payload.get("brand_id").and_then(Value::as_str);
            let brand = record.profile.of(Kind::Brand).find(|(_, brand)| brand.klarna_id.as_deref() == id);
            let brand = brand.map(|(_, brand)| brand.reference.clone());
            let fields = payload.get("incomplete_fields").cloned().unwrap_or_default();
            record
                .tell(tx, ctx, "partner.brand_incomplete", json!({"brand": brand, "incomplete_fields": fields}))
                .await?;
        }
        (EventType::PartnerAccountChangeCreated, _) => {
            store::align_at(tx, &record.partner_id, now + LOOK_AGAIN_US).await?;
            return Ok(Applied::Unchanged);
        }
        (_, Some(news)) => {
            let before = record.standing.clone();
            let is_decision = matches!(news, News::Decided(_));
            record.standing.hear(news);
            if let Some(finding) = Finding::decision(&payload, at).filter(|_| is_decision) {
                compliance::hear(tx, ctx, &record.partner_id, Some(&record), &finding).await?;
            }
            record.settle(tx, ctx, &before).await?;
            if sync::next(&record) != sync::Step::Nothing {
                sync::enqueue(tx, &record.partner_id, now, now).await?;
                return Ok(Applied::NeedsCall);
            }
        }
        (_, None) => return Ok(Applied::Unchanged),
    }
    Ok(Applied::Changed)
}
