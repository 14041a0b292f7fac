//! Whatever goes wrong, a run over the failures ends where one lucky run would have ended.

use std::{collections::BTreeMap, time::Duration};

use ghl_reconnect::sandbox::Options;
use proptest::{prelude::*, sample::select, test_runner::Config};
use serde_json::json;

use crate::support::{
    Launch, MockServer, Ran, Work, location, locations, start_silent, wait_until,
};

/// Cases: each is a handful of runs.
const CASES: u32 = 10;

/// Installations in a list.
const COUNT: usize = 7;

const FAULTS: &[&str] = &[
    "server_error",
    "exchange:server_error",
    "reset",
    "exchange:reset",
    "cut",
    "exchange:cut",
    "exchange:empty",
    "not_json",
    "missing_code",
    "missing_token",
    "code_not_found",
    "exchange:grant_refused",
    "not_installed",
    "unknown_id",
    "exchange:location_inactive",
    "wrong_tenant",
    "wrong_kind",
    "client_refused",
    "exchange:client_refused",
    "endpoint_removed",
    "blocked",
    "redirect",
    "http(418,teapot)",
    "past_expiry",
    "snake",
    "ok",
];

/// The faults of each installation, none for most.
fn mixes() -> impl Strategy<Value = BTreeMap<usize, Vec<&'static str>>> {
    let some = prop::collection::vec(select(FAULTS), 1..3);
    prop::collection::btree_map(0..COUNT, some, 0..COUNT)
}

fn recovered(ran: &Ran) -> Vec<String> {
    let rows = ran.results().into_iter().filter(|row| row["status"] == "recovered");
    rows.map(|row| row["id"].clone()).collect()
}

proptest! {
    #![proptest_config(Config { cases: CASES, failure_persistence: None, max_shrink_iters: 20, ..Config::default() })]

    #[test]
    fn a_run_over_the_failures_recovers_every_installation_once(mix in mixes(), seed: u64) {
        let faults: serde_json::Map<_, _> =
            mix.iter().map(|(n, faults)| (location(*n), json!(faults))).collect();
        let mut server = MockServer::seeded(&faults.into(), seed);
        let work = Work::new();
        let list = work.file("list.csv", locations(COUNT));
        let mut ran = work.run(list, &server.url()).args(["--attempts", "1"]).go();
        ran.assert_sound(&server);
        let mut done = recovered(&ran);
        server.set_faults(&json!({}));
        for again in 1..=3 {
            if ran.code == 0 {
                break;
            }
            prop_assert!(matches!(ran.code, 1 | 3), "{}", ran.stderr);
            server.next_run();
            let rest = ran.file("failures.csv");
            ran = work.run_into(&format!("again {again}"), rest, &server.url()).arg("--all").go();
            ran.assert_sound(&server);
            done.extend(recovered(&ran));
        }
        prop_assert_eq!(ran.code, 0);
        done.sort();
        prop_assert_eq!(done, (0..COUNT).map(location).collect::<Vec<_>>());
    }
}

/// How an execution ends before its time.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Interrupt,
    Terminate,
}

/// Executions that end after so many requests.
fn chains() -> impl Strategy<Value = Vec<(End, usize)>> {
    let end = select(vec![End::Kill, End::Interrupt, End::Terminate]);
    prop::collection::vec((end, 0_usize..20), 1..3)
}

/// Starts an execution and ends it after so many requests, if it has not ended by itself.
#[cfg(unix)]
fn cut_short(command: std::process::Command, server: &MockServer, end: End, after: usize) {
    let until = server.requests() + after;
    let mut child = start_silent(command);
    wait_until("requests, or the end", || {
        server.requests() >= until || child.try_wait().unwrap().is_some()
    });
    let name = match end {
        End::Kill => "-KILL",
        End::Interrupt => "-INT",
        End::Terminate => "-TERM",
    };
    let mut kill = std::process::Command::new("kill");
    // It may have ended by itself meanwhile.
    let _ = kill.args([name, &child.id().to_string()]).capture();
    child.wait().unwrap();
}

#[cfg(unix)]
proptest! {
    #![proptest_config(Config { cases: CASES, failure_persistence: None, max_shrink_iters: 20, ..Config::default() })]

    #[test]
    fn any_chain_of_executions_ends_where_one_lucky_run_ends(
        mix in mixes(),
        chain in chains(),
        seed: u64,
    ) {
        let faults: serde_json::Map<_, _> =
            mix.iter().map(|(n, faults)| (location(*n), json!(faults))).collect();
        let latency = Duration::from_millis(4);
        let server = MockServer::with(Options { latency, seed, ..Options::default() });
        server.set_faults(&faults.into());
        let work = Work::new();
        let list = work.file("list.csv", locations(COUNT));
        let begun = || work.path("run").join(".lock").exists();
        let mut first = Some(work.run(&list, &server.url()));
        for (end, after) in chain {
            let execution = match first.take() {
                Some(run) => run,
                None if begun() => work.resume(&server.url()),
                None => work.run(&list, &server.url()),
            };
            cut_short(execution.args(["--attempts", "2"]).command(), &server, end, after);
        }
        server.set_faults(&json!({}));
        let ran = if begun() {
            work.resume(&server.url()).args(["--retry-failed"]).go()
        } else {
            work.run(&list, &server.url()).go()
        };
        prop_assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.assert_sound_after_kills(&server);
        prop_assert_eq!(recovered(&ran), (0..COUNT).map(location).collect::<Vec<_>>());
    }
}
