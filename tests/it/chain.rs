//! Runs over the failures of runs: a chain, whose books and evidence are carried to its end.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use crate::support::{
    Issuer, MockServer, NoServer, Observer, Ran, Reply, ScriptedServer, Seen, Work, location,
    locations, rows, whole,
};

/// Installations, and the steps in which they heal.
const COUNT: usize = 120;
const STEPS: usize = 6;

/// Trace ids that were given, by installation, in order.
type Given = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// A HighLevel at which installation n fails until step n modulo 6, each group in its own way.
fn healing(step: Arc<AtomicUsize>, given: Given) -> ScriptedServer {
    let codes = Mutex::new(HashMap::new());
    ScriptedServer::answering(move |issuer, number, seen| {
        let step = step.load(Ordering::SeqCst);
        let id = match seen.field("code") {
            Some(code) => codes.lock().unwrap().get(&code).cloned().unwrap(),
            None => seen.json()["locationId"].as_str().unwrap().to_owned(),
        };
        let group = id.trim_start_matches("Loc").parse::<usize>().unwrap() % STEPS;
        let (status, body) = answer(issuer, number, seen, if group > step { group } else { 0 });
        if let Some(trace_id) = body["traceId"].as_str() {
            given.lock().unwrap().entry(id.clone()).or_default().push(trace_id.to_owned());
        }
        if let Some(code) = body["authorizationCode"].as_str() {
            codes.lock().unwrap().insert(code.to_owned(), id);
        }
        Reply::Json(status, body)
    })
}

fn answer(issuer: &Issuer, number: usize, seen: &Seen, group: usize) -> (u16, Value) {
    let trace_id = format!("refused-{number}");
    match (group, seen.is_reconnect()) {
        (1, true) => (400, json!({"message": "App is not installed", "traceId": trace_id})),
        (2, false) => (400, json!({"message": "Location is not active", "traceId": trace_id})),
        (3, true) => (422, json!({"message": ["a is bad", "b is bad"], "traceId": trace_id})),
        (4, false) => (
            401,
            json!({"error": "UnAuthorized!", "error_description": "Authorization code not found"}),
        ),
        (5, true) => (400, json!({"message": "Location not found", "traceId": trace_id})),
        (_, true) => (200, issuer.code(seen)),
        (_, false) => (200, issuer.tokens(seen)),
    }
}

/// A CSV as a spreadsheet saves it: UTF-16 with tabs, or semicolons behind a byte order mark.
fn saved(csv: &Path, delimiter: u8) -> Vec<u8> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(csv).unwrap();
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for record in reader.records() {
        writer.write_record(&record.unwrap()).unwrap();
    }
    let text = "\u{feff}".to_owned() + &String::from_utf8(writer.into_inner().unwrap()).unwrap();
    match delimiter {
        b'\t' => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.into_bytes(),
    }
}

/// The list of the next run: as it stands, or saved by a spreadsheet, elsewhere or in the folder.
fn next_list(work: &Work, ran: &Ran, step: usize) -> (PathBuf, Vec<PathBuf>) {
    let failures = ran.file("failures.csv");
    match step {
        2 => {
            let list = work.file("Mappe1.txt", saved(&failures, b'\t'));
            (list, vec!["--parent".into(), ran.folder.clone()])
        }
        3 => {
            let list = ran.file("failures (1).csv");
            fs::write(&list, saved(&failures, b';')).unwrap();
            (list, Vec::new())
        }
        _ => (failures, Vec::new()),
    }
}

#[test]
fn a_chain_over_failures_that_heal_grants_each_once_and_keeps_every_trace_id() {
    let (work, step, given) = (Work::new(), Arc::new(AtomicUsize::new(0)), Given::default());
    let highlevel = healing(step.clone(), given.clone());
    let (mut list, mut parent) = (work.file("list.csv", locations(COUNT)), Vec::new());
    let (mut run_ids, mut first_failed) = (Vec::<Value>::new(), HashMap::<String, String>::new());
    for n in 0..STEPS {
        step.store(n, Ordering::SeqCst);
        let run = work.run_into(&format!("run-{n}"), &list, &highlevel.url());
        let ran = run.args(["--attempts", "2", "--all"]).args(parent).go();
        let ran = ran.expect(i32::from(n + 1 < STEPS));
        ran.assert_sound(&highlevel);
        let recovered = COUNT / STEPS * (n + 1);
        assert_eq!(ran.count("recovered"), COUNT / STEPS);
        let summary = ran.summary();
        run_ids.push(summary["run_id"].clone());
        assert_eq!(
            summary["parent_run"],
            n.checked_sub(1).map_or(Value::Null, |n| run_ids[n].clone())
        );
        let chain = json!({
            "first_run": run_ids[0], "runs": n + 1, "input": COUNT,
            "recovered": recovered, "outstanding": COUNT - recovered,
        });
        assert_eq!(summary["chain"], chain);
        let says = format!("still outstanding since the first run: {}", COUNT - recovered);
        assert_eq!(ran.stdout.contains(&says), n > 0, "{}", ran.stdout);
        for row in ran.failures() {
            let id = &row["location_id"];
            assert_eq!(row["trace_ids"], given.lock().unwrap()[id].join(" "), "{id}");
            let first = first_failed.entry(id.clone()).or_insert(row["failed_at"].clone());
            assert_eq!(&row["first_failed_at"], first);
        }
        for listed in ran.events("listed").iter().filter(|_| n + 1 == STEPS) {
            let id = listed["installation"]["id"].as_str().unwrap();
            let before = given.lock().unwrap()[id].len() - 2;
            let kept = listed["history"]["trace_ids"].as_array().unwrap();
            assert_eq!(kept.len(), before, "all but those of the last code and its exchange");
            assert_eq!(listed["history"]["attempts_total"], 5);
        }
        (list, parent) = next_list(&work, &ran, n + 1);
    }
    assert_eq!(highlevel.observed().tokens.len(), 2 * COUNT, "a pair each");
    assert_eq!(highlevel.observed().live.len(), COUNT);
}

/// A run of six, of which three fail.
fn first_run(work: &Work) -> (Ran, MockServer) {
    let faults = json!({
        location(1): ["not_installed*"], location(2): ["unknown_id*"], location(3): ["not_installed*"],
    });
    let server = MockServer::faulty(&faults);
    let list = work.file("list.csv", locations(6));
    let ran = work.run_into("first", list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    (ran, server)
}

#[test]
fn rows_taken_out_stay_outstanding_and_rows_put_in_are_not_of_the_chain() {
    let work = Work::new();
    let (first, mut server) = first_run(&work);
    let text = first.text("failures.csv");
    let lines: Vec<_> = text.lines().filter(|line| !line.contains(&location(1))).collect();
    let edited = first.file("edited.csv");
    fs::write(&edited, lines.join("\n") + "\n" + &location(10) + ",,,,,,,,,,\n").unwrap();
    server.set_faults(&json!({}));
    server.next_run();
    let second = work.run_into("second", &edited, &server.url()).arg("--all").go().expect(0);
    second.assert_sound(&server);
    assert_eq!(second.count("recovered"), 3);
    let chain = &second.summary()["chain"];
    assert_eq!(
        [&chain["runs"], &chain["input"], &chain["recovered"], &chain["outstanding"]],
        [&json!(2), &json!(6), &json!(5), &json!(1)]
    );
    assert!(second.stdout.contains("since the first run: 1 of 6"), "{}", second.stdout);
}

#[test]
fn a_list_without_its_run_carries_its_history_on_and_says_that_the_link_is_missing() {
    let work = Work::new();
    let (first, mut server) = first_run(&work);
    let copy = work.file("copy.csv", first.text("failures.csv"));
    let unlinked = |ran: &Ran, says: &str| {
        assert!(ran.stderr.contains("not linked") && ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(
            (&ran.summary()["parent_run"], &ran.summary()["chain"]["runs"]),
            (&Value::Null, &json!(1))
        );
        assert!(!ran.stdout.contains("since the first run"), "{}", ran.stdout);
    };
    server.next_run();
    let ran = work.run_into("unlinked", &copy, &server.url()).arg("--all").go().expect(1);
    ran.assert_sound(&server);
    unlinked(&ran, "--parent RUN_DIR");
    assert!(ran.failures().iter().all(|row| row["attempts_total"] == "2"));
    let rehearsal = work.rehearse(first.file("failures.csv")).arg("--all").go().expect(0);
    unlinked(&rehearsal, "this is a rehearsal");
    fs::write(first.file("journal.jsonl"), "{}\n").unwrap();
    server.next_run();
    let run = work.run_into("unreadable", first.file("failures.csv"), &server.url());
    let ran = run.arg("--all").go();
    unlinked(&ran.expect(1), "damaged");
    for (list, parent, says) in [
        (&copy, work.path("nowhere"), "no such folder"),
        (&copy, first.folder.clone(), "damaged"),
        (&work.path("list.csv"), first.folder.clone(), "attempts_total"),
    ] {
        let run = work.run_into("refused", list, &server.url()).arg("--parent").arg(parent);
        let ran = run.go().expect(2);
        assert!(ran.stderr.contains("--parent") && ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!work.path("refused").exists());
    }
}

#[test]
fn a_failure_that_is_to_be_tried_later_tells_when() {
    let highlevel = ScriptedServer::answering(|_, _, _| {
        let body = json!({"message": "Too Many Requests"}).to_string();
        Reply::Whole(whole(429, &[("Retry-After", "30")], &body))
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    let ran = work.run(list, &highlevel.url()).args(["--attempts", "1"]).go().expect(1);
    ran.assert_sound(&NoServer);
    let row = &rows(&ran.file("failures.csv"))[0];
    assert_eq!(row["retry"], "later");
    let (said, time) = row["message"].split_once(" (not before ").unwrap();
    assert_eq!(said, "Too Many Requests");
    let time: jiff::Timestamp = time.trim_end_matches(')').parse().unwrap();
    let failed_at: jiff::Timestamp = row["failed_at"].parse().unwrap();
    let wait = time.duration_since(failed_at).as_millis();
    assert!((29_000..=30_000).contains(&wait), "{row:?}");
}
