//! Rows of payment profiles and of program enablements.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::enablement::Criteria;
use crate::paging::Wanted;

row! {
    /// A payment profile of an Acquiring Partner.
    pub(crate) struct ProfileRow {
        pub(crate) payment_profile_id: String,
        pub(crate) name: String,
        pub(crate) price_plan: String,
        pub(crate) program_plan: String,
    }
}

/// The profiles of an Acquiring Partner, oldest first.
pub(crate) async fn profiles(tx: &mut Tx, acquiring_partner: &str) -> Result<Vec<ProfileRow>, DbError> {
    let sql = "select payment_profile_id, name, price_plan, program_plan from payment_profiles
        where account_id = $1 order by created_at, payment_profile_id";
    tx.fetch_all(sql, params![acquiring_partner]).await
}

/// The profile of an account's payment product.
pub(crate) async fn profile_of(tx: &mut Tx, account: &str) -> Result<Option<ProfileRow>, DbError> {
    let sql = "select f.payment_profile_id, f.name, f.price_plan, f.program_plan
        from payment_products p
            join accounts a on a.account_id = p.account_id
            join payment_profiles f on f.account_id = coalesce(a.acquiring_partner_id, a.account_id)
                and f.payment_profile_id = p.payment_profile_id
        where p.account_id = $1 order by p.product_id limit 1";
    tx.fetch_optional(sql, params![account]).await
}

/// Adds a profile with its plans.
pub(crate) async fn insert_profile(
    tx: &mut Tx,
    acquiring_partner: &str,
    profile: &ProfileRow,
    now: i64,
) -> Result<(), DbError> {
    let sql =
        "insert into payment_profiles (account_id, payment_profile_id, name, price_plan, program_plan, created_at)
        values ($1, $2, $3, $4, $5, $6)";
    let ProfileRow { payment_profile_id, name, price_plan, program_plan } = profile;
    tx.execute(sql, params![acquiring_partner, payment_profile_id, name, price_plan, program_plan, now]).await.map(drop)
}

row! {
    /// A program enablement.
    pub(crate) struct EnablementRow {
        pub(crate) enablement_id: String,
        pub(crate) program_id: String,
        pub(crate) code: Option<String>,
        /// JSON.
        pub(crate) criteria: String,
        pub(crate) created_at: i64,
        pub(crate) ended_at: Option<i64>,
    }
}

impl EnablementRow {
    pub(crate) fn criteria(&self) -> Criteria {
        serde_json::from_str(&self.criteria).unwrap_or_default()
    }
}

pub(crate) async fn insert_enablement(tx: &mut Tx, account: &str, row: &EnablementRow) -> Result<(), DbError> {
    let sql =
        "insert into payment_program_enablements (account_id, enablement_id, program_id, code, criteria, created_at,
            ended_at) values ($1, $2, $3, $4, $5, $6, $7)";
    let values =
        params![account, &row.enablement_id, &row.program_id, &row.code, &row.criteria, row.created_at, row.ended_at];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn enablement(tx: &mut Tx, account: &str, id: &str) -> Result<Option<EnablementRow>, DbError> {
    let sql = "select enablement_id, program_id, code, criteria, created_at, ended_at from payment_program_enablements
        where account_id = $1 and enablement_id = $2";
    tx.fetch_optional(sql, params![account, id]).await
}

/// A page of an account's enablements by id, and how many there are in all.
pub(crate) async fn enablements(
    tx: &mut Tx,
    account: &str,
    wanted: &Wanted,
) -> Result<(Vec<EnablementRow>, i64), DbError> {
    let rows = match (wanted.after(), wanted.before()) {
        (_, Some(before)) => {
            let sql = "select enablement_id, program_id, code, criteria, created_at, ended_at
                from payment_program_enablements where account_id = $1 and enablement_id < $2
                order by enablement_id desc limit $3";
            tx.fetch_all(sql, params![account, before, wanted.limit()]).await?
        }
        (after, None) => {
            let sql = "select enablement_id, program_id, code, criteria, created_at, ended_at
                from payment_program_enablements where account_id = $1 and enablement_id > $2
                order by enablement_id limit $3";
            tx.fetch_all(sql, params![account, after.unwrap_or_default(), wanted.limit()]).await?
        }
    };
    let sql = "select count(*) as n from payment_program_enablements where account_id = $1";
    let total = tx.fetch_one::<CountRow>(sql, params![account]).await?;
    Ok((rows, total.n))
}

row! { struct CountRow { n: i64 } }

/// Those that hold now, oldest first.
pub(crate) async fn active_enablements(tx: &mut Tx, account: &str) -> Result<Vec<EnablementRow>, DbError> {
    let sql = "select enablement_id, program_id, code, criteria, created_at, ended_at from payment_program_enablements
        where account_id = $1 and ended_at is null order by created_at, enablement_id";
    tx.fetch_all(sql, params![account]).await
}

/// Ends one that holds; ending it again changes nothing.
pub(crate) async fn end_enablement(tx: &mut Tx, account: &str, id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update payment_program_enablements set ended_at = $3
        where account_id = $1 and enablement_id = $2 and ended_at is null";
    tx.execute(sql, params![account, id, now]).await.map(drop)
}
