//! The rate is a bound over every window, whatever gets between a turn and its request.

use std::{thread, time::Duration};

use ghl_reconnect::{
    exit::Exit,
    installation::Scope,
    sandbox::{AccessLife, InstalledLocation, Options, RefreshLife, StoredPair},
};
use serde_json::json;

use super::{assert_apart, assert_bound, at_least, micros, reaches_its_speed, slow_syncs};
use crate::support::{
    MockServer, Work, company, in_process::inside, location, locations, signal, start, wait_until,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_rate_is_a_bound_over_every_window() {
    let (work, server) = (Work::timed(), MockServer::good());
    let list = work.file("list.csv", locations(10));
    let ran = work.run(list, &server.url()).rate("10/s").go().expect(0);
    ran.assert_sound(&server);
    let audit = server.audit();
    assert_eq!(audit.requests.len(), 20);
    assert_apart(&audit, SECOND / 10);
    assert_bound(&audit, 10, SECOND);
    let took = audit.requests[19].at_us - audit.requests[0].at_us;
    assert!(took >= micros(at_least(SECOND / 10 * 19)), "19 intervals took {took} µs");
    let window = &ran.summary()["rate"]["busiest_window"];
    assert_eq!((&window["allowed"], &window["window_ms"]), (&json!(10), &json!(1000)));
}

#[test]
fn retries_count_as_starts_too() {
    let faults = json!({ "*": ["server_error", "exchange:server_error"] });
    let (work, server) = (Work::timed(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(3));
    let run = work.run(list, &server.url()).rate("10/s");
    run.go().expect(0).assert_sound(&server);
    let audit = server.audit();
    assert_eq!(audit.requests.len(), 3 * 5);
    assert_apart(&audit, SECOND / 10);
    assert_bound(&audit, 5, SECOND / 2);
}

#[test]
fn the_starts_of_the_last_run_count_in_the_next_and_a_burst_keeps_the_bound() {
    reaches_its_speed(|| {
        let (work, server) = (Work::timed(), MockServer::good());
        let list = work.file("list.csv", locations(10));
        for out in ["one", "two"] {
            let run = work.run_into(out, &list, &server.url()).rate("20/2s");
            run.args(["--burst", "20", "--again"]).go().expect(0);
        }
        let audit = server.audit();
        assert_eq!(audit.requests.len(), 40);
        assert_bound(&audit, 20, SECOND * 2);
        // A burst was asked for.
        audit.requests[19].at_us - audit.requests[0].at_us < 1_000_000
    });
}

#[cfg(unix)]
#[test]
fn nothing_is_made_up_for_after_the_program_was_stopped() {
    let (work, server) = (Work::timed(), MockServer::good());
    let list = work.file("list.csv", locations(7));
    let child = start(work.run(list, &server.url()).rate("10/s").command());
    wait_until("some requests", || server.requests() >= 4);
    signal(&child, "-STOP");
    thread::sleep(SECOND);
    signal(&child, "-CONT");
    work.end(child).expect(0).assert_sound(&server);
    let audit = server.audit();
    let stopped = audit.requests.windows(2).any(|two| two[1].at_us - two[0].at_us > 800_000);
    assert!(stopped, "the stop was no stop");
    assert_apart(&audit, SECOND / 10);
    assert_bound(&audit, 10, SECOND);
}

#[test]
fn a_slow_disk_lets_no_starts_of_refreshes_bunch() {
    const COUNT: usize = 10;
    let work = Work::timed();
    let token = |n: usize| format!("the-refresh-token-of-{n:06}");
    let stored = (0..COUNT).map(|n| {
        StoredPair::new(Scope::Location, location(n)).refresh(token(n), RefreshLife::Good)
    });
    let server = MockServer::with(Options { stored: stored.collect(), ..Options::default() });
    let list = (0..COUNT).fold("location_id,refresh_token\n".to_owned(), |csv, n| {
        csv + &format!("{},{}\n", location(n), token(n))
    });
    let list = work.file("list.csv", list);
    let mut words = vec!["run", list.to_str().unwrap(), "--via", "refresh"];
    words.extend(["--rate", "10/s", "--concurrency", "30"]);
    // Of three starts that wait for the same sync, all three would come at once.
    let disk = slow_syncs(SECOND / 3);
    assert_eq!(inside(&work, &words, &server, disk), Exit::Recovered);
    assert_bound(&server.audit(), 5, SECOND / 2);
    assert_apart(&server.audit(), SECOND / 10);
}

/// Ends a run in the middle of a burst, and resumes it at once.
#[cfg(unix)]
fn end_and_resume(signals: &[&str]) {
    let (work, server) = (Work::timed(), MockServer::good());
    let list = work.file("list.csv", locations(15));
    let burst = ["--burst", "20"];
    let mut child = start(work.run(list, &server.url()).rate("20/2s").args(burst).command());
    wait_until("a burst", || server.requests() >= 15);
    for name in signals {
        signal(&child, name);
        thread::sleep(Duration::from_millis(10));
    }
    wait_until("its end", || child.try_wait().unwrap().is_some());
    let resumed = work.resume(&server.url()).rate("20/2s").args(burst).go().expect(0);
    resumed.assert_sound_after_kills(&server);
    assert!(server.requests() >= 30, "{signals:?}");
    assert_bound(&server.audit(), 20, SECOND * 2);
}

#[cfg(unix)]
#[test]
fn after_a_kill_the_next_execution_counts_what_may_have_started() {
    end_and_resume(&["-KILL"]);
}

#[cfg(unix)]
#[test]
fn after_two_interrupts_the_next_execution_counts_what_may_have_started() {
    end_and_resume(&["-INT", "-INT"]);
}

#[test]
fn the_starts_of_a_discovery_count_in_the_run_that_follows() {
    let work = Work::timed();
    let token = "the-access-token-of-the-agency";
    let agency = StoredPair::new(Scope::Company, company(1)).access(token, AccessLife::Alive);
    let installed = (0..1000).map(|n| InstalledLocation::new(location(n), company(1)));
    let options =
        Options { stored: vec![agency], installed: installed.collect(), ..Options::default() };
    let server = MockServer::with(options);
    let line = json!({ "userType": "Company", "companyId": company(1), "access_token": token });
    let tokens = work.file("agencies.jsonl", line.to_string() + "\n");
    let words = ["discover", "--agency-tokens", tokens.to_str().unwrap(), "--rate", "30/s"];
    let url = server.url();
    let listed = work.program(words).args(["--base-url", &url]).credentials().go().expect(0);
    assert!(server.requests() > 5, "{}", listed.stderr);
    let list = work.file("list.csv", locations(10));
    let run = work.run(list, &server.url()).rate("20/2s").args(["--burst", "20"]);
    run.go().expect(0);
    assert!(server.requests() > 20, "more than a window allows");
    assert_bound(&server.audit(), 20, SECOND * 2);
}
