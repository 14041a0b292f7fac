//! A run whose pairs went to a store, as its journal tells it afterwards.

use std::fs;

use serde_json::{Value, json};

use crate::{
    schemas,
    support::{MockServer, Ran, Work, location, locations, rows, sealed},
};

const OLD_TOKEN: &str = "old-9f2Kc4Qm81zzTe0x7Ab";

/// Adds events to a journal, as `store` does.
fn append(ran: &Ran, events: &[Value]) {
    let lines: String = events.iter().map(|event| sealed(&event.to_string()) + "\n").collect();
    fs::write(ran.file("journal.jsonl"), ran.text("journal.jsonl") + &lines).unwrap();
}

fn began() -> Value {
    json!({ "store_began": {
        "at": "2099-01-01T00:00:00Z", "kind": "postgres", "host": "db.example.com",
        "database": "app", "table": "public.ghl_installations",
        "mapping": { "where": { "location_id": "id" } },
    }})
}

/// What became of the pair of the n-th sub-account.
fn outcome(ran: &Ran, n: usize, outcome: &str, message: &str) -> Value {
    let lines = ran.events("saving");
    let saving = lines.iter().rfind(|saving| saving["row"] == n + 1).unwrap();
    let mut stored = json!({
        "row": n + 1, "id": location(n), "at": "2099-01-01T00:00:01Z", "outcome": outcome,
        "token_line": saving["token_line"],
    });
    if !message.is_empty() {
        stored["message"] = message.into();
    }
    json!({ "stored": stored })
}

fn report(work: &Work, ran: &Ran, code: i32) -> Ran {
    let told = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(code);
    Ran { folder: ran.folder.clone(), ..told }
}

#[test]
fn a_run_that_has_been_stored_is_told_from_its_journal() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ location(3): ["unknown_id"] })));
    let list = work.file("list.csv", locations(4));
    let ran = work.run(&list, &server.url()).go().expect(1);
    let before = ran.summary();
    append(
        &ran,
        &[began(), outcome(&ran, 0, "replaced", ""), outcome(&ran, 1, "failed", "23514 a_check")],
    );
    let told = report(&work, &ran, 0);
    schemas::assert_follows(&told);
    let stored = told.text("stored.csv");
    assert_eq!(rows(&ran.file("stored.csv")).len(), 2, "{stored}");
    assert_eq!(report(&work, &ran, 0).text("stored.csv"), stored, "byte for byte");
    let mut summary = told.summary();
    let store = summary.as_object_mut().unwrap().shift_remove("store").unwrap();
    assert_eq!(summary, before, "nothing else has changed");
    assert_eq!(
        (&store["stored"], &store["not_stored"], &store["open"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let command = format!("ghl-reconnect store {} --to env:DATABASE_URL", ran.folder.display());
    let line = "1 of 3 pairs in postgres db.example.com/app public.ghl_installations";
    for part in [line, "1 failed: run store again", "23514 a_check", "stored.csv", &command] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }

    let status = |args: &[&str]| {
        let status = work.program(["status".as_ref(), ran.folder.as_os_str()]);
        status.args(args).go().expect(0).stdout
    };
    let words = status(&[]);
    for part in [&format!("Stored       {line}, 1 failed, 1 open"), &command, "failures.csv"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let figures: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!((&figures["store"], &figures["next_store"]), (&store, &json!(command)));

    // The run goes on, and so does the store.
    let resumed = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    resumed.assert_sound_after_kills(&server);
    assert_eq!(resumed.summary()["store"]["open"], 2);
    append(&ran, &[began()]);
    append(&ran, &[1, 2, 3].map(|n| outcome(&ran, n, "replaced", "")));
    let told = report(&work, &ran, 0);
    schemas::assert_follows(&told);
    assert_eq!(told.summary()["store"]["outcomes"]["replaced"], 4);
    assert_eq!(told.summary()["exit_code"], 0);
    assert!(!told.stdout.contains("Next"), "{}", told.stdout);
    assert!(status(&[]).contains("nothing is left to do"));
}

#[test]
fn the_tokens_that_the_store_had_stand_in_no_other_file() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    let ran = work.run(&list, &server.url()).go().expect(0);
    let row = json!({ "row": { "location_id": location(0), "accessToken": OLD_TOKEN } });
    fs::write(ran.file("replaced.jsonl"), format!("{row}\n")).unwrap();
    let told = report(&work, &ran, 0);
    assert_eq!(told.stderr, "");
    assert!(told.stdout.contains("replaced.jsonl  (secret"), "{}", told.stdout);
    fs::write(ran.file("run.log"), ran.text("run.log") + "was " + OLD_TOKEN).unwrap();
    let told = report(&work, &ran, 5);
    assert!(told.stderr.contains("run.log"), "{}", told.stderr);
    assert!(ran.file("run.log.leaked").exists());
    assert!(ran.file("replaced.jsonl").exists());
    for text in [&told.stdout, &told.stderr, &ran.text("summary.json")] {
        assert!(!text.contains(OLD_TOKEN), "{text}");
    }
}
