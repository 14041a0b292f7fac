//! Run folders whose journals tests write event by event.

use std::{fs, path::PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{disk::Disk, folder::RunFolder, seal, state::RunState};
use crate::{checksum::Checksum, event::Event, settings::Settings};

/// A run over some sub-accounts, whose rows begin with 1.
pub(crate) struct TestJournal {
    place: TempDir,
    lines: Vec<u8>,
    seconds: i64,
}

/// The id of the sub-account of a row.
pub(crate) fn id(row: u32) -> String {
    format!("Loc{row:017}")
}

impl TestJournal {
    /// A run that has read its list.
    pub(crate) fn of(rows: u32) -> Self {
        let mut journal =
            Self { place: tempfile::tempdir().unwrap(), lines: Vec::new(), seconds: 0 };
        fs::create_dir(journal.path()).unwrap();
        journal.add("started", json!({
            "format": 1, "run_id": "0".repeat(32), "version": "0",
            "client_id": "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef",
            "list": { "name": "list.csv", "digest": "0".repeat(64), "shape": "CSV", "columns": [] },
            "settings": Settings::default().written().unwrap(),
        }));
        for row in 1..=rows {
            let installation = json!({ "scope": "location", "id": id(row) });
            let listed =
                json!({ "row": row, "line": row + 1, "installation": installation, "values": [] });
            journal.add("listed", listed);
        }
        journal.add("ready", json!({ "input": rows, "digest": "0".repeat(64) }));
        journal
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("run")
    }

    /// Adds an event, a second after the one before; `at` is put in where it has none.
    pub(crate) fn add(&mut self, kind: &str, mut event: Value) {
        let at = Timestamp::from_second(1_800_000_000 + self.seconds).unwrap();
        self.seconds += 1;
        let has_no_time = matches!(kind, "listed" | "saving");
        if !has_no_time && event.get("at").is_none() {
            event["at"] = json!(at);
        }
        let event: Event = serde_json::from_value(json!({ kind: event })).unwrap();
        self.lines.extend(seal::sealed(&event).unwrap());
        self.lines.push(b'\n');
    }

    /// Adds an event that no version of the program has yet.
    pub(crate) fn add_unknown(&mut self) {
        let body = r#"{"unheard_of":{}"#;
        let line = format!("{body},\"checksum\":\"{}\"}}\n", Checksum::of(body.as_bytes()));
        self.lines.extend(line.as_bytes());
    }

    /// Lets the events that follow come as much earlier.
    pub(crate) fn set_back(&mut self, seconds: i64) {
        self.seconds -= seconds;
    }

    /// Adds the events of a pair that is on disk; its line has this text.
    pub(crate) fn recover(&mut self, row: u32, line: &str) {
        let checksum = Checksum::of(line.as_bytes());
        let call = |second: i64| {
            let at = Timestamp::from_second(1_800_000_000 + self.seconds + second).unwrap();
            json!({ "at": at, "ms": 120, "http_status": 200 })
        };
        let (reconnect, exchange) = (call(0), call(1));
        let exchanging = json!({ "row": row, "id": id(row), "attempt": 1, "reconnect": reconnect });
        self.add("exchanging", exchanging);
        self.add("saving", json!({ "row": row, "file": "tokens", "token_line": checksum }));
        self.add(
            "recovered",
            json!({
                "row": row, "id": id(row), "attempts": 1, "started_at": reconnect["at"],
                "exchange": exchange, "code_age_ms": 7,
            }),
        );
    }

    /// Adds the beginning of a store in a table of a database.
    pub(crate) fn begin_store(&mut self, database: &str, table: &str) {
        self.add(
            "store_began",
            json!({
                "kind": "postgres", "host": "db.example.com", "database": database, "table": table,
                "mapping": { "where": { "location_id": "id" } },
            }),
        );
    }

    /// Adds what became of the pair of a line.
    pub(crate) fn store(&mut self, row: u32, line: &str, outcome: &str, message: &str) {
        self.add(
            "stored",
            json!({
                "row": row, "id": id(row), "outcome": outcome, "message": message,
                "token_line": Checksum::of(line.as_bytes()),
            }),
        );
    }

    /// Writes the journal into its folder.
    pub(crate) fn write(&self) -> RunFolder {
        fs::write(self.path().join("journal.jsonl"), &self.lines).unwrap();
        RunFolder::open(&self.path(), Disk::default()).unwrap()
    }

    /// The state of the run by the journal.
    pub(crate) fn state(&self) -> RunState {
        RunState::read(&self.write().journal(), |_| {}).unwrap()
    }
}
