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
    Answer, AnswerOutcome, Lane, Pacing,
    adaptive_rate::AdaptiveRate,
    latency::{LatencyTracker, Speed},
    memory::Day,
    rate::{AskedRate, Rate, with_slack},
    refusals::{Refusals, Shown, Whose},
    shared_limits::SharedLimits,
    window::Window,
};
use crate::highlevel::header_times::MAX_RETRY_AFTER;

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

/// How long a request takes from its turn to its first byte, when nothing is in its way. What takes
/// longer keeps the next turn from being given.
const ON_ITS_WAY: Duration = Duration::from_millis(2);

/// So many requests may always be made ready before their turns.
const LEAST_AHEAD: u32 = 2;

/// The longest time before its turn at which a request is made ready.
const LONGEST_LEAD: Duration = Duration::from_secs(10);

/// Starts that the next run is told of, at most.
const MOST_TOLD: usize = 10_000;

/// How old they are, where the window is shorter.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// A turn that was given.
pub type TurnId = u64;

type Spacing = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Decides when the next request may start.
#[derive(Debug)]
pub struct Limiter {
    pacing: Pacing,
    adaptive_rate: AdaptiveRate,
    refusals: Refusals,
    shared_limits: SharedLimits,
    latency: [LatencyTracker; 3],
    window: Window,
    spacing: Option<Spacing>,
    /// Starts that the spacing would let through at once after the last one.
    burst_left: u32,
    held_until: Option<Instant>,
    quota: Option<ServerQuota>,
    /// When requests left, oldest first: the last ones, for the next run.
    starts: VecDeque<Instant>,
    /// How many requests have left.
    left: u64,
    /// Turns whose requests have not left, and when they were given.
    open: VecDeque<(TurnId, Instant)>,
    turns: TurnId,
    /// Requests that are being made ready, or are ready and wait for their turns.
    ahead: u32,
    readied_in: Slowness,
    /// From the arrival of a code until it is ready to be presented.
    presented_in: Slowness,
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
    pub is_stale_throttle: bool,
    /// What it said of the day, where that holds for all.
    pub day: Option<Day>,
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

impl Limiter {
    /// A gate that nothing has passed but the starts of the last run.
    pub fn new(pacing: Pacing, earlier: impl Iterator<Item = Instant>) -> Self {
        let bound = pacing.bound();
        let mut window = Window::of(bound);
        let starts: VecDeque<Instant> = earlier.collect();
        for start in &starts {
            window.add(*start);
        }
        let quota = Quota::with_period(bound.interval());
        let spacing = quota.map(|quota| {
            RateLimiter::direct(quota.allow_burst(pacing.burst))
                .with_middleware::<StateInformationMiddleware>()
        });
        let adaptive_rate = match pacing.asked {
            AskedRate::Fixed(_) => AdaptiveRate::below(bound.per_second()),
            AskedRate::Auto => AdaptiveRate::from(FIRST_AUTO, bound.per_second()),
        };
        Self {
            pacing,
            adaptive_rate,
            refusals: Refusals::default(),
            shared_limits: SharedLimits::default(),
            latency: Default::default(),
            window,
            spacing,
            burst_left: pacing.burst.get(),
            held_until: None,
            quota: None,
            starts,
            left: 0,
            open: VecDeque::new(),
            turns: 0,
            ahead: 0,
            readied_in: Slowness::default(),
            presented_in: Slowness::default(),
            codes_to_come: 0,
            reconnect_takes: Duration::ZERO,
            day: None,
            code_life: None,
        }
    }

    /// Gives the turn that is free now, or says how long until there may be one. The start is booked
    /// when the request leaves, with [`Limiter::leave`]; [`Limiter::give_back`] takes the turn back.
    pub fn try_start(&mut self, lane: Lane, now: Instant) -> Result<TurnId, Duration> {
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
        self.turns += 1;
        self.open.push_back((self.turns, now));
        self.window.open();
        if lane == Lane::Reconnect {
            self.codes_to_come += 1;
        }
        Ok(self.turns)
    }

    /// The first byte of a turn's request leaves now.
    pub fn leave(&mut self, turn: TurnId, now: Instant) {
        self.close(turn);
        self.window.start(now);
        self.starts.push_back(now);
        self.left += 1;
        if let Some(quota) = &mut self.quota {
            quota.left = quota.left.saturating_sub(1);
        }
        let told_for = match self.pacing.bound() {
            Rate::Limited { window, .. } => TOLD_FOR.max(window * 2),
            Rate::Unlimited => TOLD_FOR,
        };
        let is_old = |start: &Instant| now.saturating_duration_since(*start) > told_for;
        while self.starts.len() > MOST_TOLD || self.starts.front().is_some_and(is_old) {
            self.starts.pop_front();
        }
    }

    /// Nothing of a turn's request has left, and nothing will.
    pub fn give_back(&mut self, turn: TurnId) {
        self.close(turn);
        self.window.give_back();
    }

    fn close(&mut self, turn: TurnId) {
        self.open.retain(|(open, _)| *open != turn);
    }

    /// How long until so many starts, one after the other, are possible.
    fn wait_for(&self, count: u32, now: Instant) -> Duration {
        let more = count.saturating_sub(1);
        let held = self.held_until.map_or(Duration::ZERO, |end| end - now.min(end));
        held.max(self.wait_for_slowed(more, now))
            .max(self.wait_for_gap(now))
            .max(self.window.wait_for(count as usize, now))
            .max(self.wait_for_quota(count, now))
            .max(self.wait_for_spacing(more, now))
    }

    /// The slower pace, which knows no bursts.
    fn wait_for_slowed(&self, more: u32, now: Instant) -> Duration {
        let slowed = self.adaptive_rate.interval();
        if slowed.is_zero() {
            return Duration::ZERO;
        }
        self.after_the_last(slowed, now) + slowed * more
    }

    /// Without bursts, requests leave as far apart as their turns are given, but for the time on their
    /// way.
    fn wait_for_gap(&self, now: Instant) -> Duration {
        let interval = self.pacing.bound().interval();
        if interval.is_zero() || self.pacing.burst.get() > 1 {
            return Duration::ZERO;
        }
        self.after_the_last(interval.saturating_sub(ON_ITS_WAY), now)
    }

    /// How long until so much has passed since the last request left. One that should have left by now
    /// may still do so at any moment.
    fn after_the_last(&self, gap: Duration, now: Instant) -> Duration {
        let is_late = |(_, given): &(TurnId, Instant)| {
            now.saturating_duration_since(*given) > ON_ITS_WAY.max(gap / 2)
        };
        if self.open.front().is_some_and(is_late) {
            return gap;
        }
        let given = self.open.back().map(|(_, given)| *given);
        let last = given.max(self.starts.back().copied());
        last.map_or(Duration::ZERO, |last| (last + gap).saturating_duration_since(now))
    }

    fn wait_for_quota(&self, count: u32, now: Instant) -> Duration {
        let on_their_way = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        let is_too_many = |quota: &&ServerQuota| quota.left < count.saturating_add(on_their_way);
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
        if self.codes_to_come > 0 && self.codes_come_too_late() {
            // One at a time shows whether that has passed.
            return LOOK_AGAIN;
        }
        let wait = self.wait_for(self.codes_to_come + 2, now);
        let patience = self.patience();
        if wait <= patience { Duration::ZERO } else { wait.abs_diff(patience).max(LOOK_AGAIN) }
    }

    /// As long as a code may wait: while answers take long, many have to be on their way.
    fn patience(&self) -> Duration {
        let usual = PATIENCE.max(self.reconnect_takes.mul_f64(1.5));
        // What a disk or a handshake takes of a code's life is not there for waiting.
        let spare = self.code_life.map(|life| life.saturating_sub(self.presented_in.lately));
        let usual = spare.map_or(usual, |spare| usual.min(spare / SHARE_OF_LIFE));
        usual.max(self.interval() * 2)
    }

    /// Whether codes die before they can be presented, as long as the disk, or the making of
    /// connections, takes what it takes lately.
    pub fn codes_come_too_late(&self) -> bool {
        self.code_life
            .is_some_and(|life| self.presented_in.lately + self.interval() >= life / 4 * 3)
    }

    /// Whether another request may be made ready before its turn: as many as will have their turns by
    /// the time that making them ready takes.
    pub fn may_go_ahead(&self, now: Instant) -> bool {
        let before = self.ahead.saturating_add(self.codes_to_come);
        let lead = self.readied_in.lately.mul_f64(1.5).min(LONGEST_LEAD);
        self.ahead < LEAST_AHEAD || self.wait_for(before.saturating_add(1), now) <= lead
    }

    /// A request is being made ready from now on.
    pub fn go_ahead(&mut self) {
        self.ahead += 1;
    }

    /// A request has left, or never will.
    pub fn fall_back(&mut self) {
        self.ahead = self.ahead.saturating_sub(1);
    }

    /// Making a request ready took so long.
    pub fn readied_in(&mut self, took: Duration) {
        self.readied_in.note(took);
    }

    /// A code was ready to be presented so long after it had come.
    pub fn code_readied_in(&mut self, took: Duration) {
        self.presented_in.note(took);
    }

    /// Time between two starts at the present pace.
    pub fn interval(&self) -> Duration {
        self.pacing.bound().interval().max(self.adaptive_rate.interval())
    }

    /// How much longer everything is held.
    pub fn held(&self, now: Instant) -> Duration {
        self.held_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// How long every answer has been "too many".
    pub fn throttled_for(&self, now: Instant) -> Duration {
        self.adaptive_rate.throttled_for(now)
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
    pub fn observe(&mut self, answer: &Answer, now: Instant) -> Effect {
        let said = self.shared_limits.observe(answer.who, &answer.allowance, self.left, now);
        let resets_at = said.daily_resets_at;
        let day = said.daily_remaining.map(|left| Day { left, resets_at });
        self.day = day.or(self.day);
        if let Some((limit, length)) = said.limit {
            let ceiling = f64::from(limit) / with_slack(length).as_secs_f64();
            self.adaptive_rate.lower_ceiling(ceiling);
        }
        if let Some((left, resets_in)) = said.remaining.zip(said.resets_in) {
            self.count_down(left, resets_in, answer.sent, now);
        }
        let (hold, is_stale_throttle) = match answer.outcome {
            AnswerOutcome::Throttled(asked) => {
                let asked = asked.max(answer.allowance.hold());
                let (hold, is_stale_throttle) = self.observe_refusal(answer, asked, now);
                (hold.max(said.hold()), is_stale_throttle)
            }
            AnswerOutcome::Failing => {
                if self.pacing.asked == AskedRate::Auto {
                    let recent = self.recent_pace(now);
                    self.adaptive_rate.troubled(now, answer.sent, recent);
                }
                (said.hold(), false)
            }
            AnswerOutcome::Clean => {
                let shown = self.refusals.served(answer.who, answer.sent, now);
                self.learn(shown);
                self.observe_clean(answer, now);
                (said.hold(), false)
            }
            AnswerOutcome::Aside => {
                self.observe_clean(answer, now);
                (None, false)
            }
        };
        Effect { hold: hold.and_then(|time| self.hold(time, now)), is_stale_throttle, day }
    }

    /// How long all wait for a refusal, and whether it only repeats what is known.
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
            // There is nobody to compare it with.
            self.adaptive_rate.nothing_but_refusals(now);
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
            Shown::NotThePace => self.adaptive_rate.come_back(),
        }
    }

    /// A shorter hold never ends a longer one, and one that is hardly longer is no news.
    fn hold(&mut self, time: Duration, now: Instant) -> Option<Hold> {
        let before = self.held_until.unwrap_or(now).max(now);
        self.held_until = Some(before.max(now + time));
        let is_change = now + time > before + HARDLY_LONGER;
        is_change.then_some(Hold { time, interval: self.interval() })
    }

    /// What the server said last of its day.
    pub fn day(&self) -> Option<Day> {
        self.day
    }

    fn observe_clean(&mut self, answer: &Answer, now: Instant) {
        let took = now.saturating_duration_since(answer.sent);
        if answer.lane == Lane::Reconnect {
            let before = self.reconnect_takes;
            // Up at once, down bit by bit.
            self.reconnect_takes = (before + took) / 2;
            self.reconnect_takes = self.reconnect_takes.max(before / 8 * 7);
        }
        let speed = self.latency[answer.lane as usize].note(took);
        if self.pacing.asked == AskedRate::Auto && speed == Speed::Slow {
            let recent = self.recent_pace(now);
            self.adaptive_rate.eased(now, answer.sent, recent);
        } else {
            self.adaptive_rate.clean(now, answer.sent);
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

    /// So many requests can leave in a time, at most.
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

    /// The starts that a run right after this one has to count.
    pub fn remembered(&self) -> Vec<Instant> {
        self.starts.iter().copied().collect()
    }
}

/// How long something takes lately: up at once, down bit by bit.
#[derive(Clone, Copy, Debug, Default)]
struct Slowness {
    lately: Duration,
}

impl Slowness {
    fn note(&mut self, took: Duration) {
        self.lately = took.max(self.lately / 4 * 3);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::highlevel::allowance::Allowance;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn limiter(rate: &str, burst: u32) -> Limiter {
        let (asked, burst) = (rate.parse().unwrap(), NonZeroU32::new(burst).unwrap());
        Limiter::new(Pacing { asked, max: Rate::Unlimited, burst }, std::iter::empty())
    }

    fn answer(lane: Lane, sent: Instant, outcome: AnswerOutcome) -> Answer {
        Answer { who: None, lane, sent, outcome, allowance: Allowance::default() }
    }

    /// Whether a request leaves as soon as it asks.
    fn started(limiter: &mut Limiter, lane: Lane, now: Instant) -> bool {
        limiter.try_start(lane, now).map(|turn| limiter.leave(turn, now)).is_ok()
    }

    /// Codes that may be asked for in one go.
    fn codes_at_once(limiter: &mut Limiter, now: Instant) -> usize {
        (0..100).take_while(|_| started(limiter, Lane::Reconnect, now)).count()
    }

    #[test]
    fn of_a_burst_half_is_kept_for_the_exchanges() {
        let (mut limiter, now) = (limiter("10/10s", 10), Instant::now());
        assert_eq!(codes_at_once(&mut limiter, now), 5);
        let exchanges = (0..9).take_while(|_| started(&mut limiter, Lane::Exchange, now));
        assert_eq!(exchanges.count(), 5);
    }

    #[test]
    fn a_place_is_free_again_when_its_code_is_presented() {
        let (mut limiter, now) = (limiter("10/10s", 10), Instant::now());
        while started(&mut limiter, Lane::Reconnect, now) {}
        assert!(
            limiter.try_start(Lane::Reconnect, now + MS(5000)).is_err(),
            "time alone is not enough"
        );
        for _ in 0..5 {
            assert!(started(&mut limiter, Lane::Exchange, now));
            limiter.free_place();
        }
        let later = now + MS(10_200);
        assert_eq!(limiter.wait_for_place(Lane::Reconnect, later), Duration::ZERO);
    }

    #[test]
    fn codes_on_their_route_are_as_many_as_can_be_presented_in_time() {
        let now = Instant::now();
        let allowed = |life: Option<u64>, takes: u64| {
            let mut limiter = limiter("40/s", 1);
            limiter.reconnect_takes = MS(takes);
            limiter.code_life = life.map(MS);
            (1..1000).find(|codes| {
                limiter.codes_to_come = *codes;
                !limiter.wait_for_place(Lane::Reconnect, now).is_zero()
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
            let mut limiter = limiter(rate, 1);
            assert!(started(&mut limiter, Lane::Reconnect, Instant::now()), "{rate}");
        }
    }

    #[test]
    fn what_the_server_has_left_is_kept_for_codes_in_hand() {
        let (mut limiter, now) = (limiter("unlimited", 1), Instant::now());
        let said = |remaining| Allowance {
            remaining: Some(remaining),
            resets_in: Some(MS(5000)),
            ..Allowance::default()
        };
        let observe = |limiter: &mut Limiter, remaining| {
            let clean = answer(Lane::Reconnect, now, AnswerOutcome::Clean);
            limiter.observe(&Answer { allowance: said(remaining), ..clean }, now);
        };
        limiter.codes_to_come = 1;
        observe(&mut limiter, 3);
        let mut starts = |lane, ms| started(&mut limiter, lane, now + MS(ms));
        assert!(starts(Lane::Reconnect, 1), "two are left for two");
        assert!(!starts(Lane::Reconnect, 1));
        assert!(starts(Lane::Exchange, 1));
        assert!(starts(Lane::Exchange, 1));
        assert!(!starts(Lane::Exchange, 1), "nothing is left");
        assert!(starts(Lane::Exchange, 5001), "until it begins anew");
    }

    #[test]
    fn a_hold_that_others_repeat_is_told_once() {
        let (mut limiter, now) = (limiter("10/s", 1), Instant::now());
        let throttled = answer(Lane::Exchange, now, AnswerOutcome::Throttled(Some(MS(3000))));
        assert_eq!(limiter.observe(&throttled, now).hold.map(|hold| hold.time), Some(MS(3000)));
        assert_eq!(
            limiter.observe(&throttled, now + MS(20)),
            Effect { hold: None, is_stale_throttle: true, day: None }
        );
        assert_eq!(limiter.held(now + MS(20)), MS(3000));
        limiter.observe(&answer(Lane::Exchange, now + MS(20), AnswerOutcome::Clean), now + MS(30));
        assert!(
            limiter.try_start(Lane::Exchange, now + MS(2900)).is_err(),
            "no success ends a hold"
        );
    }

    #[test]
    fn only_a_rate_to_be_found_slows_down_for_slow_answers_and_failures() {
        let now = Instant::now();
        for (rate, slows) in [("auto", true), ("10/s", false)] {
            let mut limiter = limiter(rate, 1);
            let before = limiter.interval();
            limiter.observe(&answer(Lane::Exchange, now, AnswerOutcome::Failing), now);
            assert_eq!(limiter.interval() > before, slows, "{rate}");
        }
    }
}
