//! `store`: writes the pairs of a run, or of a chain of runs, into the app's own token store.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{
    consent::{Consent, consent},
    planning::is_somebody_there,
};
use crate::{
    engine::{
        closing::{rewrite_views, tokens_of_run},
        signals::Signals,
    },
    event::{Interrupt, StoreOutcome},
    exit::{Exit, Fault, OrExit},
    journal::{disk::Disk, folder::RunFolder, state::RunState},
    plan::counted,
    settings::{args::StoreArgs, variables::Variables},
    store::{
        choice::Chosen,
        deliver::{Delivery, OtherTable},
        fault::StoreFault,
        list_tokens::ListTokens,
        mapping::Mapping,
        open::{Opened, Patience, open_for},
        pairs::Pairs,
        runs::{self, Runs},
        swap::Inspected,
    },
    terminal::{
        console::{Announced, Console, print_data},
        run_log::RunLog,
        stored,
    },
};

/// How long a database may be away.
const MAX_OUTAGE: Duration = Duration::from_mins(10);

/// Writes the pairs.
pub fn store(args: &StoreArgs, console: Console) -> Result<Exit, Fault> {
    let variables = Variables::read(args.env_file.as_deref()).or_exit(Exit::Usage)?;
    let chosen = Chosen::read(args.to.choice(None), &variables)?;
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let done = if args.dry_run {
        runtime.block_on(inspect(args, &chosen, console))
    } else {
        runtime.block_on(write(args, &chosen, console))
    };
    runtime.shutdown_background();
    done
}

/// Shows what would be done.
async fn inspect(args: &StoreArgs, chosen: &Chosen, console: Console) -> Result<Exit, Fault> {
    let runs = runs::look(&args.run_dirs, &Disk::default(), &|line| console.print(line))?;
    let pairs = runs::pairs_of(&runs).or_exit(Exit::Local)?;
    let states: Vec<&RunState> = runs.iter().map(|run| &run.run_state).collect();
    check_some(&pairs)?;
    check_rehearsals(chosen, &states, console)?;
    let opened = look(chosen, &pairs, &states).await?;
    if args.print_map {
        return print_map(&opened);
    }
    print_plan(&opened, &pairs, console);
    let (mapping, plan) = (opened.mapping().map(Mapping::to_json), seen(&opened));
    let patience = patience(args, CancellationToken::new());
    let mut store = opened.begin(patience.clone()).await?;
    let delivery = Delivery {
        note: &|line| console.print(line),
        stop: patience.stop,
        list: list_tokens(&states),
        others: OtherTable::None,
    };
    let folders: Vec<&RunFolder> = runs.iter().map(|run| &run.folder).collect();
    let inspected = delivery.inspect(&mut store, &folders, &pairs).await?;
    store.end().await?;
    if let Some(inspected) = &inspected {
        console.print(&in_words(inspected));
    }
    console.print("Nothing was written.");
    if args.json {
        let outcomes = inspected.map(|inspected| inspected.outcomes).unwrap_or_default();
        let report = Report::new(true, pairs.len(), &outcomes, mapping, plan, Exit::Recovered);
        print_data(&report.to_json().or_exit(Exit::Local)?);
    }
    Ok(Exit::Recovered)
}

/// Writes the pairs, and the files of the runs again.
async fn write(args: &StoreArgs, chosen: &Chosen, console: Console) -> Result<Exit, Fault> {
    let mut signals = Signals::listen().context("cannot listen to signals").or_exit(Exit::Local)?;
    let observer = |folder: &RunFolder| {
        let log = Arc::new(RunLog::open(folder, console.format)?);
        Ok(Arc::new(Announced { log, console }) as Arc<dyn crate::event::Observer>)
    };
    let mut runs =
        Runs::open(&args.run_dirs, &Disk::default(), &|line| console.print(line), &observer)?;
    let pairs = runs.pairs().or_exit(Exit::Local)?;
    let states: Vec<&RunState> = runs.as_slice().iter().map(runs::Run::run_state).collect();
    check_some(&pairs)?;
    check_rehearsals(chosen, &states, console)?;
    let opened = look(chosen, &pairs, &states).await?;

    // The plan is shown, and the person agrees.
    print_plan(&opened, &pairs, console);
    if !args.yes && is_somebody_there() && consent(console) == Consent::Refused {
        console.print("Nothing was written.");
        return Ok(Exit::Usage);
    }

    // The pairs are written, each with its event.
    let (mapping, plan) = (opened.mapping().map(Mapping::to_json), seen(&opened));
    let patience = patience(args, CancellationToken::new());
    let stop = patience.stop.clone();
    let (began, list) = (opened.began(), list_tokens(&states));
    let before = states.iter().rev().find_map(|state| state.store_began());
    let others = OtherTable::of(before, &began);
    let mut store = opened.begin(patience).await?;
    for run in runs.as_mut_slice().iter_mut().filter(|run| run.run_state().books().recovered > 0) {
        run.add_durably([began.clone()]).or_exit(Exit::Local)?;
    }
    let note = |line: &str| console.print(line);
    let delivery = Delivery { note: &note, stop: stop.clone(), list, others };
    let interrupted = std::cell::Cell::new(None);
    let first = |signal: Interrupt| {
        interrupted.set(Some(signal));
        stop.cancel();
        console.print("Interrupted: the rows in hand are written. Once more ends at once.");
    };
    let delivered = tokio::select! {
        delivered = delivery.write(&mut store, &mut runs, &pairs) => delivered,
        exit = signals.second(first) => {
            let error = anyhow!("ended at once by a second signal; run store again");
            return Err(Fault { exit, error });
        }
    };
    let ended = store.end().await;
    let delivered = delivered.and(ended);
    let exit = finish(runs, console, delivered, interrupted.get(), &again(args))?;
    if args.json {
        let report = Report::new(false, pairs.len(), &exit.outcomes, mapping, plan, exit.exit);
        print_data(&report.to_json().or_exit(Exit::Local)?);
    }
    Ok(exit.exit)
}

/// The same command, to be given again.
fn again(args: &StoreArgs) -> String {
    let mut words = vec![env!("CARGO_PKG_NAME").to_owned(), "store".to_owned()];
    words.extend(args.run_dirs.iter().map(|dir| dir.display().to_string()));
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    for (option, value) in [
        ("--to", args.to.to.clone()),
        ("--table", args.to.table.clone()),
        ("--map", path(&args.to.map)),
        ("--env-file", path(&args.env_file)),
    ] {
        words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
    let switches = [("--insert", args.to.insert), ("--keep-status", args.to.keep_status)];
    words.extend(switches.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| (*name).to_owned()));
    // No word has a NUL, for which alone it cannot be quoted.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

/// How it ended.
struct Ended {
    exit: Exit,
    outcomes: BTreeMap<StoreOutcome, u32>,
}

/// Writes the files of each run again and says what became of the pairs.
fn finish(
    runs: Runs,
    console: Console,
    delivered: Result<(), StoreFault>,
    interrupted: Option<Interrupt>,
    again: &str,
) -> Result<Ended, Fault> {
    let folders: Vec<RunFolder> = runs.as_slice().iter().map(|run| run.folder.clone()).collect();
    let (mut outcomes, mut is_all, mut exit) = (BTreeMap::new(), true, Exit::Recovered);
    for folder in &folders {
        let summary = rewrite_views(folder, None, &|line| console.print(line))?;
        if summary.exit == Exit::Bug {
            exit = Exit::Bug;
        }
        let Some(figures) = &summary.store else { continue };
        for (outcome, count) in &figures.outcomes {
            *outcomes.entry(*outcome).or_default() += count;
        }
        is_all &= figures.not_stored == 0 && figures.open == 0;
        console.print(stored::text(figures, folder).trim_end());
    }
    drop(runs);
    delivered.map_err(|fault| {
        let Fault { exit, error } = Fault::from(fault);
        let error = anyhow!(
            "{error:#}\nWhat was written until then is in stored.csv. It goes on with:\n  {again}"
        );
        Fault { exit, error }
    })?;
    if interrupted.is_some() {
        console.print(&format!("Next        {again}"));
    }
    let exit = match interrupted {
        Some(Interrupt::Interrupt) => Exit::Interrupted,
        Some(Interrupt::Terminate) => Exit::Terminated,
        None if exit == Exit::Bug => Exit::Bug,
        None if is_all => Exit::Recovered,
        None => Exit::NotAllRecovered,
    };
    Ok(Ended { exit, outcomes })
}

fn patience(args: &StoreArgs, stop: CancellationToken) -> Patience {
    Patience { max_outage: args.max_outage.unwrap_or(MAX_OUTAGE), stop }
}

fn check_some(pairs: &Pairs) -> Result<(), Fault> {
    if pairs.is_empty() {
        let error = anyhow!("there is no pair to store: nothing was recovered");
        return Err(Fault { exit: Exit::Usage, error });
    }
    Ok(())
}

/// Says that the pairs of a rehearsal are made up, and keeps them on this machine.
fn check_rehearsals(chosen: &Chosen, states: &[&RunState], console: Console) -> Result<(), Fault> {
    let is_rehearsal = states.iter().any(|state| state.settings.is_rehearsal());
    chosen.check_rehearsal(is_rehearsal)?;
    if is_rehearsal {
        console.print(
            "SANDBOX: these pairs come from a rehearsal and are made up. An app cannot use them: store them \
             in a copy of its database only.",
        );
    }
    Ok(())
}

/// Connects and looks.
async fn look(chosen: &Chosen, pairs: &Pairs, states: &[&RunState]) -> Result<Opened, Fault> {
    let client_ids = states.iter().flat_map(|state| state.client_ids());
    Ok(open_for(chosen, pairs, client_ids).await?)
}

/// The tokens of the lists, where these are still what they were.
fn list_tokens(states: &[&RunState]) -> Arc<ListTokens> {
    Arc::new(ListTokens::of(states.iter().filter_map(|state| tokens_of_run(&state.started))))
}

fn print_map(opened: &Opened) -> Result<Exit, Fault> {
    let Some(mapping) = opened.mapping() else {
        let error = anyhow!("--print-map: a program takes pairs as they are; there is no mapping");
        return Err(Fault { exit: Exit::Usage, error });
    };
    print_data(&mapping.to_toml());
    Ok(Exit::Recovered)
}

fn print_plan(opened: &Opened, pairs: &Pairs, console: Console) {
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    console.print(&format!("Pairs          {}", counted(count, "pair")));
    console.print(opened.plan().trim_end());
    pairs.notes().iter().for_each(|line| console.print(&format!("note: {line}")));
    console.print(
        "Stop your app's own token refresher first: it may mark a row broken after it was\nwritten.",
    );
}

/// What a dry run found.
fn in_words(inspected: &Inspected) -> String {
    let mut lines = vec!["What would become of the pairs:".to_owned()];
    for (outcome, count) in &inspected.outcomes {
        lines.push(format!("{count:>7} {outcome}: {}", outcome.in_words()));
    }
    if inspected.marked_bad > 0 {
        lines.push(format!(
            "{:>7} of those that are there stand in rows that say their tokens are dead, such as {}: \
             the app has marked them since",
            inspected.marked_bad,
            inspected.marked.join(", ")
        ));
    }
    lines.join("\n")
}

/// What was seen of the ids, for `--json`.
#[derive(Clone, Debug, Serialize)]
struct SeenIds {
    table: String,
    ids: usize,
    one_row: usize,
    several_rows: usize,
    no_row: usize,
}

fn seen(opened: &Opened) -> Option<SeenIds> {
    let plan = opened.plan_of_table()?;
    Some(SeenIds {
        table: plan.table.to_string(),
        ids: plan.seen.asked,
        one_row: plan.seen.single,
        several_rows: plan.seen.several_count,
        no_row: plan.seen.missing_count,
    })
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    pairs: usize,
    seen: Option<SeenIds>,
    mapping: Option<serde_json::Value>,
    outcomes: BTreeMap<StoreOutcome, u32>,
    stored: u32,
    not_stored: u32,
    exit_code: u8,
}

impl Report {
    fn new(
        dry_run: bool,
        pairs: usize,
        outcomes: &BTreeMap<StoreOutcome, u32>,
        mapping: Option<serde_json::Value>,
        seen: Option<SeenIds>,
        exit: Exit,
    ) -> Self {
        let outcomes: BTreeMap<_, _> = StoreOutcome::ALL
            .into_iter()
            .map(|outcome| (outcome, outcomes.get(&outcome).copied().unwrap_or(0)))
            .collect();
        let sum = |is: bool| {
            outcomes.iter().filter(|(outcome, _)| outcome.is_stored() == is).map(|(_, n)| n).sum()
        };
        let (stored, not_stored) = (sum(true), sum(false));
        Self { dry_run, pairs, seen, mapping, stored, not_stored, outcomes, exit_code: exit.code() }
    }

    fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
