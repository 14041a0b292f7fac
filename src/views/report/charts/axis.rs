//! Ticks of the axes.

use crate::views::report::words::{count, elapsed};

/// A tick: where it is, as a share of the axis, and its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) share: f64,
    pub(super) text: String,
}

/// Steps between ticks of a time axis, in milliseconds, up to a day.
const TIME_STEPS: [i64; 25] = [
    10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
    600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 14_400_000, 21_600_000,
    43_200_000, DAY,
];

const DAY: i64 = 86_400_000;

/// Ticks at the most; the first is 0.
const MOST: i64 = 5;

/// Ticks of a time axis that ends here.
pub(super) fn of_time(end_ms: i64) -> Vec<Place> {
    let end_ms = end_ms.max(1);
    let is_enough = |step: &i64| end_ms / step < MOST;
    let step = TIME_STEPS.into_iter().find(is_enough).unwrap_or((end_ms / MOST / DAY + 1) * DAY);
    let place = |at: i64| Place { share: at as f64 / end_ms as f64, text: elapsed(at) };
    (0..=end_ms / step).map(|n| place(n * step)).collect()
}

/// The top of an axis of counts that reaches so far, and its ticks.
pub(super) fn of_counts(most: u64) -> (u64, Vec<Place>) {
    let step = nice_step(most.div_ceil(4).max(1));
    let top = most.max(1).div_ceil(step) * step;
    let place = |n: u64| Place { share: (n * step) as f64 / top as f64, text: count(n * step) };
    (top, (0..=top / step).map(place).collect())
}

/// The least of 1, 2, 5, 10, 20, 50 … that is not less.
fn nice_step(least: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = unit.saturating_mul(factor);
            if step >= least || step == u64::MAX {
                return step;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// A logarithmic axis of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogAxis {
    from: u32,
    to: u32,
}

impl LogAxis {
    /// The powers of ten around these values; what is below 1 ms counts as 1 ms.
    pub(super) fn around(values: impl Iterator<Item = u64>) -> Self {
        let (mut least, mut most) = (u64::MAX, 1);
        for value in values {
            (least, most) = (least.min(value.max(1)), most.max(value));
        }
        let from = least.min(most).ilog10();
        let to = if 10_u64.pow(most.ilog10()) == most { most.ilog10() } else { most.ilog10() + 1 };
        Self { from, to: to.max(from + 1) }
    }

    /// Where a value lies, as a share of the height.
    pub(super) fn share(self, ms: u64) -> f64 {
        let value = (ms.max(1) as f64).log10();
        (value - f64::from(self.from)) / f64::from(self.to - self.from)
    }

    /// The powers of ten.
    pub(super) fn ticks(self) -> Vec<Place> {
        let place = |power: u32| Place {
            share: f64::from(power - self.from) / f64::from(self.to - self.from),
            text: in_one_unit(10_u64.saturating_pow(power)),
        };
        (self.from..=self.to).map(place).collect()
    }
}

fn in_one_unit(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{} s", count(ms / 1000)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(places: &[Place]) -> String {
        places.iter().map(|place| place.text.as_str()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn ticks_are_few_and_round() {
        for (end, expected) in [
            (1, "0"),
            (30, "0 | 10 ms | 20 ms | 30 ms"),
            (2000, "0 | 0.5 s | 1 s | 1.5 s | 2 s"),
            (61_000, "0 | 15 s | 30 s | 45 s | 1 min"),
            (55 * 3_600_000, "0 | 12 h | 24 h | 36 h | 48 h"),
            (40 * DAY, "0 | 9 d | 18 d | 27 d | 36 d"),
        ] {
            assert_eq!(texts(&of_time(end)), expected, "{end}");
        }
        for (most, top, expected) in [
            (0, 1, "0 | 1"),
            (3, 3, "0 | 1 | 2 | 3"),
            (4000, 4000, "0 | 1,000 | 2,000 | 3,000 | 4,000"),
            (4001, 6000, "0 | 2,000 | 4,000 | 6,000"),
        ] {
            let (reached, places) = of_counts(most);
            assert_eq!((reached, texts(&places).as_str()), (top, expected));
        }
    }

    #[test]
    fn a_logarithmic_axis_has_all_values_between_its_ends() {
        for (values, expected) in [
            (vec![], "1 ms | 10 ms"),
            (vec![0, 7], "1 ms | 10 ms"),
            (vec![20, 30_000], "10 ms | 100 ms | 1 s | 10 s | 100 s"),
            (vec![100, 1000], "100 ms | 1 s"),
        ] {
            let axis = LogAxis::around(values.iter().copied());
            assert_eq!(texts(&axis.ticks()), expected);
            assert!(values.iter().all(|v| (0.0..=1.0).contains(&axis.share(*v))), "{values:?}");
        }
    }
}
