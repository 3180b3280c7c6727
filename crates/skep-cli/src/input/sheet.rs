//! One CSV file with a header: its columns in any order, its cells read by column with errors
//! that name the place.
//!
//! A byte order mark, line ends of any system, blank lines, blanks around a cell and quotes are
//! accepted. A row must have as many cells as the header. A number is written in digits alone; a
//! fraction of nothing behind it (`1000.0`) is accepted, since tools that know no empty whole
//! number write whole columns so.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::InputError;

/// A column that a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// What a number in it counts, for messages; empty where it is no number.
    pub unit: &'static str,
}

/// The most bytes of a file: some fifteen million pods.
const BYTES_MAX: u64 = 1 << 30;

/// A file's rows, read whole.
pub struct Sheet<'c> {
    path: PathBuf,
    bytes: Vec<u8>,
    columns: &'c [Column],
}

/// One row.
pub struct Row<'s> {
    path: &'s Path,
    columns: &'s [Column],
    /// Where each of `columns` stands in the row, if the file has it.
    places: &'s [Option<usize>],
    record: &'s csv::ByteRecord,
    /// The line it begins on, counted from 1.
    pub line: u64,
}

impl<'c> Sheet<'c> {
    /// Reads a file that may have `columns` and no others.
    pub fn read(path: &Path, columns: &'c [Column]) -> Result<Self, InputError> {
        let mut bytes = bytes_of(path).map_err(|error| {
            let problem = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
                _ => format!("it cannot be read: {error}"),
            };
            InputError::file(path, problem)
        })?;
        if bytes.len() as u64 > BYTES_MAX {
            let problem = format!("too large; the most is {BYTES_MAX} bytes");
            return Err(InputError::file(path, problem));
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if !bytes.contains(&b'\n') {
            // Lines that end in a carriage return alone are counted as lines too.
            for byte in bytes.iter_mut().filter(|byte| **byte == b'\r') {
                *byte = b'\n';
            }
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            columns,
        })
    }

    /// Calls `take` with each row in order. The header must have the columns for which `needed`
    /// answers true when told which columns it has; its error says which are missing.
    ///
    /// Returns the number of rows.
    pub fn for_each_row(
        &self,
        needed: impl Fn(&dyn Fn(&str) -> bool) -> Vec<&'static str>,
        mut take: impl FnMut(&Row<'_>) -> Result<(), InputError>,
    ) -> Result<u64, InputError> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(self.bytes.as_slice());
        let mut record = csv::ByteRecord::new();
        let Some(line) = self.next_record(&mut reader, &mut record)? else {
            let header = self
                .columns
                .iter()
                .map(|column| column.name)
                .collect::<Vec<_>>();
            let problem = format!("the file is empty; it must begin with {}", header.join(","));
            return Err(InputError::line(&self.path, 1, problem));
        };
        let places = self.places(line, &record)?;
        let has = |name: &str| self.position(name).is_some_and(|at| places[at].is_some());
        if let Some(name) = needed(&has).first() {
            let problem = format!("missing; {}", self.expected());
            return Err(InputError::column(&self.path, line, name, None, problem));
        }
        let cells = record.len();
        let header: Vec<Vec<u8>> = record.iter().map(<[u8]>::to_vec).collect();
        let mut rows = 0;
        while let Some(line) = self.next_record(&mut reader, &mut record)? {
            self.check_width(line, &header, cells, &record)?;
            let (path, columns) = (self.path.as_path(), self.columns);
            take(&Row {
                path,
                columns,
                places: &places,
                record: &record,
                line,
            })?;
            rows += 1;
        }
        Ok(rows)
    }

    /// The line behind the last, where a missing row would have stood.
    pub fn line_behind(&self) -> u64 {
        let ends = self.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let open = self.bytes.last().is_some_and(|&byte| byte != b'\n');
        ends + u64::from(open) + 1
    }

    /// Reads a record and tells the line it begins on: `None` at the end.
    fn next_record(
        &self,
        reader: &mut csv::Reader<&[u8]>,
        record: &mut csv::ByteRecord,
    ) -> Result<Option<u64>, InputError> {
        loop {
            let line = self.next_line(reader, record)?;
            // A line of blanks alone is a blank line.
            if line.is_none() || record.len() > 1 || record.get(0) != Some(b"") {
                return Ok(line);
            }
        }
    }

    /// As [`next_record`](Self::next_record); a line of blanks is a record of one empty cell.
    fn next_line(
        &self,
        reader: &mut csv::Reader<&[u8]>,
        record: &mut csv::ByteRecord,
    ) -> Result<Option<u64>, InputError> {
        let start = reader.position().clone();
        let more = reader
            .read_byte_record(record)
            .map_err(|error| InputError::line(&self.path, start.line(), error.to_string()))?;
        if !more {
            return Ok(None);
        }
        // The reader skips blank lines only when it reads on, so its position may be above them.
        let rest = &self.bytes[start.byte() as usize..];
        let blank = rest
            .iter()
            .take_while(|&&byte| byte == b'\n' || byte == b'\r');
        let skipped = blank.filter(|&&byte| byte == b'\n').count() as u64;
        Ok(Some(start.line() + skipped))
    }

    /// Where each column stands in the header.
    fn places(
        &self,
        line: u64,
        header: &csv::ByteRecord,
    ) -> Result<Vec<Option<usize>>, InputError> {
        let mut places = vec![None; self.columns.len()];
        for (place, cell) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(cell);
            let number = (place + 1).to_string();
            let bad = |problem: String| {
                Err(InputError::column(
                    &self.path,
                    line,
                    &number,
                    Some(cell),
                    problem,
                ))
            };
            let Some(at) = self.position(&name) else {
                return bad(format!("unknown column; {}", self.expected()));
            };
            if places[at].replace(place).is_some() {
                return bad("a column that is there already; remove one of the two".to_owned());
            }
        }
        Ok(places)
    }

    fn check_width(
        &self,
        line: u64,
        header: &[Vec<u8>],
        cells: usize,
        record: &csv::ByteRecord,
    ) -> Result<(), InputError> {
        if let Some(at) = record
            .iter()
            .position(|cell| cell.iter().any(|byte| b"\r\n".contains(byte)))
        {
            let name = header
                .get(at)
                .map_or_else(|| (at + 1).to_string(), |name| lossy(name));
            let problem = "the cell runs over the end of its line; close its quote";
            return Err(InputError::column(
                &self.path,
                line,
                &name,
                record.get(at),
                problem,
            ));
        }
        if record.len() < cells {
            let name = lossy(&header[record.len()]);
            let problem = format!(
                "missing: the row has {} cells, the header {cells}",
                record.len()
            );
            return Err(InputError::column(&self.path, line, &name, None, problem));
        }
        if record.len() > cells {
            let name = (cells + 1).to_string();
            let problem = format!(
                "too many: the row has {} cells, the header {cells}",
                record.len()
            );
            return Err(InputError::column(
                &self.path,
                line,
                &name,
                record.get(cells),
                problem,
            ));
        }
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    fn expected(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        format!("the columns are {}", names.join(","))
    }
}

impl Row<'_> {
    /// The text of a column; empty if the file does not have the column.
    pub fn text(&self, column: Column) -> Result<&str, InputError> {
        let cell = self.cell(column);
        std::str::from_utf8(cell)
            .map_err(|_| self.fault(column, "not UTF-8 text; save the file as UTF-8"))
    }

    /// A name: text that is not empty and has no control characters.
    pub fn name(&self, column: Column) -> Result<&str, InputError> {
        let name = self.text(column)?;
        if name.is_empty() {
            return Err(self.fault(column, "empty; every row needs a name"));
        }
        if name.chars().any(char::is_control) {
            return Err(self.fault(column, "a name has a control character; remove it"));
        }
        Ok(name)
    }

    /// A whole number from 0 to `max`.
    pub fn number(&self, column: Column, max: u64) -> Result<u64, InputError> {
        let text = whole(self.text(column)?);
        if text.is_empty() {
            let problem = format!("empty; write a whole number of {}", column.unit);
            return Err(self.fault(column, problem));
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let signed = text
                .strip_prefix('-')
                .is_some_and(|rest| rest.parse::<f64>().is_ok());
            let what = if signed {
                "negative"
            } else {
                "not a whole number"
            };
            let problem = format!(
                "{what}; write a whole number of {} from 0 to {max}",
                column.unit
            );
            return Err(self.fault(column, problem));
        }
        match text.parse() {
            Ok(number) if number <= max => Ok(number),
            _ => {
                let problem = format!("too large; the most is {max} {}", column.unit);
                Err(self.fault(column, problem))
            }
        }
    }

    /// A fault of one cell of the row.
    pub fn fault(&self, column: Column, problem: impl Into<String>) -> InputError {
        InputError::column(
            self.path,
            self.line,
            column.name,
            Some(self.cell(column)),
            problem,
        )
    }

    fn cell(&self, column: Column) -> &[u8] {
        let at = self.columns.iter().position(|known| *known == column);
        let place = at.and_then(|at| self.places[at]);
        place
            .and_then(|place| self.record.get(place))
            .unwrap_or_default()
    }
}

/// A file's bytes, or so many of them that it is known to have more than [`BYTES_MAX`].
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `text` without a fraction that is nothing: `1000` of `1000.0`.
fn whole(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros))
            if !whole.is_empty()
                && !zeros.is_empty()
                && zeros.bytes().all(|digit| digit == b'0') =>
        {
            whole
        }
        _ => text,
    }
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
