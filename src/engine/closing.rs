//! The end of an execution: the last event, the views, and the search for secrets in them.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, anyhow, bail};

use super::list::TokenList;
use crate::{
    clock,
    event::{Event, Finished, Interrupt, Leaked, Started},
    exit::{Exit, Fault, OrExit},
    input::Source,
    journal::{
        folder::RunFolder,
        handle::Ended,
        leaks::{HasTokens, MoreTokens, Search},
        spill::Spilled,
        state::{self, RunState},
        token_lines,
        writer::Writer,
    },
    plan::counted,
    secret::Secret,
    settings::Settings,
    views::{self, Otherwise, summary::Summary},
};

/// Writes the last event, unless the disk has failed.
pub fn finish_journal(
    ended: Ended,
    interrupted_by: Option<Interrupt>,
    folder: &RunFolder,
) -> Result<(), Fault> {
    let Ended { writer, lost, spilled } = ended;
    if let Some(lost) = lost {
        let error = anyhow!(
            "{:#}. No new code was asked for after that.{}",
            anyhow!(lost),
            in_words(&spilled, folder)
        );
        return Err(Fault { exit: Exit::Local, error });
    }
    let mut writer = writer.context("the journal is gone: a bug").or_exit(Exit::Bug)?;
    let finished = Event::Finished(Finished { at: clock::now(), interrupted_by });
    writer.append(&finished).and_then(|()| writer.sync()).or_exit(Exit::Local)
}

/// What became of tokens in hand when the disk failed.
fn in_words(spilled: &Spilled, folder: &RunFolder) -> String {
    let mut text = String::new();
    if let Some(place) = &spilled.place {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{} saved in {} (secret); resume takes them over.",
            counted(spilled.kept, "token pair"),
            place.display()
        );
    }
    if spilled.lost > 0 {
        let pairs = counted(spilled.lost, "token pair");
        let _ = write!(text, "\n{pairs} could be saved nowhere; resume asks for new ones.");
        if folder.path().exists() && !folder.tokens().exists() {
            let tokens = folder.tokens();
            let _ = write!(text, " Make an empty file {} before.", tokens.display());
        }
    }
    text
}

/// Takes tokens that are not to be used out of the file of those that are.
pub fn leave_out_refused(folder: &RunFolder) -> anyhow::Result<()> {
    if !folder.quarantine().exists() {
        return Ok(());
    }
    let run_state = RunState::read(&folder.journal(), |_| {})?;
    let damaged =
        if run_state.has_refused() { token_lines::tidy(folder, &run_state)? } else { Vec::new() };
    match damaged.first() {
        None => Ok(()),
        Some(line) => bail!(
            "{}, line {line}: not as it was written; moved to {}",
            folder.tokens().display(),
            folder.quarantine().display()
        ),
    }
}

/// Writes the views and looks for secrets in them: these, those in the token files (which have those
/// that the app's own store had, too), and those that the list has.
pub fn close(
    folder: &RunFolder,
    secrets: &[Secret],
    list: Option<MoreTokens>,
    otherwise: Option<&Otherwise>,
    print: &dyn Fn(&str),
) -> Result<Summary, Fault> {
    let token_files = HasTokens::of(folder);
    // What is to be looked for does not depend on the views.
    let (search, summary) = thread::scope(|scope| {
        let search = scope.spawn(|| Search::of(secrets, token_files.clone(), list));
        let summary = views::write_all(folder, otherwise).or_exit(Exit::Local);
        (
            search
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("it stopped unexpectedly: a bug"))),
            summary,
        )
    });
    let summary = summary?;
    let found = search.and_then(|search| {
        let leaks = find_leaks(&search, folder, &token_files, print)?;
        Ok((search, leaks))
    });
    let (search, leaks) =
        found.context("cannot look for secrets in the run folder").or_exit(Exit::Local)?;
    if leaks.is_empty() {
        return Ok(summary);
    }
    set_aside(folder, summary.cleaned_by(search), &leaks)
}

/// The run's own files in which a secret stands. Of others it is only said: they may be copies that
/// somebody made on purpose.
fn find_leaks(
    search: &Search,
    folder: &RunFolder,
    token_files: &[HasTokens],
    print: &dyn Fn(&str),
) -> io::Result<Vec<PathBuf>> {
    let suspects = suspects(folder, token_files)?;
    let (own, foreign): (Vec<_>, Vec<_>) = suspects.into_iter().partition(|path| is_ours(path));
    // Nothing depends on a file of somebody else that cannot be read.
    let is_leaking = |path: &&PathBuf| {
        search.find(std::slice::from_ref(*path)).is_ok_and(|leaks| !leaks.is_empty())
    };
    for path in foreign.iter().filter(is_leaking) {
        print(&format!(
            "warning: {} holds a secret, and is none of the run's files: keep it as safe as \
             tokens.jsonl, and do not attach it",
            path.display()
        ));
    }
    search.find(&own)
}

/// Whether a file of the run folder is one that the program writes and that must not have any secret.
/// Whatever else is there is its owner's affair.
fn is_ours(path: &Path) -> bool {
    let mut ours = views::names().chain([".lock", "journal.jsonl", "run.log"]);
    ours.any(|name| path.file_name().is_some_and(|file| file == name))
}

/// Writes the views of a run again, otherwise than the run has it if asked to, and looks for tokens
/// in them.
pub fn rewrite_views(
    folder: &RunFolder,
    otherwise: Option<&Otherwise>,
    print: &dyn Fn(&str),
) -> Result<Summary, Fault> {
    let started = state::started(&folder.journal()).or_exit(Exit::Local)?;
    close(folder, &[], tokens_of_run(&started), otherwise, print)
}

/// The tokens of the list of a run, where the list is still what it was.
pub fn tokens_of_run(started: &Started) -> Option<MoreTokens> {
    let source = Source::open(started.list.path.as_ref()?).ok()?;
    let selected = Settings::read(&started.settings).ok()?.selection;
    Some(TokenList::new(source, &selected).for_search())
}

/// The files in which secrets are looked for: the run's own, and what somebody else put beside them.
fn suspects(folder: &RunFolder, token_files: &[HasTokens]) -> io::Result<Vec<PathBuf>> {
    let has_tokens = |path: &Path| token_files.iter().any(|file| file.path() == path);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.path())? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let is_set_aside = path.extension().is_some_and(|end| end == SET_ASIDE);
        // On Windows nobody can read a file that is locked, not even who locked it.
        let is_closed = cfg!(windows) && path.ends_with(".lock");
        if kind.is_file() && !is_set_aside && !is_closed && !has_tokens(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Ending of the new name of a file in which a secret was found.
const SET_ASIDE: &str = "leaked";

/// Gives each leaking file another name, and says so in the journal and in the summary, as far as
/// they are not leaking themselves.
fn set_aside(folder: &RunFolder, summary: Summary, leaks: &[PathBuf]) -> Result<Summary, Fault> {
    let mut names = Vec::new();
    for path in leaks {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let moved = folder.disk().rename(path, &free_name(folder, &name));
        moved.with_context(|| format!("cannot set {} aside", path.display())).or_exit(Exit::Bug)?;
        names.push(name);
    }
    if !leaks.contains(&folder.journal()) {
        record_leaks(folder, &names).or_exit(Exit::Local)?;
    }
    let summary = summary.with_leaks(names);
    views::write_summary(folder, &summary).or_exit(Exit::Local)?;
    Ok(summary)
}

/// A name that nothing set aside has yet.
fn free_name(folder: &RunFolder, name: &str) -> PathBuf {
    let first = folder.file(&format!("{name}.{SET_ASIDE}"));
    let later = (2..).map(|n| folder.file(&format!("{name}-{n}.{SET_ASIDE}")));
    std::iter::once(first.clone()).chain(later).find(|path| !path.exists()).unwrap_or(first)
}

fn record_leaks(folder: &RunFolder, names: &[String]) -> anyhow::Result<()> {
    let run_state = RunState::read(&folder.journal(), |_| {})?;
    let mut writer = Writer::open(folder, run_state.end)?;
    for name in names {
        writer.append(&Event::Leaked(Leaked { at: clock::now(), file: name.clone() }))?;
    }
    Ok(writer.sync()?)
}
