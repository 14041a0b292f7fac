//! `resume`: goes on with a run from its folder, after any end.

use std::{
    io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::runtime::Runtime;

use super::{
    Console,
    run::{end_runtime, is_agreed, somebody_is_there, start_sandbox},
};
use crate::{
    app::{AppOfRun, DEFAULT, Directory},
    clock,
    event::{Event, Finished, HandedOn, Listener, Resumed, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::{
        client_id::application,
        token_checks::{OldTokens, TokenChecks},
    },
    input::Source,
    journal::{
        disk::Disk,
        folder::{Lock, RunFolder},
        reader::JournalError,
        reconcile, spill,
        state::{Books, Disagreement, RunState, Take},
        tokens::{self, OnDisk},
        writer::{StorageError, TokenFile, Writer},
    },
    pace::Pacing,
    plan::{
        Known, OwnApp, counted, fingerprint::Fingerprints, in_words, max_failures::MaxFailures,
        recoveries::Earlier,
    },
    route::{Route, RouteList},
    settings::{
        agency_tokens::Owner,
        args::{RehearsalArgs, ResumeArgs, options_again},
        config::{self, App, AppBefore, AppContext, Limits, Place, Stdin},
    },
    terminal::run_log::RunLog,
};
use crate::{
    engine::{
        list::{InputList, ListNow, TokenList, look_again},
        session::{Calls, Others, Session, rewrite_views},
    },
    terminal::summary,
};

/// Goes on with a run.
pub fn resume(args: &ResumeArgs, console: Console, disk: Disk) -> Result<Exit, Fault> {
    let folder = RunFolder::open(&args.run_dir, disk).or_exit(Exit::Usage)?;
    let mut lock = folder.lock().or_exit(Exit::Local)?;
    folder.sweep();
    let log = RunLog::open(&folder).or_exit(Exit::Local)?;
    let Restored { writer, run_state } = restore(&folder, &mut lock, &log, args, console)?;
    let take = if args.retry_failed { Take::OpenAndFailed } else { Take::Open };
    if run_state.to_take(take) == 0 {
        console.print(&nothing_left(&run_state.books()));
        finish(&run_state, writer)?;
        let summary = rewrite_views(&folder, None, console)?;
        let options =
            options_again(&args.app, &args.apps, &args.routes, &args.pace, &args.rehearsal);
        summary::show(&summary, &folder, &options, args.json, console);
        return Ok(summary.exit);
    }
    let options = options_again(&args.app, &args.apps, &args.routes, &args.pace, &args.rehearsal);
    let others = Others::Ignored;
    let session =
        Session { folder, lock, writer, log, run_state, take, tokens: None, options, others };
    go_on(args, session, console)
}

/// A leg that broke off with nothing left to do is finished by saying so.
fn finish(run_state: &RunState, mut writer: Writer) -> Result<(), Fault> {
    let went_through = |end: &Finished| end.interrupted_by.is_none();
    if run_state.finished.as_ref().is_some_and(went_through) {
        return Ok(());
    }
    let finished = Event::Finished(Finished { at: clock::now(), interrupted_by: None });
    writer.append(&finished).and_then(|()| writer.sync()).or_exit(Exit::Local)
}

fn nothing_left(books: &Books) -> String {
    let hint = if books.failed > 0 { "; --retry-failed takes the failed ones again" } else { "" };
    format!("Nothing is left to do{hint}. The files are written again.")
}

fn go_on(args: &ResumeArgs, mut session: Session, console: Console) -> Result<Exit, Fault> {
    let before = session.run_state.started.clone();
    let limits = Limits::of(&args.pace, limits_before(&session.run_state)).or_exit(Exit::Usage)?;
    let routes =
        args.routes.via.clone().unwrap_or_else(|| routes_before(&session.run_state).clone());
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let rehearsal = rehearsal(&args.rehearsal, &before).or_exit(Exit::Usage)?;
    let sandbox = start_sandbox(&rehearsal, &runtime, console)?;
    let app = match &sandbox {
        Some(sandbox) => {
            App::of_sandbox(&args.app, &sandbox.base_url(), app_before(&session.run_state))
        }
        None => App::of(&args.app, app_before(&session.run_state), Stdin::Free),
    };
    let place = if before.sandbox { Place::Rehearsal } else { Place::Real };
    let app = app.and_then(|app| app.with_apps(&args.app, &args.apps, place));
    let mut app = app.or_exit(Exit::Usage)?;
    let apps = apps_to_take(&session.run_state, session.take);
    check_client(&app, &before, &apps).or_exit(Exit::Usage)?;
    let app_contexts = app.app_contexts(&apps).or_exit(Exit::Usage)?;
    say_plan(&session, &app, limits, &routes, console);
    let token_checks = config::token_checks(&args.routes, token_checks_before(&session.run_state));
    session.tokens = tokens_of_list(&session.run_state, &routes, &token_checks, console);
    if routes.include(Route::Agency) {
        for AppContext { app, credentials, agency_tokens } in &app_contexts {
            let own = Owner::App(application(&credentials.client_id));
            let owner = if app.is_some() { own } else { Owner::AnyApp };
            agency_tokens.take_recovered(owner, &session.folder.tokens());
        }
    }
    if sandbox.is_none() && !args.yes && somebody_is_there() && !is_agreed() {
        console.print("Nothing was sent.");
        return Ok(Exit::Usage);
    }
    let resumed = Event::Resumed(resumed(&app, limits, &routes, &token_checks));
    add(&mut session.run_state, &mut session.writer, &session.log, resumed)
        .and_then(|()| session.writer.sync())
        .or_exit(Exit::Local)?;
    let (endpoint, answers) = (app.endpoint, app.answers);
    let calls = Calls { endpoint, answers, app_contexts, limits, routes, token_checks };
    let done = session.work(&runtime, calls, console);
    end_runtime(runtime, sandbox);
    done.map(|done| summary::print_end(&done, args.json, console))
}

/// A run and its files as they stand on the disk, in agreement with each other.
struct Restored {
    writer: Writer,
    run_state: RunState,
}

fn restore(
    folder: &RunFolder,
    lock: &mut Lock,
    log: &RunLog,
    args: &ResumeArgs,
    console: Console,
) -> Result<Restored, Fault> {
    let (run_state, on_disk) = read_at_once(folder, lock)?;
    sign(lock, &run_state).or_exit(Exit::Local)?;
    check_tokens_are_there(folder, &run_state, args).or_exit(Exit::Local)?;
    let mut run_state = with_list(folder, run_state, log)?;
    let mut writer = Writer::open(folder, run_state.end).or_exit(Exit::Local)?;
    let on_disk = match take_spilled_over(folder, &run_state, &mut writer, console)? {
        Spills::None => on_disk,
        Spills::TakenOver => tokens::on_disk(&folder.tokens(), run_state.prints()),
    };
    let named = || format!("cannot read {}", folder.tokens().display());
    let mut on_disk = on_disk.with_context(named).or_exit(Exit::Local)?;
    let print = |line: &str| {
        console.print(line);
        log.note(line);
    };
    say_damage_in_quarantine(folder, &run_state, print).or_exit(Exit::Local)?;
    if on_disk.is_untidy(&run_state) {
        drop(writer);
        tidy_tokens(folder, &run_state, print).or_exit(Exit::Local)?;
        on_disk = tokens::on_disk(&folder.tokens(), run_state.prints())
            .with_context(named)
            .or_exit(Exit::Local)?;
        writer = Writer::open(folder, run_state.end).or_exit(Exit::Local)?;
    }
    if args.tokens_handed_on {
        let installations = run_state.books().recovered;
        let handed_on = Event::HandedOn(HandedOn { at: clock::now(), installations });
        add(&mut run_state, &mut writer, log, handed_on).or_exit(Exit::Local)?;
        writer.sync().or_exit(Exit::Local)?;
    }
    let differ = run_state.compare(&on_disk.pairs);
    if differ != Disagreement::default() {
        print(&in_words_of(&differ));
        for event in reconcile::events(folder, &run_state, differ).or_exit(Exit::Local)? {
            add(&mut run_state, &mut writer, log, event).or_exit(Exit::Local)?;
        }
        writer.sync().or_exit(Exit::Local)?;
    }
    Ok(Restored { writer, run_state })
}

/// Leaves good token lines alone in their file, and names the others.
fn tidy_tokens(
    folder: &RunFolder,
    run_state: &RunState,
    print: impl Fn(&str),
) -> anyhow::Result<()> {
    for line in tokens::tidy(folder, run_state)? {
        print(&format!(
            "{}, line {line}: damaged, or of an installation that is not in the list; moved to {}",
            folder.tokens().display(),
            folder.quarantine().display()
        ));
    }
    Ok(())
}

/// Names lines that nothing depends on and nobody should rely on.
fn say_damage_in_quarantine(
    folder: &RunFolder,
    run_state: &RunState,
    print: impl Fn(&str),
) -> anyhow::Result<()> {
    let quarantine = folder.quarantine();
    if quarantine.exists() {
        for line in tokens::damaged_in_quarantine(&quarantine, run_state)? {
            print(&format!("{}, line {line}: not as it was written", quarantine.display()));
        }
    }
    Ok(())
}

/// Adds an event to the journal and takes it into account.
fn add(
    run_state: &mut RunState,
    writer: &mut Writer,
    log: &RunLog,
    event: Event,
) -> Result<(), StorageError> {
    let at = writer.journal_end();
    log.on_event(&event);
    writer.append(&event)?;
    run_state.apply(at, event);
    run_state.end = writer.journal_end();
    Ok(())
}

/// Reads journal and tokens side by side: of a large run, both have hundreds of megabytes.
fn read_at_once(
    folder: &RunFolder,
    lock: &mut Lock,
) -> Result<(RunState, io::Result<OnDisk>), Fault> {
    let prints = Fingerprints::default();
    thread::scope(|scope| {
        let tokens = scope.spawn(|| match tokens::on_disk(&folder.tokens(), &prints) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(OnDisk::default()),
            read => read,
        });
        let run_state = begun(folder, lock, &prints)?;
        let panicked = |_| Err(io::Error::other("reading it broke off: a bug"));
        Ok((run_state, tokens.join().unwrap_or_else(panicked)))
    })
}

/// Says in the lock file who goes on with which run.
fn sign(lock: &mut Lock, run_state: &RunState) -> anyhow::Result<()> {
    let first = Event::Started(Box::new(run_state.started.clone()));
    lock.sign(&first).context("cannot write into the run folder")
}

/// Reads the journal. Where a crash has torn its first line, that line is taken from the lock file.
fn begun(folder: &RunFolder, lock: &mut Lock, prints: &Fingerprints) -> Result<RunState, Fault> {
    let journal = folder.journal();
    let read = || RunState::read_with(prints.clone(), &journal, |_| {});
    let first = match read() {
        Err(JournalError::NotBegun(_)) => lock.first_event(),
        Err(JournalError::Unreadable { .. }) if is_not_yet(folder, &journal) => lock.first_event(),
        read => return read.or_exit(Exit::Local),
    };
    let never_began = || JournalError::NotBegun(journal.clone());
    let first = first.ok_or_else(never_began).or_exit(Exit::Local)?;
    let mut writer = Writer::open(folder, 0).or_exit(Exit::Local)?;
    writer.append(&first).and_then(|()| writer.sync()).or_exit(Exit::Local)?;
    read().or_exit(Exit::Local)
}

/// Whether there is no journal yet, rather than none any more.
fn is_not_yet(folder: &RunFolder, journal: &Path) -> bool {
    let has_worked = || {
        let length = |path: PathBuf| path.metadata().map_or(0, |file| file.len());
        length(folder.tokens()) > 0 || folder.file("summary.json").exists()
    };
    !journal.exists() && !has_worked()
}

/// Without the token file nobody could say what is recovered, unless its tokens were saved in a second
/// place, or somebody says what became of them.
fn check_tokens_are_there(
    folder: &RunFolder,
    run_state: &RunState,
    args: &ResumeArgs,
) -> anyhow::Result<()> {
    let awaited = run_state.tokens_awaited();
    let is_there = awaited == 0 || folder.tokens().exists() || args.tokens_handed_on;
    let is_saved = || spill::found(folder.path(), &run_state.started.run_id).map(|f| !f.is_empty());
    if is_there || is_saved().context(RESCUED_UNREADABLE)? {
        return Ok(());
    }
    let mut again = options_again(&args.app, &args.apps, &args.routes, &args.pace, &args.rehearsal);
    again.extend(args.retry_failed.then(|| "--retry-failed".into()));
    again.push("--tokens-handed-on".into());
    bail!(
        "{tokens} is missing, and the journal says that it has the tokens of {awaited}; nothing was \
         sent.\n\
         If you deleted it since the tokens are where they belong, go on with the rest:\n  \
         {again}\n\
         Otherwise put it back. If these tokens are lost, make an empty file in its place and resume: \
         all of them are then asked for anew",
        tokens = folder.tokens().display(),
        awaited = counted(awaited, "installation"),
        again = summary::resume_command(folder.path(), &again),
    );
}

const RESCUED_UNREADABLE: &str = "cannot read the tokens that were saved in a second place";

/// Where a crash came before the list was in the journal as a whole, it is read again.
fn with_list(folder: &RunFolder, run_state: RunState, log: &RunLog) -> Result<RunState, Fault> {
    if run_state.ready.is_some() {
        return Ok(run_state);
    }
    let Started { list, selection, .. } = &run_state.started;
    let path = list.path.as_ref().with_context(|| {
        format!(
            "the run ended while its list ({}) was being read, nothing was sent, and it cannot be \
             read again; start a new run",
            list.name
        )
    });
    let Started { apps, client_id, .. } = &run_state.started;
    let directory = (!apps.is_empty()).then(|| Directory::new(apps.clone(), Some(client_id)));
    let input = InputList::open(path.or_exit(Exit::Local)?, selection.clone());
    let known = known_at_the_start(&run_state.started);
    let input = input.map(|input| input.of_apps(directory).knowing(known));
    let context = "the run ended while its list was being read, nothing was sent; \
                   the list is needed to go on";
    let input = input.context(context).or_exit(Exit::Local)?;
    let summary = input.summary(OwnApp::default())?;
    if summary.list.digest != list.digest {
        let error = anyhow!(
            "the journal lacks the list, and {} has changed since the run began; put it back as it \
             was, or start a new run",
            list.name
        );
        return Err(Fault { exit: Exit::Local, error });
    }
    let mut writer = Writer::open(folder, run_state.list_begins).or_exit(Exit::Local)?;
    input.record(&summary, &mut writer, log)?;
    let prints = run_state.prints().clone();
    RunState::read_with(prints, &folder.journal(), |_| {}).or_exit(Exit::Local)
}

/// What other runs have recovered, for a run that broke off while its list was being read.
fn known_at_the_start(started: &Started) -> Known {
    let Started { apps, client_id, base_url, run_id, .. } = started;
    if started.again || started.sandbox {
        return Known::default();
    }
    let clients = apps.iter().map(|app| app.client_id.as_str()).chain([client_id.as_str()]);
    let earlier = Arc::new(Earlier::load_of_others(base_url, clients, run_id));
    Known { earlier, client_id: Some(client_id.clone()).filter(|id| !id.is_empty()) }
}

/// Whether an earlier leg had to save tokens in a second place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spills {
    None,
    TakenOver,
}

/// Brings the tokens that an earlier leg had to save in a second place where they belong.
fn take_spilled_over(
    folder: &RunFolder,
    run_state: &RunState,
    writer: &mut Writer,
    console: Console,
) -> Result<Spills, Fault> {
    let found = spill::found(folder.path(), &run_state.started.run_id)
        .context(RESCUED_UNREADABLE)
        .or_exit(Exit::Local)?;
    let spills = if found.is_empty() { Spills::None } else { Spills::TakenOver };
    for (place, content) in found {
        for line in content.split(|byte| *byte == b'\n').filter(|line| is_whole(line)) {
            writer.append_document(custody_of(line), line).or_exit(Exit::Local)?;
        }
        writer.sync().or_exit(Exit::Local)?;
        console.print(&format!("Took the tokens over that were saved in {}.", place.display()));
        // Should it stay, it is taken over once more, which changes nothing.
        let _ = std::fs::remove_file(place);
    }
    Ok(spills)
}

fn is_whole(line: &[u8]) -> bool {
    line.starts_with(b"{") && line.ends_with(b"}")
}

fn custody_of(line: &[u8]) -> TokenFile {
    if line.starts_with(br#"{"quarantined_for""#) {
        TokenFile::Quarantine
    } else {
        TokenFile::Tokens
    }
}

fn in_words_of(differ: &Disagreement) -> String {
    let count = |rows: usize| counted(u32::try_from(rows).unwrap_or(u32::MAX), "installation");
    let mut texts = Vec::new();
    if !differ.reclaimed.is_empty() {
        let rows = count(differ.reclaimed.len());
        texts.push(format!(
            "{rows}: tokens are on disk though the journal does not say so; taken as recovered."
        ));
    }
    if !differ.missed.is_empty() {
        let rows = count(differ.missed.len());
        texts.push(format!(
            "{rows}: the journal says recovered, tokens.jsonl has no tokens; asked for anew."
        ));
    }
    texts.join("\n")
}

fn limits_before(run_state: &RunState) -> Limits {
    let Started { rate, max_rate, burst, concurrency, attempts, max_failures, .. } =
        &run_state.started;
    let (rate, max_rate, burst, concurrency, attempts, max_failures) = match &run_state.resumed {
        Some(last) => (
            &last.rate,
            &last.max_rate,
            last.burst,
            last.concurrency,
            last.attempts,
            &last.max_failures,
        ),
        None => (rate, max_rate, *burst, *concurrency, *attempts, max_failures),
    };
    let default = Limits::default();
    let Pacing { asked, max, burst: single } = default.pacing;
    let pacing = Pacing {
        asked: rate.parse().unwrap_or(asked),
        max: max_rate.as_ref().and_then(|rate| rate.parse().ok()).unwrap_or(max),
        burst: burst.and_then(NonZeroU32::new).unwrap_or(single),
    };
    let max_failures = MaxFailures::of_record(max_failures.as_deref());
    // Whoever resumes has seen why the run was given up.
    let give_up_after = match &run_state.resumed {
        _ if run_state.was_given_up => 0,
        Some(last) => last.give_up_after,
        None => run_state.started.give_up_after,
    };
    Limits { pacing, concurrency, attempts, max_failures, give_up_after, ..default }
}

fn routes_before(run_state: &RunState) -> &RouteList {
    run_state.resumed.as_ref().map_or(&run_state.started.via, |last| &last.via)
}

fn token_checks_before(run_state: &RunState) -> TokenChecks {
    let Started { verify, skip_healthy, .. } = &run_state.started;
    let (new, skip_healthy) = match &run_state.resumed {
        Some(last) => (&last.verify, last.skip_healthy),
        None => (verify, *skip_healthy),
    };
    let old = if skip_healthy { OldTokens::Tried } else { OldTokens::Ignored };
    TokenChecks { old, new: new.clone() }
}

fn app_before(run_state: &RunState) -> AppBefore {
    let Started { base_url, reconnect_path, client_id, .. } = &run_state.started;
    let (base_url, reconnect_path) = match &run_state.resumed {
        Some(last) => (&last.base_url, &last.reconnect_path),
        None => (base_url, reconnect_path),
    };
    AppBefore {
        base_url: Some(base_url.clone()),
        reconnect_path: Some(reconnect_path.clone()),
        client_id: Some(client_id.clone()).filter(|id| !id.is_empty()),
    }
}

/// A rehearsal is gone on with as a rehearsal, and nothing else is.
fn rehearsal(args: &RehearsalArgs, before: &Started) -> anyhow::Result<RehearsalArgs> {
    ensure!(
        before.sandbox || !args.sandbox,
        "this run called {}; it cannot be gone on with in the sandbox",
        before.base_url
    );
    let args = RehearsalArgs { sandbox: before.sandbox, ..args.clone() };
    config::check_rehearsal(&args)?;
    Ok(args)
}

/// The apps of the run that the leg has something to do for.
fn apps_to_take(run_state: &RunState, take: Take) -> Vec<AppOfRun> {
    let is_open = |app: &&AppOfRun| run_state.to_take_of(Some(&app.name), take) > 0;
    run_state.started.apps.iter().filter(is_open).cloned().collect()
}

fn check_client(app: &App, before: &Started, apps: &[AppOfRun]) -> anyhow::Result<()> {
    if !before.apps.is_empty() {
        return check_apps(app, apps);
    }
    ensure!(app.named.is_empty(), "--apps: this run is for client id {} alone", before.client_id);
    let now = app.client_id.as_deref().unwrap_or_default();
    ensure!(
        now == before.client_id,
        "this run is for client id {}, and {now} was given; its tokens belong to the first",
        before.client_id
    );
    Ok(())
}

/// Each app has to be there with the client id that it had.
fn check_apps(app: &App, apps: &[AppOfRun]) -> anyhow::Result<()> {
    let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
    ensure!(
        !app.named.is_empty() || names == [DEFAULT],
        "this run is for several apps ({} to do): give their credentials again with --apps FILE",
        names.join(", ")
    );
    let given = || app.named.iter().map(|named| &named.app.client_id).chain(&app.client_id);
    for AppOfRun { name, client_id } in apps {
        ensure!(
            given().any(|id| id == client_id),
            "app {name} of this run has client id {client_id}, which is not given any more; its \
             tokens belong to that one"
        );
    }
    Ok(())
}

fn resumed(app: &App, limits: Limits, routes: &RouteList, token_checks: &TokenChecks) -> Resumed {
    Resumed {
        at: clock::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        base_url: app.endpoint.base().to_owned(),
        reconnect_path: app.endpoint.reconnect_path().to_owned(),
        rate: limits.pacing.asked.to_string(),
        max_rate: Some(limits.pacing.max.to_string()),
        burst: Some(limits.pacing.burst.get()),
        concurrency: limits.concurrency,
        attempts: limits.attempts,
        max_failures: limits.max_failures.recorded(),
        give_up_after: limits.give_up_after,
        via: routes.clone(),
        verify: token_checks.new.clone(),
        skip_healthy: token_checks.old == OldTokens::Tried,
    }
}

fn clients_in_words(session: &Session) -> String {
    let Started { apps, client_id, .. } = &session.run_state.started;
    if apps.is_empty() {
        return format!("Client id      {client_id}");
    }
    let line = |AppOfRun { name, client_id }: &AppOfRun| {
        let to_take =
            counted(session.run_state.to_take_of(Some(name), session.take), "installation");
        format!("App            {name}: {to_take}, client id {client_id}")
    };
    apps.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn say_plan(session: &Session, app: &App, limits: Limits, routes: &RouteList, console: Console) {
    let books = session.run_state.books();
    let to_take = session.run_state.to_take(session.take);
    let calls = u64::from(to_take) * 2;
    let via =
        if routes.are_default() { String::new() } else { format!("Via            {routes}\n") };
    console.print(&format!(
        "Run            {} of {}\n\
         So far         {} recovered, {} failed, {} not attempted\n\
         To recover     {}\n\
         {via}Calls          {calls} at {}, {} in flight: {} at least\n\
         Endpoint       {}\n\
         {}\n\
         Run folder     {}",
        session.run_state.started.run_id,
        clock::stamp(session.run_state.started.at),
        books.recovered,
        books.failed,
        books.not_attempted,
        counted(to_take, "installation"),
        limits.pacing,
        limits.concurrency,
        in_words(limits.pacing.bound().least_time_for(calls)),
        app.endpoint,
        clients_in_words(session),
        session.folder.path().display(),
    ));
}

/// The list for its tokens, where the ways need them. Says when it has changed, and when it cannot
/// give any.
fn tokens_of_list(
    run_state: &RunState,
    routes: &RouteList,
    token_checks: &TokenChecks,
    console: Console,
) -> Option<TokenList> {
    let Started { list, selection, .. } = &run_state.started;
    let now = look_again(list.path.as_ref(), &run_state.ready.as_ref()?.digest);
    let needs_tokens = routes.include(Route::Refresh) || token_checks.old == OldTokens::Tried;
    let without = "no token is taken from it, and its tokens are not at hand";
    match now {
        ListNow::Same => {
            let source = Source::open(list.path.as_ref()?).ok()?;
            return Some(TokenList::new(source, selection.scope));
        }
        ListNow::Changed if needs_tokens => console.print(&format!(
            "note: {} has changed since the run began; the run goes on with the list as it was: {without}",
            list.name
        )),
        ListNow::Changed => console.print(&format!(
            "note: {} has changed since the run began; the run goes on with the list as it was",
            list.name
        )),
        ListNow::Gone if needs_tokens => console.print(&format!(
            "note: the list ({}) cannot be read any more; the run goes on without it: {without}",
            list.name
        )),
        ListNow::Gone => {}
    }
    None
}
