//! What the installations of a batch share while they work: who may go, whose a failure is, and
//! what it means for the others. The decisions are [`super::slots`]', [`super::outage`]'s and
//! [`super::breaker`]'s; here are the lock around them and the waiting.

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
    /// Wakes those that wait to be alone on a route.
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

/// A place among those in flight, given back when this is dropped.
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

/// An installation that has begun; it has ended when this is dropped.
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

/// An attempt on a route; it has ended when this is dropped.
#[derive(Debug)]
pub struct RouteTurn {
    route: Route,
    row: u32,
    dispatcher: Arc<Dispatcher>,
}

impl Drop for RouteTurn {
    fn drop(&mut self) {
        if self.dispatcher.lock().canary.leave(self.route, self.row) {
            self.dispatcher.route_free.notify_waiters();
        }
    }
}

/// What the batch does next.
#[derive(Debug)]
pub enum NextStart {
    /// An untried installation goes.
    Untried(Source),
    /// Nobody goes before something changes, or before this time.
    Wait(Option<Instant>),
    /// An outage is over, since nobody is left whom it concerns.
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
    /// So many installations may be in flight.
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

    /// Lets those go whose turn it is, up to the next untried one.
    pub fn next(&self, untried: Untried) -> NextStart {
        let mut guard = self.lock();
        loop {
            let now = Instant::now();
            let state = &mut *guard;
            let waiting = state.begun.saturating_sub(state.slots.held());
            let wants_contrast = state.breaker.wants_contrast();
            match state.slots.draw(&state.outages, &state.canary, waiting, untried, now) {
                Draw::Next if wants_contrast && untried.elsewhere => {
                    return NextStart::Untried(Source::Sample);
                }
                Draw::Next => return NextStart::Untried(Source::List),
                Draw::Elsewhere => return NextStart::Untried(Source::Sample),
                Draw::Again(row) => state.let_go(row),
                Draw::Wait(until) => return NextStart::Wait(until),
                Draw::NobodyLeft => {
                    let change = state.outages.nobody_left(now);
                    state.settle();
                    if let Change::Ended(lasted) = change {
                        return NextStart::OutageOver(lasted);
                    }
                }
            }
        }
    }

    /// Returns when who may go has changed, perhaps.
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
        let (turn, come) = oneshot::channel();
        {
            let mut state = self.lock();
            state.waiting.insert(row, turn);
            state.slots.wait(row, urgency);
        }
        self.changed.notify_one();
        let mut waiting = WaitingForSlot { row, dispatcher: self, has_come: false };
        if come.await.is_ok() {
            waiting.has_come = true;
            return self.slot(row, Probing::Decided);
        }
        std::future::pending().await
    }

    /// Returns when an installation may make an attempt on a route: at once on a proven one, else when
    /// nobody else is on it.
    pub async fn turn_on(self: &Arc<Self>, route: Route, row: u32) -> RouteTurn {
        loop {
            // Made before the look, so that no wake-up in between is missed.
            let free = self.route_free.notified();
            if self.lock().canary.enter(route, row) {
                return RouteTurn { route, row, dispatcher: self.clone() };
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

    /// An installation sends a request at this stage, or does something else from now on.
    pub fn sends(&self, row: u32, at: Option<Stage>) {
        let (mut state, now) = (self.lock(), Instant::now());
        state.slots.sends(row, at, now);
        if at.is_some() {
            state.sent.insert(row, now);
        }
    }

    /// An answer to the last request of an installation came that is no sign of an outage.
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

    /// The last request of an installation met a failure that outages are made of.
    pub fn bad(&self, failure: &Failure, row: u32) -> Change {
        let (mut state, now) = (self.lock(), Instant::now());
        let sent = state.sent.get(&row).copied().unwrap_or(now);
        let change = state.outages.bad(failure, row, sent, now);
        state.settle();
        drop(state);
        self.changed.notify_one();
        change
    }

    /// Returns when it is known whose a failure was.
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

    /// Whether an installation has failed while others did well.
    fn evidence(state: &DispatcherState, row: u32) -> Evidence {
        if state.outages.is_suspect(row) { Evidence::Suspect } else { Evidence::Fresh }
    }

    /// A route has failed for an installation. Whether that concerns all.
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

    /// An installation was given up.
    pub fn failed(&self, failure: &Failure) -> BreakerVerdict {
        self.lock().breaker.failed(failure)
    }

    /// An installation was recovered by a route, or found to be healthy.
    pub fn recovered(&self, by: Option<Route>) -> BreakerVerdict {
        let mut state = self.lock();
        state.canary.open();
        state.breaker.recovered(by)
    }

    /// Whether there is no way to the server, and never was one.
    pub fn is_nobody(&self, failure: &Failure) -> bool {
        self.lock().outages.is_nobody(failure)
    }

    /// Whether a failure of the first installation, before anything was proven, is one that another
    /// installation would meet as well: there is no way to the server, or it is another one.
    pub fn concerns_the_canary(&self, failure: &Failure) -> bool {
        let state = self.lock();
        let is_another = failure.origin == Origin::Elsewhere && !is_sign(failure);
        !state.canary.is_open() && (is_another || state.outages.is_nobody(failure))
    }

    /// Whether an answer has come at a stage that is no sign of an outage.
    pub fn has_been_good(&self, stage: Stage) -> bool {
        self.lock().outages.has_been_good(stage)
    }

    /// Whether an outage is on.
    pub fn is_paused(&self) -> bool {
        self.lock().outages.gives_up_at().is_some()
    }

    /// When the outage that is on is given up.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.lock().outages.gives_up_at()
    }

    fn lock(&self) -> MutexGuard<'_, DispatcherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether whoever gets a slot has to be made the probe of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probing {
    IfThereIsAnOutage,
    Decided,
}

impl DispatcherState {
    /// Lets an installation that waits for a slot have one.
    fn let_go(&mut self, row: u32) {
        if self.waiting.remove(&row).is_some_and(|turn| turn.send(()).is_ok()) {
            self.outages.probe(row);
            // Until it takes the slot itself, nobody else must.
            self.slots.take(row, Instant::now());
        }
    }

    /// Tells those who wait for it whose their failures were.
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
                // Whoever stopped waiting is about to end.
                let _ = record.send(blame);
            }
        }
    }
}

/// Whoever stops waiting for a slot leaves the line, and gives back what came too late.
struct WaitingForSlot<'a> {
    row: u32,
    dispatcher: &'a Arc<Dispatcher>,
    has_come: bool,
}

impl Drop for WaitingForSlot<'_> {
    fn drop(&mut self) {
        if self.has_come {
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
