//! In a terminal: it asks before the first call. A terminal is made by util-linux' `script`; where
//! that is absent there is nothing to see here.

#![cfg(unix)]

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{Launch, MockServer, Run, Work, finish, location, locations, wait_until};

/// The command that runs it in a terminal of so many columns, with these variables besides; `None`
/// where there is no terminal to be had.
fn terminal_command(run: &Run, columns: u16, env: &[(&str, &str)]) -> Option<Command> {
    let util_linux = Command::new("script").arg("--version").capture();
    if !util_linux.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("util-linux")) {
        return None;
    }
    let inner = run.command();
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let words = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")));
    let line = words.collect::<Vec<_>>().join(" ");
    let line = format!("stty cols {columns} rows 24; exec {line}");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_clear().env("SHELL", "/bin/sh");
    command.env("TERM", "xterm").env("PATH", "/usr/bin:/bin");
    command.current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    command.envs(env.iter().copied());
    Some(command)
}

/// Runs it in a terminal in which somebody types; exit code and what the screen showed.
fn in_terminal(run: &Run, typed: &str) -> Option<(i32, String)> {
    let output = finish(&mut terminal_command(run, 80, &[])?, typed.into());
    Some((output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// What was drawn in so many columns, a line each, without what moves the cursor and without colors.
/// A line that fills the last column needs no line end.
fn lines_drawn(screen: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line, mut chars) = (Vec::new(), String::new(), screen.chars());
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => drop(chars.find(char::is_ascii_alphabetic)),
                Some(']') => drop(chars.find(|c| *c == '\\' || *c == '\u{7}')),
                _ => {}
            },
            '\r' | '\n' => lines.push(std::mem::take(&mut line)),
            c => line.push(c),
        }
    }
    lines.push(line);
    let rows = lines.iter().flat_map(|line| {
        let chars: Vec<char> = line.chars().collect();
        chars.chunks(columns).map(|row| row.iter().collect::<String>()).collect::<Vec<_>>()
    });
    rows.map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
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

#[test]
fn the_status_line_fits_the_terminal_and_the_bar_gives_way() {
    for columns in [100, 80, 40] {
        let faults = json!({ location(3): ["not_installed"], location(5): ["rate_limited(1)"] });
        let (work, server) = (Work::new(), MockServer::faulty(&faults));
        let list = work.file("list.csv", locations(60));
        let run = work.run(list, &server.url()).args(["--yes", "--concurrency", "4"]).rate("60/s");
        let Some(mut command) = terminal_command(&run, columns, &[]) else { return };
        let output = finish(&mut command, Vec::new());
        let screen = String::from_utf8_lossy(&output.stdout);
        let lines = lines_drawn(&screen, columns.into());
        let drawn: Vec<_> = lines.iter().filter(|line| line.contains("/60")).collect();
        assert!(drawn.len() > 5, "{screen}");
        for line in &drawn {
            assert!(line.chars().count() < columns.into(), "{columns}: {line}");
        }
        assert!(drawn.iter().any(|line| line.contains(" left")), "{drawn:?}");
        assert_eq!(drawn.iter().any(|line| line.contains('━')), columns > 60, "{drawn:?}");
        // Words are not broken, and commands are not either.
        let failure = "App is not installed on this location or company";
        let words: Vec<_> = failure.split(' ').collect();
        assert!(words.iter().all(|word| lines.iter().any(|line| line.contains(word))), "{lines:?}");
        assert!(screen.contains("  ghl-reconnect run "), "{screen}");
        assert!(screen.contains("run/failures.csv --base-url http://127.0.0.1:"), "{screen}");
    }
}

/// The last progress that a terminal was told of in its taskbar.
fn last_in_taskbar(screen: &str) -> Option<&str> {
    screen.rsplit_once("\u{1b}]9;4;").map(|(_, last)| &last[..last.find('\u{1b}').unwrap()])
}

#[test]
fn progress_in_the_taskbar_is_there_and_is_removed_at_every_end() {
    let halting = json!({ "*": ["endpoint_removed*"] });
    let failing = json!({ location(2): ["not_installed"] });
    for (faults, code) in [(json!({}), 0), (failing, 1), (halting, 3)] {
        let (work, server) = (Work::new(), MockServer::faulty(&faults));
        let list = work.file("list.csv", locations(20));
        let run = work.run(list, &server.url()).arg("--yes").rate("40/s");
        let shows = [("WT_SESSION", "1")];
        let Some(mut command) = terminal_command(&run, 80, &shows) else { return };
        let output = finish(&mut command, Vec::new());
        let screen = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{screen}");
        assert!(screen.contains("\u{1b}]9;4;1;"), "{screen}");
        assert_eq!(last_in_taskbar(&screen), Some("0;"), "{screen}");
    }
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let run = work.run(list, &server.url()).arg("--yes");
    let output = finish(&mut terminal_command(&run, 80, &[]).unwrap(), Vec::new());
    assert_eq!(last_in_taskbar(&String::from_utf8_lossy(&output.stdout)), None, "xterm has none");
}

#[test]
fn two_interrupts_remove_the_progress_too() {
    let server = MockServer::faulty(&json!({"*": ["exchange:silence*"]}));
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let run = work.run(list, &server.url()).arg("--yes");
    let Some(mut command) = terminal_command(&run, 80, &[("WT_SESSION", "1")]) else { return };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.launch();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    wait_until("an exchange hangs", || !server.audit().presentations.is_empty());
    keyboard.write_all(b"\x03").unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    let mut is_pressed_again = false;
    loop {
        let count = screen.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..count]);
        if !is_pressed_again && String::from_utf8_lossy(&seen).contains("stopping") {
            keyboard.write_all(b"\x03").unwrap();
            is_pressed_again = true;
        }
        if count == 0 {
            break;
        }
    }
    let screen = String::from_utf8_lossy(&seen);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{screen}");
    assert!(screen.contains("\u{1b}]9;4;4;"), "paused while it stops: {screen}");
    assert_eq!(last_in_taskbar(&screen), Some("0;"), "{screen}");
}
