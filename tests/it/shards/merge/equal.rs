//! The merged run is what one machine would have left.

use std::collections::BTreeMap;

use ghl_reconnect::sandbox::Options;
use jiff::{SignedDuration, Timestamp};
use proptest::{prelude::*, sample::select, test_runner::Config};
use serde_json::{Value, json};

use super::{assert_report_changes_nothing, folder, merge, names, shard, timeless};
use crate::support::{
    MockServer, Ran, Work, company, entries, location, locations, sealed, start_silent, unsealed,
    wait_until,
};

/// Sub-accounts, agencies, repeated rows, and rows that nobody can read, with a column of their own.
fn mixed(count: usize) -> String {
    let row = |n: usize| match n % 10 {
        7 => format!("{},,again\n", location(n - 1)),
        8 => "nonsense!,,x\n".to_owned(),
        9 => format!(",{},agency {n}\n", company(n)),
        _ => format!("{},{},plan {n}\n", location(n), company(1)),
    };
    (0..count).fold("location_id,company_id,plan\n".to_owned(), |csv, n| csv + &row(n))
}

fn faults() -> Value {
    json!({
        location(1): ["unknown_id*"],
        location(4): ["server_error", "ok"],
        location(12): ["exchange:wrong_tenant*"],
        location(20): ["exchange:reset", "ok"],
        location(21): ["not_installed*"],
        company(29): ["location_inactive*"],
    })
}

#[test]
fn the_merged_run_is_that_of_one_machine() {
    let (work, server) = (Work::new(), MockServer::seeded(&faults(), 7));
    let list = work.file("list.csv", mixed(60));
    let options = ["--attempts", "3", "--concurrency", "4"];
    let whole = work.run_into("whole", &list, &server.url()).args(options).go().expect(1);
    let mut server = MockServer::seeded(&faults(), 7);
    let (mut quarantined, mut lost_grants) = (0, 0);
    for name in names(3) {
        server.next_run();
        let ran = shard(&work, &list, &server.url(), &name).args(options).arg("--again").go();
        quarantined += ran.quarantine().len();
        lost_grants += ran.summary()["lost_grants"]["count"].as_u64().unwrap();
    }
    let merged = merge(&work, &["2/3", "3/3", "1/3"]).go().expect(1);
    merged.assert_sound_after_kills(&server);
    assert_report_changes_nothing(&work, &merged);
    assert_eq!(timeless(merged.results()), timeless(whole.results()));
    assert_eq!(timeless(merged.failures()), timeless(whole.failures()));
    assert_eq!(merged.text("rejected.csv"), whole.text("rejected.csv"));
    let (one, other) = (merged.summary(), whole.summary());
    for figures in ["books", "causes", "tokens", "list", "client_id", "state", "exit_code"] {
        let without_traces = |figures: &Value| {
            let mut figures = figures.clone();
            for cause in figures.as_array_mut().into_iter().flatten() {
                cause.as_object_mut().unwrap().remove("sample_trace_ids");
            }
            figures
        };
        assert_eq!(without_traces(&one[figures]), without_traces(&other[figures]), "{figures}");
    }
    assert_eq!(one["calls"], other["calls"]);
    assert!(one.get("shard").is_none() && one["rate"].get("total").is_none(), "{one}");
    assert_eq!((merged.quarantine().len(), quarantined), (1, 1));
    // What the shards have started counts for what the whole starts next.
    let memories = entries(&merged.folder).into_iter().filter(|name| name.starts_with(".pace-"));
    let of: Vec<_> = memories
        .map(|name| name.rsplit_once("-of-3.json").map(|(n, _)| n.chars().last()))
        .collect();
    assert_eq!(of, [Some(Some('1')), Some(Some('2')), Some(Some('3'))]);
    assert_eq!(one["lost_grants"]["count"], lost_grants);
    // Commands take it for a run, and a run over its failures ends the matter.
    let tokens = work.program(["tokens"]).arg(&merged.folder).args(["--format", "jsonl"]);
    let tokens = tokens.go().expect(0).stdout;
    assert_eq!(tokens.lines().count(), merged.count("recovered"));
    let status = work.program(["status"]).arg(&merged.folder).go().expect(0).stdout;
    assert!(status.contains("State        complete"), "{status}");
    server.set_faults(&json!({}));
    let rest = work.run_into("rest", merged.file("failures.csv"), &server.url());
    let rest = rest.arg("--all").go().expect(0);
    assert_eq!(rest.summary()["chain"]["outstanding"], 0);
}

/// The journal of a machine whose clock is an hour ahead, and which knows it from the server's answers.
fn set_clock_ahead(journal: &std::path::Path) {
    const SERVERS: [&str; 2] = ["code_expires_at", "token_expires_at"];
    fn ahead(value: &mut Value) {
        match value {
            Value::Object(members) => {
                let own = members.iter_mut().filter(|(name, _)| !SERVERS.contains(&name.as_str()));
                for (_, value) in own {
                    ahead(value);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(ahead),
            Value::String(text) => {
                if let Ok(at) = text.parse::<Timestamp>() {
                    *text = (at + SignedDuration::from_hours(1)).to_string();
                }
            }
            _ => {}
        }
    }
    let text = std::fs::read_to_string(journal).unwrap();
    let lines = text.lines().map(|line| {
        let mut event: Value = serde_json::from_str(&unsealed(line)).unwrap();
        ahead(&mut event);
        if let Some(clock) = event.get_mut("server_clock") {
            let offset = clock["offset_ms"].as_i64().unwrap() - 3_600_000;
            clock["offset_ms"] = json!(offset);
        }
        sealed(&event.to_string()) + "\n"
    });
    std::fs::write(journal, lines.collect::<String>()).unwrap();
}

#[test]
fn a_machine_whose_clock_is_an_hour_off_is_in_its_place() {
    let (work, server) = (Work::timed(), MockServer::good());
    let list = work.file("list.csv", locations(40));
    let children: Vec<_> = names(3)
        .iter()
        .map(|name| {
            let run = shard(&work, &list, &server.url(), name).rate("60/s");
            start_silent(run.command())
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    set_clock_ahead(&folder(&work, "2/3").join("journal.jsonl"));
    let merged = merge(&work, &names(3)).go().expect(0);
    merged.assert_sound_after_kills(&server);
    let summary = merged.summary();
    let took = summary["duration_ms"].as_i64().unwrap();
    assert!(took < 60_000, "no machine was an hour late: {took} ms");
    assert_eq!(summary["clock_offset_ms"], 0);
    assert_eq!(summary["rate"]["asked"], "60/s");
    let busiest = &summary["rate"]["busiest_window"];
    assert_eq!(busiest["allowed"], 60);
    let starts = busiest["starts"].as_u64().unwrap();
    assert!((21..=60).contains(&starts), "of all machines together: {starts}");
    assert_report_changes_nothing(&work, &merged);
}

#[test]
fn a_shard_that_exceeded_its_share_makes_the_whole_a_bug() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(40));
    for name in names(2) {
        shard(&work, &list, &server.url(), &name).go().expect(0);
    }
    // As if it had been asked for less than it did.
    let journal = folder(&work, "1/2").join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let (first, others) = text.split_once('\n').unwrap();
    let first = unsealed(first).replace("\"rate\":\"unlimited\"", "\"rate\":\"20/10s\"");
    std::fs::write(&journal, format!("{}\n{others}", sealed(&first))).unwrap();
    let merged = merge(&work, &names(2)).go().expect(5);
    assert!(merged.stderr.contains("where the rate allows 10: a bug"), "{}", merged.stderr);
    assert_eq!(merged.events("exceeded")[0]["shard"], "1/2");
    let report = work.program(["report"]).arg(&merged.folder).go().expect(5);
    assert!(report.stderr.contains("a bug"), "{}", report.stderr);
}

const FAULTS: &[&str] = &[
    "server_error",
    "exchange:server_error",
    "reset",
    "exchange:reset",
    "exchange:cut",
    "not_json",
    "code_not_found",
    "exchange:grant_refused",
    "wrong_tenant",
    "ok",
];

/// Installations in a list.
const COUNT: usize = 12;

fn mixes() -> impl Strategy<Value = BTreeMap<usize, Vec<&'static str>>> {
    let some = prop::collection::vec(select(FAULTS), 1..3);
    prop::collection::btree_map(0..COUNT, some, 0..COUNT)
}

fn ids(ran: &Ran) -> Vec<String> {
    ran.results().into_iter().map(|row| row["id"].clone()).collect()
}

proptest! {
    #![proptest_config(Config { cases: 6, failure_persistence: None, max_shrink_iters: 10, ..Config::default() })]

    #[test]
    fn for_any_number_of_shards_and_kills_the_merged_run_equals_one_run(
        of in 1_u32..5,
        kills in prop::collection::vec((0_usize..5, 0_usize..12), 0..6),
        mix in mixes(),
        seed: u64,
    ) {
        let faults: serde_json::Map<_, _> =
            mix.iter().map(|(n, faults)| (location(*n), json!(faults))).collect();
        let latency = std::time::Duration::from_millis(4);
        let server = MockServer::with(Options { latency, seed, ..Options::default() });
        server.set_faults(&faults.into());
        let work = Work::new();
        let list = work.file("list.csv", locations(COUNT));
        let names = names(of);
        let command = |name: &String| shard(&work, &list, &server.url(), name).arg("--or-resume");
        for (which, after) in kills {
            let name = &names[which % names.len()];
            let until = server.requests() + after;
            let mut child = start_silent(command(name).command());
            wait_until("requests, or the end", || {
                server.requests() >= until || child.try_wait().unwrap().is_some()
            });
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut lost_grants = 0;
        for name in &names {
            let ran = command(name).go();
            prop_assert!(matches!(ran.code, 0 | 1), "{}", ran.stderr);
            lost_grants += ran.summary()["lost_grants"]["count"].as_u64().unwrap();
        }
        let merged = merge(&work, &names).go();
        merged.assert_sound_after_kills(&server);
        assert_report_changes_nothing(&work, &merged);
        prop_assert_eq!(ids(&merged), (0..COUNT).map(location).collect::<Vec<_>>());
        let summary = merged.summary();
        prop_assert_eq!(&summary["state"], "complete");
        prop_assert_eq!(&summary["lost_grants"]["count"], lost_grants);
        server.set_faults(&json!({}));
        let rest = if merged.code == 0 { merged } else {
            work.run_into("rest", merged.file("failures.csv"), &server.url()).arg("--all").go()
        };
        prop_assert_eq!(rest.code, 0, "{}", rest.stderr);
        let audit = server.audit();
        prop_assert_eq!(audit.codes_presented_twice(), vec![""; 0]);
    }
}
