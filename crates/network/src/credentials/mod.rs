//! Credentials: who calls, with what, and from where.
//!
//! | file | what |
//! |---|---|
//! | [`entry`] | the way in: the `Authorization` header, and keys that were verified a moment ago |
//! | [`api_key`], [`client_identifier`], [`sftp_user`] | three sorts of credentials, each with its text or name |
//! | [`certificate`], [`certificate_authority`] | client certificates, and who issues them |
//! | [`mtls`], [`ip_restriction`], [`protection`] | what an account asks of callers beside a key |
//! | [`sftp_host_key`](mod@sftp_host_key) | who the SFTP server is |
//! | [`bootstrap`] | the first key of an account, by a link that works once |
//! | [`life`] | when a credential ends by itself, and when it is gone |
//!
//! A key or password is stored as its SHA-256 digest; its text exists once, in the answer that creates it. [`verify`] is the one way in.

mod api;
mod api_key;
mod bootstrap;
pub mod certificate;
pub(crate) mod certificate_authority;
pub mod client_identifier;
mod entry;
mod ip_restriction;
mod jobs;
mod life;
mod mtls;
pub(crate) mod pages;
mod protection;
mod sftp_host_key;
pub mod sftp_user;
mod store;

use kit::http::ApiError;
use sha2::{Digest as _, Sha256};

use crate::operation::conflict;

pub use api::{routes, testing_routes};
pub use api_key::{API_KEY_PREFIX, NewApiKey, create_api_key, disable_api_key};
pub(crate) use api_key::{add as add_api_key, disable as disable_key, listed as listed_api_keys};
pub use bootstrap::{BootstrapLink, create_bootstrap_link, page_routes};
pub(crate) use certificate_authority::AuthorityCache;
pub use client_identifier::{CLIENT_ID_PREFIX, create_client_identifier};
pub(crate) use entry::VerifiedKeys;
pub use entry::{Verified, verify};
pub(crate) use jobs::SWEEP;
pub use protection::{Connection, Verdict};
pub use sftp_host_key::sftp_host_key;

/// A credential as its owner sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub credential_id: String,
    /// What it is used by, if that is no secret.
    pub text: String,
    pub description: String,
    /// `ACTIVE` or `DISABLED`.
    pub state: &'static str,
}

/// Ours: the number of keys is bounded, the answer is our choice.
fn refuse_beyond_max(active: usize, what: &str) -> Result<(), ApiError> {
    if i64::try_from(active).is_ok_and(|active| active < CREDENTIALS_MAX) {
        return Ok(());
    }
    Err(conflict(format!("The account has {CREDENTIALS_MAX} active {what}. Delete one to make room.")))
}

/// Active credentials of one sort per account (RULINGS §2: 50 keys; ours for the other sorts).
const CREDENTIALS_MAX: i64 = 50;

/// What is stored of a secret with enough chance in it to need no slower function.
fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
