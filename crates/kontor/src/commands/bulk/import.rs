//! `kontor partner import`

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::operator::Operator;
use super::rows::Rows;
use super::{format_of, outcomes};
use crate::cli::ImportArgs;

/// Rows in one request, and their bytes.
const BATCH_ROWS: usize = 100;
const BATCH_BYTES: usize = 400 * 1024;
/// How often it is looked how far Klarna's answers are.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub async fn import(args: &ImportArgs) -> Result<()> {
    let format = format_of(&args.file, args.format)?;
    let operator = Operator::new(&args.operator)?;
    // Whatever is wrong with the file as a whole is said before anything is sent.
    let rows = Rows::open(&args.file, format)?;
    let reference = reference(args)?;
    let wanted =
        json!({"reference": reference, "dry_run": args.dry_run, "changes": args.update, "submits": args.submit});
    let begun = operator.post(&["v1", "partner-imports"], &wanted).await?;
    let id = begun["id"].as_str().context("the gateway's answer has no id")?.to_owned();
    let done = begun["last_row"].as_i64().unwrap_or_default();
    if done > 0 {
        println!("going on behind row {done}");
    }
    let began = Instant::now();
    let sent = send(&operator, &id, rows, done, &args.file).await?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{sent} rows sent in {seconds:.1} s ({:.0} a second)", sent as f64 / seconds.max(0.001));
    if args.submit && !args.dry_run && !args.no_wait {
        wait(&operator, &id).await?;
    }
    let result = args.result.clone().unwrap_or_else(|| result_file(&args.file));
    let written = outcomes::write(&operator, &id, &result, format).await?;
    let import = operator.get(&["v1", "partner-imports", &id], &[]).await?;
    println!("{}{}", if args.dry_run { "a dry run, nothing was kept: " } else { "" }, counts(&import["rows"]));
    if args.submit && !args.dry_run {
        println!("Partners by state: {}", counts(&import["partners"]));
    }
    println!("what became of each row: {}", result.display());
    if written.faulty > 0 {
        bail!("{} of {} rows have faults; mend them and import the file again", written.faulty, written.rows);
    }
    Ok(())
}

/// The same file with the same settings is the same import: one that was interrupted goes on.
fn reference(args: &ImportArgs) -> Result<String> {
    let mut file = std::fs::File::open(&args.file).with_context(|| format!("reading {}", args.file.display()))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let name: String = args.file.file_name().unwrap_or_default().to_string_lossy().chars().take(100).collect();
    let settings: String = [(args.dry_run, " dry-run"), (args.update, " update"), (args.submit, " submit")]
        .into_iter()
        .filter_map(|(is_set, name)| is_set.then_some(name))
        .collect();
    Ok(format!("{name} sha256:{}{settings}", hex::encode(hash.finalize())))
}

fn result_file(file: &Path) -> PathBuf {
    let extension =
        file.extension().map_or_else(|| "result".to_owned(), |text| format!("result.{}", text.to_string_lossy()));
    file.with_extension(extension)
}

/// Sends what stands behind row `done`; returns how many rows those were.
async fn send(operator: &Operator, id: &str, mut rows: Rows, done: i64, file: &Path) -> Result<u64> {
    let length = std::fs::metadata(file)?.len();
    let bar = ProgressBar::new(length);
    bar.set_style(ProgressStyle::with_template("{bar:40} {percent}% {msg}, {eta} left")?);
    let (mut batch, mut bytes, mut end, mut sent) = (Vec::<Value>::new(), 0, 0, 0_u64);
    loop {
        let row = rows.next_row()?;
        if let Some(row) = row.as_ref().filter(|row| row.number > done) {
            let row = row.to_json();
            bytes += row.to_string().len();
            batch.push(row);
        }
        let is_over = row.is_none();
        end = row.map_or(end, |row| row.end);
        if !batch.is_empty() && (is_over || batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES) {
            sent += batch.len() as u64;
            let body = json!({"rows": std::mem::take(&mut batch)});
            operator.post(&["v1", "partner-imports", id, "rows"], &body).await?;
            bytes = 0;
            bar.set_position(end);
            bar.set_message(format!("{sent} rows sent"));
        }
        if is_over {
            bar.finish_and_clear();
            return Ok(sent);
        }
    }
}

/// Waits until Klarna has answered for every Partner that was submitted.
async fn wait(operator: &Operator, id: &str) -> Result<()> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} answered by Klarna, {per_sec}, {eta} left")?);
    let began = Instant::now();
    loop {
        let import = operator.get(&["v1", "partner-imports", id], &[]).await?;
        let partners = import["partners"].as_object().cloned().unwrap_or_default();
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        let (all, waiting) = (partners.values().map(count).sum(), partners.get("SUBMITTED").map_or(0, count));
        bar.set_length(all);
        bar.set_position(all - waiting);
        if waiting == 0 {
            bar.finish_and_clear();
            let seconds = began.elapsed().as_secs_f64();
            println!("Klarna has answered for {all} Partners after {seconds:.1} s more");
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn counts(counted: &Value) -> String {
    let listed: Vec<String> =
        counted.as_object().into_iter().flatten().map(|(name, count)| format!("{count} {name}")).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}
