//! The program inside the test, on a disk of the test's making.

use std::{fs, io, path::Path};

use clap::Parser;
use ghl_reconnect::{
    commands::{self, Console},
    exit::Exit,
    journal::disk::Disk,
    settings::args::{Cli, Command, LogFormat},
    terminal::verbosity::{Colors, Verbosity},
};

use super::{CLIENT_ID, CLIENT_SECRET, MockServer, Ran, Work, process::wait_for_starts};

const QUIET: Console =
    Console { verbosity: Verbosity::Quiet, colors: Colors::Off, format: LogFormat::Text };

/// `run` or `resume` inside the test. Runs go to the usual folder.
pub(crate) fn inside(work: &Work, words: &[&str], server: &MockServer, disk: Disk) -> Exit {
    wait_for_starts();
    let env = format!("GHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET={CLIENT_SECRET}\n");
    let (env, out, url) = (work.file("env", env), work.path("run"), server.url());
    let mut args: Vec<&str> = vec!["ghl-reconnect"];
    args.extend(words);
    args.extend(["--base-url", &url, "--yes", "--env-file", env.to_str().unwrap()]);
    if words[0] == "run" {
        // Inside the tests, the memory of recoveries is that of whoever runs them.
        args.extend(["--again", "--out", out.to_str().unwrap()]);
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

pub(crate) fn resume(work: &Work, server: &MockServer) -> Exit {
    let run = work.path("run");
    let words = ["resume", run.to_str().unwrap(), "--rate", "unlimited"];
    inside(work, &words, server, Disk::default())
}

pub(crate) fn run(work: &Work, list: &Path, server: &MockServer, disk: Disk) -> Exit {
    inside(work, &["run", list.to_str().unwrap(), "--rate", "unlimited"], server, disk)
}

/// Goes on with whatever is there until all is recovered, and checks the end.
#[track_caller]
pub(crate) fn converge(work: &Work, list: &Path, server: &MockServer, count: usize) -> Ran {
    let exit = if work.path("run").exists() {
        resume(work, server)
    } else {
        run(work, list, server, Disk::default())
    };
    let ran = left(work, exit).expect(0);
    ran.assert_sound_after_kills(server);
    assert_eq!(ran.count("recovered"), count);
    ran
}

pub(crate) fn broken() -> io::Error {
    io::Error::other("the disk was made to fail")
}

pub(crate) fn whole_lines(path: &Path, with: &str) -> usize {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains(with)).count()
}
