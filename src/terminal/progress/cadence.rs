//! How often a run without a terminal says how it gets on: a run of days must not fill a log.

use std::time::Duration;

/// Time until the next line, given how long the execution has been going.
pub(super) fn line_every(elapsed: Duration) -> Duration {
    match elapsed.as_secs() {
        0..60 => Duration::from_secs(5),
        60..600 => Duration::from_secs(30),
        _ => Duration::from_mins(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_days_has_a_line_a_minute() {
        for (elapsed, every) in [(0, 5), (59, 5), (60, 30), (599, 30), (600, 60), (200_000, 60)] {
            assert_eq!(line_every(Duration::from_secs(elapsed)).as_secs(), every, "{elapsed}");
        }
        let mut lines = 0;
        let mut elapsed = Duration::ZERO;
        while elapsed < Duration::from_hours(55) {
            elapsed += line_every(elapsed);
            lines += 1;
        }
        assert_eq!(lines, 12 + 18 + 3290);
    }
}
