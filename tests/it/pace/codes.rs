//! A code waits for nothing, and none is asked for that could not be presented in time.

use std::time::Duration;

use ghl_reconnect::{
    exit::Exit,
    sandbox::{Options, RequestSeen, Step},
};

use super::{JITTER, at_least, measured, micros, slow_syncs};
use crate::support::{StandIn, Work, in_process::run_on, locations, signal, start, wait_until};

#[test]
fn a_code_in_hand_waits_behind_no_request_for_a_new_one() {
    measured(|| {
        // Answers take longer than the gap between starts, so that several codes are on their way.
        let options = Options { latency: Duration::from_millis(150), ..Options::default() };
        let (work, stand_in) = (Work::undisturbed(), StandIn::with(options));
        let list = work.file("list.csv", locations(25));
        let run = work.run(list, &stand_in.url()).rate("20/s").args(["--concurrency", "16"]);
        run.go().expect(0).assert_sound(&stand_in);
        let audit = stand_in.audit();
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
        assert!(together > 2, "the pipeline was full: {together} reconnects at a time");
    });
}

/// Whether a request was being answered when another one came.
fn in_flight(request: &RequestSeen, other: &RequestSeen) -> bool {
    request.at_us <= other.at_us && request.ended_us.is_some_and(|end| end >= other.at_us)
}

#[test]
fn a_code_is_asked_for_only_when_its_exchange_can_follow() {
    measured(|| {
        let options = Options { latency: Duration::from_millis(100), ..Options::default() };
        let (work, stand_in) = (Work::undisturbed(), StandIn::with(options));
        let list = work.file("list.csv", locations(20));
        let run = work.run(list, &stand_in.url()).rate("20/2s").args(["--burst", "20"]);
        let ran = run.go().expect(0);
        ran.assert_sound(&stand_in);
        assert!(stand_in.audit().max_in_window(at_least(Duration::from_secs(2))) <= 20);
        // Were all 20 starts of a window spent on codes, the last of them would wait two seconds.
        let age = &ran.summary()["timings"]["code_age_ms"]["max"];
        assert!(age.as_u64().unwrap() < 300, "the oldest code was {age} ms old");
    });
}

#[test]
fn few_codes_are_asked_for_while_a_slow_disk_would_let_them_die() {
    let work = Work::undisturbed();
    let options = Options { code_life: Duration::from_millis(300), ..Options::default() };
    let stand_in = StandIn::with(options);
    let disk = slow_syncs(Duration::from_millis(500));
    let more = ["--rate", "50/s"];
    let exit = run_on(&work, &locations(6), &stand_in.url(), disk, &more);
    let (issued, presented) = {
        let audit = stand_in.audit();
        (audit.codes.len(), audit.presentations.len())
    };
    assert!(issued <= 12, "{issued} codes for 6 installations, {presented} presented");
    assert_eq!(exit, Exit::Recovered, "{issued} codes, {presented} presented");
}

#[test]
fn no_dead_code_is_presented_after_a_pause() {
    let life = Duration::from_millis(600);
    let stand_in = StandIn::with(Options {
        code_life: life,
        latency: Duration::from_millis(100),
        ..Options::default()
    });
    let work = Work::undisturbed();
    let list = work.file("list.csv", locations(120));
    let child = start(work.run(list, &stand_in.url()).rate("150/s").command());
    for round in 1..=3 {
        wait_until("codes in hand", || stand_in.audit().codes.len() >= 20 * round);
        signal(&child, "-STOP");
        // The pause itself is what is tested: longer than any code lives.
        std::thread::sleep(life + Duration::from_millis(200));
        signal(&child, "-CONT");
    }
    let ran = work.end(child).expect(0);
    ran.assert_sound(&stand_in);
    let audit = stand_in.audit();
    let dead: Vec<_> = audit
        .presentations
        .iter()
        .filter(|seen| format!("{:?}", seen.outcome) == "Expired")
        .collect();
    assert!(dead.is_empty(), "{dead:?}");
}
