//! When a request may start: one pacer for all of them, two lanes, holds.
//!
//! governor's rate limiter (GCRA) keeps starts apart, so that nothing is made up for after a stall.
//! It serves waiters in no particular order, knows no holds, cannot change its rate and forgets with
//! the process. So five things stand beside it: lanes, since a code in hand goes before a new one;
//! places, since a new code is asked for only when its exchange can follow; an exact
//! [`window::Window`] over the starts, those of the last run included; a
//! [`adaptive_rate::AdaptiveRate`] that slows down when the server says so and climbs back; and holds.
//! What the server says to one installation is told from what it says to all in [`refusals`] and
//! [`shared_limits`].

pub mod adaptive_rate;
pub mod clearance;
pub mod latency;
pub mod limiter;
pub mod memory;
pub mod memory_writer;
pub mod rate;
mod refusals;
pub mod shared_limits;
pub mod window;

use std::{
    collections::VecDeque,
    fmt, io,
    num::NonZeroU32,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub use self::{
    clearance::{Clearance, Readying},
    limiter::{Effect, Hold},
    rate::{AskedRate, NotARate, Rate},
    refusals::Who,
};
use self::{
    limiter::{Limiter, TurnId},
    memory::{Memory, Promise, Remembered},
    memory_writer::{Kept, MemoryWriter},
};
use crate::highlevel::{allowance::Allowance, client::MayLeave};

/// How fast requests may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// What was asked for.
    pub asked: AskedRate,
    /// The bound when the rate is to be found out.
    pub max: Rate,
    /// So many starts may come at once after a quiet time; the bound over any window stays.
    pub burst: NonZeroU32,
}

impl Pacing {
    /// The bound that no window ever exceeds.
    pub fn bound(&self) -> Rate {
        match self.asked {
            AskedRate::Fixed(rate) => rate,
            AskedRate::Auto => self.max,
        }
    }
}

impl fmt::Display for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asked {
            AskedRate::Fixed(rate) => write!(f, "{rate}")?,
            AskedRate::Auto => write!(f, "auto (at most {})", self.max)?,
        }
        match self.burst.get() {
            1 => Ok(()),
            burst => write!(f, " in bursts of {burst}"),
        }
    }
}

/// Which requests go before which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Presenting a code: always first, since the code is dying.
    Exchange,
    /// Asking for a code.
    Reconnect,
    /// Any other call: none has to follow it. It waits in one line with those for codes.
    Other,
}

/// What an answer means for the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// An answer that is neither of the others.
    Clean,
    /// The same, of an endpoint with limits of its own: it says nothing of those of the others.
    Aside,
    /// No answer, or one that says that the server fails.
    Failing,
    /// "Too many", with the wait that the server asked for, if it did.
    Throttled(Option<Duration>),
}

/// An answer, or its absence, as far as the pace is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The installation that it is about.
    pub who: Who,
    /// The lane in which the request went.
    pub lane: Lane,
    /// When it was sent.
    pub sent: Instant,
    /// What it means.
    pub outcome: AnswerOutcome,
    /// What its headers say about limits.
    pub allowance: Allowance,
}

/// What lies before the requests that are still to come.
#[derive(Clone, Copy, Debug)]
pub struct Outlook {
    /// Time between two starts at the present pace.
    pub interval: Duration,
    /// How much longer everything is held.
    pub held: Duration,
}

/// Between two savings of the memory.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);

/// How long nothing more has to be saved for requests to go on: the memory may be that slow.
const PROMISED_FOR: Duration = Duration::from_secs(5);

/// Between two looks while nothing may start for want of a promise, and how many there are before the
/// memory is given up. Looks are counted and not time, which passes while the process is stopped.
const LOOK_FOR_PROMISE: Duration = Duration::from_millis(50);
const LOOKS_FOR_PROMISE: u32 = 40;

/// Hands out request starts. Cheap to clone; the thread behind it ends with the last clone.
///
/// It is a thread and no task, since the runtime's timers are exact to a millisecond only, which at
/// 40 starts a second would make every twentieth of them late.
#[derive(Clone, Debug)]
pub struct Pacer {
    queue_handle: Arc<SharedQueue>,
    _open: Arc<Opening>,
}

/// Tells that the pacer's thread has ended, having remembered the last starts.
pub type PacerEnded = oneshot::Receiver<()>;

/// A turn: leave for one request. The start is booked when the request's first byte leaves, whenever
/// that is; a turn that is dropped before is given back.
#[derive(Debug)]
pub struct Turn {
    id: TurnId,
    queue_handle: Arc<SharedQueue>,
    state: TurnState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TurnState {
    Open,
    Used,
}

impl Turn {
    /// The first byte of the request leaves now, unless it must not: the process may have been stopped
    /// so long that the next run counts on nothing leaving any more.
    pub fn leave(mut self, now: Instant) -> MayLeave {
        let left = self.queue_handle.change(|queue| {
            let may_leave = queue.may_start(now);
            if may_leave {
                queue.limiter.leave(self.id, now);
            }
            may_leave
        });
        if !left {
            return MayLeave::No;
        }
        self.state = TurnState::Used;
        MayLeave::Yes
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.state == TurnState::Open {
            self.queue_handle.change(|queue| queue.limiter.give_back(self.id));
        }
    }
}

/// Leave to make a request ready before its turn. Others may when this is dropped.
#[derive(Debug)]
pub struct Preparation {
    queue_handle: Arc<SharedQueue>,
    since: Instant,
}

impl Drop for Preparation {
    fn drop(&mut self) {
        self.queue_handle.change(|queue| queue.limiter.fall_back());
    }
}

/// A place that is kept for the exchange of a code. It is free again when this is dropped.
#[derive(Debug)]
pub struct Reservation(Arc<SharedQueue>);

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.change(|queue| queue.limiter.free_place());
    }
}

/// The pacer is open as long as this lives.
#[derive(Debug)]
struct Opening(Arc<SharedQueue>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.lock().is_open = false;
        self.0.changed.notify_all();
    }
}

/// Where turns are asked for and given.
#[derive(Debug)]
struct SharedQueue {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug)]
struct Queue {
    limiter: Limiter,
    exchanges: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    preparing: VecDeque<oneshot::Sender<Instant>>,
    promised: Promised,
    saving: Saving,
    is_open: bool,
}

type Waiting = (Lane, oneshot::Sender<TurnId>);

/// Until when requests may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promised {
    /// There is no memory: nothing is promised to the next run.
    Nothing,
    /// Nothing leaves after this moment.
    Until(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saving {
    None,
    UnderWay,
}

/// Where in a line somebody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    First,
    Last,
}

impl Pacer {
    /// Starts the pacer's thread, which ends after the last handle is dropped.
    pub fn start(pacing: Pacing, memory: Option<Memory>) -> io::Result<(Self, PacerEnded)> {
        Self::start_after(Vec::new(), pacing, memory)
    }

    /// The same after the starts that another pacer of this run has given, which count too.
    pub fn start_after(
        mut earlier: Vec<Instant>,
        pacing: Pacing,
        memory: Option<Memory>,
    ) -> io::Result<(Self, PacerEnded)> {
        earlier.extend(earlier_starts(memory.as_ref(), pacing.bound()));
        earlier.sort_unstable();
        let promised = match memory {
            // The promise is to be kept first.
            Some(_) => Promised::Until(Instant::now()),
            None => Promised::Nothing,
        };
        let queue = Queue {
            limiter: Limiter::new(pacing, earlier.into_iter()),
            exchanges: VecDeque::new(),
            others: VecDeque::new(),
            preparing: VecDeque::new(),
            promised,
            saving: Saving::None,
            is_open: true,
        };
        let queue_handle =
            Arc::new(SharedQueue { queue: Mutex::new(queue), changed: Condvar::new() });
        let (end, ended) = oneshot::channel();
        // Nobody has to wait for it.
        let end = move || {
            let _ = end.send(());
        };
        let memory_writer = match memory {
            None => None,
            Some(memory) => {
                let told = queue_handle.clone();
                let tell = move |kept| told.change(|queue| queue.kept(kept));
                Some(MemoryWriter::start(memory, tell, end)?)
            }
        };
        let thread = PacerThread {
            queue_handle: queue_handle.clone(),
            memory_writer,
            saved_at: None,
            looks: 0,
        };
        thread::Builder::new().name("pacer".into()).spawn(move || thread.run())?;
        let open = Arc::new(Opening(queue_handle.clone()));
        Ok((Self { queue_handle, _open: open }, ended))
    }

    /// Returns when a request is to be made ready: its connection, and what has to be on disk before it.
    /// No more of them than will have their turns soon.
    pub async fn preparation(&self) -> Preparation {
        let come = self.queue_handle.change(Queue::ask_to_prepare);
        let ticket = PreparationTicket { queue_handle: &self.queue_handle, come };
        ticket.come().await
    }

    /// Returns when a code may be asked for, with the place of its exchange.
    async fn turn_to_reconnect(&self, line: Line) -> (Turn, Reservation) {
        let turn = self.turn(Lane::Reconnect, line).await;
        (turn, Reservation(self.queue_handle.clone()))
    }

    /// Returns when a request may start.
    async fn turn(&self, lane: Lane, reservation: Line) -> Turn {
        let asked = self.queue_handle.lock().ask(lane, reservation);
        let id = match asked {
            Ok(id) => id,
            Err(turn) => {
                self.queue_handle.changed.notify_all();
                Ticket { lane, queue_handle: &self.queue_handle, turn }.come().await
            }
        };
        Turn { id, queue_handle: self.queue_handle.clone(), state: TurnState::Open }
    }

    /// Lets an answer change the pace.
    pub fn observe(&self, answer: &Answer) -> Effect {
        self.queue_handle.change(|queue| queue.limiter.observe(answer, Instant::now()))
    }

    /// A code came that lives so long.
    pub fn code_lives(&self, life: Duration) {
        self.queue_handle.lock().limiter.code_lives(life);
    }

    /// The disk took so long for something; it may take as long before a code can be presented.
    pub fn disk_took(&self, time: Duration) {
        self.queue_handle.lock().limiter.code_readied_in(time);
    }

    /// Whether codes die before they can be presented, as things go lately.
    pub fn codes_come_too_late(&self) -> bool {
        self.queue_handle.lock().limiter.codes_come_too_late()
    }

    /// How long every answer has been "too many".
    pub fn throttled_for(&self) -> Duration {
        self.queue_handle.lock().limiter.throttled_for(Instant::now())
    }

    /// Codes that were asked for, or have come, and are not presented yet.
    pub fn codes_to_come(&self) -> u32 {
        self.queue_handle.lock().limiter.codes_to_come()
    }

    /// The last starts, oldest first.
    pub fn starts(&self) -> Vec<Instant> {
        self.queue_handle.lock().limiter.remembered()
    }

    /// What lies before the requests that are still to come.
    pub fn outlook(&self) -> Outlook {
        let queue = self.queue_handle.lock();
        Outlook { interval: queue.limiter.interval(), held: queue.limiter.held(Instant::now()) }
    }
}

fn earlier_starts(memory: Option<&Memory>, bound: Rate) -> Vec<Instant> {
    match (memory, bound) {
        (Some(memory), Rate::Limited { starts, window }) => memory.recall(window * 2, starts.get()),
        _ => Vec::new(),
    }
}

/// A turn that was asked for and has not come. Whoever stops waiting gives back what came too late.
struct Ticket<'a> {
    lane: Lane,
    queue_handle: &'a SharedQueue,
    turn: oneshot::Receiver<TurnId>,
}

impl Ticket<'_> {
    async fn come(mut self) -> TurnId {
        match (&mut self.turn).await {
            Ok(turn) => turn,
            // The thread outlives every handle; were it gone, nothing may start unpaced.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.turn.close();
        if let Ok(turn) = self.turn.try_recv() {
            self.queue_handle.change(|queue| queue.give_back(self.lane, turn));
        }
    }
}

/// Leave that was asked for and has not come. Whoever stops waiting gives back what came too late.
struct PreparationTicket<'a> {
    queue_handle: &'a Arc<SharedQueue>,
    come: oneshot::Receiver<Instant>,
}

impl PreparationTicket<'_> {
    async fn come(mut self) -> Preparation {
        match (&mut self.come).await {
            Ok(since) => Preparation { queue_handle: self.queue_handle.clone(), since },
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for PreparationTicket<'_> {
    fn drop(&mut self) {
        self.come.close();
        if self.come.try_recv().is_ok() {
            self.queue_handle.change(|queue| queue.limiter.fall_back());
        }
    }
}

impl SharedQueue {
    /// Changes something that somebody in line may be waiting for.
    fn change<T>(&self, act: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.lock();
        let result = act(&mut queue);
        if !(queue.is_empty() && queue.preparing.is_empty()) {
            self.changed.notify_all();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Takes a turn at once when nobody waits and nothing is in the way, or gets in line.
    fn ask(&mut self, lane: Lane, reservation: Line) -> Result<TurnId, oneshot::Receiver<TurnId>> {
        let now = Instant::now();
        if self.is_empty()
            && self.may_start(now)
            && let Ok(turn) = self.limiter.try_start(lane, now)
        {
            return Ok(turn);
        }
        let (turn, come) = oneshot::channel();
        match reservation {
            Line::First => self.line(lane).push_front((lane, turn)),
            Line::Last => self.line(lane).push_back((lane, turn)),
        }
        Err(come)
    }

    fn ask_to_prepare(&mut self) -> oneshot::Receiver<Instant> {
        let (leave, come) = oneshot::channel();
        self.preparing.push_back(leave);
        self.let_prepare();
        come
    }

    /// Lets as many make their requests ready as will have their turns soon.
    fn let_prepare(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.preparing.front() {
            if first.is_closed() {
                self.preparing.pop_front();
                continue;
            }
            if !self.limiter.may_go_ahead(now) {
                return;
            }
            if let Some(leave) = self.preparing.pop_front() {
                self.limiter.go_ahead();
                if leave.send(now).is_err() {
                    self.limiter.fall_back();
                }
            }
        }
    }

    fn give_back(&mut self, lane: Lane, turn: TurnId) {
        self.limiter.give_back(turn);
        if lane == Lane::Reconnect {
            self.limiter.free_place();
        }
    }

    fn may_start(&self, now: Instant) -> bool {
        match self.promised {
            Promised::Nothing => true,
            Promised::Until(until) => now < until,
        }
    }

    /// A saving of the memory has ended.
    fn kept(&mut self, kept: Kept) {
        self.saving = Saving::None;
        self.promised = match (kept, self.promised) {
            (Kept::With(Some(Promise { until, .. })), Promised::Until(_)) => Promised::Until(until),
            (Kept::Not, _) => Promised::Nothing,
            (_, promised) => promised,
        };
    }

    fn remembered(&self, promise: Option<Promise>) -> Remembered {
        Remembered { starts: self.limiter.remembered(), promise, day: self.limiter.day() }
    }

    fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.others.is_empty()
    }

    fn line(&mut self, lane: Lane) -> &mut VecDeque<Waiting> {
        match lane {
            Lane::Exchange => &mut self.exchanges,
            Lane::Reconnect | Lane::Other => &mut self.others,
        }
    }

    /// Whose turn it is: exchanges first. Whoever stopped waiting is passed over.
    fn first_lane(&mut self) -> Option<Lane> {
        [&mut self.exchanges, &mut self.others].into_iter().find_map(|line| {
            while line.front().is_some_and(|(_, turn)| turn.is_closed()) {
                line.pop_front();
            }
            line.front().map(|(lane, _)| *lane)
        })
    }

    /// Gives the first in line a turn, or says how long until that may be; `None` is until something
    /// changes.
    fn serve(&mut self) -> Result<(), Option<Duration>> {
        self.let_prepare();
        let soon = (!self.preparing.is_empty()).then_some(LOOK_FOR_PROMISE);
        let lane = self.first_lane().ok_or(soon)?;
        let now = Instant::now();
        if !self.may_start(now) {
            return Err(Some(LOOK_FOR_PROMISE));
        }
        let turn = self.limiter.try_start(lane, now);
        let turn = turn.map_err(|wait| Some(soon.map_or(wait, |soon| soon.min(wait))))?;
        let first = self.line(lane).pop_front();
        let is_taken = first.is_some_and(|(_, first)| first.send(turn).is_ok());
        if !is_taken {
            self.give_back(lane, turn);
        }
        Ok(())
    }
}

/// The pacer's thread: gives one turn after the other to whoever goes first at that moment.
struct PacerThread {
    queue_handle: Arc<SharedQueue>,
    memory_writer: Option<MemoryWriter>,
    saved_at: Option<Instant>,
    looks: u32,
}

impl PacerThread {
    fn run(mut self) {
        let queue_handle = self.queue_handle.clone();
        let mut queue = queue_handle.lock();
        while queue.is_open {
            self.save(&mut queue);
            queue = match queue.serve() {
                Ok(()) => queue,
                Err(wait) => {
                    let wait = wait.unwrap_or(REMEMBER_EVERY).min(REMEMBER_EVERY);
                    let woken = queue_handle.changed.wait_timeout(queue, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let last = queue.remembered(None);
        drop(queue);
        if let Some(memory_writer) = &self.memory_writer {
            memory_writer.keep_last(last);
        }
    }

    /// Renews the promise in time. A memory that does not take it is given up: nothing depends on it.
    fn save(&mut self, queue: &mut Queue) {
        let Some(memory_writer) = &self.memory_writer else { return };
        let now = Instant::now();
        let is_overdue = !queue.may_start(now);
        if queue.saving == Saving::UnderWay {
            self.looks = if is_overdue { self.looks + 1 } else { 0 };
            if self.looks > LOOKS_FOR_PROMISE {
                queue.promised = Promised::Nothing;
            }
            return;
        }
        let is_due = self.saved_at.is_none_or(|at| now.duration_since(at) >= REMEMBER_EVERY);
        if is_due || is_overdue {
            let at_most = queue.limiter.at_most_within(PROMISED_FOR);
            let promise = Promise { until: now + PROMISED_FOR, at_most };
            if memory_writer.keep(queue.remembered(Some(promise))) {
                queue.saving = Saving::UnderWay;
            }
            (self.saved_at, self.looks) = (Some(now), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(rate: &str) -> Pacing {
        Pacing { asked: rate.parse().unwrap(), max: Rate::Unlimited, burst: NonZeroU32::MIN }
    }

    #[tokio::test]
    async fn a_waiting_exchange_goes_before_a_waiting_reconnect() {
        let (pacer, _ended) = Pacer::start(pacing("50/s"), None).unwrap();
        let go = |turn: Turn| assert_eq!(turn.leave(Instant::now()), MayLeave::Yes);
        let (first, _place) = pacer.turn_to_reconnect(Line::Last).await;
        go(first);
        let order = Mutex::new(Vec::new());
        let reconnect = || async {
            let (turn, reservation) = pacer.turn_to_reconnect(Line::Last).await;
            order.lock().unwrap().push(Lane::Reconnect);
            go(turn);
            reservation
        };
        let exchange = || async {
            go(pacer.turn(Lane::Exchange, Line::Last).await);
            order.lock().unwrap().push(Lane::Exchange);
        };
        let _places = futures::join!(reconnect(), reconnect(), exchange(), exchange());
        let order = order.into_inner().unwrap();
        assert_eq!(order[..2], [Lane::Exchange; 2], "{order:?}");
    }

    #[tokio::test]
    async fn nothing_starts_during_a_hold() {
        let (pacer, _ended) = Pacer::start(pacing("unlimited"), None).unwrap();
        let start = Instant::now();
        let observe = |outcome| {
            let (who, lane, allowance) = (None, Lane::Exchange, Allowance::default());
            pacer.observe(&Answer { who, lane, sent: Instant::now(), outcome, allowance })
        };
        let ms = Duration::from_millis;
        observe(AnswerOutcome::Throttled(Some(ms(60))));
        observe(AnswerOutcome::Throttled(Some(ms(5))));
        observe(AnswerOutcome::Clean);
        pacer.turn(Lane::Exchange, Line::Last).await;
        assert!(start.elapsed() >= ms(60));
    }

    #[tokio::test]
    async fn a_turn_that_is_given_back_is_free_again_and_one_on_its_route_holds_the_next_up() {
        let (pacer, _ended) = Pacer::start(pacing("1/h"), None).unwrap();
        for _ in 0..3 {
            drop(pacer.turn(Lane::Other, Line::Last).await);
            // The spacing was spent all the same, so that a burst is what the bound allows.
            pacer.queue_handle.lock().limiter = Limiter::new(pacing("1/h"), std::iter::empty());
        }
        let first = pacer.turn(Lane::Other, Line::Last).await;
        let second = pacer.turn(Lane::Other, Line::Last);
        let waited = tokio::time::timeout(Duration::from_millis(20), second).await;
        assert!(waited.is_err(), "the first may leave at any moment");
        assert_eq!(first.leave(Instant::now()), MayLeave::Yes);
    }

    #[tokio::test]
    async fn nothing_leaves_after_the_promise() {
        let (pacer, _ended) = Pacer::start(pacing("unlimited"), None).unwrap();
        let turn = pacer.turn(Lane::Other, Line::Last).await;
        let now = Instant::now();
        pacer.queue_handle.lock().promised = Promised::Until(now);
        assert_eq!(turn.leave(now), MayLeave::No);
        let next = pacer.turn(Lane::Other, Line::Last);
        assert!(tokio::time::timeout(Duration::from_millis(20), next).await.is_err());
        let until = Instant::now() + Duration::from_secs(60);
        let promise = Some(Promise { until, at_most: 1 });
        pacer.queue_handle.change(|queue| queue.kept(Kept::With(promise)));
        assert_eq!(pacer.turn(Lane::Other, Line::Last).await.leave(now), MayLeave::Yes);
    }

    #[tokio::test]
    async fn few_requests_are_made_ready_before_their_turns() {
        let (pacer, _ended) = Pacer::start(pacing("10/s"), None).unwrap();
        let ready = async |count: usize| {
            let mut all = Vec::new();
            let prepare = async {
                for _ in 0..count {
                    all.push(pacer.preparation().await);
                }
            };
            let _ = tokio::time::timeout(Duration::from_millis(30), prepare).await;
            all.len()
        };
        assert_eq!(ready(50).await, 2, "nothing is known to take long");
        pacer.queue_handle.change(|queue| queue.limiter.readied_in(Duration::from_secs(2)));
        assert!((28..=31).contains(&ready(50).await), "three seconds at ten a second");
    }
}
