//! The console: what the program says to a person, and the data that it prints.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use super::{
    progress::{Colors, Progress, Verbosity},
    run_log::RunLog,
    wrap::{fitted, stderr_width, stdout_width},
};
use crate::{
    engine::{
        gauge::Gauge,
        screen::{self, AskOutlook, Screen},
    },
    event::{Event, Listener, Observer},
    settings::args::{ColorChoice, TalkArgs},
};

/// How the program talks.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// How much.
    pub verbosity: Verbosity,
    /// In colors or not.
    pub colors: Colors,
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
        Self { verbosity, colors }
    }

    /// Prints a line for the person; a closed standard error stops nothing.
    pub fn print(self, line: &str) {
        if self.verbosity != Verbosity::Quiet {
            let _ = writeln!(io::stderr(), "{}", fitted(line, stderr_width()));
        }
    }

    /// Rings the bell of a terminal, once, after work that took long enough for somebody to look away.
    pub fn ring_after(self, worked: Duration) {
        if worked > LOOKS_AWAY_AFTER && io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\x07");
        }
    }
}

/// After this time a person looks at something else.
const LOOKS_AWAY_AFTER: Duration = Duration::from_mins(1);

/// Writes text for a person to standard output, broken at words where that is a terminal.
pub fn print_text(text: &str) {
    print_data(&fitted(text, stdout_width()));
}

/// Writes data to standard output; a closed one stops nothing.
pub fn print_data(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

impl Screen for Console {
    fn print(&self, line: &str) {
        (*self).print(line);
    }

    fn begin(&self, gauge: Gauge, outlook: AskOutlook) -> io::Result<Arc<dyn screen::Progress>> {
        Ok(Arc::new(Progress::begin(self.verbosity, self.colors, gauge, outlook)?))
    }
}

impl Observer for Progress {
    fn note(&self, line: &str) {
        self.print(line);
    }
}

impl screen::Progress for Progress {
    fn ending(&self) {
        Self::ending(self);
    }

    fn end(&self) {
        Self::end(self);
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
