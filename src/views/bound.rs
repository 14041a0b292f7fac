//! Whether the rate was a bound: more starts in a window than it allows are a bug, as books are that
//! do not balance.

use std::time::Duration;

use serde_json::Value;

use crate::{
    clock,
    event::{self, Event},
    pace::Rate,
    settings::Settings,
};

/// Times in the journal are cut to milliseconds, and that of a request without an answer is taken just
/// before its first byte leaves: two starts may seem closer by this share of a window than they were.
const SEEMS_CLOSER: u32 = 40;

/// Where no rate is a bound, starts are counted in seconds.
const SECOND: Duration = Duration::from_secs(1);

/// The window and the starts that it may have.
pub(super) fn window_of(bound: Rate) -> (Duration, Option<u32>) {
    match bound {
        Rate::Limited { starts, window } => (window, Some(starts.get())),
        Rate::Unlimited => (SECOND, None),
    }
}

/// The time within which starts surely share a window of this length.
pub(super) fn surely_within(window: Duration) -> Duration {
    window.saturating_sub(window / SEEMS_CLOSER)
}

/// The bounds of a run's executions, each from its beginning on.
#[derive(Clone, Debug, Default)]
pub struct BoundsAsked(Vec<(i64, Rate)>);

/// A window with more starts than its bound allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Starts in it.
    pub starts: u64,
    /// Starts that its rate allows.
    pub allowed: u32,
    /// Its length.
    pub window: Duration,
}

impl Exceeded {
    /// What a merged run has of a shard.
    pub fn of_shard(shard: event::Exceeded) -> Self {
        let event::Exceeded { starts, allowed, window_ms, .. } = shard;
        Self { starts, allowed, window: Duration::from_millis(window_ms.into()) }
    }
}

impl BoundsAsked {
    /// Takes an event into account.
    pub fn observe(&mut self, event: &Event, milliseconds: impl Fn(jiff::Timestamp) -> i64) {
        match event {
            Event::Started(e) => self.0.push((i64::MIN, bound_of(&e.settings))),
            Event::Resumed(e) => self.0.push((milliseconds(e.at), bound_of(&e.settings))),
            _ => {}
        }
    }

    /// The first window that an execution had too many starts in, if any. Starts are in
    /// milliseconds, sorted.
    pub fn exceeded(&self, starts: &[i64]) -> Option<Exceeded> {
        let ends = self.0.iter().skip(1).map(|(begin, _)| *begin).chain([i64::MAX]);
        self.0.iter().zip(ends).find_map(|((begin, rate), end)| {
            let Rate::Limited { starts: allowed, window } = rate else { return None };
            let from = starts.partition_point(|start| start < begin);
            let to = starts.partition_point(|start| *start < end);
            let most = busiest(starts.get(from..to)?, surely_within(*window));
            let allowed = allowed.get();
            (most > u64::from(allowed)).then_some(Exceeded {
                starts: most,
                allowed,
                window: *window,
            })
        })
    }
}

/// The most starts that are no further apart than this. Starts are in milliseconds, sorted.
pub fn busiest(starts: &[i64], window: Duration) -> u64 {
    let window = i64::from(clock::millis(window));
    let (mut oldest, mut most) = (0, 0);
    for (newest, start) in starts.iter().enumerate() {
        while starts[oldest].saturating_add(window) < *start {
            oldest += 1;
        }
        most = most.max(newest - oldest + 1);
    }
    most as u64
}

fn bound_of(settings: &Value) -> Rate {
    Settings::read(settings).map_or(Rate::Unlimited, |settings| settings.pacing().bound())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_execution_is_held_to_its_own_bound() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        let exceeded = |starts, allowed, ms| {
            Some(Exceeded { starts, allowed, window: Duration::from_millis(ms) })
        };
        let spaced = |count: i64, gap: i64| (0..count).map(|n| n * gap).collect::<Vec<i64>>();
        for (bounds, starts, expected) in [
            (vec![(0, rate("10/s"))], spaced(50, 101), None),
            (vec![(0, rate("10/s"))], spaced(50, 100), None),
            (vec![(0, rate("10/s"))], spaced(50, 90), exceeded(11, 10, 1000)),
            (vec![(0, rate("unlimited"))], spaced(50, 0), None),
            (vec![(0, rate("50/s")), (1000, rate("10/s"))], spaced(50, 20), None),
            (vec![(0, rate("50/s")), (500, rate("10/s"))], spaced(50, 20), exceeded(25, 10, 1000)),
            (vec![(0, rate("3/10ms"))], vec![0, 3, 6, 11, 14, 17], None),
            (vec![], spaced(50, 0), None),
        ] {
            assert_eq!(BoundsAsked(bounds.clone()).exceeded(&starts), expected, "{bounds:?}");
        }
    }
}
