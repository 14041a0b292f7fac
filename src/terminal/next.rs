//! The commands that are printed to go on with.

use std::{ffi::OsString, path::Path};

use jiff::Timestamp;

use crate::{
    clock::{self, stamp},
    failure::Advice,
    settings::{Settings, options},
    views::{
        next::{GoOn, NextSteps, TokensOfList, next_steps},
        summary::Summary,
    },
};

/// What the next command for a run needs: where it is, what it was to do last, and what the journal
/// has of that.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    /// The run folder.
    pub folder: &'a Path,
    /// What the last execution was to do, with what was typed for it.
    pub settings: &'a Settings,
    /// What the journal has, and `resume` continues by itself.
    pub recorded: &'a Settings,
}

impl Next<'_> {
    /// The command that resumes the run, ready to paste: with the options that the journal does not
    /// have, and these.
    pub fn resume(&self, more: &[&str]) -> String {
        let mut options = options::that_differ(self.settings, self.recorded);
        options.extend(more.iter().map(Into::into));
        command("resume", self.folder, &options)
    }

    /// The command that runs over the failures of the run; those of a shard at its share of the rate.
    fn run_failures(&self, more: &[&str]) -> String {
        let settings = self.settings.of_one_machine();
        let mut options = options::that_differ(&settings, &Settings::default());
        options.extend(more.iter().map(Into::into));
        command("run", &self.folder.join("failures.csv"), &options)
    }

    fn steps(&self, summary: &Summary) -> Option<NextSteps> {
        next_steps(&summary.open, TokensOfList::of(self.settings), clock::now())
    }

    fn command_of(&self, by: GoOn) -> String {
        match by {
            GoOn::Resume => self.resume(&[]),
            GoOn::RetryFailed => self.resume(&["--retry-failed"]),
            GoOn::RunFailures => self.run_failures(&[]),
        }
    }

    /// The command that goes on: with the run itself when it was stopped, with its failures when it went
    /// through and some are due by themselves.
    pub fn of(&self, summary: &Summary) -> Option<String> {
        let steps = self.steps(summary)?;
        let is_due = steps.now > 0 || steps.later.is_some() || steps.by == GoOn::Resume;
        is_due.then(|| self.command_of(steps.by))
    }

    /// What is left to do in words, each command on a line of its own.
    pub fn lines(&self, summary: &Summary) -> Vec<String> {
        let Some(NextSteps { by, now, later, first }) = self.steps(summary) else {
            return Vec::new();
        };
        let command = self.command_of(by);
        let needs = |(advice, rows): (&Advice, &u32)| format!("{rows} {advice}: {}", todo(*advice));
        let needs = first.iter().map(needs);
        if by == GoOn::Resume {
            // What halted the run is told beside it.
            let first = needs.map(|line| format!("before that, for {line}"));
            return std::iter::once(command).chain(first).collect();
        }
        let mut lines = waiting(now, later, &command);
        lines.extend(needs);
        if first.keys().any(|advice| *advice != Advice::Never) {
            lines.push("When that is done:".to_owned());
            let is_new_run = by == GoOn::RunFailures;
            lines.push(if is_new_run { self.run_failures(&["--all"]) } else { command });
        }
        lines
    }

    /// The command that writes the pairs into the app's own store, where some are to go there; those of
    /// a rehearsal are made up.
    pub fn store(&self, summary: &Summary) -> Option<String> {
        let target = summary.store_target()?;
        Some(command("store", self.folder, &["--to".into(), target.into()]))
    }

    /// What to do when the disk failed, or a second signal ended the run at once.
    pub fn after_a_fault(&self) -> String {
        if self.folder.exists() {
            return format!("Continue with:  {}", self.resume(&[]));
        }
        format!(
            "{} is gone, or has another name now. If it was moved, resume it where it is. If it was deleted, \
             the tokens are in the file named above (there is none where no token had come yet): use it in \
             the place of tokens.jsonl, and start a new run for the rest of the list.",
            self.folder.display()
        )
    }
}

/// The lines on what is due, and on what waits, by a command.
fn waiting(now: u32, later: Option<(u32, Timestamp)>, command: &str) -> Vec<String> {
    let later = later.map(|(rows, time)| (format!("{rows} {}", Advice::Later), stamp(time)));
    match later {
        Some((rows, time)) if now > 0 => {
            vec![command.to_owned(), format!("{rows}: due from {time} on")]
        }
        Some((rows, time)) => vec![format!("{rows}: wait until {time}, then:"), command.to_owned()],
        None if now > 0 => vec![command.to_owned()],
        None => Vec::new(),
    }
}

/// What has to be done first.
fn todo(advice: Advice) -> &'static str {
    match advice {
        Advice::Now => "nothing",
        Advice::Later => "wait",
        Advice::FixCredentials => "give the client id and secret with which the app was installed",
        Advice::FixInput => "correct what message names: the row, or an option",
        Advice::NeedsReinstall => "have the app installed again by somebody of that account",
        Advice::NeedsSupport => "file escalation.md with HighLevel's support",
        Advice::Never => "no run recovers them",
    }
}

fn command(name: &str, path: &Path, options: &[OsString]) -> String {
    // A path that begins with a dash would be taken for an option.
    let is_like_an_option = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    let path = if is_like_an_option { Path::new(".").join(path) } else { path.to_owned() };
    let words = [env!("CARGO_PKG_NAME").into(), name.into(), path.into_os_string()];
    shell_line(words.iter().chain(options))
}

/// A command for a shell.
pub fn shell_line<'a>(words: impl IntoIterator<Item = &'a OsString>) -> String {
    let words = words.into_iter().map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
#[cfg(not(windows))]
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

/// A word as a shell takes it.
#[cfg(windows)]
fn quoted(word: &str) -> String {
    if word.contains([' ', '&', '(', ')', '^', ';', ',']) {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}
