//! The rate below the one asked for: halved when the server throttles, climbing back step by step. A
//! pure decision over times and answers.

use std::time::{Duration, Instant};

/// The slowest rate: a start every ten seconds.
const SLOWEST: f64 = 0.1;

/// The slowest rate that slow answers alone lead to.
const SLOWEST_EASED: f64 = 1.0;

/// Without a ceiling, the rate to slow down from is at least this: a young run has few starts to
/// count.
const LEAST_GUESS: f64 = 20.0;

/// The part of the ceiling that a clean second adds.
const CLIMB: f64 = 0.05;

/// The part of the rate that is left when the server throttles or fails.
const THROTTLED: f64 = 0.5;

/// The part of the rate that is left when answers become slow.
const EASED: f64 = 0.75;

/// The first hold if the server asks for none; each later one is twice as long.
const FIRST_HOLD: Duration = Duration::from_secs(1);

/// The longest hold that the server did not ask for.
const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// Additive up, multiplicative down. In starts a second.
#[derive(Debug)]
pub struct AdaptiveRate {
    ceiling: Option<f64>,
    /// The rate at the ceiling; `None` unless the server lowered the ceiling.
    at_the_top: Option<f64>,
    current: Option<f64>,
    slowed_at: Option<Instant>,
    climbed_at: Option<Instant>,
    throttled_since: Option<Instant>,
    holds_in_a_row: u32,
    /// The rate before refusals slowed it, until it is known whether that helps.
    before: Option<EarlierPace>,
}

/// A rate to come back to.
#[derive(Clone, Copy, Debug)]
struct EarlierPace {
    current: Option<f64>,
}

impl AdaptiveRate {
    /// Below a ceiling and at it from the first; `None` is none.
    pub fn below(ceiling: Option<f64>) -> Self {
        Self {
            ceiling,
            at_the_top: None,
            current: None,
            slowed_at: None,
            climbed_at: None,
            throttled_since: None,
            holds_in_a_row: 0,
            before: None,
        }
    }

    /// From a rate up to a ceiling.
    pub fn from(pace: f64, ceiling: Option<f64>) -> Self {
        let is_below = ceiling.is_none_or(|top| pace < top);
        Self { current: is_below.then_some(pace), ..Self::below(ceiling) }
    }

    /// Time between two starts now; zero when nothing slows it.
    pub fn interval(&self) -> Duration {
        self.current.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate))
    }

    /// The server throttled a request sent at this time; `recent` is the rate so far. Returns how long
    /// to hold everything. Answers to requests from before the last slowdown change nothing.
    pub fn throttled(
        &mut self,
        now: Instant,
        sent: Instant,
        asked: Option<Duration>,
        recent: f64,
    ) -> Duration {
        self.throttled_since.get_or_insert(now);
        let is_change = self.is_change(sent);
        if is_change {
            self.holds_in_a_row += 1;
            self.refused(now, sent, recent);
        }
        asked.unwrap_or(if is_change { self.own_hold() } else { Duration::ZERO })
    }

    /// Nothing has been served so far.
    pub fn all_refused(&mut self, now: Instant) {
        self.throttled_since.get_or_insert(now);
    }

    /// Different installations were refused, the last with a request sent at this time.
    pub fn refused(&mut self, now: Instant, sent: Instant, recent: f64) {
        if self.is_change(sent) {
            self.before.get_or_insert(EarlierPace { current: self.current });
            self.slow_down(now, recent, THROTTLED, SLOWEST);
        }
    }

    /// The slowdown has helped.
    pub fn stay(&mut self) {
        self.before = None;
    }

    /// The slowdown has not helped: the rate was not the cause, and comes back.
    pub fn restore_rate(&mut self) {
        let Some(EarlierPace { current: before }) = self.before.take() else { return };
        self.holds_in_a_row = 0;
        let ceiling = self.at_the_top;
        self.current = match (before, ceiling) {
            // A ceiling that the server has set meanwhile stays.
            (None, ceiling) => ceiling,
            (Some(before), ceiling) => Some(before.min(ceiling.unwrap_or(before))),
        };
    }

    /// The server failed on a request sent at this time.
    pub fn slow_after_error(&mut self, now: Instant, sent: Instant, recent: f64) {
        if self.is_change(sent) {
            self.slow_down(now, recent, THROTTLED, SLOWEST_EASED);
        }
    }

    /// Answers to requests sent at this time have become slow.
    pub fn slow_after_latency(&mut self, now: Instant, sent: Instant, recent: f64) {
        if self.is_change(sent) {
            self.slow_down(now, recent, EASED, SLOWEST_EASED);
        }
    }

    /// Whether a request was sent after the last slowdown, so that its answer is new evidence.
    pub fn is_change(&self, sent: Instant) -> bool {
        self.slowed_at.is_none_or(|slowed| sent > slowed)
    }

    fn slow_down(&mut self, now: Instant, recent: f64, factor: f64, least: f64) {
        self.slowed_at = Some(now);
        self.climbed_at = Some(now);
        let top = self.ceiling.unwrap_or(recent.max(LEAST_GUESS));
        let from = self.current.unwrap_or(top);
        self.current = Some((from * factor).max(least).min(from));
    }

    fn own_hold(&self) -> Duration {
        let doublings = self.holds_in_a_row.saturating_sub(1).min(10);
        (FIRST_HOLD * 2_u32.pow(doublings)).min(LONGEST_HOLD)
    }

    /// A request sent at this time had a clean answer.
    pub fn clean(&mut self, now: Instant, sent: Instant) {
        if !self.is_change(sent) {
            return;
        }
        self.throttled_since = None;
        let Some(current) = self.current else { return };
        let climbed_at = *self.climbed_at.get_or_insert(now);
        if now.saturating_duration_since(climbed_at) < Duration::from_secs(1) {
            return;
        }
        self.climbed_at = Some(now);
        self.holds_in_a_row = 0;
        let ceiling = self.ceiling.unwrap_or((current * 2.0).max(LEAST_GUESS));
        let faster = current + ceiling * CLIMB;
        let is_at_the_top = self.ceiling.is_some_and(|top| faster >= top);
        self.current = if is_at_the_top { self.at_the_top } else { Some(faster) };
    }

    /// How long every answer has been a throttle.
    pub fn throttled_for(&self, now: Instant) -> Duration {
        self.throttled_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The server has set a ceiling of its own.
    pub fn lower_ceiling(&mut self, ceiling: f64) {
        let ceiling = ceiling.max(SLOWEST);
        if self.ceiling.is_none_or(|now| ceiling < now) {
            self.ceiling = Some(ceiling);
            self.at_the_top = Some(ceiling);
            self.current = Some(self.current.map_or(ceiling, |current| current.min(ceiling)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_second(adaptive_rate: &AdaptiveRate) -> f64 {
        1.0 / adaptive_rate.interval().as_secs_f64()
    }

    #[test]
    fn a_throttle_halves_and_clean_seconds_climb_back() {
        let mut adaptive_rate = AdaptiveRate::below(Some(10.0));
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert_eq!(adaptive_rate.interval(), Duration::ZERO);
        assert_eq!(adaptive_rate.throttled(at(1), at(0), None, 0.0), Duration::from_secs(1));
        assert!((per_second(&adaptive_rate) - 5.0).abs() < 0.01);
        adaptive_rate.clean(at(2), at(0));
        assert!(
            (per_second(&adaptive_rate) - 5.0).abs() < 0.01,
            "an answer from before is no evidence"
        );
        for second in 2..=11 {
            adaptive_rate.clean(at(second), at(second));
        }
        assert_eq!(adaptive_rate.interval(), Duration::ZERO, "back at the ceiling");
    }

    #[test]
    fn many_answers_to_one_burst_slow_down_once() {
        let mut adaptive_rate = AdaptiveRate::below(Some(10.0));
        let begin = Instant::now();
        let later = begin + Duration::from_secs(1);
        for _ in 0..16 {
            adaptive_rate.throttled(later, begin, Some(Duration::from_secs(3)), 0.0);
        }
        assert!((per_second(&adaptive_rate) - 5.0).abs() < 0.01);
    }

    #[test]
    fn holds_in_a_row_grow_up_to_a_bound() {
        let mut adaptive_rate = AdaptiveRate::below(Some(10.0));
        let mut now = Instant::now();
        let mut holds = Vec::new();
        for _ in 0..8 {
            let sent = now + Duration::from_millis(1);
            now = sent + Duration::from_mins(1);
            holds.push(adaptive_rate.throttled(now, sent, None, 0.0).as_secs());
        }
        assert_eq!(holds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(adaptive_rate.interval() <= Duration::from_secs(10));
    }

    #[test]
    fn an_automatic_rate_climbs_from_below_and_eases_off_step_by_step() {
        let mut adaptive_rate = AdaptiveRate::from(10.0, Some(50.0));
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert!((per_second(&adaptive_rate) - 10.0).abs() < 0.01);
        for second in 0..=4 {
            adaptive_rate.clean(at(second), at(second));
        }
        assert!((per_second(&adaptive_rate) - 20.0).abs() < 0.01, "2.5 more each second");
        adaptive_rate.slow_after_latency(at(5), at(4), 0.0);
        adaptive_rate.slow_after_latency(at(5), at(4), 0.0);
        assert!((per_second(&adaptive_rate) - 15.0).abs() < 0.01, "once for one generation");
        adaptive_rate.slow_after_error(at(7), at(6), 0.0);
        assert!((per_second(&adaptive_rate) - 7.5).abs() < 0.01);
        for second in 8..100 {
            adaptive_rate.clean(at(second), at(second));
        }
        assert_eq!(adaptive_rate.interval(), Duration::ZERO, "at the ceiling");
        assert_eq!(AdaptiveRate::from(10.0, Some(5.0)).interval(), Duration::ZERO, "a lower one");
    }

    #[test]
    fn a_ceiling_of_the_server_is_never_climbed_over() {
        let mut adaptive_rate = AdaptiveRate::below(Some(10.0));
        let begin = Instant::now();
        adaptive_rate.lower_ceiling(4.0);
        adaptive_rate.throttled(begin, begin, None, 0.0);
        for second in 1..100 {
            let at = begin + Duration::from_secs(second);
            adaptive_rate.clean(at, at);
        }
        assert!((per_second(&adaptive_rate) - 4.0).abs() < 0.01);
    }

    #[test]
    fn one_clean_answer_ends_the_time_of_being_throttled() {
        let mut adaptive_rate = AdaptiveRate::below(Some(10.0));
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        for second in (10..=70).step_by(10) {
            adaptive_rate.throttled(at(second), at(second - 1), None, 0.0);
        }
        assert_eq!(adaptive_rate.throttled_for(at(80)), Duration::from_secs(70));
        adaptive_rate.clean(at(80), at(79));
        assert_eq!(adaptive_rate.throttled_for(at(81)), Duration::ZERO);
    }

    #[test]
    fn without_a_ceiling_the_pace_so_far_is_halved() {
        let mut adaptive_rate = AdaptiveRate::below(None);
        let now = Instant::now();
        adaptive_rate.throttled(now, now, None, 400.0);
        assert!((per_second(&adaptive_rate) - 200.0).abs() < 0.1);
        let mut beginner = AdaptiveRate::below(None);
        beginner.throttled(now, now, None, 1.0);
        assert!((per_second(&beginner) - 10.0).abs() < 0.1);
    }
}
