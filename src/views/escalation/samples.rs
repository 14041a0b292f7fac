//! A few failures that stand for many, spread over the time that they took.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    installation::{Id, Scope},
    text::SafeText,
};

/// The most samples that are shown of a cause.
pub const MOST: usize = 10;

/// The fewest, where there are so many and the ticket form is small.
pub const LEAST: usize = 3;

/// One failure by which support can find the rest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// When the request went out, or when it was given up where none did.
    pub at: Timestamp,
    /// Sub-account or agency.
    pub scope: Scope,
    /// Which one.
    pub id: Id,
    /// The agency of a sub-account, where the list names it.
    pub company: Option<Id>,
    /// HighLevel's trace id of the failed call, or of the last one that had any.
    pub trace_id: Option<SafeText>,
}

/// Samples of any number of failures in bounded memory: the first of each stretch of time, the stretches
/// as long as it takes to have few; besides every failure at first, then every second one, every fourth,
/// for failures that come all at once; and the first and the last in time. The same failures give the
/// same samples.
#[derive(Debug)]
pub struct Samples {
    kept: Vec<Sample>,
    seen: u64,
    stride: u64,
    /// By the number of the stretch since 1970.
    by_stretch: BTreeMap<i64, Sample>,
    stretch_ms: i64,
    last: Option<Sample>,
}

impl Default for Samples {
    fn default() -> Self {
        let (kept, by_stretch) = (Vec::new(), BTreeMap::new());
        Self { kept, seen: 0, stride: 1, by_stretch, stretch_ms: 1, last: None }
    }
}

impl Samples {
    /// Takes a failure into account.
    pub fn add(&mut self, sample: Sample) {
        self.last = self.last.take().max(Some(sample.clone()));
        self.add_to_stretch(sample.clone());
        self.widen(2 * MOST);
        if self.seen.is_multiple_of(self.stride) {
            self.kept.push(sample);
        }
        self.seen += 1;
        if self.kept.len() > 2 * MOST {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// At most so many stretches, which become as long as that takes.
    fn widen(&mut self, most: usize) {
        while self.by_stretch.len() > most {
            self.stretch_ms *= 2;
            let narrow = std::mem::take(&mut self.by_stretch);
            for sample in narrow.into_values() {
                self.add_to_stretch(sample);
            }
        }
    }

    fn add_to_stretch(&mut self, sample: Sample) {
        let stretch = sample.at.as_millisecond().div_euclid(self.stretch_ms);
        match self.by_stretch.get_mut(&stretch) {
            Some(first) if *first <= sample => {}
            Some(first) => *first = sample,
            None => drop(self.by_stretch.insert(stretch, sample)),
        }
    }

    /// At most [`MOST`] of them in the order of time, the first and the last included.
    pub fn spread(&self) -> Vec<Sample> {
        let (by_stretch, stretch_ms) = (self.by_stretch.clone(), self.stretch_ms);
        let mut wide = Self { by_stretch, stretch_ms, ..Self::default() };
        wide.widen(MOST);
        let mut spread = sorted(wide.by_stretch.values().chain(&self.last));
        if spread.len() < MOST {
            let more = sorted(self.kept.iter().filter(|sample| !spread.contains(sample)));
            let room = MOST - spread.len();
            let more =
                if room < 2 { more.into_iter().take(room).collect() } else { thinned(&more, room) };
            spread.extend(more);
            spread.sort_unstable();
        }
        thinned(&spread, MOST)
    }
}

fn sorted<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<Sample> {
    let mut sorted: Vec<_> = samples.cloned().collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// At most so many of a list (2 at least), evenly spread, its ends included.
pub fn thinned<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|place| all[place * (all.len() - 1) / (most - 1)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(seconds: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut samples = Samples::default();
        for second in seconds {
            samples.add(Sample {
                at: Timestamp::from_second(second).unwrap(),
                scope: Scope::Location,
                id: Id::new(&format!("Loc{second:017}")).unwrap(),
                company: None,
                trace_id: None,
            });
        }
        assert!(samples.kept.len().max(samples.by_stretch.len()) <= 2 * MOST);
        samples.spread().iter().map(|sample| sample.at.as_second()).collect()
    }

    #[test]
    fn few_are_all_shown_and_many_are_spread_over_the_time() {
        assert_eq!(samples(0..0), [0; 0]);
        assert_eq!(samples([5, 3, 9].into_iter()), [3, 5, 9]);
        assert_eq!(samples(0..10), (0..10).collect::<Vec<_>>());
        for count in [11, 20, 21, 100, 1000, 12_345] {
            for seconds in [(0..count).collect::<Vec<_>>(), (0..count).rev().collect()] {
                let shown = samples(seconds.into_iter());
                assert_eq!(shown.len(), MOST, "{count}");
                assert_eq!((shown[0], shown[MOST - 1]), (0, count - 1));
                let widest = shown.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
                assert!(widest <= count / 3, "{count}: {shown:?}");
            }
        }
    }

    #[test]
    fn a_burst_does_not_hide_the_hours_after_it() {
        let hours = (1..=8).map(|hour| hour * 3600);
        let burst = (0..500).map(|n| n / 10);
        let mut shown = samples(burst.chain(hours.clone()));
        shown.retain(|second| *second >= 3600);
        assert!(shown.len() >= 6 && shown.ends_with(&[8 * 3600]), "{shown:?}");
        // All at once: there are samples all the same.
        assert_eq!(samples(std::iter::repeat_n(7, 1)), [7]);
        let mut at_once = Samples::default();
        for n in 0..100 {
            let id = Id::new(&format!("Loc{n:017}")).unwrap();
            let (at, scope) = (Timestamp::UNIX_EPOCH, Scope::Location);
            at_once.add(Sample { at, scope, id, company: None, trace_id: None });
        }
        assert_eq!(at_once.spread().len(), MOST);
    }
}
