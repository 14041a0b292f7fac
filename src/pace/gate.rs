//! Every gate before a request, in order: holds, the server's own count, the slower pace, the bound
//! over any window, the spacing; and for a new code, the place of its exchange. Time is passed in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

use super::{
    Answer, Heard, Lane, Pacing,
    governance::Governance,
    memory::Day,
    quickness::{Quickness, Speed},
    rate::{AskedRate, with_slack},
    window::Window,
};
use crate::highlevel::answer::MAX_RETRY_AFTER;

/// How long a code may wait for its exchange, should all codes that are on their way come at once.
/// Less would let a few slow answers hold up all others; codes live minutes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of the usual life of a code, one in so many parts may pass in waiting.
const SHARE_OF_LIFE: u32 = 4;

/// Where `--rate auto` begins, in starts a second.
const FIRST_AUTO: f64 = 10.0;

/// A hold that ends so little later is the same hold, told by another answer.
const HARDLY_LONGER: Duration = Duration::from_millis(500);

/// Between two looks at a gate that no time opens, but the end of something under way.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

type Spacing = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Decides when the next request may start.
#[derive(Debug)]
pub struct Gate {
    pacing: Pacing,
    governance: Governance,
    quickness: [Quickness; 3],
    window: Window,
    spacing: Option<Spacing>,
    /// Starts that the spacing would let through at once after the last one.
    burst_left: u32,
    held_until: Option<Instant>,
    quota: Option<ServerQuota>,
    starts: VecDeque<Instant>,
    /// Codes that were asked for, or have come, and are not presented yet.
    codes_to_come: u32,
    reconnect_takes: Duration,
    day: Option<Day>,
    code_life: Option<Duration>,
}

/// What an answer did to the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The hold that began with it, or got longer.
    pub hold: Option<Hold>,
    /// It said "too many" to a request that was on its way when another answer had said so.
    pub is_echo: bool,
}

/// Everything is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How long from now on.
    pub time: Duration,
    /// Time between two starts after it.
    pub interval: Duration,
}

/// What the server says is left of its own window.
#[derive(Clone, Copy, Debug)]
struct ServerQuota {
    left: u32,
    until: Instant,
    sent: Instant,
}

impl Gate {
    /// A gate that nothing has passed but the starts of the last run.
    pub fn new(pacing: Pacing, earlier: impl Iterator<Item = Instant>) -> Self {
        let bound = pacing.bound();
        let mut window = Window::of(bound);
        earlier.for_each(|start| window.start(start));
        let quota = Quota::with_period(bound.interval());
        let spacing = quota.map(|quota| {
            RateLimiter::direct(quota.allow_burst(pacing.burst))
                .with_middleware::<StateInformationMiddleware>()
        });
        let governance = match pacing.asked {
            AskedRate::Fixed(_) => Governance::below(bound.per_second()),
            AskedRate::Auto => Governance::from(FIRST_AUTO, bound.per_second()),
        };
        Self {
            pacing,
            governance,
            quickness: Default::default(),
            window,
            spacing,
            burst_left: pacing.burst.get(),
            held_until: None,
            quota: None,
            starts: VecDeque::new(),
            codes_to_come: 0,
            reconnect_takes: Duration::ZERO,
            day: None,
            code_life: None,
        }
    }

    /// Takes the start that is free now, or says how long until one may be.
    pub fn try_start(&mut self, lane: Lane, now: Instant) -> Result<(), Duration> {
        let wait = self.wait_for(1, now).max(self.wait_for_place(lane, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        if let Some(spacing) = &self.spacing {
            let passed = spacing.check();
            let clock = DefaultClock::default();
            let passed = passed.map_err(|not_until| not_until.wait_time_from(clock.now()))?;
            self.burst_left = passed.remaining_burst_capacity();
        }
        self.take_note(lane, now);
        Ok(())
    }

    fn take_note(&mut self, lane: Lane, now: Instant) {
        self.window.start(now);
        self.starts.push_back(now);
        let is_old =
            |start: &Instant| now.saturating_duration_since(*start) > Duration::from_secs(1);
        while self.starts.len() > 1 && self.starts.front().is_some_and(is_old) {
            self.starts.pop_front();
        }
        if let Some(quota) = &mut self.quota {
            quota.left = quota.left.saturating_sub(1);
        }
        if lane == Lane::Reconnect {
            self.codes_to_come += 1;
        }
    }

    /// How long until so many starts, one after the other, are possible.
    fn wait_for(&self, count: u32, now: Instant) -> Duration {
        let more = count.saturating_sub(1);
        let held = self.held_until.map_or(Duration::ZERO, |end| end - now.min(end));
        let slowed = self.governance.interval();
        let slowed = match self.starts.back() {
            Some(last) if !slowed.is_zero() => {
                (*last + slowed).saturating_duration_since(now) + slowed * more
            }
            _ => slowed * more,
        };
        held.max(slowed)
            .max(self.window.wait_for(count as usize, now))
            .max(self.wait_for_quota(count, now))
            .max(self.wait_for_spacing(more, now))
    }

    fn wait_for_quota(&self, count: u32, now: Instant) -> Duration {
        let is_too_many = |quota: &&ServerQuota| quota.left < count;
        let until = self.quota.as_ref().filter(is_too_many).map(|quota| quota.until);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// How long after the next start so many more fit; governor decides about the next one itself.
    fn wait_for_spacing(&self, more: u32, now: Instant) -> Duration {
        let interval = self.pacing.bound().interval();
        if interval.is_zero() || more == 0 {
            return Duration::ZERO;
        }
        let since =
            self.starts.back().map_or(Duration::MAX, |last| now.saturating_duration_since(*last));
        let refilled = since.as_nanos() / interval.as_nanos();
        let refilled = u32::try_from(refilled).unwrap_or(u32::MAX);
        let free = self.burst_left.saturating_add(refilled).min(self.pacing.burst.get());
        interval.saturating_mul((more + 1).saturating_sub(free))
    }

    /// How long until a new code may be asked for: its exchange, and those of all codes that are on
    /// their way, must find their starts soon enough.
    fn wait_for_place(&self, lane: Lane, now: Instant) -> Duration {
        if lane != Lane::Reconnect {
            return Duration::ZERO;
        }
        let wait = self.wait_for(self.codes_to_come + 2, now);
        let patience = self.patience();
        if wait <= patience { Duration::ZERO } else { wait.abs_diff(patience).max(LOOK_AGAIN) }
    }

    /// As long as a code may wait: while answers take long, many have to be on their way.
    fn patience(&self) -> Duration {
        let usual = PATIENCE.max(self.reconnect_takes.mul_f64(1.5));
        let usual = self.code_life.map_or(usual, |life| usual.min(life / SHARE_OF_LIFE));
        usual.max(self.interval() * 2)
    }

    /// Time between two starts at the present pace.
    pub fn interval(&self) -> Duration {
        self.pacing.bound().interval().max(self.governance.interval())
    }

    /// How much longer everything is held.
    pub fn held(&self, now: Instant) -> Duration {
        self.held_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// How long every answer has been "too many".
    pub fn throttled_for(&self, now: Instant) -> Duration {
        self.governance.throttled_for(now)
    }

    /// A code was presented, or will never come.
    pub fn free_place(&mut self) {
        self.codes_to_come = self.codes_to_come.saturating_sub(1);
    }

    /// Codes that were asked for, or have come, and are not presented yet.
    pub fn codes_to_come(&self) -> u32 {
        self.codes_to_come
    }

    /// A code came that lives so long. One that is odd does not decide for all.
    pub fn code_lives(&mut self, life: Duration) {
        self.code_life = Some(self.code_life.map_or(life, |usual| (usual * 7 + life) / 8));
    }

    /// Lets an answer change the pace.
    pub fn hear(&mut self, answer: &Answer, now: Instant) -> Effect {
        let is_throttled = matches!(answer.heard, Heard::Throttled(_));
        let is_echo = is_throttled && !self.governance.is_news(answer.sent);
        Effect { hold: self.hold_after(answer, now), is_echo }
    }

    fn hold_after(&mut self, answer: &Answer, now: Instant) -> Option<Hold> {
        let allowance = answer.allowance;
        if let Some(left) = allowance.daily_remaining {
            self.day = Some(Day { left, resets_at: allowance.daily_resets_at });
        }
        if let Some((limit, length)) = allowance.limit {
            let ceiling = f64::from(limit) / with_slack(length).as_secs_f64();
            self.governance.lower_ceiling(ceiling);
        }
        if let Some((left, resets_in)) = allowance.remaining.zip(allowance.resets_in) {
            self.count_down(left, resets_in, answer.sent, now);
        }
        let hold = match answer.heard {
            Heard::Throttled(asked) => {
                let recent = self.recent_pace(now);
                let asked = asked.max(allowance.hold());
                Some(self.governance.throttled(now, answer.sent, asked, recent))
            }
            Heard::Failing => {
                if self.pacing.asked == AskedRate::Auto {
                    let recent = self.recent_pace(now);
                    self.governance.troubled(now, answer.sent, recent);
                }
                allowance.hold()
            }
            Heard::Clean => {
                self.hear_clean(answer, now);
                allowance.hold()
            }
        };
        self.hold(hold?, now)
    }

    /// A shorter hold never ends a longer one, and one that is hardly longer is no news.
    fn hold(&mut self, time: Duration, now: Instant) -> Option<Hold> {
        let before = self.held_until.unwrap_or(now).max(now);
        self.held_until = Some(before.max(now + time));
        let is_news = now + time > before + HARDLY_LONGER;
        is_news.then_some(Hold { time, interval: self.interval() })
    }

    /// What the server said last of its day.
    pub fn day(&self) -> Option<Day> {
        self.day
    }

    fn hear_clean(&mut self, answer: &Answer, now: Instant) {
        let took = now.saturating_duration_since(answer.sent);
        if answer.lane == Lane::Reconnect {
            let before = self.reconnect_takes;
            // Up at once, down bit by bit.
            self.reconnect_takes = (before + took) / 2;
            self.reconnect_takes = self.reconnect_takes.max(before / 8 * 7);
        }
        let speed = self.quickness[answer.lane as usize].note(took);
        if self.pacing.asked == AskedRate::Auto && speed == Speed::Slow {
            let recent = self.recent_pace(now);
            self.governance.eased(now, answer.sent, recent);
        } else {
            self.governance.clean(now, answer.sent);
        }
    }

    /// The server counts too. What started after the request that it answers is not in its count.
    fn count_down(&mut self, left: u32, resets_in: Duration, sent: Instant, now: Instant) {
        if self.quota.is_some_and(|quota| quota.sent > sent) {
            return;
        }
        let since = self.starts.iter().rev().take_while(|start| **start > sent).count();
        let left = left.saturating_sub(u32::try_from(since).unwrap_or(u32::MAX));
        let until = now + resets_in.min(MAX_RETRY_AFTER);
        self.quota = Some(ServerQuota { left, until, sent });
    }

    /// Starts in the last second.
    fn recent_pace(&self, now: Instant) -> f64 {
        let is_recent = |start: &&Instant| now.saturating_duration_since(**start).as_secs() < 1;
        self.starts.iter().rev().take_while(is_recent).count() as f64
    }

    /// The starts that a run right after this one has to count.
    pub fn remembered(&self) -> Vec<Instant> {
        self.window.starts().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{highlevel::allowance::Allowance, pace::Rate};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn gate(rate: &str, burst: u32) -> Gate {
        let (asked, burst) = (rate.parse().unwrap(), NonZeroU32::new(burst).unwrap());
        Gate::new(Pacing { asked, max: Rate::Unlimited, burst }, std::iter::empty())
    }

    fn answer(lane: Lane, sent: Instant, heard: Heard) -> Answer {
        Answer { lane, sent, heard, allowance: Allowance::default() }
    }

    /// Codes that may be asked for in one go.
    fn codes_at_once(gate: &mut Gate, now: Instant) -> usize {
        (0..100).take_while(|_| gate.try_start(Lane::Reconnect, now).is_ok()).count()
    }

    #[test]
    fn of_a_burst_half_is_kept_for_the_exchanges() {
        let (mut gate, now) = (gate("10/10s", 10), Instant::now());
        assert_eq!(codes_at_once(&mut gate, now), 5);
        let exchanges = (0..9).take_while(|_| gate.try_start(Lane::Exchange, now).is_ok());
        assert_eq!(exchanges.count(), 5);
    }

    #[test]
    fn a_place_is_free_again_when_its_code_is_presented() {
        let (mut gate, now) = (gate("10/10s", 10), Instant::now());
        while gate.try_start(Lane::Reconnect, now).is_ok() {}
        assert!(
            gate.try_start(Lane::Reconnect, now + MS(5000)).is_err(),
            "time alone is not enough"
        );
        for _ in 0..5 {
            gate.try_start(Lane::Exchange, now).unwrap();
            gate.free_place();
        }
        let later = now + MS(10_200);
        assert_eq!(gate.wait_for_place(Lane::Reconnect, later), Duration::ZERO);
    }

    #[test]
    fn codes_on_their_way_are_as_many_as_can_be_presented_in_time() {
        let now = Instant::now();
        let allowed = |life: Option<u64>, takes: u64| {
            let mut gate = gate("40/s", 1);
            gate.reconnect_takes = MS(takes);
            gate.code_life = life.map(MS);
            (1..1000).find(|codes| {
                gate.codes_to_come = *codes;
                !gate.wait_for_place(Lane::Reconnect, now).is_zero()
            })
        };
        // 25.25 ms apart: a second has 39 of them.
        for (life, takes, codes) in [
            (None, 30, 39),
            (Some(60_000), 30, 39),
            (Some(2000), 30, 19),
            (Some(60_000), 4000, 237),
            (Some(40), 30, 2),
        ] {
            assert_eq!(allowed(life, takes), Some(codes), "life {life:?}, answers take {takes} ms");
        }
    }

    #[test]
    fn a_slow_rate_has_a_place_for_one() {
        for rate in ["1/s", "1/10s", "2/h", "100/10s"] {
            let mut gate = gate(rate, 1);
            assert_eq!(gate.try_start(Lane::Reconnect, Instant::now()), Ok(()), "{rate}");
        }
    }

    #[test]
    fn what_the_server_has_left_is_kept_for_codes_in_hand() {
        let (mut gate, now) = (gate("unlimited", 1), Instant::now());
        let said = |remaining| Allowance {
            remaining: Some(remaining),
            resets_in: Some(MS(5000)),
            ..Allowance::default()
        };
        let hear = |gate: &mut Gate, remaining| {
            let clean = answer(Lane::Reconnect, now, Heard::Clean);
            gate.hear(&Answer { allowance: said(remaining), ..clean }, now);
        };
        gate.codes_to_come = 1;
        hear(&mut gate, 3);
        assert_eq!(gate.try_start(Lane::Reconnect, now + MS(1)), Ok(()), "two are left for two");
        assert!(gate.try_start(Lane::Reconnect, now + MS(1)).is_err());
        assert_eq!(gate.try_start(Lane::Exchange, now + MS(1)), Ok(()));
        assert_eq!(gate.try_start(Lane::Exchange, now + MS(1)), Ok(()));
        assert!(gate.try_start(Lane::Exchange, now + MS(1)).is_err(), "nothing is left");
        assert_eq!(gate.try_start(Lane::Exchange, now + MS(5001)), Ok(()), "until it begins anew");
    }

    #[test]
    fn a_hold_that_others_repeat_is_told_once() {
        let (mut gate, now) = (gate("10/s", 1), Instant::now());
        let throttled = answer(Lane::Exchange, now, Heard::Throttled(Some(MS(3000))));
        assert_eq!(gate.hear(&throttled, now).hold.map(|hold| hold.time), Some(MS(3000)));
        assert_eq!(gate.hear(&throttled, now + MS(20)), Effect { hold: None, is_echo: true });
        assert_eq!(gate.held(now + MS(20)), MS(3000));
        gate.hear(&answer(Lane::Exchange, now + MS(20), Heard::Clean), now + MS(30));
        assert!(gate.try_start(Lane::Exchange, now + MS(2900)).is_err(), "no success ends a hold");
    }

    #[test]
    fn only_a_rate_to_be_found_slows_down_for_slow_answers_and_failures() {
        let now = Instant::now();
        for (rate, slows) in [("auto", true), ("10/s", false)] {
            let mut gate = gate(rate, 1);
            let before = gate.interval();
            gate.hear(&answer(Lane::Exchange, now, Heard::Failing), now);
            assert_eq!(gate.interval() > before, slows, "{rate}");
        }
    }
}
