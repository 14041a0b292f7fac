//! The commands that are printed to go on with.

use std::{ffi::OsString, path::Path};

use crate::{
    settings::{Settings, options},
    views::{
        store::{ANY_STORE, StoreInFigures},
        summary::{RunEnd, Summary},
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
    fn run_failures(&self) -> String {
        let options = options::that_differ(&self.settings.of_one_machine(), &Settings::default());
        command("run", &self.folder.join("failures.csv"), &options)
    }

    /// The command that takes the rest up: the run itself when it was stopped, its failures when it
    /// went through.
    pub fn of(&self, summary: &Summary) -> Option<String> {
        let books = &summary.books;
        match summary.state {
            _ if books.failed + books.not_attempted == 0 => None,
            // failures.csv has no tokens; the list has.
            RunEnd::Complete if summary.halts.is_empty() && self.settings.use_tokens_of_list() => {
                Some(self.resume(&["--retry-failed"]))
            }
            RunEnd::Complete if summary.halts.is_empty() => Some(self.run_failures()),
            // What was halted continues where it was; the others are failures of their own.
            RunEnd::Complete | RunEnd::Halted | RunEnd::Interrupted | RunEnd::Unfinished => {
                Some(self.resume(&[]))
            }
        }
    }

    /// The command that writes the pairs into the app's own store, where some are to go there; those of
    /// a rehearsal are made up.
    pub fn store(&self, summary: &Summary) -> Option<String> {
        if summary.settings.is_rehearsal() || summary.to_store == 0 {
            return None;
        }
        let target =
            summary.store.as_ref().map_or_else(|| ANY_STORE.into(), StoreInFigures::target);
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
