//! What is said of the app's own store at the end of a run.

use std::fmt::Write as _;

use crate::{
    event::StoreOutcome,
    journal::folder::RunFolder,
    views::{
        store::{Example, StoreInFigures},
        summary::Summary,
    },
};

/// Adds what became of the pairs in the store, where they went to one.
pub(super) fn add(text: &mut String, summary: &Summary, folder: &RunFolder) {
    if let Some(store) = &summary.store {
        text.push_str(&self::text(store, folder));
    }
}

/// What became of the pairs in the store.
pub fn text(store: &StoreInFigures, folder: &RunFolder) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\nStored      {}", in_words(store));
    for (outcome, count) in &store.outcomes {
        let _ = match outcome.advice() {
            _ if *count == 0 => continue,
            None => writeln!(text, "{count:>7} {outcome}"),
            Some(advice) => writeln!(text, "{count:>7} {outcome}: {advice}"),
        };
        add_examples(&mut text, *outcome, *count, store);
    }
    if store.open > 0 {
        let _ = writeln!(text, "{:>7} open: not tried, or recovered since", store.open);
    }
    let file = folder.file("stored.csv");
    let _ = writeln!(text, "        each pair: {}", file.display());
    text
}

/// How many pairs are where.
pub(crate) fn in_words(store: &StoreInFigures) -> String {
    let pairs = store.pairs();
    let noun = if pairs == 1 { "pair" } else { "pairs" };
    format!("{} of {pairs} {noun} in {}", store.stored, store.place)
}

fn add_examples(text: &mut String, outcome: StoreOutcome, count: u32, store: &StoreInFigures) {
    let examples = store.examples.get(&outcome).map(Vec::as_slice).unwrap_or_default();
    for Example { id, message } in examples {
        let why = if message.is_empty() { outcome.in_words() } else { message.as_str() };
        let _ = writeln!(text, "        {id}: {why}");
    }
    let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(examples.len());
    if !examples.is_empty() && more > 0 {
        let _ = writeln!(text, "        and {more} more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::StoreOutcome,
        journal::test_journal::TestJournal,
        settings::{Settings, execution::Place},
        terminal::next::Next,
        views,
    };

    fn summary(journal: &TestJournal) -> (Summary, RunFolder) {
        let folder = journal.write();
        (views::look_at(&folder.journal()).unwrap().1, folder)
    }

    fn text(journal: &TestJournal) -> String {
        let (summary, folder) = summary(journal);
        let mut text = String::new();
        add(&mut text, &summary, &folder);
        text.replace(&folder.path().display().to_string(), "RUN_DIR")
    }

    #[test]
    fn the_end_says_what_became_of_the_pairs_and_what_to_do() {
        let mut journal = TestJournal::of(10);
        (1..=10).for_each(|row| journal.recover(row, "x"));
        assert_eq!(text(&journal), "");
        journal.begin_store("app", "public.ghl_installations");
        for (row, outcome, message) in [
            (1, "replaced", ""),
            (2, "replaced", ""),
            (3, "newer", ""),
            (4, "missing", ""),
            (5, "missing", ""),
            (6, "missing", ""),
            (7, "missing", ""),
            (8, "failed", "23514 installations_check on column expires_at"),
            (9, "already", ""),
        ] {
            journal.store(row, "x", outcome, message);
        }
        assert_eq!(
            text(&journal),
            "
Stored      4 of 10 pairs in postgres db.example.com/app public.ghl_installations
      2 replaced
      1 already
      1 newer: your app has refreshed it since; nothing to do
      4 missing: run store again with --insert, or use your app's own install flow
        Loc00000000000000004: no row for it
        Loc00000000000000005: no row for it
        Loc00000000000000006: no row for it
        and 1 more
      1 failed: run store again
        Loc00000000000000008: 23514 installations_check on column expires_at
      1 open: not tried, or recovered since
        each pair: RUN_DIR/stored.csv
"
        );
        journal.begin_store("app", "public.agencies");
        journal.store(10, "x", "inserted", "");
        assert!(
            text(&journal).starts_with(
                "\nStored      5 of 10 pairs in postgres db.example.com/app, 2 tables\n"
            )
        );
    }

    #[test]
    fn the_store_command_is_printed_as_long_as_pairs_are_to_be_stored() {
        let command = |journal: &TestJournal, place: Place| {
            let (mut summary, folder) = summary(journal);
            summary.settings.place = place;
            let settings = Settings::default();
            let next = Next { folder: folder.path(), settings: &settings, recorded: &settings };
            let command = next.store(&summary);
            command.map(|words| words.replace(&folder.path().display().to_string(), "RUN_DIR"))
        };
        let store = |to: &str| Some(format!("ghl-reconnect store RUN_DIR --to {to}"));
        let mut journal = TestJournal::of(2);
        assert_eq!(command(&journal, Place::Real), None, "nothing is recovered");
        (1..=2).for_each(|row| journal.recover(row, "x"));
        assert_eq!(command(&journal, Place::Real), store("env:DATABASE_URL"));
        assert_eq!(command(&journal, Place::Sandbox), None);
        for (kind, database, to) in [
            ("mysql", "app", "env:DATABASE_URL"),
            ("sqlite", "/srv/my app.db", "'/srv/my app.db'"),
            ("exec", "./store.sh", "exec:./store.sh"),
        ] {
            let began = serde_json::json!({ "kind": kind, "database": database });
            journal.add("store_began", began);
            assert_eq!(command(&journal, Place::Real), store(to));
        }
        journal.store(1, "x", "replaced", "");
        for outcome in StoreOutcome::ALL {
            journal.store(2, "x", outcome.name(), "");
            let is_left = outcome == StoreOutcome::Failed;
            assert_eq!(command(&journal, Place::Real).is_some(), is_left, "{outcome}");
        }
    }
}
