//! `failures.csv`: what is not recovered, as a list for the next run.

use std::{io::Write, time::Duration};

use jiff::Timestamp;

use super::{
    csv_writer::{CsvWriter, names, or_empty},
    history,
    summary::Summary,
    view::{Run, View},
};
use crate::{
    app::AppName,
    clock::stamp,
    event::{Failed, Halted, Listed},
    failure::{Advice, Class, Failure},
    journal::state::{Outcome, RunState, Tried},
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
    not_attempted: NotAttempted,
    /// By the app that was halted, where it was not all of them.
    halted: Vec<(Option<AppName>, NotAttempted)>,
}

/// Writes the header: the list's own columns, then ours.
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    let own = &run.state.started.list.columns;
    let header = own.iter().map(String::as_str).chain(names(&COLUMNS));
    Ok(Box::new(Failures {
        out: CsvWriter::begin(out, header)?,
        own_columns: own.len(),
        not_attempted: NotAttempted::of(run.state),
        halted: halted(run.state),
    }))
}

impl View for Failures<'_> {
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        let end = match outcome {
            Outcome::Recovered(_) | Outcome::Reclaimed(_) | Outcome::Skipped(_) => return Ok(()),
            Outcome::Failed(failed) => End::Failed(failed),
            Outcome::NotAttempted(tried) => End::NotAttempted(self.not_attempted(listed), tried),
        };
        let missing = self.own_columns.saturating_sub(listed.values.len());
        let empty = std::iter::repeat_n(String::new(), missing);
        let line = FailureLine { listed, end };
        let ours = COLUMNS.map(|(_, cell)| cell(&line));
        self.out.line(listed.values.iter().cloned().chain(empty).chain(ours))
    }

    fn end(self: Box<Self>, _summary: &Summary) -> anyhow::Result<()> {
        Ok(self.out.end()?)
    }
}

impl Failures<'_> {
    fn not_attempted(&self, listed: &Listed) -> &NotAttempted {
        let own = self.halted.iter().find(|(app, _)| *app == listed.app);
        own.map_or(&self.not_attempted, |(_, halted)| halted)
    }
}

fn halted(run_state: &RunState) -> Vec<(Option<AppName>, NotAttempted)> {
    let of = |halted: &Halted| (halted.app.clone(), NotAttempted::of_halt(halted));
    run_state.halts.iter().map(of).collect()
}

/// What is written of installations that were never asked for.
struct NotAttempted {
    class: Class,
    message: String,
    advice: Advice,
}

impl NotAttempted {
    fn of(run_state: &RunState) -> Self {
        let interrupted = run_state.finished.and_then(|end| end.interrupted_by);
        let message = match interrupted {
            Some(_) => "the run was interrupted",
            None => "the run ended before its turn",
        };
        Self { class: Class::Interrupted, message: message.into(), advice: Advice::Now }
    }

    fn of_halt(halted: &Halted) -> Self {
        let whole = match &halted.app {
            Some(app) => format!("the run was halted for app {app}"),
            None => "the run was halted".to_owned(),
        };
        Self {
            class: Class::Halted,
            message: format!("{whole}: {}", halted.message),
            advice: halted.class.advice(),
        }
    }
}

/// What the cells of a line are made of.
struct FailureLine<'a> {
    listed: &'a Listed,
    end: End<'a>,
}

enum End<'a> {
    Failed(&'a Failed),
    NotAttempted(&'a NotAttempted, &'a Tried),
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
        match self.end {
            End::Failed(failed) => failed.failure.class,
            End::NotAttempted(about, _) => about.class,
        }
    }

    fn message(&self) -> String {
        match self.end {
            End::Failed(failed) => with_time(&failed.failure, failed.at),
            End::NotAttempted(about, _) => about.message.clone(),
        }
    }

    fn advice(&self) -> Advice {
        match self.end {
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
    let wait = failure.retry_after_ms.filter(|_| failure.advice() == Advice::Later);
    let wait = wait.map(|ms| Duration::from_millis(ms.into()));
    match wait.and_then(|wait| at.checked_add(wait).ok()) {
        Some(time) => format!("{} (not before {time:.0})", failure.message),
        None => failure.message.as_str().to_owned(),
    }
}
