//! The time axis of the page: milliseconds of work, without the time between executions.

use jiff::Timestamp;

use crate::pace::Rate;

/// An execution on the axis.
#[derive(Clone, Debug)]
pub struct ExecutionSpan {
    /// When it began, UTC.
    pub began: Timestamp,
    /// The same by a clock that is never set back, in milliseconds.
    pub steady_ms: i64,
    /// The rate that it was held to.
    pub bound: Rate,
    /// Where it begins on the axis.
    pub from_ms: i64,
}

/// Maps times of the journal to the axis. Times are milliseconds of a clock that is never set back.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// In their order.
    pub executions: Vec<ExecutionSpan>,
    /// The latest time on the axis so far.
    pub end_ms: i64,
}

impl Timeline {
    /// An execution begins, where the one before has ended.
    pub fn begin(&mut self, began: Timestamp, steady_ms: i64, bound: Rate) {
        let from_ms = self.end_ms;
        self.executions.push(ExecutionSpan { began, steady_ms, bound, from_ms });
    }

    /// Where something of the latest execution lies that has just happened.
    pub fn note(&mut self, steady_ms: i64) -> i64 {
        let Some(execution) = self.executions.last() else { return 0 };
        let at = execution.place(steady_ms);
        self.end_ms = self.end_ms.max(at);
        at
    }

    /// The time of day at a place of the axis.
    pub fn time_at(&self, ms: i64) -> Option<Timestamp> {
        let index = self.executions.partition_point(|execution| execution.from_ms <= ms);
        let execution = self.executions.get(index.saturating_sub(1))?;
        let at = execution.began.as_millisecond().saturating_add(ms - execution.from_ms);
        Timestamp::from_millisecond(at).ok()
    }
}

impl ExecutionSpan {
    fn place(&self, steady_ms: i64) -> i64 {
        self.from_ms.saturating_add(steady_ms.saturating_sub(self.steady_ms).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_executions_is_left_out() {
        let time = |second: i64| Timestamp::from_second(second).unwrap();
        let mut timeline = Timeline::default();
        timeline.begin(time(1000), 1_000_000, Rate::Unlimited);
        assert_eq!(timeline.note(1_001_500), 1500);
        assert_eq!(timeline.note(1_001_000), 1000, "events may come out of order");
        timeline.begin(time(90_000), 90_000_000, Rate::Unlimited);
        assert_eq!(timeline.note(90_002_000), 3500);
        assert_eq!(timeline.end_ms, 3500);
        assert_eq!(timeline.time_at(500).unwrap().to_string(), "1970-01-01T00:16:40.5Z");
        assert_eq!(timeline.time_at(2500), Some(time(90_001)));
    }
}
