//! The settings of a run: recorded whole, repeated by `resume`, printed only where they differ.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, Launch, Ran, Reply, Run, ScriptedServer, Seen, Work, entries,
    location, locations, program, start, wait_until,
};

/// A message that only the user's own table knows.
const OWN_MESSAGE: &str = "the flux capacitor is cold";

/// Answers as the API should once the mark is set; before, a message that the user's table calls a
/// refused client, which halts the run at its first installation.
fn halting_first() -> ScriptedServer {
    ScriptedServer::answering(|book, _, seen| {
        if seen.method == "GET" {
            return Reply::Json(200, json!({ "location": {} }));
        }
        if book.is_marked() {
            return book.answer(seen);
        }
        Reply::Json(422, json!({ "message": OWN_MESSAGE }))
    })
}

/// Ten options that nobody has by chance, but for the URL.
fn unusual(work: &Work, run: Run) -> Run {
    let known = format!("[[answer]]\nmessage = \"{OWN_MESSAGE}\"\nclass = \"client_refused\"\n");
    let known = work.file("known.toml", known);
    let env = format!("GHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET={CLIENT_SECRET}\n");
    let env = work.file("app.env", env + "GHL_REDIRECT_URI=https://app.example/back\n");
    let run = run.without_credentials().rate("40/s").arg("--env-file").arg(env);
    let run = run.arg("--known-messages").arg(known);
    run.args(["--reconnect-path", "/v9/oauth/reconnect", "--api-version", "v3"])
        .args(["--burst", "2", "--concurrency", "3", "--attempts", "2", "--timeout", "700ms"])
        .args(["--max-outage", "90s", "--max-failures", "50%", "--give-up-after", "7"])
        .args(["--verify-path", "/contacts/?locationId={locationId}"])
}

/// What the requests of an execution say about its settings.
fn told(seen: &[Seen]) -> Vec<(String, String, String, Option<String>)> {
    let mut told: Vec<_> = seen
        .iter()
        .map(|seen| {
            let path = seen.path.split("locationId=").next().unwrap().to_owned();
            let version = seen.header("version").to_owned();
            (seen.method.clone(), path, version, seen.field("redirectUri"))
        })
        .collect();
    told.sort();
    told.dedup();
    told
}

fn resume(work: &Work) -> Run {
    work.program(["resume".into(), work.path("run").into_os_string()])
}

#[test]
fn resume_after_a_run_with_ten_unusual_options_does_what_the_run_did() {
    let (work, mock) = (Work::timed(), halting_first());
    let list = work.file("list.csv", locations(9));
    let ran = unusual(&work, work.run(list, &mock.url())).go().expect(3);
    assert_eq!(ran.summary()["halted"]["class"], "client_refused", "by the table of the user");
    assert_eq!(mock.seen().len(), 1);
    let started = ran.events("started")[0]["settings"].clone();
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("Next ")).unwrap().trim();
    assert_eq!(next, format!("ghl-reconnect resume {}", ran.folder.display()));
    // What the table said is in the journal: its file may go.
    fs::remove_file(work.path("known.toml")).unwrap();
    let again = resume(&work).go().expect(3);
    assert!(again.stdout.contains("client_refused"), "{}", again.stdout);
    assert_eq!(ran.events("resumed")[0]["settings"], started);
    mock.mark();
    let before = mock.seen().len();
    let begun = Instant::now();
    let third = resume(&work).arg("--retry-failed").go().expect(0);
    let took = begun.elapsed();
    assert_eq!(ran.events("resumed")[1]["settings"], started);
    assert_eq!(third.stdout.matches("Next").count(), 1, "{}", third.stdout);
    assert!(third.stdout.contains("ghl-reconnect store "), "{}", third.stdout);
    let seen = mock.seen().split_off(before);
    let redirect = Some("https://app.example/back".to_owned());
    let tell = |method: &str, path: &str, version: &str, redirect: Option<String>| {
        (method.to_owned(), path.to_owned(), version.to_owned(), redirect)
    };
    let expected = [
        tell("GET", "/contacts/?", "v3", None),
        tell("POST", "/oauth/token", "v3", redirect),
        tell("POST", "/v9/oauth/reconnect", "", None),
    ];
    assert_eq!(told(&seen), expected);
    assert_eq!(seen.len(), 27);
    // 27 starts at 40 a second, two of them at once.
    assert!(took >= Duration::from_millis(620), "{took:?}");
}

#[test]
fn the_settings_of_the_last_execution_count() {
    let (work, mock) = (Work::new(), halting_first());
    let list = work.file("list.csv", locations(9));
    let first = unusual(&work, work.run(list, &mock.url())).go().expect(3);
    let recorded = |of: &str, at: usize| first.events(of)[at]["settings"].clone();
    let mut expected = recorded("started", 0);
    resume(&work).args(["--timeout", "5s", "--api-version", "v2"]).go().expect(3);
    expected["timeout"] = json!("5s");
    expected["api_version"] = json!("v2");
    assert_eq!(recorded("resumed", 0), expected);
    resume(&work).args(["--rate", "30/s"]).go().expect(3);
    expected["rate"] = json!("30/s");
    assert_eq!(recorded("resumed", 1), expected);
    // What the environment says was typed at the run, and says nothing now.
    let elsewhere = resume(&work).env("GHL_BASE_URL", "http://127.0.0.1:1");
    elsewhere.env("GHL_REDIRECT_URI", "https://other.example/").go().expect(3);
    assert_eq!(recorded("resumed", 2), expected);
    // A secret beside another client id is another app's.
    fs::remove_file(work.path("app.env")).unwrap();
    let other = resume(&work).env("GHL_CLIENT_ID", "7620deb436802d88b810ef77-m1x2y3z4");
    let other = other.env("GHL_CLIENT_SECRET", CLIENT_SECRET).go().expect(2);
    assert!(other.stderr.contains("its tokens belong to the first"), "{}", other.stderr);
    let none = resume(&work).go().expect(2);
    for part in ["app.env is not there any more", "--env-file", "no client secret"] {
        assert!(none.stderr.contains(part), "{part}: {}", none.stderr);
    }
    assert_eq!(first.events("resumed").len(), 3);
}

/// Runs a command as a person pastes it.
fn paste(work: &Work, command: &str) -> (i32, String) {
    let folder = std::path::Path::new(program()).parent().unwrap().display();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env_clear().current_dir(work.path("."));
    shell.env("PATH", format!("{folder}:/usr/bin:/bin")).env("HOME", work.path("."));
    let output = shell.capture().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn next_of(status: &Ran) -> String {
    let value: Value = serde_json::from_str(&status.stdout).unwrap();
    value["next"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn the_commands_of_status_and_report_work_as_they_are_printed() {
    let (work, mock) = (Work::new(), halting_first());
    let list = work.file("it's a list.csv", locations(3));
    let ran = unusual(&work, work.run_into("a run; $HOME", list, &mock.url())).go().expect(3);
    let folder = ran.folder.clone().into_os_string();
    let status = || work.program(["status".into(), folder.clone(), "--json".into()]).go().expect(0);
    let next = next_of(&status());
    assert!(!next.contains("--"), "{next}");
    assert_eq!(paste(&work, &next).0, 3, "{next}");
    mock.mark();
    let (code, said) = paste(&work, &next);
    assert_eq!(code, 1, "the one that met the halt stays failed: {said}");
    let report = work.program(["report".into(), folder.clone()]).go().expect(0);
    let mut lines = report.stdout.lines().skip_while(|line| line.trim() != "When that is done:");
    let next = lines.nth(1).unwrap().trim();
    let words = work.program(["status".into(), folder.clone()]).go().expect(0).stdout;
    assert!(words.contains(next), "{next}: {words}");
    for option in ["--timeout 700ms", "--api-version v3", "--env-file", "--max-outage 90s"] {
        assert!(next.contains(option), "{option}: {next}");
    }
    assert!(!next.contains("--skip-healthy") && !next.contains(CLIENT_SECRET), "{next}");
    let (code, said) = paste(&work, &format!("{next} --out second"));
    assert_eq!(code, 0, "{said}");
    let expected = ran.events("started")[0]["settings"].clone();
    let second = Ran { folder: work.path("second"), ..report };
    let mut settings = second.events("started")[0]["settings"].clone();
    // Named by a command line now, and no more by a file of variables.
    settings.as_object_mut().unwrap().remove("client_id_typed");
    assert_eq!(settings["selection"].as_object_mut().unwrap().remove("all"), Some(json!(true)));
    assert_eq!(settings, expected);
}

#[test]
fn a_secret_that_can_be_read_once_is_asked_for_again() {
    let (work, mock) = (Work::new(), halting_first());
    let list = work.file("list.csv", locations(2));
    let run = work.run(list, &mock.url()).without_credentials();
    let run =
        run.args(["--client-id", CLIENT_ID, "--client-secret-file", "-", "--give-up-after", "1"]);
    let ran = run.input(CLIENT_SECRET).go().expect(3);
    assert_eq!(ran.events("started")[0]["settings"]["secrets"], json!({}));
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("Next ")).unwrap().trim();
    let expected = format!("ghl-reconnect resume {} --client-secret-file -", ran.folder.display());
    assert_eq!(next, expected);
}

#[cfg(unix)]
#[test]
fn a_kill_before_the_first_request_leaves_no_run_or_a_whole_one() {
    let (work, mock) = (Work::new(), ScriptedServer::good());
    let list = work.file("list.csv", locations(4000));
    let is_there = |name: &str| work.path(name).exists();
    let drafts = || {
        let names = entries(&work.path(".")).into_iter();
        names.filter(|name| name.starts_with(".run.partial-")).collect::<Vec<_>>()
    };
    // Rows that the draft's journal has when it is killed.
    for rows in [0, 1, 400, 1500, 3000, 3999] {
        let mut child = start(work.run(&list, &mock.url()).rate("1/min").command());
        let killed_at = |bytes: u64| {
            let journal = drafts().first().map(|draft| work.path(draft).join("journal.jsonl"));
            journal.is_some_and(|path| path.metadata().is_ok_and(|file| file.len() >= bytes))
        };
        wait_until("so much of the list", || is_there("run") || killed_at(rows * 100));
        child.kill().unwrap();
        child.wait().unwrap();
        if !is_there("run") {
            assert_eq!(drafts().len(), 1, "of the last one alone: older ones are swept");
            continue;
        }
        let whole = fs::read_to_string(work.path("run/journal.jsonl")).unwrap();
        assert_eq!(whole.matches("{\"listed\"").count(), 4000);
        assert_eq!(whole.matches("{\"ready\"").count(), 1);
        fs::remove_dir_all(work.path("run")).unwrap();
    }
    let list = work.file("short.csv", locations(2));
    work.run(list, &mock.url()).arg("--again").go().expect(0);
    assert_eq!(drafts(), [""; 0]);
}

#[test]
fn of_two_runs_into_one_folder_exactly_one_is_made() {
    let (work, mock) = (Work::new(), ScriptedServer::good());
    let list = work.file("list.csv", locations(500));
    let command = || work.run(&list, &mock.url()).args(["--again", "--limit", "40"]).command();
    for _ in 0..3 {
        let children = [start(command()), start(command()), start(command())];
        let ends = children.map(|child| child.wait_with_output().unwrap());
        let mut codes: Vec<_> = ends.iter().map(|end| end.status.code()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(2), Some(2)], "{ends:?}");
        assert_eq!(ends_of(&work).count("recovered"), 40);
        assert!(entries(&work.path(".")).iter().all(|name| !name.contains(".partial-")));
        fs::remove_dir_all(work.path("run")).unwrap();
    }
    assert_eq!(mock.seen().iter().filter(|seen| seen.json_id() == Some(location(1))).count(), 3);
}

fn ends_of(work: &Work) -> Ran {
    Ran { code: 0, stdout: String::new(), stderr: String::new(), folder: work.path("run") }
}
