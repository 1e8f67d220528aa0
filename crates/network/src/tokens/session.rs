//! Sessions: what a session token says where it is not spent, and the stored customer behind it. Where a call can do without one,
//! unknown and dead tokens stand for nobody (RULINGS 1.4).

use http::HeaderMap;
use kit::clock::SECOND_US;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::header::{KLARNA_INTEROPERABILITY_TOKEN, KLARNA_NETWORK_SESSION_TOKEN};
use protocol::krn::Region;
use protocol::{PartnerAccountId, SessionToken};
use uuid::Uuid;

use super::session_token::{Claims, Standing};
use super::{
    Keys, Presented, RECOGNITION_US, StoredCustomer, Unspendable, customer_token_header, find_customer_token,
    find_stored_customer, grant_standing, presented,
};

/// What a call brought to be recognised by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BroughtCustomer {
    /// The customer token's text.
    customer_token: Option<String>,
    /// The stored customer that a session token was made for.
    customer_id: Option<String>,
}

impl BroughtCustomer {
    /// Reads the customer token's header and the two of session tokens.
    pub fn read(keys: &Keys, headers: &HeaderMap, now: i64) -> Self {
        Self {
            customer_token: customer_token_header(headers).map(str::to_owned),
            customer_id: session(keys, headers, now).and_then(|(_, claims)| claims.cid),
        }
    }

    /// The customer, if there is one of this account and the token was not revoked.
    ///
    /// # Errors
    /// [`kit::db::DbError`].
    pub async fn customer(&self, tx: &mut Tx, account: &PartnerAccountId) -> Result<Option<StoredCustomer>, ApiError> {
        let by_token = match &self.customer_token {
            Some(token) => find_customer_token(tx, token).await?,
            None => None,
        };
        let found = match (by_token, &self.customer_id) {
            (Some(customer), _) => Some(customer),
            (None, Some(id)) => find_stored_customer(tx, account, id).await?,
            (None, None) => None,
        };
        Ok(found.filter(|customer| customer.account == *account && !customer.is_revoked))
    }
}

/// The session of the first of the two headers whose token is ours and alive, and the token's region.
pub(super) fn session(keys: &Keys, headers: &HeaderMap, now: i64) -> Option<(Region, Claims)> {
    let names = [KLARNA_NETWORK_SESSION_TOKEN, KLARNA_INTEROPERABILITY_TOKEN];
    names.into_iter().find_map(|name| read_session(keys, headers.get(name)?.to_str().ok()?, now))
}

/// What a session token says, and its region.
pub(super) fn read_session(keys: &Keys, text: &str, now: i64) -> Option<(Region, Claims)> {
    let claims = keys.signer.read(text, now).ok()?;
    let region = text.split(':').nth(2)?.parse().ok()?;
    Some((region, claims))
}

/// The session of a call that cannot do without one.
///
/// # Errors
/// 400 on the header that is missing, unknown, expired, spent, or of another account.
pub(super) async fn required_session(
    tx: &mut Tx,
    keys: &Keys,
    headers: &HeaderMap,
    account: &PartnerAccountId,
    now: i64,
) -> Result<(Region, Claims), ApiError> {
    let refused = |header: &str, reason: String| ApiError::validation(Vec::new()).field(header, reason);
    let unusable = |header: &str, why: Unspendable| refused(header, format!("cannot be used: {}", why.as_str()));
    let header = match presented(keys, headers, now)? {
        Presented::Nothing => return Err(refused("Klarna-Network-Session-Token", "is required".to_owned())),
        Presented::Other { header, why: Unspendable::NotCompleted } => header,
        Presented::Other { header, why } => return Err(unusable(header, why)),
        Presented::Grant { header, id, .. } => match grant_standing(tx, account, id, now).await? {
            None => header,
            Some(why) => return Err(unusable(header, why)),
        },
    };
    let (region, claims) = session(keys, headers, now).ok_or_else(|| unusable(header, Unspendable::Unknown))?;
    if claims.paid != account.as_str() {
        return Err(refused(header, "was issued for another Partner account".to_owned()));
    }
    Ok((region, claims))
}

/// The token of a page's visitor of whom nothing is known yet; it lasts as long as a recognising one.
pub fn visiting_token(keys: &Keys, account: &PartnerAccountId, id: Uuid, now: i64) -> SessionToken {
    keys.signer.sign(Region::Eu1, &Claims { st: Standing::Submitted, ..met(id, account, None, now) })
}

/// Whether a session token says something to this account still: not expired, and not spent.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn is_alive(
    tx: &mut Tx,
    keys: &Keys,
    account: &PartnerAccountId,
    text: &str,
    now: i64,
) -> Result<bool, ApiError> {
    let Some((_, claims)) = read_session(keys, text, now).filter(|(_, claims)| claims.paid == account.as_str()) else {
        return Ok(false);
    };
    match (claims.st, claims.sid.parse()) {
        (Standing::Completed, Ok(grant)) => Ok(grant_standing(tx, account, grant, now).await?.is_none()),
        (standing, _) => Ok(standing != Standing::Completed),
    }
}

/// The session of a customer who was met outside any Payment Request.
pub(super) fn met(id: Uuid, account: &PartnerAccountId, customer: Option<&StoredCustomer>, now: i64) -> Claims {
    Claims {
        sid: id.to_string(),
        prid: None,
        paid: account.to_string(),
        cid: customer.map(|customer| customer.id.clone()),
        cur: None,
        amt: None,
        st: Standing::Recognised,
        iat: now / SECOND_US,
        exp: now.saturating_add(RECOGNITION_US) / SECOND_US,
    }
}
