//! How long calls took and how old codes were: percentiles.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Percentiles of times; absent where there was nothing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timings {
    pub(super) reconnect_ms: Option<Spread>,
    pub(super) exchange_ms: Option<Spread>,
    pub(super) code_age_ms: Option<Spread>,
    pub(super) code_margin_ms: Option<Spread>,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    min: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

/// Milliseconds, kept to three significant digits.
#[derive(Default)]
pub(super) struct Times {
    pub(super) histogram: Option<Histogram<u32>>,
    pub(super) total: u64,
}

impl Times {
    pub(super) fn add(&mut self, ms: u32) {
        self.total += u64::from(ms);
        if self.histogram.is_none() {
            self.histogram = Histogram::new_with_bounds(1, u64::from(u32::MAX), 3).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(ms.into());
        }
    }

    pub(super) fn spread(&self) -> Option<Spread> {
        let times = self.histogram.as_ref()?;
        let at = |quantile| times.value_at_quantile(quantile).min(times.max());
        Some(Spread {
            min: times.min(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: times.max(),
        })
    }
}
