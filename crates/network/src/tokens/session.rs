//! Sessions: what a session token says where it is not spent, for calls that need one. Who is recognised by tokens that may as well be
//! absent is [`super::recognition`]'s matter.

use http::HeaderMap;
use kit::clock::SECOND_US;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::header::{KLARNA_INTEROPERABILITY_TOKEN, KLARNA_NETWORK_SESSION_TOKEN};
use protocol::krn::Region;
use protocol::{PartnerAccountId, SessionToken};
use uuid::Uuid;

use super::session_token::{Claims, Standing};
use super::{Keys, Presented, RECOGNITION_US, StoredCustomer, Unspendable, grant_standing, presented};

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

/// The token of a customer who was met outside any Payment Request: recognises, cannot be spent.
pub fn meeting_token(
    keys: &Keys,
    account: &PartnerAccountId,
    (region, customer): (Region, &StoredCustomer),
    id: Uuid,
    now: i64,
) -> SessionToken {
    keys.signer.sign(region, &met(id, account, Some(customer), now))
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
