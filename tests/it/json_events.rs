//! `--json=events`: what a program reads that watches a run, whatever becomes of either.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    MockServer, OwnTokens, Ran, Reply, Run, ScriptedServer, Work, location, locations, start,
    unsealed, wait_until,
};

/// Standard output, each line a JSON object.
#[track_caller]
fn told(ran: &Ran) -> Vec<Value> {
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value.is_object(), "{line}");
        value
    };
    ran.stdout.lines().map(read).collect()
}

/// The first line and the summary of the last.
#[track_caller]
fn frame(ran: &Ran) -> (Value, Value) {
    let told = told(ran);
    let [first, .., last] = &told[..] else { panic!("no frame: {}", ran.stdout) };
    assert_eq!(first["format"], 1, "{first}");
    assert_eq!(first["program"], "ghl-reconnect");
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    let summary = &last["summary"];
    assert_eq!(summary["exit_code"], ran.code, "{summary:#}");
    (first.clone(), summary.clone())
}

/// The lines of the journal without their checksums.
fn journal(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    text.lines().map(unsealed).collect()
}

/// Between the first and the last line there is the journal from this event on, to the letter; the last
/// line has `summary.json`.
#[track_caller]
fn assert_tells_the_run(ran: &Ran, from: usize) {
    let (first, summary) = frame(ran);
    assert_eq!(summary, ran.summary());
    assert_eq!(first["run_id"], summary["run_id"]);
    assert_eq!(first["folder"], ran.folder.to_str().unwrap());
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[1..lines.len() - 1], journal(&ran.folder)[from..]);
}

fn events(run: Run) -> Run {
    run.arg("--json=events")
}

#[test]
fn a_run_and_its_resume_tell_their_events_of_the_journal_and_prose_goes_elsewhere() {
    let faults = json!({
        location(1): ["unknown_id*"], location(2): ["exchange:reset"], location(3): ["location_inactive*"],
    });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(6) + &location(0) + "\nnonsense!\n");
    let ran = events(work.run(&list, &server.url())).go().expect(1);
    ran.assert_sound(&server);
    assert_tells_the_run(&ran, 0);
    for prose in ["installations", "Endpoint", " in flight", "4 of 6 installations recovered"] {
        assert!(ran.stderr.contains(prose), "{prose}: {}", ran.stderr);
    }
    let before = journal(&ran.folder).len();
    server.set_faults(&json!({ location(1): ["unknown_id*"] }));
    let resumed = events(work.resume(&server.url())).arg("--retry-failed").go().expect(1);
    resumed.assert_sound(&server);
    assert_tells_the_run(&resumed, before);
    assert!(told(&resumed)[1].get("resumed").is_some());
    let before = journal(&ran.folder).len();
    let nothing = events(work.resume(&server.url())).arg("-q").go().expect(1);
    assert_tells_the_run(&nothing, before);
    assert_eq!(nothing.stderr, "");
}

#[test]
fn json_alone_is_the_summary() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    for (n, json) in ["--json", "--json=summary"].into_iter().enumerate() {
        let ran = work.run_into(&n.to_string(), &list, &server.url()).args([json, "--again"]);
        let ran = ran.go().expect(0);
        assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), ran.summary());
    }
}

#[test]
fn a_halt_ends_with_the_summary_too() {
    let server = MockServer::faulty(&json!({ "*": ["endpoint_removed*"] }));
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let ran = events(work.run(&list, &server.url())).go().expect(3);
    ran.assert_sound(&server);
    assert_tells_the_run(&ran, 0);
    let (_, summary) = frame(&ran);
    assert_eq!((&summary["state"], &summary["exit_code"]), (&json!("halted"), &json!(3)));
    assert!(ran.stderr.contains("HALTED"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_ends_with_a_summary_of_nothing() {
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    let unusable = work.file("unusable.csv", "colour\nred\n");
    let (list, unusable) = (list.to_str().unwrap(), unusable.to_str().unwrap());
    for (args, says) in [
        (&["run", list, "--nonsense"][..], "--nonsense"),
        (&["run", list, "--rate", "fast"], "fast"),
        (&["run"], "required"),
        (&["report", "run"], "--json"),
        (&["run", "nowhere.csv"], "nowhere.csv"),
        (&["run", unusable, "--sandbox"], "no column holds ids"),
        (&["run", list], "GHL_CLIENT_ID"),
        (&["resume", "nowhere"], "no such folder"),
        (&["check", list], "--json=events"),
        (&["run", list, "--dry-run"], "--json=events"),
    ] {
        let ran = events(work.program(args.iter().copied())).go().expect(2);
        let (first, summary) = frame(&ran);
        assert_eq!(ran.stdout.lines().count(), 2, "{args:?}: {}", ran.stdout);
        assert_eq!((&first["run_id"], &first["folder"]), (&Value::Null, &Value::Null));
        assert_eq!(summary["state"], "not_started", "{args:?}");
        assert!(summary["message"].as_str().unwrap().contains(says), "{args:?}: {summary}");
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(work.entries().len(), 2, "{:?}", work.entries());
    // What is no error has no summary.
    for args in [["run", "--help"], ["--version", "run"]] {
        let ran = events(work.program(args)).go().expect(0);
        assert!(!ran.stdout.contains("\"summary\""), "{}", ran.stdout);
    }
}

#[test]
fn an_error_of_a_run_that_is_there_names_it() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let ran = work.run(list, &server.url()).go().expect(0);
    let resume = || events(work.program(["resume".as_ref(), ran.folder.as_os_str()]));
    let refused = resume().args(["--retry-failed", "--rate", "0/s"]).go().expect(2);
    assert_eq!(frame(&refused).0["run_id"], Value::Null, "it was not looked at");
    let refused = resume().args(["--table", "x"]).go().expect(2);
    let (first, summary) = frame(&refused);
    assert_eq!(first["run_id"], ran.summary()["run_id"]);
    assert_eq!((&summary["run_id"], &summary["state"]), (&first["run_id"], &json!("not_started")));
    fs::remove_file(ran.file("tokens.jsonl")).unwrap();
    let refused = resume().go().expect(4);
    let (_, summary) = frame(&refused);
    assert_eq!(
        (&summary["state"], &summary["books"]["recovered"]),
        (&json!("complete"), &json!(1))
    );
    assert!(summary["message"].as_str().unwrap().contains("tokens.jsonl is missing"), "{summary}");
}

#[test]
fn a_leak_is_cut_out_of_the_summary() {
    // What a server says of a token that only a later row of the list has.
    let token = "The-Refresh-Token-Of-The-Last-Row-0001";
    let highlevel = ScriptedServer::answering(move |_, _, _| {
        Reply::Json(400, json!({ "message": format!("App is not installed: {token}") }))
    });
    let work = Work::new();
    let csv = format!("location_id,ghl_refresh\n{},\n{},{token}\n", location(1), location(2));
    let run = events(work.run(work.file("list.csv", csv), &highlevel.url()));
    let ran = run.args(["--concurrency", "1"]).go().expect(5);
    assert_eq!(frame(&ran).1, ran.summary());
    let last = ran.stdout.lines().last().unwrap();
    assert!(last.contains("[secret]") && !last.contains(token), "{last}");
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ location(1): ["unknown_id"] })));
    let list = work.file("list.csv", locations(300));
    let mut child = start(events(work.run(list, &server.url())).command());
    let mut first = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut first).unwrap();
    drop(stdout);
    assert!(first.starts_with("{\"format\":1"), "{first}");
    let ran = work.end(child).expect(1);
    ran.assert_sound(&server);
    assert_eq!(ran.count("recovered"), 299);
    assert!(!ran.stderr.contains("standard output"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_comes_late_misses_nothing_and_holds_nothing_up() {
    let (work, server) = (Work::new(), MockServer::good());
    // More lines than a pipe holds, and nobody reads them before all files are written.
    let list = work.file("list.csv", locations(250));
    let child = start(events(work.run(list, &server.url())).arg("-q").command());
    wait_until("the files", || work.path("run/summary.json").exists());
    let ran = work.end(child).expect(0);
    ran.assert_sound(&server);
    assert!(ran.stdout.len() > 1 << 17, "{} bytes", ran.stdout.len());
    assert_tells_the_run(&ran, 0);
}

#[cfg(unix)]
mod signals {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        process::Stdio,
        time::Duration,
    };

    use ghl_reconnect::sandbox::Options;

    use super::*;
    use crate::support::{Launch, side_by_side, signal};

    fn slow(latency_ms: u64) -> MockServer {
        MockServer::with(Options {
            latency: Duration::from_millis(latency_ms),
            ..Options::default()
        })
    }

    #[test]
    fn one_signal_ends_with_the_summary() {
        side_by_side(&[("-INT", 130), ("-TERM", 143), ("-HUP", 143)], |(name, code)| {
            let (work, server) = (Work::new(), slow(40));
            let list = work.file("list.csv", locations(60));
            let run = events(work.run(list, &server.url())).args(["--concurrency", "4"]);
            let child = start(run.command());
            wait_until("work in full swing", || server.requests() >= 10);
            signal(&child, name);
            let ran = work.end(child).expect(*code);
            ran.assert_sound(&server);
            assert_tells_the_run(&ran, 0);
            assert_eq!(frame(&ran).1["state"], "interrupted");
            assert!(ran.stderr.contains("ghl-reconnect resume"), "{}", ran.stderr);
        });
    }

    #[test]
    fn two_signals_end_with_what_is_known() {
        let server = MockServer::faulty(&json!({ location(2): ["exchange:silence*"] }));
        let work = Work::new();
        let list = work.file("list.csv", locations(3));
        let run = events(work.run(list, &server.url())).args(["--concurrency", "1"]);
        let mut child = start(run.command());
        wait_until("an exchange hangs", || server.audit().presentations.len() == 3);
        signal(&child, "-INT");
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Interrupted") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it never says so");
        }
        signal(&child, "-INT");
        let ran = work.end(child).expect(130);
        let (first, summary) = frame(&ran);
        assert_eq!(summary["run_id"], first["run_id"]);
        assert_eq!(
            (&summary["state"], &summary["books"]["recovered"]),
            (&json!("unfinished"), &json!(2))
        );
        let message = summary["message"].as_str().unwrap();
        assert!(message.contains("second signal") && message.contains("resume"), "{message}");
        // The journal may have got another event while the last line was written.
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!(lines[1..lines.len() - 1], journal(&ran.folder)[..lines.len() - 2]);
        assert_eq!(told(&ran).iter().filter(|event| event.get("recovered").is_some()).count(), 2);
    }

    #[test]
    fn a_signal_before_the_work_ends_with_a_summary_of_nothing() {
        for (name, code) in [("-INT", 130), ("-TERM", 143)] {
            let work = Work::new();
            let run = events(work.run("-", "http://127.0.0.1:9"));
            let mut command = run.command();
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.launch();
            // It reads a list that does not end.
            let mut list = child.stdin.take().unwrap();
            let rows = locations(20_000);
            list.write_all(rows.as_bytes()).unwrap();
            signal(&child, name);
            let mut stdout = String::new();
            child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.code(), None, "the signal ended it");
            let (stderr, folder) = (String::new(), work.path("run"));
            let (_, summary) = frame(&Ran { code, stdout, stderr, folder });
            assert_eq!(summary["state"], "not_started");
            assert!(!work.path("run").exists());
            drop(list);
        }
    }

    #[test]
    fn after_kill_9_the_lines_are_whole_up_to_the_last_one() {
        let (work, server) = (Work::new(), slow(10));
        let list = work.file("list.csv", locations(100));
        let path = work.path("stdout");
        let stdout = || fs::read_to_string(&path).unwrap();
        let mut command = events(work.run(list, &server.url())).command();
        command.stdout(fs::File::create(&path).unwrap()).stderr(Stdio::null());
        let mut child = command.launch();
        wait_until("a recovery that is told", || stdout().contains("{\"recovered\""));
        child.kill().unwrap();
        child.wait().unwrap();
        let stdout = stdout();
        let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let told: Vec<Value> = whole.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(told.iter().any(|event| event.get("recovered").is_some()));
        assert!(told.iter().all(|event| event.get("summary").is_none()));
        let ran = events(work.resume(&server.url())).go().expect(0);
        ran.assert_sound_after_kills(&server);
        assert_eq!(frame(&ran).1, ran.summary());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_with_what_is_known() {
    use crate::support::SmallDisk;
    let server = MockServer::with(ghl_reconnect::sandbox::Options {
        latency: std::time::Duration::from_millis(10),
        ..Default::default()
    });
    let work = Work::new();
    let Some(small) = SmallDisk::mount(work.path("small"), "size=600k") else { return };
    let list = work.file("list.csv", locations(100));
    let child = start(events(work.run_into("small/run", &list, &server.url())).command());
    wait_until("some tokens", || server.audit().grants.len() >= 20);
    let _ = fs::write(small.path().join("filler"), vec![0; 600 << 10]);
    let ran = Ran { folder: small.path().join("run"), ..work.end(child).expect(4) };
    let (first, summary) = frame(&ran);
    assert_eq!(summary["run_id"], first["run_id"]);
    assert_eq!(summary["state"], "unfinished");
    assert!(summary["books"]["recovered"].as_u64().unwrap() > 0, "{summary:#}");
    assert!(summary["message"].as_str().unwrap().contains("No space left"), "{summary:#}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    let journal = journal(&ran.folder);
    assert_eq!(lines[1..lines.len() - 1], journal[..lines.len() - 2]);
}

/// Every line of a log, each a JSON object with time, level and message.
#[track_caller]
fn log_lines(text: &str) -> Vec<Value> {
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["time"].as_str().unwrap().ends_with('Z'), "{line}");
        let level = value["level"].as_str().unwrap();
        assert!(["info", "warn", "error"].contains(&level), "{line}");
        assert!(!value["message"].as_str().unwrap().is_empty(), "{line}");
        value
    };
    text.lines().map(read).collect()
}

#[test]
fn a_log_in_json_has_only_json_with_rows_and_levels() {
    let (work, server) =
        (Work::new(), MockServer::faulty(&json!({ location(1): ["unknown_id*"] })));
    let list = work.file("list.csv", locations(3));
    let run = events(work.run(list, &server.url())).args(["-v", "--log-format", "json"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    for text in [&ran.stderr, &ran.text("run.log")] {
        let lines = log_lines(text);
        let failed = lines.iter().find(|line| line["event"] == "failed").expect("a failure");
        assert_eq!((&failed["level"], &failed["row"]), (&json!("error"), &json!(2)));
        assert_eq!(failed["id"], location(1));
        assert!(failed["message"].as_str().unwrap().starts_with("row 2 "), "{failed}");
        let recovered = lines.iter().find(|line| line["event"] == "recovered").unwrap();
        assert_eq!(recovered["level"], "info");
    }
    let said = |part: &str| {
        log_lines(&ran.stderr).iter().any(|line| line["message"].as_str().unwrap().contains(part))
    };
    assert!(
        said("2/3 recovered · 1 failed") && said("2 of 3 installations recovered"),
        "{}",
        ran.stderr
    );
    // An execution writes as it is told; the lines before stay.
    let text = work.resume(&server.url()).arg("--retry-failed").go().expect(1);
    text.assert_sound(&server);
    let log = text.text("run.log");
    assert!(log.starts_with('{') && log.lines().last().unwrap().starts_with("20"), "{log}");
    let halted = MockServer::faulty(&json!({ "*": ["endpoint_removed*"] }));
    let run = work.run_into("halted", work.path("list.csv"), &halted.url());
    let ran = run.args(["--json", "--log-format=json"]).go().expect(3);
    let lines = log_lines(&ran.stderr);
    let halted = |line: &&Value| line["message"].as_str().unwrap().starts_with("halted: endpoint");
    assert_eq!(lines.iter().find(halted).unwrap()["level"], "error");
}

#[test]
fn an_error_is_json_in_a_log_of_json() {
    let work = Work::new();
    for args in [
        &["run", "nowhere.csv", "--log-format=json"][..],
        &["run", "--log-format", "json", "--nonsense"],
        &["--log-format", "json", "status", "nowhere"],
    ] {
        let ran = work.program(args.iter().copied()).go().expect(2);
        let lines = log_lines(&ran.stderr);
        assert_eq!((lines.len(), &lines[0]["level"]), (1, &json!("error")), "{args:?}");
    }
    let list = work.file("list.csv", locations(2));
    let ran = work.rehearse(list).args(["--log-format", "json"]).go().expect(0);
    log_lines(&ran.stderr);
    assert!(ran.stdout.contains("2 of 2 installations recovered"), "{}", ran.stdout);
    ran.assert_sound_after_kills(&OwnTokens(&ran));
}
