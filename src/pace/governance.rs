//! How fast to go below the rate that was asked for: slower at once when the server says so, faster
//! again bit by bit. A pure decision over times and answers.

use std::time::{Duration, Instant};

/// The slowest pace: a start every ten seconds.
const SLOWEST: f64 = 0.1;

/// Without a ceiling, a pace is taken to be at least this: a run that has just begun tells little.
const LEAST_GUESS: f64 = 20.0;

/// Of the ceiling, what a clean second adds.
const CLIMB: f64 = 0.05;

/// The first hold when the server does not say how long; each later one is twice as long.
const FIRST_HOLD: Duration = Duration::from_secs(1);

/// The longest hold of ours.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// Additive up, multiplicative down. In starts a second.
#[derive(Debug)]
pub struct Governance {
    ceiling: Option<f64>,
    current: Option<f64>,
    slowed_at: Option<Instant>,
    climbed_at: Option<Instant>,
    holds_in_a_row: u32,
}

impl Governance {
    /// Below a ceiling; `None` is none.
    pub fn below(ceiling: Option<f64>) -> Self {
        Self { ceiling, current: None, slowed_at: None, climbed_at: None, holds_in_a_row: 0 }
    }

    /// Time between two starts now; zero when nothing slows it.
    pub fn interval(&self) -> Duration {
        self.current.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate))
    }

    /// The server said "too many" to a request that was sent then; `recent` is the pace so far.
    /// Returns how long to hold everything. Answers to requests from before the last slowing down
    /// tell nothing new.
    pub fn throttled(
        &mut self,
        now: Instant,
        sent: Instant,
        asked: Option<Duration>,
        recent: f64,
    ) -> Duration {
        let is_news = self.slowed_at.is_none_or(|slowed| sent > slowed);
        if is_news {
            self.slowed_at = Some(now);
            self.climbed_at = Some(now);
            self.holds_in_a_row += 1;
            let from =
                self.current.unwrap_or_else(|| self.ceiling.unwrap_or(recent.max(LEAST_GUESS)));
            self.current = Some((from / 2.0).max(SLOWEST));
        }
        asked.unwrap_or(if is_news { self.own_hold() } else { Duration::ZERO })
    }

    fn own_hold(&self) -> Duration {
        let doublings = self.holds_in_a_row.saturating_sub(1).min(10);
        (FIRST_HOLD * 2_u32.pow(doublings)).min(LONGEST_HOLD)
    }

    /// A request that was sent then had a clean answer.
    pub fn clean(&mut self, now: Instant, sent: Instant) {
        let Some(current) = self.current else { return };
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let is_newer = self.slowed_at.is_none_or(|slowed| sent > slowed);
        if !is_newer || since(self.climbed_at).is_some_and(|time| time < Duration::from_secs(1)) {
            return;
        }
        self.climbed_at = Some(now);
        self.holds_in_a_row = 0;
        let ceiling = self.ceiling.unwrap_or((current * 2.0).max(LEAST_GUESS));
        let faster = current + ceiling * CLIMB;
        self.current =
            if self.ceiling.is_some_and(|top| faster >= top) { None } else { Some(faster) };
    }

    /// The server named a ceiling of its own.
    pub fn lower_ceiling(&mut self, ceiling: f64) {
        let ceiling = ceiling.max(SLOWEST);
        if self.ceiling.is_none_or(|now| ceiling < now) {
            self.ceiling = Some(ceiling);
            self.current = Some(self.current.map_or(ceiling, |current| current.min(ceiling)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_second(governance: &Governance) -> f64 {
        1.0 / governance.interval().as_secs_f64()
    }

    #[test]
    fn a_throttle_halves_and_clean_seconds_climb_back() {
        let mut governance = Governance::below(Some(10.0));
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert_eq!(governance.interval(), Duration::ZERO);
        assert_eq!(governance.throttled(at(1), at(0), None, 0.0), Duration::from_secs(1));
        assert!((per_second(&governance) - 5.0).abs() < 0.01);
        governance.clean(at(2), at(0));
        assert!(
            (per_second(&governance) - 5.0).abs() < 0.01,
            "an answer from before tells nothing"
        );
        for second in 2..=11 {
            governance.clean(at(second), at(second));
        }
        assert_eq!(governance.interval(), Duration::ZERO, "back at the ceiling");
    }

    #[test]
    fn many_answers_to_one_burst_slow_down_once() {
        let mut governance = Governance::below(Some(10.0));
        let begin = Instant::now();
        let later = begin + Duration::from_secs(1);
        for _ in 0..16 {
            governance.throttled(later, begin, Some(Duration::from_secs(3)), 0.0);
        }
        assert!((per_second(&governance) - 5.0).abs() < 0.01);
    }

    #[test]
    fn holds_in_a_row_grow_up_to_a_bound() {
        let mut governance = Governance::below(Some(10.0));
        let mut now = Instant::now();
        let mut holds = Vec::new();
        for _ in 0..8 {
            let sent = now + Duration::from_millis(1);
            now = sent + Duration::from_secs(60);
            holds.push(governance.throttled(now, sent, None, 0.0).as_secs());
        }
        assert_eq!(holds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(governance.interval() <= Duration::from_secs(10));
    }

    #[test]
    fn without_a_ceiling_the_pace_so_far_is_halved() {
        let mut governance = Governance::below(None);
        let now = Instant::now();
        governance.throttled(now, now, None, 400.0);
        assert!((per_second(&governance) - 200.0).abs() < 0.1);
        let mut beginner = Governance::below(None);
        beginner.throttled(now, now, None, 1.0);
        assert!((per_second(&beginner) - 10.0).abs() < 0.1);
    }
}
