//! What presentation reads beside what other rooms give.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! { struct StateRow { state: String } }

/// The state of an account.
pub(super) async fn account_state(tx: &mut Tx, account: &str) -> Result<Option<String>, DbError> {
    let sql = "select state from accounts where account_id = $1";
    Ok(tx.fetch_optional::<StateRow>(sql, params![account]).await?.map(|row| row.state))
}
