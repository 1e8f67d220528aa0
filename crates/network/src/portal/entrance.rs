//! Links that let in once, and the sessions of those who came in.

use kit::clock::{HOUR_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::secret_box::OpenError;
use protocol::{PartnerAccountId, PortalDeepLinkId};
use sha2::{Digest as _, Sha256};

use super::role::Role;
use super::store;
use crate::ctx::Ctx;
use crate::sealed::{PORTAL_LINK_PRINCIPAL, PORTAL_SESSION_PRINCIPAL};

/// How long a deep link waits to be opened (RULINGS §2).
const LINK_US: i64 = 60 * SECOND_US;
/// A session that nobody uses ends (RULINGS §2).
const SESSION_IDLE_US: i64 = 8 * HOUR_US;
const TOKEN_BYTES: usize = 32;

/// Who is let in where, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The Partner account.
    pub account: PartnerAccountId,
    /// The Acquiring Partner that vouches.
    pub granted_by: PartnerAccountId,
    /// The user's e-mail address, or what the Acquiring Partner calls them.
    pub principal: String,
    pub roles: Vec<Role>,
    /// The access by name that this rests on; ends with it.
    pub access_id: Option<String>,
}

/// A deep link at the moment of its creation.
pub struct NewLink {
    pub id: PortalDeepLinkId,
    /// Secret until it was opened.
    pub url: String,
    /// Microseconds UTC.
    pub expires_at: i64,
}

/// Makes a deep link.
///
/// # Errors
/// [`DbError`].
pub async fn create_link(tx: &mut Tx, ctx: &Ctx, grant: &Grant) -> Result<NewLink, DbError> {
    let now = ctx.clock.now();
    let (id, token) = (PortalDeepLinkId::new(ctx.random.id(now)), ctx.random.base64url(TOKEN_BYTES));
    let expires_at = now + LINK_US;
    let row = store::LinkRow {
        account_id: grant.account.to_string(),
        deep_link_id: id.to_string(),
        granted_by: grant.granted_by.to_string(),
        principal: ctx.secrets.seal(PORTAL_LINK_PRINCIPAL.place(&[id.as_str()]), grant.principal.as_bytes()),
        roles: Role::store(&grant.roles),
        access_id: grant.access_id.clone(),
    };
    store::insert_link(tx, &row, &hash(&token), expires_at, now).await?;
    Ok(NewLink { id, url: format!("{}/portal/enter/{token}", ctx.config.base_url), expires_at })
}

/// A session of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub grant: Grant,
}

/// Why nobody comes in.
#[derive(Debug, thiserror::Error)]
pub enum EntranceError {
    #[error(transparent)]
    Store(#[from] DbError),
    #[error("opening who a link or session is for")]
    Sealed(#[from] OpenError),
    #[error("reading who a link or session is for")]
    Text(#[from] std::string::FromUtf8Error),
    #[error("reading the account of a link or session")]
    Account(#[from] protocol::KrnError),
}

impl From<EntranceError> for kit::http::ApiError {
    fn from(error: EntranceError) -> Self {
        match error {
            EntranceError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// Uses a link up and begins a session: its secret, for the cookie. `None` for a link that was used, deleted, is too old, or never
/// was.
///
/// # Errors
/// [`EntranceError`].
pub async fn enter(tx: &mut Tx, ctx: &Ctx, token: &str) -> Result<Option<String>, EntranceError> {
    let now = ctx.clock.now();
    let Some(link) = store::use_link(tx, &hash(token), now).await? else { return Ok(None) };
    let opened = ctx.secrets.open(PORTAL_LINK_PRINCIPAL.place(&[&link.deep_link_id]), &link.principal)?;
    let (id, secret) = (ctx.random.id(now).to_string(), ctx.random.base64url(TOKEN_BYTES));
    let row = store::SessionRow {
        principal: ctx.secrets.seal(PORTAL_SESSION_PRINCIPAL.place(&[&id]), &opened),
        account_id: link.account_id,
        session_id: id,
        granted_by: link.granted_by,
        roles: link.roles,
        access_id: link.access_id,
    };
    store::insert_session(tx, &row, &hash(&secret), now).await?;
    Ok(Some(secret))
}

/// The session of a cookie's secret, which this use keeps alive; `None` when there is none, or it was idle too long.
///
/// # Errors
/// [`EntranceError`].
pub async fn session(tx: &mut Tx, ctx: &Ctx, secret: &str) -> Result<Option<Session>, EntranceError> {
    let now = ctx.clock.now();
    let row = store::touch_session(tx, &hash(secret), now - SESSION_IDLE_US, now).await?;
    let Some(row) = row else { return Ok(None) };
    let opened = ctx.secrets.open(PORTAL_SESSION_PRINCIPAL.place(&[&row.session_id]), &row.principal)?;
    let grant = Grant {
        account: PartnerAccountId::opaque(&row.account_id)?,
        granted_by: PartnerAccountId::opaque(&row.granted_by)?,
        principal: String::from_utf8(opened.to_vec())?,
        roles: Role::stored(&row.roles),
        access_id: row.access_id,
    };
    Ok(Some(Session { id: row.session_id, grant }))
}

/// Ends a session.
///
/// # Errors
/// [`DbError`].
pub async fn leave(tx: &mut Tx, secret: &str) -> Result<(), DbError> {
    store::delete_session(tx, &hash(secret)).await
}

/// Before this, a session was idle too long.
pub fn sessions_over_before(now: i64) -> i64 {
    now - SESSION_IDLE_US
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
