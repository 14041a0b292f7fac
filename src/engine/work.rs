//! The work of an execution: one app after the other, each with its own client, pace, canary and
//! outage.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    batch::{Batch, Broken},
    breaker::{self, Breaker},
    canary::Canary,
    cancellation::{Cancellation, Cause},
    dispatcher::Dispatcher,
    gauge::Gauge,
    jobs::{Part, jobs},
    list::TokenList,
    outage::Outages,
    recorder::Recorder,
    recover::{OpenRoutes, Tools},
    screen::Progress,
    watchdog::{Bounds, Looking, Watchdog},
};
use crate::{
    app::AppName,
    event::Observer,
    exit::{Exit, Fault, OrExit},
    highlevel::{
        client::Client,
        endpoint::Endpoint,
        known_secrets::{Kind, KnownSecrets},
        server_clock::OffsetWatch,
        table::Answers,
    },
    journal::{
        folder::RunFolder,
        state::{RunState, Take},
    },
    pace::{Outlook, Pacer, memory::Memory},
    plan::recoveries::{self, Earlier, RecoveryLog},
    settings::{Settings, app::AppContext, path::path_in_full},
};

/// Whether an execution leaves alone what other runs recover while it works.
#[derive(Clone, Debug)]
pub enum Others {
    /// It does; this is what they had recovered when it began.
    Skipped(Arc<Earlier>),
    /// It does not.
    Ignored,
}

/// What lies before the requests of the app that is being worked for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Ahead(Arc<Mutex<Option<Pacer>>>);

impl Ahead {
    fn set(&self, pacer: Option<Pacer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pacer;
    }

    /// How long the next requests will take to start.
    pub fn outlook(&self) -> Outlook {
        let pacer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = Outlook { interval: Duration::ZERO, held: Duration::ZERO };
        pacer.as_ref().map_or(nothing, Pacer::outlook)
    }
}

/// What the apps of an execution share.
pub struct Work<'a> {
    /// The run folder.
    pub folder: &'a RunFolder,
    /// How the run stood before the execution.
    pub run_state: Arc<RunState>,
    /// What is to be done.
    pub settings: &'a Settings,
    /// Where tokens of the list are read; `None` where they are not at hand.
    pub tokens: Option<TokenList>,
    /// Whether it skips what other runs recover.
    pub others: Others,
    /// Where the calls go.
    pub endpoint: Endpoint,
    /// What answers mean.
    pub answers: Answers,
    /// Records what happens.
    pub recorder: Recorder,
    /// Progress on the screen.
    pub progress: Arc<dyn Progress>,
    /// The run's log.
    pub log: Arc<dyn Observer>,
    /// Installations open and in flight.
    pub gauge: Gauge,
    /// Cancels all of it.
    pub stop: Cancellation,
    /// What the progress shows of the pace.
    pub ahead: Ahead,
    /// The secrets of all apps, and whatever passes by.
    pub known: KnownSecrets,
}

impl Work<'_> {
    /// Works for one app after the other. What halts one of them does not halt the next.
    pub async fn for_all(&self, app_contexts: Vec<AppContext>, take: Take) -> Result<(), Fault> {
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
        // The sandbox of a rehearsal ends with its process, and so does what it counts.
        let memory = (!self.settings.is_rehearsal()).then(|| {
            Memory::of(self.endpoint.base(), &app_context.credentials.client_id)
                .of_run(self.folder.path(), self.settings.shard)
        });
        let (pacer, pacing) = Pacer::start_after(earlier, self.settings.pacing(), memory)
            .context("cannot start a thread")
            .or_exit(Exit::Local)?;
        self.ahead.set(Some(pacer.clone()));
        let watchdog = Watchdog::default();
        let looking = self.look_after(&watchdog, &pacer).or_exit(Exit::Local)?;
        let stop = if part.app.is_some() { self.stop.child() } else { self.stop.clone() };
        let tools = self.tools(app_context, &part, pacer.clone(), watchdog, stop.clone())?;
        let jobs = jobs(
            self.run_state.clone(),
            part.clone(),
            self.folder,
            &self.settings.via,
            self.tokens.clone(),
        )
        .or_exit(Exit::Local)?;
        let batch = Arc::new(Batch::new(tools));
        // A task is woken by those that it waits for at less cost than the main thread.
        let worked = tokio::spawn(batch.clone().run(jobs)).await;
        match worked.context("the work stopped unexpectedly: a bug").or_exit(Exit::Bug)? {
            Ok(()) => {}
            // The journal's thread, which knows what was saved, tells what the disk lost.
            Err(Broken::Storage) => drop(self.stop.cancel(Cause::StorageError)),
            Err(Broken::Supply(error)) => {
                return Err(error.context("cannot read on in the list")).or_exit(Exit::Local);
            }
        }
        if let (Some(app), Some(Cause::Halted)) = (&part.app, stop.cause()) {
            self.progress.note(&format!(
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
        if self.settings.is_rehearsal() {
            return None;
        }
        let run_id = &self.run_state.started.run_id;
        let folder = path_in_full(self.folder.path()).display().to_string();
        let (base_url, client_id) = (self.endpoint.base().to_owned(), client_id.to_owned());
        let writer = recoveries::LogOwner { base_url, client_id, run_id: run_id.clone(), folder };
        let earlier = match &self.others {
            Others::Skipped(earlier) => Some(earlier.as_ref()),
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
        self.progress.note(&line);
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
        let (settings, answers) = (self.settings, self.answers.clone());
        let client = Client::new(self.endpoint.clone(), credentials, settings.timeout, answers);
        let open = self.run_state.to_take_of(app.as_ref(), part.take);
        let gauge = self.gauge.part(open);
        let routes = OpenRoutes::new(settings.via.clone(), agency_tokens, settings.token_checks());
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
            attempts: settings.attempts,
            max_outage: settings.max_outage,
            gauge,
            recoveries,
            watchdog,
            day_is_recorded: AtomicBool::new(false),
        })
    }

    /// Who may go, in a run that starts as proven when it was.
    fn dispatcher(&self, app: Option<&AppName>, gauge: Gauge) -> Arc<Dispatcher> {
        let Settings { max_outage, max_failures, give_up_after, concurrency, .. } = *self.settings;
        let was_proven = self.run_state.is_proven(app);
        let outages = Outages::new(max_outage, was_proven.then(Instant::now));
        let give_up_after = (give_up_after > 0).then_some(give_up_after);
        let limits = breaker::Limits { max_failures, give_up_after };
        let breaker = Breaker::new(limits, was_proven);
        let canary = if was_proven { Canary::proven() } else { Canary::default() };
        Arc::new(Dispatcher::new(concurrency as usize, outages, breaker, canary, gauge))
    }

    /// Lets the watchdog look, and name what is stuck to the person and in the log.
    fn look_after(&self, watchdog: &Watchdog, pacer: &Pacer) -> anyhow::Result<Looking> {
        let Settings { timeout, max_outage, concurrency, .. } = *self.settings;
        let (pacer, progress, log) = (pacer.clone(), self.progress.clone(), self.log.clone());
        let print = move |line: &str| {
            progress.note(line);
            log.note(line);
        };
        let bounds = Bounds { timeout, max_outage, concurrency };
        let looking = watchdog.start(bounds, move || pacer.outlook(), print);
        looking.context("cannot start a thread")
    }
}

/// The client secrets of all apps: a server may know more than one of them.
pub fn known_to(app_contexts: &[AppContext]) -> KnownSecrets {
    let known = KnownSecrets::default();
    for app_context in app_contexts {
        known.learn(Kind::Client, &app_context.credentials.client_secret.0);
    }
    known
}
