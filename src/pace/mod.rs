//! When a request may start: one pacer for all of them, two lanes, holds.
//!
//! governor's rate limiter (GCRA) keeps starts apart, so that nothing is made up for after a stall.
//! It serves waiters in no particular order, knows no holds, cannot change its rate and forgets with
//! the process. So four things stand beside it: lanes, since a code in hand goes before a new one; an
//! exact [`window::Window`] over the starts, those of the last run included; a
//! [`governance::Governance`] that slows down when the server says so and climbs back; and holds.

pub mod governance;
pub mod memory;
pub mod rate;
pub mod window;

use std::{
    collections::VecDeque,
    io,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::sync::{mpsc, oneshot};

pub use self::rate::{NotARate, Rate};
use self::{governance::Governance, memory::Memory, window::Window};
use crate::highlevel::allowance::Allowance;

/// Which requests go before which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Presenting a code: always first, since the code is dying.
    Exchange,
    /// Asking for a code.
    Reconnect,
}

/// What an answer means for the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer that is no "too many".
    Clean,
    /// "Too many", with the wait that the server asked for, if it did.
    Throttled(Option<Duration>),
}

/// Between two savings of the memory.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);

/// Hands out request starts. Cheap to clone; the thread behind it ends with the last clone.
///
/// It is a thread and no task, since the runtime's timers are exact to a millisecond only, which at
/// 40 starts a second would make every twentieth of them late.
#[derive(Clone, Debug)]
pub struct Pacer {
    rate: Rate,
    queue: mpsc::Sender<Waiting>,
    brake: Arc<Mutex<Brake>>,
}

/// Tells that the pacer's thread has ended, having remembered the last starts.
pub type PacerEnded = oneshot::Receiver<()>;

type Waiting = (Lane, oneshot::Sender<()>);

/// What holds starts back besides the rate.
#[derive(Debug)]
struct Brake {
    governance: Governance,
    held_until: Option<Instant>,
    starts: VecDeque<Instant>,
}

impl Pacer {
    /// Starts the pacer's thread, which ends after the last handle is dropped.
    pub fn start(rate: Rate, memory: Option<Memory>) -> io::Result<(Self, PacerEnded)> {
        let (queue, arrivals) = mpsc::channel(256);
        let ceiling = match rate {
            Rate::Unlimited => None,
            Rate::Limited { .. } => Some(1.0 / rate.interval().as_secs_f64()),
        };
        let brake = Brake {
            governance: Governance::below(ceiling),
            held_until: None,
            starts: VecDeque::new(),
        };
        let brake = Arc::new(Mutex::new(brake));
        let memory = memory.filter(|_| rate != Rate::Unlimited);
        let dispatcher = Dispatcher {
            gate: Gate::new(rate, memory, brake.clone()),
            arrivals,
            exchanges: VecDeque::new(),
            reconnects: VecDeque::new(),
        };
        let (end, ended) = oneshot::channel();
        let work = move || {
            dispatcher.run();
            // Nobody has to wait for it.
            let _ = end.send(());
        };
        thread::Builder::new().name("pacer".into()).spawn(work)?;
        Ok((Self { rate, queue, brake }, ended))
    }

    /// Returns when a request may start. The start is spent, so make the request.
    pub async fn turn(&self, lane: Lane) {
        if self.rate == Rate::Unlimited && self.lock().start_freely(Instant::now()) {
            return;
        }
        let (turn, come) = oneshot::channel();
        if self.queue.send((lane, turn)).await.is_err() || come.await.is_err() {
            // The thread outlives every handle; were it gone, nothing may start unpaced.
            std::future::pending::<()>().await;
        }
    }

    /// Lets an answer to a request that was sent then change the pace. Returns how long everything
    /// is held, if it is.
    pub fn hear(&self, sent: Instant, heard: Heard, allowance: &Allowance) -> Option<Duration> {
        let mut brake = self.lock();
        let now = Instant::now();
        if let Some((limit, length)) = allowance.limit {
            brake
                .governance
                .lower_ceiling(f64::from(limit) / rate::with_slack(length).as_secs_f64());
        }
        let hold = match heard {
            Heard::Clean => {
                brake.governance.clean(now, sent);
                allowance.hold()
            }
            Heard::Throttled(asked) => {
                let recent = brake.recent_pace(now);
                let asked = asked.max(allowance.hold());
                Some(brake.governance.throttled(now, sent, asked, recent))
            }
        };
        let hold = hold.filter(|wait| !wait.is_zero())?;
        let until = now + hold;
        // A shorter hold never ends a longer one.
        let is_longer = brake.held_until.is_none_or(|end| end < until);
        if is_longer {
            brake.held_until = Some(until);
        }
        Some(hold)
    }
}

impl Pacer {
    fn lock(&self) -> MutexGuard<'_, Brake> {
        self.brake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Brake {
    /// Takes a start without queueing, if nothing slows anything.
    fn start_freely(&mut self, now: Instant) -> bool {
        let is_free = self.governance.interval().is_zero() && self.wait(now).is_zero();
        if is_free {
            self.start(now);
        }
        is_free
    }

    /// How long until nothing of it holds a start back.
    fn wait(&self, now: Instant) -> Duration {
        let until = |end: Option<Instant>| {
            end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
        };
        let spaced = self.starts.back().map(|last| *last + self.governance.interval());
        until(self.held_until).max(until(spaced))
    }

    fn start(&mut self, now: Instant) {
        self.starts.push_back(now);
        let is_old =
            |start: &Instant| now.saturating_duration_since(*start) > Duration::from_secs(1);
        while self.starts.len() > 1 && self.starts.front().is_some_and(is_old) {
            self.starts.pop_front();
        }
    }

    /// Starts in the last second.
    fn recent_pace(&self, now: Instant) -> f64 {
        let is_recent = |start: &&Instant| now.saturating_duration_since(**start).as_secs() < 1;
        self.starts.iter().filter(is_recent).count() as f64
    }
}

/// Gives one start after the other to whoever goes first at that moment.
struct Dispatcher {
    gate: Gate,
    arrivals: mpsc::Receiver<Waiting>,
    exchanges: VecDeque<oneshot::Sender<()>>,
    reconnects: VecDeque<oneshot::Sender<()>>,
}

impl Dispatcher {
    fn run(mut self) {
        while self.somebody_waits() {
            while let Err(wait) = self.gate.try_pass() {
                thread::sleep(wait);
            }
            self.admit_arrivals();
            while let Some(turn) = self.first_in_line() {
                // Whoever stopped waiting leaves the start to the next.
                if turn.send(()).is_ok() {
                    break;
                }
            }
        }
        self.gate.remember();
    }

    fn somebody_waits(&mut self) -> bool {
        self.admit_arrivals();
        if self.exchanges.is_empty() && self.reconnects.is_empty() {
            let Some(arrival) = self.arrivals.blocking_recv() else { return false };
            self.admit(arrival);
        }
        true
    }

    fn admit_arrivals(&mut self) {
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.admit(arrival);
        }
    }

    fn admit(&mut self, (lane, turn): Waiting) {
        match lane {
            Lane::Exchange => self.exchanges.push_back(turn),
            Lane::Reconnect => self.reconnects.push_back(turn),
        }
    }

    fn first_in_line(&mut self) -> Option<oneshot::Sender<()>> {
        self.exchanges.pop_front().or_else(|| self.reconnects.pop_front())
    }
}

/// Every gate before a request, in order.
struct Gate {
    brake: Arc<Mutex<Brake>>,
    window: Window,
    limiter: Option<DefaultDirectRateLimiter>,
    memory: Option<Memory>,
    remembered_at: Instant,
}

impl Gate {
    fn new(rate: Rate, memory: Option<Memory>, brake: Arc<Mutex<Brake>>) -> Self {
        let mut window = Window::of(rate);
        if let (Some(memory), Rate::Limited { window: length, .. }) = (&memory, rate) {
            memory.recall(length * 2).into_iter().for_each(|start| window.start(start));
        }
        let quota = Quota::with_period(rate.interval());
        let limiter = quota.map(|quota| RateLimiter::direct(quota.allow_burst(NonZeroU32::MIN)));
        Self { brake, window, limiter, memory, remembered_at: Instant::now() }
    }

    /// Takes the start that is free now, or says how long until one may be.
    fn try_pass(&mut self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut brake = self.brake.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = brake.wait(now).max(self.window.wait(now));
        if !wait.is_zero() {
            return Err(wait);
        }
        if let Some(limiter) = &self.limiter {
            let clock = DefaultClock::default();
            limiter.check().map_err(|not_until| not_until.wait_time_from(clock.now()))?;
        }
        brake.start(now);
        drop(brake);
        self.window.start(now);
        if now.saturating_duration_since(self.remembered_at) >= REMEMBER_EVERY {
            self.remembered_at = now;
            self.remember();
        }
        Ok(())
    }

    fn remember(&self) {
        if let Some(memory) = &self.memory {
            memory.keep(self.window.starts());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiting_exchange_goes_before_a_waiting_reconnect() {
        let (pacer, _ended) = Pacer::start("50/s".parse().unwrap(), None).unwrap();
        pacer.turn(Lane::Reconnect).await;
        let order = Mutex::new(Vec::new());
        let wait = |lane| {
            let (pacer, order) = (&pacer, &order);
            async move {
                pacer.turn(lane).await;
                order.lock().unwrap().push(lane);
            }
        };
        futures::join!(
            wait(Lane::Reconnect),
            wait(Lane::Reconnect),
            wait(Lane::Exchange),
            wait(Lane::Exchange)
        );
        let order = order.into_inner().unwrap();
        assert_eq!(order[..2], [Lane::Exchange; 2], "{order:?}");
    }

    #[tokio::test]
    async fn nothing_starts_during_a_hold() {
        let (pacer, _ended) = Pacer::start(Rate::Unlimited, None).unwrap();
        let start = Instant::now();
        let none = Allowance::default();
        let hold = |ms| {
            let asked = Some(Duration::from_millis(ms));
            pacer.hear(Instant::now(), Heard::Throttled(asked), &none)
        };
        assert_eq!(hold(60), Some(Duration::from_millis(60)));
        assert_eq!(hold(5), Some(Duration::from_millis(5)));
        pacer.hear(Instant::now(), Heard::Clean, &none);
        pacer.turn(Lane::Exchange).await;
        assert!(start.elapsed() >= Duration::from_millis(60));
    }
}
