//! The events of a shard on the time axis that all have in common, and those of all in one order.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    path::Path,
};

use jiff::Timestamp;

use super::executions::Placed;
use crate::{
    event::{Event, Retrying},
    failure::{Class, Failure, Stage},
    journal::{
        reader::{JournalError, Reader},
        state::{Doubts, LostGrant},
    },
    route::Route,
};

/// An event with its place in an order: a row of the list, or milliseconds since 1970.
pub type Keyed = (i64, Event);

/// An event that is so much earlier than others before it shows that a clock was set back.
const SET_BACK_MS: i64 = 10 * 60 * 1000;

/// Nobody knows how long it took to set a clock; so long is longer than the window of any usual rate.
const SETTING_MS: i64 = 60 * 1000;

/// The events of a shard.
#[derive(Debug)]
pub struct Stream {
    reader: Reader,
    moves: VecDeque<i64>,
    by_ms: i64,
    latest: i64,
    doubts: Doubts,
    attempts: HashMap<u32, u32>,
    waiting: VecDeque<Event>,
}

impl Stream {
    /// Stands before the list of a journal whose executions are moved so.
    pub fn open(journal: &Path, executions: &[Placed]) -> Result<Self, JournalError> {
        let mut moves: VecDeque<i64> = executions.iter().map(|one| one.by_ms).collect();
        Ok(Self {
            reader: Reader::open(journal)?,
            by_ms: moves.pop_front().unwrap_or(0),
            moves,
            latest: i64::MIN,
            doubts: Doubts::default(),
            attempts: HashMap::new(),
            waiting: VecDeque::new(),
        })
    }

    /// The next event of the list, with its row; `None` at its end.
    pub fn next_of_list(&mut self) -> Option<Result<Keyed, JournalError>> {
        loop {
            let event = match self.reader.next()? {
                Ok((_, event)) => event,
                Err(error) => return Some(Err(error)),
            };
            let row = match &event {
                Event::Listed(e) => e.row,
                Event::Duplicate(e) => e.row,
                Event::Rejected(e) => e.row,
                Event::NotDue(e) => e.row,
                Event::Skipped(e) => e.row,
                Event::Ready(_) => return None,
                _ => continue,
            };
            return Some(Ok((row.into(), event.moved(self.by_ms))));
        }
    }

    /// The next event after the list, with its time. What is said of the whole shard is left out, and
    /// so is what became of pairs in a store.
    pub fn next_after_list(&mut self) -> Option<Result<Keyed, JournalError>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(Ok((self.latest, event)));
            }
            match self.reader.next()? {
                Ok((_, event)) => self.take(event),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match &event {
            Event::Resumed(_) => return self.resume(),
            Event::Exchanging(e) => drop(self.attempts.insert(e.row, e.attempt)),
            Event::Refreshing(e) => drop(self.attempts.insert(e.row, e.attempt)),
            Event::Requesting(e) => drop(self.attempts.insert(e.row, e.attempt)),
            Event::Recovered(e) => drop(self.attempts.remove(&e.row)),
            Event::Failed(e) => drop(self.attempts.remove(&e.row)),
            Event::Started(_)
            | Event::Finished(_)
            | Event::Halted(_)
            | Event::Leaked(_)
            | Event::Exceeded(_)
            | Event::HandedOn(_)
            | Event::ServerClock(_)
            | Event::StoreBegan(_)
            | Event::Stored(_) => return,
            _ => {}
        }
        self.doubts.observe(&event);
        self.place(&event);
        self.waiting.push_back(event.moved(self.by_ms));
    }

    /// Finds the place of an event. Time goes on from the latest one where a clock was set back.
    fn place(&mut self, event: &Event) {
        let Some(at) = event.at() else { return };
        let moved = at.as_millisecond().saturating_add(self.by_ms);
        let behind = self.latest.saturating_sub(moved);
        if self.latest > i64::MIN && behind > SET_BACK_MS {
            self.by_ms = self.by_ms.saturating_add(behind).saturating_add(SETTING_MS);
        }
        self.latest = self.latest.max(at.as_millisecond().saturating_add(self.by_ms));
    }

    /// The execution has ended, and with it the calls in doubt of this shard; those of others have not.
    fn resume(&mut self) {
        let at = Timestamp::from_millisecond(self.latest).unwrap_or(Timestamp::UNIX_EPOCH);
        for (row, grant) in self.doubts.open_rows() {
            let attempt = self.attempts.get(&row).copied().unwrap_or(1);
            self.waiting.push_back(given_up(row, grant, attempt, at));
        }
        self.doubts = Doubts::default();
        self.by_ms = self.moves.pop_front().unwrap_or(self.by_ms);
    }
}

/// What an execution would have recorded of a call, had it lived to see that no answer comes.
fn given_up(row: u32, grant: &LostGrant, attempt: u32, at: Timestamp) -> Event {
    let stage = match grant.via {
        Route::Refresh => Stage::Refresh,
        Route::Reconnect => Stage::Exchange,
        Route::Agency => Stage::Agency,
    };
    let message = "the process ended before the answer came";
    let failure = Failure::without_answer(stage, Class::OutcomeUnknown, message);
    let (id, call, wait_ms) = (grant.id.clone(), None, Some(0));
    Event::Retrying(Retrying { row, id, attempt, at, failure, call, wait_ms })
}

/// The events of several sources in one order; each source keeps its own.
pub fn in_order<E>(
    mut next: impl FnMut(usize) -> Option<Result<Keyed, E>>,
    sources: usize,
    mut take: impl FnMut(i64, Event) -> Result<(), E>,
) -> Result<(), E> {
    let mut heads: Vec<Option<Event>> = Vec::new();
    let mut order = BinaryHeap::new();
    for source in 0..sources {
        let head = next(source).transpose()?;
        order.extend(head.as_ref().map(|(key, _)| Reverse((*key, source))));
        heads.push(head.map(|(_, event)| event));
    }
    while let Some(Reverse((key, source))) = order.pop() {
        let following = next(source).transpose()?;
        order.extend(following.as_ref().map(|(next, _)| Reverse(((*next).max(key), source))));
        let following = following.map(|(_, event)| event);
        if let Some(event) = std::mem::replace(&mut heads[source], following) {
            take(key, event)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::json;

    use super::*;
    use crate::journal::{
        merge::executions::ExecutionLog,
        test_journal::{TestJournal, id},
    };

    fn missed(row: u32) -> Event {
        let event =
            json!({ "missed": { "row": row, "id": id(row), "at": "2026-01-01T00:00:00Z" } });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn every_source_keeps_its_order_and_the_earliest_head_goes_first() {
        for (sources, expected) in [
            (vec![], vec![]),
            (vec![vec![], vec![]], vec![]),
            (vec![vec![1, 4], vec![2, 3]], vec![10, 20, 21, 11]),
            (vec![vec![1, 1], vec![1]], vec![10, 11, 20]),
            // An event that comes out of order comes at once.
            (vec![vec![5, 1, 6], vec![2, 7]], vec![20, 10, 11, 12, 21]),
        ] {
            let mut queues: Vec<VecDeque<Keyed>> = Vec::new();
            for (source, keys) in (1..).zip(&sources) {
                let rows = (source * 10..).zip(keys.iter());
                queues.push(rows.map(|(row, key)| (*key, missed(row))).collect());
            }
            let mut rows = Vec::new();
            let count = queues.len();
            let next = |source: usize| queues[source].pop_front().map(Ok::<_, Infallible>);
            let Ok(()) = in_order(next, count, |_, event| {
                let Event::Missed(missed) = event else { unreachable!() };
                rows.push(missed.row);
                Ok(())
            });
            assert_eq!(rows, expected, "{sources:?}");
        }
    }

    /// What a journal's stream gives after its list: the names of the events with their seconds.
    fn told(journal: &TestJournal) -> Vec<(String, i64)> {
        let folder = journal.write();
        let mut log = ExecutionLog::default();
        for event in Reader::open(&folder.journal()).unwrap() {
            log.observe(&event.unwrap().1);
        }
        let mut stream = Stream::open(&folder.journal(), &log.placed()).unwrap();
        while stream.next_of_list().is_some() {}
        std::iter::from_fn(|| stream.next_after_list())
            .map(|keyed| {
                let (key, event) = keyed.unwrap();
                let value = serde_json::to_value(&event).unwrap();
                let name = value.as_object().unwrap().keys().next().unwrap().clone();
                (name, (key - 1_800_000_000_000) / 1000)
            })
            .collect()
    }

    fn resume(journal: &mut TestJournal) {
        let settings = crate::settings::Settings::default().written().unwrap();
        journal.add("resumed", json!({ "version": "0", "settings": settings }));
    }

    #[test]
    fn a_call_in_doubt_is_given_up_where_its_execution_ends() {
        let mut journal = TestJournal::of(2);
        journal.recover(1, "a");
        let call = json!({ "at": "2027-01-15T08:00:05Z", "ms": 1 });
        let exchanging = json!({ "row": 2, "id": id(2), "attempt": 3, "reconnect": call });
        journal.add("exchanging", exchanging);
        resume(&mut journal);
        journal.recover(2, "b");
        journal.add("finished", json!({}));
        let told = told(&journal);
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "exchanging",
                "saving",
                "recovered",
                "exchanging",
                "retrying",
                "exchanging",
                "saving",
                "recovered"
            ]
        );
        assert_eq!(told[3].1, told[4].1, "when it was known to live last");
    }

    #[test]
    fn a_clock_that_is_set_back_sends_no_event_back() {
        let mut journal = TestJournal::of(2);
        journal.recover(1, "a");
        journal.set_back(3600);
        journal.recover(2, "b");
        let told = told(&journal);
        assert!(told.is_sorted_by_key(|(_, second)| *second), "{told:?}");
        assert_eq!(told.len(), 6);
        assert_eq!(told[3].1 - told[2].1, 60);
    }
}
