//! The options of `store`, and `run --to`.

use std::fs;

use super::{
    postgres::SUPABASE,
    recovered::{Pair, Recovered},
    schema::{Schema, assert_same, outcomes},
};
use crate::support::{MockServer, Work, entries, lines, location, locations};

/// A table into which a row can be inserted: everything else has a default.
const OPEN: Schema = Schema {
    setup: "create table ghl_tokens (id bigserial primary key, location_id text not null unique,
        company_id text, access_token text not null, refresh_token text not null,
        expires_at timestamptz not null, created_at timestamptz not null default now(),
        updated_at timestamptz not null default now())",
    row: "insert into ghl_tokens (location_id, company_id, access_token, refresh_token, expires_at,
        created_at, updated_at) values (:id, :company_id, :access_token, :refresh_token,
        :expires_iso, '2025-01-01', '2025-02-02')",
    save: "insert into ghl_tokens (location_id, company_id, access_token, refresh_token,
        expires_at) values (:id, :company_id, :access_token, :refresh_token, :expires_iso)
        on conflict (location_id) do update set access_token = excluded.access_token,
        refresh_token = excluded.refresh_token, expires_at = excluded.expires_at,
        updated_at = now()",
    now: &["updated_at", "created_at", "id"],
    ..Schema::postgres()
};

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let Some(app) = SUPABASE.open() else { return };
    let files = || -> Vec<(String, Vec<u8>)> {
        // Who holds the lock is written into it.
        let names = entries(&app.run).into_iter().filter(|name| name != ".lock");
        names.map(|name| (name.clone(), fs::read(app.run.join(name)).unwrap())).collect()
    };
    let before = (app.database.contents(), files());
    let ran = app.store().args(["--dry-run"]).go().expect(0);
    assert_same(&app.database.contents(), &before.0, &[]);
    let changed = files().into_iter().filter(|file| !before.1.contains(file));
    let changed: Vec<_> = changed.map(|(name, _)| name).collect();
    assert_eq!((changed.as_slice(), files().len()), (&[][..], before.1.len()), "of the run folder");
    for told in ["ghl_connections", "access_token", "connection_status", "updated_at"] {
        assert!(ran.stderr.contains(told) || ran.stdout.contains(told), "{told}: {}", ran.stderr);
    }
    app.assert_safe(&ran);
}

#[test]
fn json_is_for_programs() {
    let Some(app) = SUPABASE.open() else { return };
    for _ in 0..2 {
        let ran = app.store().args(["--json"]).go().expect(0);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one JSON value");
        assert!(told.is_object(), "{told}");
        assert!(ran.stdout.contains("40"), "{told}");
        app.assert_safe(&ran);
    }
}

#[test]
fn the_journal_and_the_files_say_what_was_done() {
    let Some(app) = SUPABASE.open() else { return };
    let ran = app.store().go();
    app.assert_outcomes(&ran, |_| "replaced");
    assert_eq!(ran.events("store_began").len(), 1);
    assert_eq!(ran.events("stored").len(), app.pairs().len());
    let began = &ran.events("store_began")[0];
    assert_eq!(began["kind"], "postgres");
    assert!(began["host"].as_str().unwrap().starts_with("127.0.0.1"), "{began}");
    let header = "row,scope,id,outcome,table,message,stored_at";
    assert_eq!(ran.header("stored.csv"), header);
    assert!(ran.summary()["store"].is_object());
    assert_eq!(ran.summary()["books_balance"], true);
    let kept = lines(&ran.file("replaced.jsonl"));
    assert_eq!(kept.len(), app.pairs().len());
    let stored = ran.text("stored.csv");
    fs::remove_file(ran.file("stored.csv")).unwrap();
    app.work.program(["report".as_ref(), app.run.as_os_str()]).go().expect(0);
    assert_eq!(ran.text("stored.csv"), stored, "report writes it again");
}

#[test]
fn what_is_missing_is_inserted_where_that_is_possible() {
    let missing = |pair: &Pair| if pair.n % 4 == 2 { "missing" } else { "replaced" };
    let Some(app) = (Schema { outcome: missing, ..OPEN }).open() else { return };
    let expected = app.database.copy();
    let without = app.store().args(["--dry-run"]).go();
    assert!(without.code < 2, "{}", without.stderr);
    let all = app
        .pairs()
        .iter()
        .fold(String::new(), |sql, pair| sql + &super::template::filled(OPEN.save, pair) + ";\n");
    expected.sql(&all);
    let ran = app.store().args(["--insert"]).go();
    app.assert_outcomes(&ran, |pair| if pair.n % 4 == 2 { "inserted" } else { "replaced" });
    // The ids of new rows depend on their order.
    let ids = "update ghl_tokens set id = 0 where id > 33";
    let free = "alter table ghl_tokens drop constraint ghl_tokens_pkey";
    for database in [&app.database, &expected] {
        database.sql(&format!("{free}; {ids}"));
    }
    assert_same(&app.database.contents(), &expected.contents(), &["updated_at", "created_at"]);
    let again = app.store().args(["--insert"]).go();
    app.assert_outcomes(&again, |_| "already");
    app.assert_safe(&ran);
}

#[test]
fn an_insert_that_cannot_be_is_refused_with_the_columns_in_the_way() {
    Schema {
        args: &["--insert"],
        outcome: |pair| if pair.n == 5 { "missing" } else { "replaced" },
        ..SUPABASE
    }
    .is_refused(&["user_id", "insert"]);
}

#[test]
fn of_several_runs_the_newest_pair_is_stored() {
    let Some(app) = SUPABASE.open() else { return };
    let work = &app.work;
    let (list, server) = (work.file("again.csv", list_of(&[2, 3, 4])), MockServer::good());
    let ran = work.run_into("again", list, &server.url()).args(["--again"]).go().expect(0);
    let newer: Vec<String> = ran
        .tokens()
        .iter()
        .map(|document| document["access_token"].as_str().unwrap().to_owned())
        .collect();
    let newest = work.path("again");
    for runs in [[&newest, &app.run], [&app.run, &newest]] {
        let run = work.program(["store".as_ref(), runs[0].as_os_str(), runs[1].as_os_str()]);
        let url = app.database.url();
        let run = run.args(["--to", "env:DATABASE_URL", "--yes"]).env("DATABASE_URL", url);
        let ran = run.go().expect(0);
        let table = app.database.table("ghl_connections");
        let stored = table.column("access_token");
        assert!(newer.iter().all(|token| stored.contains(&&**token)), "{}", ran.stderr);
        let first = app.pairs().iter().filter(|pair| stored.contains(&&*pair.access)).count();
        assert_eq!(first, app.pairs().len() - 3);
    }
}

fn list_of(numbers: &[usize]) -> String {
    numbers.iter().fold("location_id\n".to_owned(), |csv, n| csv + &location(*n) + "\n")
}

#[test]
fn a_run_stores_what_it_recovers() {
    let Some(app) = SUPABASE.open() else { return };
    let (list, server) = (app.work.file("list.csv", list_of(&[0, 1, 2])), MockServer::good());
    let run = app.work.run_into("stored", list, &server.url());
    let run = run.args(["--to", "env:DATABASE_URL", "--yes"]);
    let ran = run.env("DATABASE_URL", app.database.url()).go().expect(0);
    assert_eq!(outcomes(&ran).into_values().collect::<Vec<_>>(), ["replaced"; 3]);
    let table = app.database.table("ghl_connections");
    let stored = table.column("access_token");
    for document in ran.tokens() {
        assert!(stored.contains(&document["access_token"].as_str().unwrap()));
    }
    ran.assert_books_balance();
}

#[test]
fn a_run_that_was_killed_while_it_stored_stores_the_rest_by_the_same_command() {
    let Some(app) = SUPABASE.open() else { return };
    let (list, server) = (app.work.file("list.csv", list_of(&[0, 1, 2])), MockServer::good());
    let run = || {
        let run = app.work.run_into("stored", &list, &server.url());
        let run = run.args(["--to", "env:DATABASE_URL", "--yes", "--or-resume"]);
        run.env("DATABASE_URL", app.database.url()).go()
    };
    let ran = run().expect(0);
    let journal = ran.text("journal.jsonl");
    let (calls, _) = journal.split_once("{\"store_began\"").unwrap();
    fs::write(ran.file("journal.jsonl"), calls).unwrap();
    let before = server.requests();
    let again = run().expect(0);
    assert_eq!(server.requests(), before);
    assert_eq!(outcomes(&again).into_values().collect::<Vec<_>>(), ["already"; 3]);
}

#[test]
fn a_run_looks_at_the_store_before_its_first_call() {
    let Some(app) = (Schema { then: "drop table ghl_connections", ..SUPABASE }).open() else {
        return;
    };
    let (list, server) = (app.work.file("list.csv", list_of(&[0, 1, 2])), MockServer::good());
    let run = app.work.run_into("stored", list, &server.url());
    let run = run.args(["--to", "env:DATABASE_URL", "--yes"]);
    let ran = run.env("DATABASE_URL", app.database.url()).go().expect(2);
    assert_eq!(server.requests(), 0);
    assert!(ran.stderr.contains("--map"), "{}", ran.stderr);
}

#[test]
fn a_run_without_a_store_says_how_to_go_on() {
    let _ = Recovered::Locations.prepared();
    let (work, server) = (Work::new(), MockServer::good());
    let ran = work.run(work.file("list.csv", list_of(&[1])), &server.url()).go().expect(0);
    assert!(ran.stdout.contains("ghl-reconnect store"), "{}", ran.stdout);
}

#[cfg(unix)]
#[test]
fn the_pairs_of_a_rehearsal_are_said_to_be_made_up_and_a_helper_that_ends_early_stops_the_store() {
    let work = Work::new();
    let ran = work.rehearse(work.file("list.csv", locations(2))).go().expect(0);
    let store = work.program(["store"]).arg(&ran.folder).args(["--to", "exec:false"]);
    let stored = store.go().expect(3);
    assert!(stored.stderr.contains("SANDBOX: these pairs"), "{}", stored.stderr);
    assert!(stored.stderr.contains("ghl-reconnect store"), "{}", stored.stderr);
    let store = work.program(["store"]).arg(&ran.folder);
    let elsewhere = store.args(["--to", "postgres://app@db.example.com/app"]).go().expect(2);
    assert!(elsewhere.stderr.contains("on this machine only"), "{}", elsewhere.stderr);
}

#[test]
fn what_a_store_cannot_store_is_told_in_one_line_each() {
    let Some(app) = (Schema { then: "update ghl_connections set access_token = 'pit-00000000-0000-4000-8000-000000000001', refresh_token = '' where location_id like '%1'", ..SUPABASE }).open() else { return };
    let ran = app.store().go().expect(1);
    assert!(
        ran.stderr.contains("not_ours") || ran.stderr.contains("Private Integration"),
        "{}",
        ran.stderr
    );
}
