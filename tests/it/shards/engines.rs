//! `--shard auto/N`: the engine says which shard a process is.

use std::time::{Duration, Instant};

use ghl_reconnect::sandbox::Options;
use serde_json::Value;

use super::shard;
use crate::support::{MockServer, Work, locations, side_by_side, signal, start, wait_until};

#[test]
fn every_engine_says_which_shard_a_task_is() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(12));
    for (name, value, shard) in [
        ("JOB_COMPLETION_INDEX", "1", "2/3"),
        ("AWS_BATCH_JOB_ARRAY_INDEX", "0", "1/3"),
        ("CLOUD_RUN_TASK_INDEX", "2", "3/3"),
        ("SLURM_ARRAY_TASK_ID", "2", "2/3"),
        ("NOMAD_ALLOC_INDEX", "0", "1/3"),
    ] {
        let run = work.run_into(name, &list, &server.url()).args(["--shard", "auto/3", "--again"]);
        let ran = run.env(name, value).go().expect(0);
        let settings = &ran.events("started")[0]["settings"];
        assert_eq!(settings["shard"], shard, "{name}");
        assert_eq!(ran.summary()["shard"], shard, "{name}");
    }
}

#[test]
fn what_no_engine_says_clearly_is_refused_before_anything_is_sent() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[], "no engine says which shard this is"),
        (&[("JOB_COMPLETION_INDEX", "0"), ("SLURM_ARRAY_TASK_ID", "1")], "are both set"),
        (&[("CLOUD_RUN_TASK_INDEX", "0"), ("CLOUD_RUN_TASK_COUNT", "8")], "CLOUD_RUN_TASK_COUNT"),
        (
            &[("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "2")],
            "AWS_BATCH_JOB_ARRAY_SIZE is 2",
        ),
        (&[("SLURM_ARRAY_TASK_ID", "0")], "numbered from 1 to 3"),
    ];
    side_by_side(&cases, |(set, says)| {
        let (work, server) = (Work::new(), MockServer::good());
        let list = work.file("list.csv", locations(3));
        let run = work.run(list, &server.url()).args(["--shard", "auto/3"]);
        let run = set.iter().fold(run, |run, (name, value)| run.env(name, *value));
        let ran = run.go().expect(2);
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
        assert!(!ran.folder.exists() && server.requests() == 0);
    });
}

#[test]
fn a_check_without_an_engine_shows_what_every_shard_has() {
    let work = Work::new();
    let list = work.file("list.csv", locations(100));
    let check = |more: &[&str]| {
        let run = work.program(["check"]).arg(&list).args(["--rate", "100/10s"]).args(more);
        run.credentials()
    };
    let told = check(&["--shard", "auto/8"]).go().expect(0).stdout;
    for (number, starts) in (1..=8).zip([13, 13, 13, 13, 12, 12, 12, 12]) {
        let line = told.lines().find(|line| line.starts_with(&format!("Shard {number}/8")));
        let line = line.unwrap_or_else(|| panic!("{number}: {told}"));
        assert!(line.contains("of 100 installations"), "{line}");
        assert!(line.ends_with(&format!("at {starts}/10s of 100/10s")), "{line}");
    }
    let told = check(&["--shard", "auto/8", "--json"]).go().expect(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let shards = told["shards"].as_array().unwrap();
    let counts = shards.iter().map(|shard| shard["installations"].as_u64().unwrap());
    assert_eq!((shards.len(), counts.sum::<u64>()), (8, 100));
    assert_eq!(told["installations"], 100);
    // With an engine, the plan is that of its shard.
    let one = check(&["--shard", "auto/8", "--json"]).env("SLURM_ARRAY_TASK_ID", "3");
    let one: Value = serde_json::from_str(&one.go().expect(0).stdout).unwrap();
    assert_eq!(one["installations"], shards[2]["installations"]);
    assert_eq!(one["rate"], "13/10s");
    let none = check(&["--shard", "auto/8"]).without_credentials().go().expect(0).stdout;
    assert!(none.contains("depends on the client id"), "{none}");
}

#[test]
fn more_shards_than_starts_in_the_window_are_refused() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let run = || work.run(&list, &server.url()).rate("10/s").args(["--shard", "1/16"]);
    let ran = run().go().expect(2);
    assert!(ran.stderr.contains("16 shards cannot share 10/s; say 100/10s"), "{}", ran.stderr);
    let check = work.program(["check"]).arg(&list).args(["--shard", "auto/16"]).go().expect(2);
    assert!(check.stderr.contains("16 shards cannot share 10/s"), "{}", check.stderr);
    assert!(!ran.folder.exists() && server.requests() == 0);
}

#[cfg(unix)]
#[test]
fn a_shard_that_is_told_to_end_does_so_within_the_time_that_its_plan_says() {
    let latency = Duration::from_millis(300);
    let server = MockServer::with(Options { latency, ..Options::default() });
    let work = Work::timed();
    let list = work.file("list.csv", locations(60));
    let run = || {
        let run = shard(&work, &list, &server.url(), "1/2").rate("60/s");
        run.args(["--timeout", "1s", "--or-resume"])
    };
    let check = work.program(["check", "--json"]).arg(&list).credentials();
    let check = check.args(["--shard", "1/2", "--rate", "60/s", "--timeout", "1s"]);
    let told: Value = serde_json::from_str(&check.go().expect(0).stdout).unwrap();
    // Two requests, and the exchanges of 16 in flight at 30 a second.
    assert_eq!(told["drain_ms"].as_u64().unwrap() / 100, 25, "{told}");
    assert_eq!(told["grace_period_s"], 33);
    let mut child = start(run().command());
    wait_until("codes in hand", || server.requests() > 10);
    signal(&child, "-TERM");
    let begun = Instant::now();
    wait_until("its end", || child.try_wait().unwrap().is_some());
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    let ended = work.end(child);
    assert_eq!(ended.code, 143, "{}", ended.stderr);
    assert!(ended.stderr.contains("give a grace period of 33 seconds"), "{}", ended.stderr);
    let ran = run().go().expect(0);
    ran.assert_sound_after_kills(&server);
    let audit = server.audit();
    assert_eq!(audit.codes.len(), audit.grants.len(), "no code was left in hand");
    let alone = work.program(["check"]).arg(&list).go().expect(0).stdout;
    assert!(!alone.contains("SIGTERM"), "{alone}");
}
