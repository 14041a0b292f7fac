//! How many codes may be asked for ahead of their exchanges: as many as can be presented in time.

use std::time::Duration;

use crate::pace::latency::RecentDuration;

/// How long a code may wait for its exchange if all codes asked for come at once. With less, a few slow
/// answers would delay all others; codes live minutes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waiting may take one part in this many of a code's life.
const SHARE_OF_LIFE: u32 = 4;

/// Codes that were asked for, and how long they live.
#[derive(Debug, Default)]
pub(super) struct Codes {
    /// Codes that were asked for, or have come, and are not presented yet.
    pub(super) to_come: u32,
    /// How long the answer to a reconnect takes.
    pub(super) reconnect_takes: Duration,
    /// How long a code lives; `None` before one has come.
    pub(super) life: Option<Duration>,
    /// From the arrival of a code until it is ready to be presented.
    pub(super) presented_in: RecentDuration,
}

impl Codes {
    /// A code came that lives this long. The average smooths odd ones.
    pub(super) fn lives(&mut self, life: Duration) {
        self.life = Some(self.life.map_or(life, |usual| (usual * 7 + life) / 8));
    }

    /// A reconnect was answered after this time.
    pub(super) fn reconnect_took(&mut self, took: Duration) {
        let before = self.reconnect_takes;
        self.reconnect_takes = ((before + took) / 2).max(before / 8 * 7);
    }

    /// How long a code may wait. While answers are slow, many have to be asked for ahead.
    pub(super) fn patience(&self, interval: Duration) -> Duration {
        let usual = PATIENCE.max(self.reconnect_takes.mul_f64(1.5));
        // What the disk or a handshake takes of a code's life is not available for waiting.
        let spare = self.life.map(|life| life.saturating_sub(self.presented_in.recent));
        let usual = spare.map_or(usual, |spare| usual.min(spare / SHARE_OF_LIFE));
        usual.max(interval * 2)
    }

    /// Whether codes die before they can be presented, while disk and connections are as slow as
    /// recently.
    pub(super) fn come_too_late(&self, interval: Duration) -> bool {
        self.life.is_some_and(|life| self.presented_in.recent + interval >= life / 4 * 3)
    }
}
