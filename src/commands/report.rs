//! `report`: the views of a run again, from its journal.

use anyhow::{Context, anyhow};

use crate::{
    engine::closing::rewrite_views,
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        folder::RunFolder,
        state::{self, RunState},
        token_lines,
    },
    plan::counted,
    settings::{
        Settings,
        args::ReportArgs,
        execution::{Escalation, Page},
        typed::{self, Columns},
    },
    terminal::{
        console::Console,
        next::Next,
        summary::{self, As},
    },
    views::Otherwise,
};

/// Writes the views again and shows the summary.
pub fn report(args: &ReportArgs, console: Console) -> Result<Exit, Fault> {
    let folder = RunFolder::open(&args.run_dir, Disk::default()).or_exit(Exit::Usage)?;
    let _lock = folder.lock()?;
    folder.sweep();
    let otherwise = Otherwise {
        escalation: escalation(args, &folder)?,
        // Who asks for the files again wants the page of a run that left it out, too.
        page: Page::asked(args.page.no_html, Page::Written),
    };
    let summary = rewrite_views(&folder, Some(&otherwise), &|line| console.print(line))?;
    // With a secret in it the journal was set aside.
    let damaged = if folder.journal().exists() {
        look_at_tokens(&folder, console).or_exit(Exit::Local)?
    } else {
        None
    };
    let settings = &summary.settings;
    let form = if args.json { As::Json } else { As::Words };
    summary::show(&summary, &folder, settings, form, console);
    if let Some(line) = damaged {
        let error = anyhow!(
            "{}, line {line}: damaged, or of an installation that is not in the list; do not use it. \
             Asks for its tokens anew:  {}",
            folder.tokens().display(),
            Next { folder: folder.path(), settings, recorded: settings }.resume(&[])
        );
        return Err(Fault { exit: Exit::Local, error });
    }
    Ok(if summary.exit == Exit::Bug { Exit::Bug } else { Exit::Recovered })
}

/// Says when the token file is not there, and gives the number of its first damaged line.
fn look_at_tokens(folder: &RunFolder, console: Console) -> anyhow::Result<Option<u64>> {
    let (run_state, tokens) = (RunState::read(&folder.journal(), |_| {})?, folder.tokens());
    if tokens.exists() {
        let damaged = token_lines::damaged(&tokens, &run_state);
        let damaged = damaged.with_context(|| format!("cannot read {}", tokens.display()))?;
        return Ok(damaged.first().copied());
    }
    let awaited = run_state.tokens_awaited();
    if awaited > 0 {
        console.print(&format!(
            "warning: {} is missing, and the journal says that it has the tokens of {}; put it back, \
             unless they are where they belong",
            tokens.display(),
            counted(awaited, "installation")
        ));
    }
    Ok(None)
}

/// How the escalation is to be written, where it is not to be as the run has it.
fn escalation(args: &ReportArgs, folder: &RunFolder) -> Result<Option<Escalation>, Fault> {
    if args.escalation.is_empty() {
        return Ok(None);
    }
    let started = state::started(&folder.journal()).or_exit(Exit::Local)?;
    let recorded = Settings::read(&started.settings).or_exit(Exit::Local)?;
    let columns = Columns { carried: &started.list.columns, left_out: &[] };
    typed::escalation(&args.escalation, recorded.escalation, columns).map(Some).or_exit(Exit::Usage)
}
