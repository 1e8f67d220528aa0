//! A CSV file whose rows have a size. A quote that opens and is never closed makes one cell of everything behind it, however much that
//! is: such a file is refused as a whole, with the line of the quote, and read with the memory of one row.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Result, bail};
use csv::{ByteRecord, ErrorKind, Position, ReaderBuilder};

use super::rows::ROW_BYTES_MAX;

/// Gives what a row may have, and fails where one goes on behind that.
#[derive(Debug)]
pub struct Bounded {
    file: File,
    left: u64,
}

impl Bounded {
    pub fn new(file: File) -> Self {
        Self { file, left: ROW_BYTES_MAX }
    }

    /// To be called before each row.
    pub fn begin_row(&mut self) {
        self.left = ROW_BYTES_MAX;
    }
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        if read > 0 && self.left == 0 {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// Reads a file from its beginning to its end, before anything of it is used.
///
/// # Errors
/// A quote that is not closed and a row that is too long, with the line in which it begins.
pub fn check(path: &Path) -> Result<()> {
    let rows = Bounded::new(File::open(path)?);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(rows);
    let (mut record, mut last) = (ByteRecord::new(), Position::new());
    loop {
        let begins = reader.position().clone();
        reader.get_mut().begin_row();
        let is_long = match reader.read_byte_record(&mut record) {
            Ok(true) => {
                last = begins;
                continue;
            }
            Ok(false) => false,
            Err(error) => match error.kind() {
                ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    last = begins;
                    true
                }
                _ => return Err(error.into()),
            },
        };
        if let Some(line) = open_quote(path, &last)? {
            bail!("a quote opens in line {line} and is not closed: everything behind it would be one cell");
        }
        if is_long {
            bail!("the row that begins in line {} is longer than {ROW_BYTES_MAX} bytes", last.line());
        }
        return Ok(());
    }
}

/// The line in which a quote opens that is not closed within the row at `row`, as far as a row may be long.
fn open_quote(path: &Path, row: &Position) -> Result<Option<u64>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(row.byte()))?;
    let mut raw = Vec::new();
    file.take(ROW_BYTES_MAX).read_to_end(&mut raw)?;
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let all = lines(&raw);
    // Behind a row that is over, this is the next one; inside of a quote it is a part of the cell.
    raw.extend_from_slice(b"\nx");
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(raw.as_slice());
    let (mut record, mut next) = (ByteRecord::new(), ByteRecord::new());
    reader.read_byte_record(&mut record)?;
    if raw.len() == 2 || reader.read_byte_record(&mut next)? {
        return Ok(None);
    }
    let inside = record.iter().next_back().map_or(0, lines).saturating_sub(1);
    Ok(Some(row.line() + all.saturating_sub(inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &[u8]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, text).unwrap();
        check(&path).err().map(|error| error.to_string())
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_with_its_line() {
        let sound: [&[u8]; 7] = [
            b"",
            b"reference\n",
            b"a,b\r\n1,2\r\n",
            b"a\n\"x\ny\"\n",
            b"a\n\"x\"\"\n\"",
            b"\xef\xbb\xbfa\n5\" lamp\n\n",
            b"a\n\n\"\"\n",
        ];
        for text in sound {
            assert_eq!(said(text), None, "{}", String::from_utf8_lossy(text));
        }
        let open: [(&[u8], u64); 6] = [
            (b"reference,\"na\n", 1),
            (b"a,b\n1,2\n3,\"4\n5,6\n", 3),
            (b"a,b\n\"1\n2\",\"3\n4\n5,6\n", 3),
            (b"a,b\r\n\r\n1,\"2\r\n3,4\r\n", 3),
            (b"a\n1\n\"2", 3),
            (b"a\n\"1\"\"\n2\n", 2),
        ];
        for (text, line) in open {
            let said = said(text).unwrap();
            assert!(said.contains(&format!("a quote opens in line {line} and is not closed")), "{said}");
        }
    }

    #[test]
    fn no_more_of_an_endless_row_is_kept_than_a_row_may_have() {
        let size = usize::try_from(ROW_BYTES_MAX).unwrap();
        let longest = [b"a\n".as_slice(), &vec![b'x'; size - 1], b"\n1\n"].concat();
        assert_eq!(said(&longest), None);
        let quoted = [b"a\n1\n\"".as_slice(), &b"text,\n".repeat(size)].concat();
        assert!(said(&quoted).unwrap().contains("opens in line 3"));
        let long = [b"a\n1\n".as_slice(), &vec![b'x'; 4 * size], b"\n1\n"].concat();
        assert!(said(&long).unwrap().contains("row that begins in line 3 is longer than 524288 bytes"));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &quoted).unwrap();
        let mut file = Bounded::new(File::open(&path).unwrap());
        let (mut kept, mut piece) = (0, [0; 8 * 1024]);
        let error = loop {
            match file.read(&mut piece) {
                Ok(read) => kept += read,
                Err(error) => break error,
            }
        };
        assert!(kept <= size + piece.len() && error.kind() == io::ErrorKind::FileTooLarge, "{kept}");
    }
}
