//! When a request may start: one pacer for all of them, two lanes, holds.
//!
//! governor's rate limiter (GCRA) decides how far apart starts are. It serves waiters in no
//! particular order, so the queueing is done here: one task asks it for each start, and hands the
//! start to the lane that goes first at that moment.

use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroU32,
    str::FromStr,
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

/// How many request starts are allowed in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// No bound of ours.
    Unlimited,
    /// So many starts in a window of this length.
    Limited {
        /// Starts.
        starts: NonZeroU32,
        /// Window.
        window: Duration,
    },
}

impl Rate {
    /// Time between two starts.
    pub fn interval(self) -> Duration {
        match self {
            Self::Unlimited => Duration::ZERO,
            Self::Limited { starts, window } => window / starts.get(),
        }
    }

    /// The least time that so many starts take.
    pub fn least_time_for(self, starts: u64) -> Duration {
        let gaps = u32::try_from(starts.saturating_sub(1)).unwrap_or(u32::MAX);
        self.interval().saturating_mul(gaps)
    }
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a rate: write request starts per time, such as 10/s, 100/10s or 600/min, or unlimited"
)]
pub struct NotARate;

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let text = text.trim().to_ascii_lowercase();
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let (starts, window) = text.split_once('/').ok_or(NotARate)?;
        let starts: NonZeroU32 = starts.trim().parse().map_err(|_| NotARate)?;
        let window = window_of(window.trim()).ok_or(NotARate)?;
        let rate = Self::Limited { starts, window };
        if rate.interval().is_zero() { Err(NotARate) } else { Ok(rate) }
    }
}

/// `s`, `10s`, `min`, `2 minutes`, `h`: at most a day.
fn window_of(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let count: u64 = if count.is_empty() { 1 } else { count.parse().ok()? };
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" | "sec" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        _ => return None,
    };
    let ms = count.checked_mul(unit_ms)?;
    (1..=86_400_000).contains(&ms).then(|| Duration::from_millis(ms))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Limited { starts, window } = self else { return f.write_str("unlimited") };
        match window.as_millis() {
            1000 => write!(f, "{starts}/s"),
            60_000 => write!(f, "{starts}/min"),
            3_600_000 => write!(f, "{starts}/h"),
            ms if ms % 1000 == 0 => write!(f, "{starts}/{}s", ms / 1000),
            ms => write!(f, "{starts}/{ms}ms"),
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
}

/// Hands out request starts. Cheap to clone; the task behind it ends with the last clone.
#[derive(Clone, Debug)]
pub struct Pacer {
    queue: mpsc::Sender<Waiting>,
    hold: watch::Sender<Option<Instant>>,
}

type Waiting = (Lane, oneshot::Sender<()>);

impl Pacer {
    /// Starts the pacer's task.
    pub fn start(rate: Rate) -> Self {
        let (queue, waiting) = mpsc::channel(256);
        let (hold, held_until) = watch::channel(None);
        let dispatcher = Dispatcher {
            gate: Gate::new(rate),
            held_until,
            arrivals: waiting,
            exchanges: VecDeque::new(),
            reconnects: VecDeque::new(),
        };
        tokio::spawn(dispatcher.run());
        Self { queue, hold }
    }

    /// Returns when a request may start. The start is spent, so make the request.
    pub async fn turn(&self, lane: Lane) {
        let (turn, come) = oneshot::channel();
        if self.queue.send((lane, turn)).await.is_err() || come.await.is_err() {
            // The task outlives every handle; were it gone, nothing may start unpaced.
            std::future::pending::<()>().await;
        }
    }

    /// Lets nothing start for so long. A shorter hold never ends a longer one.
    pub fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait;
        self.hold.send_if_modified(|held| {
            let longer = held.is_none_or(|end| end < until);
            if longer {
                *held = Some(until);
            }
            longer
        });
    }
}

/// Gives one start after the other to whoever goes first at that moment.
struct Dispatcher {
    gate: Gate,
    held_until: watch::Receiver<Option<Instant>>,
    arrivals: mpsc::Receiver<Waiting>,
    exchanges: VecDeque<oneshot::Sender<()>>,
    reconnects: VecDeque<oneshot::Sender<()>>,
}

impl Dispatcher {
    async fn run(mut self) {
        while self.somebody_waits().await {
            while let Err(wait) = self.start_is_free() {
                sleep(wait).await;
            }
            self.admit_arrivals();
            while let Some(turn) = self.first_in_line() {
                // Whoever stopped waiting leaves the start to the next.
                if turn.send(()).is_ok() {
                    break;
                }
            }
        }
    }

    async fn somebody_waits(&mut self) -> bool {
        self.admit_arrivals();
        if self.exchanges.is_empty() && self.reconnects.is_empty() {
            let Some(arrival) = self.arrivals.recv().await else { return false };
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

    /// Takes the start that is free now, or says how long until one may be.
    fn start_is_free(&self) -> Result<(), Duration> {
        let end = *self.held_until.borrow();
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        match left.filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => self.gate.try_pass(),
        }
    }
}

/// governor's limiter without burst: after a stall it lets one start through, not the missed ones.
struct Gate(Option<DefaultDirectRateLimiter>);

impl Gate {
    fn new(rate: Rate) -> Self {
        let quota = Quota::with_period(rate.interval());
        Self(quota.map(|quota| RateLimiter::direct(quota.allow_burst(NonZeroU32::MIN))))
    }

    fn try_pass(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written() {
        for (text, shown, interval_ms) in [
            ("10/s", "10/s", 100),
            ("100/10s", "100/10s", 100),
            ("600/min", "600/min", 100),
            (" 1 / s ", "1/s", 1000),
            ("30/2 minutes", "30/120s", 4000),
            ("3600/h", "3600/h", 1000),
            ("5/500ms", "5/500ms", 100),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown, "{text}");
            assert_eq!(rate.interval(), Duration::from_millis(interval_ms), "{text}");
            assert_eq!(rate.to_string().parse(), Ok(rate), "{text}");
        }
        assert_eq!("unlimited".parse(), Ok(Rate::Unlimited));
        for bad in
            ["", "10", "0/s", "-1/s", "10/0s", "10/fortnight", "1.5/s", "10/s/s", "10/999999h"]
        {
            assert_eq!(bad.parse::<Rate>(), Err(NotARate), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_waiting_exchange_goes_before_a_waiting_reconnect() {
        let pacer = Pacer::start("50/s".parse().unwrap());
        pacer.turn(Lane::Reconnect).await;
        let order = std::sync::Mutex::new(Vec::new());
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
        let pacer = Pacer::start(Rate::Unlimited);
        let start = Instant::now();
        pacer.hold(Duration::from_millis(60));
        pacer.hold(Duration::from_millis(5));
        pacer.turn(Lane::Exchange).await;
        assert!(start.elapsed() >= Duration::from_millis(60));
    }
}
