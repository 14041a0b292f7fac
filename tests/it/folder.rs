//! The run folder: never written over, rebuilt from its journal, ready for the next run.

use std::{collections::BTreeMap, fs, path::Path};

use ghl_reconnect::journal::{disk::Disk, folder::RunFolder};
use serde_json::json;

use crate::support::{
    MockServer, NoServer, Ran, Row, Work, entries, fixture, location, locations, sealed, unsealed,
};

const VIEWS: [&str; 8] = [
    "results.csv",
    "failures.csv",
    "rejected.csv",
    "stored.csv",
    "escalation.md",
    "escalation.csv",
    "report.html",
    "summary.json",
];

/// Every file of a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = entries(folder).into_iter();
    names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// A run with every kind of end in it, and the mock server it ran against.
fn eventful_run(work: &Work) -> (Ran, MockServer) {
    let faults = json!({
        "mrZxa992Gqsd1jhdUXiX": ["unknown_id"],
        "M6acVk0Jrp1eh6zjs4Cz": ["exchange:reset"],
        "NK3lOnN9ddwgqLzDlORG": ["endpoint_removed"],
    });
    let server = MockServer::faulty(&faults);
    let run = work.run(fixture("mixed.csv"), &server.url());
    let ran = run.args(["--concurrency", "1", "--max-failures", "1"]).go().expect(3);
    ran.assert_sound(&server);
    (ran, server)
}

#[test]
fn the_headers_are_the_documented_ones() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    let ran = work.run(list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    assert_eq!(
        ran.header("results.csv"),
        "row,scope,id,status,via,stage,error_class,http_status,message,reconnect_trace_id,\
         token_trace_id,attempts,code_age_ms,code_margin_ms,started_at,finished_at,token_expires_at"
    );
    assert_eq!(
        ran.text("failures.csv"),
        "location_id,status,error_class,stage,http_status,message,retry,attempts_total,\
         first_failed_at,failed_at,trace_ids\n"
    );
    assert_eq!(ran.text("rejected.csv"), "line,column,reason,raw\n");
    assert_eq!(ran.text("stored.csv"), "row,scope,id,outcome,table,message,stored_at\n");
}

#[test]
fn a_folder_that_exists_is_left_as_it_is() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    work.run(&list, &server.url()).go().expect(0).assert_sound(&server);
    let (before, calls) = (contents(&work.path("run")), server.requests());
    fs::create_dir(work.path("empty")).unwrap();
    work.file("file", "precious");
    for out in ["run", "empty", "file"] {
        let ran = work.run_into(out, &list, &server.url()).go().expect(2);
        assert!(ran.stderr.contains("exists already"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--out"), "{}", ran.stderr);
    }
    assert_eq!(contents(&work.path("run")), before);
    assert_eq!(entries(&work.path("empty")).len(), 0);
    assert_eq!(fs::read(work.path("file")).unwrap(), b"precious");
    assert_eq!(server.requests(), calls);
}

#[test]
fn a_folder_that_cannot_be_made_stops_the_run_before_the_first_call() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run_into("nowhere/run", list, &server.url()).go().expect(2);
    assert!(ran.stderr.contains("--out"), "{}", ran.stderr);
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_folder_without_a_name_is_named_after_the_time() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    for count in 1..=3 {
        let run = work.program(["run".as_ref(), list.as_os_str()]);
        let run = run.args(["--base-url", &server.url(), "--rate", "unlimited"]).credentials();
        run.go().expect(0);
        let made = work.entries().into_iter().filter(|name| name.starts_with("ghl-reconnect-2"));
        assert_eq!(made.count(), count, "one more each time: {:?}", work.entries());
    }
}

#[test]
fn a_report_writes_every_view_again_to_the_byte() {
    let work = Work::new();
    let (ran, _) = eventful_run(&work);
    let before = contents(&ran.folder);
    let report = || work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(0);
    for name in VIEWS {
        fs::remove_file(ran.file(name)).unwrap();
    }
    report();
    let views = |folder: &Path| {
        let mut contents = contents(folder);
        contents.retain(|name, _| VIEWS.contains(&name.as_str()));
        contents
    };
    let mut expected = before.clone();
    expected.retain(|name, _| VIEWS.contains(&name.as_str()));
    assert_eq!(views(&ran.folder), expected, "deleted");
    for name in VIEWS {
        fs::write(ran.file(name), "tampered with").unwrap();
    }
    report();
    assert_eq!(views(&ran.folder), expected, "tampered with");
    for (name, bytes) in before {
        if name != ".lock" {
            assert_eq!(fs::read(ran.file(&name)).unwrap(), bytes, "{name}");
        }
    }
}

#[test]
fn a_report_prints_the_summary() {
    let work = Work::new();
    let (ran, _) = eventful_run(&work);
    let report = |flag: &str| {
        work.program(["report".as_ref(), ran.folder.as_os_str()]).arg(flag).go().expect(0).stdout
    };
    assert_eq!(report("--json"), ran.text("summary.json"));
    let line = report("-q");
    assert!(line.lines().count() == 1 && line.contains("run folder"), "{line}");
    let words = report("-v");
    for part in ["recovered", "HALTED", "tokens.jsonl"] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
fn a_report_of_what_is_no_run_folder_is_refused() {
    let work = Work::new();
    fs::create_dir(work.path("empty")).unwrap();
    for (folder, why) in [("empty", "no journal.jsonl"), ("nowhere", "no such folder")] {
        for command in ["report", "resume"] {
            let ran = work.program([command, folder]).go().expect(2);
            assert!(ran.stderr.contains(why), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_folder_in_use_is_left_alone_and_its_holder_is_named() {
    let work = Work::new();
    let (ran, _) = eventful_run(&work);
    let _lock = RunFolder::open(&ran.folder, Disk::default()).unwrap().lock().unwrap();
    let before = contents(&ran.folder);
    let report = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(4);
    let holder = format!("process {}", std::process::id());
    assert!(report.stderr.contains(&holder), "{holder}: {}", report.stderr);
    assert_eq!(contents(&ran.folder), before);
}

/// Changes the journal of a run and reports it; the exit code and what was said.
fn report_with(work: &Work, ran: &Ran, change: impl FnOnce(String) -> String) -> Ran {
    let journal = ran.text("journal.jsonl");
    fs::write(ran.file("journal.jsonl"), change(journal)).unwrap();
    work.program(["report".as_ref(), ran.folder.as_os_str()]).go()
}

#[test]
fn a_damaged_line_of_the_journal_is_named_and_no_view_is_touched() {
    for line in [2, 7] {
        let work = Work::new();
        let (ran, _) = eventful_run(&work);
        let views = VIEWS.map(|name| ran.text(name));
        let report = report_with(&work, &ran, |journal| {
            let damaged = journal.lines().enumerate().map(|(n, text)| {
                if n + 1 == line { text[..text.len() / 2].to_owned() } else { text.to_owned() }
            });
            damaged.collect::<Vec<_>>().join("\n") + "\n"
        });
        let report = report.expect(4);
        assert!(report.stderr.contains(&format!("line {line}")), "{}", report.stderr);
        assert_eq!(VIEWS.map(|name| ran.text(name)), views);
    }
}

#[test]
fn a_journal_of_a_newer_format_is_refused() {
    let work = Work::new();
    let (ran, _) = eventful_run(&work);
    let report = report_with(&work, &ran, |text| {
        let (first, rest) = text.split_once('\n').unwrap();
        let first = sealed(&unsealed(first).replacen("\"format\":1", "\"format\":99", 1));
        format!("{first}\n{rest}")
    });
    let report = report.expect(4);
    assert!(report.stderr.contains("format 99"), "{}", report.stderr);
}

#[test]
fn a_torn_last_line_of_the_journal_is_passed_over() {
    let work = Work::new();
    let (ran, _) = eventful_run(&work);
    let views = VIEWS.map(|name| ran.text(name));
    report_with(&work, &ran, |text| text + "{\"recovered\":{\"row\":24,\"id\":\"NK3").expect(0);
    assert_eq!(VIEWS.map(|name| ran.text(name)), views);
}

fn find<'a>(rows: &'a [Row], id: &str) -> &'a Row {
    rows.iter().find(|row| row["location_id"] == id).unwrap()
}

#[test]
fn a_run_over_the_failures_recovers_the_rest_and_carries_their_history_on() {
    let (work, mut server) = (
        Work::new(),
        MockServer::faulty(&json!({
            location(1): ["server_error*"],
            location(2): ["unknown_id*"],
            location(3): ["exchange:location_inactive"],
        })),
    );
    let list = work.file("list.csv", locations(6));
    let run = work.run_into("first", list, &server.url()).args(["--attempts", "2"]);
    let first = run.go().expect(1);
    first.assert_sound(&server);
    let before = first.failures();
    assert_eq!(before.len(), 3);
    assert_eq!(find(&before, &location(1))["attempts_total"], "2");
    server.set_faults(&json!({ location(2): ["unknown_id*"] }));
    let calls = server.requests();
    server.next_run();
    let run = work.run_into("second", first.file("failures.csv"), &server.url());
    let second = run.args(["--attempts", "3", "--all"]).go().expect(1);
    second.assert_sound(&server);
    assert_eq!((second.count("recovered"), second.count("failed")), (2, 1));
    let touched: Vec<_> = server.audit().requests[calls..].iter().map(|r| r.id.clone()).collect();
    for id in [0, 4, 5].map(location) {
        assert!(!touched.contains(&Some(id)), "a recovered one is not touched");
    }
    let after = second.failures();
    let (old, new) = (find(&before, &location(2)), &after[0]);
    assert_eq!(new["location_id"], location(2));
    assert_eq!((&*old["attempts_total"], &*new["attempts_total"]), ("1", "2"));
    assert_eq!(old["first_failed_at"], old["failed_at"]);
    assert_eq!(new["first_failed_at"], old["failed_at"]);
    assert!(new["failed_at"] > old["failed_at"]);
    let trace = |row: &Row| row["trace_ids"].split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((trace(old).len(), trace(new).len()), (1, 2));
    assert_eq!(trace(new)[0], trace(old)[0], "oldest first");
    assert_eq!(trace(new)[1], second.result(&location(2))["reconnect_trace_id"]);
    assert_eq!(first.header("failures.csv"), second.header("failures.csv"));
    assert_third_run_recovers_the_last(&work, &mut server, &second);
}

fn assert_third_run_recovers_the_last(work: &Work, server: &mut MockServer, second: &Ran) {
    server.set_faults(&json!({}));
    server.next_run();
    let third = work.run_into("third", second.file("failures.csv"), &server.url());
    let third = third.arg("--all").go().expect(0);
    third.assert_sound(server);
    let fourth = work.run_into("fourth", third.file("failures.csv"), &server.url()).go();
    let fourth = fourth.expect(0);
    assert!(fourth.stderr.contains("nothing left to do"), "{}", fourth.stderr);
    assert!(!fourth.folder.exists());
}

#[test]
fn trace_ids_of_every_attempt_are_kept_in_order() {
    let faults = json!({ location(1): ["exchange:location_inactive*"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(2));
    let ran = work.run(list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    let row = &ran.failures()[0];
    let reconnect = ran.result(&location(1))["reconnect_trace_id"].clone();
    assert!(!reconnect.is_empty(), "the way to the code is evidence, too");
    assert!(row["trace_ids"].starts_with(&reconnect), "{row:?}");
}

#[test]
fn what_was_not_attempted_is_in_the_failures_of_a_halted_run_and_recovers_in_the_next() {
    let mut server = MockServer::faulty(&json!({ location(0): ["endpoint_removed"] }));
    let work = Work::new();
    let list = work.file("list.csv", locations(5));
    let first = work.run_into("first", list, &server.url()).go().expect(3);
    first.assert_sound(&NoServer);
    server.next_run();
    let list = first.file("failures.csv");
    let second = work.run_into("second", list, &server.url()).arg("--all").go().expect(0);
    second.assert_sound(&server);
    assert_eq!(second.count("recovered"), 5);
}
