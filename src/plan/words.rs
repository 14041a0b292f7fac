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
