//! What the person on call sees while a run goes on: a bar in a terminal, a line every few seconds
//! elsewhere, nothing when nothing was asked for.

use std::{
    collections::HashSet,
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    batch::Gauge,
    clock,
    event::{Event, Listener, Retrying},
    highlevel::{
        failure::{Class, Failure, Stage},
        table,
    },
    plan::in_words,
    run_log,
};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Errors only.
    Quiet,
    /// Progress, and the first failure of each kind.
    Normal,
    /// Every event.
    Verbose,
}

/// Whether to color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// With colors.
    On,
    /// Without.
    Off,
}

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Between two drawings of the bar.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Rows to paste that are shown; a server that never says the same twice would fill the screen.
const ROWS_SHOWN: usize = 20;

/// Calls of one installation when all goes well.
const CALLS_EACH: u32 = 2;

/// Shows how a run gets on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    talk: Talk,
    bar: Option<ProgressBar>,
    total: u32,
    interval: Duration,
    began: Instant,
    recovered: AtomicU32,
    failed: AtomicU32,
    calls: AtomicU64,
    in_flight: Gauge,
    kinds_shown: Mutex<HashSet<(Stage, Class, Option<u16>)>>,
    rows_shown: Mutex<HashSet<String>>,
    held_until: Mutex<Option<Timestamp>>,
}

impl Progress {
    /// Begins to show a run of so many installations, whose requests start so far apart.
    pub fn begin(
        talk: Talk,
        colors: Colors,
        total: u32,
        interval: Duration,
        in_flight: Gauge,
    ) -> Self {
        let bar = (talk != Talk::Quiet && io::stderr().is_terminal()).then(|| bar(total, colors));
        let shared = Shared {
            talk,
            bar,
            total,
            interval,
            began: Instant::now(),
            recovered: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            in_flight,
            kinds_shown: Mutex::default(),
            rows_shown: Mutex::default(),
            held_until: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Shows, for as long as it is polled.
    pub async fn show(&self) {
        if self.shared.talk == Talk::Quiet {
            return std::future::pending().await;
        }
        let every = if self.shared.bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.draw();
        }
    }

    /// Ends the bar, or says the last line.
    pub fn end(&self) {
        if self.shared.talk == Talk::Quiet {
            return;
        }
        self.draw();
        if let Some(bar) = &self.shared.bar {
            bar.abandon();
        }
    }

    /// Says a line without breaking the bar.
    pub fn say(&self, line: &str) {
        match &self.shared.bar {
            _ if self.shared.talk == Talk::Quiet => {}
            Some(bar) => bar.println(line),
            // A closed standard error does not stop a recovery.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    fn draw(&self) {
        let state = self.shared.state();
        match &self.shared.bar {
            Some(bar) => {
                bar.set_position(u64::from(state.done()));
                bar.set_message(state.to_string());
            }
            None => self.say(&format!("{} of {} done, {state}", state.done(), self.shared.total)),
        }
    }
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

/// Figures at one moment.
struct State {
    recovered: u32,
    failed: u32,
    in_flight: u32,
    calls_per_second: f64,
    left: Option<Duration>,
}

impl State {
    fn done(&self) -> u32 {
        self.recovered + self.failed
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} failed, {} in flight, {:.1} calls/s",
            self.failed, self.in_flight, self.calls_per_second
        )?;
        match self.left {
            Some(left) => write!(f, ", about {} left", in_words(left)),
            None => Ok(()),
        }
    }
}

impl Shared {
    fn state(&self) -> State {
        let recovered = self.recovered.load(Ordering::Relaxed);
        let failed = self.failed.load(Ordering::Relaxed);
        let elapsed = self.began.elapsed();
        let calls = self.calls.load(Ordering::Relaxed) as f64;
        let done = recovered + failed;
        State {
            recovered,
            failed,
            in_flight: self.in_flight.read(),
            calls_per_second: calls / elapsed.as_secs_f64().max(0.001),
            left: time_left(done, self.total.saturating_sub(done), elapsed, self.interval),
        }
    }

    fn count(&self, event: &Event) {
        let calls = match event {
            Event::Exchanging(_) => 1,
            Event::Retrying(e) => u64::from(e.call.is_some()),
            Event::Failed(e) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                u64::from(e.call.is_some())
            }
            Event::Recovered(_) => {
                self.recovered.fetch_add(1, Ordering::Relaxed);
                1
            }
            _ => 0,
        };
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    fn is_new_kind(&self, failure: &Failure) -> bool {
        let kind = (failure.stage, failure.class, failure.http_status);
        self.kinds_shown.lock().unwrap_or_else(PoisonError::into_inner).insert(kind)
    }

    /// The row to paste for an answer that no row knows, where it was not shown before.
    fn new_row(&self, failure: &Failure) -> Option<String> {
        let row = table::row_for(failure)?;
        let mut shown = self.rows_shown.lock().unwrap_or_else(PoisonError::into_inner);
        (shown.len() < ROWS_SHOWN && shown.insert(row.clone())).then_some(row)
    }

    /// Until when everything is held, if that is news.
    fn new_hold(&self, retrying: &Retrying) -> Option<Timestamp> {
        if retrying.failure.class != Class::RateLimited {
            return None;
        }
        let wait = Duration::from_millis(retrying.wait_ms.into());
        let until = retrying.at.checked_add(wait).ok()?;
        let mut held = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        let news = held.is_none_or(|end| end < retrying.at);
        *held = (*held).max(Some(until));
        news.then_some(until)
    }
}

/// What the rest takes at the pace so far, and never less than the rate allows.
fn time_left(done: u32, left: u32, elapsed: Duration, interval: Duration) -> Option<Duration> {
    let floor = interval.saturating_mul(left.saturating_mul(CALLS_EACH));
    match (done, left) {
        (_, 0) => None,
        (0, _) => (!floor.is_zero()).then_some(floor),
        (done, left) => Some((elapsed.mul_f64(f64::from(left) / f64::from(done))).max(floor)),
    }
}

impl Listener for Progress {
    fn hear(&self, event: &Event) {
        self.shared.count(event);
        if self.shared.talk == Talk::Verbose {
            if let Some(line) = run_log::line_of(event) {
                self.say(&line);
            }
        } else {
            self.tell(event);
        }
        if let Event::Failed(failed) = event
            && let Some(row) = self.shared.new_row(&failed.failure)
        {
            self.say(&format!(
                "UNRECOGNISED: no row of the table knows this answer, so it is not tried again. To \
                 say what it means, put this into a file and give it as --known-messages:\n\n{row}"
            ));
        }
    }
}

impl Progress {
    /// Says what is news to somebody who does not want to hear everything.
    fn tell(&self, event: &Event) {
        match event {
            Event::Retrying(retrying) => {
                if let Some(until) = self.shared.new_hold(retrying) {
                    let until = clock::stamp(until);
                    self.say(&format!(
                        "HighLevel says too many requests (row {}): nothing starts until {until}",
                        retrying.row
                    ));
                }
            }
            Event::Paused(paused) => self.say(&format!(
                "{} PAUSED: installation after installation fails ({}); probing with one at a time, \
                 the run goes on by itself",
                clock::stamp(paused.at),
                paused.failure
            )),
            Event::Continued(continued) => {
                let paused = Duration::from_millis(continued.paused_ms.into());
                let at = clock::stamp(continued.at);
                self.say(&format!("{at} Answers are good again; going on after {}", in_words(paused)));
            }
            Event::Failed(failed) if self.shared.is_new_kind(&failed.failure) => {
                self.say(&format!(
                    "row {} {}: {} (further ones like this are only counted)",
                    failed.row, failed.id, failed.failure
                ));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_never_less_than_the_rate_allows() {
        let seconds = Duration::from_secs;
        for (done, left, elapsed, interval_ms, expected) in [
            (0, 10, 0, 0, None),
            (0, 10, 0, 100, Some(seconds(2))),
            (10, 10, 1, 100, Some(seconds(2))),
            (10, 10, 5, 100, Some(seconds(5))),
            (10, 0, 5, 100, None),
        ] {
            let interval = Duration::from_millis(interval_ms);
            assert_eq!(time_left(done, left, seconds(elapsed), interval), expected);
        }
    }
}
