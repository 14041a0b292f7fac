//! How fast requests may start, as the options say.

use std::{fmt, num::NonZeroU32};

use super::rate::{AskedRate, Rate, small};
use crate::shard::Shard;

/// How fast requests may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// What was asked for.
    pub asked: AskedRate,
    /// The bound of `--rate auto`.
    pub max: Rate,
    /// Starts that may come at once after a quiet time. The bound over any window holds all the same.
    pub burst: NonZeroU32,
    /// Among how many machines a bound was shared, this one's share of which this is.
    pub machines: NonZeroU32,
}

impl Pacing {
    /// The share of a shard: with those of the others it gives what all have together. A burst is at
    /// least one start.
    #[must_use]
    pub fn share(self, shard: Shard) -> Self {
        let asked = match self.asked {
            AskedRate::Fixed(rate) => AskedRate::Fixed(rate.share(shard)),
            AskedRate::Auto => AskedRate::Auto,
        };
        let burst = small(shard.share(self.burst.get().into()));
        Self { asked, max: self.max.share(shard), burst, machines: shard.of() }
    }

    /// The bound that no window ever exceeds.
    pub fn bound(&self) -> Rate {
        match self.asked {
            AskedRate::Fixed(rate) => rate,
            AskedRate::Auto => self.max,
        }
    }
}

impl fmt::Display for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asked {
            AskedRate::Fixed(rate) => write!(f, "{rate}")?,
            AskedRate::Auto => write!(f, "auto (at most {})", self.max)?,
        }
        match self.burst.get() {
            1 => Ok(()),
            burst => write!(f, " in bursts of {burst}"),
        }
    }
}
