//! `--or-resume`: the same command begins a run and continues it, and refuses what is not its own.

use std::fs;

use serde_json::{Value, json};

use super::shard;
use crate::support::{
    MockServer, Run, Work, entries, lines, locations, start, start_silent, wait_until,
};

/// Everything in a folder: names and bytes.
fn bytes(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let names = entries(folder).into_iter().filter(|name| name != ".lock");
    names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn the_same_command_begins_a_run_continues_it_and_tells_of_it_again() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(30));
    let run = || work.run(&list, &server.url()).arg("--or-resume");
    let mut child = start_silent(run().command());
    wait_until("some recoveries", || server.requests() > 12);
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = run().go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!((ran.count("recovered"), ran.events("started").len()), (30, 1));
    let before = server.requests();
    let journal = ran.text("journal.jsonl");
    let again = run().go().expect(0);
    again.assert_sound_after_kills(&server);
    assert!(again.stderr.contains("Nothing is left to do"), "{}", again.stderr);
    assert_eq!(server.requests(), before, "nothing is sent for a run that is complete");
    assert_eq!(again.text("journal.jsonl"), journal);
}

#[test]
fn a_run_that_is_complete_ends_with_its_code_again() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["unknown_id*"] })));
    let list = work.file("list.csv", locations(3));
    let run = || work.run(&list, &server.url()).arg("--or-resume");
    run().go().expect(1);
    let before = server.requests();
    server.set_faults(&json!({}));
    run().go().expect(1).assert_books_balance();
    assert_eq!(server.requests(), before, "failures are for resume --retry-failed");
}

#[test]
fn it_needs_a_folder_and_refuses_a_run_of_another_list_app_setting_or_shard() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let other = work.file("other.csv", locations(4));
    let begin = |list| shard(&work, list, &server.url(), "1/3").rate("30/s").arg("--or-resume");
    let ran = begin(&list).go().expect(0);
    let whole = bytes(&ran.folder);
    let before = server.requests();
    let at = |shard: &'static str| {
        let run = work.run_into("shard-1-of-3", &list, &server.url()).rate("30/s");
        run.args(["--or-resume", "--shard", shard])
    };
    let faster = shard(&work, &list, &server.url(), "1/3").rate("60/s").arg("--or-resume");
    let cases: [(Run, &[&str]); 7] = [
        (begin(&other), &["the list: ", "list.csv (SHA-256 ", "other.csv (SHA-256 "]),
        (
            begin(&list).args(["--client-id", "7620deb436802d88b810ef77-m1x2y3z4"]),
            &[
                "--client-id: 66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef there, 7620deb436802d88b810ef77-m1x2y3z4 here",
            ],
        ),
        (faster, &["--rate: 30/s there, 60/s here"]),
        (
            begin(&list).args(["--burst", "3", "--verify"]),
            &["--burst: 1 there, 3 here", "--verify: not given there"],
        ),
        (begin(&list).args(["--limit", "2"]), &["--limit: not given there, 2 here"]),
        (at("2/3"), &["--shard: 1/3 there, 2/3 here"]),
        (at("1/2"), &["--shard: 1/3 there, 1/2 here"]),
    ];
    for (run, says) in cases {
        let refused = run.go().expect(2);
        for part in says.iter().chain(&["nothing was sent", "ghl-reconnect resume "]) {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        assert_eq!(bytes(&ran.folder), whole);
    }
    assert_eq!(server.requests(), before);
    begin(&list).go().expect(0);
    let nowhere = work.run(&list, &server.url()).without_out().arg("--or-resume").go().expect(2);
    assert!(nowhere.stderr.contains("--out"), "{}", nowhere.stderr);
}

#[test]
fn a_command_follows_what_resume_has_changed_only_when_it_says_the_same() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    let run = || work.run(&list, &server.url()).arg("--or-resume");
    server.set_faults(&json!({ "*": ["unknown_id"] }));
    run().go().expect(1);
    work.resume(&server.url()).args(["--retry-failed", "--attempts", "7"]).go().expect(0);
    let refused = run().go().expect(2);
    assert!(refused.stderr.contains("--attempts: 7 there, 5 here"), "{}", refused.stderr);
    run().args(["--attempts", "7"]).go().expect(0);
}

#[test]
fn a_folder_that_is_half_made_is_begun_again_and_one_with_anything_in_it_is_left_alone() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let whole = work.run_into("whole", &list, &server.url()).go().expect(0).text("journal.jsonl");
    let run = |out: &str| work.run_into(out, &list, &server.url()).args(["--or-resume", "--again"]);
    let make = |out: &str, files: &[(&str, &str)]| {
        fs::create_dir(work.path(out)).unwrap();
        for (name, text) in files {
            fs::write(work.path(out).join(name), text).unwrap();
        }
    };
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let (head, part) = (lines[0], lines[..3].concat());
    let torn = &whole[..whole.len().min(head.len() + 20)];
    for (out, files) in [
        ("empty", &[][..]),
        ("lock", &[(".lock", "process 1")]),
        ("nothing", &[(".lock", ""), ("journal.jsonl", ""), ("tokens.jsonl", "")]),
        ("head", &[(".lock", ""), ("journal.jsonl", head), ("tokens.jsonl", ""), ("run.log", "x")]),
        ("part", &[(".lock", ""), ("journal.jsonl", &part)]),
        ("torn", &[(".lock", ""), ("journal.jsonl", torn)]),
    ] {
        make(out, files);
        let ran = run(out).go().expect(0);
        ran.assert_sound_after_kills(&server);
        assert_eq!(ran.count("recovered"), 3, "{out}");
    }
    let before = server.requests();
    for (out, files, code) in [
        ("tokens", &[(".lock", ""), ("journal.jsonl", head), ("tokens.jsonl", "{}\n")][..], 4),
        ("quarantine", &[(".lock", ""), ("journal.jsonl", ""), ("quarantine.jsonl", "")], 4),
        ("own", &[("precious.txt", "mine")], 2),
    ] {
        make(out, files);
        let kept = bytes(&work.path(out));
        let refused = run(out).go().expect(code);
        assert!(refused.stderr.contains("journal"), "{}", refused.stderr);
        assert_eq!(bytes(&work.path(out)), kept, "{out}");
    }
    assert_eq!(server.requests(), before);
}

#[test]
fn of_two_processes_on_one_folder_the_second_names_the_first_and_ends() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(200));
    let run = || work.run(&list, &server.url()).rate("20/s").arg("--or-resume");
    let mut first = start_silent(run().command());
    wait_until("a run", || server.requests() > 0);
    let second = run().go().expect(4);
    assert!(
        second.stderr.contains(&format!("in use by process {}", first.id())),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains(", since "), "{}", second.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn of_many_processes_that_begin_at_once_one_works_and_the_others_wait_their_turn() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(6));
    let run = || work.run(&list, &server.url()).arg("--or-resume");
    let children: Vec<_> = (0..6).map(|_| start(run().command())).collect();
    let codes: Vec<_> = children.into_iter().map(|child| work.end(child).code).collect();
    assert!(codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}");
    let ran = run().go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(ran.count("recovered"), 6);
    assert_eq!(server.audit().grants.len(), 6, "nothing is granted twice");
}

#[test]
fn a_rehearsal_and_a_list_from_standard_input_go_on_too() {
    let work = Work::new();
    let list = work.file("list.csv", locations(40));
    let run = || work.rehearse(&list).rate("40/s").arg("--or-resume");
    let mut child = start_silent(run().command());
    let journal = work.path("run").join("journal.jsonl");
    wait_until("a recovery", || {
        fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"recovered\""))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = work.rehearse("-").rate("40/s").arg("--or-resume").input(locations(40));
    let ran = resumed.go().expect(0);
    assert_eq!(ran.count("recovered"), 40);
    let started: Vec<Value> = lines(&journal);
    assert!(started[0].get("started").is_some());
}
