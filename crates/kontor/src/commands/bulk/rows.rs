//! The rows of a file, one after the other: a file may be larger than memory. What cannot be read in a row is a fault of that row.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use gateway::partners::bulk::columns::{self, Column};
use serde_json::{Value, json};

use super::bounded::{self, Bounded};
use crate::cli::FileFormat;

/// Longer rows are not sent: a request to the gateway has a megabyte at the most.
pub(super) const ROW_BYTES_MAX: u64 = 512 * 1024;

/// A row as it was found.
#[derive(Debug)]
pub struct Row {
    /// From 1: the line of a JSON Lines file, the record of a CSV file after its header.
    pub number: i64,
    /// The Partner, as far as it could be read.
    pub partner: Value,
    /// Pairs of field and reason.
    pub faults: Vec<(String, String)>,
    /// Where the next row begins in the file.
    pub end: u64,
}

impl Row {
    pub fn to_json(&self) -> Value {
        let fault = |(parameter, reason): &(String, String)| json!({"parameter": parameter, "reason": reason});
        let faults: Vec<Value> = self.faults.iter().map(fault).collect();
        json!({"number": self.number, "partner": self.partner, "faults": faults})
    }
}

pub enum Rows {
    Csv { reader: Box<csv::Reader<Bounded>>, columns: Vec<Column>, number: i64 },
    Jsonl { reader: BufReader<File>, number: i64, end: u64 },
}

impl Rows {
    pub fn open(path: &Path, format: FileFormat) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
        match format {
            FileFormat::Jsonl => Ok(Self::Jsonl { reader: BufReader::new(file), number: 0, end: 0 }),
            FileFormat::Csv => {
                bounded::check(path).with_context(|| format!("reading {}", path.display()))?;
                let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(Bounded::new(file));
                let header = reader.headers().with_context(|| format!("the header of {}", path.display()))?.clone();
                let columns = header_columns(&header).with_context(|| format!("the header of {}", path.display()))?;
                Ok(Self::Csv { reader: Box::new(reader), columns, number: 0 })
            }
        }
    }

    /// The next row; `None` at the end of the file.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        let row = match self {
            Self::Csv { reader, columns, number } => csv_row(reader, columns, number)?,
            Self::Jsonl { reader, number, end } => jsonl_row(reader, number, end)?,
        };
        Ok(row.map(limited))
    }
}

/// The columns of a header; every name that is none, and every one that stands twice, in one error.
fn header_columns(header: &csv::StringRecord) -> Result<Vec<Column>> {
    let (mut columns, mut faults) = (Vec::<Column>::new(), Vec::new());
    for name in header.iter().map(str::trim) {
        match Column::named(name) {
            None => faults.push(format!("`{name}` is no field of a Partner")),
            Some(column) if columns.contains(&column) => faults.push(format!("`{name}` stands twice")),
            Some(column) => columns.push(column),
        }
    }
    if faults.is_empty() && !columns.iter().any(|column| column.name() == "reference") {
        faults.push("`reference`, your own name for the Partner, is missing".to_owned());
    }
    if !faults.is_empty() {
        bail!("{}\n`kontor partner template` prints a header", faults.join("\n"));
    }
    Ok(columns)
}

fn csv_row(reader: &mut csv::Reader<Bounded>, columns: &[Column], number: &mut i64) -> Result<Option<Row>> {
    let mut record = csv::ByteRecord::new();
    reader.get_mut().begin_row();
    if !reader.read_byte_record(&mut record)? {
        return Ok(None);
    }
    *number += 1;
    let end = reader.position().byte();
    let faulty = |field: &str, reason: String| Row {
        number: *number,
        partner: json!({}),
        faults: vec![(field.to_owned(), reason)],
        end,
    };
    let Ok(record) = csv::StringRecord::from_byte_record(record) else {
        return Ok(Some(faulty("", "is not UTF-8".to_owned())));
    };
    if record.len() != columns.len() {
        let reason = format!("has {} cells, and the header {}", record.len(), columns.len());
        return Ok(Some(faulty("", reason)));
    }
    let row = match columns::partner(columns, record.iter()) {
        Ok(partner) => Row { number: *number, partner, faults: Vec::new(), end },
        Err(faults) => {
            let at = columns.iter().position(|column| column.name() == "reference").unwrap_or_default();
            let reference = record.get(at).unwrap_or_default();
            let faults = faults.into_iter().map(|fault| (fault.parameter, fault.reason)).collect();
            Row { number: *number, partner: json!({"reference": reference}), faults, end }
        }
    };
    Ok(Some(row))
}

fn jsonl_row(reader: &mut BufReader<File>, number: &mut i64, end: &mut u64) -> Result<Option<Row>> {
    loop {
        let mut line = Vec::new();
        let mut read = reader.by_ref().take(ROW_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        *number += 1;
        let is_long = line.len() as u64 > ROW_BYTES_MAX && line.last() != Some(&b'\n');
        if is_long {
            read += reader.skip_until(b'\n')?;
        }
        *end += read as u64;
        let faulty = |reason: String| Row {
            number: *number,
            partner: json!({}),
            faults: vec![(String::new(), reason)],
            end: *end,
        };
        if is_long {
            return Ok(Some(faulty(too_long())));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        return Ok(Some(match serde_json::from_slice::<Value>(&line) {
            Ok(partner) => Row { number: *number, partner, faults: Vec::new(), end: *end },
            // Where it breaks off, never what stands there.
            Err(error) => faulty(format!("is not JSON from column {} on", error.column())),
        }));
    }
}

fn too_long() -> String {
    format!("is longer than {ROW_BYTES_MAX} bytes")
}

fn limited(row: Row) -> Row {
    if row.partner.to_string().len() as u64 <= ROW_BYTES_MAX {
        return row;
    }
    Row { partner: json!({}), faults: vec![(String::new(), too_long())], ..row }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], format: FileFormat) -> Result<Vec<Row>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, text).unwrap();
        let mut rows = Rows::open(&path, format)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next_row()? {
            all.push(row);
        }
        Ok(all)
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_of_its_row_only() {
        let mut text = b"{\"reference\":\"a\"}\n\n{\"reference\": secret\n".to_vec();
        text.extend(vec![b'x'; usize::try_from(ROW_BYTES_MAX).unwrap() + 7]);
        text.extend(b"\n{\"reference\":\"b\"}");
        let rows = read(&text, FileFormat::Jsonl).unwrap();
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [1, 3, 4, 5], "lines of the file");
        assert_eq!(rows.last().unwrap().end, text.len() as u64);
        assert!(rows[1].faults[0].1.contains("not JSON") && !rows[1].faults[0].1.contains("secret"));
        assert!(rows[2].faults[0].1.contains("longer than"));
        assert_eq!((&rows[3].partner["reference"], rows[3].faults.len()), (&json!("b"), 0));

        let text = b"\xef\xbb\xbfreference,stores[0].url,stores[1].url\na,u0,\nb,,u1\nc,u0\n\xff,,\n\"d\n\",u,\n";
        let rows = read(text, FileFormat::Csv).unwrap();
        assert_eq!(rows[0].partner, json!({"reference": "a", "stores": [{"url": "u0"}]}));
        assert_eq!((rows[1].faults[0].0.as_str(), &rows[1].partner["reference"]), ("stores[1].url", &json!("b")));
        assert!(rows[2].faults[0].1.contains("2 cells") && rows[3].faults[0].1.contains("UTF-8"));
        assert_eq!(rows[4].partner["reference"], "d\n");
    }

    #[test]
    fn a_header_is_refused_with_every_name_that_is_no_field() {
        let error = read(b"reference,colour,name,name,stores.url\n", FileFormat::Csv).unwrap_err();
        let text = format!("{error:#}");
        for part in ["`colour`", "`name` stands twice", "`stores.url`"] {
            assert!(text.contains(part), "{text}");
        }
        let error = read(b"name\n", FileFormat::Csv).unwrap_err();
        assert!(format!("{error:#}").contains("`reference`"));
    }
}
