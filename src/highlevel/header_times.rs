//! Times in headers: `Retry-After` and HTTP dates.

use std::time::Duration;

use jiff::Timestamp;

/// The longest that one `Retry-After` holds the run; the server can say it again.
pub const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// A longer wait than this is the server's mistake, and ignored.
const ABSURD_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Reads `Retry-After`: seconds or a date, capped at [`MAX_RETRY_AFTER`]; `None` if it is unreadable.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(value.parse().ok()?)
    } else {
        Duration::try_from(http_date(value)?.duration_since(now)).unwrap_or_default()
    };
    (wait <= ABSURD_RETRY_AFTER).then_some(wait.min(MAX_RETRY_AFTER))
}

/// Reads an HTTP date such as `Tue, 08 Oct 2024 13:35:43 GMT` (RFC 9110 §5.6.7).
pub fn http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(value.trim()).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date_and_capped() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (value, wait) in [
            ("2", Some(2)),
            (" 0 ", Some(0)),
            ("3600", Some(60)),
            ("999999999", None),
            ("999999999999999999999999", None),
            ("Sun, 22 Nov 2026 10:00:07 GMT", Some(7)),
            ("Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(60)),
            ("Fri, 22 Nov 2030 09:00:00 GMT", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), wait.map(Duration::from_secs), "{value}");
        }
    }
}
