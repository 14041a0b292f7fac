//! Runs over failures take what is due, and leave the rest for another run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};

use crate::support::{MockServer, Ran, Work, location, rows};

/// A list with the columns of a run's failures, a row for each cell of `retry`.
fn failures(rows: &[(&str, &str, &str)]) -> String {
    let header = "location_id,status,error_class,stage,http_status,message,retry,attempts_total,\
                  first_failed_at,failed_at,trace_ids\n";
    let row = |(n, (retry, message, failed_at)): (usize, &(&str, &str, &str))| {
        let id = location(n);
        format!("{id},failed,server_error,reconnect,500,{message},{retry},5,,{failed_at},t-{n}\n")
    };
    header.to_owned() + &rows.iter().enumerate().map(row).collect::<String>()
}

fn check(work: &Work, list: &str, args: &[&str]) -> (i32, Value) {
    let list = work.file("list.csv", list);
    let ran = work.program(["check".as_ref(), list.as_os_str()]).arg("--json").args(args).go();
    (ran.code, serde_json::from_str(&ran.stdout).unwrap())
}

#[test]
fn a_row_is_taken_when_its_column_retry_and_its_times_say_so() {
    let now = jiff::Timestamp::now().to_string();
    let past = "2026-01-01T00:00:00.000Z";
    let over = "Too Many (not before 2026-01-01T00:01:00Z)";
    let ahead = "Too Many (not before 2099-01-01T00:01:00Z)";
    for (retry, message, failed_at, is_due) in [
        ("now", "", &*now, true),
        (" Now ", "", past, true),
        ("", "", &now, true),
        ("soon", "", &now, true),
        ("later", "", &now, false),
        ("LATER", "", &now, false),
        ("later", "", past, true),
        ("later", "", "07.10.2026 14:05:00", true),
        ("later", "", "", true),
        ("later", over, &now, true),
        ("later", ahead, past, false),
        ("now", ahead, past, true),
        ("fix-credentials", "", past, false),
        ("fix-input", "", past, false),
        ("needs-reinstall", "", past, false),
        ("needs-support", "", past, false),
        ("never", "", past, false),
    ] {
        let work = Work::new();
        let list = failures(&[(retry, message, failed_at)]);
        let (code, plan) = check(&work, &list, &[]);
        let counts = |plan: &Value| [&plan["installations"], &plan["left_out"]].map(Clone::clone);
        let expected = if is_due { [json!(1), json!(0)] } else { [json!(0), json!(1)] };
        assert_eq!(counts(&plan), expected, "{retry}, {message}, {failed_at}");
        assert_eq!(code, i32::from(!is_due), "{retry}, {message}, {failed_at}");
        for args in [&["--all"][..], &["--only", &location(0)]] {
            let (code, plan) = check(&work, &list, args);
            assert_eq!((code, &plan["installations"]), (0, &json!(1)), "{retry} {args:?}");
        }
        // The same column in a list that is no run's failures says nothing.
        let (code, plan) = check(&work, &list.replace("first_failed_at", "first_seen"), &[]);
        assert_eq!((code, &plan["installations"]), (0, &json!(1)), "{retry}");
    }
}

/// A row of failures.csv.
type Cells = BTreeMap<String, String>;

/// The rows of failures.csv, whatever their order.
fn left(ran: &Ran) -> BTreeSet<Cells> {
    ran.failures().into_iter().map(Cells::from_iter).collect()
}

/// A run of six, of which one may be tried again at once, one later, and two after something else.
fn first_run(work: &Work) -> (Ran, MockServer) {
    let faults = json!({
        location(1): ["exchange:grant_refused*"],
        location(2): ["not_installed*"],
        location(3): ["location_inactive*"],
        location(4): ["unknown_id*"],
    });
    let mut server = MockServer::faulty(&faults);
    let list = (0..6).fold("location_id,note\n".to_owned(), |list, n| {
        list + &format!("{},=note {n}\n", location(n))
    });
    let list = work.file("list.csv", list);
    let run = work.run_into("first", list, &server.url()).args(["--attempts", "1"]);
    let first = run.go().expect(1);
    first.assert_sound(&server);
    server.set_faults(&json!({}));
    server.next_run();
    (first, server)
}

#[test]
fn the_end_says_what_to_run_what_to_wait_for_and_what_to_do_first() {
    let work = Work::new();
    let (first, _server) = first_run(&work);
    let folder = first.folder.display();
    let (_, next) = first.stdout.split_once("Next        ").unwrap();
    let lines: Vec<&str> = next.lines().map(str::trim).collect();
    assert!(lines[0].starts_with(&format!("ghl-reconnect run {folder}/failures.csv")), "{next}");
    assert!(!lines[0].contains("--all"), "{next}");
    assert!(lines[1].starts_with("1 later: due from 20"), "{next}");
    assert!(lines[2].starts_with("1 fix-input: ") && lines[3].starts_with("1 needs-reinstall: "));
    assert_eq!(lines[4], "When that is done:");
    assert!(lines[5].ends_with(" --all"), "{next}");
    let status = |args: &[&str]| {
        let status = work.program(["status".as_ref(), first.folder.as_os_str()]).args(args);
        status.go().expect(0).stdout
    };
    assert!(status(&[]).contains("1 needs-reinstall: "));
    let told: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!(told["next"].as_str().unwrap(), lines[0]);
}

#[test]
fn a_run_over_failures_takes_what_is_due_and_carries_the_rest_on_as_it_stands() {
    let work = Work::new();
    let (first, mut server) = first_run(&work);
    let calls = server.requests();
    let second = work.run_into("second", first.file("failures.csv"), &server.url()).go().expect(1);
    second.assert_sound(&server);
    assert_eq!((second.count("recovered"), second.results().len()), (1, 1));
    let touched: Vec<_> = server.audit().requests[calls..].iter().map(|r| r.id.clone()).collect();
    assert!(touched.iter().flatten().all(|id| *id == location(1)), "{touched:?}");
    let says = "3 rows, left for another run: 1 later (all due from 20";
    assert!(second.stderr.contains(says), "{}", second.stderr);
    assert!(second.stderr.contains("1 fix-input, 1 needs-reinstall (--all takes them)"));
    let mut rest_of_first = left(&first);
    rest_of_first.retain(|row| row["location_id"] != location(1));
    assert_eq!(left(&second), rest_of_first);
    assert_eq!(second.summary()["chain"]["outstanding"], 3);
    let written = second.text("failures.csv");
    work.program(["report".as_ref(), second.folder.as_os_str()]).go().expect(0);
    assert_eq!(second.text("failures.csv"), written, "byte for byte");

    // Nothing is due: nothing is sent or written.
    server.next_run();
    let calls = server.requests();
    let third = work.run_into("third", second.file("failures.csv"), &server.url()).go().expect(1);
    assert!(
        third.stderr.contains("nothing is due now: 1 later (all due from 20"),
        "{}",
        third.stderr
    );
    assert_eq!((server.requests(), third.folder.exists()), (calls, false));

    // What a person has seen to is named, or said to be due.
    let only = work.run_into("only", second.file("failures.csv"), &server.url());
    let only = only.args(["--only", &location(4)]).go().expect(0);
    only.assert_sound(&server);
    let edited = second.file("edited.csv");
    fs::write(&edited, written.replace("needs-reinstall", "now")).unwrap();
    server.next_run();
    let edited = work.run_into("edited", edited, &server.url()).go().expect(1);
    edited.assert_sound(&server);
    assert_eq!(edited.result(&location(2))["status"], "recovered");
    server.next_run();
    let all = work.run_into("all", edited.file("failures.csv"), &server.url()).arg("--all");
    let all = all.go().expect(0);
    all.assert_sound(&server);
    assert_eq!((all.count("recovered"), all.count("skipped")), (1, 1));
    assert_eq!(rows(&all.file("failures.csv")).len(), 0);
}

#[test]
fn resume_takes_nothing_that_its_run_has_left_for_another() {
    let work = Work::new();
    let (first, mut server) = first_run(&work);
    let run = work.run(first.file("failures.csv"), &server.url()).go().expect(1);
    server.next_run();
    let calls = server.requests();
    let resumed = work.resume(&server.url()).arg("--retry-failed").go().expect(1);
    assert_eq!(server.requests(), calls);
    assert_eq!(resumed.text("failures.csv"), run.text("failures.csv"));
}
