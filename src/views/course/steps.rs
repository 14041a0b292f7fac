//! Figures over time in bounded memory: steps that merge as the run grows.

/// Steps that are kept at most.
pub const MOST: usize = 400;

/// Lengths of a step in milliseconds. Each is a multiple of the one before, so that whole steps merge.
const LENGTHS: [i64; 18] = [
    10,
    20,
    100,
    200,
    1000,
    2000,
    10_000,
    20_000,
    60_000,
    2 * 60_000,
    10 * 60_000,
    30 * 60_000,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
    48 * HOUR,
];

const HOUR: i64 = 60 * 60_000;

/// What a step holds.
pub trait Merge: Default {
    /// Takes the figures of the step that follows.
    fn merge(&mut self, later: Self);
}

/// Steps of one length from time 0 on.
pub struct Steps<T> {
    length_ms: i64,
    items: Vec<T>,
}

impl<T> Default for Steps<T> {
    fn default() -> Self {
        Self { length_ms: LENGTHS[0], items: Vec::new() }
    }
}

impl<T: Merge> Steps<T> {
    /// The step at a time in milliseconds; what lies before the beginning is in the first one.
    pub fn at(&mut self, ms: i64) -> &mut T {
        let place = |length_ms: i64| usize::try_from(ms.max(0) / length_ms).unwrap_or(usize::MAX);
        while place(self.length_ms) >= MOST {
            self.lengthen();
        }
        let index = place(self.length_ms);
        if self.items.len() <= index {
            self.items.resize_with(index + 1, T::default);
        }
        &mut self.items[index]
    }

    /// Makes the steps long enough for a run that ends at this time, and as many.
    pub fn extend_to(&mut self, end_ms: i64) {
        self.at(end_ms.saturating_sub(1));
    }

    fn lengthen(&mut self) {
        let next = LENGTHS.iter().copied().find(|length| *length > self.length_ms);
        let next = next.unwrap_or(self.length_ms.saturating_mul(2));
        self.merge_by(usize::try_from(next / self.length_ms).unwrap_or(2));
    }

    fn merge_by(&mut self, count: usize) {
        let mut merged: Vec<T> = Vec::with_capacity(self.items.len() / count + 1);
        for (index, item) in std::mem::take(&mut self.items).into_iter().enumerate() {
            match merged.last_mut() {
                Some(last) if index % count != 0 => last.merge(item),
                _ => merged.push(item),
            }
        }
        self.items = merged;
        self.length_ms = self.length_ms.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The same in at most so many steps.
    pub fn at_most(mut self, count: usize) -> Self {
        let together = self.items.len().div_ceil(count.max(1));
        if together > 1 {
            self.merge_by(together);
        }
        self
    }

    /// Length of a step in milliseconds.
    pub fn length_ms(&self) -> i64 {
        self.length_ms
    }

    /// The steps, each with its beginning and its end in milliseconds.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64, &T)> {
        let length = self.length_ms;
        (0_i64..)
            .zip(&self.items)
            .map(move |(index, item)| (index * length, (index + 1) * length, item))
    }
}

impl<T: Merge + Clone> Clone for Steps<T> {
    fn clone(&self) -> Self {
        Self { length_ms: self.length_ms, items: self.items.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Count(u32);

    impl Merge for Count {
        fn merge(&mut self, later: Self) {
            self.0 += later.0;
        }
    }

    #[test]
    fn a_run_of_any_length_has_at_most_400_steps_and_loses_nothing() {
        let (second, hour, year) = (1000, HOUR, 365 * 24 * HOUR);
        for (end, length_ms) in [
            (0, 10),
            (2 * second, 10),
            (4 * second, 20),
            (30 * second, 100),
            (hour, 10_000),
            (55 * hour, 600_000),
            (year, 24 * hour),
            (50 * year, 48 * hour * 32),
        ] {
            let mut steps = Steps::<Count>::default();
            for part in 0..=1000 {
                steps.at(end / 1000 * part).0 += 1;
            }
            steps.at(-5).0 += 1;
            assert_eq!(steps.length_ms(), length_ms, "{end}");
            assert!(steps.iter().count() <= MOST, "{end}");
            assert_eq!(steps.iter().map(|(_, _, count)| count.0).sum::<u32>(), 1002, "{end}");
            let few = steps.clone().at_most(24);
            assert!(few.iter().count() <= 24, "{end}");
            assert_eq!(few.iter().map(|(_, _, count)| count.0).sum::<u32>(), 1002, "{end}");
        }
    }

    #[test]
    fn each_length_is_a_multiple_of_the_one_before() {
        assert!(LENGTHS.windows(2).all(|pair| pair[1] % pair[0] == 0));
    }
}
