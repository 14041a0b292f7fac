//! `run`: from a list to recovered installations and their evidence.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    check::check,
    consent::{Consent, consent},
    folder::make,
    host::Host,
    or_resume,
    planning::{Planned, Request, Whole, can_ask},
    store_before::look_before,
};
use crate::{
    clock,
    engine::{
        session::{Calls, Session},
        work::Others,
    },
    exit::{Exit, Fault, OrExit},
    journal::{disk::Disk, folder::FolderError, state::Take},
    settings::args::RunArgs,
    store::look::MOST_IDS,
    terminal::{
        console::Console,
        output::{Ended, Output},
    },
};

/// Recovers every installation in the list, with its evidence on this disk.
pub fn run(args: &RunArgs, console: Console, disk: Disk) -> Result<Exit, Fault> {
    if args.dry_run {
        return check(args, console);
    }
    let output = Output::begin(args.json, console)?;
    let ended = recover(args, &output, disk);
    output.end(ended)
}

#[expect(clippy::needless_pass_by_value, reason = "the run has the disk for itself")]
fn recover(args: &RunArgs, output: &Output, disk: Disk) -> Result<Ended, Fault> {
    let console = output.console();
    // What was typed is checked: settings, credentials, the list.
    let host = Host::start(&args.execution.rehearsal, args.execution.rehearsal.sandbox, console)?;
    let request = Request::of(args, Whole::Refused, host.sandbox_url())?;
    if request.app.named.is_empty() {
        request.app.credentials().or_exit(Exit::Usage)?;
    }
    host.give_tokens_to_sandbox(&request);

    // A run that the same command has begun goes on.
    let out = run_folder(args.out.as_deref());
    if args.or_resume
        && let Some(held) = or_resume::find(&out, &disk)?
    {
        return or_resume::resume(held, request, args, host, output);
    }

    // The list is read and judged, and the plan is made.
    let mut planned = request.plan(args, Some(&out))?;
    if let Some((why, exit)) = planned.nothing_to_do() {
        return Ok(Ended::NotStarted { exit, why });
    }
    planned.check_routes()?;
    let apps: Vec<_> = planned.plan.summary.apps.iter().map(|rows| rows.app.clone()).collect();
    let app_contexts = planned.app.app_contexts(&apps).or_exit(Exit::Usage)?;

    // The store is looked at, before anything is sent.
    let store = if planned.settings.store.is_some() {
        let installations = planned.list.first(MOST_IDS)?;
        let client_ids = app_contexts.iter().map(|app| app.credentials.client_id.clone()).collect();
        host.block_on(look_before(&planned.settings, installations, client_ids))?
    } else {
        None
    };

    // The plan is shown, and the person agrees.
    show(&planned, console);
    if let Some(store) = &store {
        console.print(&store.plan);
    }
    let is_to_ask = planned.plan.summary.installations() > 0 && !planned.settings.is_rehearsal();
    let is_to_ask = is_to_ask && !args.yes && can_ask(args);
    if is_to_ask && consent(console) == Consent::Refused {
        return Ok(Ended::refused());
    }

    // The run folder is made, with the settings and the whole list in its journal.
    let made = make(&planned, &out, &disk, console.format).map_err(|fault| {
        let is_there = matches!(fault.error.downcast_ref(), Some(FolderError::Exists(_)));
        if is_there && args.or_resume { or_resume::held_by_another(&out, &disk) } else { fault }
    })?;
    output.follow(&made.folder, &made.run_state, 0);

    // The calls are made, and the files are written.
    let Planned { settings, app, list, known, .. } = planned;
    let others = if settings.again { Others::Ignored } else { Others::Skipped(known.earlier) };
    let session = Session {
        folder: made.folder.clone(),
        lock: made.lock,
        writer: made.writer,
        log: Arc::new(made.log),
        run_state: made.run_state,
        settings: settings.clone(),
        take: Take::Open,
        // Whether a route presents them or not: what a server repeats of them is cut out.
        tokens: Some(list.tokens()),
        others,
        store: store.map(|store| store.chosen),
    };
    let calls = Calls { endpoint: app.endpoint, answers: app.answers, app_contexts };
    output.begin_work();
    let summary = host.work(session, calls, console)?;
    Ok(Ended::with(summary, made.folder, settings))
}

fn show(planned: &Planned, console: Console) {
    console.print(&planned.plan.to_string());
    let warnings = planned.warnings().into_iter().map(|warning| format!("warning: {warning}"));
    warnings.chain(planned.before_in_words()).for_each(|line| console.print(&line));
}

/// The run folder that was named, or one named after the time that is not taken yet.
fn run_folder(out: Option<&Path>) -> PathBuf {
    if let Some(out) = out {
        return out.to_owned();
    }
    let name = clock::now().strftime("ghl-reconnect-%Y%m%dT%H%M%SZ").to_string();
    let later = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone())
        .chain(later)
        .map(PathBuf::from)
        .find(|path| !path.exists())
        .unwrap_or_else(|| name.into())
}
