//! What shards wrote into the app's store, and what of it is a run's.

use std::fs;

use serde_json::{Value, json};

use super::{assert_report_changes_nothing, merge, names, shard};
use crate::{
    schemas,
    support::{MockServer, Ran, Work, lines, locations, rows, sealed},
};

/// Adds what `store` does: every pair of a shard but the first one stands in a table of a database, whose
/// old rows are kept.
fn store(ran: &Ran, database: &str, table: &str) {
    let mut journal = ran.text("journal.jsonl");
    let mut add = |event: Value| journal.push_str(&(sealed(&event.to_string()) + "\n"));
    let at = "2099-01-01T00:00:00Z";
    add(json!({ "store_began": {
        "at": at, "kind": "postgres", "host": "db.example.com", "database": database, "table": table,
    }}));
    let mut replaced = String::new();
    for (place, saving) in ran.events("saving").iter().enumerate() {
        let (row, token_line) = (&saving["row"], &saving["token_line"]);
        let id =
            ran.events("listed").iter().find(|e| e["row"] == *row).unwrap()["installation"]["id"]
                .clone();
        let outcome = if place == 0 { "missing" } else { "replaced" };
        let stored =
            json!({ "row": row, "id": id, "at": at, "outcome": outcome, "token_line": token_line });
        add(json!({ "stored": stored }));
        let line = json!({ "row": row, "id": id, "table": table, "token_line": token_line });
        replaced += &(line.to_string() + "\n");
    }
    fs::write(ran.file("journal.jsonl"), journal).unwrap();
    fs::write(ran.file("replaced.jsonl"), replaced).unwrap();
}

/// Two shards with their pairs in these databases, merged.
fn merged(work: &Work, databases: [&str; 2]) -> Ran {
    let server = MockServer::good();
    let list = work.file("list.csv", locations(12));
    for (name, database) in names(2).iter().zip(databases) {
        let ran = shard(work, &list, &server.url(), name).go().expect(0);
        store(&ran, database, &format!("public.of_{}", name.replace('/', "_")));
    }
    let merged = merge(work, &names(2)).go().expect(0);
    schemas::assert_follows(&merged);
    merged.assert_books_balance();
    assert_report_changes_nothing(work, &merged);
    assert_eq!(lines(&merged.file("replaced.jsonl")).len(), 12, "whatever the store is");
    merged
}

#[test]
fn pairs_of_all_shards_in_one_store_are_told_together() {
    let work = Work::new();
    let merged = merged(&work, ["app", "app"]);
    let store = &merged.summary()["store"];
    assert_eq!(
        (&store["outcomes"]["replaced"], &store["outcomes"]["missing"]),
        (&json!(10), &json!(2))
    );
    let stored = rows(&merged.file("stored.csv"));
    assert_eq!(stored.len(), 12);
    for table in ["public.of_1_2", "public.of_2_2"] {
        let own = stored.iter().filter(|row| row["table"] == table).count();
        assert!(own > 0 && own < 12, "{table}: {own}");
    }
}

#[test]
fn pairs_in_several_stores_are_none_in_the_store_of_the_run() {
    let work = Work::new();
    let merged = merged(&work, ["east", "west"]);
    assert!(merged.summary().get("store").is_none());
    assert!(merged.events("stored").is_empty() && merged.events("store_began").is_empty());
}
