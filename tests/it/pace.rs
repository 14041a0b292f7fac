//! When requests arrive, measured where they arrive. These tests run alone, so that no other test's
//! work gets between a start here and an arrival there.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ghl_reconnect::sandbox::{AuditReport, Options, RequestSeen, Step};
use serde_json::json;

use crate::{
    recording::{Recording, Reply, whole},
    support::{StandIn, Work, location, locations, signal, start, wait_until},
};

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
fn too_many_requests_for_different_installations_hold_every_request() {
    measured(|| {
        // From a request on, all are refused until a second has passed.
        let arrived: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let arrivals = arrived.clone();
        let stand_in = Recording::answering(move |book, number, seen| {
            let mut arrivals = arrivals.lock().unwrap();
            arrivals.push(Instant::now());
            let is_over = arrivals.get(10).is_none_or(|first| first.elapsed().as_millis() > 1000);
            drop(arrivals);
            if number < 10 || is_over {
                return book.answer(seen);
            }
            if !seen.is_reconnect() {
                book.present(seen);
            }
            Reply::Whole(whole(429, &[("Retry-After", "1")], "{}"))
        });
        let work = Work::undisturbed();
        let list = work.file("list.csv", locations(20));
        let ran = work.run(list, &stand_in.url()).rate("50/s").go().expect(0);
        ran.assert_sound_after_kills(&stand_in);
        let arrived = arrived.lock().unwrap().clone();
        let limit = arrived[10];
        let within = |from: u64, to: u64| {
            let times = limit + Duration::from_millis(from)..limit + Duration::from_millis(to);
            arrived.iter().filter(|at| times.contains(at)).count()
        };
        assert!(within(0, 1000) <= 5, "{} requests were refused", within(0, 1000));
        assert_eq!(within(450, 950), 0, "requests during the hold");
        assert!(ran.stderr.contains("nothing starts until"), "{}", ran.stderr);
    });
}

#[test]
fn an_installation_that_is_always_refused_waits_alone() {
    measured(|| {
        let faults = json!({ location(4): ["rate_limited(3)*"] });
        let (work, stand_in) = (Work::undisturbed(), StandIn::faulty(&faults));
        let list = work.file("list.csv", locations(40));
        let run = work.run(list, &stand_in.url()).rate("100/s").args(["--attempts", "2"]);
        let ran = run.go().expect(1);
        ran.assert_sound(&stand_in);
        let audit = stand_in.audit();
        let others = audit.requests.iter().filter(|r| r.id.as_deref() != Some(&location(4)));
        let done = others.map(|request| request.at_us).max().unwrap() - audit.requests[0].at_us;
        assert!(done < 1_500_000, "the others were done after {done} µs");
        assert!(audit.requests.last().unwrap().at_us - audit.requests[0].at_us > 2_900_000);
        assert_eq!(ran.count("recovered"), 39);
        assert_eq!(ran.result(&location(4))["error_class"], "rate_limited");
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

#[cfg(unix)]
#[test]
fn nothing_is_made_up_for_after_the_program_was_stopped() {
    measured(|| {
        let (work, stand_in) = (Work::undisturbed(), StandIn::good());
        let list = work.file("list.csv", locations(20));
        let child = start(work.run(list, &stand_in.url()).rate("20/s").command());
        wait_until("some requests", || stand_in.requests() >= 10);
        signal(&child, "-STOP");
        std::thread::sleep(Duration::from_secs(1));
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

#[test]
fn a_rate_to_be_found_begins_slowly_and_climbs_up_to_its_bound() {
    measured(|| {
        let (work, stand_in) = (Work::undisturbed(), StandIn::good());
        let list = work.file("list.csv", locations(50));
        let run = work.run(list, &stand_in.url()).rate("auto").args(["--max-rate", "200/s"]);
        let ran = run.go().expect(0);
        ran.assert_sound(&stand_in);
        let audit = stand_in.audit();
        let within = |from: u64, to: u64| {
            let begin = audit.requests[0].at_us;
            let times = audit.requests.iter().map(|request| request.at_us - begin);
            times.filter(|at| (from..to).contains(at)).count()
        };
        assert!((9..=11).contains(&within(0, 1_000_000)), "{}", within(0, 1_000_000));
        assert!(within(2_000_000, 3_000_000) >= 20, "{}", within(2_000_000, 3_000_000));
        assert!(audit.max_in_window(Duration::from_secs(1)) <= 50, "10 a second more each second");
        let rate = &ran.summary()["rate"];
        assert_eq!((&rate["asked"], &rate["max"]), (&json!("auto"), &json!("200/s")));
        assert_eq!(rate["gap"]["reason"], "finding");
    });
}

#[test]
fn a_terminal_that_nobody_reads_holds_nothing_up() {
    let (work, stand_in) = (Work::new(), StandIn::good());
    let list = work.file("list.csv", locations(1000));
    // More lines than a pipe holds, and nobody reads them before the end.
    let mut child = start(work.run(list, &stand_in.url()).arg("-v").command());
    wait_until("the end", || child.try_wait().unwrap().is_some());
    let ran = work.end(child).expect(0);
    assert_eq!(ran.count("recovered"), 1000);
}

#[test]
fn no_more_installations_are_in_flight_than_asked_for() {
    measured(|| {
        let options = Options { latency: Duration::from_millis(30), ..Options::default() };
        let (work, stand_in) = (Work::undisturbed(), StandIn::with(options));
        let list = work.file("list.csv", locations(20));
        let run = work.run(list, &stand_in.url()).args(["--concurrency", "4"]);
        run.go().expect(0).assert_sound(&stand_in);
        assert_eq!(stand_in.audit().max_in_flight, 4);
    });
}
