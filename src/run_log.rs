//! `run.log`: what happened, line by line, for people.

use std::{
    fs::File,
    io::{LineWriter, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::{
    clock,
    event::{Event, Listener},
    journal::disk,
    text::SafeText,
};

/// Writes every event as a line. What cannot be written is left out: the journal has it.
#[derive(Debug)]
pub struct RunLog {
    out: Mutex<LineWriter<File>>,
}

impl RunLog {
    /// Makes the file.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { out: Mutex::new(LineWriter::new(disk::create_file(path)?)) })
    }

    fn line(&self, line: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not stop a recovery.
        let _ = writeln!(out, "{} {line}", clock::stamp(clock::now()));
    }
}

impl Listener for RunLog {
    fn hear(&self, event: &Event) {
        if let Some(line) = line_of(event) {
            self.line(&line);
        }
    }
}

/// An event in one line; `None` for what would only repeat the list.
pub fn line_of(event: &Event) -> Option<String> {
    match event {
        Event::Started(e) => Some(format!(
            "run {} of ghl-reconnect {} begins: list {} ({}), endpoint {}{}, client id {}, rate {}, {} in flight",
            e.run_id,
            e.version,
            e.list.name,
            e.list.shape,
            e.base_url,
            e.reconnect_path,
            e.client_id,
            e.rate,
            e.concurrency
        )),
        Event::Listed(_) => None,
        Event::Duplicate(e) => {
            Some(format!("row {} (line {}) repeats row {}: {}", e.row, e.line, e.first_row, e.id))
        }
        Event::Rejected(e) => Some(format!(
            "row {} (line {}) rejected: {}: {} ({})",
            e.row, e.line, e.column, e.reason, e.raw
        )),
        Event::Ready(e) => Some(format!("{} rows read; calls begin", e.input)),
        Event::Exchanging(e) => Some(format!(
            "row {} {}: code received in attempt {}{}; exchanging",
            e.row,
            e.id,
            e.attempt,
            trace(e.reconnect.trace_id.as_ref())
        )),
        Event::Retrying(e) => Some(format!(
            "row {} {}: attempt {}: {}{}; again in {} ms",
            e.row,
            e.id,
            e.attempt,
            e.failure,
            trace(e.failure.trace_id.as_ref()),
            e.wait_ms
        )),
        Event::Recovered(e) => Some(format!(
            "row {} {}: recovered in attempt {}{}",
            e.row,
            e.id,
            e.attempts,
            trace(e.exchange.trace_id.as_ref())
        )),
        Event::Failed(e) => Some(format!(
            "row {} {}: failed after {} attempts: {}{}",
            e.row,
            e.id,
            e.attempts,
            e.failure,
            trace(e.failure.trace_id.as_ref())
        )),
        Event::Halted(e) => Some(format!("halted: {}", e.message)),
        Event::Finished(_) => Some("finished".to_owned()),
    }
}

fn trace(id: Option<&SafeText>) -> String {
    id.map(|id| format!(", trace {id}")).unwrap_or_default()
}
