//! What an answer's headers say about limits: HighLevel's six, and the IETF's in both shapes.

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;

use super::header_times::{MAX_RETRY_AFTER, http_date};

/// The limits that an answer's headers report; `None` for what they leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Allowance {
    /// Requests in an interval, and its length.
    pub limit: Option<(u32, Duration)>,
    /// Requests left in the interval.
    pub remaining: Option<u32>,
    /// Time until the interval begins again.
    pub resets_in: Option<Duration>,
    /// Requests left today.
    pub daily_remaining: Option<u64>,
    /// When the next day begins, as the server says.
    pub daily_resets_at: Option<Timestamp>,
}

/// The longest interval that is believed.
const LONGEST: Duration = Duration::from_hours(1);

impl Allowance {
    /// Reads headers; `header` returns one by its lower-case name. Unreadable ones are ignored.
    pub fn of(header: impl Fn(&str) -> Option<String>, now: Timestamp) -> Self {
        let number = |name: &str| header(name)?.trim().parse::<u64>().ok();
        let small = |name: &str| number(name).and_then(|n| u32::try_from(n).ok());
        let interval = number("x-ratelimit-interval-milliseconds").map(Duration::from_millis);
        let interval = interval.filter(|time| !time.is_zero() && *time <= LONGEST);
        let theirs = Self {
            limit: small("x-ratelimit-max").filter(|max| *max > 0).zip(interval),
            remaining: small("x-ratelimit-remaining"),
            resets_in: interval,
            daily_remaining: number("x-ratelimit-daily-remaining"),
            daily_resets_at: header("x-ratelimit-daily-reset")
                .and_then(|text| reset_time(&text, now)),
        };
        theirs.or(ietf(&header))
    }

    /// What one of so many machines may take of it.
    #[must_use]
    pub fn share(self, machines: NonZeroU32) -> Self {
        Self {
            limit: self.limit.map(|(limit, length)| (limit, length.saturating_mul(machines.get()))),
            remaining: self.remaining.map(|left| left / machines),
            daily_remaining: self.daily_remaining.map(|left| left / u64::from(machines.get())),
            ..self
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            limit: self.limit.or(other.limit),
            remaining: self.remaining.or(other.remaining),
            resets_in: self.resets_in.or(other.resets_in),
            ..self
        }
    }

    /// How long nothing may start, since nothing is left.
    pub fn hold(&self) -> Option<Duration> {
        let nothing_left = self.remaining == Some(0);
        nothing_left.then_some(self.resets_in)?.map(|time| time.min(MAX_RETRY_AFTER))
    }
}

/// `RateLimit: limit=100, remaining=0, reset=5`, the same as three fields, or
/// `RateLimit: "default";r=0;t=5` with `RateLimit-Policy: "default";q=100;w=10`.
fn ietf(header: &impl Fn(&str) -> Option<String>) -> Allowance {
    let field = header("ratelimit").unwrap_or_default();
    let policy = header("ratelimit-policy").unwrap_or_default();
    let in_field = |keys: [&str; 2]| keys.iter().find_map(|key| parameter(&field, key));
    let alone = |name: &str| header(name).and_then(|text| leading_number(&text));
    let remaining = in_field(["remaining", "r"]).or_else(|| alone("ratelimit-remaining"));
    let reset = in_field(["reset", "t"]).or_else(|| alone("ratelimit-reset"));
    let quota = in_field(["limit", "q"]).or_else(|| alone("ratelimit-limit"));
    let quota = parameter(&policy, "q").or(quota).or_else(|| leading_number(&policy));
    let window = parameter(&policy, "w").map(Duration::from_secs);
    let window = window.filter(|time| !time.is_zero() && *time <= LONGEST);
    let small = |n: u64| u32::try_from(n).ok();
    Allowance {
        limit: quota.and_then(small).filter(|quota| *quota > 0).zip(window),
        remaining: remaining.and_then(small),
        resets_in: reset.map(Duration::from_secs).filter(|time| *time <= LONGEST).or(window),
        ..Allowance::default()
    }
}

fn parameter(field: &str, key: &str) -> Option<u64> {
    field.split([';', ',']).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        (name.trim().eq_ignore_ascii_case(key)).then(|| leading_number(value))?
    })
}

fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim().trim_start_matches('"');
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse().ok()
}

/// Seconds from now, epoch seconds, epoch milliseconds, or a date: no example is published.
fn reset_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let Ok(number) = text.parse::<i64>() else {
        return text.parse().ok().or_else(|| http_date(text));
    };
    match number {
        0..=172_800 => Timestamp::from_second(now.as_second() + number).ok(),
        1_000_000_000..=9_999_999_999 => Timestamp::from_second(number).ok(),
        1_000_000_000_000..=9_999_999_999_999 => Timestamp::from_millisecond(number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(headers: &[(&str, &str)]) -> Allowance {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let find =
            |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Allowance::of(find, now)
    }

    #[test]
    fn headers_are_read_in_every_shape() {
        let seconds = Duration::from_secs;
        for (headers, limit, remaining, resets_in, hold) in [
            (&[][..], None, None, None, None),
            (
                &[
                    ("x-ratelimit-max", "100"),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-interval-milliseconds", "10000"),
                ],
                Some((100, seconds(10))),
                Some(0),
                Some(seconds(10)),
                Some(seconds(10)),
            ),
            (&[("x-ratelimit-remaining", "7")], None, Some(7), None, None),
            (
                &[
                    ("ratelimit", "limit=100, remaining=0, reset=5"),
                    ("ratelimit-policy", "100;w=10"),
                ],
                Some((100, seconds(10))),
                Some(0),
                Some(seconds(5)),
                Some(seconds(5)),
            ),
            (
                &[
                    ("ratelimit", "\"default\";r=0;t=5"),
                    ("ratelimit-policy", "\"default\";q=100;w=10"),
                ],
                Some((100, seconds(10))),
                Some(0),
                Some(seconds(5)),
                Some(seconds(5)),
            ),
            (
                &[
                    ("ratelimit-limit", "100"),
                    ("ratelimit-remaining", "3"),
                    ("ratelimit-reset", "9"),
                ],
                None,
                Some(3),
                Some(seconds(9)),
                None,
            ),
            (&[("x-ratelimit-max", "many"), ("ratelimit", ";;=,")], None, None, None, None),
            (&[("ratelimit", "remaining=0, reset=999999999")], None, Some(0), None, None),
        ] {
            let read = allowance(headers);
            assert_eq!(
                (read.limit, read.remaining, read.resets_in, read.hold()),
                (limit, remaining, resets_in, hold),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn the_day_is_read_in_every_route_that_a_time_is_written() {
        for (text, resets_at) in [
            ("3600", Some("2026-11-22T11:00:00Z")),
            ("1795348800", Some("2026-11-22T12:00:00Z")),
            ("1795348800000", Some("2026-11-22T12:00:00Z")),
            ("2026-11-23T00:00:00Z", Some("2026-11-23T00:00:00Z")),
            ("Mon, 23 Nov 2026 00:00:00 GMT", Some("2026-11-23T00:00:00Z")),
            ("soon", None),
        ] {
            let read = allowance(&[
                ("x-ratelimit-daily-remaining", "0"),
                ("x-ratelimit-daily-reset", text),
            ]);
            assert_eq!(read.daily_remaining, Some(0));
            assert_eq!(read.daily_resets_at, resets_at.map(|time| time.parse().unwrap()), "{text}");
        }
    }
}
