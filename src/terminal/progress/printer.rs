//! The thread that prints: a bar in a terminal, a line every few seconds elsewhere.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    tally::RunTally,
    verbosity::{Colors, Verbosity},
};
use crate::{pace::Outlook, plan::in_words};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Between two drawings of the bar.
pub(super) const DRAW_EVERY: Duration = Duration::from_millis(100);

/// How far back the present pace is measured.
const LATELY: Duration = Duration::from_secs(10);

/// Calls of one installation when all goes well.
const CALLS_EACH: u32 = 2;

/// What the printer is told to print.
#[derive(Debug)]
pub(super) enum Output {
    Print(String),
    End,
}

/// The thread that talks.
pub(super) struct Printer<O> {
    tally: Arc<RunTally>,
    bar: Option<ProgressBar>,
    outlook: O,
    /// Calls so far, at moments of the last seconds.
    samples: VecDeque<(Instant, u64)>,
}

impl<O: Fn() -> Outlook> Printer<O> {
    /// A printer with a bar where standard error is a terminal.
    pub(super) fn new(tally: Arc<RunTally>, colors: Colors, outlook: O) -> Self {
        let has_bar = tally.verbosity != Verbosity::Quiet && io::stderr().is_terminal();
        let bar = has_bar.then(|| bar(tally.total, colors));
        Self { tally, bar, outlook, samples: VecDeque::new() }
    }

    /// Prints lines until the last one.
    pub(super) fn run(&mut self, lines: &Receiver<Output>) {
        let every = if self.bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        let mut next = Instant::now() + every;
        loop {
            match lines.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Output::Print(line)) => self.print(&line),
                Err(RecvTimeoutError::Timeout) => {
                    self.draw();
                    next = Instant::now() + every;
                }
                Ok(Output::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.draw();
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }

    fn print(&self, line: &str) {
        let left_out = self.tally.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            self.put(&format!(
                "({left_out} lines were left out: nobody read them; run.log has them)"
            ));
        }
        self.put(line);
    }

    fn put(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            // A closed standard error does not stop a recovery.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    fn draw(&mut self) {
        if self.tally.verbosity == Verbosity::Quiet {
            return;
        }
        let state = self.state();
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::from(state.done()));
                bar.set_message(state.to_string());
            }
            None => self.print(&format!("{} of {} done, {state}", state.done(), self.tally.total)),
        }
    }

    fn state(&mut self) -> Figures {
        let tally = &self.tally;
        let outlook = (self.outlook)();
        let pause = tally.pause().clone();
        let now = (Instant::now(), tally.calls.load(Ordering::Relaxed));
        let calls_per_second = pace_lately(&mut self.samples, now);
        if pause.is_some() || !outlook.held.is_zero() {
            // A pace that is measured while nothing may start does not predict the time after.
            self.samples.clear();
        }
        let calls_left = tally.gauge.open().saturating_mul(CALLS_EACH);
        Figures {
            recovered: tally.recovered.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
            in_flight: tally.gauge.in_flight(),
            calls_per_second,
            ahead: match pause {
                Some(pause) => Remaining::Paused(pause.in_words(Instant::now())),
                None => Remaining::Left(time_left(calls_left, outlook, calls_per_second)),
            },
        }
    }
}

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

fn bar(total: u32, colors: Colors) -> ProgressBar {
    let template = match colors {
        Colors::On => "{bar:30.green/dim} {pos}/{len} {wide_msg}",
        Colors::Off => "{bar:30} {pos}/{len} {wide_msg}",
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    let target = ProgressDrawTarget::stderr();
    ProgressBar::with_draw_target(Some(u64::from(total)), target).with_style(style)
}

/// The figures at one moment.
struct Figures {
    recovered: u32,
    failed: u32,
    in_flight: u32,
    calls_per_second: Option<f64>,
    ahead: Remaining,
}

/// What lies ahead.
enum Remaining {
    Paused(String),
    Left(Option<Duration>),
}

impl Figures {
    fn done(&self) -> u32 {
        self.recovered + self.failed
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed, {} in flight", self.failed, self.in_flight)?;
        if let Some(pace) = self.calls_per_second {
            write!(f, ", {pace:.1} calls/s")?;
        }
        match &self.ahead {
            Remaining::Paused(pause) => write!(f, ", {pause}"),
            Remaining::Left(Some(left)) => write!(f, ", about {} left", in_words(*left)),
            Remaining::Left(None) => Ok(()),
        }
    }
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
