//! `resume`: continues a run from its folder, after any end.

use std::sync::Arc;

use anyhow::{anyhow, ensure};

use super::{
    consent::{Consent, consent},
    host::Host,
    planning::is_somebody_there,
    skips::Skips,
    store_before::look_before,
};
use crate::{
    app::{AppOfRun, DEFAULT},
    clock,
    engine::{
        closing::rewrite_views,
        list::{ListNow, TokenList, look_again},
        session::{Calls, Session},
        work::Others,
    },
    event::{Event, Finished, Resumed, Started},
    exit::{Exit, Fault, OrExit},
    highlevel::client_id::application,
    input::Source,
    journal::{
        disk::Disk,
        folder::{Lock, RunFolder},
        restore::{Found, Restored, TokensAre},
        state::{Books, RunState, Take},
    },
    plan::{calls_line, checks_line, counted},
    route::Route,
    settings::{
        Settings, Stdin,
        agency_tokens::Owner,
        app::{App, AppContext},
        args::ResumeArgs,
        variables::Variables,
    },
    store::look::MOST_IDS,
    terminal::{
        console::{Announced, Console},
        next::Next,
        output::{Ended, Output},
        run_log::RunLog,
    },
    views::summary::Summary,
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
    let lock = folder.lock().or_exit(Exit::Local)?;
    folder.sweep();
    let found = Found::read(&folder)?;
    output.follow(&folder, &found.run_state, found.run_state.end);
    let recorded = recorded(&found.run_state);
    let settings = settings_of(args, &recorded, console)?;
    let next = Next { folder: folder.path(), settings: &settings, recorded: &recorded };
    check_tokens_are_there(&found, &folder, args, &next)?;

    // Journal and tokens are brought into agreement.
    let log = Arc::new(RunLog::open(&folder, console.format).or_exit(Exit::Local)?);
    let announced = Announced { log: log.clone(), console };
    let tokens_are =
        if args.tokens_handed_on { TokensAre::HandedOn } else { TokensAre::InTheirFile };
    let restored = found.agree(&folder, tokens_are, &announced)?;
    let take = if args.retry_failed { Take::OpenAndFailed } else { Take::Open };
    let summary = if restored.run_state.to_take(take) == 0 {
        console.print(&nothing_left(&restored.run_state.books()));
        finish(restored, &announced)?;
        rewrite_views(&folder, None, &|line| console.print(line))?
    } else {
        let opened = Opened { folder: folder.clone(), lock, log, restored, take };
        match go_on(args, opened, settings.clone(), output)? {
            Some(summary) => summary,
            None => return Ok(Ended::refused()),
        }
    };
    Ok(Ended::with(summary, folder, settings))
}

/// A run that is held and in agreement, and what is to be taken of it.
struct Opened {
    folder: RunFolder,
    lock: Lock,
    log: Arc<RunLog>,
    restored: Restored,
    take: Take,
}

/// Does what is left to do; `None` when the person does not agree.
fn go_on(
    args: &ResumeArgs,
    opened: Opened,
    mut settings: Settings,
    output: &Output,
) -> Result<Option<Summary>, Fault> {
    let console = output.console();
    let Opened { folder, lock, log, mut restored, take } = opened;
    let host = Host::start(&args.execution.rehearsal, settings.is_rehearsal(), console)?;
    settings.base_url = host.sandbox_url().unwrap_or(settings.base_url);
    let (app, app_contexts) = callers(&settings, &restored.run_state, take)?;
    let skips = Skips::find(&settings, &restored.run_state, take, &folder)?;

    // The store is looked at, before anything is sent.
    let store = if settings.store.is_some() {
        let journal = folder.journal();
        let listed = restored.run_state.pending(&journal, take).or_exit(Exit::Local)?;
        let installations =
            listed.take(MOST_IDS).filter_map(|listed| Some(listed.ok()?.0.installation));
        let client_ids = restored.run_state.client_ids();
        host.block_on(look_before(&settings, installations, client_ids))?
    } else {
        None
    };

    // The plan is shown, and the person agrees.
    if let Some(store) = &store {
        console.print(&store.plan);
    }
    print_plan(&restored.run_state, take, &settings, &app, console);
    skips.in_words().iter().for_each(|line| console.print(line));
    console.print(&format!("Run folder     {}", folder.path().display()));
    let tokens = tokens_of_list(&restored.run_state, &settings, console);
    take_agencies(&settings, &app_contexts, &folder);
    let is_to_ask = !settings.is_rehearsal() && !args.yes && is_somebody_there();
    if is_to_ask && consent(console) == Consent::Refused {
        return Ok(None);
    }

    // The calls are made, and the files are written.
    let resumed = resumed(&settings).or_exit(Exit::Local)?;
    let events = std::iter::once(resumed).chain(skips.events());
    restored.add_durably(events, log.as_ref()).or_exit(Exit::Local)?;
    let Restored { writer, run_state } = restored;
    let others = skips.earlier.map_or(Others::Ignored, Others::Skipped);
    let store = store.map(|store| store.chosen);
    let session =
        Session { folder, lock, writer, log, run_state, settings, take, tokens, others, store };
    let calls = Calls { endpoint: app.endpoint, answers: app.answers, app_contexts };
    output.begin_work();
    host.work(session, calls, console).map(Some)
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

/// Who calls, for the installations that are taken.
fn callers(
    settings: &Settings,
    run_state: &RunState,
    take: Take,
) -> Result<(App, Vec<AppContext>), Fault> {
    let variables = if settings.is_rehearsal() {
        Variables::default()
    } else {
        Variables::read(settings.secrets.env_file.as_deref()).or_exit(Exit::Usage)?
    };
    let mut app = App::of(settings, &variables, Stdin::Free).or_exit(Exit::Usage)?;
    let is_open = |app: &&AppOfRun| run_state.to_take_of(Some(&app.name), take) > 0;
    let apps: Vec<_> = run_state.started.apps.iter().filter(is_open).cloned().collect();
    check_client(&app, &run_state.started, &apps).or_exit(Exit::Usage)?;
    let app_contexts = app.app_contexts(&apps).or_exit(Exit::Usage)?;
    Ok((app, app_contexts))
}

/// Without the token file nobody could say what is recovered, unless somebody says what became of the
/// tokens.
fn check_tokens_are_there(
    found: &Found,
    folder: &RunFolder,
    args: &ResumeArgs,
    next: &Next<'_>,
) -> Result<(), Fault> {
    let missing = found.tokens_missing(folder).or_exit(Exit::Local)?;
    if missing == 0 || args.tokens_handed_on {
        return Ok(());
    }
    let retry = args.retry_failed.then_some("--retry-failed");
    let again: Vec<_> = retry.into_iter().chain(["--tokens-handed-on"]).collect();
    let error = anyhow!(
        "{tokens} is missing, and the journal says that it has the tokens of {missing}; nothing was \
         sent.\n\
         If you deleted it since the tokens are where they belong, continue with the rest:\n  \
         {again}\n\
         Otherwise put it back. If these tokens are lost, make an empty file in its place and resume: \
         all of them are then asked for anew",
        tokens = folder.tokens().display(),
        missing = counted(missing, "installation"),
        again = next.resume(&again),
    );
    Err(Fault { exit: Exit::Local, error })
}

/// An execution that ended without finishing, with nothing left to do, is finished here.
fn finish(mut restored: Restored, announced: &Announced) -> Result<(), Fault> {
    let went_through = |end: &Finished| end.interrupted_by.is_none();
    if restored.run_state.finished.as_ref().is_some_and(went_through) {
        return Ok(());
    }
    let finished = Event::Finished(Finished { at: clock::now(), interrupted_by: None });
    restored.add_durably([finished], announced).or_exit(Exit::Local)
}

fn nothing_left(books: &Books) -> String {
    let hint = if books.failed > 0 { "; --retry-failed takes the failed ones again" } else { "" };
    format!("Nothing is left to do{hint}. The files are written again.")
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

/// Takes the tokens in of agencies that an earlier execution has recovered.
fn take_agencies(settings: &Settings, app_contexts: &[AppContext], folder: &RunFolder) {
    if !settings.via.include(Route::Agency) {
        return;
    }
    for AppContext { app, credentials, agency_tokens } in app_contexts {
        let own = Owner::App(application(&credentials.client_id));
        let owner = if app.is_some() { own } else { Owner::AnyApp };
        agency_tokens.take_recovered(owner, &folder.tokens());
    }
}

fn resumed(settings: &Settings) -> serde_json::Result<Event> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Event::Resumed(Resumed { at: clock::now(), version, settings: settings.written()? }))
}

fn print_plan(run_state: &RunState, take: Take, settings: &Settings, app: &App, console: Console) {
    let (books, to_take, pacing) = (run_state.books(), run_state.to_take(take), settings.pacing());
    let checks = if settings.verify.is_some() { u64::from(to_take) } else { 0 };
    let calls = u64::from(to_take) * 2 + checks;
    let via = if settings.via.are_default() {
        String::new()
    } else {
        format!("Via            {}\n", settings.via)
    };
    console.print(&format!(
        "Run            {} of {}\n\
         So far         {} recovered, {} failed, {} not attempted\n\
         To recover     {}\n\
         {via}{}{}\
         Endpoint       {}\n\
         {}",
        run_state.started.run_id,
        clock::stamp(run_state.started.at),
        books.recovered,
        books.failed,
        books.not_attempted,
        counted(to_take, "installation"),
        checks_line(checks),
        calls_line(calls, &pacing, settings.concurrency),
        app.endpoint,
        clients_in_words(run_state, take),
    ));
}

fn clients_in_words(run_state: &RunState, take: Take) -> String {
    let Started { apps, client_id, .. } = &run_state.started;
    if apps.is_empty() {
        return format!("Client id      {client_id}");
    }
    let line = |AppOfRun { name, client_id }: &AppOfRun| {
        let to_take = counted(run_state.to_take_of(Some(name), take), "installation");
        format!("App            {name}: {to_take}, client id {client_id}")
    };
    apps.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The list for its tokens, where the routes need them. Says when it has changed, and when it cannot
/// give any.
fn tokens_of_list(
    run_state: &RunState,
    settings: &Settings,
    console: Console,
) -> Option<TokenList> {
    let list = &run_state.started.list;
    let now = look_again(list.path.as_ref(), &run_state.ready.as_ref()?.digest);
    let without = if settings.use_tokens_of_list() {
        ": no token is taken from it, and its tokens are not at hand"
    } else {
        ""
    };
    match now {
        ListNow::Same => {
            let source = Source::open(list.path.as_ref()?).ok()?;
            return Some(TokenList::new(source, &settings.selection));
        }
        ListNow::Changed => console.print(&format!(
            "note: {} has changed since the run began; the run continues with the list as it was{without}",
            list.name
        )),
        ListNow::Gone if !without.is_empty() => console.print(&format!(
            "note: the list ({}) cannot be read any more; the run continues without it{without}",
            list.name
        )),
        ListNow::Gone => {}
    }
    None
}
