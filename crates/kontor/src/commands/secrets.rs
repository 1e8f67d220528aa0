use anyhow::Result;
use kit::secret_box::Keyring;

use crate::cli::SecretsCommand;

/// `kontor secrets`
pub fn secrets(command: &SecretsCommand) -> Result<()> {
    match command {
        SecretsCommand::Generate { file } => {
            Keyring::generate_file(file)?;
            println!(
                "made {}; keep a copy apart from the database: without it, what is sealed is lost",
                file.display()
            );
        }
        SecretsCommand::Rotate { file } => {
            let keyring = Keyring::rotate_file(file)?;
            let keys = keyring.key_ids().collect::<Vec<_>>().join(", ");
            println!("new secrets are sealed with the first of: {keys}");
            println!(
                "restart the processes that use {}; older secrets stay readable as long as their keys stay in it",
                file.display()
            );
        }
    }
    Ok(())
}
