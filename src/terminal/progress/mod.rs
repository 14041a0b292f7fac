//! What a person sees while a run works: a bar in a terminal, a line every few seconds elsewhere,
//! nothing with `--quiet`.

mod bar;
mod cadence;
mod holds;
mod pause;
mod printer;
mod status_line;
mod tally;
mod taskbar;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use self::{
    printer::{DRAW_EVERY, Output, Printer},
    tally::RunTally,
};
use super::{console::Console, event_line, log_line, verbosity::Verbosity};
use crate::{
    engine::gauge::Gauge,
    event::{Event, Listener},
    pace::Outlook,
    settings::args::LogFormat,
};

/// Lines that may wait to be printed. A stopped terminal, or a pipe that nobody reads, delays no code:
/// the lines that it does not take are left out and counted.
const LINES: usize = 1024;

/// How long the end of a run waits until the last lines are printed.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(1);

/// Shows how a run gets on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress {
    tally: Arc<RunTally>,
    lines: SyncSender<Output>,
    ended: Arc<Mutex<Receiver<()>>>,
    format: LogFormat,
}

impl Progress {
    /// Begins to show a run of the installations that are open, in a thread of its own.
    pub fn begin(
        console: Console,
        gauge: Gauge,
        outlook: impl Fn() -> Outlook + Send + 'static,
    ) -> io::Result<Self> {
        let tally = Arc::new(RunTally::new(console.verbosity, gauge));
        let mut printer = Printer::new(tally.clone(), console, outlook);
        let (lines, to_print) = mpsc::sync_channel(LINES);
        let (end, ended) = mpsc::sync_channel(1);
        let print_lines = move || {
            printer.run(&to_print);
            // The receiver may have stopped waiting.
            let _ = end.try_send(());
        };
        thread::Builder::new().name("progress".into()).spawn(print_lines)?;
        Ok(Self { tally, lines, ended: Arc::new(Mutex::new(ended)), format: console.format })
    }

    /// Ends the bar, or prints the last line.
    pub fn end(&self) {
        let deadline = Instant::now() + LAST_LINES_WITHIN;
        while self.lines.try_send(Output::End).is_err() && Instant::now() < deadline {
            thread::sleep(DRAW_EVERY / 10);
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // The last lines are dropped when the printer is stuck.
        let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    /// Prints a line without breaking the bar. The caller does not wait for it.
    pub fn print(&self, line: &str) {
        self.send(Output::Print(log_line::of_text(self.format, line)));
    }

    /// From now on it shows that the run is ending.
    pub fn ending(&self) {
        self.tally.is_ending.store(true, Ordering::Relaxed);
    }

    fn print_event(&self, event: &Event, line: &str) {
        self.send(Output::Print(log_line::of_event(self.format, event, line)));
    }

    /// Prints the row to paste for an answer that no row of the table knows.
    fn print_row(&self, event: &Event, row: &str) {
        let what = "UNRECOGNISED: no row of the table knows this answer, so it is not retried. To \
                    define its meaning, put this into a file and pass it as --known-messages:";
        match self.format {
            LogFormat::Text => {
                self.send(Output::Print(what.to_owned()));
                self.send(Output::Copy(format!("\n{row}")));
            }
            LogFormat::Json => self.print_event(event, &format!("{what}\n\n{row}")),
        }
    }

    fn send(&self, output: Output) {
        let quiet = self.tally.verbosity == Verbosity::Quiet;
        if !quiet && self.lines.try_send(output).is_err() {
            self.tally.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Listener for Progress {
    fn on_event(&self, event: &Event) {
        self.tally.count(event);
        let lines = match self.tally.verbosity {
            Verbosity::Quiet => return,
            Verbosity::Normal => self.tally.change(event),
            Verbosity::Verbose => event_line::of(event).into_iter().collect(),
        };
        for line in lines {
            self.print_event(event, &line);
        }
        if let Event::Failed(failed) = event
            && let Some(row) = self.tally.new_row(&failed.failure)
        {
            self.print_row(event, &row);
        }
    }
}
