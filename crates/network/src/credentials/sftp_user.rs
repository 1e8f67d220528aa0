//! SFTP users: who may fetch the settlement files of an account. A name and a password is all there is (fact sheet 05 §2).

use std::net::IpAddr;

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::{CredentialId, PartnerAccountId};
use subtle::ConstantTimeEq as _;

use super::protection::{self, Connection};
use super::{digest, store};
use crate::ctx::Ctx;

/// Ours: neither form is published.
const USERNAME_RANDOM_CHARS: usize = 12;
const PASSWORD_RANDOM_CHARS: usize = 48;

/// An SFTP user at the moment of its creation.
pub(super) struct NewSftpUser {
    pub credential_id: CredentialId,
    /// To be shown once.
    pub password: String,
}

pub(super) async fn insert(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    now: i64,
) -> Result<NewSftpUser, DbError> {
    let credential_id = CredentialId::sftp(random.id(now));
    let suffix = random.text(b"abcdefghijklmnopqrstuvwxyz0123456789", USERNAME_RANDOM_CHARS);
    let username = format!("kn_test_{suffix}");
    let password = random.alphanumeric(PASSWORD_RANDOM_CHARS);
    let new = store::NewSftpUser {
        credential_id: credential_id.as_str(),
        username: &username,
        hash: &digest(&password),
        description,
    };
    store::insert_sftp_user(tx, account.as_str(), &new, now).await?;
    Ok(NewSftpUser { credential_id, password })
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SftpUser {
    /// Whose files it may fetch.
    pub account: PartnerAccountId,
    credential_id: String,
}

/// The user of this name, if the password is right, the user active, and the account's list of addresses (ours: it holds here, too)
/// does not keep the caller out. Notes the use.
///
/// # Errors
/// [`DbError`].
pub async fn sign_in(
    ctx: &Ctx,
    username: &str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<Option<SftpUser>, ApiError> {
    // Nobody is called so, and PostgreSQL does not compare such texts.
    if username.chars().any(char::is_control) {
        return Ok(None);
    }
    let (now, hash) = (ctx.clock.now(), digest(password));
    ctx.write(|| {
        let username = username.to_owned();
        move |tx: &mut Tx| -> kit::db::UnitFuture<'_, Result<Option<SftpUser>, ApiError>> {
            Box::pin(async move {
                let row = store::sftp_user_by_name(tx, &username).await?;
                let row = row.filter(|row| bool::from(row.password_hash.ct_eq(&hash)) && row.disabled_at.is_none());
                let Some(row) = row else { return Ok(None) };
                let connection = Connection { address, certificate: None };
                if !protection::read(tx, &row.account_id).await?.admits_address(&connection) {
                    return Ok(None);
                }
                store::note_sftp_use(tx, &row.account_id, &row.credential_id, now).await?;
                let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
                Ok(Some(SftpUser { account, credential_id: row.credential_id }))
            })
        }
    })
    .await
}

/// Whether somebody who has signed in still may.
///
/// # Errors
/// [`DbError`].
pub async fn is_active(ctx: &Ctx, user: &SftpUser) -> Result<bool, DbError> {
    let user = user.clone();
    let row: Option<store::SftpUserRow> = ctx
        .db
        .read(move |tx| Box::pin(async move { store::sftp_user(tx, user.account.as_str(), &user.credential_id).await }))
        .await?;
    Ok(row.is_some_and(|row| row.disabled_at.is_none()))
}
