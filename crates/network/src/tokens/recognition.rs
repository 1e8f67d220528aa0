//! Who the tokens of a request show: for presentation, which never refuses a token (RULINGS 1.4).

use http::HeaderMap;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::PartnerAccountId;
use protocol::krn::PaymentToken;
use uuid::Uuid;

use super::session_token::Standing;
use super::{GRANT_HEADERS, Keys, customer_token_header, disagrees, find_customer_token, store};

/// The tokens that came with a request, unread.
#[derive(Clone, Default)]
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
    for (header, text) in &brought.grants {
        let id = match text.parse::<PaymentToken>() {
            Ok(handle) => handle.uuid(),
            Err(_) => match keys.signer.read(text, now) {
                Ok(claims) if claims.paid == account.as_str() => match claims.st {
                    Standing::Completed => claims.sid.parse().ok(),
                    Standing::Recognised => {
                        found.acquaintance = found.acquaintance.max(Acquaintance::Known);
                        None
                    }
                    // Of a request that nobody opened: says nothing of a customer.
                    Standing::Submitted => None,
                },
                Ok(_) | Err(_) => None,
            },
        };
        let Some(id) = id else { continue };
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
    if let Some(token) = &brought.customer {
        let customer = find_customer_token(tx, token).await?;
        if let Some(customer) = customer.filter(|customer| customer.account == *account && !customer.is_revoked) {
            found.acquaintance = found.acquaintance.max(Acquaintance::Known);
            found.customer = Some(customer.id);
        }
    }
    Ok(found)
}
