//! Sign in with Klarna: OpenID Connect, the authorization code flow with a proof of possession of the code (fact sheet 04 §6.2).
//!
//! `P` is `/eu/lp/idp` or `/na/lp/idp`, and the issuer `<base>P`.
//!
//! | request | what |
//! |---|---|
//! | `GET P/.well-known/openid-configuration`, `GET P/.well-known/jwks.json` | discovery, and the keys to verify by |
//! | `GET`, `POST P/oauth2/auth` | begins a sign-in: 303 to its pages, or back with an error |
//! | `P/sign-in/<id>/…` | the pages: contact, code, details of a new account, consent |
//! | `POST P/oauth2/token` | a code, or a refresh token, for tokens |
//! | `GET`, `POST P/userinfo` | what the person shares, for an access token |
//! | `POST P/oauth2/revoke` | ends a grant (RFC 7009) |
//!
//! A client is a client identifier. In a browser it has no secret and sends `code_challenge` (S256 only); a server sends an API key of the
//! account as `client_secret`. `redirect_uri` must be one that the client identifier names, letter by letter, or, while it names none, an
//! address of an origin that it may be used from; the exchange repeats it exactly.
//!
//! | file | what |
//! |---|---|
//! | [`request`] | what a client asks for, judged. Pure |
//! | [`scope`] | scopes, and the claims that each opens. Pure |
//! | [`keys`] | the RSA keys that sign `id_token`s: sealed, rotated; [`jobs`] sees to it |
//! | [`grants`] | codes, access and refresh tokens: used once, rotated, revoked together |
//! | [`api`] | the operations that programs call |
//! | [`sign_in`], [`pages`] | what the person sees |
//!
//! Ours: access tokens are opaque, `sub` is another for every Partner account, and beside its tokens a client is given a
//! `klarna_network_session_token`, with which presentation preselects Klarna and the journey asks for no code.

mod api;
mod grants;
mod jobs;
pub mod keys;
mod pages;
mod request;
mod scope;
mod sign_in;
mod store;

use axum::Router;
use http::HeaderMap;
use kit::clock::DAY_US;
use kit::http::ApiError;
use protocol::krn::Region;

use crate::credentials::client_identifier::ClientIdentifier;
use crate::ctx::Ctx;

pub(crate) use jobs::SWEEP;
pub(crate) use keys::KeyCache;

/// How long a sign-in that is over can still be told about, to the browser that began it. Ours.
const REMEMBERED_US: i64 = DAY_US;

/// Where a region's operations stand.
const REGIONS: [(&str, Region); 2] = [("eu", Region::Eu1), ("na", Region::Us1)];

/// All of it: nothing here takes an API key as operations do.
pub fn routes() -> Router<Ctx> {
    let mut router = Router::new();
    for (name, _) in REGIONS {
        router = router.nest(&format!("/{name}/lp/idp"), api::routes().merge(sign_in::routes()));
    }
    router
}

/// Which of the two a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    name: &'static str,
    region: Region,
}

impl Place {
    fn of(path: &str) -> Self {
        let (name, region) =
            REGIONS.into_iter().find(|(name, _)| path.split('/').nth(1) == Some(name)).unwrap_or(REGIONS[0]);
        Self { name, region }
    }

    /// The issuer, and where everything stands.
    fn issuer(self, ctx: &Ctx) -> String {
        format!("{}/{}/lp/idp", ctx.config.base_url, self.name)
    }
}

/// The client of an identifier, if it works.
async fn client(ctx: &Ctx, client_id: &str) -> Result<Option<ClientIdentifier>, ApiError> {
    let client_id = client_id.to_owned();
    Ok(ctx
        .db
        .read(move |tx| Box::pin(async move { crate::credentials::client_identifier::find(tx, &client_id).await }))
        .await?)
}

fn header(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
