//! The starts of all shards together keep the one bound, by what one server saw of all of them.

use std::{thread, time::Duration};

use super::shard;
use crate::support::{MockServer, Work, location, locations, start_silent, wait_until};

const WINDOW: Duration = Duration::from_secs(1);
const ALLOWED: usize = 20;

/// How much later than it started a request may arrive, as in the tests of the pace.
const JITTER: Duration = Duration::from_millis(60);

#[track_caller]
fn assert_bound(server: &MockServer) {
    let most = server.audit().max_in_window(WINDOW.saturating_sub(JITTER));
    assert!(most <= ALLOWED, "{most} in {WINDOW:?}, where {ALLOWED} are allowed");
}

/// Every installation of the list is recovered by one shard, and no code was presented twice.
#[track_caller]
fn assert_all_recovered(work: &Work, server: &MockServer, shards: u32, count: usize) {
    let mut recovered: Vec<String> = Vec::new();
    for number in 1..=shards {
        let path = work.path(&format!("shard-{number}-of-{shards}")).join("results.csv");
        let rows = crate::support::rows(&path);
        assert!(rows.iter().all(|row| row["status"] == "recovered"));
        recovered.extend(rows.into_iter().map(|row| row["id"].clone()));
    }
    recovered.sort();
    assert_eq!(recovered, (0..count).map(location).collect::<Vec<_>>());
    assert!(server.audit().codes_presented_twice().is_empty());
}

#[test]
fn shards_on_one_machine_keep_the_one_bound_and_reach_it() {
    const COUNT: usize = 40;
    let (work, server) = (Work::timed(), MockServer::good());
    let list = work.file("list.csv", locations(COUNT));
    let children: Vec<_> = (1..=3)
        .map(|number| {
            let run = shard(&work, &list, &server.url(), &format!("{number}/3")).rate("20/s");
            start_silent(run.args(["--burst", "20"]).command())
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_all_recovered(&work, &server, 3, COUNT);
    assert_bound(&server);
    let audit = server.audit();
    let took =
        Duration::from_micros(audit.requests.last().unwrap().at_us - audit.requests[0].at_us);
    // 80 starts at 20 a second; the largest share has a third more than its part.
    assert!(took < Duration::from_secs(7), "no shard counts the starts of another: {took:?}");
}

#[cfg(unix)]
#[test]
fn a_killed_shard_counts_its_starts_after_its_return_even_with_an_empty_home() {
    const COUNT: usize = 30;
    let (work, server) = (Work::timed(), MockServer::good());
    let list = work.file("list.csv", locations(COUNT));
    let run = |number: u32| {
        let run = shard(&work, &list, &server.url(), &format!("{number}/2")).rate("20/s");
        run.args(["--burst", "20", "--or-resume"])
    };
    let mut second = start_silent(run(2).command());
    for kill in 0..3 {
        let before = server.requests();
        let home = work.path(&format!("home-{kill}"));
        std::fs::create_dir(&home).unwrap();
        let mut first = start_silent(run(1).env("HOME", home).command());
        wait_until("some starts", || server.requests() > before + 4);
        thread::sleep(Duration::from_millis(50));
        first.kill().unwrap();
        first.wait().unwrap();
    }
    assert!(start_silent(run(1).command()).wait().unwrap().success());
    assert!(second.wait().unwrap().success());
    assert_all_recovered(&work, &server, 2, COUNT);
    assert_bound(&server);
}
