//! How many request starts are allowed in how long.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use thiserror::Error;

/// A bound on request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// No bound of ours.
    Unlimited,
    /// So many starts in any window of this length.
    Limited {
        /// Starts.
        starts: NonZeroU32,
        /// Window.
        window: Duration,
    },
}

/// Starts are this much further apart than the rate says, so that arrivals which the network moves
/// by so much still keep the bound in every window.
const SLACK_PERCENT: u32 = 1;

impl Rate {
    /// Time between two starts.
    pub fn interval(self) -> Duration {
        match self {
            Self::Unlimited => Duration::ZERO,
            Self::Limited { starts, window } => with_slack(window) / starts.get(),
        }
    }

    /// Starts a second; `None` is no bound.
    pub fn per_second(self) -> Option<f64> {
        let interval = self.interval();
        (!interval.is_zero()).then(|| 1.0 / interval.as_secs_f64())
    }

    /// The least time that so many starts take.
    pub fn least_time_for(self, starts: u64) -> Duration {
        let gaps = u32::try_from(starts.saturating_sub(1)).unwrap_or(u32::MAX);
        self.interval().saturating_mul(gaps)
    }
}

/// What `--rate` takes: a bound, or one to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedRate {
    /// A bound.
    Fixed(Rate),
    /// As fast as answers stay quick and clean.
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
pub fn with_slack(time: Duration) -> Duration {
    time + time * SLACK_PERCENT / 100
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a rate: write request starts per time, such as 10/s, 100/10s or 600/min, or auto, or unlimited"
)]
pub struct NotARate;

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let text = text.trim().to_ascii_lowercase();
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        let (starts, window) = text.split_once('/').ok_or(NotARate)?;
        let starts: NonZeroU32 = starts.trim().parse().map_err(|_| NotARate)?;
        let window = window_of(window.trim()).ok_or(NotARate)?;
        let rate = Self::Limited { starts, window };
        if rate.interval().is_zero() { Err(NotARate) } else { Ok(rate) }
    }
}

/// `s`, `10s`, `min`, `2 minutes`, `h`: at most a day.
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
    let ms = count.checked_mul(unit_ms)?;
    (1..=86_400_000).contains(&ms).then(|| Duration::from_millis(ms))
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
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown, "{text}");
            assert_eq!(rate.interval(), Duration::from_millis(interval_ms), "{text}");
            assert_eq!(rate.to_string().parse(), Ok(rate), "{text}");
        }
        assert_eq!("unlimited".parse(), Ok(Rate::Unlimited));
        for bad in
            ["", "10", "0/s", "-1/s", "10/0s", "10/fortnight", "1.5/s", "10/s/s", "10/999999h"]
        {
            assert_eq!(bad.parse::<Rate>(), Err(NotARate), "{bad}");
        }
    }
}
