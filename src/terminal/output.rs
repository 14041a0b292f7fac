//! What an execution gives to standard output: its summary in words, as JSON, or its events.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::{
    console::Console,
    json_events::{
        EventStream, Patience, Written,
        lines::{self, RunName, WithoutFigures},
    },
    summary::{self, As},
};
#[cfg(unix)]
use crate::terminal::json_events::signals::{CurrentPhase, Phase};
use crate::{
    exit::{Exit, Fault, OrExit},
    journal::{folder::RunFolder, state::RunState},
    settings::{Settings, args::JsonOutput},
    views::{self, summary::Summary},
};

/// How an execution ended without an error.
pub enum Ended {
    /// With a summary.
    Run(Box<Run>),
    /// Before anything was begun.
    NotStarted {
        /// What that means.
        exit: Exit,
        /// Why, for a person.
        why: String,
    },
}

impl Ended {
    /// With a summary.
    pub fn with(summary: Summary, folder: RunFolder, settings: Settings) -> Self {
        Self::Run(Box::new(Run { summary, folder, settings }))
    }

    /// By the person who was asked.
    pub fn refused() -> Self {
        Self::NotStarted { exit: Exit::Usage, why: "Nothing was sent.".to_owned() }
    }
}

/// A run at the end of an execution.
pub struct Run {
    /// Its figures.
    pub summary: Summary,
    /// Its folder.
    pub folder: RunFolder,
    /// What the execution was to do, with what was typed for it.
    pub settings: Settings,
}

/// Where the outcome of an execution goes.
pub struct Output {
    console: Console,
    json: Option<JsonOutput>,
    events: Option<Events>,
}

impl Output {
    /// Begins the output that is asked for.
    pub fn begin(json: Option<JsonOutput>, console: Console) -> Result<Self, Fault> {
        let events = (json == Some(JsonOutput::Events)).then(Events::begin).transpose();
        Ok(Self { console, json, events: events.or_exit(Exit::Local)? })
    }

    /// Where prose goes.
    pub fn console(&self) -> Console {
        self.console
    }

    /// The run is there: its events are written, from this place in its journal on.
    pub fn follow(&self, folder: &RunFolder, run_state: &RunState, from: u64) {
        if let Some(events) = &self.events {
            let (run_id, folder) = (run_state.started.run_id.clone(), folder.path());
            events.follow(RunName { run_id, folder: folder.to_owned() }, from);
        }
    }

    /// The execution answers signals from here on.
    pub fn begin_work(&self) {
        #[cfg(unix)]
        if let Some(events) = &self.events {
            events.phase.set(Phase::Working);
        }
    }

    /// Gives the end to standard output, and tells it in words.
    pub fn end(self, ended: Result<Ended, Fault>) -> Result<Exit, Fault> {
        let Self { console, json, events } = self;
        match &ended {
            Ok(Ended::Run(run)) => {
                summary::show(&run.summary, &run.folder, &run.settings, As::asked(json), console);
            }
            Ok(Ended::NotStarted { why, .. }) => console.print(why),
            Err(_) => {}
        }
        if let Some(warning) = events.and_then(|events| events.end(&ended)) {
            console.print(&warning);
        }
        ended.map(|ended| match ended {
            Ended::Run(run) => run.summary.exit,
            Ended::NotStarted { exit, .. } => exit,
        })
    }
}

/// The stream of events, and what is known of its run.
struct Events {
    stream: Arc<EventStream>,
    run: SharedRun,
    #[cfg(unix)]
    phase: CurrentPhase,
}

type SharedRun = Arc<Mutex<Option<RunName>>>;

impl Events {
    fn begin() -> anyhow::Result<Self> {
        let stream = Arc::new(EventStream::begin()?);
        let run = SharedRun::default();
        #[cfg(unix)]
        let phase = {
            let (last, ending, run) = (stream.clone(), stream.clone(), run.clone());
            let write_last = move |exit| {
                let why = "a signal ended the program before anything was sent";
                last.end(not_started(name(&run).as_ref(), exit, why), Patience::BRIEF);
            };
            CurrentPhase::begin(write_last, move || ending.hurry())?
        };
        Ok(Self {
            stream,
            run,
            #[cfg(unix)]
            phase,
        })
    }

    fn follow(&self, run: RunName, from: u64) {
        let journal = run.folder.join("journal.jsonl");
        self.stream.follow(lines::first(Some(&run)), &journal, from);
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
    }

    /// Writes the last line; says so where nobody took it.
    fn end(self, ended: &Result<Ended, Fault>) -> Option<String> {
        #[cfg(unix)]
        self.phase.set(Phase::Ending);
        let run = name(&self.run);
        let (last, patience) = match ended {
            Ok(Ended::Run(ended)) => {
                (lines::of_run(&ended.summary, ended.summary.exit, None), Patience::USUAL)
            }
            Ok(Ended::NotStarted { exit, why }) => {
                (not_started(run.as_ref(), *exit, why), Patience::USUAL)
            }
            Err(fault) => (of_fault(run.as_ref(), fault), patience_after(fault)),
        };
        match self.stream.end(last, patience) {
            Written::Done => None,
            Written::Failed(error) => Some(format!(
                "warning: standard output has not taken all events, nor the summary: {error}"
            )),
            Written::Stuck => Some(
                "warning: nobody reads standard output: its last events and the summary are missing"
                    .to_owned(),
            ),
        }
    }
}

fn name(run: &SharedRun) -> Option<RunName> {
    run.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// An error comes out of an interrupted execution only when a second signal ended it at once.
fn patience_after(fault: &Fault) -> Patience {
    match fault.exit {
        Exit::Interrupted | Exit::Terminated => Patience::BRIEF,
        _ => Patience::USUAL,
    }
}

/// The last line where nothing was begun; the first one too, where it is not written yet.
fn not_started(run: Option<&RunName>, exit: Exit, why: &str) -> String {
    without_figures(WithoutFigures::NotStarted, run, exit, why)
}

fn without_figures(why: WithoutFigures, run: Option<&RunName>, exit: Exit, text: &str) -> String {
    let last = lines::without_figures(why, run, exit, text);
    if run.is_some() { last } else { format!("{}\n{last}", lines::first(None)) }
}

/// The last line after an error: the figures as far as the journal has them, where the run has begun.
fn of_fault(run: Option<&RunName>, fault: &Fault) -> String {
    let Fault { exit, error } = fault;
    let text = format!("{error:#}");
    let Some(name) = run.filter(|_| *exit != Exit::Usage) else {
        return not_started(run, *exit, &text);
    };
    match look_within(LOOK_WITHIN, &name.folder.join("journal.jsonl")) {
        Some(summary) => lines::of_run(&summary, *exit, Some(&text)),
        None => without_figures(WithoutFigures::Unfinished, run, *exit, &text),
    }
}

/// How long the journal may take to be read once more: the disk may be what failed.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

fn look_within(time: Duration, journal: &Path) -> Option<Summary> {
    let (give, taken) = mpsc::sync_channel(1);
    let journal = journal.to_owned();
    let look = move || drop(give.send(views::look_at(&journal)));
    thread::Builder::new().name("summary".into()).spawn(look).ok()?;
    Some(taken.recv_timeout(time).ok()?.ok()?.1)
}

/// Says to whoever reads standard output that a command line was refused.
pub fn refuse(json: Option<JsonOutput>, message: &str) {
    if json == Some(JsonOutput::Events)
        && let Ok(stream) = EventStream::begin()
    {
        stream.end(not_started(None, Exit::Usage, message), Patience::USUAL);
    }
}
