//! `resume`: goes on with a run from its folder, after any end.

use std::{
    collections::HashMap,
    io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::runtime::Runtime;

use super::{
    Voice,
    run::{end_runtime, is_agreed, somebody_is_there, start_sandbox},
};
use crate::{
    app::{AppOfRun, DEFAULT, Directory},
    checksum::Checksum,
    clock,
    event::{Event, Finished, HandedOn, Listener, Missed, Reclaimed, Resumed, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::{
        client_id::application,
        trials::{OldTokens, Trials},
    },
    input::Source,
    journal::{
        disk::Disk,
        folder::{Lock, RunFolder},
        ledger::{Books, Disagreement, Ledger, Take},
        reader::JournalError,
        recoveries::Earlier,
        rescue,
        tokens::{self, OnDisk},
        writer::{Custody, CustodyLost, Writer},
    },
    pace::Pacing,
    plan::{
        Known, OwnApp, counted, fingerprint::Fingerprints, in_words, max_failures::MaxFailures,
    },
    route::{Way, Ways},
    settings::{
        agency_tokens::Owner,
        args::{RehearsalArgs, ResumeArgs, options_again},
        config::{self, App, AppBefore, Limits, Party, Place, Stdin},
    },
    terminal::run_log::RunLog,
};
use crate::{
    engine::{
        list::{InputList, ListNow, TokenList, look_again},
        session::{Calls, Leg, Others, rewrite_views},
    },
    terminal::summary,
};

/// Goes on with a run.
pub fn resume(args: &ResumeArgs, voice: Voice, disk: Disk) -> Result<Exit, Fault> {
    let folder = RunFolder::open(&args.run_dir, disk).or_exit(Exit::Usage)?;
    let mut lock = folder.lock().or_exit(Exit::Local)?;
    folder.sweep();
    let log = RunLog::open(&folder).or_exit(Exit::Local)?;
    let Restored { writer, ledger } = restore(&folder, &mut lock, &log, args, voice)?;
    let take = if args.retry_failed { Take::OpenAndFailed } else { Take::Open };
    if ledger.to_take(take) == 0 {
        voice.say(&nothing_left(&ledger.books()));
        finish(&ledger, writer)?;
        let summary = rewrite_views(&folder, None, voice)?;
        let options = options_again(&args.app, &args.apps, &args.ways, &args.pace, &args.rehearsal);
        summary::show(&summary, &folder, &options, args.json, voice);
        return Ok(summary.exit);
    }
    let options = options_again(&args.app, &args.apps, &args.ways, &args.pace, &args.rehearsal);
    let others = Others::Ignored;
    let leg = Leg { folder, lock, writer, log, ledger, take, tokens: None, options, others };
    go_on(args, leg, voice)
}

/// A leg that broke off with nothing left to do is finished by saying so.
fn finish(ledger: &Ledger, mut writer: Writer) -> Result<(), Fault> {
    let went_through = |end: &Finished| end.interrupted_by.is_none();
    if ledger.finished.as_ref().is_some_and(went_through) {
        return Ok(());
    }
    let finished = Event::Finished(Finished { at: clock::now(), interrupted_by: None });
    writer.append(&finished).and_then(|()| writer.sync()).or_exit(Exit::Local)
}

fn nothing_left(books: &Books) -> String {
    let hint = if books.failed > 0 { "; --retry-failed takes the failed ones again" } else { "" };
    format!("Nothing is left to do{hint}. The files are written again.")
}

fn go_on(args: &ResumeArgs, mut leg: Leg, voice: Voice) -> Result<Exit, Fault> {
    let before = leg.ledger.started.clone();
    let limits = Limits::of(&args.pace, limits_before(&leg.ledger)).or_exit(Exit::Usage)?;
    let ways = args.ways.via.clone().unwrap_or_else(|| ways_before(&leg.ledger).clone());
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let rehearsal = rehearsal(&args.rehearsal, &before).or_exit(Exit::Usage)?;
    let sandbox = start_sandbox(&rehearsal, &runtime, voice)?;
    let app = match &sandbox {
        Some(sandbox) => App::of_sandbox(&args.app, &sandbox.base_url(), app_before(&leg.ledger)),
        None => App::of(&args.app, app_before(&leg.ledger), Stdin::Free),
    };
    let place = if before.sandbox { Place::Rehearsal } else { Place::Real };
    let app = app.and_then(|app| app.with_apps(&args.app, &args.apps, place));
    let mut app = app.or_exit(Exit::Usage)?;
    let apps = apps_to_take(&leg.ledger, leg.take);
    check_client(&app, &before, &apps).or_exit(Exit::Usage)?;
    let parties = app.parties(&apps).or_exit(Exit::Usage)?;
    say_plan(&leg, &app, limits, &ways, voice);
    let trials = config::trials(&args.ways, trials_before(&leg.ledger));
    leg.tokens = tokens_of_list(&leg.ledger, &ways, &trials, voice);
    if ways.include(Way::Agency) {
        for Party { app, credentials, agency_tokens } in &parties {
            let own = Owner::App(application(&credentials.client_id));
            let owner = if app.is_some() { own } else { Owner::AnyApp };
            agency_tokens.take_recovered(owner, &leg.folder.tokens());
        }
    }
    if sandbox.is_none() && !args.yes && somebody_is_there() && !is_agreed() {
        voice.say("Nothing was sent.");
        return Ok(Exit::Usage);
    }
    let resumed = Event::Resumed(resumed(&app, limits, &ways, &trials));
    add(&mut leg.ledger, &mut leg.writer, &leg.log, resumed)
        .and_then(|()| leg.writer.sync())
        .or_exit(Exit::Local)?;
    let (endpoint, answers) = (app.endpoint, app.answers);
    let calls = Calls { endpoint, answers, parties, limits, ways, trials };
    let done = leg.work(&runtime, calls, voice);
    end_runtime(runtime, sandbox);
    done.map(|done| summary::tell(&done, args.json, voice))
}

/// A run and its files as they stand on the disk, in agreement with each other.
struct Restored {
    writer: Writer,
    ledger: Ledger,
}

fn restore(
    folder: &RunFolder,
    lock: &mut Lock,
    log: &RunLog,
    args: &ResumeArgs,
    voice: Voice,
) -> Result<Restored, Fault> {
    let (ledger, on_disk) = read_at_once(folder, lock)?;
    sign(lock, &ledger).or_exit(Exit::Local)?;
    check_tokens_are_there(folder, &ledger, args).or_exit(Exit::Local)?;
    let mut ledger = with_list(folder, ledger, log)?;
    let mut writer = Writer::open(folder, ledger.end).or_exit(Exit::Local)?;
    let on_disk = match take_rescued_over(folder, &ledger, &mut writer, voice)? {
        Rescues::None => on_disk,
        Rescues::TakenOver => tokens::on_disk(&folder.tokens(), ledger.prints()),
    };
    let named = || format!("cannot read {}", folder.tokens().display());
    let mut on_disk = on_disk.with_context(named).or_exit(Exit::Local)?;
    let say = |line: &str| {
        voice.say(line);
        log.note(line);
    };
    say_damage_in_quarantine(folder, &ledger, say).or_exit(Exit::Local)?;
    if on_disk.is_untidy(&ledger) {
        drop(writer);
        tidy_tokens(folder, &ledger, say).or_exit(Exit::Local)?;
        on_disk = tokens::on_disk(&folder.tokens(), ledger.prints())
            .with_context(named)
            .or_exit(Exit::Local)?;
        writer = Writer::open(folder, ledger.end).or_exit(Exit::Local)?;
    }
    if args.tokens_handed_on {
        let installations = ledger.books().recovered;
        let handed_on = Event::HandedOn(HandedOn { at: clock::now(), installations });
        add(&mut ledger, &mut writer, log, handed_on).or_exit(Exit::Local)?;
        writer.sync().or_exit(Exit::Local)?;
    }
    let differ = ledger.compare(&on_disk.pairs);
    if differ != Disagreement::default() {
        say(&in_words_of(&differ));
        for event in agreement(folder, &ledger, differ).or_exit(Exit::Local)? {
            add(&mut ledger, &mut writer, log, event).or_exit(Exit::Local)?;
        }
        writer.sync().or_exit(Exit::Local)?;
    }
    Ok(Restored { writer, ledger })
}

/// Leaves good token lines alone in their file, and names the others.
fn tidy_tokens(folder: &RunFolder, ledger: &Ledger, say: impl Fn(&str)) -> anyhow::Result<()> {
    for line in tokens::tidy(folder, ledger)? {
        say(&format!(
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
    ledger: &Ledger,
    say: impl Fn(&str),
) -> anyhow::Result<()> {
    let quarantine = folder.quarantine();
    if quarantine.exists() {
        for line in tokens::damaged_in_quarantine(&quarantine, ledger)? {
            say(&format!("{}, line {line}: not as it was written", quarantine.display()));
        }
    }
    Ok(())
}

/// Adds an event to the journal and takes it into account.
fn add(
    ledger: &mut Ledger,
    writer: &mut Writer,
    log: &RunLog,
    event: Event,
) -> Result<(), CustodyLost> {
    let at = writer.journal_end();
    log.hear(&event);
    writer.append(&event)?;
    ledger.apply(at, event);
    ledger.end = writer.journal_end();
    Ok(())
}

/// Reads journal and tokens side by side: of a large run, both have hundreds of megabytes.
fn read_at_once(
    folder: &RunFolder,
    lock: &mut Lock,
) -> Result<(Ledger, io::Result<OnDisk>), Fault> {
    let prints = Fingerprints::default();
    thread::scope(|scope| {
        let tokens = scope.spawn(|| match tokens::on_disk(&folder.tokens(), &prints) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(OnDisk::default()),
            read => read,
        });
        let ledger = begun(folder, lock, &prints)?;
        let broke_off = |_| Err(io::Error::other("reading it broke off: a bug"));
        Ok((ledger, tokens.join().unwrap_or_else(broke_off)))
    })
}

/// Says in the lock file who goes on with which run.
fn sign(lock: &mut Lock, ledger: &Ledger) -> anyhow::Result<()> {
    let first = Event::Started(Box::new(ledger.started.clone()));
    lock.sign(&first).context("cannot write into the run folder")
}

/// Reads the journal. Where a crash has torn its first line, that line is taken from the lock file.
fn begun(folder: &RunFolder, lock: &mut Lock, prints: &Fingerprints) -> Result<Ledger, Fault> {
    let journal = folder.journal();
    let read = || Ledger::read_with(prints.clone(), &journal, |_| {});
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
    ledger: &Ledger,
    args: &ResumeArgs,
) -> anyhow::Result<()> {
    let awaited = ledger.tokens_awaited();
    let is_there = awaited == 0 || folder.tokens().exists() || args.tokens_handed_on;
    let is_saved = || rescue::found(folder.path(), &ledger.started.run_id).map(|f| !f.is_empty());
    if is_there || is_saved().context(RESCUED_UNREADABLE)? {
        return Ok(());
    }
    let mut again = options_again(&args.app, &args.apps, &args.ways, &args.pace, &args.rehearsal);
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
fn with_list(folder: &RunFolder, ledger: Ledger, log: &RunLog) -> Result<Ledger, Fault> {
    if ledger.ready.is_some() {
        return Ok(ledger);
    }
    let Started { list, selection, .. } = &ledger.started;
    let path = list.path.as_ref().with_context(|| {
        format!(
            "the run ended while its list ({}) was being read, nothing was sent, and it cannot be \
             read again; start a new run",
            list.name
        )
    });
    let Started { apps, client_id, .. } = &ledger.started;
    let directory = (!apps.is_empty()).then(|| Directory::new(apps.clone(), Some(client_id)));
    let input = InputList::open(path.or_exit(Exit::Local)?, selection.clone());
    let known = known_at_the_start(&ledger.started);
    let input = input.map(|input| input.of_apps(directory).knowing(known));
    let context = "the run ended while its list was being read, nothing was sent; \
                   the list is needed to go on";
    let input = input.context(context).or_exit(Exit::Local)?;
    let survey = input.survey(OwnApp::default())?;
    if survey.list.digest != list.digest {
        let error = anyhow!(
            "the journal lacks the list, and {} has changed since the run began; put it back as it \
             was, or start a new run",
            list.name
        );
        return Err(Fault { exit: Exit::Local, error });
    }
    let mut writer = Writer::open(folder, ledger.list_begins).or_exit(Exit::Local)?;
    input.record(&survey, &mut writer, log)?;
    let prints = ledger.prints().clone();
    Ledger::read_with(prints, &folder.journal(), |_| {}).or_exit(Exit::Local)
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
enum Rescues {
    None,
    TakenOver,
}

/// Brings the tokens that an earlier leg had to save in a second place where they belong.
fn take_rescued_over(
    folder: &RunFolder,
    ledger: &Ledger,
    writer: &mut Writer,
    voice: Voice,
) -> Result<Rescues, Fault> {
    let found = rescue::found(folder.path(), &ledger.started.run_id)
        .context(RESCUED_UNREADABLE)
        .or_exit(Exit::Local)?;
    let rescues = if found.is_empty() { Rescues::None } else { Rescues::TakenOver };
    for (place, content) in found {
        for line in content.split(|byte| *byte == b'\n').filter(|line| is_whole(line)) {
            writer.append_document(custody_of(line), line).or_exit(Exit::Local)?;
        }
        writer.sync().or_exit(Exit::Local)?;
        voice.say(&format!("Took the tokens over that were saved in {}.", place.display()));
        // Should it stay, it is taken over once more, which changes nothing.
        let _ = std::fs::remove_file(place);
    }
    Ok(rescues)
}

fn is_whole(line: &[u8]) -> bool {
    line.starts_with(b"{") && line.ends_with(b"}")
}

fn custody_of(line: &[u8]) -> Custody {
    if line.starts_with(br#"{"quarantined_for""#) { Custody::Quarantine } else { Custody::Tokens }
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

/// The events that bring the journal into agreement with the tokens.
fn agreement(
    folder: &RunFolder,
    ledger: &Ledger,
    differ: Disagreement,
) -> Result<Vec<Event>, JournalError> {
    let at = clock::now();
    let Disagreement { reclaimed, missed } = differ;
    let lines: HashMap<u32, Checksum> = reclaimed.iter().copied().collect();
    let rows = reclaimed.into_iter().map(|(row, _)| row);
    let reclaimed = ledger.listed(&folder.journal(), rows)?.into_iter().filter_map(|listed| {
        let (row, id) = (listed.row, listed.installation.id);
        let token_line = *lines.get(&row)?;
        Some(Event::Reclaimed(Reclaimed { row, id, at, token_line }))
    });
    let missed = ledger
        .listed(&folder.journal(), missed)?
        .into_iter()
        .map(|listed| Event::Missed(Missed { row: listed.row, id: listed.installation.id, at }));
    Ok(reclaimed.chain(missed).collect())
}

fn limits_before(ledger: &Ledger) -> Limits {
    let Started { rate, max_rate, burst, concurrency, attempts, max_failures, .. } =
        &ledger.started;
    let (rate, max_rate, burst, concurrency, attempts, max_failures) = match &ledger.resumed {
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
    let give_up_after = match &ledger.resumed {
        _ if ledger.was_given_up => 0,
        Some(last) => last.give_up_after,
        None => ledger.started.give_up_after,
    };
    Limits { pacing, concurrency, attempts, max_failures, give_up_after, ..default }
}

fn ways_before(ledger: &Ledger) -> &Ways {
    ledger.resumed.as_ref().map_or(&ledger.started.via, |last| &last.via)
}

fn trials_before(ledger: &Ledger) -> Trials {
    let Started { verify, skip_healthy, .. } = &ledger.started;
    let (new, skip_healthy) = match &ledger.resumed {
        Some(last) => (&last.verify, last.skip_healthy),
        None => (verify, *skip_healthy),
    };
    let old = if skip_healthy { OldTokens::Tried } else { OldTokens::Ignored };
    Trials { old, new: new.clone() }
}

fn app_before(ledger: &Ledger) -> AppBefore {
    let Started { base_url, reconnect_path, client_id, .. } = &ledger.started;
    let (base_url, reconnect_path) = match &ledger.resumed {
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
fn apps_to_take(ledger: &Ledger, take: Take) -> Vec<AppOfRun> {
    let is_open = |app: &&AppOfRun| ledger.to_take_of(Some(&app.name), take) > 0;
    ledger.started.apps.iter().filter(is_open).cloned().collect()
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

fn resumed(app: &App, limits: Limits, ways: &Ways, trials: &Trials) -> Resumed {
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
        via: ways.clone(),
        verify: trials.new.clone(),
        skip_healthy: trials.old == OldTokens::Tried,
    }
}

fn clients_in_words(leg: &Leg) -> String {
    let Started { apps, client_id, .. } = &leg.ledger.started;
    if apps.is_empty() {
        return format!("Client id      {client_id}");
    }
    let line = |AppOfRun { name, client_id }: &AppOfRun| {
        let to_take = counted(leg.ledger.to_take_of(Some(name), leg.take), "installation");
        format!("App            {name}: {to_take}, client id {client_id}")
    };
    apps.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn say_plan(leg: &Leg, app: &App, limits: Limits, ways: &Ways, voice: Voice) {
    let books = leg.ledger.books();
    let to_take = leg.ledger.to_take(leg.take);
    let calls = u64::from(to_take) * 2;
    let via = if ways.are_default() { String::new() } else { format!("Via            {ways}\n") };
    voice.say(&format!(
        "Run            {} of {}\n\
         So far         {} recovered, {} failed, {} not attempted\n\
         To recover     {}\n\
         {via}Calls          {calls} at {}, {} in flight: {} at least\n\
         Endpoint       {}\n\
         {}\n\
         Run folder     {}",
        leg.ledger.started.run_id,
        clock::stamp(leg.ledger.started.at),
        books.recovered,
        books.failed,
        books.not_attempted,
        counted(to_take, "installation"),
        limits.pacing,
        limits.concurrency,
        in_words(limits.pacing.bound().least_time_for(calls)),
        app.endpoint,
        clients_in_words(leg),
        leg.folder.path().display(),
    ));
}

/// The list for its tokens, where the ways need them. Says when it has changed, and when it cannot
/// give any.
fn tokens_of_list(
    ledger: &Ledger,
    ways: &Ways,
    trials: &Trials,
    voice: Voice,
) -> Option<TokenList> {
    let Started { list, selection, .. } = &ledger.started;
    let now = look_again(list.path.as_ref(), &ledger.ready.as_ref()?.digest);
    let needs_tokens = ways.include(Way::Refresh) || trials.old == OldTokens::Tried;
    let without = "no token is taken from it, and its tokens are not at hand";
    match now {
        ListNow::Same => {
            let source = Source::open(list.path.as_ref()?).ok()?;
            return Some(TokenList::new(source, selection.scope));
        }
        ListNow::Changed if needs_tokens => voice.say(&format!(
            "note: {} has changed since the run began; the run goes on with the list as it was: {without}",
            list.name
        )),
        ListNow::Changed => voice.say(&format!(
            "note: {} has changed since the run began; the run goes on with the list as it was",
            list.name
        )),
        ListNow::Gone if needs_tokens => voice.say(&format!(
            "note: the list ({}) cannot be read any more; the run goes on without it: {without}",
            list.name
        )),
        ListNow::Gone => {}
    }
    None
}
