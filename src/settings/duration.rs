//! Times as options take them: `500ms`, `30s`, `2m`, `1h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The longest time that an option takes.
const DAY: Duration = Duration::from_hours(24);

/// Reads a time such as `30s`, `500ms`, `2m` or `1h 30m`, at most a day.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "not a time: write 500ms, 30s, 2m or 1h".to_owned();
    let time: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
    let time = Duration::try_from(time).map_err(|_| wrong())?;
    if time > DAY { Err(wrong()) } else { Ok(time) }
}

/// A time as [`parse`] reads it.
pub fn text(time: Duration) -> String {
    match time.as_nanos() {
        ns if ns % 60_000_000_000 == 0 && ns > 0 => format!("{}m", ns / 60_000_000_000),
        ns if ns % 1_000_000_000 == 0 => format!("{}s", ns / 1_000_000_000),
        ns if ns % 1_000_000 == 0 => format!("{}ms", ns / 1_000_000),
        ns => format!("{ns}ns"),
    }
}

pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for text_of_time in ["0s", "7ns", "500ms", "1500ms", "30s", "2m", "90m", "1440m"] {
            assert_eq!(text(parse(text_of_time).unwrap()), text_of_time);
        }
        for (other, same) in [("1h", "60m"), ("1h 30m", "90m"), ("60s", "1m"), ("1.5s", "1500ms")] {
            assert_eq!(text(parse(other).unwrap()), same);
        }
        for wrong in ["", "30", "-1s", "25h", "soon"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
