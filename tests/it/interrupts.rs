//! Signals, kills, stops: the run ends in order, or is resumed where it was.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    time::{Duration, Instant},
};

use ghl_reconnect::sandbox::Options;
use serde_json::json;

use crate::support::{MockServer, Ran, Work, locations, side_by_side, signal, start, wait_until};

/// What counts as at once on a busy machine; an exchange would hang for 30 seconds.
const AT_ONCE: Duration = Duration::from_secs(10);

fn slow(latency_ms: u64) -> MockServer {
    MockServer::with(Options { latency: Duration::from_millis(latency_ms), ..Options::default() })
}

#[test]
fn one_signal_drains_and_resume_redoes_nothing() {
    // The canary goes alone, then 20 at a time: after 30 requests they exchange, after 45 they ask
    // for codes, which are in nobody's hand yet.
    let cases = [("-INT", 45, 130), ("-TERM", 30, 143), ("-HUP", 45, 143)];
    side_by_side(&cases, |(name, after, code)| {
        let (work, server) = (Work::new(), slow(40));
        let list = work.file("list.csv", locations(60));
        let run = work.run(list, &server.url()).args(["--concurrency", "20"]);
        let child = start(run.command());
        wait_until("work in full swing", || server.requests() >= *after);
        signal(&child, name);
        let ran = work.end(child).expect(*code);
        ran.assert_sound(&server);
        let audit = server.audit();
        assert_eq!(audit.codes.len(), audit.presentations.len(), "codes issued and presented");
        assert_eq!(audit.codes.len(), ran.count("recovered"));
        assert!(ran.count("not_attempted") > 0, "the signal came too late");
        assert!(ran.stdout.contains("ghl-reconnect resume"), "{}", ran.stdout);
        assert!(ran.failures().iter().all(|row| row["retry"] == "now"));
        let resumed = work.resume(&server.url()).go().expect(0);
        resumed.assert_sound(&server);
        assert_eq!(server.audit().grants.len(), 60, "{name}: one grant each");
    });
}

#[test]
fn a_second_signal_ends_at_once_and_resume_continues() {
    let server = MockServer::faulty(&json!({"*": ["exchange:silence*"]}));
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let mut child = start(work.run(list, &server.url()).command());
    wait_until("an exchange hangs", || !server.audit().presentations.is_empty());
    signal(&child, "-INT");
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Interrupted") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it never says that it was interrupted");
    }
    signal(&child, "-INT");
    let second = Instant::now();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(second.elapsed() < AT_ONCE, "it took {:?}", second.elapsed());
    assert!(rest.contains("ghl-reconnect resume"), "{rest}");
    server.set_faults(&json!({}));
    let resumed = work.resume(&server.url()).go().expect(0);
    resumed.assert_sound_after_kills(&server);
    assert_eq!(resumed.summary()["lost_grants"]["count"], 1, "the exchange that hung");
}

#[test]
fn a_drain_takes_failed_attempts_along() {
    let server = MockServer::faulty(&json!({"*": ["reconnect:unavailable*"]}));
    let work = Work::new();
    let list = work.file("list.csv", locations(5));
    let child = start(work.run(list, &server.url()).args(["--attempts", "50"]).command());
    wait_until("a second attempt", || server.requests() >= 2);
    signal(&child, "-TERM");
    let ran = work.end(child).expect(143);
    ran.assert_sound(&server);
    let tried = &ran.failures()[0];
    assert_eq!((&*tried["status"], &*tried["error_class"]), ("not_attempted", "interrupted"));
    assert!(tried["message"].contains("server_error"), "{}", tried["message"]);
    assert!(!tried["first_failed_at"].is_empty());
    // It has not failed, whoever tells.
    let begun = ran.result(&tried["location_id"]);
    assert_eq!((&*begun["status"], &*begun["error_class"]), ("not_attempted", "interrupted"));
    let (books, causes) = (&ran.summary()["books"], &ran.summary()["causes"]);
    assert_eq!(
        (&books["failed"], &books["not_attempted"], causes),
        (&json!(0), &json!(5), &json!([]))
    );
    assert!(!ran.stdout.contains("failed"), "{}", ran.stdout);
    assert!(ran.stdout.contains(" not finished\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("0 failed") && !ran.stderr.contains("1 failed"), "{}", ran.stderr);
    let status = work.program(["status".as_ref(), work.path("run").as_os_str()]).go().expect(0);
    assert!(status.stdout.contains("0 failed, 5 not attempted"), "{}", status.stdout);
    let check = work.program(["check".as_ref(), ran.file("failures.csv").as_os_str()]).go();
    assert!(check.expect(0).stdout.contains("5 installations"));
    server.set_faults(&json!({}));
    work.resume(&server.url()).go().expect(0).assert_sound(&server);
}

#[test]
fn twenty_kills_lose_nothing() {
    let (work, server) = (Work::new(), slow(4));
    let list = work.file("list.csv", locations(300));
    let mut random = fastrand::Rng::with_seed(20_261_122);
    let mut command = work.run(list, &server.url()).command();
    let mut kills: usize = 0;
    while kills < 20 && server.audit().grants.len() < 290 {
        let before = server.requests();
        let mut child = start(command);
        let after = random.usize(0..40);
        wait_until("some progress", || {
            server.requests() >= before + after || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        command = if work.path("run").join("journal.jsonl").exists() {
            work.resume(&server.url()).command()
        } else {
            work.run(work.path("list.csv"), &server.url()).command()
        };
    }
    let ran = work.end(start(command)).expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(ran.count("recovered"), 300);
    let redone = server.audit().grants.len() - 300;
    assert!(redone <= kills * 16, "{redone} redone in {kills} kills with 16 in flight");
    let told = ran.summary()["lost_grants"]["count"].as_u64().unwrap();
    assert!(told >= redone as u64, "{told} lost grants told, {redone} redone");
}

#[test]
fn a_terminal_that_goes_away_stops_nothing() {
    let (work, server) = (Work::new(), slow(5));
    let list = work.file("list.csv", locations(40));
    let mut child = start(work.run(list, &server.url()).command());
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let ran =
        Ran { code: 0, stdout: String::new(), stderr: String::new(), folder: work.path("run") };
    ran.assert_sound(&server);
    assert_eq!(ran.count("recovered"), 40);
}

#[test]
fn a_terminal_that_nobody_reads_holds_nothing_up() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(400));
    // More lines than a pipe holds, and nobody reads them before the end.
    let mut child = start(work.run(list, &server.url()).arg("-v").command());
    wait_until("the end", || child.try_wait().unwrap().is_some());
    let ran = work.end(child).expect(0);
    assert_eq!(ran.count("recovered"), 400);
    assert!(ran.stderr.len() > 1 << 15, "{} bytes", ran.stderr.len());
}
