//! Run folders that grow old, that a kill left at an odd moment, or that somebody changed.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ghl_reconnect::{
    exit::Exit,
    journal::disk::{Disk, Operation},
    sandbox::Options,
};
use serde_json::json;

use crate::support::{
    Launch, MockServer, Ran, Run, Work, entries, in_process::inside, location, locations, sealed,
    start, unsealed, wait_until,
};

/// A run of four, of which one failed; the sandbox is good after it.
fn run_with_a_failure(work: &Work) -> (MockServer, Ran) {
    let server = MockServer::faulty(&json!({location(1): ["not_installed*"]}));
    let list = work.file("list.csv", locations(4));
    let ran = work.run(&list, &server.url()).go().expect(1);
    server.set_faults(&json!({}));
    (server, ran)
}

#[test]
fn a_run_whose_tokens_were_handed_on_goes_on_with_the_failed_rows_alone() {
    let work = Work::new();
    let (server, ran) = run_with_a_failure(&work);
    fs::remove_file(ran.file("tokens.jsonl")).unwrap();
    let calls = server.requests();
    let refused = work.resume(&server.url()).args(["--retry-failed"]).go().expect(4);
    assert_eq!(server.requests(), calls, "nothing was sent");
    assert!(refused.stderr.contains("tokens.jsonl is missing"), "{}", refused.stderr);
    let report = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(0);
    assert!(report.stderr.contains("unless they are where they belong"), "{}", report.stderr);
    // The command that the message has.
    let command = refused.stderr.lines().find(|line| line.contains("--tokens-handed-on")).unwrap();
    let words = shlex::split(command).unwrap();
    let go_on = |words: &[String]| {
        let run = work.program(&words[1..]).credentials().go();
        Ran { folder: work.path("run"), ..run }
    };
    let resumed = go_on(&words).expect(0);
    assert_eq!(server.requests(), calls + 2, "the failed one alone");
    assert_eq!((resumed.count("recovered"), resumed.tokens().len()), (4, 1));
    resumed.assert_books_balance();
    crate::schemas::assert_follows(&resumed);
    // From now on the journal knows, whatever becomes of the file.
    fs::write(ran.file("tokens.jsonl"), resumed.text("tokens.jsonl")).unwrap();
    let again = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    assert_eq!(again.count("recovered"), 4);
    assert_eq!(server.requests(), calls + 2);
}

#[cfg(unix)]
#[test]
fn tokens_that_are_deleted_under_a_run_are_taken_over_by_the_next() {
    let server =
        MockServer::with(Options { latency: Duration::from_millis(20), ..Options::default() });
    let work = Work::new();
    let list = work.file("list.csv", locations(60));
    let child = start(work.run(list, &server.url()).command());
    wait_until("some tokens", || server.audit().grants.len() >= 20);
    fs::remove_file(work.path("run").join("tokens.jsonl")).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("resume takes them over"), "{said}");
    let ran = work.resume(&server.url()).go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(ran.count("recovered"), 60);
    assert_eq!(server.audit().grants.len(), 60, "nothing granted was lost");
}

#[test]
fn a_copy_of_the_tokens_in_the_run_folder_is_its_owners_affair() {
    let work = Work::new();
    let (server, ran) = run_with_a_failure(&work);
    let copy = ran.file("tokens.csv");
    let rows = ran.tokens().into_iter().map(|t| t["access_token"].as_str().unwrap().to_owned());
    fs::write(&copy, rows.collect::<Vec<_>>().join("\n")).unwrap();
    let report = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(0);
    let resumed = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
    for said in [&report.stderr, &resumed.stderr] {
        assert!(said.contains("tokens.csv holds a secret"), "{said}");
    }
    assert!(copy.exists(), "not renamed");
    assert_eq!(resumed.summary()["leaks"], json!([]));
    work.resume(&server.url()).go().expect(0);
}

/// The command of a run behind words for a shell, in the same process.
#[cfg(unix)]
fn behind(words: &str, run: &Run) -> Command {
    let run = run.command();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{words}; exec \"$0\" \"$@\"")]);
    shell.arg(run.get_program()).args(run.get_args()).env_clear();
    shell.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(run.get_current_dir().unwrap());
    shell
}

#[cfg(unix)]
#[test]
fn a_folder_that_has_the_name_aside_is_left_as_it_is() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let make = "mkdir -p .aside-run-$$/deep && echo precious > .aside-run-$$/deep/file";
    for (out, exit) in [("run", 0), ("nowhere/run", 2)] {
        let run = work.run_into(out, &list, &server.url());
        let output = behind(make, &run).capture().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
    }
    let names = work.entries().into_iter().filter(|name| name.starts_with(".aside-run-"));
    let left: Vec<_> = names.map(|name| work.path(&name).join("deep/file")).collect();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|file| fs::read_to_string(file).unwrap() == "precious\n"));
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn every_folder_is_private_under_any_umask() {
    for umask in ["000", "022", "0177", "0777"] {
        let (work, server) = (Work::new(), MockServer::good());
        let list = work.file("list.csv", locations(1));
        let run = work.run(&list, &server.url()).rate("100/s");
        let output = behind(&format!("umask {umask}"), &run).capture().unwrap();
        assert_eq!(output.status.code(), Some(0), "{umask}: {output:?}");
        for folder in [".local/state/ghl-reconnect", "run"] {
            assert_eq!(mode(&work.path(folder)), 0o700, "{folder} under {umask}");
        }
        assert!(!entries(&work.path(".local/state/ghl-reconnect")).is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_file_of_secrets_that_others_can_read_is_warned_about() {
    use std::os::unix::fs::PermissionsExt;

    use crate::support::{CLIENT_ID, CLIENT_SECRET};

    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let env = format!("GHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET={CLIENT_SECRET}\n");
    let (env, secret) = (work.file("env", env), work.file("secret", CLIENT_SECRET));
    for (number, (bits, is_open)) in
        [(0o600, false), (0o400, false), (0o644, true), (0o640, true)].into_iter().enumerate()
    {
        for file in [&env, &secret] {
            fs::set_permissions(file, fs::Permissions::from_mode(bits)).unwrap();
        }
        let run = work.run_into(&format!("run {number}"), &list, &server.url());
        let run = run.without_credentials().arg("--env-file").arg(&env);
        let said = run.arg("--client-secret-file").arg(&secret).go().expect(0).stderr;
        for option in ["--env-file", "--client-secret-file"] {
            let warning = format!("{option}: others can read");
            assert_eq!(said.contains(&warning), is_open, "{bits:o}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_largest_size_of_files_is_a_full_disk() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(100));
    let run = work.run(&list, &server.url());
    // Blocks of 512 bytes.
    let output = behind("ulimit -f 64", &run).capture().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("File too large"), "{said}");
    assert!(said.contains("ghl-reconnect resume"), "{said}");
    let granted = server.audit().grants.len();
    assert!(granted < 100, "no new code is asked for");
    let ran = work.resume(&server.url()).go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(server.audit().grants.len(), 100, "nothing was redone");
    // The views alone.
    let report = work.program(["report".as_ref(), ran.folder.as_os_str()]);
    let output = behind("ulimit -f 8", &report).capture().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

/// The journal as if its run had begun so many years before, or after.
fn aged(journal: &str, years: i32) -> String {
    let (_, rest) = journal.split_once("\"at\":\"").unwrap();
    let year: i32 = rest[..4].parse().unwrap();
    let (now, then) = (format!("\"{year}-"), format!("\"{}-", year + years));
    let lines = journal.lines().map(|line| sealed(&unsealed(line).replace(&now, &then)) + "\n");
    lines.collect()
}

#[test]
fn a_run_goes_on_after_a_year_and_after_its_clock_was_set() {
    for years in [-1, -60, 1, 200] {
        let work = Work::new();
        let (server, ran) = run_with_a_failure(&work);
        let journal = aged(&ran.text("journal.jsonl"), years);
        fs::write(ran.file("journal.jsonl"), journal).unwrap();
        for name in ["report", "status"] {
            let told = work.program([name.as_ref(), ran.folder.as_os_str()]).go();
            assert_eq!(told.code, 0, "{name}, {years} years: {}", told.stderr);
        }
        let resumed = work.resume(&server.url()).args(["--retry-failed"]).go().expect(0);
        resumed.assert_sound_after_kills(&server);
        let window = &resumed.summary()["rate"]["busiest_window"];
        assert!(window["starts"].as_u64().unwrap() <= 9, "{years} years: {window}");
        for name in ["report", "status"] {
            let told = work.program([name.as_ref(), ran.folder.as_os_str()]).go();
            assert_eq!(told.code, 0, "{name}, {years} years: {}", told.stderr);
        }
    }
}

/// Copies what a folder has, as a kill at this moment would leave it.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for name in entries(from) {
        let bytes = fs::read(from.join(&name)).unwrap();
        fs::write(to.join(&name), bytes).unwrap();
    }
}

#[test]
fn a_run_killed_before_any_of_its_writes_goes_on() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    let (run, count) = (work.path("run"), Arc::new(AtomicUsize::new(0)));
    let names = Arc::new(Mutex::new(Vec::new()));
    let disk = {
        let (run, names) = (run.clone(), names.clone());
        let place = work.path("");
        Disk::failing(move |_: Operation| {
            if run.exists() {
                let to = place.join(format!("killed-{}", count.fetch_add(1, Ordering::SeqCst)));
                copy(&run, &to);
                names.lock().unwrap().push(to);
            }
            Ok(())
        })
    };
    assert_eq!(
        inside(&work, &["run", list.to_str().unwrap(), "--rate", "unlimited"], &server, disk),
        Exit::Recovered
    );
    let names = names.lock().unwrap().clone();
    assert!(names.len() > 20, "{}", names.len());
    for killed in names {
        copy(&killed, &run);
        let words = ["resume", run.to_str().unwrap(), "--rate", "unlimited"];
        let exit = inside(&work, &words, &server, Disk::default());
        assert_eq!(exit, Exit::Recovered, "{}", killed.display());
    }
}
