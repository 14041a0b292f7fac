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

    /// How long until so many starts are allowed; zero when they are now.
    pub fn wait_for(&self, count: usize, now: Instant) -> Duration {
        let Some((allowed, length)) = self.allowed else { return Duration::ZERO };
        let last = count.saturating_sub(1);
        let whole_windows = u32::try_from(last / allowed).unwrap_or(u32::MAX);
        // The start that has to have left the window before the last of them comes.
        let leaving = (self.starts.len() + last % allowed).checked_sub(allowed);
        let wait = leaving
            .and_then(|at| self.starts.get(at))
            .map_or(Duration::ZERO, |start| (*start + length).saturating_duration_since(now));
        wait.saturating_add(length.saturating_mul(whole_windows))
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
            now += window.wait_for(1, now);
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
    fn several_starts_wait_until_as_many_have_left_the_window() {
        let mut window = Window::of("3/s".parse().unwrap());
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        for ms in [0, 400] {
            window.start(at(ms));
        }
        let wait = |count| window.wait_for(count, at(500)).as_millis();
        assert_eq!([1, 2, 3, 4, 5].map(wait), [0, 510, 910, 1010, 1520]);
    }

    #[test]
    fn unlimited_never_waits() {
        let mut window = Window::of(Rate::Unlimited);
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(window.wait_for(9, now), Duration::ZERO);
            window.start(now);
        }
        assert_eq!(window.starts().count(), 0);
    }
}
