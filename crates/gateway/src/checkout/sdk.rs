//! What the page needs to load the Web SDK: where it is, what the page's policy allows for it, and the client identifier that the
//! network knows our origin by.
//!
//! The identifier is the Acquiring Partner's own, and the page says for which Partner it acts: so a provider's page names itself (fact
//! sheet 04 §3.2). It is found or made through the Management API, allowed for our origin only, and stored; a job looks every day
//! whether it still works.

use http::Method;
use kit::clock::HOUR_US;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::store::{self, ClientIdentifierRow};
use crate::Ctx;
use crate::klarna::{CallError, Operation};

const DESCRIPTION: &str = "Hosted checkout";
const PATH: [&str; 5] = ["v2", "account", "integration", "credentials", "client-identifier"];
/// Namespace of derived idempotency keys: processes that start at once make one identifier.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x41c7_0d8e_52b3_4a19_9e66_7a3f_c1d2_085b);

#[derive(Deserialize)]
struct Listed {
    credentials: Vec<Identifier>,
}

#[derive(Deserialize)]
struct Identifier {
    credential_id: String,
    #[serde(default)]
    state: Option<String>,
    identity: Identity,
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize)]
struct Identity {
    client_id: String,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    allowed_domains: Vec<String>,
}

/// The origin that pages are served from.
pub(super) fn origin(ctx: &Ctx) -> String {
    ctx.config.public_url.origin().ascii_serialization()
}

/// The stored identifier, if there is one yet.
///
/// # Errors
/// [`kit::db::DbError`].
pub(super) async fn stored(ctx: &Ctx) -> Result<Option<String>, kit::db::DbError> {
    let (account, origin) = (ctx.config.klarna_account_id.to_string(), origin(ctx));
    let look = ctx.db.look_up(move |tx| Box::pin(async move { store::client_identifier(tx, &account, &origin).await }));
    Ok(look.await?.map(|row| row.client_id))
}

/// Makes sure that there is an identifier for our origin, at the network and here; returns it.
///
/// # Errors
/// Why not, in words.
pub(super) async fn ensure(ctx: &Ctx) -> Result<String, String> {
    let (account, origin, now) = (ctx.config.klarna_account_id.to_string(), origin(ctx), ctx.clock.now());
    let known = {
        let (account, origin) = (account.clone(), origin.clone());
        let look =
            ctx.db.look_up(move |tx| Box::pin(async move { store::client_identifier(tx, &account, &origin).await }));
        look.await.map_err(|error| error.to_string())?
    };
    let listed: Listed = send(ctx, Operation::new("list_client_identifiers", Method::GET, &PATH)).await?;
    let works = |one: &Identifier| one.state.as_deref().is_none_or(|state| state == "ACTIVE");
    let ours = |one: &Identifier| one.config.allowed_domains.contains(&origin);
    let found = listed.credentials.into_iter().filter(|one| works(one) && ours(one));
    // The one that pages out there already use, if it still works; else any that is ours.
    let found = found.min_by_key(|one| known.as_ref().is_none_or(|row| row.credential_id != one.credential_id));
    let found = match found {
        Some(found) => found,
        None => {
            let body = json!({"description": DESCRIPTION, "config": {"allowed_domains": [&origin]}});
            // By the hour: one that was taken away is made anew, and not answered from memory for a day.
            let seed = format!("{account}/{origin}/{}", now / HOUR_US);
            let operation = Operation::new("create_client_identifier", Method::POST, &PATH)
                .json(body.to_string())
                .key(Uuid::new_v5(&KEY_NAMESPACE, seed.as_bytes()));
            let made: Identifier = send(ctx, operation).await?;
            tracing::info!(credential.id = %made.credential_id, "made a client identifier for the hosted checkout at {origin}");
            made
        }
    };
    let row = ClientIdentifierRow {
        credential_id: found.credential_id,
        client_id: found.identity.client_id.clone(),
        checked_at: now,
    };
    let put = ctx
        .db
        .write(move |tx| Box::pin(async move { store::put_client_identifier(tx, &account, &origin, &row).await }));
    put.await.map_err(|error: kit::db::DbError| error.to_string())?;
    Ok(found.identity.client_id)
}

async fn send<T: serde::de::DeserializeOwned>(ctx: &Ctx, operation: Operation) -> Result<T, String> {
    let answer = ctx.klarna.send(&operation).await.and_then(|answer| answer.json());
    answer.map_err(|error: CallError| error.to_string())
}
