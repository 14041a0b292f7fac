//! How fast a run was to be, and was.

use serde::Serialize;

use super::{bound::window_of, gap::Gap, stats::Stats};
use crate::{clock, pace::AskedRate, settings::Settings};

/// How fast the run was to be, and was.
#[derive(Clone, Debug, Serialize)]
pub struct RateReached {
    /// As `--rate` takes it; of a shard, its share.
    pub asked: String,
    /// The rate of all shards together, where the run is one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<String>,
    max: Option<String>,
    burst: u32,
    /// Request starts a second.
    pub reached_per_second: f64,
    busiest_window: BusiestWindow,
    /// Why it was slower; `None` when the rate was reached, or none was asked for.
    pub gap: Option<Gap>,
}

#[derive(Clone, Debug, Serialize)]
struct BusiestWindow {
    window_ms: u32,
    starts: u64,
    allowed: Option<u32>,
}

impl RateReached {
    /// Length of the window that the rate is about, in milliseconds.
    pub(super) fn window_ms(&self) -> u32 {
        self.busiest_window.window_ms
    }

    /// Request starts in the busiest window.
    pub(super) fn busiest(&self) -> u64 {
        self.busiest_window.starts
    }

    /// Request starts that the rate allows in a window.
    pub(super) fn allowed(&self) -> Option<u32> {
        self.busiest_window.allowed
    }

    pub(super) fn of(settings: &Settings, stats: &mut Stats) -> Self {
        let pacing = settings.pacing();
        let bound = pacing.bound();
        let max = (pacing.asked == AskedRate::Auto).then(|| pacing.max.to_string());
        let (window, allowed) = window_of(bound);
        Self {
            asked: pacing.asked.to_string(),
            total: settings.shard.map(|_| settings.total_pacing().bound().to_string()),
            max,
            burst: pacing.burst.get(),
            reached_per_second: stats.reached_per_second(),
            busiest_window: BusiestWindow {
                window_ms: clock::millis(window),
                starts: stats.busiest(window),
                allowed,
            },
            gap: stats.gap(bound.interval(), settings.concurrency, settings.rate),
        }
    }
}
