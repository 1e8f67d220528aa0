//! The demonstration's shop: a Partner that takes payments through the gateway.
//!
//! The basket lives in the url, payments and what may be charged again at the gateway; the shop itself keeps who its shoppers are. Begin at [`router`].
//!
//! | room | what |
//! |---|---|
//! | [`catalogue`] | the front page, a page for each thing, the cart |
//! | [`checkout`] | the checkout: the Web SDK on our own page, or our server alone; one payment for an order |
//! | [`express`] | Express Checkout: what shipping costs, and the confirmation with the token alone |
//! | [`account`] | who a shopper is to the shop: saved ways to pay, orders |
//! | [`order`] | where the shopper comes back to, and the desk behind the counter |
//! | [`goods`] | what is sold, where, how it travels; the basket |
//! | [`gateway`] | the calls of the Partner's server |
//! | [`sdk`], [`files`] | what pages need of Klarna's script, and their own files |

pub mod account;
mod catalogue;
mod checkout;
mod express;
mod files;
mod gateway;
mod goods;
mod order;
mod pages;
pub mod sdk;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use kit::http::compressed;
use kit::outbound::{ClientError, UpstreamConfig, upstream_client};
use kit::random::Random;
use maud::Markup;
use secrecy::SecretString;
use url::Url;

use account::Accounts;
use account::sign_in::SignInConfig;
use gateway::{Gateway, GatewayError, Payment};
use pages::{Failure, Links};
use sdk::SdkConfig;

/// What a shop needs to know.
#[derive(Clone)]
pub struct ShopConfig {
    pub gateway_url: Url,
    /// The Partner's key at the gateway.
    pub api_key: SecretString,
    /// Where shoppers reach the shop.
    pub public_url: Url,
    /// The network end, for a link.
    pub network_url: Url,
    /// Klarna's script.
    pub sdk: SdkConfig,
    /// Who its shoppers are.
    pub accounts: Accounts,
    /// Where they sign in.
    pub sign_in: SignInConfig,
}

/// Why the shop cannot open.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    #[error("making a client for calls")]
    Client(#[from] ClientError),
    #[error("the address of the Web SDK's script does not fit into a header")]
    ScriptUrl(#[from] http::header::InvalidHeaderValue),
}

pub(crate) struct Shop {
    gateway: Gateway,
    /// Without a slash at its end.
    public_url: String,
    links: Links,
    sdk: SdkConfig,
    policy: HeaderValue,
    accounts: Accounts,
    sign_in: SignInConfig,
    /// For Klarna's sign-in.
    http: reqwest::Client,
    random: Random,
}

type Fields = BTreeMap<String, String>;
type Sent = Result<Form<Fields>, FormRejection>;

/// Nothing but our own files and Klarna's script, which may show pictures and a frame of its own. Browsers apply `form-action` to every
/// hop of a redirect after a form was sent, and the way to Klarna and back has hops on hosts that this shop does not know: so it is
/// bounded by scheme only.
fn policy(sdk: &SdkConfig) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let klarna = sdk.origin();
    HeaderValue::try_from(format!(
        "default-src 'none'; style-src 'self'; script-src 'self' {klarna}; connect-src 'self' {klarna}; \
         img-src 'self' data: {klarna}; frame-src {klarna}; form-action 'self' https: http:; base-uri 'none'; frame-ancestors 'none'"
    ))
}

/// The shop.
///
/// # Errors
/// [`ShopError`].
pub fn router(config: ShopConfig) -> Result<Router, ShopError> {
    let join = |base: &Url, path: &str| format!("{}{path}", base.as_str().trim_end_matches('/'));
    let links = Links { reference: join(&config.gateway_url, "/docs"), network: join(&config.network_url, "/") };
    let shop = Arc::new(Shop {
        public_url: join(&config.public_url, ""),
        gateway: Gateway::new(config.gateway_url, config.api_key)?,
        links,
        policy: policy(&config.sdk)?,
        sdk: config.sdk,
        accounts: config.accounts,
        sign_in: config.sign_in,
        http: upstream_client(UpstreamConfig::default())?,
        random: Random::system(),
    });
    let routes = Router::new()
        .merge(catalogue::routes())
        .merge(checkout::routes())
        .merge(express::routes())
        .merge(order::routes())
        .merge(account::routes())
        .route("/{*path}", any(nowhere))
        .with_state(shop)
        .merge(files::routes());
    Ok(compressed(routes))
}

/// An address that is none of ours.
async fn nowhere(State(shop): State<Arc<Shop>>) -> Response {
    let failure = Failure {
        title: "There is no such page".to_owned(),
        text: "The address may be mistyped, or what stood there is sold.".to_owned(),
        fields: Vec::new(),
        error_id: None,
    };
    shop.page(StatusCode::NOT_FOUND, pages::failed(&failure, &shop.links))
}

impl Shop {
    /// A page's address for somebody else: `path` begins with a slash.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// An answer that is a page.
    fn page(&self, status: StatusCode, markup: Markup) -> Response {
        let headers = [
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (status, headers, markup).into_response()
    }
}

/// The page of a payment's order. `did` says what the desk has just done.
fn order_link(payment: &Payment, did: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("payment_id", &payment.id);
    if let Some(did) = did {
        query.append_pair("did", did);
    }
    format!("/order?{}", query.finish())
}

fn status_of(error: &GatewayError) -> StatusCode {
    match error {
        GatewayError::Refused { status: 404, .. } => StatusCode::NOT_FOUND,
        GatewayError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        GatewayError::Unreachable(_) => StatusCode::BAD_GATEWAY,
    }
}

fn warn(error: &GatewayError, doing: &str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{doing} failed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_follows_the_script_and_allows_nothing_inline() {
        let sdk = SdkConfig {
            script_url: "https://js.klarna.com/web-sdk/v2/klarna.mjs".parse().unwrap(),
            client_id: String::new(),
            payment_account_id: String::new(),
        };
        let policy = policy(&sdk).unwrap();
        let policy = policy.to_str().unwrap();
        assert!(policy.contains("script-src 'self' https://js.klarna.com;"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
