use anyhow::{Result, bail};
use kit::clock::Clock;
use kit::db::DbError;
use kit::jobs::{self, DeadJob, JobCount};

use super::time;
use crate::cli::JobsCommand;

/// `kontor jobs`
pub async fn jobs(command: &JobsCommand) -> Result<()> {
    match command {
        JobsCommand::Counts { side } => {
            let db = side.open().await?;
            let counts: Result<Vec<JobCount>, DbError> = db.read(|tx| Box::pin(jobs::counts(tx))).await;
            for count in counts? {
                println!("{:>8}  {:<6} {}", count.jobs, count.state, count.kind);
            }
        }
        JobsCommand::Dead { limit, side } => {
            let (db, limit) = (side.open().await?, *limit);
            let dead: Result<Vec<DeadJob>, DbError> = db.read(move |tx| Box::pin(jobs::dead(tx, limit))).await;
            let dead = dead?;
            for job in &dead {
                let why = job.last_error.as_deref().unwrap_or("no reason kept");
                println!("{}  {} {}  after {} attempts: {why}", time(job.updated_at), job.kind, job.key, job.attempts);
            }
            if dead.is_empty() {
                println!("no dead letters");
            } else {
                println!("bring one back with `kontor jobs revive KIND KEY --side {}`", side.side.name());
            }
        }
        JobsCommand::Revive { kind, key, side } => {
            let db = side.open().await?;
            let (kind, key, now) = (kind.clone(), key.clone(), Clock::system().now());
            let found: Result<bool, DbError> =
                db.write(move |tx| Box::pin(async move { jobs::revive(tx, &kind, &key, now).await })).await;
            if !found? {
                bail!("there is no dead letter of that kind and key; `kontor jobs dead` lists them");
            }
            println!("it is due now");
        }
    }
    Ok(())
}
