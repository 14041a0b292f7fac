//! `failures.csv`: what is not recovered, as a list for the next run.

use std::io::Write;

use jiff::Timestamp;

use super::{
    csv_writer::{CsvWriter, names, or_empty},
    history,
    next::{NotAttempted, not_before},
    summary::Summary,
    view::{Run, View},
};
use crate::{
    clock::stamp,
    due,
    event::{EarlierFailure, Failed, Listed, NotDue},
    failure::{Advice, Class, Failure},
    journal::state::{Outcome, Tried},
    text::SafeText,
};

/// A column: its name, and its cell in a line.
type FailureColumn = (&'static str, fn(&FailureLine<'_>) -> String);

/// The columns that follow the list's own. The reader of lists knows them by these names.
const COLUMNS: [FailureColumn; 10] = [
    ("status", |line| line.failed().map_or("not_attempted", Failed::status).to_owned()),
    ("error_class", |line| line.class().to_string()),
    ("stage", |line| or_empty(line.failed().map(|e| e.failure.stage))),
    ("http_status", |line| or_empty(line.failed().and_then(|e| e.failure.http_status))),
    ("message", |line| line.message()),
    ("retry", |line| line.advice().name().to_owned()),
    ("attempts_total", |line| history::attempts_total(line.listed, line.attempts()).to_string()),
    ("first_failed_at", |line| history::first_failed_at(line.listed, line.failed_at())),
    ("failed_at", |line| or_empty(line.failed_at().map(stamp))),
    ("trace_ids", |line| history::trace_ids(line.listed, line.trace_ids())),
];

struct Failures<'a> {
    out: CsvWriter<&'a mut dyn Write>,
    own_columns: usize,
    run: &'a Run<'a>,
}

/// Writes the header: the list's own columns, then ours.
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    let own = &run.state.started.list.columns;
    let header = own.iter().map(String::as_str).chain(names(&COLUMNS));
    Ok(Box::new(Failures { out: CsvWriter::begin(out, header)?, own_columns: own.len(), run }))
}

impl View for Failures<'_> {
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        let end = match outcome {
            Outcome::Recovered(_) | Outcome::Reclaimed(_) | Outcome::Skipped(_) => return Ok(()),
            Outcome::Failed(failed) => End::Failed(failed),
            Outcome::NotAttempted(tried) => {
                End::NotAttempted(NotAttempted::of(self.run.state, listed), tried)
            }
        };
        let line = FailureLine { listed, end };
        self.line(&listed.values, COLUMNS.map(|(_, cell)| cell(&line)))
    }

    /// Carries a row on that is left for another run.
    fn not_due(&mut self, not_due: &NotDue) -> csv::Result<()> {
        let EarlierFailure { status, error_class, stage, http_status, message, failed_at } =
            &not_due.failure;
        let [attempts_total, first_failed_at, trace_ids] =
            history::unchanged(not_due.history.as_ref());
        let text = SafeText::to_string;
        let ours = [
            text(status),
            text(error_class),
            text(stage),
            text(http_status),
            text(message),
            not_due.retry.to_string(),
            attempts_total,
            first_failed_at,
            text(failed_at),
            trace_ids,
        ];
        self.line(&not_due.values, ours)
    }

    fn end(self: Box<Self>, _summary: &Summary) -> anyhow::Result<()> {
        Ok(self.out.end()?)
    }
}

impl Failures<'_> {
    fn line(&mut self, own: &[String], ours: [String; COLUMNS.len()]) -> csv::Result<()> {
        let missing = self.own_columns.saturating_sub(own.len());
        let empty = std::iter::repeat_n(String::new(), missing);
        self.out.line(own.iter().cloned().chain(empty).chain(ours))
    }
}

/// What the cells of a line are made of.
struct FailureLine<'a> {
    listed: &'a Listed,
    end: End<'a>,
}

enum End<'a> {
    Failed(&'a Failed),
    NotAttempted(NotAttempted, &'a Tried),
}

impl<'a> FailureLine<'a> {
    fn failed(&self) -> Option<&'a Failed> {
        match self.end {
            End::Failed(failed) => Some(failed),
            End::NotAttempted(..) => None,
        }
    }

    fn failed_at(&self) -> Option<Timestamp> {
        self.failed().map(|failed| failed.at)
    }

    fn class(&self) -> Class {
        match &self.end {
            End::Failed(failed) => failed.failure.class,
            End::NotAttempted(about, _) => about.class,
        }
    }

    fn message(&self) -> String {
        match &self.end {
            End::Failed(failed) => with_time(&failed.failure, failed.at),
            End::NotAttempted(about, _) => about.message.clone(),
        }
    }

    fn advice(&self) -> Advice {
        match &self.end {
            End::Failed(failed) => failed.failure.advice(),
            End::NotAttempted(about, _) => about.advice,
        }
    }

    fn attempts(&self) -> u32 {
        match self.end {
            End::Failed(failed) => failed.attempts,
            End::NotAttempted(_, tried) => tried.attempts,
        }
    }

    fn trace_ids(&self) -> &'a [SafeText] {
        match self.end {
            End::Failed(failed) => &failed.trace_ids,
            End::NotAttempted(_, tried) => &tried.trace_ids,
        }
    }
}

/// The error text, and of what is to be tried later, when, if the server gave a time.
fn with_time(failure: &Failure, at: Timestamp) -> String {
    let message = failure.message.as_str();
    not_before(failure, at).map_or_else(|| message.to_owned(), |time| due::with_time(message, time))
}
