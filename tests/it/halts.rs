//! Faults that concern all installations stop the run at the first one.

use std::net::TcpListener;

use serde_json::json;

use crate::support::{Nobody, Ran, StandIn, Work, location, locations};

/// Installations in the list of each test here.
const COUNT: usize = 30;

#[track_caller]
fn assert_halted_at_the_first(ran: &Ran, class: &str, advice: &str) {
    assert_eq!((ran.count("failed"), ran.count("not_attempted")), (1, COUNT - 1));
    let first = ran.result(&location(0));
    assert_eq!(first["error_class"], class);
    let summary = ran.summary();
    assert_eq!((&summary["state"], &summary["halted"]["class"]), (&json!("halted"), &json!(class)));
    for row in &ran.failures()[1..] {
        assert_eq!(row["status"], "not_attempted");
        assert_eq!(row["error_class"], "halted");
        assert_eq!(row["retry"], advice);
        assert_eq!(row["attempts_total"], "0");
        assert!(row["message"].contains(class), "{}", row["message"]);
    }
}

#[test]
fn a_fault_of_all_stops_the_run_at_the_first_installation() {
    for (fault, class, advice, calls, says) in [
        ("endpoint_removed*", "endpoint_removed", "needs-support", 1, "issue 333"),
        ("path_gone*", "endpoint_removed", "needs-support", 1, "--reconnect-path"),
        ("client_refused*", "client_refused", "fix-credentials", 1, "client id and secret"),
        ("blocked*", "blocked", "needs-support", 1, "another"),
        ("unauthorised_html*", "blocked", "needs-support", 1, "gateway"),
        ("redirect*", "redirected", "needs-support", 1, "elsewhere.invalid"),
        ("exchange:client_refused*", "client_refused", "fix-credentials", 2, "four causes"),
        ("exchange:endpoint_removed*", "endpoint_removed", "needs-support", 2, "support"),
        ("exchange:blocked*", "blocked", "needs-support", 2, "gateway"),
        ("exchange:redirect*", "redirected", "needs-support", 2, "--base-url"),
    ] {
        let (work, stand_in) = (Work::new(), StandIn::faulty(&json!({ "*": [fault] })));
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &stand_in.url()).go().expect(3);
        ran.assert_sound(&stand_in);
        assert_halted_at_the_first(&ran, class, advice);
        assert_eq!(stand_in.requests(), calls, "{fault}");
        assert!(ran.stdout.contains("HALTED"), "{fault}: {}", ran.stdout);
        assert!(ran.stdout.contains(says), "{fault}: {}", ran.stdout);
    }
}

#[test]
fn a_removed_endpoint_is_explained_with_the_ways_on() {
    for quiet in [false, true] {
        let (work, stand_in) =
            (Work::new(), StandIn::faulty(&json!({ "*": ["endpoint_removed*"] })));
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &stand_in.url()).args(quiet.then_some("-q")).go().expect(3);
        ran.assert_sound(&stand_in);
        let said = if quiet { &ran.stderr } else { &ran.stdout };
        for part in [
            "issue 333",
            "--reconnect-path",
            "refresh tokens",
            "https://developers.gohighlevel.com/",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn an_address_where_nobody_listens_stops_the_run() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let work = Work::new();
    let list = work.file("list.csv", locations(COUNT));
    let run = work.run(list, &format!("http://127.0.0.1:{port}")).args(["--attempts", "2"]);
    let ran = run.go().expect(3);
    ran.assert_sound(&Nobody);
    assert_halted_at_the_first(&ran, "network", "later");
    assert!(ran.stdout.contains("Nobody answers. Check --base-url"), "{}", ran.stdout);
    assert_eq!(ran.summary()["calls"]["total"], 2);
}

#[test]
fn a_fault_of_the_first_installation_alone_passes_the_role_to_the_next() {
    let faults = json!({ location(0): ["not_installed"], location(1): ["unknown_id"] });
    let (work, stand_in) = (Work::new(), StandIn::faulty(&faults));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &stand_in.url()).go().expect(1);
    ran.assert_sound(&stand_in);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (COUNT - 2, 2));
    let audit = stand_in.audit();
    let ids: Vec<_> = audit.requests[..4].iter().map(|seen| seen.id.clone().unwrap()).collect();
    assert_eq!(ids, [location(0), location(1), location(2), location(2)], "one at a time");
}

#[test]
fn an_endpoint_removed_in_the_middle_stops_the_run_and_tokens_stay() {
    let (work, stand_in) =
        (Work::new(), StandIn::faulty(&json!({ location(10): ["endpoint_removed"] })));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &stand_in.url()).args(["--concurrency", "2"]).go().expect(3);
    ran.assert_sound(&stand_in);
    assert!(ran.count("recovered") >= 9, "{}", ran.stdout);
    assert!(ran.count("not_attempted") >= 10, "{}", ran.stdout);
}

#[test]
fn a_client_refused_for_ten_in_a_row_stops_a_run_that_had_success() {
    let faults: serde_json::Map<_, _> =
        (1..COUNT).map(|n| (location(n), json!(["client_refused"]))).collect();
    let (work, stand_in) = (Work::new(), StandIn::faulty(&faults.into()));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &stand_in.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&stand_in);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (1, 10));
}

#[test]
fn three_blocked_answers_stop_a_run_that_had_success() {
    let faults: serde_json::Map<_, _> =
        (1..COUNT).map(|n| (location(n), json!(["blocked"]))).collect();
    let (work, stand_in) = (Work::new(), StandIn::faulty(&faults.into()));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &stand_in.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&stand_in);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (1, 3));
}
