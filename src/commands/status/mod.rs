//! `status`: where a run or a chain of runs stands, while it runs too. Nothing is changed.

mod watch;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    clock,
    event::Parent,
    exit::{Exit, Fault, OrExit},
    journal::{
        disk::Disk,
        folder::RunFolder,
        state::{Books, Chain, RunState},
    },
    plan::{counted, in_words},
    settings::args::StatusArgs,
    terminal::{
        console::{print_data, print_text},
        next::Next,
        stored, summary,
    },
    views::{
        self,
        causes::FailureCause,
        store::StoreInFigures,
        summary::{RunEnd, Summary},
    },
};

/// Causes that are shown.
const MOST_CAUSES: usize = 5;

/// Runs before this one that are looked for.
const MOST_RUNS: usize = 100;

/// Says where a run stands, once or until it has ended.
pub fn status(args: &StatusArgs) -> Result<Exit, Fault> {
    if args.watch {
        return watch::watch(args);
    }
    let looked = Looked::at(&args.run_dir)?;
    if args.json {
        print_data(&looked.text(Form::Json).or_exit(Exit::Local)?);
    } else {
        print_text(&looked.text(Form::Words).or_exit(Exit::Local)?);
    }
    Ok(Exit::Recovered)
}

/// How it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Words,
    Json,
    JsonLine,
}

/// A run at one moment.
struct Looked {
    folder: RunFolder,
    holder: Option<String>,
    run_state: RunState,
    summary: Summary,
}

impl Looked {
    fn at(run_dir: &Path) -> Result<Self, Fault> {
        let folder = RunFolder::open_readable(run_dir, Disk::default())?;
        // Asked for first: a run that ends meanwhile has its end in the journal.
        let holder = folder.holder().ok().flatten();
        let (run_state, mut summary) = views::look_at(&folder.journal()).or_exit(Exit::Local)?;
        summary.causes.truncate(MOST_CAUSES);
        Ok(Self { folder, holder, run_state, summary })
    }

    fn status(&self) -> Status<'_> {
        Status::of(&self.folder, &self.run_state, &self.summary, self.holder.clone())
    }

    fn text(&self, form: Form) -> serde_json::Result<String> {
        let status = self.status();
        Ok(match form {
            Form::Words => status.in_words(&self.summary),
            Form::Json => serde_json::to_string_pretty(&status)? + "\n",
            Form::JsonLine => serde_json::to_string(&status)? + "\n",
        })
    }

    /// What is to be compared with a later moment.
    fn without_time(&self) -> String {
        let status = Status { duration_ms: 0, last_request_at: None, ..self.status() };
        serde_json::to_string(&status).unwrap_or_default()
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Running,
    Paused,
    Complete,
    Halted,
    Interrupted,
    BrokeOff,
}

impl Standing {
    fn of(summary: &Summary, run_state: &RunState, holder: Option<&String>) -> Self {
        match (summary.state, holder) {
            (RunEnd::Unfinished, Some(_)) if run_state.paused.is_some() => Self::Paused,
            (RunEnd::Unfinished, Some(_)) => Self::Running,
            (RunEnd::Unfinished, None) => Self::BrokeOff,
            (RunEnd::Complete, _) => Self::Complete,
            (RunEnd::Halted, _) => Self::Halted,
            (RunEnd::Interrupted, _) => Self::Interrupted,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "running, paused in an outage; it continues by itself",
            Self::Complete => "complete",
            Self::Halted => "halted",
            Self::Interrupted => "interrupted",
            Self::BrokeOff => "ended unexpectedly",
        }
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Status<'a> {
    run_id: &'a str,
    folder: String,
    state: Standing,
    /// Process id and start of who works in the folder.
    holder: Option<String>,
    started_at: Timestamp,
    last_request_at: Option<Timestamp>,
    paused_at: Option<Timestamp>,
    duration_ms: i64,
    books: Books,
    /// What became of the pairs in the app's own store, where they went to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<&'a StoreInFigures>,
    halted: Option<&'a str>,
    causes: &'a [FailureCause],
    chain: &'a Chain,
    /// The runs before this one, the last first.
    earlier_runs: Vec<Link>,
    next: Option<String>,
    /// What is left to do, in words.
    #[serde(skip)]
    next_lines: Vec<String>,
    /// The command that writes the pairs that are not in the store yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_store: Option<String>,
}

/// An earlier run of the chain, as far as its folder is still there.
#[derive(Debug, Serialize)]
struct Link {
    run_id: String,
    folder: String,
    /// `None` where the folder is gone, cannot be read, or has another run now.
    books: Option<Books>,
}

impl<'a> Status<'a> {
    fn of(
        folder: &RunFolder,
        run_state: &'a RunState,
        summary: &'a Summary,
        holder: Option<String>,
    ) -> Self {
        let started = &run_state.started;
        let state = Standing::of(summary, run_state, holder.as_ref());
        let ended = run_state.finished.map(|end| end.at);
        let until = match state {
            Standing::Running | Standing::Paused => clock::now(),
            _ => ended.or(summary.last_start).unwrap_or(started.at),
        };
        let settings = &summary.settings;
        let next = Next { folder: folder.path(), settings, recorded: settings };
        let is_free = |_: &String| holder.is_none();
        // A run without a store may be meant to have none.
        let next_store = summary.store.as_ref().and_then(|_| next.store(summary)).filter(is_free);
        let next_lines = next.lines(summary);
        let next = next.of(summary).filter(is_free);
        Self {
            run_id: &started.run_id,
            folder: folder.path().display().to_string(),
            state,
            holder,
            started_at: started.at,
            last_request_at: summary.last_start,
            paused_at: run_state.paused.as_ref().map(|paused| paused.at),
            duration_ms: clock::millis_between(started.at, until),
            books: summary.books,
            store: summary.store.as_ref(),
            halted: run_state.halted.as_ref().map(|halted| halted.message.as_str()),
            causes: &summary.causes,
            chain: &summary.chain,
            earlier_runs: earlier_runs(started.parent.as_deref().cloned()),
            next,
            next_lines,
            next_store,
        }
    }

    fn in_words(&self, summary: &Summary) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Run          {} of {}", self.run_id, clock::stamp(self.started_at));
        let _ = writeln!(text, "Folder       {}", self.folder);
        let held = self.holder.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
        let _ = writeln!(text, "State        {}{held}", self.state.in_words());
        let took = Duration::from_millis(u64::try_from(self.duration_ms).unwrap_or(0));
        let last = self.last_request_at.map(|at| format!(", last request {}", clock::stamp(at)));
        let _ = writeln!(text, "Time         {}{}", in_words(took), last.unwrap_or_default());
        let _ = writeln!(text, "Books        {}", books_in_words(&self.books));
        if let Some(store) = self.store {
            let _ = writeln!(text, "Stored       {}", store_in_words(store));
        }
        if let Some(halted) = self.halted {
            let _ = writeln!(text, "Halted       {halted}");
        }
        summary::add_apps(&mut text, summary);
        self.add_chain(&mut text);
        summary::add_causes(&mut text, summary);
        let steps = self.next_lines.join("\n             ");
        let steps = (!steps.is_empty()).then_some(steps);
        let next: Vec<&str> = match &self.holder {
            Some(_) => vec!["wait until it has ended"],
            None if steps.is_none() && self.next_store.is_none() => {
                vec!["nothing is left to do"]
            }
            None => steps.iter().chain(&self.next_store).map(String::as_str).collect(),
        };
        text.push('\n');
        for next in next {
            let _ = writeln!(text, "Next         {next}");
        }
        text
    }

    fn add_chain(&self, text: &mut String) {
        if self.earlier_runs.is_empty() {
            return;
        }
        let Chain { runs, input, outstanding, .. } = self.chain;
        let _ = writeln!(
            text,
            "Chain        run {runs}; still outstanding since the first run: {outstanding} of {input}"
        );
        for link in &self.earlier_runs {
            let books = link
                .books
                .as_ref()
                .map_or("not there any more, or not readable".into(), books_in_words);
            let _ = writeln!(text, "  before     {}: {books} ({})", link.run_id, link.folder);
        }
    }
}

fn books_in_words(books: &Books) -> String {
    let installations = books.recovered + books.failed + books.not_attempted;
    let mut text = format!(
        "{} of {} recovered, {} failed, {} not attempted",
        books.recovered,
        counted(installations, "installation"),
        books.failed,
        books.not_attempted
    );
    for (count, what) in [(books.duplicate, "duplicate row"), (books.rejected, "rejected row")] {
        if count > 0 {
            let _ = write!(text, ", {}", counted(count, what));
        }
    }
    text
}

/// How many pairs are there, and what became of the others.
fn store_in_words(store: &StoreInFigures) -> String {
    let mut text = stored::in_words(store);
    for (outcome, count) in &store.outcomes {
        if *count > 0 && !outcome.is_stored() {
            let _ = write!(text, ", {count} {outcome}");
        }
    }
    if store.open > 0 {
        let _ = write!(text, ", {} open", store.open);
    }
    text
}

fn earlier_runs(mut parent: Option<Parent>) -> Vec<Link> {
    let mut links = Vec::new();
    while let Some(Parent { run_id, folder, .. }) = parent.take()
        && links.len() < MOST_RUNS
    {
        let journal = PathBuf::from(&folder).join("journal.jsonl");
        let run_state = RunState::read(&journal, |_| {}).ok();
        let run_state = run_state.filter(|run_state| run_state.started.run_id == run_id);
        parent =
            run_state.as_ref().and_then(|run_state| run_state.started.parent.as_deref().cloned());
        links.push(Link { run_id, folder, books: run_state.map(|run_state| run_state.books()) });
    }
    links
}
