//! Resumes a run: locks it, reconciles journal and tokens, and does the rest.

use std::sync::Arc;

use anyhow::anyhow;

use super::{
    callers::callers,
    consent::{Consent, consent},
    host::Host,
    resumed_plan::{print_plan, tokens_of_list},
    skips::Skips,
    store_before::look_before,
};
use crate::{
    clock,
    engine::{
        closing::rewrite_views,
        list::TokenList,
        session::{Calls, Session},
        work::Others,
    },
    event::{Event, Finished, Resumed},
    exit::{Exit, Fault, OrExit},
    highlevel::client_id::application,
    installation::Installation,
    journal::{
        folder::{Lock, RunFolder},
        restore::{Found, Restored, TokensAre},
        state::{Books, RunState, Take},
    },
    plan::counted,
    route::Route,
    settings::{
        Settings,
        agency_tokens::Owner,
        app::{App, AppContext},
    },
    store::look::MOST_IDS,
    terminal::{
        console::{Announced, Console},
        next::Next,
        output::Output,
        run_log::RunLog,
    },
    views::summary::Summary,
};

/// A run that is held, as it was found.
pub struct HeldRun {
    /// Its folder.
    pub folder: RunFolder,
    lock: Lock,
    /// How it stands.
    pub found: Found,
}

/// What an execution of a run that has begun is to do.
pub struct Execution {
    /// Its settings.
    pub settings: Settings,
    /// Which installations it takes.
    pub take: Take,
    /// Where the tokens recovered so far are.
    pub tokens_are: TokensAre,
    /// Whether there is work when every installation has its outcome.
    pub pending_pairs: PendingPairs,
}

/// Whether pairs that are to go into the app's own store are work by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingPairs {
    /// They are left for the next execution.
    Ignored,
    /// They are stored.
    Stored,
}

/// Who does the work.
pub struct Caller {
    /// What it runs on.
    pub host: Host,
    /// The app.
    pub app: App,
    /// The list, where it is at hand; otherwise it is looked for.
    pub list: Option<TokenList>,
    /// Whether somebody is asked before the first call.
    pub confirmation: Confirmation,
}

/// Whether the person in the terminal is asked before the first call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Asked.
    Asked,
    /// Not asked.
    Skipped,
}

/// A run whose journal and tokens agree.
pub enum Reconciled {
    /// Nothing is left to do.
    Complete(Box<Summary>),
    /// There is work.
    HasWork(Box<OpenRun>),
}

/// A run with work to do.
pub struct OpenRun {
    folder: RunFolder,
    lock: Lock,
    log: Arc<RunLog>,
    restored: Restored,
}

impl HeldRun {
    /// Holds a run and reads it.
    pub fn hold(folder: RunFolder) -> Result<Self, Fault> {
        let lock = folder.lock()?;
        folder.sweep();
        let found = Found::read(&folder)?;
        Ok(Self { folder, lock, found })
    }

    /// Brings journal and tokens into agreement. With nothing left to do, the files are written again.
    pub fn agree(
        self,
        execution: &Execution,
        recorded: &Settings,
        console: Console,
    ) -> Result<Reconciled, Fault> {
        let Self { folder, lock, found } = self;
        let next = Next { folder: folder.path(), settings: &execution.settings, recorded };
        check_tokens_are_there(&found, &folder, execution, &next)?;
        let log = Arc::new(RunLog::open(&folder, console.format).or_exit(Exit::Local)?);
        let announced = Announced { log: log.clone(), console };
        let restored = found.agree(&folder, execution.tokens_are, &announced)?;
        if execution.has_work(&restored) {
            return Ok(Reconciled::HasWork(Box::new(OpenRun { folder, lock, log, restored })));
        }
        console.print(&nothing_left(&restored.run_state.books()));
        finish(restored, &announced)?;
        let summary = rewrite_views(&folder, None, &|line| console.print(line))?;
        Ok(Reconciled::Complete(Box::new(summary)))
    }
}

impl Execution {
    fn has_work(&self, restored: &Restored) -> bool {
        let run_state = &restored.run_state;
        let to_store = self.settings.store.is_some() && run_state.store_counts().to_store > 0;
        run_state.to_take(self.take) > 0 || (self.pending_pairs == PendingPairs::Stored && to_store)
    }
}

impl OpenRun {
    /// Does what is left to do; `None` when the person does not agree.
    pub fn resume(
        self,
        execution: Execution,
        caller: Caller,
        output: &Output,
    ) -> Result<Option<Summary>, Fault> {
        let console = output.console();
        let Self { folder, lock, log, mut restored } = self;
        let Execution { settings, take, .. } = execution;
        let Caller { host, mut app, list, confirmation } = caller;
        let app_contexts = callers(&mut app, &restored.run_state, take)?;
        let skips = Skips::find(&settings, &restored.run_state, take, &folder)?;

        // The store is looked at, before anything is sent.
        let store = if settings.store.is_some() {
            let installations = to_look_for(&folder, &restored.run_state, take)?;
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
        let tokens = list.or_else(|| tokens_of_list(&restored.run_state, &settings, console));
        take_agencies(&settings, &app_contexts, &folder);
        if confirmation == Confirmation::Asked
            && !settings.is_rehearsal()
            && consent(console) == Consent::Refused
        {
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
}

/// Installations by which a store is recognised: those to come, or else those that are recovered.
fn to_look_for(
    folder: &RunFolder,
    run_state: &RunState,
    take: Take,
) -> Result<Vec<Installation>, Fault> {
    let journal = folder.journal();
    if run_state.to_take(take) == 0 {
        let listed = run_state.outcomes(&journal).or_exit(Exit::Local)?;
        let installations = listed.filter_map(|listed| Some(listed.ok()?.0.installation));
        return Ok(installations.take(MOST_IDS).collect());
    }
    let listed = run_state.pending(&journal, take).or_exit(Exit::Local)?;
    Ok(listed.filter_map(|listed| Some(listed.ok()?.0.installation)).take(MOST_IDS).collect())
}

/// Without the token file nobody could say what is recovered, unless somebody says what became of the
/// tokens.
fn check_tokens_are_there(
    found: &Found,
    folder: &RunFolder,
    execution: &Execution,
    next: &Next<'_>,
) -> Result<(), Fault> {
    let missing = found.tokens_missing(folder).or_exit(Exit::Local)?;
    if missing == 0 || execution.tokens_are == TokensAre::HandedOn {
        return Ok(());
    }
    let retry = (execution.take == Take::OpenAndFailed).then_some("--retry-failed");
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
