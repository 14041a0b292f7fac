//! Progress in the taskbar or the tab of a terminal that shows it (OSC 9;4).

use std::io::{self, IsTerminal, Write};

use anstyle_progress::{TermProgress, TermProgressStatus, supports_term_progress};

use super::status_line::{Figures, State};

/// Shows progress beside the text, and takes it away when it is dropped.
#[derive(Debug)]
pub(super) struct Taskbar {
    /// What the terminal was sent last.
    shown: String,
}

impl Taskbar {
    /// Where standard error is a terminal that shows such progress.
    pub(super) fn begin() -> Option<Self> {
        let is_shown = supports_term_progress(io::stderr().is_terminal());
        is_shown.then(|| Self { shown: String::new() })
    }

    /// Shows a moment of the run.
    pub(super) fn show(&mut self, figures: &Figures) {
        self.send(sequence(figures));
    }

    fn send(&mut self, sequence: String) {
        if sequence != self.shown {
            // A closed standard error does not stop a recovery.
            let mut err = io::stderr();
            let _ = err.write_all(sequence.as_bytes()).and_then(|()| err.flush());
            self.shown = sequence;
        }
    }
}

impl Drop for Taskbar {
    fn drop(&mut self) {
        self.send(TermProgress::remove().to_string());
    }
}

/// Normal while it works, paused while it is held, an error in an outage.
fn sequence(figures: &Figures) -> String {
    let status = match figures.state {
        State::Working(_) => TermProgressStatus::Normal,
        State::Held(_) | State::Ending => TermProgressStatus::Paused,
        State::Paused(_) => TermProgressStatus::Error,
    };
    TermProgress::none().status(status).percent(figures.percent()).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::terminal::progress::pause::PauseNow;

    #[test]
    fn each_state_has_its_own_colour() {
        let pause = PauseNow {
            what: String::new(),
            since: Duration::ZERO,
            next: Duration::ZERO,
            gives_up: Duration::ZERO,
        };
        for (state, expected) in [
            (State::Working(None), "\u{1b}]9;4;1;25\u{1b}\\"),
            (State::Held(Duration::ZERO), "\u{1b}]9;4;4;25\u{1b}\\"),
            (State::Ending, "\u{1b}]9;4;4;25\u{1b}\\"),
            (State::Paused(pause), "\u{1b}]9;4;2;25\u{1b}\\"),
        ] {
            let figures = Figures {
                total: 4,
                recovered: 1,
                skipped: 0,
                failed: 0,
                in_flight: 0,
                starts_per_second: None,
                state,
            };
            assert_eq!(sequence(&figures), expected);
        }
    }
}
