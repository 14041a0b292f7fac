//! The shared state of a batch: who may start, and what a failure means for the others. The decisions
//! are made by [`super::slots`], [`super::outage`], [`super::breaker`] and [`super::canary`]; here are
//! the lock around them and the waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot};

use super::{
    breaker::{self, Breaker, BreakerVerdict, Evidence},
    canary::Canary,
    gauge::{Gauge, InFlight},
    outage::{Blame, Change, Outages, is_sign},
    slots::{Draw, Slots, Untried, Urgency},
};
use crate::{
    failure::{Failure, Origin, Stage},
    route::Route,
};

/// Shared by the batch and every installation in it.
#[derive(Debug)]
pub struct Dispatcher {
    state: Mutex<DispatcherState>,
    changed: Notify,
    /// Wakes the installations that wait to be alone on a route.
    route_free: Notify,
    gauge: Gauge,
}

#[derive(Debug)]
struct DispatcherState {
    slots: Slots,
    outages: Outages,
    breaker: Breaker,
    canary: Canary,
    /// Installations that have begun and not ended.
    begun: usize,
    /// When each of them sent its last request.
    sent: HashMap<u32, Instant>,
    waiting: HashMap<u32, oneshot::Sender<()>>,
    undecided: HashMap<u32, (Stage, oneshot::Sender<Blame>)>,
}

/// A slot among those in flight, given back on drop.
#[derive(Debug)]
pub struct Slot {
    row: u32,
    dispatcher: Arc<Dispatcher>,
    _in_flight: InFlight,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.dispatcher.lock();
        let now = Instant::now();
        state.slots.give_back(self.row, now);
        state.outages.leave(self.row, now);
        drop(state);
        self.dispatcher.changed.notify_one();
    }
}

/// An installation that has begun; it ends on drop.
#[derive(Debug)]
pub struct Begun {
    row: u32,
    dispatcher: Arc<Dispatcher>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut state = self.dispatcher.lock();
        state.begun -= 1;
        state.sent.remove(&self.row);
        state.slots.forget(self.row);
        state.outages.forget(self.row);
        drop(state);
        self.dispatcher.gauge.done();
        self.dispatcher.changed.notify_one();
    }
}

/// An attempt on a route; it ends on drop.
#[derive(Debug)]
pub struct RoutePermit {
    route: Route,
    row: u32,
    dispatcher: Arc<Dispatcher>,
}

impl Drop for RoutePermit {
    fn drop(&mut self) {
        if self.dispatcher.lock().canary.leave(self.route, self.row) {
            self.dispatcher.route_free.notify_waiters();
        }
    }
}

/// What the batch does next.
#[derive(Debug)]
pub enum NextStart {
    /// An untried installation starts.
    Untried(Source),
    /// Nothing starts before something changes, or before this time.
    Wait(Option<Instant>),
    /// An outage is over, since no installation is left that could probe it. Says how long it lasted.
    OutageOver(Duration),
}

/// Where an untried installation is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The next one of the list.
    List,
    /// Anywhere in the list.
    Sample,
}

impl Dispatcher {
    /// Allows this many installations in flight.
    pub fn new(
        concurrency: usize,
        outages: Outages,
        breaker: Breaker,
        canary: Canary,
        gauge: Gauge,
    ) -> Self {
        let state = DispatcherState {
            slots: Slots::new(concurrency),
            outages,
            breaker,
            canary,
            begun: 0,
            sent: HashMap::new(),
            waiting: HashMap::new(),
            undecided: HashMap::new(),
        };
        let (state, changed, route_free) = (Mutex::new(state), Notify::new(), Notify::new());
        Self { state, changed, route_free, gauge }
    }

    /// Gives slots to those whose turn it is, up to the next untried one.
    pub fn next(&self, untried: Untried) -> NextStart {
        let mut guard = self.lock();
        loop {
            let now = Instant::now();
            let state = &mut *guard;
            let waiting = state.begun.saturating_sub(state.slots.held());
            let wants_random_sample = state.breaker.wants_random_sample();
            match state.slots.draw(&state.outages, &state.canary, waiting, untried, now) {
                Draw::Next if wants_random_sample && untried.elsewhere => {
                    return NextStart::Untried(Source::Sample);
                }
                Draw::Next => return NextStart::Untried(Source::List),
                Draw::Elsewhere => return NextStart::Untried(Source::Sample),
                Draw::Again(row) => state.let_go(row),
                Draw::Wait(until) => return NextStart::Wait(until),
                Draw::NoneLeft => {
                    let change = state.outages.none_left(now);
                    state.settle();
                    if let Change::Ended(lasted) = change {
                        return NextStart::OutageOver(lasted);
                    }
                }
            }
        }
    }

    /// Waits until [`Dispatcher::next`] may answer differently.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// An untried installation begins, with a slot.
    pub fn begin(self: &Arc<Self>, row: u32) -> (Begun, Slot) {
        self.lock().begun += 1;
        let begun = Begun { row, dispatcher: self.clone() };
        (begun, self.slot(row, Probing::IfThereIsAnOutage))
    }

    fn slot(self: &Arc<Self>, row: u32, probing: Probing) -> Slot {
        let mut state = self.lock();
        state.slots.take(row, Instant::now());
        if probing == Probing::IfThereIsAnOutage {
            state.outages.probe(row);
        }
        Slot { row, dispatcher: self.clone(), _in_flight: self.gauge.begin() }
    }

    /// Waits for a slot for another attempt.
    pub async fn slot_again(self: &Arc<Self>, row: u32, urgency: Urgency) -> Slot {
        let (turn, given) = oneshot::channel();
        {
            let mut state = self.lock();
            state.waiting.insert(row, turn);
            state.slots.wait(row, urgency);
        }
        self.changed.notify_one();
        let mut waiting = WaitingForSlot { row, dispatcher: self, was_given: false };
        if given.await.is_ok() {
            waiting.was_given = true;
            return self.slot(row, Probing::Decided);
        }
        std::future::pending().await
    }

    /// Waits until an installation may make an attempt on a route: at once on a proven route, else when
    /// no other installation is on it.
    pub async fn wait_for_route(self: &Arc<Self>, route: Route, row: u32) -> RoutePermit {
        loop {
            // Created before the check, so that no wake-up in between is missed.
            let free = self.route_free.notified();
            if self.lock().canary.enter(route, row) {
                return RoutePermit { route, row, dispatcher: self.clone() };
            }
            free.await;
        }
    }

    /// Whether an answer has shown that a route exists.
    pub fn is_proven(&self, route: Route) -> bool {
        self.lock().canary.is_proven(route)
    }

    /// An answer has shown that a route exists.
    pub fn prove(&self, route: Route) {
        self.lock().canary.prove(route);
    }

    /// An installation sends a request of this stage, or none (`None`).
    pub fn sends(&self, row: u32, at: Option<Stage>) {
        let (mut state, now) = (self.lock(), Instant::now());
        state.slots.sends(row, at, now);
        if at.is_some() {
            state.sent.insert(row, now);
        }
    }

    /// The last request of an installation got an answer that is no sign of an outage.
    pub fn good(&self, at: Stage, row: u32) -> Change {
        let (mut state, now) = (self.lock(), Instant::now());
        let sent = state.sent.get(&row).copied().unwrap_or(now);
        state.slots.answered(at, sent);
        let change = state.outages.good(at, row, sent, now);
        state.settle();
        drop(state);
        self.changed.notify_one();
        change
    }

    /// The last request of an installation failed in a way that is a sign of an outage.
    pub fn bad(&self, failure: &Failure, row: u32) -> Change {
        let (mut state, now) = (self.lock(), Instant::now());
        let sent = state.sent.get(&row).copied().unwrap_or(now);
        let change = state.outages.bad(failure, row, sent, now);
        state.settle();
        drop(state);
        self.changed.notify_one();
        change
    }

    /// Waits until it is known whether a failure is the installation's own or an outage's.
    pub async fn blame(&self, at: Stage, row: u32) -> Blame {
        let decided = {
            let mut state = self.lock();
            match state.outages.blame(at, row) {
                Blame::Undecided => {}
                known => return known,
            }
            let (record, decided) = oneshot::channel();
            state.undecided.insert(row, (at, record));
            decided
        };
        self.changed.notify_one();
        decided.await.unwrap_or(Blame::Own)
    }

    /// Whether an installation has failed while others succeeded.
    fn evidence(state: &DispatcherState, row: u32) -> Evidence {
        if state.outages.is_suspect(row) { Evidence::Suspect } else { Evidence::Fresh }
    }

    /// A route has failed for an installation. Returns whether that concerns all.
    pub fn route_failed(&self, row: u32, failure: &Failure) -> bool {
        let mut state = self.lock();
        let evidence = Self::evidence(&state, row);
        if breaker::is_about_one(failure) {
            state.canary.open();
        }
        let concerns_all = state.breaker.route_failed(failure, evidence);
        drop(state);
        self.changed.notify_one();
        concerns_all
    }

    /// An installation has failed.
    pub fn failed(&self, failure: &Failure) -> BreakerVerdict {
        self.lock().breaker.failed(failure)
    }

    /// An installation was recovered by a route, or found to be healthy.
    pub fn recovered(&self, by: Option<Route>) -> BreakerVerdict {
        let mut state = self.lock();
        state.canary.open();
        state.breaker.recovered(by)
    }

    /// Whether no connection can be made, and none ever could.
    pub fn is_server_absent(&self, failure: &Failure) -> bool {
        self.lock().outages.is_server_absent(failure)
    }

    /// Whether the canary's failure is one that every other installation would meet: no connection can
    /// be made, or another server answers. Then the canary keeps its slot while it waits.
    pub fn concerns_the_canary(&self, failure: &Failure) -> bool {
        let state = self.lock();
        let is_another = failure.origin == Origin::Elsewhere && !is_sign(failure);
        !state.canary.is_open() && (is_another || state.outages.is_server_absent(failure))
    }

    /// Whether a stage has had an answer that is no sign of an outage.
    pub fn has_been_good(&self, stage: Stage) -> bool {
        self.lock().outages.has_been_good(stage)
    }

    /// Whether an outage is on.
    pub fn is_paused(&self) -> bool {
        self.lock().outages.gives_up_at().is_some()
    }

    /// When the present outage exceeds `--max-outage`.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.lock().outages.gives_up_at()
    }

    fn lock(&self) -> MutexGuard<'_, DispatcherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the installation that gets a slot becomes the probe of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probing {
    IfThereIsAnOutage,
    Decided,
}

impl DispatcherState {
    /// Gives a slot to an installation that waits for one.
    fn let_go(&mut self, row: u32) {
        if self.waiting.remove(&row).is_some_and(|turn| turn.send(()).is_ok()) {
            self.outages.probe(row);
            // Reserved until it takes the slot itself.
            self.slots.take(row, Instant::now());
        }
    }

    /// Wakes the installations whose failures are now decided.
    fn settle(&mut self) {
        if self.undecided.is_empty() {
            return;
        }
        let outages = &mut self.outages;
        let decided: Vec<_> = self
            .undecided
            .iter()
            .map(|(row, (stage, _))| (*row, outages.blame(*stage, *row)))
            .filter(|(_, blame)| *blame != Blame::Undecided)
            .collect();
        for (row, blame) in decided {
            if let Some((_, record)) = self.undecided.remove(&row) {
                // The receiver is gone when its installation is about to end.
                let _ = record.send(blame);
            }
        }
    }
}

/// A wait for a slot. On drop it leaves the queue, and gives back a slot that came too late.
struct WaitingForSlot<'a> {
    row: u32,
    dispatcher: &'a Arc<Dispatcher>,
    was_given: bool,
}

impl Drop for WaitingForSlot<'_> {
    fn drop(&mut self) {
        if self.was_given {
            return;
        }
        let mut state = self.dispatcher.lock();
        if state.waiting.remove(&self.row).is_none() {
            state.slots.give_back(self.row, Instant::now());
            state.outages.leave(self.row, Instant::now());
        }
        state.slots.leave(self.row);
        drop(state);
        self.dispatcher.changed.notify_one();
    }
}
