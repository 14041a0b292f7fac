//! `run` and `check`: from a list to recovered installations and their evidence.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
    sync::Arc,
    thread,
};

use anyhow::{Context, anyhow};
use futures::stream;
use tokio::{runtime::Runtime, sync::mpsc};

use super::{Voice, ending, print};
use crate::{
    batch::{Batch, Gauge, Job},
    cli::RunArgs,
    clock,
    config::{self, App, Limits},
    event::{Event, FORMAT, Finished, Listener, Ready, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::client::{Client, Credentials},
    input::{ScopeChoice, Source},
    journal::{
        folder::{Lock, RunFolder},
        ledger::Ledger,
        writer::Writer,
    },
    pace::Pacer,
    plan::{self, Plan, Row, Rows, Selection, Survey},
    progress::{Progress, Talk},
    record::Recorder,
    recover::Tools,
    run_log::RunLog,
    sandbox::Sandbox,
    signals,
    stop::{Cause, Stop},
    views,
};

/// Reads and judges the list and shows the plan.
pub fn check(args: &RunArgs) -> Result<Exit, Fault> {
    let limits = Limits::of(args).or_exit(Exit::Usage)?;
    let app = App::of(&args.app, &args.installations).or_exit(Exit::Usage)?;
    let list = InputList::open(args).or_exit(Exit::Usage)?;
    let survey = list.survey()?;
    let plan = plan_of(survey, limits, &app, None);
    if args.json {
        print(&format!("{:#}\n", plan.as_json()));
    } else {
        print(&format!("{plan}\n"));
    }
    for warning in &app.warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    Ok(if plan.survey.rejected.count == 0 { Exit::Recovered } else { Exit::NotAllRecovered })
}

/// Recovers every installation in the list.
pub fn run(args: &RunArgs, voice: Voice) -> Result<Exit, Fault> {
    if args.dry_run {
        return check(args);
    }
    let limits = Limits::of(args).or_exit(Exit::Usage)?;
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let sandbox = start_sandbox(args, &runtime, voice)?;
    let app = match &sandbox {
        Some(sandbox) => App::of_sandbox(&sandbox.base_url(), &args.app.reconnect_path),
        None => App::of(&args.app, &args.installations),
    };
    let app = app.or_exit(Exit::Usage)?;
    let credentials = app.credentials().or_exit(Exit::Usage)?;
    let list = InputList::open(args).or_exit(Exit::Usage)?;
    let out = config::run_folder(args.out.as_deref());
    let plan = plan_of(list.survey()?, limits, &app, Some(&out));
    show(&plan, &app, voice);
    if sandbox.is_none() && !agreed(args) {
        voice.say("Nothing was sent.");
        return Ok(Exit::Usage);
    }
    let run = Prepared::make(&list, &plan, &app, sandbox.is_some(), &out)?;
    let done = runtime.block_on(run.recover_all(&app, credentials, limits, voice));
    if let Some(sandbox) = sandbox {
        runtime.block_on(sandbox.stop());
    }
    runtime.shutdown_background();
    let (folder, _lock) = done?;
    finish(args, &folder, voice)
}

/// The list with what picks its rows.
struct InputList {
    source: Source,
    scope: ScopeChoice,
    selection: Selection,
}

impl InputList {
    fn open(args: &RunArgs) -> anyhow::Result<Self> {
        let only = args.list.only.as_deref().map(|file| {
            let ids = Source::open(file).and_then(|source| plan::ids_in(&source));
            ids.context("--only")
        });
        let selection = Selection { only: only.transpose()?, limit: args.list.limit };
        let source = Source::open(&args.installations)?;
        Ok(Self { source, scope: args.list.scope, selection })
    }

    /// Reads the list once; one with nothing to recover is an error that helps.
    fn survey(&self) -> Result<Survey, Fault> {
        let survey = plan::survey(&self.source, self.scope, self.selection.clone());
        let survey = survey.or_exit(Exit::Usage)?;
        if survey.installations() > 0 {
            return Ok(survey);
        }
        Err(Fault { exit: Exit::Usage, error: nothing_usable(&survey) })
    }

    fn rows(&self) -> anyhow::Result<Rows> {
        Ok(Rows::of(&self.source, self.scope, self.selection.clone())?)
    }
}

fn nothing_usable(survey: &Survey) -> anyhow::Error {
    let rejected = survey.rejected.first.join("\n  ");
    let rejected = if rejected.is_empty() { String::new() } else { format!("\n  {rejected}") };
    let left_out = match survey.left_out {
        0 => String::new(),
        n => format!("; --only or --limit leaves {n} rows out"),
    };
    anyhow!(
        "{}: no installation in it can be used{left_out} ({}; columns found: {}). \
         A row needs a location id in a column such as location_id, locationId, ghl_location_id or \
         resourceId, or a company id in company_id or companyId{rejected}",
        survey.list.name,
        survey.list.shape,
        if survey.columns_found.is_empty() {
            "none".into()
        } else {
            survey.columns_found.join(", ")
        },
    )
}

fn plan_of(survey: Survey, limits: Limits, app: &App, out: Option<&Path>) -> Plan {
    Plan {
        survey,
        rate: limits.rate,
        concurrency: limits.concurrency,
        attempts: limits.attempts,
        endpoint: app.endpoint.to_string(),
        client_id: app.client_id.clone(),
        out: out.map(|path| path.display().to_string()),
    }
}

fn start_sandbox(
    args: &RunArgs,
    runtime: &Runtime,
    voice: Voice,
) -> Result<Option<Sandbox>, Fault> {
    if !args.rehearsal.sandbox {
        return Ok(None);
    }
    let options = config::rehearsal(&args.rehearsal).or_exit(Exit::Usage)?;
    let sandbox = runtime.block_on(Sandbox::start(options)).or_exit(Exit::Local)?;
    voice.say(
        "SANDBOX: this is a rehearsal against the embedded stand-in; nothing leaves this machine.",
    );
    Ok(Some(sandbox))
}

fn show(plan: &Plan, app: &App, voice: Voice) {
    voice.say(&plan.to_string());
    for warning in &app.warnings {
        voice.say(&format!("warning: {warning}"));
    }
}

/// Asks in a terminal; without one, and with `--yes`, silence is consent.
fn agreed(args: &RunArgs) -> bool {
    let from_stdin = |path: &Path| path == Path::new("-");
    let stdin_taken = from_stdin(&args.installations)
        || args.app.client_secret_file.as_deref().is_some_and(from_stdin);
    if args.yes || stdin_taken || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return true;
    }
    let _ = write!(io::stderr(), "Start? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A run whose folder is made and whose list is in its journal.
struct Prepared {
    folder: RunFolder,
    lock: Lock,
    writer: Writer,
    log: RunLog,
    ledger: Ledger,
}

impl Prepared {
    /// Makes the folder, locks it, writes the list into the journal, syncs it, reads it back.
    fn make(
        list: &InputList,
        plan: &Plan,
        app: &App,
        sandbox: bool,
        out: &Path,
    ) -> Result<Self, Fault> {
        let folder = RunFolder::create(out).or_exit(Exit::Usage)?;
        let lock = folder.lock().or_exit(Exit::Local)?;
        let mut writer = Writer::create(&folder).or_exit(Exit::Local)?;
        let log = RunLog::create(&folder.file("run.log")).or_exit(Exit::Local)?;
        let started = Event::Started(Box::new(started(plan, app, sandbox)));
        log.hear(&started);
        writer.append(&started).or_exit(Exit::Local)?;
        journal_list(list, &plan.survey, &mut writer, &log)?;
        writer.sync().or_exit(Exit::Local)?;
        let ledger = Ledger::read(&folder.journal(), |_| {}).or_exit(Exit::Local)?;
        Ok(Self { folder, lock, writer, log, ledger })
    }

    async fn recover_all(
        self,
        app: &App,
        credentials: Credentials,
        limits: Limits,
        voice: Voice,
    ) -> Result<(RunFolder, Lock), Fault> {
        let Self { folder, lock, writer, log, ledger } = self;
        let client = Client::new(app.endpoint.clone(), credentials, limits.timeout);
        let client = client.or_exit(Exit::Local)?;
        let gauge = Gauge::default();
        let total = ledger.books().not_attempted;
        let progress =
            Progress::begin(voice.talk, voice.colors, total, limits.rate.interval(), gauge.clone());
        let stop = Stop::default();
        let (journal, writing) = writer.spawn().or_exit(Exit::Local)?;
        let tools = Tools {
            client,
            pacer: Pacer::start(limits.rate),
            recorder: Recorder::new(journal, vec![Box::new(progress.clone()), Box::new(log)]),
            stop: stop.clone(),
            attempts: limits.attempts,
        };
        let jobs = jobs(ledger, &folder).or_exit(Exit::Local)?;
        let batch = Arc::new(Batch::new(tools, gauge));
        let worked = tokio::select! {
            worked = batch.run(jobs, limits.concurrency as usize) => worked,
            exit = signals::listen(stop.clone(), progress.clone()) => return Err(cut_short(exit)),
            () = progress.show() => Ok(()),
        };
        progress.end();
        worked.or_exit(Exit::Local)?;
        let interrupted_by = match stop.cause() {
            Some(Cause::Interrupted(signal)) => Some(signal),
            _ => None,
        };
        let mut writer = tokio::task::block_in_place(|| writing.finish()).or_exit(Exit::Local)?;
        let finished = Event::Finished(Finished { at: clock::now(), interrupted_by });
        writer.append(&finished).and_then(|()| writer.sync()).or_exit(Exit::Local)?;
        Ok((folder, lock))
    }
}

fn cut_short(exit: Exit) -> Fault {
    Fault {
        exit,
        error: anyhow!("ended at once by a second signal; the journal has all that was done"),
    }
}

fn started(plan: &Plan, app: &App, sandbox: bool) -> Started {
    Started {
        format: FORMAT,
        run_id: format!("{:032x}", fastrand::u128(..)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: clock::now(),
        client_id: plan.client_id.clone().unwrap_or_default(),
        base_url: app.endpoint.base().to_owned(),
        reconnect_path: app.endpoint.reconnect_path().to_owned(),
        sandbox,
        rate: plan.rate.to_string(),
        concurrency: plan.concurrency,
        attempts: plan.attempts,
        list: plan.survey.list.clone(),
    }
}

/// Reads the list a second time, into the journal; it must be the one that the plan was made of.
fn journal_list(
    list: &InputList,
    survey: &Survey,
    writer: &mut Writer,
    log: &RunLog,
) -> Result<(), Fault> {
    let mut rows = list.rows().or_exit(Exit::Usage)?;
    let mut input = 0;
    for row in &mut rows {
        let event = match row.or_exit(Exit::Usage)? {
            Row::Take(listed) => Event::Listed(listed),
            Row::Duplicate(duplicate) => Event::Duplicate(duplicate),
            Row::Rejected(rejected) => Event::Rejected(rejected),
            Row::LeftOut => continue,
        };
        input += 1;
        log.hear(&event);
        writer.append(&event).or_exit(Exit::Local)?;
    }
    let digest = rows.list().digest();
    if digest != survey.digest {
        let error = anyhow!(
            "{} changed while it was being read; nothing was sent, run it again",
            survey.list.name
        );
        return Err(Fault { exit: Exit::Usage, error });
    }
    let ready = Event::Ready(Ready { at: clock::now(), input, digest });
    log.hear(&ready);
    writer.append(&ready).or_exit(Exit::Local)
}

/// The installations that are still to be recovered, read from the journal by a thread of its own.
fn jobs(
    ledger: Ledger,
    folder: &RunFolder,
) -> anyhow::Result<impl futures::Stream<Item = Job> + Unpin> {
    let (queue, jobs) = mpsc::channel(1024);
    let journal = folder.journal();
    let feed = move || {
        let Ok(pending) = ledger.pending(&journal) else { return };
        for listed in pending.map_while(Result::ok) {
            let job = Job { row: listed.row, installation: listed.installation };
            if queue.blocking_send(job).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("list".into()).spawn(feed).context("cannot start a thread")?;
    Ok(Box::pin(stream::unfold(jobs, |mut jobs| async move {
        jobs.recv().await.map(|job| (job, jobs))
    })))
}

/// Writes the views and says how it ended.
fn finish(args: &RunArgs, folder: &RunFolder, voice: Voice) -> Result<Exit, Fault> {
    let summary = views::write_all(folder).or_exit(Exit::Local)?;
    if args.json {
        print(&ending::as_json(&summary));
    } else if voice.talk != Talk::Quiet {
        print(&ending::in_words(&summary, folder, &args.options_again()));
    }
    if let Some(halted) = summary.halted.as_ref().filter(|_| voice.talk == Talk::Quiet || args.json)
    {
        let ways_on = ending::ways_on(halted.class);
        let _ = writeln!(io::stderr(), "error: halted: {}\n{ways_on}", halted.message);
    }
    Ok(summary.exit)
}
