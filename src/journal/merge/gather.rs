//! What is to be known of a shard besides its events; and its token lines, which go into the files of the
//! whole run on the way.

use std::io;

use anyhow::{Context, anyhow};

use super::{
    ending::ShardEnd,
    executions::{ExecutionLog, Placed},
    held::HeldShard,
};
use crate::{
    event::{Event, Leaked, Ready, later},
    exit::{Exit, Fault, OrExit},
    journal::{
        folder::RunFolder,
        line_file::LineFile,
        reconcile,
        restore::Found,
        spill,
        state::RunState,
        token_lines::{self, each_line},
        writer::{TokenFile, Writer},
    },
    plan::{counted, fingerprint::Fingerprints},
};

/// What is to be known of a shard besides its events.
pub struct Gathered {
    /// Its executions on the axis of all.
    pub executions: Vec<Placed>,
    /// Its list.
    pub ready: Ready,
    /// How it ended.
    pub end: ShardEnd,
    /// Whether it was given up because nothing was recovered, in any execution.
    pub was_given_up: bool,
    /// What brings its journal into agreement with its tokens, and the files in which a secret was found.
    pub closing: Vec<Event>,
    /// The rows whose tokens are where they belong.
    pub handed_on: Vec<u32>,
}

/// Reads a shard and takes its token lines over. `note` is told of lines that are not as they were
/// written.
pub fn gather(
    held: &HeldShard,
    writer: &mut Writer,
    note: &dyn Fn(&str),
) -> Result<Gathered, Fault> {
    let mut log = ExecutionLog::default();
    let prints = Fingerprints::default();
    let found = Found::read_observing(&prints, &held.folder, |event| log.observe(event))?;
    check_tokens(held, &found)?;
    let differ = found.disagreement().with_context(|| unreadable(held)).or_exit(Exit::Local)?;
    let mut run_state = found.run_state;
    let mut closing = reconcile::events(&held.folder, &run_state, differ).or_exit(Exit::Local)?;
    for event in &closing {
        run_state.apply(run_state.end, event.clone());
    }
    take_tokens(held, &run_state, writer, note)
        .with_context(|| unreadable(held))
        .or_exit(Exit::Local)?;

    if let Some(why) = not_through(&run_state) {
        note(&format!(
            "Shard {} {why}: start it again and merge anew, if it is to go on",
            held.shard
        ));
    }
    let executions = log.placed();
    let by_ms = executions.last().map_or(0, |last| last.by_ms);
    closing.extend(leaks(held, &run_state));
    let handed_on = run_state.rows_handed_on().collect();
    let ready = run_state.ready.clone().context("the journal has no list").or_exit(Exit::Local)?;
    let was_given_up = run_state.was_given_up;
    let end = end_of(run_state, by_ms);
    Ok(Gathered { executions, ready, end, was_given_up, closing, handed_on })
}

/// Tokens that are not in the folder would be missing in the whole run too.
fn check_tokens(held: &HeldShard, found: &Found) -> Result<(), Fault> {
    let spills = spill::found(held.folder.path(), &held.started.run_id).or_exit(Exit::Local)?;
    if let Some((place, _)) = spills.first() {
        let error = anyhow!(
            "tokens of shard {} were saved in {} when its disk took no more; run its command once more, \
             which takes them over, and merge again",
            held.shard,
            place.display()
        );
        return Err(Fault { exit: Exit::Local, error });
    }
    let missing = found.tokens_missing(&held.folder).or_exit(Exit::Local)?;
    if missing == 0 {
        return Ok(());
    }
    let error = anyhow!(
        "{} is missing, and the journal says that it has the tokens of {}. Put it back. If you deleted it \
         since the tokens are where they belong, say so first: ghl-reconnect resume {} --tokens-handed-on",
        held.folder.tokens().display(),
        counted(missing, "installation"),
        held.folder.path().display()
    );
    Err(Fault { exit: Exit::Local, error })
}

/// Why a shard has not gone through its rows.
fn not_through(run_state: &RunState) -> Option<&'static str> {
    match (&run_state.finished, &run_state.halted) {
        (None, _) => Some("was ended before its time"),
        (Some(_), Some(_)) => Some("was halted"),
        (Some(end), None) => end.interrupted_by.map(|_| "was interrupted"),
    }
}

fn unreadable(held: &HeldShard) -> String {
    format!("cannot take over the tokens of {}", held.folder.path().display())
}

/// Takes over the newest good line of each installation, and the lines that are not to be used as they
/// stand.
fn take_tokens(
    held: &HeldShard,
    run_state: &RunState,
    writer: &mut Writer,
    note: &dyn Fn(&str),
) -> anyhow::Result<()> {
    let folder = &held.folder;
    if folder.tokens().exists() {
        for line in token_lines::copy(&folder.tokens(), run_state, writer)? {
            note(&format!(
                "{}, line {line}: damaged, or of an installation that is not in the list; it goes to \
                 quarantine.jsonl",
                folder.tokens().display()
            ));
        }
    }
    if folder.quarantine().exists() {
        each_line(&folder.quarantine(), |line| {
            writer.append_document(TokenFile::Quarantine, line).map_err(io::Error::other)
        })?;
    }
    Ok(())
}

/// Takes over the rows of the app's store as they were before they were replaced.
pub fn take_replaced(
    held: &HeldShard,
    into: &mut Option<LineFile>,
    whole: &RunFolder,
) -> anyhow::Result<()> {
    let replaced = held.folder.replaced();
    if !replaced.exists() {
        return Ok(());
    }
    let mut file = match into.take() {
        Some(file) => file,
        None => LineFile::create(whole.disk(), &whole.replaced())?,
    };
    let copied = each_line(&replaced, |line| file.line(line).map_err(io::Error::other));
    copied.with_context(|| format!("cannot take over {}", replaced.display()))?;
    *into = Some(file);
    Ok(())
}

/// The files of a shard in which a secret was found, by their full names.
fn leaks(held: &HeldShard, run_state: &RunState) -> Vec<Event> {
    let leak = |leaked: &Leaked| {
        let file = held.folder.file(&leaked.file).display().to_string();
        Event::Leaked(Leaked { at: leaked.at, file })
    };
    run_state.leaks.iter().map(leak).collect()
}

fn end_of(run_state: RunState, by_ms: i64) -> ShardEnd {
    let store = run_state.store_began().cloned().map(Box::new);
    let mut end = ShardEnd {
        finished: run_state.finished,
        is_halted: run_state.halted.is_some(),
        halts: run_state.halts,
        store,
    };
    end.halts.iter_mut().for_each(|halted| halted.at = later(halted.at, by_ms));
    end.finished.iter_mut().for_each(|finished| finished.at = later(finished.at, by_ms));
    end
}
