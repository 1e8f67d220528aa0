//! Credentials: who calls, with what, and from where.
//!
//! | file | what |
//! |---|---|
//! | [`entry`] | the way in: the `Authorization` header, and keys that were verified a moment ago |
//! | [`api_key`], [`client_identifier`], [`sftp_user`] | three sorts of credentials, each with its text or name |
//! | [`life`] | when a credential ends by itself, and when it is gone |
//!
//! A key or password is stored as its SHA-256 digest; its text exists once, in the answer that creates it. [`verify`] is the one way in.

mod api;
mod api_key;
pub mod client_identifier;
mod entry;
mod jobs;
mod life;
pub mod sftp_user;
mod store;

use sha2::{Digest as _, Sha256};

pub use api::routes;
pub use api_key::{API_KEY_PREFIX, NewApiKey, create_api_key, disable_api_key};
pub use client_identifier::{CLIENT_ID_PREFIX, create_client_identifier};
pub(crate) use entry::VerifiedKeys;
pub use entry::verify;
pub use jobs::{register, start};

/// Active credentials of one sort per account (RULINGS §2: 50 keys; ours for the other sorts).
const CREDENTIALS_MAX: i64 = 50;

/// What is stored of a secret with enough chance in it to need no slower function.
fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
