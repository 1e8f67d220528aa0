//! A Partner as it is kept: loaded, sealed, written.

use kit::db::Tx;
use kit::http::ApiError;
use serde_json::{Map, Value, json};

use super::compliance;
use super::part::Kind;
use super::profile::{Part, Profile};
use super::standing::Standing;
use super::store::{self, PartRow, ProfileRow};
use crate::Ctx;
use crate::access;
use crate::events::{self, NewEvent, wire_time};
use crate::sealed::PARTNER_PART;

/// A Partner with all its parts.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub partner_id: String,
    pub profile: Profile,
    pub standing: Standing,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Record {
    /// Reads a Partner and locks it until the transaction ends.
    pub async fn lock(tx: &mut Tx, ctx: &Ctx, partner_id: &str) -> Result<Option<Self>, ApiError> {
        match store::lock(tx, partner_id).await? {
            Some(row) => Self::open(tx, ctx, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads a Partner.
    pub async fn read(tx: &mut Tx, ctx: &Ctx, partner_id: &str) -> Result<Option<Self>, ApiError> {
        match store::read(tx, partner_id).await? {
            Some(row) => Self::open(tx, ctx, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Of its row.
    pub async fn open(tx: &mut Tx, ctx: &Ctx, row: ProfileRow) -> Result<Self, ApiError> {
        let mut parts = Vec::new();
        for part in store::parts(tx, &row.partner_id).await? {
            parts.push(opened(ctx, &row.partner_id, part)?);
        }
        Ok(Self {
            profile: Profile { parts },
            standing: serde_json::from_str(&row.standing).map_err(ApiError::internal)?,
            partner_id: row.partner_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    /// The row of a Partner.
    pub fn row(&self) -> ProfileRow {
        ProfileRow {
            partner_id: self.partner_id.clone(),
            reference: self.profile.reference().to_owned(),
            state: self.standing.state().as_str().to_owned(),
            standing: json!(self.standing).to_string(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// Writes where it stands.
    pub async fn save(&mut self, tx: &mut Tx, now: i64) -> Result<(), ApiError> {
        self.updated_at = now;
        Ok(store::save(tx, &self.row()).await?)
    }

    /// Writes where it stands, with all that follows from a change since `before`: whether it may pay, and what it is told.
    pub async fn settle(&mut self, tx: &mut Tx, ctx: &Ctx, before: &Standing) -> Result<(), ApiError> {
        let now = ctx.clock.now();
        let suspension = self.standing.suspension();
        if suspension != before.suspension() || self.standing.account_id != before.account_id {
            access::suspend(tx, &self.partner_id, suspension.as_ref()).await?;
        }
        let is_klarnas = |standing: &Standing| standing.suspension().is_some_and(|one| one.by == "KLARNA");
        if is_klarnas(&self.standing) && !is_klarnas(before) {
            compliance::expect(tx, &self.partner_id, now).await?;
        }
        self.save(tx, now).await?;
        if let Some(event_type) = before.announcement(&self.standing) {
            self.tell(tx, ctx, event_type, json!({})).await?;
        }
        Ok(())
    }

    /// Tells the Partner of something that happened to it.
    pub async fn tell(&self, tx: &mut Tx, ctx: &Ctx, event_type: &str, more: Value) -> Result<(), ApiError> {
        let mut data = json!({"partner": self.listed()});
        if let (Some(members), Value::Object(more)) = (data.as_object_mut(), more) {
            members.extend(more);
        }
        let event =
            NewEvent { partner_id: &self.partner_id, event_type, payment_id: None, data, occurred_at: ctx.clock.now() };
        events::emit(tx, ctx, &event).await
    }

    /// Writes one part.
    pub async fn put_part(&self, tx: &mut Tx, ctx: &Ctx, index: usize) -> Result<(), ApiError> {
        let part = &self.profile.parts[index];
        let text = Value::Object(part.body.clone()).to_string();
        let place = PARTNER_PART.place(&[&self.partner_id, &part.part_id]);
        let row = PartRow {
            part_id: part.part_id.clone(),
            kind: part.kind.as_str().to_owned(),
            reference: part.reference.clone(),
            position: i64::try_from(index).unwrap_or(i64::MAX),
            body: ctx.secrets.seal(place, text.as_bytes()),
            klarna_id: part.klarna_id.clone(),
            version: part.version,
            synced_version: part.synced_version,
        };
        Ok(store::put_part(tx, &self.partner_id, &row).await?)
    }

    /// As an operator reads it: everything, and where it stands.
    pub fn view(&self) -> Value {
        let mut view = Map::new();
        self.outline(&mut view);
        view.extend(self.profile.document());
        Value::Object(view)
    }

    /// As it stands in a list: without its parts.
    pub fn listed(&self) -> Value {
        let mut view = Map::new();
        self.outline(&mut view);
        view.insert("reference".to_owned(), json!(self.profile.reference()));
        view.insert("name".to_owned(), json!(self.profile.name()));
        Value::Object(view)
    }

    fn outline(&self, view: &mut Map<String, Value>) {
        let standing = &self.standing;
        let refusal = standing.refusal.as_ref().map(|refusal| {
            let faults: Vec<Value> = refusal
                .faults
                .iter()
                .map(|(parameter, reason)| json!({"parameter": parameter, "reason": reason}))
                .collect();
            json!({"status": refusal.status, "error_code": refusal.code, "error_message": refusal.message,
                "validation_errors": faults, "refused_at": wire_time(refusal.at)})
        });
        let waiting = self.profile.parts.iter().filter(|part| standing.account_id.is_some() && part.is_ahead()).count();
        let members = [
            ("id", json!(self.partner_id)),
            ("state", json!(standing.state().as_str())),
            ("suspension", json!(standing.suspension().map(|one| json!({"by": one.by, "reason": one.reason})))),
            ("next_step", json!(standing.next_step())),
            ("refusal", json!(refusal)),
            ("klarna_account_id", json!(standing.account_id)),
            ("klarna_account_state", json!(standing.account_state)),
            ("klarna_product_state", json!(standing.product.as_ref().map(|product| &product.state))),
            ("unconfirmed_changes", json!(waiting + usize::from(standing.wish().is_some()))),
            ("submitted_at", json!(standing.submitted_at.map(wire_time))),
            ("created_at", json!(wire_time(self.created_at))),
            ("updated_at", json!(wire_time(self.updated_at))),
        ];
        view.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
}

/// A Partner's first part of a kind.
pub async fn first(tx: &mut Tx, ctx: &Ctx, partner_id: &str, kind: Kind) -> Result<Option<Part>, ApiError> {
    let row = store::first_part(tx, partner_id, kind.as_str()).await?;
    row.map(|row| opened(ctx, partner_id, row)).transpose()
}

fn opened(ctx: &Ctx, partner_id: &str, row: PartRow) -> Result<Part, ApiError> {
    let place = PARTNER_PART.place(&[partner_id, &row.part_id]);
    let text = ctx.secrets.open(place, &row.body).map_err(ApiError::internal)?;
    let kind = Kind::stored(&row.kind).ok_or_else(|| ApiError::internal(format!("no kind of part: {}", row.kind)))?;
    Ok(Part {
        part_id: row.part_id,
        kind,
        reference: row.reference,
        body: serde_json::from_slice(&text).map_err(ApiError::internal)?,
        klarna_id: row.klarna_id,
        version: row.version,
        synced_version: row.synced_version,
    })
}
