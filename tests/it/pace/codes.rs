//! A code waits for nothing, and none is asked for that could not be presented in time.

use std::{thread, time::Duration};

use ghl_reconnect::{
    exit::Exit,
    sandbox::{Options, Outcome, RequestSeen, Step},
};

use super::{JITTER, assert_bound, micros, reaches_its_speed, slow_syncs};
use crate::support::{MockServer, Work, in_process::inside, locations, signal, start, wait_until};

#[test]
fn a_code_in_hand_waits_behind_no_request_for_a_new_one() {
    reaches_its_speed(|| {
        // Answers take longer than the gap between starts, so that several codes are on their way.
        let options = Options { latency: Duration::from_millis(150), ..Options::default() };
        let (work, server) = (Work::timed(), MockServer::with(options));
        let list = work.file("list.csv", locations(16));
        let run = work.run(list, &server.url()).rate("20/s").args(["--concurrency", "16"]);
        run.go().expect(0).assert_sound(&server);
        let audit = server.audit();
        let reconnects: Vec<&RequestSeen> =
            audit.requests.iter().filter(|request| request.step == Step::Reconnect).collect();
        let mut together = 0;
        for presented in &audit.presentations {
            let id = presented.id.as_deref();
            let issued = reconnects.iter().find(|request| request.id.as_deref() == id).unwrap();
            let in_hand = issued.ended_us.unwrap() + micros(JITTER);
            let before = presented.at_us.saturating_sub(micros(JITTER));
            let overtaken = reconnects.iter().filter(|r| (in_hand..before).contains(&r.at_us));
            assert_eq!(overtaken.count(), 0, "reconnects while {id:?} had a code");
            together = together.max(reconnects.iter().filter(|r| in_flight(r, issued)).count());
        }
        together > 2
    });
}

/// Whether a request was being answered when another one came.
fn in_flight(request: &RequestSeen, other: &RequestSeen) -> bool {
    request.at_us <= other.at_us && request.ended_us.is_some_and(|end| end >= other.at_us)
}

#[test]
fn a_code_is_asked_for_only_when_its_exchange_can_follow() {
    let options = Options { latency: Duration::from_millis(100), ..Options::default() };
    let (work, server) = (Work::timed(), MockServer::with(options));
    let list = work.file("list.csv", locations(20));
    let run = work.run(list, &server.url()).rate("20/2s").args(["--burst", "20"]);
    let ran = run.go().expect(0);
    ran.assert_sound(&server);
    assert_bound(&server.audit(), 20, Duration::from_secs(2));
    // Were all 20 starts of a window spent on codes, the last of them would wait two seconds.
    let age = &ran.summary()["timings"]["code_age_ms"]["max"];
    assert!(age.as_u64().unwrap() < 1000, "the oldest code was {age} ms old");
}

#[test]
fn few_codes_are_asked_for_while_a_slow_disk_would_let_them_die() {
    let work = Work::timed();
    let options = Options { code_life: Duration::from_millis(150), ..Options::default() };
    let server = MockServer::with(options);
    let disk = slow_syncs(Duration::from_millis(300));
    let list = work.file("list.csv", locations(6));
    let words = ["run", list.to_str().unwrap(), "--rate", "50/s"];
    let exit = inside(&work, &words, &server, disk);
    let (issued, presented) = {
        let audit = server.audit();
        (audit.codes.len(), audit.presentations.len())
    };
    assert!(issued <= 12, "{issued} codes for 6 installations, {presented} presented");
    assert_eq!(exit, Exit::Recovered, "{issued} codes, {presented} presented");
}

#[cfg(unix)]
#[test]
fn no_dead_code_is_presented_after_a_pause() {
    let life = Duration::from_millis(600);
    let server = MockServer::with(Options {
        code_life: life,
        latency: Duration::from_millis(100),
        ..Options::default()
    });
    let work = Work::timed();
    let list = work.file("list.csv", locations(50));
    let child = start(work.run(list, &server.url()).rate("150/s").command());
    for round in 1..=2 {
        wait_until("codes in hand", || server.audit().codes.len() >= 15 * round);
        signal(&child, "-STOP");
        // The pause itself is what is tested: longer than any code lives.
        thread::sleep(life + Duration::from_millis(200));
        signal(&child, "-CONT");
    }
    let ran = work.end(child).expect(0);
    ran.assert_sound(&server);
    let audit = server.audit();
    let dead = audit.presentations.iter().filter(|seen| seen.outcome == Outcome::Expired);
    assert_eq!(dead.count(), 0, "{:?}", audit.presentations);
}
