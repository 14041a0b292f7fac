//! `resume`: continues a run from its folder, after any end.

use super::{
    continuing::{Caller, Confirmation, Execution, HeldRun, PendingPairs, Reconciled},
    host::Host,
    planning::is_somebody_there,
};
use crate::{
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        folder::RunFolder,
        restore::TokensAre,
        state::{RunState, Take},
    },
    settings::{Settings, Stdin, app::App, args::ResumeArgs, variables::Variables},
    terminal::{
        console::Console,
        output::{Ended, Output},
    },
};

/// Continues a run.
pub fn resume(args: &ResumeArgs, console: Console, disk: Disk) -> Result<Exit, Fault> {
    let output = Output::begin(args.json, console)?;
    let ended = continue_run(args, &output, disk);
    output.end(ended)
}

fn continue_run(args: &ResumeArgs, output: &Output, disk: Disk) -> Result<Ended, Fault> {
    let console = output.console();
    // The run is read, with its settings: those of its last execution, and what was typed now.
    let folder = RunFolder::open(&args.run_dir, disk).or_exit(Exit::Usage)?;
    let held = HeldRun::hold(folder.clone())?;
    output.follow(&folder, &held.found.run_state, held.found.run_state.end);
    let recorded = recorded(&held.found.run_state);
    let settings = settings_of(args, &recorded, console)?;
    let execution = Execution {
        settings: settings.clone(),
        take: if args.retry_failed { Take::OpenAndFailed } else { Take::Open },
        tokens_are: if args.tokens_handed_on {
            TokensAre::HandedOn
        } else {
            TokensAre::InTheirFile
        },
        pending_pairs: PendingPairs::Ignored,
    };

    // What is left is done.
    let summary = match held.agree(&execution, &recorded, console)? {
        Reconciled::Complete(summary) => *summary,
        Reconciled::HasWork(opened) => {
            let (execution, caller) = caller(args, execution, console)?;
            match opened.resume(execution, caller, output)? {
                Some(summary) => summary,
                None => return Ok(Ended::refused()),
            }
        }
    };
    Ok(Ended::with(summary, folder, settings))
}

/// Who does the work; a rehearsal is for another sandbox than before.
fn caller(
    args: &ResumeArgs,
    execution: Execution,
    console: Console,
) -> Result<(Execution, Caller), Fault> {
    let mut settings = execution.settings;
    let host = Host::start(&args.execution.rehearsal, settings.is_rehearsal(), console)?;
    settings.base_url = host.sandbox_url().unwrap_or(settings.base_url);
    let variables = if settings.is_rehearsal() {
        Variables::default()
    } else {
        Variables::read(settings.secrets.env_file.as_deref()).or_exit(Exit::Usage)?
    };
    let app = App::of(&settings, &variables, Stdin::Free).or_exit(Exit::Usage)?;
    let confirmation =
        if !args.yes && is_somebody_there() { Confirmation::Asked } else { Confirmation::Skipped };
    Ok((Execution { settings, ..execution }, Caller { host, app, list: None, confirmation }))
}

/// The settings of the last execution. Whoever resumes has seen why the run was given up.
fn recorded(run_state: &RunState) -> Settings {
    let mut settings = run_state.settings.clone();
    if run_state.was_given_up {
        settings.give_up_after = 0;
    }
    settings
}

/// The settings of this execution, without files that are not there any more.
fn settings_of(
    args: &ResumeArgs,
    recorded: &Settings,
    console: Console,
) -> Result<Settings, Fault> {
    let mut settings = recorded.clone();
    let missing = settings.secrets.take_missing();
    let settings = settings.of_resume(args).or_exit(Exit::Usage)?;
    for (option, file) in missing {
        console.print(&format!(
            "note: {} is not there any more, which the run had as {option}",
            file.display()
        ));
    }
    Ok(settings)
}
