//! Who has an account with the network: people known by a phone number or an e-mail address, one account per market (fact sheet 04 §7).
//!
//! | file | what |
//! |---|---|
//! | [`contact`] | how people say who they are, and the published test shoppers |
//! | [`details`] | what a new account is asked for, by country. Pure |
//!
//! The published test shoppers have had an account all along. Of anybody else an account knows the contact and nothing more: what is
//! typed into the form is checked and dropped, because the test environment replaces it by invented data (the same sheet). Contacts
//! are sealed, and found by a keyed digest.
//!
//! A browser may be remembered ([`remember`]): it holds a secret, the table its digest, until the day is over or the person says that
//! it is somebody else.

pub mod contact;
pub mod details;
mod store;

use http::HeaderMap;
use http::header::COOKIE;
use kit::clock::{DAY_US, SECOND_US};
use kit::db::Tx;
use kit::http::ApiError;
use protocol::Market;
use sha2::{Digest as _, Sha256};

use crate::ctx::Ctx;
use crate::payments::verdict::Persona;
use crate::sealed::CUSTOMER_CONTACT;
use crate::tokens;
use contact::Contact;

/// How long a browser that asked for it is remembered, since its last sign-in. Ours.
pub const REMEMBERED_US: i64 = 60 * DAY_US;
/// The cookie of a remembered browser. It goes to all pages of this end, which is all that it opens.
const COOKIE_NAME: &str = "kontor_customer";
const SECRET_BYTES: usize = 32;
/// What digests of contacts are for; see [`tokens::Keys::digest`].
const PURPOSE: &str = "customer";

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    pub id: String,
    pub contact: Contact,
    pub market: &'static Market,
}

/// Whether the contact belongs to somebody who has been here before: a published test shopper who is no new one, or a person whose
/// account was opened here.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn is_known(tx: &mut Tx, ctx: &Ctx, market: &Market, contact: &Contact) -> Result<bool, ApiError> {
    if let Some(persona) = contact.published() {
        return Ok(persona != Persona::NewUser || find(tx, ctx, market, contact).await?.is_some());
    }
    Ok(find(tx, ctx, market, contact).await?.is_some())
}

async fn find(tx: &mut Tx, ctx: &Ctx, market: &Market, contact: &Contact) -> Result<Option<String>, ApiError> {
    let digest = digest(tx, ctx, market, contact).await?;
    Ok(store::by_contact(tx, &digest).await?)
}

async fn digest(tx: &mut Tx, ctx: &Ctx, market: &Market, contact: &Contact) -> Result<String, ApiError> {
    let keys = tokens::keys_in(tx, ctx).await?;
    Ok(keys.digest(PURPOSE, &format!("{} {}", market.country, contact.as_str())))
}

/// The account of a contact in a market; opened if there is none yet.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn open(tx: &mut Tx, ctx: &Ctx, market: &'static Market, contact: &Contact) -> Result<Customer, ApiError> {
    let (now, digest) = (ctx.clock.now(), digest(tx, ctx, market, contact).await?);
    let id = match store::by_contact(tx, &digest).await? {
        Some(id) => id,
        None => {
            let id = ctx.random.id(now).to_string();
            let sealed = ctx.secrets.seal(CUSTOMER_CONTACT.place(&[&id]), contact.as_str().as_bytes());
            let row = store::CustomerRow { customer_id: id, market: market.country.to_owned(), contact: sealed };
            store::insert(tx, &row, &digest, now).await?;
            // Another form may have been faster.
            store::by_contact(tx, &digest)
                .await?
                .ok_or_else(|| ApiError::internal("an account was opened and is gone"))?
        }
    };
    Ok(Customer { id, contact: contact.clone(), market })
}

/// An account by its id.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when its contact cannot be unsealed.
pub async fn by_id(tx: &mut Tx, ctx: &Ctx, id: &str) -> Result<Option<Customer>, ApiError> {
    store::by_id(tx, id).await?.map(|row| read(ctx, row)).transpose()
}

fn read(ctx: &Ctx, row: store::CustomerRow) -> Result<Customer, ApiError> {
    let contact =
        ctx.secrets.open(CUSTOMER_CONTACT.place(&[&row.customer_id]), &row.contact).map_err(ApiError::internal)?;
    let contact = Contact::stored(std::str::from_utf8(&contact).map_err(ApiError::internal)?);
    let market = Market::by_country(&row.market).ok_or_else(|| ApiError::internal("an account of no market"))?;
    Ok(Customer { id: row.customer_id, contact, market })
}

/// What a browser shows to be recognised by: the digest of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Browser(String);

impl Browser {
    /// From the cookie, if it came.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        cookie(headers, COOKIE_NAME).map(|secret| Self::of(&secret))
    }

    fn of(secret: &str) -> Self {
        Self(hex::encode(Sha256::digest(secret.as_bytes())))
    }
}

/// The value of a cookie that a browser sent.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value.to_owned())
}

/// Remembers the browser of a person with an account; returns the secret that it is to be given.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn remember(
    tx: &mut Tx,
    ctx: &Ctx,
    (market, contact): (&'static Market, &Contact),
) -> Result<String, ApiError> {
    let (now, secret) = (ctx.clock.now(), ctx.random.base64url(SECRET_BYTES));
    let customer = open(tx, ctx, market, contact).await?;
    store::delete_browsers_before(tx, now).await?;
    let expires_at = now.saturating_add(REMEMBERED_US);
    store::insert_browser(tx, &Browser::of(&secret).0, &customer.id, expires_at, now).await?;
    Ok(secret)
}

/// Whose browser it is, if it was remembered and the time is not over.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn recall(tx: &mut Tx, ctx: &Ctx, browser: &Browser) -> Result<Option<Customer>, ApiError> {
    let Some(id) = store::browser(tx, &browser.0, ctx.clock.now()).await? else { return Ok(None) };
    by_id(tx, ctx, &id).await
}

/// Forgets a browser.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn forget(tx: &mut Tx, browser: &Browser) -> Result<(), ApiError> {
    Ok(store::delete_browser(tx, &browser.0).await?)
}

/// The header that gives a browser its secret, or takes it back.
pub fn set_cookie(ctx: &Ctx, secret: Option<&str>) -> String {
    let path = url::Url::parse(&ctx.config.base_url).map(|url| url.path().to_owned()).unwrap_or_default();
    let path = if path.is_empty() { "/" } else { &path };
    let secure = if ctx.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    let age_s = if secret.is_some() { REMEMBERED_US / SECOND_US } else { 0 };
    let value = secret.unwrap_or_default();
    format!("{COOKIE_NAME}={value}; Path={path}; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}")
}
