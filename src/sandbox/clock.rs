//! The server's clock: monotonic inside, and as far off as the options want it outside.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Microseconds since the sandbox started.
pub(super) type Micros = u64;

/// The server's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
    utc: Timestamp,
    offset: SignedDuration,
}

impl Clock {
    pub(super) fn start(offset: SignedDuration) -> Self {
        Self { started: Instant::now(), utc: Timestamp::now(), offset }
    }

    pub(super) fn now(&self) -> Micros {
        micros(self.started.elapsed())
    }

    /// The time as the server gives it, offset and all.
    pub(super) fn utc(&self, at: Micros) -> Timestamp {
        let after = SignedDuration::from_micros(i64::try_from(at).unwrap_or(i64::MAX));
        self.utc.checked_add(after.saturating_add(self.offset)).unwrap_or(self.utc)
    }

    /// RFC 3339 with milliseconds, in UTC.
    pub(super) fn rfc3339(&self, at: Micros) -> String {
        format!("{:.3}", self.utc(at))
    }

    /// The time that long ago.
    pub(super) fn rfc3339_ago(&self, time: Duration) -> String {
        format!("{:.3}", self.utc(self.now()).checked_sub(time).unwrap_or_default())
    }

    /// The value of a `Date` header where the clock is off; the server's own is right otherwise.
    pub(super) fn odd_date(&self) -> Option<String> {
        (!self.offset.is_zero()).then(|| self.http_date_in(Duration::ZERO))
    }

    /// The date of an HTTP header, so far ahead.
    pub(super) fn http_date_in(&self, time: Duration) -> String {
        let at = self.utc(self.now().saturating_add(micros(time)));
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&at)
            .unwrap_or_default()
    }
}

/// A time in microseconds, as far as it fits.
pub(super) fn micros(time: Duration) -> Micros {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
