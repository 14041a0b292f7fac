//! `rejected.csv`: rows of the list that could not be read.

use std::io::Write;

use super::cell;
use crate::event::Rejected;

const COLUMNS: [&str; 4] = ["line", "column", "reason", "raw"];

/// Writes `rejected.csv`.
pub struct RejectedRows<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> RejectedRows<W> {
    /// Writes the header.
    pub fn begin(out: W) -> csv::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(COLUMNS)?;
        Ok(Self { out })
    }

    /// Writes the line of one row.
    pub fn row(&mut self, rejected: &Rejected) -> csv::Result<()> {
        let texts = [&rejected.column, &rejected.reason, &rejected.raw];
        let texts = texts.map(|text| cell::foreign(text.as_str()));
        self.out.write_record(std::iter::once(rejected.line.to_string()).chain(texts))
    }

    /// Writes what is left.
    pub fn end(mut self) -> csv::Result<()> {
        Ok(self.out.flush()?)
    }
}
