//! The tickets of runs whose journals are written event by event.

use std::fs;

use serde_json::json;

use crate::{
    journal::test_journal::{TestJournal, id},
    views,
};

/// A run in which one attempt failed, and which was halted long afterwards.
fn halted_later() -> TestJournal {
    let mut journal = TestJournal::of(3);
    journal.recover(1, "x");
    let failure = |class: &str, message: &str| {
        json!({
            "stage": "exchange", "class": class, "http_status": 502, "message": message,
            "trace_id": "t-1",
        })
    };
    let call = json!({ "at": "2027-01-15T08:00:30Z", "ms": 40, "http_status": 502 });
    journal.add(
        "retrying",
        json!({
            "row": 2, "id": id(2), "attempt": 1, "failure": failure("server_error", "Bad Gateway"),
            "call": call,
        }),
    );
    journal.add(
        "halted",
        json!({ "class": "server_error", "message": "no good answer", "at": "2027-01-15T09:00:00Z" }),
    );
    journal.add(
        "failed",
        json!({
            "row": 2, "id": id(2), "attempts": 1, "started_at": "2027-01-15T08:00:29Z",
            "at": "2027-01-15T09:00:01Z", "trace_ids": ["t-1"],
            "failure": failure("halted", "the run was halted before the next attempt, after this"),
        }),
    );
    journal.add("finished", json!({ "at": "2027-01-15T09:00:02Z" }));
    journal
}

#[test]
fn times_are_those_of_the_calls_not_of_the_halt_that_ended_the_row() {
    let journal = halted_later();
    let folder = journal.write();
    views::write_all(&folder, None).unwrap();
    let [text, table] = ["escalation.md", "escalation.csv"]
        .map(|name| fs::read_to_string(folder.file(name)).unwrap());
    for part in [
        "## 1. halted with 2 of 3 installations not attempted: server_error: `no good answer`\n",
        "- Calls of this run that failed: 1: HTTP 502 at exchange (1)\n",
        "- The run was halted: 2027-01-15T09:00:00.000Z UTC, `no good answer`\n",
        "- 2027-01-15T08:00:30.000Z, location `Loc00000000000000002`, trace id `t-1`\n",
        "--data-urlencode 'code=<CODE>'",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let failed =
        "HTTP 502 at exchange (1),1,2027-01-15T08:00:30.000Z,2027-01-15T08:00:30.000Z,t-1\n";
    assert!(table.ends_with(failed), "{table}");
}
