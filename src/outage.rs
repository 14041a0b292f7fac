//! When everything fails the same way: the run pauses as a whole, and one installation at a time
//! probes, rather than burning the attempts of all.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::sleep};

use crate::highlevel::failure::{Class, Failure, Stage};

/// The gap before the first probe; each later one is twice as long.
const FIRST_GAP: Duration = Duration::from_secs(1);

/// The longest gap between two probes.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// So many installations in a row without one good answer are an outage, where answers have been
/// good before.
const IN_A_ROW: usize = 5;

/// The same where no answer has been good yet, and installations go one by one.
const IN_A_ROW_AT_FIRST: usize = 2;

/// Watches for outages of the two endpoints, and holds everything but the probe while there is one.
#[derive(Debug)]
pub struct Watch {
    states: Mutex<[State; 2]>,
    changed: Notify,
}

/// What a bad answer has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// An outage is on from now on.
    Began,
    /// It is on, and the next probe is this far away.
    GoesOn(Duration),
    /// It has lasted longer than it may.
    TooLong,
}

/// Leave for one conversation; in an outage it is the probe until it is dropped.
#[derive(Debug)]
pub struct Passage<'a> {
    watch: &'a Watch,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.watch.with(|states| states.iter_mut().for_each(|state| state.release(Instant::now())));
        self.watch.changed.notify_waiters();
    }
}

impl Watch {
    /// Watches; an outage may last so long.
    pub fn new(most: Duration) -> Self {
        let states = Mutex::new([State::new(most), State::new(most)]);
        Self { states, changed: Notify::new() }
    }

    /// Returns when an installation may begin a conversation: at once, or, in an outage, as its
    /// probe, of which there is one at a time.
    pub async fn pass(&self) -> Option<Passage<'_>> {
        loop {
            let changed = self.changed.notified();
            let wait = match self.with(|states| ask(states, Instant::now())) {
                Leave::Go => return None,
                Leave::Probe => return Some(Passage { watch: self }),
                Leave::Wait(wait) => wait,
            };
            tokio::select! {
                () = changed => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// An answer came that is no sign of an outage. Returns how long one was on, if it ends here.
    pub fn good(&self, stage: Stage) -> Option<Duration> {
        let lasted = self.with(|states| states[index(stage)].good(Instant::now()));
        if lasted.is_some() {
            self.changed.notify_waiters();
        }
        lasted
    }

    /// An installation met a failure that outages are made of.
    pub fn bad(&self, stage: Stage, row: u32) -> News {
        self.with(|states| states[index(stage)].bad(row, Instant::now()))
    }

    /// Whether an answer has come that is no sign of an outage.
    pub fn has_been_good(&self, stage: Stage) -> bool {
        self.with(|states| states[index(stage)].has_been_good)
    }

    /// Whether there is an outage.
    pub fn is_on(&self) -> bool {
        self.with(|states| states.iter().any(|state| state.outage.is_some()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut [State; 2]) -> T) -> T {
        act(&mut self.states.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn index(stage: Stage) -> usize {
    match stage {
        Stage::Reconnect => 0,
        // Whatever has to do with tokens; the refresh goes to the exchange's address.
        Stage::Exchange
        | Stage::Refresh
        | Stage::Agency
        | Stage::Verify
        | Stage::Input
        | Stage::Store => 1,
    }
}

/// The answer to whoever wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Go,
    Probe,
    Wait(Duration),
}

fn ask(states: &mut [State; 2], now: Instant) -> Leave {
    let outages = states.iter_mut().filter_map(|state| state.outage.as_mut());
    let mut outages: Vec<&mut Outage> = outages.collect();
    let wait = outages.iter().map(|outage| outage.wait(now)).max();
    match wait {
        None => Leave::Go,
        Some(wait) if wait.is_zero() => {
            for outage in &mut outages {
                outage.probing = true;
            }
            Leave::Probe
        }
        Some(wait) => Leave::Wait(wait),
    }
}

/// Whether outages are made of such failures.
pub fn is_sign(failure: &Failure) -> bool {
    matches!(failure.class, Class::Network | Class::ServerError | Class::OutcomeUnknown)
}

#[derive(Debug)]
struct State {
    most: Duration,
    has_been_good: bool,
    bad_rows: HashSet<u32>,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    gap: Duration,
    next_probe: Instant,
    probing: bool,
}

impl Outage {
    /// How long until a probe may go.
    fn wait(&self, now: Instant) -> Duration {
        if self.probing { LONGEST_GAP } else { self.next_probe.saturating_duration_since(now) }
    }
}

impl State {
    fn new(most: Duration) -> Self {
        Self { most, has_been_good: false, bad_rows: HashSet::new(), outage: None }
    }

    /// A probe ends, whatever came of it.
    fn release(&mut self, now: Instant) {
        if let Some(outage) = &mut self.outage
            && std::mem::take(&mut outage.probing)
        {
            outage.next_probe = now + outage.gap;
        }
    }

    fn good(&mut self, now: Instant) -> Option<Duration> {
        self.has_been_good = true;
        self.bad_rows.clear();
        self.outage.take().map(|outage| now.saturating_duration_since(outage.since))
    }

    fn bad(&mut self, row: u32, now: Instant) -> News {
        let Some(outage) = &mut self.outage else { return self.bad_in_order(row, now) };
        if now.saturating_duration_since(outage.since) >= self.most {
            return News::TooLong;
        }
        if !std::mem::take(&mut outage.probing) {
            // It was sent before the outage was known, and tells nothing new.
            return News::None;
        }
        outage.gap = (outage.gap * 2).min(LONGEST_GAP);
        outage.next_probe = now + outage.gap;
        News::GoesOn(outage.gap)
    }

    fn bad_in_order(&mut self, row: u32, now: Instant) -> News {
        self.bad_rows.insert(row);
        let enough = if self.has_been_good { IN_A_ROW } else { IN_A_ROW_AT_FIRST };
        if self.bad_rows.len() < enough {
            return News::None;
        }
        self.outage = Some(Outage {
            since: now,
            gap: FIRST_GAP,
            next_probe: now + FIRST_GAP,
            probing: false,
        });
        News::Began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(600);

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn an_outage_is_one_of_many_installations_not_of_one() {
        let (mut state, now) = (State::new(MOST), Instant::now());
        state.good(now);
        for _ in 0..100 {
            assert_eq!(state.bad(1, now), News::None, "one installation alone");
        }
        for row in 2..5 {
            assert_eq!(state.bad(row, now), News::None);
        }
        assert_eq!(state.bad(5, now), News::Began);
    }

    #[test]
    fn a_good_answer_in_between_begins_the_count_anew() {
        let (mut state, now) = (State::new(MOST), Instant::now());
        for round in 0..10 {
            state.good(now);
            for row in 0..4 {
                assert_eq!(state.bad(round * 10 + row, now), News::None);
            }
        }
    }

    #[test]
    fn one_probe_at_a_time_at_growing_gaps_up_to_a_bound() {
        let begin = Instant::now();
        let mut states = [State::new(MOST), State::new(MOST)];
        states[0].bad(1, begin);
        assert_eq!(states[0].bad(2, begin), News::Began);
        let mut now = begin;
        let mut gaps = Vec::new();
        for _ in 0..8 {
            let Leave::Wait(wait) = ask(&mut states, now) else {
                panic!("nobody goes before the gap")
            };
            now += wait;
            assert_eq!(ask(&mut states, now), Leave::Probe);
            assert_eq!(ask(&mut states, now), Leave::Wait(LONGEST_GAP), "nobody beside it");
            let News::GoesOn(gap) = states[0].bad(9, now) else { panic!("the outage goes on") };
            states[0].release(now);
            gaps.push(gap.as_secs());
        }
        assert_eq!(gaps, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(states[0].good(after(begin, 300)), Some(Duration::from_secs(300)));
        assert_eq!(ask(&mut states, now), Leave::Go, "everybody goes on");
    }

    #[test]
    fn a_probe_that_tells_nothing_leaves_the_way_to_the_next() {
        let begin = Instant::now();
        let mut states = [State::new(MOST), State::new(MOST)];
        states[1].bad(1, begin);
        states[1].bad(2, begin);
        assert_eq!(ask(&mut states, after(begin, 1)), Leave::Probe);
        states[1].release(after(begin, 2));
        assert_eq!(ask(&mut states, after(begin, 3)), Leave::Probe);
    }

    #[test]
    fn an_outage_that_lasts_too_long_is_told() {
        let (mut state, begin) = (State::new(Duration::from_secs(10)), Instant::now());
        state.bad(1, begin);
        state.bad(2, begin);
        state.outage.as_mut().unwrap().probing = true;
        assert!(matches!(state.bad(2, after(begin, 2)), News::GoesOn(_)));
        assert_eq!(state.bad(2, after(begin, 11)), News::TooLong);
    }
}
