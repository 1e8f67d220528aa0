//! Events, their positions, and endpoints.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// An event with its position.
    pub(crate) struct EventRow {
        pub event_id: String,
        pub event_type: String,
        pub data: String,
        pub created_at: i64,
        pub position: i64,
    }
}

row! {
    /// What decides whether an endpoint gets an event.
    pub(crate) struct SubscriberRow { pub endpoint_id: String, pub event_types: String }
}

row! {
    /// An endpoint, secrets sealed.
    pub(crate) struct EndpointRow {
        pub endpoint_id: String,
        pub url: String,
        pub event_types: String,
        pub description: Option<String>,
        pub enabled: bool,
        pub secret: Vec<u8>,
        pub previous_secret: Option<Vec<u8>>,
        pub previous_secret_until: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

/// An event to be written.
pub(crate) struct InsertEvent<'a> {
    pub partner_id: &'a str,
    pub event_id: &'a str,
    pub event_type: &'a str,
    pub payment_id: Option<&'a str>,
    pub data: &'a str,
    pub created_at: i64,
    pub ordinal: i64,
}

pub(crate) async fn insert(tx: &mut Tx, event: &InsertEvent<'_>) -> Result<(), DbError> {
    let sql = "insert into events (partner_id, event_id, event_type, payment_id, data, created_at, ordinal)
        values ($1, $2, $3, $4, $5, $6, $7)";
    let values = params![
        event.partner_id,
        event.event_id,
        event.event_type,
        event.payment_id,
        event.data,
        event.created_at,
        event.ordinal
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn subscribers(tx: &mut Tx, partner_id: &str) -> Result<Vec<SubscriberRow>, DbError> {
    let sql = "select endpoint_id, event_types from webhook_endpoints where partner_id = $1 and enabled = true";
    tx.fetch_all(sql, params![partner_id]).await
}

/// Whether an event of the Partner waits for its position.
pub(crate) async fn any_unnumbered(tx: &mut Tx, partner_id: &str) -> Result<bool, DbError> {
    let sql = "select event_id from events where partner_id = $1 and position is null limit 1";
    Ok(tx.fetch_optional::<()>(sql, params![partner_id]).await?.is_some())
}

/// Partners with events that wait for their position.
pub(crate) async fn unnumbered_partners(tx: &mut Tx) -> Result<Vec<String>, DbError> {
    row! { struct PartnerRow { partner_id: String } }
    let sql = "select distinct partner_id from events where position is null";
    Ok(tx.fetch_all::<PartnerRow>(sql, &[]).await?.into_iter().map(|row| row.partner_id).collect())
}

/// Gives the next positions to at most `limit` events; returns how many. The counter row is locked first, so that positions of
/// one Partner are given by one transaction at a time and become visible in their order.
pub(crate) async fn number(tx: &mut Tx, partner_id: &str, limit: i64) -> Result<u64, DbError> {
    row! { struct CounterRow { last_position: i64 } }
    let lock = "insert into event_counters (partner_id, last_position) values ($1, 0)
        on conflict (partner_id) do update set last_position = event_counters.last_position
        returning last_position";
    let last = tx.fetch_one::<CounterRow>(lock, params![partner_id]).await?.last_position;
    let give = "update events set position = numbered.position
        from (select event_id, $2 + row_number() over (order by created_at, ordinal, event_id) as position
              from events where partner_id = $1 and position is null
              order by created_at, ordinal, event_id limit $3) as numbered
        where events.partner_id = $1 and events.event_id = numbered.event_id";
    let given = tx.execute(give, params![partner_id, last, limit]).await?;
    if given > 0 {
        let advance = "update event_counters set last_position = last_position + $2 where partner_id = $1";
        tx.execute(advance, params![partner_id, i64::try_from(given).unwrap_or(i64::MAX)]).await?;
    }
    Ok(given)
}

pub(crate) async fn event(tx: &mut Tx, partner_id: &str, event_id: &str) -> Result<Option<EventRow>, DbError> {
    let sql = "select event_id, event_type, data, created_at, position from events
        where partner_id = $1 and event_id = $2 and position is not null";
    tx.fetch_optional(sql, params![partner_id, event_id]).await
}

/// Which events a page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventFilter {
    pub event_type: Option<String>,
    /// With `event_type` as a prefix, `payment.%`.
    pub type_prefix: Option<String>,
    pub payment_id: Option<String>,
    /// Inclusive.
    pub created_from: Option<i64>,
    /// Exclusive.
    pub created_until: Option<i64>,
    pub above: i64,
    pub below: i64,
}

pub(crate) async fn page(
    tx: &mut Tx,
    partner_id: &str,
    filter: &EventFilter,
    ascending: bool,
    limit: i64,
) -> Result<Vec<EventRow>, DbError> {
    // Positions bound the scan; the other conditions are checked on the way.
    const UP: &str = "select event_id, event_type, data, created_at, position from events
        where partner_id = $1 and position > $2 and position < $3
            and (cast($4 as text) is null or event_type = $4) and (cast($5 as text) is null or event_type like $5)
            and (cast($6 as bigint) is null or created_at >= $6) and (cast($7 as bigint) is null or created_at < $7)
        order by position limit $8";
    const DOWN: &str = "select event_id, event_type, data, created_at, position from events
        where partner_id = $1 and position > $2 and position < $3
            and (cast($4 as text) is null or event_type = $4) and (cast($5 as text) is null or event_type like $5)
            and (cast($6 as bigint) is null or created_at >= $6) and (cast($7 as bigint) is null or created_at < $7)
        order by position desc limit $8";
    const PAYMENT_UP: &str = "select event_id, event_type, data, created_at, position from events
        where partner_id = $1 and position > $2 and position < $3
            and (cast($4 as text) is null or event_type = $4) and (cast($5 as text) is null or event_type like $5)
            and (cast($6 as bigint) is null or created_at >= $6) and (cast($7 as bigint) is null or created_at < $7)
            and payment_id = $9
        order by position limit $8";
    const PAYMENT_DOWN: &str = "select event_id, event_type, data, created_at, position from events
        where partner_id = $1 and position > $2 and position < $3
            and (cast($4 as text) is null or event_type = $4) and (cast($5 as text) is null or event_type like $5)
            and (cast($6 as bigint) is null or created_at >= $6) and (cast($7 as bigint) is null or created_at < $7)
            and payment_id = $9
        order by position desc limit $8";
    let values = params![
        partner_id,
        filter.above,
        filter.below,
        &filter.event_type,
        &filter.type_prefix,
        filter.created_from,
        filter.created_until,
        limit,
        &filter.payment_id
    ];
    match (&filter.payment_id, ascending) {
        (Some(_), true) => tx.fetch_all(PAYMENT_UP, values).await,
        (Some(_), false) => tx.fetch_all(PAYMENT_DOWN, values).await,
        (None, true) => tx.fetch_all(UP, &values[..8]).await,
        (None, false) => tx.fetch_all(DOWN, &values[..8]).await,
    }
}

/// Locks the Partner's set of endpoints (its counter row stands for it) and counts them, so that a limit holds.
pub(crate) async fn count_endpoints(tx: &mut Tx, partner_id: &str) -> Result<i64, DbError> {
    row! { struct CountRow { endpoints: i64 } }
    let lock = "insert into event_counters (partner_id, last_position) values ($1, 0)
        on conflict (partner_id) do update set last_position = event_counters.last_position";
    tx.execute(lock, params![partner_id]).await?;
    let sql = "select count(*) as endpoints from webhook_endpoints where partner_id = $1";
    Ok(tx.fetch_one::<CountRow>(sql, params![partner_id]).await?.endpoints)
}

pub(crate) async fn insert_endpoint(tx: &mut Tx, partner_id: &str, row: &EndpointRow) -> Result<(), DbError> {
    let sql = "insert into webhook_endpoints (partner_id, endpoint_id, url, event_types, description, enabled, secret,
            previous_secret, previous_secret_until, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    tx.execute(sql, &endpoint_values(partner_id, row)).await.map(drop)
}

/// Writes all that can change.
pub(crate) async fn save_endpoint(tx: &mut Tx, partner_id: &str, row: &EndpointRow) -> Result<(), DbError> {
    let sql = "update webhook_endpoints set url = $3, event_types = $4, description = $5, enabled = $6, secret = $7,
            previous_secret = $8, previous_secret_until = $9, updated_at = $10
        where partner_id = $1 and endpoint_id = $2";
    let all = endpoint_values(partner_id, row);
    let values: Vec<_> = all.iter().enumerate().filter(|(index, _)| *index != 9).map(|(_, value)| *value).collect();
    tx.execute(sql, &values).await.map(drop)
}

fn endpoint_values<'a>(partner_id: &'a str, row: &'a EndpointRow) -> [kit::db::Param<'a>; 11] {
    [
        partner_id.into(),
        (&row.endpoint_id).into(),
        (&row.url).into(),
        (&row.event_types).into(),
        (&row.description).into(),
        row.enabled.into(),
        (&row.secret).into(),
        (&row.previous_secret).into(),
        row.previous_secret_until.into(),
        row.created_at.into(),
        row.updated_at.into(),
    ]
}

/// Reads an endpoint and locks its row until the transaction ends.
pub(crate) async fn lock_endpoint(tx: &mut Tx, partner_id: &str, id: &str) -> Result<Option<EndpointRow>, DbError> {
    let sql = "update webhook_endpoints set updated_at = updated_at where partner_id = $1 and endpoint_id = $2
        returning endpoint_id, url, event_types, description, enabled, secret, previous_secret, previous_secret_until,
            created_at, updated_at";
    tx.fetch_optional(sql, params![partner_id, id]).await
}

pub(crate) async fn endpoint(tx: &mut Tx, partner_id: &str, id: &str) -> Result<Option<EndpointRow>, DbError> {
    let sql =
        "select endpoint_id, url, event_types, description, enabled, secret, previous_secret, previous_secret_until,
            created_at, updated_at
        from webhook_endpoints where partner_id = $1 and endpoint_id = $2";
    tx.fetch_optional(sql, params![partner_id, id]).await
}

pub(crate) async fn endpoints(tx: &mut Tx, partner_id: &str) -> Result<Vec<EndpointRow>, DbError> {
    let sql =
        "select endpoint_id, url, event_types, description, enabled, secret, previous_secret, previous_secret_until,
            created_at, updated_at
        from webhook_endpoints where partner_id = $1 order by created_at desc, endpoint_id desc";
    tx.fetch_all(sql, params![partner_id]).await
}

pub(crate) async fn delete_endpoint(tx: &mut Tx, partner_id: &str, id: &str) -> Result<bool, DbError> {
    let sql = "delete from webhook_endpoints where partner_id = $1 and endpoint_id = $2";
    Ok(tx.execute(sql, params![partner_id, id]).await? > 0)
}
