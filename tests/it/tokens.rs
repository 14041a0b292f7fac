//! `tokens`: the newest pair of each installation over a chain of runs, byte for byte, and nothing
//! changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{
    Launch, MockServer, Ran, Row, Work, entries, location, locations, start_silent, wait_until,
};

/// Lines of token files by their installation; those of later files go before those of earlier ones.
fn lines_of(files: &[PathBuf]) -> BTreeMap<String, String> {
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let texts: Vec<_> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| (id_of(line), line.to_owned())).collect()
}

fn id_of(line: &str) -> String {
    text_of(&serde_json::from_str(line).unwrap(), "resourceId")
}

fn text_of(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

/// `tokens` of these folders with these options.
fn tokens(work: &Work, folders: &[&Path], options: &[&str]) -> Ran {
    let ran = work.program(["tokens"]).args(folders.iter().copied()).args(options.iter()).go();
    for secret in ["eyJ", "refresh_token\":"] {
        assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
    }
    ran
}

fn table(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|row| row.unwrap()).collect()
}

fn ms(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Every format gives these lines, each once.
fn assert_gives(work: &Work, folders: &[&Path], lines: &BTreeMap<String, String>) {
    let ran = tokens(work, folders, &["--format", "jsonl"]).expect(0);
    let printed: BTreeMap<_, _> =
        ran.stdout.lines().map(|line| (id_of(line), line.to_owned())).collect();
    assert_eq!(&printed, lines);
    assert_eq!(ran.stdout.lines().count(), lines.len(), "each once");
    assert!(ran.stdout.ends_with('\n'));

    let rows = table(&tokens(work, folders, &[]).expect(0).stdout);
    assert_eq!(rows.len(), lines.len());
    for row in rows {
        let document: Value = serde_json::from_str(&lines[&row["id"]]).unwrap();
        for (column, field) in [
            ("app", "applicationId"),
            ("access_token", "access_token"),
            ("refresh_token", "refresh_token"),
            ("token_type", "token_type"),
            ("oauth_scope", "scope"),
            ("user_type", "userType"),
            ("company_id", "companyId"),
            ("location_id", "locationId"),
            ("user_id", "userId"),
        ] {
            assert_eq!(row[column], text_of(&document, field), "{column}");
        }
        assert_eq!(row["kind"], text_of(&document, "userType").to_lowercase());
        assert_eq!(ms(&row["expires_at"]), document["expire_at"].as_i64().unwrap());
        let life = document["expires_in"].as_i64().unwrap();
        assert_eq!(row["expires_in"], life.to_string());
        assert_eq!(ms(&row["granted_at"]) + life * 1000, ms(&row["expires_at"]));
    }

    assert_gives_variables(work, folders, lines);
}

/// The same for variables, where there is a shell.
fn assert_gives_variables(work: &Work, folders: &[&Path], lines: &BTreeMap<String, String>) {
    if cfg!(not(unix)) {
        return;
    }
    let script = tokens(work, folders, &["--format", "env"]).expect(0).stdout;
    let read = variables(&script);
    for (id, line) in lines {
        let document: Value = serde_json::from_str(line).unwrap();
        let expiry = ms(&read[&format!("GHL_TOKEN_EXPIRES_AT_{id}")]);
        assert_eq!(read[&format!("GHL_ACCESS_TOKEN_{id}")], text_of(&document, "access_token"));
        assert_eq!(read[&format!("GHL_REFRESH_TOKEN_{id}")], text_of(&document, "refresh_token"));
        assert_eq!(expiry, document["expire_at"].as_i64().unwrap());
    }
    assert_eq!(read.len(), lines.len() * 3);
}

/// What a shell makes of lines `NAME=value`.
fn variables(script: &str) -> BTreeMap<String, String> {
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().args(["-c", &format!("set -a\n{script}\nexec /usr/bin/env -0")]);
    let output = shell.capture().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let ours = pairs.filter(|(name, _)| name.starts_with("GHL_"));
    ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The files of a run but its lock, which says who held it.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = entries(folder).into_iter().filter(|name| name != ".lock");
    names.map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap())).collect()
}

const LIST: &str = "location_id,Plan,access_token,note\n";

/// A list with columns of its own.
fn list(count: usize) -> String {
    (0..count).fold(LIST.to_owned(), |csv, n| {
        csv + &format!("{},plan {n},old-token-{n}-0123456789,=note {n}\n", location(n))
    })
}

/// A run of six of which two fail, and a run over its failures.
fn chain(work: &Work) -> (MockServer, Ran, Ran) {
    let faults = json!({ location(1): ["not_installed*"], location(2): ["not_installed*"] });
    let mut server = MockServer::faulty(&faults);
    let first = work.run_into("first", work.file("list.csv", list(6)), &server.url()).go();
    let first = first.expect(1);
    server.set_faults(&json!({}));
    server.next_run();
    let run = work.run_into("second", first.file("failures.csv"), &server.url());
    let second = run.arg("--all").go().expect(0);
    second.assert_sound(&server);
    (server, first, second)
}

#[test]
fn a_chain_gives_every_pair_once_in_every_format_and_stays_as_it_is() {
    let work = Work::new();
    let (_server, first, second) = chain(&work);
    let files = [first.file("tokens.jsonl"), second.file("tokens.jsonl")];
    let (all, before) = (lines_of(&files), [content(&first.folder), content(&second.folder)]);
    assert_eq!(all.len(), 6);
    assert_gives(&work, &[&second.folder], &all);
    assert_gives(&work, &[&second.folder, &first.folder, &first.folder], &all);
    assert_gives(&work, &[&first.folder], &lines_of(&files[..1]));
    let said = tokens(&work, &[&second.folder], &[]).stderr;
    assert!(said.contains("6 pairs: 4 of ") && said.contains("2 of "), "{said}");
    assert_eq!([content(&first.folder), content(&second.folder)], before);
}

#[test]
fn an_earlier_run_that_has_moved_is_noted_and_found_where_it_is_named() {
    let work = Work::new();
    let (_server, first, second) = chain(&work);
    let moved = work.path("moved");
    fs::rename(&first.folder, &moved).unwrap();
    let alone = tokens(&work, &[&second.folder], &["--format", "jsonl"]).expect(0);
    assert_eq!(alone.stdout, second.text("tokens.jsonl"));
    assert!(alone.stderr.contains("is not there any more"), "{}", alone.stderr);
    let both = tokens(&work, &[&second.folder, &moved], &["--format", "jsonl"]).expect(0);
    assert_eq!(both.stdout.lines().count(), 6);
    assert!(!both.stderr.contains("any more"), "{}", both.stderr);
    // Another run where the first one was is not taken for it.
    fs::create_dir(&first.folder).unwrap();
    for (name, bytes) in content(&second.folder) {
        fs::write(first.file(&name), bytes).unwrap();
    }
    let alone = tokens(&work, &[&second.folder], &["--format", "jsonl"]).expect(0);
    assert_eq!(alone.stdout, second.text("tokens.jsonl"));
    assert!(alone.stderr.contains("is not there any more"), "{}", alone.stderr);
    let copies = tokens(&work, &[&second.folder, &first.folder], &[]).expect(2);
    assert!(copies.stderr.contains("name one of them"), "{}", copies.stderr);
    assert_eq!(copies.stdout, "");
}

#[test]
fn the_newest_pair_wins_whichever_run_began_later() {
    let work = Work::new();
    let server = MockServer::faulty(&json!({ location(1): ["not_installed*"] }));
    let list = work.file("list.csv", locations(4));
    let one = work.run(&list, &server.url()).go().expect(1);
    server.set_faults(&json!({}));
    let two = work.run_into("two", &list, &server.url()).arg("--again").go().expect(0);
    let (one_file, two_file) = (one.file("tokens.jsonl"), two.file("tokens.jsonl"));
    let all_of_two = lines_of(&[one_file.clone(), two_file.clone()]);
    for folders in [[&*one.folder, &*two.folder], [&*two.folder, &*one.folder]] {
        assert_gives(&work, &folders, &all_of_two);
    }
    // The run that began first gets its last pair after the other one.
    let again = work.resume(&server.url()).args(["--retry-failed", "--again"]).go().expect(0);
    assert_eq!(again.tokens().len(), 4);
    let mut newest = all_of_two;
    newest.insert(location(1), lines_of(&[one_file])[&location(1)].clone());
    assert_gives(&work, &[&one.folder, &two.folder], &newest);
}

#[test]
fn a_killed_run_gives_what_is_on_disk() {
    let work = Work::new();
    let server = MockServer::good();
    let list = work.file("list.csv", locations(400));
    let mut child = start_silent(work.run(&list, &server.url()).rate("40/s").command());
    wait_until("some tokens", || server.audit().grants.len() >= 10);
    let folder = work.path("run");
    let held = tokens(&work, &[&folder], &[]).expect(4);
    assert!(held.stderr.contains(&format!("process {}", child.id())), "{}", held.stderr);
    assert_eq!(held.stdout, "");
    child.kill().unwrap();
    child.wait().unwrap();
    let before = content(&folder);
    let on_disk = String::from_utf8(before["tokens.jsonl"].clone()).unwrap();
    let whole = on_disk.rfind('\n').map_or(0, |end| end + 1);
    let ran = tokens(&work, &[&folder], &["--format", "jsonl"]).expect(0);
    assert_eq!(ran.stdout, on_disk[..whole]);
    assert_eq!(content(&folder), before);
}

#[test]
fn a_pair_whose_event_was_lost_counts() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).args(["--concurrency", "1"]).go().expect(0);
    let journal = ran.text("journal.jsonl");
    let end = journal.rfind("{\"recovered\"").unwrap();
    fs::write(ran.file("journal.jsonl"), &journal[..end]).unwrap();
    let given = tokens(&work, &[&ran.folder], &["--format", "jsonl"]).expect(0);
    assert_eq!(given.stdout, ran.text("tokens.jsonl"));
    assert!(given.stderr.contains("1 installation is on disk though"), "{}", given.stderr);
}

#[test]
fn damaged_lines_are_named_and_never_printed() {
    let work = Work::new();
    let (_server, _first, second) = chain(&work);
    let file = second.file("tokens.jsonl");
    let good = fs::read_to_string(&file).unwrap();
    let changed = good.replacen("\"access_token\":\"", "\"access_token\":\"X", 1);
    fs::write(&file, &changed).unwrap();
    for format in ["csv", "jsonl", "env"] {
        let ran = tokens(&work, &[&second.folder], &["--format", format]).expect(4);
        let place = format!("{}, line 1: damaged", file.display());
        let resume = format!("ghl-reconnect resume {}", second.folder.display());
        assert!(ran.stderr.contains(&place) && ran.stderr.contains(&resume), "{}", ran.stderr);
        let damaged = id_of(changed.lines().next().unwrap());
        let whole = id_of(changed.lines().nth(1).unwrap());
        assert!(!ran.stdout.contains(&damaged) && ran.stdout.contains(&whole), "{}", ran.stdout);
    }
    // A pair that is refused where it is checked stands elsewhere; one that was put back is not used.
    fs::write(&file, good.lines().next().unwrap().to_owned() + "\n").unwrap();
    let ran = tokens(&work, &[&second.folder], &["--format", "jsonl"]).expect(4);
    assert!(ran.stderr.contains("does not have the pair"), "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 5);
}

#[test]
fn a_missing_token_file_is_refused_unless_its_tokens_were_handed_on() {
    let work = Work::new();
    let server = MockServer::good();
    let ran = work.run(work.file("list.csv", locations(3)), &server.url()).go().expect(0);
    fs::remove_file(ran.file("tokens.jsonl")).unwrap();
    let gone = tokens(&work, &[&ran.folder], &[]).expect(4);
    for says in ["tokens.jsonl is missing", "3 installations", "--tokens-handed-on"] {
        assert!(gone.stderr.contains(says), "{says}: {}", gone.stderr);
    }
    assert!(!ran.file("tokens.jsonl").exists());
    work.resume(&server.url()).arg("--tokens-handed-on").go().expect(0);
    let none = tokens(&work, &[&ran.folder], &[]).expect(0);
    assert_eq!(none.stdout.lines().count(), 1, "the header: {}", none.stdout);
    assert!(none.stderr.contains("3 installations are handed on"), "{}", none.stderr);
}

#[test]
fn columns_of_the_list_stand_beside_the_pairs_and_secrets_never_do() {
    let work = Work::new();
    let (_server, _first, second) = chain(&work);
    let named = tokens(&work, &[&second.folder], &["--columns", "plan,note,location_id"]).expect(0);
    let header = named.stdout.lines().next().unwrap();
    assert!(header.ends_with(",granted_at,Plan,note,list_location_id"), "{header}");
    let rows = table(&named.stdout);
    let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, (0..6).map(location).collect());
    for row in rows {
        let n = (0..6).find(|n| location(*n) == row["id"]).unwrap();
        assert_eq!(row["Plan"], format!("plan {n}"));
        assert_eq!(row["note"], format!("'=note {n}"));
        assert_eq!(row["list_location_id"], row["id"]);
    }
    for (options, says) in [
        (vec!["--columns", "Nome"], "--columns: the list has no column Nome; it has "),
        (vec!["--columns", "Nome"], "Plan"),
        (vec!["--columns", "plan,access_token"], "--columns: access_token may hold secrets"),
        (vec!["--columns", "plan", "--format", "jsonl"], "--columns"),
        (vec!["--format", "xml"], "jsonl"),
    ] {
        let refused = tokens(&work, &[&second.folder], &options).expect(2);
        assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    tokens(&work, &[], &[]).expect(2);
    tokens(&work, &[&work.path("nowhere")], &[]).expect(2);
    tokens(&work, &[&work.path("list.csv")], &[]).expect(2);
}

#[test]
fn a_rehearsal_and_a_real_run_are_never_given_together() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    let real = work.run_into("real", &list, &server.url()).go().expect(0);
    let rehearsal = work.rehearse(&list).go().expect(0);
    let mixed = tokens(&work, &[&real.folder, &rehearsal.folder], &[]).expect(2);
    for says in ["a rehearsal", "a real run", "name one kind"] {
        assert!(mixed.stderr.contains(says), "{says}: {}", mixed.stderr);
    }
    assert_eq!(mixed.stdout, "");
    assert_gives(&work, &[&rehearsal.folder], &lines_of(&[rehearsal.file("tokens.jsonl")]));
}

#[test]
fn ids_that_would_share_a_name_are_no_variables() {
    let (work, server) = (Work::new(), MockServer::good());
    let csv = "location_id\nLoc-45678901234567890\nLoc_45678901234567890\n";
    let ran = work.run(work.file("list.csv", csv), &server.url()).go().expect(0);
    let refused = tokens(&work, &[&ran.folder], &["--format", "env"]).expect(2);
    assert!(
        refused.stderr.contains("GHL_ACCESS_TOKEN_Loc_45678901234567890"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stdout, "");
    assert_eq!(table(&tokens(&work, &[&ran.folder], &[]).expect(0).stdout).len(), 2);
}
