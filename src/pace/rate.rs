//! Rates: request starts in a window of time.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use thiserror::Error;

use crate::shard::Shard;

/// A bound on request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// No bound.
    Unlimited,
    /// This many starts in any window of this length.
    Limited {
        /// Starts.
        starts: NonZeroU32,
        /// Window.
        window: Duration,
    },
}

/// Starts are this much further apart than the rate says, so that arrivals keep the bound in spite of
/// jitter on the network.
const SLACK_PERCENT: u32 = 1;

impl Rate {
    /// Time between two starts.
    pub fn interval(self) -> Duration {
        match self {
            Self::Unlimited => Duration::ZERO,
            Self::Limited { starts, window } => with_margin(window) / starts.get(),
        }
    }

    /// Starts a second; `None` is no bound.
    pub fn per_second(self) -> Option<f64> {
        let interval = self.interval();
        (!interval.is_zero()).then(|| 1.0 / interval.as_secs_f64())
    }

    /// A shard's share of the starts in the same window; [`Rate::check_shared`] says whether each has one.
    #[must_use]
    pub fn share(self, shard: Shard) -> Self {
        match self {
            Self::Unlimited => Self::Unlimited,
            Self::Limited { starts, window } => {
                Self::Limited { starts: small(shard.share(starts.get().into())), window }
            }
        }
    }

    /// Whether so many shards each have a start in the window.
    pub fn check_shared(self, shards: NonZeroU32) -> Result<(), TooManyShards> {
        match self {
            Self::Limited { starts, .. } if starts < shards => {
                Err(TooManyShards { shards, rate: self, longer: self.longer(shards) })
            }
            _ => Ok(()),
        }
    }

    /// The same rate over a longer window, in which there are at least so many starts.
    fn longer(self, least: NonZeroU32) -> Option<Self> {
        let Self::Limited { starts, window } = self else { return None };
        (1..=9).map(|zeros| 10_u32.pow(zeros)).find_map(|times| {
            let (starts, window) =
                (starts.checked_mul(NonZeroU32::new(times)?)?, window.checked_mul(times)?);
            let fits = starts >= least && window <= LONGEST_WINDOW;
            fits.then_some(Self::Limited { starts, window })
        })
    }

    /// The least time that this many starts take.
    pub fn least_time_for(self, starts: u64) -> Duration {
        let gaps = u32::try_from(starts.saturating_sub(1)).unwrap_or(u32::MAX);
        self.interval().saturating_mul(gaps)
    }
}

/// The value of `--rate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedRate {
    /// A bound.
    Fixed(Rate),
    /// As fast as answers stay quick and free of errors.
    Auto,
}

impl FromStr for AskedRate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let is_auto = text.trim().eq_ignore_ascii_case("auto");
        if is_auto { Ok(Self::Auto) } else { text.parse().map(Self::Fixed) }
    }
}

impl fmt::Display for AskedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(rate) => rate.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// A time with [`SLACK_PERCENT`] added.
pub fn with_margin(time: Duration) -> Duration {
    time + time * SLACK_PERCENT / 100
}

/// A share as a count of starts: one that is none is a single start.
pub(super) fn small(share: u64) -> NonZeroU32 {
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    NonZeroU32::new(share).unwrap_or(NonZeroU32::MIN)
}

/// A rate with fewer starts in its window than there are shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyShards {
    shards: NonZeroU32,
    rate: Rate,
    longer: Option<Rate>,
}

impl std::error::Error for TooManyShards {}

impl fmt::Display for TooManyShards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shards cannot share {}; say ", self.shards, self.rate)?;
        match self.longer {
            Some(longer) => longer.fmt(f),
            None => f.write_str("fewer shards, or a higher rate"),
        }
    }
}

/// A text that is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a rate: write request starts per time, such as 10/s, 1.5/s, 100/10s or 600/min (10 alone is \
     10/s), or auto, or unlimited; a fraction must come to whole starts within a day"
)]
pub struct NotARate;

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let text = text.trim().to_ascii_lowercase();
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let (count, window) = text.split_once('/').unwrap_or((&text, "s"));
        let window = window_of(window.trim()).ok_or(NotARate)?;
        let (starts, window) = whole_starts(count.trim(), window).ok_or(NotARate)?;
        let rate = Self::Limited { starts, window };
        if rate.interval().is_zero() { Err(NotARate) } else { Ok(rate) }
    }
}

/// The starts of a window. A fraction becomes the same rate over a longer window that has whole
/// starts, so that the bound stays exact: `1.5` in a second is 3 in two seconds.
fn whole_starts(count: &str, window: Duration) -> Option<(NonZeroU32, Duration)> {
    let Some((whole, fraction)) = count.split_once('.') else {
        return Some((count.parse().ok()?, window));
    };
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let starts: u64 = digits.parse().ok()?;
    let parts = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let shared = greatest_common_divisor(starts, parts);
    let starts = NonZeroU32::new(u32::try_from(starts / shared).ok()?)?;
    let window = window.checked_mul(u32::try_from(parts / shared).ok()?)?;
    (window <= LONGEST_WINDOW).then_some((starts, window))
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A day.
const LONGEST_WINDOW: Duration = Duration::from_hours(24);

/// `s`, `10s`, `min`, `2 minutes`, `h`: at most [`LONGEST_WINDOW`].
fn window_of(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let count: u64 = if count.is_empty() { 1 } else { count.parse().ok()? };
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" | "sec" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        _ => return None,
    };
    let window = Duration::from_millis(count.checked_mul(unit_ms)?);
    (!window.is_zero() && window <= LONGEST_WINDOW).then_some(window)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Limited { starts, window } = self else { return f.write_str("unlimited") };
        match window.as_millis() {
            1000 => write!(f, "{starts}/s"),
            60_000 => write!(f, "{starts}/min"),
            3_600_000 => write!(f, "{starts}/h"),
            ms if ms % 1000 == 0 => write!(f, "{starts}/{}s", ms / 1000),
            ms => write!(f, "{starts}/{ms}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_written() {
        for (text, shown, interval_ms) in [
            ("10/s", "10/s", 101),
            ("100/10s", "100/10s", 101),
            ("600/min", "600/min", 101),
            (" 1 / s ", "1/s", 1010),
            ("30/2 minutes", "30/120s", 4040),
            ("3600/h", "3600/h", 1010),
            ("5/500ms", "5/500ms", 101),
            ("10", "10/s", 101),
            (" 600 ", "600/s", 1),
            ("1.5/s", "3/2s", 673),
            ("1.5", "3/2s", 673),
            ("0.1/s", "1/10s", 10_100),
            (".25 / min", "1/240s", 242_400),
            ("10.0/s", "10/s", 101),
            ("1.5000000000000000000000000/s", "3/2s", 673),
            ("2.50/500ms", "5/s", 202),
            ("0.333/s", "333/1000s", 3033),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown, "{text}");
            assert_eq!(rate.interval().as_millis(), interval_ms, "{text}");
            assert_eq!(rate.to_string().parse(), Ok(rate), "{text}");
        }
        assert_eq!("unlimited".parse(), Ok(Rate::Unlimited));
        for bad in [
            "",
            "0",
            "0/s",
            "0.0/s",
            ".",
            "./s",
            "-1/s",
            "-1.5/s",
            "1.-5/s",
            "1.5.5/s",
            "1,5/s",
            "1e3/s",
            "/s",
            "10/",
            "10/0s",
            "10/fortnight",
            "10/s/s",
            "10/999999h",
            "0.00001/s",
            "1.5/24h",
            "0.12345678901234567890123/s",
        ] {
            assert_eq!(bad.parse::<Rate>(), Err(NotARate), "{bad}");
        }
    }

    #[test]
    fn shares_of_a_rate_give_the_rate_together() {
        let shares = |rate: &str, of| {
            let rate: Rate = rate.parse().unwrap();
            let all = Shard::all(NonZeroU32::new(of).unwrap());
            all.map(|shard| rate.share(shard).to_string()).collect::<Vec<_>>().join(" ")
        };
        let eight = "13/10s 13/10s 13/10s 13/10s 12/10s 12/10s 12/10s 12/10s";
        assert_eq!(shares("100/10s", 8), eight);
        assert_eq!(shares("3/s", 3), "1/s 1/s 1/s");
        assert_eq!(shares("unlimited", 2), "unlimited unlimited");
    }

    #[test]
    fn more_shards_than_starts_in_the_window_are_refused() {
        for (rate, shards, expected) in [
            ("10/s", 10, ""),
            ("unlimited", 1000, ""),
            ("10/s", 16, "16 shards cannot share 10/s; say 100/10s"),
            ("1/s", 8, "8 shards cannot share 1/s; say 10/10s"),
            ("1.5/s", 100, "100 shards cannot share 3/2s; say 300/200s"),
            ("1/h", 8, "8 shards cannot share 1/h; say 10/36000s"),
            ("1/h", 50, "50 shards cannot share 1/h; say fewer shards, or a higher rate"),
        ] {
            let rate: Rate = rate.parse().unwrap();
            let refused = rate.check_shared(NonZeroU32::new(shards).unwrap()).err();
            assert_eq!(refused.map(|e| e.to_string()).unwrap_or_default(), expected);
        }
    }
}
