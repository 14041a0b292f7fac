//! How many codes may be on their way: as many as can be presented before they die.

use std::time::Duration;

use crate::pace::latency::Slowness;

/// How long a code may wait for its exchange, should all codes that are on their way come at once.
/// Less would let a few slow answers hold up all others; codes live minutes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of the usual life of a code, one in so many parts may pass in waiting.
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
    pub(super) presented_in: Slowness,
}

impl Codes {
    /// A code came that lives so long. One that is odd does not decide for all.
    pub(super) fn lives(&mut self, life: Duration) {
        self.life = Some(self.life.map_or(life, |usual| (usual * 7 + life) / 8));
    }

    /// A reconnect was answered after so long: up at once, down bit by bit.
    pub(super) fn reconnect_took(&mut self, took: Duration) {
        let before = self.reconnect_takes;
        self.reconnect_takes = ((before + took) / 2).max(before / 8 * 7);
    }

    /// As long as a code may wait: while answers take long, many have to be on their way.
    pub(super) fn patience(&self, interval: Duration) -> Duration {
        let usual = PATIENCE.max(self.reconnect_takes.mul_f64(1.5));
        // What a disk or a handshake takes of a code's life is not there for waiting.
        let spare = self.life.map(|life| life.saturating_sub(self.presented_in.lately));
        let usual = spare.map_or(usual, |spare| usual.min(spare / SHARE_OF_LIFE));
        usual.max(interval * 2)
    }

    /// Whether codes die before they can be presented, as long as the disk, or the making of
    /// connections, takes what it takes lately.
    pub(super) fn come_too_late(&self, interval: Duration) -> bool {
        self.life.is_some_and(|life| self.presented_in.lately + interval >= life / 4 * 3)
    }
}
