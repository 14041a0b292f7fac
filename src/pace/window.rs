//! The bound over any window: exact, from the starts themselves.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::rate::{Rate, with_slack};

/// Larger windows are kept by the spacing alone, which keeps them too.
const MOST_REMEMBERED: u32 = 100_000;

/// Remembers as many starts as the rate allows in a window; the next one waits until the oldest of
/// them has left it. That holds across runs, since the starts of the last one can be added.
#[derive(Debug, Default)]
pub struct Window {
    allowed: Option<(usize, Duration)>,
    starts: VecDeque<Instant>,
}

impl Window {
    /// The window of a rate.
    pub fn of(rate: Rate) -> Self {
        let allowed = match rate {
            Rate::Limited { starts, window } if starts.get() <= MOST_REMEMBERED => {
                Some((starts.get() as usize, with_slack(window)))
            }
            _ => None,
        };
        Self { allowed, starts: VecDeque::new() }
    }

    /// How long until a start is allowed; zero when it is now.
    pub fn wait(&self, now: Instant) -> Duration {
        let Some((allowed, length)) = self.allowed else { return Duration::ZERO };
        let oldest = self.starts.len().checked_sub(allowed).and_then(|at| self.starts.get(at));
        oldest.map_or(Duration::ZERO, |start| (*start + length).saturating_duration_since(now))
    }

    /// Takes note of a start.
    pub fn start(&mut self, now: Instant) {
        let Some((allowed, _)) = self.allowed else { return };
        self.starts.push_back(now);
        while self.starts.len() > allowed {
            self.starts.pop_front();
        }
    }

    /// The starts that are remembered, oldest first.
    pub fn starts(&self) -> impl Iterator<Item = Instant> {
        self.starts.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_has_more_starts_than_allowed() {
        let rate: Rate = "3/s".parse().unwrap();
        let mut window = Window::of(rate);
        let begin = Instant::now();
        let mut now = begin;
        let mut starts = Vec::new();
        for _ in 0..20 {
            now += window.wait(now);
            window.start(now);
            starts.push(now - begin);
            now += Duration::from_millis(1);
        }
        for first in &starts {
            let end = *first + Duration::from_secs(1);
            let within = starts.iter().filter(|start| (*first..=end).contains(start)).count();
            assert!(within <= 3, "{within} from {first:?} on: {starts:?}");
        }
    }

    #[test]
    fn unlimited_never_waits() {
        let mut window = Window::of(Rate::Unlimited);
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(window.wait(now), Duration::ZERO);
            window.start(now);
        }
        assert_eq!(window.starts().count(), 0);
    }
}
