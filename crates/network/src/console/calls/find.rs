//! Finding calls: what is meant, and reading until enough are found.

use kit::db::DbError;
use kit::http::ApiError;
use serde_json::Value;

use super::matcher::{Reading, body_fits, fits};
use super::store::{self, CallRow, Filter};
use super::{Detail, flush};
use crate::ctx::Ctx;
use crate::sealed::CALL_DETAIL;

/// Rows that are read at once while looking for those that fit.
const PAGE_ROWS: i64 = 200;
/// Rows that are looked at for one answer, at the most.
const ROWS_MAX: usize = 20_000;

/// A call with what was said.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub row: CallRow,
    pub detail: Detail,
}

/// Which calls are meant. What is absent fits everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub filter: Filter,
    /// `*` stands for anything.
    pub path: Option<String>,
    /// Somewhere in path, ids, bodies or headers; upper and lower case are the same.
    pub text: Option<String>,
    pub request_headers: Vec<(String, Value)>,
    pub response_headers: Vec<(String, Value)>,
    pub request_body: Vec<(String, Value)>,
    pub response_body: Vec<(String, Value)>,
}

impl Wanted {
    /// Reads a matcher.
    pub(crate) fn read(reading: &mut Reading<'_>) -> Self {
        Self {
            filter: Filter {
                method: reading.text("method").map(|method| method.to_ascii_uppercase()),
                operation: reading.text("operation"),
                status: reading.status("status"),
                account_id: reading.text("account_id"),
                correlation_id: reading.text("correlation_id"),
                since: reading.time("since"),
                after: reading.text("after"),
                before: reading.text("starting_after"),
            },
            path: reading.text("path"),
            text: reading.text("text").map(|text| text.to_lowercase()),
            request_headers: reading.wanted("request_headers"),
            response_headers: reading.wanted("response_headers"),
            request_body: reading.wanted("request_body"),
            response_body: reading.wanted("response_body"),
        }
    }

    /// Reads the query of a list; the same names as in a matcher.
    ///
    /// # Errors
    /// 400 naming every parameter at fault.
    pub(crate) fn of_query(query: &[(String, String)]) -> Result<Self, ApiError> {
        let given = query.iter().filter(|(_, value)| !value.trim().is_empty());
        let object = given.map(|(name, value)| (name.clone(), Value::String(value.trim().to_owned()))).collect();
        let body = Value::Object(object);
        let mut reading = Reading::of(&body, "");
        let wanted = Self::read(&mut reading);
        if reading.faults.is_empty() { Ok(wanted) } else { Err(ApiError::validation(reading.faults)) }
    }

    fn fits(&self, call: &Call) -> bool {
        let Call { row, detail } = call;
        self.path.as_deref().is_none_or(|pattern| fits(pattern, &row.path))
            && headers_fit(&self.request_headers, &detail.request.headers)
            && headers_fit(&self.response_headers, &detail.response.headers)
            && text_fits(&self.request_body, &detail.request.body)
            && text_fits(&self.response_body, &detail.response.body)
            && self.text.as_deref().is_none_or(|text| holds(call, text))
    }
}

fn headers_fit(wanted: &[(String, Value)], headers: &[(String, String)]) -> bool {
    wanted.iter().all(|(name, wanted)| {
        let mut values = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        match wanted {
            Value::Null => values.next().is_none(),
            Value::String(pattern) => values.any(|value| fits(pattern, value)),
            other => {
                let other = other.to_string();
                values.any(|value| *value == other)
            }
        }
    })
}

fn text_fits(wanted: &[(String, Value)], body: &str) -> bool {
    wanted.is_empty() || body_fits(wanted, &serde_json::from_str(body).unwrap_or(Value::Null))
}

fn holds(call: &Call, text: &str) -> bool {
    let Call { row, detail } = call;
    let has = |hay: &str| hay.to_lowercase().contains(text);
    let some = |hay: &Option<String>| hay.as_deref().is_some_and(has);
    let headers = |headers: &[(String, String)]| headers.iter().any(|(name, value)| has(name) || has(value));
    has(&row.call_id)
        || has(&row.path)
        || [&row.operation, &row.account_id, &row.correlation_id, &row.partner_correlation_id, &row.error_code]
            .into_iter()
            .any(some)
        || some(&detail.query)
        || has(&detail.request.body)
        || has(&detail.response.body)
        || headers(&detail.request.headers)
        || headers(&detail.response.headers)
}

fn open(ctx: &Ctx, row: CallRow) -> Result<Call, ApiError> {
    let opened = ctx.secrets.open(CALL_DETAIL.place(&[&row.call_id]), &row.detail).map_err(ApiError::internal)?;
    let detail = serde_json::from_slice(&opened).map_err(ApiError::internal)?;
    Ok(Call { row, detail })
}

/// The newest calls that fit, newest first, at most `limit`.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn find(
    ctx: &Ctx,
    acquiring_partner: &str,
    wanted: &Wanted,
    limit: usize,
) -> Result<Vec<Call>, ApiError> {
    flush(ctx).await?;
    let mut filter = wanted.filter.clone();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    while found.len() < limit && looked_at < ROWS_MAX {
        let (account, page) = (acquiring_partner.to_owned(), filter.clone());
        let rows: Vec<CallRow> =
            ctx.db.read(move |tx| Box::pin(async move { store::list(tx, &account, &page, PAGE_ROWS).await })).await?;
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < PAGE_ROWS;
        looked_at += rows.len();
        filter.before = rows.last().map(|row| row.call_id.clone()).or(filter.before);
        for row in rows {
            let call = open(ctx, row)?;
            if wanted.fits(&call) {
                found.push(call);
                if found.len() == limit {
                    break;
                }
            }
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// One call.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn read(ctx: &Ctx, acquiring_partner: &str, call_id: &str) -> Result<Option<Call>, ApiError> {
    flush(ctx).await?;
    let (account, id) = (acquiring_partner.to_owned(), call_id.to_owned());
    let row: Result<Option<CallRow>, DbError> =
        ctx.db.read(move |tx| Box::pin(async move { store::read(tx, &account, &id).await })).await;
    row?.map(|row| open(ctx, row)).transpose()
}
