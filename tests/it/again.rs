//! Nothing is granted twice by accident: what was recovered in the last 24 hours is skipped.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{MockServer, Ran, Work, entries, location, locations};

fn state(work: &Work) -> PathBuf {
    work.path(".local").join("state").join("ghl-reconnect")
}

/// The files in which recoveries are remembered.
fn memories(work: &Work) -> Vec<PathBuf> {
    let names = entries(&state(work)).into_iter();
    names.filter(|name| name.starts_with("recovered-")).map(|n| state(work).join(n)).collect()
}

fn statuses(ran: &Ran) -> [usize; 3] {
    ["recovered", "skipped", "failed"].map(|status| ran.count(status))
}

#[test]
fn the_same_list_again_grants_nothing_twice_unless_it_is_asked_for() {
    let (work, mut server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(6));
    let one = work.run_into("one", &list, &server.url()).args(["--limit", "2"]).go().expect(0);
    one.assert_sound(&server);
    server.next_run();
    let check = work.program(["check"]).arg(&list).args(["--base-url", &server.url()]);
    let check = check.credentials().go().expect(0);
    for says in ["2 installations", "last 24 hours", "/one", "--again", "4 installations"] {
        assert!(check.stdout.contains(says), "{says}: {}", check.stdout);
    }
    let told = work.program(["check", "--json"]).arg(&list).args(["--base-url", &server.url()]);
    let told: Value = serde_json::from_str(&told.credentials().go().expect(0).stdout).unwrap();
    assert_eq!((&told["recovered_before"], &told["installations"]), (&json!(2), &json!(4)));
    let all = work.run_into("all", &list, &server.url()).go().expect(0);
    all.assert_sound(&server);
    assert_eq!(statuses(&all), [4, 2, 0]);
    assert!(all.stderr.contains("/one"), "{}", all.stderr);
    assert!(all.stdout.contains("/one  has the pairs of skipped rows"), "{}", all.stdout);
    assert!(all.result(&location(0))["message"].contains("/one"));
    assert_eq!(all.summary()["books"]["skipped"], 2);
    server.next_run();
    for (name, list) in [("results", all.file("results.csv")), ("tokens", all.file("tokens.jsonl"))]
    {
        let ran = work.run_into(name, &list, &server.url()).go().expect(0);
        assert_eq!(ran.count("recovered"), 0, "{name}");
        assert_eq!(ran.count("skipped"), ran.results().len(), "{name}");
    }
    assert_eq!(server.audit().grants.len(), 6);
    fs::remove_file(one.file("tokens.jsonl")).unwrap();
    let gone = work.run_into("gone", &list, &server.url()).go().expect(0);
    assert!(gone.stdout.contains("/one  has no tokens.jsonl any more"), "{}", gone.stdout);
    let again = work.run_into("again", &list, &server.url()).arg("--again").go().expect(0);
    assert_eq!(statuses(&again), [6, 0, 0]);
    assert_eq!(server.audit().grants.len(), 12);
}

#[test]
fn other_apps_other_addresses_and_rehearsals_are_apart() {
    let (work, server, other) = (Work::new(), MockServer::good(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    let rehearsal = work.rehearse(&list).go().expect(0);
    assert_eq!(statuses(&rehearsal), [2, 0, 0]);
    assert!(!state(&work).exists() || memories(&work).is_empty(), "a rehearsal is forgotten");
    let elsewhere = work.run_into("elsewhere", &list, &other.url()).go().expect(0);
    assert_eq!(statuses(&elsewhere), [2, 0, 0]);
    let here = work.run_into("here", &list, &server.url()).go().expect(0);
    assert_eq!(statuses(&here), [2, 0, 0]);
    let client = "76c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
    let app = work.run_into("app", &list, &server.url()).args(["--client-id", client]);
    assert_eq!(statuses(&app.go().expect(0)), [2, 0, 0]);
    fs::remove_dir_all(work.path("run")).unwrap();
    let rehearsal = work.rehearse(&list).go().expect(0);
    assert_eq!(statuses(&rehearsal), [2, 0, 0]);
}

#[test]
fn failures_and_the_rest_of_a_run_are_not_hindered() {
    let server = MockServer::faulty(&json!({ location(1): ["not_installed*"] }));
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let first = work.run(&list, &server.url()).go().expect(1);
    assert_eq!(statuses(&first), [2, 0, 1]);
    let still = work.run_into("next", first.file("failures.csv"), &server.url());
    let still = still.arg("--all").go().expect(1);
    assert_eq!(statuses(&still), [0, 0, 1]);
    // Tokens that are gone are asked for anew: they are the run's own.
    fs::write(first.file("tokens.jsonl"), "").unwrap();
    server.set_faults(&json!({}));
    let ran = work.resume(&server.url()).arg("--retry-failed").go().expect(0);
    assert_eq!(statuses(&ran), [3, 0, 0]);
}

#[test]
fn what_is_older_or_torn_is_not_remembered_and_nothing_fails_for_it() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(4));
    work.run_into("one", &list, &server.url()).go().expect(0);
    let [memory] = &memories(&work)[..] else { panic!("{:?}", memories(&work)) };
    let text = fs::read_to_string(memory).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "a line for each: {text}");
    assert!(!text.contains(&location(0)), "{text}");
    let old =
        |line: &str| format!("{} {}", &line[..16], jiff::Timestamp::now().as_second() - 90_000);
    let text = [lines[0], &old(lines[1]), &lines[2][..20], lines[3], "nonsense", &lines[4][..27]];
    // The last line has lost its end.
    fs::write(memory, text.join("\n")).unwrap();
    let ran = work.run_into("two", &list, &server.url()).go().expect(0);
    assert_eq!(statuses(&ran), [3, 1, 0]);
    let forgotten = state(&work).join("recovered-0000000000000000-of-another-app.log");
    let file = fs::File::create(&forgotten).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_hours(25)).unwrap();
    work.run_into("three", &list, &server.url()).go().expect(0);
    assert!(!forgotten.exists(), "a file of a day ago, of whatever app");
}

#[cfg(unix)]
#[test]
fn a_state_folder_is_private_and_one_that_cannot_be_written_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    work.run_into("one", &list, &server.url()).go().expect(0);
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state(&work)), mode(&memories(&work)[0])), (0o700, 0o600));
    let file = work.file("no-folder", "");
    let run = work.run_into("two", &list, &server.url()).env("XDG_STATE_HOME", file);
    let ran = run.go().expect(0);
    assert_eq!(statuses(&ran), [2, 0, 0]);
    assert!(ran.stderr.contains("warning: "), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_run_beside_another_sees_what_it_recovers() {
    use ghl_reconnect::sandbox::Options;
    use std::time::Duration;

    use crate::support::{start, wait_until};
    let options = Options { latency: Duration::from_millis(20), ..Options::default() };
    let (work, server) = (Work::new(), MockServer::with(options));
    let list = work.file("list.csv", locations(40));
    let mut reversed: Vec<String> = (0..40).map(location).collect();
    reversed.reverse();
    let other = work.file("other.csv", format!("location_id\n{}\n", reversed.join("\n")));
    let slow = ["--concurrency", "1"];
    let first = start(work.run(&list, &server.url()).args(slow).command());
    wait_until("the first grant", || !server.audit().grants.is_empty());
    // From the other end: they meet in the middle, and neither goes over what the other has done.
    let second = work.run_into("second", &other, &server.url()).args(slow).go().expect(0);
    let first = work.end(first).expect(0);
    let granted = server.audit().grants.len();
    assert!(second.count("skipped") > 3 && first.count("skipped") > 3, "{}", second.stderr);
    // What is recovered in the moments before the other one looks is granted twice.
    assert!(granted <= 40 + 14, "{granted} grants for 40");
}

#[cfg(unix)]
#[test]
fn a_run_that_was_killed_is_remembered_too() {
    use crate::support::{signal, start, wait_until};
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(30));
    let run = work.run(&list, &server.url()).args(["--concurrency", "1"]).rate("100/s");
    let mut child = start(run.command());
    wait_until("some memories", || {
        state(&work).exists()
            && memories(&work).first().is_some_and(|m| fs::metadata(m).unwrap().len() > 300)
    });
    signal(&child, "-KILL");
    child.wait().unwrap();
    let ran = work.run_into("second", &list, &server.url()).go().expect(0);
    assert!(ran.count("skipped") > 3, "{}", ran.stderr);
    assert_eq!(ran.count("skipped") + ran.count("recovered"), 30);
    work.resume(&server.url()).go().expect(0);
}

#[test]
fn resume_skips_and_names_what_a_later_run_has_recovered() {
    let faults = json!({ location(1): ["not_installed"], location(2): ["not_installed*"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(4));
    let first = work.run(list, &server.url()).go().expect(1);
    let run = work.run_into("next", first.file("failures.csv"), &server.url());
    run.arg("--all").go().expect(1);
    server.set_faults(&json!({}));
    let before = server.requests();
    let ran = work.resume(&server.url()).arg("--retry-failed").go().expect(0);
    assert_eq!(server.requests(), before + 2, "for the one that nobody has recovered");
    let named = format!(
        "Skipped        1 installation, recovered in the last 24 hours by the run in {}",
        work.path("next").display()
    );
    assert!(ran.stderr.contains(&named), "{}", ran.stderr);
    assert_eq!(ran.result(&location(1))["status"], "skipped");
    assert!(ran.result(&location(1))["message"].contains("--again"));
    assert_eq!((ran.count("recovered"), ran.count("skipped")), (3, 1));
    ran.assert_books_balance();

    let list = work.file("list.csv", locations(1));
    server.set_faults(&json!({ location(0): ["not_installed"] }));
    let run = work.run_into("third", &list, &server.url()).arg("--again");
    run.args(["--max-failures", "0"]).go().expect(3);
    let resume = |folder: &str| {
        let run = work.program(["resume".into(), work.path(folder).into_os_string()]);
        run.credentials().args(["--retry-failed"])
    };
    // What was typed at the run is typed for good: it takes them again.
    let before = server.requests();
    resume("third").go().expect(0);
    assert_eq!(server.requests(), before + 2);
}
