//! A Partner that was made by command, with an account that Klarna has already, is taken into the books: from then on it is described,
//! changed, suspended and compared like any other. Its id and its keys stay.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, OptionalJsonBody};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{PartnerView, absent, conflict, load};
use super::part::Kind;
use super::profile::{Part, Profile};
use super::record::Record;
use super::standing::{OwnSuspension, Standing};
use super::{alignment, store, sync, translate};
use crate::Ctx;
use crate::access::{self, OperatorCaller, PartnerRow, PartnerState};
use crate::events::once::Once;

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(adopt_partner))
}

/// Adopt a Partner
///
/// For a Partner that was made by `kontor partner create`: everything that Klarna shows of its account becomes what is known of it here,
/// under Klarna's references. Its id and its keys stay. Repeat it as often as you like: a Partner that is known is shown as it is.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/adopt", operation_id = "adopt_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses(
        (status = 200, description = "The Partner as it stands.", body = PartnerView),
        (status = 409, description = "Klarna does not show the account, or another Partner has its reference."),
    )
)]
async fn adopt_partner(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    Path(partner_id): Path<String>,
    headers: HeaderMap,
    _body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    // Adopting twice does no harm: the key need not be remembered.
    Once::new(&operator.operator_id, &format!("POST /v1/partners/{partner_id}/adopt"), &headers, None)?;
    let (known, is_described) = known(&ctx, &partner_id).await?.ok_or_else(absent)?;
    if !is_described {
        let shown = alignment::shown(&ctx, &known.klarna_account_id, &known.name, &partner_id).await?;
        if shown.is_null() {
            return Err(conflict("Klarna does not show the account of this Partner."));
        }
        keep(&ctx, known, shown).await?;
        ctx.poke.poke();
    }
    Ok(Json(load(&ctx, &partner_id).await?.view()).into_response())
}

/// A Partner that may pay, and whether it is described here.
async fn known(ctx: &Ctx, partner_id: &str) -> Result<Option<(PartnerRow, bool)>, ApiError> {
    let id = partner_id.to_owned();
    ctx.db
        .read(move |tx| -> UnitFuture<'_, Result<Option<(PartnerRow, bool)>, ApiError>> {
            Box::pin(async move {
                let is_described = store::read(tx, &id).await?.is_some();
                Ok(access::partner(tx, &id).await?.map(|row| (row, is_described)))
            })
        })
        .await
}

async fn keep(ctx: &Ctx, known: PartnerRow, shown: Value) -> Result<(), ApiError> {
    let (known, shown) = (std::sync::Arc::new(known), std::sync::Arc::new(shown));
    ctx.db
        .write_repeating(|| {
            let (ctx, known, shown) = (ctx.clone(), known.clone(), shown.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move { adopt(tx, &ctx, &known, &shown).await })
            }
        })
        .await
}

async fn adopt(tx: &mut Tx, ctx: &Ctx, known: &PartnerRow, shown: &Value) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let profile = profile(&known.partner_id, shown, || format!("prt_{}", ctx.random.id(now).simple()));
    let standing = standing(&known.klarna_account_id, known.state != PartnerState::Active.as_str(), shown, now);
    let record = Record {
        partner_id: known.partner_id.clone(),
        profile,
        standing,
        created_at: known.created_at,
        updated_at: now,
    };
    // Somebody else may have been as fast: then this is done.
    if store::read(tx, &record.partner_id).await?.is_some() {
        return Ok(());
    }
    if !store::insert(tx, &record.row()).await? {
        let owner = store::reference_owner(tx, record.profile.reference()).await?;
        let reason = format!("{} is that of {}", record.profile.reference(), owner.unwrap_or_default());
        return Err(conflict(
            "Another Partner has the reference that Klarna has for this one; give it another reference first.",
        )
        .field("reference", reason));
    }
    for index in 0..record.profile.parts.len() {
        record.put_part(tx, ctx, index).await?;
    }
    access::suspend(tx, &record.partner_id, record.standing.suspension().as_ref()).await?;
    store::aligned(tx, &record.partner_id, now, now.saturating_add(ctx.config.alignment_interval_us)).await?;
    if sync::next(&record) != sync::Step::Nothing {
        sync::enqueue(tx, &record.partner_id, now, now).await?;
    }
    Ok(())
}

/// Where a Partner stands of which Klarna shows this; what was suspended by command stays so, and Klarna hears of it.
fn standing(account_id: &str, is_suspended: bool, shown: &Value, now: i64) -> Standing {
    let suspended = OwnSuspension { reason: "VOLUNTARY".to_owned(), details: None, at: now };
    let mut standing = Standing {
        submitted_at: Some(now),
        account_id: Some(account_id.to_owned()),
        aligned_at: Some(now),
        ..Standing::default()
    };
    alignment::hear(&mut standing, shown, now);
    standing.own = is_suspended.then_some(suspended);
    standing
}

/// Every part that Klarna shows, equal on both sides to begin with. `new_id` names them here.
fn profile(partner_id: &str, shown: &Value, mut new_id: impl FnMut() -> String) -> Profile {
    let mut profile = Profile::default();
    for kind in Kind::ALL {
        let (id_name, reference_name) = kind.their_names();
        for entry in alignment::entries(shown, kind) {
            let Some(klarna_id) = entry.get(id_name).and_then(Value::as_str) else { continue };
            let named = entry.get(reference_name).and_then(Value::as_str).filter(|text| !text.is_empty());
            // Ours: what has no name of its own is called by what names it for sure.
            let fallback = if kind == Kind::Account { partner_id } else { klarna_id };
            let reference = named.filter(|text| profile.find(kind, text).is_none()).unwrap_or(fallback);
            let mut body: Map<String, Value> = translate::ours(kind, entry);
            body.insert("reference".to_owned(), json!(reference));
            for (member, reference) in alignment::linked(&profile, kind, entry) {
                if let Some(reference) = reference.filter(|reference| !reference.is_null()) {
                    body.insert(member.to_owned(), reference);
                }
            }
            profile.parts.push(Part {
                part_id: new_id(),
                kind,
                reference: reference.to_owned(),
                body,
                klarna_id: Some(klarna_id.to_owned()),
                version: 1,
                synced_version: Some(1),
            });
        }
    }
    profile
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Value {
        json!({"partner_account_id": "krn:a", "partner_account_reference": "m-1", "partner_account_name": "Nordlicht",
            "state": "OPERATIONAL",
            "products": [{"product_id": "krn:p", "state": "ENABLED", "payment_profile_id": "krn:pp", "payment_accounts": [
                {"payment_account_id": "krn:pa", "payment_account_reference": "pa", "default_store_group_id": "krn:sg",
                    "partner_business_entity_id": "krn:foreign"}]}],
            "brands": [{"brand_id": "krn:b", "brand_reference": "b", "display_name": "Nordlicht"},
                {"brand_id": "krn:b2", "brand_reference": "b", "display_name": "Second"}],
            "store_groups": [{"store_group_id": "krn:sg", "brand_id": "krn:b"}]})
    }

    #[test]
    fn what_klarna_shows_becomes_what_is_known_under_its_references() {
        let mut ids = 0;
        let profile = profile("par_1", &shown(), || {
            ids += 1;
            format!("prt_{ids}")
        });
        let found: Vec<(&str, &str)> =
            profile.parts.iter().map(|part| (part.kind.as_str(), part.reference.as_str())).collect();
        let expected = [
            ("account", "m-1"),
            ("brand", "b"),
            ("brand", "krn:b2"),
            ("store_group", "krn:sg"),
            ("payment_account", "pa"),
        ];
        assert_eq!(found, expected, "names are given where there is none, or one twice");
        assert!(profile.parts.iter().all(|part| !part.is_ahead()), "nothing is to be sent");
        let document = profile.document();
        assert_eq!(document["payment_profile_id"], "krn:pp");
        assert_eq!(document["store_groups"][0]["brand"], "b");
        assert_eq!(document["payment_accounts"][0]["store_group"], "krn:sg");
        assert_eq!(document["payment_accounts"][0].get("business_entity"), None, "names nothing that is known");
    }

    #[test]
    fn a_suspension_by_command_stays_and_reaches_klarna() {
        let active = standing("krn:a", false, &shown(), 5);
        assert_eq!((active.state().as_str(), active.wish()), ("OPERATIONAL", None));
        let suspended = standing("krn:a", true, &shown(), 5);
        assert_eq!(suspended.state().as_str(), "SUSPENDED");
        assert!(suspended.wish().is_some());
    }
}
