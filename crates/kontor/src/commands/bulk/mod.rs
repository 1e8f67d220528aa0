//! Many Partners at once: `kontor partner import`, `export` and `template`. Unlike the other short commands these call a gateway, as an
//! operator: a file of ten thousand Partners must be judged by the rules of the running gateway, and nobody who has such a file needs
//! the database or its keys for it.

mod bounded;
mod export;
mod import;
mod operator;
mod outcomes;
mod rows;

pub use export::{export, template};
pub use import::import;
pub use operator::adopt;

use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::FileFormat;

/// The format that was asked for, or the one that the file's name tells.
fn format_of(file: &Path, asked: Option<FileFormat>) -> Result<FileFormat> {
    let extension = file.extension().and_then(|text| text.to_str()).unwrap_or_default();
    match (asked, extension.to_ascii_lowercase().as_str()) {
        (Some(format), _) => Ok(format),
        (None, "csv") => Ok(FileFormat::Csv),
        (None, "jsonl" | "ndjson") => Ok(FileFormat::Jsonl),
        _ => bail!("{} is neither .csv nor .jsonl: say --format csv or --format jsonl", file.display()),
    }
}
