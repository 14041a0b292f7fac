//! One leg of a run: from a prepared folder through all calls to the files and the exit code.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use tokio::{
    runtime::Runtime,
    task::{block_in_place, spawn_blocking},
    time::timeout,
};

use super::{
    batch::{Batch, Broken},
    breaker::{self, Breaker},
    canary::Canary,
    cancellation::{Cancellation, Cause},
    dispatcher::Dispatcher,
    gauge::Gauge,
    outage::Outages,
    recorder::Recorder,
    recover::{OpenRoutes, Tools},
    signals::Signals,
    watchdog::{Bounds, Looking, Watchdog},
};
use super::{
    jobs::{Part, jobs},
    list::TokenList,
};
use crate::{
    app::AppName,
    clock,
    event::{Escalation, Event, Finished, Interrupt, Leaked, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::{
        client::Client,
        endpoint::Endpoint,
        known_secrets::{Kind, KnownSecrets},
        server_clock::OffsetWatch,
        table::Answers,
        token_checks::TokenChecks,
    },
    input::Source,
    journal::{
        folder::{Lock, RunFolder},
        handle::{self, Ended, Journal},
        leaks::{MoreTokens, Search},
        state::{self, RunState, Take},
        tokens,
        writer::Writer,
    },
    pace::{Outlook, Pacer, memory::Memory},
    plan::recoveries::{self, Earlier, RecoveryLog},
    route::RouteList,
    secret::Secret,
    settings::config::{self, AppContext, Limits},
    terminal::{progress::Progress, run_log::RunLog},
    views::{self, summary::Summary},
};
use crate::{commands::Console, terminal::summary};

/// Bytes that one installation takes in all files together, with some to spare: its events, its
/// tokens (some 2,500 bytes in real ones), its lines in the views and the log.
const BYTES_EACH: u64 = 4096;

/// Bytes that a run takes besides.
const BYTES_BESIDES: u64 = 1 << 16;

/// A folder that is made, locked and written, and what is to be done in it.
pub struct Session {
    /// The run folder.
    pub folder: RunFolder,
    /// It is held.
    pub lock: Lock,
    /// Its files.
    pub writer: Writer,
    /// Its log.
    pub log: RunLog,
    /// Its state, read back from the disk.
    pub run_state: RunState,
    /// Which installations are taken.
    pub take: Take,
    /// Where the tokens of its installations are read from; `None` where they are not at hand.
    pub tokens: Option<TokenList>,
    /// Options that the next command needs again.
    pub options: Vec<OsString>,
    /// Whether it heeds what other runs recover.
    pub others: Others,
}

/// Whether a leg leaves alone what other runs recover while it works.
#[derive(Clone, Debug)]
pub enum Others {
    /// It does; this is what they had recovered when it began.
    Heeded(Arc<Earlier>),
    /// It does not.
    Ignored,
}

/// Who calls whom, and how.
pub struct Calls {
    /// Where the calls go.
    pub endpoint: Endpoint,
    /// What answers mean.
    pub answers: Answers,
    /// Who calls: one app after the other.
    pub app_contexts: Vec<AppContext>,
    /// How fast and how often.
    pub limits: Limits,
    /// By which ways.
    pub routes: RouteList,
    /// How tokens prove themselves.
    pub token_checks: TokenChecks,
}

/// What a leg came to.
pub struct SessionEnd {
    /// The run in figures, as `summary.json` has it.
    pub summary: Summary,
    /// The run folder.
    pub folder: RunFolder,
    /// Options that the next command needs again.
    pub options: Vec<OsString>,
}

impl Session {
    /// Does the leg. An error means that the disk failed, or that a second signal ended it at once.
    pub fn work(
        self,
        runtime: &Runtime,
        calls: Calls,
        console: Console,
    ) -> Result<SessionEnd, Fault> {
        self.check_room()?;
        let (folder, options) = (self.folder.clone(), self.options.clone());
        let done = runtime.block_on(self.work_under_signals(calls, console));
        done.map_err(|fault| {
            let error = anyhow!("{:#}\n{}", fault.error, summary::after_a_fault(&folder, &options));
            Fault { exit: fault.exit, error }
        })
    }

    /// Compares the free space with what the leg will need.
    fn check_room(&self) -> Result<(), Fault> {
        let need = u64::from(self.run_state.to_take(self.take)) * BYTES_EACH + BYTES_BESIDES;
        let path = self.folder.path();
        match fs4::available_space(path) {
            Ok(free) if free < need => {
                let error = anyhow!(
                    "{} has room for {} KiB, this run needs about {} KiB; nothing was sent. \
                     Free some space and go on with:  {}",
                    path.display(),
                    free / 1024,
                    need / 1024,
                    summary::resume_command(path, &self.options)
                );
                Err(Fault { exit: Exit::Local, error })
            }
            // A file system that does not tell is taken at its word.
            _ => Ok(()),
        }
    }

    async fn work_under_signals(self, calls: Calls, console: Console) -> Result<SessionEnd, Fault> {
        let mut signals =
            Signals::listen().context("cannot listen to signals").or_exit(Exit::Local)?;
        let Self { folder, lock, writer, log, run_state, take, tokens, options, others } = self;
        let list = match &tokens {
            Some(tokens) => Some(tokens.for_search()),
            None => tokens_of_run(&folder),
        };
        let secrets: Vec<Secret> =
            calls.app_contexts.iter().flat_map(AppContext::secrets).collect();
        let stop = Cancellation::default();
        let run_id = run_state.started.run_id.clone();
        let on_failure = {
            let stop = stop.clone();
            move || {
                stop.cancel(Cause::StorageError);
            }
        };
        let (journal, writing) = handle::spawn(writer, &run_id, on_failure).or_exit(Exit::Local)?;
        let team = Team { calls, tokens, others, journal, log, stop: stop.clone(), console };
        // Ended at once, work is still going on and the journal's thread with it: not waited for.
        team.recover_all(run_state, take, &folder, &mut signals).await?;
        let ended = block_in_place(|| writing.finish()).or_exit(Exit::Local)?;
        let interrupted_by = match stop.cause() {
            Some(Cause::Interrupted(signal)) => Some(signal),
            _ => None,
        };
        finish_journal(ended, interrupted_by, &folder)?;
        leave_out_refused(&folder).or_exit(Exit::Local)?;
        let closing = {
            let folder = folder.clone();
            spawn_blocking(move || close(&folder, &secrets, list, None, console))
        };
        let summary = tokio::select! {
            closed = closing => closed.context("the work on the files broke off: a bug").or_exit(Exit::Bug)?,
            exit = signals.second(|_| console.print("Writing the files; once more ends at once.")) => Err(cut_short(exit)),
        }?;
        drop(lock);
        Ok(SessionEnd { summary, folder, options })
    }
}

/// Everything that works while calls go on.
struct Team {
    calls: Calls,
    tokens: Option<TokenList>,
    others: Others,
    journal: Journal,
    log: RunLog,
    stop: Cancellation,
    console: Console,
}

impl Team {
    async fn recover_all(
        self,
        run_state: RunState,
        take: Take,
        folder: &RunFolder,
        signals: &mut Signals,
    ) -> Result<(), Fault> {
        let Self { calls, tokens, others, journal, log, stop, console } = self;
        let Calls { endpoint, answers, app_contexts, limits, routes, token_checks } = calls;
        let ahead = Ahead::default();
        let outlook = {
            let ahead = ahead.clone();
            move || ahead.outlook()
        };
        let gauge = Gauge::new(run_state.to_take(take));
        let progress = Progress::begin(console.verbosity, console.colors, gauge.clone(), outlook)
            .context("cannot start a thread")
            .or_exit(Exit::Local)?;
        let log = Arc::new(log);
        let work = Work {
            folder,
            run_state: Arc::new(run_state),
            tokens,
            others,
            endpoint,
            answers,
            limits,
            routes,
            token_checks,
            recorder: Recorder::new(
                journal,
                vec![Arc::new(progress.clone()), Arc::new(log.clone())],
            ),
            progress: progress.clone(),
            log,
            gauge,
            stop: stop.clone(),
            ahead,
            known: known_to(&app_contexts),
        };
        let drain = |signal| {
            stop.cancel(Cause::Interrupted(signal));
            progress.print(
                "Interrupted: no new code is asked for, codes in hand are exchanged. Once more ends at once.",
            );
        };
        let worked = tokio::select! {
            worked = work.for_all(app_contexts, take) => worked,
            exit = signals.second(drain) => Err(cut_short(exit)),
        };
        drop(work);
        block_in_place(|| progress.end());
        worked
    }
}

/// What lies before the requests of the app that is being worked for. Cheap to clone.
#[derive(Clone, Default)]
struct Ahead(Arc<Mutex<Option<Pacer>>>);

impl Ahead {
    fn set(&self, pacer: Option<Pacer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pacer;
    }

    fn outlook(&self) -> Outlook {
        let pacer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = Outlook { interval: Duration::ZERO, held: Duration::ZERO };
        pacer.as_ref().map_or(nothing, Pacer::outlook)
    }
}

/// What the apps of a leg share. Each has its own client, pace, canary and outage.
struct Work<'a> {
    folder: &'a RunFolder,
    run_state: Arc<RunState>,
    tokens: Option<TokenList>,
    others: Others,
    endpoint: Endpoint,
    answers: Answers,
    limits: Limits,
    routes: RouteList,
    token_checks: TokenChecks,
    recorder: Recorder,
    progress: Progress,
    log: Arc<RunLog>,
    gauge: Gauge,
    stop: Cancellation,
    ahead: Ahead,
    /// The secrets of all apps, and whatever passes by.
    known: KnownSecrets,
}

impl Work<'_> {
    /// Works for one app after the other. What halts one of them does not halt the next.
    async fn for_all(&self, app_contexts: Vec<AppContext>, take: Take) -> Result<(), Fault> {
        let mut starts = Vec::new();
        for app_context in app_contexts {
            let part = Part { app: app_context.app.clone(), take };
            if self.stop.cause().is_none()
                && self.run_state.to_take_of(app_context.app.as_ref(), take) > 0
            {
                starts = self.for_one(app_context, part, starts).await?;
            }
        }
        Ok(())
    }

    /// Works for one app, after these starts for others; gives all of them together.
    async fn for_one(
        &self,
        app_context: AppContext,
        part: Part,
        earlier: Vec<Instant>,
    ) -> Result<Vec<Instant>, Fault> {
        let limits = self.limits;
        let memory = Memory::of(self.endpoint.base(), &app_context.credentials.client_id);
        let (pacer, pacing) = Pacer::start_after(earlier, limits.pacing, memory)
            .context("cannot start a thread")
            .or_exit(Exit::Local)?;
        self.ahead.set(Some(pacer.clone()));
        let watchdog = Watchdog::default();
        let looking = look_after(&watchdog, limits, &pacer, &self.progress, &self.log)
            .or_exit(Exit::Local)?;
        let stop = if part.app.is_some() { self.stop.child() } else { self.stop.clone() };
        let tools = self.tools(app_context, &part, pacer.clone(), watchdog, stop.clone())?;
        let jobs = jobs(
            self.run_state.clone(),
            part.clone(),
            self.folder,
            &self.routes,
            self.tokens.clone(),
        )
        .or_exit(Exit::Local)?;
        let batch = Arc::new(Batch::new(tools));
        // A task is woken by those that it waits for at less cost than the main thread.
        let worked = tokio::spawn(batch.clone().run(jobs)).await;
        match worked.context("the work broke off: a bug").or_exit(Exit::Bug)? {
            Ok(()) => {}
            // The journal's thread, which knows what was saved, tells what the disk lost.
            Err(Broken::TokenFile(_)) => drop(self.stop.cancel(Cause::StorageError)),
            Err(Broken::Supply(error)) => {
                return Err(error.context("cannot read on in the list")).or_exit(Exit::Local);
            }
        }
        if let (Some(app), Some(Cause::Halted)) = (&part.app, stop.cause()) {
            self.progress.print(&format!(
                "Halted for app {app}: its other installations are left as they are."
            ));
        }
        drop(looking);
        self.end_recoveries(batch).await;
        self.ahead.set(None);
        let starts = pacer.starts();
        drop(pacer);
        // It ends by itself, having no more handles, and remembers the last starts.
        let _ = timeout(Duration::from_secs(1), pacing).await;
        Ok(starts)
    }

    /// What runs remember of each other. A rehearsal is no run to remember.
    fn recoveries(&self, client_id: &str) -> Option<RecoveryLog> {
        let Started { sandbox, run_id, .. } = &self.run_state.started;
        if *sandbox {
            return None;
        }
        let folder = config::path_in_full(self.folder.path()).display().to_string();
        let (base_url, client_id) = (self.endpoint.base().to_owned(), client_id.to_owned());
        let writer = recoveries::Writer { base_url, client_id, run_id: run_id.clone(), folder };
        let earlier = match &self.others {
            Others::Heeded(earlier) => Some(earlier.as_ref()),
            Others::Ignored => None,
        };
        RecoveryLog::begin(writer, earlier).map_err(|error| self.forgets(&error)).ok()
    }

    /// Waits for what is remembered to be written. Nothing fails for its sake.
    async fn end_recoveries(&self, batch: Arc<Batch>) {
        let finish = move || batch.recoveries().map_or(Ok(()), RecoveryLog::finish);
        if let Ok(Err(error)) = spawn_blocking(finish).await {
            self.forgets(&error);
        }
    }

    fn forgets(&self, error: &io::Error) {
        let line = format!(
            "warning: other runs will not know what this one has recovered: cannot write the state \
             folder: {error}"
        );
        self.progress.print(&line);
        self.log.note(&line);
    }

    fn tools(
        &self,
        app_context: AppContext,
        part: &Part,
        pacer: Pacer,
        watchdog: Watchdog,
        stop: Cancellation,
    ) -> Result<Tools, Fault> {
        let AppContext { app, credentials, agency_tokens } = app_context;
        let recoveries = self.recoveries(&credentials.client_id);
        let (limits, answers) = (self.limits, self.answers.clone());
        let client = Client::new(self.endpoint.clone(), credentials, limits.timeout, answers);
        let open = self.run_state.to_take_of(app.as_ref(), part.take);
        let gauge = self.gauge.part(open);
        let routes = OpenRoutes::new(self.routes.clone(), agency_tokens, self.token_checks.clone());
        let dispatcher = self.dispatcher(app.as_ref(), gauge.clone());
        Ok(Tools {
            client: client.or_exit(Exit::Local)?.knowing(self.known.clone()),
            routes,
            pacer,
            recorder: self.recorder.clone(),
            app,
            cancellation: stop,
            dispatcher,
            server_clock: OffsetWatch::default(),
            attempts: limits.attempts,
            max_outage: limits.max_outage,
            gauge,
            recoveries,
            watchdog,
            day_is_recorded: AtomicBool::new(false),
        })
    }
}

impl Work<'_> {
    /// Who may go, in a run that starts as proven when it was.
    fn dispatcher(&self, app: Option<&AppName>, gauge: Gauge) -> Arc<Dispatcher> {
        let Limits { max_outage, max_failures, give_up_after, concurrency, .. } = self.limits;
        let was_proven = self.run_state.is_proven(app);
        let outages = Outages::new(max_outage, was_proven.then(Instant::now));
        let give_up_after = (give_up_after > 0).then_some(give_up_after);
        let limits = breaker::Limits { max_failures, give_up_after };
        let breaker = Breaker::new(limits, was_proven);
        let canary = if was_proven { Canary::proven() } else { Canary::default() };
        Arc::new(Dispatcher::new(concurrency as usize, outages, breaker, canary, gauge))
    }
}

/// The client secrets of all apps: a server may know more than one of them.
fn known_to(app_contexts: &[AppContext]) -> KnownSecrets {
    let known = KnownSecrets::default();
    for app_context in app_contexts {
        known.learn(Kind::Client, &app_context.credentials.client_secret.0);
    }
    known
}

/// Lets the watchdog look, and say what is stuck to the person and into the log.
fn look_after(
    watchdog: &Watchdog,
    limits: Limits,
    pacer: &Pacer,
    progress: &Progress,
    log: &Arc<RunLog>,
) -> anyhow::Result<Looking> {
    let Limits { timeout, max_outage, concurrency, .. } = limits;
    let (pacer, progress, log) = (pacer.clone(), progress.clone(), log.clone());
    let print = move |line: &str| {
        progress.print(line);
        log.note(line);
    };
    let bounds = Bounds { timeout, max_outage, concurrency };
    let looking = watchdog.start(bounds, move || pacer.outlook(), print);
    looking.context("cannot start a thread")
}

fn cut_short(exit: Exit) -> Fault {
    let error =
        anyhow!("ended at once by a second signal; the journal has what was done until then");
    Fault { exit, error }
}

/// Writes the last event, unless the disk has failed.
fn finish_journal(
    ended: Ended,
    interrupted_by: Option<Interrupt>,
    folder: &RunFolder,
) -> Result<(), Fault> {
    let Ended { writer, lost, spilled } = ended;
    if let Some(lost) = lost {
        let error = anyhow!(
            "{:#}. No new code was asked for after that.{}",
            anyhow!(lost),
            summary::spilled(&spilled, folder)
        );
        return Err(Fault { exit: Exit::Local, error });
    }
    let mut writer = writer.context("the journal is gone: a bug").or_exit(Exit::Bug)?;
    let finished = Event::Finished(Finished { at: clock::now(), interrupted_by });
    writer.append(&finished).and_then(|()| writer.sync()).or_exit(Exit::Local)
}

/// Takes tokens that are not to be used out of the file of those that are.
fn leave_out_refused(folder: &RunFolder) -> anyhow::Result<()> {
    if !folder.quarantine().exists() {
        return Ok(());
    }
    let run_state = RunState::read(&folder.journal(), |_| {})?;
    let damaged =
        if run_state.has_refused() { tokens::tidy(folder, &run_state)? } else { Vec::new() };
    match damaged.first() {
        None => Ok(()),
        Some(line) => bail!(
            "{}, line {line}: not as it was written; moved to {}",
            folder.tokens().display(),
            folder.quarantine().display()
        ),
    }
}

/// Writes the views and looks for secrets in them.
fn close(
    folder: &RunFolder,
    secrets: &[Secret],
    list: Option<MoreTokens>,
    escalation: Option<&Escalation>,
    console: Console,
) -> Result<Summary, Fault> {
    let token_files = [folder.tokens(), folder.quarantine()];
    // What is to be looked for does not depend on the views.
    let (search, summary) = thread::scope(|scope| {
        let search = scope.spawn(|| Search::of(secrets, token_files.clone(), list));
        let summary = views::write_all(folder, escalation).or_exit(Exit::Local);
        (search.join().unwrap_or_else(|_| Err(io::Error::other("it broke off: a bug"))), summary)
    });
    let summary = summary?;
    let found = search.and_then(|search| {
        let leaks = find_leaks(&search, folder, &token_files, console)?;
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
    token_files: &[PathBuf],
    console: Console,
) -> io::Result<Vec<PathBuf>> {
    let suspects = suspects(folder, token_files)?;
    let (own, foreign): (Vec<_>, Vec<_>) = suspects.into_iter().partition(|path| is_ours(path));
    // Nothing depends on a file of somebody else that cannot be read.
    let is_leaking = |path: &&PathBuf| {
        search.find(std::slice::from_ref(*path)).is_ok_and(|leaks| !leaks.is_empty())
    };
    for path in foreign.iter().filter(is_leaking) {
        console.print(&format!(
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
    const OURS: [&str; 9] = [
        ".lock",
        "journal.jsonl",
        "run.log",
        "results.csv",
        "failures.csv",
        "rejected.csv",
        "summary.json",
        "escalation.md",
        "escalation.csv",
    ];
    OURS.iter().any(|name| path.file_name().is_some_and(|file| file == *name))
}

/// Writes the views of a run again, the escalation otherwise if asked to, and looks for tokens in
/// them.
pub fn rewrite_views(
    folder: &RunFolder,
    escalation: Option<&Escalation>,
    console: Console,
) -> Result<Summary, Fault> {
    close(folder, &[], tokens_of_run(folder), escalation, console)
}

/// The tokens of the list of a run, where the list is still what it was.
fn tokens_of_run(folder: &RunFolder) -> Option<MoreTokens> {
    let Started { list, selection, .. } = state::started(&folder.journal()).ok()?;
    let source = Source::open(list.path.as_ref()?).ok()?;
    Some(TokenList::new(source, selection.scope).for_search())
}

/// The files in which secrets are looked for: the run's own, and what somebody else put beside them.
fn suspects(folder: &RunFolder, token_files: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.path())? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let is_set_aside = path.extension().is_some_and(|end| end == SET_ASIDE);
        // On Windows nobody can read a file that is locked, not even who locked it.
        let is_closed = cfg!(windows) && path.ends_with(".lock");
        if kind.is_file() && !is_set_aside && !is_closed && !token_files.contains(&path) {
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
