//! The README is true: every command in it runs, and its rehearsal prints what stands there.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{CLIENT_SECRET, MockServer, Work, fixture, program};

const README: &str = include_str!("../../README.md");

/// Commands that set a machine up or test a checkout: CI runs them.
const FOR_CI: [&str; 5] =
    ["sudo apt-get ", "cargo install ", "scripts/check", "scripts/bench", "ghl-reconnect store "];

/// The lines of the fenced blocks of a language, block by block, without their indentation.
fn blocks(language: &str) -> Vec<Vec<&'static str>> {
    let mut blocks = Vec::new();
    let mut lines = README.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line == format!("```{language}") {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").collect());
        }
    }
    blocks
}

/// A shell in the work directory that finds the program, the list and a mock server.
fn shell(work: &Work, base_url: &str, script: &str) -> (i32, String) {
    let bin = Path::new(program()).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).current_dir(work.path("")).env_clear();
    shell.env("PATH", path).env("HOME", work.path("")).env("GHL_BASE_URL", base_url);
    let secret = work.file("secret", format!("{CLIENT_SECRET}\n"));
    shell.stdin(Stdio::from(std::fs::File::open(secret).unwrap()));
    let output = shell.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A work directory with the list of the rehearsal, and a short one for the runbook.
fn work() -> Work {
    let work = Work::new();
    let list = std::fs::read_to_string(fixture("installations.csv")).unwrap();
    std::fs::create_dir(work.path("fixtures")).unwrap();
    work.file("fixtures/installations.csv", &list);
    let few: Vec<_> = list.lines().take(6).collect();
    work.file("installations.csv", few.join("\n"));
    work
}

/// Without what differs from run to run: ports, and lines of progress and pace, which follow the clock.
fn steady(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    let by_the_clock = |line: &str| line.starts_with("Pace: ") || line.contains(" in flight");
    let lines = lines.filter(|line| !by_the_clock(line));
    let line = |line: &str| match line.split_once("http://127.0.0.1:") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}http://127.0.0.1:PORT{after}\n")
        }
        None => format!("{line}\n"),
    };
    let text: String = lines.map(line).collect();
    // The line of pace comes with an empty one.
    text.replace("\n\n\n", "\n\n")
}

#[test]
#[cfg(unix)]
fn every_command_of_the_readme_runs() {
    let work = work();
    let id = "xc9DrwCM9dYAwwV53oDE";
    let mock = MockServer::faulty(&json!({ id: ["not_installed*"] }));
    let run_dir = "$(ls -d ghl-reconnect-2* | tail -n 1)";
    let mut setting = String::new();
    for line in blocks("sh").concat() {
        if FOR_CI.iter().any(|command| line.starts_with(command)) {
            continue;
        }
        let line =
            line.replace("cargo run --release -- ", "ghl-reconnect ").replace("RUN_DIR", run_dir);
        if line.starts_with("export ") || line.starts_with("read ") {
            setting = format!("{setting}{line}\n");
            continue;
        }
        assert!(line.starts_with("ghl-reconnect "), "neither run nor left to CI: {line}");
        let (code, text) = shell(&work, &mock.url(), &format!("{setting}{line} --color never"));
        assert!([0, 1].contains(&code), "{line}\nexits with {code}:\n{text}");
    }
    mock.audit();
}

#[test]
#[cfg(unix)]
fn every_command_that_the_readme_names_in_passing_runs() {
    let work = work();
    let spans =
        README.split('`').skip(1).step_by(2).map(|span| span.replace("CLASS", "client_refused"));
    let named = spans.filter_map(|span| {
        let words = span.strip_prefix("ghl-reconnect ").map(str::to_owned);
        words.or_else(|| span.starts_with("explain ").then_some(span))
    });
    let named: Vec<_> = named.collect();
    assert!(named.len() > 8, "{named:?}");
    for words in named {
        let (code, text) = shell(&work, "http://127.0.0.1:9", &format!("ghl-reconnect {words}"));
        assert_eq!(code, 0, "{words}: {text}");
    }
}

#[test]
#[cfg(unix)]
fn the_rehearsal_of_the_readme_prints_what_stands_there() {
    let work = work();
    let shown = blocks("text").concat().join("\n");
    let command = blocks("sh").concat().into_iter().find(|line| line.contains("--out rehearsal"));
    let (code, printed) = shell(&work, "", &format!("{} 2>&1", command.unwrap()));
    assert_eq!(code, 1, "{printed}");
    let trimmed: Vec<_> = printed.lines().map(str::trim).collect();
    assert_eq!(steady(&shown), steady(&trimmed.join("\n")));
}

#[test]
fn the_readme_is_short() {
    assert!(README.lines().count() <= 200);
}
