//! `run` and `check`: from a list to recovered installations and their evidence.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use tokio::runtime::Runtime;

use super::{Voice, print};
use crate::{
    app::AppOfRun,
    clock,
    event::{Escalation, Event, FORMAT, Listener, Parent, Selected, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::trials::{OldTokens, Trials},
    journal::{
        disk::Disk,
        folder::RunFolder,
        ledger::{Ledger, Take},
        recoveries::Earlier,
        writer::Writer,
    },
    pace::memory::Memory,
    plan::{Known, Only, OnlyError, Plan, Survey, counted},
    route::{Way, Ways},
    sandbox::Sandbox,
    settings::{
        args::{ListArgs, RehearsalArgs, RunArgs, options_again},
        config::{self, App, AppBefore, Columns, Limits, Place, Stdin},
    },
    terminal::run_log::RunLog,
};
use crate::{
    engine::{
        list::InputList,
        session::{Calls, Leg, Others},
    },
    journal::parent::{self, Before},
    terminal::summary,
};

/// Reads and judges the list and shows the plan.
pub fn check(args: &RunArgs) -> Result<Exit, Fault> {
    config::check_rehearsal(&args.rehearsal).or_exit(Exit::Usage)?;
    let limits = Limits::of(&args.pace, Limits::default()).or_exit(Exit::Usage)?;
    let app = App::of(&args.app, AppBefore::default(), stdin_of(args)).or_exit(Exit::Usage)?;
    let app = app.with_apps(&args.app, &args.apps, place(args)).or_exit(Exit::Usage)?;
    let list = open_list(args)?.of_apps(app.directory()).knowing(known(args, &app));
    let survey = list.survey(app.own())?;
    let links = Links::of(args, &survey).or_exit(Exit::Usage)?;
    let plan = plan_of(survey, limits, args, &app, None);
    if args.json {
        print(&format!("{:#}\n", plan.as_json()));
    } else {
        print(&format!("{plan}\n"));
    }
    for warning in warnings(&app, &plan.survey) {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    if let Some(words) = links.in_words() {
        let _ = writeln!(io::stderr(), "{words}");
    }
    if plan.survey.is_nothing_left() {
        let _ = writeln!(io::stderr(), "{}", nothing_left(&plan.survey));
        return Ok(Exit::Recovered);
    }
    check_routes(&plan)?;
    Ok(if plan.survey.rejected.count == 0 { Exit::Recovered } else { Exit::NotAllRecovered })
}

/// Recovers every installation in the list, with its evidence on this disk.
pub fn run(args: &RunArgs, voice: Voice, disk: Disk) -> Result<Exit, Fault> {
    if args.dry_run {
        return check(args);
    }
    config::check_rehearsal(&args.rehearsal).or_exit(Exit::Usage)?;
    let limits = Limits::of(&args.pace, Limits::default()).or_exit(Exit::Usage)?;
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let sandbox = start_sandbox(&args.rehearsal, &runtime, voice)?;
    let app = match &sandbox {
        Some(sandbox) => App::of_sandbox(&args.app, &sandbox.base_url(), AppBefore::default()),
        None => App::of(&args.app, AppBefore::default(), stdin_of(args)),
    };
    let app = app.and_then(|app| app.with_apps(&args.app, &args.apps, place(args)));
    let mut app = app.or_exit(Exit::Usage)?;
    if app.named.is_empty() {
        app.credentials().or_exit(Exit::Usage)?;
    }
    let known = known(args, &app);
    let list = open_list(args)?.of_apps(app.directory()).knowing(known.clone());
    if let Some(sandbox) = &sandbox
        && args.ways().include(Way::Refresh)
    {
        // The stand-in knows the refresh tokens of the list, and takes them for good.
        sandbox.store(list.tokens().stored_pairs().collect());
    }
    let out = config::run_folder(args.out.as_deref());
    let survey = list.survey(app.own())?;
    if survey.is_nothing_left() {
        voice.say(&nothing_left(&survey));
        return Ok(Exit::Recovered);
    }
    let links = Links::of(args, &survey).or_exit(Exit::Usage)?;
    let plan = plan_of(survey, limits, args, &app, Some(&out));
    check_routes(&plan)?;
    let parties = app.parties(&apps_of(&plan.survey)).or_exit(Exit::Usage)?;
    show(&plan, &app, voice);
    if let Some(words) = links.in_words() {
        voice.say(&words);
    }
    let is_something_to_do = plan.survey.installations() > 0;
    if sandbox.is_none() && is_something_to_do && args.is_to_ask() && !is_agreed() {
        voice.say("Nothing was sent.");
        return Ok(Exit::Usage);
    }
    let mut leg = prepare(args, &list, &plan, &app, links, &out, disk)?;
    leg.others = if args.list.again { Others::Ignored } else { Others::Heeded(known.earlier) };
    let (endpoint, answers) = (app.endpoint, app.answers);
    let (ways, trials) = (plan.ways, plan.trials);
    let calls = Calls { endpoint, answers, parties, limits, ways, trials };
    let done = leg.work(&runtime, calls, voice);
    end_runtime(runtime, sandbox);
    done.map(|done| summary::tell(&done, args.json, voice))
}

/// Ends what the leg has left running, the stand-in last.
pub fn end_runtime(runtime: Runtime, sandbox: Option<Sandbox>) {
    if let Some(sandbox) = sandbox {
        runtime.block_on(sandbox.stop());
    }
    runtime.shutdown_background();
}

/// Starts the stand-in of a rehearsal.
pub fn start_sandbox(
    args: &RehearsalArgs,
    runtime: &Runtime,
    voice: Voice,
) -> Result<Option<Sandbox>, Fault> {
    if !args.sandbox {
        return Ok(None);
    }
    let options = config::rehearsal(args).or_exit(Exit::Usage)?;
    let sandbox = runtime.block_on(Sandbox::start(options)).or_exit(Exit::Local)?;
    voice.say(
        "SANDBOX: this is a rehearsal against the embedded stand-in; nothing leaves this machine.",
    );
    Ok(Some(sandbox))
}

/// Asks the person in the terminal.
pub fn is_agreed() -> bool {
    let _ = write!(io::stderr(), "Start? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Whether there is somebody to ask.
pub fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl RunArgs {
    fn ways(&self) -> Ways {
        self.ways.via.clone().unwrap_or_default()
    }

    /// Without a terminal, and with `--yes`, silence is consent.
    fn is_to_ask(&self) -> bool {
        let stdin = Some(Path::new("-"));
        let stdin_is_taken =
            stdin_of(self) == Stdin::IsTheList || self.app.client_secret_file.as_deref() == stdin;
        !self.yes && !stdin_is_taken && somebody_is_there()
    }
}

fn stdin_of(args: &RunArgs) -> Stdin {
    if args.installations == Path::new("-") { Stdin::IsTheList } else { Stdin::Free }
}

fn open_list(args: &RunArgs) -> Result<InputList, Fault> {
    let selected = selected(&args.list).or_exit(Exit::Usage)?;
    if stdin_of(args) == Stdin::IsTheList && selected.only.iter().any(|file| file == "-") {
        let error = anyhow!("the list and the ids of --only cannot both come from standard input");
        return Err(Fault { exit: Exit::Usage, error });
    }
    InputList::open(&args.installations, selected).or_exit(Exit::Usage)
}

/// What other runs have recovered. A rehearsal knows of nothing, and nobody of it.
fn known(args: &RunArgs, app: &App) -> Known {
    if args.list.again || args.rehearsal.sandbox {
        return Known::default();
    }
    let clients = app.named.iter().map(|named| &named.app.client_id).chain(&app.client_id);
    let earlier = Earlier::load(app.endpoint.base(), clients.map(String::as_str));
    Known { earlier: Arc::new(earlier), client_id: app.client_id.clone() }
}

fn place(args: &RunArgs) -> Place {
    if args.rehearsal.sandbox { Place::Rehearsal } else { Place::Real }
}

/// The apps that the list has rows of.
fn apps_of(survey: &Survey) -> Vec<AppOfRun> {
    survey.apps.iter().map(|rows| rows.app.clone()).collect()
}

fn selected(args: &ListArgs) -> Result<Selected, OnlyError> {
    let Only { files, ids } = Only::of(&args.only)?;
    Ok(Selected { scope: args.scope, only: files, only_ids: ids, limit: args.limit })
}

/// What looks odd and is used all the same.
fn warnings(app: &App, survey: &Survey) -> Vec<String> {
    let absent = &survey.not_met;
    let only = (absent.count > 0).then(|| {
        let are = if absent.count == 1 { "is" } else { "are" };
        format!(
            "--only: {} {are} not in the list: {}",
            counted(absent.count, "id"),
            absent.in_a_row()
        )
    });
    app.warnings.iter().cloned().chain(only).collect()
}

fn nothing_left(survey: &Survey) -> String {
    format!("{}: nothing left to do, the run that wrote it has no failures", survey.list.name)
}

/// A run that could recover nobody does not begin.
fn check_routes(plan: &Plan) -> Result<(), Fault> {
    match plan.no_route() {
        Some(why) => Err(Fault { exit: Exit::Usage, error: anyhow!(why) }),
        None => Ok(()),
    }
}

fn plan_of(survey: Survey, limits: Limits, args: &RunArgs, app: &App, out: Option<&Path>) -> Plan {
    Plan {
        survey,
        pacing: limits.pacing,
        // Each app has a day of its own, and the calls of the plan are those of all.
        day: app
            .client_id
            .as_ref()
            .filter(|_| app.named.is_empty())
            .and_then(|id| Memory::of(app.endpoint.base(), id)?.day()),
        concurrency: limits.concurrency,
        attempts: limits.attempts,
        max_failures: limits.max_failures,
        give_up_after: limits.give_up_after,
        ways: args.ways(),
        trials: config::trials(&args.ways, Trials::default()),
        known_agencies: Some(app.known_agencies()),
        agency_token_for_all: app.has_agency_token_for_all(),
        endpoint: app.endpoint.to_string(),
        client_id: app.client_id.clone(),
        out: out.map(|path| path.display().to_string()),
    }
}

/// What a run has to do with others: with the run before it, and with those who read of it.
struct Links {
    before: Before,
    escalation: Escalation,
}

impl Links {
    fn of(args: &RunArgs, survey: &Survey) -> anyhow::Result<Self> {
        let columns = Columns { carried: &survey.list.columns, left_out: &survey.token_columns };
        Ok(Self {
            before: parent::find(survey, args.list.parent.as_deref(), place(args))?,
            escalation: config::escalation(&args.escalation, Escalation::default(), columns)?,
        })
    }

    fn parent(&self) -> Option<Box<Parent>> {
        match &self.before {
            Before::Run(parent) => Some(parent.clone()),
            Before::Nothing | Before::Unknown(_) => None,
        }
    }

    fn in_words(&self) -> Option<String> {
        match &self.before {
            Before::Nothing => None,
            Before::Run(parent) => Some(format!(
                "Takes up       run {} ({} of {} outstanding since the first run)",
                parent.run_id, parent.outstanding, parent.input
            )),
            Before::Unknown(why) => Some(format!(
                "note: the list is the failures of an earlier run, and the two are not linked: {why}. \
                 Attempts, times and trace ids are carried on all the same; --parent RUN_DIR links them"
            )),
        }
    }
}

fn show(plan: &Plan, app: &App, voice: Voice) {
    voice.say(&plan.to_string());
    for warning in warnings(app, &plan.survey) {
        voice.say(&format!("warning: {warning}"));
    }
}

/// Makes the folder, locks it, writes the list into the journal, syncs it, and reads it back.
fn prepare(
    args: &RunArgs,
    list: &InputList,
    plan: &Plan,
    app: &App,
    links: Links,
    out: &Path,
    disk: Disk,
) -> Result<Leg, Fault> {
    let started = Event::Started(Box::new(started(args, list, plan, app, links)));
    let folder = RunFolder::create(out, &started, disk)
        .map_err(|error| Fault { exit: error.exit(), error: error.into() })?;
    let lock = folder.lock().or_exit(Exit::Local)?;
    let mut writer = Writer::create(&folder).or_exit(Exit::Local)?;
    let log = RunLog::open(&folder).or_exit(Exit::Local)?;
    log.hear(&started);
    writer.append(&started).or_exit(Exit::Local)?;
    list.record(&plan.survey, &mut writer, &log)?;
    let ledger = Ledger::read(&folder.journal(), |_| {}).or_exit(Exit::Local)?;
    let options = options_again(&args.app, &args.apps, &args.ways, &args.pace, &args.rehearsal);
    // Whether a route presents them or not: what a server repeats of them is cut out.
    let tokens = Some(list.tokens());
    let (take, others) = (Take::Open, Others::Ignored);
    Ok(Leg { folder, lock, writer, log, ledger, take, tokens, options, others })
}

/// The usual client id; among several apps, only where the list has rows of it.
fn client_id(app: &App, plan: &Plan) -> String {
    let apps = &plan.survey.apps;
    let is_used = |id: &&String| apps.iter().any(|rows| rows.app.client_id == **id);
    let own = app.client_id.as_ref().filter(|id| apps.is_empty() || is_used(id));
    own.cloned().unwrap_or_default()
}

fn started(args: &RunArgs, list: &InputList, plan: &Plan, app: &App, links: Links) -> Started {
    Started {
        format: FORMAT,
        run_id: format!("{:032x}", fastrand::u128(..)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: clock::now(),
        client_id: client_id(app, plan),
        apps: apps_of(&plan.survey),
        base_url: app.endpoint.base().to_owned(),
        reconnect_path: app.endpoint.reconnect_path().to_owned(),
        sandbox: args.rehearsal.sandbox,
        rate: plan.pacing.asked.to_string(),
        max_rate: Some(plan.pacing.max.to_string()),
        burst: Some(plan.pacing.burst.get()),
        concurrency: plan.concurrency,
        attempts: plan.attempts,
        max_failures: plan.max_failures.recorded(),
        give_up_after: plan.give_up_after,
        via: plan.ways.clone(),
        verify: plan.trials.new.clone(),
        skip_healthy: plan.trials.old == OldTokens::Tried,
        again: args.list.again,
        list: plan.survey.list.clone(),
        selection: list.selected().clone(),
        parent: links.parent(),
        escalation: links.escalation,
    }
}
