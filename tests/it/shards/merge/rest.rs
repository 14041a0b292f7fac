//! What has not run everywhere is not green.

use std::fs;

use serde_json::json;

use super::{assert_report_changes_nothing, folder, merge, names, shard};
use crate::support::{MockServer, Work, locations, start_silent, wait_until};

#[test]
fn rows_of_missing_shards_are_not_attempted() {
    let (work, server) = (Work::new(), MockServer::good());
    let csv = locations(20) + "?\n" + &locations(1).replace("location_id\n", "");
    let list = work.file("list.csv", csv);
    for name in ["2/3", "3/3"] {
        shard(&work, &list, &server.url(), name).go().expect(0);
    }
    let there = ["2/3", "3/3"];
    let merged = merge(&work, &there).arg("--partial").go().expect(1);
    merged.assert_sound_after_kills(&server);
    assert!(merged.stderr.contains("shard 1/3 is missing"), "{}", merged.stderr);
    let books = &merged.summary()["books"];
    let recovered = books["recovered"].as_u64().unwrap();
    assert!(recovered > 5 && recovered < 20, "{books}");
    assert_eq!(books["not_attempted"], 20 - recovered);
    assert_eq!(
        (&books["rejected"], &books["duplicate"], &books["input"]),
        (&json!(1), &json!(1), &json!(22))
    );
    assert_eq!(merged.summary()["state"], "unfinished");
    assert_report_changes_nothing(&work, &merged);
    let rest = work.run_into("rest", merged.file("failures.csv"), &server.url()).go().expect(0);
    assert_eq!(rest.count("recovered") as u64, 20 - recovered);
    fs::remove_dir_all(&merged.folder).unwrap();

    // The list has moved; another one is none.
    let moved = work.path("moved.csv");
    fs::rename(&list, &moved).unwrap();
    let ran = merge(&work, &there).arg("--partial").go().expect(2);
    assert!(ran.stderr.contains("shard 1/3 is missing: give the list ("), "{}", ran.stderr);
    let other = work.file("other.csv", locations(3));
    let ran = merge(&work, &there).args(["--partial", "--list"]).arg(other).go().expect(2);
    assert!(ran.stderr.contains("is not the list that the shards read"), "{}", ran.stderr);
    assert!(!ran.folder.exists());
    let merged = merge(&work, &there).args(["--partial", "--list"]).arg(moved).go().expect(1);
    assert_eq!(merged.summary()["books"]["recovered"], recovered);
}

#[test]
fn a_missing_shard_without_rows_still_makes_no_green_run() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let mut has_row = Vec::new();
    for name in names(3) {
        let ran = shard(&work, &list, &server.url(), &name).go().expect(0);
        if ran.results().len() == 1 {
            has_row.push(name);
        }
    }
    let merged = merge(&work, &has_row).arg("--partial").go().expect(1);
    assert_eq!(merged.summary()["books"]["recovered"], 1);
    assert_eq!(merged.summary()["exit_code"], 1);
    assert_report_changes_nothing(&work, &merged);
}

#[test]
fn a_shard_that_was_killed_can_be_merged_and_goes_on() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(60));
    shard(&work, &list, &server.url(), "1/2").go().expect(0);
    let before = server.requests();
    let killed = || shard(&work, &list, &server.url(), "2/2").arg("--or-resume");
    let mut child = start_silent(killed().rate("100/s").command());
    wait_until("some requests", || server.requests() > before + 8);
    child.kill().unwrap();
    child.wait().unwrap();
    let bytes = |name: &str| fs::read(folder(&work, "2/2").join(name)).unwrap();
    let left = (bytes("journal.jsonl"), bytes("tokens.jsonl"));
    let merged = merge(&work, &names(2)).go().expect(1);
    merged.assert_sound_after_kills(&server);
    assert_eq!(merged.summary()["state"], "unfinished");
    assert!(merged.count("not_attempted") > 0);
    assert_report_changes_nothing(&work, &merged);
    assert!(
        left == (bytes("journal.jsonl"), bytes("tokens.jsonl")),
        "a shard's folder is only read"
    );
    fs::remove_dir_all(&merged.folder).unwrap();
    killed().rate("100/s").go().expect(0);
    let merged = merge(&work, &names(2)).go().expect(0);
    merged.assert_sound_after_kills(&server);
    // Nobody was at work before the second shard, nor after its kill.
    assert_eq!((merged.count("recovered"), merged.events("resumed").len()), (60, 2));
}

#[test]
fn a_grant_that_a_kill_lost_is_told_though_others_were_at_work() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(24));
    let look = work.run_into("look", &list, &server.url()).args(["--shard", "1/2", "--again"]);
    let id = look.go().expect(0).results()[0]["id"].clone();
    server.set_faults(&json!({ id.as_str(): ["exchange:slow(30s)"] }));
    let run = |name| shard(&work, &list, &server.url(), name).args(["--or-resume", "--again"]);
    let mut other = start_silent(run("2/2").rate("20/s").command());
    wait_until("the other shard", || folder(&work, "2/2").join("journal.jsonl").exists());
    let mut child = start_silent(run("1/2").rate("20/s").command());
    let is_presented = || server.calls_for(&id)[1] > 1;
    wait_until("a code that is presented", is_presented);
    child.kill().unwrap();
    child.wait().unwrap();
    server.set_faults(&json!({}));
    let ran = run("1/2").rate("20/s").go().expect(0);
    assert!(other.wait().unwrap().success());
    assert_eq!(ran.summary()["lost_grants"]["count"], 1);
    let merged = merge(&work, &names(2)).go().expect(0);
    merged.assert_sound_after_kills(&server);
    assert_eq!(merged.summary()["lost_grants"]["count"], 1);
    assert_eq!(merged.summary()["lost_grants"]["first"][0]["id"], id);
}

#[test]
fn one_halted_shard_halts_the_whole() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(20));
    shard(&work, &list, &server.url(), "1/2").go().expect(0);
    server.set_faults(&json!({ "*": ["endpoint_removed*"] }));
    shard(&work, &list, &server.url(), "2/2").go().expect(3);
    let merged = merge(&work, &names(2)).go().expect(3);
    merged.assert_books_balance();
    let summary = merged.summary();
    assert_eq!(
        (&summary["state"], &summary["halted"]["class"]),
        (&json!("halted"), &json!("endpoint_removed"))
    );
    assert!(merged.stdout.contains("HALTED"), "{}", merged.stdout);
    assert_report_changes_nothing(&work, &merged);
    server.set_faults(&json!({}));
    let resumed = work.resume(&server.url()).arg("--retry-failed").go().expect(0);
    resumed.assert_sound_after_kills(&server);
    assert_eq!(resumed.count("recovered"), 20);
}

#[test]
fn tokens_that_were_handed_on_in_one_place_are_awaited_in_the_others() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(12));
    for name in names(2) {
        shard(&work, &list, &server.url(), &name).go().expect(0);
    }
    fs::remove_file(folder(&work, "1/2").join("tokens.jsonl")).unwrap();
    let resume = work.program(["resume"]).arg(folder(&work, "1/2")).arg("--tokens-handed-on");
    resume.args(["--base-url", &server.url()]).credentials().go().expect(0);
    let merged = merge(&work, &names(2)).go().expect(0);
    merged.assert_books_balance();
    let handed_on = merged.events("handed_on").len();
    assert_eq!(handed_on + merged.tokens().len(), 12);
    assert!(handed_on > 0 && handed_on < 12);
    assert_report_changes_nothing(&work, &merged);
}

#[test]
fn a_merge_that_is_killed_leaves_no_run_folder() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(400));
    for name in names(2) {
        shard(&work, &list, &server.url(), &name).go().expect(0);
    }
    let mut random = fastrand::Rng::with_seed(3);
    let is_draft = |name: &String| name.contains(".partial-");
    let mut drafts = 0;
    for _ in 0..12 {
        let mut child = start_silent(merge(&work, &names(2)).command());
        let mut ended = false;
        // Somewhere between the draft and its end.
        wait_until("a draft, or the end", || {
            ended = child.try_wait().unwrap().is_some();
            ended || work.entries().iter().any(is_draft)
        });
        std::thread::sleep(std::time::Duration::from_millis(random.u64(0..30)));
        child.kill().unwrap();
        child.wait().unwrap();
        drafts += usize::from(work.entries().iter().any(is_draft));
        if work.path("run").exists() {
            assert!(work.path("run").join("summary.json").exists());
            fs::remove_dir_all(work.path("run")).unwrap();
        }
    }
    assert!(drafts > 0, "no kill came in time");
    let merged = merge(&work, &names(2)).go().expect(0);
    merged.assert_sound_after_kills(&server);
    assert!(!work.entries().iter().any(is_draft), "{:?}", work.entries());
}
