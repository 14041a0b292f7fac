//! `run` and `check`: from a list to recovered installations and their evidence.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use tokio::runtime::Runtime;

use super::{Console, print};
use crate::{
    app::AppOfRun,
    clock,
    event::{Escalation, Event, FORMAT, Listener, Parent, Selected, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::token_checks::{OldTokens, TokenChecks},
    journal::{
        disk::Disk,
        folder::RunFolder,
        state::{RunState, Take},
        writer::Writer,
    },
    pace::memory::Memory,
    plan::{Known, ListSummary, Only, OnlyError, Plan, counted, recoveries::Earlier},
    route::{Route, RouteList},
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
        session::{Calls, Others, Session},
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
    let summary = list.summary(app.own())?;
    let links = Links::of(args, &summary).or_exit(Exit::Usage)?;
    let plan = plan_of(summary, limits, args, &app, None);
    if args.json {
        print(&format!("{:#}\n", plan.as_json()));
    } else {
        print(&format!("{plan}\n"));
    }
    for warning in warnings(&app, &plan.summary) {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    if let Some(words) = links.in_words() {
        let _ = writeln!(io::stderr(), "{words}");
    }
    if plan.summary.is_nothing_left() {
        let _ = writeln!(io::stderr(), "{}", nothing_left(&plan.summary));
        return Ok(Exit::Recovered);
    }
    check_routes(&plan)?;
    Ok(if plan.summary.rejected.count == 0 { Exit::Recovered } else { Exit::NotAllRecovered })
}

/// Recovers every installation in the list, with its evidence on this disk.
pub fn run(args: &RunArgs, console: Console, disk: Disk) -> Result<Exit, Fault> {
    if args.dry_run {
        return check(args);
    }
    config::check_rehearsal(&args.rehearsal).or_exit(Exit::Usage)?;
    let limits = Limits::of(&args.pace, Limits::default()).or_exit(Exit::Usage)?;
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let sandbox = start_sandbox(&args.rehearsal, &runtime, console)?;
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
        && args.routes().include(Route::Refresh)
    {
        // The stand-in knows the refresh tokens of the list, and takes them for good.
        sandbox.store(list.tokens().stored_pairs().collect());
    }
    let out = config::run_folder(args.out.as_deref());
    let summary = list.summary(app.own())?;
    if summary.is_nothing_left() {
        console.print(&nothing_left(&summary));
        return Ok(Exit::Recovered);
    }
    let links = Links::of(args, &summary).or_exit(Exit::Usage)?;
    let plan = plan_of(summary, limits, args, &app, Some(&out));
    check_routes(&plan)?;
    let app_contexts = app.app_contexts(&apps_of(&plan.summary)).or_exit(Exit::Usage)?;
    show(&plan, &app, console);
    if let Some(words) = links.in_words() {
        console.print(&words);
    }
    let is_something_to_do = plan.summary.installations() > 0;
    if sandbox.is_none() && is_something_to_do && args.is_to_ask() && !is_agreed() {
        console.print("Nothing was sent.");
        return Ok(Exit::Usage);
    }
    let mut session = prepare(args, &list, &plan, &app, links, &out, disk)?;
    session.others = if args.list.again { Others::Ignored } else { Others::Heeded(known.earlier) };
    let (endpoint, answers) = (app.endpoint, app.answers);
    let (routes, token_checks) = (plan.routes, plan.token_checks);
    let calls = Calls { endpoint, answers, app_contexts, limits, routes, token_checks };
    let done = session.work(&runtime, calls, console);
    end_runtime(runtime, sandbox);
    done.map(|done| summary::print_end(&done, args.json, console))
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
    console: Console,
) -> Result<Option<Sandbox>, Fault> {
    if !args.sandbox {
        return Ok(None);
    }
    let options = config::rehearsal(args).or_exit(Exit::Usage)?;
    let sandbox = runtime.block_on(Sandbox::start(options)).or_exit(Exit::Local)?;
    console.print(
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
    fn routes(&self) -> RouteList {
        self.routes.via.clone().unwrap_or_default()
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
fn apps_of(summary: &ListSummary) -> Vec<AppOfRun> {
    summary.apps.iter().map(|rows| rows.app.clone()).collect()
}

fn selected(args: &ListArgs) -> Result<Selected, OnlyError> {
    let Only { files, ids } = Only::of(&args.only)?;
    Ok(Selected { scope: args.scope, only: files, only_ids: ids, limit: args.limit })
}

/// What looks odd and is used all the same.
fn warnings(app: &App, summary: &ListSummary) -> Vec<String> {
    let absent = &summary.not_met;
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

fn nothing_left(summary: &ListSummary) -> String {
    format!("{}: nothing left to do, the run that wrote it has no failures", summary.list.name)
}

/// A run that could recover nobody does not begin.
fn check_routes(plan: &Plan) -> Result<(), Fault> {
    match plan.no_route() {
        Some(why) => Err(Fault { exit: Exit::Usage, error: anyhow!(why) }),
        None => Ok(()),
    }
}

fn plan_of(
    summary: ListSummary,
    limits: Limits,
    args: &RunArgs,
    app: &App,
    out: Option<&Path>,
) -> Plan {
    Plan {
        summary,
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
        routes: args.routes(),
        token_checks: config::token_checks(&args.routes, TokenChecks::default()),
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
    fn of(args: &RunArgs, summary: &ListSummary) -> anyhow::Result<Self> {
        let columns = Columns { carried: &summary.list.columns, left_out: &summary.token_columns };
        Ok(Self {
            before: parent::find(summary, args.list.parent.as_deref(), place(args))?,
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

fn show(plan: &Plan, app: &App, console: Console) {
    console.print(&plan.to_string());
    for warning in warnings(app, &plan.summary) {
        console.print(&format!("warning: {warning}"));
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
) -> Result<Session, Fault> {
    let started = Event::Started(Box::new(started(args, list, plan, app, links)));
    let folder = RunFolder::create(out, &started, disk)
        .map_err(|error| Fault { exit: error.exit(), error: error.into() })?;
    let lock = folder.lock().or_exit(Exit::Local)?;
    let mut writer = Writer::create(&folder).or_exit(Exit::Local)?;
    let log = RunLog::open(&folder).or_exit(Exit::Local)?;
    log.on_event(&started);
    writer.append(&started).or_exit(Exit::Local)?;
    list.record(&plan.summary, &mut writer, &log)?;
    let run_state = RunState::read(&folder.journal(), |_| {}).or_exit(Exit::Local)?;
    let options = options_again(&args.app, &args.apps, &args.routes, &args.pace, &args.rehearsal);
    // Whether a route presents them or not: what a server repeats of them is cut out.
    let tokens = Some(list.tokens());
    let (take, others) = (Take::Open, Others::Ignored);
    Ok(Session { folder, lock, writer, log, run_state, take, tokens, options, others })
}

/// The usual client id; among several apps, only where the list has rows of it.
fn client_id(app: &App, plan: &Plan) -> String {
    let apps = &plan.summary.apps;
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
        apps: apps_of(&plan.summary),
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
        via: plan.routes.clone(),
        verify: plan.token_checks.new.clone(),
        skip_healthy: plan.token_checks.old == OldTokens::Tried,
        again: args.list.again,
        list: plan.summary.list.clone(),
        selection: list.selected().clone(),
        parent: links.parent(),
        escalation: links.escalation,
    }
}
