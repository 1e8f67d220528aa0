//! The `websdk_launches` table.

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::{params, row};
use protocol::PartnerAccountId;

use super::launch::{Dialogue, Display, Launch};
use crate::ctx::Ctx;
use crate::sealed::LAUNCH_DIALOGUE;

row! {
    struct LaunchRow {
        origin: String,
        display: String,
        answers_shipping: bool,
        sequence: i64,
        dialogue: Option<Vec<u8>>,
    }
}

/// How the journey of a request is shown; `None` when the SDK has no part in it.
///
/// # Errors
/// [`DbError`]; 500 when the dialogue cannot be unsealed.
pub async fn find(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    request: &str,
) -> Result<Option<Launch>, ApiError> {
    let sql = "select origin, display, answers_shipping, sequence, dialogue from websdk_launches
        where account_id = $1 and request_id = $2";
    let row: Option<LaunchRow> = tx.fetch_optional(sql, params![account.as_str(), request]).await?;
    let Some(row) = row else { return Ok(None) };
    let dialogue = match &row.dialogue {
        Some(sealed) => {
            let place = LAUNCH_DIALOGUE.place(&[request]);
            let opened = ctx.secrets.open(place, sealed).map_err(ApiError::internal)?;
            serde_json::from_slice(&opened).map_err(ApiError::internal)?
        }
        None => Dialogue::default(),
    };
    Ok(Some(Launch {
        origin: row.origin,
        display: Display::read(&row.display),
        answers_shipping: row.answers_shipping,
        sequence: row.sequence,
        dialogue,
    }))
}

/// Keeps it; the same request may be shown again in another way.
pub(super) async fn save(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, request): (&PartnerAccountId, &str),
    launch: &Launch,
) -> Result<(), ApiError> {
    let sealed = if launch.dialogue == Dialogue::default() {
        None
    } else {
        let text = serde_json::to_vec(&launch.dialogue).map_err(ApiError::internal)?;
        Some(ctx.secrets.seal(LAUNCH_DIALOGUE.place(&[request]), &text))
    };
    let sql =
        "insert into websdk_launches (account_id, request_id, origin, display, answers_shipping, sequence, dialogue,
            created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
        on conflict (account_id, request_id) do update set origin = excluded.origin, display = excluded.display,
            answers_shipping = excluded.answers_shipping, sequence = excluded.sequence, dialogue = excluded.dialogue,
            updated_at = excluded.updated_at";
    let written: Result<u64, DbError> = tx
        .execute(
            sql,
            params![
                account.as_str(),
                request,
                launch.origin.as_str(),
                launch.display.as_str(),
                launch.answers_shipping,
                launch.sequence,
                sealed.as_deref(),
                ctx.clock.now()
            ],
        )
        .await;
    Ok(written.map(drop)?)
}

/// Forgets the dialogue, and keeps to whom the journey hands back.
pub(super) async fn forget(tx: &mut Tx, account: &PartnerAccountId, request: &str, now: i64) -> Result<(), DbError> {
    let sql = "update websdk_launches set dialogue = null, updated_at = $3
        where account_id = $1 and request_id = $2 and dialogue is not null";
    tx.execute(sql, params![account.as_str(), request, now]).await.map(drop)
}
