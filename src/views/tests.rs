//! The views of a run whose pairs went to a store.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::{
    journal::{
        folder::RunFolder,
        test_journal::{TestJournal, id},
    },
    settings::Settings,
};

/// Three of four are recovered; the fourth got no whole answer to its exchange.
fn run() -> TestJournal {
    let mut journal = TestJournal::of(4);
    (1..=3).for_each(|row| journal.recover(row, "x"));
    journal.add(
        "exchanging",
        json!({
            "row": 4, "id": id(4), "attempt": 1,
            "reconnect": { "at": "2027-01-15T08:00:20Z", "ms": 40, "http_status": 200 },
        }),
    );
    journal.add(
        "failed",
        json!({
            "row": 4, "id": id(4), "attempts": 1, "started_at": "2027-01-15T08:00:20Z", "trace_ids": [],
            "failure": { "stage": "exchange", "class": "outcome_unknown", "message": "no answer" },
            "call": { "at": "2027-01-15T08:00:21Z", "ms": 30000 },
        }),
    );
    journal.add("finished", json!({}));
    journal
}

fn store(journal: &mut TestJournal) {
    journal.begin_store("app", "public.ghl_installations");
    journal.store(3, "x", "replaced", "");
    journal.store(1, "x", "missing", "=no row, \"by\" location_id");
}

fn resume(journal: &mut TestJournal) {
    let settings = Settings::default().written().unwrap();
    journal.add("resumed", json!({ "version": "0", "settings": settings }));
    journal.recover(4, "y");
    journal.add("finished", json!({}));
}

fn views(folder: &RunFolder) -> BTreeMap<&'static str, String> {
    super::write_all(folder, None).unwrap();
    super::names().map(|name| (name, fs::read_to_string(folder.file(name)).unwrap())).collect()
}

#[test]
fn the_latest_outcome_of_each_pair_stands_in_stored_csv() {
    let mut journal = run();
    let header = "row,scope,id,outcome,table,message,stored_at\n";
    assert_eq!(views(&journal.write())["stored.csv"], header);
    store(&mut journal);
    let first = format!(
        "{header}\
         1,location,Loc00000000000000001,missing,public.ghl_installations,\"'=no row, \"\"by\"\" location_id\",2027-01-15T08:00:20.000Z\n\
         3,location,Loc00000000000000003,replaced,public.ghl_installations,,2027-01-15T08:00:19.000Z\n"
    );
    let folder = journal.write();
    assert_eq!(views(&folder)["stored.csv"], first);
    assert_eq!(views(&folder)["stored.csv"], first, "the same bytes each time");
    journal.begin_store("app", "public.agencies");
    journal.store(1, "x", "inserted", "");
    let then = views(&journal.write())["stored.csv"].clone();
    let inserted =
        "1,location,Loc00000000000000001,inserted,public.agencies,,2027-01-15T08:00:22.000Z";
    let lines: Vec<&str> = then.lines().collect();
    assert_eq!(lines[1], inserted);
    assert_eq!(lines[2], first.lines().nth(2).unwrap());
}

#[test]
fn the_sums_of_the_store_balance_over_the_recovered_pairs() {
    let mut journal = run();
    let summary = |journal: &TestJournal| -> Value {
        serde_json::from_str(&views(&journal.write())["summary.json"]).unwrap()
    };
    assert_eq!(summary(&journal).get("store"), None);
    store(&mut journal);
    let told = summary(&journal);
    assert_eq!(
        told["store"],
        json!({
            "kind": "postgres", "host": "db.example.com", "database": "app",
            "table": "public.ghl_installations", "began_at": "2027-01-15T08:00:18Z",
            "outcomes": {
                "replaced": 1, "inserted": 0, "already": 0, "newer": 0, "missing": 1,
                "ambiguous": 0, "not_ours": 0, "refused": 0, "failed": 0,
            },
            "stored": 1, "not_stored": 1, "open": 1,
        })
    );
    assert_eq!(told["books"]["recovered"], 3);
    assert_eq!(told["books_balance"], true);
}

#[test]
fn a_store_changes_no_other_figure_and_no_other_file() {
    let (mut plain, mut stored) = (run(), run());
    store(&mut stored);
    for round in ["finished", "resumed"] {
        let [before, after] = [&plain, &stored].map(|journal| views(&journal.write()));
        for (name, text) in &before {
            let [mut one, mut other] = [text, &after[name]].map(String::clone);
            if *name == "summary.json" {
                let without_store = |text: &str| {
                    let mut summary: Value = serde_json::from_str(text).unwrap();
                    summary.as_object_mut().unwrap().shift_remove("store");
                    summary
                };
                [one, other] = [&one, &other].map(|text| without_store(text).to_string());
            }
            let is_about_stores = ["stored.csv", "report.html"].contains(name);
            assert!(is_about_stores || one == other, "{round}: {name}\n{one}\n{other}");
        }
        resume(&mut plain);
        // What follows has the same times in both.
        stored.set_back(3);
        resume(&mut stored);
    }
}
