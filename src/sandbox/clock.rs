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

    /// The time as the server tells it, offset and all.
    pub(super) fn told(&self, at: Micros) -> Timestamp {
        let after = SignedDuration::from_micros(i64::try_from(at).unwrap_or(i64::MAX));
        let told = self.utc.checked_add(after.saturating_add(self.offset));
        told.unwrap_or(self.utc)
    }

    /// RFC 3339 with milliseconds, in UTC.
    pub(super) fn rfc3339(&self, at: Micros) -> String {
        format!("{:.3}", self.told(at))
    }

    /// The value of a `Date` header where the clock is off; the server's own is right otherwise.
    pub(super) fn odd_date(&self) -> Option<String> {
        (!self.offset.is_zero()).then(|| self.http_date(self.now()))
    }

    /// The date of an HTTP header.
    pub(super) fn http_date(&self, at: Micros) -> String {
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer.timestamp_to_rfc9110_string(&self.told(at)).unwrap_or_default()
    }
}

/// A time in microseconds, as far as it fits.
pub(super) fn micros(time: Duration) -> Micros {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
