//! When requests arrive, measured where they arrive.
//!
//! An upper bound holds in every measurement. A lower bound on speed may be missed by a machine that is
//! busy with something else for a moment.

use std::{thread, time::Duration};

use ghl_reconnect::{
    journal::disk::{Disk, Operation},
    sandbox::AuditReport,
};

mod bound;
mod codes;
mod refusals;

/// How much later than it started a request may arrive: a wake-up of the client's thread, the
/// loopback, a wake-up of the server's. A few milliseconds as a rule. What arrives late makes the time
/// to the next arrival that much shorter.
const JITTER: Duration = Duration::from_millis(60);

/// The least that such a time between two starts can be between their arrivals.
fn at_least(time: Duration) -> Duration {
    time.saturating_sub(JITTER)
}

/// Tries up to three times whether a run is as fast as it should be. What else the test asserts holds
/// each time.
#[track_caller]
fn reaches_its_speed(test: impl Fn() -> bool) {
    assert!((0..3).any(|_| test()), "too slow, three times");
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

/// No more requests than this arrived in any window of this length.
#[track_caller]
fn assert_bound(audit: &AuditReport, allowed: usize, window: Duration) {
    let most = audit.max_in_window(at_least(window));
    assert!(most <= allowed, "{most} in {window:?}, where {allowed} are allowed");
}

/// No two requests arrived closer together than this.
#[track_caller]
fn assert_apart(audit: &AuditReport, interval: Duration) {
    let gaps = audit.requests.windows(2).map(|two| two[1].at_us - two[0].at_us);
    let least = Duration::from_micros(gaps.min().unwrap());
    assert!(least >= at_least(interval), "{least:?} apart, where {interval:?} is asked for");
}

/// A disk on which the journal's syncs take so long.
fn slow_syncs(time: Duration) -> Disk {
    Disk::failing(move |operation| {
        if operation == Operation::Sync && thread::current().name() == Some("journal") {
            thread::sleep(time);
        }
        Ok(())
    })
}
