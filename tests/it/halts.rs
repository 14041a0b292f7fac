//! Faults that concern all installations stop the run at the first one.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use ghl_reconnect::sandbox::Options;
use serde_json::json;

use crate::support::{
    MockServer, NoServer, Ran, Reply, ScriptedServer, Work, location, locations, side_by_side,
    start, wait_until, whole,
};

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
        let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": [fault] })));
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &server.url()).go().expect(3);
        ran.assert_sound(&server);
        assert_halted_at_the_first(&ran, class, advice);
        assert_eq!(server.requests(), calls, "{fault}");
        assert!(ran.stdout.contains("HALTED"), "{fault}: {}", ran.stdout);
        assert!(ran.stdout.contains(says), "{fault}: {}", ran.stdout);
    }
}

#[test]
fn a_removed_endpoint_is_explained_with_the_routes_that_remain() {
    for quiet in [false, true] {
        let (work, server) =
            (Work::new(), MockServer::faulty(&json!({ "*": ["endpoint_removed*"] })));
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &server.url()).args(quiet.then_some("-q")).go().expect(3);
        ran.assert_sound(&server);
        let said = if quiet { &ran.stderr } else { &ran.stdout };
        for part in [
            "issue 333",
            "--reconnect-path",
            "--via refresh",
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
    let ran = work.run(list, &format!("http://127.0.0.1:{port}")).go().expect(3);
    ran.assert_sound(&NoServer);
    assert_halted_at_the_first(&ran, "network", "later");
    assert!(ran.stdout.contains("Nobody answers. Check --base-url"), "{}", ran.stdout);
    assert_eq!(ran.summary()["calls"]["total"], 3);
}

#[test]
fn another_host_is_found_out_with_one_installation() {
    let page = "<html><title>It works!</title></html>";
    let cases = [
        (200, page, "bad_answer", 3, "later"),
        (200, "", "bad_answer", 3, "later"),
        (200, "{}", "bad_answer", 3, "later"),
        (404, page, "endpoint_removed", 1, "needs-support"),
        (400, page, "unrecognised", 1, "needs-support"),
    ];
    side_by_side(&cases, |(status, body, class, calls, advice)| {
        let (status, body) = (*status, *body);
        let server =
            ScriptedServer::answering(move |_, _, _| Reply::Whole(whole(status, &[], body)));
        let work = Work::new();
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &server.url()).go().expect(3);
        ran.assert_sound(&server);
        assert_halted_at_the_first(&ran, class, advice);
        assert_eq!(server.seen().len(), *calls, "{status} {body}");
        assert!(ran.stdout.contains("--base-url"), "{status} {body}: {}", ran.stdout);
    });
}

#[test]
fn a_certificate_that_nobody_vouches_for_stops_the_run_and_no_secret_leaves() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &server.url().replace("http:", "https:")).go().expect(3);
    ran.assert_sound(&NoServer);
    assert_halted_at_the_first(&ran, "network", "later");
    assert_eq!(server.seen().len(), 0, "no request came through");
    assert!(ran.stdout.contains("certificate"), "{}", ran.stdout);
}

#[test]
fn ten_answers_that_nothing_knows_stop_a_run_that_had_no_success() {
    let closed = r#"http(400,{"message":"closed for today"})*"#;
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": [closed] })));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &server.url()).go().expect(3);
    ran.assert_sound(&server);
    assert_eq!(server.requests(), 10);
    assert!(ran.stdout.contains("--known-messages"), "{}", ran.stdout);
}

#[test]
fn wrong_tenants_for_all_stop_the_run_within_a_handful_of_calls() {
    for fault in ["wrong_tenant*", "wrong_kind*"] {
        let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": [fault] })));
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &server.url()).go().expect(3);
        ran.assert_sound(&server);
        assert_eq!(server.requests(), 6, "{fault}");
        assert_eq!((ran.count("failed"), ran.count("not_attempted")), (3, COUNT - 3));
        assert!(ran.failures().iter().all(|row| row["retry"] == "needs-support"));
        assert_eq!(ran.quarantine().len(), 3);
    }
}

#[test]
fn more_failures_than_may_be_halt_the_run_and_resume_continues() {
    let faults: serde_json::Map<_, _> =
        (1..7).map(|n| (location(n), json!(["unknown_id"]))).collect();
    // All of them stand in the first quarter, which is tried in its order.
    for (limit, failed) in [("4", 5), ("20%", 6), ("none", 6)] {
        let (work, mut server) = (Work::new(), MockServer::faulty(&faults.clone().into()));
        let list = work.file("list.csv", locations(COUNT));
        let run = work.run(list, &server.url()).args(["--concurrency", "1"]);
        let ran = run.args(["--max-failures", limit]).go();
        ran.assert_sound(&server);
        assert_eq!(ran.count("failed"), failed, "{limit}");
        if limit == "none" {
            assert_eq!(ran.code, 1);
            continue;
        }
        assert_eq!(ran.code, 3, "{limit}");
        assert_eq!(ran.summary()["halted"]["class"], "halted");
        let allows = format!("more than --max-failures {limit} allows");
        assert!(ran.stdout.contains(&allows), "{}", ran.stdout);
        let open: Vec<_> =
            ran.failures().into_iter().filter(|row| row["status"] == "not_attempted").collect();
        assert!(!open.is_empty() && open.iter().all(|row| row["retry"] == "later"));
        server.next_run();
        let resumed = work.resume(&server.url()).go();
        assert_eq!(resumed.count("not_attempted"), 0);
        assert_eq!(resumed.events("resumed")[0]["settings"]["max_failures"], limit, "as it was");
    }
}

#[test]
fn a_fault_of_the_first_installation_alone_passes_the_role_to_the_next() {
    let faults = json!({ location(0): ["not_installed"], location(1): ["unknown_id"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (COUNT - 2, 2));
    assert_eq!(server.audit().requests[0].id, Some(location(0)));
}

#[test]
fn an_endpoint_removed_in_the_middle_stops_the_run_and_tokens_stay() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(200));
    let child = start(work.run(list, &server.url()).rate("200/s").command());
    wait_until("some recoveries", || server.audit().grants.len() >= 10);
    server.set_faults(&json!({ "*": ["endpoint_removed*"] }));
    let ran = work.end(child).expect(3);
    ran.assert_sound(&server);
    assert!(ran.count("recovered") >= 10, "{}", ran.stdout);
    assert!(ran.count("not_attempted") >= 100, "{}", ran.stdout);
}

#[test]
fn an_odd_answer_to_one_installation_stops_nobody_in_a_proven_run() {
    let mut faults = serde_json::Map::new();
    for n in 20..60 {
        let fault = match n {
            20 => "endpoint_removed*",
            21 => "path_gone*",
            22..25 => "unauthorised_html*",
            25..28 => "redirect*",
            28..38 => "client_refused*",
            38 => {
                "http(404,{\"message\":\"The requested App was not found.\",\"error\":\"RESOURCE_NOT_FOUND\"})*"
            }
            39 => "http(405,{\"message\":\"Method Not Allowed\"})*",
            40 => "http(410,gone)*",
            41..47 => "wrong_tenant*",
            47..52 => "exchange:client_refused*",
            52..56 => "exchange:redirect*",
            _ => "wrong_kind*",
        };
        faults.insert(location(n), json!([fault]));
    }
    let (work, server) = (Work::new(), MockServer::faulty(&faults.into()));
    let list = work.file("list.csv", locations(120));
    let ran = work.run(list, &server.url()).args(["--concurrency", "4"]).go().expect(1);
    ran.assert_sound(&server);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (80, 40));
}

#[test]
fn a_list_that_fails_from_the_first_on_halts_for_the_person_to_look() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["unknown_id*"] })));
    let list = work.file("list.csv", locations(60));
    let ran = work.run(&list, &server.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&server);
    assert_eq!((ran.count("failed"), ran.count("not_attempted")), (20, 40));
    assert!(ran.stdout.contains("the first 20 all failed: 20 × unknown_id"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Is this the right app, the right column"), "{}", ran.stdout);
    let resumed = work.resume(&server.url()).go().expect(1);
    assert_eq!((resumed.count("failed"), resumed.count("not_attempted")), (60, 0), "looked at");
    for (after, code, failed) in [("0", 1, 60), ("5", 3, 5)] {
        let run = work.run_into(&format!("after-{after}"), &list, &server.url());
        let ran = run.args(["--concurrency", "1", "--give-up-after", after]).go().expect(code);
        assert_eq!(ran.count("failed"), failed);
    }
}

#[test]
fn what_is_wrong_with_every_request_stops_the_run_after_three() {
    for fault in [
        "exchange:http(400,{\"error\":\"invalid_request\",\"error_description\":\"Invalid request: `redirect_uri` is invalid\"})*",
        "http(400,{\"statusCode\":400,\"message\":\"Missing parameter: clientId\"})*",
        "exchange:http(400,{\"error\":\"unsupported_grant_type\"})*",
    ] {
        let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": [fault] })));
        let list = work.file("list.csv", locations(COUNT));
        let ran = work.run(list, &server.url()).go().expect(3);
        ran.assert_sound(&server);
        assert_eq!((ran.count("failed"), ran.count("not_attempted")), (3, COUNT - 3), "{fault}");
        assert_eq!(ran.summary()["halted"]["class"], "invalid_request");
    }
}

#[test]
fn any_answer_about_an_installation_lets_the_others_go() {
    let faults: serde_json::Map<_, _> =
        (0..10).map(|n| (location(n), json!(["not_installed*"]))).collect();
    let options = Options { latency: Duration::from_millis(100), ..Options::default() };
    let (work, server) = (Work::new(), MockServer::with(options));
    server.set_faults(&faults.into());
    let list = work.file("list.csv", locations(40));
    let began = Instant::now();
    let ran = work.run(list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    // One by one, the ten alone would take a second and the other thirty six more.
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
}

#[test]
fn a_client_refused_for_twenty_in_a_row_stops_a_run_that_had_success() {
    let faults: serde_json::Map<_, _> =
        (1..COUNT).map(|n| (location(n), json!(["client_refused"]))).collect();
    let (work, server) = (Work::new(), MockServer::faulty(&faults.into()));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &server.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&server);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (1, 20));
}

#[test]
fn ten_blocked_answers_in_a_row_stop_a_run_that_had_success() {
    let faults: serde_json::Map<_, _> =
        (1..COUNT).map(|n| (location(n), json!(["blocked"]))).collect();
    let (work, server) = (Work::new(), MockServer::faulty(&faults.into()));
    let list = work.file("list.csv", locations(COUNT));
    let ran = work.run(list, &server.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&server);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (1, 10));
}
