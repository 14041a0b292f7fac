//! Disks that fail, files that are cut, folders that vanish: nothing that was granted is lost, and
//! going on ends where a lucky run ends.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use clap::Parser;
use ghl_reconnect::{
    commands::{self, Console},
    exit::Exit,
    journal::{
        disk::{Disk, Operation},
        spill,
    },
    sandbox::Options,
    settings::args::{Cli, Command},
    terminal::progress::{Colors, Verbosity},
};
use serde_json::json;

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, Ran, StandIn, Work, lines, location, locations, wait_until,
};

const QUIET: Console = Console { verbosity: Verbosity::Quiet, colors: Colors::Off };

/// The program inside the test, on a disk of the test's making. The test must have its work
/// directory undisturbed: a process that another test starts at this moment holds, until it is the
/// other program, a copy of every file that is open here, locks included.
pub(crate) fn inside(work: &Work, words: &[&str], stand_in: &StandIn, disk: Disk) -> Exit {
    let env = format!("GHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET={CLIENT_SECRET}\n");
    let env = work.file("env", env);
    let url = stand_in.url();
    let run = work.path("run");
    let mut args: Vec<&str> = vec!["ghl-reconnect"];
    args.extend(words);
    args.extend(["--base-url", &url, "--rate", "unlimited", "--yes", "--env-file"]);
    args.push(env.to_str().unwrap());
    if words[0] == "run" {
        args.extend(["--out", run.to_str().unwrap()]);
    }
    let ended = match &Cli::parse_from(args).command {
        Command::Run(args) => commands::run::run(args, QUIET, disk),
        Command::Resume(args) => commands::resume::resume(args, QUIET, disk),
        other => panic!("not of this test: {other:?}"),
    };
    ended.unwrap_or_else(|fault| fault.exit)
}

pub(crate) fn left(work: &Work, exit: Exit) -> Ran {
    let (stdout, stderr) = Default::default();
    Ran { code: exit.code().into(), stdout, stderr, folder: work.path("run") }
}

fn resume(work: &Work, stand_in: &StandIn) -> Exit {
    inside(work, &["resume", work.path("run").to_str().unwrap()], stand_in, Disk::default())
}

fn run(work: &Work, list: &Path, stand_in: &StandIn, disk: Disk) -> Exit {
    // Inside the tests, the memory of recoveries is that of whoever runs them.
    inside(work, &["run", "--again", list.to_str().unwrap()], stand_in, disk)
}

/// Goes on with whatever is there until all is recovered, and checks the end.
#[track_caller]
fn converge(work: &Work, list: &Path, stand_in: &StandIn, count: usize) -> Ran {
    let has_begun = work.path("run").join(".lock").exists();
    let mut exit = if has_begun { resume(work, stand_in) } else { run_anew(work, list, stand_in) };
    if exit != Exit::Recovered {
        // A folder in which not even the first line came to rest has nothing to go on with.
        exit = run_anew(work, list, stand_in);
    }
    let ran = left(work, exit).expect(0);
    ran.assert_sound_after_kills(stand_in);
    assert_eq!(ran.count("recovered"), count);
    ran
}

fn run_anew(work: &Work, list: &Path, stand_in: &StandIn) -> Exit {
    assert!(fs::read(work.path("run").join("tokens.jsonl")).unwrap_or_default().is_empty());
    let _ = fs::remove_dir_all(work.path("run"));
    run(work, list, stand_in, Disk::default())
}

fn broken() -> io::Error {
    io::Error::other("the disk was made to fail")
}

/// Fails the n-th operation, and, where `for_good`, all after it. Counts them.
fn failing(n: usize, for_good: Failing) -> (Disk, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let disk = Disk::failing(move |_: Operation| {
        let this = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = this == n || this > n && for_good == Failing::FromThenOn;
        if fails { Err(broken()) } else { Ok(()) }
    });
    (disk, count)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Once,
    FromThenOn,
}

#[test]
fn whichever_operation_fails_nothing_granted_is_lost() {
    let work = Work::undisturbed();
    let list = work.file("list.csv", locations(3));
    for how in [Failing::Once, Failing::FromThenOn] {
        let mut n = 1;
        while !passes_clean(&work, &list, n, how) {
            fs::remove_dir_all(work.path("run")).unwrap();
            n += 1;
        }
        fs::remove_dir_all(work.path("run")).unwrap();
        assert!(n > 20, "only {n} operations were made to fail");
    }
}

/// Runs with the n-th operation failing and goes on after it; whether there was no such operation.
fn passes_clean(work: &Work, list: &Path, n: usize, how: Failing) -> bool {
    let stand_in = StandIn::seeded(&json!({}), n as u64);
    let (disk, count) = failing(n, how);
    let exit = run(work, list, &stand_in, disk);
    if count.load(Ordering::SeqCst) < n {
        assert_eq!(exit, Exit::Recovered, "a run without a fault");
        return true;
    }
    assert!(matches!(exit, Exit::Recovered | Exit::Local), "operation {n} fails {how:?}: {exit:?}");
    converge(work, list, &stand_in, 3);
    let redone = stand_in.audit().grants.len() - 3;
    assert_eq!(redone, 0, "operation {n} fails {how:?}");
    false
}

fn whole_lines(path: &Path, with: &str) -> usize {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains(with)).count()
}

#[test]
fn nothing_counts_as_recovered_before_its_tokens_are_synced() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(3));
    let tokens = work.path("run").join("tokens.jsonl");
    let disk = Disk::failing(move |operation| {
        let has_tokens = tokens.metadata().is_ok_and(|file| file.len() > 0);
        if operation == Operation::Sync && has_tokens { Err(broken()) } else { Ok(()) }
    });
    assert_eq!(run(&work, &list, &stand_in, disk), Exit::Local);
    assert_eq!(whole_lines(&work.path("run").join("journal.jsonl"), "{\"recovered\""), 0);
    assert_eq!(stand_in.audit().codes.len(), 1, "no new code is asked for");
    converge(&work, &list, &stand_in, 3);
}

#[test]
fn a_disk_that_never_answers_is_given_up_and_what_it_holds_is_saved_elsewhere() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(40));
    let tokens = work.path("run").join("tokens.jsonl");
    // The disk hangs until the test lets go of it.
    let (let_go, hanging) = mpsc::channel::<()>();
    let hanging = Arc::new(Mutex::new(hanging));
    let still_open = Arc::downgrade(&hanging);
    let disk = Disk::failing(move |operation| {
        let has_tokens = tokens.metadata().is_ok_and(|file| file.len() > 20_000);
        if operation == Operation::Sync && has_tokens {
            let _ = hanging.lock().unwrap().recv();
        }
        Ok(())
    });
    let begun = Instant::now();
    let disk = disk.with_patience(Duration::from_millis(500));
    assert_eq!(run(&work, &list, &stand_in, disk), Exit::Local);
    assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
    let granted = stand_in.audit().grants.len();
    assert!(granted < 40, "no new code is asked for: {granted}");
    let events = lines(&work.path("run").join("journal.jsonl"));
    let saved = spill::found(&work.path("run"), events[0]["started"]["run_id"].as_str().unwrap());
    assert!(saved.unwrap().iter().any(|(_, tokens)| !tokens.is_empty()), "in another place");
    drop(let_go);
    wait_until("the end of its thread", || still_open.strong_count() == 0);
    converge(&work, &list, &stand_in, 40);
    assert_eq!(stand_in.audit().grants.len(), 40, "nothing granted was lost");
}

#[test]
fn a_stuck_step_is_named() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(5));
    let (tokens, log) = (work.path("run").join("tokens.jsonl"), work.path("run").join("run.log"));
    let is_named = move || fs::read_to_string(&log).unwrap().contains("STUCK: row 1 ");
    let disk = Disk::failing(move |operation| {
        let has_tokens = tokens.metadata().is_ok_and(|file| file.len() > 0);
        if operation == Operation::Sync && has_tokens {
            wait_until("the watchdog's word", &is_named);
        }
        Ok(())
    });
    assert_eq!(run(&work, &list, &stand_in, disk), Exit::Recovered);
    let log = fs::read_to_string(work.path("run").join("run.log")).unwrap();
    let line = format!("STUCK: row 1 {}: waiting for the disk", location(0));
    assert!(log.contains(&line), "{log}");
}

#[test]
fn no_event_says_recovered_before_the_tokens_are_in_their_file() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(40));
    let [tokens, journal] =
        ["tokens.jsonl", "journal.jsonl"].map(|name| work.path("run").join(name));
    let early = Arc::new(AtomicUsize::new(0));
    let seen = early.clone();
    let disk = Disk::failing(move |_| {
        let told = whole_lines(&journal, "{\"recovered\"");
        seen.fetch_add(usize::from(told > whole_lines(&tokens, "")), Ordering::SeqCst);
        Ok(())
    });
    assert_eq!(run(&work, &list, &stand_in, disk), Exit::Recovered);
    assert_eq!(early.load(Ordering::SeqCst), 0);
}

/// A finished run of two installations with all of its files.
fn finished_run(work: &Work, stand_in: &StandIn) -> (PathBuf, Vec<(PathBuf, Vec<u8>)>) {
    let list = work.file("list.csv", locations(2));
    assert_eq!(run(work, &list, stand_in, Disk::default()), Exit::Recovered);
    let files = fs::read_dir(work.path("run")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    (list, files.collect())
}

fn restore(files: &[(PathBuf, Vec<u8>)], cut: &str, length: usize) {
    for (path, bytes) in files {
        let length = if path.ends_with(cut) { length } else { bytes.len() };
        fs::write(path, &bytes[..length]).unwrap();
    }
}

fn length_of(files: &[(PathBuf, Vec<u8>)], name: &str) -> usize {
    files.iter().find(|(path, _)| path.ends_with(name)).unwrap().1.len()
}

#[test]
fn a_journal_cut_at_any_byte_is_gone_on_with() {
    let (work, stand_in) = (Work::in_memory(), StandIn::good());
    let (list, files) = finished_run(&work, &stand_in);
    for length in 0..=length_of(&files, "journal.jsonl") {
        restore(&files, "journal.jsonl", length);
        assert_eq!(resume(&work, &stand_in), Exit::Recovered, "cut at {length}");
        if length % 97 == 0 {
            left(&work, Exit::Recovered).assert_sound_after_kills(&stand_in);
        }
    }
    converge(&work, &list, &stand_in, 2);
    assert_eq!(stand_in.audit().grants.len(), 2, "the tokens were there all the time");
}

#[test]
fn what_an_event_said_is_rebuilt_from_its_token_line() {
    let (work, stand_in) = (Work::new(), StandIn::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &stand_in.url()).args(["--concurrency", "1"]).go().expect(0);
    let (before, tokens) = (ran.results(), ran.text("tokens.jsonl"));
    // Back to a power cut that took what was not synced: after the second code went out, no event
    // tells what came of it, and none tells of the third installation.
    let journal = ran.text("journal.jsonl");
    let second = journal.match_indices("{\"exchanging\"").nth(1).unwrap().0;
    let end = second + journal[second..].find('\n').unwrap() + 1;
    fs::write(ran.file("journal.jsonl"), &journal[..end]).unwrap();
    let calls = stand_in.requests();
    let ran = work.resume(&stand_in.url()).go().expect(0);
    assert_eq!(stand_in.requests(), calls, "nothing is asked for again");
    assert_eq!(ran.text("tokens.jsonl"), tokens);
    ran.assert_books_balance();
    assert_eq!(ran.summary()["books"]["recovered"], 3);
    assert_eq!(ran.summary()["lost_grants"]["count"], 0);
    assert_eq!(ran.summary()["tokens"]["without_refresh_token"], 0);
    let after = ran.results();
    assert_eq!(after[0], before[0], "its event was synced");
    for column in ["status", "via", "reconnect_trace_id", "attempts", "token_expires_at"] {
        assert_eq!(after[1][column], before[1][column], "{column}");
    }
    assert_eq!(after[2]["token_expires_at"], before[2]["token_expires_at"]);
    assert_eq!([&after[2]["via"], &after[2]["attempts"]], ["", ""], "nothing tells of them");
    // Once more: it is recovered, and stays so.
    work.resume(&stand_in.url()).go().expect(0).assert_sound_after_kills(&stand_in);
    assert_eq!(stand_in.requests(), calls);
}

#[test]
fn a_token_file_cut_at_any_byte_is_made_whole_again() {
    let (work, stand_in) = (Work::in_memory(), StandIn::good());
    let (_, files) = finished_run(&work, &stand_in);
    let length = length_of(&files, "tokens.jsonl");
    for cut in 0..=length {
        restore(&files, "tokens.jsonl", cut);
        assert_eq!(resume(&work, &stand_in), Exit::Recovered, "cut at {cut}");
        let tokens = fs::read_to_string(work.path("run/tokens.jsonl")).unwrap();
        assert_eq!(tokens.lines().count(), 2, "cut at {cut}");
        if cut % 97 == 0 {
            let ran = left(&work, Exit::Recovered);
            assert_eq!(ran.tokens().len(), 2, "cut at {cut}");
            assert_eq!(ran.count("recovered"), 2, "cut at {cut}");
        }
    }
    assert!(stand_in.audit().codes_presented_twice().is_empty());
}

#[test]
fn damage_in_the_middle_is_refused_and_nothing_is_sent() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let (_, files) = finished_run(&work, &stand_in);
    let calls = stand_in.requests();
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with("journal.jsonl")) {
        let mut bytes = bytes.clone();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 3].copy_from_slice(b"\n{\n");
        fs::write(path, &bytes).unwrap();
        let ran = work.resume(&stand_in.url()).go().expect(4);
        assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
        assert!(ran.stderr.contains("line "), "{}", ran.stderr);
        assert_eq!(&fs::read(path).unwrap(), &bytes, "nothing was changed");
    }
    assert_eq!(stand_in.requests(), calls);
}

#[test]
fn a_missing_token_file_is_refused_and_nothing_is_sent() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    finished_run(&work, &stand_in);
    let calls = stand_in.requests();
    fs::remove_file(work.path("run").join("tokens.jsonl")).unwrap();
    let ran = work.resume(&stand_in.url()).go().expect(4);
    assert!(ran.stderr.contains("tokens.jsonl is missing"), "{}", ran.stderr);
    assert_eq!(stand_in.requests(), calls);
}

#[test]
fn a_missing_journal_is_refused_and_nothing_is_sent() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    finished_run(&work, &stand_in);
    let calls = stand_in.requests();
    fs::remove_file(work.path("run").join("journal.jsonl")).unwrap();
    for command in ["resume", "report"] {
        let run = work.path("run");
        let ran = work.program([command.as_ref(), run.as_os_str()]).credentials().go().expect(4);
        assert!(ran.stderr.contains("journal.jsonl; put it back"), "{}", ran.stderr);
    }
    assert!(!work.path("run").join("journal.jsonl").exists());
    assert_eq!(stand_in.requests(), calls);
}

#[test]
fn a_report_without_the_tokens_says_so_and_makes_no_file() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    finished_run(&work, &stand_in);
    let tokens = work.path("run").join("tokens.jsonl");
    fs::remove_file(&tokens).unwrap();
    let run = work.path("run");
    let ran = work.program(["report".as_ref(), run.as_os_str()]).go().expect(0);
    assert!(ran.stderr.contains("tokens.jsonl is missing"), "{}", ran.stderr);
    assert!(!tokens.exists());
    // The way that the refusal to resume names: an empty file in its place asks for all anew.
    fs::write(&tokens, "").unwrap();
    let ran = work.resume(&stand_in.url()).go().expect(0);
    assert_eq!(ran.tokens().len(), 2);
    ran.assert_sound_after_kills(&stand_in);
}

#[test]
fn tokens_that_somebody_else_cuts_meanwhile_are_noticed() {
    let stand_in =
        StandIn::with(Options { latency: Duration::from_millis(20), ..Options::default() });
    let work = Work::new();
    let list = work.file("list.csv", locations(60));
    let mut command = work.run(list, &stand_in.url()).command();
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("some tokens", || stand_in.audit().grants.len() >= 20);
    let tokens = work.path("run").join("tokens.jsonl");
    fs::OpenOptions::new().write(true).truncate(true).open(tokens).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("somebody else has changed the file"), "{said}");
    let ran = work.resume(&stand_in.url()).go().expect(0);
    ran.assert_sound_after_kills(&stand_in);
    assert_eq!(ran.count("recovered"), 60);
}

#[test]
fn a_second_run_or_resume_on_a_folder_in_use_is_refused() {
    let stand_in = StandIn::faulty(&json!({"*": ["exchange:silence*"]}));
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
    let mut child = work.run(&list, &stand_in.url()).command();
    let mut child = child.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a run at work", || stand_in.requests() >= 2);
    let holder = format!("process {}", child.id());
    let resumed = work.resume(&stand_in.url()).go().expect(4);
    assert!(resumed.stderr.contains(&holder), "{holder}: {}", resumed.stderr);
    work.run(&list, &stand_in.url()).go().expect(2);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_recovered_is_never_asked_for_again() {
    let (work, stand_in) =
        (Work::new(), StandIn::faulty(&json!({location(1): ["not_installed*"]})));
    let list = work.file("list.csv", locations(4));
    work.run(&list, &stand_in.url()).go().expect(1);
    let calls = stand_in.requests();
    let ran = work.resume(&stand_in.url()).go().expect(1);
    assert!(ran.stderr.contains("--retry-failed"), "{}", ran.stderr);
    assert_eq!(stand_in.requests(), calls, "nothing was open");
    stand_in.set_faults(&json!({}));
    let ran = work.resume(&stand_in.url()).args(["--retry-failed"]).go().expect(0);
    ran.assert_sound_after_kills(&stand_in);
    assert_eq!(stand_in.requests(), calls + 2, "the failed one alone");
    assert_eq!(ran.result(&location(1))["attempts"], "2", "of the whole run");
}

/// A run that was halted at its first installation.
fn halted(work: &Work, stand_in: &StandIn) -> PathBuf {
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &stand_in.url()).go().expect(3);
    assert!(ran.stdout.contains("ghl-reconnect resume"), "{}", ran.stdout);
    stand_in.set_faults(&json!({}));
    list
}

#[test]
fn the_list_may_change_or_go_meanwhile() {
    let removed = json!({"*": ["endpoint_removed*"]});
    let (work, stand_in) = (Work::new(), StandIn::faulty(&removed));
    let list = halted(&work, &stand_in);
    fs::write(list, locations(9)).unwrap();
    let ran = work.resume(&stand_in.url()).args(["--retry-failed"]).go().expect(0);
    assert!(ran.stderr.contains("has changed"), "{}", ran.stderr);
    assert_eq!(ran.count("recovered"), 3, "the list as it was");
    ran.assert_sound_after_kills(&stand_in);
    drop(work);

    let (work, stand_in) = (Work::new(), StandIn::faulty(&removed));
    fs::remove_file(halted(&work, &stand_in)).unwrap();
    let ran = work.resume(&stand_in.url()).args(["--retry-failed"]).go().expect(0);
    assert_eq!(ran.count("recovered"), 3);
}

#[test]
fn a_run_is_gone_on_with_for_its_own_client_only() {
    let (work, stand_in) = (Work::new(), StandIn::faulty(&json!({"*": ["endpoint_removed*"]})));
    halted(&work, &stand_in);
    let calls = stand_in.requests();
    let other = ["--client-id", "7620deb436802d88b810ef77-m1x2y3z4"];
    let ran = work.resume(&stand_in.url()).args(other).go().expect(2);
    assert!(ran.stderr.contains(CLIENT_ID), "{}", ran.stderr);
    let ran = work.resume(&stand_in.url()).args(["--sandbox"]).go().expect(2);
    assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
    assert_eq!(stand_in.requests(), calls);
}

#[test]
fn a_rehearsal_is_gone_on_with_as_a_rehearsal() {
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    work.rehearse(&list).args(["--sandbox-faults", "endpoint_removed=100%"]).go().expect(3);
    let run = work.path("run");
    let ran = work.program(["resume".as_ref(), run.as_os_str(), "--retry-failed".as_ref()]);
    let ran = ran.go().expect(0);
    assert!(ran.stderr.contains("SANDBOX"), "{}", ran.stderr);
    assert_eq!(ran.count("recovered"), 3);
}

#[test]
fn an_exchange_without_an_answer_is_a_lost_grant() {
    let (work, stand_in) =
        (Work::new(), StandIn::faulty(&json!({location(1): ["exchange:reset"]})));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &stand_in.url()).go().expect(0);
    ran.assert_sound(&stand_in);
    let grants = &ran.summary()["lost_grants"];
    assert_eq!(grants["count"], 1);
    assert_eq!(grants["first"][0]["id"], location(1));
    for field in ["reconnected_at", "reconnect_trace_id", "exchanged_at"] {
        assert!(grants["first"][0][field].is_string(), "{field}: {grants}");
    }
    assert!(ran.stdout.contains("lost_grants"), "{}", ran.stdout);
}

#[test]
fn a_secret_in_a_file_sets_the_file_aside() {
    for leaky in ["client secret", "token", "token in base64"] {
        let stand_in =
            StandIn::with(Options { latency: Duration::from_millis(20), ..Options::default() });
        let work = Work::new();
        let list = work.file("list.csv", locations(30));
        let mut command = work.run(list, &stand_in.url()).args(["--concurrency", "2"]).command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        wait_until("the first tokens", || !stand_in.audit().grants.is_empty());
        let token = stand_in.audit().grants[0].access_token.clone();
        let secret = match leaky {
            "client secret" => CLIENT_SECRET.to_owned(),
            "token" => token,
            _ => {
                use base64::{Engine, engine::general_purpose::STANDARD};
                STANDARD.encode(token)
            }
        };
        let log = work.path("run").join("run.log");
        let mut log = fs::OpenOptions::new().append(true).open(log).unwrap();
        writeln!(log, "somebody noted {secret} here").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{leaky}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("run.log"), "{said}");
        assert!(!said.contains(&secret), "{said}");
        let is_there = |name: &str| work.path("run").join(name).exists();
        assert!(!is_there("run.log") && is_there("run.log.leaked"));
        let summary = left(&work, Exit::Bug).summary();
        assert_eq!((&summary["exit_code"], &summary["leaks"][0]), (&json!(5), &json!("run.log")));
    }
}

#[cfg(unix)]
#[test]
fn the_tokens_of_a_folder_that_is_removed_are_saved_elsewhere() {
    let stand_in =
        StandIn::with(Options { latency: Duration::from_millis(20), ..Options::default() });
    let work = Work::new();
    let list = work.file("list.csv", locations(60));
    let child = work.run(list, &stand_in.url()).command();
    let child = { child }.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("some tokens", || stand_in.audit().grants.len() >= 20);
    fs::remove_dir_all(work.path("run")).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let saved = work.entries().into_iter().find(|name| name.starts_with("ghl-reconnect-rescued-"));
    let saved = work.path(&saved.unwrap_or_else(|| panic!("no second place: {said}")));
    assert!(said.contains(saved.to_str().unwrap()), "{said}");
    let tokens = fs::read_to_string(saved).unwrap();
    let audit = stand_in.audit();
    for pair in &audit.grants {
        assert!(tokens.contains(&pair.access_token), "tokens of {} are lost", pair.id);
    }
    assert!(audit.codes.len() < 60, "no new code is asked for");
}

#[cfg(unix)]
#[test]
fn tokens_that_go_after_the_journal_went_are_saved_elsewhere_too() {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(10));
    let folder = work.path("run");
    let syncs = AtomicUsize::new(0);
    let disk = Disk::failing(move |operation| {
        let has_tokens = whole_lines(&folder.join("tokens.jsonl"), "") >= 3;
        if operation == Operation::Sync && has_tokens && syncs.fetch_add(1, Ordering::SeqCst) == 1 {
            // Between the sync of the tokens and that of the journal: the journal cannot be
            // synced any more, and then the whole folder goes.
            fs::remove_dir_all(&folder).unwrap();
            return Err(broken());
        }
        Ok(())
    });
    assert_eq!(run(&work, &list, &stand_in, disk), Exit::Local);
    let saved = work.entries().into_iter().find(|name| name.starts_with("ghl-reconnect-rescued-"));
    let tokens = fs::read_to_string(work.path(&saved.expect("a second place"))).unwrap();
    for pair in &stand_in.audit().grants {
        assert!(tokens.contains(&pair.access_token), "tokens of {} are lost", pair.id);
    }
}

#[cfg(unix)]
#[test]
fn an_unwritable_place_is_refused_before_the_first_call() {
    let (work, stand_in) = (Work::new(), StandIn::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &stand_in.url()).args(["--out", "/proc/run"]).without_out();
    let ran = ran.go();
    assert!(matches!(ran.code, 2 | 4), "{}", ran.stderr);
    assert!(ran.stderr.contains("/proc/run"), "{}", ran.stderr);
    assert_eq!(stand_in.requests(), 0);
}

/// A small file system of its own, gone with the value. Making one takes root.
#[cfg(target_os = "linux")]
struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "small"]).arg(&at);
        let mounted = command.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self(at))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_stops_the_run_and_loses_nothing() {
    let stand_in =
        StandIn::with(Options { latency: Duration::from_millis(10), ..Options::default() });
    let work = Work::new();
    // Where nobody may mount, failing operations are rehearsed by the test above all the same.
    let Some(small) = SmallDisk::mount(work.path("small"), "size=600k") else { return };
    let out = small.0.join("run");
    let list = work.file("list.csv", locations(100));
    let mut run = work.run_into("small/run", &list, &stand_in.url()).command();
    let child = run.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("some tokens", || stand_in.audit().grants.len() >= 20);
    let filler = small.0.join("filler");
    let _ = fs::write(&filler, vec![0; 600 << 10]);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("No space left"), "{said}");
    assert!(said.contains("ghl-reconnect resume"), "{said}");
    let granted = stand_in.audit().grants.len();
    assert!(granted < 100, "no new code is asked for");
    fs::remove_file(filler).unwrap();
    let mut again = work.program(["resume".as_ref(), out.as_os_str()]).credentials();
    again = again.args(["--rate", "unlimited"]);
    let resumed = again.go();
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let ran = Ran { folder: out, ..resumed };
    ran.assert_sound_after_kills(&stand_in);
    assert_eq!(stand_in.audit().grants.len(), 100, "nothing was redone");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_too_small_for_the_list_is_refused_before_the_first_call() {
    let (work, stand_in) = (Work::new(), StandIn::good());
    let Some(small) = SmallDisk::mount(work.path("small"), "size=600k") else { return };
    let list = work.file("list.csv", locations(600));
    let ran = work.run_into("small/run", &list, &stand_in.url()).go().expect(4);
    assert!(ran.stderr.contains("has room for"), "{}", ran.stderr);
    assert_eq!(stand_in.requests(), 0);
    let mut command = std::process::Command::new("mount");
    command.args(["-o", "remount,size=60m"]).arg(&small.0);
    assert!(command.status().unwrap().success());
    let resume = work.program(["resume".as_ref(), small.0.join("run").as_os_str()]).credentials();
    assert_eq!(resume.args(["--rate", "unlimited"]).go().code, 0);
    assert_eq!(stand_in.audit().grants.len(), 600);
}
