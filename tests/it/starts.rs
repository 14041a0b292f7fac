//! The bound on starts at the server's socket, whatever gets between a turn and its request: slow
//! disks, kills, another command before.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use ghl_reconnect::{
    commands::{self, Console},
    exit::Exit,
    installation::Scope,
    journal::disk::{Disk, Operation},
    sandbox::{AccessLife, InstalledLocation, Options, RefreshLife, StoredPair},
    settings::args::{Cli, Command},
    terminal::progress::{Colors, Verbosity},
};
use serde_json::json;

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, StandIn, Work, company, location, locations, signal, start,
    wait_until,
};

const QUIET: Console = Console { verbosity: Verbosity::Quiet, colors: Colors::Off };

/// What the loopback and the wake-ups of threads may move an arrival by.
const JITTER: Duration = Duration::from_millis(30);

/// The most requests that arrived in a time.
fn most_in(stand_in: &StandIn, time: Duration) -> usize {
    stand_in.audit().max_in_window(time.saturating_sub(JITTER))
}

/// A disk whose syncs take so long.
fn slow_syncs(time: Duration) -> Disk {
    Disk::failing(move |operation| {
        if operation == Operation::Sync {
            thread::sleep(time);
        }
        Ok(())
    })
}

/// `run` inside the test, on a disk of the test's making.
fn run_on(work: &Work, list: &str, url: &str, disk: Disk, more: &[&str]) -> Exit {
    let env = format!("GHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET={CLIENT_SECRET}\n");
    let (list, env) = (work.file("list.csv", list), work.file("env", env));
    let out = work.path("run");
    let paths = [&list, &env, &out].map(|path| path.to_str().unwrap());
    let mut args =
        vec!["ghl-reconnect", "run", paths[0], "--env-file", paths[1], "--out", paths[2]];
    args.extend(["--base-url", url, "--yes"]);
    args.extend(more);
    let Command::Run(args) = Cli::parse_from(args).command else { panic!("it is a run") };
    commands::run::run(&args, QUIET, disk).unwrap_or_else(|fault| fault.exit)
}

#[test]
fn a_slow_disk_lets_no_starts_of_refreshes_bunch() {
    let work = Work::undisturbed();
    let token = |n: usize| format!("the-refresh-token-of-{n:06}");
    let stored = (0..30).map(|n| {
        StoredPair::new(Scope::Location, location(n)).refresh(token(n), RefreshLife::Good)
    });
    let stand_in = StandIn::with(Options { stored: stored.collect(), ..Options::default() });
    let list = (0..30).fold("location_id,refresh_token\n".to_owned(), |csv, n| {
        csv + &format!("{},{}\n", location(n), token(n))
    });
    let more = ["--via", "refresh", "--rate", "20/s", "--concurrency", "30"];
    let disk = slow_syncs(Duration::from_millis(500));
    assert_eq!(run_on(&work, &list, &stand_in.url(), disk, &more), Exit::Recovered);
    let most = most_in(&stand_in, Duration::from_millis(500));
    assert!(most <= 10, "{most} in half a second, where 20 a second are allowed");
}

#[test]
fn few_codes_are_asked_for_while_a_slow_disk_would_let_them_die() {
    let work = Work::undisturbed();
    let options = Options { code_life: Duration::from_millis(300), ..Options::default() };
    let stand_in = StandIn::with(options);
    let disk = slow_syncs(Duration::from_millis(500));
    let more = ["--rate", "50/s"];
    let exit = run_on(&work, &locations(6), &stand_in.url(), disk, &more);
    let (issued, presented) = {
        let audit = stand_in.audit();
        (audit.codes.len(), audit.presentations.len())
    };
    assert!(issued <= 12, "{issued} codes for 6 installations, {presented} presented");
    assert_eq!(exit, Exit::Recovered, "{issued} codes, {presented} presented");
}

/// Ends a run in the middle of a burst, and goes on with it at once.
#[cfg(unix)]
fn end_and_go_on(signals: &[&str]) {
    let (work, stand_in) = (Work::undisturbed(), StandIn::good());
    let list = work.file("list.csv", locations(25));
    let burst = ["--burst", "20"];
    let mut child = start(work.run(list, &stand_in.url()).rate("20/2s").args(burst).command());
    wait_until("a burst", || stand_in.requests() >= 15);
    for name in signals {
        signal(&child, name);
        thread::sleep(Duration::from_millis(10));
    }
    wait_until("its end", || child.try_wait().unwrap().is_some());
    let begun = Instant::now();
    let resumed = work.resume(&stand_in.url()).rate("20/2s").args(burst).go().expect(0);
    resumed.assert_sound_after_kills(&stand_in);
    let most = most_in(&stand_in, Duration::from_secs(2));
    assert!(
        most <= 20,
        "{most} in two seconds, after {signals:?}; resumed for {:?}",
        begun.elapsed()
    );
}

#[cfg(unix)]
#[test]
fn after_a_kill_the_next_execution_counts_what_may_have_started() {
    end_and_go_on(&["-KILL"]);
}

#[cfg(unix)]
#[test]
fn after_two_interrupts_the_next_execution_counts_what_may_have_started() {
    end_and_go_on(&["-INT", "-INT"]);
}

#[test]
fn the_starts_of_a_discovery_count_in_the_run_that_follows() {
    let work = Work::undisturbed();
    let token = "the-access-token-of-the-agency";
    let agency = StoredPair::new(Scope::Company, company(1)).access(token, AccessLife::Alive);
    let installed = (0..1000).map(|n| InstalledLocation::new(location(n), company(1)));
    let options =
        Options { stored: vec![agency], installed: installed.collect(), ..Options::default() };
    let stand_in = StandIn::with(options);
    let line = json!({ "userType": "Company", "companyId": company(1), "access_token": token });
    let tokens = work.file("agencies.jsonl", line.to_string() + "\n");
    let words = ["discover", "--agency-tokens", tokens.to_str().unwrap(), "--rate", "30/s"];
    let url = stand_in.url();
    let listed = work.program(words).args(["--base-url", &url]).credentials().go().expect(0);
    assert!(stand_in.requests() > 5, "{}", listed.stderr);
    let list = work.file("list.csv", locations(10));
    let run = work.run(list, &stand_in.url()).rate("30/3s").args(["--burst", "30"]);
    run.go().expect(0);
    let most = most_in(&stand_in, Duration::from_secs(3));
    assert!(most <= 30, "{most} in three seconds");
}
