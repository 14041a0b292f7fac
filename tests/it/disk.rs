//! Disks that fail, hang, fill up or go: nothing that was granted is lost, and a resumed run ends where a
//! lucky run ends.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use ghl_reconnect::{
    exit::Exit,
    journal::{
        disk::{Disk, Operation},
        spill,
    },
    sandbox::Options,
};
use serde_json::json;

#[cfg(target_os = "linux")]
use crate::support::SmallDisk;
use crate::support::{
    Launch, MockServer, Ran, Work,
    in_process::{broken, converge, run, whole_lines},
    lines, location, locations, start, wait_until,
};

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
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
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

/// Runs with the n-th operation failing and continues after it; whether there was no such operation.
fn passes_clean(work: &Work, list: &Path, n: usize, how: Failing) -> bool {
    let server = MockServer::seeded(&json!({}), n as u64);
    let (disk, count) = failing(n, how);
    let exit = run(work, list, &server, disk);
    if count.load(Ordering::SeqCst) < n {
        assert_eq!(exit, Exit::Recovered, "a run without a fault");
        return true;
    }
    assert!(matches!(exit, Exit::Recovered | Exit::Local), "operation {n} fails {how:?}: {exit:?}");
    converge(work, list, &server, 2);
    let redone = server.audit().grants.len() - 2;
    assert_eq!(redone, 0, "operation {n} fails {how:?}");
    false
}

#[test]
fn nothing_counts_as_recovered_before_its_tokens_are_synced() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let tokens = work.path("run").join("tokens.jsonl");
    let disk = Disk::failing(move |operation| {
        let has_tokens = tokens.metadata().is_ok_and(|file| file.len() > 0);
        if operation == Operation::Sync && has_tokens { Err(broken()) } else { Ok(()) }
    });
    assert_eq!(run(&work, &list, &server, disk), Exit::Local);
    assert_eq!(whole_lines(&work.path("run").join("journal.jsonl"), "{\"recovered\""), 0);
    assert_eq!(server.audit().codes.len(), 1, "no new code is asked for");
    converge(&work, &list, &server, 3);
}

#[test]
fn a_disk_that_never_answers_is_given_up_and_what_it_holds_is_saved_elsewhere() {
    let (work, server) = (Work::new(), MockServer::good());
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
    assert_eq!(run(&work, &list, &server, disk), Exit::Local);
    assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
    let granted = server.audit().grants.len();
    assert!(granted < 40, "no new code is asked for: {granted}");
    let events = lines(&work.path("run").join("journal.jsonl"));
    let saved = spill::found(&work.path("run"), events[0]["started"]["run_id"].as_str().unwrap());
    assert!(saved.unwrap().iter().any(|(_, tokens)| !tokens.is_empty()), "in another place");
    drop(let_go);
    wait_until("the end of its thread", || still_open.strong_count() == 0);
    converge(&work, &list, &server, 40);
    assert_eq!(server.audit().grants.len(), 40, "nothing granted was lost");
}

#[test]
fn a_stuck_step_is_named() {
    let (work, server) = (Work::new(), MockServer::good());
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
    assert_eq!(run(&work, &list, &server, disk), Exit::Recovered);
    let log = fs::read_to_string(work.path("run").join("run.log")).unwrap();
    let line = format!("STUCK: row 1 {}: waiting for the disk", location(0));
    assert!(log.contains(&line), "{log}");
}

#[test]
fn no_event_says_recovered_before_the_tokens_are_in_their_file() {
    let (work, server) = (Work::new(), MockServer::good());
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
    assert_eq!(run(&work, &list, &server, disk), Exit::Recovered);
    assert_eq!(early.load(Ordering::SeqCst), 0);
}

#[cfg(unix)]
#[test]
fn the_tokens_of_a_folder_that_is_removed_are_saved_elsewhere() {
    let server =
        MockServer::with(Options { latency: Duration::from_millis(20), ..Options::default() });
    let work = Work::new();
    let list = work.file("list.csv", locations(60));
    let child = work.run(list, &server.url()).command();
    let child = start(child);
    wait_until("some tokens", || server.audit().grants.len() >= 20);
    fs::remove_dir_all(work.path("run")).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let saved = work.entries().into_iter().find(|name| name.starts_with("ghl-reconnect-rescued-"));
    let saved = work.path(&saved.unwrap_or_else(|| panic!("no second place: {said}")));
    assert!(said.contains(saved.to_str().unwrap()), "{said}");
    let tokens = fs::read_to_string(saved).unwrap();
    let audit = server.audit();
    for pair in &audit.grants {
        assert!(tokens.contains(&pair.access_token), "tokens of {} are lost", pair.id);
    }
    assert!(audit.codes.len() < 60, "no new code is asked for");
}

#[cfg(unix)]
#[test]
fn tokens_that_go_after_the_journal_went_are_saved_elsewhere_too() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(10));
    let folder = work.path("run");
    let syncs = AtomicUsize::new(0);
    let disk = Disk::failing(move |operation| {
        let has_tokens = whole_lines(&folder.join("tokens.jsonl"), "") >= 3;
        if operation == Operation::Sync && has_tokens && syncs.fetch_add(1, Ordering::SeqCst) == 1 {
            // The next sync fails, whichever file it is for, and then the whole folder goes.
            fs::remove_dir_all(&folder).unwrap();
            return Err(broken());
        }
        Ok(())
    });
    assert_eq!(run(&work, &list, &server, disk), Exit::Local);
    let saved = work.entries().into_iter().find(|name| name.starts_with("ghl-reconnect-rescued-"));
    let tokens = fs::read_to_string(work.path(&saved.expect("a second place"))).unwrap();
    for pair in &server.audit().grants {
        assert!(tokens.contains(&pair.access_token), "tokens of {} are lost", pair.id);
    }
}

#[cfg(unix)]
#[test]
fn an_unwritable_place_is_refused_before_the_first_call() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).args(["--out", "/proc/run"]).without_out();
    let ran = ran.go();
    assert!(matches!(ran.code, 2 | 4), "{}", ran.stderr);
    assert!(ran.stderr.contains("/proc/run"), "{}", ran.stderr);
    assert_eq!(server.requests(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_stops_the_run_and_loses_nothing() {
    let server =
        MockServer::with(Options { latency: Duration::from_millis(10), ..Options::default() });
    let work = Work::new();
    // Where nobody may mount, failing operations are rehearsed by the test above all the same.
    let Some(small) = SmallDisk::mount(work.path("small"), "size=600k") else { return };
    let out = small.path().join("run");
    let list = work.file("list.csv", locations(100));
    let child = start(work.run_into("small/run", &list, &server.url()).command());
    wait_until("some tokens", || server.audit().grants.len() >= 20);
    let filler = small.path().join("filler");
    let _ = fs::write(&filler, vec![0; 600 << 10]);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("No space left"), "{said}");
    assert!(said.contains("ghl-reconnect resume"), "{said}");
    let granted = server.audit().grants.len();
    assert!(granted < 100, "no new code is asked for");
    fs::remove_file(filler).unwrap();
    let mut again = work.program(["resume".as_ref(), out.as_os_str()]).credentials();
    again = again.args(["--rate", "unlimited"]);
    let resumed = again.go();
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let ran = Ran { folder: out, ..resumed };
    ran.assert_sound_after_kills(&server);
    assert_eq!(server.audit().grants.len(), 100, "nothing was redone");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_too_small_for_the_list_is_refused_before_the_first_call() {
    let (work, server) = (Work::new(), MockServer::good());
    let Some(small) = SmallDisk::mount(work.path("small"), "size=600k") else { return };
    let list = work.file("list.csv", locations(600));
    let ran = work.run_into("small/run", &list, &server.url()).go().expect(4);
    assert!(ran.stderr.contains("has room for"), "{}", ran.stderr);
    assert_eq!(server.requests(), 0);
    let mut command = std::process::Command::new("mount");
    command.args(["-o", "remount,size=60m"]).arg(small.path());
    assert!(command.capture().unwrap().status.success());
    let resume =
        work.program(["resume".as_ref(), small.path().join("run").as_os_str()]).credentials();
    assert_eq!(resume.args(["--rate", "unlimited"]).go().code, 0);
    assert_eq!(server.audit().grants.len(), 600);
}
