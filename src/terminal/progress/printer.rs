//! The thread that prints: a bar in a terminal, a line every few seconds elsewhere.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use super::{
    super::{
        console::{Console, line_width},
        log_line,
        verbosity::Verbosity,
        wrap::{fitted, stderr_width},
    },
    bar::Bar,
    cadence::line_every,
    status_line::{Figures, State},
    tally::RunTally,
    taskbar::Taskbar,
};
use crate::{clock, pace::Outlook, settings::args::LogFormat};

/// Between two drawings of the bar, and between two looks at what has changed.
pub(super) const DRAW_EVERY: Duration = Duration::from_millis(100);

/// How far back the present pace is measured.
const LATELY: Duration = Duration::from_secs(10);

/// Calls of one installation when all goes well.
const CALLS_EACH: u32 = 2;

/// What the printer is told to print.
#[derive(Debug)]
pub(super) enum Output {
    /// A line, or several: broken at words where they are too wide.
    Print(String),
    /// Lines to copy: as they are.
    Copy(String),
    End,
}

/// The thread that talks.
pub(super) struct Printer<O> {
    tally: Arc<RunTally>,
    bar: Option<Bar>,
    taskbar: Option<Taskbar>,
    format: LogFormat,
    outlook: O,
    begun: Instant,
    /// When the next line is due, where there is no bar.
    next_line: Instant,
    /// Calls so far, at moments of the last seconds.
    samples: VecDeque<(Instant, u64)>,
}

impl<O: Fn() -> Outlook> Printer<O> {
    /// A printer with a bar where a person reads standard error in a terminal.
    pub(super) fn new(tally: Arc<RunTally>, console: Console, outlook: O) -> Self {
        let Console { verbosity, colors, format } = console;
        let is_read = verbosity != Verbosity::Quiet && format == LogFormat::Text;
        let bar = if is_read { Bar::begin(tally.total, colors) } else { None };
        let taskbar = if is_read { Taskbar::begin() } else { None };
        let begun = Instant::now();
        let next_line = begun + line_every(Duration::ZERO);
        let samples = VecDeque::new();
        Self { tally, bar, taskbar, format, outlook, begun, next_line, samples }
    }

    /// Prints lines until the last one.
    pub(super) fn run(&mut self, lines: &Receiver<Output>) {
        let mut next = Instant::now() + DRAW_EVERY;
        loop {
            match lines.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Output::Print(line)) => self.print(&line),
                Ok(Output::Copy(text)) => self.put(&text),
                Err(RecvTimeoutError::Timeout) => {
                    let ended = self.tally.holds_ended(clock::now());
                    self.print_unless_quiet(ended);
                    self.tick();
                    next = Instant::now() + DRAW_EVERY;
                }
                Ok(Output::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let holds = self.tally.last_holds();
        self.print_unless_quiet(holds);
        self.show();
        if let Some(bar) = &self.bar {
            bar.end();
        }
        self.taskbar = None;
    }

    fn print_unless_quiet(&self, line: Option<String>) {
        if let Some(line) = line.filter(|_| self.tally.verbosity != Verbosity::Quiet) {
            self.print(&log_line::of_text(self.format, &line));
        }
    }

    fn print(&self, line: &str) {
        let left_out = self.tally.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let line =
                format!("({left_out} lines were left out: nobody read them; run.log has them)");
            self.put(&log_line::of_text(self.format, &line));
        }
        self.put(&fitted(line, line_width(self.format)));
    }

    fn put(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.print_above(line),
            // A closed standard error does not stop a recovery.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    /// Draws the bar, or prints the line that is due.
    fn tick(&mut self) {
        let now = Instant::now();
        if self.bar.is_some() {
            self.show();
        } else if now >= self.next_line {
            self.show();
            self.next_line = now + line_every(now.duration_since(self.begun));
        }
    }

    fn show(&mut self) {
        if self.tally.verbosity == Verbosity::Quiet {
            return;
        }
        let figures = self.figures();
        if let Some(bar) = &mut self.bar {
            bar.draw(&figures, stderr_width().unwrap_or(USUAL_WIDTH));
        } else {
            let line = figures.line(usize::MAX);
            self.print(&match self.format {
                LogFormat::Text => format!("{} {line}", clock::stamp(clock::now())),
                LogFormat::Json => log_line::of_text(self.format, &line),
            });
        }
        if let Some(taskbar) = &mut self.taskbar {
            taskbar.show(&figures);
        }
    }

    fn figures(&mut self) -> Figures {
        let tally = &self.tally;
        let outlook = (self.outlook)();
        let pause = tally.pause().clone();
        let now = (Instant::now(), tally.calls.load(Ordering::Relaxed));
        let starts_per_second = pace_lately(&mut self.samples, now);
        if pause.is_some() || !outlook.held.is_zero() {
            // A pace that is measured while nothing may start does not predict the time after.
            self.samples.clear();
        }
        let calls_left = tally.gauge.open().saturating_mul(CALLS_EACH);
        let state = match pause {
            _ if tally.is_ending.load(Ordering::Relaxed) => State::Ending,
            Some(pause) => State::Paused(pause.seen_at(now.0)),
            None if outlook.held >= SHORTEST_HOLD => State::Held(outlook.held),
            None => State::Working(time_left(calls_left, outlook, starts_per_second)),
        };
        Figures {
            total: tally.total,
            recovered: tally.recovered.load(Ordering::Relaxed),
            skipped: tally.skipped.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
            in_flight: tally.gauge.in_flight(),
            starts_per_second,
            state,
        }
    }
}

/// A shorter hold is not shown: nobody could read it.
const SHORTEST_HOLD: Duration = Duration::from_millis(500);

/// Columns of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 80;

/// Calls a second over the last seconds; `None` before there is anything to measure.
fn pace_lately(samples: &mut VecDeque<(Instant, u64)>, now: (Instant, u64)) -> Option<f64> {
    samples.push_back(now);
    while samples.front().is_some_and(|first| now.0.duration_since(first.0) > LATELY) {
        samples.pop_front();
    }
    let (at, calls) = *samples.front()?;
    let time = now.0.duration_since(at).as_secs_f64();
    (time >= 1.0 && now.1 > calls).then(|| (now.1 - calls) as f64 / time)
}

/// What so many calls take: the hold, then each its time at the present pace, or at the pace that
/// was reached lately where that is slower.
fn time_left(calls: u32, outlook: Outlook, reached: Option<f64>) -> Option<Duration> {
    let reached = reached.map_or(Duration::ZERO, |pace| Duration::from_secs_f64(1.0 / pace));
    let each = outlook.interval.max(reached);
    let is_known = calls > 0 && !each.is_zero();
    is_known.then(|| outlook.held.saturating_add(each.saturating_mul(calls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_the_hold_and_the_slower_of_both_paces() {
        let ms = Duration::from_millis;
        for (calls, interval, held, reached, left) in [
            (20, 100, 0, None, Some(2000)),
            (20, 100, 5000, None, Some(7000)),
            (20, 100, 0, Some(10.0), Some(2000)),
            (20, 100, 0, Some(2.0), Some(10_000)),
            (20, 100, 0, Some(1000.0), Some(2000)),
            (20, 0, 0, None, None),
            (20, 0, 0, Some(10.0), Some(2000)),
            (0, 100, 5000, Some(10.0), None),
        ] {
            let outlook = Outlook { interval: ms(interval), held: ms(held) };
            assert_eq!(time_left(calls, outlook, reached), left.map(ms), "{calls} {reached:?}");
        }
    }

    #[test]
    fn the_pace_is_that_of_the_last_seconds() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut samples = VecDeque::new();
        let paces: Vec<_> = [(0, 0), (5, 50), (10, 100), (20, 110), (21, 111)]
            .map(|(second, calls)| pace_lately(&mut samples, (at(second), calls)))
            .into();
        assert_eq!(paces, [None, Some(10.0), Some(10.0), Some(1.0), Some(1.0)]);
    }
}
