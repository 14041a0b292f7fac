//! What `resume` continues, and what it refuses.

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::support::{CLIENT_ID, MockServer, Work, location, locations, start_silent, wait_until};

#[test]
fn a_second_run_or_resume_on_a_folder_in_use_is_refused() {
    let server = MockServer::faulty(&json!({"*": ["exchange:silence*"]}));
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
    let mut child = start_silent(work.run(&list, &server.url()).command());
    wait_until("a run at work", || server.requests() >= 2);
    let holder = format!("process {}", child.id());
    let resumed = work.resume(&server.url()).go().expect(4);
    assert!(resumed.stderr.contains(&holder), "{holder}: {}", resumed.stderr);
    work.run(&list, &server.url()).go().expect(2);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_recovered_is_never_asked_for_again() {
    let (work, server) =
        (Work::new(), MockServer::faulty(&json!({location(1): ["not_installed*"]})));
    let list = work.file("list.csv", locations(4));
    work.run(&list, &server.url()).go().expect(1);
    let calls = server.requests();
    let ran = work.resume(&server.url()).go().expect(1);
    assert!(ran.stderr.contains("--retry-failed"), "{}", ran.stderr);
    assert_eq!(server.requests(), calls, "nothing was open");
    server.set_faults(&json!({}));
    let ran = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(server.requests(), calls + 2, "the failed one alone");
    assert_eq!(ran.result(&location(1))["attempts"], "2", "of the whole run");
}

/// A run that was halted at its first installation.
fn halted(work: &Work, server: &MockServer) -> PathBuf {
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).go().expect(3);
    assert!(ran.stdout.contains("ghl-reconnect resume"), "{}", ran.stdout);
    server.set_faults(&json!({}));
    list
}

#[test]
fn the_list_may_change_or_go_meanwhile() {
    let removed = json!({"*": ["endpoint_removed*"]});
    let (work, server) = (Work::new(), MockServer::faulty(&removed));
    let list = halted(&work, &server);
    fs::write(list, locations(9)).unwrap();
    let ran = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    assert!(ran.stderr.contains("has changed"), "{}", ran.stderr);
    assert_eq!(ran.count("recovered"), 3, "the list as it was");
    ran.assert_sound_after_kills(&server);
    drop(work);

    let (work, server) = (Work::new(), MockServer::faulty(&removed));
    fs::remove_file(halted(&work, &server)).unwrap();
    let ran = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    assert_eq!(ran.count("recovered"), 3);
}

#[test]
fn a_run_is_resumed_for_its_own_client_only() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({"*": ["endpoint_removed*"]})));
    halted(&work, &server);
    let calls = server.requests();
    let other = ["--client-id", "7620deb436802d88b810ef77-m1x2y3z4"];
    let ran = work.resume(&server.url()).args(other).go().expect(2);
    assert!(ran.stderr.contains(CLIENT_ID), "{}", ran.stderr);
    let ran = work.resume(&server.url()).args(["--sandbox"]).go().expect(2);
    assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
    assert_eq!(server.requests(), calls);
}

#[test]
fn a_rehearsal_is_resumed_as_a_rehearsal() {
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    work.rehearse(&list).args(["--sandbox-faults", "endpoint_removed=100%"]).go().expect(3);
    let run = work.path("run");
    let ran = work.program(["resume".as_ref(), run.as_os_str(), "--retry-failed".as_ref()]);
    let ran = ran.go().expect(0);
    assert!(ran.stderr.contains("SANDBOX"), "{}", ran.stderr);
    assert_eq!(ran.count("recovered"), 3);
}

#[test]
fn an_exchange_without_an_answer_is_a_lost_grant() {
    let (work, server) =
        (Work::new(), MockServer::faulty(&json!({location(1): ["exchange:reset"]})));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    let grants = &ran.summary()["lost_grants"];
    assert_eq!(grants["count"], 1);
    assert_eq!(grants["first"][0]["id"], location(1));
    for field in ["reconnected_at", "reconnect_trace_id", "exchanged_at"] {
        assert!(grants["first"][0][field].is_string(), "{field}: {grants}");
    }
    assert!(ran.stdout.contains("lost_grants"), "{}", ran.stdout);
}
