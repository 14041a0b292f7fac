//! When a request may start: one pacer for all of them, two lanes, holds.
//!
//! governor's rate limiter (GCRA) keeps starts apart, so that nothing is made up for after a stall.
//! It serves waiters in no particular order, knows no holds, cannot change its rate and forgets with
//! the process. So five things stand beside it: lanes, since a code in hand goes before a new one;
//! places, since a new code is asked for only when its exchange can follow; an exact
//! [`window::Window`] over the starts, those of the last run included; a
//! [`governance::Governance`] that slows down when the server says so and climbs back; and holds.

pub mod gate;
pub mod governance;
pub mod memory;
pub mod quickness;
pub mod rate;
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

use self::{
    gate::Gate,
    memory::{Day, Memory},
};
pub use self::{
    gate::{Effect, Hold},
    rate::{AskedRate, NotARate, Rate},
};
use crate::highlevel::allowance::Allowance;

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
pub enum Heard {
    /// An answer that is neither of the others.
    Clean,
    /// No answer, or one that says that the server fails.
    Failing,
    /// "Too many", with the wait that the server asked for, if it did.
    Throttled(Option<Duration>),
}

/// An answer, or its absence, as far as the pace is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The lane in which the request went.
    pub lane: Lane,
    /// When it was sent.
    pub sent: Instant,
    /// What it means.
    pub heard: Heard,
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

/// Who wakes up later than this, and later than one interval, takes no start of then: the program
/// was stopped meanwhile, and others may have started since.
const STALE: Duration = Duration::from_millis(25);

/// How often a late start is given back, on a machine that is always late.
const GIVEN_BACK: u32 = 3;

/// Hands out request starts. Cheap to clone; the thread behind it ends with the last clone.
///
/// It is a thread and no task, since the runtime's timers are exact to a millisecond only, which at
/// 40 starts a second would make every twentieth of them late.
#[derive(Clone, Debug)]
pub struct Pacer {
    desk: Arc<Desk>,
    _open: Arc<Opening>,
}

/// Tells that the pacer's thread has ended, having remembered the last starts.
pub type PacerEnded = oneshot::Receiver<()>;

/// A place that is kept for the exchange of a code. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place(Arc<Desk>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.change(Gate::free_place);
    }
}

/// The pacer is open as long as this lives.
#[derive(Debug)]
struct Opening(Arc<Desk>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.lock().is_open = false;
        self.0.changed.notify_all();
    }
}

/// Where turns are asked for and given.
#[derive(Debug)]
struct Desk {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug)]
struct Queue {
    gate: Gate,
    exchanges: VecDeque<Waiting>,
    others: VecDeque<Waiting>,
    is_open: bool,
}

type Waiting = (Lane, oneshot::Sender<Instant>);

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
        let queue = Queue {
            gate: Gate::new(pacing, earlier.into_iter()),
            exchanges: VecDeque::new(),
            others: VecDeque::new(),
            is_open: true,
        };
        let desk = Arc::new(Desk { queue: Mutex::new(queue), changed: Condvar::new() });
        let (end, ended) = oneshot::channel();
        let clerk = Clerk {
            desk: desk.clone(),
            memory,
            remembered_at: Instant::now(),
            remembered: (None, None),
        };
        let work = move || {
            clerk.run();
            // Nobody has to wait for it.
            let _ = end.send(());
        };
        thread::Builder::new().name("pacer".into()).spawn(work)?;
        let open = Arc::new(Opening(desk.clone()));
        Ok((Self { desk, _open: open }, ended))
    }

    /// Returns when a code may be asked for, with the place of its exchange. The start is spent, so
    /// make the request.
    pub async fn turn_to_reconnect(&self) -> Place {
        self.turn(Lane::Reconnect).await;
        Place(self.desk.clone())
    }

    /// Returns when a code may be presented. The start is spent, so make the request.
    pub async fn turn_to_exchange(&self) {
        self.turn(Lane::Exchange).await;
    }

    /// Returns when any other request may start. The start is spent, so make the request.
    pub async fn turn_to_other(&self) {
        self.turn(Lane::Other).await;
    }

    async fn turn(&self, lane: Lane) {
        for _ in 0..GIVEN_BACK {
            if !self.is_late(self.start_in(lane).await) {
                return;
            }
            if lane == Lane::Reconnect {
                self.desk.change(Gate::free_place);
            }
        }
        self.start_in(lane).await;
    }

    async fn start_in(&self, lane: Lane) -> Instant {
        let turn = match self.desk.lock().ask(lane) {
            Ok(start) => return start,
            Err(turn) => turn,
        };
        self.desk.changed.notify_all();
        let turn = Ticket { lane, desk: &self.desk, turn };
        turn.come().await
    }

    fn is_late(&self, start: Instant) -> bool {
        let late = start.elapsed();
        late > STALE && late > self.desk.lock().gate.interval()
    }

    /// Lets an answer change the pace.
    pub fn hear(&self, answer: &Answer) -> Effect {
        self.desk.change(|gate| gate.hear(answer, Instant::now()))
    }

    /// A code came that lives so long.
    pub fn code_lives(&self, life: Duration) {
        self.desk.lock().gate.code_lives(life);
    }

    /// How long every answer has been "too many".
    pub fn throttled_for(&self) -> Duration {
        self.desk.lock().gate.throttled_for(Instant::now())
    }

    /// Codes that were asked for, or have come, and are not presented yet.
    pub fn codes_to_come(&self) -> u32 {
        self.desk.lock().gate.codes_to_come()
    }

    /// The last starts, oldest first.
    pub fn starts(&self) -> Vec<Instant> {
        self.desk.lock().gate.remembered()
    }

    /// What lies before the requests that are still to come.
    pub fn outlook(&self) -> Outlook {
        let queue = self.desk.lock();
        Outlook { interval: queue.gate.interval(), held: queue.gate.held(Instant::now()) }
    }
}

fn earlier_starts(memory: Option<&Memory>, bound: Rate) -> Vec<Instant> {
    match (memory, bound) {
        (Some(memory), Rate::Limited { window, .. }) => memory.recall(window * 2),
        _ => Vec::new(),
    }
}

/// A turn that was asked for and has not come. Whoever stops waiting gives back what came too late.
struct Ticket<'a> {
    lane: Lane,
    desk: &'a Desk,
    turn: oneshot::Receiver<Instant>,
}

impl Ticket<'_> {
    async fn come(mut self) -> Instant {
        match (&mut self.turn).await {
            Ok(start) => start,
            // The thread outlives every handle; were it gone, nothing may start unpaced.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.turn.close();
        if self.turn.try_recv().is_ok() && self.lane == Lane::Reconnect {
            self.desk.change(Gate::free_place);
        }
    }
}

impl Desk {
    /// Changes something that somebody in line may be waiting for.
    fn change<T>(&self, act: impl FnOnce(&mut Gate) -> T) -> T {
        let mut queue = self.lock();
        let result = act(&mut queue.gate);
        if !queue.is_empty() {
            self.changed.notify_all();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Takes a start at once when nobody waits and nothing is in the way, or gets in line.
    fn ask(&mut self, lane: Lane) -> Result<Instant, oneshot::Receiver<Instant>> {
        let now = Instant::now();
        if self.is_empty() && self.gate.try_start(lane, now).is_ok() {
            return Ok(now);
        }
        let (turn, come) = oneshot::channel();
        self.line(lane).push_back((lane, turn));
        Err(come)
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

    /// Gives the first in line a start, or says how long until that may be; `None` is until
    /// something changes.
    fn serve(&mut self) -> Result<(), Option<Duration>> {
        let lane = self.first_lane().ok_or(None)?;
        let now = Instant::now();
        self.gate.try_start(lane, now).map_err(Some)?;
        let turn = self.line(lane).pop_front();
        let is_taken = turn.is_some_and(|(_, turn)| turn.send(now).is_ok());
        if !is_taken && lane == Lane::Reconnect {
            self.gate.free_place();
        }
        Ok(())
    }
}

/// The pacer's thread: gives one start after the other to whoever goes first at that moment.
struct Clerk {
    desk: Arc<Desk>,
    memory: Option<Memory>,
    remembered_at: Instant,
    remembered: (Option<Instant>, Option<Day>),
}

impl Clerk {
    fn run(mut self) {
        let desk = self.desk.clone();
        let mut queue = desk.lock();
        while queue.is_open {
            if self.memory.is_some() && self.remembered_at.elapsed() >= REMEMBER_EVERY {
                let (starts, day) = (queue.gate.remembered(), queue.gate.day());
                drop(queue);
                self.remember(starts, day);
                queue = desk.lock();
            }
            queue = match queue.serve() {
                Ok(()) => queue,
                Err(wait) => {
                    let wait = wait.unwrap_or(REMEMBER_EVERY).min(REMEMBER_EVERY);
                    let woken = desk.changed.wait_timeout(queue, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let (starts, day) = (queue.gate.remembered(), queue.gate.day());
        drop(queue);
        self.remember(starts, day);
    }

    fn remember(&mut self, starts: Vec<Instant>, day: Option<Day>) {
        self.remembered_at = Instant::now();
        let now = (starts.last().copied(), day);
        if now != self.remembered
            && let Some(memory) = &self.memory
        {
            memory.keep(starts.into_iter(), day);
        }
        self.remembered = now;
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
        let _first = pacer.turn_to_reconnect().await;
        let order = Mutex::new(Vec::new());
        let reconnect = || async {
            let place = pacer.turn_to_reconnect().await;
            order.lock().unwrap().push(Lane::Reconnect);
            place
        };
        let exchange = || async {
            pacer.turn_to_exchange().await;
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
        let hear = |heard| {
            let (lane, allowance) = (Lane::Exchange, Allowance::default());
            pacer.hear(&Answer { lane, sent: Instant::now(), heard, allowance })
        };
        let ms = Duration::from_millis;
        hear(Heard::Throttled(Some(ms(60))));
        hear(Heard::Throttled(Some(ms(5))));
        hear(Heard::Clean);
        pacer.turn_to_exchange().await;
        assert!(start.elapsed() >= ms(60));
    }
}
