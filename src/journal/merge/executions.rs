//! The executions of several machines on one time axis, that of the server.
//!
//! The journal of a machine has how far its clock is from the server's, as exactly as whole seconds
//! allow. Each execution is therefore moved as a whole: whatever the error, its starts are as far apart
//! as they were, and the sum over all machines keeps a bound that each of them keeps. Between two
//! executions of a machine time is never shortened, for the same reason.

use jiff::Timestamp;

use crate::{
    clock,
    event::{Event, later},
    pace::Rate,
    settings::Settings,
};

/// Two readings of one clock differ by less, in milliseconds: the `Date` of an answer has whole seconds.
const SAME_CLOCK_MS: i64 = 2000;

/// One `run` or `resume` of a shard, by the clock of its machine.
#[derive(Clone, Debug)]
pub struct Execution {
    /// When it began.
    pub begin: Timestamp,
    /// Its last event.
    pub end: Timestamp,
    /// Milliseconds by which the server's clock was ahead, where an answer showed it.
    pub offset_ms: Option<i64>,
    /// Version of the program.
    pub version: String,
    /// What it was to do.
    pub settings: Settings,
}

/// Gathers the executions of a shard while its events pass by.
#[derive(Debug, Default)]
pub struct ExecutionLog(Vec<Execution>);

impl ExecutionLog {
    /// Takes an event into account.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Started(e) => self.begin(e.at, &e.version, &e.settings),
            Event::Resumed(e) => self.begin(e.at, &e.version, &e.settings),
            // What a store does comes after the calls, also much later.
            Event::StoreBegan(_) | Event::Stored(_) => {}
            _ => self.extend(event),
        }
    }

    /// Settings that cannot be read have been refused before.
    fn begin(&mut self, at: Timestamp, version: &str, settings: &serde_json::Value) {
        let Ok(settings) = Settings::read(settings) else { return };
        let (begin, end, offset_ms) = (at, at, None);
        self.0.push(Execution { begin, end, offset_ms, version: version.to_owned(), settings });
    }

    fn extend(&mut self, event: &Event) {
        let Some(execution) = self.0.last_mut() else { return };
        if let Event::ServerClock(clock) = event {
            execution.offset_ms.get_or_insert(clock.offset_ms);
        }
        execution.end = execution.end.max(event.at().unwrap_or(execution.end));
    }

    /// The executions in their order, and by how much each is moved.
    pub fn placed(self) -> Vec<Placed> {
        let moves = moves(&self.0);
        let placed = self.0.into_iter().zip(moves);
        placed.map(|(execution, by_ms)| Placed::new(execution, by_ms)).collect()
    }
}

/// An execution on the axis that all have in common.
#[derive(Clone, Debug)]
pub struct Placed {
    /// It, with its begin and end there.
    pub execution: Execution,
    /// Milliseconds by which the times of its events are moved.
    pub by_ms: i64,
}

impl Placed {
    fn new(execution: Execution, by_ms: i64) -> Self {
        let (begin, end) = (later(execution.begin, by_ms), later(execution.end, by_ms));
        Self { execution: Execution { begin, end, ..execution }, by_ms }
    }
}

/// By how many milliseconds each execution of a shard is moved.
fn moves(executions: &[Execution]) -> Vec<i64> {
    let mut offset_ms = executions.iter().find_map(|one| one.offset_ms).unwrap_or(0);
    let mut by_ms = offset_ms;
    let mut end: Option<Timestamp> = None;
    let mut place = |execution: &Execution| {
        let change = execution.offset_ms.map_or(0, |offset| offset - offset_ms);
        if change.abs() > SAME_CLOCK_MS {
            offset_ms += change;
            by_ms += change + SAME_CLOCK_MS;
        }
        // One process works on a shard at a time.
        let begin = later(execution.begin, by_ms);
        by_ms += end.map_or(0, |end| clock::millis_between(begin, end)).max(0);
        end = Some(later(execution.end, by_ms));
        by_ms
    };
    executions.iter().map(&mut place).collect()
}

/// A time in which at least one machine was at work: what an execution is to a run of one machine.
#[derive(Clone, Debug)]
pub struct ActivePeriod {
    /// When the first machine began.
    pub begin: Timestamp,
    /// Version of the program.
    pub version: String,
    /// What the whole was to do: settings of one machine, at the rate of all.
    pub settings: Settings,
}

/// The periods of work of all shards.
pub fn periods(all: &[Placed]) -> Vec<ActivePeriod> {
    let mut executions: Vec<&Execution> = all.iter().map(|placed| &placed.execution).collect();
    executions.sort_by_key(|execution| execution.begin);
    let mut groups: Vec<Vec<&Execution>> = Vec::new();
    let mut until = Timestamp::MIN;
    for execution in executions {
        match groups.last_mut() {
            Some(group) if execution.begin <= until => group.push(execution),
            _ => groups.push(vec![execution]),
        }
        until = until.max(execution.end);
    }
    let mut periods: Vec<ActivePeriod> = groups.iter().filter_map(|group| period(group)).collect();
    // What the last execution was to do is what resume repeats.
    if let Some(last) = groups.last().and_then(|group| group.last())
        && periods.last().is_some_and(|period| period.settings != whole(last))
    {
        let (begin, version) = (until, last.version.clone());
        periods.push(ActivePeriod { begin, version, settings: whole(last) });
    }
    periods
}

/// A period has the settings of its last execution, and the widest bound of all.
fn period(group: &[&Execution]) -> Option<ActivePeriod> {
    let (first, last) = (group.first()?, group.last()?);
    let width = |execution: &&&Execution| Width::of(execution.settings.total_pacing().bound());
    let widest = group.iter().rev().max_by(|a, b| width(a).cmp(&width(b)))?;
    let Settings { rate, max_rate, burst, .. } = widest.settings.clone();
    let settings = Settings { rate, max_rate, burst, ..whole(last) };
    Some(ActivePeriod { begin: first.begin, version: last.version.clone(), settings })
}

fn whole(execution: &Execution) -> Settings {
    Settings { shard: None, ..execution.settings.clone() }
}

/// Bounds in order: starts a second in millionths, then the longer window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Width(u128, u128);

impl Width {
    fn of(rate: Rate) -> Self {
        match rate {
            Rate::Unlimited => Self(u128::MAX, u128::MAX),
            Rate::Limited { starts, window } => {
                let nanos = window.as_nanos().max(1);
                Self(u128::from(starts.get()) * 1_000_000_000_000_000 / nanos, nanos)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::Shard;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn execution(begin: i64, end: i64, offset_ms: Option<i64>, rate: &str) -> Execution {
        let shard = Shard::new(1, 2);
        let rate = rate.parse().unwrap();
        let settings = Settings { rate, shard, ..Settings::default() };
        let version = "0.1.0".to_owned();
        Execution { begin: at(begin), end: at(end), offset_ms, version, settings }
    }

    #[test]
    fn an_execution_is_moved_by_the_clock_of_its_machine() {
        const HOUR: i64 = 3_600_000;
        for (executions, expected) in [
            (vec![], vec![]),
            (vec![(0, 9, None)], vec![0]),
            (vec![(0, 9, Some(0))], vec![0]),
            (vec![(0, 9, Some(-HOUR))], vec![-HOUR]),
            // Before the first answer nobody knows, and afterwards it is the same machine's clock.
            (vec![(0, 9, None), (10, 19, Some(HOUR)), (20, 29, None)], vec![HOUR, HOUR, HOUR]),
            // The clock of a machine is read with an error of a second.
            (vec![(0, 9, Some(HOUR)), (10, 19, Some(HOUR - 999))], vec![HOUR, HOUR]),
            // Another machine: rather later than earlier.
            (vec![(0, 9, Some(0)), (3610, 3619, Some(-HOUR))], vec![0, 2000 - HOUR]),
            // One an hour behind, which no answer has reached, cannot have begun before the other ended.
            (vec![(0, 3609, Some(0)), (10, 19, None)], vec![0, HOUR - 1000]),
        ] {
            let all: Vec<_> = executions
                .iter()
                .map(|(begin, end, offset)| execution(*begin, *end, *offset, "10/s"))
                .collect();
            assert_eq!(moves(&all), expected, "{executions:?}");
        }
    }

    #[test]
    fn time_between_two_machines_is_not_shortened_by_how_their_clocks_are_read() {
        for (one, other) in [(0, 9000), (0, -9000), (5000, -3_600_000), (-60_000, 60_000)] {
            for errors in [[0, 0], [-999, 999], [999, -999], [-999, -999]] {
                let read = [one + errors[0], other + errors[1]];
                let first = execution(0, 9, Some(read[0]), "10/s");
                let second = execution(10_000, 10_009, Some(read[1]), "10/s");
                let moves = moves(&[first, second]);
                assert!(moves[1] - moves[0] >= other - one, "{one} {other} {errors:?}: {moves:?}");
                assert!(moves[1] - moves[0] <= other - one + 4000, "{moves:?}");
            }
        }
    }

    #[test]
    fn a_run_goes_on_where_no_machine_was_at_work() {
        for (executions, expected) in [
            (vec![(0, 9, "10/s")], vec![(0, "10/s")]),
            (vec![(0, 9, "10/s"), (5, 20, "10/s"), (19, 30, "10/s")], vec![(0, "10/s")]),
            (vec![(19, 30, "10/s"), (0, 9, "10/s")], vec![(0, "10/s"), (19, "10/s")]),
            (vec![(0, 9, "10/s"), (20, 30, "50/s")], vec![(0, "10/s"), (20, "50/s")]),
            (vec![(0, 25, "10/s"), (20, 30, "50/s")], vec![(0, "50/s")]),
            // Side by side the bound is the widest, and resume goes on at the last one.
            (vec![(0, 25, "50/s"), (20, 30, "10/s")], vec![(0, "50/s"), (30, "10/s")]),
            (vec![(0, 9, "10/s"), (5, 9, "100/10s")], vec![(0, "100/10s")]),
            (vec![(0, 9, "unlimited"), (5, 9, "9/s")], vec![(0, "unlimited"), (9, "9/s")]),
        ] {
            let all = executions
                .iter()
                .map(|(begin, end, rate)| Placed::new(execution(*begin, *end, None, rate), 0));
            let periods = periods(&all.collect::<Vec<_>>());
            let found =
                periods.iter().map(|period| (period.begin, period.settings.rate.to_string()));
            let expected = expected.iter().map(|(begin, rate)| (at(*begin), (*rate).to_owned()));
            assert!(found.eq(expected), "{executions:?}: {periods:?}");
            assert!(periods.iter().all(|period| period.settings.shard.is_none()));
        }
    }
}
