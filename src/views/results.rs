//! `results.csv`: a line an installation, whatever became of it.

use std::io::Write;

use jiff::Timestamp;

use super::{
    csv_writer::{CsvWriter, names, or_empty},
    summary::Summary,
    view::{Run, View},
};
use crate::{
    clock::stamp,
    event::{Failed, Listed, Reclaimed, Recovered},
    journal::state::Outcome,
    route::Route,
    text::SafeText,
};

/// A column: its name, and its cell in a line.
type ResultColumn = (&'static str, fn(&ResultLine<'_>) -> String);

const COLUMNS: [ResultColumn; 17] = [
    ("row", |line| line.listed.row.to_string()),
    ("scope", |line| line.listed.installation.scope.to_string()),
    ("id", |line| line.listed.installation.id.to_string()),
    ("status", |line| line.status().to_owned()),
    ("via", |line| or_empty(line.via().map(Route::name))),
    ("stage", |line| or_empty(line.failed().map(|e| e.failure.stage))),
    ("error_class", |line| or_empty(line.failed().map(|e| e.failure.class))),
    ("http_status", |line| or_empty(line.http_status())),
    ("message", |line| line.message()),
    ("reconnect_trace_id", |line| or_empty(line.reconnect_trace_id())),
    ("token_trace_id", |line| or_empty(line.token_trace_id())),
    ("attempts", |line| or_empty(line.attempts())),
    ("code_age_ms", |line| or_empty(line.recovered().and_then(|e| e.code_age_ms))),
    ("code_margin_ms", |line| or_empty(line.recovered().and_then(|e| e.code_margin_ms))),
    ("started_at", |line| or_empty(line.started_at().map(stamp))),
    ("finished_at", |line| or_empty(line.finished_at().map(stamp))),
    ("token_expires_at", |line| or_empty(line.token_expires_at().map(stamp))),
];

struct Results<'a>(CsvWriter<&'a mut dyn Write>);

/// Writes the header.
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    _run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(Results(CsvWriter::begin(out, names(&COLUMNS))?)))
}

impl View for Results<'_> {
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        let line = ResultLine { listed, outcome };
        self.0.line(COLUMNS.iter().map(|(_, cell)| cell(&line)))
    }

    fn end(self: Box<Self>, _summary: &Summary) -> anyhow::Result<()> {
        Ok(self.0.end()?)
    }
}

/// What the cells of a line are made of.
struct ResultLine<'a> {
    listed: &'a Listed,
    outcome: &'a Outcome,
}

impl<'a> ResultLine<'a> {
    fn recovered(&self) -> Option<&'a Recovered> {
        match self.outcome {
            Outcome::Recovered(recovered) => Some(recovered),
            _ => None,
        }
    }

    fn reclaimed(&self) -> Option<&'a Reclaimed> {
        match self.outcome {
            Outcome::Reclaimed(reclaimed) => Some(reclaimed),
            _ => None,
        }
    }

    fn failed(&self) -> Option<&'a Failed> {
        match self.outcome {
            Outcome::Failed(failed) => Some(failed),
            _ => None,
        }
    }

    fn status(&self) -> &'static str {
        match self.outcome {
            Outcome::Recovered(_) | Outcome::Reclaimed(_) => "recovered",
            Outcome::Skipped(_) => "skipped",
            Outcome::Failed(failed) => failed.status(),
            Outcome::NotAttempted(_) => "not_attempted",
        }
    }

    fn via(&self) -> Option<Route> {
        match self.outcome {
            Outcome::Recovered(recovered) => Some(recovered.via),
            Outcome::Reclaimed(reclaimed) => reclaimed.via,
            Outcome::Failed(failed) => failed.failure.stage.route(),
            Outcome::Skipped(_) | Outcome::NotAttempted(_) => None,
        }
    }

    fn http_status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Recovered(recovered) => recovered.exchange.http_status,
            Outcome::Failed(failed) => failed.failure.http_status,
            Outcome::Skipped(skipped) => skipped.call.as_ref().and_then(|call| call.http_status),
            Outcome::Reclaimed(_) | Outcome::NotAttempted(_) => None,
        }
    }

    fn message(&self) -> String {
        match self.outcome {
            Outcome::Recovered(recovered) => recovered.remark().unwrap_or_default(),
            Outcome::Reclaimed(_) => "tokens found on disk when the run was resumed".to_owned(),
            Outcome::Failed(failed) => failed.failure.message.to_string(),
            Outcome::Skipped(skipped) => skipped.in_words(),
            Outcome::NotAttempted(_) => String::new(),
        }
    }

    fn reconnect_trace_id(&self) -> Option<&'a SafeText> {
        match self.outcome {
            Outcome::Recovered(recovered) => recovered.reconnect_trace_id.as_ref(),
            Outcome::Reclaimed(reclaimed) => reclaimed.reconnect_trace_id.as_ref(),
            Outcome::Failed(failed) => failed.reconnect_trace_id.as_ref(),
            Outcome::Skipped(_) | Outcome::NotAttempted(_) => None,
        }
    }

    fn token_trace_id(&self) -> Option<&'a SafeText> {
        let granted = self.recovered().and_then(|recovered| recovered.exchange.trace_id.as_ref());
        granted.or_else(|| self.failed()?.token_trace_id.as_ref())
    }

    fn attempts(&self) -> Option<u32> {
        match self.outcome {
            Outcome::Recovered(recovered) => Some(recovered.attempts),
            // Nothing tells of them where a crash took all events of the row.
            Outcome::Reclaimed(reclaimed) => Some(reclaimed.attempts).filter(|n| *n > 0),
            Outcome::Failed(failed) => Some(failed.attempts),
            Outcome::NotAttempted(tried) => Some(tried.attempts),
            Outcome::Skipped(_) => None,
        }
    }

    fn started_at(&self) -> Option<Timestamp> {
        let recovered = self.recovered().map(|recovered| recovered.started_at);
        recovered.or_else(|| Some(self.failed()?.started_at))
    }

    fn finished_at(&self) -> Option<Timestamp> {
        match self.outcome {
            Outcome::Recovered(recovered) => Some(recovered.at),
            Outcome::Reclaimed(reclaimed) => Some(reclaimed.at),
            Outcome::Failed(failed) => Some(failed.at),
            Outcome::Skipped(skipped) => Some(skipped.at),
            Outcome::NotAttempted(_) => None,
        }
    }

    fn token_expires_at(&self) -> Option<Timestamp> {
        let recovered = self.recovered().and_then(|recovered| recovered.token_expires_at);
        recovered.or_else(|| self.reclaimed()?.token_expires_at)
    }
}
