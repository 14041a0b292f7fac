//! Every check before a request, in order: holds, the server's own count, the adaptive rate, the bound
//! over any window, the spacing; and for a new code, the reservation of its exchange. Time is passed
//! in.

mod codes;
mod starts;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use self::{
    codes::Codes,
    starts::{Starts, TIME_TO_FIRST_BYTE},
};
use super::{
    adaptive_rate::AdaptiveRate,
    answer::{Answer, AnswerOutcome, Lane},
    day::Day,
    latency::{LatencyTracker, RecentDuration, Speed},
    pacing::Pacing,
    rate::{AskedRate, Rate, with_margin},
    refusals::{Refusals, Shown, Whose},
    shared_limits::SharedLimits,
    window::Window,
};
use crate::highlevel::{allowance::Allowance, header_times::MAX_RETRY_AFTER};

/// Where `--rate auto` begins, in starts a second of all machines together.
const AUTO_START_RATE: f64 = 10.0;

/// A hold that ends this little later is the same hold, repeated by another answer.
const SAME_HOLD_TOLERANCE: Duration = Duration::from_millis(500);

/// Between two checks of what depends on something in flight rather than on time.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Requests that may always be prepared ahead of their turns.
const MIN_PREPARED: u32 = 2;

/// The longest time ahead of its turn at which a request is prepared.
const MAX_PREPARE_AHEAD: Duration = Duration::from_secs(10);

pub use self::starts::TurnId;

/// Decides when the next request may start.
#[derive(Debug)]
pub struct Limiter {
    pacing: Pacing,
    adaptive_rate: AdaptiveRate,
    refusals: Refusals,
    shared_limits: SharedLimits,
    latency: [LatencyTracker; 3],
    window: Window,
    spacing: Option<DefaultDirectRateLimiter>,
    held_until: Option<Instant>,
    quota: Option<ServerQuota>,
    starts: Starts,
    codes: Codes,
    /// Requests that are being prepared, or are prepared and wait for their turns.
    ahead: u32,
    preparation: RecentDuration,
    /// With the time at which the request was sent whose answer reported it.
    day: Option<(Instant, Day)>,
}

/// How an answer changed the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceChange {
    /// The hold that it began or extended.
    pub hold: Option<Hold>,
    /// A 429 to a request that was sent before an earlier 429 arrived.
    pub is_repeated_429: bool,
    /// The daily limit that it reported, if that holds for all.
    pub day: Option<Day>,
}

/// A hold: no request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How long from now on.
    pub time: Duration,
    /// Time between two starts after it.
    pub interval: Duration,
}

/// What is left of the server's own window, as it reports.
#[derive(Clone, Copy, Debug)]
struct ServerQuota {
    left: u32,
    until: Instant,
    sent: Instant,
}

impl Limiter {
    /// A limiter that begins after the starts of the last run.
    pub fn new(pacing: Pacing, earlier: impl Iterator<Item = Instant>) -> Self {
        let bound = pacing.bound();
        let mut window = Window::of(bound);
        let earlier: VecDeque<Instant> = earlier.collect();
        for start in &earlier {
            window.add(*start);
        }
        let quota = Quota::with_period(bound.interval());
        let length = match bound {
            Rate::Limited { window, .. } => window,
            Rate::Unlimited => Duration::ZERO,
        };
        let adaptive_rate = match pacing.asked {
            AskedRate::Fixed(_) => AdaptiveRate::below(bound.per_second()),
            AskedRate::Auto => {
                let begin = AUTO_START_RATE / f64::from(pacing.machines.get());
                AdaptiveRate::from(begin, bound.per_second())
            }
        };
        Self {
            pacing,
            adaptive_rate,
            refusals: Refusals::default(),
            shared_limits: SharedLimits::default(),
            latency: Default::default(),
            window,
            spacing: quota.map(|quota| RateLimiter::direct(quota.allow_burst(pacing.burst))),
            held_until: None,
            quota: None,
            starts: Starts::after(earlier, length),
            codes: Codes::default(),
            ahead: 0,
            preparation: RecentDuration::default(),
            day: None,
        }
    }

    /// Gives a turn, or says how long until there may be one. The start is counted when the request
    /// leaves, with [`Limiter::leave`]; [`Limiter::give_back`] returns the turn.
    pub fn try_start(&mut self, lane: Lane, now: Instant) -> Result<TurnId, Duration> {
        let wait = self.wait_for(1, now).max(self.wait_for_reservation(lane, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        if let Some(spacing) = &self.spacing {
            let clock = DefaultClock::default();
            spacing.check().map_err(|not_until| not_until.wait_time_from(clock.now()))?;
        }
        self.window.open();
        if lane == Lane::Reconnect {
            self.codes.to_come += 1;
        }
        Ok(self.starts.open(now))
    }

    /// The first byte of a turn's request leaves now.
    pub fn leave(&mut self, turn: TurnId, now: Instant) {
        self.starts.close(turn);
        self.window.start(now);
        self.starts.leave(now);
        if let Some(quota) = &mut self.quota {
            quota.left = quota.left.saturating_sub(1);
        }
    }

    /// Nothing of a turn's request has left, and nothing will.
    pub fn give_back(&mut self, turn: TurnId) {
        self.starts.close(turn);
        self.window.give_back();
    }

    /// How long until this many starts, one after the other, are possible.
    fn wait_for(&self, count: u32, now: Instant) -> Duration {
        let more = count.saturating_sub(1);
        let held = self.held_until.map_or(Duration::ZERO, |end| end - now.min(end));
        held.max(self.time_until_adaptive_rate(more, now))
            .max(self.wait_for_gap(now))
            .max(self.window.wait_for(count as usize, now))
            .max(self.wait_for_quota(count, now))
            .max(self.wait_for_spacing(more, now))
    }

    /// The adaptive rate, which has no bursts.
    fn time_until_adaptive_rate(&self, more: u32, now: Instant) -> Duration {
        let slowed = self.adaptive_rate.interval();
        if slowed.is_zero() {
            return Duration::ZERO;
        }
        self.starts.wait_after_the_last(slowed, now) + slowed * more
    }

    /// Without bursts, requests leave as far apart as their turns are given, less the time to the first
    /// byte.
    fn wait_for_gap(&self, now: Instant) -> Duration {
        let interval = self.pacing.bound().interval();
        if interval.is_zero() || self.pacing.burst.get() > 1 {
            return Duration::ZERO;
        }
        self.starts.wait_after_the_last(interval.saturating_sub(TIME_TO_FIRST_BYTE), now)
    }

    fn wait_for_quota(&self, count: u32, now: Instant) -> Duration {
        let on_their_way = self.starts.open_turns();
        let is_too_many = |quota: &&ServerQuota| quota.left < count.saturating_add(on_their_way);
        let until = self.quota.as_ref().filter(is_too_many).map(|quota| quota.until);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// How long after the next start this many more fit; governor decides about the next one itself.
    /// What has left within the time in which a burst refills counts as used up.
    fn wait_for_spacing(&self, more: u32, now: Instant) -> Duration {
        let (interval, burst) = (self.pacing.bound().interval(), self.pacing.burst.get());
        if interval.is_zero() || more == 0 {
            return Duration::ZERO;
        }
        let used = self.starts.within(interval.saturating_mul(burst), now);
        let free = burst.saturating_sub(used.saturating_add(self.starts.open_turns()));
        interval.saturating_mul((more + 1).saturating_sub(free))
    }

    /// How long until a new code may be asked for: its exchange, and those of all codes asked for
    /// before, must get their turns in time.
    fn wait_for_reservation(&self, lane: Lane, now: Instant) -> Duration {
        if lane != Lane::Reconnect {
            return Duration::ZERO;
        }
        if self.codes.to_come > 0 && self.codes_would_expire() {
            // One at a time, to find out whether that has passed.
            return POLL_INTERVAL;
        }
        let wait = self.wait_for(self.codes.to_come + 2, now);
        let patience = self.codes.patience(self.interval());
        if wait <= patience { Duration::ZERO } else { wait.abs_diff(patience).max(POLL_INTERVAL) }
    }

    /// Whether codes expire before they can be presented, while disk and connections are as slow as
    /// recently.
    pub fn codes_would_expire(&self) -> bool {
        self.codes.come_too_late(self.interval())
    }

    /// Whether another request may be prepared ahead of its turn: as many as get their turns within the
    /// time that preparing takes.
    pub fn may_prepare(&self, now: Instant) -> bool {
        let before = self.ahead.saturating_add(self.codes.to_come);
        let lead = self.preparation.recent.mul_f64(1.5).min(MAX_PREPARE_AHEAD);
        self.ahead < MIN_PREPARED || self.wait_for(before.saturating_add(1), now) <= lead
    }

    /// A request is being prepared from now on.
    pub fn preparation_began(&mut self) {
        self.ahead += 1;
    }

    /// A request has left, or never will.
    pub fn preparation_ended(&mut self) {
        self.ahead = self.ahead.saturating_sub(1);
    }

    /// Preparing a request took this long.
    pub fn record_preparation(&mut self, took: Duration) {
        self.preparation.record(took);
    }

    /// A code was ready to be presented this long after it came.
    pub fn code_readied_in(&mut self, took: Duration) {
        self.codes.presented_in.record(took);
    }

    /// Time between two starts at the present rate.
    pub fn interval(&self) -> Duration {
        self.pacing.bound().interval().max(self.adaptive_rate.interval())
    }

    /// How much longer everything is held.
    pub fn held(&self, now: Instant) -> Duration {
        self.held_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// How long every answer has been a throttle.
    pub fn throttled_for(&self, now: Instant) -> Duration {
        self.adaptive_rate.throttled_for(now)
    }

    /// A code was presented, or will never come.
    pub fn release_reservation(&mut self) {
        self.codes.to_come = self.codes.to_come.saturating_sub(1);
    }

    /// Codes that were asked for, or have come, and are not presented yet.
    pub fn codes_to_come(&self) -> u32 {
        self.codes.to_come
    }

    /// A code came that lives this long.
    pub fn observe_code_lifetime(&mut self, life: Duration) {
        self.codes.lives(life);
    }

    /// Lets an answer change the pace.
    pub fn observe(&mut self, answer: &Answer, now: Instant) -> PaceChange {
        let machines = self.pacing.machines;
        let starts = self.starts.count().saturating_mul(machines.get().into());
        let limits = self.shared_limits.observe(answer.who, &answer.allowance, starts, now);
        let day_of = |limits: &Allowance| {
            let resets_at = limits.daily_resets_at;
            limits.daily_remaining.map(|left| Day { left, resets_at })
        };
        // An answer that was longer on its way than others knows nothing of their requests.
        let is_latest = self.day.is_none_or(|(sent, _)| sent <= answer.sent);
        if let Some(day) = day_of(&limits).filter(|_| is_latest) {
            self.day = Some((answer.sent, day));
        }
        let limits = limits.share(machines);
        let day = day_of(&limits);
        if let Some((limit, length)) = limits.limit {
            let ceiling = f64::from(limit) / with_margin(length).as_secs_f64();
            self.adaptive_rate.lower_ceiling(ceiling);
        }
        if let Some((left, resets_in)) = limits.remaining.zip(limits.resets_in) {
            self.adopt_server_quota(left, resets_in, answer.sent, now);
        }
        let (hold, is_repeated_429) = match answer.outcome {
            AnswerOutcome::Throttled(asked) => {
                let asked = asked.max(answer.allowance.hold());
                let (hold, is_repeated_429) = self.observe_refusal(answer, asked, now);
                (hold.max(limits.hold()), is_repeated_429)
            }
            AnswerOutcome::Failing => {
                if self.pacing.asked == AskedRate::Auto {
                    let recent = self.recent_pace(now);
                    self.adaptive_rate.slow_after_error(now, answer.sent, recent);
                }
                (limits.hold(), false)
            }
            AnswerOutcome::Clean => {
                let shown = self.refusals.served(answer.who, answer.sent, now);
                self.learn(shown);
                self.observe_clean(answer, now);
                (limits.hold(), false)
            }
            AnswerOutcome::Aside => {
                self.observe_clean(answer, now);
                (None, false)
            }
        };
        PaceChange { hold: hold.and_then(|time| self.hold(time, now)), is_repeated_429, day }
    }

    /// How long all wait for a refusal, and whether it only repeats an earlier one.
    fn observe_refusal(
        &mut self,
        answer: &Answer,
        asked: Option<Duration>,
        now: Instant,
    ) -> (Option<Duration>, bool) {
        let (sent, recent) = (answer.sent, self.recent_pace(now));
        let is_change = self.adaptive_rate.is_change(sent);
        let (whose, shown) = self.refusals.refused(answer.who, sent, asked, is_change, now);
        self.learn(shown);
        if whose == Whose::Unknown && !self.refusals.has_served() {
            // There is nothing to compare it with.
            self.adaptive_rate.all_refused(now);
        }
        let wait = match whose {
            Whose::Own | Whose::Unknown => return (None, false),
            Whose::Pace => {
                self.adaptive_rate.refused(now, sent, recent);
                None
            }
            Whose::Everybody(asked) => Some(self.adaptive_rate.throttled(now, sent, asked, recent)),
        };
        if is_change {
            self.refusals.slowed(now);
        }
        (wait, !is_change)
    }

    fn learn(&mut self, shown: Shown) {
        match shown {
            Shown::Nothing => {}
            Shown::ThePace => self.adaptive_rate.stay(),
            Shown::NotThePace => self.adaptive_rate.restore_rate(),
        }
    }

    /// Extends the hold. Returns it if that is a change: a shorter hold never ends a longer one.
    fn hold(&mut self, time: Duration, now: Instant) -> Option<Hold> {
        let before = self.held_until.unwrap_or(now).max(now);
        self.held_until = Some(before.max(now + time));
        let is_change = now + time > before + SAME_HOLD_TOLERANCE;
        is_change.then_some(Hold { time, interval: self.interval() })
    }

    /// The daily limit that the server last reported.
    pub fn day(&self) -> Option<Day> {
        self.day.map(|(_, day)| day)
    }

    fn observe_clean(&mut self, answer: &Answer, now: Instant) {
        let took = now.saturating_duration_since(answer.sent);
        if answer.lane == Lane::Reconnect {
            self.codes.reconnect_took(took);
        }
        let speed = self.latency[answer.lane as usize].record(took);
        if self.pacing.asked == AskedRate::Auto && speed == Speed::Slow {
            let recent = self.recent_pace(now);
            self.adaptive_rate.slow_after_latency(now, answer.sent, recent);
        } else {
            self.adaptive_rate.clean(now, answer.sent);
        }
    }

    /// Takes over the server's own count. Requests that left after the answered one are not in it.
    fn adopt_server_quota(&mut self, left: u32, resets_in: Duration, sent: Instant, now: Instant) {
        if self.quota.is_some_and(|quota| quota.sent > sent) {
            return;
        }
        let left = left.saturating_sub(self.starts.since(sent));
        let until = now + resets_in.min(MAX_RETRY_AFTER);
        self.quota = Some(ServerQuota { left, until, sent });
    }

    /// Starts in the last second.
    fn recent_pace(&self, now: Instant) -> f64 {
        f64::from(self.starts.within(Duration::from_secs(1), now))
    }

    /// The most requests that can leave in a time.
    pub fn at_most_within(&self, time: Duration) -> u32 {
        let Rate::Limited { starts, window } = self.pacing.bound() else { return u32::MAX };
        let parts = |whole: Duration| {
            let parts = time.as_nanos() / whole.as_nanos().max(1);
            u32::try_from(parts).unwrap_or(u32::MAX).saturating_add(1)
        };
        let by_spacing =
            parts(self.pacing.bound().interval()).saturating_add(self.pacing.burst.get());
        by_spacing.min(parts(window).saturating_mul(starts.get()))
    }

    /// The starts that the next run has to count.
    pub fn remembered(&self) -> Vec<Instant> {
        self.starts.all()
    }
}
