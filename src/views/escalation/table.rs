//! `escalation.csv`: every failure, a line an installation, without the customers' own columns
//! unless they are named.

use std::io::Write;

use crate::{
    clock::stamp,
    event::{Escalation, Failed, Listed},
    failure::Class,
    journal::state::{Outcome, RunState},
    text::SafeText,
    views::csv_writer::{self, CsvWriter},
};

const COLUMNS: [&str; 10] = [
    "scope",
    "id",
    "stage",
    "error_class",
    "http_status",
    "message",
    "attempts_total",
    "first_failed_at",
    "failed_at",
    "trace_ids",
];

/// Writes `escalation.csv`.
pub struct Table<W: Write> {
    out: CsvWriter<W>,
    /// Places of the own columns that may be shown.
    shown: Vec<usize>,
}

impl<W: Write> Table<W> {
    /// Writes the header: our columns, then those that were named.
    pub fn begin(out: W, run_state: &RunState, escalation: &Escalation) -> csv::Result<Self> {
        let own = &run_state.started.list.columns;
        let place = |name: &String| own.iter().position(|column| column == name);
        let shown: Vec<_> = escalation.columns.iter().filter_map(place).collect();
        let named = shown.iter().map(|column| own[*column].as_str());
        Ok(Self { out: CsvWriter::begin(out, COLUMNS.into_iter().chain(named))?, shown })
    }

    /// Writes the line of one installation, if it failed by a fault of somebody else's.
    pub fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        match outcome {
            Outcome::Failed(failed) if failed.failure.class != Class::Interrupted => {
                let own = |column: &usize| listed.values.get(*column).map_or("", String::as_str);
                let own = self.shown.iter().map(own).map(str::to_owned);
                self.out.line(cells(listed, failed).into_iter().chain(own))
            }
            _ => Ok(()),
        }
    }

    /// Writes what is left.
    pub fn end(self) -> csv::Result<()> {
        self.out.end()
    }
}

fn cells(listed: &Listed, failed: &Failed) -> [String; 10] {
    let (failure, history) = (&failed.failure, listed.history.clone().unwrap_or_default());
    let failed_at = stamp(failed.at);
    let trace_ids = history.trace_ids.iter().chain(&failed.trace_ids).map(SafeText::as_str);
    [
        listed.installation.scope.to_string(),
        listed.installation.id.to_string(),
        failure.stage.to_string(),
        failure.class.to_string(),
        csv_writer::or_empty(failure.http_status),
        failure.message.to_string(),
        history.attempts_total.saturating_add(failed.attempts).to_string(),
        history.first_failed_at.unwrap_or_else(|| failed_at.clone()),
        failed_at,
        trace_ids.collect::<Vec<_>>().join(" "),
    ]
}
