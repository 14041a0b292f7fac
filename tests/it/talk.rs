//! What the program says, where, and that it can be left unheard.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, Launch, MockServer, Ran, ScriptedServer, Work, company, fixture, location,
    locations, program, start,
};

const COMMANDS: [&str; 7] = ["run", "resume", "check", "report", "sandbox", "completions", "man"];

#[test]
fn the_plan_is_shown_before_the_first_call() {
    let (work, server) = (Work::new(), MockServer::good());
    let run = work.run(fixture("mixed.csv"), &server.url()).rate("50/s");
    let ran = run.args(["--concurrency", "7"]).go().expect(1);
    ran.assert_sound(&server);
    let plan = &ran.stderr[..ran.stderr.find(" recovered · ").unwrap()];
    for part in [
        "8 installations: 7 sub-accounts and 1 agency".to_owned(),
        "Duplicates     2 rows".to_owned(),
        "Rejected       15 rows".to_owned(),
        "row 5 (line 6), location_id: a relationship number".to_owned(),
        "; also row 8 (line 9), [token, 40 characters]".to_owned(),
        "and 9 more".to_owned(),
        "Unusual ids    1 row".to_owned(),
        "acme-staging-01".to_owned(),
        "16 at 50/s, 7 in flight: 1s at least".to_owned(),
        format!("Endpoint       {}/oauth/reconnect", server.url()),
        format!("Client id      {CLIENT_ID}"),
        format!("Run folder     {}", ran.folder.display()),
    ] {
        assert!(plan.contains(&part), "{part}:\n{plan}");
    }
}

#[test]
fn check_and_dry_run_print_the_plan_and_do_nothing() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let list = work.file("list.csv", format!("{}{}\n", locations(3), company(1)));
    let before = work.entries();
    let check = work.program(["check".as_ref(), list.as_os_str()]);
    let check = check.args(["--base-url", &server.url()]).go().expect(0);
    let dry = work.run(&list, &server.url()).without_credentials().arg("--dry-run").go();
    let dry = dry.expect(0);
    for ran in [&check, &dry] {
        assert!(ran.stdout.contains("4 installations: 4 sub-accounts"), "{}", ran.stdout);
        assert!(ran.stdout.contains("Client id      not given"), "{}", ran.stdout);
        assert!(ran.stdout.contains("nothing is written"), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(work.entries(), before);
}

#[test]
fn check_says_with_its_exit_code_whether_every_row_can_be_used() {
    let work = Work::new();
    for (list, code) in [("installations.csv", 0), ("mixed.csv", 1)] {
        work.program(["check".as_ref(), fixture(list).as_os_str()]).go().expect(code);
    }
}

#[test]
fn json_is_all_that_is_on_standard_output() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ location(1): ["unknown_id"] })));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).arg("--json").go().expect(1);
    ran.assert_sound(&server);
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary, ran.summary());
    assert_eq!(summary["books"]["recovered"], 2);
    assert_eq!(summary["causes"][0]["class"], "unknown_id");
}

#[test]
fn a_halt_is_told_on_standard_error_where_standard_output_has_json() {
    let server = MockServer::faulty(&json!({ "*": ["endpoint_removed*"] }));
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).arg("--json").go().expect(3);
    ran.assert_sound(&server);
    serde_json::from_str::<Value>(&ran.stdout).unwrap();
    assert!(ran.stderr.contains("error: halted: endpoint_removed"), "{}", ran.stderr);
}

#[test]
fn a_quiet_run_says_the_result_and_the_folder_in_one_line() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).arg("-q").go().expect(0);
    ran.assert_sound(&server);
    let line = format!("3 of 3 installations recovered; run folder {}\n", ran.folder.display());
    assert_eq!((&*ran.stdout, &*ran.stderr), (&*line, ""));
}

#[test]
fn without_a_terminal_progress_is_a_line() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    assert!(ran.stderr.contains(" 3/3 recovered · 0 failed · 0 in flight"), "{}", ran.stderr);
}

#[test]
fn a_verbose_run_says_what_happens_to_each() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).arg("-v").go().expect(0);
    ran.assert_sound(&server);
    for n in 0..3 {
        let line = format!("row {} {}: recovered by reconnect in attempt 1", n + 1, location(n));
        assert!(ran.stderr.contains(&line), "{line}: {}", ran.stderr);
    }
}

#[test]
fn no_color_reaches_a_pipe_unless_it_is_asked_for() {
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    for (n, no_color) in [None, Some("1")].into_iter().enumerate() {
        let server = MockServer::faulty(&json!({ location(1): ["reset"] }));
        let mut run = work.run_into(&n.to_string(), &list, &server.url());
        if let Some(value) = no_color {
            run = run.env("NO_COLOR", value);
        }
        let ran = run.env("TERM", "xterm-256color").go().expect(0);
        ran.assert_sound(&server);
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
    }
}

/// The command behind `Next` in a summary.
fn next_command(ran: &Ran) -> String {
    let line = ran.stdout.lines().find_map(|line| line.strip_prefix("Next "));
    line.unwrap_or_else(|| panic!("no way on in {}", ran.stdout)).trim().to_owned()
}

#[cfg(unix)]
#[test]
fn the_next_command_runs_as_it_is_printed() {
    for out in ["it's \"a\" run; $HOME `x`", "-run", "plain"] {
        let faults = json!({ location(1): ["exchange:grant_refused"] });
        let (work, server) = (Work::new(), MockServer::faulty(&faults));
        let list = work.file("list.csv", locations(3));
        let folder = format!("--out={out}");
        let run = work.program(["run".as_ref(), list.as_os_str()]).credentials().arg(folder);
        let run = run.args(["--base-url", &server.url(), "--rate", "100/s", "--attempts", "1"]);
        let ran = run.args(["--reconnect-path", "/oauth/reconnect"]).go().expect(1);
        let next = next_command(&ran);
        let folder_of_program = std::path::Path::new(program()).parent().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &next]).env_clear().current_dir(work.path("."));
        shell
            .env("PATH", format!("{}:/usr/bin:/bin", folder_of_program.display()))
            .env("HOME", work.path("."));
        shell.env("GHL_CLIENT_ID", CLIENT_ID);
        shell.env("GHL_CLIENT_SECRET", crate::support::CLIENT_SECRET);
        let output = shell.capture().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{next}: {said}");
        assert_eq!(server.calls_for(&location(1)), [2, 2], "{next}");
        assert_eq!(server.calls_for(&location(0)), [1, 1], "{next}");
    }
}

#[test]
fn after_a_run_without_failures_the_pairs_are_left_to_store() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    let store = format!("ghl-reconnect store {} --to env:DATABASE_URL", ran.folder.display());
    assert_eq!(next_command(&ran), store, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("Next").count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.starts_with("3 of 3 installations recovered"), "{}", ran.stdout);
    assert!(ran.stdout.contains("do not attach"), "{}", ran.stdout);
}

#[test]
fn the_summary_is_short_and_names_the_causes() {
    let faults = json!({ location(1): ["unknown_id"], location(2): ["not_installed"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(50));
    let ran = work.run(&list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    assert!(ran.stdout.lines().count() < 20, "{}", ran.stdout);
    for part in ["48 of 50", "2 failed", "1 unknown_id at reconnect, HTTP 400", "fix-input"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
}

#[test]
fn closed_outputs_stop_nothing() {
    for closed in ["stdout", "stderr", "both"] {
        let server = MockServer::faulty(&json!({ location(1): ["unknown_id"] }));
        let work = Work::new();
        let list = work.file("list.csv", locations(5));
        let mut child = start(work.run(list, &server.url()).args(["-v"]).command());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // What is kept is read to its end; what is dropped is a pipe that nobody reads.
        let kept = match closed {
            "stdout" => (None, stderr),
            "stderr" => (stdout, None),
            _ => (None, None),
        };
        if let Some(mut out) = kept.0 {
            std::io::copy(&mut out, &mut std::io::sink()).unwrap();
        }
        if let Some(mut err) = kept.1 {
            std::io::copy(&mut err, &mut std::io::sink()).unwrap();
        }
        let code = child.wait().unwrap().code().unwrap();
        let folder = work.path("run");
        let ran = Ran { code, stdout: String::new(), stderr: String::new(), folder }.expect(1);
        ran.assert_sound(&server);
        assert_eq!(ran.count("recovered"), 4, "{closed}");
    }
}

#[test]
fn completions_and_the_manual_are_there() {
    let work = Work::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = work.program(["completions", shell]).go().expect(0).stdout;
        assert!(script.contains("reconnect-path"), "{shell}");
    }
    let page = work.program(["man"]).go().expect(0).stdout;
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    for part in [".TH ghl-reconnect", "COMMAND RUN", "client\\-secret\\-file", "NAME"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn the_manual_renders() {
    let work = Work::new();
    let page = work.file("page.1", work.program(["man"]).go().expect(0).stdout);
    let Ok(output) = Command::new("man").args(["--warnings", "-l"]).arg(&page).capture() else {
        return;
    };
    if output.status.success() {
        assert!(String::from_utf8_lossy(&output.stdout).contains("NAME"));
    }
}

#[test]
fn every_command_has_help() {
    let work = Work::new();
    let help = work.program(["--help"]).go().expect(0).stdout;
    assert!(help.contains("Exit codes"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(command), "{command}: {help}");
        for flag in ["-h", "--help"] {
            let help = work.program([command, flag]).go().expect(0).stdout;
            assert!(help.contains("Usage: ghl-reconnect"), "{help}");
        }
    }
    let version = work.program(["--version"]).go().expect(0).stdout;
    assert_eq!(version, format!("ghl-reconnect {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_documented_defaults_are_the_real_ones() {
    let work = Work::new();
    let help = work.program(["run", "--help"]).go().expect(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (flag, default) in [
        ("--rate", "[default: 10/s]"),
        ("--concurrency", "[default: 16]"),
        ("--attempts", "[default: 5]"),
        ("--timeout", "[default: 30s]"),
        ("--scope", "[default: auto]"),
        ("--reconnect-path", "[default: /oauth/reconnect]"),
        ("--base-url", "[default: https://services.leadconnectorhq.com]"),
    ] {
        let said = &help[help.find(&format!("{flag} <")).unwrap()..];
        let next = said[2..].find(" --").map_or(said.len(), |end| end + 2);
        assert!(said[..next].contains(default), "{flag}: {}", &said[..next]);
    }
}

#[test]
fn wrong_usage_ends_with_exit_code_two() {
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    let list = list.to_str().unwrap();
    for args in [
        &[][..],
        &["nonsense"],
        &["run"],
        &["run", list, "--rate", "fast"],
        &["run", list, "--rate", "0/s"],
        &["run", list, "--concurrency", "0"],
        &["run", list, "--attempts", "0"],
        &["run", list, "--timeout", "soon"],
        &["run", list, "--timeout", "1ms"],
        &["run", list, "--limit", "0"],
        &["run", list, "--sandbox-faults", "server_error=1%"],
        &["run", list, "--sandbox", "--sandbox-faults", "nonsense=1%"],
        &["check", list, "-q", "-v"],
        &["completions", "tcsh"],
    ] {
        let ran = work.program(args.iter().copied()).go().expect(2);
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
    assert_eq!(work.entries().len(), 1, "{:?}", work.entries());
    assert!(fs::read(list).is_ok());
}

#[test]
fn faults_of_the_stand_in_are_no_options_of_a_real_run() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(2));
    for command in ["run", "check"] {
        let ran = work
            .program([command.as_ref(), list.as_os_str()])
            .args(["--sandbox-faults", "server_error=1%", "--base-url", &server.url()])
            .credentials()
            .go()
            .expect(2);
        assert!(ran.stderr.contains("need --sandbox"), "{}", ran.stderr);
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_next_command_of_a_report_goes_where_the_run_went() {
    let (work, server) =
        (Work::new(), MockServer::faulty(&json!({location(1): ["not_installed*"]})));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).go().expect(1);
    let next = format!("failures.csv --base-url {}", server.url());
    let report = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(0);
    assert!(report.stdout.contains(&next), "{}", report.stdout);
    drop(work);

    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let ran = work.rehearse(&list).args(["--sandbox-faults", "not_installed=100%"]).go().expect(1);
    assert!(ran.stdout.contains("SANDBOX"), "{}", ran.stdout);
    let report = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(0);
    assert!(report.stdout.contains("failures.csv --sandbox"), "{}", report.stdout);
}
