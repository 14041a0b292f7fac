//! `status --watch`: the same again until the run has ended.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    thread,
    time::{Duration, Instant},
};

use console::{Term, truncate_str};

use super::{Form, Looked};
use crate::{
    exit::{Exit, Fault, OrExit},
    settings::args::StatusArgs,
};

/// The time between two looks, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A look at a large run takes a while, and the run itself has better use for the machine.
const REST_FOR_A_LOOK: u32 = 4;

/// Shows where a run stands until it has ended, or nobody reads any more.
pub(super) fn watch(args: &StatusArgs) -> Result<Exit, Fault> {
    let form = if args.json { Form::JsonLine } else { Form::Words };
    let mut view = View::of(form);
    loop {
        let begun = Instant::now();
        let looked = Looked::at(&args.run_dir)?;
        let is_last = looked.holder.is_none();
        let text = looked.text(form).or_exit(Exit::Local)?;
        let bytes =
            if is_last { view.last(&text) } else { view.next(&text, looked.without_time()) };
        let mut out = io::stdout();
        let is_read = out.write_all(bytes.as_bytes()).and_then(|()| out.flush()).is_ok();
        if is_last || !is_read {
            return Ok(Exit::Recovered);
        }
        thread::sleep(LOOK_EVERY.max(begun.elapsed() * REST_FOR_A_LOOK));
    }
}

/// How it is shown.
#[derive(Debug)]
enum View {
    /// Drawn over what was drawn before, which had so many lines.
    Screen { terminal: Term, lines: usize },
    /// One below the other, where something else than the time has changed.
    Lines { shown: String },
}

impl View {
    fn of(form: Form) -> Self {
        if form == Form::Words && io::stdout().is_terminal() {
            Self::Screen { terminal: Term::stdout(), lines: 0 }
        } else {
            Self::Lines { shown: String::new() }
        }
    }

    /// What is to be written for the next look.
    fn next(&mut self, text: &str, without_time: String) -> String {
        match self {
            Self::Screen { terminal, lines } => {
                let (height, width) = terminal.size();
                let (drawn, now) = drawing(text, *lines, (height.into(), width.into()));
                *lines = now;
                drawn
            }
            Self::Lines { shown } if *shown == without_time => String::new(),
            Self::Lines { shown } => {
                *shown = without_time;
                text.to_owned()
            }
        }
    }

    /// What is to be written at last: everything, to be read and copied.
    fn last(&self, text: &str) -> String {
        match self {
            Self::Screen { lines, .. } => format!("{}\u{1b}[J{text}", up(*lines)),
            Self::Lines { .. } => text.to_owned(),
        }
    }
}

/// To the beginning of the line so many lines further up.
fn up(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\u{1b}[{lines}F") }
}

/// A text over the lines that were drawn before, as far as it fits on the screen; and how many lines it
/// has there.
fn drawing(text: &str, before: usize, (height, width): (usize, usize)) -> (String, usize) {
    let mut drawn = up(before);
    let mut lines = 0;
    for line in text.lines().take(height.saturating_sub(1)) {
        // Writing to a String cannot fail.
        let _ = writeln!(drawn, "{}\u{1b}[K", truncate_str(line, width, "…"));
        lines += 1;
    }
    drawn.push_str("\u{1b}[J");
    (drawn, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_covers_the_one_before_and_fits_on_the_screen() {
        for (text, before, size, expected, lines) in [
            ("one\ntwo\n", 0, (24, 80), "one\x1b[K\ntwo\x1b[K\n\x1b[J", 2),
            ("one\n", 2, (24, 80), "\x1b[2Fone\x1b[K\n\x1b[J", 1),
            ("one\ntwo\nthree\n", 2, (3, 80), "\x1b[2Fone\x1b[K\ntwo\x1b[K\n\x1b[J", 2),
            ("too long\n", 1, (24, 5), "\x1b[1Ftoo …\x1b[K\n\x1b[J", 1),
            ("", 1, (0, 0), "\x1b[1F\x1b[J", 0),
        ] {
            assert_eq!(drawing(text, before, size), (expected.to_owned(), lines), "{text}");
        }
    }

    #[test]
    fn in_a_pipe_only_a_change_is_printed_and_the_end_always() {
        let mut view = View::Lines { shown: String::new() };
        let shown = [("1s 1", "1"), ("2s 1", "1"), ("3s 2", "2")]
            .map(|(text, without_time)| view.next(text, without_time.to_owned()));
        assert_eq!(shown, ["1s 1", "", "3s 2"]);
        assert_eq!(view.last("3s 2"), "3s 2");
    }
}
