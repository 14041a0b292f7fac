//! The bound over any window, computed from the starts themselves.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::rate::{Rate, with_margin};

/// For more starts a window, the spacing alone keeps the bound.
const MOST_REMEMBERED: u32 = 100_000;

/// Remembers as many starts as the rate allows in a window; the next one waits until the oldest has
/// left it. This holds across runs: the starts of the last run are added.
///
/// The request of an open turn may leave at any moment, so it counts as a start of now.
#[derive(Debug, Default)]
pub struct Window {
    allowed: Option<(usize, Duration)>,
    /// Oldest first.
    starts: VecDeque<Instant>,
    /// Turns whose requests have not left.
    open: usize,
}

impl Window {
    /// The window of a rate.
    pub fn of(rate: Rate) -> Self {
        let allowed = match rate {
            Rate::Limited { starts, window } if starts.get() <= MOST_REMEMBERED => {
                Some((starts.get() as usize, with_margin(window)))
            }
            _ => None,
        };
        Self { allowed, starts: VecDeque::new(), open: 0 }
    }

    /// How long until this many starts are allowed; zero if they are now.
    pub fn wait_for(&self, count: usize, now: Instant) -> Duration {
        let Some((allowed, length)) = self.allowed else { return Duration::ZERO };
        let last = count.saturating_sub(1);
        let whole_windows = u32::try_from(last / allowed).unwrap_or(u32::MAX);
        // The start that has to leave the window before the last of them.
        let taken = self.starts.len() + self.open;
        let wait = match (taken + last % allowed).checked_sub(allowed) {
            None => Duration::ZERO,
            Some(at) => match self.starts.get(at) {
                Some(start) => (*start + length).saturating_duration_since(now),
                // It is an open turn.
                None => length,
            },
        };
        wait.saturating_add(length.saturating_mul(whole_windows))
    }

    /// A turn is given.
    pub fn open(&mut self) {
        self.open += 1;
        self.forget();
    }

    /// The request of an open turn leaves.
    pub fn start(&mut self, now: Instant) {
        self.give_back();
        self.add(now);
    }

    /// A turn is given back.
    pub fn give_back(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Adds a start of another run.
    pub fn add(&mut self, start: Instant) {
        if self.allowed.is_none() {
            return;
        }
        let after = self.starts.partition_point(|other| *other <= start);
        self.starts.insert(after, start);
        self.forget();
    }

    /// Keeps as many starts as a window allows.
    fn forget(&mut self) {
        let Some((allowed, _)) = self.allowed else { return };
        while self.starts.len() > allowed.saturating_sub(self.open) {
            self.starts.pop_front();
        }
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
            window.open();
            window.start(now);
            starts.push(now - begin);
            now += Duration::from_millis(1);
        }
        for first in &starts {
            let end = *first + Duration::from_secs(1);
            let within = starts.iter().filter(|start| (*first..=end).contains(*start)).count();
            assert!(within <= 3, "{within} from {first:?} on: {starts:?}");
        }
    }

    #[test]
    fn several_starts_wait_until_as_many_have_left_the_window() {
        let mut window = Window::of("3/s".parse().unwrap());
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        for ms in [0, 400] {
            window.add(at(ms));
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
            window.open();
            window.start(now);
        }
        assert!(window.starts.is_empty());
    }

    #[test]
    fn a_turn_whose_request_has_not_left_counts_as_a_start_of_now() {
        let mut window = Window::of("3/s".parse().unwrap());
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        for _ in 0..3 {
            assert_eq!(window.wait_for(1, at(0)), Duration::ZERO);
            window.open();
        }
        assert_eq!(window.wait_for(1, at(60_000)), Duration::from_millis(1010), "however late");
        window.start(at(60_000));
        assert_eq!(window.wait_for(1, at(60_900)), Duration::from_millis(110));
        assert_eq!(window.wait_for(2, at(60_900)), Duration::from_millis(1010));
        window.give_back();
        window.give_back();
        assert_eq!(window.wait_for(2, at(60_900)), Duration::ZERO);
        assert_eq!(window.wait_for(3, at(60_900)), Duration::from_millis(110));
    }

    #[test]
    fn starts_that_leave_in_another_order_than_their_turns_keep_the_bound() {
        let rate: Rate = "5/s".parse().unwrap();
        let mut window = Window::of(rate);
        let mut now = Instant::now();
        let (mut open, mut left): (Vec<u32>, Vec<Instant>) = (Vec::new(), Vec::new());
        let mut random = fastrand::Rng::with_seed(7);
        while left.len() < 500 {
            now += Duration::from_millis(random.u64(1..60));
            if window.wait_for(1, now).is_zero() {
                window.open();
                open.push(0);
            }
            if !open.is_empty() && random.u32(0..3) == 0 {
                open.swap_remove(random.usize(0..open.len()));
                if random.u32(0..10) == 0 {
                    window.give_back();
                } else {
                    window.start(now);
                    left.push(now);
                }
            }
        }
        for (first, sixth) in left.iter().zip(&left[5..]) {
            assert!(*sixth - *first >= Duration::from_secs(1), "six within a second");
        }
    }
}
