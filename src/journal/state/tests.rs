//! What the events of the store change, and what they do not.

use serde_json::json;

use super::{rows::RowEntry, run_state::RunState};
use crate::{
    checksum::Checksum,
    event::{Event, StoreOutcome},
    journal::{
        reader::JournalError,
        test_journal::{TestJournal, id},
    },
};

/// Adds what the words of a case stand for, all for row 1: `recover a`, `stored already a`, `begin app t`.
fn add(journal: &mut TestJournal, step: &str) {
    let words: Vec<&str> = step.split(' ').collect();
    let row = json!({ "row": 1, "id": id(1) });
    match words[..] {
        ["recover", line] => journal.recover(1, line),
        // As journals had it before they had the checksums of token lines.
        ["recovered"] => journal.add(
            "recovered",
            json!({
                "row": 1, "id": id(1), "attempts": 1, "started_at": "2026-01-01T00:00:00Z",
                "exchange": { "at": "2026-01-01T00:00:00Z", "ms": 1 },
            }),
        ),
        ["missed"] => journal.add("missed", row),
        ["reclaimed", line] => journal.add(
            "reclaimed",
            json!({
                "row": 1, "id": id(1), "token_line": Checksum::of(line.as_bytes()),
            }),
        ),
        ["failed"] => journal.add(
            "failed",
            json!({
                "row": 1, "id": id(1), "attempts": 1, "started_at": "2026-01-01T00:00:00Z", "trace_ids": [],
                "failure": { "stage": "exchange", "class": "server_error", "message": "x" },
            }),
        ),
        ["handed_on"] => journal.add("handed_on", json!({ "installations": 1 })),
        ["finished"] => journal.add("finished", json!({})),
        ["resumed"] => {
            let settings = crate::settings::Settings::default().written().unwrap();
            journal.add("resumed", json!({ "version": "0", "settings": settings }));
        }
        ["begin", database, table] => journal.begin_store(database, table),
        ["stored", outcome, line] => journal.store(1, line, outcome, ""),
        _ => panic!("{step}"),
    }
}

fn journal_of(steps: &str) -> TestJournal {
    let mut journal = TestJournal::of(2);
    steps.split(", ").filter(|step| !step.is_empty()).for_each(|step| add(&mut journal, step));
    journal
}

#[test]
fn a_pair_has_its_latest_outcome_in_whatever_order_the_events_come() {
    use StoreOutcome::{Already, Missing, Replaced};
    let stored = "recover a, finished, begin app t, stored replaced a";
    for (steps, expected) in [
        ("", None),
        ("recover a", None),
        ("recover a, begin app t", None),
        (stored, Some(Replaced)),
        ("begin app t, recover a, stored replaced a", Some(Replaced)),
        ("recover a, begin app t, stored missing a", Some(Missing)),
        ("recover a, begin app t, stored missing a, stored replaced a", Some(Replaced)),
        ("recover a, begin app t, stored replaced a, begin app t, stored already a", Some(Already)),
        ("recover a, begin app t, stored replaced a, begin app t", Some(Replaced)),
        ("recover a, begin app t, stored replaced a, begin app u", Some(Replaced)),
        ("recover a, begin app t, stored replaced a, begin other t", None),
        (
            "recover a, begin app t, stored replaced a, begin other t, stored already a",
            Some(Already),
        ),
        ("recover a, stored replaced a", None),
        ("recovered, begin app t, stored replaced a", Some(Replaced)),
        ("recovered, begin app t, stored replaced a, missed, recovered", None),
        ("failed, begin app t, stored replaced a", None),
        ("failed, begin app t, stored replaced a, recover a", None),
    ] {
        assert_eq!(journal_of(steps).state().store_outcome(1), expected, "{steps}");
    }
    for (more, expected) in [
        ("finished, resumed, finished", Some(Replaced)),
        ("handed_on", Some(Replaced)),
        ("missed", None),
        ("missed, reclaimed a", Some(Replaced)),
        ("missed, reclaimed b", None),
        ("missed, recover b", None),
        ("missed, recover b, stored already a", None),
        ("missed, recover b, stored already b", Some(Already)),
        ("resumed, missed, recover b, finished, begin app t, stored replaced b", Some(Replaced)),
    ] {
        let journal = journal_of(&format!("{stored}, {more}"));
        assert_eq!(journal.state().store_outcome(1), expected, "{more}");
    }
}

#[test]
fn every_recovered_pair_is_counted_once() {
    let mut journal = TestJournal::of(8);
    for row in 1..=6 {
        journal.recover(row, &row.to_string());
    }
    let state = journal.state();
    let counts = state.store_counts();
    assert!(state.store_began().is_none());
    assert_eq!((counts.stored(), counts.not_stored(), counts.open, counts.to_store), (0, 0, 6, 6));
    journal.begin_store("app", "t");
    for (row, outcome) in [(1, "replaced"), (2, "newer"), (3, "missing"), (4, "failed")] {
        journal.store(row, &row.to_string(), outcome, "");
    }
    // Of rows that have no pair.
    for row in [7, 8, 9, 0] {
        journal.store(row, "7", "replaced", "");
    }
    let state = journal.state();
    let counts = state.store_counts();
    assert_eq!(state.store_began().unwrap().place(), "postgres db.example.com/app t");
    assert_eq!((counts.stored(), counts.not_stored(), counts.open, counts.to_store), (2, 2, 2, 3));
    for (recovered, balances) in [(5, false), (6, true), (7, false)] {
        assert_eq!(counts.balance(recovered), balances, "{recovered}");
    }
    assert!(counts.balance(state.books().recovered));
    // What is handed on need not be on disk, so that it cannot be written any more.
    journal.add("handed_on", json!({ "installations": 6 }));
    let counts = journal.state().store_counts();
    assert_eq!((counts.stored(), counts.open, counts.to_store), (2, 2, 0));
}

#[test]
fn an_outcome_is_looked_up_with_the_table_that_the_pair_went_to() {
    let mut journal = TestJournal::of(3);
    for row in 1..=3 {
        journal.recover(row, "x");
    }
    journal.begin_store("app", "old");
    journal.store(1, "x", "replaced", "");
    journal.store(2, "x", "missing", "no such row");
    journal.begin_store("app", "new");
    journal.store(2, "x", "failed", "23514");
    let (path, state) = (journal.write().journal(), journal.state());
    let mut events = state.stored_events(&path).unwrap();
    let mut told = |row| {
        let found = events.of(row).unwrap();
        found.map(|(stored, table)| {
            (stored.row, stored.message.to_string(), table.unwrap().to_string())
        })
    };
    // In any order.
    assert_eq!(told(2), Some((2, "23514".into(), "new".into())));
    assert_eq!(told(1), Some((1, String::new(), "old".into())));
    assert_eq!(told(3), None);
    assert_eq!(told(99), None);
}

#[test]
fn the_events_of_a_store_change_nothing_else() {
    let plain = journal_of("recover a, finished").state();
    let stored = journal_of("recover a, finished, begin app t, stored replaced a").state();
    assert_eq!(stored.finished, plain.finished);
    assert_eq!(stored.books(), plain.books());
    assert_eq!(stored.all_lost_grants(), plain.all_lost_grants());
    assert_eq!(stored.tokens_awaited(), plain.tokens_awaited());
    assert_eq!(stored.attempts_of(1), plain.attempts_of(1));
}

#[test]
fn a_row_takes_48_bytes() {
    assert_eq!(size_of::<RowEntry>(), 48);
}

#[test]
fn the_events_of_a_store_are_read_as_they_are_written() {
    for event in [
        json!({ "store_began": { "at": "2026-01-01T00:00:00Z", "kind": "exec" } }),
        json!({ "stored": {
            "row": 1, "id": id(1), "at": "2026-01-01T00:00:00Z", "outcome": "not_ours",
            "token_line": "00000000", "message": "x",
        }}),
    ] {
        let read: Event = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), event);
    }
}

#[test]
fn an_event_of_a_later_version_is_no_damage() {
    let mut journal = TestJournal::of(1);
    journal.add_unknown();
    let read = RunState::read(&journal.write().journal(), |_| {});
    assert!(matches!(read, Err(JournalError::Unknown { line: 4, .. })), "{read:?}");
}
