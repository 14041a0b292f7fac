//! `escalation.csv`: every failure, a line an installation, without the customers' own columns
//! unless they are named.

use std::io::Write;

use jiff::Timestamp;

use super::{
    answers::{self, AlikeCalls, AnswerLog},
    cause::failed_call_at,
};
use crate::{
    clock::stamp,
    event::{Failed, Listed},
    failure::Class,
    installation::{Installation, Scope},
    journal::state::Outcome,
    views::{
        csv_writer::{CsvWriter, names, or_empty},
        history,
        summary::Summary,
        view::{Run, View},
    },
};

/// A column: its name, and its cell in a line.
type TicketColumn = (&'static str, fn(&TicketLine<'_>) -> String);

const COLUMNS: [TicketColumn; 13] = [
    ("scope", |line| line.listed.installation.scope.to_string()),
    ("id", |line| line.listed.installation.id.to_string()),
    ("company_id", |line| company_id(&line.listed.installation)),
    ("client_id", |line| line.client_id.to_owned()),
    ("stage", |line| line.failed.failure.stage.to_string()),
    ("error_class", |line| line.failed.failure.class.to_string()),
    ("http_status", |line| or_empty(line.failed.failure.http_status)),
    ("message", |line| line.failed.failure.message.to_string()),
    ("failed_calls", |line| failed_calls(line.log.of(line.failed.row))),
    ("attempts_total", |line| {
        history::attempts_total(line.listed, line.failed.attempts).to_string()
    }),
    ("first_failed_at", |line| history::first_failed_at(line.listed, Some(line.call_at()))),
    ("failed_at", |line| stamp(line.call_at())),
    ("trace_ids", |line| history::trace_ids(line.listed, &line.failed.trace_ids)),
];

/// What the cells of a line are made of.
struct TicketLine<'a> {
    listed: &'a Listed,
    failed: &'a Failed,
    client_id: &'a str,
    log: &'a AnswerLog,
}

impl TicketLine<'_> {
    fn call_at(&self) -> Timestamp {
        failed_call_at(self.failed, self.log)
    }
}

/// The agency of a sub-account where the list names it, or the agency itself.
fn company_id(installation: &Installation) -> String {
    match installation.scope {
        Scope::Company => installation.id.to_string(),
        Scope::Location => or_empty(installation.company.as_ref()),
    }
}

fn failed_calls(calls: &[AlikeCalls]) -> String {
    let words = calls.iter().map(|alike| answers::in_words(alike.answer, alike.calls.into()));
    words.collect::<Vec<_>>().join(", ")
}

struct Table<'a> {
    out: CsvWriter<&'a mut dyn Write>,
    /// Places of the own columns that may be shown.
    shown: Vec<usize>,
    run: &'a Run<'a>,
}

/// Writes the header: our columns, then those that were named.
pub(in crate::views) fn begin<'a>(
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    let own = &run.state.started.list.columns;
    let place = |name: &String| own.iter().position(|column| column == name);
    let shown: Vec<_> = run.escalation.columns.iter().filter_map(place).collect();
    let named = shown.iter().map(|column| own[*column].as_str());
    let out = CsvWriter::begin(out, names(&COLUMNS).chain(named))?;
    Ok(Box::new(Table { out, shown, run }))
}

impl View for Table<'_> {
    /// Writes the line of an installation that failed by a fault of somebody else's.
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        match outcome {
            Outcome::Failed(failed) if failed.failure.class != Class::Interrupted => {
                let own = |column: &usize| listed.values.get(*column).map_or("", String::as_str);
                let own = self.shown.iter().map(own).map(str::to_owned);
                let client_id = self.run.state.client_id_of(listed.app.as_ref());
                let line = TicketLine { listed, failed, client_id, log: self.run.answers };
                self.out.line(COLUMNS.iter().map(|(_, cell)| cell(&line)).chain(own))
            }
            _ => Ok(()),
        }
    }

    fn end(self: Box<Self>, _summary: &Summary) -> anyhow::Result<()> {
        Ok(self.out.end()?)
    }
}
