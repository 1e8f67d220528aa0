//! What lets a payment be made: grants that a customer's approval yields and an authorization spends, and customer tokens for
//! charging again.
//!
//! A grant has two faces: the `klarna_network_session_token` (a signed document, see [`session_token`]) and the `payment_token`
//! (a handle). Both name the same row, so spending one spends all. Public face: [`presented`], [`spend`], [`grant`],
//! [`find_customer_token`], [`issue_customer_token`], [`seed_customer_token`].

mod api;
mod interoperability;
pub mod recognition;
mod sdk_token;
mod session;
mod session_token;
mod shopping;
mod store;

use std::sync::OnceLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use kit::clock::{HOUR_US, SECOND_US};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::event::EventType;
use protocol::header::{
    KLARNA_CUSTOMER_TOKEN, KLARNA_INTEROPERABILITY_TOKEN, KLARNA_NETWORK_SESSION_TOKEN, KLARNA_PAYMENT_TOKEN,
    X_KLARNA_CUSTOMER_TOKEN,
};
use protocol::krn::Region;
use protocol::payments::TokenScope;
use protocol::{Currency, CustomerToken, PartnerAccountId, PaymentRequestId, PaymentToken, SessionToken};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use api::{routes, testing_routes};
pub use interoperability::read_interoperability;
pub use recognition::{Acquaintance, Brought, Recognition, recognise};
pub use sdk_token::{SDK_TOKEN_US, SdkToken, issue_sdk_token, redeem_sdk_token};
pub use session::{is_alive, meeting_token, visiting_token};
pub use session_token::{Claims, Signer, Standing, TokenError};

use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::payments::verdict::Persona;
use crate::sealed::{CUSTOMER_TOKEN, TOKEN_KEY};
use crate::sole::Sole;

/// How long a grant can be spent (fact sheet 03 §4.3).
pub const GRANT_US: i64 = HOUR_US;
/// How long a recognising token lasts outside a Payment Request. Ours.
pub const RECOGNITION_US: i64 = HOUR_US;

const KEY_NAME: &str = "tokens";
/// Its row; made as the sealed secret.
const ROW: Sole<Vec<u8>, Vec<u8>> = Sole {
    name: KEY_NAME,
    read: |tx, name| Box::pin(store::key(tx, name)),
    insert: |tx, name, sealed, now| Box::pin(async move { store::insert_key(tx, name, &sealed, now).await }),
};
const KEY_BYTES: usize = 64;

/// The keys of this installation, read once per process.
#[derive(Default)]
pub(crate) struct KeyCache(OnceLock<Keys>);

/// Signs session tokens and the addresses of journeys.
#[derive(Clone)]
pub struct Keys {
    signer: Signer,
    journeys: Hmac<Sha256>,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        let (tokens, journeys) = secret.split_at(KEY_BYTES / 2);
        let journeys = Hmac::new_from_slice(journeys).expect("an HMAC takes a key of any length");
        Self { signer: Signer::new(tokens), journeys }
    }

    /// What a text is found by in the database that holds it sealed; `purpose` keeps digests of one kind from meaning anything to
    /// another.
    pub fn digest(&self, purpose: &str, text: &str) -> String {
        let mut mac = self.journeys.clone();
        mac.update(purpose.as_bytes());
        // No purpose has a zero in it, so that no two pairs make the same message.
        mac.update(&[0]);
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// What proves, in the address of a journey, that the visitor was given it.
    pub fn access_token(&self, request: &PaymentRequestId) -> String {
        let mut mac = self.journeys.clone();
        mac.update(request.as_str().as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..16])
    }

    /// Whether that proof holds; takes the same time whatever is wrong with it.
    pub fn access_is_granted(&self, request: &PaymentRequestId, token: &str) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.access_token(request).as_bytes(), token.as_bytes()).into()
    }

    /// The token of a request that the customer has not approved: recognises it, cannot be spent (RULINGS 1.4).
    pub fn recognising_token(
        &self,
        account: &PartnerAccountId,
        request: &PaymentRequestId,
        region: Region,
        (issued_at, expires_at): (i64, i64),
    ) -> SessionToken {
        let claims = Claims {
            sid: request.uuid().unwrap_or_default().to_string(),
            prid: Some(request.to_string()),
            paid: account.to_string(),
            cid: None,
            cur: None,
            amt: None,
            st: Standing::Submitted,
            iat: issued_at / SECOND_US,
            exp: expires_at / SECOND_US,
        };
        self.signer.sign(region, &claims)
    }
}

/// The installation's keys; made, in a transaction of their own, by whoever needs them first. Not to be called in a unit of work.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when they cannot be unsealed.
pub async fn keys(ctx: &Ctx) -> Result<Keys, ApiError> {
    if let Some(keys) = ctx.token_keys.0.get() {
        return Ok(keys.clone());
    }
    let making = ctx.clone();
    let make = move || {
        let mut secret = Zeroizing::new(vec![0; KEY_BYTES]);
        making.random.fill(&mut secret);
        Ok(making.secrets.seal(TOKEN_KEY.place(&[KEY_NAME]), &secret))
    };
    ROW.get(ctx, make).await?;
    let context = ctx.clone();
    ctx.db.read(move |tx| Box::pin(async move { keys_in(tx, &context).await })).await
}

/// A secret of this installation.
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) secret: Zeroizing<Vec<u8>>,
    pub(crate) created_at: i64,
}

/// The secrets of this installation whose names begin with this, the oldest first.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when one cannot be unsealed.
pub(crate) async fn kept(ctx: &Ctx, prefix: &'static str) -> Result<Vec<Kept>, ApiError> {
    let rows: Vec<store::NamedKeyRow> = ctx.db.read(move |tx| Box::pin(store::keys_of(tx, prefix))).await?;
    let open = |row: store::NamedKeyRow| {
        let secret = ctx.secrets.open(TOKEN_KEY.place(&[&row.name]), &row.sealed).map_err(ApiError::internal)?;
        Ok(Kept { name: row.name, secret, created_at: row.created_at })
    };
    rows.into_iter().map(open).collect()
}

/// Keeps a secret, sealed, unless there is one of that name; and deletes those that it replaces, in the same transaction.
///
/// # Errors
/// [`kit::db::DbError`].
pub(crate) async fn keep(
    ctx: &Ctx,
    name: String,
    secret: Zeroizing<Vec<u8>>,
    created_at: i64,
    replaced: Vec<String>,
) -> Result<(), ApiError> {
    let sealed = ctx.secrets.seal(TOKEN_KEY.place(&[&name]), &secret);
    ctx.write(|| {
        let (name, sealed, replaced) = (name.clone(), sealed.clone(), replaced.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move {
                store::insert_key(tx, &name, &sealed, created_at).await?;
                Ok(store::delete_keys(tx, &replaced).await?)
            })
        }
    })
    .await
}

/// Deletes secrets.
///
/// # Errors
/// [`kit::db::DbError`].
pub(crate) async fn destroy(ctx: &Ctx, names: Vec<String>) -> Result<(), ApiError> {
    ctx.write(|| {
        let names = names.clone();
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move { Ok(store::delete_keys(tx, &names).await?) })
        }
    })
    .await
}

/// The installation's keys, inside a unit of work.
///
/// # Errors
/// As [`keys`]; 500 before [`keys`] was called for the first time.
pub async fn keys_in(tx: &mut Tx, ctx: &Ctx) -> Result<Keys, ApiError> {
    if let Some(keys) = ctx.token_keys.0.get() {
        return Ok(keys.clone());
    }
    let sealed =
        store::key(tx, KEY_NAME).await?.ok_or_else(|| ApiError::internal("the token keys were not made yet"))?;
    let secret = ctx.secrets.open(TOKEN_KEY.place(&[KEY_NAME]), &sealed).map_err(ApiError::internal)?;
    if secret.len() != KEY_BYTES {
        return Err(ApiError::internal("the token keys have another length"));
    }
    Ok(ctx.token_keys.0.get_or_init(|| Keys::new(&secret)).clone())
}

/// What a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// One payment of the amount that the customer approved.
    Payment,
    /// One payment of any amount and currency: test tokens of Express Checkout (RULINGS 1.4).
    Express,
    /// A customer token, no payment.
    Token,
}

impl GrantKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "PAYMENT",
            Self::Express => "EXPRESS",
            Self::Token => "TOKEN",
        }
    }

    fn stored(text: &str) -> Self {
        match text {
            "EXPRESS" => Self::Express,
            "TOKEN" => Self::Token,
            _ => Self::Payment,
        }
    }
}

/// A customer's approval, to be spent once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: Uuid,
    pub account: PartnerAccountId,
    pub kind: GrantKind,
    pub region: Region,
    pub request: Option<PaymentRequestId>,
    /// The row of the customer token that came with the approval.
    pub customer_token_id: Option<String>,
    pub currency: Option<Currency>,
    /// Minor units.
    pub amount: Option<i64>,
    /// Of the customer who approved, if it is a published one.
    pub persona: Option<Persona>,
    /// Microseconds UTC.
    pub issued_at: i64,
}

impl Grant {
    /// When it can no longer be spent, in microseconds UTC.
    pub fn expires_at(&self) -> i64 {
        self.issued_at.saturating_add(GRANT_US)
    }

    /// Its spendable token.
    pub fn session_token(&self, keys: &Keys) -> SessionToken {
        let claims = Claims {
            sid: self.id.to_string(),
            prid: self.request.as_ref().map(ToString::to_string),
            paid: self.account.to_string(),
            cid: self.customer_token_id.clone(),
            cur: self.currency.map(|currency| currency.code().to_owned()),
            amt: self.amount,
            st: Standing::Completed,
            iat: self.issued_at / SECOND_US,
            // Rounded up: the row decides to the microsecond.
            exp: self.expires_at() / SECOND_US + 1,
        };
        keys.signer.sign(self.region, &claims)
    }

    /// Its older handle.
    pub fn payment_token(&self) -> PaymentToken {
        PaymentToken::new(self.region, self.id)
    }

    fn from_row(row: store::GrantRow) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.grant_id.parse().map_err(ApiError::internal)?,
            account: PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?,
            kind: GrantKind::stored(&row.kind),
            region: row.region.parse().map_err(ApiError::internal)?,
            request: row.request_id.as_deref().map(PaymentRequestId::opaque).transpose().map_err(ApiError::internal)?,
            customer_token_id: row.customer_token_id,
            currency: row.currency.as_deref().map(str::parse).transpose().map_err(ApiError::internal)?,
            amount: row.amount,
            persona: row.persona.as_deref().map(str::parse).transpose().map_err(ApiError::internal)?,
            issued_at: row.issued_at,
        })
    }
}

/// Stores a grant.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn grant(tx: &mut Tx, grant: &Grant) -> Result<(), ApiError> {
    let row = store::GrantRow {
        account_id: grant.account.to_string(),
        grant_id: grant.id.to_string(),
        kind: grant.kind.as_str().to_owned(),
        state: "SPENDABLE".to_owned(),
        region: grant.region.to_string(),
        request_id: grant.request.as_ref().map(ToString::to_string),
        customer_token_id: grant.customer_token_id.clone(),
        currency: grant.currency.map(|currency| currency.code().to_owned()),
        amount: grant.amount,
        persona: grant.persona.map(|persona| persona.to_string()),
        issued_at: grant.issued_at,
        expires_at: grant.expires_at(),
    };
    Ok(store::insert_grant(tx, &row).await?)
}

/// A grant by its id.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn find_grant(tx: &mut Tx, account: &PartnerAccountId, id: Uuid) -> Result<Option<Grant>, ApiError> {
    store::grant(tx, account.as_str(), &id.to_string()).await?.map(Grant::from_row).transpose()
}

/// Why a grant cannot be spent, if it cannot.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn grant_standing(
    tx: &mut Tx,
    account: &PartnerAccountId,
    id: Uuid,
    now: i64,
) -> Result<Option<Unspendable>, ApiError> {
    let row = store::grant(tx, account.as_str(), &id.to_string()).await?;
    Ok(row.map_or(Some(Unspendable::Unknown), |row| standing(&row, now)))
}

fn standing(row: &store::GrantRow, now: i64) -> Option<Unspendable> {
    match row.state.as_str() {
        "SPENDABLE" if row.expires_at > now => None,
        "SPENDABLE" => Some(Unspendable::Expired),
        "SPENT" => Some(Unspendable::Spent),
        // Ours: a grant that was taken back is as if it had never been.
        _ => Some(Unspendable::Unknown),
    }
}

/// What a grant was spent on: the id of a Payment Transaction.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn spent_by(tx: &mut Tx, account: &PartnerAccountId, id: Uuid) -> Result<Option<String>, ApiError> {
    Ok(store::spent_by(tx, account.as_str(), &id.to_string()).await?)
}

/// Takes a grant back; `false` when it is spent (or was taken back before).
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn cancel_grant(tx: &mut Tx, account: &PartnerAccountId, id: Uuid, now: i64) -> Result<bool, ApiError> {
    Ok(store::cancel_grant(tx, account.as_str(), &id.to_string(), now).await?)
}

/// The three headers that carry a grant, the present one first, as the documentation spells them.
const GRANT_HEADERS: [(&str, &str); 3] = [
    (KLARNA_NETWORK_SESSION_TOKEN, "Klarna-Network-Session-Token"),
    (KLARNA_INTEROPERABILITY_TOKEN, "Klarna-Interoperability-Token"),
    (KLARNA_PAYMENT_TOKEN, "Klarna-Payment-Token"),
];
/// The customer token's header, as the documentation spells it.
pub const CUSTOMER_TOKEN_HEADER: &str = "Klarna-Customer-Token";

/// Why a token cannot be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unspendable {
    Unknown,
    Spent,
    Expired,
    NotCompleted,
}

impl Unspendable {
    /// The reason as RULINGS "Authorize" words it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Spent => "spent",
            Self::Expired => "expired",
            Self::NotCompleted => "not completed",
        }
    }
}

impl From<TokenError> for Unspendable {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unknown => Self::Unknown,
            TokenError::Expired => Self::Expired,
        }
    }
}

/// What a caller brought in the three headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// Something that names a grant, which may be spent or somebody else's.
    Grant {
        /// Where it stood.
        header: &'static str,
        /// Which grant.
        id: Uuid,
        /// The account it was issued for, if the token says.
        account: Option<String>,
    },
    /// Something that names none.
    Other {
        /// Where it stood.
        header: &'static str,
        /// What is the matter with it.
        why: Unspendable,
    },
}

/// Reads the three headers of a grant.
///
/// # Errors
/// 400 on the header that disagrees with another (RULINGS 1.4).
pub fn presented(keys: &Keys, headers: &HeaderMap, now: i64) -> Result<Presented, ApiError> {
    let mut found = Presented::Nothing;
    for (name, header) in GRANT_HEADERS {
        let Some(value) = headers.get(name) else { continue };
        let text = value.to_str().unwrap_or_default();
        let next =
            if name == KLARNA_PAYMENT_TOKEN { read_handle(header, text) } else { read_token(keys, header, text, now) };
        found = match (found, next) {
            (Presented::Nothing, next) => next,
            (Presented::Grant { id, .. }, Presented::Grant { id: other, .. }) if id != other => {
                return Err(disagrees(header));
            }
            // A recognising token beside a grant says less, not otherwise.
            (Presented::Other { why: Unspendable::NotCompleted, .. }, next @ Presented::Grant { .. }) => next,
            (found @ Presented::Grant { .. }, Presented::Other { why: Unspendable::NotCompleted, .. }) => found,
            (Presented::Grant { .. }, Presented::Other { .. }) | (Presented::Other { .. }, Presented::Grant { .. }) => {
                return Err(disagrees(header));
            }
            (found, _) => found,
        };
    }
    Ok(found)
}

fn disagrees(header: &str) -> ApiError {
    ApiError::validation(Vec::new()).field(header, "must name the same grant as the other token headers")
}

fn read_handle(header: &'static str, text: &str) -> Presented {
    match text.parse::<PaymentToken>().ok().and_then(|token| token.uuid()) {
        Some(id) => Presented::Grant { header, id, account: None },
        None => Presented::Other { header, why: Unspendable::Unknown },
    }
}

fn read_token(keys: &Keys, header: &'static str, text: &str, now: i64) -> Presented {
    let claims = match keys.signer.read(text, now) {
        Ok(claims) => claims,
        Err(error) => return Presented::Other { header, why: error.into() },
    };
    match (claims.st, claims.sid.parse()) {
        (Standing::Completed, Ok(id)) => Presented::Grant { header, id, account: Some(claims.paid) },
        (Standing::Completed, Err(_)) => Presented::Other { header, why: Unspendable::Unknown },
        (Standing::Submitted | Standing::Recognised, _) => Presented::Other { header, why: Unspendable::NotCompleted },
    }
}

/// What became of an attempt to spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spending {
    /// No token was brought.
    Nothing,
    /// The grant is spent now.
    Spent(Box<Grant>),
    /// It is not to be had.
    Not {
        /// Where the token stood.
        header: &'static str,
        /// Why.
        why: Unspendable,
    },
}

/// Spends the grant that was brought, in the transaction of what it is spent on. What it is spent on must match it; a mismatch
/// rolls the spending back with the rest.
///
/// # Errors
/// 400 on the field that does not match (account: the header); [`kit::db::DbError`].
pub async fn spend(
    tx: &mut Tx,
    account: &PartnerAccountId,
    presented: &Presented,
    (currency, amount): (Currency, Option<i64>),
    spent_by: Option<&str>,
    now: i64,
) -> Result<Spending, ApiError> {
    let (header, id) = match presented {
        Presented::Nothing => return Ok(Spending::Nothing),
        Presented::Other { header, why } => return Ok(Spending::Not { header, why: *why }),
        Presented::Grant { header, account: Some(other), .. } if other != account.as_str() => {
            return Err(mismatch(header, "was issued for another Partner account"));
        }
        Presented::Grant { header, id, .. } => (*header, id.to_string()),
    };
    let Some(row) = store::spend_grant(tx, account.as_str(), &id, spent_by, now).await? else {
        let row = store::grant(tx, account.as_str(), &id).await?;
        // A grant that is spendable after all was given back in between: as good as expired.
        let why = row.map_or(Unspendable::Unknown, |row| standing(&row, now).unwrap_or(Unspendable::Expired));
        return Ok(Spending::Not { header, why });
    };
    let grant = Grant::from_row(row)?;
    match grant.kind {
        GrantKind::Express => {}
        GrantKind::Token if amount.is_some() => {
            return Err(mismatch("request_payment_transaction", "must be absent: the customer approved a token only"));
        }
        GrantKind::Token => {}
        GrantKind::Payment => {
            if amount.is_none() {
                return Err(mismatch("request_payment_transaction", "is required: the customer approved a payment"));
            }
            if grant.currency != Some(currency) {
                return Err(mismatch("currency", "must be the currency that the customer approved"));
            }
            if grant.amount != amount {
                let reason = "must be the amount that the customer approved";
                return Err(mismatch("request_payment_transaction.amount", reason));
            }
        }
    }
    Ok(Spending::Spent(Box::new(grant)))
}

fn mismatch(parameter: &str, reason: &str) -> ApiError {
    ApiError::validation(Vec::new()).field(parameter, reason)
}

/// A stored customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCustomer {
    /// The row.
    pub id: String,
    pub account: PartnerAccountId,
    pub reference: Option<String>,
    pub scopes: Vec<TokenScope>,
    /// `None` for customers who are not published.
    pub persona: Option<Persona>,
    /// The account of the person, where a journey or a sign-in met one: see [`crate::customers`].
    pub customer_id: Option<String>,
    pub is_revoked: bool,
    /// Microseconds UTC.
    pub issued_at: i64,
}

impl StoredCustomer {
    /// Whether the customer agreed to this.
    pub fn allows(&self, scope: &TokenScope) -> bool {
        self.scopes.contains(scope)
    }

    fn from_row(row: &store::CustomerTokenRow) -> Result<Self, ApiError> {
        Ok(Self {
            id: row.token_id.clone(),
            account: PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?,
            reference: row.reference.clone(),
            scopes: row.scopes.split(' ').filter(|scope| !scope.is_empty()).map(TokenScope::from).collect(),
            persona: row.persona.as_deref().map(str::parse).transpose().map_err(ApiError::internal)?,
            customer_id: row.customer_id.clone(),
            is_revoked: row.state != "ACTIVE",
            issued_at: row.issued_at,
        })
    }
}

/// The customer token that a caller brought, under either name of the header.
pub fn customer_token_header(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(KLARNA_CUSTOMER_TOKEN).or_else(|| headers.get(X_KLARNA_CUSTOMER_TOKEN))?;
    // An unreadable token is the token of nobody.
    Some(value.to_str().unwrap_or_default())
}

/// The customer behind a token, whichever account it belongs to.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn find_customer_token(tx: &mut Tx, token: &str) -> Result<Option<StoredCustomer>, ApiError> {
    let row = store::customer_token_by_hash(tx, &hash(token)).await?;
    row.as_ref().map(StoredCustomer::from_row).transpose()
}

/// The customer behind a row of this account.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn find_stored_customer(
    tx: &mut Tx,
    account: &PartnerAccountId,
    id: &str,
) -> Result<Option<StoredCustomer>, ApiError> {
    let row = store::customer_token(tx, account.as_str(), id).await?;
    row.as_ref().map(StoredCustomer::from_row).transpose()
}

/// What a new customer token is to be.
#[derive(Clone, Debug)]
pub struct NewCustomerToken<'a> {
    pub account: &'a PartnerAccountId,
    pub region: Region,
    pub reference: Option<&'a str>,
    pub scopes: &'a [TokenScope],
    /// Of the customer, if it is a published one; its wait is over.
    pub persona: Option<Persona>,
    /// The account of the person, if one was met.
    pub customer_id: Option<&'a str>,
}

/// Issues a customer token: its row's id, and its text, which is found again by hash and read again only from its seal.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn issue_customer_token(
    tx: &mut Tx,
    ctx: &Ctx,
    new: &NewCustomerToken<'_>,
    now: i64,
) -> Result<(String, CustomerToken), ApiError> {
    let token = CustomerToken::new(new.region, &ctx.random.alphanumeric(32));
    let id = ctx.random.id(now).to_string();
    let scopes: Vec<&str> = new.scopes.iter().map(TokenScope::as_str).collect();
    let row = store::CustomerTokenRow {
        account_id: new.account.to_string(),
        sealed: ctx.secrets.seal(CUSTOMER_TOKEN.place(&[&id]), token.as_str().as_bytes()),
        token_id: id.clone(),
        reference: new.reference.map(str::to_owned),
        scopes: scopes.join(" "),
        persona: new.persona.map(|persona| persona.settled().to_string()),
        customer_id: new.customer_id.map(str::to_owned),
        state: "ACTIVE".to_owned(),
        issued_at: now,
    };
    store::insert_customer_token(tx, &row, &hash(token.as_str())).await?;
    Ok((id, token))
}

/// A stored customer by the row's id, with the token's text.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when the token cannot be unsealed.
pub async fn customer_token(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    id: &str,
) -> Result<Option<(StoredCustomer, CustomerToken)>, ApiError> {
    let Some(row) = store::customer_token(tx, account.as_str(), id).await? else { return Ok(None) };
    let text = ctx.secrets.open(CUSTOMER_TOKEN.place(&[id]), &row.sealed).map_err(ApiError::internal)?;
    let text = std::str::from_utf8(&text).map_err(ApiError::internal)?;
    Ok(Some((StoredCustomer::from_row(&row)?, CustomerToken::opaque(text).map_err(ApiError::internal)?)))
}

/// For the seed: the token of an approved customer who may be charged, present or not.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn seed_customer_token(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    now: i64,
) -> Result<CustomerToken, ApiError> {
    let new = NewCustomerToken {
        account,
        region: Region::Eu1,
        reference: Some("seed-customer"),
        scopes: &[TokenScope::CustomerPresent, TokenScope::CustomerNotPresent],
        persona: None,
        customer_id: None,
    };
    Ok(issue_customer_token(tx, ctx, &new, now).await?.1)
}

/// Revokes a customer token and tells of it; a revoked one stays so in silence. `revoked_by` is `PARTNER` or `CUSTOMER`.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn revoke_customer_token(
    tx: &mut Tx,
    ctx: &Ctx,
    (customer, token): (&StoredCustomer, &str),
    revoked_by: &str,
    correlation_id: Option<&str>,
) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    if !store::revoke_customer_token(tx, customer.account.as_str(), &customer.id, now).await? {
        return Ok(());
    }
    let mut payload = json!({
        "customer_token": token, "state": "REVOKED", "previous_state": "ACTIVE", "revoked_by": revoked_by,
    });
    if let Some(reference) = &customer.reference {
        payload["customer_token_reference"] = reference.as_str().into();
    }
    let event = NewEvent {
        event_type: EventType::IdentityCustomerTokenRevoked,
        subject: &customer.account,
        product_instance_id: None,
        payload,
        occurred_at: now,
        correlation_id,
    };
    notifications::emit(tx, ctx, &event).await
}

/// Revokes a customer token whose text nobody was given, so that there is nobody to tell.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn retire_customer_token(
    tx: &mut Tx,
    account: &PartnerAccountId,
    id: &str,
    now: i64,
) -> Result<(), ApiError> {
    store::revoke_customer_token(tx, account.as_str(), id, now).await?;
    Ok(())
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
