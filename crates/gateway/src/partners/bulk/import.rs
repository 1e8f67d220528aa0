//! What becomes of a row: judged outside of any transaction as far as it can be, decided and written inside of one.

use kit::db::{DbError, Tx};
use kit::http::{ApiError, FieldFault};
use serde_json::{Value, json};

use super::super::api::{draft, insert, judge, keep, read_whole};
use super::super::profile::Wanted;
use super::super::record::Record;
use super::super::{store as partners, sync};
use super::store::{self, ImportRow, TakenRow};
use crate::Ctx;

/// What became of a row. In a dry run: what would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A Partner was made of it.
    Created,
    /// A Partner was changed by it.
    Changed,
    /// A Partner is as it says.
    Unchanged,
    /// Something is wrong with it, and nothing was done.
    Faulty,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Created, Self::Changed, Self::Unchanged, Self::Faulty];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Changed => "CHANGED",
            Self::Unchanged => "UNCHANGED",
            Self::Faulty => "FAULTY",
        }
    }
}

/// A row on its way in.
#[derive(Clone, Debug)]
pub(super) struct Row {
    number: i64,
    /// Empty where it has none that can be read.
    reference: String,
    /// What it says, or what is wrong with how it says it.
    wanted: Result<Vec<Wanted>, Vec<FieldFault>>,
    /// The Partner that would be made of it.
    draft: Result<Record, Vec<FieldFault>>,
}

impl Row {
    /// Reads a row; `faults` are those that whoever read it from a file found already.
    pub fn read(ctx: &Ctx, number: i64, partner: &Value, faults: Vec<FieldFault>, submits: bool) -> Self {
        const REFERENCE_CHARS_MAX: usize = 255;
        let reference = partner.get("reference").and_then(Value::as_str).unwrap_or_default();
        let reference = reference.chars().take(REFERENCE_CHARS_MAX).collect();
        let wanted = if faults.is_empty() { read_whole(partner, true).map_err(faults_of) } else { Err(faults) };
        let draft = match &wanted {
            Err(faults) => Err(faults.clone()),
            Ok(wanted) => draft(ctx, wanted).map_err(faults_of).and_then(|record| {
                let missing = if submits { record.profile.missing() } else { Vec::new() };
                if missing.is_empty() { Ok(record) } else { Err(missing) }
            }),
        };
        Self { number, reference, wanted, draft }
    }
}

/// What is wrong, field by field; what concerns no field stands under the reference.
fn faults_of(mut error: ApiError) -> Vec<FieldFault> {
    if error.validation_errors.is_empty() {
        return vec![FieldFault::new("reference", error.message.to_string())];
    }
    std::mem::take(&mut error.validation_errors)
}

/// Takes rows in their order; one that was taken before keeps its outcome, whatever it says now.
pub(super) async fn take(tx: &mut Tx, ctx: &Ctx, import: &ImportRow, rows: &[Row]) -> Result<Vec<TakenRow>, ApiError> {
    let mut taken = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(known) = store::taken(tx, &import.import_id, row.number).await? {
            taken.push(known);
            continue;
        }
        let (outcome, partner_id, faults) = match decide(tx, ctx, import, row).await? {
            Ok((outcome, partner_id)) => (outcome, partner_id, Vec::new()),
            Err(faults) => (Outcome::Faulty, None, faults),
        };
        let faults: Vec<(String, String)> = faults.into_iter().map(|fault| (fault.parameter, fault.reason)).collect();
        let known = TakenRow {
            number: row.number,
            reference: row.reference.clone(),
            outcome: outcome.as_str().to_owned(),
            partner_id,
            faults: json!(faults).to_string(),
        };
        store::insert_row(tx, &import.import_id, &known).await?;
        taken.push(known);
    }
    Ok(taken)
}

type Decided = Result<(Outcome, Option<String>), Vec<FieldFault>>;

async fn decide(tx: &mut Tx, ctx: &Ctx, import: &ImportRow, row: &Row) -> Result<Decided, ApiError> {
    let wanted = match &row.wanted {
        Ok(wanted) => wanted,
        Err(faults) => return Ok(Err(faults.clone())),
    };
    if let Some(number) = store::row_with_reference(tx, &import.import_id, &row.reference).await? {
        return Ok(Err(vec![FieldFault::new("reference", format!("repeats that of row {number}"))]));
    }
    match partners::reference_owner(tx, &row.reference).await? {
        Some(partner_id) => change(tx, ctx, import, &partner_id, wanted).await,
        None => create(tx, ctx, import, row).await,
    }
}

async fn create(tx: &mut Tx, ctx: &Ctx, import: &ImportRow, row: &Row) -> Result<Decided, ApiError> {
    let mut record = match &row.draft {
        Ok(record) => record.clone(),
        Err(faults) => return Ok(Err(faults.clone())),
    };
    if import.dry_run {
        return Ok(Ok((Outcome::Created, None)));
    }
    if import.submits {
        record.standing.hand_in(ctx.clock.now());
    }
    if !insert(tx, ctx, &record).await? {
        // Somebody made it in this very moment: look again.
        return Err(DbError::Contended.into());
    }
    if import.submits {
        sync::enqueue_bulk(tx, &record.partner_id, ctx.clock.now()).await?;
    }
    Ok(Ok((Outcome::Created, Some(record.partner_id))))
}

async fn change(
    tx: &mut Tx,
    ctx: &Ctx,
    import: &ImportRow,
    partner_id: &str,
    wanted: &[Wanted],
) -> Result<Decided, ApiError> {
    let Some(mut record) = Record::lock(tx, ctx, partner_id).await? else { return Err(DbError::Contended.into()) };
    let judged = match judge(ctx, &mut record, wanted) {
        Ok(judged) => judged,
        Err(error) => return Ok(Err(faults_of(error))),
    };
    let outcome = if judged.changed.is_empty() { Outcome::Unchanged } else { Outcome::Changed };
    if outcome == Outcome::Changed && !import.changes {
        let reason =
            format!("is that of {partner_id}, of which other things are known; this import does not change Partners");
        return Ok(Err(vec![FieldFault::new("reference", reason)]));
    }
    let standing = &record.standing;
    let is_due = import.submits
        && standing.account_id.is_none()
        && (standing.submitted_at.is_none() || standing.refusal.is_some());
    let missing = if is_due { record.profile.missing() } else { Vec::new() };
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    if !import.dry_run {
        keep(tx, ctx, &mut record, judged).await?;
        if is_due {
            let now = ctx.clock.now();
            record.standing.hand_in(now);
            record.save(tx, now).await?;
            sync::enqueue_bulk(tx, partner_id, now).await?;
        }
    }
    Ok(Ok((outcome, Some(partner_id.to_owned()))))
}
