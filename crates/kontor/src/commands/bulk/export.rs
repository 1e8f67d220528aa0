//! `kontor partner export` and `kontor partner template`

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use gateway::partners::bulk::columns::{self, Column};
use serde_json::Value;

use super::format_of;
use super::operator::Operator;
use crate::cli::{ExportArgs, FileFormat, TemplateArgs};

/// How often it is tried again when a Partner grew by a column between the first look and the second.
const TRIES: usize = 3;

/// `kontor partner export`
pub async fn export(args: &ExportArgs) -> Result<()> {
    let format = format_of(&args.file, args.format)?;
    let operator = Operator::new(&args.operator)?;
    let aside = args.file.with_extension("part");
    let written = match format {
        FileFormat::Jsonl => jsonl(&operator, args, &aside).await,
        FileFormat::Csv => csv(&operator, args, &aside).await,
    };
    let written = written.and_then(|written| {
        std::fs::rename(&aside, &args.file).with_context(|| format!("writing {}", args.file.display()))?;
        Ok(written)
    });
    match written {
        Ok(written) => println!("{written} Partners: {}", args.file.display()),
        Err(error) => {
            drop(std::fs::remove_file(&aside));
            return Err(error);
        }
    }
    if !args.personal {
        println!("without what is of persons; --personal writes that, too");
    }
    Ok(())
}

/// Readable by its owner only.
fn private(path: &Path) -> Result<File> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.with_context(|| format!("writing {}", path.display()))
}

/// Hands over every Partner, page by page; returns how many there were.
async fn each(operator: &Operator, args: &ExportArgs, mut take: impl FnMut(&Value) -> Result<()>) -> Result<u64> {
    let (mut count, mut after) = (0, String::new());
    loop {
        let mut query = vec![("size", "100"), ("personal", if args.personal { "true" } else { "false" })];
        query.extend(args.state.as_deref().map(|state| ("state", state)));
        query.extend((!after.is_empty()).then_some(("starting_after", after.as_str())));
        let page = operator.get(&["v1", "partner-exports"], &query).await?;
        for partner in page["partners"].as_array().into_iter().flatten() {
            count += 1;
            take(partner)?;
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return Ok(count),
        }
    }
}

async fn jsonl(operator: &Operator, args: &ExportArgs, path: &Path) -> Result<u64> {
    let mut writer = BufWriter::new(private(path)?);
    let count = each(operator, args, |partner| Ok(writeln!(writer, "{partner}")?)).await?;
    writer.flush()?;
    Ok(count)
}

/// Looks twice: the header names every column that some Partner needs, and no Partner is kept in memory.
async fn csv(operator: &Operator, args: &ExportArgs, path: &Path) -> Result<u64> {
    for _ in 0..TRIES {
        let mut needed: BTreeSet<Column> = Column::named("reference").into_iter().collect();
        each(operator, args, |partner| {
            needed.extend(columns::needed(partner));
            Ok(())
        })
        .await?;
        let needed: Vec<Column> = needed.into_iter().collect();
        let mut writer = csv::Writer::from_writer(private(path)?);
        writer.write_record(needed.iter().map(Column::name))?;
        let mut grown = false;
        let count = each(operator, args, |partner| {
            let (line, left) = columns::line(&needed, partner);
            grown |= !left.is_empty();
            Ok(writer.write_record(line)?)
        })
        .await?;
        writer.flush()?;
        if !grown {
            return Ok(count);
        }
    }
    bail!("Partners changed while they were exported; try again, or export JSON Lines, which needs one look only")
}

/// `kontor partner template`
pub fn template(args: &TemplateArgs) -> Result<()> {
    let mut writer = csv::Writer::from_writer(std::io::stdout());
    writer.write_record(columns::template(args.entries.into()).iter().map(Column::name))?;
    Ok(writer.flush()?)
}
