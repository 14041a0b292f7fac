//! `rejected.csv`: rows of the list that could not be read.

use std::io::Write;

use super::csv_writer::CsvWriter;
use crate::event::Rejected;

const COLUMNS: [&str; 4] = ["line", "column", "reason", "raw"];

/// Writes `rejected.csv`.
pub struct RejectedRows<W: Write> {
    out: CsvWriter<W>,
}

impl<W: Write> RejectedRows<W> {
    /// Writes the header.
    pub fn begin(out: W) -> csv::Result<Self> {
        Ok(Self { out: CsvWriter::begin(out, COLUMNS)? })
    }

    /// Writes the line of one row.
    pub fn row(&mut self, rejected: &Rejected) -> csv::Result<()> {
        let texts = [&rejected.column, &rejected.reason, &rejected.raw];
        let texts = texts.map(ToString::to_string);
        self.out.line(std::iter::once(rejected.line.to_string()).chain(texts))
    }

    /// Writes what is left.
    pub fn end(self) -> csv::Result<()> {
        self.out.end()
    }
}
