//! The shards of a list joined: one journal that one machine could have written, and its token files.
//!
//! Rows are in the order of the list, events in the order of time. What a shard's journal says of its
//! whole run (executions, halts, the end) is said once, of all. Everything is written into a draft,
//! durably, and read back; the shards' folders are only read.

mod absent;
mod ending;
mod executions;
mod gather;
mod held;
mod shards;
mod stream;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

pub use self::{
    absent::AbsentRows,
    held::{HeldShard, HeldShards, hold},
    shards::{Missing, missing_in_words},
};
use self::{
    ending::{ShardEnd, ending, have_one_store},
    executions::{ActivePeriod, Placed, periods},
    gather::{Gathered, gather, take_replaced},
    stream::{Stream, in_order},
};
use super::{
    folder::RunFolder,
    line_file::LineFile,
    reader::{JournalError, Reader},
    restore::Found,
    state::Disagreement,
    writer::Writer,
};
use crate::{
    clock,
    event::{Event, FORMAT, HandedOn, Ready, Resumed, ServerClock, Started},
    exit::{Exit, Fault, OrExit},
};

/// Writes the journal and the token files of the whole run into a draft. `more` are events that are to
/// be known of the whole.
pub fn write(
    held: &HeldShards,
    mut absent: Option<AbsentRows>,
    more: Vec<Event>,
    folder: &RunFolder,
    note: &dyn Fn(&str),
) -> Result<(), Fault> {
    let mut writer = Writer::create(folder).or_exit(Exit::Local)?;
    let shards: Vec<Gathered> = held
        .shards
        .iter()
        .map(|shard| gather(shard, &mut writer, note))
        .collect::<Result<_, Fault>>()?;
    copy_replaced(held, folder).or_exit(Exit::Local)?;
    let merger = Merger::of(held, shards).or_exit(Exit::Local)?;
    merger.write(&mut absent, more, &mut writer).or_exit(Exit::Local)?;
    writer.sync().or_exit(Exit::Local)?;
    drop(writer);
    read_back(folder)
}

fn copy_replaced(held: &HeldShards, folder: &RunFolder) -> anyhow::Result<()> {
    let mut file = None;
    for shard in &held.shards {
        take_replaced(shard, &mut file, folder)?;
    }
    Ok(file.as_mut().map_or(Ok(()), LineFile::sync)?)
}

/// Journal and tokens have to agree, as after any run.
fn read_back(folder: &RunFolder) -> Result<(), Fault> {
    let found = Found::read(folder)?;
    let differ = found.disagreement().or_exit(Exit::Local)?;
    let agree = || {
        ensure!(
            differ == Disagreement::default(),
            "the tokens do not read back as they were written"
        );
        ensure!(found.run_state.books().balance(), "the books of the merged run do not balance");
        Ok(())
    };
    agree().or_exit(Exit::Bug)
}

fn ends(shards: &[Gathered]) -> Vec<&ShardEnd> {
    shards.iter().map(|shard| &shard.end).collect()
}

/// The shards, about to be joined.
struct Merger<'a> {
    held: &'a HeldShards,
    shards: Vec<Gathered>,
    periods: Vec<ActivePeriod>,
    has_one_store: bool,
}

impl<'a> Merger<'a> {
    fn of(held: &'a HeldShards, shards: Vec<Gathered>) -> anyhow::Result<Self> {
        let has_one_store = have_one_store(&ends(&shards));
        let all: Vec<Placed> =
            shards.iter().flat_map(|shard| shard.executions.iter().cloned()).collect();
        let mut periods = periods(&all);
        ensure!(!periods.is_empty(), "the journals have no settings");
        for period in &mut periods {
            // Whoever resumes has seen why a shard was given up.
            if shards.iter().any(|shard| shard.was_given_up) {
                period.settings.give_up_after = 0;
            }
            period.settings.store.take_if(|_| !has_one_store);
        }
        Ok(Self { held, shards, periods, has_one_store })
    }

    fn write(
        &self,
        absent: &mut Option<AbsentRows>,
        more: Vec<Event>,
        writer: &mut Writer,
    ) -> anyhow::Result<()> {
        let mut streams: Vec<Stream> = self
            .journals()
            .map(|(journal, shard)| Stream::open(journal.as_path(), &shard.executions))
            .collect::<Result<_, JournalError>>()?;
        writer.append(&self.started()?)?;
        let absent_rows = write_list(&mut streams, absent, writer)?;
        writer.append(&self.ready(absent_rows)?)?;
        self.write_events(&mut streams, writer)?;
        let closing = self.shards.iter().flat_map(|shard| shard.closing.iter().cloned());
        let closing = closing.chain(self.handed_on());
        let end = ending(&ends(&self.shards), self.held.absent.len());
        for event in closing.chain(more).chain(end) {
            writer.append(&event)?;
        }
        if self.has_one_store { self.write_store_events(writer) } else { Ok(()) }
    }

    fn journals(&self) -> impl Iterator<Item = (PathBuf, &Gathered)> {
        self.held.shards.iter().map(|shard| shard.folder.journal()).zip(&self.shards)
    }

    /// How the whole run began: as the first shard did, where they differ.
    fn started(&self) -> anyhow::Result<Event> {
        let period = self.periods.first().context("the journals have no settings")?;
        let first = self.held.shards.first().context("there is no shard")?;
        let parent = self.held.shards.iter().find_map(|shard| shard.started.parent.clone());
        Ok(Event::Started(Box::new(Started {
            format: FORMAT,
            run_id: format!("{:032x}", fastrand::u128(..)),
            at: period.begin,
            parent,
            settings: period.settings.written()?,
            ..first.started.clone()
        })))
    }

    fn ready(&self, absent_rows: u32) -> anyhow::Result<Event> {
        let first = self.shards.first().context("there is no shard")?;
        let begin = self.periods.first().map_or(first.ready.at, |period| period.begin);
        let input = self.shards.iter().map(|shard| shard.ready.input).sum::<u32>() + absent_rows;
        Ok(Event::Ready(Ready { at: begin, input, ..first.ready.clone() }))
    }

    fn write_events(&self, streams: &mut [Stream], writer: &mut Writer) -> anyhow::Result<()> {
        let mut periods = self.periods.iter().skip(1).peekable();
        let is_known = |placed: &Placed| placed.execution.offset_ms.is_some();
        if self.shards.iter().flat_map(|shard| &shard.executions).any(is_known)
            && let Some(first) = self.periods.first()
        {
            // By now every time is one of the server's clock.
            writer.append(&Event::ServerClock(ServerClock { at: first.begin, offset_ms: 0 }))?;
        }
        let count = streams.len();
        let next = |source: usize| {
            let keyed = streams.get_mut(source)?.next_after_list()?;
            Some(keyed.map_err(anyhow::Error::from))
        };
        in_order(next, count, |at, event| {
            while let Some(period) = periods.next_if(|period| period.begin.as_millisecond() <= at) {
                writer.append(&resumed(period)?)?;
            }
            Ok(writer.append(&event)?)
        })?;
        for period in periods {
            writer.append(&resumed(period)?)?;
        }
        Ok(())
    }

    fn handed_on(&self) -> impl Iterator<Item = Event> {
        let at = clock::now();
        let rows = self.shards.iter().flat_map(|shard| &shard.handed_on);
        rows.map(move |row| Event::HandedOn(HandedOn { at, installations: 1, row: Some(*row) }))
    }

    /// What became of the pairs in the store, shard by shard, since each may write into a table of its
    /// own.
    fn write_store_events(&self, writer: &mut Writer) -> anyhow::Result<()> {
        for (journal, shard) in self.journals().filter(|(_, shard)| shard.end.store.is_some()) {
            copy_store_events(&journal, &shard.executions, writer)?;
        }
        Ok(())
    }
}

/// Writes the rows of all shards in the order of the list; how many are those of no journal.
fn write_list(
    streams: &mut [Stream],
    absent: &mut Option<AbsentRows>,
    writer: &mut Writer,
) -> anyhow::Result<u32> {
    let (count, mut absent_rows) = (streams.len(), 0);
    let next = |source: usize| {
        if let Some(stream) = streams.get_mut(source) {
            return stream.next_of_list().map(|keyed| keyed.map_err(anyhow::Error::from));
        }
        let row = absent.as_mut()?.next_row()?;
        absent_rows += u32::from(row.is_ok());
        Some(row)
    };
    in_order(next, count + 1, |_, event| Ok(writer.append(&event)?))?;
    Ok(absent_rows)
}

fn copy_store_events(
    journal: &Path,
    executions: &[Placed],
    writer: &mut Writer,
) -> anyhow::Result<()> {
    let mut moves = executions.iter().map(|placed| placed.by_ms);
    let mut by_ms = moves.next().unwrap_or(0);
    for event in Reader::open(journal)? {
        match event?.1 {
            Event::Resumed(_) => by_ms = moves.next().unwrap_or(by_ms),
            event @ (Event::StoreBegan(_) | Event::Stored(_)) => {
                writer.append(&event.moved(by_ms))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn resumed(period: &ActivePeriod) -> anyhow::Result<Event> {
    let ActivePeriod { begin, version, settings } = period;
    let (at, version, settings) = (*begin, version.clone(), settings.written()?);
    Ok(Event::Resumed(Resumed { at, version, settings }))
}
