use anyhow::Result;
use gateway::access;
use kit::clock::Clock;
use kit::db::Db;
use kit::random::Random;
use secrecy::ExposeSecret as _;

use super::time;
use crate::cli::{OperatorCommand, Side, StorageArgs};

/// `kontor operator`
pub async fn operator(command: &OperatorCommand) -> Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    match command {
        OperatorCommand::Create { name, storage } => {
            let created = access::create_operator(&open(storage).await?, &clock, &random, name).await?;
            println!("operator {}", created.operator_id);
            println!("api key  {}", created.api_key.expose_secret());
            println!("The key is shown this once.");
        }
        OperatorCommand::List { storage } => {
            for operator in access::operators(&open(storage).await?).await? {
                let state =
                    operator.disabled_at.map_or_else(|| "active".to_owned(), |at| format!("disabled {}", time(at)));
                let used = operator
                    .last_used_at
                    .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", time(at)));
                println!("{}  {state}, {used}  {}", operator.operator_id, operator.name);
            }
        }
        OperatorCommand::Disable { operator_id, storage } => {
            access::disable_operator(&open(storage).await?, &clock, operator_id).await?;
            println!("the key of operator {operator_id} is refused from now on");
        }
    }
    Ok(())
}

async fn open(storage: &StorageArgs) -> Result<Db> {
    storage.open(Side::Gateway, gateway::MIGRATIONS).await
}
