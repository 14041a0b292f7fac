//! What may go wrong while `store` writes: nothing is lost, nothing newer is overwritten, and a second
//! `store` gets to where a lucky one ends.

use std::{fs, io::Write, process::Child, thread, time::Duration};

use super::{
    recovered::{Pair, Recovered},
    schema::{App, Schema, assert_same, outcomes},
    template::filled,
};
use crate::support::{
    Ran, lines,
    servers::{MariaDb, Postgres},
    start, wait_until,
};

/// Two thousand rows, each of which takes a millisecond to be written.
const SLOW: Schema = Schema {
    setup: "create table ghl_tokens (location_id text primary key, access_token text,
        refresh_token text, expires_at timestamptz, note text)",
    row: "insert into ghl_tokens values (:id, :access_token, :refresh_token, :expires_iso)",
    then: "create function slow() returns trigger language plpgsql as $$ begin
            perform pg_sleep(0.0005); return new; end $$;
        create trigger slow before update on ghl_tokens for each row execute function slow()",
    save: "update ghl_tokens set access_token = :access_token, refresh_token = :refresh_token,
        expires_at = :expires_iso where location_id = :id",
    run: Recovered::Many,
    ..Schema::postgres()
};

/// The same for MariaDB, without the sleep.
const MANY_IN_MARIADB: Schema = Schema {
    setup: "create table ghl_tokens (location_id varchar(64) primary key, access_token text,
        refresh_token text, expires_at datetime(3), note text)",
    row: "insert into ghl_tokens values (:id, :access_token, :refresh_token, :expires_sql, null)",
    save: "update ghl_tokens set access_token = :access_token, refresh_token = :refresh_token,
        expires_at = :expires_sql where location_id = :id",
    run: Recovered::Many,
    ..Schema::mariadb()
};

/// How many rows have the pair of the run, or one that is newer.
fn new_rows(app: &App) -> usize {
    let count = "select count(*) from ghl_tokens where expires_at > now()";
    app.database.sql(count).parse().unwrap()
}

/// Checks that each row has the old pair or the new one, and that the old one of each that has the new
/// one is kept.
#[track_caller]
fn assert_none_is_lost(app: &App) {
    let file = app.run.join("replaced.jsonl");
    let kept = if file.exists() { fs::read_to_string(file).unwrap() } else { String::new() };
    let rows = app
        .database
        .sql("select concat(location_id, ' ', access_token, ' ', refresh_token) from ghl_tokens");
    for pair in app.pairs() {
        let old = pair.old();
        let row = |pair: &Pair| format!("{} {} {}", pair.id, pair.access, pair.refresh);
        let is_new = rows.contains(&row(pair));
        assert!(is_new || rows.contains(&row(&old)), "{} has neither", pair.id);
        let is_kept = kept.contains(&old.access) && kept.contains(&old.refresh);
        assert!(!is_new || is_kept, "{} was replaced and is not in replaced.jsonl", pair.id);
    }
}

#[track_caller]
fn assert_converges(app: &App) {
    let ran = app.store().go();
    app.assert_outcomes(&ran, |pair| match &*outcomes(&ran)[&pair.id] {
        "already" => "already",
        _ => "replaced",
    });
    assert_same(&app.database.contents(), &app.saved_by_the_app().contents(), &[]);
    assert_none_is_lost(app);
    app.assert_safe(&ran);
}

fn begin(app: &App) -> Child {
    let child = start(app.store().command());
    wait_until("some rows", || new_rows(app) > 100);
    child
}

#[test]
fn a_kill_in_the_middle_of_a_batch_loses_nothing() {
    let Some(app) = SLOW.open() else { return };
    for _ in 0..3 {
        let mut child = start(app.store().command());
        let before = new_rows(&app);
        wait_until("some rows", || new_rows(&app) > before + 100);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_none_is_lost(&app);
    }
    assert!(new_rows(&app) < 2000, "it was killed too late");
    assert_converges(&app);
}

#[test]
fn a_kill_in_any_phase_loses_nothing() {
    let Some(app) = (Schema { run: Recovered::Locations, ..SLOW }).open() else { return };
    let begun = std::time::Instant::now();
    let whole = app.store().args(["--dry-run"]).go();
    let (look, mut ms) = (begun.elapsed().as_millis(), 0);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    while ms < 2 * u64::try_from(look).unwrap() {
        let mut child = start(app.store().command());
        thread::sleep(Duration::from_millis(ms));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_none_is_lost(&app);
        ms += 10;
    }
    assert_converges(&app);
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    let finished = SLOW.run.prepared();
    let work = crate::support::Work::new();
    let Some(server) = Postgres::own() else { return };
    let app = App::open_in(server.database(), work, SLOW, finished);
    let child = begin(&app);
    server.kill();
    thread::sleep(Duration::from_millis(300));
    server.start();
    let ran = end(&app, child);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(&app.database.contents(), &app.saved_by_the_app().contents(), &[]);
    assert_none_is_lost(&app);
    app.assert_safe(&ran);
}

#[test]
fn a_server_that_stays_away_ends_the_store_and_the_next_one_goes_on() {
    let finished = SLOW.run.prepared();
    let work = crate::support::Work::new();
    let Some(server) = Postgres::own() else { return };
    let app = App::open_in(server.database(), work, SLOW, finished);
    let child = start(app.store().args(["--max-outage", "1s"]).command());
    wait_until("some rows", || new_rows(&app) > 100);
    server.kill();
    let ran = end(&app, child);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("ghl-reconnect store"), "{}", ran.stderr);
    let refused = app.store().args(["--max-outage", "1s"]).go();
    assert!(matches!(refused.code, 2 | 3), "{}: {}", refused.code, refused.stderr);
    app.assert_safe(&refused);
    server.start();
    assert_none_is_lost(&app);
    assert_converges(&app);
}

#[test]
fn mariadb_that_restarts_is_waited_for() {
    let finished = MANY_IN_MARIADB.run.prepared();
    let work = crate::support::Work::new();
    let Some(server) = MariaDb::own() else { return };
    let app = App::open_in(server.database(), work, MANY_IN_MARIADB, finished);
    let child = begin(&app);
    server.kill();
    thread::sleep(Duration::from_millis(300));
    server.start();
    let ran = end(&app, child);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(&app.database.contents(), &app.saved_by_the_app().contents(), &[]);
    assert_none_is_lost(&app);
}

#[test]
fn a_lock_that_another_session_holds_for_a_while_is_waited_for() {
    for schema in [SLOW, MANY_IN_MARIADB] {
        let schema = Schema { run: Recovered::Locations, ..schema };
        let Some(app) = schema.open() else { continue };
        let (id, sleep) =
            (&app.pairs()[7].id, if schema.then.is_empty() { "sleep" } else { "pg_sleep" });
        let mut held = app.database.session();
        held.say(&format!(
            "begin; select 1 from ghl_tokens where location_id = '{id}' for update;
             select {sleep}(1.5); commit;\n"
        ));
        wait_until("the lock", || held.has_answered());
        let ran = app.store().go();
        app.assert_outcomes(&ran, |_| "replaced");
        held.end();
    }
}

#[test]
fn a_file_that_another_process_has_locked_is_waited_for() {
    let schema = Schema {
        setup: "create table ghl_tokens (location_id TEXT, access_token TEXT, refresh_token TEXT)",
        row: "insert into ghl_tokens values (:id, :access_token, :refresh_token)",
        ..Schema::sqlite()
    };
    let Some(app) = schema.open() else { return };
    let mut held = app.database.session();
    held.say("begin immediate; select 1;\n");
    wait_until("the lock", || held.has_answered());
    let child = start(app.store().command());
    thread::sleep(Duration::from_secs(1));
    held.say("commit;\n");
    let ran = end(&app, child);
    app.assert_outcomes(&ran, |_| "replaced");
    held.end();
}

/// The app's own refresher writes a newer pair into every other row meanwhile.
#[test]
fn a_refresher_that_races_keeps_all_that_it_wrote() {
    for schema in [SLOW, MANY_IN_MARIADB] {
        let Some(app) = schema.open() else { continue };
        let refreshed: Vec<Pair> =
            app.pairs().iter().filter(|pair| pair.n % 2 == 0).map(Pair::newer).collect();
        let mut order = refreshed.clone();
        fastrand::Rng::with_seed(13).shuffle(&mut order);
        let script = order
            .iter()
            .fold(String::new(), |sql, pair| sql + &filled(app.schema.save, pair) + ";\n");
        let child = start(app.store().command());
        app.database.sql(&script);
        let ran = end(&app, child);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let rows = app.database.sql(
            "select concat(location_id, ' ', access_token, ' ', refresh_token) from ghl_tokens",
        );
        let count = |pairs: &mut dyn Iterator<Item = &Pair>| {
            pairs
                .filter(|pair| {
                    rows.contains(&format!("{} {} {}", pair.id, pair.access, pair.refresh))
                })
                .count()
        };
        assert_eq!(count(&mut refreshed.iter()), 1000, "pairs of the refresher");
        let others = &mut app.pairs().iter().filter(|pair| pair.n % 2 == 1);
        assert_eq!(count(others), 1000, "pairs of the run");
        let told = outcomes(&ran);
        assert!(
            told.values().any(|outcome| outcome == "newer")
                || told.values().all(|o| o == "replaced")
        );
        app.assert_safe(&ran);
    }
}

#[test]
fn a_deadlock_is_tried_again() {
    for schema in [SLOW, MANY_IN_MARIADB] {
        let Some(app) = (Schema { run: Recovered::Locations, ..schema }).open() else { continue };
        let sleep = if schema.then.is_empty() { "sleep" } else { "pg_sleep" };
        // From the last row to the first, with a pause in which the batch gets all but the last.
        let backwards =
            app.pairs().iter().rev().step_by(13).fold("begin;\n".to_owned(), |sql, pair| {
                let touch =
                    format!("update ghl_tokens set note = 'x' where location_id = '{}'", pair.id);
                sql + &touch + &format!(";\nselect {sleep}(0.3);\n")
            });
        let mut held = app.database.session();
        held.say(&(backwards + "commit;\n"));
        wait_until("its first row", || held.has_answered());
        let ran = app.store().go();
        app.assert_outcomes(&ran, |_| "replaced");
        held.end();
        assert_eq!(new_rows(&app), app.pairs().len());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_stops_it_before_a_row_is_lost() {
    use crate::support::SmallDisk;
    let Some(mut app) = SLOW.open() else { return };
    let Some(small) = SmallDisk::mount(app.work.path("small"), "size=64m") else { return };
    app.run = app.finished.write_to(&small.path().join("run"));
    let filler = small.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    // Room for some rows and not for all.
    file.set_len(file.metadata().unwrap().len() - (600 << 10)).unwrap();
    let ran = Ran { folder: app.run.clone(), ..app.store().go() };
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
    assert!(new_rows(&app) < 2000);
    assert_none_is_lost(&app);
    drop(file);
    fs::remove_file(filler).unwrap();
    let ran = Ran { folder: app.run.clone(), ..app.store().go() };
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(new_rows(&app), 2000);
    assert_none_is_lost(&app);
    assert!(lines(&app.run.join("replaced.jsonl")).len() >= 2000);
}

#[test]
fn an_interrupt_ends_with_whole_batches() {
    let Some(app) = SLOW.open() else { return };
    let child = begin(&app);
    #[cfg(unix)]
    crate::support::signal(&child, "-INT");
    let ran = end(&app, child);
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert_none_is_lost(&app);
    let told = outcomes(&ran).into_values().filter(|outcome| outcome == "replaced").count();
    assert_eq!(told, new_rows(&app), "what stored.csv says, and what is stored");
    assert_converges(&app);
}

fn end(app: &App, child: Child) -> Ran {
    Ran { folder: app.run.clone(), ..app.work.end(child) }
}
