//! A shard: one of several machines that share a list and a rate.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Shards that a list may have: as many tasks as a Kubernetes Indexed Job.
pub const MOST_SHARDS: u32 = 100_000;

/// One of so many shards; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    number: NonZeroU32,
    of: NonZeroU32,
}

/// A text that names no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a shard: write I/N, such as 3/8, with I from 1 to N, and N at most {MOST_SHARDS}")]
pub struct NotAShard;

impl Shard {
    /// This shard of so many; `None` where they do not have it.
    pub fn new(number: u32, of: u32) -> Option<Self> {
        let shard = Self { number: NonZeroU32::new(number)?, of: NonZeroU32::new(of)? };
        (number <= of && of <= MOST_SHARDS).then_some(shard)
    }

    /// All shards of so many.
    pub fn all(of: NonZeroU32) -> impl Iterator<Item = Self> {
        (1..=of.get()).filter_map(move |number| Self::new(number, of.get()))
    }

    /// Which one, from 1.
    pub fn number(self) -> u32 {
        self.number.get()
    }

    /// How many there are.
    pub fn of(self) -> NonZeroU32 {
        self.of
    }

    /// Whether it has the rows that are no shard's own: those that nobody recovers.
    pub fn is_first(self) -> bool {
        self.number == NonZeroU32::MIN
    }

    /// Its whole share of a count; the remainder goes to the first shards.
    pub fn share(self, count: u64) -> u64 {
        let of = u64::from(self.of.get());
        count / of + u64::from(u64::from(self.number()) <= count % of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let (number, of) = text.trim().split_once('/').ok_or(NotAShard)?;
        let number = number.parse().map_err(|_| NotAShard)?;
        Self::new(number, of.parse().map_err(|_| NotAShard)?).ok_or(NotAShard)
    }
}

impl TryFrom<String> for Shard {
    type Error = NotAShard;

    fn try_from(text: String) -> Result<Self, NotAShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_and_written() {
        for (text, number, of) in [("1/1", 1, 1), ("3/8", 3, 8), ("8/8", 8, 8)] {
            let shard: Shard = text.parse().unwrap();
            assert_eq!((shard.number(), shard.of().get()), (number, of));
            assert_eq!(shard.to_string(), text);
        }
        for bad in ["", "3", "/", "0/8", "9/8", "1/0", "-1/8", "1/8/8", "a/8", "1/100001", "1.0/8"]
        {
            assert_eq!(bad.parse::<Shard>(), Err(NotAShard), "{bad}");
        }
    }

    #[test]
    fn shares_are_whole_and_give_the_count_together() {
        let shares = |count, of| {
            let all = Shard::all(NonZeroU32::new(of).unwrap());
            all.map(|shard| shard.share(count)).collect::<Vec<_>>()
        };
        assert_eq!(shares(100, 8), [13, 13, 13, 13, 12, 12, 12, 12]);
        assert_eq!(shares(10, 3), [4, 3, 3]);
        assert_eq!(shares(2, 3), [1, 1, 0]);
        assert_eq!(shares(7, 1), [7]);
        for (count, of) in [(0, 5), (1, 7), (12_345, 67), (u64::from(u32::MAX), 1000)] {
            assert_eq!(shares(count, of).iter().sum::<u64>(), count, "{count} over {of}");
        }
    }
}
