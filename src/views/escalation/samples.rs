//! A few failures that stand for many, spread over the time that they took.

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
    /// HighLevel's trace id of the failed call, or of the last one that had any.
    pub trace_id: Option<SafeText>,
}

/// Samples of any number of failures in bounded memory: every failure at first, then every second
/// one, every fourth, and the first and the last in time. The same failures give the same samples.
#[derive(Debug)]
pub struct Samples {
    kept: Vec<Sample>,
    seen: u64,
    stride: u64,
    ends: Option<(Sample, Sample)>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { kept: Vec::new(), seen: 0, stride: 1, ends: None }
    }
}

impl Samples {
    /// Takes a failure into account.
    pub fn add(&mut self, sample: Sample) {
        self.ends = Some(match self.ends.take() {
            None => (sample.clone(), sample.clone()),
            Some((first, last)) => (first.min(sample.clone()), last.max(sample.clone())),
        });
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

    /// At most [`MOST`] of them in the order of time, the first and the last included.
    pub fn spread(&self) -> Vec<Sample> {
        let ends = self.ends.iter().flat_map(|(first, last)| [first, last]);
        let mut all: Vec<_> = self.kept.iter().chain(ends).cloned().collect();
        all.sort_unstable();
        all.dedup();
        thinned(&all, MOST)
    }
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
                trace_id: None,
            });
        }
        assert!(samples.kept.len() <= 2 * MOST);
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
}
