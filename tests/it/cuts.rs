//! Files of a run that were cut, or are missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use fastrand::Rng;

use ghl_reconnect::{
    event::Event,
    exit::Exit,
    journal::{
        disk::Disk,
        state::{Outcome, RunState},
        token_lines,
    },
    sandbox::Options,
};
use serde_json::json;

use crate::support::{
    MockServer, Work,
    in_process::{converge, left, resume, run},
    location, locations, start, wait_until,
};

/// A finished run of two installations with all of its files.
fn finished_run(work: &Work, server: &MockServer) -> (PathBuf, Vec<(PathBuf, Vec<u8>)>) {
    let list = work.file("list.csv", locations(2));
    assert_eq!(run(work, &list, server, Disk::default()), Exit::Recovered);
    let files = fs::read_dir(work.path("run")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    (list, files.collect())
}

fn restore(files: &[(PathBuf, Vec<u8>)], cut: &str, length: usize) {
    for (path, bytes) in files {
        let length = if path.ends_with(cut) { length } else { bytes.len() };
        fs::write(path, &bytes[..length]).unwrap();
    }
}

fn bytes_of<'a>(files: &'a [(PathBuf, Vec<u8>)], name: &str) -> &'a [u8] {
    &files.iter().find(|(path, _)| path.ends_with(name)).unwrap().1
}

/// Where a file is cut for the program: at the ends of its lines, a byte before and a byte after them,
/// and at some places between.
fn places(bytes: &[u8], some: usize) -> BTreeSet<usize> {
    let ends = memchr::memchr_iter(b'\n', bytes).flat_map(|at| [at, at + 1, at + 2]);
    let mut random = Rng::with_seed(20_261_124);
    let between = std::iter::repeat_with(|| random.usize(..bytes.len())).take(some);
    ends.chain(between).chain([0, 1]).filter(|at| *at <= bytes.len()).collect()
}

#[test]
fn a_run_whose_journal_was_cut_is_resumed_without_a_call() {
    let (work, server) = (Work::new(), MockServer::good());
    let (list, files) = finished_run(&work, &server);
    let journal = str::from_utf8(bytes_of(&files, "journal.jsonl")).unwrap();
    let ready = journal.find("{\"ready\"").unwrap();
    let listed = ready + journal[ready..].find('\n').unwrap() + 1;
    for (number, length) in places(journal.as_bytes(), 50).into_iter().enumerate() {
        restore(&files, "journal.jsonl", length);
        // The run had no name before its list was synced: no crash cuts it there.
        let exit = if length < listed { Exit::Local } else { Exit::Recovered };
        assert_eq!(resume(&work, &server), exit, "cut at {length}");
        if length >= listed && number % 8 == 0 {
            left(&work, Exit::Recovered).assert_sound_after_kills(&server);
        }
    }
    converge(&work, &list, &server, 2);
    assert_eq!(server.audit().grants.len(), 2, "the tokens were there all the time");
}

#[test]
fn a_token_file_that_was_cut_is_made_whole_again() {
    let (work, server) = (Work::new(), MockServer::good());
    let (_, files) = finished_run(&work, &server);
    for (number, cut) in places(bytes_of(&files, "tokens.jsonl"), 50).into_iter().enumerate() {
        restore(&files, "tokens.jsonl", cut);
        assert_eq!(resume(&work, &server), Exit::Recovered, "cut at {cut}");
        let ran = left(&work, Exit::Recovered);
        assert_eq!(ran.tokens().len(), 2, "cut at {cut}");
        assert_eq!(ran.count("recovered"), 2, "cut at {cut}");
        if number % 8 == 0 {
            ran.assert_books_balance();
        }
    }
    assert!(server.audit().codes_presented_twice().is_empty());
}

#[test]
fn any_prefix_of_a_token_file_holds_its_whole_lines_and_nothing_of_a_torn_one() {
    let (work, server) = (Work::new(), MockServer::good());
    let (_, files) = finished_run(&work, &server);
    let state = RunState::read(&work.path("run/journal.jsonl"), |_| {}).unwrap();
    let bytes = bytes_of(&files, "tokens.jsonl");
    let prefix = work.path("prefix.jsonl");
    for length in 0..=bytes.len() {
        fs::write(&prefix, &bytes[..length]).unwrap();
        let whole = memchr::memchr_iter(b'\n', &bytes[..length]).count();
        let found = token_lines::on_disk(&prefix, state.prints()).unwrap();
        assert_eq!((found.lines, found.pairs.len()), (whole, whole), "{length} bytes");
        assert_eq!(state.count_good(&found.pairs), whole, "{length} bytes");
        assert_eq!(token_lines::damaged(&prefix, &state).unwrap(), [0; 0], "{length} bytes");
    }
}

#[test]
fn damage_in_the_middle_is_refused_and_nothing_is_sent() {
    let (work, server) = (Work::new(), MockServer::good());
    let (_, files) = finished_run(&work, &server);
    let calls = server.requests();
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with("journal.jsonl")) {
        let mut bytes = bytes.clone();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 3].copy_from_slice(b"\n{\n");
        fs::write(path, &bytes).unwrap();
        let ran = work.resume(&server.url()).go().expect(4);
        assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
        assert!(ran.stderr.contains("line "), "{}", ran.stderr);
        assert_eq!(&fs::read(path).unwrap(), &bytes, "nothing was changed");
    }
    assert_eq!(server.requests(), calls);
}

#[test]
fn a_missing_token_file_is_refused_and_nothing_is_sent() {
    let (work, server) = (Work::new(), MockServer::good());
    finished_run(&work, &server);
    let calls = server.requests();
    fs::remove_file(work.path("run").join("tokens.jsonl")).unwrap();
    let ran = work.resume(&server.url()).go().expect(4);
    assert!(ran.stderr.contains("tokens.jsonl is missing"), "{}", ran.stderr);
    assert_eq!(server.requests(), calls);
}

#[test]
fn a_missing_journal_is_refused_and_nothing_is_sent() {
    let (work, server) = (Work::new(), MockServer::good());
    finished_run(&work, &server);
    let calls = server.requests();
    fs::remove_file(work.path("run").join("journal.jsonl")).unwrap();
    for command in ["resume", "report"] {
        let run = work.path("run");
        let ran = work.program([command.as_ref(), run.as_os_str()]).credentials().go().expect(4);
        assert!(ran.stderr.contains("journal.jsonl; put it back"), "{}", ran.stderr);
    }
    assert!(!work.path("run").join("journal.jsonl").exists());
    assert_eq!(server.requests(), calls);
}

#[test]
fn a_report_without_the_tokens_says_so_and_makes_no_file() {
    let (work, server) = (Work::new(), MockServer::good());
    finished_run(&work, &server);
    let tokens = work.path("run").join("tokens.jsonl");
    fs::remove_file(&tokens).unwrap();
    let run = work.path("run");
    let ran = work.program(["report".as_ref(), run.as_os_str()]).go().expect(0);
    assert!(ran.stderr.contains("tokens.jsonl is missing"), "{}", ran.stderr);
    assert!(!tokens.exists());
    // The way that the refusal to resume names: an empty file in its place asks for all anew.
    fs::write(&tokens, "").unwrap();
    let ran = work.resume(&server.url()).go().expect(0);
    assert_eq!(ran.tokens().len(), 2);
    ran.assert_sound_after_kills(&server);
}

#[test]
fn tokens_that_somebody_else_cuts_meanwhile_are_noticed() {
    let server =
        MockServer::with(Options { latency: Duration::from_millis(20), ..Options::default() });
    let work = Work::new();
    let list = work.file("list.csv", locations(60));
    let child = start(work.run(list, &server.url()).command());
    wait_until("some tokens", || server.audit().grants.len() >= 20);
    let tokens = work.path("run").join("tokens.jsonl");
    fs::OpenOptions::new().write(true).truncate(true).open(tokens).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("somebody else has changed the file"), "{said}");
    let ran = work.resume(&server.url()).go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(ran.count("recovered"), 60);
}

/// Each installation with how it stands, as a text that can be compared.
fn state_of(journal: &std::path::Path) -> Vec<String> {
    // Before its list is whole, a journal is none.
    let Ok(run_state) = RunState::read(journal, |_| {}) else { return Vec::new() };
    let outcomes = run_state.outcomes(journal).unwrap();
    outcomes
        .map(|item| item.unwrap())
        .map(|(listed, outcome)| format!("{}: {outcome:?}", listed.row))
        .collect()
}

#[test]
fn any_prefix_of_a_journal_tells_a_prefix_of_the_state() {
    let faults = json!({location(1): ["server_error"], location(2): ["not_installed"]});
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).go().expect(1);
    let journal = fs::read(ran.file("journal.jsonl")).unwrap();
    let prefix = work.path("prefix.jsonl");
    let mut whole_lines = Vec::new();
    let mut settled: BTreeMap<u32, String> = BTreeMap::new();
    for length in 0..=journal.len() {
        fs::write(&prefix, &journal[..length]).unwrap();
        let Some(end) = journal[..length].iter().rposition(|byte| *byte == b'\n') else {
            assert!(RunState::read(&prefix, |_| {}).is_err(), "nothing whole in {length} bytes");
            continue;
        };
        let state = state_of(&prefix);
        if end + 1 == length {
            whole_lines.clone_from(&state);
            remember_settled(&prefix, &mut settled);
        }
        assert_eq!(state, whole_lines, "a torn line changes nothing at {length}");
    }
    assert_eq!(settled.len(), 3);
    assert_eq!(state_of(&ran.file("journal.jsonl")), whole_lines);
}

/// What is settled once stays as it is.
fn remember_settled(journal: &std::path::Path, settled: &mut BTreeMap<u32, String>) {
    let mut events = 0;
    let Ok(run_state) = RunState::read(journal, |_: &Event| events += 1) else { return };
    assert!(events > 0);
    for item in run_state.outcomes(journal).unwrap() {
        let (listed, outcome) = item.unwrap();
        if matches!(outcome, Outcome::NotAttempted(_)) {
            assert!(!settled.contains_key(&listed.row), "row {} came loose", listed.row);
            continue;
        }
        let told = format!("{outcome:?}");
        assert_eq!(settled.entry(listed.row).or_insert_with(|| told.clone()), &told);
    }
}
