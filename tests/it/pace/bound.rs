//! The rate is a bound over every window, whatever gets between a turn and its request.

use std::{
    thread,
    time::{Duration, Instant},
};

use ghl_reconnect::{
    exit::Exit,
    installation::Scope,
    sandbox::{AccessLife, InstalledLocation, Options, RefreshLife, StoredPair},
};
use serde_json::json;

use super::{JITTER, at_least, least_gap, measured, micros, slow_syncs};
use crate::support::{
    StandIn, Work, company, in_process::run_on, location, locations, signal, start, wait_until,
};

#[test]
fn the_rate_is_a_bound_over_every_window() {
    measured(|| {
        let (work, stand_in) = (Work::undisturbed(), StandIn::good());
        let list = work.file("list.csv", locations(20));
        let ran = work.run(list, &stand_in.url()).rate("20/s").go().expect(0);
        ran.assert_sound(&stand_in);
        let audit = stand_in.audit();
        assert_eq!(audit.requests.len(), 40);
        let interval = Duration::from_millis(50);
        assert!(least_gap(&audit) >= at_least(interval), "gap: {:?}", least_gap(&audit));
        let most = audit.max_in_window(at_least(Duration::from_secs(1)));
        assert!(most <= 20, "{most} in a second");
        let took = audit.requests[39].at_us - audit.requests[0].at_us;
        assert!(took >= micros(at_least(interval * 39)), "39 gaps took {took} µs");
        let window = &ran.summary()["rate"]["busiest_window"];
        assert_eq!((&window["allowed"], &window["window_ms"]), (&json!(20), &json!(1000)));
    });
}

#[test]
fn retries_count_as_starts_too() {
    measured(|| {
        let faults = json!({ "*": ["server_error", "exchange:server_error"] });
        let (work, stand_in) = (Work::undisturbed(), StandIn::faulty(&faults));
        let list = work.file("list.csv", locations(4));
        let run = work.run(list, &stand_in.url()).rate("20/s");
        run.go().expect(0).assert_sound(&stand_in);
        let audit = stand_in.audit();
        assert_eq!(audit.requests.len(), 4 * 5);
        let interval = Duration::from_millis(50);
        assert!(least_gap(&audit) >= at_least(interval), "gap: {:?}", least_gap(&audit));
        let most = audit.max_in_window(at_least(Duration::from_millis(500)));
        assert!(most <= 10, "{most} in half a second");
    });
}

#[test]
fn the_starts_of_the_last_run_count_in_the_next_and_a_burst_keeps_the_bound() {
    measured(|| {
        let (work, stand_in) = (Work::undisturbed(), StandIn::good());
        let list = work.file("list.csv", locations(10));
        for out in ["one", "two"] {
            let run = work.run_into(out, &list, &stand_in.url()).rate("20/2s");
            run.args(["--burst", "20"]).go().expect(0);
        }
        let audit = stand_in.audit();
        let most = audit.max_in_window(at_least(Duration::from_secs(2)));
        assert!(most <= 20, "{most} in two seconds");
        let first = audit.requests[19].at_us - audit.requests[0].at_us;
        assert!(first < 1_000_000, "a burst was asked for; 20 starts took {first} µs");
    });
}

#[cfg(unix)]
#[test]
fn nothing_is_made_up_for_after_the_program_was_stopped() {
    measured(|| {
        let (work, stand_in) = (Work::undisturbed(), StandIn::good());
        let list = work.file("list.csv", locations(20));
        let child = start(work.run(list, &stand_in.url()).rate("20/s").command());
        wait_until("some requests", || stand_in.requests() >= 10);
        signal(&child, "-STOP");
        thread::sleep(Duration::from_secs(1));
        signal(&child, "-CONT");
        work.end(child).expect(0).assert_sound(&stand_in);
        let audit = stand_in.audit();
        let stopped = audit.requests.windows(2).any(|two| two[1].at_us - two[0].at_us > 800_000);
        assert!(stopped, "the stop was no stop");
        assert!(least_gap(&audit) >= at_least(Duration::from_millis(50)));
        let most = audit.max_in_window(at_least(Duration::from_secs(1)));
        assert!(most <= 20, "{most} in a second");
    });
}

/// The most requests that arrived in a time.
fn most_in(stand_in: &StandIn, time: Duration) -> usize {
    stand_in.audit().max_in_window(time.saturating_sub(JITTER))
}

#[test]
fn a_slow_disk_lets_no_starts_of_refreshes_bunch() {
    let work = Work::undisturbed();
    let token = |n: usize| format!("the-refresh-token-of-{n:06}");
    let stored = (0..30).map(|n| {
        StoredPair::new(Scope::Location, location(n)).refresh(token(n), RefreshLife::Good)
    });
    let stand_in = StandIn::with(Options { stored: stored.collect(), ..Options::default() });
    let list = (0..30).fold("location_id,refresh_token\n".to_owned(), |csv, n| {
        csv + &format!("{},{}\n", location(n), token(n))
    });
    let more = ["--via", "refresh", "--rate", "20/s", "--concurrency", "30"];
    let disk = slow_syncs(Duration::from_millis(500));
    assert_eq!(run_on(&work, &list, &stand_in.url(), disk, &more), Exit::Recovered);
    let most = most_in(&stand_in, Duration::from_millis(500));
    assert!(most <= 10, "{most} in half a second, where 20 a second are allowed");
}

/// Ends a run in the middle of a burst, and goes on with it at once.
#[cfg(unix)]
fn end_and_go_on(signals: &[&str]) {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(25));
    let burst = ["--burst", "20"];
    let mut child = start(work.run(list, &stand_in.url()).rate("20/2s").args(burst).command());
    wait_until("a burst", || stand_in.requests() >= 15);
    for name in signals {
        signal(&child, name);
        thread::sleep(Duration::from_millis(10));
    }
    wait_until("its end", || child.try_wait().unwrap().is_some());
    let begun = Instant::now();
    let resumed = work.resume(&stand_in.url()).rate("20/2s").args(burst).go().expect(0);
    resumed.assert_sound_after_kills(&stand_in);
    let most = most_in(&stand_in, Duration::from_secs(2));
    assert!(
        most <= 20,
        "{most} in two seconds, after {signals:?}; resumed for {:?}",
        begun.elapsed()
    );
}

#[cfg(unix)]
#[test]
fn after_a_kill_the_next_execution_counts_what_may_have_started() {
    end_and_go_on(&["-KILL"]);
}

#[cfg(unix)]
#[test]
fn after_two_interrupts_the_next_execution_counts_what_may_have_started() {
    end_and_go_on(&["-INT", "-INT"]);
}

#[test]
fn the_starts_of_a_discovery_count_in_the_run_that_follows() {
    let work = Work::undisturbed();
    let token = "the-access-token-of-the-agency";
    let agency = StoredPair::new(Scope::Company, company(1)).access(token, AccessLife::Alive);
    let installed = (0..1000).map(|n| InstalledLocation::new(location(n), company(1)));
    let options =
        Options { stored: vec![agency], installed: installed.collect(), ..Options::default() };
    let stand_in = StandIn::with(options);
    let line = json!({ "userType": "Company", "companyId": company(1), "access_token": token });
    let tokens = work.file("agencies.jsonl", line.to_string() + "\n");
    let words = ["discover", "--agency-tokens", tokens.to_str().unwrap(), "--rate", "30/s"];
    let url = stand_in.url();
    let listed = work.program(words).args(["--base-url", &url]).credentials().go().expect(0);
    assert!(stand_in.requests() > 5, "{}", listed.stderr);
    let list = work.file("list.csv", locations(10));
    let run = work.run(list, &stand_in.url()).rate("30/3s").args(["--burst", "30"]);
    run.go().expect(0);
    let most = most_in(&stand_in, Duration::from_secs(3));
    assert!(most <= 30, "{most} in three seconds");
}
