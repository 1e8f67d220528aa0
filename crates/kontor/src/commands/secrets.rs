use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kit::clock::{Clock, MINUTE_US};
use kit::db::Db;
use kit::random::Random;
use kit::sealed::{self, KeyCount, Sweep, Tally};
use kit::secret_box::{Keyring, SecretBox};
use network::console::Keys;
use network::identity::keys::{self, Rotation};

use crate::cli::{SecretsCommand, Side, SideArgs, StorageArgs};

/// How often a long sweep says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// `kontor secrets`
pub async fn secrets(command: &SecretsCommand) -> Result<()> {
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
                "restart the processes that use {}: they move what is stored to it; once `kontor secrets check` finds nothing \
                 under an older key, on either end that uses the file, that key may go",
                file.display()
            );
        }
        SecretsCommand::Reseal { side } => reseal(side).await?,
        SecretsCommand::Check { side } => {
            let secrets = existing(&side.storage)?;
            let db = side.open().await?;
            check(&db, &secrets, side.side).await?;
        }
        SecretsCommand::RotateSignIn { at_once, storage } => rotate_sign_in(*at_once, storage).await?,
    }
    Ok(())
}

async fn rotate_sign_in(at_once: bool, storage: &StorageArgs) -> Result<()> {
    let secrets = existing(storage)?;
    let db = storage.open(Side::Network, network::MIGRATIONS).await?;
    let clock = Clock::system();
    clock.set_offset(network::seed::clock_offset(&db).await?);
    let ctx = network::ctx::Ctx::new(db, clock, Random::system(), secrets, network::config::Config::default());
    let rotation = if at_once { Rotation::AtOnce } else { Rotation::Gentle };
    keys::rotate(&ctx, rotation).await.context("rotating the key of sign-ins; run the command again")?;
    match rotation {
        Rotation::AtOnce => {
            println!("a new key signs within a minute; what those of before signed is refused from then on")
        }
        Rotation::Gentle => println!(
            "a new key is published and signs in {} minutes; the one of before is deleted {} minutes later",
            minutes(keys::LEAD_US),
            minutes(keys::TRAIL_US)
        ),
    }
    Ok(())
}

/// Rounded up.
fn minutes(us: i64) -> i64 {
    (us + MINUTE_US - 1) / MINUTE_US
}

/// The keys, never new ones: those would open nothing.
fn existing(storage: &StorageArgs) -> Result<SecretBox> {
    let own = storage.data_dir.join("secrets.key");
    if storage.secrets_file.is_none() && std::env::var_os("KONTOR_SECRETS").is_none() && !own.exists() {
        bail!("there is no key file {}; name one with --secrets-file, or the folder with --data-dir", own.display());
    }
    storage.secrets()
}

async fn reseal(side: &SideArgs) -> Result<()> {
    let secrets = existing(&side.storage)?;
    let db = side.open().await?;
    let mut sweep = Sweep::new(db.clone(), secrets.clone(), side.side.sealed());
    let mut said = Instant::now();
    loop {
        let more = sweep.step().await.context("moving secrets; run the command again, it leaves out what is done")?;
        if !more {
            break;
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            let Tally { seen, resealed, .. } = sweep.progress().tally;
            println!("{seen} rows looked at, {resealed} moved so far");
        }
    }
    let Tally { seen, resealed, overtaken, unopenable } = sweep.progress().tally;
    println!(
        "{seen} rows looked at, {resealed} moved to key {}, {overtaken} changed by others meanwhile, {unopenable} do not open",
        current(&secrets)
    );
    println!(
        "first answers kept for Idempotency-Key are among them: an old key need not wait the day until they expire"
    );
    check(&db, &secrets, side.side).await?;
    if unopenable > 0 {
        bail!(
            "{unopenable} values do not open: a key is missing or of another installation, or they were tampered with"
        );
    }
    Ok(())
}

fn current(secrets: &SecretBox) -> &str {
    secrets.keyring().key_ids().next().unwrap_or_default()
}

/// Prints what stands under which key; fails if something stands under a key that is not there.
async fn check(db: &Db, secrets: &SecretBox, side: Side) -> Result<()> {
    let counts = sealed::count(db, side.sealed()).await?;
    let held: Vec<&str> = secrets.keyring().key_ids().collect();
    let snapshots = match side {
        Side::Network => network::console::keys_of_snapshots(db).await?,
        Side::Gateway => Vec::new(),
    };
    for (index, key_id) in held.iter().enumerate() {
        let under = under(&counts, Some(key_id));
        match (index, under.is_empty()) {
            (0, _) => println!("key {key_id}, the current one: {}", list(&under)),
            (_, true) => println!(
                "key {key_id}: nothing at the {}; it may go from the keys of this end, once no process that seals with it runs",
                side.name()
            ),
            (_, false) => {
                println!("key {key_id}, still needed: {}", list(&under));
                println!("  `kontor secrets reseal --side {}` moves them", side.name());
            }
        }
        if index > 0 {
            let needed = in_snapshots(&snapshots, |id| id == *key_id);
            if !needed.is_empty() {
                println!("  without it there is no way back to these snapshots, which are not moved: {needed}");
            }
        }
    }
    let missing: BTreeSet<&str> =
        counts.iter().filter_map(|count| count.key_id.as_deref()).filter(|id| !held.contains(id)).collect();
    for key_id in &missing {
        println!("key {key_id}, MISSING: {}", list(&under(&counts, Some(key_id))));
    }
    let malformed = under(&counts, None);
    if !malformed.is_empty() {
        println!("not sealed as they must be: {}", list(&malformed));
    }
    let lost = in_snapshots(&snapshots, |id| !held.contains(&id));
    if !lost.is_empty() {
        println!("snapshots that cannot be gone back to, because they need a key that is missing: {lost}");
    }
    let unknown: Vec<&str> =
        snapshots.iter().filter(|(_, keys)| keys.is_none()).map(|(name, _)| name.as_str()).collect();
    if !unknown.is_empty() {
        println!("snapshots of an earlier version, of which nobody knows the keys: {}", unknown.join(", "));
    }
    if !missing.is_empty() || !malformed.is_empty() {
        bail!("some secrets of the {} cannot be opened with these keys", side.name());
    }
    Ok(())
}

fn under<'a>(counts: &'a [KeyCount], key_id: Option<&str>) -> Vec<&'a KeyCount> {
    counts.iter().filter(|count| count.key_id.as_deref() == key_id).collect()
}

/// The snapshots that hold secrets under such keys, and how many.
fn in_snapshots(snapshots: &[(String, Option<Keys>)], is_such: impl Fn(&str) -> bool) -> String {
    let listed = snapshots.iter().filter_map(|(name, keys)| {
        let under = keys.iter().flat_map(|keys| &keys.0).filter(|(id, _)| is_such(id.as_str()));
        let values: u64 = under.map(|(_, values)| values).sum();
        (values > 0).then(|| format!("{name} ({values} secrets)"))
    });
    listed.collect::<Vec<_>>().join(", ")
}

fn list(counts: &[&KeyCount]) -> String {
    let total: u64 = counts.iter().map(|count| count.values).sum();
    let columns: Vec<String> = counts.iter().map(|count| format!("{} {}", count.column, count.values)).collect();
    if columns.is_empty() { "nothing".to_owned() } else { format!("{total} ({})", columns.join(", ")) }
}
