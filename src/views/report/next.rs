//! The commands that the page shows. They name the run folder as `RUN_DIR`: the page is the same
//! wherever the folder is.

use std::ffi::OsString;

use crate::{
    clock::stamp,
    failure::Advice,
    settings::{Settings, options},
    views::{
        next::{GoOn, TokensOfList, next_steps},
        summary::Summary,
    },
};

/// Stands for the run folder.
const FOLDER: &str = "RUN_DIR";

/// A command, and when to run it.
pub(super) struct NextCommand {
    pub(super) when: String,
    pub(super) command: String,
}

/// What takes the rest up, as of the end of the run; `None` where nothing is left that a run could
/// recover.
pub(super) fn next_command(summary: &Summary) -> Option<NextCommand> {
    let settings = &summary.settings;
    let steps = next_steps(&summary.open, TokensOfList::of(settings), summary.as_of())?;
    let (when, selection) = match (steps.by, steps.now, steps.later) {
        (GoOn::Resume, ..) => ("To take up the rest, run:".to_owned(), &[][..]),
        (_, 1.., _) => ("To take up what is due, run:".to_owned(), &[][..]),
        (_, 0, Some((_, time))) => (format!("From {} on, run:", stamp(time)), &[][..]),
        (_, 0, None) if steps.first.keys().all(|advice| *advice == Advice::Never) => return None,
        (_, 0, None) => ("When that is done, run:".to_owned(), &["--all"][..]),
    };
    let selection = selection.iter().map(OsString::from);
    let command = match steps.by {
        GoOn::Resume => command(["resume", FOLDER].map(OsString::from)),
        GoOn::RetryFailed => command(["resume", FOLDER, "--retry-failed"].map(OsString::from)),
        GoOn::RunFailures => {
            let list = format!("{FOLDER}/failures.csv");
            let words = [OsString::from("run"), list.into()].into_iter();
            let options = options::that_differ(&settings.of_one_machine(), &Settings::default());
            command(words.chain(options).chain(selection))
        }
    };
    Some(NextCommand { when, command })
}

/// The command that writes the pairs into the app's own store, where some are to go there; those of a
/// rehearsal are made up.
pub(super) fn store_command(summary: &Summary) -> Option<String> {
    let target = summary.store_target()?;
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
