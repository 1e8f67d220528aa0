//! SFTP users: who may fetch the settlement files of an account.

use kit::db::{DbError, Tx};
use protocol::{CredentialId, PartnerAccountId};
use subtle::ConstantTimeEq as _;

use super::{digest, store};

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

/// The account whose files this user may fetch, if the password is right and the user active. Notes the use.
///
/// # Errors
/// [`DbError`].
pub async fn authenticate(
    tx: &mut Tx,
    username: &str,
    password: &str,
    now: i64,
) -> Result<Option<PartnerAccountId>, DbError> {
    let Some(row) = store::sftp_user_by_name(tx, username).await? else { return Ok(None) };
    if !bool::from(row.password_hash.ct_eq(&digest(password))) || row.disabled_at.is_some() {
        return Ok(None);
    }
    store::note_sftp_use(tx, &row.account_id, &row.credential_id, now).await?;
    Ok(PartnerAccountId::opaque(&row.account_id).ok())
}
