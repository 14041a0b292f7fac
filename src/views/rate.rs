//! How fast a run was to be, and was.

use std::time::Duration;

use serde::Serialize;

use super::{gap::Gap, stats::Stats};
use crate::{
    clock,
    pace::{AskedRate, Rate},
    settings::Settings,
};

/// How fast the run was to be, and was.
#[derive(Clone, Debug, Serialize)]
pub struct RateReached {
    /// As `--rate` takes it.
    pub asked: String,
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
        let bound = settings.pacing().bound();
        let max = (settings.rate == AskedRate::Auto).then(|| settings.max_rate.to_string());
        let (window, allowed) = match bound {
            Rate::Limited { starts, window } => (window, Some(starts.get())),
            Rate::Unlimited => (Duration::from_secs(1), None),
        };
        Self {
            asked: settings.rate.to_string(),
            max,
            burst: settings.burst.get(),
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
