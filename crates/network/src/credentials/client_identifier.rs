//! Client identifiers: what a Web SDK names itself with, from the pages of an account.

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::{CredentialId, PartnerAccountId};
use url::{Host, Url};

use super::{Listed, refuse_beyond_max, store};

/// How client identifiers of the test environment begin (fact sheet 01 §2.2).
pub const CLIENT_ID_PREFIX: &str = "klarna_test_client_";

const CLIENT_ID_RANDOM_CHARS: usize = 152;

/// A client identifier that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentifier {
    /// Whose it is.
    pub account: PartnerAccountId,
    /// Its id.
    pub credential_id: CredentialId,
    /// `config.allowed_domains`: domains, with or without `*.`, and origins.
    pub allowed_domains: Vec<String>,
    /// `config.redirect_uris`, ours: the only addresses that a sign-in may answer at; none says nothing.
    pub redirect_uris: Vec<String>,
}

impl ClientIdentifier {
    /// Whether a page of this `Origin` may use it: one of `allowed_domains`, or one that the account's stores (their urls) stand at.
    /// Ours: while neither names anything, any page may, because Klarna's own collection registers nothing.
    pub fn allows<'a>(&self, origin: &str, store_urls: impl IntoIterator<Item = &'a str>) -> bool {
        let Some(origin) = Url::parse(origin).ok().filter(|url| url.host().is_some()) else { return false };
        let mut store_origins = store_urls.into_iter().filter_map(|url| Url::parse(url).ok()).peekable();
        if self.allowed_domains.is_empty() && store_origins.peek().is_none() {
            return true;
        }
        self.allowed_domains.iter().any(|allowed| is_allowed(&origin, allowed))
            || store_origins.any(|store| store.origin() == origin.origin())
    }
}

fn is_allowed(origin: &Url, allowed: &str) -> bool {
    let (host, rest_fits) = match allowed.split_once("://") {
        // An origin names scheme and port, a domain neither.
        Some((scheme, rest)) => {
            let (host, port) = match rest.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()),
                None => (rest, if scheme == "https" { Some(443) } else { Some(80) }),
            };
            (host, origin.scheme() == scheme && origin.port_or_known_default() == port)
        }
        None => (allowed, true),
    };
    let (wildcard, host) = host.strip_prefix("*.").map_or((false, host), |host| (true, host));
    // The same spelling as in a parsed address: lower case, punycode.
    let Ok(host) = Host::parse(host) else { return false };
    let (host, given) = (host.to_string(), origin.host_str().unwrap_or_default());
    let host_fits = match wildcard {
        true => given.strip_suffix(&host).is_some_and(|sub| sub.ends_with('.')),
        false => given == host,
    };
    host_fits && rest_fits
}

/// Makes a client identifier for an account and returns it; it is no secret.
///
/// # Errors
/// [`DbError`].
pub async fn create_client_identifier(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    now: i64,
) -> Result<String, DbError> {
    insert(tx, random, account, description, (&[], &[]), now).await.map(|(_, client_id)| client_id)
}

async fn insert(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    (allowed_domains, redirect_uris): (&[String], &[String]),
    now: i64,
) -> Result<(CredentialId, String), DbError> {
    let credential_id = CredentialId::client_identifier(random.id(now));
    let client_id = format!("{CLIENT_ID_PREFIX}{}", random.alphanumeric(CLIENT_ID_RANDOM_CHARS));
    let domains = serde_json::json!(allowed_domains).to_string();
    let redirects = serde_json::json!(redirect_uris).to_string();
    let new = store::NewClientIdentifier {
        credential_id: credential_id.as_str(),
        client_id: &client_id,
        description,
        allowed_domains: &domains,
        redirect_uris: &redirects,
    };
    store::insert_client_identifier(tx, account.as_str(), &new, now).await?;
    Ok((credential_id, client_id))
}

/// Makes a client identifier, if there is room for one: its id and text.
///
/// # Errors
/// 409 when there is not; [`DbError`].
pub(crate) async fn add(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    (allowed_domains, redirect_uris): (&[String], &[String]),
    now: i64,
) -> Result<(CredentialId, String), ApiError> {
    store::lock(tx, account.as_str()).await?;
    let present = store::client_identifiers(tx, account.as_str()).await?;
    refuse_beyond_max(present.iter().filter(|row| row.life().is_active(now)).count(), "client identifiers")?;
    Ok(insert(tx, random, account, description, (allowed_domains, redirect_uris), now).await?)
}

/// The client identifiers of an account.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn listed(tx: &mut Tx, account: &PartnerAccountId, now: i64) -> Result<Vec<Listed>, DbError> {
    let rows = store::client_identifiers(tx, account.as_str()).await?;
    let shown = rows.into_iter().filter(|row| !row.life().is_gone(now));
    let listed = |row: store::ClientIdentifierRow| Listed {
        state: row.life().state(now),
        credential_id: row.credential_id,
        text: row.client_id,
        description: row.description,
    };
    Ok(shown.map(listed).collect())
}

/// The active client identifier of this text, whoever's it is.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, client_id: &str) -> Result<Option<ClientIdentifier>, DbError> {
    let row = store::client_identifier_by_text(tx, client_id).await?.filter(|row| row.disabled_at.is_none());
    // Rows hold what was checked when it was written.
    Ok(row.and_then(|row| {
        Some(ClientIdentifier {
            account: PartnerAccountId::opaque(&row.account_id).ok()?,
            credential_id: CredentialId::opaque(&row.credential_id).ok()?,
            allowed_domains: row.domains(),
            redirect_uris: row.redirects(),
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(domains: &[&str]) -> ClientIdentifier {
        ClientIdentifier {
            account: PartnerAccountId::new_test("MQ7R2T9A"),
            credential_id: CredentialId::client_identifier(uuid::Uuid::nil()),
            redirect_uris: Vec::new(),
            allowed_domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        }
    }

    #[test]
    fn a_domain_allows_its_pages_and_a_star_those_below_it() {
        let domain = with(&["Shop.example"]);
        assert!(domain.allows("https://shop.example", []) && domain.allows("http://shop.example:4000", []));
        assert!(!domain.allows("https://www.shop.example", []) && !domain.allows("https://notshop.example", []));
        let below = with(&["*.shop.example"]);
        assert!(below.allows("https://www.shop.example", []));
        assert!(!below.allows("https://shop.example", []) && !below.allows("https://xshop.example", []));
        let origin = with(&["https://shop.example:8443"]);
        assert!(origin.allows("https://shop.example:8443", []));
        assert!(!origin.allows("https://shop.example", []) && !origin.allows("http://shop.example:8443", []));
    }

    #[test]
    fn stores_count_and_nothing_registered_allows_any_page() {
        assert!(with(&[]).allows("https://anything.example", []));
        assert!(!with(&[]).allows("null", []));
        assert!(with(&[]).allows("https://shop.example", ["https://shop.example/books"]));
        assert!(!with(&[]).allows("https://other.example", ["https://shop.example/books"]));
        assert!(with(&["other.example"]).allows("https://shop.example", ["https://shop.example"]));
    }
}
