//! How many installations may fail before the run halts: `--max-failures`.

use std::{fmt, str::FromStr};

/// A share is judged from so many installations on that have ended: before, one failure is a large
/// share.
pub const SAMPLE: u32 = 20;

/// How many installations may fail before the run halts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxFailures {
    /// All of them.
    #[default]
    Any,
    /// So many, judged at any time.
    Count(u32),
    /// A share of those that have ended, in hundredths of a percent (0 to 10,000).
    Share(u32),
}

impl MaxFailures {
    /// Whether so many failures among so many that have ended are more than may be.
    pub fn is_exceeded(self, failed: u32, ended: u32) -> bool {
        match self {
            Self::Any => false,
            Self::Count(most) => failed > most,
            Self::Share(share) => {
                ended >= SAMPLE && u64::from(failed) * 10_000 > u64::from(ended) * u64::from(share)
            }
        }
    }

    /// As the journal has it: nothing where there is no limit.
    pub fn recorded(self) -> Option<String> {
        (self != Self::Any).then(|| self.to_string())
    }

    /// The limit that the journal has.
    pub fn of_record(text: Option<&str>) -> Self {
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("none"),
            Self::Count(most) => write!(f, "{most}"),
            Self::Share(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Self::Share(share) => write!(f, "{}.{:02}%", share / 100, share % 100),
        }
    }
}

impl FromStr for MaxFailures {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "write a number such as 50, a share such as 10% or 2.5%, or none";
        let text = text.trim();
        if text == "none" {
            return Ok(Self::Any);
        }
        let Some(share) = text.strip_suffix('%') else {
            return text.parse().map(Self::Count).map_err(|_| wrong);
        };
        let (whole, part) = share.trim().split_once('.').unwrap_or((share.trim(), "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return Err(wrong);
        }
        let whole: u32 = whole.parse().map_err(|_| wrong)?;
        let part: u32 = format!("{part:0<2}").parse().map_err(|_| wrong)?;
        let share = whole.saturating_mul(100).saturating_add(part);
        if share > 10_000 { Err(wrong) } else { Ok(Self::Share(share)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_a_share_or_none() {
        for (text, limit) in [
            ("none", MaxFailures::Any),
            ("0", MaxFailures::Count(0)),
            ("50", MaxFailures::Count(50)),
            ("10%", MaxFailures::Share(1000)),
            ("2.5%", MaxFailures::Share(250)),
            ("0.05 %", MaxFailures::Share(5)),
            ("100%", MaxFailures::Share(10_000)),
        ] {
            assert_eq!(text.parse(), Ok(limit), "{text}");
            assert_eq!(limit.to_string().parse(), Ok(limit), "{limit}");
            assert_eq!(MaxFailures::of_record(limit.recorded().as_deref()), limit);
        }
        for text in ["", "-1", "many", "101%", "%", "1.234%", "1.%", "+5%"] {
            assert!(text.parse::<MaxFailures>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_judged_from_the_sample_on_and_a_number_at_any_time() {
        for (limit, failed, ended, exceeded) in [
            (MaxFailures::Any, 1000, 1000, false),
            (MaxFailures::Count(2), 2, 2, false),
            (MaxFailures::Count(2), 3, 3, true),
            (MaxFailures::Count(0), 1, 1000, true),
            (MaxFailures::Share(1000), 19, 19, false),
            (MaxFailures::Share(1000), 2, 20, false),
            (MaxFailures::Share(1000), 3, 20, true),
            (MaxFailures::Share(1000), 3, 30, false),
            (MaxFailures::Share(0), 1, 100_000, true),
            (MaxFailures::Share(10_000), 100, 100, false),
        ] {
            assert_eq!(limit.is_exceeded(failed, ended), exceeded, "{limit}: {failed} of {ended}");
        }
    }
}
