//! When everything fails the same way, the run pauses as a whole and continues by itself.

use std::time::{Duration, Instant};

use ghl_reconnect::sandbox::Options;
use serde_json::json;

use crate::support::{
    MockServer, Observer, Reply, ScriptedServer, Work, location, locations, side_by_side, start,
    wait_until, whole,
};

const COUNT: usize = 120;

/// A run that is in full swing when everything begins to fail, at the step of the fault.
fn interrupted_by_a_fault(
    work: &Work,
    server: &MockServer,
    fault: &str,
    most: &str,
) -> std::process::Child {
    let list = work.file("list.csv", locations(COUNT));
    let run = work.run(list, &server.url()).args(["--max-outage", most, "--attempts", "1"]);
    let child = start(run.command());
    wait_until("some recoveries", || server.audit().grants.len() >= 20);
    server.set_faults(&json!({"*": [fault]}));
    child
}

fn slow() -> MockServer {
    MockServer::with(Options { latency: Duration::from_millis(10), ..Options::default() })
}

#[test]
fn an_outage_burns_no_attempts_and_the_run_continues_by_itself() {
    let faults = ["reconnect:unavailable*", "exchange:bad_gateway*", "reconnect:reset*"];
    side_by_side(&faults, |fault| {
        let (work, server) = (Work::new(), slow());
        let child = interrupted_by_a_fault(&work, &server, fault, "10m");
        let journal = work.path("run").join("journal.jsonl");
        let recorded = |event: &str| {
            let name = format!("{{\"{event}\"");
            std::fs::read_to_string(&journal).unwrap().matches(&name).count()
        };
        wait_until("the pause", || recorded("paused") > 0);
        let paused_at = server.requests();
        wait_until("probes", || recorded("probed") >= 2);
        // What was in flight at the pause may still fail. A probe is a call or two, the last of them not
        // recorded yet.
        let (requests, in_flight) = (server.requests(), 16);
        let probes = recorded("probed") + 1;
        assert!(requests <= paused_at + in_flight + 2 * probes, "a probe, not a stampede");
        server.set_faults(&json!({}));
        let ran = work.end(child).expect(0);
        ran.assert_sound(&server);
        assert_eq!(ran.count("recovered"), COUNT, "{fault}");
        assert!(ran.results().iter().all(|row| row["attempts"] == "1"), "{fault}");
        assert!(!ran.events("probed").is_empty());
        assert!(ran.stderr.contains("PAUSED"), "{}", ran.stderr);
        assert!(ran.stderr.contains("continuing after"), "{}", ran.stderr);
    });
}

#[test]
fn an_outage_past_its_bound_halts_the_run_which_can_be_resumed() {
    let (work, server) = (Work::new(), slow());
    let child = interrupted_by_a_fault(&work, &server, "unavailable*", "1s");
    let ran = work.end(child).expect(3);
    ran.assert_sound(&server);
    assert!(ran.stdout.contains("--max-outage"), "{}", ran.stdout);
    assert!(ran.stdout.contains("ghl-reconnect resume"), "{}", ran.stdout);
    assert!(ran.count("not_attempted") > 0);
    assert!(ran.failures().iter().all(|row| row["retry"] == "later"), "{:?}", ran.failures());
    server.set_faults(&json!({}));
    let resumed = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    resumed.assert_sound(&server);
}

#[test]
fn one_installation_that_always_fails_is_no_outage() {
    let faults = json!({location(3): ["unavailable*"], location(4): ["exchange:reset*"]});
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(12));
    let ran = work.run(list, &server.url()).args(["--attempts", "3"]).go().expect(1);
    ran.assert_sound(&server);
    assert_eq!(ran.count("recovered"), 10);
    assert!(ran.events("paused").is_empty());
}

#[test]
fn a_day_that_is_used_up_ends_the_run_with_the_time_to_come_back() {
    let server = ScriptedServer::answering(|issuer, number, seen| {
        if number >= 6 && !issuer.is_marked() {
            let spent =
                [("X-RateLimit-Daily-Remaining", "0"), ("x-ratelimit-daily-reset", "4070908800")];
            let body = if seen.is_reconnect() { issuer.code(seen) } else { issuer.tokens(seen) };
            return Reply::Whole(whole(200, &spent, &body.to_string()));
        }
        issuer.answer(seen)
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(10));
    let ran = work.run(list, &server.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&server);
    let recovered = ran.count("recovered");
    assert_eq!(recovered, 5, "a second installation says so, and the code in hand is exchanged");
    server.mark();
    assert!(ran.stdout.contains("2099-01-01T00:00:00.000Z"), "{}", ran.stdout);
    assert!(ran.failures().iter().all(|row| row["retry"] == "later"));
    let resumed = work.resume(&server.url()).go().expect(0);
    assert_eq!(resumed.count("recovered"), 10);
}

#[test]
fn what_one_installation_says_of_its_limits_concerns_no_other() {
    for headers in [
        &[("X-RateLimit-Daily-Remaining", "0"), ("x-ratelimit-daily-reset", "4070908800")][..],
        &[
            ("X-RateLimit-Max", "1"),
            ("X-RateLimit-Interval-Milliseconds", "600000"),
            ("X-RateLimit-Remaining", "0"),
        ],
    ] {
        let server = ScriptedServer::answering(move |issuer, _, seen| {
            let id = seen.json_id().or_else(|| issuer.owner(&seen.field("code").unwrap()));
            if id != Some(location(3)) {
                return issuer.answer(seen);
            }
            let body = if seen.is_reconnect() { issuer.code(seen) } else { issuer.tokens(seen) };
            Reply::Whole(whole(200, headers, &body.to_string()))
        });
        let work = Work::new();
        let list = work.file("list.csv", locations(12));
        let begun = Instant::now();
        let ran = work.run(list, &server.url()).go().expect(0);
        ran.assert_sound(&server);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}: {headers:?}", begun.elapsed());
    }
}

#[test]
fn a_day_that_will_not_do_is_told_at_once_and_in_the_next_plan() {
    let server = ScriptedServer::answering(|issuer, number, seen| {
        let left = 30_usize.saturating_sub(number).to_string();
        let said =
            [("X-RateLimit-Daily-Remaining", left.as_str()), ("x-ratelimit-daily-reset", "3600")];
        let body = if seen.is_reconnect() { issuer.code(seen) } else { issuer.tokens(seen) };
        Reply::Whole(whole(200, &said, &body.to_string()))
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(20));
    let ran = work.run(&list, &server.url()).args(["--concurrency", "3"]).go().expect(3);
    ran.assert_sound(&server);
    assert!(ran.stderr.contains("will not suffice: 2"), "{}", ran.stderr);
    let presented = server.observed().codes.len();
    assert_eq!(
        ran.count("recovered"),
        presented,
        "no code was asked for that could not be presented"
    );
    assert!(server.seen().len() <= 31, "{}", server.seen().len());
    let check = work.run_into("other", &list, &server.url()).arg("--dry-run").go().expect(0);
    assert!(check.stdout.contains("Day            as of"), "{}", check.stdout);
}

#[test]
fn a_server_that_only_ever_says_too_many_halts_the_run() {
    let throttled = || whole(429, &[("Retry-After", "0")], "{}");
    let server = ScriptedServer::answering(move |_, _, _| Reply::Whole(throttled()));
    let work = Work::new();
    let list = work.file("list.csv", locations(40));
    let run = work.run(&list, &server.url()).args(["--max-outage", "1s", "--attempts", "100"]);
    let ran = run.rate("50/s").go().expect(3);
    ran.assert_sound(&server);
    assert!(ran.stdout.contains("nothing but \"too many requests\""), "{}", ran.stdout);
    assert!(ran.failures().iter().all(|row| row["retry"] == "later"));
}

#[test]
fn neighbours_that_always_fail_stop_nobody() {
    side_by_side(&["1", "3"], |attempts| {
        let faults: serde_json::Map<_, _> =
            (1..=6).map(|n| (location(n), json!(["unavailable*"]))).collect();
        let (work, server) = (Work::new(), MockServer::faulty(&faults.into()));
        let list = work.file("list.csv", locations(10));
        let run = work.run(list, &server.url()).args(["--concurrency", "1"]);
        let ran = run.args(["--attempts", *attempts]).go().expect(1);
        ran.assert_sound(&server);
        assert_eq!((ran.count("recovered"), ran.count("failed")), (4, 6));
        assert!(ran.failures().iter().all(|row| row["attempts_total"] == *attempts));
    });
}
