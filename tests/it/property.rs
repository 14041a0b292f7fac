//! Whatever goes wrong, going on with the failures ends where one lucky run would have ended.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::select, test_runner::Config};
use serde_json::json;

use crate::support::{Ran, StandIn, Work, location, locations};

/// Cases: each is a handful of runs.
const CASES: u32 = 24;

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
    fn going_on_with_the_failures_recovers_every_installation_once(mix in mixes(), seed: u64) {
        let faults: serde_json::Map<_, _> =
            mix.iter().map(|(n, faults)| (location(*n), json!(faults))).collect();
        let mut stand_in = StandIn::seeded(&faults.into(), seed);
        let work = Work::new();
        let list = work.file("list.csv", locations(COUNT));
        let mut ran = work.run(list, &stand_in.url()).args(["--attempts", "1"]).go();
        ran.assert_sound(&stand_in);
        let mut done = recovered(&ran);
        stand_in.set_faults(&json!({}));
        for again in 1..=3 {
            if ran.code == 0 {
                break;
            }
            prop_assert!(matches!(ran.code, 1 | 3), "{}", ran.stderr);
            stand_in.next_run();
            let rest = ran.file("failures.csv");
            ran = work.run_into(&format!("again {again}"), rest, &stand_in.url()).go();
            ran.assert_sound(&stand_in);
            done.extend(recovered(&ran));
        }
        prop_assert_eq!(ran.code, 0);
        done.sort();
        prop_assert_eq!(done, (0..COUNT).map(location).collect::<Vec<_>>());
    }
}
