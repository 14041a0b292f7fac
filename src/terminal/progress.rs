//! What the person on call sees while a run goes on: a bar in a terminal, a line every few seconds
//! elsewhere, nothing when nothing was asked for.

use std::{
    collections::{HashSet, VecDeque},
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::run_log;
use crate::{
    clock,
    engine::gauge::Gauge,
    event::{Event, Held, Listener, Paused},
    failure::{Class, Failure, Stage},
    highlevel::{normalised_message::normalised, table},
    pace::Outlook,
    plan::in_words,
};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
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

/// Failures that are told apart by what was said, for the same reason.
const KINDS_SHOWN: usize = 50;

/// Lines that may wait to be said. A terminal that is stopped, or a pipe that nobody reads, holds no
/// code up: what it does not take is left out, and counted.
const LINES: usize = 1024;

/// How long the end of a run waits for the last lines to be said.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How far back the present pace is measured.
const LATELY: Duration = Duration::from_secs(10);

/// Calls of one installation when all goes well.
const CALLS_EACH: u32 = 2;

/// Failures of which the first is shown: stage, class, status, and what was said where no row of the
/// table knows it.
type Kind = (Stage, Class, Option<u16>, String);

/// Shows how a run gets on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress {
    shared: Arc<Shared>,
    lines: SyncSender<Line>,
    ended: Arc<Mutex<Receiver<()>>>,
}

#[derive(Debug)]
enum Line {
    Say(String),
    End,
}

#[derive(Debug)]
struct Shared {
    verbosity: Verbosity,
    total: u32,
    recovered: AtomicU32,
    failed: AtomicU32,
    calls: AtomicU64,
    unsaid: AtomicU64,
    pause: Mutex<Option<Pause>>,
    gauge: Gauge,
    kinds_shown: Mutex<HashSet<Kind>>,
    rows_shown: Mutex<HashSet<String>>,
}

impl Progress {
    /// Begins to show a run of the installations that are open, in a thread of its own.
    pub fn begin(
        verbosity: Verbosity,
        colors: Colors,
        gauge: Gauge,
        outlook: impl Fn() -> Outlook + Send + 'static,
    ) -> io::Result<Self> {
        let total = gauge.open();
        let bar = (verbosity != Verbosity::Quiet && io::stderr().is_terminal())
            .then(|| bar(total, colors));
        let shared = Arc::new(Shared {
            verbosity,
            total,
            recovered: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
            pause: Mutex::default(),
            gauge,
            kinds_shown: Mutex::default(),
            rows_shown: Mutex::default(),
        });
        let (lines, to_say) = mpsc::sync_channel(LINES);
        let (end, ended) = mpsc::sync_channel(1);
        let mut speaker =
            Printer { shared: shared.clone(), bar, outlook, samples: VecDeque::new() };
        let print_line = move || {
            speaker.print_line(&to_say);
            // Whoever waits for it may have stopped waiting.
            let _ = end.try_send(());
        };
        thread::Builder::new().name("progress".into()).spawn(print_line)?;
        Ok(Self { shared, lines, ended: Arc::new(Mutex::new(ended)) })
    }

    /// Ends the bar, or says the last line.
    pub fn end(&self) {
        let deadline = Instant::now() + LAST_WORDS;
        while self.lines.try_send(Line::End).is_err() && Instant::now() < deadline {
            thread::sleep(DRAW_EVERY / 10);
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Who does not listen does not hear the last words either.
        let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    /// Says a line without breaking the bar. Nobody waits until it is said.
    pub fn print(&self, line: &str) {
        let quiet = self.shared.verbosity == Verbosity::Quiet;
        if !quiet && self.lines.try_send(Line::Say(line.to_owned())).is_err() {
            self.shared.unsaid.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that talks.
struct Printer<O> {
    shared: Arc<Shared>,
    bar: Option<ProgressBar>,
    outlook: O,
    /// Calls so far, at moments of the last seconds.
    samples: VecDeque<(Instant, u64)>,
}

impl<O: Fn() -> Outlook> Printer<O> {
    fn print_line(&mut self, lines: &Receiver<Line>) {
        let every = if self.bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        let mut next = Instant::now() + every;
        loop {
            match lines.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Line::Say(line)) => self.print(&line),
                Err(RecvTimeoutError::Timeout) => {
                    self.draw();
                    next = Instant::now() + every;
                }
                Ok(Line::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.draw();
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }

    fn print(&self, line: &str) {
        let unsaid = self.shared.unsaid.swap(0, Ordering::Relaxed);
        if unsaid > 0 {
            self.put(&format!(
                "({unsaid} lines were left out: nobody read them; run.log has them)"
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
        if self.shared.verbosity == Verbosity::Quiet {
            return;
        }
        let state = self.state();
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::from(state.done()));
                bar.set_message(state.to_string());
            }
            None => self.print(&format!("{} of {} done, {state}", state.done(), self.shared.total)),
        }
    }

    fn state(&mut self) -> State {
        let shared = &self.shared;
        let outlook = (self.outlook)();
        let pause = shared.pause().clone();
        let now = (Instant::now(), shared.calls.load(Ordering::Relaxed));
        let calls_per_second = pace_lately(&mut self.samples, now);
        if pause.is_some() || !outlook.held.is_zero() {
            // What is measured while nothing may start says nothing of the time after.
            self.samples.clear();
        }
        let calls_left = shared.gauge.open().saturating_mul(CALLS_EACH);
        State {
            recovered: shared.recovered.load(Ordering::Relaxed),
            failed: shared.failed.load(Ordering::Relaxed),
            in_flight: shared.gauge.in_flight(),
            calls_per_second,
            ahead: match pause {
                Some(pause) => Ahead::Paused(pause.in_words(Instant::now())),
                None => Ahead::Left(time_left(calls_left, outlook, calls_per_second)),
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

/// Figures at one moment.
struct State {
    recovered: u32,
    failed: u32,
    in_flight: u32,
    calls_per_second: Option<f64>,
    ahead: Ahead,
}

/// What lies ahead.
enum Ahead {
    Paused(String),
    Left(Option<Duration>),
}

impl State {
    fn done(&self) -> u32 {
        self.recovered + self.failed
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed, {} in flight", self.failed, self.in_flight)?;
        if let Some(pace) = self.calls_per_second {
            write!(f, ", {pace:.1} calls/s")?;
        }
        match &self.ahead {
            Ahead::Paused(pause) => write!(f, ", {pause}"),
            Ahead::Left(Some(left)) => write!(f, ", about {} left", in_words(*left)),
            Ahead::Left(None) => Ok(()),
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

/// An outage that is on.
#[derive(Clone, Debug)]
struct Pause {
    what: String,
    since: Instant,
    next: Instant,
    gives_up: Instant,
}

impl Pause {
    fn of(paused: &Paused) -> Self {
        let now = Instant::now();
        let left = Duration::try_from(paused.gives_up_at.duration_since(paused.at));
        let Failure { stage, class, http_status, .. } = &paused.failure;
        let what = match http_status {
            Some(status) => format!("HTTP {status} at {stage}"),
            None => format!("{class} at {stage}"),
        };
        Self { what, since: now, next: now, gives_up: now + left.unwrap_or_default() }
    }

    fn in_words(&self, now: Instant) -> String {
        let until = |then: Instant| in_words(then.saturating_duration_since(now));
        let next = if self.next <= now {
            "probing now".to_owned()
        } else {
            format!("next probe in {}", until(self.next))
        };
        let since = in_words(now.saturating_duration_since(self.since));
        format!("PAUSED {since}: {} · {next} · gives up in {}", self.what, until(self.gives_up))
    }
}

impl Shared {
    fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, event: &Event) {
        let calls = match event {
            Event::Exchanging(_) => 1,
            Event::Retrying(e) => u64::from(e.call.is_some()),
            Event::Failed(e) => {
                let has_failed = !e.failure.class.is_left_off();
                self.failed.fetch_add(u32::from(has_failed), Ordering::Relaxed);
                u64::from(e.call.is_some())
            }
            Event::Recovered(_) => {
                self.recovered.fetch_add(1, Ordering::Relaxed);
                1
            }
            Event::Paused(e) => {
                *self.pause() = Some(Pause::of(e));
                0
            }
            Event::Probed(e) => {
                if let Some(pause) = &mut *self.pause() {
                    pause.next = Instant::now() + Duration::from_millis(e.next_ms.into());
                }
                0
            }
            // Another app may be worked for after a halt.
            Event::Continued(_) | Event::Halted(_) => {
                *self.pause() = None;
                0
            }
            _ => 0,
        };
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    fn is_new_kind(&self, failure: &Failure) -> bool {
        let Failure { stage, class, http_status, message, .. } = failure;
        let mut shown = self.kinds_shown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told_apart = *class == Class::Unrecognised && shown.len() < KINDS_SHOWN;
        let text = if is_told_apart { normalised(message.as_str()) } else { String::new() };
        shown.insert((*stage, *class, *http_status, text))
    }

    /// The row to paste for an answer that no row knows, where it was not shown before.
    fn new_row(&self, failure: &Failure) -> Option<String> {
        let row = table::row_for(failure)?;
        let mut shown = self.rows_shown.lock().unwrap_or_else(PoisonError::into_inner);
        (shown.len() < ROWS_SHOWN && shown.insert(row.clone())).then_some(row)
    }

    /// What a person has to know at once.
    fn change(&self, event: &Event) -> Option<String> {
        match event {
            Event::Held(held) => Some(hold_in_words(held)),
            Event::DayTooShort(day) => Some(format!("{} {}", clock::stamp(day.at), day.in_words())),
            Event::Paused(paused) => Some(format!(
                "{} PAUSED: installation after installation fails ({}); probing with one at a time, \
                 the run goes on by itself, or halts at {}",
                clock::stamp(paused.at),
                paused.failure,
                clock::stamp(paused.gives_up_at)
            )),
            Event::Continued(continued) => {
                let paused = Duration::from_millis(continued.paused_ms.into());
                let at = clock::stamp(continued.at);
                Some(format!("{at} The pause is over; going on after {}", in_words(paused)))
            }
            Event::Failed(failed) if self.is_new_kind(&failed.failure) => Some(format!(
                "row {} {}: {} (further ones like this are only counted)",
                failed.row, failed.id, failed.failure
            )),
            _ => None,
        }
    }
}

fn hold_in_words(held: &Held) -> String {
    let wait = Duration::from_millis(held.hold_ms.into());
    let until = held.at.checked_add(wait).unwrap_or(held.at);
    let pace = match held.interval_ms {
        0 => String::new(),
        ms => format!(", then {:.1} requests a second", 1000.0 / f64::from(ms)),
    };
    format!(
        "{} HighLevel says too many requests: nothing starts until {}{pace}",
        clock::stamp(held.at),
        clock::stamp(until)
    )
}

impl Listener for Progress {
    fn on_event(&self, event: &Event) {
        self.shared.count(event);
        let line = match self.shared.verbosity {
            Verbosity::Quiet => None,
            Verbosity::Normal => self.shared.change(event),
            Verbosity::Verbose => run_log::line_of(event),
        };
        if let Some(line) = line {
            self.print(&line);
        }
        if let Event::Failed(failed) = event
            && let Some(row) = self.shared.new_row(&failed.failure)
        {
            self.print(&format!(
                "UNRECOGNISED: no row of the table knows this answer, so it is not tried again. To \
                 say what it means, put this into a file and give it as --known-messages:\n\n{row}"
            ));
        }
    }
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
    fn a_pause_says_since_when_what_is_next_and_when_it_is_given_up() {
        let failure = Failure {
            http_status: Some(503),
            ..Failure::without_answer(Stage::Reconnect, Class::ServerError, "")
        };
        let at = clock::now();
        let gives_up_at = at.checked_add(Duration::from_secs(600)).unwrap();
        let mut pause = Pause::of(&Paused { at, failure, gives_up_at });
        let said = |pause: &Pause, after| pause.in_words(pause.since + Duration::from_secs(after));
        assert_eq!(
            said(&pause, 10),
            "PAUSED 10s: HTTP 503 at reconnect · probing now · gives up in 9m 50s"
        );
        pause.next = pause.since + Duration::from_secs(31);
        assert!(said(&pause, 23).contains("next probe in 8s"), "{}", said(&pause, 23));
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
