//! In a terminal: it asks before the first call. A terminal is made by util-linux' `script`; where
//! that is absent there is nothing to see here.

#![cfg(unix)]

use std::process::Command;

use crate::support::{Launch, MockServer, Run, Work, finish, locations};

/// Runs it in a terminal in which somebody types; exit code and what the screen showed.
fn in_terminal(run: &Run, typed: &str) -> Option<(i32, String)> {
    let util_linux = Command::new("script").arg("--version").capture();
    if !util_linux.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("util-linux")) {
        return None;
    }
    let inner = run.command();
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let words = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")));
    let line = words.collect::<Vec<_>>().join(" ");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_clear().env("SHELL", "/bin/sh");
    command.env("TERM", "xterm").current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    let output = finish(&mut command, typed.into());
    Some((output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_no_sends_nothing_and_makes_no_folder() {
    for typed in ["n\n", "\n", "yes please\n"] {
        let (work, server) = (Work::new(), MockServer::good());
        let list = work.file("list.csv", locations(3));
        let Some((code, screen)) = in_terminal(&work.run(list, &server.url()), typed) else {
            return;
        };
        assert_eq!(code, 2, "{screen}");
        assert!(screen.contains("Start? [y/N]"), "{screen}");
        assert!(screen.contains("Nothing was sent."), "{screen}");
        assert_eq!(server.requests(), 0);
        assert!(!work.path("run").exists());
    }
}

#[test]
fn a_yes_starts_and_a_flag_saves_the_question() {
    for (args, typed, asked) in [(&[][..], "y\n", true), (&["--yes"], "", false)] {
        let (work, server) = (Work::new(), MockServer::good());
        let list = work.file("list.csv", locations(3));
        let run = work.run(list, &server.url()).args(args);
        let Some((code, screen)) = in_terminal(&run, typed) else { return };
        assert_eq!(code, 0, "{screen}");
        assert_eq!(screen.contains("Start? [y/N]"), asked, "{screen}");
        assert_eq!(server.requests(), 6);
    }
}

#[test]
fn a_rehearsal_is_not_asked_for() {
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let Some((code, screen)) = in_terminal(&work.rehearse(list), "") else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("Start?"), "{screen}");
    assert!(screen.contains("SANDBOX"), "{screen}");
}
