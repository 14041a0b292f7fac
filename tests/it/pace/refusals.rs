//! What "too many requests" does to the pace, and how a rate is found.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ghl_reconnect::sandbox::Options;
use serde_json::json;

use super::{assert_bound, reaches_its_speed};
use crate::support::{MockServer, Reply, ScriptedServer, Work, location, locations, whole};

#[test]
fn too_many_requests_for_different_installations_hold_every_request() {
    // From a request on, all are refused until a second has passed.
    let arrived: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let arrivals = arrived.clone();
    let server = ScriptedServer::answering(move |issuer, number, seen| {
        let mut arrivals = arrivals.lock().unwrap();
        arrivals.push(Instant::now());
        let is_over = arrivals.get(10).is_none_or(|first| first.elapsed().as_millis() > 1000);
        drop(arrivals);
        if number < 10 || is_over {
            return issuer.answer(seen);
        }
        if !seen.is_reconnect() {
            issuer.present(seen);
        }
        Reply::Whole(whole(429, &[("Retry-After", "1")], "{}"))
    });
    let work = Work::timed();
    let list = work.file("list.csv", locations(12));
    let ran = work.run(list, &server.url()).rate("50/s").go().expect(0);
    ran.assert_sound_after_kills(&server);
    let arrived = arrived.lock().unwrap().clone();
    let limit = arrived[10];
    let within = |from: u64, to: u64| {
        let times = limit + Duration::from_millis(from)..limit + Duration::from_millis(to);
        arrived.iter().filter(|at| times.contains(*at)).count()
    };
    assert!(within(0, 1000) <= 10, "{} requests were refused", within(0, 1000));
    assert_eq!(within(450, 950), 0, "requests during the hold");
    assert!(ran.stderr.contains("nothing starts until"), "{}", ran.stderr);
}

#[test]
fn an_installation_that_is_always_refused_waits_alone() {
    let faults = json!({ location(4): ["rate_limited(2)*"] });
    let (work, server) = (Work::timed(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(30));
    let run = work.run(list, &server.url()).rate("100/s").args(["--attempts", "2"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    let audit = server.audit();
    let refused = audit.requests_for(&location(4));
    assert!(refused[1].at_us - refused[0].at_us > 1_900_000, "it waits as it was told to");
    let others = audit.requests.iter().filter(|seen| seen.id.as_deref() != Some(&location(4)));
    let done = others.map(|request| request.at_us).max().unwrap();
    assert!(done < refused[1].at_us, "the others wait with it");
    assert_eq!(ran.count("recovered"), 29);
    assert_eq!(ran.result(&location(4))["error_class"], "rate_limited");
}

#[test]
fn a_rate_to_be_found_begins_slowly_and_climbs_up_to_its_bound() {
    reaches_its_speed(|| {
        let (work, server) = (Work::timed(), MockServer::good());
        let list = work.file("list.csv", locations(32));
        let run = work.run(list, &server.url()).rate("auto").args(["--max-rate", "200/s"]);
        let ran = run.go().expect(0);
        ran.assert_sound(&server);
        let audit = server.audit();
        let within = |from: u64, to: u64| {
            let begin = audit.requests[0].at_us;
            let times = audit.requests.iter().map(|request| request.at_us - begin);
            times.filter(|at| (from..to).contains(at)).count()
        };
        // Ten a second more each second.
        assert!(within(0, 1_000_000) <= 11, "{}", within(0, 1_000_000));
        assert_bound(&audit, 40, Duration::from_secs(1));
        let rate = &ran.summary()["rate"];
        assert_eq!((&rate["asked"], &rate["max"]), (&json!("auto"), &json!("200/s")));
        assert_eq!(rate["gap"]["reason"], "finding");
        within(0, 1_000_000) >= 9 && within(2_000_000, 3_000_000) >= 20
    });
}

#[test]
fn no_more_installations_are_in_flight_than_asked_for() {
    reaches_its_speed(|| {
        let options = Options { latency: Duration::from_millis(30), ..Options::default() };
        let (work, server) = (Work::timed(), MockServer::with(options));
        let list = work.file("list.csv", locations(20));
        let run = work.run(list, &server.url()).args(["--concurrency", "4"]);
        run.go().expect(0).assert_sound(&server);
        let most = server.audit().max_in_flight;
        assert!(most <= 4, "{most}");
        most == 4
    });
}
