//! `stored.csv`: a line a pair that went to the app's own store, with what became of it there at last.

use std::io::Write;

use super::{
    csv_writer::{CsvWriter, names, or_empty},
    summary::Summary,
    view::{Run, View},
};
use crate::{
    clock::stamp,
    event::{Listed, Stored},
    text::SafeText,
};

/// A column: its name, and its cell in a line.
type StoredColumn = (&'static str, fn(&StoredLine<'_>) -> String);

const COLUMNS: [StoredColumn; 7] = [
    ("row", |line| line.listed.row.to_string()),
    ("scope", |line| line.listed.installation.scope.to_string()),
    ("id", |line| line.listed.installation.id.to_string()),
    ("outcome", |line| line.stored.outcome.to_string()),
    ("table", |line| or_empty(line.table)),
    ("message", |line| line.stored.message.to_string()),
    ("stored_at", |line| stamp(line.stored.at)),
];

/// What the cells of a line are made of.
struct StoredLine<'a> {
    listed: &'a Listed,
    stored: &'a Stored,
    table: Option<&'a SafeText>,
}

struct StoredPairs<'a>(CsvWriter<&'a mut dyn Write>);

/// Writes the header.
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    _run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(StoredPairs(CsvWriter::begin(out, names(&COLUMNS))?)))
}

impl View for StoredPairs<'_> {
    fn stored(
        &mut self,
        listed: &Listed,
        stored: &Stored,
        table: Option<&SafeText>,
    ) -> csv::Result<()> {
        let line = StoredLine { listed, stored, table };
        self.0.line(COLUMNS.iter().map(|(_, cell)| cell(&line)))
    }

    fn end(self: Box<Self>, _summary: &Summary) -> anyhow::Result<()> {
        Ok(self.0.end()?)
    }
}
