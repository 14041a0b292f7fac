//! `run --or-resume`: the same command begins a run and continues it, so that an engine can start it
//! again after any end.
//!
//! A folder is continued when it is this command's own: its list, app, settings and shard. Anything else
//! is refused by name.

use std::{fs, io, path::Path};

use anyhow::anyhow;

use super::{
    continuing::{Caller, Confirmation, Execution, HeldRun, PendingPairs, Reconciled},
    host::Host,
    planning::{Request, can_ask},
};
use crate::{
    app::AppOfRun,
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        draft,
        folder::{FolderError, RunFolder},
        reader::JournalError,
        restore::TokensAre,
        state::{RunState, Take},
    },
    settings::{
        Settings,
        args::RunArgs,
        options::{self, Difference},
        typed::{Columns, escalation},
    },
    terminal::{
        next::Next,
        output::{Ended, Output},
    },
};

/// The run in a folder, held; `None` where a new one is to begin there. What a kill has left of a run
/// that had not begun is taken away.
pub fn find(out: &Path, disk: &Disk) -> Result<Option<HeldRun>, Fault> {
    let folder = match RunFolder::open(out, disk.clone()) {
        Ok(folder) => folder,
        Err(FolderError::Missing(_)) => return Ok(None),
        // Somebody has made the folder, and nothing is in it.
        Err(FolderError::NoJournal(_)) if fs::remove_dir(out).is_ok() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match HeldRun::hold(folder.clone()) {
        Err(fault) if has_not_begun(&fault) => begin_again(&folder, fault).map(|()| None),
        held => held.map(Some),
    }
}

/// Whether the list is not in the journal as a whole, so that nothing can have been sent.
fn has_not_begun(fault: &Fault) -> bool {
    match fault.error.downcast_ref() {
        Some(JournalError::NotBegun(_)) => true,
        Some(JournalError::Unreadable { source, .. }) => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Takes a folder away that has nothing but what stands in it before the first request.
fn begin_again(folder: &RunFolder, fault: Fault) -> Result<(), Fault> {
    let lock = folder.lock()?;
    let is_removed = draft::remove_unbegun(folder);
    drop(lock);
    if is_removed { Ok(()) } else { Err(fault) }
}

/// Another process has made the folder since it was looked for: it is the one that works there.
pub fn held_by_another(out: &Path, disk: &Disk) -> Fault {
    let holder = RunFolder::open(out, disk.clone()).and_then(|folder| folder.lock()).err();
    let error = holder.map_or_else(
        || {
            anyhow!(
                "{} was made by another process meanwhile; the same command continues it",
                out.display()
            )
        },
        Into::into,
    );
    Fault { exit: Exit::Local, error }
}

/// Continues a run with the command that began it.
pub fn resume(
    held: HeldRun,
    request: Request,
    args: &RunArgs,
    host: Host,
    output: &Output,
) -> Result<Ended, Fault> {
    let console = output.console();
    let folder = held.folder.clone();
    let run_state = &held.found.run_state;
    let settings = settings(&request, args, run_state)?;
    check_is_its_own(&folder, run_state, &request, &settings)?;
    output.follow(&folder, run_state, run_state.end);
    let recorded = run_state.settings.clone();
    let execution = Execution {
        settings: settings.clone(),
        take: Take::Open,
        tokens_are: TokensAre::InTheirFile,
        pending_pairs: PendingPairs::Stored,
    };
    let summary = match held.agree(&execution, &recorded, console)? {
        Reconciled::Complete(summary) => *summary,
        Reconciled::HasWork(opened) => {
            let confirmation = if !args.yes && can_ask(args) {
                Confirmation::Asked
            } else {
                Confirmation::Skipped
            };
            let list = Some(request.list.tokens());
            let caller = Caller { host, app: request.app, list, confirmation };
            match opened.resume(execution, caller, output)? {
                Some(summary) => summary,
                None => return Ok(Ended::refused()),
            }
        }
    };
    Ok(Ended::with(summary, folder, settings))
}

/// What was typed, as it was meant when the run began.
fn settings(request: &Request, args: &RunArgs, run_state: &RunState) -> Result<Settings, Fault> {
    let columns = Columns { carried: &run_state.started.list.columns, left_out: &[] };
    let before = request.settings.escalation.clone();
    let escalation = escalation(&args.escalation, before, columns).or_exit(Exit::Usage)?;
    Ok(Settings { escalation, ..request.settings.clone() })
}

/// Refuses a run that another command has begun, by all in which the two differ.
fn check_is_its_own(
    folder: &RunFolder,
    run_state: &RunState,
    request: &Request,
    settings: &Settings,
) -> Result<(), Fault> {
    let mut there = run_state.settings.clone();
    if run_state.was_given_up {
        // resume changes it by itself.
        there.give_up_after = settings.give_up_after;
    }
    let mut differences = list_differs(run_state, request)?;
    differences.extend(apps_differ(run_state, request));
    differences.extend(options::differences(&there, settings));
    if differences.is_empty() {
        return Ok(());
    }
    let next = Next { folder: folder.path(), settings: &there, recorded: &there };
    let lines: Vec<_> = differences.iter().map(ToString::to_string).collect();
    let error = anyhow!(
        "--or-resume: the run in {} is not this command's; nothing was sent or written.\n  {}\n\
         Give the command what the run has, or name another folder with --out for a new run. resume \
         continues the run as it is, and takes other options:\n  {}",
        folder.path().display(),
        lines.join("\n  "),
        next.resume(&[])
    );
    Err(Fault { exit: Exit::Usage, error })
}

fn list_differs(run_state: &RunState, request: &Request) -> Result<Vec<Difference>, Fault> {
    let here = request.list.digest().or_exit(Exit::Usage)?;
    let list = &run_state.started.list;
    let there = &list.digest;
    let named = |name: &str, digest: &str| format!("{name} (SHA-256 {digest:.16}…)");
    let difference = Difference {
        what: "the list".into(),
        there: named(&list.name, there),
        here: named(request.list.name(), &here),
    };
    Ok(if here == *there { Vec::new() } else { vec![difference] })
}

/// Each app of the run has to be there with the client id that it had.
fn apps_differ(run_state: &RunState, request: &Request) -> Vec<Difference> {
    let Some(directory) = request.app.directory() else { return Vec::new() };
    let apps = run_state.started.apps.iter();
    let others = apps.filter(|app| directory.client_id(&app.name) != Some(&app.client_id));
    let difference = |app: &AppOfRun| Difference {
        what: format!("app {}", app.name),
        there: app.client_id.clone(),
        here: directory.client_id(&app.name).unwrap_or("not given").to_owned(),
    };
    others.map(difference).collect()
}
