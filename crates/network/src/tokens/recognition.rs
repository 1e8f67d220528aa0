//! Who the tokens of a call show, where it can do without them: unknown and dead ones stand for nobody (RULINGS 1.4).

use http::HeaderMap;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::PartnerAccountId;
use protocol::krn::PaymentToken;
use uuid::Uuid;

use super::session_token::{Claims, Standing};
use super::{
    GRANT_HEADERS, Keys, StoredCustomer, customer_token_header, disagrees, find_customer_token, find_stored_customer,
    store,
};

/// The tokens that came with a request, unread.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    /// With the header's name as the documentation spells it.
    grants: Vec<(&'static str, String)>,
    customer: Option<String>,
}

impl Brought {
    /// Those in the headers of a request.
    pub fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            grants: GRANT_HEADERS.into_iter().filter_map(|(name, header)| Some((header, text(name)?))).collect(),
            customer: customer_token_header(headers).map(str::to_owned),
        }
    }

    /// A session token or an interoperability token, brought otherwise than in a header.
    pub fn session(token: &str) -> Self {
        Self { grants: vec![("klarna_network_session_token", token.to_owned())], customer: None }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty() && self.customer.is_none()
    }

    /// The customer token's text.
    pub fn customer_token(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    /// What the living session tokens among them say, to whichever account, the present header first.
    fn sessions(&self, keys: &Keys, now: i64) -> impl Iterator<Item = (&'static str, Claims)> {
        self.grants.iter().filter_map(move |(header, text)| Some((*header, keys.signer.read(text, now).ok()?)))
    }

    /// The stored customer of this account whom the customer token shows, unless it was revoked.
    async fn by_customer_token(
        &self,
        tx: &mut Tx,
        account: &PartnerAccountId,
    ) -> Result<Option<StoredCustomer>, ApiError> {
        let Some(token) = &self.customer else { return Ok(None) };
        let found = find_customer_token(tx, token).await?;
        Ok(found.filter(|customer| customer.account == *account && !customer.is_revoked))
    }

    /// The stored customer of this account: of the customer token, else of a session token that was made for one.
    ///
    /// # Errors
    /// [`kit::db::DbError`].
    pub async fn customer(
        &self,
        tx: &mut Tx,
        keys: &Keys,
        account: &PartnerAccountId,
        now: i64,
    ) -> Result<Option<StoredCustomer>, ApiError> {
        if let Some(customer) = self.by_customer_token(tx, account).await? {
            return Ok(Some(customer));
        }
        let Some(id) = self.sessions(keys, now).find_map(|(_, claims)| claims.cid) else { return Ok(None) };
        Ok(find_stored_customer(tx, account, &id).await?.filter(|customer| !customer.is_revoked))
    }
}

/// How well a customer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acquaintance {
    /// Not at all.
    Stranger,
    /// Signed in or linked, or by a customer token.
    Known,
    /// Approved already: what is left is the Partner's authorization.
    Approved,
}

/// Who the tokens show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognition {
    pub acquaintance: Acquaintance,
    /// The row of a customer token that can be charged.
    pub customer: Option<String>,
}

impl Recognition {
    /// Nobody.
    pub fn stranger() -> Self {
        Self { acquaintance: Acquaintance::Stranger, customer: None }
    }
}

/// Reads the tokens. Unknown, dead and foreign ones say nothing.
///
/// # Errors
/// 400 on the header whose living grant is another than that of a header before it; [`kit::db::DbError`].
pub async fn recognise(
    tx: &mut Tx,
    keys: &Keys,
    account: &PartnerAccountId,
    brought: &Brought,
    now: i64,
) -> Result<Recognition, ApiError> {
    let mut found = Recognition::stranger();
    let mut grant: Option<Uuid> = None;
    let handles =
        brought.grants.iter().filter_map(|(header, text)| Some((*header, text.parse::<PaymentToken>().ok()?.uuid()?)));
    let mut grants: Vec<(&'static str, Uuid)> = handles.collect();
    for (header, claims) in brought.sessions(keys, now).filter(|(_, claims)| claims.paid == account.as_str()) {
        match claims.st {
            Standing::Completed => grants.extend(claims.sid.parse().ok().map(|id| (header, id))),
            Standing::Recognised => found.acquaintance = found.acquaintance.max(Acquaintance::Known),
            // Of a request that nobody opened: says nothing of a customer.
            Standing::Submitted => {}
        }
    }
    // In the order of the headers, so that the later one is said to disagree.
    grants.sort_by_key(|(header, _)| GRANT_HEADERS.iter().position(|(_, other)| other == header));
    for (header, id) in grants {
        let row = store::grant(tx, account.as_str(), &id.to_string()).await?;
        if !row.is_some_and(|row| row.state == "SPENDABLE" && row.expires_at > now) {
            continue;
        }
        if grant.is_some_and(|other| other != id) {
            return Err(disagrees(header));
        }
        grant = Some(id);
        found.acquaintance = Acquaintance::Approved;
    }
    if let Some(customer) = brought.by_customer_token(tx, account).await? {
        found.acquaintance = found.acquaintance.max(Acquaintance::Known);
        found.customer = Some(customer.id);
    }
    Ok(found)
}
