//! The commands that the page shows. They name the run folder as `RUN_DIR`: the page is the same
//! wherever the folder is.

use std::ffi::OsString;

use crate::{
    settings::{Settings, options},
    views::{
        store::{ANY_STORE, StoreInFigures},
        summary::{RunEnd, Summary},
    },
};

/// Stands for the run folder.
const FOLDER: &str = "RUN_DIR";

/// The command that takes the rest up: the run itself when it was stopped, its failures when it went
/// through; `None` where nothing is left.
pub(super) fn next_command(summary: &Summary) -> Option<String> {
    let (books, settings) = (&summary.books, &summary.settings);
    let is_through = summary.state == RunEnd::Complete && summary.halts.is_empty();
    match is_through {
        _ if books.failed + books.not_attempted == 0 => None,
        // failures.csv has no tokens; the list has.
        true if settings.use_tokens_of_list() => {
            Some(command(["resume", FOLDER, "--retry-failed"].map(OsString::from)))
        }
        true => {
            let list = format!("{FOLDER}/failures.csv");
            let words = [OsString::from("run"), list.into()].into_iter();
            Some(command(words.chain(options::that_differ(settings, &Settings::default()))))
        }
        false => Some(command(["resume", FOLDER].map(OsString::from))),
    }
}

/// The command that writes the pairs into the app's own store, where some are to go there; those of a
/// rehearsal are made up.
pub(super) fn store_command(summary: &Summary) -> Option<String> {
    if summary.settings.is_rehearsal() || summary.to_store == 0 {
        return None;
    }
    let target = summary.store.as_ref().map_or_else(|| ANY_STORE.into(), StoreInFigures::target);
    Some(command(["store", FOLDER, "--to", &target].map(OsString::from)))
}

/// A command for a POSIX shell, on every system: the page is the same.
fn command(words: impl IntoIterator<Item = OsString>) -> String {
    let quoted = words.into_iter().map(|word| {
        let word = word.to_string_lossy();
        shlex::try_quote(&word)
            .map_or_else(|_| word.clone().into_owned(), std::borrow::Cow::into_owned)
    });
    std::iter::once(env!("CARGO_PKG_NAME").to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}
