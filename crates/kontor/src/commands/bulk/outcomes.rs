//! The file that says what became of each row, in the form of the file that was imported. It repeats no data of Partners: row, reference,
//! fields and reasons.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::operator::Operator;
use crate::cli::FileFormat;

/// Columns of a CSV file: a line for each fault of a row, and one for a row without faults.
const COLUMNS: [&str; 7] = ["row", "reference", "outcome", "partner_id", "state", "field", "reason"];

/// How many rows there are, and how many of them have faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    pub faulty: u64,
}

/// Writes the outcomes of an import, whole or not at all.
pub async fn write(operator: &Operator, import_id: &str, path: &Path, format: FileFormat) -> Result<Written> {
    let aside = path.with_extension("part");
    let file = File::create(&aside).with_context(|| format!("writing {}", aside.display()))?;
    let mut out = Out::new(file, format)?;
    let (mut written, mut after) = (Written::default(), "0".to_owned());
    loop {
        let query = [("size", "100"), ("starting_after", after.as_str())];
        let page = operator.get(&["v1", "partner-imports", import_id, "rows"], &query).await?;
        for row in page["rows"].as_array().into_iter().flatten() {
            written.rows += 1;
            written.faulty += u64::from(row["faults"] != Value::Array(Vec::new()));
            out.put(row)?;
        }
        match page["next"].as_i64() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    out.finish()?;
    std::fs::rename(&aside, path).with_context(|| format!("writing {}", path.display()))?;
    Ok(written)
}

enum Out {
    Csv(Box<csv::Writer<File>>),
    Jsonl(BufWriter<File>),
}

impl Out {
    fn new(file: File, format: FileFormat) -> Result<Self> {
        Ok(match format {
            FileFormat::Jsonl => Self::Jsonl(BufWriter::new(file)),
            FileFormat::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(COLUMNS)?;
                Self::Csv(Box::new(writer))
            }
        })
    }

    fn put(&mut self, row: &Value) -> Result<()> {
        let writer = match self {
            Self::Jsonl(writer) => return Ok(writeln!(writer, "{row}")?),
            Self::Csv(writer) => writer,
        };
        let number = row["number"].to_string();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let begun = ["reference", "outcome", "partner_id", "state"].map(|name| text(&row[name]));
        let faults: Vec<(String, String)> = row["faults"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|fault| (text(&fault["parameter"]), text(&fault["reason"])))
            .collect();
        let none = vec![(String::new(), String::new())];
        for (field, reason) in if faults.is_empty() { &none } else { &faults } {
            writer.write_record(std::iter::once(&number).chain(&begun).chain([field, reason]))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Csv(mut writer) => Ok(writer.flush()?),
            Self::Jsonl(mut writer) => Ok(writer.flush()?),
        }
    }
}
