//! When requests arrive, measured where they arrive. These tests run alone, so that no other test's
//! work gets between a start here and an arrival there.

use std::{
    panic::{self, AssertUnwindSafe},
    thread,
    time::Duration,
};

use ghl_reconnect::{
    journal::disk::{Disk, Operation},
    sandbox::AuditReport,
};

mod bound;
mod codes;
mod refusals;

/// How much sooner or later than it started a request may seem to arrive: a wake-up of the client's
/// thread, the loopback, a wake-up of the server's. A few milliseconds as a rule; much more where
/// the machine is busy with other things.
const JITTER: Duration = Duration::from_millis(30);

/// The least that such a time between two starts can be between their arrivals.
fn at_least(time: Duration) -> Duration {
    time.saturating_sub(JITTER)
}

/// Tries a measurement up to three times. What has no bound has none in any of them; a machine that
/// is busy with something else for a moment is not busy in all of them.
fn measured(test: impl Fn()) {
    let holds = || panic::catch_unwind(AssertUnwindSafe(&test)).is_ok();
    if !(holds() || holds()) {
        test();
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

/// The least time between two arrivals.
fn least_gap(audit: &AuditReport) -> Duration {
    let times = audit.requests.windows(2).map(|two| two[1].at_us - two[0].at_us);
    Duration::from_micros(times.min().unwrap())
}

/// A disk whose syncs take so long.
fn slow_syncs(time: Duration) -> Disk {
    Disk::failing(move |operation| {
        if operation == Operation::Sync {
            thread::sleep(time);
        }
        Ok(())
    })
}
