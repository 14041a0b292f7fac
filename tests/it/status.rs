//! Where a run stands: told from outside, at any time, without touching anything.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::Child,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    Launch, MockServer, Ran, Reply, ScriptedServer, Work, entries, location, locations, start,
    start_silent, wait_until,
};

fn status(work: &Work, folder: &str, args: &[&str]) -> Ran {
    work.program(["status".as_ref(), work.path(folder).as_os_str()]).args(args).go()
}

fn as_json(work: &Work, folder: &str) -> Value {
    serde_json::from_str(&status(work, folder, &["--json"]).expect(0).stdout).unwrap()
}

/// Everything in a folder, with the time of its last change.
fn traces(work: &Work, folder: &str) -> Vec<(String, std::time::SystemTime, Vec<u8>)> {
    let names = entries(&work.path(folder)).into_iter();
    let look = |name: String| {
        let path = work.path(folder).join(&name);
        (name, path.metadata().unwrap().modified().unwrap(), fs::read(path).unwrap())
    };
    names.map(look).collect()
}

#[test]
fn a_run_is_looked_at_while_it_works_and_after_its_end_and_nothing_is_touched() {
    // The fourth installation waits for its tokens until the test has seen enough.
    let highlevel = ScriptedServer::answering(|issuer, _, seen| {
        while seen.json_id().is_some_and(|id| id == location(3)) && !issuer.is_marked() {
            thread::sleep(Duration::from_millis(5));
        }
        match seen.json_id() {
            Some(id) if id == location(1) => {
                Reply::Json(400, json!({"message": "App is not installed", "traceId": "t-1"}))
            }
            _ => issuer.answer(seen),
        }
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(6));
    let run = work.run(list, &highlevel.url()).args(["--concurrency", "1"]);
    let mut child = start_silent(run.command());
    wait_until("the fourth asks for a code", || {
        highlevel.seen().iter().any(|seen| seen.json_id().is_some_and(|id| id == location(3)))
    });
    let before = traces(&work, "run");
    let words = status(&work, "run", &[]).expect(0).stdout;
    for part in [
        "State        running (process ".to_owned() + &child.id().to_string(),
        "2 of 6 installations recovered, 1 failed, 3 not attempted".to_owned(),
        "not_installed at reconnect, HTTP 400: App is not installed".to_owned(),
        "wait until it has ended".to_owned(),
    ] {
        assert!(words.contains(&part), "{part}: {words}");
    }
    let told = as_json(&work, "run");
    assert_eq!((&told["state"], &told["books"]["recovered"]), (&json!("running"), &json!(2)));
    assert_eq!(traces(&work, "run"), before, "nothing is touched");
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = work.path("run/journal.jsonl");
    fs::write(&journal, fs::read_to_string(&journal).unwrap() + "{\"recovered\":{\"ro").unwrap();
    let before = traces(&work, "run");
    let told = as_json(&work, "run");
    assert_eq!((&told["state"], &told["books"]["recovered"]), (&json!("broke_off"), &json!(2)));
    assert!(told["next"].as_str().unwrap().contains("resume"), "{told}");
    assert_eq!(traces(&work, "run"), before, "nothing is touched");
    highlevel.mark();
    let ran = work.resume(&highlevel.url()).go().expect(1);
    ran.assert_sound_after_kills(&highlevel);
    let told = as_json(&work, "run");
    assert_eq!((&told["state"], &told["holder"]), (&json!("complete"), &Value::Null));
    assert_eq!(told["next"], Value::Null, "the app has to be installed again first");
    let words = status(&work, "run", &[]).expect(0).stdout;
    assert!(words.contains("1 needs-reinstall: ") && words.contains("failures.csv"), "{words}");
    fs::remove_file(work.path("run/.lock")).unwrap();
    assert_eq!(as_json(&work, "run")["state"], "complete");
}

#[test]
fn a_run_is_watched_until_it_has_ended() {
    // The second installation waits for its tokens until the test has seen enough.
    let highlevel = ScriptedServer::answering(|issuer, _, seen| {
        while seen.json_id().is_some_and(|id| id == location(1)) && !issuer.is_marked() {
            thread::sleep(Duration::from_millis(5));
        }
        issuer.answer(seen)
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let run = work.run(list, &highlevel.url()).args(["--concurrency", "1"]);
    let mut child = start_silent(run.command());
    wait_until("the second asks for a code", || highlevel.seen().len() == 3);
    let watch = |args: &[&str]| {
        let words = ["status".into(), work.path("run").into_os_string(), "--watch".into()];
        start(work.program(words).args(args).command())
    };
    let (mut as_json, mut in_words) = (watch(&["--json"]), watch(&[]));
    let first_line = |child: &mut Child| {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        (stdout, line)
    };
    let (mut json, first) = first_line(&mut as_json);
    let (mut words, _) = first_line(&mut in_words);
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&first["state"], &first["books"]["recovered"]), (&json!("running"), &json!(1)));
    // Two looks at the same state are told once.
    thread::sleep(Duration::from_millis(1200));
    highlevel.mark();
    child.wait().unwrap();
    let (mut rest, mut text) = (String::new(), String::new());
    json.read_to_string(&mut rest).unwrap();
    words.read_to_string(&mut text).unwrap();
    assert_eq!(as_json.wait().unwrap().code(), Some(0));
    assert_eq!(in_words.wait().unwrap().code(), Some(0));
    let told: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let newest = told.last().unwrap();
    assert_eq!((&newest["state"], &newest["books"]["recovered"]), (&json!("complete"), &json!(3)));
    let same = told.iter().filter(|state| state["books"] == first["books"]);
    assert_eq!(same.count(), 0, "{rest}");
    assert_eq!(text.matches("State        running").count(), 1, "{text}");
    assert!(text.contains("State        complete"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let ended = status(&work, "run", &["--watch"]).expect(0);
    assert_eq!(ended.stdout, status(&work, "run", &[]).stdout);
    assert!(status(&work, "nowhere", &["--watch"]).expect(2).stderr.contains("no such folder"));
}

#[test]
fn a_chain_is_shown_as_far_as_its_folders_are_there() {
    let mut server = MockServer::faulty(&json!({
        location(1): ["not_installed*"], location(2): ["not_installed", "endpoint_removed"],
    }));
    let work = Work::new();
    let list = work.file("list.csv", locations(4));
    let first = work.run_into("first", list, &server.url()).go().expect(1);
    first.assert_sound(&server);
    server.next_run();
    let run = work.run_into("second", first.file("failures.csv"), &server.url());
    let second = run.args(["--concurrency", "1", "--max-failures", "1", "--all"]).go().expect(3);
    second.assert_sound(&server);
    let words = status(&work, "second", &[]).expect(0).stdout;
    let first_id = first.summary()["run_id"].as_str().unwrap().to_owned();
    for part in [
        "State        halted",
        "Halted ",
        "since the first run: 2 of 4",
        &first_id,
        "2 of 4 installations recovered",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    fs::rename(work.path("first"), work.path("elsewhere")).unwrap();
    let told = as_json(&work, "second");
    assert_eq!(told["earlier_runs"][0]["run_id"], first_id);
    assert_eq!(
        (&told["earlier_runs"][0]["books"], &told["chain"]["outstanding"]),
        (&Value::Null, &json!(2))
    );
    fs::rename(work.path("second"), work.path("first")).unwrap();
    assert_eq!(as_json(&work, "first")["earlier_runs"][0]["books"], Value::Null, "another run");
}

#[test]
fn what_cannot_be_read_is_said() {
    let work = Work::new();
    fs::create_dir(work.path("empty")).unwrap();
    for (folder, says) in [("nowhere", "no such folder"), ("empty", "no journal.jsonl")] {
        assert!(status(&work, folder, &[]).expect(2).stderr.contains(says));
    }
    fs::write(work.path("empty/journal.jsonl"), "{}\n").unwrap();
    assert!(status(&work, "empty", &[]).expect(4).stderr.contains("damaged"));
}

/// The program as somebody who may not read what the test has made; `None` where nobody can be that.
#[cfg(unix)]
fn as_a_stranger(work: &Work, folder: &str, args: &[&str]) -> Option<std::process::Output> {
    use std::os::unix::fs::PermissionsExt;
    // The program has to be where a stranger may start it.
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("ghl-reconnect");
    fs::copy(crate::support::program(), &copy).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).current_dir("/");
    let can = command.arg(&copy).arg("--version").capture();
    if !can.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).current_dir("/");
    Some(command.arg(&copy).arg("status").arg(work.path(folder)).args(args).capture().unwrap())
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_read_is_said_to_be_one() {
    use std::os::unix::fs::PermissionsExt;
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    work.run(list, &server.url()).go().expect(0);
    let open = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    // The folder around it is closed, then the run folder itself, then its journal.
    for change in [None, Some(".."), Some("")] {
        if let Some(name) = change {
            open(&work.path("run").join(name), 0o755);
        }
        let Some(output) = as_a_stranger(&work, "run", &[]) else {
            // Nobody else can be had here.
            return;
        };
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{change:?}: {said}");
        assert!(said.to_lowercase().contains("permission"), "{change:?}: {said}");
        assert!(!said.contains("no such folder") && !said.contains("no run folder"), "{said}");
        assert!(!said.contains("--out"), "{said}");
    }
}
