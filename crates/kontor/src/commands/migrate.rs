use anyhow::{Context as _, Result};
use kit::db::Db;

use crate::cli::MigrateArgs;

/// `kontor migrate`
pub async fn migrate(args: &MigrateArgs) -> Result<()> {
    let side = args.side.side;
    let db = Db::open(&args.side.storage.database(side)).await.context("opening the database")?;
    let applied = db.migrate(side.migrations()).await?;
    for migration in &applied {
        println!("applied {} {}", migration.set, migration.name);
    }
    if applied.is_empty() {
        println!("the {} database is up to date", side.name());
    }
    Ok(())
}
