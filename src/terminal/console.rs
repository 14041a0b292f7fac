//! The console: what the program says to a person, and the data that it prints.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use super::{
    log_line,
    run_log::RunLog,
    verbosity::{Colors, Verbosity},
    wrap::{fitted, stderr_width, stdout_width},
};
use crate::{
    event::{Event, Listener, Observer},
    settings::args::{ColorChoice, LogFormat, TalkArgs},
};

/// How the program talks.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// How much.
    pub verbosity: Verbosity,
    /// In colors or not.
    pub colors: Colors,
    /// In which form.
    pub format: LogFormat,
}

impl Console {
    /// The console that was asked for; `NO_COLOR` is respected.
    pub fn of(args: TalkArgs) -> Self {
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colors = match args.color {
            ColorChoice::Always => Colors::On,
            ColorChoice::Auto if !no_color && io::stderr().is_terminal() => Colors::On,
            ColorChoice::Auto | ColorChoice::Never => Colors::Off,
        };
        Self { verbosity, colors, format: args.log_format }
    }

    /// Prints a line for the person; a closed standard error stops nothing.
    pub fn print(self, line: &str) {
        if self.verbosity != Verbosity::Quiet {
            put(&fitted(&log_line::of_text(self.format, line), line_width(self.format)));
        }
    }

    /// Rings the bell of a terminal, once, after work that took long enough for somebody to look away.
    pub fn ring_after(self, worked: Duration) {
        if worked > LOOKS_AWAY_AFTER && io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\x07");
        }
    }

    /// Prints an error, in a quiet program too.
    pub fn error(self, text: &str) {
        put(&fitted(&log_line::of_error(self.format, text), line_width(self.format)));
    }

    /// Prints a question, in a quiet program too.
    pub fn ask(self, question: &str) {
        match self.format {
            LogFormat::Text => drop(write!(io::stderr(), "{question} ")),
            LogFormat::Json => put(&log_line::of_text(self.format, question)),
        }
    }
}

/// After this time a person looks at something else.
const LOOKS_AWAY_AFTER: Duration = Duration::from_mins(1);

/// Columns for a line on standard error; `None` where lines are for programs.
pub(super) fn line_width(format: LogFormat) -> Option<usize> {
    match format {
        LogFormat::Text => stderr_width(),
        LogFormat::Json => None,
    }
}

fn put(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes text for a person to standard output, broken at words where that is a terminal.
pub fn print_text(text: &str) {
    print_data(&fitted(text, stdout_width()));
}

/// Writes data to standard output. An output that is closed or full stops nothing; a full one is an error
/// message, a closed one is what its reader wanted.
pub fn print_data(text: &str) {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            put(&format!("error: cannot write to standard output: {error}"));
        }
        _ => {}
    }
}

impl Observer for RunLog {
    fn note(&self, line: &str) {
        Self::note(self, line);
    }
}

/// The log of a run, whose notes are printed too.
pub struct Announced {
    /// The log.
    pub log: Arc<RunLog>,
    /// Where they are printed.
    pub console: Console,
}

impl Listener for Announced {
    fn on_event(&self, event: &Event) {
        self.log.on_event(event);
    }
}

impl Observer for Announced {
    fn note(&self, line: &str) {
        self.console.print(line);
        self.log.note(line);
    }
}
