//! `rejected.csv`: rows of the list that could not be read.

use std::io::Write;

use super::{
    csv_writer::{CsvWriter, names},
    summary::Summary,
    view::{Run, View},
};
use crate::event::Rejected;

/// A column: its name, and its cell in a line.
type RejectedColumn = (&'static str, fn(&Rejected) -> String);

const COLUMNS: [RejectedColumn; 4] = [
    ("line", |row| row.line.to_string()),
    ("column", |row| row.column.to_string()),
    ("reason", |row| row.reason.to_string()),
    ("raw", |row| row.raw.to_string()),
];

struct RejectedRows<'a>(CsvWriter<&'a mut dyn Write>);

/// Writes the header.
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    _run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(RejectedRows(CsvWriter::begin(out, names(&COLUMNS))?)))
}

impl View for RejectedRows<'_> {
    fn rejected(&mut self, rejected: &Rejected) -> csv::Result<()> {
        self.0.line(COLUMNS.iter().map(|(_, cell)| cell(rejected)))
    }

    fn end(self: Box<Self>, _summary: &Summary) -> anyhow::Result<()> {
        Ok(self.0.end()?)
    }
}
