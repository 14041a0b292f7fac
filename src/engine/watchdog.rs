//! Names installations that are stuck. Every step has a time limit; an installation past its limit is
//! reported, again at growing intervals, until it continues.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{failure::Stage, installation::Id, pace::Outlook, plan::in_words};

/// Between two checks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a step may take beyond its limit: a busy machine is not stuck.
const GRACE: Duration = Duration::from_secs(5);

/// Installations that are named in one report; the rest is counted.
const NAMED: usize = 3;

/// What an installation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// The end of an outage.
    Outage,
    /// Its turn to ask for a code.
    TurnToReconnect,
    /// Its turn to present its code.
    TurnToExchange,
    /// The answer to a request of this stage.
    Answer(Stage),
    /// The agencies of the list, which are recovered first.
    Agencies,
    /// The disk.
    Disk,
    /// The time until its next attempt.
    Backoff(Duration),
    /// A slot for its next attempt, behind installations that have not been tried.
    Slot,
}

impl WaitingFor {
    /// The stage of the request in flight.
    pub fn request(self) -> Option<Stage> {
        if let Self::Answer(stage) = self { Some(stage) } else { None }
    }

    fn in_words(self) -> String {
        let what = match self {
            Self::Outage => "the end of an outage",
            Self::TurnToReconnect => "its turn to ask",
            Self::TurnToExchange => "its turn to present its code",
            Self::Answer(Stage::Agency) => "its agency's answer",
            Self::Answer(Stage::Verify) => "the answer to the check of its token",
            Self::Answer(stage) => return format!("waiting for the answer to its {stage}"),
            Self::Agencies => "the agencies of the list",
            Self::Disk => "the disk to write the run folder",
            Self::Backoff(_) | Self::Slot => "its next attempt",
        };
        format!("waiting for {what}")
    }
}

/// How long steps may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// One request.
    pub timeout: Duration,
    /// A pause of the whole run.
    pub max_outage: Duration,
    /// Installations in flight.
    pub concurrency: u32,
}

impl Bounds {
    fn of(&self, step: WaitingFor, outlook: Outlook) -> Duration {
        let turns = outlook.interval.saturating_mul(self.concurrency.saturating_mul(4));
        let bound = match step {
            WaitingFor::Outage => self.max_outage + self.timeout,
            WaitingFor::TurnToReconnect | WaitingFor::TurnToExchange => {
                turns + outlook.held + self.timeout
            }
            WaitingFor::Answer(_) => self.timeout,
            WaitingFor::Disk => Duration::ZERO,
            WaitingFor::Backoff(wait) => wait,
            // Untried installations and agencies, which come first, are watched themselves.
            WaitingFor::Slot | WaitingFor::Agencies => Duration::MAX,
        };
        bound.saturating_add(GRACE)
    }
}

/// Knows what every installation in flight waits for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Watchdog {
    shared: Arc<SharedWatch>,
}

#[derive(Debug, Default)]
struct SharedWatch {
    state: Mutex<WatchdogState>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct WatchdogState {
    waiting: HashMap<u32, WaitingInstallation>,
    has_ended: bool,
}

#[derive(Debug)]
struct WaitingInstallation {
    id: Id,
    step: WaitingFor,
    since: Instant,
    /// How long it had waited when it was last reported.
    reported_after: Duration,
}

impl Watchdog {
    /// What the installation of a row waits for from now on.
    pub fn enter(&self, row: u32, id: &Id, step: WaitingFor) {
        let (since, reported_after) = (Instant::now(), Duration::ZERO);
        let mut state = self.lock();
        if let Some(entry) = state.waiting.get_mut(&row) {
            (entry.step, entry.since, entry.reported_after) = (step, since, reported_after);
        } else {
            state
                .waiting
                .insert(row, WaitingInstallation { id: id.clone(), step, since, reported_after });
        }
    }

    /// The installation of a row is done.
    pub fn leave(&self, row: u32) {
        self.lock().waiting.remove(&row);
    }

    /// Starts the thread that checks, and prints what is stuck.
    pub fn start(
        &self,
        bounds: Bounds,
        outlook: impl Fn() -> Outlook + Send + 'static,
        print: impl Fn(&str) + Send + 'static,
    ) -> std::io::Result<Looking> {
        let watchdog = self.clone();
        let look = move || {
            while watchdog.is_running() {
                let outlook = outlook();
                let stuck = watchdog.lock().stuck(Instant::now(), |step| bounds.of(step, outlook));
                for line in &stuck {
                    print(line);
                }
            }
        };
        thread::Builder::new().name("watchdog".into()).spawn(look)?;
        Ok(Looking(self.clone()))
    }

    fn is_running(&self) -> bool {
        let woken = self.shared.ended.wait_timeout_while(self.lock(), LOOK_EVERY, |s| !s.has_ended);
        !woken.unwrap_or_else(PoisonError::into_inner).0.has_ended
    }

    fn lock(&self) -> MutexGuard<'_, WatchdogState> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The watchdog's thread; it ends on drop.
#[derive(Debug)]
pub struct Looking(Watchdog);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.shared.ended.notify_all();
    }
}

impl WatchdogState {
    /// The lines to print now: each installation when it is past its limit, and again each time it has
    /// waited twice as long.
    fn stuck(&mut self, now: Instant, bound: impl Fn(WaitingFor) -> Duration) -> Vec<String> {
        let mut stuck = Vec::new();
        for (row, entry) in &mut self.waiting {
            let waited = now.saturating_duration_since(entry.since);
            if waited > bound(entry.step).max(entry.reported_after * 2) {
                entry.reported_after = waited;
                stuck.push((*row, waited, format!("{}: {}", entry.id, entry.step.in_words())));
            }
        }
        stuck.sort_unstable();
        let more = stuck.len().saturating_sub(NAMED);
        let mut lines: Vec<String> = stuck
            .into_iter()
            .take(NAMED)
            .map(|(row, waited, what)| format!("STUCK: row {row} {what} for {}", in_words(waited)))
            .collect();
        if more > 0 {
            lines.push(format!("STUCK: and {more} more"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_its_bound_is_named_at_growing_intervals() {
        let watchdog = Watchdog::default();
        let id: Id = Id::new("ve9EPM428h8vShlRW1KT").unwrap();
        watchdog.enter(7, &id, WaitingFor::Answer(Stage::Reconnect));
        watchdog.enter(7, &id, WaitingFor::Disk);
        let begin = Instant::now();
        let bound = |step| if step == WaitingFor::Disk { GRACE } else { Duration::MAX };
        let lines = |second| {
            let at = begin + Duration::from_secs(second);
            watchdog.lock().stuck(at, bound)
        };
        let loud: Vec<u64> = (1..100).filter(|second| !lines(*second).is_empty()).collect();
        assert_eq!(loud, [5, 11, 23, 47, 95]);
        let line =
            "STUCK: row 7 ve9EPM428h8vShlRW1KT: waiting for the disk to write the run folder";
        assert!(lines(200)[0].starts_with(line));
        watchdog.leave(7);
        assert!(lines(1000).is_empty());
    }

    #[test]
    fn a_few_are_named_and_the_rest_is_counted() {
        let watchdog = Watchdog::default();
        for row in 1..=5 {
            watchdog.enter(
                row,
                &Id::new("ve9EPM428h8vShlRW1KT").unwrap(),
                WaitingFor::Answer(Stage::Exchange),
            );
        }
        let lines = watchdog.lock().stuck(Instant::now() + GRACE * 9, |_| GRACE);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[3], "STUCK: and 2 more");
    }

    #[test]
    fn an_installation_that_waits_for_agencies_is_not_stuck() {
        let (watchdog, id) = (Watchdog::default(), Id::new("ve9EPM428h8vShlRW1KT").unwrap());
        watchdog.enter(1, &id, WaitingFor::Answer(Stage::Agency));
        watchdog.enter(2, &id, WaitingFor::Agencies);
        let (timeout, max_outage) = (Duration::from_secs(30), Duration::from_mins(10));
        let bounds = Bounds { timeout, max_outage, concurrency: 16 };
        let outlook = Outlook { interval: Duration::ZERO, held: Duration::ZERO };
        let later = Instant::now() + Duration::from_hours(1);
        let lines = watchdog.lock().stuck(later, |step| bounds.of(step, outlook));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("STUCK: row 1 "), "{lines:?}");
    }

    #[test]
    fn a_turn_may_take_as_long_as_the_pace_says() {
        let bounds = Bounds {
            timeout: Duration::from_secs(30),
            max_outage: Duration::from_mins(10),
            concurrency: 16,
        };
        let outlook = Outlook { interval: Duration::from_secs(10), held: Duration::from_mins(1) };
        let seconds = |step| bounds.of(step, outlook).as_secs();
        assert_eq!(seconds(WaitingFor::TurnToReconnect), 640 + 60 + 30 + 5);
        assert_eq!(seconds(WaitingFor::Answer(Stage::Exchange)), 35);
        assert_eq!(seconds(WaitingFor::Backoff(Duration::from_secs(20))), 25);
        assert_eq!(seconds(WaitingFor::Outage), 635);
    }
}
