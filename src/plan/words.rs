//! Numbers and times in words.

use std::time::Duration;

use crate::pace::Pacing;

/// `1 row`, `2 rows`.
pub fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The line of a plan about the checks of new tokens; empty where there are none.
pub fn checks_line(checks: u64) -> String {
    match checks {
        0 => String::new(),
        _ => format!("Verify         each new access token is tried: {checks} calls\n"),
    }
}

/// The line of a plan about all requests.
pub fn calls_line(calls: u64, pacing: &Pacing, concurrency: u32) -> String {
    let least = in_words(pacing.bound().least_time_for(calls));
    format!("Calls          {calls} at {pacing}, {concurrency} in flight: {least} at least\n")
}

/// A time as people say it: `0s`, `42s`, `3m 20s`, `2h 5m`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A time that is left or has passed: `8 s`, `2m 10s`, `1h 5m`.
pub fn countdown(time: Duration) -> String {
    match time.as_millis().div_ceil(1000) {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => in_words(time),
    }
}

/// A number with its thousands set apart: `1,204`.
pub fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        for (number, text) in [
            (0_u64, "0"),
            (999, "999"),
            (1204, "1,204"),
            (54_321, "54,321"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
        for (ms, text) in [(0, "0 s"), (7_001, "8 s"), (130_000, "2m 10s"), (3_900_000, "1h 5m")] {
            assert_eq!(countdown(Duration::from_millis(ms)), text);
        }
    }
}
