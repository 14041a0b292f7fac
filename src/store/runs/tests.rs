//! Runs of a few rows, made by hand: what is opened, what counts, and what is added to a journal.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use super::{Runs, look, pairs_of};
use crate::{
    checksum::Checksum,
    event::{
        Event, FORMAT, Finished, Listed, Listener, Observer, Parent, Ready, Reclaimed, Started,
        StoreOutcome, Stored, TokenFile,
    },
    exit::Exit,
    highlevel::token_clients::StoredTokens,
    installation::{Id, Installation, Scope},
    journal::{disk::Disk, draft::Draft, reader::Reader, writer::Writer},
    settings::Settings,
    store::pairs::{Pairs, PairsError},
};

const APP: &str = "66c1a6f5e4b0a1b2c3d4e5f6";

/// How a row of a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Recovered, with its pair on disk.
    Recovered,
    /// Its pair is on disk, and its event was lost.
    EventLost,
    /// Not begun.
    Open,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    InOrder,
    Killed,
}

/// A run: when it began in seconds, its rows, and how it ended.
struct RunMade<'a> {
    name: &'a str,
    second: i64,
    parent: Option<&'a str>,
    rows: &'a [(u32, Made)],
    end: End,
}

fn id(number: u32) -> Id {
    Id::new(&format!("Loc{number:017}")).unwrap()
}

/// The token line of an installation, granted at a second.
fn token_line(number: u32, second: i64) -> String {
    json!({
        "applicationId": APP, "resourceId": id(number), "access_token": format!("a{second}"),
        "refresh_token": "r", "expires_in": 60, "expire_at": (second + 60) * 1000,
        "userType": "Location", "locationId": id(number),
    })
    .to_string()
}

fn started(work: &Path, run: &RunMade<'_>, at: Timestamp) -> Event {
    let parent = run.parent.map(|name| {
        Box::new(Parent {
            run_id: name.to_owned(),
            folder: work.join(name).to_string_lossy().into_owned(),
            first_run: name.to_owned(),
            runs: 1,
            input: 9,
            recovered: 1,
            outstanding: 8,
        })
    });
    let list = json!({ "name": "list", "digest": "", "shape": "", "columns": [] });
    Event::Started(Box::new(Started {
        format: FORMAT,
        run_id: run.name.to_owned(),
        version: String::new(),
        at,
        client_id: format!("{APP}-m1abcdef"),
        apps: Vec::new(),
        list: serde_json::from_value(list).unwrap(),
        parent,
        settings: Settings::default().written().unwrap(),
    }))
}

/// Makes the folder of a run. A row's number is that of its installation as well.
fn make(work: &TempDir, run: &RunMade<'_>) -> PathBuf {
    let (path, at) = (work.path().join(run.name), Timestamp::from_second(run.second).unwrap());
    let draft = Draft::begin(&path, &Disk::default()).unwrap();
    let mut writer = Writer::create(draft.folder()).unwrap();
    writer.append(&started(work.path(), run, at)).unwrap();
    for (row, _) in run.rows {
        let installation = Installation { scope: Scope::Location, id: id(*row), company: None };
        let (row, line, values) = (*row, u64::from(*row) + 1, Vec::new());
        let listed = Listed { row, line, installation, app: None, values, history: None };
        writer.append(&Event::Listed(listed)).unwrap();
    }
    let input = u32::try_from(run.rows.len()).unwrap();
    let stored_tokens = StoredTokens::default();
    let ready = Ready { at, input, digest: String::new(), stored_tokens };
    writer.append(&Event::Ready(ready)).unwrap();
    for (row, made) in run.rows.iter().filter(|(_, made)| *made != Made::Open) {
        let line = token_line(*row, run.second);
        writer.append_document(TokenFile::Tokens, line.as_bytes()).unwrap();
        if *made == Made::Recovered {
            writer.append(&recovered(*row, at, &line)).unwrap();
        }
    }
    if run.end == End::InOrder {
        writer.append(&Event::Finished(Finished { at, interrupted_by: None })).unwrap();
    }
    writer.sync().unwrap();
    drop(draft.finish().unwrap());
    path
}

fn recovered(row: u32, at: Timestamp, line: &str) -> Event {
    Event::Reclaimed(Reclaimed {
        row,
        id: id(row),
        at,
        token_line: Checksum::of(line.as_bytes()),
        attempts: 1,
        via: None,
        reconnect_trace_id: None,
        token_expires_at: None,
        without_refresh_token: false,
    })
}

/// Takes notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Listener for Notes {
    fn on_event(&self, _: &Event) {}
}

impl Observer for Notes {
    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

fn open(dirs: &[PathBuf]) -> (Runs, Vec<String>) {
    let notes = Arc::new(Notes::default());
    let observer = |_: &crate::journal::folder::RunFolder| Ok(notes.clone() as Arc<dyn Observer>);
    let runs = Runs::open(dirs, &Disk::default(), &|line| notes.note(line), &observer);
    let runs = runs.map_err(|fault| format!("{:#}", fault.error)).unwrap();
    let notes = notes.0.lock().unwrap().clone();
    (runs, notes)
}

/// The newest pairs, or the older ones: the place of the run, the row, the access token.
fn found(
    batches: impl Iterator<Item = Result<Vec<(usize, crate::store::pair::Pair)>, PairsError>>,
) -> Vec<(usize, u32, String)> {
    let pairs = batches.flat_map(Result::unwrap);
    pairs.map(|(run, pair)| (run, pair.row, pair.access_token.expose().to_owned())).collect()
}

fn balances(pairs: &Pairs) -> bool {
    pairs.censuses().iter().all(super::super::pairs::Census::balances)
}

#[test]
fn a_chain_is_opened_from_its_end_and_gives_each_installation_once() {
    use Made::{Open, Recovered};
    let work = tempfile::tempdir().unwrap();
    let (rows, end) = ([(1, Recovered), (2, Open), (3, Recovered)], End::InOrder);
    make(&work, &RunMade { name: "first", second: 10, parent: None, rows: &rows, end });
    let (rows, parent) = ([(2, Recovered), (3, Recovered)], Some("first"));
    let last = make(&work, &RunMade { name: "last", second: 20, parent, rows: &rows, end });
    let (runs, notes) = open(&[last.clone(), work.path().join("last")]);
    assert_eq!(notes, [""; 0]);
    let pairs = runs.pairs().unwrap();
    let newest = [(0, 1, "a10".to_owned()), (1, 2, "a20".to_owned()), (1, 3, "a20".to_owned())];
    for size in [1, 2, 9] {
        assert_eq!(found(pairs.batches(size)), newest);
    }
    assert_eq!(found(pairs.superseded(5)), [(0, 3, "a10".to_owned())]);
    let ids: Vec<_> = pairs.ids().map(Result::unwrap).collect();
    assert_eq!(ids, [1, 2, 3].map(|n| (Scope::Location, id(n))));
    assert_eq!(pairs.sample(2).count(), 2);
    assert!(balances(&pairs) && pairs.are_whole() && pairs.damage().is_empty());
    assert_eq!((pairs.len(), pairs.superseded_len(), pairs.handed_on()), (3, 1, 0));
    // While they are held, nobody else has them.
    let busy = look(&[last], &Disk::default(), &|_| {}).err().unwrap();
    assert_eq!(busy.exit, Exit::Local);
}

#[test]
fn a_killed_run_is_brought_into_agreement_and_its_journal_takes_events() {
    use Made::{EventLost, Open, Recovered};
    let work = tempfile::tempdir().unwrap();
    let rows = [(1, Recovered), (2, EventLost), (3, Open)];
    let run = RunMade { name: "run", second: 10, parent: None, rows: &rows, end: End::Killed };
    let path = make(&work, &run);
    let looked_at = look(std::slice::from_ref(&path), &Disk::default(), &|_| {}).ok().unwrap();
    let pairs = pairs_of(&looked_at).unwrap();
    assert_eq!((pairs.len(), pairs.censuses()[0].event_lost), (2, 1));
    assert!(balances(&pairs));
    drop(looked_at);

    let (mut runs, notes) = open(std::slice::from_ref(&path));
    assert!(notes[0].contains("tokens are on disk though"), "{notes:?}");
    let pairs = runs.pairs().unwrap();
    assert_eq!((pairs.len(), pairs.censuses()[0].event_lost), (2, 0));
    assert!(balances(&pairs));
    for batch in pairs.batches(1) {
        for (run, pair) in batch.unwrap() {
            let stored = Event::Stored(Stored {
                row: pair.row,
                id: pair.installation.id,
                at: Timestamp::UNIX_EPOCH,
                outcome: StoreOutcome::Replaced,
                token_line: pair.token_line,
                message: crate::text::SafeText::default(),
            });
            runs.as_mut_slice()[run].add_durably([stored]).unwrap();
        }
    }
    drop(runs);
    let events = Reader::open(&path.join("journal.jsonl")).unwrap().map(Result::unwrap);
    let events: Vec<_> = events.map(|(_, event)| event).collect();
    let is_stored = |event: &&Event| matches!(event, Event::Stored(_));
    assert_eq!(events.iter().filter(is_stored).count(), 2);
    // To open it again changes nothing.
    let before = fs::read(path.join("journal.jsonl")).unwrap();
    assert_eq!(open(std::slice::from_ref(&path)).1, [""; 0]);
    assert_eq!(fs::read(path.join("journal.jsonl")).unwrap(), before);
}

#[test]
fn a_damaged_line_of_a_finished_run_is_named_and_stays_where_it_is() {
    let work = tempfile::tempdir().unwrap();
    let rows = [(1, Made::Recovered), (2, Made::Recovered)];
    let run = RunMade { name: "run", second: 10, parent: None, rows: &rows, end: End::InOrder };
    let path = make(&work, &run);
    let tokens = path.join("tokens.jsonl");
    let damaged = fs::read_to_string(&tokens).unwrap().replacen("\"a10\"", "\"b10\"", 1);
    fs::write(&tokens, &damaged).unwrap();
    let (runs, _) = open(&[path]);
    let pairs = runs.pairs().unwrap();
    assert_eq!(found(pairs.batches(5)), [(0, 2, "a10".to_owned())]);
    let census = &pairs.censuses()[0];
    assert_eq!((census.damaged_lines.as_slice(), census.missing), (&[1][..], 1));
    assert!(balances(&pairs) && !pairs.are_whole());
    assert!(pairs.damage()[0].contains("tokens.jsonl, line 1: damaged"), "{:?}", pairs.damage());
    assert_eq!(fs::read_to_string(tokens).unwrap(), damaged);
}

#[test]
fn a_file_that_changes_after_it_was_indexed_is_not_believed() {
    let work = tempfile::tempdir().unwrap();
    let rows = [(1, Made::Recovered), (2, Made::Recovered), (3, Made::Recovered)];
    let run = RunMade { name: "run", second: 10, parent: None, rows: &rows, end: End::InOrder };
    let path = make(&work, &run);
    let (runs, tokens) = (open(std::slice::from_ref(&path)).0, path.join("tokens.jsonl"));
    let (pairs, good) = (runs.pairs().unwrap(), fs::read_to_string(&tokens).unwrap());
    let second = good.lines().nth(1).unwrap();
    for (what, changed, line) in [
        ("a letter", good.replace(second, &second.replace("a10", "x10")), 2),
        ("cut off", good[..good.len() - 9].to_owned(), 3),
        ("a line gone", good.replace(&format!("{second}\n"), ""), 2),
        ("empty", String::new(), 1),
    ] {
        fs::write(&tokens, changed).unwrap();
        let error = pairs.batches(2).find_map(Result::err);
        match error {
            Some(PairsError::Changed { line: named, .. }) => assert!(named <= line, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    fs::remove_file(&tokens).unwrap();
    assert!(matches!(pairs.ids().next(), Some(Err(PairsError::Unreadable { .. }))));
}
